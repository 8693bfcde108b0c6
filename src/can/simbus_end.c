/* can/simbus_end.c - the end of a frame: what each controller counts, tells and delivers; see simbus.h.
 *
 * Senders come first, so that a program hears that its frame was sent before it can hear an answer. A frame comes before the message that the state has
 * become better by it, as from a driver that looks at what was sent and received first, and at errors then (Linux's of the SJA1000). */
/* prefix: simbus_ */
#include "can/simbus_parts.h"

static void deliver(struct simnode *node, uint64_t at)
{
    const struct simbus *bus = node->bus;
    struct canfd_frame frame = bus->frame;

    if (node->flipped) {
        uint32_t bit = node->flipped - 1u;
        frame.data[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
    }
    if (bus->kind == FRAME_CC && !simnode_has(node, CAN_CTRLMODE_CC_LEN8_DLC)) frame.__res1 = 0;
    node->counts.rx_frames++;
    node->ops->received(node, &frame, bus->kind, at);
}

static void sender_is_done(struct simnode *node, uint64_t at)
{
    uint64_t latency = at - node->given_at;

    simnode_count(node, CONFINEMENT_SENT);
    node->counts.tx_frames++;
    if (!node->babbles) {
        node->counts.latency_ns += latency;
        if (latency > node->counts.latency_most_ns) node->counts.latency_most_ns = latency;
        simnode_finish(node, true, at);
    }
    if (simnode_has(node, CAN_CTRLMODE_LOOPBACK) && !node->bus->gone) deliver(node, at);
    simnode_tell(node, at);
}

static void sender_failed(struct simnode *node, uint64_t at)
{
    const struct simbus *bus = node->bus;

    simnode_bus_error(node, bus->tx_type, bus->tx_location);
    simnode_count(node, bus->noticed == NOTICED_NO_ACK ? CONFINEMENT_NO_ACK : CONFINEMENT_SEND_ERROR);
    simnode_tell(node, at);
    if (simnode_has(node, CAN_CTRLMODE_ONE_SHOT) && !node->babbles) simnode_finish(node, false, at);
}

static void receiver_is_done(struct simnode *node, uint64_t at)
{
    switch (node->role) {
    case ROLE_RECEIVER:
        simnode_count(node, CONFINEMENT_RECEIVED);
        if (!node->bus->gone) deliver(node, at);
        simnode_tell(node, at);
        break;
    case ROLE_OVERRUN:
        node->counts.overruns++;
        errframe_overrun(&node->report);
        simnode_count(node, CONFINEMENT_RECEIVED);
        simnode_tell(node, at);
        break;
    case ROLE_MISSED:
        simnode_bus_error(node, node->own_type, node->own_location);
        simnode_count(node, CONFINEMENT_RECEIVE_ERROR);
        simnode_tell(node, at);
        break;
    default: break;
    }
}

static void receiver_failed(struct simnode *node, uint64_t at)
{
    const struct simbus *bus = node->bus;
    bool own = node->role == ROLE_FIRST || node->role == ROLE_MISSED;

    if (bus->noticed == NOTICED_NO_ACK && bus->sender_passive && node->role == ROLE_RECEIVER) {
        receiver_is_done(node, at); /* the passive error flag looks like the end of the frame */
        return;
    }
    simnode_bus_error(node, own ? node->own_type : bus->rx_type, own ? node->own_location : bus->rx_location);
    simnode_count(node, node->role == ROLE_FIRST ? CONFINEMENT_FIRST_TO_NOTICE : CONFINEMENT_RECEIVE_ERROR);
    simnode_tell(node, at);
}

static void tell_loser(struct simnode *node, uint64_t at)
{
    node->counts.arbitration_lost++;
    node->bus->counts.lost_arbitration++;
    errframe_arbitration_lost(&node->report, (uint8_t)(node->lost_at - 1));
    simnode_tell(node, at);
    if (simnode_has(node, CAN_CTRLMODE_ONE_SHOT) && !node->babbles) simnode_finish(node, false, at);
}

static void end_of_sender(struct simnode *node, uint64_t at)
{
    node->counts.busy_ns += at - node->bus->began;
    if (node->bus->noticed)
        sender_failed(node, at);
    else
        sender_is_done(node, at);
    node->pause = simnode_is_passive(node);
}

static void end_of_receiver(struct simnode *node, uint64_t at)
{
    node->pause = false;
    if (node->lost_at) tell_loser(node, at);
    if (node->bus->noticed)
        receiver_failed(node, at);
    else
        receiver_is_done(node, at);
}

void simbus_end_frame(struct simbus *bus)
{
    uint64_t at = bus->ends;

    bus->phase = SIMBUS_IDLE;
    bus->next_at = at + simbus_span(WIRE_INTERMISSION, bus->bit_ps);
    bus->counts.busy_ns += bus->next_at - bus->began;
    if (bus->noticed)
        bus->counts.errors++;
    else
        bus->counts.frames++;
    for (struct simnode *node = bus->nodes; node; node = node->next) {
        simnode_bus_ends(node, at - simbus_span(RECESSIVE_END, bus->bit_ps));
        if (node->role == ROLE_SENDER) end_of_sender(node, at);
    }
    for (struct simnode *node = bus->nodes; node; node = node->next) {
        if (node->role > ROLE_SENDER) end_of_receiver(node, at);
        node->role = ROLE_NONE;
    }
}
