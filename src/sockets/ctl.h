/* sockets/ctl.h - the protocol between the daemon and everyone else, and its client side.
 *
 * Transport: an AF_UNIX SOCK_SEQPACKET connection to $POCKETCAN_DIR/ctl. One request is one packet, answered by one or more
 * reply packets (the last one without CTL_MORE). Connections are short: connect, ask, close; only CTL_WATCH keeps its own.
 * All numbers in host byte order. A daemon of another version answers -EPROTO to every request. */
#ifndef SOCKETS_CTL_H
#define SOCKETS_CTL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_MAGIC      0x4354434eu
#define CTL_VERSION    1u
#define CTL_PACKET_MAX 32768u /* bytes of one packet, header included */

enum ctl_op {
    CTL_HELLO = 1, /* -> struct ctl_hello and the memfds control, data by SCM_RIGHTS */
    CTL_NETLINK,   /* one rtnetlink message of the caller, its header included, preceded by struct ctl_netlink
                     * -> zero or more complete netlink messages, as the caller is to read them (no NLMSG_DONE; an
                     * acknowledgement of success is no message; a refusal is an NLMSG_ERROR) */
    CTL_IOCTL,     /* struct ctl_ioctl: a SIOCSIF* request on one of our interfaces -> the same struct back */
    CTL_WATCH, /* SCM_RIGHTS: a dup of the caller's NETLINK_ROUTE socket, payload u32 groups. The connection stays:
                     * each RTNLGRP_LINK event comes as one reply packet holding one netlink message, after which the
                     * daemon makes the netlink socket readable by sending NLMSG_NOOP|NLM_F_ACK with CTL_WATCH_SEQ on it */
    CTL_STATUS,   /* -> struct ctl_status */
    CTL_SHUTDOWN, /* ends the instance; answered before it does */
    CTL_SOCKET, /* struct ctl_socket: the connection becomes that socket's (service.h) when this has been answered */
    CTL_BUS,  /* simulated buses: a request in JSON -> an answer in JSON (daemon/simulator_request.c) */
    CTL_SHOW, /* enum ctl_show_request, and the canonical path of a file of /proc or /sys (procfs.h) -> its kind, and its text;
                     * -ENOENT when there is none */
};

#define CTL_WATCH_SEQ 0xca000001u

struct ctl_request {
    uint32_t magic;
    uint16_t version;
    uint16_t op;
    uint32_t size; /* bytes that follow */
};

enum { CTL_MORE = 1 };
struct ctl_reply {
    int32_t error; /* 0 or -errno */
    uint32_t flags;
    uint32_t size; /* bytes that follow */
};

struct ctl_hello {
    uint32_t layout_version, pad;
    uint64_t control_size, data_size; /* sizeof(struct control), DATA_SIZE of the daemon */
};

struct ctl_netlink {
    uint32_t portid;      /* to put into nlmsg_pid of the replies */
    uint32_t strict_dump; /* NETLINK_GET_STRICT_CHK is on */
    uint32_t ext_ack;     /* NETLINK_EXT_ACK is on */
    uint32_t cap_ack;     /* NETLINK_CAP_ACK is on */
    uint32_t dump_from;   /* a dump gives interfaces in the order of their ifindex, from this one on ... */
    uint32_t dump_room; /* ... as many as fit into so many bytes (none: even the next one does not); 0: all */
};

struct ctl_ioctl {
    uint32_t request; /* SIOCSIF... */
    uint32_t pad;
    uint8_t ifreq[40]; /* struct ifreq of a 64-bit process */
};

struct ctl_status {
    int32_t supervisor_pid, worker_pid;
    uint32_t worker_restarts, pad;
    uint64_t started_ns; /* CLOCK_REALTIME */
};

/* The first byte of a CTL_SHOW and of its answer. */
enum ctl_show_request {
    CTL_SHOW_READ = 'r',
    CTL_SHOW_LOOK = 's', /* as stat(2): nothing happens to it */
    CTL_SHOW_LIST =
        'd', /* the names in a directory, also in one that the kernel has, too, or that a link leads to */
};
enum ctl_show_kind {
    CTL_SHOW_FILE = 'f',
    CTL_SHOW_MORE = 'm', /* text that belongs behind what the kernel has in the file of this name */
    CTL_SHOW_DIR = 'd',  /* text: the names in it, a line each */
    CTL_SHOW_LINK = 'l', /* text: where it leads */
};
#define CTL_SHOW_PATH_MAX 96u

struct ctl_socket {
    uint32_t slot, gen;
    uint32_t protocol; /* CAN_BCM, CAN_ISOTP */
};

/* Asks the daemon of instance directory `dir`: sends op with `size` bytes of payload and an optional fd (-1: none), collects
 * all reply packets into reply[0..cap) and stores the number of bytes in *reply_size (if not NULL). fds[0..nfds) receive
 * passed descriptors (close-on-exec). Blocks until answered (5 s at most, then -ETIMEDOUT). Restarts on EINTR.
 * Returns 0, the daemon's -errno, -ECONNREFUSED/-ENOENT when there is no daemon, -EMSGSIZE when `cap` is too small. */
int ctl_call(const char *dir, enum ctl_op op, const void *payload, size_t size, int send_fd, void *reply,
             size_t cap, size_t *reply_size, int *fds, unsigned nfds);

/* Like ctl_call for CTL_WATCH: returns the connection to read events from, or -errno. */
int ctl_watch(const char *dir, int netlink_fd, uint32_t groups);

/* Connects `fd`, a SOCK_SEQPACKET socket, and hands it over as request says. Returns 0 or -errno. */
int ctl_hand_over(const char *dir, int fd, const struct ctl_socket *request);

#endif
