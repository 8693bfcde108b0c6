/* tests/fuzz/nlours.c - looking at what a program sends on a netlink socket, inside that program: any bytes will do. */
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "sockets/nlstate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct control control;

static const struct bus *make_bus(void)
{
    static const struct bus bus = { .control = &control, .dir = "/nowhere", .dir_size = 8 };
    struct bus_link *link = &control.links[0];
    if (load_relaxed(&link->ifindex)) return &bus;
    strcpy(link->name, "vcan0");
    strcpy(link->altname[3], "one");
    link->group = 3;
    store_relaxed(&link->state, link_state_pack(LINK_PRESENT, LINK_KIND_VCAN, 72, 0, 1));
    store_relaxed(&link->ifindex, LINK_IFINDEX_FIRST);
    return &bus;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct bus *bus = make_bus();
    const struct nlmsghdr *message;
    bool links;
    uint64_t *bytes = malloc(size ? size : 1); /* aligned, as messages are */
    if (!bytes) return 0;
    memcpy(bytes, data, size);
    for (size_t at = 0; (message = nl_message(bytes, size, at)); at += NLMSG_ALIGN(message->nlmsg_len)) {
        bool ours = nlfd_is_ours(bus, message, size - at);
        if (ours && nl_is_dump(bus, message, &links)) abort(); /* one or the other */
        nl_has_our_kind(message);
    }
    free(bytes);
    return 0;
}
