/* bus/tap.h - packet sockets (AF_PACKET): what they see of an interface (spec I).
 *
 * Linux shows each frame that is sent to whoever taps all protocols, as outgoing, before the driver sees it; and each frame that is received - from the bus, or
 * looped back - to whoever taps its protocol or all. The sender does that here, too, in its own thread. */
#ifndef BUS_TAP_H
#define BUS_TAP_H

#include "bus/bus.h"
#include "bus/imap.h"

/* record_flags of a frame on its way to the driver. */
#define TAP_OUTGOING (RECORD_LOCAL | RECORD_OUTGOING)

/* False for nearly every frame: the heads of the row lie beside those that its delivery looks at. */
static inline bool tap_is_wanted(const struct bus *bus, uint32_t index)
{
    return (uint32_t)(load_acquire(&bus->data->map[index].head[IMAP_ROW_TAP]) |
                      load_acquire(&bus->data->map[IMAP_ANY].head[IMAP_ROW_TAP]));
}

/* The protocol that a frame says itself. */
#define TAP_ITS_OWN UINT32_MAX

/* Puts a frame into the ring of each packet socket that taps links[index] (ifindex), and wakes it. `protocol`: ETH_P_*, with which any 1..2060 bytes may come; or
 * TAP_ITS_OWN. */
void tap_frame(const struct bus *bus, uint32_t index, uint32_t ifindex, const struct bus_frame *frame,
               uint32_t record_flags, uint32_t protocol);

/* ETH_P_CAN, ETH_P_CANFD, ETH_P_CANXL; 0: `size` bytes that are no frame. */
uint32_t tap_protocol(const void *frame, uint32_t size);

#endif
