/*
 * A host for ISO-TP machines with a clock that only moves when told: timers, subscriptions, memory that is counted, and frames
 * that wait to be brought to whoever subscribed. What becomes of a frame between its sender and its receivers is the test's choice.
 */
#ifndef UNIT_ISOTP_WORLD_H
#define UNIT_ISOTP_WORLD_H

#include <stdlib.h>
#include <string.h>
#include "can/isotp.h"

#define WORLD_FLIGHT_MAX 4096u

struct world_frame {
    struct canfd_frame frame;
    uint32_t size;
    uint64_t origin;
};

struct world {
    struct can_host host;
    struct timers timers;
    struct subscriptions all;
    uint64_t now;
    struct world_frame flight[WORLD_FLIGHT_MAX]; /* frames that were sent, a ring */
    uint32_t sent, taken;
    unsigned memory, subscribed; /* pieces that were given out and not given back */
    int send_error;              /* what sending returns, if not 0 */
    bool no_memory, no_subscription;
    void (*watch)(struct world *world, const struct world_frame *frame); /* sees every frame that is sent */
};

static inline int world_send(struct can_host *host, uint64_t origin, uint32_t ifindex, const void *frame,
                             uint32_t size)
{
    struct world *world = (struct world *)(void *)host;
    struct world_frame *slot = &world->flight[world->sent % WORLD_FLIGHT_MAX];

    (void)ifindex;
    if (world->send_error) return world->send_error;
    if (world->sent - world->taken >= WORLD_FLIGHT_MAX) return -105; /* ENOBUFS */
    memset(&slot->frame, 0, sizeof(slot->frame));
    memcpy(&slot->frame, frame, size);
    slot->size = size;
    slot->origin = origin;
    world->sent++;
    if (world->watch) world->watch(world, slot);
    return 0;
}

static inline int world_subscribe(struct can_host *host, struct subscription *subscription)
{
    struct world *world = (struct world *)(void *)host;

    if (world->no_subscription) return -19; /* ENODEV */
    world->subscribed++;
    subscriptions_add(&world->all, subscription);
    return 0;
}

static inline void world_unsubscribe(struct can_host *host, struct subscription *subscription)
{
    struct world *world = (struct world *)(void *)host;

    world->subscribed--;
    subscriptions_remove(&world->all, subscription);
}

static inline void *world_allocate(struct can_host *host, size_t size)
{
    struct world *world = (struct world *)(void *)host;

    if (world->no_memory) return NULL;
    world->memory++;
    return malloc(size);
}

static inline void world_release(struct can_host *host, void *memory)
{
    ((struct world *)(void *)host)->memory--;
    free(memory);
}

static inline void world_begin(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->host = (struct can_host){ .timers = &world->timers,
                                     .send = world_send,
                                     .subscribe = world_subscribe,
                                     .unsubscribe = world_unsubscribe,
                                     .allocate = world_allocate,
                                     .release = world_release };
    world->now = 1000000000;
}

/* The oldest frame on its way, or NULL. It is no longer on its way; its place is used again only after many others. */
static inline const struct world_frame *world_take(struct world *world)
{
    return world->taken == world->sent ? NULL : &world->flight[world->taken++ % WORLD_FLIGHT_MAX];
}

/* Brings a frame to all who want it. It lies in memory of its exact size, for the sanitizers to see who reads further. */
static inline void world_serve(struct world *world, const struct world_frame *frame)
{
    struct can_event event = { .kind = frame->size == CAN_MTU ? FRAME_CC : FRAME_FD,
                               .ifindex = 1,
                               .origin = frame->origin,
                               .stamp_ns = world->now + 1600000000000000000,
                               .now = world->now };
    union {
        struct can_frame cc;
        struct canfd_frame fd;
    } *copy = malloc(frame->size);

    memcpy(copy, &frame->frame, frame->size);
    event.frame = copy;
    subscriptions_serve(&world->all, &event);
    free(copy);
}

#endif
