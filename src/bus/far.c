/* bus/far.c - mapping pieces of `data` in a narrow process; nothing in a 64-bit one.
 *
 * A piece, once mapped, stays. Two threads that come to it at once both map it, and one takes its own away again. Slots are given out
 * from the lowest up, so a process of an ordinary instance ends up with one piece of each kind that it uses. */
#include "bus/far.h"

#if DATA_IS_NARROW

#include <errno.h>
#include "base/sys.h"

_Static_assert(sizeof(struct ring) * FAR_AT_ONCE % 4096 == 0 &&
                   sizeof(struct slot_program) * FAR_AT_ONCE % 4096 == 0 &&
                   sizeof(struct slot_errqueue) * FAR_AT_ONCE % 4096 == 0,
               "pieces begin at pages");

static void *piece(const struct bus *bus, _Atomic(void *) *place, uint64_t offset, size_t size)
{
    void *mapped = load_acquire(place), *none = NULL;

    if (likely(mapped) || !bus->map_piece) return mapped;
    mapped = bus->map_piece(bus, offset, size);
    if (!mapped || atomic_compare_exchange_strong(place, &none, mapped)) return mapped;
    sys_call(SYS_munmap, mapped, size);
    return none;
}

/* The piece of `member`, an array by slot, that holds this slot. */
#define PIECE(bus, places, member, slot)                                                                     \
    piece(bus, &(bus)->far->places[(slot) / FAR_AT_ONCE],                                                    \
          offsetof(struct data, member) +                                                                    \
              (uint64_t)((slot) / FAR_AT_ONCE) * FAR_AT_ONCE * sizeof(((struct data *)0)->member[0]),        \
          FAR_AT_ONCE * sizeof(((struct data *)0)->member[0]))

OFF_PATH struct ring *far_map_ring(const struct bus *bus, uint32_t slot)
{
    struct ring *rings = PIECE(bus, rings, ring, slot);
    return rings ? &rings[slot % FAR_AT_ONCE] : NULL;
}

struct slot_program *far_program(const struct bus *bus, uint32_t slot)
{
    struct slot_program *programs = PIECE(bus, programs, program, slot);
    return programs ? &programs[slot % FAR_AT_ONCE] : NULL;
}

struct slot_errqueue *far_errqueue(const struct bus *bus, uint32_t slot)
{
    struct slot_errqueue *queues = PIECE(bus, errqueues, errqueue, slot);
    return queues ? &queues[slot % FAR_AT_ONCE] : NULL;
}

struct data_window *far_window(const struct bus *bus, uint32_t slot)
{
    return piece(bus, &bus->far->windows[slot], WINDOW_OFFSET(slot), WINDOW_SIZE);
}

#endif
