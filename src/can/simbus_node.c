/* can/simbus_node.c - a controller: its frame, its error counters, its way onto the bus and off it; see simbus.h.
 *
 * A controller that is JOINING counts sequences of 11 recessive bits. While the bus is idle that is a matter of time alone, so the moment it will be done is computed from
 * recessive_since; each start of a frame takes off what it got so far, each end begins anew: the last 8 bits of frames and of error frames are
 * recessive and count. */
/* prefix: simnode_ */
#include "can/simbus_parts.h"

#include <errno.h>
#include "can/bittiming.h"

static uint64_t bit_ps(const struct can_bittiming *bt, uint32_t clock_hz)
{
    return 1000000000000ull * bt->brp * bittiming_quanta(bt) / clock_hz;
}

/* ---- joining ------------------------------------------------------------------------------------------------------- */

static void join(struct simnode *node, uint32_t times, uint64_t now)
{
    const struct simbus *bus = node->bus;

    node->phase = SIMNODE_JOINING;
    node->joins_after = times;
    node->recessive_since = now > bus->now ? now : bus->now;
}

void simnode_rejoin(struct simnode *node, uint64_t now)
{
    node->role = ROLE_NONE;
    node->pause = false;
    if (node->phase == SIMNODE_ON) join(node, 1, now);
    if (node->phase == SIMNODE_JOINING) join(node, node->joins_after, now);
}

uint64_t simnode_joins_at(const struct simnode *node)
{
    return node->recessive_since + simbus_span((uint64_t)node->joins_after * JOIN_BITS, node->slow_ps);
}

void simnode_bus_begins(struct simnode *node, uint64_t at)
{
    uint64_t sequence = simbus_span(JOIN_BITS, node->slow_ps);

    if (node->phase != SIMNODE_JOINING || at < node->recessive_since) return;
    uint64_t seen = (at - node->recessive_since) / sequence;
    node->joins_after = seen < node->joins_after ? node->joins_after - (uint32_t)seen : 1;
}

void simnode_bus_ends(struct simnode *node, uint64_t recessive_since)
{
    if (node->phase == SIMNODE_JOINING && node->recessive_since < recessive_since)
        node->recessive_since = recessive_since;
}

void simnode_start(struct simnode *node, uint64_t now)
{
    node->slow_ps = bit_ps(&node->settings.nominal, node->settings.clock_hz);
    node->fast_ps =
        node->settings.data.bitrate ? bit_ps(&node->settings.data, node->settings.clock_hz) : node->slow_ps;
    confinement_reset(&node->errors);
    node->state = CAN_STATE_ERROR_ACTIVE;
    node->pause = false;
    node->role = ROLE_NONE;
    join(node, 1, now);
}

void simnode_restart(struct simnode *node, uint64_t now)
{
    confinement_reset(&node->errors);
    node->state = CAN_STATE_ERROR_ACTIVE;
    node->pause = false;
    join(node, RECOVERY_TIMES, now);
}

void simnode_stop(struct simnode *node, uint64_t now)
{
    bool sends = node->role == ROLE_SENDER;

    node->phase = SIMNODE_OFF;
    node->state = CAN_STATE_STOPPED;
    node->pending = false;
    node->role = ROLE_NONE;
    if (sends) simbus_break_frame(node->bus, now);
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

int simnode_send(struct simnode *node, const void *frame, enum frame_kind kind, uint64_t now)
{
    if (node->pending) return -EBUSY;
    node->frame = (struct canfd_frame){ 0 };
    __builtin_memcpy(&node->frame, frame, kind == FRAME_FD ? FRAME_FD_SIZE : FRAME_CC_SIZE);
    node->frame.can_id &= ~CAN_ERR_FLAG;
    node->kind = kind;
    node->priority = wire_priority(frame, kind);
    node->given_at = node->ready_at = now;
    node->pending = true;
    for (struct simfault *fault = node->faults; fault; fault = fault->next)
        if (fault->kind == SIMFAULT_DELAY && simfault_strikes(fault, SIMFAULT_TX, frame, now))
            node->ready_at += fault->extra_ns;
    return 0;
}

uint64_t simnode_contends_at(const struct simnode *node)
{
    const struct simbus *bus = node->bus;
    uint64_t free_at = bus->next_at, at = SIMBUS_NEVER;
    const struct simfault *babble;

    if (node->phase != SIMNODE_ON || simnode_has(node, CAN_CTRLMODE_LISTENONLY)) return SIMBUS_NEVER;
    if (node->pause) free_at += simbus_span(PASSIVE_PAUSE, node->slow_ps);
    if (node->pending) at = node->ready_at > free_at ? node->ready_at : free_at;
    if (!bus->lasting || !(babble = simfault_lasting(node, SIMFAULT_BABBLE, free_at))) return at;
    if (babble->from > free_at) free_at = babble->from;
    return free_at < at ? free_at : at;
}

void simnode_finish(struct simnode *node, bool sent, uint64_t at)
{
    if (!node->pending) return;
    node->pending = false;
    node->ops->done(node, sent, at);
}

/* ---- errors -------------------------------------------------------------------------------------------------------- */

void simnode_count(struct simnode *node, enum confinement_event event)
{
    if (!simnode_has(node, CAN_CTRLMODE_LISTENONLY)) confinement_count(&node->errors, event);
}

void simnode_bus_error(struct simnode *node, uint8_t type, uint8_t location)
{
    if (type & CAN_ERR_PROT_TX)
        node->counts.tx_errors++;
    else
        node->counts.rx_errors++;
    if (!simnode_has(node, CAN_CTRLMODE_BERR_REPORTING)) return;
    node->counts.bus_error++;
    errframe_bus_error(&node->report, type, location);
}

static void note_state(struct simnode *node)
{
    enum can_state state = confinement_state(&node->errors);

    if (state == node->state) return;
    if (state > node->state) {
        if (state == CAN_STATE_ERROR_WARNING) node->counts.error_warning++;
        if (state == CAN_STATE_ERROR_PASSIVE) node->counts.error_passive++;
        if (state == CAN_STATE_BUS_OFF) node->counts.bus_off++;
    }
    node->state = state;
    errframe_state(&node->report, &node->errors);
}

void simnode_tell(struct simnode *node, uint64_t at)
{
    struct can_frame report;

    note_state(node);
    if (node->state == CAN_STATE_BUS_OFF) node->phase = SIMNODE_BUS_OFF;
    report = node->report;
    node->report = (struct can_frame){ 0 };
    errframe_end(&report, &node->errors);
    if (report.can_id) node->ops->error(node, &report, at);
    if (node->phase == SIMNODE_BUS_OFF) simnode_finish(node, false, at);
}
