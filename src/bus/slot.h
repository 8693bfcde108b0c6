/* bus/slot.h - life of socket slots: claim, open, bind, filters, end. */
#ifndef BUS_SLOT_H
#define BUS_SLOT_H

#include "bus/bus.h"

/* Claims a free slot. Returns its number, or -ENFILE. *gen is its new generation. */
int slot_claim(const struct bus *bus, uint32_t *gen);

/* CLAIMED(gen) -> OPEN once the token address is bound: resets options to their defaults and empties the ring. Returns 0, or
 * -ESTALE when the claim took so long that the slot was given to somebody else. */
int slot_open(const struct bus *bus, uint32_t slot, uint32_t gen);

/* A socket just opened is one of the daemon's protocols: it has no filters of its own and an empty message queue. */
void slot_set_protocol(const struct bus *bus, uint32_t slot, uint32_t protocol);

/* A socket just opened is one of AF_PACKET: `type` as socket(2) has it, `protocol` as setting[] does. */
void slot_set_packet(const struct bus *bus, uint32_t slot, uint32_t type, uint32_t protocol);

/* Ends slot.gen, whatever state it is in: leaves every interest map, frees it, removes its name. Safe to call twice, by
 * anyone who knows it is dead, and when another process does the same. */
void slot_end(const struct bus *bus, uint32_t slot, uint32_t gen);

/* bind(2) to links[index] or LINKS_MAX (any). `ifindex` is that interface's, 0 for any. */
void slot_bind(const struct bus *bus, uint32_t slot, uint32_t index, uint32_t ifindex);

/* Replaces the filter list; count <= FILTERS_MAX. */
struct can_filter;
void slot_set_filters(const struct bus *bus, uint32_t slot, const struct can_filter *filters, uint32_t count);
uint32_t slot_get_filters(const struct bus *bus, uint32_t slot, struct can_filter *out);
void slot_set_err_mask(const struct bus *bus, uint32_t slot, uint32_t mask);
/* The lock of a slot's settings. Held for a few instructions; a holder that takes longer than 100 ms loses it. What slot_lock()
 * gives is for slot_unlock(). */
uint32_t slot_lock(struct bus_slot *slot);
void slot_unlock(struct bus_slot *slot, uint32_t held);

/* Recomputes rx_flags from the options; _locked: by a caller that holds the lock. */
void slot_update_rx_flags_locked(const struct bus *bus, uint32_t slot);
void slot_update_rx_flags(const struct bus *bus, uint32_t slot);

/* Daemon, interface links[index] (ifindex) went down: every socket bound to it gets ENETDOWN. When `gone`, it is unbound with
 * ENODEV and an empty filter list instead. `fd` sends the wake-ups. */
void slot_link_down(const struct bus *bus, uint32_t index, uint32_t ifindex, bool gone, int fd);

/* Daemon: frees slots whose sockets are gone. `stale` is the caller's memory of SOCKETS_MAX entries, zero at first: slots seen
 * claimed but nameless twice in a row are freed. Returns how many it freed. */
unsigned slot_sweep(const struct bus *bus, uint32_t *stale);

/* Daemon, each tick: sockets that still have the same to report as at the last tick get one more token, once. Reading is not
 * our business, but its readers may be asleep: whoever was to wake them was killed or stopped on the way. `waiting` is the caller's
 * memory of SOCKETS_MAX entries, zero at first. */
void slot_nudge(const struct bus *bus, uint64_t *waiting);

#endif
