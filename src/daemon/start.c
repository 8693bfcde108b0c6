/* daemon/start.c - starting the daemon of an instance, and ending it.
 *
 * The daemon is this same program, executed anew as `pocketcan daemon`: so it has neither the preload
 * library nor any memory, lock or file of its starter. It inherits two descriptors: NOTIFY_FD, a pipe on
 * which it says "+DIR" once it listens or why it cannot, and LIFE_FD, for a private instance, whose end of
 * file ends it (daemon/supervisor.c).
 *
 * Starters exclude each other by locking the directory; the one that gets the lock looks again whether a
 * daemon answers. All waits have the same deadline, INSTANCE_WAIT_MS. */
#include "daemon/start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/text.h"
#include "bus/layout.h"
#include "daemon/privileges.h"
#include "daemon/supervisor.h"
#include "daemon/system.h"
#include "sockets/process.h"

#define HELLO_TRIES 50

/* ---- asking
 * --------------------------------------------------------------------------------------------------- */

static int explain_call(struct instance *instance, int error)
{
    switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
        return instance_fail(instance, -ENOENT, "no instance runs in %s: start it with `pocketcan up`",
                             instance->dir);
    case -EPROTO:
        return instance_fail(instance, -EPROTO, "%s runs another version: restart it with `pocketcan down`",
                             instance->dir);
    case -ETIMEDOUT:
        return instance_fail(instance, -ETIMEDOUT,
                             "the daemon of %s does not answer: end it with `pocketcan down`", instance->dir);
    default:
        return instance_fail(instance, error, "the daemon of %s does not answer: %s", instance->dir,
                             strerror(-error));
    }
}

int daemon_hello(struct instance *instance, int fds[2])
{
    struct ctl_hello hello = { 0 };
    int passed[2] = { -1, -1 };
    size_t size = 0;

    /* The worker may die under the request, or the instance end: ask the next one, or see that there is
     * none. */
    int error = -ECONNRESET;
    for (int tries = 0; tries < HELLO_TRIES && (error == -ECONNRESET || error == -EPIPE); tries++)
        error = ctl_call(instance->dir, CTL_HELLO, NULL, 0, -1, &hello, sizeof(hello), &size, passed, 2);
    if (!error && (size < sizeof(hello) || hello.layout_version != LAYOUT_VERSION ||
                   hello.control_size != sizeof(struct control) || hello.data_size != DATA_SIZE))
        error = -EPROTO;
    if (!error && fds) {
        memcpy(fds, passed, sizeof(passed));
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (passed[i] >= 0) close(passed[i]);
    return error ? explain_call(instance, error) : 0;
}

/* ---- starting
 * ------------------------------------------------------------------------------------------------- */

static void put_fd(int fd, int wanted)
{
    if (fd == wanted)
        fcntl(fd, F_SETFD, 0);
    else
        dup2(fd, wanted);
}

/* Root starts the system-wide instance for the user whose it is. */
static void become_owner(const char *dir)
{
    struct stat st;

    if (geteuid() != 0 || dir[0] != '/' || lstat(dir, &st) < 0 || st.st_uid == 0) return;
    int error = privileges_become(st.st_uid, st.st_gid);
    if (!error) return;
    dprintf(NOTIFY_FD, "cannot become uid %u: %s", (unsigned)st.st_uid, strerror(-error));
    _exit(1);
}

/* In the daemon-to-be: a clean process, then the program. Does not return. */
_Noreturn static void become_daemon(int notify_fd, int life_fd, char *const argv[])
{
    sigset_t none;
    int null_fd = open("/dev/null", O_RDWR);

    /* Out of the way of the numbers they are to have. */
    notify_fd = fcntl(notify_fd, F_DUPFD_CLOEXEC, LIFE_FD + 1);
    if (life_fd >= 0) life_fd = fcntl(life_fd, F_DUPFD_CLOEXEC, LIFE_FD + 1);
    for (int fd = 0; fd < 3; fd++)
        put_fd(null_fd, fd);
    put_fd(notify_fd, NOTIFY_FD);
    if (life_fd >= 0) put_fd(life_fd, LIFE_FD);
    close_range(life_fd >= 0 ? LIFE_FD + 1 : NOTIFY_FD + 1, ~0u, 0);

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    unsetenv("LD_PRELOAD");
    setenv("POCKETCAN_DIR", "-", 1); /* the library may come from /etc/ld.so.preload */
    become_owner(argv[2]);
    execv("/proc/self/exe", argv);
    execv((const char *)getauxval(AT_EXECFN), argv);
    dprintf(NOTIFY_FD, "cannot execute the daemon: %s", strerror(errno));
    _exit(1);
}

/* Starts the daemon as a grandchild, so that it is nobody's child. Returns 0 or -errno. */
static int spawn_daemon(int notify_fd, int life_fd, char *const argv[])
{
    pid_t child = fork();
    if (child < 0) return -errno;
    if (child == 0) {
        setsid();
        pid_t daemon = fork();
        if (daemon == 0) become_daemon(notify_fd, life_fd, argv);
        _exit(daemon < 0 ? errno : 0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EAGAIN;
}

/* Reads the daemon's word until its end. Returns the bytes read, or -ETIMEDOUT. */
static ssize_t read_word(int fd, char *word, size_t cap)
{
    size_t size = 0;
    for (;;) {
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        int ready = poll(&wait, 1, INSTANCE_WAIT_MS);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return -ETIMEDOUT;
        ssize_t n = read(fd, word + size, cap - 1 - size);
        if (n <= 0) {
            word[size] = 0;
            return (ssize_t)size;
        }
        size += (size_t)n;
    }
}

/* Starts the daemon and waits for its word. With `life_fd` it finds its own directory. */
static int launch(struct instance *instance, int life_fd)
{
    char word[INSTANCE_WHY_SIZE] = "";
    const char *argv[] = { "pocketcan", "daemon", life_fd < 0 ? instance->dir : "--private", NULL };
    int notify[2];

    if (pipe2(notify, O_CLOEXEC) < 0)
        return instance_fail(instance, -errno, "cannot start the daemon: %s", strerror(errno));
    int error = spawn_daemon(notify[1], life_fd, (char *const *)(uintptr_t)argv);
    close(notify[1]);
    ssize_t size = error ? error : read_word(notify[0], word, sizeof(word));
    close(notify[0]);
    if (size < 0)
        return instance_fail(instance, (int)size, "cannot start the daemon: %s", strerror((int)-size));
    if (size == 0)
        return instance_fail(instance, -ECHILD,
                             "the daemon died while starting: `pocketcan doctor` may know why");
    if (word[0] != '+') return instance_fail(instance, -ECHILD, "%s", word);
    if (life_fd >= 0) snprintf(instance->dir, sizeof(instance->dir), "%.*s", (int)INSTANCE_DIR_MAX, word + 1);
    return daemon_hello(instance, NULL);
}

/* With the directory entered: uses the daemon that runs, or starts one. -ESTALE: the directory went away
 * under us. */
static int start_in(struct instance *instance, bool *started)
{
    int error = daemon_hello(instance, NULL);
    if (error != -ENOENT) return error;
    int lock_fd = instance_lock_start(instance, INSTANCE_WAIT_MS);
    if (lock_fd == -ENOENT) return -ESTALE;
    if (lock_fd < 0)
        return instance_fail(instance, lock_fd, "cannot lock %s: %s", instance->dir, strerror(-lock_fd));
    error = daemon_hello(instance, NULL);
    if (error == -ENOENT) {
        /* To use an instance is less than to start one: see whose directory it is once more. */
        error = instance_enter(instance, true);
        if (!error) error = launch(instance, -1);
        *started = !error;
    }
    close(lock_fd);
    return error;
}

static int enter_or_make(struct instance *instance)
{
    int error = instance_enter(instance, false);

    if (error != -ENOENT) return error;
    if (geteuid() != 0 || strcmp(instance->dir, PROCESS_SYSTEM_DIR) != 0 || !system_is_installed())
        return instance_enter(instance, true);
    error = system_make(instance);
    return error ? error : instance_enter(instance, false);
}

int daemon_start(struct instance *instance, bool *started)
{
    bool ours = false;
    int error;

    do {
        error = enter_or_make(instance);
        /* A version file of a dead daemon says nothing: only one that runs has to be ours. */
        if (!error) error = start_in(instance, &ours);
        if (error == -EPROTO) instance_check_version(instance);
        if (!error && !ours) error = instance_check_version(instance);
    } while (error == -ESTALE);
    if (started) *started = ours;
    return error;
}

int daemon_start_private(struct instance *instance, int *life_fd)
{
    int life[2];

    memset(instance, 0, sizeof(*instance));
    if (pipe2(life, O_CLOEXEC) < 0)
        return instance_fail(instance, -errno, "cannot start the daemon: %s", strerror(errno));
    /* The writing end is closed on exec in the daemon, as in everything else we start. */
    int error = launch(instance, life[0]);
    close(life[0]);
    if (error)
        close(life[1]);
    else
        *life_fd = life[1];
    return error;
}

/* ---- ending
 * --------------------------------------------------------------------------------------------------- */

void daemon_end_private(const struct instance *instance, int life_fd)
{
    close(life_fd);
    int lock_fd = instance_lock_daemon(instance, INSTANCE_WAIT_MS, false);
    if (lock_fd >= 0) {
        instance_remove(instance);
        close(lock_fd);
    }
}

/* Does the process belong to the owner of the directory? Its /proc directory does not tell: a daemon's is root's. */
static bool is_owners(const char *dir, long pid)
{
    char path[32], text[1024];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%ld/status", pid);
    text_read(path, O_NOFOLLOW, text, sizeof(text));
    const char *uid = strstr(text, "\nUid:");
    return uid && lstat(dir, &st) == 0 && strtoul(uid + 5, NULL, 10) == st.st_uid;
}

/* The process that DIR/lock names, for a daemon that does not answer; 0 when that is none of ours (of
 * another container, say). What the owner wrote there shall not lead root to another user's. */
static pid_t lock_holder(const struct instance *instance)
{
    char path[INSTANCE_DIR_MAX + 32], text[64];

    snprintf(path, sizeof(path), "%s/lock", instance->dir);
    text_read(path, O_NOFOLLOW, text, sizeof(text));
    long pid = strtol(text, NULL, 10);
    if (pid <= 1 || pid > INT32_MAX) return 0;
    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    text_read(path, O_NOFOLLOW, text, sizeof(text));
    return strncmp(text, SUPERVISOR_COMM, sizeof(SUPERVISOR_COMM) - 1) || !is_owners(instance->dir, pid)
               ? 0
               : (pid_t)pid;
}

int daemon_stop(struct instance *instance)
{
    int lock_fd = instance_lock_daemon(instance, 0, false);
    if (lock_fd >= 0 || lock_fd == -ENOENT) { /* nobody holds it: what lies here, if anything, is left over */
        if (lock_fd >= 0) instance_remove(instance);
        if (lock_fd >= 0) close(lock_fd);
        return instance_fail(instance, -ENOENT, "no instance runs in %s", instance->dir);
    }
    if (lock_fd != -EWOULDBLOCK)
        return instance_fail(instance, lock_fd, "%s/lock: %s", instance->dir, strerror(-lock_fd));

    pid_t holder = lock_holder(instance);
    int error = ctl_call(instance->dir, CTL_SHUTDOWN, NULL, 0, -1, NULL, 0, NULL, NULL, 0);
    if (error && holder) kill(holder, SIGTERM);
    lock_fd = instance_lock_daemon(instance, INSTANCE_WAIT_MS, false);
    if (lock_fd == -ETIMEDOUT && holder) { /* stopped, say */
        kill(holder, SIGKILL);
        lock_fd = instance_lock_daemon(instance, INSTANCE_WAIT_MS, false);
        if (lock_fd >= 0) instance_remove(instance);
    }
    if (lock_fd < 0 && lock_fd != -ENOENT && !holder)
        return instance_fail(instance, lock_fd,
                             "somebody holds %s/lock, and it does not say who: see `fuser %s/lock`",
                             instance->dir, instance->dir);
    if (lock_fd < 0 && lock_fd != -ENOENT)
        return instance_fail(instance, lock_fd, "the daemon of %s does not end: kill process %d",
                             instance->dir, (int)holder);
    if (lock_fd >= 0) close(lock_fd);
    return 0;
}
