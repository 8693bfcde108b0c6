/* daemon/simulator_parts.h - what simulator.c (frames and time) and simulator_links.c (interfaces, buses, faults) share. */
#ifndef DAEMON_SIMULATOR_PARTS_H
#define DAEMON_SIMULATOR_PARTS_H

#include "bus/counters.h"
#include "daemon/simulator.h"

extern const struct simnode_ops simulator_node_ops;

static inline struct bus_counters *simulator_counters(const struct sim_port *port)
{
    return &port->simulator->bus->data->counters[port->index][RING_OWNER_DAEMON % COUNTER_SHARDS];
}

/* Gives the controller the next frame, if it has none. While it is off, drops them all. */
void simulator_feed(struct sim_port *port, uint64_t at);
void simulator_on_queue(struct loop_source *source, uint32_t events);
void simulator_on_clock(struct loop_source *source, uint32_t events);
/* From now on the wire's time goes so fast. */
void simulator_set_pace(struct sim_wire *wire, uint32_t speed);
/* What of it the next worker is to know. */
void simulator_save_wire(const struct simulator *simulator, const struct sim_wire *wire);
/* After bus off. */
void simulator_restart_port(struct sim_port *port, uint64_t at);
void simulator_set_carrier(struct sim_port *port, bool carrier);
void simulator_empty_queue(struct sim_port *port);
/* The frame that the controller had: its sender's buffer is no longer charged with it. */
void simulator_uncharge(struct sim_port *port);
/* simulator_stamp.c: the controller has taken its frame; has sent it. For senders that want to know when. */
void simulator_stamp_taken(const struct sim_port *port, uint64_t time_ns);
void simulator_stamp_sent(const struct sim_port *port, uint64_t time_ns);
/* No longer cut off, now and later. */
void simulator_mend(struct sim_port *port);

#endif
