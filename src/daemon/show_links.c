/* daemon/show_links.c - our interfaces in /proc/net/dev and /sys/class/net: tables of columns and attributes, filled from what rtnetlink shows of an interface. */
#include "daemon/show.h"

#include <errno.h>
#include <linux/if.h>
#include <string.h>
#include "daemon/linkops.h"
#include "netlink/rtcan.h"

#define ARPHRD_CAN 280

struct shown {
    struct device dev;
    struct rtlink_info info;
};

static bool load(const struct show *show, uint32_t index, struct shown *out)
{
    if (!linktable_load(show->links, index, &out->dev)) return false;
    linkops_describe(show->links, &out->dev, &out->info);
    return true;
}

/* ---- /proc/net/dev ---- */

void show_links_dev(struct show_page *page, const struct show *show)
{
    struct shown link;

    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        if (!load(show, index, &link)) continue;
        const struct rtlink_stats *s = &link.info.stats;
        show_print(page, "%6s: %7llu %7llu %4llu %4llu %4u %5llu %10u %9u", link.dev.name,
                   (unsigned long long)s->rx_bytes, (unsigned long long)s->rx_packets,
                   (unsigned long long)s->rx_errors, (unsigned long long)s->rx_dropped, 0,
                   (unsigned long long)s->rx_over_errors, 0, 0);
        show_print(page, " %8llu %7llu %4llu %4llu %4u %5u %7llu %10u\n", (unsigned long long)s->tx_bytes,
                   (unsigned long long)s->tx_packets, (unsigned long long)s->tx_errors,
                   (unsigned long long)s->tx_dropped, 0, 0, (unsigned long long)s->tx_aborted_errors, 0);
    }
}

/* ---- /sys/class/net/NAME/statistics ---- */

#define COUNTER(field) offsetof(struct rtlink_stats, field)
#define ALWAYS_0       SIZE_MAX

static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    { "collisions", ALWAYS_0 },
    { "multicast", ALWAYS_0 },
    { "rx_bytes", COUNTER(rx_bytes) },
    { "rx_compressed", ALWAYS_0 },
    { "rx_crc_errors", ALWAYS_0 },
    { "rx_dropped", COUNTER(rx_dropped) },
    { "rx_errors", COUNTER(rx_errors) },
    { "rx_fifo_errors", ALWAYS_0 },
    { "rx_frame_errors", ALWAYS_0 },
    { "rx_length_errors", ALWAYS_0 },
    { "rx_missed_errors", ALWAYS_0 },
    { "rx_nohandler", ALWAYS_0 },
    { "rx_over_errors", COUNTER(rx_over_errors) },
    { "rx_packets", COUNTER(rx_packets) },
    { "tx_aborted_errors", COUNTER(tx_aborted_errors) },
    { "tx_bytes", COUNTER(tx_bytes) },
    { "tx_carrier_errors", ALWAYS_0 },
    { "tx_compressed", ALWAYS_0 },
    { "tx_dropped", COUNTER(tx_dropped) },
    { "tx_errors", COUNTER(tx_errors) },
    { "tx_fifo_errors", ALWAYS_0 },
    { "tx_heartbeat_errors", ALWAYS_0 },
    { "tx_packets", COUNTER(tx_packets) },
    { "tx_window_errors", ALWAYS_0 },
};

static int show_counter(struct show_page *page, const struct shown *link, const char *name)
{
    uint64_t value = 0;

    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
        if (strcmp(counters[i].name, name)) continue;
        if (counters[i].offset != ALWAYS_0)
            memcpy(&value, (const char *)&link->info.stats + counters[i].offset, sizeof(value));
        show_print(page, "%llu\n", (unsigned long long)value);
        return 0;
    }
    return -ENOENT;
}

static int list_counters(struct show_page *page)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        show_print(page, "%s\n", counters[i].name);
    return 0;
}

/* ---- /sys/class/net/NAME ---- */

/* Each prints one attribute, and returns 0 or what read(2) says. */

static int of_carrier(struct show_page *page, const struct shown *link)
{
    if (!(link->dev.flags & IFF_UP)) return -EINVAL;
    show_print(page, "%d\n", link->info.carrier);
    return 0;
}

/* Dormant or testing: no interface of ours is. */
static int of_rare_state(struct show_page *page, const struct shown *link)
{
    if (!(link->dev.flags & IFF_UP)) return -EINVAL;
    show_print(page, "0\n");
    return 0;
}

static int of_carrier_changes(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.carrier_up_count + link->info.carrier_down_count);
    return 0;
}

static int of_carrier_down(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.carrier_down_count);
    return 0;
}

static int of_carrier_up(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.carrier_up_count);
    return 0;
}

static int of_flags(struct show_page *page, const struct shown *link)
{
    show_print(page, "0x%x\n", link->dev.flags);
    return 0;
}

static int of_group(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.group);
    return 0;
}

static int of_alias(struct show_page *page, const struct shown *link)
{
    if (link->dev.alias[0]) show_print(page, "%s\n", link->dev.alias);
    return 0;
}

static int of_ifindex(struct show_page *page, const struct shown *link)
{
    show_print(page, "%d\n", link->info.ifindex);
    return 0;
}

static int of_iflink(struct show_page *page, const struct shown *link)
{
    show_print(page, "%d\n", link->info.has_link ? link->info.link : link->info.ifindex);
    return 0;
}

static int of_link_mode(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.linkmode);
    return 0;
}

static int of_mtu(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.mtu);
    return 0;
}

/* Named by a user; controllers are by their driver, which the kernel does not tell. */
static int of_name_assign_type(struct show_page *page, const struct shown *link)
{
    if (link->dev.can) return -EINVAL;
    show_print(page, "3\n");
    return 0;
}

static int of_operstate(struct show_page *page, const struct shown *link)
{
    static const char *const names[] = { "unknown", "notpresent", "down", "lowerlayerdown",
                                         "testing", "dormant",    "up" };
    uint32_t state = link->info.operstate;

    show_print(page, "%s\n", names[state < sizeof(names) / sizeof(*names) ? state : 0]);
    return 0;
}

static int of_proto_down(struct show_page *page, const struct shown *link)
{
    show_print(page, "%d\n", link->info.proto_down);
    return 0;
}

static int of_tx_queue_len(struct show_page *page, const struct shown *link)
{
    show_print(page, "%u\n", link->info.txqlen);
    return 0;
}

static int of_type(struct show_page *page, const struct shown *link)
{
    (void)link;
    show_print(page, "%d\n", ARPHRD_CAN);
    return 0;
}

static int of_uevent(struct show_page *page, const struct shown *link)
{
    show_print(page, "INTERFACE=%s\nIFINDEX=%d\n", link->dev.name, link->info.ifindex);
    return 0;
}

static int is_0(struct show_page *page, const struct shown *link)
{
    (void)link;
    show_print(page, "0\n");
    return 0;
}

static int is_0x0(struct show_page *page, const struct shown *link)
{
    (void)link;
    show_print(page, "0x0\n");
    return 0;
}

static int is_empty(struct show_page *page, const struct shown *link)
{
    (void)link;
    show_print(page, "\n");
    return 0;
}

static int is_invalid(struct show_page *page, const struct shown *link)
{
    (void)page;
    (void)link;
    return -EINVAL;
}

static int is_unsupported(struct show_page *page, const struct shown *link)
{
    (void)page;
    (void)link;
    return -EOPNOTSUPP;
}

static const struct {
    const char *name;
    int (*print)(struct show_page *page, const struct shown *link);
} attributes[] = {
    { "addr_assign_type", is_0 },
    { "addr_len", is_0 },
    { "address", is_empty },
    { "broadcast", is_empty },
    { "carrier", of_carrier },
    { "carrier_changes", of_carrier_changes },
    { "carrier_down_count", of_carrier_down },
    { "carrier_up_count", of_carrier_up },
    { "dev_id", is_0x0 },
    { "dev_port", is_0 },
    { "dormant", of_rare_state },
    { "duplex", is_invalid },
    { "flags", of_flags },
    { "gro_flush_timeout", is_0 },
    { "ifalias", of_alias },
    { "ifindex", of_ifindex },
    { "iflink", of_iflink },
    { "link_mode", of_link_mode },
    { "mtu", of_mtu },
    { "name_assign_type", of_name_assign_type },
    { "napi_defer_hard_irqs", is_0 },
    { "netdev_group", of_group },
    { "operstate", of_operstate },
    { "phys_port_id", is_unsupported },
    { "phys_port_name", is_unsupported },
    { "phys_switch_id", is_unsupported },
    { "proto_down", of_proto_down },
    { "speed", is_invalid },
    { "testing", of_rare_state },
    { "threaded", is_0 },
    { "tx_queue_len", of_tx_queue_len },
    { "type", of_type },
    { "uevent", of_uevent },
};

static int show_attribute(struct show_page *page, const struct shown *link, const char *name)
{
    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
        if (!strcmp(attributes[i].name, name)) return attributes[i].print(page, link);
    return -ENOENT;
}

static int list_attributes(struct show_page *page)
{
    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
        show_print(page, "%s\n", attributes[i].name);
    show_print(page, "statistics\nsubsystem\n");
    return 0;
}

static bool find(const struct show *show, const char *name, size_t size, struct shown *out)
{
    for (uint32_t index = 0; index < LINKS_MAX; index++)
        if (linktable_load(show->links, index, &out->dev) && strlen(out->dev.name) == size &&
            !memcmp(out->dev.name, name, size))
            return load(show, index, out);
    return false;
}

int show_links_sysfs(struct show_page *page, const struct show *show, const char *path, bool lists)
{
    size_t size = strcspn(path, "/");
    const char *rest = path[size] ? path + size + 1 : "";
    struct shown link;

    if (!find(show, path, size, &link)) return -ENOENT;
    page->text[0] = CTL_SHOW_DIR;
    if (!*rest && lists) return list_attributes(page);
    if (!strcmp(rest, "statistics")) return list_counters(page);
    page->text[0] = CTL_SHOW_LINK;
    if (!*rest) {
        show_print(page, "../../devices/virtual/net/%s", link.dev.name);
        return 0;
    }
    if (!strcmp(rest, "subsystem")) {
        show_print(page, "../../../../class/net");
        return 0;
    }
    page->text[0] = CTL_SHOW_FILE;
    return strncmp(rest, "statistics/", 11) ? show_attribute(page, &link, rest)
                                            : show_counter(page, &link, rest + 11);
}

void show_links_list(struct show_page *page, const struct show *show)
{
    struct device dev;

    for (uint32_t index = 0; index < LINKS_MAX; index++)
        if (linktable_load(show->links, index, &dev)) show_print(page, "%s\n", dev.name);
}
