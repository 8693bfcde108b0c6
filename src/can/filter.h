/* can/filter.h - CAN_RAW receive filters: how an (id, mask) pair is registered and what it lets through. Pure.
 * Source: the kernel's rules as observed, spec "Receive matching": normalisation, the six lists, JOIN. */
#ifndef CAN_FILTER_H
#define CAN_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/can.h>

/* The list that an entry is kept in; also the name of /proc/net/can/rcvlist_*. */
enum filter_list { FILTER_ALL, FILTER_MASKED, FILTER_INVERTED, FILTER_SFF, FILTER_EFF, FILTER_ERROR };

struct filter_entry {
    enum filter_list list;
    uint32_t id, mask; /* normalised */
};

/* What CAN_RAW_FILTER's (id, mask) becomes when registered. */
struct filter_entry filter_normalise(uint32_t id, uint32_t mask);

/* Does the entry let a frame with this identifier word through? */
bool filter_matches(struct filter_entry entry, uint32_t frame_id);

/* Bucket of an extended identifier, 0..buckets-1 (a power of two). */
static inline uint32_t filter_hash(uint32_t id, uint32_t buckets)
{
    return (id ^ id >> 10 ^ id >> 20) & (buckets - 1);
}

/* How many copies a socket gets of a frame that `matches` of its entries let through: one, or with CAN_RAW_JOIN_FILTERS
 * one for each match from the `count`-th on, `count` being its number of CAN_RAW_FILTER entries. */
static inline uint32_t filter_copies(uint32_t matches, uint32_t count, bool join)
{
    uint32_t need = count > 1 ? count : 1;
    if (!join) return matches > 0;
    return matches >= need ? matches - need + 1 : 0;
}

#endif
