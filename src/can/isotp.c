/* can/isotp.c - an ISO-TP socket as a whole: it subscribes to two identifiers, and gives frames to the direction they concern.
 *
 * Frames with rx_id, from whomever, are data for isotp_rx.c or flow control for isotp_tx.c. Frames with tx_id count only when
 * they are our own: their coming back means that they were on the bus. */
#include "can/isotp.h"
#include "can/isotp_parts.h"

#include <string.h>

/* Copies a frame that the socket's link layer options let in; what is behind a classic one is zero. */
static bool take(const struct isotp *isotp, const struct can_event *event, struct canfd_frame *frame)
{
    bool fd = isotp->options.ll.mtu == CANFD_MTU;

    if (event->kind != (fd ? FRAME_FD : FRAME_CC)) return false;
    memset(frame, 0, sizeof(*frame));
    memcpy(frame, event->frame, isotp->options.ll.mtu);
    return frame->len <= (fd ? CANFD_MAX_DLEN : CAN_MAX_DLEN);
}

/* Whether a half-duplex socket is busy in the other direction. */
static bool is_busy(const struct isotp *isotp, bool flow)
{
    if (!isotp_flag(&isotp->options, CAN_ISOTP_HALF_DUPLEX)) return false;
    return flow ? isotp_rx_is_receiving(isotp) : isotp_is_sending(isotp);
}

static void on_frame(struct subscription *subscription, const struct can_event *event)
{
    struct isotp *isotp = timer_owner(subscription, struct isotp, rx_frames);
    uint32_t at = isotp_at(&isotp->options);
    struct canfd_frame frame;
    bool flow;

    if (!take(isotp, event, &frame)) return;
    if (at && frame.data[0] != isotp->options.opts.rx_ext_address) return;
    flow = (frame.data[at] & 0xf0) == ISOTP_FC;
    if (is_busy(isotp, flow)) return;
    if (flow)
        isotp_tx_flow(isotp, &frame, event->now);
    else
        isotp_rx_data(isotp, &frame, event);
}

static void on_echo(struct subscription *subscription, const struct can_event *event)
{
    struct isotp *isotp = timer_owner(subscription, struct isotp, echoes);
    struct canfd_frame frame;

    if (event->origin == isotp->origin && take(isotp, event, &frame))
        isotp_tx_echo(isotp, &frame, event->now);
}

static void unsubscribe(struct isotp *isotp, struct subscription *subscription)
{
    if (subscription->receive) isotp->host->unsubscribe(isotp->host, subscription);
    subscription->receive = NULL;
}

static int subscribe(struct isotp *isotp, struct subscription *subscription, uint32_t id,
                     void (*receive)(struct subscription *subscription, const struct can_event *event))
{
    int result;

    *subscription = (struct subscription){ .id = id, .ifindex = isotp->ifindex, .receive = receive };
    result = isotp->host->subscribe(isotp->host, subscription);
    if (result < 0) subscription->receive = NULL;
    return result;
}

int isotp_bind(struct isotp *isotp, uint64_t now)
{
    int result = 0;

    (void)now;
    if (isotp_receives(&isotp->options)) result = subscribe(isotp, &isotp->rx_frames, isotp->rx_id, on_frame);
    if (result == 0) result = subscribe(isotp, &isotp->echoes, isotp->tx_id, on_echo);
    if (result < 0) unsubscribe(isotp, &isotp->rx_frames);
    return result;
}

void isotp_unbind(struct isotp *isotp)
{
    isotp_abort(isotp);
    isotp_rx_reset(isotp);
    unsubscribe(isotp, &isotp->rx_frames);
    unsubscribe(isotp, &isotp->echoes);
}
