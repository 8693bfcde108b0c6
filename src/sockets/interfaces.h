/* sockets/interfaces.h - our interfaces as plain names, indexes and counters, for libc's interface lists. */
#ifndef SOCKETS_INTERFACES_H
#define SOCKETS_INTERFACES_H

#include "bus/bus.h"

#define INTERFACES_MAX LINKS_MAX

struct interface {
    char name[LINK_NAME_SIZE];
    uint32_t ifindex, flags;
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
};

/* 0 when it is not ours. */
uint32_t interfaces_index(const struct bus *bus, const char *name);
/* Writes the name to name[0..LINK_NAME_SIZE). */
bool interfaces_name(const struct bus *bus, uint32_t ifindex, char *name);
/* All of ours, in the order of the table; returns how many. */
size_t interfaces_all(const struct bus *bus, struct interface out[INTERFACES_MAX]);

#endif
