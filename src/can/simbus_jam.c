/* can/simbus_jam.c - a bus that is held dominant; see simbus.h.
 *
 * Controllers take it for an error, send their error flags, and count for every eight bits that it does not end. */
/* prefix: simbus_ */
#include "can/simbus_parts.h"

#define JAM_STEP    8u
#define BIT_DEFAULT 1000000u /* ps: when nobody is there whose bits it could be */

static const struct simfault *jam_of(const struct simnode *node, uint64_t now)
{
    return node->phase == SIMNODE_OFF ? NULL : simfault_lasting(node, SIMFAULT_DOMINANT, now);
}

uint64_t simbus_jammed_at(const struct simbus *bus)
{
    uint64_t first = SIMBUS_NEVER;

    if (!bus->lasting || bus->phase == SIMBUS_STUCK) return first;
    for (const struct simnode *node = bus->nodes; node; node = node->next) {
        const struct simfault *fault = jam_of(node, bus->now);
        if (fault && fault->from < first) first = fault->from;
    }
    return first == SIMBUS_NEVER || first > bus->now ? first : bus->now;
}

/* Until when, as far as is known now; 0: it is over. */
static uint64_t jammed_until(const struct simbus *bus)
{
    uint64_t last = 0;

    for (const struct simnode *node = bus->nodes; node; node = node->next) {
        const struct simfault *fault = jam_of(node, bus->now);
        if (fault && fault->from <= bus->now && fault->until > last) last = fault->until;
    }
    return last;
}

static void count_all(struct simbus *bus, enum confinement_event sender, enum confinement_event receiver)
{
    for (struct simnode *node = bus->nodes; node; node = node->next) {
        if (node->phase != SIMNODE_ON) continue;
        simnode_count(node, node->role == ROLE_SENDER ? sender : receiver);
        simnode_tell(node, bus->now);
    }
}

/* Nobody counts any further. */
static bool is_settled(const struct simbus *bus)
{
    for (const struct simnode *node = bus->nodes; node; node = node->next)
        if (node->phase == SIMNODE_ON && !simnode_has(node, CAN_CTRLMODE_LISTENONLY) &&
            (node->role == ROLE_SENDER || node->errors.rec < 255))
            return false;
    return true;
}

static void schedule(struct simbus *bus)
{
    uint64_t until = jammed_until(bus), step = bus->now + simbus_span(JAM_STEP, bus->bit_ps);
    bus->ends = is_settled(bus) || step > until ? until : step;
}

void simbus_jam(struct simbus *bus)
{
    bool broken = bus->phase == SIMBUS_FRAME;

    if (broken) {
        bus->counts.errors++;
    } else {
        bus->began = bus->now;
        if (!bus->bit_ps) bus->bit_ps = BIT_DEFAULT;
    }
    bus->phase = SIMBUS_STUCK;
    for (struct simnode *node = bus->nodes; node; node = node->next) {
        bool sends = node->role == ROLE_SENDER;
        if (!broken) {
            node->role = ROLE_NONE;
            simnode_bus_begins(node, bus->now);
        }
        if (node->phase == SIMNODE_ON)
            simnode_bus_error(node, sends ? CAN_ERR_PROT_TX | CAN_ERR_PROT_BIT1 : CAN_ERR_PROT_STUFF,
                              CAN_ERR_PROT_LOC_UNSPEC);
    }
    count_all(bus, CONFINEMENT_SEND_ERROR, CONFINEMENT_RECEIVE_ERROR);
    schedule(bus);
}

void simbus_jam_goes_on(struct simbus *bus)
{
    if (jammed_until(bus) > bus->now) {
        count_all(bus, CONFINEMENT_SENDER_STUCK, CONFINEMENT_RECEIVER_STUCK);
        schedule(bus);
        return;
    }
    bus->phase = SIMBUS_IDLE;
    bus->next_at = bus->now + simbus_span(JOIN_BITS, bus->bit_ps);
    bus->counts.busy_ns += bus->next_at - bus->began;
    for (struct simnode *node = bus->nodes; node; node = node->next) {
        node->role = ROLE_NONE;
        simnode_bus_ends(node, bus->now);
    }
}
