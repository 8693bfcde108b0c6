/* can/simbus.c - the bus's time: what happens next; see simbus.h.
 *
 * The bus is idle, or one frame is under way whose end (good or bad) was settled when it began (simbus_frame.c), or it is held dominant. Events at the same time:
 * first the bus gets jammed, then frames end, then controllers join, then a frame begins; among controllers, in the order in which they were attached. */
#include "can/simbus.h"
#include "can/simbus_parts.h"

void simbus_attach(struct simbus *bus, struct simnode *node)
{
    struct simnode **link = &bus->nodes;

    while (*link)
        link = &(*link)->next;
    *link = node;
    node->next = NULL;
    node->bus = bus;
    node->state = CAN_STATE_STOPPED;
    for (const struct simfault *fault = node->faults; fault; fault = fault->next)
        bus->lasting += fault->kind == SIMFAULT_BABBLE || fault->kind == SIMFAULT_DOMINANT;
}

static void unlink_node(struct simnode *node)
{
    struct simbus *bus = node->bus;
    struct simnode **link = &bus->nodes;

    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    for (const struct simfault *fault = node->faults; fault; fault = fault->next)
        bus->lasting -= fault->kind == SIMFAULT_BABBLE || fault->kind == SIMFAULT_DOMINANT;
    if (bus->phase == SIMBUS_STUCK) bus->ends = bus->now; /* who else holds it? */
    node->bus = NULL;
}

void simbus_detach(struct simnode *node, uint64_t now)
{
    simnode_stop(node, now);
    unlink_node(node);
}

void simbus_move(struct simnode *node, struct simbus *to, uint64_t now)
{
    struct simbus *from = node->bus;
    enum can_state state = node->state;
    bool sends = node->role == ROLE_SENDER;

    node->role = ROLE_NONE;
    if (sends) simbus_break_frame(from, now);
    unlink_node(node);
    simbus_attach(to, node);
    node->state = state;
    simnode_rejoin(node, now);
}

/* The next thing a controller does on an idle bus. */
static uint64_t node_acts_at(const struct simnode *node)
{
    return node->phase == SIMNODE_JOINING ? simnode_joins_at(node) : simnode_contends_at(node);
}

uint64_t simbus_next(const struct simbus *bus)
{
    uint64_t next = bus->phase == SIMBUS_IDLE ? SIMBUS_NEVER : bus->ends, jam = simbus_jammed_at(bus);

    if (bus->phase == SIMBUS_IDLE)
        for (const struct simnode *node = bus->nodes; node; node = node->next) {
            uint64_t at = node_acts_at(node);
            if (at < next) next = at;
        }
    if (jam < next) next = jam;
    return next > bus->now ? next : bus->now;
}

/* Returns whether any controller has something to send now. */
static bool join_and_ask(struct simbus *bus, uint64_t now)
{
    bool any = false;

    for (struct simnode *node = bus->nodes; node; node = node->next)
        if (node->phase == SIMNODE_JOINING && simnode_joins_at(node) <= now) node->phase = SIMNODE_ON;
    for (const struct simnode *node = bus->nodes; node && !any; node = node->next)
        any = simnode_contends_at(node) <= now;
    return any;
}

static void step(struct simbus *bus)
{
    if (simbus_jammed_at(bus) <= bus->now)
        simbus_jam(bus);
    else if (bus->phase == SIMBUS_STUCK)
        simbus_jam_goes_on(bus);
    else if (bus->phase == SIMBUS_FRAME)
        simbus_end_frame(bus);
    else if (join_and_ask(bus, bus->now))
        simbus_begin_frame(bus, bus->now);
}

void simbus_run(struct simbus *bus, uint64_t until)
{
    uint64_t next;

    while ((next = simbus_next(bus)) <= until) {
        bus->now = next;
        step(bus);
    }
    if (bus->now < until && until != SIMBUS_NEVER) bus->now = until;
}
