/* sockets/nlfd.h - NETLINK_ROUTE sockets that also know our interfaces.
 *
 * The file descriptor stays the kernel's own netlink socket. Requests about our interfaces are replaced on their way out by
 * NLMSG_NOOP|NLM_F_ACK with the same sequence number, and the kernel's acknowledgement is replaced on its way in by our
 * reply; dumps get ours spliced in before NLMSG_DONE. All else passes byte for byte.
 *
 * On NETLINK_GENERIC sockets, who asks for the family "ethtool" learns that there is none, as on a kernel without it. Then programs ask by ioctl, which
 * knows our interfaces. */
#ifndef SOCKETS_NLFD_H
#define SOCKETS_NLFD_H

#include <stdbool.h>
#include <sys/socket.h>
#include "bus/bus.h"

/* What nlfd needs of libc: the real calls, so that cancellation and time-outs stay libc's. Return -errno. */
struct nlfd_ops {
    ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
};

struct nlfd; /* state of one open netlink socket in this process; there are up to 256 */

/* A new or inherited NETLINK_ROUTE or NETLINK_GENERIC socket. Returns NULL when that many are open (the fd then works without our interfaces). */
struct nlfd *nlfd_open(const struct bus *bus, int fd, const struct nlfd_ops *ops);
void nlfd_ref(struct nlfd *nl);   /* dup() */
void nlfd_close(struct nlfd *nl); /* close() of one descriptor; the last one frees it */

/* sendmsg(2)/recvmsg(2) and everything that is written in terms of them. Return bytes or -errno. */
ssize_t nlfd_sendmsg(struct nlfd *nl, int fd, const struct msghdr *msg, int flags);
ssize_t nlfd_recvmsg(struct nlfd *nl, int fd, struct msghdr *msg, int flags);

/* After a successful bind(2) or NETLINK_ADD/DROP_MEMBERSHIP on the real socket: watches RTNLGRP_LINK of the instance, or stops. */
void nlfd_groups_changed(struct nlfd *nl, int fd);

/* Looks at one netlink message: true when it is about our interfaces and must be answered by the daemon. */
bool nlfd_is_ours(const struct bus *bus, const void *message, size_t size);

#endif
