/* daemon/simulator_links.c - buses and interfaces of the simulator: made, removed, described, taken over by a new worker; see simulator.h. */
/* prefix: simulator_ */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/if.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include "base/clock.h"
#include "daemon/linkops.h"
#include "daemon/simulator_parts.h"
#include "drivers/can.h"
#include "netlink/rtcan.h"

/* What of a wire outlives the worker: twice, because it may be killed while it writes one. The one that was written last has the higher number; 0 is for one
 * that is being written. */
struct saved_wire {
    atomic_u64 number;
    char name[WIRE_NAME_SIZE];
    uint32_t speed;
    uint64_t bus_start, mono_start, real_start, bus_now; /* its time goes on while nobody runs it */
    struct simbus_counts counts;
};
_Static_assert(2 * sizeof(struct saved_wire) <= WIRE_SIZE, "room for a wire");

static struct saved_wire *saved_wires(const struct simulator *simulator, size_t index)
{
    return (struct saved_wire *)(void *)simulator->links->control->wire[index];
}

/* ---- what the link server asks ------------------------------------------------------------------------------------- */

static void start_controller(void *context, const struct device *dev)
{
    struct simulator *simulator = context;
    struct sim_port *port = &simulator->port[dev->index];

    if (!port->wire) return;
    simulator_empty_queue(port);
    port->node.settings = (struct simnode_settings){ .clock_hz = CAN_CLOCK_HZ,
                                                     .nominal = dev->can->nominal,
                                                     .data = dev->can->data,
                                                     .modes = dev->can->modes };
    port->off = false;
    port->restart_at = SIMBUS_NEVER;
    simnode_start(&port->node, simulator_now(port->wire));
    simulator_feed(port, simulator_now(port->wire));
}

static void stop_controller(void *context, const struct device *dev)
{
    struct simulator *simulator = context;
    struct sim_port *port = &simulator->port[dev->index];

    if (!port->wire) return;
    if (port->node.pending) {
        add_relaxed(&simulator_counters(port)->tx_dropped, 1);
        port->aborted++;
    }
    simulator_uncharge(port);
    simnode_stop(&port->node, simulator_now(port->wire));
    port->restart_at = SIMBUS_NEVER;
    port->off = false;
    simulator_feed(port, simulator_now(port->wire)); /* which drops them */
}

static void restart_controller(void *context, const struct device *dev)
{
    struct simulator *simulator = context;
    struct sim_port *port = &simulator->port[dev->index];

    if (port->wire && port->node.phase == SIMNODE_BUS_OFF)
        simulator_restart_port(port, simulator_now(port->wire));
}

static void describe_controller(void *context, const struct device *dev, struct rtcan_info *info,
                                struct rtlink_stats *stats)
{
    const struct simulator *simulator = context;
    const struct sim_port *port = &simulator->port[dev->index];
    const struct simnode_counts *counts = &port->node.counts;

    if (!port->wire) return;
    info->state = port->node.state;
    info->tec = port->node.errors.tec;
    info->rec = port->node.errors.rec;
    info->stats = (struct can_device_stats){ .bus_error = counts->bus_error,
                                             .error_warning = counts->error_warning,
                                             .error_passive = counts->error_passive,
                                             .bus_off = counts->bus_off,
                                             .arbitration_lost = counts->arbitration_lost,
                                             .restarts = dev->can->restarts };
    stats->rx_errors += counts->rx_errors + counts->overruns;
    stats->rx_over_errors += counts->overruns;
    stats->tx_errors += counts->tx_errors;
    stats->tx_aborted_errors += port->aborted;
}

static const struct link_controllers controllers = {
    start_controller,
    stop_controller,
    restart_controller,
    describe_controller,
};

/* ---- making and removing ------------------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t size = strnlen(name, WIRE_NAME_SIZE);

    for (size_t i = 0; i < size; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/' || name[i] == '@' || name[i] == '%')
            return false;
    return size > 0 && size < WIRE_NAME_SIZE;
}

struct sim_wire *simulator_find_wire(struct simulator *simulator, const char *name)
{
    for (unsigned i = 0; name[0] && i < WIRES_MAX; i++)
        if (strcmp(simulator->wire[i].name, name) == 0) return &simulator->wire[i];
    return NULL;
}

struct sim_port *simulator_find_port(struct simulator *simulator, const char *name)
{
    struct device dev;
    if (linktable_by_name(simulator->links, name, &dev) < 0 || !dev.can) return NULL;
    return simulator->port[dev.index].wire ? &simulator->port[dev.index] : NULL;
}

void simulator_save_wire(const struct simulator *simulator, const struct sim_wire *wire)
{
    struct saved_wire *two = saved_wires(simulator, (size_t)(wire - simulator->wire));
    uint64_t first = load_relaxed(&two[0].number), second = load_relaxed(&two[1].number);
    struct saved_wire *to = first <= second ? &two[0] : &two[1];

    store_seq(&to->number, 0);
    atomic_signal_fence(memory_order_seq_cst); /* we may be killed anywhere */
    memcpy(to->name, wire->name, sizeof(to->name));
    to->speed = wire->speed;
    to->bus_start = wire->bus_start;
    to->mono_start = wire->mono_start;
    to->real_start = wire->real_start;
    to->bus_now = wire->bus.now;
    to->counts = wire->bus.counts;
    store_release(&to->number, (first > second ? first : second) + 1);
}

static void begin_wire(struct sim_wire *wire, const char *name, uint32_t speed)
{
    *wire = (struct sim_wire){ .mono_start = clock_mono_ns(), .real_start = clock_real_ns(), .speed = speed };
    snprintf(wire->name, sizeof(wire->name), "%s", name);
}

static void go_on_with(struct sim_wire *wire, const struct saved_wire *saved)
{
    begin_wire(wire, saved->name, saved->speed);
    wire->bus_start = saved->bus_start;
    wire->mono_start = saved->mono_start;
    wire->real_start = saved->real_start;
    wire->bus.now = saved->bus_now;
    wire->bus.counts = saved->counts;
}

int simulator_add_wire(struct simulator *simulator, const char *name, uint32_t speed)
{
    if (!is_name(name) || speed > WIRE_SPEED_MAX) return -EINVAL;
    if (simulator_find_wire(simulator, name)) return -EEXIST;
    for (unsigned i = 0; i < WIRES_MAX; i++) {
        if (simulator->wire[i].name[0]) continue;
        begin_wire(&simulator->wire[i], name, speed);
        simulator_save_wire(simulator, &simulator->wire[i]);
        return 0;
    }
    return -ENOSPC;
}

int simulator_remove_wire(struct simulator *simulator, const char *name)
{
    struct sim_wire *wire = simulator_find_wire(simulator, name);

    if (!wire) return -ENODEV;
    if (wire->bus.nodes || wire->cuts) return -EBUSY;
    wire->name[0] = '\0';
    simulator_save_wire(simulator, wire);
    return 0;
}

int simulator_set_speed(struct simulator *simulator, const char *name, uint32_t speed)
{
    struct sim_wire *wire = simulator_find_wire(simulator, name);

    if (!wire) return -ENODEV;
    if (speed > WIRE_SPEED_MAX) return -EINVAL;
    simulator_set_pace(wire, speed);
    simulator_save_wire(simulator, wire);
    return 0;
}

static int open_port(struct simulator *simulator, const struct device *dev, struct sim_wire *wire)
{
    struct sim_port *port = &simulator->port[dev->index];

    *port = (struct sim_port){ .node.ops = &simulator_node_ops,
                               .simulator = simulator,
                               .index = dev->index,
                               .ifindex = (uint32_t)dev->ifindex,
                               .queue = { .bus = simulator->bus },
                               .cut_from = SIMBUS_NEVER,
                               .restart_at = SIMBUS_NEVER };
    int error = inbox_open(&port->queue);
    if (error) return error;
    port->queue.source.ready = simulator_on_queue;
    port->wire = wire;
    simulator->port_count++;
    simbus_attach(&wire->bus, &port->node);
    store_release(&simulator->links->control->links[dev->index].tx_slot,
                  (uint64_t)port->queue.gen << 32 | port->queue.slot);
    simulator_feed(port, simulator_now(wire)); /* arms it */
    return 0;
}

static struct sim_fault *fault_at(const struct simulator *simulator, unsigned i)
{
    return (struct sim_fault *)(void *)simulator->links->control->fault[i];
}
_Static_assert(sizeof(struct sim_fault) <= FAULT_SIZE && FAULT_SIZE % _Alignof(struct sim_fault) == 0,
               "room for a fault");

/* It is complete, and takes effect from now on. */
static void enter_fault(struct simulator *simulator, struct sim_fault *fault)
{
    struct sim_port *port = &simulator->port[fault->index];

    fault->port = port;
    fault->next = simulator->faults;
    simulator->faults = fault;
    if ((unsigned)fault->fault.kind == SIM_CUT) {
        port->cut_from = fault->fault.from;
        port->cut_until = fault->fault.until;
        port->wire->cuts++;
    } else {
        simnode_add_fault(&port->node, &fault->fault);
    }
}

int simulator_add_fault(struct simulator *simulator, struct sim_port *port, const struct simfault *fault)
{
    if ((unsigned)fault->kind == SIM_CUT && port->cut_from != SIMBUS_NEVER) return -EBUSY;
    for (unsigned i = 0; i < FAULTS_MAX; i++) {
        struct sim_fault *fresh = fault_at(simulator, i);
        if (load_relaxed(&fresh->number)) continue;
        fresh->fault = *fault;
        fresh->index = port->index;
        store_release(&fresh->number, ++simulator->next_fault);
        enter_fault(simulator, fresh);
        return (int)simulator->next_fault;
    }
    return -ENOSPC;
}

/* Those that an earlier worker had, in the order in which they were made: that of their numbers. */
static void take_over_faults(struct simulator *simulator)
{
    for (uint32_t last = 0, lowest; last != UINT32_MAX; last = lowest) {
        struct sim_fault *next = NULL;
        lowest = UINT32_MAX;
        for (unsigned i = 0; i < FAULTS_MAX; i++) {
            uint32_t number = load_relaxed(&fault_at(simulator, i)->number);
            if (number <= last || number >= lowest) continue;
            next = fault_at(simulator, i);
            lowest = number;
        }
        if (!next) return;
        simulator->next_fault = lowest;
        if (next->index < LINKS_MAX && simulator->port[next->index].wire)
            enter_fault(simulator, next);
        else
            store_relaxed(&next->number, 0);
    }
}

/* Takes it off the list that *link leads to. */
static void drop_fault(struct sim_fault **link)
{
    struct sim_fault *fault = *link;
    struct sim_port *port = fault->port;

    *link = fault->next;
    if ((unsigned)fault->fault.kind == SIM_CUT) {
        simulator_mend(port);
        port->wire->cuts--;
    } else {
        simnode_remove_fault(&port->node, &fault->fault);
    }
    store_release(&fault->number, 0);
}

int simulator_remove_fault(struct simulator *simulator, unsigned number)
{
    for (struct sim_fault **link = &simulator->faults; *link; link = &(*link)->next) {
        if (load_relaxed(&(*link)->number) != number) continue;
        drop_fault(link);
        return 0;
    }
    return -ENOENT;
}

static void close_port(struct sim_port *port)
{
    struct simulator *simulator = port->simulator;

    for (struct sim_fault **link = &simulator->faults; *link;)
        if ((*link)->port == port)
            drop_fault(link);
        else
            link = &(*link)->next;
    store_release(&simulator->links->control->links[port->index].tx_slot, 0);
    simbus_detach(&port->node, simulator_now(port->wire));
    inbox_close(&port->queue);
    simulator->port_count--;
    port->wire = NULL;
}

int simulator_add_link(struct simulator *simulator, const char *name, const char *wire_name)
{
    struct rtlink_fault fault = { 0 };
    struct linkop op = { .server = simulator->links, .fault = &fault };
    struct sim_wire *wire = simulator_find_wire(simulator, wire_name);
    struct device dev;

    if (!wire) return -ENODEV;
    int error = linkops_add(&op, &can_ops, name, &dev);
    if (error) return error;
    memcpy(dev.can->wire, wire->name, sizeof(dev.can->wire));
    error = open_port(simulator, &dev, wire);
    if (error) linkops_remove(&op, &dev);
    return error;
}

int simulator_remove_link(struct simulator *simulator, const char *name)
{
    struct rtlink_fault fault = { 0 };
    struct linkop op = { .server = simulator->links, .fault = &fault };
    struct sim_port *port = simulator_find_port(simulator, name);
    struct device dev;

    if (!port || !linktable_load(simulator->links, port->index, &dev)) return -ENODEV;
    linkops_remove(&op, &dev); /* stops the controller */
    close_port(port);
    return 0;
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

/* Wires and interfaces of a worker that died. Controllers that were up begin anew; one that was off the bus stays down. */
static void take_over(struct simulator *simulator)
{
    struct device dev;

    for (unsigned i = 0; i < WIRES_MAX; i++) {
        struct saved_wire *two = saved_wires(simulator, i);
        const struct saved_wire *last = &two[load_relaxed(&two[0].number) < load_relaxed(&two[1].number)];
        if (load_relaxed(&last->number) && is_name(last->name)) go_on_with(&simulator->wire[i], last);
    }
    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        if (!linktable_load(simulator->links, index, &dev) || !dev.can) continue;
        struct sim_wire *wire = simulator_find_wire(simulator, dev.can->wire);
        if (!wire || open_port(simulator, &dev, wire)) continue;
        if (dev.flags & IFF_UP) start_controller(simulator, &dev);
        if ((dev.flags & IFF_UP) && !dev.carrier) simulator_set_carrier(&simulator->port[index], true);
    }
    take_over_faults(simulator);
}

int simulator_start(struct simulator *simulator)
{
    simulator->clock_at = SIMBUS_NEVER;
    simulator->clock = (struct loop_source){ timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
                                             simulator_on_clock };
    if (simulator->clock.fd < 0) return -errno;
    int error = loop_add(&simulator->clock, EPOLLIN);
    if (error) return error;
    simulator->links->controllers = &controllers;
    simulator->links->controllers_context = simulator;
    take_over(simulator);
    return 0;
}

void simulator_stop(struct simulator *simulator)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++)
        if (simulator->port[i].wire) close_port(&simulator->port[i]);
}
