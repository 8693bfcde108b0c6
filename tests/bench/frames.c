/*
 * One sender, one receiver, one thread: a batch is written, then read. Nobody sleeps, so this is the price of the two calls and
 * nothing else. The reference is a connected AF_UNIX datagram pair with datagrams of the same 16 bytes.
 */
#include "bench.h"

enum { CLASSIC, FD, UNIX, KINDS };

struct frames {
    int from[KINDS], to[KINDS];
    struct can_frame classic;
    struct canfd_frame fd;
};

static void slice(struct series *series, void *context)
{
    const struct frames *f = context;

    for (unsigned kind = 0; kind < KINDS; kind++) {
        const void *data = kind == FD ? (const void *)&f->fd : &f->classic;
        size_t size = kind == FD ? sizeof(f->fd) : sizeof(f->classic);
        double write_ns = write_each_ns(f->from[kind], data, size, can_batch());
        double read_ns = read_each_ns(f->to[kind], size, can_batch());
        series_add(&series[kind * 3], write_ns);
        series_add(&series[kind * 3 + 1], read_ns);
        series_add(&series[kind * 3 + 2], write_ns + read_ns);
    }
}

void bench_frames(void)
{
    static const char *const kind_name[] = { "classic", "fd", "unix" };
    struct frames f = { .classic = can_example(), .fd = canfd_example() };
    struct series *series = series_new(KINDS * 3);
    int pair[2];

    unix_open(pair);
    f.from[CLASSIC] = f.from[FD] = can_open();
    f.to[CLASSIC] = f.to[FD] = can_open();
    can_enable_fd(f.from[FD]);
    can_enable_fd(f.to[FD]);
    f.from[UNIX] = pair[0];
    f.to[UNIX] = pair[1];
    for (unsigned kind = 0; kind < KINDS; kind++) {
        series_name(&series[kind * 3], "ns", "%s.write", kind_name[kind]);
        series_name(&series[kind * 3 + 1], "ns", "%s.read", kind_name[kind]);
        series_name(&series[kind * 3 + 2], "ns", "%s.both", kind_name[kind]);
    }
    measure(series, KINDS * 3, slice, &f);
}
