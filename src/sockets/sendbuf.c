/* sockets/sendbuf.c - waiting for room in the send buffer.
 *
 * As on Linux, a socket may send while less than SO_SNDBUF is taken, and who had to wait goes on when half of it is free. The worker, which gives
 * room back, wakes nobody: it could die, and a bus says by its speed when it is worth looking again. So a waiting sender sleeps in steps (nap.h),
 * the first ones shorter than half a buffer takes on the fastest bus. */
#include "sockets/sendbuf.h"
#include "base/clock.h"
#include "base/sys.h"
#include "can/frame.h"
#include "sockets/nap.h"
#include "sockets/raw.h"
#include <errno.h>
#include <sys/socket.h>

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
        error = nap_take(nap_ns < left ? nap_ns : left, mask, !limit_ns);
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
    mask = nap_begin();
    error = wait_for_room(bus, number, mask, nap_limit_ns(fd, SO_SNDTIMEO));
    nap_end(mask);
    return error;
}
