/* sockets/interfaces.c - reading the interface table for libc's lists; owns no state. */
#include "sockets/interfaces.h"
#include "bus/counters.h"
#include "bus/links.h"
#include <string.h>

uint32_t interfaces_index(const struct bus *bus, const char *name)
{
    struct link_view link;

    return name && !links_by_name(bus->control, name, strnlen(name, LINK_ALTNAME_SIZE), &link)
               ? (uint32_t)link.ifindex
               : 0;
}

bool interfaces_name(const struct bus *bus, uint32_t ifindex, char *name)
{
    struct link_view link;

    if (links_by_ifindex(bus->control, ifindex, &link)) return false;
    memcpy(name, link.name, LINK_NAME_SIZE);
    return true;
}

static void fill_counts(const struct bus *bus, uint32_t index, struct interface *out)
{
    struct link_counts sum = counters_sum(bus->data, index);

    out->rx_packets = sum.rx_packets;
    out->tx_packets = sum.tx_packets;
    out->rx_bytes = sum.rx_bytes;
    out->tx_bytes = sum.tx_bytes;
}

size_t interfaces_all(const struct bus *bus, struct interface out[INTERFACES_MAX])
{
    struct link_view link;
    size_t count = 0;

    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        if (links_get(bus->control, index, &link)) continue;
        memset(&out[count], 0, sizeof(out[count]));
        memcpy(out[count].name, link.name, LINK_NAME_SIZE);
        out[count].ifindex = (uint32_t)link.ifindex;
        out[count].flags = link.flags;
        fill_counts(bus, index, &out[count]);
        count++;
    }
    return count;
}
