/* daemon/lock.c - the two locks of an instance (declared in daemon/instance.h).
 *
 * flock() belongs to the open file, so the daemon's lock is inherited by its worker and goes when the last
 * of them dies, however it dies. Both files may be removed while somebody waits for them: whoever gets a
 * lock looks whether the file is still the one of that name, and tries again with the new one if not.
 * Waiting is bounded by an interval timer that interrupts flock(), also for a caller that has blocked its signal: else
 * the wait would have no end, and the alarm that is left over would kill the caller when he lets signals in again. */
/* prefix: instance_ */
#include "daemon/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_alarm(int signal) { (void)signal; }

/* flock() until `deadline`. The timer repeats, so that an alarm between the check and the call is not the
 * last one. */
static int flock_until(int fd, int64_t deadline)
{
    struct sigaction alarm = { .sa_handler = on_alarm }, old_action;
    struct itimerval timer = { { 0, 100000 }, { 0, 100000 } }, off = { 0 };
    sigset_t only_alarm, old_set;
    int error = -EINTR;

    sigemptyset(&only_alarm);
    sigaddset(&only_alarm, SIGALRM);
    sigaction(SIGALRM, &alarm, &old_action);
    sigprocmask(SIG_UNBLOCK, &only_alarm, &old_set);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (error == -EINTR)
        if (now_ms() > deadline)
            error = -ETIMEDOUT;
        else
            error = flock(fd, LOCK_EX) < 0 ? -errno : 0;
    setitimer(ITIMER_REAL, &off, NULL);
    sigprocmask(SIG_SETMASK, &old_set, NULL);
    sigaction(SIGALRM, &old_action, NULL);
    return error;
}

static int lock_path(const char *path, int flags, int wait_ms)
{
    int64_t deadline = now_ms() + wait_ms;

    for (;;) {
        int fd = open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) return -errno;
        int error = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
        if (error == -EWOULDBLOCK && wait_ms > 0) error = flock_until(fd, deadline);
        struct stat ours, named;
        if (!error && fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_ino == named.st_ino &&
            ours.st_dev == named.st_dev)
            return fd;
        close(fd);
        if (error) return error;
    }
}

int instance_lock_daemon(const struct instance *instance, int wait_ms, bool create)
{
    char path[INSTANCE_DIR_MAX + 16];
    snprintf(path, sizeof(path), "%s/lock", instance->dir);
    return lock_path(path, create ? O_RDWR | O_CREAT : O_RDWR, wait_ms);
}

int instance_lock_start(const struct instance *instance, int wait_ms)
{
    return lock_path(instance->dir, O_RDONLY | O_DIRECTORY, wait_ms);
}
