/* bus/bus.c - the way of a frame from its sender to every receiver.
 *
 * Runs in the sender's own thread: interest map -> exact filter -> ring_push, for each receiver; then tokens for those who armed. What it reads of
 * other sockets is one line of their slot and their filters; nothing of it is trusted beyond this one decision. */
#include "bus/bus.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/charge.h"
#include "bus/counters.h"
#include "bus/imap.h"
#include "bus/links.h"
#include "bus/program.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/tap.h"
#include "bus/wake.h"
#include "can/filter.h"
#include "can/frame.h"
#include <errno.h>
#include <time.h>

#define FILTER_READ_TRIES 4
#define WAKES_FROM_OWN    4
#define WAKES_AT_ONCE     32
/* A receiver with any other flag is not the usual one. */
#define RX_ANY_WAY (RX_OWN | RX_FD | RX_XL | RX_JOIN)

#define INBOX_PATIENCE_NS 100000000 /* how long a sender waits for the worker's full inbox, ... */
#define INBOX_NAP_NS      100000    /* ... looking so often */
#define DEAD_PROBE_EVERY  1024 /* drops between two looks whether the receiver of a full ring still lives */

/* Receivers that wait for a token. They get it when the frame is in every ring, so that no answer overtakes it: a reader that
 * is woken may run before the sender goes on. */
struct wakes {
    const struct bus *bus;
    int token_fd, worker_fd; /* as in struct bus_frame */
    bool matched;            /* some socket wanted the frame, whether it gets it or not */
    uint32_t count;
    uint32_t slot[WAKES_AT_ONCE];
};

static void wake_each(struct wakes *wakes, int token_fd)
{
    uint32_t gen;

    for (uint32_t i = 0; i < wakes->count; i++) {
        uint32_t slot = wakes->slot[i];
        if (wakes->worker_fd && (load_relaxed(&wakes->bus->data->slot[slot].rx_flags) & RX_INBOX)) {
            if (!wake_notify_connected(wakes->bus, slot, wakes->worker_fd - 1))
                wake_nudge(wakes->bus, slot, load_acquire(&wakes->bus->data->slot[slot].gen));
        } else if (wake_notify(wakes->bus, slot, token_fd, &gen) == -ECONNREFUSED) {
            slot_end(wakes->bus, slot, gen);
        }
    }
}

/* Tokens that are not taken count against the socket they came from: many of them would make the program's own socket look
 * unwritable to select and epoll, so a crowd is woken from another one. */
static OFF_PATH void wake_all(struct wakes *wakes)
{
    int fd = wakes->count > WAKES_FROM_OWN ? wake_socket() : -1;

    wake_each(wakes, fd >= 0 ? fd : wakes->token_fd);
    if (fd >= 0) sys_call(SYS_close, fd);
    wakes->count = 0;
}

static void wake_later(struct wakes *wakes, uint32_t number)
{
    if (wakes->count == WAKES_AT_ONCE) wake_all(wakes);
    wakes->slot[wakes->count++] = number;
}

/* A delivery under way: the constants of the loops. */
struct delivery {
    const struct bus *bus;
    const struct bus_frame *frame;
    struct wakes *wakes;
    struct ring_parcel parcel;
    uint32_t origin;
    uint32_t ifindex, record_flags;
    uint32_t id;
    uint32_t needs;      /* rx_flags that a receiver must have */
    uint32_t usual_mask; /* these bits of the usual receiver's rx_flags ... */
    uint32_t
        usual; /* ... are so: it takes the frame whatever it is, and asks for no time that is not known yet */
    uint32_t rows[IMAP_ROWS_PER_FRAME];
};

/* How many of the slot's entries let the frame through, and how many entries it has. The list may be replaced meanwhile:
 * then it is read again. */
static uint32_t count_matches(const struct bus *bus, uint32_t number, uint32_t id, uint32_t *count_out)
{
    const struct bus_slot *slot = &bus->data->slot[number];
    uint32_t matches = 0, count = 0, current;

    for (unsigned tries = 0; tries < FILTER_READ_TRIES; tries++) {
        matches = 0;
        current = load_acquire(&slot->filters_cur);
        const struct slot_filters *list = &bus->data->filters[number][current & 1];
        count = load_relaxed(&slot->filter_count[current & 1]);
        if (count > FILTERS_MAX) count = FILTERS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t filter_id = load_relaxed(&list->entry[i].id), mask = load_relaxed(&list->entry[i].mask);
            if (!filter_matches(filter_normalise(filter_id, mask), id)) continue;
            add_relaxed(&bus->data->matches[number][current & 1].entry[i], 1);
            matches++;
        }
        atomic_thread_fence(memory_order_acquire);
        if (likely(load_relaxed(&slot->filters_cur) == current)) break;
    }
    *count_out = count;
    return matches;
}

static uint32_t copies_for(const struct delivery *d, uint32_t number, uint32_t flags)
{
    struct bus_slot *slot = &d->bus->data->slot[number];
    uint32_t count, matches;

    if (likely((flags & RX_ALL) && !(d->id & CAN_ERR_FLAG))) {
        d->wakes->matched = true;
        return 1;
    }
    matches = count_matches(d->bus, number, d->id, &count);
    if ((d->id & CAN_ERR_FLAG) && (d->id & load_relaxed(&slot->err_mask))) {
        add_relaxed(&slot->error_matches, 1);
        matches++;
    }
    if (matches) d->wakes->matched = true;
    return filter_copies(matches, count, flags & RX_JOIN);
}

uint32_t bus_depth_limit(const struct bus *bus, uint32_t number, uint32_t flags, uint32_t size)
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

void bus_look_after(const struct bus *bus, uint32_t number)
{
    uint32_t gen = load_relaxed(&bus->data->slot[number].gen);

    if (load_relaxed(&bus->data->slot[number].drops) % DEAD_PROBE_EVERY == 1 &&
        wake_probe(bus, number, gen) == WAKE_DEAD)
        slot_end(bus, number, gen);
}

/* The worker's inbox is full. What the worker does with a frame, Linux does in the sender's own thread; so the sender gives it time, but
 * not for ever: when the inbox stands where it stood when somebody waited in vain, nobody waits. */
static bool wait_for_worker(const struct bus *bus, uint32_t number, const struct bus_frame *frame)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t tail = (uint32_t)load_relaxed(&bus->data->slot[number].tail);
    struct timespec nap = { 0, INBOX_NAP_NS };
    uint64_t end;

    if (load_relaxed(&slot->busy) == (tail | 1)) return false;
    for (end = clock_mono_ns() + INBOX_PATIENCE_NS; clock_mono_ns() < end;) {
        wake_notify(bus, number, frame->token_fd, NULL);
        sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
        if ((uint32_t)load_relaxed(&bus->data->slot[number].tail) != tail) return true;
    }
    store_relaxed(&slot->busy, tail | 1);
    return false;
}

static bool push(const struct delivery *d, uint32_t number, uint32_t flags, const struct bus_frame *frame,
                 const struct ring_meta *meta)
{
    do
        if (likely(ring_push(d->bus, number, frame, meta) == 0)) return true;
    while (unlikely(flags & RX_INBOX) && wait_for_worker(d->bus, number, frame));
    return false;
}

/* Every case, one of which is the usual one with a ring that needs more than a look. Returns the frame's time, which may have been
 * taken now. The delivery is a copy, so that the original can live in registers. */
static OFF_PATH uint64_t deliver_unusual(struct delivery d, uint32_t number, uint32_t flags,
                                         uint32_t bound_to)
{
    struct bus_slot *slot = &d.bus->data->slot[number];
    struct ring_meta meta = { .time_ns = d.parcel.time_ns,
                              .ifindex = d.ifindex,
                              .record_flags = d.record_flags };
    struct bus_frame frame = *d.frame;
    const struct program_context context = { .ifindex = d.ifindex };
    uint32_t copies, charged;

    if (!(flags & RX_OPEN)) return meta.time_ns;
    if (load_relaxed(&slot->ifindex) != bound_to && !(flags & RX_INBOX)) return meta.time_ns;
    copies = copies_for(&d, number, flags); /* counts what matches, also when the socket discards it */
    if (!copies || (flags & d.needs) != d.needs) return meta.time_ns;
    if (number == d.origin && !(flags & RX_OWN)) return meta.time_ns;
    if ((flags & RX_TIME) && !meta.time_ns) meta.time_ns = clock_real_ns();
    if ((flags & RX_INBOX) && bound_to) meta.record_flags |= RECORD_BOUND;
    if ((flags & RX_INBOX) && d.bus->to_self) {
        d.bus->to_self(d.bus, number, &frame, &meta);
        return meta.time_ns;
    }
    meta.gen = flags >> RX_GEN_SHIFT;
    charged = frame.size;
    if (unlikely(flags & RX_BPF)) frame.size = program_run(d.bus, number, &frame, &context);
    for (uint32_t i = 0; frame.size && i < copies; i++) {
        meta.limit =
            bus_depth_limit(d.bus, number, flags, charged); /* of each copy: the one before it counts */
        if (unlikely(!push(&d, number, flags, &frame, &meta)))
            bus_look_after(d.bus, number);
        else if (wake_is_wanted(d.bus, number) || (flags & RX_ASYNC))
            wake_later(d.wakes, number);
    }
    return meta.time_ns;
}

/* `bound_to`: what the receiver has to be bound to, 0 or the interface. */
static inline void deliver_one(struct delivery *d, struct data *data, uint32_t number, uint32_t bound_to)
{
    struct bus_slot *slot = &data->slot[number];
    uint32_t flags = load_acquire(&slot->rx_flags);

    if (number == d->origin && !(flags & RX_OWN)) {
        if (likely(flags & RX_ALL)) /* the usual sender; an error frame that it sends itself counts, too */
            d->wakes->matched = true;
        else
            deliver_unusual(*d, number, flags, bound_to);
        return;
    }
    if (likely((flags & d->usual_mask) == d->usual && load_relaxed(&slot->ifindex) == bound_to)) {
        d->wakes->matched = true;
        if (likely(ring_try_push(d->bus, data, number, flags >> RX_GEN_SHIFT, &d->parcel))) {
            if (unlikely((load_seq(&slot->armed) & 3) != WAKE_SENT)) wake_later(d->wakes, number);
            return;
        }
    }
    d->parcel.time_ns = deliver_unusual(*d, number, flags, bound_to);
    if (d->parcel.time_ns) d->usual_mask &= ~(uint32_t)RX_TIME;
}

/* First the sockets of any interface, then those of this one. In each map from the top: slots are given out from the bottom, and the
 * newest socket is served first. */
static inline void deliver_maps(struct delivery *d, uint32_t index)
{
    struct data *data = d->bus->data;
    uint32_t group, groups, count, word;
    uint64_t bits;

    for (uint32_t at = IMAP_ANY, bound_to = 0;; at = index, bound_to = d->ifindex) {
        const struct imap *map = &data->map[at];
        for (groups = imap_groups(map, d->rows, IMAP_ROWS_PER_FRAME); groups; groups ^= 1u << group) {
            group = 31u ^ (uint32_t)__builtin_clz(groups);
            for (word = imap_group(group, &count) + count; count; count--) {
                bits = imap_bits(map, d->rows, IMAP_ROWS_PER_FRAME, group, --word);
                for (; bits; bits &= bits - 1)
                    deliver_one(d, data, word * 64 + 63 - (uint32_t)__builtin_ctzll(bits), bound_to);
            }
        }
        if (at == index) return;
    }
}

/* What a receiver must have set, and what the usual one has. */
static inline void choose_flags(struct delivery *d, const struct bus_frame *frame)
{
    uint8_t length = ((const uint8_t *)frame->frame)[4];

    d->needs = RX_OPEN | (length & FRAME_XL_FLAG ? RX_XL : frame->size == FRAME_CC_SIZE ? 0 : RX_FD);
    d->usual = d->needs | RX_ALL;
    d->usual_mask = (RX_FLAGS & ~(uint32_t)RX_ANY_WAY) | d->usual;
    if (unlikely((d->id & CAN_ERR_FLAG) || (length & FRAME_XL_FLAG)))
        d->usual_mask = 0; /* nobody is: d->usual is not */
}

static inline void deliver(const struct bus *bus, uint32_t index, uint32_t ifindex,
                           const struct bus_frame *frame, uint32_t record_flags, struct wakes *wakes)
{
    struct delivery d;

    if (unlikely(tap_is_wanted(bus, index))) tap_frame(bus, index, ifindex, frame, record_flags, TAP_ITS_OWN);
    d.bus = bus;
    d.frame = frame;
    d.wakes = wakes;
    d.id = frame_id(frame->frame);
    d.origin = frame->origin;
    d.parcel = ring_pack(frame, frame->time_ns, ifindex, record_flags);
    d.ifindex = ifindex;
    d.record_flags = record_flags;
    choose_flags(&d, frame);
    if (unlikely(frame->time_ns)) d.usual_mask &= ~(uint32_t)RX_TIME;
    imap_rows_of_frame(d.id, d.rows);
    wakes->matched = false;
    deliver_maps(&d, index);
    if (unlikely(!wakes->matched))
        add_relaxed(&bus->data->counters[index][frame->owner % COUNTER_SHARDS].unmatched, 1);
}

/* A frame for sockets that COUNT_LOOPED does not count. */
static void count_offer(const struct bus *bus, uint32_t index, const struct bus_frame *frame)
{
    add_relaxed(&bus->data->counters[index][frame->owner % COUNTER_SHARDS].offered, 1);
}

void bus_deliver(const struct bus *bus, uint32_t index, uint32_t ifindex, const struct bus_frame *frame,
                 uint32_t record_flags)
{
    struct wakes wakes;

    wakes.bus = bus;
    wakes.token_fd = frame->token_fd;
    wakes.worker_fd = frame->worker_fd;
    wakes.count = 0;
    count_offer(bus, index, frame);
    deliver(bus, index, ifindex, frame, record_flags, &wakes);
    if (wakes.count) wake_all(&wakes);
}

static void count(const struct bus *bus, uint32_t index, const struct bus_frame *frame, unsigned what,
                  uint32_t bytes)
{
    counters_add(&bus->data->counters[index][frame->owner % COUNTER_SHARDS], what, bytes);
}

/* The other end of a vxcan pair receives the frame from its wire: no longer anybody's own. */
static OFF_PATH void deliver_to_peer(const struct bus *bus, uint32_t peer, const struct bus_frame *frame,
                                     uint32_t bytes, struct wakes *wakes)
{
    struct bus_frame theirs = *frame;
    uint64_t state = load_acquire(&bus->control->links[peer].state);
    const uint32_t ready = LINK_PRESENT | LINK_UP;

    if ((state & ready) != ready) return;
    theirs.origin = SOCKET_NONE;
    count(bus, peer, frame, COUNT_RECEIVED, bytes);
    count_offer(bus, peer, frame);
    deliver(bus, peer, load_acquire(&bus->control->links[peer].ifindex), &theirs, 0, wakes);
}

/* A controller has a queue, which is a ring that the worker empties. Off the bus (no carrier) it takes everything and sends nothing. */
static OFF_PATH int queue_for_controller(const struct bus *bus, uint32_t index, uint64_t state,
                                         const struct bus_frame *frame)
{
    const struct bus_link *link = &bus->control->links[index];
    uint64_t place = load_acquire(&link->tx_slot);
    uint32_t slot = (uint32_t)place;
    struct ring_meta meta = { .time_ns = frame->tell_id,
                              .ifindex = load_relaxed(&link->ifindex),
                              .record_flags = (frame->loopback ? RECORD_LOCAL : 0u) |
                                              (frame->charge ? RECORD_CHARGED : 0u) | frame->tell,
                              .gen = (uint32_t)(place >> 32),
                              .limit = load_relaxed(&link->tx_limit) };

    if (!(state & LINK_CARRIER) || !place || slot >= SOCKETS_MAX) return 0;
    if (frame->charge) charge_add(bus, frame->origin, frame->origin_gen, frame->size);
    if (ring_push(bus, slot, frame, &meta)) {
        if (frame->charge) charge_drop(bus, frame->origin, frame->origin_gen, frame->size);
        return -ENOBUFS;
    }
    if (wake_is_wanted(bus, slot)) wake_notify(bus, slot, frame->token_fd, NULL);
    return 0;
}

int bus_send(const struct bus *bus, uint32_t index, uint64_t state, const struct bus_frame *frame)
{
    uint32_t bytes = frame_payload(frame->frame, frame_classify(frame->frame, frame->size)), peer;
    struct wakes wakes;

    if (unlikely(!(state & LINK_UP))) return -ENETDOWN;
    if (unlikely(link_state_kind(state) == LINK_KIND_CAN))
        return queue_for_controller(bus, index, state, frame);
    if (unlikely(tap_is_wanted(bus, index)))
        tap_frame(bus, index, load_acquire(&bus->control->links[index].ifindex), frame, TAP_OUTGOING,
                  TAP_ITS_OWN);
    wakes.bus = bus;
    wakes.token_fd = frame->token_fd;
    wakes.worker_fd = frame->worker_fd;
    wakes.count = 0;
    if (likely(link_state_kind(state) == LINK_KIND_VCAN)) {
        count(bus, index, frame, frame->loopback ? COUNT_LOOPED : COUNT_SENT, bytes);
    } else if (state & LINK_CARRIER) {
        peer = link_state_peer(state);
        count(bus, index, frame, COUNT_SENT, bytes);
        if (peer > 0 && peer <= LINKS_MAX) deliver_to_peer(bus, peer - 1, frame, bytes, &wakes);
    }
    if (unlikely(link_state_kind(state) != LINK_KIND_VCAN) && frame->loopback) count_offer(bus, index, frame);
    if (likely(frame->loopback))
        deliver(bus, index, load_acquire(&bus->control->links[index].ifindex), frame, RECORD_LOCAL, &wakes);
    if (unlikely(wakes.count)) wake_all(&wakes);
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
