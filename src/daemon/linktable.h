/* daemon/linktable.h - the interface table as its only writer sees it: entries as struct device, names, indexes.
 *
 * Everything the link server knows is in struct control, so that a worker that is killed is replaced by one that
 * reads the same table. */
#ifndef DAEMON_LINKTABLE_H
#define DAEMON_LINKTABLE_H

#include "daemon/linkserver.h"
#include "drivers/device.h"
#include "netlink/rtlink.h"

/* Brings the table of a worker that died into order: half-written entries, pairs with one end. */
void linktable_mend(struct linkserver *server);

/* Reads entry `index`. False when it is free. */
bool linktable_load(const struct linkserver *server, uint32_t index, struct device *out);

/* Finds by ifindex, by name or alternative name. Return 0 or -ENODEV. */
int linktable_by_ifindex(const struct linkserver *server, int32_t ifindex, struct device *out);
int linktable_by_name(const struct linkserver *server, const char *name, struct device *out);

/* Writes an entry, and the state word last. */
void linktable_store(struct linkserver *server, const struct device *dev);

/* Gives a new device its place and ifindex (`wanted`, or 0: the next free one), not yet visible to others: that
 * is linktable_store(). Returns 0, -EEXIST, -ENOSPC. */
int linktable_place(struct linkserver *server, struct device *dev, int32_t wanted);

/* Frees the entry: senders see it gone, sockets bound to it are told, its counters are cleared. */
void linktable_remove(struct linkserver *server, const struct device *dev);

/* Makes a name of `pattern`, which may hold one %d: the lowest free number. Returns 0; -EINVAL for what is no name, -EEXIST. */
int linktable_pick_name(const struct linkserver *server, const char *pattern, char out[DEVICE_NAME_SIZE]);

/* Is this name or index in use, by us or by a kernel's own interface? */
bool linktable_name_taken(const struct linkserver *server, const char *name);
bool linktable_ifindex_taken(const struct linkserver *server, int32_t ifindex);

/* Sums an interface's counters. */
void linktable_stats(const struct linkserver *server, uint32_t index, struct rtlink_stats *out);

#endif
