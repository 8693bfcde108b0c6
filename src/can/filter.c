/* can/filter.c - normalisation and matching of receive filters; owns no state. */
#include "can/filter.h"

#define SFF_EXACT (CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG)
#define EFF_EXACT (CAN_EFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG)

struct filter_entry filter_normalise(uint32_t id, uint32_t mask)
{
    bool inverted = id & CAN_INV_FILTER;

    if (mask & CAN_ERR_FLAG) return (struct filter_entry){ FILTER_ERROR, id, mask & CAN_ERR_MASK };
    if ((mask & CAN_EFF_FLAG) && !(id & CAN_EFF_FLAG)) mask &= SFF_EXACT;
    id &= mask;
    if (inverted) return (struct filter_entry){ FILTER_INVERTED, id, mask };
    if (mask == 0) return (struct filter_entry){ FILTER_ALL, 0, 0 };
    if (mask == SFF_EXACT && !(id & (CAN_EFF_FLAG | CAN_RTR_FLAG)))
        return (struct filter_entry){ FILTER_SFF, id, mask };
    if (mask == EFF_EXACT && (id & CAN_EFF_FLAG) && !(id & CAN_RTR_FLAG))
        return (struct filter_entry){ FILTER_EFF, id, mask };
    return (struct filter_entry){ FILTER_MASKED, id, mask };
}

bool filter_matches(struct filter_entry entry, uint32_t frame_id)
{
    if (frame_id & CAN_ERR_FLAG) return entry.list == FILTER_ERROR && (frame_id & entry.mask);
    switch (entry.list) {
    case FILTER_ALL: return true;
    case FILTER_MASKED: return (frame_id & entry.mask) == entry.id;
    case FILTER_INVERTED: return (frame_id & entry.mask) != entry.id;
    case FILTER_SFF:
        return !(frame_id & (CAN_EFF_FLAG | CAN_RTR_FLAG)) && (frame_id & CAN_SFF_MASK) == entry.id;
    case FILTER_EFF: return !(frame_id & CAN_RTR_FLAG) && frame_id == entry.id;
    case FILTER_ERROR: break;
    }
    return false;
}
