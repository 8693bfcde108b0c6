/* can/host.h - what protocol machines (bcm, isotp) and whoever runs them know of each other. Pure.
 *
 * A machine is a struct, events that its runner tells it (a call of the program, a frame, a timer, an interface that goes), and what
 * it asks of its runner in turn: to send, to wake it at a time, to tell it of frames. It reads no clock: every event brings `now`, in ns of
 * CLOCK_MONOTONIC. It has no lock: one thread runs all machines of a host. */
#ifndef CAN_HOST_H
#define CAN_HOST_H

#include "base/timers.h"
#include "can/frame.h"

/* A host that is told of a frame twice, once as one of its interface and once as one of any, says so: each subscription gets it once. */
enum { CAN_SCOPE_ALL, CAN_SCOPE_ANY, CAN_SCOPE_LINK };

/* A frame that was on a bus. */
struct can_event {
    const void *frame; /* struct can_frame or canfd_frame, aligned as these */
    enum frame_kind kind;
    uint32_t ifindex;
    uint32_t scope;    /* CAN_SCOPE_*: who is meant */
    uint64_t origin;   /* which socket sent it (host->send's origin), 0: nobody of this host */
    uint64_t stamp_ns; /* CLOCK_REALTIME of the bus, for the reader */
    uint64_t now;
};

/* Frames with identifier word `id` (flags included) on one interface, or on all (0), of both kinds. */
struct subscription {
    uint32_t id, ifindex;
    void (*receive)(struct subscription *subscription, const struct can_event *event);
    struct subscription *next, **link; /* link NULL: not subscribed */
    uint64_t matches;                  /* frames that it was given */
    uint32_t place;                    /* the host's */
};

/* The subscriptions of a host, by identifier. */
#define SUBSCRIPTION_BUCKETS 1024u
struct subscriptions {
    struct subscription *bucket[SUBSCRIPTION_BUCKETS];
    struct subscription *coming; /* while one is called: the one after it, kept right when that goes */
};

struct can_host {
    struct timers *timers;
    /* Puts a frame on an interface: 0, or -ENODEV, -ENETDOWN, -EMSGSIZE, -EINVAL (length), -ENOBUFS. Its echo comes back as an event
     * later, never inside of this call, as do all others. */
    int (*send)(struct can_host *host, uint64_t origin, uint32_t ifindex, const void *frame, uint32_t size);
    /* From now on, or no longer. subscribe: 0 or -ENODEV. Each is called in pairs. */
    int (*subscribe)(struct can_host *host, struct subscription *subscription);
    void (*unsubscribe)(struct can_host *host, struct subscription *subscription);
    /* Memory as malloc's; NULL: none. */
    void *(*allocate)(struct can_host *host, size_t size);
    void (*release)(struct can_host *host, void *memory);
    /* Written by machines: what is due then is one of many in a row, and delays all that follow. */
    uint64_t exact_at;
};

/* For hosts: the newest subscription of an identifier is served last. */
void subscriptions_add(struct subscriptions *all, struct subscription *subscription);
void subscriptions_remove(struct subscriptions *all, struct subscription *subscription);
/* Calls receive of every subscription that wants the frame. These may add and remove any. */
void subscriptions_serve(struct subscriptions *all, const struct can_event *event);

#endif
