/* bus/far.h - the parts of `data` that a narrow process (layout.h) maps piece by piece: rings, programs, error queues, CAN XL frames.
 *
 * Each is asked for by socket slot. NULL: it cannot be mapped, because the process has no room for it or the daemon does not answer; what
 * would have been done there is then left undone, as when a ring is full. In a 64-bit process all of it is an addition. */
#ifndef BUS_FAR_H
#define BUS_FAR_H

#include "bus/bus.h"

#if !DATA_IS_NARROW

static inline struct ring *far_ring(const struct bus *bus, struct data *data, uint32_t slot)
{
    (void)bus;
    return &data->ring[slot];
}
static inline struct slot_program *far_program(const struct bus *bus, uint32_t slot)
{
    return &bus->data->program[slot];
}
static inline struct slot_errqueue *far_errqueue(const struct bus *bus, uint32_t slot)
{
    return &bus->data->errqueue[slot];
}
/* NULL until this process uses CAN XL. */
static inline struct data_window *far_window(const struct bus *bus, uint32_t slot)
{
    struct data_ext *ext = bus->ext;
    return ext ? &ext->window[slot] : NULL;
}

#else

#define FAR_AT_ONCE 64u /* slots of which rings, programs, error queues are mapped together */

struct far {
    _Atomic(void *) rings[SOCKETS_MAX / FAR_AT_ONCE];
    _Atomic(void *) programs[SOCKETS_MAX / FAR_AT_ONCE];
    _Atomic(void *) errqueues[SOCKETS_MAX / FAR_AT_ONCE];
    _Atomic(void *) windows[SOCKETS_MAX];
};

struct ring *far_map_ring(const struct bus *bus, uint32_t slot);
struct slot_program *far_program(const struct bus *bus, uint32_t slot);
struct slot_errqueue *far_errqueue(const struct bus *bus, uint32_t slot);
struct data_window *far_window(const struct bus *bus, uint32_t slot);

static inline struct ring *far_ring(const struct bus *bus, struct data *data, uint32_t slot)
{
    struct ring *rings = load_acquire(&bus->far->rings[slot / FAR_AT_ONCE]);

    (void)data;
    return likely(rings) ? &rings[slot % FAR_AT_ONCE] : far_map_ring(bus, slot);
}

#endif
#endif
