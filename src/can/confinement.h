/* can/confinement.h - fault confinement of a controller (ISO 11898-1): error counters, and the states they lead to. Pure. */
#ifndef CAN_CONFINEMENT_H
#define CAN_CONFINEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/can/netlink.h>

#define CONFINEMENT_WARNING 96u
#define CONFINEMENT_PASSIVE 128u
#define CONFINEMENT_BUS_OFF 256u

/* What happened to a controller, and what its counters do then. */
enum confinement_event {
    CONFINEMENT_SENT,       /* TEC - 1 */
    CONFINEMENT_RECEIVED,   /* REC - 1; from above 127 to 127 */
    CONFINEMENT_SEND_ERROR, /* as sender: TEC + 8 */
    CONFINEMENT_NO_ACK, /* as sender, and nobody disturbed its error flag: TEC + 8, unless it is error passive */
    CONFINEMENT_RECEIVE_ERROR,   /* as receiver: REC + 1 */
    CONFINEMENT_FIRST_TO_NOTICE, /* as receiver, and the others' error flags came behind its own: REC + 1 + 8 */
    CONFINEMENT_SENDER_STUCK, /* the bus stayed dominant behind its error flag, each 8 bits: as sender TEC + 8 */
    CONFINEMENT_RECEIVER_STUCK, /* ... as receiver REC + 8 */
    CONFINEMENT_EVENTS
};

struct confinement {
    uint16_t tec, rec; /* tec 256: bus off, until confinement_reset(); rec 255: or more */
};

static inline void confinement_reset(struct confinement *counters) { *counters = (struct confinement){ 0 }; }
void confinement_count(struct confinement *counters, enum confinement_event event);

/* The state, and those that each counter alone would lead to (never BUS_OFF for rx). */
enum can_state confinement_state(const struct confinement *counters);
enum can_state confinement_tx_state(const struct confinement *counters);
enum can_state confinement_rx_state(const struct confinement *counters);

#endif
