/* bus/ring.h - a socket's receive ring: many producers, usually one consumer (struct ring of layout.h). */
#ifndef BUS_RING_H
#define BUS_RING_H

#include "bus/bus.h"
#include "bus/far.h"
#include "can/frame.h"

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

/* ---- a record's word, and what both sides of the usual case need; the theory is in ring.c ---- */

enum { RING_FREE, RING_BUSY, RING_READY, RING_QUARANTINED };
#define RING_POSITION_MASK 0xffffffffffffull /* tickets live in 48 bits, so positions are compared as such */
#define RING_OWNER_MASK    0x3fffu

static inline uint64_t ring_word(uint64_t ticket, uint32_t owner, unsigned state)
{
    return ticket << 16 | (uint64_t)(owner & RING_OWNER_MASK) << 2 | state;
}
/* The slot's ring has to be there (far.h). */
static inline struct ring_record *ring_record_of(const struct bus *bus, struct data *data, uint32_t slot,
                                                 uint64_t ticket)
{
    return &far_ring(bus, data, slot)->record[ticket % RING_SLOTS];
}

/* A frame and what records say of it: the same for all its receivers, but for their generation and drops. */
struct ring_parcel {
    uint64_t claim; /* the sender's part of a claimed record's word */
    uint64_t time_ns, path, about, extra;
    const uint8_t *frame;
    uint32_t words; /* of the frame, eight bytes each */
};
static inline struct ring_parcel ring_pack(const struct bus_frame *frame, uint64_t time_ns, uint32_t ifindex,
                                           uint32_t record_flags)
{
    return (struct ring_parcel){
        .claim = ring_word(0, frame->owner, RING_BUSY),
        .time_ns = time_ns,
        .path = ifindex | (uint64_t)frame->origin << 32,
        .about = frame->origin_gen | (uint64_t)(frame->size | record_flags << 16) << 32,
        .extra = (uint64_t)frame->mark << 32,
        .frame = frame->frame,
        .words = frame->size / 8,
    };
}
static inline void ring_put_word(struct ring_record *record, const struct ring_parcel *parcel, uint32_t i)
{
    uint64_t word;

    __builtin_memcpy(&word, parcel->frame + 8 * i, 8);
    store_relaxed(&record->data[i], word);
}
static inline void ring_label(struct ring_record *record, const struct ring_parcel *parcel, uint32_t gen,
                              uint32_t drops)
{
    store_relaxed(&record->time_ns, parcel->time_ns);
    store_relaxed(&record->path, parcel->path);
    store_relaxed(&record->about, parcel->about | (uint64_t)gen << 56);
    store_relaxed(&record->extra, parcel->extra | drops);
}

/* Our publishing swap failed: we were skipped, and take the record back if it is still ours. */
void ring_withdraw(struct ring_record *record, uint64_t ticket, uint32_t owner);

/* ring_push() as it nearly always goes: nobody else is at it, and the record is free for this very ticket, so that the ring is
 * not full. For CAN and CAN FD frames and rings of full depth. `gen`: of the receiver. False: nothing was sent. */
static inline bool ring_try_push(const struct bus *bus, struct data *data, uint32_t slot, uint32_t gen,
                                 const struct ring_parcel *parcel)
{
    struct bus_slot *at = &data->slot[slot];
    uint64_t head = load_acquire(&at->head), word, busy = head << 16 | parcel->claim;
    struct ring_record *record;

    if (unlikely(!far_ring(bus, data, slot))) return false;
    record = ring_record_of(bus, data, slot, head);
    word = load_acquire(&record->word);
    if (unlikely(word != ring_word(head, 0, RING_FREE)) && (word || head >= RING_SLOTS)) return false;
    if (unlikely(!cas64(&record->word, word, busy))) return false;
    __builtin_prefetch(record + 1, 1); /* a ring is long: the next record is in no cache */
    cas64(&at->head, head, head + 1);
    ring_put_word(record, parcel, 0);
    ring_put_word(record, parcel, 1);
    for (uint32_t i = 2; unlikely(i < parcel->words); i++)
        ring_put_word(record, parcel, i);
    ring_label(record, parcel, gen, load_relaxed(&at->drops_told));
    if (likely(cas64(&record->word, busy, busy ^ RING_BUSY ^ RING_READY))) return true;
    ring_withdraw(record, head, (uint32_t)parcel->claim >> 2);
    return false;
}

/* ring_pop() as it nearly always goes: the oldest record is ready, and holds a CAN or CAN FD frame, which is copied out whole words at
 * a time. Returns its size, or 0: nothing was taken, and ring_pop() will see why. */
static inline uint32_t ring_try_pop(const struct bus *bus, uint32_t slot, uint64_t frame[RING_DATA_SIZE / 8])
{
    struct bus_slot *at = &bus->data->slot[slot];
    uint64_t tail = load_acquire(&at->tail) & RING_POSITION_MASK, word, about;
    struct ring_record *record;
    uint32_t bytes;

    if (unlikely(!far_ring(bus, bus->data, slot))) return 0;
    record = ring_record_of(bus, bus->data, slot, tail);
    word = load_acquire(&record->word);
    about = load_relaxed(&record->about);
    bytes = about >> 32 & 0xffff;
    if (word >> 16 != tail || (word & 3) != RING_READY) return 0;
    if (bytes > RING_DATA_SIZE || (about >> 56 ^ load_relaxed(&at->gen)) & 0xff) return 0;
    for (uint32_t i = 0; i < bytes; i += 8)
        frame[i / 8] = load_relaxed(&record->data[i / 8]);
    if (!cas64(&record->word, word, ring_word(tail + RING_SLOTS, 0, RING_FREE))) return 0;
    store_release(&at->tail, tail + 1);
    return bytes;
}

/* ---- all cases ---- */

/* Queues a frame on slot's ring. Returns 0, or -ENOBUFS when it is full (counted in drops), or out of our reach (far.h). */
int ring_push(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
              const struct ring_meta *meta);

/* Takes the oldest frame. Returns false when there is none. */
bool ring_pop(const struct bus *bus, uint32_t slot, struct ring_item *out);
/* The same without taking it. */
bool ring_peek(const struct bus *bus, uint32_t slot, struct ring_item *out);

/* True when ring_pop would find nothing, or only a record whose writer has not finished and will send a token. */
bool ring_empty(const struct bus *bus, uint32_t slot);
/* How many records were ever claimed, and taken: the next position of each. */
uint64_t ring_head(const struct bus *bus, uint32_t slot);
uint64_t ring_tail(const struct bus *bus, uint32_t slot);
/* Records queued, and the bytes that the kernel would charge for them: for people and SO_MEMINFO. */
uint32_t ring_count(const struct bus *bus, uint32_t slot);
uint32_t ring_charge(const struct bus *bus, uint32_t slot);
/* The same of those that the socket origin.gen has sent. */
uint32_t ring_charge_from(const struct bus *bus, uint32_t slot, uint32_t origin, uint32_t gen);

#endif
