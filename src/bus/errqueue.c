/* bus/errqueue.c - the error queue of a socket.
 *
 * A ring of 64-bit words: a message is its time, its id and kind, its size, and the frame. errqueue_head and errqueue_tail of the slot
 * count words. Both sides work under slot.lock, because nothing here is fast: it is for programs that measure. A writer publishes
 * by moving the head last, so that one that dies before leaves nothing behind; one that lost the lock in between (slot.c) finds
 * that the head is not where it was and gives up. So it is with readers and the tail.
 *
 * Limits: ERRQUEUE_WORDS, which is 819 CAN frames or 15 of the largest CAN XL frames, and SO_RCVBUF once the program set it. */
#include "bus/errqueue.h"
#include "bus/far.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "can/frame.h"

#define HEAD_WORDS 3u
#define POP_TRIES  4

static atomic_u64 *word_at(const struct bus *bus, uint32_t number, uint32_t at)
{
    return &far_errqueue(bus, number)->word[at % ERRQUEUE_WORDS];
}

static uint32_t words_of(uint32_t size) { return HEAD_WORDS + (size + 7) / 8; }

static bool has_room(const struct bus *bus, uint32_t number, uint32_t used, uint32_t size)
{
    const struct bus_slot *slot = &bus->data->slot[number];
    uint32_t limit = load_relaxed(&slot->rx_limit);

    if (limit &&
        load_relaxed(&slot->errqueue_charge) + ring_charge(bus, number) + frame_charge(size) >= limit)
        return false;
    return used <= ERRQUEUE_WORDS && ERRQUEUE_WORDS - used >= words_of(size);
}

static void write_message(const struct bus *bus, uint32_t number, uint32_t at,
                          const struct errqueue_item *item, const uint8_t *frame)
{
    uint64_t value;

    store_relaxed(word_at(bus, number, at++), item->time_ns);
    store_relaxed(word_at(bus, number, at++),
                  item->id | (uint64_t)item->info << 32 | (uint64_t)item->hardware << 48);
    store_relaxed(word_at(bus, number, at++), item->size);
    for (uint32_t i = 0; i < item->size; i += 8) {
        value = 0;
        __builtin_memcpy(&value, frame + i, item->size - i < 8 ? item->size - i : 8);
        store_relaxed(word_at(bus, number, at++), value);
    }
}

void errqueue_push(const struct bus *bus, uint32_t number, int fd, const struct errqueue_item *item,
                   const void *frame)
{
    struct bus_slot *slot = &bus->data->slot[number];
    bool queued = false;
    uint32_t head;

    if (unlikely(!far_errqueue(bus, number))) return;
    uint32_t held = slot_lock(slot);
    head = load_relaxed(&slot->errqueue_head);
    if (has_room(bus, number, head - load_relaxed(&slot->errqueue_tail), item->size)) {
        write_message(bus, number, head, item, frame);
        queued = cas32(&slot->errqueue_head, head, head + words_of(item->size));
    }
    if (queued) add_relaxed(&slot->errqueue_charge, frame_charge(item->size));
    slot_unlock(slot, held);
    if (queued) wake_notify(bus, number, fd, NULL);
}

/* Nothing read here is trusted: sizes are clamped, and a queue that makes no sense is emptied. */
static bool read_message(const struct bus *bus, uint32_t number, uint32_t at, uint32_t used,
                         struct errqueue_item *out)
{
    uint64_t value;

    if (used < HEAD_WORDS) return false;
    out->time_ns = load_relaxed(word_at(bus, number, at++));
    value = load_relaxed(word_at(bus, number, at++));
    out->id = (uint32_t)value;
    out->info = (uint16_t)(value >> 32);
    out->hardware = value >> 48 & 1;
    out->size = (uint32_t)load_relaxed(word_at(bus, number, at++));
    if (out->size > FRAME_XL_MAX || words_of(out->size) > used) return false;
    for (uint32_t i = 0; i < out->size; i += 8) {
        value = load_relaxed(word_at(bus, number, at++));
        __builtin_memcpy(out->frame + i, &value, 8);
    }
    return true;
}

/* One try, with the lock. False: we slept, and lost the lock to somebody who took the message. */
static bool pop(const struct bus *bus, uint32_t number, struct errqueue_item *out, bool *found)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t head = load_acquire(&slot->errqueue_head), tail = load_relaxed(&slot->errqueue_tail);

    *found = head != tail && read_message(bus, number, tail, head - tail, out);
    if (!cas32(&slot->errqueue_tail, tail, *found ? tail + words_of(out->size) : head)) return false;
    if (*found) atomic_fetch_sub(&slot->errqueue_charge, frame_charge(out->size));
    if (load_relaxed(&slot->errqueue_tail) == head) store_relaxed(&slot->errqueue_charge, 0);
    return true;
}

bool errqueue_pop(const struct bus *bus, uint32_t number, struct errqueue_item *out)
{
    bool found = false, done = false;

    if (unlikely(!far_errqueue(bus, number))) return false;
    for (unsigned tries = 0; tries < POP_TRIES && !done; tries++) {
        if (errqueue_empty(bus, number)) return false;
        uint32_t held = slot_lock(&bus->data->slot[number]);
        done = pop(bus, number, out, &found);
        slot_unlock(&bus->data->slot[number], held);
    }
    return done && found;
}
