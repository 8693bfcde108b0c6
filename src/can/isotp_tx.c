/* can/isotp_tx.c - sends a PDU: one frame, or a first frame and as many consecutive ones as the receiver's flow control lets through.
 *
 *     IDLE --single frame--> ECHO --its echo--> IDLE
 *     IDLE --first frame--> FIRST_FC --FC--> ECHO --echo, block full--> FC --FC--> ECHO
 *                                            ECHO --echo--> GAP --gap over--> ECHO          (gap 0: ECHO at once)
 *                                            ECHO --echo of the last frame--> IDLE
 *
 * The machine goes on from the echo of its own frames: that is when they were on the bus, so that gaps are measured there and are never
 * too short. The first consecutive frame of a block waits for no gap. One timer does it all: FIRST_FC and FC give up after a second,
 * ECHO after two, GAP sends. A consecutive frame that cannot be sent has no echo, and ends like one that was lost.
 *
 * The parameters (block size, gap) are those of the PDU's first FC, even if that only said to wait; Linux 6.1 ignores those of later ones. */
/* prefix: isotp_ */
#include "can/isotp_parts.h"

#include <errno.h>
#include <string.h>

enum { IDLE, FIRST_FC, FC, ECHO, GAP };

static void stop(struct isotp *isotp)
{
    timers_cancel(isotp->host->timers, &isotp->tx.timer);
    isotp->tx.state = IDLE;
    isotp->tx.pdu = NULL;
}

/* The last thing a caller does: the socket may send again in it, or be gone after it. */
static void end(struct isotp *isotp, int result)
{
    stop(isotp);
    isotp->sent(isotp, result);
}

static int send_last(struct isotp *isotp)
{
    return isotp->host->send(isotp->host, isotp->origin, isotp->ifindex, &isotp->tx.last,
                             isotp->options.ll.mtu);
}

static void wait_in(struct isotp *isotp, int state, uint64_t until)
{
    isotp->tx.state = state;
    timers_set(isotp->host->timers, &isotp->tx.timer, until);
}

static void send_consecutive(struct isotp *isotp, uint64_t now)
{
    isotp->tx.at +=
        isotp_frame_consecutive(&isotp->options, isotp->tx_id, isotp->tx.sn++, isotp->tx.pdu + isotp->tx.at,
                                isotp->tx.size - isotp->tx.at, &isotp->tx.last);
    isotp->tx.block++;
    wait_in(isotp, ECHO, now + ISOTP_ECHO_NS);
    send_last(isotp);
}

static void expire(struct timer *timer, uint64_t now)
{
    struct isotp *isotp = timer_owner(timer, struct isotp, tx.timer);

    if (isotp->tx.state == GAP)
        send_consecutive(isotp, now);
    else
        end(isotp, -ECOMM);
}

int isotp_send(struct isotp *isotp, const void *pdu, size_t size, uint64_t now)
{
    const struct isotp_options *options = &isotp->options;
    int result;

    isotp->tx.timer.expire = expire;
    isotp->tx.pdu = pdu;
    isotp->tx.size = isotp->tx.at = (uint32_t)size;
    isotp->tx.bs = isotp->tx.block = 0;
    if (isotp_single_frame(options, isotp->tx_id, pdu, size, &isotp->tx.last)) {
        wait_in(isotp, ECHO, now + ISOTP_ECHO_NS);
    } else {
        isotp->tx.at = isotp_frame_first(options, isotp->tx_id, pdu, (uint32_t)size, &isotp->tx.last);
        isotp->tx.sn = 1;
        if (isotp_flag(options, CAN_ISOTP_CF_BROADCAST)) {
            isotp->tx.gap_ns = isotp_flag(options, CAN_ISOTP_FORCE_TXSTMIN) ? options->tx_stmin_ns
                                                                            : options->frame_txtime_ns;
            wait_in(isotp, ECHO, now + ISOTP_ECHO_NS);
        } else {
            wait_in(isotp, FIRST_FC, now + ISOTP_N_BS_NS);
        }
    }
    result = send_last(isotp);
    if (result < 0) stop(isotp);
    return result < 0 ? result : 0;
}

static bool is_block_full(const struct isotp *isotp)
{
    return isotp->tx.at < isotp->tx.size && isotp->tx.bs && isotp->tx.block >= isotp->tx.bs;
}

void isotp_tx_echo(struct isotp *isotp, const struct canfd_frame *frame, uint64_t now)
{
    const struct canfd_frame *last = &isotp->tx.last;

    if (isotp->tx.state != ECHO || frame->len != last->len || memcmp(frame->data, last->data, last->len))
        return;
    if (isotp->tx.at >= isotp->tx.size)
        end(isotp, 0);
    else if (is_block_full(isotp))
        wait_in(isotp, FC, now + ISOTP_N_BS_NS);
    else if (isotp->tx.gap_ns)
        wait_in(isotp, GAP, isotp->host->exact_at = now + isotp->tx.gap_ns);
    else
        send_consecutive(isotp, now);
}

/* STmin in ns; reserved values count as the longest. */
static uint64_t stmin_ns(uint8_t stmin)
{
    if (stmin <= 0x7f) return stmin * 1000000ull;
    if (stmin >= 0xf1 && stmin <= 0xf9) return (stmin - 0xf0) * 100000ull;
    return 0x7f * 1000000ull;
}

static void take_parameters(struct isotp *isotp, const uint8_t *pci)
{
    const struct isotp_options *options = &isotp->options;

    isotp->tx.bs = pci[1];
    isotp->tx.gap_ns = options->frame_txtime_ns;
    isotp->tx.gap_ns +=
        isotp_flag(options, CAN_ISOTP_FORCE_TXSTMIN) ? options->tx_stmin_ns : stmin_ns(pci[2]);
}

/* A receiver that is quick, and runs beside us, may answer the last frame of a block before we are told of our echo: then the answer is
 * the echo. Any other flow control while nobody waits for it is ignored. */
static bool is_awaited(const struct isotp *isotp)
{
    int state = isotp->tx.state;

    return state == FIRST_FC || state == FC || (state == ECHO && is_block_full(isotp));
}

void isotp_tx_flow(struct isotp *isotp, const struct canfd_frame *frame, uint64_t now)
{
    uint32_t at = isotp_at(&isotp->options);

    if (!is_awaited(isotp)) return;
    if (isotp->wanted && !isotp->wanted(isotp)) {
        stop(isotp);
        return;
    }
    if (frame->len < at + 3 || !isotp_frame_is_padded(&isotp->options, frame, at + 3)) {
        end(isotp, -EBADMSG);
        return;
    }
    if (isotp->tx.state == FIRST_FC) take_parameters(isotp, frame->data + at);
    switch (frame->data[at] & 0xf) {
    case ISOTP_CTS:
        isotp->tx.block = 0;
        send_consecutive(isotp, now);
        break;
    case ISOTP_WT: wait_in(isotp, FC, now + ISOTP_N_BS_NS); break;
    case ISOTP_OVFLW: end(isotp, -EMSGSIZE); break;
    default: end(isotp, -EBADMSG);
    }
}

bool isotp_is_sending(const struct isotp *isotp) { return isotp->tx.state != IDLE; }

void isotp_abort(struct isotp *isotp) { stop(isotp); }
