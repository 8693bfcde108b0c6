/* bus/ring.c - the receive ring.
 *
 * One word per record holds ticket << 16 | owner << 2 | state. A record at index i serves the tickets i, i+N, i+2N, ...;
 * a word of 0 stands for FREE(i). Every step is a compare-and-swap of that word; head and tail follow and anyone may help:
 *
 *   FREE(h)  --producer-->  BUSY(h, me)  --payload written-->  READY(h, me)  --consumer-->  FREE(h+N)
 *   BUSY(h, o)  --consumer, o is alive but does not finish-->  QUARANTINED(h, o)  --o comes back-->  FREE, o sends again
 *   BUSY(h, o) or QUARANTINED(.., o)  --consumer, o is dead-->  FREE(h+N)
 *   QUARANTINED(x, o), x < T  --consumer at T-->  QUARANTINED(T, o)   (a hole: the ring goes on around it)
 *
 * The tail passes ticket T only after the word says so: FREE(T+N) or QUARANTINED(T). Hence a producer that finds FREE(h) and
 * claims it cannot have been passed, however long it slept between two steps, and a producer that finds tail > h-N knows that
 * the record is FREE(h), a later ticket, or a hole. A writer whose publishing swap fails was skipped; its frame was not seen
 * and it sends it again. Killing a process at any step costs at most the frame it was sending.
 *
 * The tail is stored, not swapped: of two consumers the slower may set it back, even by laps, onto records whose words have a later
 * ticket; the next look moves it on. So the tail only says what has been passed for certain, and before a ring counts as full its
 * record is asked (has_room). What a producer remembers of a tail stays true all the same.
 *
 * Pairing: the publishing swap (BUSY -> READY) releases the payload; the consumer's load of the word acquires it. The copy is
 * proved by the consumer's swap READY -> FREE: the record cannot have been written in between. Payload words are relaxed
 * atomics, since a consumer may copy a record that is just being rewritten and throw the copy away. */
#include "bus/ring.h"
#include "bus/wake.h"
#include "can/frame.h"
#include <errno.h>

#define TRIES        4096         /* more can only be needed when somebody scribbles over the ring */
#define TAIL_LAG_MAX (1ull << 40) /* heads are never that far ahead, not even of a tail that was set back */
#define BUSY_SPINS   200          /* pauses granted to a writer before it counts as stopped */

static unsigned word_state(uint64_t word) { return word & 3; }
static uint32_t word_owner(uint64_t word) { return (uint32_t)(word >> 2) & RING_OWNER_MASK; }
static uint64_t word_ticket(uint64_t word, uint64_t ticket)
{
    return likely(word) ? word >> 16 : ticket % RING_SLOTS;
}

static struct bus_slot *slot_of(const struct bus *bus, uint32_t slot) { return &bus->data->slot[slot]; }
static uint64_t position(const atomic_u64 *p) { return load_acquire(p) & RING_POSITION_MASK; }

/* ---- producer ---- */

static void write_record(const struct bus *bus, uint32_t slot, uint64_t ticket, const struct bus_frame *frame,
                         const struct ring_meta *meta)
{
    struct ring_record *record = ring_record_of(bus, bus->data, slot, ticket);
    const uint8_t *from = frame->frame;
    atomic_u64 *to = record->data;
    struct ring_parcel parcel;
    uint64_t value = 0;
    uint32_t i;

    if (unlikely(frame->size > RING_DATA_SIZE)) to = far_window(bus, slot)->bytes[ticket % RING_SLOTS];
    for (i = 0; i + 8 <= frame->size; i += 8) {
        __builtin_memcpy(&value, from + i, 8);
        store_relaxed(&to[i / 8], value);
    }
    if (i < frame->size) {
        value = 0;
        __builtin_memcpy(&value, from + i, frame->size - i);
        store_relaxed(&to[i / 8], value);
    }
    parcel = ring_pack(frame, meta->time_ns, meta->ifindex, meta->record_flags);
    ring_label(record, &parcel, meta->gen, load_relaxed(&slot_of(bus, slot)->drops_told));
}

OFF_PATH void ring_withdraw(struct ring_record *record, uint64_t ticket, uint32_t owner)
{
    uint64_t word;

    do { /* consumers may lift it meanwhile */
        word = load_acquire(&record->word);
        if (word_state(word) != RING_QUARANTINED || word_owner(word) != owner) return;
    } while (!cas64(&record->word, word, ring_word(word_ticket(word, ticket) + RING_SLOTS, 0, RING_FREE)));
}

/* Publishes BUSY(ticket, owner). False: we were skipped, the frame must be sent again. */
static bool publish(struct ring_record *record, uint64_t ticket, uint32_t owner)
{
    if (likely(
            cas64(&record->word, ring_word(ticket, owner, RING_BUSY), ring_word(ticket, owner, RING_READY))))
        return true;
    ring_withdraw(record, ticket, owner);
    return false;
}

/* Claims ticket `head`. Returns true when the record is ours. */
static bool claim(const struct bus *bus, uint32_t slot, uint64_t head, uint32_t owner)
{
    struct ring_record *record = ring_record_of(bus, bus->data, slot, head);
    uint64_t word = load_acquire(&record->word), ticket = word_ticket(word, head);
    bool mine = false;

    if (ticket > head) return false; /* head is old */
    if (word_state(word) == RING_FREE) {
        mine = cas64(&record->word, word, ring_word(head, owner, RING_BUSY));
        if (!mine) return false;
    }
    cas64(&slot_of(bus, slot)->head, head,
          head + 1); /* ours, or help whoever claimed it, or step over a hole */
    return mine;
}

/* A tail that this process has seen, per ring: the real one is never less, so most pushes need not look at the consumer's cache
 * line. */
static atomic_u64 tail_seen[SOCKETS_MAX];

/* Has ticket `passed` gone by, whatever the tail says? A record has a later ticket, or is a hole, once the tail was beyond it. */
static bool is_passed(const struct bus *bus, uint32_t slot, uint64_t passed)
{
    uint64_t word = load_acquire(&ring_record_of(bus, bus->data, slot, passed)->word),
             ticket = word_ticket(word, passed);

    return ticket > passed || (ticket == passed && word_state(word) == RING_QUARANTINED);
}

/* Is there room for ticket `head`? */
static bool has_room(const struct bus *bus, uint32_t slot, uint64_t head, uint32_t limit)
{
    uint64_t tail = load_relaxed(&tail_seen[slot]);

    if (likely(head - tail < limit)) /* false, too, for a tail beyond an old head */
        return true;
    tail = position(&slot_of(bus, slot)->tail);
    store_relaxed(&tail_seen[slot], tail);
    return head - tail < limit || (head - tail < TAIL_LAG_MAX && is_passed(bus, slot, head - limit));
}

/* ---- writers that do not finish ---- */

/* Does the socket still exist in whose name a record was claimed? A slot that is not open was found dead already. */
static bool owner_alive(const struct bus *bus, uint32_t owner)
{
    if (owner >= SOCKETS_MAX) return owner == RING_OWNER_DAEMON;
    return (load_acquire(&bus->data->life[owner]) & 3) == SLOT_OPEN &&
           wake_probe(bus, owner, load_acquire(&bus->data->slot[owner].gen)) != WAKE_DEAD;
}

/* The writer of ticket `tail` has claimed it and not finished, and others wait. Gives it a little time, then gets it out of the way. */
static void pass_busy(const struct bus *bus, struct ring_record *record, uint64_t tail, uint64_t word)
{
    for (unsigned i = 0; i < BUSY_SPINS; i++) {
        if (load_acquire(&record->word) != word) return;
        cpu_relax();
    }
    if (owner_alive(bus, word_owner(word)))
        cas64(&record->word, word, ring_word(tail, word_owner(word), RING_QUARANTINED));
    else
        cas64(&record->word, word, ring_word(tail + RING_SLOTS, 0, RING_FREE));
}

/* The ring is full. Has its oldest record a writer that does not finish? No reader would care if there is nothing behind it. */
static bool unblock(const struct bus *bus, uint32_t slot, uint64_t oldest)
{
    struct ring_record *record = ring_record_of(bus, bus->data, slot, oldest);
    uint64_t word = load_acquire(&record->word);

    if (likely(word_state(word) != RING_BUSY || word_ticket(word, oldest) != oldest)) return false;
    if (oldest != position(&slot_of(bus, slot)->tail)) return false; /* readers come to it */
    pass_busy(bus, record, oldest, word);
    return true;
}

int ring_push(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
              const struct ring_meta *meta)
{
    struct bus_slot *at = slot_of(bus, slot);

    if (unlikely(frame->size > RING_DATA_SIZE && !far_window(bus, slot))) return -ENOBUFS;
    if (unlikely(!far_ring(bus, bus->data, slot))) return -ENOBUFS;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint64_t head = position(&at->head);
        if (unlikely(!has_room(bus, slot, head, meta->limit))) {
            if (head != position(&at->head) || unblock(bus, slot, head - meta->limit)) continue;
            break;
        }
        if (!claim(bus, slot, head, frame->owner)) continue;
        write_record(bus, slot, head, frame, meta);
        if (likely(publish(ring_record_of(bus, bus->data, slot, head), head, frame->owner))) return 0;
    }
    add_relaxed(&at->drops, 1);
    if (load_relaxed(&at->option[OPT_RXQ_OVFL])) store_relaxed(&at->drops_told, load_relaxed(&at->drops));
    return -ENOBUFS;
}

/* ---- consumer ---- */

/* False: nobody here can read it. Either it needs the extension area, or it was meant for the slot's last owner: its sender was
 * stopped on the way. */
static bool read_record(const struct bus *bus, uint32_t slot, uint64_t ticket, struct ring_item *out)
{
    struct ring_record *record = ring_record_of(bus, bus->data, slot, ticket);
    const atomic_u64 *from = record->data;
    uint64_t about = load_relaxed(&record->about), pair;

    if (unlikely((about >> 56 ^ load_relaxed(&slot_of(bus, slot)->gen)) & 0xff)) return false;
    out->record_flags = about >> 48 & 0xff;
    out->size = about >> 32 & 0xffff;
    out->origin_gen = (uint32_t)about;
    if (unlikely(out->size > RING_DATA_SIZE)) {
        if (out->size > XL_SIZE_MAX) out->size = XL_SIZE_MAX;
        if (!far_window(bus, slot)) return false;
        from = far_window(bus, slot)->bytes[ticket % RING_SLOTS];
    }
    for (uint32_t i = 0; i < out->size; i += 8) {
        uint64_t value = load_relaxed(&from[i / 8]);
        __builtin_memcpy(out->frame + i, &value, 8);
    }
    out->time_ns = load_relaxed(&record->time_ns);
    pair = load_relaxed(&record->path);
    out->ifindex = (uint32_t)pair;
    out->origin = pair >> 32;
    pair = load_relaxed(&record->extra);
    out->drops = (uint32_t)pair;
    out->mark = pair >> 32;
    return true;
}

/* Steps over a quarantined record, or takes it back when its writer is dead. */
static void pass_quarantined(const struct bus *bus, struct ring_record *record, uint64_t tail, uint64_t word)
{
    if (!owner_alive(bus, word_owner(word)))
        cas64(&record->word, word, ring_word(tail + RING_SLOTS, 0, RING_FREE));
    else if (word_ticket(word, tail) < tail)
        cas64(&record->word, word, ring_word(tail, word_owner(word), RING_QUARANTINED));
}

/* The record of ticket t has a later one: somebody took it and went no further, or the tail was set back. */
static void move_tail(const struct bus *bus, uint32_t slot, uint64_t t, uint64_t ticket, uint64_t word)
{
    struct bus_slot *at = slot_of(bus, slot);
    uint64_t to = ticket - RING_SLOTS + 1;

    if (likely(to > t && to <= position(&at->head)))
        cas64(&at->tail, t, to);
    else if (position(&at->tail) == t) /* only scribbling leads here */
        cas64(&ring_record_of(bus, bus->data, slot, t)->word, word, ring_word(t, 0, RING_FREE));
}

/* Finds the record to read next: true with *tail and *word set when it is READY. */
static bool find_ready(const struct bus *bus, uint32_t slot, uint64_t *tail, uint64_t *word)
{
    struct bus_slot *at = slot_of(bus, slot);

    if (unlikely(!far_ring(bus, bus->data, slot))) return false;
    for (unsigned tries = 0; tries < TRIES; tries++) {
        uint64_t t = position(&at->tail);
        struct ring_record *record = ring_record_of(bus, bus->data, slot, t);
        uint64_t w = load_seq(&record->word), ticket = word_ticket(w, t), head;
        unsigned state = word_state(w);

        if (likely(state == RING_READY && ticket == t)) {
            *tail = t;
            *word = w;
            return true;
        }
        if (ticket > t) {
            move_tail(bus, slot, t, ticket, w);
            continue;
        }
        head = load_acquire(&at->head);
        if (head <= t + (state == RING_BUSY && ticket == t)) {
            if (unlikely(head < t)) cas64(&at->head, head, t); /* only scribbling leads here */
            return false;
        }
        if (unlikely(head - t > RING_SLOTS) && state != RING_QUARANTINED && load_acquire(&record->word) == w)
            cas64(&at->head, head, t); /* and here */
        if (state == RING_BUSY && ticket == t)
            pass_busy(bus, record, t, w);
        else if (state == RING_QUARANTINED && ticket == t)
            cas64(&at->tail, t, t + 1);
        else if (state == RING_QUARANTINED)
            pass_quarantined(bus, record, t, w);
        else
            cas64(&record->word, w, ring_word(t + RING_SLOTS, 0, RING_FREE)); /* a hole, or scribbling */
    }
    return false;
}

bool ring_pop(const struct bus *bus, uint32_t slot, struct ring_item *out)
{
    uint64_t tail, word;
    bool readable;

    do {
        if (!find_ready(bus, slot, &tail, &word)) return false;
        readable = read_record(bus, slot, tail, out);
        if (cas64(&ring_record_of(bus, bus->data, slot, tail)->word, word,
                  ring_word(tail + RING_SLOTS, 0, RING_FREE)))
            store_release(&slot_of(bus, slot)->tail, tail + 1);
        else
            readable = false;
    } while (unlikely(!readable));
    return true;
}

bool ring_peek(const struct bus *bus, uint32_t slot, struct ring_item *out)
{
    uint64_t tail, word;

    do {
        if (!find_ready(bus, slot, &tail, &word)) return false;
        if (unlikely(!read_record(bus, slot, tail,
                                  out))) { /* no process can read it without `ext`, as ring_pop finds, too */
            cas64(&ring_record_of(bus, bus->data, slot, tail)->word, word,
                  ring_word(tail + RING_SLOTS, 0, RING_FREE));
            continue;
        }
        atomic_thread_fence(memory_order_acquire);
    } while (load_acquire(&ring_record_of(bus, bus->data, slot, tail)->word) != word);
    return true;
}

bool ring_empty(const struct bus *bus, uint32_t slot)
{
    uint64_t tail = load_seq(&slot_of(bus, slot)->tail) & RING_POSITION_MASK, word, ticket;
    unsigned state;

    if (unlikely(!far_ring(bus, bus->data, slot))) return true;
    word = load_seq(&ring_record_of(bus, bus->data, slot, tail)->word);
    ticket = word_ticket(word, tail);
    state = word_state(word);
    if (state == RING_READY && ticket == tail) return false;
    return position(&slot_of(bus, slot)->head) <= tail + (state == RING_BUSY && ticket == tail);
}

uint64_t ring_head(const struct bus *bus, uint32_t slot) { return position(&slot_of(bus, slot)->head); }
uint64_t ring_tail(const struct bus *bus, uint32_t slot) { return position(&slot_of(bus, slot)->tail); }

uint32_t ring_count(const struct bus *bus, uint32_t slot)
{
    uint64_t tail = position(&slot_of(bus, slot)->tail), head = position(&slot_of(bus, slot)->head);
    uint64_t count = head > tail ? head - tail : 0;
    return count > RING_SLOTS ? RING_SLOTS : (uint32_t)count;
}

uint32_t ring_charge(const struct bus *bus, uint32_t slot)
{
    uint64_t tail = position(&slot_of(bus, slot)->tail);
    uint32_t count = ring_count(bus, slot), sum = 0;

    if (unlikely(!far_ring(bus, bus->data, slot))) return 0;
    for (uint32_t i = 0; i < count; i++)
        sum +=
            frame_charge(load_relaxed(&ring_record_of(bus, bus->data, slot, tail + i)->about) >> 32 & 0xfff);
    return sum;
}

uint32_t ring_charge_from(const struct bus *bus, uint32_t slot, uint32_t origin, uint32_t gen)
{
    uint64_t tail = position(&slot_of(bus, slot)->tail);
    uint32_t count = ring_count(bus, slot), sum = 0;

    if (unlikely(!far_ring(bus, bus->data, slot))) return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct ring_record *record = ring_record_of(bus, bus->data, slot, tail + i);
        uint64_t about = load_relaxed(&record->about);
        if (load_relaxed(&record->path) >> 32 == origin && (uint32_t)about == gen)
            sum += frame_charge(about >> 32 & 0xfff);
    }
    return sum;
}
