/* bus/links.h - reading the interface table (struct control): lock-free, by any process of the instance.
 * The daemon writes it (daemon/linktable.c). */
#ifndef BUS_LINKS_H
#define BUS_LINKS_H

#include "bus/layout.h"

/* A consistent copy of what a name or index stands for. */
struct link_view {
    uint32_t index; /* in control->links[] */
    int32_t ifindex;
    uint64_t state;
    char name[LINK_NAME_SIZE];
    uint32_t flags, mtu, txqlen;
    int32_t peer_ifindex;
    uint8_t operstate, carrier;
};

/* Index in links[] of the present interface with this ifindex, or LINKS_MAX. */
uint32_t links_find(const struct control *control, uint32_t ifindex);

/* Copies entry `index`. Returns 0, or -ENODEV when it is free. */
int links_get(const struct control *control, uint32_t index, struct link_view *out);

/* "vcan", "vxcan", "can", as rtnetlink calls them (IFLA_INFO_KIND); "" for anything else. */
const char *links_kind_name(uint32_t kind);

/* Looks up a name or alternative name; `name` need not be terminated but has `size` bytes at most; what follows a ':' is
 * ignored as the kernel's ioctls do. Returns 0 or -ENODEV. */
int links_by_name(const struct control *control, const char *name, size_t size, struct link_view *out);
int links_by_ifindex(const struct control *control, uint32_t ifindex, struct link_view *out);

#endif
