/* daemon/simulator_stamp.c - transmit time stamps (SO_TIMESTAMPING) of frames that go through a controller; see simulator.h.
 *
 * The sender's call marked the frame (sockets/txstamp.c); what its socket says by now about how it wants to be told counts, as on Linux: whether the message has
 * the frame in it, or its number, and whether one that waits for the controller's time wants the driver's, too. Both times are those of the bus. */
/* prefix: simulator_ */
#include "daemon/simulator_parts.h"

#include <time.h>
#include "bus/errqueue.h"

#include <linux/errqueue.h> /* needs time.h */
#include <linux/net_tstamp.h>

/* Where the frame came from: what the record says is not to be trusted. NULL: it is gone. */
static struct bus_slot *origin_of(const struct sim_port *port)
{
    const struct data *data = port->simulator->bus->data;

    if (port->origin >= SOCKETS_MAX || (load_acquire(&data->life[port->origin]) & 3) != SLOT_OPEN)
        return NULL;
    struct bus_slot *slot = &port->simulator->bus->data->slot[port->origin];
    return load_relaxed(&slot->gen) == port->origin_gen ? slot : NULL;
}

static void tell(const struct sim_port *port, const struct bus_slot *slot, uint64_t time_ns, bool hardware)
{
    uint32_t options = load_relaxed(&slot->option[OPT_TIMESTAMPING]);
    struct errqueue_item item;

    item.time_ns = time_ns;
    item.info = SCM_TSTAMP_SND;
    item.hardware = hardware;
    item.id = options & SOF_TIMESTAMPING_OPT_ID ? port->tell_id : 0;
    item.size = options & SOF_TIMESTAMPING_OPT_TSONLY ? 0 : port->size;
    errqueue_push(port->simulator->bus, port->origin, port->simulator->token_fd, &item, &port->frame);
}

void simulator_stamp_taken(const struct sim_port *port, uint64_t time_ns)
{
    const struct bus_slot *slot = port->tell & RECORD_TELL_TAKEN ? origin_of(port) : NULL;

    if (!slot) return;
    if ((port->tell & RECORD_TELL_SENT) &&
        !(load_relaxed(&slot->option[OPT_TIMESTAMPING]) & SOF_TIMESTAMPING_OPT_TX_SWHW))
        return;
    tell(port, slot, time_ns, false);
}

void simulator_stamp_sent(const struct sim_port *port, uint64_t time_ns)
{
    const struct bus_slot *slot = port->tell & RECORD_TELL_SENT ? origin_of(port) : NULL;

    if (slot) tell(port, slot, time_ns, true);
}
