/* sockets/ready.c - which sockets this process holds open: a bit per slot, and one descriptor for each. Bits of sockets
 * that were closed are dropped when they are met. */
#include "sockets/ready.h"
#include "bus/errqueue.h"
#include "bus/ring.h"
#include "bus/wake.h"
#include "sockets/family.h"
#include "sockets/service.h"
#include "sockets/fdtab.h"
#include "sockets/packet_ring.h"
#include "sockets/txstamp.h"
#include <poll.h>

static atomic_u64 tracked[SOCKETS_MAX / 64];
static atomic_u64 wants_edges[SOCKETS_MAX / 64];
static atomic_u64 rearmed[SOCKETS_MAX / 64]; /* armed while a token was still there */
static atomic_u32 tracked_words;             /* words of tracked[] that ever had a bit */
static _Atomic int fd_of[SOCKETS_MAX];

static bool has(const atomic_u64 *bits, uint32_t slot)
{
    return load_relaxed(&bits[slot / 64]) & 1ull << slot % 64;
}
static void set(atomic_u64 *bits, uint32_t slot) { atomic_fetch_or(&bits[slot / 64], 1ull << slot % 64); }
static void clear(atomic_u64 *bits, uint32_t slot)
{
    atomic_fetch_and(&bits[slot / 64], ~(1ull << slot % 64));
}

void ready_track(uint32_t slot, int fd)
{
    uint32_t words = load_relaxed(&tracked_words);

    store_relaxed(&fd_of[slot], fd);
    if (!has(tracked, slot)) {
        clear(wants_edges, slot); /* of an earlier socket in this slot */
        set(tracked, slot);
    }
    while (words <= slot / 64 && !cas32(&tracked_words, words, slot / 64 + 1))
        words = load_relaxed(&tracked_words);
}

void ready_want_edges(uint32_t slot) { set(wants_edges, slot); }

static uint32_t state_of(const struct bus *bus, uint32_t slot)
{
    return load_seq(&bus->data->slot[slot].armed) & 3;
}
static bool is_armed(const struct bus *bus, uint32_t slot) { return state_of(bus, slot) == WAKE_ARMED; }

void ready_settle(const struct bus *bus, uint32_t slot, int fd)
{
    uint32_t state;

    packet_ring_turn(bus, slot);
    if (family_is_served(bus, slot) && !wake_pending(bus, slot)) service_catch_up(bus);
    state = state_of(bus, slot);
    if (state == WAKE_ARMED) {
        if (unlikely(wake_pending(
                bus,
                slot))) /* its sender died, or a reader that went to sleep took the error queue's token */
            wake_notify(bus, slot, fd, NULL);
    } else if (state == WAKE_SENDING ||
               !wake_pending(bus, slot)) { /* a sender of a token may have died, too */
        wake_settle(bus, slot, fd);
    }
}

static void settle_tracked(const struct bus *bus, uint32_t slot)
{
    int fd;

    packet_ring_turn(bus, slot);
    if (family_is_served(bus, slot) && !wake_pending(bus, slot)) service_catch_up(bus);
    if (is_armed(bus, slot) && !has(rearmed, slot) && errqueue_empty(bus, slot) &&
        (!family_is_served(bus, slot) || !wake_pending(bus, slot)))
        return;
    fd = load_relaxed(&fd_of[slot]);
    if (fdtab_get(fd) != fd_entry(FD_RAW, slot)) fd = fdtab_find(fd_entry(FD_RAW, slot));
    if (fd < 0) {
        clear(tracked, slot);
    } else if (!wake_pending(bus, slot)) {
        clear(rearmed, slot);
        wake_settle(bus, slot, fd);
    } else if (has(wants_edges, slot)) {
        set(rearmed, slot);
        wake_rearm(bus, slot);
    } else {
        ready_settle(bus, slot, fd);
    }
}

void ready_settle_all(const struct bus *bus)
{
    uint32_t words = load_acquire(&tracked_words);

    for (uint32_t word = 0; word < words; word++)
        for (uint64_t bits = load_acquire(&tracked[word]); bits; bits &= bits - 1)
            settle_tracked(bus, word * 64 + (uint32_t)__builtin_ctzll(bits));
}

bool ready_uses_error_queue(const struct bus *bus, uint32_t slot)
{
    const struct bus_slot *at = &bus->data->slot[slot];

    return txstamp_is_wanted(load_relaxed(&at->option[OPT_TIMESTAMPING])) ||
           load_relaxed(&at->errqueue_head) || load_relaxed(&at->tx_told);
}

bool ready_has_exceptions(const struct bus *bus, uint32_t slot)
{
    return load_relaxed(&bus->data->slot[slot].option[OPT_SELECT_ERR_QUEUE]);
}

short ready_mask(const struct bus *bus, uint32_t slot)
{
    bool waits = family_is_sending(bus, slot) || ready_lacks_room(bus, slot);
    short mask = waits ? 0 : POLLOUT | POLLWRNORM | POLLWRBAND;

    packet_ring_turn(bus, slot);
    if (wake_has_data(bus, slot)) mask |= POLLIN | POLLRDNORM;
    if (unlikely(load_acquire(&bus->data->slot[slot].error) || !errqueue_empty(bus, slot)))
        mask |= ready_has_exceptions(bus, slot) ? POLLERR | POLLPRI : POLLERR;
    return mask;
}

bool ready_verify(const struct bus *bus, uint32_t slot, int fd)
{
    packet_ring_turn(bus, slot);
    return wake_pending(bus, slot) || !wake_settle(bus, slot, fd);
}
