/*
 * Two processes that sleep in read(): one writes, the other answers. Nearly all of it is the kernel's way of waking a process,
 * which the reference, an AF_UNIX datagram pair, has to pay as well.
 */
#include "bench.h"
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#define TRIPS 20u /* a slice */

struct echo {
    int fd; /* -1: a CAN socket of its own */
    _Atomic bool *ready;
};

struct roundtrip {
    int can, unix_;
};

static void echo(void *context)
{
    const struct echo *e = context;
    int fd = e->fd < 0 ? can_open() : e->fd;
    struct can_frame frame;

    placement_peer();
    atomic_store(e->ready, true);
    for (;;) {
        if (read(fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("read");
        if (write(fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("write");
    }
}

static double trip_us(int fd)
{
    struct can_frame frame = can_example();
    uint64_t start = now_ns();

    for (unsigned i = 0; i < TRIPS; i++) {
        if (write(fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("write");
        if (read(fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("read");
    }
    return (double)(now_ns() - start) / TRIPS / 1e3;
}

static void slice(struct series *series, void *context)
{
    const struct roundtrip *r = context;

    for (unsigned where = 0; where < placement_count(); where++) {
        placement_enter(where);
        series_add(&series[where * 2], trip_us(r->can));
        series_add(&series[where * 2 + 1], trip_us(r->unix_));
    }
}

void bench_roundtrip(void)
{
    _Atomic bool *ready = peer_memory(2 * sizeof(*ready));
    struct series *series = series_new(PLACEMENTS * 2);
    struct roundtrip r = { .can = can_open() };
    int pair[2];
    pid_t peers[2];

    unix_open(pair);
    r.unix_ = pair[0];
    peers[0] = peer_start(echo, &(struct echo){ -1, &ready[0] });
    peers[1] = peer_start(echo, &(struct echo){ pair[1], &ready[1] });
    while (!atomic_load(&ready[0]) || !atomic_load(&ready[1]))
        sched_yield();
    for (unsigned where = 0; where < placement_count(); where++) {
        series_name(&series[where * 2], "us", "roundtrip.%s.can", placement_name[where]);
        series_name(&series[where * 2 + 1], "us", "roundtrip.%s.unix", placement_name[where]);
    }
    measure(series, placement_count() * 2, slice, &r);
    placement_leave();
    peer_end(peers[0]);
    peer_end(peers[1]);
}
