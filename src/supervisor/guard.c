/* supervisor/guard.c - see guard.h.
 *
 * Who reads from, or waits for, a datagram socket whose peer is gone waits for ever. So our ends have to outlive us: the guard is a process that shares
 * our table of descriptors (CLONE_FILES) and nothing else, and sleeps until we end. Then it closes all but the pairs, so that trapped calls are refused
 * and nothing of ours stays open, and makes ECONNRESET the error of each program's end, again and again, as sockets have it whose worker is gone; until
 * nobody holds one.
 *
 * It is made by a thread of a process that has others, so it touches no lock and no memory but the stack and what pair.c had then. */
#include "supervisor/guard.h"
#include "supervisor/pair.h"
#include "supervisor/remote.h"
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS_MAX 1048576
#define PERIOD_NS   100000000

static pid_t guard;

static int numbers(void)
{
    struct rlimit limit = { NUMBERS_MAX, NUMBERS_MAX };

    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur < NUMBERS_MAX ? (int)limit.rlim_cur : NUMBERS_MAX;
}

/* Returns behind which number there is no pair any more that somebody holds: 0 when there is none at all. */
static int tell_all(int end)
{
    struct pair pair;
    int last = 0;

    for (int fd = 0; fd < end; fd++) {
        if (pair_is_helper(fd)) continue;
        if (!pair_recognise(fd, &pair) || !pair_is_held(&pair)) {
            close(fd);
            continue;
        }
        pair_raise(&pair);
        last = fd + 1;
    }
    return last;
}

static void watch_over(int supervisor)
{
    struct pollfd poll_fd = { .fd = supervisor, .events = POLLIN };
    struct timespec period = { 0, PERIOD_NS };
    sigset_t all;
    int end;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_NAME, "pocketcan-guard");
    while (poll(&poll_fd, 1, -1) <= 0)
        ;
    for (end = numbers(); (end = tell_all(end)) > 0;)
        nanosleep(&period, NULL);
    _exit(0);
}

void guard_start(void)
{
    int supervisor;

    if (guard > 0 || pair_prepare()) return;
    supervisor = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (supervisor < 0) return;
    guard = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, NULL);
    if (guard == 0) watch_over(supervisor);
    if (guard < 0) close(supervisor);
    remote_ignore(guard);
}

void guard_end(void)
{
    if (guard <= 0) return;
    kill(guard, SIGKILL);
    waitpid(guard, NULL, __WALL);
    guard = 0;
}
