/*
 * What event loops pay. "poll" and "epoll" wait before each read of a batch that is there: a busy bus. "event" is the quiet bus: one
 * frame is written to a receiver that had found nothing to read, which waits, reads, and reads again until EAGAIN.
 */
#include "bench.h"
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CAN, UNIX, KINDS };
enum { POLL, EPOLL, EVENT, LOOPS };
#define EVENTS 20u

struct waiting {
    int from[KINDS], to[KINDS], epoll[KINDS];
    struct can_frame frame;
};

static void wait_poll(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };

    if (poll(&item, 1, -1) != 1) die("poll");
}

static void wait_epoll(int epoll)
{
    struct epoll_event event;

    if (epoll_wait(epoll, &event, 1, -1) != 1) die("epoll_wait");
}

static double batch_ns(const struct waiting *w, unsigned kind, unsigned loop)
{
    struct can_frame frame;
    uint64_t start;

    write_each_ns(w->from[kind], &w->frame, sizeof(frame), can_batch());
    start = now_ns();
    for (unsigned i = 0; i < can_batch(); i++) {
        if (loop == POLL)
            wait_poll(w->to[kind]);
        else
            wait_epoll(w->epoll[kind]);
        if (read(w->to[kind], &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) die("read");
    }
    return (double)(now_ns() - start) / can_batch();
}

/* Reads until there is nothing left. Returns how many frames there were. */
static unsigned drain(int fd)
{
    struct can_frame frame;
    unsigned count = 0;

    while (recv(fd, &frame, sizeof(frame), MSG_DONTWAIT) == (ssize_t)sizeof(frame))
        count++;
    if (errno != EAGAIN) die("recv");
    return count;
}

static double event_ns(const struct waiting *w, unsigned kind)
{
    uint64_t start;

    drain(w->to[kind]);
    start = now_ns();
    for (unsigned i = 0; i < EVENTS; i++) {
        if (write(w->from[kind], &w->frame, sizeof(w->frame)) != (ssize_t)sizeof(w->frame)) die("write");
        wait_epoll(w->epoll[kind]);
        if (drain(w->to[kind]) != 1) die_because("an event that was not one frame");
    }
    return (double)(now_ns() - start) / EVENTS;
}

static void slice(struct series *series, void *context)
{
    const struct waiting *w = context;

    for (unsigned loop = 0; loop < LOOPS; loop++)
        for (unsigned kind = 0; kind < KINDS; kind++)
            series_add(&series[loop * KINDS + kind],
                       loop == EVENT ? event_ns(w, kind) : batch_ns(w, kind, loop));
}

void bench_waiting(void)
{
    static const char *const loop_name[] = { "poll", "epoll", "event" };
    struct waiting w = { .frame = can_example() };
    struct series *series = series_new(LOOPS * KINDS);
    int pair[2];

    unix_open(pair);
    w.from[CAN] = can_open();
    w.to[CAN] = can_open();
    w.from[UNIX] = pair[0];
    w.to[UNIX] = pair[1];
    for (unsigned kind = 0; kind < KINDS; kind++) {
        struct epoll_event event = { .events = EPOLLIN };
        w.epoll[kind] = epoll_create1(0);
        if (w.epoll[kind] < 0 || epoll_ctl(w.epoll[kind], EPOLL_CTL_ADD, w.to[kind], &event)) die("epoll");
        for (unsigned loop = 0; loop < LOOPS; loop++)
            series_name(&series[loop * KINDS + kind], "ns", "%s.%s", loop_name[loop],
                        kind == CAN ? "can" : "unix");
    }
    measure(series, LOOPS * KINDS, slice, &w);
}
