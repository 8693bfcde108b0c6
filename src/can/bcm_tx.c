/* can/bcm_tx.c - jobs that send: once, `count` times every ival1, then for ever every ival2 (whichever of these is not 0).
 *
 * A frame's time is computed from the time the one before it was due, not from when that was sent, so that a period neither drifts nor adds
 * up latencies. Who comes late by more than a period sends one frame and goes on in step; no burst makes up for lost ones.
 * The timer is the whole state of a running job: set, with the time of the next frame in it. */
#include "can/bcm_op.h"
#include <errno.h>
#include <string.h>

/* The period that comes next; 0: no more frames. */
static uint64_t period_of(const struct bcm_op *op)
{
    return op->ival1_ns && op->count ? op->ival1_ns : op->ival2_ns;
}

/* Sets the timer a period, or as many as are over, behind `due`. */
static void set_timer(struct bcm_op *op, uint64_t due, uint64_t now)
{
    uint64_t period = period_of(op);

    if (!period) return;
    due += period;
    if (due <= now) due += ((now - due) / period + 1) * period;
    timers_set(op->bcm->host->timers, &op->timer, due);
}

static void expire(struct timer *timer, uint64_t now)
{
    struct bcm_op *op = timer_owner(timer, struct bcm_op, timer);
    bool counts = op->ival1_ns && op->count;

    if (period_of(op)) bcm_op_send(op);
    if (counts && !op->count && op->flags & TX_COUNTEVT) bcm_op_tell(op, TX_EXPIRED, 0, NULL, 0);
    set_timer(op, timer->at, now);
}

static int check_frames(const struct bcm_request *request)
{
    for (uint32_t i = 0; i < request->nframes; i++) {
        if (i >= request->supplied) return -EFAULT;
        if (bcm_frame_length(request->frames + (size_t)i * request->frame_size) >
            bcm_length_max(request->frame_size))
            return -EINVAL;
    }
    return 0;
}

static void take_frames(struct bcm_op *op, const struct bcm_request *request)
{
    memcpy(op->frames, request->frames, (size_t)request->nframes * request->frame_size);
    if (request->flags & TX_CP_CAN_ID)
        for (uint32_t i = 0; i < request->nframes; i++)
            memcpy(op->frames + (size_t)i * request->frame_size, &request->can_id, sizeof(canid_t));
    if (op->nframes != request->nframes || request->flags & TX_RESET_MULTI_IDX) op->at = 0;
    op->nframes = request->nframes;
    op->flags = request->flags;
}

static void take_times(struct bcm_op *op, const struct bcm_request *request)
{
    bcm_op_set_times(op, request);
    op->count = request->count;
    if (!op->ival1_ns && !op->ival2_ns) timers_cancel(op->bcm->host->timers, &op->timer);
}

static struct bcm_op *add(struct bcm *bcm, const struct bcm_request *request)
{
    struct bcm_op *op = bcm_op_new(bcm, request, 0);

    if (!op) return NULL;
    op->timer.expire = expire;
    op->next = bcm->tx;
    bcm->tx = op;
    return op;
}

ssize_t bcm_tx_setup(struct bcm *bcm, const struct bcm_request *request)
{
    struct bcm_op *op;
    int result;

    if (!request->to) return -ENODEV;
    if (request->nframes < 1 || request->nframes > BCM_FRAMES_MAX) return -EINVAL;
    if (bcm_op_check_times(request)) return -EINVAL;
    op = bcm_op_find(bcm->tx, request);
    if (op && request->nframes > op->nframes) return -E2BIG;
    result = check_frames(request);
    if (result) return result;
    if (!op) op = add(bcm, request);
    if (!op) return -ENOMEM;

    take_frames(op, request);
    if (op->flags & SETTIMER) take_times(op, request);
    if (op->flags & STARTTIMER) {
        timers_cancel(bcm->host->timers, &op->timer);
        op->flags |= TX_ANNOUNCE;
    }
    if (op->flags & TX_ANNOUNCE) bcm_op_send(op);
    if (op->flags & STARTTIMER) set_timer(op, request->now, request->now);
    return (ssize_t)(BCM_HEAD_SIZE + (size_t)request->nframes * request->frame_size);
}
