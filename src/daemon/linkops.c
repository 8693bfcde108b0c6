/* daemon/linkops.c - changing interfaces; see linkops.h.
 *
 * Every step works on a struct device, stores it, and then sends what follows from it. A step that may change the carrier of
 * the other end loads and stores that, too; what a carrier change brings about (operstate, one more RTM_NEWLINK) comes after
 * the step's own message, as the kernel's deferred link watch does it. */
#include "daemon/linkops.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include "bus/slot.h"
#include "drivers/can.h"
#include "netlink/rtcan.h"

#define CHANGE_ALL   0xffffffffu
#define INET_MTU_MIN 68u    /* an interface that cannot carry IPv4's smallest packet has no IPv4 settings */
#define TXQLEN_MAX   32767u /* of a change; creation takes any, as it does any mtu */
#define QUEUES_MAX   4096u
#define SETTABLE_FLAGS                                                                                       \
    ((uint32_t)(IFF_DEBUG | IFF_NOTRAILERS | IFF_NOARP | IFF_DYNAMIC | IFF_MULTICAST | IFF_PORTSEL |         \
                IFF_AUTOMEDIA))

/* ---- messages -------------------------------------------------------------------------------------------------- */

/* A "noop" takes frames and sends none: before an interface was up for the first time, and while a controller is off the bus. */
static const char *qdisc_of(const struct device *dev)
{
    if (!dev->been_up || (dev->can && !dev->carrier)) return "noop";
    return dev->can ? "pfifo_fast" : "noqueue";
}

static void describe_controller(const struct linkserver *server, const struct device *dev,
                                struct rtlink_info *out)
{
    static struct rtcan_info info; /* the daemon has one thread */

    info = (struct rtcan_info){
        .nominal = dev->can->nominal,
        .data = dev->can->data,
        .nominal_limits = &can_nominal_limits,
        .data_limits = &can_data_limits,
        .clock_hz = CAN_CLOCK_HZ,
        .state = CAN_STATE_STOPPED,
        .modes = dev->can->modes,
        .supported_modes = CAN_SUPPORTED_MODES,
        .restart_ms = dev->can->restart_ms,
        .termination = (uint16_t)dev->can->termination,
        .terminations = can_terminations,
        .terminations_count = CAN_TERMINATIONS,
        .tdc = { dev->can->tdc.value, dev->can->tdc.offset, dev->can->tdc.filter },
        .tdc_min = { can_tdc_limits.min.value, can_tdc_limits.min.offset, can_tdc_limits.min.filter },
        .tdc_max = { can_tdc_limits.max.value, can_tdc_limits.max.offset, can_tdc_limits.max.filter },
    };
    if (server->controllers)
        server->controllers->describe(server->controllers_context, dev, &info, &out->stats);
    out->can = &info;
}

void linkops_describe(const struct linkserver *server, const struct device *dev, struct rtlink_info *out)
{
    *out = (struct rtlink_info){
        .ifindex = dev->ifindex,
        .flags = device_visible_flags(dev),
        .txqlen = dev->txqlen,
        .mtu = dev->mtu,
        .group = dev->group,
        .promiscuity = dev->promiscuity,
        .allmulti = dev->allmulti,
        .carrier_up_count = dev->carrier_up_count,
        .carrier_down_count = dev->carrier_down_count,
        .operstate = device_visible_operstate(dev),
        .linkmode = dev->linkmode,
        .carrier = dev->carrier,
        .proto_down = dev->proto_down,
        .qdisc = qdisc_of(dev),
        .kind = dev->ops->kind,
        .alias = dev->alias,
        .has_link = dev->ops->paired,
        .link = dev->peer_ifindex,
        .has_inet = dev->mtu >= INET_MTU_MIN,
        .altname = dev->altname[0],
        .altname_count = DEVICE_ALTNAMES_MAX,
    };
    memcpy(out->name, dev->name, sizeof out->name);
    linktable_stats(server, dev->index, &out->stats);
    if (dev->can) describe_controller(server, dev, out);
}

static void send_event(struct linkop *op, const struct rtlink_head *head, const struct rtlink_info *info)
{
    static _Alignas(8) unsigned char message[RTLINK_MESSAGE_MAX]; /* the daemon has one thread */
    if (!op->server->event) return;
    size_t size = rtlink_build(message, head, info);
    op->server->event(op->server->context, message, size);
}

static void notify(struct linkop *op, const struct device *dev, uint32_t change)
{
    const struct rtlink_head head = { .type = RTM_NEWLINK };
    struct rtlink_info info;
    linkops_describe(op->server, dev, &info);
    info.change = change;
    send_event(op, &head, &info);
}

void linkops_notify_change(struct linkop *op, const struct device *dev)
{
    if (dev->flags & IFF_UP) notify(op, dev, 0);
}

int linkops_refuse(struct linkop *op, int error, const char *text)
{
    op->fault->text = text;
    return error;
}

/* ---- up, down and the other flags ------------------------------------------------------------------------------ */

static struct device *load_peer(const struct linkop *op, const struct device *dev, struct device *peer)
{
    if (!dev->peer_ifindex || linktable_by_ifindex(op->server, dev->peer_ifindex, peer) < 0) return NULL;
    return peer;
}

/* What follows from a carrier that changed, once the change itself was told. */
static void settle_carrier(struct linkop *op, struct device *dev)
{
    if (!dev || !dev->carrier_event) return;
    dev->carrier_event = false;
    device_update_operstate(dev);
    linktable_store(op->server, dev);
    linkops_notify_change(op, dev);
}

static void toggle(uint32_t *flags, uint32_t bit, uint32_t *count)
{
    *flags ^= bit;
    *count += *flags & bit ? 1u : UINT32_MAX; /* one more, or one less */
}

/* Brings dev->flags to what is asked, through the driver. Stores nothing. */
static int apply_flags(struct device *dev, struct device *peer, uint32_t flags)
{
    uint32_t differ = dev->flags ^ flags;
    if (differ & flags & IFF_UP) {
        int error = dev->ops->open(dev, peer);
        if (error) return error;
        dev->been_up = true;
    } else if (differ & IFF_UP) {
        dev->ops->stop(dev, peer);
    }
    dev->flags ^= differ & (SETTABLE_FLAGS | IFF_UP);
    if (differ & IFF_PROMISC) toggle(&dev->flags, IFF_PROMISC, &dev->promiscuity);
    if (differ & IFF_ALLMULTI) toggle(&dev->flags, IFF_ALLMULTI, &dev->allmulti);
    return 0;
}

/* The controller follows its interface. */
static void switch_controller(const struct linkop *op, const struct device *dev)
{
    const struct link_controllers *controllers = op->server->controllers;

    if (!dev->can || !controllers) return;
    if (dev->flags & IFF_UP)
        controllers->start(op->server->controllers_context, dev);
    else
        controllers->stop(op->server->controllers_context, dev);
}

int linkops_set_flags(struct linkop *op, struct device *dev, uint32_t flags)
{
    struct device peer_copy, *peer = load_peer(op, dev, &peer_copy);
    uint32_t before = dev->flags;
    int error = apply_flags(dev, peer, flags);
    if (error) return error;
    uint32_t change = before ^ dev->flags;
    if (!change) return 0;
    linktable_store(op->server, dev);
    if (change & IFF_UP) switch_controller(op, dev);
    if (peer && peer->carrier_event) linktable_store(op->server, peer);
    if (change & before & IFF_UP)
        slot_link_down(op->server->bus, dev->index, (uint32_t)dev->ifindex, false, op->server->token_fd);
    notify(op, dev, change);
    settle_carrier(op, dev);
    settle_carrier(op, peer);
    return 0;
}

/* The flags that ifi_flags and ifi_change ask for. A change mask of 0 means all of them, as it always did. */
uint32_t linkops_wanted_flags(const struct device *dev, const struct rtlink_attrs *attrs)
{
    if (!attrs->change) return attrs->flags;
    return (attrs->flags & attrs->change) | (dev->flags & ~attrs->change);
}

/* ---- single settings ------------------------------------------------------------------------------------------- */

static int check_mtu_range(struct linkop *op, uint32_t mtu)
{
    return mtu > INT_MAX ? linkops_refuse(op, -EINVAL, "mtu less than device minimum") : 0;
}

int linkops_set_mtu(struct linkop *op, struct device *dev, uint32_t mtu)
{
    struct rtlink_info info;
    const struct rtlink_head head = { .type = RTM_NEWLINK };
    if (mtu == dev->mtu) return 0;
    int error = check_mtu_range(op, mtu);
    if (!error) error = dev->ops->check_mtu(dev, mtu);
    if (error) return error;
    bool had_inet = dev->mtu >= INET_MTU_MIN;
    dev->mtu = mtu;
    linktable_store(op->server, dev);
    linkops_describe(op->server, dev, &info);
    info.has_inet = had_inet; /* IPv4 hears of it after rtnetlink */
    send_event(op, &head, &info);
    return 0;
}

int linkops_set_txqlen(struct linkop *op, struct device *dev, uint32_t txqlen)
{
    if (txqlen == dev->txqlen) return 0;
    if (txqlen > TXQLEN_MAX) return -ERANGE;
    dev->txqlen = txqlen;
    linktable_store(op->server, dev);
    notify(op, dev, 0);
    return 0;
}

int linkops_rename(struct linkop *op, struct device *dev, const char *name)
{
    if (dev->flags & IFF_UP) return -EBUSY;
    if (strcmp(name, dev->name) == 0) return 0;
    int error = linktable_pick_name(op->server, name, dev->name);
    if (error) return error;
    linktable_store(op->server, dev);
    notify(op, dev, 0);
    return 0;
}

int linkops_altname(struct linkop *op, struct device *dev, const char *name, bool add, bool *changed)
{
    unsigned slot = 0;
    const char *find = add ? "" : name;
    if (add && linktable_name_taken(op->server, name)) return -EEXIST;
    while (slot < DEVICE_ALTNAMES_MAX && strcmp(dev->altname[slot], find) != 0)
        slot++;
    if (!add && strcmp(name, dev->name) == 0) return -EINVAL;
    if (slot == DEVICE_ALTNAMES_MAX)
        return add ? linkops_refuse(op, -ENOSPC, "An interface has at most 8 alternative names") : -ENOENT;
    memset(dev->altname[slot], 0, sizeof dev->altname[slot]);
    if (add) {
        memcpy(dev->altname[slot], name, strlen(name));
    } else { /* they are listed in the order they came */
        memmove(dev->altname[slot], dev->altname[slot + 1],
                sizeof dev->altname[0] * (DEVICE_ALTNAMES_MAX - 1 - slot));
        memset(dev->altname[DEVICE_ALTNAMES_MAX - 1], 0, sizeof dev->altname[0]);
    }
    linktable_store(op->server, dev);
    *changed = true;
    return 0;
}

/* ---- deletion -------------------------------------------------------------------------------------------------- */

static void close_for_good(struct linkop *op, struct device *dev)
{
    bool was_up = dev->flags & IFF_UP;
    if (was_up) dev->ops->stop(dev, NULL);
    dev->flags &= ~(uint32_t)IFF_UP;
    linktable_store(op->server, dev);
    if (!was_up) return;
    switch_controller(op, dev);
    slot_link_down(op->server->bus, dev->index, (uint32_t)dev->ifindex, false, op->server->token_fd);
    notify(op, dev, IFF_UP | IFF_RUNNING);
}

static void unregister(struct linkop *op, struct device *dev)
{
    const struct rtlink_head head = { .type = RTM_DELLINK, .seq = op->seq, .portid = op->portid };
    struct rtlink_info info;
    dev->been_up = false;
    linkops_describe(op->server, dev, &info);
    info.has_inet = false;
    info.change = CHANGE_ALL;
    linktable_remove(op->server, dev);
    send_event(op, &head, &info);
}

int linkops_delete(struct linkop *op, struct device *dev)
{
    if (dev->ops->can_delete) linkops_remove(op, dev);
    return 0;
}

void linkops_remove(struct linkop *op, struct device *dev)
{
    struct device peer_copy, *peer = load_peer(op, dev, &peer_copy);
    dev->peer_ifindex = 0;
    if (peer) peer->peer_ifindex = 0;
    close_for_good(op, dev);
    if (peer) close_for_good(op, peer);
    unregister(op, dev);
    if (peer) unregister(op, peer);
}

/* A device that never came into being: nobody asked for its removal, so the message carries no seq. */
static void undo_create(struct linkop *op, struct device *dev)
{
    struct linkop quiet = *op;
    quiet.seq = quiet.portid = 0;
    linkops_delete(&quiet, dev);
}

/* ---- creation -------------------------------------------------------------------------------------------------- */

/* Fills in a new device from a request. The mtu is not asked about: creation takes any. */
static int make_device(struct linkop *op, const struct device_ops *ops, const struct rtlink_attrs *attrs,
                       struct device *dev)
{
    bool tx_bad = attrs->has & RTLINK_NUM_TX_QUEUES && attrs->num_tx_queues - 1 >= QUEUES_MAX;
    bool rx_bad = attrs->has & RTLINK_NUM_RX_QUEUES && attrs->num_rx_queues - 1 >= QUEUES_MAX;
    if (tx_bad) return linkops_refuse(op, -EINVAL, "Invalid number of transmit queues");
    if (rx_bad) return linkops_refuse(op, -EINVAL, "Invalid number of receive queues");
    *dev = (struct device){ .ops = ops };
    ops->setup(dev);
    if (attrs->has & RTLINK_MTU) {
        int error = check_mtu_range(op, attrs->mtu);
        if (error) return error;
        dev->mtu = attrs->mtu;
    }
    if (attrs->has & RTLINK_TXQLEN) dev->txqlen = attrs->txqlen;
    if (attrs->has & RTLINK_OPERSTATE) linkops_set_operstate(dev, attrs->operstate);
    if (attrs->has & RTLINK_LINKMODE) dev->linkmode = attrs->linkmode;
    if (attrs->has & RTLINK_GROUP) dev->group = attrs->group;
    return 0;
}

/* Gives it name and index. `name` "" means KIND%d. */
static int register_device(struct linkop *op, struct device *dev, const char *name, int32_t ifindex)
{
    char pattern[DEVICE_NAME_SIZE];
    snprintf(pattern, sizeof pattern, "%s%%d", dev->ops->kind);
    int error = linktable_pick_name(op->server, name ? name : pattern, dev->name);
    if (!error) error = linktable_place(op->server, dev, ifindex);
    if (error == -ENOSPC)
        return linkops_refuse(op, error, "No room for another interface in this pocketcan instance");
    if (!error) linktable_store(op->server, dev);
    return error;
}

/* Sets the first flags and tells the world. A device that cannot is removed again. */
static int configure(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs)
{
    struct device peer_copy, *peer = load_peer(op, dev, &peer_copy);
    int error = 0;
    if (attrs->flags || attrs->change) error = apply_flags(dev, peer, linkops_wanted_flags(dev, attrs));
    linktable_store(op->server, dev);
    if (error) {
        undo_create(op, dev);
        return error;
    }
    notify(op, dev, CHANGE_ALL);
    return 0;
}

/* The other end comes first, from its own attributes if there are any and otherwise from the same ones. */
static int create_peer(struct linkop *op, const struct rtlink_request *request, const struct device_ops *ops,
                       struct device *peer)
{
    static const struct rtlink_attrs no_flags;
    bool described = request->link.has & RTLINK_PEER;
    const struct rtlink_attrs *attrs = described ? &request->peer : &request->link;
    bool named = described && attrs->has & RTLINK_IFNAME;
    int error = make_device(op, ops, attrs, peer);
    if (!error)
        error = register_device(op, peer, named ? attrs->ifname : NULL, described ? attrs->ifindex : 0);
    if (!error) error = configure(op, peer, described ? attrs : &no_flags);
    return error;
}

static void join(struct linkop *op, struct device *dev, struct device *peer)
{
    dev->peer_ifindex = peer->ifindex;
    peer->peer_ifindex = dev->ifindex;
    linktable_store(op->server, dev);
    linktable_store(op->server, peer);
}

static int create_checks(struct linkop *op, const struct rtlink_attrs *attrs, const struct device_ops *ops)
{
    bool hardware = strcmp(attrs->kind, "can") == 0; /* made by its driver only */
    if (attrs->has & (RTLINK_MAP | RTLINK_PROTINFO)) return -EOPNOTSUPP;
    if (!ops && !hardware) return linkops_refuse(op, -EOPNOTSUPP, "Unknown device type");
    if (!ops || !ops->can_create) return -EOPNOTSUPP;
    return attrs->has & RTLINK_NET_NS ? linkops_refuse_net_ns(op) : 0;
}

int linkops_create(struct linkop *op, const struct rtlink_request *request)
{
    const struct rtlink_attrs *attrs = &request->link;
    const struct device_ops *ops = device_find_kind(attrs->kind);
    struct device dev, peer;
    int error = create_checks(op, attrs, ops);
    if (!error) error = make_device(op, ops, attrs, &dev);
    if (!error && ops->paired) error = create_peer(op, request, ops, &peer);
    if (error) return error;
    error = register_device(op, &dev, attrs->has & RTLINK_IFNAME ? attrs->ifname : NULL, attrs->ifindex);
    if (error) {
        if (ops->paired) undo_create(op, &peer);
        return error;
    }
    if (ops->paired) join(op, &dev, &peer);
    error = configure(op, &dev, attrs);
    if (!error && attrs->has & RTLINK_MASTER) {
        error = linkops_check_master(op, attrs->master);
        if (error) undo_create(op, &dev);
    }
    return error;
}

int linkops_add(struct linkop *op, const struct device_ops *ops, const char *name, struct device *dev)
{
    const struct rtlink_attrs none = { 0 };
    int error = make_device(op, ops, &none, dev);
    if (!error) error = register_device(op, dev, name, 0);
    if (error) return error;
    linktable_load(op->server, dev->index, dev);
    notify(op, dev, CHANGE_ALL);
    return 0;
}

void linkops_carrier(struct linkop *op, struct device *dev, bool carrier)
{
    device_set_carrier(dev, carrier);
    settle_carrier(op, dev);
}
