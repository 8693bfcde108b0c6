/* sockets/nap.c - see nap.h.
 *
 * A signal that comes between two sleeps must end the wait as well as any other. So signals are blocked all the time, and come after a sleep, when
 * we have seen which they are: those whose handlers have SA_RESTART do not end it. */
#include "sockets/nap.h"
#include "base/atomics.h"
#include "base/sys.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

/* ---- signals, as the kernel has them, of which there are 64 ---- */

struct kernel_action {
    unsigned long handler, flags;
    unsigned char rest[64];
};

static uint64_t set_mask(uint64_t mask)
{
    uint64_t old = 0;

    sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)&old, sizeof(mask), 0, 0);
    return old;
}

/* Does what is pending end a wait? A handler does that, unless it wants calls restarted; a limit lets none be. */
static bool ends_waiting(uint64_t pending, bool restarts)
{
    struct kernel_action action;

    for (; pending; pending &= pending - 1) {
        int number = 1 + __builtin_ctzll(pending);
        memset(&action, 0, sizeof(action));
        if (sys_call(SYS_rt_sigaction, number, NULL, &action, sizeof(pending)) == 0 && action.handler > 1 &&
            !(restarts && (action.flags & SA_RESTART)))
            return true;
    }
    return false;
}

uint64_t nap_begin(void) { return set_mask(UINT64_MAX); }

void nap_end(uint64_t mask) { set_mask(mask); }

int nap_take(uint64_t ns, uint64_t mask, bool restarts)
{
    struct timespec time = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
    uint64_t pending = 0;
    bool ends;

    sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, NULL);
    sys_call6(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0, 0);
    pending &= ~mask;
    if (likely(!pending)) return 0;
    ends = ends_waiting(pending, restarts);
    set_mask(mask);
    set_mask(UINT64_MAX);
    return ends ? -EINTR : 0;
}

uint64_t nap_limit_ns(int fd, int option)
{
    struct timeval limit = { 0, 0 };
    socklen_t size = sizeof(limit);

    if (sys_call(SYS_getsockopt, fd, SOL_SOCKET, option, &limit, &size) != 0) return 0;
    return (uint64_t)limit.tv_sec * 1000000000u + (uint64_t)limit.tv_usec * 1000u;
}
