/* can/bcm_op.h - one job of the broadcast manager, for the bcm*.c. Pure.
 *
 * A job lives from its SETUP to its DELETE or the end of its socket, in one piece of memory: the struct, room for the frames it was made with
 * (an update may use fewer, never more) and, when it receives, as many stores for what came. Everything in it is changed by
 * the one thread that runs its host. */
#ifndef CAN_BCM_OP_H
#define CAN_BCM_OP_H

#include "can/bcm.h"

#define BCM_FRAMES_MAX  256u         /* of a TX job; an RX job may have a multiplex mask before them */
#define BCM_SECONDS_MAX 34560000     /* 400 days */
#define BCM_TYPE_FLAGS  CAN_FD_FRAME /* a classic and an FD job of one identifier are two */
#define BCM_HEAD_SIZE   sizeof(struct bcm_head)

/* A message of the program, taken apart. */
struct bcm_request {
    uint32_t opcode, flags, count, can_id, nframes;
    struct bcm_time ival1, ival2;
    const uint8_t *frames; /* unaligned, as many as the message has: `supplied`, of frame_size bytes each */
    uint32_t supplied, frame_size, to;
    uint64_t now;
};

/* What an RX job knows of a store. */
enum {
    BCM_STORED = 1,
    BCM_HELD = 2
}; /* has a frame to compare with; which waits for the end of the throttle's window */

struct bcm_op {
    struct bcm *bcm;
    struct bcm_op *next;
    uint32_t can_id, ifindex; /* with the type in `flags`: what it is found by */
    uint32_t flags, nframes, frame_size;
    uint32_t count;               /* of frames still to be sent at ival1 */
    struct bcm_time ival1, ival2; /* as they were set, to be told */
    uint64_t ival1_ns, ival2_ns;
    uint64_t frames_seen; /* received, or sent without an error */
    struct timer timer;   /* TX: of the next frame; RX: of the timeout */
    uint32_t at;          /* TX: the next frame of the sequence */

    /* RX only */
    struct subscription subscription;
    struct timer throttle;
    uint64_t delivered_at, frames_told, stamp_ns; /* stamp: of the last frame that matched */
    bool delivered;                               /* delivered_at counts */
    uint32_t source;                              /* the interface that events name */
    uint32_t claimed; /* by a job for all interfaces that has a timer: the one it listens to. 0: none yet */
    uint8_t *stores, *store_states;
    _Alignas(8) uint8_t frames[];
};

/* Makes a job that is in no list yet: room for the request's frames, and for so many stores. NULL: no memory. */
struct bcm_op *bcm_op_new(struct bcm *bcm, const struct bcm_request *request, uint32_t stores);
/* Ends a job: timers, subscription, memory. */
void bcm_op_free(struct bcm_op *op);
struct bcm_op *bcm_op_find(struct bcm_op *list, const struct bcm_request *request);
/* Tells the program of a job. `frames`: head.nframes of them. */
void bcm_op_tell(struct bcm_op *op, uint32_t opcode, uint32_t nframes, const void *frames, uint64_t stamp_ns);
/* Sends the job's next frame. Its count goes down whatever becomes of the frame, unless the interface is gone. */
void bcm_op_send(struct bcm_op *op);

/* What a request says of time, if it does: 0, -EINVAL. */
int bcm_op_check_times(const struct bcm_request *request);
void bcm_op_set_times(struct bcm_op *op, const struct bcm_request *request);

static inline uint32_t bcm_frame_size(uint32_t flags)
{
    return flags & CAN_FD_FRAME ? FRAME_FD_SIZE : FRAME_CC_SIZE;
}
static inline uint32_t bcm_length_max(uint32_t frame_size) { return frame_size == FRAME_FD_SIZE ? 64 : 8; }
static inline uint32_t bcm_frame_length(const void *frame) { return ((const uint8_t *)frame)[4]; }

ssize_t bcm_tx_setup(struct bcm *bcm, const struct bcm_request *request);
ssize_t bcm_rx_setup(struct bcm *bcm, const struct bcm_request *request);
/* The interface that an RX job listens to is gone. */
void bcm_rx_link_gone(struct bcm_op *op, uint32_t ifindex);

#endif
