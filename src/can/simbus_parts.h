/* can/simbus_parts.h - what the files of the simulated bus share: simbus.c (time), simbus_frame.c (one frame), simbus_node.c (controllers),
 * simbus_fault.c. */
#ifndef CAN_SIMBUS_PARTS_H
#define CAN_SIMBUS_PARTS_H

#include "can/errframe.h"
#include "can/simbus.h"
#include "can/wire.h"

/* Bits of an error frame, and around it. */
enum {
    ERROR_FLAG = 6,
    ERROR_DELIMITER = 8,
    RECESSIVE_END = 8,
    PASSIVE_PAUSE = 8,
    JOIN_BITS = 11,
    RECOVERY_TIMES = 128
};

/* What a controller has to do with the frame that is under way. */
enum simnode_role {
    ROLE_NONE,
    ROLE_CONTENDER,
    ROLE_SENDER,
    ROLE_RECEIVER,
    ROLE_FIRST,  /* receiver that noticed an error before all others */
    ROLE_MISSED, /* receiver that saw an error of its own, and disturbed nobody: own_type, own_location */
    ROLE_OVERRUN,
    ROLE_DEAF, /* saw nothing */
};

/* Who noticed the error first. */
enum { NOTICED_NONE, NOTICED_ALL, NOTICED_SENDER, NOTICED_RECEIVER, NOTICED_NO_ACK };

static inline uint64_t simbus_span(uint64_t bits, uint64_t bit_ps) { return (bits * bit_ps + 500) / 1000; }
static inline bool simnode_has(const struct simnode *node, uint32_t modes)
{
    return node->settings.modes & modes;
}
static inline bool simnode_is_passive(const struct simnode *node)
{
    return confinement_state(&node->errors) >= CAN_STATE_ERROR_PASSIVE;
}

/* simbus_node.c */
void simnode_rejoin(struct simnode *node, uint64_t now);    /* it is on another bus now */
uint64_t simnode_joins_at(const struct simnode *node);      /* JOINING, and the bus stays recessive */
void simnode_bus_begins(struct simnode *node, uint64_t at); /* not idle any more */
void simnode_bus_ends(struct simnode *node, uint64_t recessive_since);
uint64_t simnode_contends_at(const struct simnode *node); /* SIMBUS_NEVER: it has nothing to send */
void simnode_count(struct simnode *node, enum confinement_event event);
void simnode_bus_error(struct simnode *node, uint8_t type, uint8_t location);
void simnode_tell(struct simnode *node, uint64_t at); /* what was counted; leaves the bus when it has to */
void simnode_finish(struct simnode *node, bool sent, uint64_t at); /* its frame */

/* simbus_fault.c */
/* Does it happen to this frame? Then that was one of its times. */
bool simfault_strikes(struct simfault *fault, unsigned direction, const void *frame, uint64_t now);
/* The lasting fault of that kind that is in effect at `now`, or will be first (its `from` says when); NULL: none. */
struct simfault *simfault_lasting(const struct simnode *node, enum simfault_kind kind, uint64_t now);
uint32_t simfault_number(struct simfault *fault, uint32_t below);

/* simbus_frame.c: settles how a frame will end */
void simbus_begin_frame(struct simbus *bus, uint64_t at);
void simbus_break_frame(struct simbus *bus, uint64_t at); /* its sender is gone */

/* simbus_end.c: and what everybody makes of it */
void simbus_end_frame(struct simbus *bus);

/* simbus_jam.c: a bus that is held dominant */
uint64_t simbus_jammed_at(const struct simbus *bus); /* when that begins; SIMBUS_NEVER */
void simbus_jam(struct simbus *bus);
void simbus_jam_goes_on(struct simbus *bus);

#endif
