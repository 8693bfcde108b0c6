/* daemon/linkserver.h - every change of an interface: takes rtnetlink requests and SIOCSIF* ioctls, applies them to the
 * interface table through the drivers, and tells the watchers. The only writer of struct control. */
#ifndef DAEMON_LINKSERVER_H
#define DAEMON_LINKSERVER_H

#include <stddef.h>
#include <stdint.h>
#include "bus/bus.h"
#include "sockets/ctl.h"

/* Called for each RTNLGRP_LINK notification, with one complete netlink message. */
typedef void linkserver_event(void *context, const void *message, size_t size);

/* The controllers of `can` interfaces (daemon/simulator.c). */
struct device;
struct rtcan_info;
struct rtlink_stats;
struct link_controllers {
    void (*start)(void *context, const struct device *dev); /* it is up now */
    void (*stop)(void *context, const struct device *dev);
    void (*restart)(void *context, const struct device *dev); /* after bus off, as the user wants */
    /* Fills in what is not in dev->can, and adds errors to the statistics. */
    void (*describe)(void *context, const struct device *dev, struct rtcan_info *info,
                     struct rtlink_stats *stats);
};

struct linkserver {
    const struct bus *bus;
    struct control *control; /* the writable mapping */
    int token_fd;            /* datagram socket for wake-ups (slot_link_down) */
    linkserver_event *event;
    void *context;
    void (*gone)(void *context,
                 uint32_t ifindex); /* an interface is gone; its sockets have been told. May be NULL */
    void *gone_context;
    const struct link_controllers *controllers; /* NULL: there are none */
    void *controllers_context;
};

/* Takes over the interface table as it stands (it may hold interfaces of a worker that was killed mid-write: mends it). */
void linkserver_start(struct linkserver *server);

/* The instance ends: every interface goes, and its sockets are told (ENODEV). */
void linkserver_stop(struct linkserver *server);

/* Answers one rtnetlink request (CTL_NETLINK's payload): writes complete netlink messages into reply[0..cap).
 * Returns the bytes written, or -errno when the request is no well-formed netlink message. A refusal is a NLMSG_ERROR reply
 * (with the extended text when ext_ack). A dump gives all of our interfaces, NLM_F_MULTI, without NLMSG_DONE. */
long linkserver_netlink(struct linkserver *server, const struct ctl_netlink *caller, const void *message,
                        size_t size, void *reply, size_t cap);

/* SIOCSIFFLAGS, SIOCSIFMTU, SIOCSIFTXQLEN, SIOCSIFNAME on one of ours. Returns 0 or -errno. */
int linkserver_ioctl(struct linkserver *server, struct ctl_ioctl *request);

#endif
