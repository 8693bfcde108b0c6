/*
 * What a frame costs its sender when many sockets want it ("fanout"), and when many sockets want others ("filters"). The
 * receivers are sockets of the same process, which reads exactly what they got between two batches: nobody sleeps, nobody has
 * a full queue.
 */
#include "bench.h"
#include <unistd.h>

#define RECEIVERS_MAX 64u
#define FANOUT_BATCH  50u
#define IDLE_SOCKETS  1000u
#define IDLE_ID       0x200u /* the first of their ids; the frames have 0x123 */
#define IDLE_BATCHES  30u    /* a slice */

static unsigned smaller(unsigned a, unsigned b) { return a < b ? a : b; }

/* Sends a batch to `count` receivers and has them read it; the sender's ns per frame. */
static double send_to_ns(int from, const int *to, unsigned count, unsigned batch)
{
    struct can_frame frame = can_example();
    double ns = write_each_ns(from, &frame, sizeof(frame), batch);

    for (unsigned i = 0; i < count; i++)
        read_each_ns(to[i], sizeof(frame), batch);
    return ns;
}

/* ---- fanout ---- */

struct fanout {
    int from, to[RECEIVERS_MAX];
};

static void fanout_slice(struct series *series, void *context)
{
    const struct fanout *f = context;
    unsigned on = 0;

    for (unsigned count = 1; count <= RECEIVERS_MAX; count *= 2, series++) {
        while (on < count)
            can_filter_all(f->to[on++]);
        series_add(series, send_to_ns(f->from, f->to, count, smaller(can_batch(), FANOUT_BATCH)));
    }
    while (on)
        can_filter_none(f->to[--on]);
}

void bench_fanout(void)
{
    struct series *series = series_new(7);
    struct fanout f = { .from = can_open() };
    unsigned sizes = 0;

    can_filter_none(f.from);
    for (unsigned i = 0; i < RECEIVERS_MAX; i++) {
        f.to[i] = can_new();
        can_filter_none(f.to[i]);
        can_bind(f.to[i]);
    }
    for (unsigned count = 1; count <= RECEIVERS_MAX; count *= 2)
        series_name(&series[sizes++], "ns", "fanout.%u", count);
    measure(series, sizes, fanout_slice, &f);
}

/* ---- filters ---- */

struct filters {
    int from, to, idle[IDLE_SOCKETS];
};

static void filters_slice(struct series *series, void *context)
{
    struct filters *f = context;
    uint64_t start;

    for (unsigned i = 0; i < IDLE_BATCHES; i++)
        series_add(&series[0], send_to_ns(f->from, &f->to, 1, can_batch()));
    start = now_ns();
    for (unsigned i = 0; i < IDLE_SOCKETS; i++) {
        f->idle[i] = can_new();
        can_filter_id(f->idle[i], IDLE_ID + i);
        can_bind(f->idle[i]);
    }
    series_add(&series[2], (double)(now_ns() - start) / IDLE_SOCKETS / 1e3);
    for (unsigned i = 0; i < IDLE_BATCHES; i++)
        series_add(&series[1], send_to_ns(f->from, &f->to, 1, can_batch()));
    start = now_ns();
    for (unsigned i = 0; i < IDLE_SOCKETS; i++)
        close(f->idle[i]);
    series_add(&series[3], (double)(now_ns() - start) / IDLE_SOCKETS / 1e3);
}

void bench_filters(void)
{
    static struct filters f;
    struct series *series = series_new(4);

    f.from = can_open();
    f.to = can_open();
    series_name(&series[0], "ns", "filters.without");
    series_name(&series[1], "ns", "filters.with");
    series_name(&series[2], "us", "socket.open");
    series_name(&series[3], "us", "socket.close");
    measure(series, 4, filters_slice, &f);
}
