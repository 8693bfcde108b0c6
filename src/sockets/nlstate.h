/* sockets/nlstate.h - what a netlink descriptor remembers between its sends and receives (nlfd.c, nlrecv.c, nlours.c).
 *
 * Everything here is this process's own memory. Threads may send and receive at the same time: a reply slot belongs to who
 * took it by compare-and-swap. There is no lock, so fork() and signal handlers can come at any moment; the worst they
 * can do is to lose the place of one reply. */
#ifndef SOCKETS_NLSTATE_H
#define SOCKETS_NLSTATE_H

#include <linux/netlink.h>
#include "sockets/nlfd.h"

#define NL_REPLIES    16u   /* answers not yet received, per socket; more than that throws the oldest away */
#define NL_REPLY_SIZE 4096u /* of one answer: no link message is longer */
#define NL_DUMP_MAX   512u  /* of a dump request that is remembered, with its filters */
#define NL_DONE_SIZE  20u   /* NLMSG_DONE: header and an int */

/* The mark in nlmsg_pid of the NLMSG_NOOP that stands for one of ours: the kernel's acknowledgement repeats the header, so it
 * tells which answer belongs there. Bits 16-31 say what it is, bits 0-15 which. */
#define NL_MARK_REPLY 0xca5a0000u
#define NL_MARK_DUMP  0xca5b0000u
#define NL_MARK_KIND  0xffff0000u

enum { NL_FREE, NL_BUSY, NL_READY };

struct nl_reply {
    atomic_u32 state; /* NL_FREE -> NL_BUSY (who writes or takes it) -> NL_READY -> NL_BUSY -> NL_FREE */
    uint32_t mark;    /* NL_MARK_REPLY | ticket */
    uint32_t size;
    _Alignas(8) unsigned char bytes[NL_REPLY_SIZE];
};

/* The dump that runs on the socket: a kernel allows one at a time, and so do we. */
enum {
    NL_DUMP_NONE,
    NL_DUMP_KERNEL /* its messages are coming */,
    NL_DUMP_OURS /* it is done, ours are coming */
};

struct nl_dump {
    atomic_u32 state;
    uint32_t seq;
    uint32_t mark; /* NL_MARK_DUMP | one more each time */
    uint32_t from; /* NL_DUMP_OURS: the next ifindex */
    bool
        links; /* RTM_GETLINK: ours belong in it. Otherwise it is one that mentions ours and the kernel refuses */
    bool only_ours; /* limited to a kind of ours */
    uint32_t size;
    _Alignas(8) unsigned char request[NL_DUMP_MAX];
    _Alignas(8) unsigned char done[NL_DONE_SIZE]; /* NL_DUMP_OURS: the kernel's, held back */
};

struct nlfd {
    atomic_u32 refs; /* 0: free */
    const struct bus *bus;
    const struct nlfd_ops *ops;
    bool generic; /* NETLINK_GENERIC, not NETLINK_ROUTE */
    atomic_u32 ticket;
    atomic_u32 waiting; /* replies that are NL_READY */
    struct nl_reply reply[NL_REPLIES];
    struct nl_dump dump;
    _Atomic int watch_fd; /* connection to the daemon that brings RTNLGRP_LINK events; -1: none */
};

/* nlours.c: looking at messages */

/* The next message in data[at..size), or NULL when there is no complete one. */
const struct nlmsghdr *nl_message(const void *data, size_t size, size_t at);

/* A dump that needs our attention: all links, or one that is limited to an interface of ours. */
bool nl_is_dump(const struct bus *bus, const struct nlmsghdr *message, bool *links);

/* Does a link message name a kind of ours in its IFLA_LINKINFO? */
bool nl_has_our_kind(const struct nlmsghdr *message);

/* nlfd.c */

/* The options of the socket, for the daemon. */
struct ctl_netlink;
void nl_describe_caller(int fd, struct ctl_netlink *out);

/* Is the watch connection still ours? Programs close descriptors they do not know. */
bool nl_watch_is_ours(const struct nlfd *nl, int watch_fd);

#endif
