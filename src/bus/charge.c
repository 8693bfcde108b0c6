/* bus/charge.c - charges of send buffers: bus_slot.tx_charge, the slot's generation << 32 | bytes.
 *
 * The sender adds before its frame is in a controller's queue, the worker takes away when the frame was sent or dropped. A word of another
 * generation is an earlier socket's and counts as 0, so nobody has to clear it; who comes late with its frame finds the other generation.
 *
 * A sender or a worker that is killed leaves bytes behind, and anybody can scribble here. So nobody waits for the count alone: charge_checked()
 * counts the frames in the queues themselves, to which at most one comes for each controller. */
#include "bus/charge.h"
#include "bus/ring.h"
#include "can/frame.h"

#define BYTES_MAX (1u << 30)

static uint64_t make(uint32_t gen, uint32_t bytes) { return (uint64_t)gen << 32 | bytes; }

static uint32_t bytes_in(uint64_t word, uint32_t gen)
{
    uint32_t bytes = word >> 32 == gen ? (uint32_t)word : 0;
    return bytes > BYTES_MAX ? BYTES_MAX : bytes;
}

void charge_add(const struct bus *bus, uint32_t number, uint32_t gen, uint32_t size)
{
    atomic_u64 *at = &bus->data->slot[number].tx_charge;
    uint64_t word;

    do
        word = load_relaxed(at);
    while (!cas64(at, word, make(gen, bytes_in(word, gen) + frame_charge(size))));
}

void charge_drop(const struct bus *bus, uint32_t number, uint32_t gen, uint32_t size)
{
    uint32_t bytes, charge = frame_charge(size);
    uint64_t word;
    atomic_u64 *at;

    if (number >= SOCKETS_MAX) return;
    at = &bus->data->slot[number].tx_charge;
    do {
        word = load_relaxed(at);
        if (word >> 32 != gen) return;
        bytes = bytes_in(word, gen);
    } while (!cas64(at, word, make(gen, bytes > charge ? bytes - charge : 0)));
}

/* Bytes of the socket's frames in queues. *controllers: how many there are. */
static uint32_t count_queued(const struct bus *bus, uint32_t number, uint32_t gen, uint32_t *controllers)
{
    uint32_t sum = 0;

    *controllers = 0;
    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        const struct bus_link *link = &bus->control->links[index];
        uint64_t state = load_acquire(&link->state), place = load_acquire(&link->tx_slot);
        if (!(state & LINK_PRESENT) || link_state_kind(state) != LINK_KIND_CAN || !place) continue;
        if ((uint32_t)place >= SOCKETS_MAX) continue;
        ++*controllers;
        sum += ring_charge_from(bus, (uint32_t)place, number, gen);
    }
    return sum;
}

uint32_t charge_checked(const struct bus *bus, uint32_t number)
{
    atomic_u64 *at = &bus->data->slot[number].tx_charge;
    uint64_t word = load_acquire(at);
    uint32_t gen = load_relaxed(&bus->data->slot[number].gen), bytes = bytes_in(word, gen), controllers;
    uint32_t queued = bytes ? count_queued(bus, number, gen, &controllers) : 0;

    if (bytes && (!queued || bytes > queued + controllers * frame_charge(FRAME_FD_SIZE))) {
        cas64(at, word, make(gen, queued));
        bytes = queued;
    }
    return bytes;
}
