/* sockets/ready.c - marked sockets: a bit per slot, and the descriptor that was last used for it. Private to the process;
 * a mark too many costs one look, a mark too few (another process of a shared socket took the frame) one early wake-up. */
#include "sockets/ready.h"
#include "bus/ring.h"
#include "bus/wake.h"
#include "sockets/fdtab.h"
#include <poll.h>

static atomic_u64 marked[SOCKETS_MAX / 64];
static atomic_u32 any_marked;
static _Atomic int fd_of[SOCKETS_MAX];

void ready_mark(uint32_t slot, int fd)
{
    if (likely(load_relaxed(&marked[slot / 64]) & 1ull << slot % 64) && likely(load_relaxed(&fd_of[slot]) == fd))
        return;
    store_relaxed(&fd_of[slot], fd);
    atomic_fetch_or(&marked[slot / 64], 1ull << slot % 64);
    store_release(&any_marked, 1);
}

static void unmark(uint32_t slot)
{
    if (load_relaxed(&marked[slot / 64]) & 1ull << slot % 64)
        atomic_fetch_and(&marked[slot / 64], ~(1ull << slot % 64));
}

void ready_settle(const struct bus *bus, uint32_t slot, int fd)
{
    if ((load_seq(&bus->data->ring[slot].armed) & 3) == WAKE_ARMED || wake_pending(bus, slot))
        return;
    unmark(slot);
    wake_settle(bus, slot, fd);
}

static void settle_marked(const struct bus *bus, uint32_t slot)
{
    int fd = load_relaxed(&fd_of[slot]);

    unmark(slot);
    if (fdtab_get(fd) != fd_entry(FD_RAW, slot))
        fd = fdtab_find(fd_entry(FD_RAW, slot));
    if (fd >= 0)
        ready_settle(bus, slot, fd);
    if (fd >= 0 && wake_pending(bus, slot))
        ready_mark(slot, fd); /* still to be settled once it is empty */
}

void ready_settle_all(const struct bus *bus)
{
    if (likely(!load_acquire(&any_marked)))
        return;
    store_release(&any_marked, 0);
    for (uint32_t word = 0; word < SOCKETS_MAX / 64; word++)
        for (uint64_t bits = load_acquire(&marked[word]); bits; bits &= bits - 1)
            settle_marked(bus, word * 64 + (uint32_t)__builtin_ctzll(bits));
}

short ready_mask(const struct bus *bus, uint32_t slot)
{
    short mask = POLLOUT | POLLWRNORM | POLLWRBAND;

    if (!ring_empty(bus, slot))
        mask |= POLLIN | POLLRDNORM;
    if (load_acquire(&bus->data->slot[slot].error))
        mask |= POLLERR;
    return mask;
}

bool ready_verify(const struct bus *bus, uint32_t slot, int fd)
{
    return wake_pending(bus, slot) || !wake_settle(bus, slot, fd);
}
