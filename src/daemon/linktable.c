/* daemon/linktable.c - writing the interface table; see linktable.h and bus/layout.h.
 *
 * An entry is FREE (ifindex 0) or USED. FREE -> USED: the fields under an odd seq, then ifindex, then the state word,
 * which makes it visible to senders. USED -> FREE: the state word first, with a new generation, then sockets are told,
 * then ifindex and fields. So a worker that dies anywhere leaves an entry that is free, or used with every field either
 * old or new; linktable_mend() makes seq even and finishes the removal of pairs. */
#include "daemon/linktable.h"

#include <errno.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include "base/sys.h"
#include "bus/counters.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "drivers/can.h"

#define NUMBERS_MAX 32768 /* as many as a kernel tries for a %d */

_Static_assert((int)DEVICE_VCAN == (int)LINK_KIND_VCAN && (int)DEVICE_VXCAN == (int)LINK_KIND_VXCAN &&
                   (int)DEVICE_CAN == (int)LINK_KIND_CAN,
               "one numbering of kinds");
_Static_assert(DEVICE_NAME_SIZE == LINK_NAME_SIZE && DEVICE_ALIAS_SIZE == LINK_ALIAS_SIZE &&
                   DEVICE_ALTNAME_SIZE == LINK_ALTNAME_SIZE && DEVICE_ALTNAMES_MAX == LINK_ALTNAMES_MAX,
               "one size of names");
_Static_assert(RTLINK_ALTNAME_SIZE == DEVICE_ALTNAME_SIZE && RTLINK_ALIAS_SIZE == DEVICE_ALIAS_SIZE,
               "of names");

_Static_assert(sizeof(struct can_config) <= CAN_CONFIG_SIZE, "room for settings");

#define HIDDEN_FLAGS ((uint32_t)(IFF_RUNNING | IFF_LOWER_UP | IFF_DORMANT)) /* follow from the other fields */

/* ---- reading --------------------------------------------------------------------------------------------------- */

bool linktable_load(const struct linkserver *server, uint32_t index, struct device *out)
{
    const struct bus_link *link = &server->control->links[index];
    uint64_t state = load_relaxed(&link->state);
    const struct device_ops *ops = device_find_number(link_state_kind(state));
    if (!load_relaxed(&link->ifindex) || !(state & LINK_PRESENT) || !ops) return false;
    *out = (struct device){
        .ops = ops,
        .index = index,
        .ifindex = (int32_t)load_relaxed(&link->ifindex),
        .peer_ifindex = link->peer_ifindex,
        .flags = link->flags & ~HIDDEN_FLAGS,
        .mtu = link->mtu,
        .txqlen = link->txqlen,
        .group = link->group,
        .promiscuity = link->promiscuity,
        .allmulti = link->allmulti,
        .carrier_up_count = link->carrier_up_count,
        .carrier_down_count = link->carrier_down_count,
        .operstate = link->operstate_up,
        .linkmode = link->linkmode,
        .carrier = link->carrier,
        .proto_down = link->proto_down,
        .been_up = link->been_up,
        .can = ops->number == DEVICE_CAN ? (struct can_config *)(void *)server->control->can_config[index]
                                         : NULL,
    };
    memcpy(out->name, link->name, sizeof out->name);
    memcpy(out->alias, link->alias, sizeof out->alias);
    memcpy(out->altname, link->altname, sizeof out->altname);
    return true;
}

int linktable_by_ifindex(const struct linkserver *server, int32_t ifindex, struct device *out)
{
    uint32_t index = links_find(server->control, (uint32_t)ifindex);
    return index < LINKS_MAX && linktable_load(server, index, out) ? 0 : -ENODEV;
}

int linktable_by_name(const struct linkserver *server, const char *name, struct device *out)
{
    struct link_view view;
    if (links_by_name(server->control, name, DEVICE_ALTNAME_SIZE, &view) < 0) return -ENODEV;
    return linktable_load(server, view.index, out) ? 0 : -ENODEV;
}

void linktable_stats(const struct linkserver *server, uint32_t index, struct rtlink_stats *out)
{
    struct link_counts sum = counters_sum(server->bus->data, index);

    *out = (struct rtlink_stats){ 0 };
    out->tx_packets = sum.tx_packets;
    out->tx_bytes = sum.tx_bytes;
    out->rx_packets = sum.rx_packets;
    out->rx_bytes = sum.rx_bytes;
    out->tx_dropped = sum.tx_dropped;
    out->rx_dropped = sum.rx_dropped;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static uint64_t pack_state(const struct linkserver *server, const struct device *dev)
{
    const struct bus_link *link = &server->control->links[dev->index];
    uint32_t peer = dev->peer_ifindex ? links_find(server->control, (uint32_t)dev->peer_ifindex) : LINKS_MAX;
    uint32_t flags = LINK_PRESENT;
    if (dev->flags & IFF_UP) flags |= LINK_UP;
    if (dev->carrier) flags |= LINK_CARRIER;
    if (dev->flags & IFF_ECHO) flags |= LINK_ECHO;
    return link_state_pack(flags, dev->ops->number, dev->mtu, peer < LINKS_MAX ? peer + 1 : 0,
                           link_state_gen(load_relaxed(&link->state)));
}

static uint32_t begin_write(struct bus_link *link)
{
    uint32_t seq = load_relaxed(&link->seq) | 1;
    store_relaxed(&link->seq, seq);
    atomic_thread_fence(memory_order_release);
    return seq;
}

static void write_fields(struct bus_link *link, const struct device *dev)
{
    uint32_t seq = begin_write(link);
    memcpy(link->name, dev->name, sizeof link->name);
    link->flags = device_visible_flags(dev);
    link->mtu = dev->mtu;
    link->txqlen = dev->txqlen;
    link->group = dev->group;
    link->promiscuity = dev->promiscuity;
    link->allmulti = dev->allmulti;
    link->carrier_up_count = dev->carrier_up_count;
    link->carrier_down_count = dev->carrier_down_count;
    link->operstate = device_visible_operstate(dev);
    link->operstate_up = dev->operstate;
    link->linkmode = dev->linkmode;
    link->carrier = dev->carrier;
    link->proto_down = dev->proto_down;
    link->been_up = dev->been_up;
    link->peer_ifindex = dev->peer_ifindex;
    memcpy(link->alias, dev->alias, sizeof link->alias);
    memcpy(link->altname, dev->altname, sizeof link->altname);
    store_relaxed(&link->tx_limit, !dev->txqlen ? 1 : dev->txqlen > RING_SLOTS ? RING_SLOTS : dev->txqlen);
    store_release(&link->seq, seq + 1);
}

static void wipe_fields(struct bus_link *link)
{
    uint32_t seq = begin_write(link);
    memset(link->name, 0, offsetof(struct bus_link, tx_slot) - offsetof(struct bus_link, name));
    store_relaxed(&link->tx_slot, 0);
    store_release(&link->seq, seq + 1);
}

static void changed(struct linkserver *server)
{
    atomic_fetch_add_explicit(&server->control->links_gen, 1, memory_order_seq_cst);
}

void linktable_store(struct linkserver *server, const struct device *dev)
{
    struct bus_link *link = &server->control->links[dev->index];
    write_fields(link, dev);
    store_release(&link->ifindex, (uint32_t)dev->ifindex);
    store_seq(&link->state, pack_state(server, dev));
    changed(server);
}

static void free_entry(struct linkserver *server, uint32_t index)
{
    struct bus_link *link = &server->control->links[index];
    uint32_t ifindex = load_relaxed(&link->ifindex);
    uint64_t state = load_relaxed(&link->state);
    if (state & LINK_PRESENT) store_seq(&link->state, link_state_pack(0, 0, 0, 0, link_state_gen(state) + 1));
    if (ifindex) slot_link_down(server->bus, index, ifindex, true, server->token_fd);
    if (ifindex && server->gone) server->gone(server->gone_context, ifindex);
    store_seq(&link->ifindex, 0);
    counters_clear(server->bus->data, index);
    wipe_fields(link);
    memset(server->control->can_config[index], 0, CAN_CONFIG_SIZE);
    changed(server);
}

void linktable_remove(struct linkserver *server, const struct device *dev) { free_entry(server, dev->index); }

/* ---- names and indexes ----------------------------------------------------------------------------------------- */

/* Asks the kernel about its own interfaces. */
static bool kernel_knows(unsigned long request, struct ifreq *ifr)
{
    long fd = sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    long result = sys_call(SYS_ioctl, fd, request, ifr);
    sys_call(SYS_close, fd);
    return result == 0;
}

/* An interface of the kernel holds the name. A CAN interface does not: an instance is a world of its own, where vcan0 is ours
 * though the machine has one, too. */
static bool kernel_has_name(const char *name)
{
    struct ifreq ifr = { 0 };

    strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
    return kernel_knows(SIOCGIFHWADDR, &ifr) && ifr.ifr_hwaddr.sa_family != ARPHRD_CAN;
}

bool linktable_name_taken(const struct linkserver *server, const char *name)
{
    struct link_view view;
    return links_by_name(server->control, name, DEVICE_ALTNAME_SIZE, &view) == 0 || kernel_has_name(name);
}

bool linktable_ifindex_taken(const struct linkserver *server, int32_t ifindex)
{
    struct ifreq ifr = { .ifr_ifindex = ifindex };
    return links_find(server->control, (uint32_t)ifindex) < LINKS_MAX || kernel_knows(SIOCGIFNAME, &ifr);
}

static bool is_name(const char *name)
{
    if (!name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return false;
    if (strnlen(name, DEVICE_NAME_SIZE) == DEVICE_NAME_SIZE) return false;
    for (; *name; name++)
        if (*name == '/' || *name == ':' || isspace((unsigned char)*name)) return false;
    return true;
}

/* Fills in the lowest number whose name is free. */
static int pick_number(const struct linkserver *server, const char *pattern, const char *percent,
                       char out[DEVICE_NAME_SIZE])
{
    char name[2 * DEVICE_NAME_SIZE] = { 0 };
    if (percent[1] != 'd' || strchr(percent + 2, '%')) return -EINVAL;
    for (int number = 0; number < NUMBERS_MAX; number++) {
        snprintf(name, sizeof name, "%.*s%d%s", (int)(percent - pattern), pattern, number, percent + 2);
        if (strlen(name) >= DEVICE_NAME_SIZE) return -EINVAL;
        if (linktable_name_taken(server, name)) continue;
        memcpy(out, name, DEVICE_NAME_SIZE);
        return 0;
    }
    return -ENFILE;
}

int linktable_pick_name(const struct linkserver *server, const char *pattern, char out[DEVICE_NAME_SIZE])
{
    if (!is_name(pattern)) return -EINVAL;
    const char *percent = strchr(pattern, '%');
    if (percent) return pick_number(server, pattern, percent, out);
    if (linktable_name_taken(server, pattern)) return -EEXIST;
    memset(out, 0, DEVICE_NAME_SIZE);
    snprintf(out, DEVICE_NAME_SIZE, "%s", pattern);
    return 0;
}

static int pick_ifindex(struct linkserver *server, int32_t wanted, int32_t *out)
{
    atomic_u32 *next = &server->control->next_ifindex;
    if (wanted > 0) {
        if (linktable_ifindex_taken(server, wanted)) return -EEXIST;
        *out = wanted;
        return 0;
    }
    uint32_t ifindex = load_relaxed(next);
    do {
        if (ifindex < LINK_IFINDEX_FIRST || ifindex >= INT32_MAX) ifindex = LINK_IFINDEX_FIRST;
    } while (linktable_ifindex_taken(server, (int32_t)ifindex) && ifindex++);
    store_relaxed(next, ifindex + 1);
    *out = (int32_t)ifindex;
    return 0;
}

/* Where links_find() looks first, or else the first free entry. */
static uint32_t find_free(const struct linkserver *server, int32_t ifindex)
{
    uint32_t guess = ((uint32_t)ifindex - LINK_IFINDEX_FIRST) % LINKS_MAX;
    if (!load_relaxed(&server->control->links[guess].ifindex)) return guess;
    for (uint32_t i = 0; i < LINKS_MAX; i++)
        if (!load_relaxed(&server->control->links[i].ifindex)) return i;
    return LINKS_MAX;
}

int linktable_place(struct linkserver *server, struct device *dev, int32_t wanted)
{
    uint32_t index =
        find_free(server, wanted > 0 ? wanted : (int32_t)load_relaxed(&server->control->next_ifindex));
    if (index == LINKS_MAX) return -ENOSPC;
    int error = pick_ifindex(server, wanted, &dev->ifindex);
    if (error) return error;
    dev->index = find_free(server, dev->ifindex);
    return 0;
}

/* ---- after a crash --------------------------------------------------------------------------------------------- */

static void mend_fields(struct bus_link *link)
{
    link->name[LINK_NAME_SIZE - 1] = '\0';
    link->alias[LINK_ALIAS_SIZE - 1] = '\0';
    for (unsigned i = 0; i < LINK_ALTNAMES_MAX; i++)
        link->altname[i][LINK_ALTNAME_SIZE - 1] = '\0';
}

/* A pair of which one end was already removed when the worker died: the removal is finished. */
static bool is_widow(const struct linkserver *server, const struct device *dev)
{
    struct device peer;
    if (!dev->ops->paired) return false;
    return !dev->peer_ifindex || linktable_by_ifindex(server, dev->peer_ifindex, &peer) < 0 ||
           peer.peer_ifindex != dev->ifindex;
}

void linktable_mend(struct linkserver *server)
{
    struct device dev;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        struct bus_link *link = &server->control->links[i];
        bool used = load_relaxed(&link->ifindex) && load_relaxed(&link->state) & LINK_PRESENT;
        if (load_relaxed(&link->seq) & 1) {
            if (used) mend_fields(link);
            store_release(&link->seq, load_relaxed(&link->seq) + 1);
        }
        if (!used && link->name[0]) free_entry(server, i); /* untouched entries stay untouched memory */
    }
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (!linktable_load(server, i, &dev)) continue;
        if (!is_name(dev.name) && linktable_pick_name(server, "vcan%d", dev.name) < 0) continue;
        if (is_widow(server, &dev))
            linktable_remove(server, &dev);
        else
            linktable_store(server, &dev);
    }
}
