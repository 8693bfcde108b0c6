/* daemon/simulator.c - see simulator.h.
 *
 * Frames: a program pushes into the ring of the interface's slot (bus_send(), which is where ENOBUFS comes from), and wakes us by a token when
 * we slept. A controller takes one frame at a time: as long as it has one, tokens are taken off and the ring is left alone, because the end of
 * that frame looks there anyway; when the ring is empty, it is armed again. What the bus brings goes to sockets with bus_deliver().
 *
 * Time: a wire's time goes on with CLOCK_MONOTONIC, times its speed; at speed 0 it goes on to the next event whenever there is one. Everything
 * that happens has its time on the wire, whenever we come to run it. */
#include "daemon/simulator.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "bus/charge.h"
#include "bus/tap.h"
#include "bus/wake.h"
#include "can/errframe.h"
#include "daemon/linkops.h"
#include "daemon/simulator_parts.h"
#include "drivers/can.h"

#define EVENTS_A_TURN 512
#define CLOCK_UNKNOWN (SIMBUS_NEVER - 1) /* simulator.clock_at: no time that anybody asks for */
#define MS            1000000ull
/* A bus as fast as it can on which nothing gets through in a turn - somebody is alone and tries again for ever - rests so long. At the
 * highest bit rate, 512 attempts are 20 ms of the bus: its time still goes on faster than ours. */
#define REST_NS (10 * MS)
/* Between two looks at buses on which much happens: what they bring together costs one wake-up of us, and often of a reader. A single bus of
 * 1 Mbit/s has no frames that come faster. */
#define CALM_NS 40000u

static struct sim_port *port_of(struct simnode *node) { return (struct sim_port *)(void *)node; }
_Static_assert(offsetof(struct sim_port, node) == 0, "a port is found by its first member");

static struct can_config *config_of(const struct sim_port *port)
{
    return (struct can_config *)(void *)port->simulator->links->control->can_config[port->index];
}

/* ---- time ---------------------------------------------------------------------------------------------------------- */

uint64_t simulator_now(const struct sim_wire *wire)
{
    uint64_t now = wire->speed ? wire->bus_start + (clock_mono_ns() - wire->mono_start) * wire->speed : 0;
    return now > wire->bus.now ? now : wire->bus.now;
}

void simulator_set_pace(struct sim_wire *wire, uint32_t speed)
{
    wire->bus_start = simulator_now(wire);
    wire->mono_start = clock_mono_ns();
    wire->speed = speed;
}

static uint64_t stamp(const struct sim_wire *wire, uint64_t at) { return wire->real_start + at; }

/* When a wire's time will be `at`, in ns of CLOCK_MONOTONIC. */
static uint64_t alarm_for(const struct sim_wire *wire, uint64_t at)
{
    return wire->mono_start + (at - wire->bus_start + wire->speed - 1) / wire->speed;
}

void simulator_on_clock(struct loop_source *source, uint32_t events)
{
    struct simulator *simulator = loop_owner(source, struct simulator, clock);

    (void)events;
    simulator->clock_at =
        CLOCK_UNKNOWN; /* simulator_turn does the work, and sets it anew: which makes reading it needless */
}

static void set_clock(struct simulator *simulator, uint64_t at)
{
    struct itimerspec spec = { 0 };

    if (at == simulator->clock_at) return;
    simulator->clock_at = at;
    if (at != SIMBUS_NEVER) {
        spec.it_value.tv_sec = (time_t)(at / 1000000000u);
        spec.it_value.tv_nsec = (long)(at % 1000000000u) | (at == 0);
    }
    timerfd_settime(simulator->clock.fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* ---- frames -------------------------------------------------------------------------------------------------------- */

static void deliver(const struct sim_port *port, const struct bus_frame *frame, uint32_t record_flags)
{
    bus_deliver(port->simulator->bus, port->index, port->ifindex, frame, record_flags);
}

static struct bus_frame frame_for(const struct sim_port *port, const void *frame, uint32_t size, uint64_t at)
{
    return (struct bus_frame){ .frame = frame,
                               .size = size,
                               .origin = SOCKET_NONE,
                               .owner = RING_OWNER_DAEMON,
                               .time_ns = stamp(port->wire, at),
                               .token_fd = port->simulator->token_fd,
                               .loopback = true };
}

static void count(const struct sim_port *port, unsigned what, const void *frame, enum frame_kind kind)
{
    counters_add(simulator_counters(port), what, frame_payload(frame, kind));
}

/* A frame out of the ring that nobody will send. */
static void uncharge_item(const struct bus *bus, const struct ring_item *item)
{
    if (item->record_flags & RECORD_CHARGED) charge_drop(bus, item->origin, item->origin_gen, item->size);
}

void simulator_uncharge(struct sim_port *port)
{
    if (port->charged) charge_drop(port->simulator->bus, port->origin, port->origin_gen, port->size);
    port->charged = false;
}

/* A frame out of the ring becomes the controller's. False: it does not. */
/* To packet sockets: the controller gets it now. */
static void show_outgoing(const struct sim_port *port, const struct ring_item *item, uint64_t at)
{
    struct bus_frame out = frame_for(port, item->frame, item->size, at);

    out.origin = item->origin;
    out.origin_gen = item->origin_gen;
    out.mark = item->mark;
    tap_frame(port->simulator->bus, port->index, port->ifindex, &out, TAP_OUTGOING, TAP_ITS_OWN);
}

static bool accept_frame(struct sim_port *port, const struct ring_item *item, uint64_t at)
{
    enum frame_kind kind = frame_classify(item->frame, item->size);
    bool listens = port->node.settings.modes & CAN_CTRLMODE_LISTENONLY;

    if (port->node.phase == SIMNODE_OFF || port->node.phase == SIMNODE_BUS_OFF) return false;
    if (tap_is_wanted(port->simulator->bus, port->index)) show_outgoing(port, item, at);
    if (listens || (kind != FRAME_CC && kind != FRAME_FD)) {
        add_relaxed(&simulator_counters(port)->tx_dropped, 1);
        return false;
    }
    port->origin = item->origin;
    port->origin_gen = item->origin_gen;
    port->mark = item->mark;
    port->size = item->size;
    port->echoes = item->record_flags & RECORD_LOCAL;
    port->charged = item->record_flags & RECORD_CHARGED;
    port->tell = item->record_flags & (RECORD_TELL_TAKEN | RECORD_TELL_SENT);
    port->tell_id = (uint32_t)item->time_ns;
    memcpy(&port->frame, item->frame, item->size);
    if (simnode_send(&port->node, item->frame, kind, at)) return false;
    if (unlikely(port->tell)) simulator_stamp_taken(port, stamp(port->wire, at));
    return true;
}

/* Gives the controller the next frame, if it has none. */
void simulator_feed(struct sim_port *port, uint64_t at)
{
    const struct bus *bus = port->simulator->bus;
    struct ring_item item;

    while (!port->node.pending) {
        if (!ring_pop(bus, port->queue.slot, &item)) {
            if (wake_settle(bus, port->queue.slot, port->queue.source.fd)) return;
        } else if (!accept_frame(port, &item, at)) {
            uncharge_item(bus, &item);
        }
    }
}

void simulator_on_queue(struct loop_source *source, uint32_t events)
{
    struct sim_port *port = loop_owner(source, struct sim_port, queue.source);
    char token[16];

    (void)events;
    while (recv(source->fd, token, sizeof(token), MSG_DONTWAIT) > 0)
        ;
    simulator_feed(port, simulator_now(port->wire));
}

static void on_received(struct simnode *node, const void *frame, enum frame_kind kind, uint64_t at)
{
    struct sim_port *port = port_of(node);
    struct bus_frame out = frame_for(port, frame, kind == FRAME_FD ? FRAME_FD_SIZE : FRAME_CC_SIZE, at);

    count(port, COUNT_RECEIVED, frame, kind);
    deliver(port, &out, RECORD_HARDWARE);
}

static void on_done(struct simnode *node, bool sent, uint64_t at)
{
    struct sim_port *port = port_of(node);
    struct bus_frame out = frame_for(port, &port->frame, port->size, at);

    simulator_uncharge(port);
    if (sent) {
        count(port, COUNT_SENT, &port->frame, node->kind);
        out.origin = port->origin;
        out.origin_gen = port->origin_gen;
        out.mark = port->mark;
        if (unlikely(port->tell)) simulator_stamp_sent(port, out.time_ns);
        if (port->echoes) deliver(port, &out, RECORD_LOCAL | RECORD_HARDWARE);
    } else {
        add_relaxed(&simulator_counters(port)->tx_dropped, 1);
        port->aborted++;
    }
    simulator_feed(port, at);
}

static void on_error(struct simnode *node, const struct can_frame *frame, uint64_t at)
{
    struct sim_port *port = port_of(node);
    struct bus_frame out = frame_for(port, frame, FRAME_CC_SIZE, at);

    deliver(port, &out, RECORD_HARDWARE);
    if (node->state == CAN_STATE_BUS_OFF) port->off = true;
}

const struct simnode_ops simulator_node_ops = { on_received, on_done, on_error };

/* ---- bus off and back ---------------------------------------------------------------------------------------------- */

void simulator_set_carrier(struct sim_port *port, bool carrier)
{
    struct linkop op = { .server = port->simulator->links };
    struct device dev;

    if (linktable_load(op.server, port->index, &dev)) linkops_carrier(&op, &dev, carrier);
}

void simulator_empty_queue(struct sim_port *port)
{
    struct ring_item item;
    while (ring_pop(port->simulator->bus, port->queue.slot, &item))
        uncharge_item(port->simulator->bus, &item);
}

static void go_off(struct sim_port *port)
{
    uint32_t ms = config_of(port)->restart_ms;

    port->off = false;
    simulator_set_carrier(port, false);
    simulator_empty_queue(port);
    if (ms) port->restart_at = port->wire->bus.now + ms * MS;
}

void simulator_restart_port(struct sim_port *port, uint64_t at)
{
    struct can_frame frame = { 0 };
    struct bus_frame out = frame_for(port, &frame, FRAME_CC_SIZE, at);

    port->restart_at = SIMBUS_NEVER;
    errframe_restarted(&frame);
    errframe_end(&frame, &port->node.errors);
    deliver(port, &out, 0);
    config_of(port)->restarts++;
    simnode_restart(&port->node, at);
    simulator_set_carrier(port, true);
}

/* ---- cut off ------------------------------------------------------------------------------------------------------- */

static bool belongs_apart(const struct sim_port *port, uint64_t now)
{
    return port->cut_from <= now && now < port->cut_until;
}

static void cut_or_mend(struct sim_port *port, uint64_t now)
{
    struct simbus *to = port->is_cut ? &port->wire->bus : &port->alone;

    if (belongs_apart(port, now) == port->is_cut) return;
    port->is_cut = !port->is_cut;
    if (to == &port->alone) *to = (struct simbus){ .now = now };
    simbus_move(&port->node, to, now);
}

/* The ports that are cut off, or will be. Each calls for a look at all of them: there are few, and seldom any. */
static uint64_t next_of_cuts(const struct sim_wire *wire, struct simulator *simulator)
{
    uint64_t next = SIMBUS_NEVER;

    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        const struct sim_port *port = &simulator->port[i];
        if (port->wire != wire || port->cut_from == SIMBUS_NEVER) continue;
        bool over = wire->bus.now >= port->cut_until;
        uint64_t at = port->is_cut ? port->cut_until : over ? SIMBUS_NEVER : port->cut_from;
        uint64_t event = port->is_cut ? simbus_next(&port->alone) : SIMBUS_NEVER;
        if (port->is_cut && port->restart_at < event) event = port->restart_at;
        if (event < at) at = event;
        if (at < next) next = at;
    }
    return next;
}

static void after_event_of(struct sim_port *port, uint64_t now)
{
    if (port->off) go_off(port);
    if (port->restart_at <= now) simulator_restart_port(port, now);
}

static void run_cuts(const struct sim_wire *wire, struct simulator *simulator)
{
    uint64_t now = wire->bus.now;

    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        struct sim_port *port = &simulator->port[i];
        if (port->wire != wire || port->cut_from == SIMBUS_NEVER) continue;
        if (port->is_cut) {
            simbus_run(&port->alone, now);
            after_event_of(port, now);
        }
        cut_or_mend(port, now);
    }
}

void simulator_mend(struct sim_port *port)
{
    uint64_t now = simulator_now(port->wire);

    port->cut_from = SIMBUS_NEVER;
    port->cut_until = 0;
    cut_or_mend(port, now);
}

/* ---- the turn ------------------------------------------------------------------------------------------------------ */

static uint64_t next_restart(const struct sim_wire *wire)
{
    uint64_t next = SIMBUS_NEVER;

    for (struct simnode *node = wire->bus.nodes; node; node = node->next)
        if (port_of(node)->restart_at < next) next = port_of(node)->restart_at;
    return next;
}

/* What controllers could not do themselves while the wire's event went on. */
static void after_event(const struct sim_wire *wire)
{
    for (struct simnode *node = wire->bus.nodes; node; node = node->next)
        after_event_of(port_of(node), wire->bus.now);
}

static void sooner(uint64_t *alarm, uint64_t at)
{
    if (at < *alarm) *alarm = at;
}

static bool rests(struct sim_wire *wire)
{
    if (wire->rests_until && (wire->speed || clock_mono_ns() >= wire->rests_until)) wire->rests_until = 0;
    return wire->rests_until;
}

/* Runs what is due. Returns whether there is more; *alarm becomes the time of what comes later, if that is earlier. */
static bool turn(struct simulator *simulator, struct sim_wire *wire, uint64_t *alarm)
{
    uint64_t now = simulator_now(wire), next = SIMBUS_NEVER, frames = wire->bus.counts.frames;

    if (unlikely(rests(wire))) {
        sooner(alarm, wire->rests_until);
        return false;
    }
    for (unsigned i = 0; i < EVENTS_A_TURN; i++) {
        uint64_t later = next_restart(wire);
        next = simbus_next(&wire->bus);
        if (later < next) next = later;
        if (wire->cuts) {
            later = next_of_cuts(wire, simulator);
            if (later < next) next = later;
        }
        if (next == SIMBUS_NEVER || (wire->speed && next > now)) {
            if (wire->speed && now > wire->bus.now) simbus_run(&wire->bus, now);
            if (next != SIMBUS_NEVER) sooner(alarm, alarm_for(wire, next));
            return false;
        }
        simbus_run(&wire->bus, next);
        simulator->calm_until = 0; /* to be set when all is done */
        after_event(wire);
        if (wire->cuts) run_cuts(wire, simulator);
    }
    if (wire->speed || wire->bus.counts.frames != frames) return true;
    wire->rests_until = clock_mono_ns() + REST_NS;
    sooner(alarm, wire->rests_until);
    return false;
}

bool simulator_turn(struct simulator *simulator)
{
    uint64_t alarm = SIMBUS_NEVER;
    bool more = false;

    if (!simulator->port_count) {
        set_clock(simulator, SIMBUS_NEVER); /* it may have been set, and nobody reads it */
        return false;
    }
    for (unsigned i = 0; i < WIRES_MAX; i++) {
        struct sim_wire *wire = &simulator->wire[i];
        uint64_t before = wire->bus.now;
        if (!wire->bus.nodes && !wire->cuts) continue;
        more |= turn(simulator, wire, &alarm);
        if (wire->bus.now != before) simulator_save_wire(simulator, wire);
    }
    if (!simulator->calm_until) simulator->calm_until = clock_mono_ns() + CALM_NS;
    set_clock(simulator, alarm > simulator->calm_until ? alarm : simulator->calm_until);
    return more;
}
