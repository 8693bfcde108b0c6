/* cli/status_model.c - reads the state of an instance.
 *
 * Interfaces come from `control`, which only the daemon writes; sockets, filters and counters from `data`,
 * which every client can write: each number is read once, bounded, and believed no further than to print
 * it. The command of a socket's owner is looked up in /proc, where the process must belong to the user the
 * slot names. */
#include "cli/status_model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bus/counters.h"
#include "bus/attach.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "config.h"
#include "daemon/start.h"

#define COMMAND_SIZE 32

/* ---- interfaces
 * ----------------------------------------------------------------------------------------------- */

static void add_counters(json_t *link, const struct data *data, uint32_t index)
{
    struct link_counts sum = counters_sum(data, index);
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        { "rx_packets", sum.rx_packets }, { "rx_bytes", sum.rx_bytes }, { "rx_dropped", sum.rx_dropped },
        { "tx_packets", sum.tx_packets }, { "tx_bytes", sum.tx_bytes }, { "tx_dropped", sum.tx_dropped },
    };
    for (unsigned i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        json_object_set_new(link, counters[i].name,
                            json_integer((json_int_t)(counters[i].value & INT64_MAX)));
}

static json_t *text_or_null(const char *text)
{
    json_t *value = json_string(text); /* NULL when it is no UTF-8 */
    return value ? value : json_null();
}

static json_t *collect_links(const struct bus *bus)
{
    json_t *links = json_array();
    struct link_view view, peer;

    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        if (links_get(bus->control, index, &view) < 0) continue;
        json_t *link = json_object();
        json_object_set_new(link, "name", text_or_null(view.name));
        json_object_set_new(link, "ifindex", json_integer(view.ifindex));
        json_object_set_new(link, "kind", json_string(links_kind_name(link_state_kind(view.state))));
        json_object_set_new(link, "mtu", json_integer(view.mtu));
        json_object_set_new(link, "up", json_boolean(view.flags & IFF_UP));
        if (view.peer_ifindex && links_by_ifindex(bus->control, (uint32_t)view.peer_ifindex, &peer) == 0)
            json_object_set_new(link, "peer", text_or_null(peer.name));
        add_counters(link, bus->data, index);
        json_array_append_new(links, link);
    }
    return links;
}

/* ---- sockets
 * -------------------------------------------------------------------------------------------------- */

void status_model_filter(char out[STATUS_FILTER_SIZE], uint32_t id, uint32_t mask)
{
    char sign = id & CAN_INV_FILTER ? '~' : ':';
    uint32_t plain = id & ~(CAN_INV_FILTER | CAN_EFF_FLAG);
    snprintf(out, STATUS_FILTER_SIZE, id & CAN_EFF_FLAG ? "%08X%c%03X" : "%03X%c%03X", plain, sign, mask);
}

static json_t *collect_filters(const struct bus *bus, uint32_t slot)
{
    static struct can_filter filters[FILTERS_MAX];
    json_t *list = json_array();
    uint32_t count = slot_get_filters(bus, slot, filters);

    for (uint32_t i = 0; i < count && i < FILTERS_MAX; i++) {
        char text[STATUS_FILTER_SIZE];
        status_model_filter(text, filters[i].can_id, filters[i].can_mask);
        json_array_append_new(list, json_string(text));
    }
    uint32_t errors = load_relaxed(&bus->data->slot[slot].err_mask);
    if (errors) {
        char text[STATUS_FILTER_SIZE];
        snprintf(text, sizeof(text), "#%08X", errors);
        json_array_append_new(list, json_string(text));
    }
    if (load_relaxed(&bus->data->slot[slot].option[OPT_JOIN])) json_array_append_new(list, json_string("j"));
    return list;
}

/* The name of process `pid` as long as it is one of `uid`; only what can be printed of it. */
static json_t *command_of(uint32_t pid, uint32_t uid)
{
    char path[64], name[COMMAND_SIZE];
    struct stat st;

    snprintf(path, sizeof(path), "/proc/%u", pid);
    if (!pid || stat(path, &st) < 0 || st.st_uid != uid) return json_null();
    snprintf(path, sizeof(path), "/proc/%u/comm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return json_null();
    ssize_t size = read(fd, name, sizeof(name) - 1);
    close(fd);
    while (size > 0 && name[size - 1] == '\n')
        size--;
    for (ssize_t i = 0; i < size; i++)
        if (name[i] < ' ' || name[i] > '~') name[i] = '?';
    name[size > 0 ? size : 0] = 0;
    return json_string(name);
}

/* The name of the interface that the socket is bound to, "any", or null. */
static json_t *bound_to(const struct bus *bus, const struct bus_slot *slot)
{
    uint32_t ifindex = load_relaxed(&slot->ifindex);
    struct link_view view;

    if (!load_relaxed(&slot->bound)) return json_null();
    if (!ifindex) return json_string("any");
    return links_by_ifindex(bus->control, ifindex, &view) == 0 ? text_or_null(view.name) : json_null();
}

static json_t *collect_socket(const struct bus *bus, uint32_t number)
{
    const struct bus_slot *slot = &bus->data->slot[number];
    uint32_t pid = load_relaxed(&slot->owner_pid), uid = load_relaxed(&slot->owner_uid);
    uint64_t tail = load_relaxed(&slot->tail), queued = load_relaxed(&slot->head) - tail;
    json_t *socket = json_object();

    json_object_set_new(socket, "slot", json_integer(number));
    json_object_set_new(socket, "pid", json_integer(pid));
    json_object_set_new(socket, "uid", json_integer(uid));
    json_object_set_new(socket, "command", command_of(pid, uid));
    json_object_set_new(
        socket, "door",
        json_string(load_relaxed(&slot->door) == SLOT_DOOR_SUPERVISOR ? "supervisor" : "preload"));
    json_object_set_new(socket, "interface", bound_to(bus, slot));
    json_object_set_new(socket, "filters", collect_filters(bus, number));
    json_object_set_new(socket, "queued",
                        json_integer(queued > RING_SLOTS ? RING_SLOTS : (json_int_t)queued));
    json_object_set_new(socket, "drops", json_integer(load_relaxed(&slot->drops)));
    json_object_set_new(socket, "rx_frames",
                        json_integer((json_int_t)(load_relaxed(&slot->rx_frames) & INT64_MAX)));
    json_object_set_new(socket, "tx_frames",
                        json_integer((json_int_t)(load_relaxed(&slot->tx_frames) & INT64_MAX)));
    return socket;
}

/* A queue of the worker's own, which is no socket of a program. */
static bool is_inbox(const struct bus *bus, uint32_t slot)
{
    return load_relaxed(&bus->data->slot[slot].rx_flags) & RX_INBOX;
}

static json_t *collect_sockets(const struct bus *bus)
{
    json_t *sockets = json_array();
    uint32_t high = load_relaxed(&bus->data->slots_high);

    for (uint32_t slot = 0; slot < high && slot < SOCKETS_MAX; slot++)
        if ((load_relaxed(&bus->data->life[slot]) & 3) == SLOT_OPEN && !is_inbox(bus, slot))
            json_array_append_new(sockets, collect_socket(bus, slot));
    return sockets;
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------ */

static json_t *collect_daemon(const char *dir, const struct ctl_status *status)
{
    json_t *root = json_object();
    json_object_set_new(root, "instance", text_or_null(dir));
    json_object_set_new(root, "version", json_string(POCKETCAN_VERSION));
    json_object_set_new(root, "supervisor_pid", json_integer(status->supervisor_pid));
    json_object_set_new(root, "worker_pid", json_integer(status->worker_pid));
    json_object_set_new(root, "worker_restarts", json_integer(status->worker_restarts));
    json_object_set_new(root, "started", json_real((double)status->started_ns / 1e9));
    return root;
}

int status_model_collect(struct instance *instance, json_t **out)
{
    struct bus bus = { .dir = instance->dir, .dir_size = strlen(instance->dir) };
    struct ctl_status status = { 0 };
    int fds[2];

    int error = daemon_hello(instance, fds);
    if (error) return error;
    error = attach_map(&bus, fds[0], fds[1], false);
    close(fds[0]);
    close(fds[1]);
    if (!error)
        error = ctl_call(instance->dir, CTL_STATUS, NULL, 0, -1, &status, sizeof(status), NULL, NULL, 0);
    if (error)
        return instance_fail(instance, error, "the daemon of %s gave no status: %s", instance->dir,
                             strerror(-error));
    *out = collect_daemon(instance->dir, &status);
    json_object_set_new(*out, "interfaces", collect_links(&bus));
    json_object_set_new(*out, "sockets", collect_sockets(&bus));
    return 0;
}
