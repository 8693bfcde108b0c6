/* bus/charge.h - what a socket's send buffer (SO_SNDBUF) is charged with: the frames that it has sent and that wait for a controller, or are with it. */
#ifndef BUS_CHARGE_H
#define BUS_CHARGE_H

#include "bus/bus.h"

/* A frame of this size, sent by the socket slot.gen, waits for a controller. */
void charge_add(const struct bus *bus, uint32_t slot, uint32_t gen, uint32_t size);
/* It no longer does. Nothing happens when the socket is gone. */
void charge_drop(const struct bus *bus, uint32_t slot, uint32_t gen, uint32_t size);

/* Bytes, as counted. */
static inline uint32_t charge_counted(const struct bus *bus, uint32_t slot)
{
    uint64_t word = load_relaxed(&bus->data->slot[slot].tx_charge);
    return likely(!(uint32_t)word) || word >> 32 != load_relaxed(&bus->data->slot[slot].gen) ? 0
                                                                                             : (uint32_t)word;
}

/* The same after a look at what really waits: a count that is too high is mended. Takes microseconds. */
uint32_t charge_checked(const struct bus *bus, uint32_t slot);

#endif
