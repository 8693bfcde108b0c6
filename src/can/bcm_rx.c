/* can/bcm_rx.c - jobs that receive: tell the program when the content of a frame changes, or when the frame stays away.
 *
 * A frame that matches goes through: the claim of an interface; the timeout, begun anew; what kind of job it is (an answer to remote
 * frames, every frame, content, multiplexed content); the store it is compared with; the throttle.
 *
 * The throttle has three states: open (nothing delivered within ival2: a change is told at once), and then, until ival2 after that
 * delivery, closed without timer (`delivered`), or with one (`throttle` is set: the store holds a change, which its expiry tells). While
 * each window brings a change, the next begins where it ended. */
#include "can/bcm_op.h"
#include <errno.h>
#include <string.h>

/* ---- Stores and what is told of them ---- */

static void tell_change(struct bcm_op *op, uint32_t i)
{
    op->store_states[i] &= (uint8_t)~BCM_HELD;
    op->frames_told++;
    bcm_op_tell(op, RX_CHANGED, 1, op->stores + (size_t)i * op->frame_size, op->stamp_ns);
}

/* Tells all that was held back. Returns whether anything was. */
static bool flush(struct bcm_op *op)
{
    bool any = false;

    for (uint32_t i = 0; i < op->nframes || i == 0; i++) {
        if (!(op->store_states[i] & BCM_HELD)) continue;
        tell_change(op, i);
        any = true;
    }
    return any;
}

static void expire_throttle(struct timer *timer, uint64_t now)
{
    struct bcm_op *op = timer_owner(timer, struct bcm_op, throttle);
    uint64_t next = timer->at + op->ival2_ns;

    if (!flush(op)) return;
    if (next <= now) next += ((now - next) / op->ival2_ns + 1) * op->ival2_ns;
    timers_set(op->bcm->host->timers, timer, next);
}

/* A change: stores it, and tells it now or when the throttle lets it. */
static void keep(struct bcm_op *op, uint32_t i, const struct can_event *event)
{
    memcpy(op->stores + (size_t)i * op->frame_size, event->frame, op->frame_size);
    op->store_states[i] = BCM_STORED | BCM_HELD;
    if (!op->ival2_ns) {
        tell_change(op, i);
    } else if (timer_is_set(&op->throttle)) {
        return;
    } else if (op->delivered && event->now - op->delivered_at < op->ival2_ns) {
        timers_set(op->bcm->host->timers, &op->throttle, op->delivered_at + op->ival2_ns);
    } else {
        tell_change(op, i);
        op->delivered = true;
        op->delivered_at = event->now;
    }
}

/* ---- Comparing ---- */

static uint64_t chunk_of(const void *frame, uint32_t at)
{
    uint64_t chunk;

    memcpy(&chunk, (const uint8_t *)frame + offsetof(struct canfd_frame, data) + at, sizeof(chunk));
    return chunk;
}

/* Whether a frame differs from the store in a bit that the mask has, among the chunks of 8 bytes that the frame reaches into. */
static bool differs(const struct bcm_op *op, uint32_t i, const void *frame)
{
    const uint8_t *mask = op->frames + (size_t)i * op->frame_size;
    const uint8_t *store = op->stores + (size_t)i * op->frame_size;
    uint32_t length = bcm_frame_length(frame), most = bcm_length_max(op->frame_size);

    for (uint32_t at = 0; at < length && at < most; at += sizeof(uint64_t))
        if (chunk_of(mask, at) & (chunk_of(frame, at) ^ chunk_of(store, at))) return true;
    return op->flags & RX_CHECK_DLC && length != bcm_frame_length(store);
}

static void compare(struct bcm_op *op, uint32_t i, const struct can_event *event)
{
    if (!(op->store_states[i] & BCM_STORED) || differs(op, i, event->frame)) keep(op, i, event);
}

/* Frame 0 is the mask of the bits that tell which of the others a frame is compared as. */
static void compare_multiplexed(struct bcm_op *op, const struct can_event *event)
{
    uint64_t mask = chunk_of(op->frames, 0), wanted = chunk_of(event->frame, 0) & mask;

    for (uint32_t i = 1; i < op->nframes; i++) {
        if ((chunk_of(op->frames + (size_t)i * op->frame_size, 0) & mask) != wanted) continue;
        compare(op, i, event);
        return;
    }
}

/* ---- Receiving ---- */

/* A job for all interfaces that has timers serves one of them: that of the first frame. */
static bool is_claimed_elsewhere(struct bcm_op *op, uint32_t ifindex)
{
    if (op->ifindex || (!op->ival1_ns && !op->ival2_ns)) return false;
    if (!op->claimed) op->claimed = ifindex;
    return op->claimed != ifindex;
}

static void receive(struct subscription *subscription, const struct can_event *event)
{
    struct bcm_op *op = timer_owner(subscription, struct bcm_op, subscription);
    struct timers *timers = op->bcm->host->timers;

    if (event->kind != (op->frame_size == FRAME_FD_SIZE ? FRAME_FD : FRAME_CC)) return;
    if (is_claimed_elsewhere(op, event->ifindex)) return;
    timers_cancel(timers, &op->timer);
    op->frames_seen++;
    if (op->flags & RX_RTR_FRAME) {
        bcm_op_send(op);
        return;
    }
    op->stamp_ns = event->stamp_ns;
    op->source = event->ifindex;
    if (op->flags & RX_FILTER_ID)
        keep(op, 0, event);
    else if (op->nframes == 1)
        compare(op, 0, event);
    else
        compare_multiplexed(op, event);
    if (op->ival1_ns && !(op->flags & RX_NO_AUTOTIMER))
        timers_set(timers, &op->timer, event->now + op->ival1_ns);
}

static void expire(struct timer *timer, uint64_t now)
{
    struct bcm_op *op = timer_owner(timer, struct bcm_op, timer);

    (void)now;
    if (op->flags & RX_ANNOUNCE_RESUME) memset(op->store_states, 0, op->nframes);
    bcm_op_tell(op, RX_TIMEOUT, 0, NULL, 0);
}

/* ---- RX_SETUP ---- */

static int check(struct bcm_request *request)
{
    if (request->flags & RX_FILTER_ID || !request->nframes) {
        request->flags |= RX_FILTER_ID;
        request->nframes = 0;
    }
    if (request->nframes > BCM_FRAMES_MAX + 1) return -EINVAL;
    if (request->flags & RX_RTR_FRAME && (request->nframes != 1 || !(request->can_id & CAN_RTR_FLAG)))
        return -EINVAL;
    return bcm_op_check_times(request);
}

static int check_frames(const struct bcm_request *request)
{
    if (request->nframes > request->supplied) return -EFAULT;
    if (!(request->flags & RX_RTR_FRAME)) return 0;
    return bcm_frame_length(request->frames) > bcm_length_max(request->frame_size) ? -EINVAL : 0;
}

static int subscribe(struct bcm_op *op)
{
    if (op->subscription.link) return 0;
    return op->bcm->host->subscribe(op->bcm->host, &op->subscription);
}

static int add(struct bcm *bcm, const struct bcm_request *request, struct bcm_op **added)
{
    struct bcm_op *op = bcm_op_new(bcm, request, request->nframes ? request->nframes : 1);
    int result;

    if (!op) return -ENOMEM;
    op->timer.expire = expire;
    op->throttle.expire = expire_throttle;
    op->source = op->ifindex;
    op->subscription = (struct subscription){ .id = op->can_id, .ifindex = op->ifindex, .receive = receive };
    result = subscribe(op);
    if (result) {
        bcm_op_free(op);
        return result;
    }
    op->next = bcm->rx;
    bcm->rx = op;
    *added = op;
    return 0;
}

static void take_frames(struct bcm_op *op, const struct bcm_request *request)
{
    op->flags = request->flags;
    op->nframes = request->nframes;
    memcpy(op->frames, request->frames, (size_t)op->nframes * op->frame_size);
    memset(op->store_states, 0, op->nframes);
}

/* The answer to a remote frame has the job's identifier, unless it was given another one. */
static void prepare_answer(struct bcm_op *op)
{
    uint32_t id = op->can_id & ~CAN_RTR_FLAG;

    timers_cancel(op->bcm->host->timers, &op->throttle);
    timers_cancel(op->bcm->host->timers, &op->timer);
    if (op->flags & TX_CP_CAN_ID || frame_id(op->frames) == op->can_id) memcpy(op->frames, &id, sizeof(id));
}

static void start_timers(struct bcm_op *op, const struct bcm_request *request)
{
    struct timers *timers = op->bcm->host->timers;

    if (op->flags & SETTIMER) {
        bcm_op_set_times(op, request);
        if (!op->ival1_ns) timers_cancel(timers, &op->timer);
        timers_cancel(timers, &op->throttle);
        op->delivered = false;
        op->claimed = 0;
        flush(op);
    }
    if (op->flags & STARTTIMER && op->ival1_ns) timers_set(timers, &op->timer, request->now + op->ival1_ns);
}

ssize_t bcm_rx_setup(struct bcm *bcm, const struct bcm_request *asked)
{
    struct bcm_request request = *asked;
    struct bcm_op *op;
    bool is_update;
    int result = check(&request);

    if (result) return result;
    op = bcm_op_find(bcm->rx, &request);
    is_update = op != NULL;
    if (op && request.nframes > op->nframes) return -E2BIG;
    result = check_frames(&request);
    if (!result) result = op ? subscribe(op) : add(bcm, &request, &op);
    if (result) return result;

    take_frames(op, &request);
    if (is_update && op->flags & SETTIMER) bcm_op_set_times(op, &request); /* for what it may become again */
    if (op->flags & RX_RTR_FRAME)
        prepare_answer(op);
    else
        start_timers(op, &request);
    return (ssize_t)(BCM_HEAD_SIZE + (size_t)op->nframes * op->frame_size);
}

void bcm_rx_link_gone(struct bcm_op *op, uint32_t ifindex)
{
    struct can_host *host = op->bcm->host;

    if (op->claimed == ifindex) op->claimed = 0;
    if (op->ifindex == ifindex && op->subscription.link) host->unsubscribe(host, &op->subscription);
}
