/*
 * Frames a second from one process to another, as received, in three ways:
 *   flood  the sender writes as fast as it can; what the receiver's queue cannot hold is lost, as on any CAN bus
 *   paced  the sender never is further ahead than the queue holds (the receiver tells its progress in shared memory)
 *   unix   the reference: AF_UNIX datagrams, where the kernel holds the sender back
 * A slice begins and ends with a frame of 4 bytes, which is sent again until the receiver has seen it: it is awake when the clock
 * starts, and has received everything when it stops.
 */
#include "bench.h"
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SLICE_NS     3000000u /* less than a time slice of the scheduler */
#define CHUNK        256u     /* frames between two looks at the clock */
#define TELL_EVERY   32u      /* frames between two words about the receiver's progress */
#define RESEND_NS    2000000u
#define WINDOW_MAX   900u
#define RELAX_ROUNDS 50

enum { FLOOD, PACED, UNIX, WAYS };
enum { SENT, RECEIVED, LOST, FIGURES };

/* Written by the receiver, read by the sender. */
struct progress {
    _Alignas(64) _Atomic uint64_t received;
    _Atomic uint32_t mark; /* number of the last mark that was seen */
    _Atomic bool ready;
};

struct way {
    int from;
    struct progress *progress;
    uint64_t sent; /* altogether, without marks */
    uint32_t marks;
};

struct receiver {
    int fd; /* -1: a CAN socket of its own */
    struct progress *progress;
};

struct stream {
    struct way can, unix_;
};

static void receive(void *context)
{
    const struct receiver *r = context;
    struct progress *p = r->progress;
    int fd = r->fd < 0 ? can_open() : r->fd;
    struct can_frame frame;
    uint64_t received = 0;
    uint32_t mark;

    placement_peer();
    atomic_store(&p->ready, true);
    for (;;) {
        if (read(fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("read");
        if (frame.len == 8) {
            if (++received % TELL_EVERY == 0)
                atomic_store_explicit(&p->received, received, memory_order_relaxed);
            continue;
        }
        memcpy(&mark, frame.data, sizeof(mark));
        atomic_store_explicit(&p->received, received, memory_order_relaxed);
        atomic_store_explicit(&p->mark, mark, memory_order_release);
    }
}

/* Waits until fewer than `window` frames are under way. Returns how many have been received. */
static uint64_t wait_for_room(const struct way *way, uint64_t lost, unsigned window)
{
    uint64_t received;

    for (unsigned i = 1;; i++) {
        received = atomic_load_explicit(&way->progress->received, memory_order_relaxed);
        if (way->sent - lost - received < window) return received;
        if (i % RELAX_ROUNDS)
            relax();
        else
            sched_yield();
    }
}

/* Returns when the receiver has seen it. */
static void send_mark(struct way *way)
{
    struct can_frame frame = can_example();

    way->marks++;
    frame.len = sizeof(way->marks);
    memcpy(frame.data, &way->marks, sizeof(way->marks));
    for (;;) {
        uint64_t deadline = now_ns() + RESEND_NS;
        write_each_ns(way->from, &frame, sizeof(frame), 1);
        while (now_ns() < deadline) {
            if (atomic_load_explicit(&way->progress->mark, memory_order_acquire) == way->marks) return;
            sched_yield();
        }
    }
}

/* Sends for a slice; window 0: without looking back. */
static void run(struct way *way, unsigned window, struct series *series)
{
    struct can_frame frame = can_example();
    uint64_t sent_before = way->sent, before, lost, seen, start, sent_at, ended_at;
    double received;

    send_mark(way);
    seen = before = atomic_load(&way->progress->received);
    lost = way->sent - before;
    start = now_ns();
    do {
        for (unsigned i = 0; i < CHUNK; i++, way->sent++) {
            if (window && way->sent - lost - seen >= window) seen = wait_for_room(way, lost, window);
            if (write(way->from, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("write");
        }
        sent_at = now_ns();
    } while (sent_at - start < SLICE_NS);
    send_mark(way);
    ended_at = now_ns();
    received = (double)(atomic_load(&way->progress->received) - before);
    series_add(&series[SENT], (double)(way->sent - sent_before) * 1e3 / (double)(sent_at - start));
    series_add(&series[RECEIVED], received * 1e3 / (double)(ended_at - start));
    series_add(&series[LOST], 100 - received * 100 / (double)(way->sent - sent_before));
}

static unsigned window_size(void)
{
    unsigned fits = settings.depth * 9 / 10;

    if (fits <= TELL_EVERY)
        die_because("a queue of %u frames is too short for a paced stream", settings.depth);
    return fits < WINDOW_MAX ? fits : WINDOW_MAX;
}

static void slice(struct series *series, void *context)
{
    struct stream *s = context;

    for (unsigned where = 0; where < placement_count(); where++, series += WAYS * FIGURES) {
        placement_enter(where);
        run(&s->can, 0, &series[FLOOD * FIGURES]);
        run(&s->can, window_size(), &series[PACED * FIGURES]);
        run(&s->unix_, 0, &series[UNIX * FIGURES]);
    }
}

static void name_series(struct series *series)
{
    static const char *const way_name[] = { "flood", "paced", "unix" };

    for (unsigned where = 0; where < placement_count(); where++)
        for (unsigned way = 0; way < WAYS; way++, series += FIGURES) {
            series_name(&series[SENT], "M/s", "stream.%s.%s.sent", placement_name[where], way_name[way]);
            series_name(&series[RECEIVED], "M/s", "stream.%s.%s.received", placement_name[where],
                        way_name[way]);
            series_name(&series[LOST], "%", "stream.%s.%s.lost", placement_name[where], way_name[way]);
        }
}

void bench_stream(void)
{
    struct progress *progress = peer_memory(2 * sizeof(*progress));
    struct series *series = series_new(PLACEMENTS * WAYS * FIGURES);
    struct stream s = { .can.progress = &progress[0], .unix_.progress = &progress[1] };
    int pair[2];
    pid_t peers[2];

    unix_open(pair);
    s.can.from = can_open();
    s.unix_.from = pair[0];
    peers[0] = peer_start(receive, &(struct receiver){ -1, s.can.progress });
    peers[1] = peer_start(receive, &(struct receiver){ pair[1], s.unix_.progress });
    while (!atomic_load(&progress[0].ready) || !atomic_load(&progress[1].ready))
        sched_yield();
    name_series(series);
    measure(series, placement_count() * WAYS * FIGURES, slice, &s);
    placement_leave();
    peer_end(peers[0]);
    peer_end(peers[1]);
}
