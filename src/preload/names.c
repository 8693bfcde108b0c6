/* preload/names.c - interface names and lists. libc's own use private sockets that cannot be interposed, so each entry
 * point is answered here: the kernel's list with ours added. */
#include "preload/real.h"
#include "sockets/interfaces.h"
#include "sockets/process.h"
#include <linux/if_link.h>
#include <stdlib.h>
#include <string.h>

/* prefix: if_ getifaddrs freeifaddrs */

/* In front of lists that we made: freeing must know. */
struct head {
    uint64_t magic;
    void *real_list;
};
static const uint64_t head_magic = 0x704f636b4574c411ull;

static struct head *head_of(void *list)
{
    struct head *head = (struct head *)list - 1;
    return head->magic == head_magic ? head : NULL;
}

static const struct bus *instance(void) { return process_has_instance() ? process_bus() : NULL; }

EXPORT unsigned if_nametoindex(const char *name)
{
    const struct bus *bus = instance();
    unsigned index = bus ? interfaces_index(bus, name) : 0;

    return index ? index : real.if_nametoindex(name);
}

EXPORT char *if_indextoname(unsigned index, char name[IF_NAMESIZE])
{
    const struct bus *bus = instance();

    return bus && interfaces_name(bus, index, name) ? name : real.if_indextoname(index, name);
}

EXPORT struct if_nameindex *if_nameindex(void)
{
    const struct bus *bus = instance();
    struct if_nameindex *theirs = real.if_nameindex(), *list;
    struct interface all[INTERFACES_MAX];
    size_t count = bus ? interfaces_all(bus, all) : 0, kernel = 0, bytes;
    struct head *head;
    char *names;

    if (!theirs || !count) return theirs;
    while (theirs[kernel].if_index || theirs[kernel].if_name)
        kernel++;
    bytes = sizeof(*head) + (kernel + count + 1) * sizeof(*list) + count * IF_NAMESIZE;
    head = malloc(bytes);
    if (!head) return theirs;
    *head = (struct head){ head_magic, theirs };
    list = (struct if_nameindex *)(head + 1);
    names = (char *)(list + kernel + count + 1);
    memcpy(list, theirs, kernel * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        list[kernel + i].if_index = all[i].ifindex;
        list[kernel + i].if_name = memcpy(names + i * IF_NAMESIZE, all[i].name, IF_NAMESIZE);
    }
    list[kernel + count] = (struct if_nameindex){ 0, NULL };
    return list;
}

EXPORT void if_freenameindex(struct if_nameindex *list)
{
    struct head *head = list ? head_of(list) : NULL;

    real.if_freenameindex(head ? head->real_list : list);
    free(head);
}

struct our_address {
    struct ifaddrs entry;
    struct rtnl_link_stats stats;
    char name[IF_NAMESIZE];
};

/* Without an address, as CAN interfaces have none. */
static void fill_address(struct our_address *to, const struct interface *from)
{
    memset(to, 0, sizeof(*to));
    memcpy(to->name, from->name, sizeof(to->name));
    to->stats.rx_packets = (uint32_t)from->rx_packets;
    to->stats.tx_packets = (uint32_t)from->tx_packets;
    to->stats.rx_bytes = (uint32_t)from->rx_bytes;
    to->stats.tx_bytes = (uint32_t)from->tx_bytes;
    to->entry.ifa_name = to->name;
    to->entry.ifa_flags = from->flags;
    to->entry.ifa_data = &to->stats;
}

/* Ours come first, so that the head tells whose the list is. */
EXPORT int getifaddrs(struct ifaddrs **list)
{
    const struct bus *bus = instance();
    int result = real.getifaddrs(list);
    struct interface all[INTERFACES_MAX];
    size_t count = bus && result == 0 ? interfaces_all(bus, all) : 0;
    struct head *head = count ? malloc(sizeof(*head) + count * sizeof(struct our_address)) : NULL;
    struct our_address *ours;

    if (!head) return result;
    *head = (struct head){ head_magic, *list };
    ours = (struct our_address *)(head + 1);
    for (size_t i = 0; i < count; i++) {
        fill_address(&ours[i], &all[i]);
        ours[i].entry.ifa_next = i + 1 < count ? &ours[i + 1].entry : *list;
    }
    *list = &ours[0].entry;
    return 0;
}

EXPORT void freeifaddrs(struct ifaddrs *list)
{
    struct head *head = list ? head_of(list) : NULL;

    real.freeifaddrs(head ? head->real_list : list);
    free(head);
}
