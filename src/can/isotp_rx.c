/* can/isotp_rx.c - receives a PDU: a single frame, or a first frame, answered with flow control, and the consecutive ones.
 *
 * Any single or first frame drops what was being received, even one that is no good itself. While a PDU comes, `pdu` is a buffer of its
 * size from the host, which goes back when the PDU is complete, wrong or late; `at` counts the bytes that came. `at` may be size + 1
 * after a first frame, because it is accepted with a byte more than the PDU has: such a PDU is complete with one more frame, of full length.
 *
 * The clock (N_Cr, one second) starts with every flow control frame we send and with every good frame inside a block, and stops
 * with every frame that is looked at. So there is none in LISTEN_MODE before the first consecutive frame or at the end of a block, nor
 * after a frame that is ignored for its length: peculiar, and what Linux does. */
/* prefix: isotp_ */
#include "can/isotp_parts.h"

#include <errno.h>
#include <string.h>

bool isotp_rx_is_receiving(const struct isotp *isotp) { return isotp->rx.pdu; }

void isotp_rx_reset(struct isotp *isotp)
{
    timers_cancel(isotp->host->timers, &isotp->rx.timer);
    if (isotp->rx.pdu) isotp->host->release(isotp->host, isotp->rx.pdu);
    isotp->rx.pdu = NULL;
}

/* The last thing a caller does, as with deliver(): the socket may be gone after it. */
static void fail(struct isotp *isotp, int error)
{
    isotp_rx_reset(isotp);
    isotp->error(isotp, error);
}

static void expire(struct timer *timer, uint64_t now)
{
    (void)now;
    fail(timer_owner(timer, struct isotp, rx.timer), ETIMEDOUT);
}

static void start_clock(struct isotp *isotp, uint64_t now)
{
    isotp->rx.timer.expire = expire;
    timers_set(isotp->host->timers, &isotp->rx.timer, now + ISOTP_N_CR_NS);
}

/* That it cannot be sent is the sender's worry: it runs out of time. */
static void send_flow(struct isotp *isotp, uint8_t status)
{
    struct canfd_frame frame;

    isotp_frame_flow(&isotp->options, isotp->tx_id, status, &frame);
    isotp->host->send(isotp->host, isotp->origin, isotp->ifindex, &frame, isotp->options.ll.mtu);
    isotp->rx.block = 0;
    isotp->rx.last_stamp_ns = 0;
}

static void clear_to_send(struct isotp *isotp, uint64_t now)
{
    if (isotp_flag(&isotp->options, CAN_ISOTP_LISTEN_MODE)) return;
    send_flow(isotp, ISOTP_CTS);
    start_clock(isotp, now);
}

static void single(struct isotp *isotp, const struct canfd_frame *frame, const struct can_event *event)
{
    uint32_t at = isotp_at(&isotp->options), head = at + 1, size = frame->data[at] & 0xf;

    if (frame->len > CAN_MAX_DLEN) {
        if (size) return; /* a short length in a long frame: not even a single frame */
        size = frame->data[head++];
    }
    isotp_rx_reset(isotp);
    if (!size || head + size > frame->len) return;
    if (!isotp_frame_is_padded(&isotp->options, frame, head + size))
        fail(isotp, EBADMSG);
    else
        isotp->deliver(isotp, frame->data + head, size, event->stamp_ns);
}

/* The length of a PDU, from its first frame; moves `head` behind it. */
static uint32_t first_size(const struct canfd_frame *frame, uint32_t at, uint32_t *head)
{
    const uint8_t *pci = frame->data + at;
    uint32_t size = (pci[0] & 0xfu) << 8 | pci[1];

    *head = at + 2;
    if (size) return size;
    *head = at + 6;
    return (uint32_t)pci[2] << 24 | (uint32_t)pci[3] << 16 | (uint32_t)pci[4] << 8 | pci[5];
}

static void first(struct isotp *isotp, const struct canfd_frame *frame, const struct can_event *event)
{
    uint32_t head, size = first_size(frame, isotp_at(&isotp->options), &head), room;

    isotp_rx_reset(isotp);
    if (frame->len != isotp_frame_round(frame->len)) return;
    /* What a single frame could have held is none (with 32 bits, as Linux adds: the very longest is none either). */
    if (size + head + (frame->len > CAN_MAX_DLEN ? 1 : 0) < frame->len) return;
    if (size <= ISOTP_PDU_MAX) isotp->rx.pdu = isotp->host->allocate(isotp->host, size);
    if (!isotp->rx.pdu) {
        send_flow(isotp, ISOTP_OVFLW);
        return;
    }
    room = frame->len - head;
    memcpy(isotp->rx.pdu, frame->data + head, room < size ? room : size);
    isotp->rx.size = size;
    isotp->rx.at = room;
    isotp->rx.frame_len = frame->len;
    isotp->rx.sn = 1;
    clear_to_send(isotp, event->now);
}

/* CAN_ISOTP_FORCE_RXSTMIN: whether a frame comes too soon after the one before it. */
static bool is_too_fast(struct isotp *isotp, uint64_t stamp_ns)
{
    if (!isotp_flag(&isotp->options, CAN_ISOTP_FORCE_RXSTMIN)) return false;
    if ((int64_t)(stamp_ns - isotp->rx.last_stamp_ns) < (int64_t)isotp->options.rx_stmin_ns) return true;
    isotp->rx.last_stamp_ns = stamp_ns;
    return false;
}

/* Frames are as long as the first one; the last one may be shorter. */
static bool has_good_length(const struct isotp *isotp, const struct canfd_frame *frame)
{
    uint32_t rest = isotp->rx.size - isotp->rx.at; /* as Linux counts: -1 is more than fits a frame */

    if (frame->len >= isotp->rx.frame_len) return frame->len == isotp->rx.frame_len;
    return rest <= isotp->rx.frame_len - isotp_at(&isotp->options) - 1;
}

static void complete(struct isotp *isotp, const struct canfd_frame *frame, uint32_t used, uint64_t stamp_ns)
{
    struct can_host *host = isotp->host;
    uint8_t *pdu = isotp->rx.pdu;

    if (!isotp_frame_is_padded(&isotp->options, frame, used)) {
        fail(isotp, EBADMSG);
        return;
    }
    isotp->rx.pdu = NULL;
    isotp->deliver(isotp, pdu, isotp->rx.size, stamp_ns);
    host->release(host, pdu);
}

static void consecutive(struct isotp *isotp, const struct canfd_frame *frame, const struct can_event *event)
{
    uint32_t at = isotp_at(&isotp->options), head = at + 1, count = 0;

    if (!isotp->rx.pdu || is_too_fast(isotp, event->stamp_ns)) return;
    timers_cancel(isotp->host->timers, &isotp->rx.timer);
    if (!has_good_length(isotp, frame)) return;
    if ((frame->data[at] & 0xf) != isotp->rx.sn) {
        fail(isotp, EILSEQ);
        return;
    }
    isotp->rx.sn = (isotp->rx.sn + 1) & 0xf;
    if (isotp->rx.at < isotp->rx.size && frame->len > head) {
        count = isotp->rx.size - isotp->rx.at;
        if (count > frame->len - head) count = frame->len - head;
        memcpy(isotp->rx.pdu + isotp->rx.at, frame->data + head, count);
        isotp->rx.at += count;
    }
    if (isotp->rx.at >= isotp->rx.size)
        complete(isotp, frame, head + (count ? count : 1), event->stamp_ns);
    else if (!isotp->options.fc.bs || ++isotp->rx.block < isotp->options.fc.bs)
        start_clock(isotp, event->now);
    else
        clear_to_send(isotp, event->now);
}

void isotp_rx_data(struct isotp *isotp, const struct canfd_frame *frame, const struct can_event *event)
{
    switch (frame->data[isotp_at(&isotp->options)] & 0xf0) {
    case ISOTP_SF: single(isotp, frame, event); break;
    case ISOTP_FF: first(isotp, frame, event); break;
    case ISOTP_CF: consecutive(isotp, frame, event); break;
    default: break;
    }
}
