/* bus/ring.h - a socket's receive ring: many producers, usually one consumer (struct ring of layout.h). */
#ifndef BUS_RING_H
#define BUS_RING_H

#include "bus/bus.h"

#define RING_OWNER_DAEMON SOCKETS_MAX /* owner of records that the daemon writes */

/* What is pushed besides the frame itself. */
struct ring_meta {
    uint64_t time_ns;
    uint32_t ifindex;
    uint32_t record_flags; /* RECORD_* */
    uint32_t gen;   /* of the receiver, or its low bits: a later owner of its slot does not get the frame */
    uint32_t limit; /* records that may be queued: 1..RING_SLOTS */
};

/* A record taken from the ring: a private copy, clamped. */
struct ring_item {
    uint64_t time_ns;
    uint32_t ifindex, origin, origin_gen, drops, mark;
    uint32_t record_flags;
    uint32_t size; /* bytes of frame[] that count */
    _Alignas(8) uint8_t frame[RING_EXT_SIZE];
};

/* Queues a frame on slot's ring. Returns 0, or -ENOBUFS when it is full (counted in drops). */
int ring_push(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
              const struct ring_meta *meta);

/* Takes the oldest frame. Returns false when there is none. */
bool ring_pop(const struct bus *bus, uint32_t slot, struct ring_item *out);
/* The same without taking it. */
bool ring_peek(const struct bus *bus, uint32_t slot, struct ring_item *out);

/* True when ring_pop would find nothing, or only a record whose writer has not finished and will send a token. */
bool ring_empty(const struct bus *bus, uint32_t slot);
/* Records queued, and the bytes that the kernel would charge for them: for people and SO_MEMINFO. */
uint32_t ring_count(const struct bus *bus, uint32_t slot);
uint32_t ring_charge(const struct bus *bus, uint32_t slot);

#endif
