/* bus/bus.c - the way of a frame from its sender to every receiver.
 *
 * Runs in the sender's own thread: interest map -> exact filter -> ring_push, for each receiver; then tokens for those who armed. What it reads of
 * other sockets is one line of their slot and their filters; nothing of it is trusted beyond this one decision. */
#include "bus/bus.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/counters.h"
#include "bus/imap.h"
#include "bus/links.h"
#include "bus/program.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "can/filter.h"
#include "can/frame.h"
#include <errno.h>
#include <time.h>

#define FILTER_READ_TRIES 4
#define WAKES_FROM_OWN    4
#define WAKES_AT_ONCE     32
#define INBOX_WAITS       100    /* looks at the worker's full inbox, ... */
#define INBOX_WAIT_NS     100000 /* ... so far apart */
#define DEAD_PROBE_EVERY  1024   /* drops between two looks whether the receiver of a full ring still lives */

/* Receivers that wait for a token. They get it when the frame is in every ring, so that no answer overtakes it: a reader that
 * is woken may run before the sender goes on. */
struct wakes {
    const struct bus *bus;
    int token_fd;
    uint32_t count;
    uint32_t slot[WAKES_AT_ONCE];
};

static void wake_each(struct wakes *wakes, int token_fd)
{
    uint32_t gen;

    for (uint32_t i = 0; i < wakes->count; i++)
        if (wake_notify(wakes->bus, wakes->slot[i], token_fd, &gen) == -ECONNREFUSED)
            slot_end(wakes->bus, wakes->slot[i], gen);
}

/* Tokens that are not taken count against the socket they came from: many of them would make the program's own socket look
 * unwritable to select and epoll, so a crowd is woken from another one. */
static void wake_all(struct wakes *wakes)
{
    int fd = wakes->count > WAKES_FROM_OWN ? wake_socket() : -1;

    wake_each(wakes, fd >= 0 ? fd : wakes->token_fd);
    if (fd >= 0) sys_call(SYS_close, fd);
    wakes->count = 0;
}

static void wake_later(struct wakes *wakes, uint32_t number, uint32_t flags)
{
    if (likely(!wake_is_wanted(wakes->bus, number) && !(flags & RX_ASYNC))) return;
    if (wakes->count == WAKES_AT_ONCE) wake_all(wakes);
    wakes->slot[wakes->count++] = number;
}

/* A delivery under way. */
struct delivery {
    const struct bus *bus;
    const struct bus_frame *frame;
    struct wakes *wakes;
    struct ring_meta meta;
    uint32_t id;
    uint32_t needs; /* rx_flags that a receiver must have */
    unsigned row_count;
    uint32_t rows[IMAP_ROWS_PER_FRAME];
};

/* How many of the slot's entries let the frame through, and how many entries it has. The list may be replaced meanwhile:
 * then it is read again. */
static uint32_t count_matches(const struct bus_slot *slot, uint32_t id, uint32_t *count_out)
{
    uint32_t matches = 0, count = 0, current;

    for (unsigned tries = 0; tries < FILTER_READ_TRIES; tries++) {
        matches = 0;
        current = load_acquire(&slot->filters_cur);
        const struct slot_filters *list = &slot->filters[current & 1];
        count = load_relaxed(&list->count);
        if (count > FILTERS_MAX) count = FILTERS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t filter_id = load_relaxed(&list->entry[i].id), mask = load_relaxed(&list->entry[i].mask);
            matches += filter_matches(filter_normalise(filter_id, mask), id);
        }
        atomic_thread_fence(memory_order_acquire);
        if (likely(load_relaxed(&slot->filters_cur) == current)) break;
    }
    *count_out = count;
    return matches;
}

static uint32_t copies_for(const struct bus_slot *slot, uint32_t flags, uint32_t id)
{
    uint32_t count, matches;

    if (likely((flags & RX_ALL) && !(id & CAN_ERR_FLAG))) return 1;
    matches = count_matches(slot, id, &count);
    if ((id & CAN_ERR_FLAG) && (id & load_relaxed(&slot->err_mask))) matches++;
    return filter_copies(matches, count, flags & RX_JOIN);
}

/* How many records may be in the ring when one more is to fit. Linux takes a frame while what is queued, the error queue included, is
 * charged less than the limit. */
static uint32_t depth_limit(const struct bus *bus, uint32_t number, uint32_t flags, uint32_t size)
{
    const struct bus_slot *slot = &bus->data->slot[number];
    uint32_t bytes = load_relaxed(&slot->rx_limit), errors, charge, records;

    if (likely(!bytes)) return RING_SLOTS;
    errors = load_relaxed(&slot->errqueue_charge);
    if (unlikely((flags & RX_XL) || errors)) /* charges differ: the sum decides */
        return ring_charge(bus, number) + errors < bytes ? RING_SLOTS : 0;
    charge = frame_charge(size);
    records = bytes / charge + (bytes % charge != 0);
    return records > RING_SLOTS ? RING_SLOTS : records;
}

/* A ring was full: does anybody still read it? */
static void look_after(const struct bus *bus, uint32_t number)
{
    uint32_t gen = load_relaxed(&bus->data->slot[number].gen);

    if (load_relaxed(&bus->data->ring[number].drops) % DEAD_PROBE_EVERY == 1 &&
        wake_probe(bus, number, gen) == WAKE_DEAD)
        slot_end(bus, number, gen);
}

/* The worker's inbox is full. What the worker does with a frame, Linux does in the sender's own thread; so the sender gives it time, but
 * not for ever: when the inbox stands where it stood when somebody waited in vain, nobody waits. The worker itself does not. */
static bool wait_for_worker(const struct bus *bus, uint32_t number, const struct bus_frame *frame)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t tail = (uint32_t)load_relaxed(&bus->data->ring[number].tail);
    struct timespec moment = { 0, INBOX_WAIT_NS };

    if (frame->owner == RING_OWNER_DAEMON || load_relaxed(&slot->busy) == (tail | 1)) return false;
    for (unsigned i = 0; i < INBOX_WAITS; i++) {
        wake_notify(bus, number, frame->token_fd, NULL);
        sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &moment, NULL);
        if ((uint32_t)load_relaxed(&bus->data->ring[number].tail) != tail) return true;
    }
    store_relaxed(&slot->busy, tail | 1);
    return false;
}

static bool push(struct delivery *d, uint32_t number, uint32_t flags, const struct bus_frame *frame)
{
    do
        if (likely(ring_push(d->bus, number, frame, &d->meta) == 0)) return true;
    while (unlikely(flags & RX_INBOX) && wait_for_worker(d->bus, number, frame));
    return false;
}

static void deliver_one(struct delivery *d, uint32_t number, uint32_t ifindex)
{
    struct bus_slot *slot = &d->bus->data->slot[number];
    uint32_t flags = load_acquire(&slot->rx_flags), copies;
    const struct bus_frame *frame = d->frame;
    struct bus_frame trimmed; /* what a program left of it */

    if ((flags & d->needs) != d->needs) return;
    if (load_relaxed(&slot->ifindex) != ifindex && !(flags & RX_INBOX)) return;
    if (number == frame->origin && !(flags & RX_OWN)) return;
    copies = copies_for(slot, flags, d->id);
    if (!copies) return;
    if ((flags & RX_TIME) && !d->meta.time_ns) d->meta.time_ns = clock_real_ns();
    d->meta.limit = depth_limit(d->bus, number, flags, frame->size);
    d->meta.gen = flags >> RX_GEN_SHIFT;
    if (unlikely(flags & RX_BPF)) {
        trimmed = *frame;
        trimmed.size = program_run(d->bus, number, frame, d->meta.ifindex);
        if (!trimmed.size) return;
        frame = &trimmed;
    }
    for (uint32_t i = 0; i < copies; i++) {
        if (likely(push(d, number, flags, frame)))
            wake_later(d->wakes, number, flags);
        else
            look_after(d->bus, number);
    }
}

static void deliver_map(struct delivery *d, const struct imap *map, uint32_t ifindex)
{
    uint32_t groups = imap_groups(map, d->rows, d->row_count);

    while (
        groups) { /* from the top: slots are given out from the bottom, and the newest socket is served first */
        uint32_t group = 31 - (uint32_t)__builtin_clz(groups), count, word;
        groups &= ~(1u << group);
        word = imap_group(group, &count) + count;
        while (count--) {
            uint64_t bits = imap_bits(map, d->rows, d->row_count, --word);
            while (bits) {
                uint32_t bit = 63 - (uint32_t)__builtin_clzll(bits);
                bits &= ~(1ull << bit);
                deliver_one(d, word * 64 + bit, ifindex);
            }
        }
    }
}

static uint32_t needed_flags(const struct bus_frame *frame)
{
    if (likely(frame->size == FRAME_CC_SIZE && !(((const uint8_t *)frame->frame)[4] & FRAME_XL_FLAG)))
        return RX_OPEN;
    return RX_OPEN | (((const uint8_t *)frame->frame)[4] & FRAME_XL_FLAG ? RX_XL : RX_FD);
}

static void deliver(const struct bus *bus, uint32_t index, uint32_t ifindex, const struct bus_frame *frame,
                    uint32_t record_flags, struct wakes *wakes)
{
    struct delivery d = {
        .bus = bus, .frame = frame, .wakes = wakes, .id = frame_id(frame->frame), .needs = needed_flags(frame)
    };

    d.meta.ifindex = ifindex;
    d.meta.record_flags = record_flags;
    d.row_count = imap_rows_of_frame(d.id, d.rows);
    deliver_map(&d, &bus->data->map[IMAP_ANY], 0);
    deliver_map(&d, &bus->data->map[index], ifindex);
}

void bus_deliver(const struct bus *bus, uint32_t index, uint32_t ifindex, const struct bus_frame *frame,
                 uint32_t record_flags)
{
    struct wakes wakes;

    wakes.bus = bus;
    wakes.token_fd = frame->token_fd;
    wakes.count = 0;
    deliver(bus, index, ifindex, frame, record_flags, &wakes);
    wake_all(&wakes);
}

static void count(const struct bus *bus, uint32_t index, const struct bus_frame *frame, unsigned what,
                  uint32_t bytes)
{
    counters_add(&bus->data->counters[index][frame->owner % COUNTER_SHARDS], what, bytes);
}

/* The other end of a vxcan pair receives the frame from its wire: no longer anybody's own. */
static void deliver_to_peer(const struct bus *bus, uint32_t peer, const struct bus_frame *frame,
                            uint32_t bytes, struct wakes *wakes)
{
    struct bus_frame theirs = *frame;
    uint64_t state = load_acquire(&bus->control->links[peer].state);
    const uint32_t ready = LINK_PRESENT | LINK_UP;

    if ((state & ready) != ready) return;
    theirs.origin = SOCKET_NONE;
    count(bus, peer, frame, COUNT_RECEIVED, bytes);
    deliver(bus, peer, load_acquire(&bus->control->links[peer].ifindex), &theirs, 0, wakes);
}

int bus_send(const struct bus *bus, uint32_t index, uint64_t state, const struct bus_frame *frame)
{
    uint32_t bytes = frame_payload(frame->frame, frame_classify(frame->frame, frame->size)), peer;
    struct wakes wakes;

    if (unlikely(!(state & LINK_UP))) return -ENETDOWN;
    wakes.bus = bus;
    wakes.token_fd = frame->token_fd;
    wakes.count = 0;
    if (likely(link_state_kind(state) == LINK_KIND_VCAN)) {
        count(bus, index, frame, frame->loopback ? COUNT_LOOPED : COUNT_SENT, bytes);
    } else if (state & LINK_CARRIER) {
        peer = link_state_peer(state);
        count(bus, index, frame, COUNT_SENT, bytes);
        if (peer > 0 && peer <= LINKS_MAX) deliver_to_peer(bus, peer - 1, frame, bytes, &wakes);
    }
    if (likely(frame->loopback))
        deliver(bus, index, load_acquire(&bus->control->links[index].ifindex), frame, RECORD_LOCAL, &wakes);
    wake_all(&wakes);
    return 0;
}

int bus_transmit(const struct bus *bus, uint32_t ifindex, const struct bus_frame *frame)
{
    uint32_t index = links_find(bus->control, ifindex);
    struct bus_frame out = *frame;
    struct canfd_frame copy;
    uint64_t state;

    if (index >= LINKS_MAX) return -ENODEV;
    if (frame->size != FRAME_CC_SIZE && frame->size != FRAME_FD_SIZE) return -EINVAL;
    __builtin_memcpy(&copy, frame->frame, frame->size);
    if (copy.len > (frame->size == FRAME_FD_SIZE ? CANFD_MAX_DLEN : CAN_MAX_DLEN)) return -EINVAL;
    state = load_acquire(&bus->control->links[index].state);
    if (frame->size > link_state_mtu(state)) return -EMSGSIZE;
    if (frame->size == FRAME_FD_SIZE) copy.flags |= CANFD_FDF;
    out.frame = &copy;
    return bus_send(bus, index, state, &out);
}
