/*
 * tests/unit/bcmhost.h - a host with a virtual clock for machines of can/bcm.h, which keeps a log of what they do, and words in which
 * tests tell a story: ask() them something, put() frames on a bus, let time pass with until(). Times are milliseconds since the
 * start; the log has a line "TIME tx INTERFACE ID#DATA" for a frame sent and one like "TIME changed INTERFACE ID#DATA" for each message.
 */
#ifndef TESTS_BCMHOST_H
#define TESTS_BCMHOST_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "can/bcm.h"

#define MS          1000000ull
#define ECHOES_MAX  1024
#define REQUEST_MAX (sizeof(struct bcm_msg_head) + 300 * 72)

enum { DOWN = 8, GONE = 9, ANY = 0, IF_A = 1, IF_B = 2 }; /* interfaces; others are up */

struct bcmhost {
    struct can_host can;
    struct timers timers;
    struct subscriptions subscriptions;
    uint64_t now;
    unsigned subscribed, allocated;
    int allocations_left; /* -1: no limit */
    bool loses_echoes;
    struct bcm bcm;
    /* frames on their way back */
    struct {
        struct canfd_frame frame;
        uint32_t size, ifindex;
    } echo[ECHOES_MAX];
    unsigned echoes, echoed;
    unsigned sent, messages; /* how many, also when the log is full */
    char log[8192];
};

static struct bcmhost host;

__attribute__((format(printf, 1, 2))) static inline void host_log(const char *format, ...)
{
    size_t at = strlen(host.log);
    va_list args;

    va_start(args, format);
    vsnprintf(host.log + at, sizeof(host.log) - at, format, args);
    va_end(args);
}

static inline void host_log_time(void)
{
    host_log("%llu", (unsigned long long)(host.now / MS));
    if (host.now % MS) host_log(".%06llu", (unsigned long long)(host.now % MS));
}

static inline void host_log_frame(const void *frame, uint32_t size)
{
    struct canfd_frame f = { .len = 0 };

    memcpy(&f, frame, size);
    host_log(" %X%s", f.can_id, size == FRAME_FD_SIZE ? "##" : "#");
    for (unsigned i = 0; i < f.len && i < size - 8; i++)
        host_log("%02X", f.data[i]);
    if (f.flags) host_log("!%02X", f.flags);
}

static inline int host_send(struct can_host *can, uint64_t origin, uint32_t ifindex, const void *frame,
                            uint32_t size)
{
    unsigned place = host.echoes % ECHOES_MAX;

    (void)can;
    (void)origin;
    if (ifindex == GONE) return -ENODEV;
    if (frame_classify(frame, size) == FRAME_NONE) return -EINVAL;
    if (ifindex == DOWN) return -ENETDOWN;
    host_log_time();
    host_log(" tx %u", ifindex);
    host_log_frame(frame, size);
    host_log("\n");
    host.sent++;
    if (host.loses_echoes || host.echoes - host.echoed == ECHOES_MAX) return 0;
    memcpy(&host.echo[place].frame, frame, size);
    host.echo[place].size = size;
    host.echo[place].ifindex = ifindex;
    host.echoes++;
    return 0;
}

static inline int host_subscribe(struct can_host *can, struct subscription *subscription)
{
    (void)can;
    if (subscription->ifindex == GONE) return -ENODEV;
    subscriptions_add(&host.subscriptions, subscription);
    host.subscribed++;
    return 0;
}

static inline void host_unsubscribe(struct can_host *can, struct subscription *subscription)
{
    (void)can;
    if (!subscription->link) abort();
    subscriptions_remove(&host.subscriptions, subscription);
    host.subscribed--;
}

static inline void *host_allocate(struct can_host *can, size_t size)
{
    (void)can;
    if (!host.allocations_left) return NULL;
    if (host.allocations_left > 0) host.allocations_left--;
    host.allocated++;
    return malloc(size);
}

static inline void host_release(struct can_host *can, void *memory)
{
    (void)can;
    host.allocated--;
    free(memory);
}

static inline void host_message(struct bcm *bcm, const struct bcm_head *head, const void *frames,
                                size_t frames_size, uint32_t ifindex, uint64_t stamp_ns)
{
    static const char *const names[] = { [TX_STATUS] = "tx_status",
                                         [TX_EXPIRED] = "expired",
                                         [RX_STATUS] = "rx_status",
                                         [RX_TIMEOUT] = "timeout",
                                         [RX_CHANGED] = "changed" };
    uint32_t size = head->flags & CAN_FD_FRAME ? FRAME_FD_SIZE : FRAME_CC_SIZE;
    bool is_status = head->opcode == TX_STATUS || head->opcode == RX_STATUS;

    (void)bcm;
    if (head->opcode >= sizeof(names) / sizeof(*names) || !names[head->opcode]) abort();
    if (frames_size != (size_t)head->nframes * size) abort();
    host.messages++;
    host_log_time();
    host_log(" %s %u", names[head->opcode], ifindex);
    if (is_status || !head->nframes) host_log(" %X", head->can_id);
    if (is_status)
        host_log(" flags %X count %u ival %ld.%06ld %ld.%06ld", head->flags, head->count, head->ival1.tv_sec,
                 head->ival1.tv_usec, head->ival2.tv_sec, head->ival2.tv_usec);
    for (uint32_t i = 0; i < head->nframes; i++)
        host_log_frame((const char *)frames + (size_t)i * size, size);
    if (stamp_ns && stamp_ns != host.now) host_log(" stamp %llu", (unsigned long long)(stamp_ns / MS));
    host_log("\n");
}

static inline const char *host_name(void *context, uint32_t ifindex)
{
    (void)context;
    return ifindex == ANY ? "any" : ifindex == IF_A ? "vcan0" : ifindex == GONE ? "???" : "c1";
}

static inline void host_open(uint32_t ifindex)
{
    memset(&host, 0, sizeof(host));
    host.can = (struct can_host){ .timers = &host.timers,
                                  .send = host_send,
                                  .subscribe = host_subscribe,
                                  .unsubscribe = host_unsubscribe,
                                  .allocate = host_allocate,
                                  .release = host_release };
    host.bcm = (struct bcm){ .host = &host.can, .message = host_message, .origin = 77, .ifindex = ifindex };
    host.allocations_left = -1;
}

static inline void host_serve(const void *frame, uint32_t size, uint32_t ifindex, uint64_t origin)
{
    struct can_event event = { .frame = frame,
                               .kind = size == FRAME_FD_SIZE ? FRAME_FD : FRAME_CC,
                               .ifindex = ifindex,
                               .origin = origin,
                               .stamp_ns = host.now,
                               .now = host.now };

    subscriptions_serve(&host.subscriptions, &event);
}

/* Echoes come back as soon as the machine is done, but the number of rounds has an end: jobs may answer themselves. */
static inline void host_echo(void)
{
    for (int rounds = 0; host.echoed != host.echoes && rounds < 100; rounds++) {
        unsigned place = host.echoed++ % ECHOES_MAX;
        struct canfd_frame frame = host.echo[place].frame;

        host_serve(&frame, host.echo[place].size, host.echo[place].ifindex, host.bcm.origin);
    }
    host.echoed = host.echoes;
}

/* Lets time pass. Timers are served when they are due, as long as `now` may be read then. */
static inline void until(uint64_t ms)
{
    uint64_t end = ms * MS;

    while (timers_next(&host.timers) <= end) {
        if (timers_next(&host.timers) > host.now) host.now = timers_next(&host.timers);
        timers_expire(&host.timers, host.now);
        host_echo();
    }
    if (end > host.now) host.now = end;
}

/* The host was busy: timers that were due since are served only now. */
static inline void late(uint64_t ms)
{
    host.now = ms * MS;
    until(ms);
}

/* "ID#0102", "0102" (the identifier is id), "ID##0102" for FD frames, "!3F" behind it for the flags byte, "+3" for a length that differs
 * from the data's. Returns what follows. */
static inline const char *frame_read(const char *text, uint32_t id, struct canfd_frame *frame)
{
    const char *hash = text;
    unsigned value;

    memset(frame, 0, sizeof(*frame));
    frame->can_id = id;
    while (*hash && *hash != ' ' && *hash != '#')
        hash++;
    if (*hash == '#') {
        frame->can_id = (uint32_t)strtoul(text, NULL, 16);
        text = hash + strspn(hash, "#");
    }
    for (; sscanf(text, "%2x", &value) == 1 && *text != ' ' && *text != '!' && *text != '+' && *text != '-';
         text += 2)
        frame->data[frame->len++] = (uint8_t)value;
    if (*text == '-') text++; /* no data */
    if (*text == '!' && sscanf(text, "!%2x", &value) == 1) {
        frame->flags = (uint8_t)value;
        text += 3;
    }
    if (*text == '+') frame->len = (uint8_t)strtoul(text + 1, (char **)&text, 10);
    return text + strspn(text, " ");
}

/* Puts a frame of somebody else on an interface. */
static inline void put(uint32_t ifindex, const char *text)
{
    struct canfd_frame frame;

    frame_read(text, 0, &frame);
    host_serve(&frame, strstr(text, "##") ? FRAME_FD_SIZE : FRAME_CC_SIZE, ifindex, 0);
    host_echo();
}

/* What a program writes. nframes and size: of the frames that are there, unless given (nframes -1: 0). */
struct ask {
    uint32_t opcode, flags, id, count, to;
    uint64_t ival1_us, ival2_us;
    struct bcm_timeval ival1, ival2;
    const char *frames; /* in words */
    int nframes;
    size_t size;
};

static inline size_t ask_build(const struct ask *ask, char *message)
{
    struct bcm_msg_head head;
    size_t size = sizeof(head), frame_size = ask->flags & CAN_FD_FRAME ? 72 : 16;

    memset(&head, 0, sizeof(head));
    head.opcode = ask->opcode;
    head.flags = ask->flags;
    head.count = ask->count;
    head.can_id = ask->id;
    head.ival1 = ask->ival1_us ? (struct bcm_timeval){ (long)(ask->ival1_us / 1000000),
                                                       (long)(ask->ival1_us % 1000000) }
                               : ask->ival1;
    head.ival2 = ask->ival2_us ? (struct bcm_timeval){ (long)(ask->ival2_us / 1000000),
                                                       (long)(ask->ival2_us % 1000000) }
                               : ask->ival2;
    for (const char *text = ask->frames; text && *text; head.nframes++) {
        struct canfd_frame frame;

        text = frame_read(text, ask->id, &frame);
        memcpy(message + size, &frame, frame_size);
        size += frame_size;
    }
    if (ask->nframes) head.nframes = ask->nframes < 0 ? 0 : (uint32_t)ask->nframes;
    memcpy(message, &head, sizeof(head));
    return ask->size ? ask->size : size;
}

static inline long ask(struct ask ask)
{
    static char message[REQUEST_MAX];
    size_t size = ask_build(&ask, message);
    char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too far */
    long result;

    if (!exact) abort();
    memcpy(exact, message, size);
    result = bcm_write(&host.bcm, exact, size, ask.to ? ask.to : host.bcm.ifindex, host.now);
    free(exact);
    host_echo();
    return result;
}

#define ASK(...) ask((struct ask){ __VA_ARGS__ })

/* What happened since the last time. */
static inline const char *happened(void)
{
    static char log[sizeof(host.log)];

    memcpy(log, host.log, sizeof(log));
    host.log[0] = 0;
    return log;
}

/* Everything has to be given back. Returns whether it was. */
static inline bool host_close(void)
{
    bcm_close(&host.bcm);
    return !host.subscribed && !host.allocated && timers_next(&host.timers) == TIMERS_NEVER && !host.bcm.tx &&
           !host.bcm.rx;
}

#endif
