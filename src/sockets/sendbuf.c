/* sockets/sendbuf.c - waiting for room in the send buffer.
 *
 * As on Linux, a socket may send while less than SO_SNDBUF is taken, and who had to wait goes on when half of it is free. The worker, which gives
 * room back, wakes nobody: it could die, and a bus says by its speed when it is worth looking again. So a waiting sender sleeps in steps,
 * the first ones shorter than half a buffer takes on the fastest bus.
 *
 * A signal that comes between two sleeps must end the wait as well as any other. So signals are blocked all the time, and come after a sleep, when
 * we have seen which they are: those whose handlers have SA_RESTART do not end it. */
#include "sockets/sendbuf.h"
#include "base/clock.h"
#include "base/sys.h"
#include "can/frame.h"
#include "sockets/raw.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define NAP_FIRST_NS 100000u
#define NAP_MOST_NS  2000000u
#define NAP_SLOW_NS  10000000u /* after PATIENCE naps: nothing moves on this bus */
#define PATIENCE     64u

static atomic_u32 matters;
static atomic_u64 was_full[SOCKETS_MAX / 64];

static uint32_t size_of(const struct bus *bus, uint32_t number)
{
    return load_relaxed(&bus->data->slot[number].option[OPT_SNDBUF]);
}

/* What is taken; exact from `matters_from` bytes up. */
static uint32_t taken(const struct bus *bus, uint32_t number, uint32_t matters_from)
{
    uint32_t bytes = charge_counted(bus, number);
    return bytes < matters_from ? bytes : charge_checked(bus, number);
}

OFF_PATH bool sendbuf_looks_full(const struct bus *bus, uint32_t number)
{
    uint32_t half = size_of(bus, number) / 2;
    return taken(bus, number, half) >= half;
}

bool sendbuf_matters(void) { return load_relaxed(&matters); }

bool sendbuf_was_full(uint32_t number) { return load_relaxed(&was_full[number / 64]) & 1ull << number % 64; }

void sendbuf_forget(uint32_t number) { atomic_fetch_and(&was_full[number / 64], ~(1ull << number % 64)); }

/* SO_SNDTIMEO in ns; 0: for ever. It is the real socket's. */
static uint64_t timeout_of(int fd)
{
    struct timeval limit = { 0, 0 };
    socklen_t size = sizeof(limit);

    if (sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, &size) != 0) return 0;
    return (uint64_t)limit.tv_sec * 1000000000u + (uint64_t)limit.tv_usec * 1000u;
}

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

/* Does what is pending end a wait? A handler does that, unless it wants calls restarted; SO_SNDTIMEO lets none be. */
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

/* Sleeps while all signals are blocked; then those come that `mask` lets come. 0 or -EINTR. */
static int nap(uint64_t ns, uint64_t mask, bool restarts)
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

static uint32_t next_nap(uint32_t ns, unsigned round)
{
    if (round > PATIENCE) return NAP_SLOW_NS;
    return ns < NAP_MOST_NS / 2 ? ns * 2 : NAP_MOST_NS;
}

static int wait_for_room(const struct bus *bus, uint32_t number, uint64_t mask, uint64_t limit_ns)
{
    uint64_t start = clock_mono_ns(), left = UINT64_MAX, passed;
    uint32_t nap_ns = NAP_FIRST_NS;
    int error;

    for (unsigned round = 0;; round++) {
        error = nap(nap_ns < left ? nap_ns : left, mask, !limit_ns);
        if (!error) error = raw_take_error(&bus->data->slot[number]);
        if (error || !sendbuf_looks_full(bus, number)) return error;
        passed = clock_mono_ns() - start;
        if (limit_ns && passed >= limit_ns) return -EAGAIN;
        if (limit_ns) left = limit_ns - passed;
        nap_ns = next_nap(nap_ns, round);
    }
}

int sendbuf_wait(const struct bus *bus, uint32_t number, int fd, int flags)
{
    uint32_t size = size_of(bus, number);
    uint64_t mask;
    int error;

    if (likely(charge_counted(bus, number) + frame_charge(FRAME_FD_SIZE) < size / 2)) return 0;
    store_relaxed(&matters, 1);
    if (taken(bus, number, size) < size) return 0;
    atomic_fetch_or(&was_full[number / 64], 1ull << number % 64);
    if (raw_is_nonblocking(fd, flags)) return -EAGAIN;
    mask = set_mask(UINT64_MAX);
    error = wait_for_room(bus, number, mask, timeout_of(fd));
    set_mask(mask);
    return error;
}
