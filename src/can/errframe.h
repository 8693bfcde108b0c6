/* can/errframe.h - error message frames (<linux/can/error.h>, spec E.5): what a controller tells the programs. Pure.
 *
 * A frame begins as zeros; what happened at once is added to one frame; errframe_end() completes it. can_id 0: there is nothing to tell. */
#ifndef CAN_ERRFRAME_H
#define CAN_ERRFRAME_H

#include <linux/can.h>
#include <linux/can/error.h>
#include "can/confinement.h"

/* A bus error of CAN_ERR_PROT_* `type` (with CAN_ERR_PROT_TX as sender) at CAN_ERR_PROT_LOC_* `location`. An acknowledgement that did not come has
 * no type of its own but a class, which the location tells. */
void errframe_bus_error(struct can_frame *frame, uint8_t type, uint8_t location);

void errframe_arbitration_lost(struct can_frame *frame, uint8_t bit);
void errframe_overrun(struct can_frame *frame);
void errframe_restarted(struct can_frame *frame);

/* The state is now another one: the one that follows from these counters. */
void errframe_state(struct can_frame *frame, const struct confinement *counters);

/* Adds the counters, unless the controller is off the bus or was started anew. */
void errframe_end(struct can_frame *frame, const struct confinement *counters);

#endif
