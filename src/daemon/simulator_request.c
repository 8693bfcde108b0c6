/* daemon/simulator_request.c - CTL_BUS: what the command asks of simulated buses, as JSON; see docs/simulator.md. Checks everything: the text comes from
 * a client. */
/* prefix: simulator_ */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/linktable.h"
#include "daemon/simulator.h"

static const char *const kind_names[SIMFAULT_KINDS + 1] = {
    [SIM_CUT] = "cut",          [SIMFAULT_BIT] = "bit",         [SIMFAULT_STUFF] = "stuff",
    [SIMFAULT_FORM] = "form",   [SIMFAULT_CRC] = "crc",         [SIMFAULT_ACK] = "ack",
    [SIMFAULT_LOST] = "lost",   [SIMFAULT_CORRUPT] = "corrupt", [SIMFAULT_OVERRUN] = "overrun",
    [SIMFAULT_DELAY] = "delay", [SIMFAULT_BABBLE] = "babble",   [SIMFAULT_DOMINANT] = "dominant",
};

static const char *const state_names[] = { "ERROR-ACTIVE", "ERROR-WARNING", "ERROR-PASSIVE",
                                           "BUS-OFF",      "STOPPED",       "SLEEPING" };

static const char *text_of(const json_t *request, const char *key)
{
    const char *text = json_string_value(json_object_get(request, key));
    return text ? text : "";
}

/* False when it is there and no number from 0 on; *out stays when it is not there. */
static bool number_of(const json_t *request, const char *key, uint64_t *out)
{
    const json_t *value = json_object_get(request, key);

    if (!value) return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

/* ---- buses and interfaces ------------------------------------------------------------------------------------------ */

static int speed_of(const json_t *request, uint32_t *out)
{
    uint64_t speed = 1;

    if (!number_of(request, "speed", &speed) || speed > WIRE_SPEED_MAX) return -EINVAL;
    *out = (uint32_t)speed;
    return 0;
}

static int bus_add(struct simulator *simulator, const json_t *request, json_t *answer)
{
    uint32_t speed;
    int error = speed_of(request, &speed);
    (void)answer;
    return error ? error : simulator_add_wire(simulator, text_of(request, "bus"), speed);
}

static int bus_set(struct simulator *simulator, const json_t *request, json_t *answer)
{
    uint32_t speed;
    int error = speed_of(request, &speed);
    (void)answer;
    return error ? error : simulator_set_speed(simulator, text_of(request, "bus"), speed);
}

static int bus_remove(struct simulator *simulator, const json_t *request, json_t *answer)
{
    (void)answer;
    return simulator_remove_wire(simulator, text_of(request, "bus"));
}

static int link_add(struct simulator *simulator, const json_t *request, json_t *answer)
{
    (void)answer;
    return simulator_add_link(simulator, text_of(request, "link"), text_of(request, "bus"));
}

static int link_remove(struct simulator *simulator, const json_t *request, json_t *answer)
{
    (void)answer;
    return simulator_remove_link(simulator, text_of(request, "link"));
}

/* ---- what there is ------------------------------------------------------------------------------------------------- */

static void set(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)(value & INT64_MAX)));
}

static const char *name_of(const struct sim_port *port)
{
    static struct device dev; /* the daemon has one thread */
    return linktable_load(port->simulator->links, port->index, &dev) ? dev.name : "";
}

static json_t *show_port(const struct sim_port *port)
{
    const struct simnode *node = &port->node;
    const struct simnode_counts *counts = &node->counts;
    json_t *shown = json_object();

    json_object_set_new(shown, "name", json_string(name_of(port)));
    json_object_set_new(shown, "state", json_string(state_names[node->state]));
    set(shown, "bitrate", node->settings.nominal.bitrate);
    set(shown, "tec", node->errors.tec);
    set(shown, "rec", node->errors.rec);
    set(shown, "tx_frames", counts->tx_frames);
    set(shown, "rx_frames", counts->rx_frames);
    set(shown, "tx_errors", counts->tx_errors);
    set(shown, "rx_errors", counts->rx_errors);
    set(shown, "arbitration_lost", counts->arbitration_lost);
    set(shown, "overruns", counts->overruns);
    set(shown, "busy_ns", counts->busy_ns);
    set(shown, "latency_ns", counts->tx_frames ? counts->latency_ns / counts->tx_frames : 0);
    set(shown, "latency_max_ns", counts->latency_most_ns);
    return shown;
}

static json_t *show_wire(struct simulator *simulator, const struct sim_wire *wire)
{
    json_t *shown = json_object(), *interfaces = json_array();
    uint64_t now = simulator_now(wire);

    json_object_set_new(shown, "name", json_string(wire->name));
    set(shown, "speed", wire->speed);
    set(shown, "time_ns", now);
    set(shown, "frames", wire->bus.counts.frames);
    set(shown, "errors", wire->bus.counts.errors);
    set(shown, "arbitration_lost", wire->bus.counts.lost_arbitration);
    set(shown, "busy_ns", wire->bus.counts.busy_ns);
    json_object_set_new(shown, "load_percent",
                        json_real(now ? 100.0 * (double)wire->bus.counts.busy_ns / (double)now : 0));
    for (uint32_t i = 0; i < LINKS_MAX; i++)
        if (simulator->port[i].wire == wire)
            json_array_append_new(interfaces, show_port(&simulator->port[i]));
    json_object_set_new(shown, "interfaces", interfaces);
    return shown;
}

static int show(struct simulator *simulator, const json_t *request, json_t *answer)
{
    const char *name = text_of(request, "bus");
    json_t *buses = json_array();

    json_object_set_new(answer, "buses", buses);
    if (name[0] && !simulator_find_wire(simulator, name)) return -ENODEV;
    for (unsigned i = 0; i < WIRES_MAX; i++) {
        const struct sim_wire *wire = &simulator->wire[i];
        if (wire->name[0] && (!name[0] || strcmp(wire->name, name) == 0))
            json_array_append_new(buses, show_wire(simulator, wire));
    }
    return 0;
}

/* ---- faults -------------------------------------------------------------------------------------------------------- */

static int find_kind(const char *name)
{
    for (int kind = 0; kind <= (int)SIM_CUT; kind++)
        if (strcmp(kind_names[kind], name) == 0) return kind;
    return -EINVAL;
}

static unsigned directions_of(const char *text)
{
    return strcmp(text, "tx") == 0   ? SIMFAULT_TX
           : strcmp(text, "rx") == 0 ? SIMFAULT_RX
                                     : SIMFAULT_TX | SIMFAULT_RX;
}

static int fault_add(struct simulator *simulator, const json_t *request, json_t *answer)
{
    struct sim_port *port = simulator_find_port(simulator, text_of(request, "link"));
    uint64_t id = 0, mask = 0, from = 0, span = 0, seed = 0, count = 0, extra = 0;
    double chance = 1;
    int kind = find_kind(text_of(request, "kind"));

    if (!port) return -ENODEV;
    if (kind < 0 || !number_of(request, "id", &id) || !number_of(request, "mask", &mask) ||
        !number_of(request, "from_ns", &from) || !number_of(request, "for_ns", &span) ||
        !number_of(request, "seed", &seed) || !number_of(request, "count", &count) ||
        !number_of(request, "extra_ns", &extra) || id > UINT32_MAX || mask > UINT32_MAX)
        return -EINVAL;
    if (json_object_get(request, "chance")) chance = json_number_value(json_object_get(request, "chance"));
    if (!(chance > 0 && chance <= 1)) return -EINVAL;
    uint64_t start = simulator_now(port->wire) + from;
    struct simfault fault = {
        .kind = (enum simfault_kind)kind,
        .directions = directions_of(text_of(request, "direction")),
        .id = (uint32_t)id,
        .mask = (uint32_t)mask,
        .from = start,
        .until = span ? start + span : SIMBUS_NEVER,
        .chance = chance < 1 ? (uint32_t)(chance * 4294967296.0) | 1u : 0,
        .random = seed,
        .left = count,
        .extra_ns = extra,
    };
    if ((fault.kind == SIMFAULT_DELAY && fault.directions == SIMFAULT_RX) ||
        (fault.kind == SIMFAULT_OVERRUN && fault.directions == SIMFAULT_TX))
        return -EINVAL; /* would never happen */
    int number = simulator_add_fault(simulator, port, &fault);
    if (number < 0) return number;
    set(answer, "number", (uint64_t)number);
    return 0;
}

static int fault_remove(struct simulator *simulator, const json_t *request, json_t *answer)
{
    uint64_t number = 0;

    (void)answer;
    if (!number_of(request, "number", &number) || number > UINT32_MAX) return -EINVAL;
    return simulator_remove_fault(simulator, (unsigned)number);
}

static int fault_show(struct simulator *simulator, const json_t *request, json_t *answer)
{
    static const char *const directions[] = { "", "tx", "rx", "both" };
    json_t *faults = json_array();

    (void)request;
    json_object_set_new(answer, "faults", faults);
    for (const struct sim_fault *at = simulator->faults; at; at = at->next) {
        json_t *shown = json_object();
        set(shown, "number", load_relaxed(&at->number));
        json_object_set_new(shown, "link", json_string(name_of(at->port)));
        json_object_set_new(shown, "kind", json_string(kind_names[at->fault.kind]));
        json_object_set_new(shown, "direction", json_string(directions[at->fault.directions & 3]));
        set(shown, "id", at->fault.id);
        set(shown, "mask", at->fault.mask);
        json_object_set_new(shown, "chance",
                            json_real(at->fault.chance ? at->fault.chance / 4294967296.0 : 1));
        set(shown, "left", at->fault.left);
        set(shown, "hits", at->fault.hits);
        json_array_insert_new(faults, 0, shown);
    }
    return 0;
}

/* -------------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(struct simulator *simulator, const json_t *request, json_t *answer);
} operations[] = {
    { "bus-add", bus_add },     { "bus-set", bus_set },        { "bus-del", bus_remove },
    { "link-add", link_add },   { "link-del", link_remove },   { "show", show },
    { "fault-add", fault_add }, { "fault-del", fault_remove }, { "fault-show", fault_show },
};

static int run(struct simulator *simulator, const json_t *request, json_t *answer)
{
    const char *name = text_of(request, "op");

    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, name) == 0) return operations[i].run(simulator, request, answer);
    return -EOPNOTSUPP;
}

long simulator_request(struct simulator *simulator, const char *text, size_t size, char *reply, size_t cap)
{
    json_t *request = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL), *answer = json_object();
    long result = request && answer ? run(simulator, request, answer) : -EINVAL;

    if (result == 0) {
        size_t length = json_dumpb(answer, reply, cap, JSON_COMPACT);
        result = length <= cap ? (long)length : -EMSGSIZE;
    }
    json_decref(answer);
    json_decref(request);
    return result;
}
