/* daemon/linkops.h - what can be done to an interface: create, change, delete; and who is told.
 *
 * The steps of a change, their order and their events are Linux 6.1's (spec D, F), including that a change of several
 * things is not undone when a later one is refused. */
#ifndef DAEMON_LINKOPS_H
#define DAEMON_LINKOPS_H

#include "daemon/linktable.h"

/* A request being carried out. */
struct linkop {
    struct linkserver *server;
    struct rtlink_fault *fault; /* receives the text of a refusal */
    uint32_t seq, portid;       /* of the requester: RTM_DELLINK carries them */
};

/* Makes what RTM_NEWLINK creates: an interface, or both ends of a pair. Returns 0 or -errno. */
int linkops_create(struct linkop *op, const struct rtlink_request *request);

/* Applies every attribute of a request to an interface. Returns 0 or -errno. */
int linkops_modify(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs);

/* Removes an interface, with its other end if it has one. Returns 0. */
int linkops_delete(struct linkop *op, struct device *dev);

/* Adds or removes an alternative name; *changed is set when that did something. Returns 0 or -errno. */
int linkops_altname(struct linkop *op, struct device *dev, const char *name, bool add, bool *changed);
/* Tells the watchers of an interface that is up that something about it changed. */
void linkops_notify_change(struct linkop *op, const struct device *dev);

/* IFLA_INFO_DATA of kind "can": applies it. Returns 0 or -errno. */
struct rtcan_request;
int linkops_change_controller(struct linkop *op, struct device *dev, const struct rtcan_request *wish);
/* Does it fit together at all? Asked before the interface is looked for. */
int linkops_check_controller(const struct rtlink_attrs *attrs, struct rtcan_request *out);
/* What a driver does: makes an interface of its kind (name NULL: KIND%d) - 0 or -errno -, removes one, tells that its carrier changed. */
int linkops_add(struct linkop *op, const struct device_ops *ops, const char *name, struct device *dev);
void linkops_remove(struct linkop *op, struct device *dev);
void linkops_carrier(struct linkop *op, struct device *dev, bool carrier);

/* The single steps that the old ioctls ask for. Return 0 or -errno. */
int linkops_set_flags(struct linkop *op, struct device *dev, uint32_t flags);
int linkops_set_mtu(struct linkop *op, struct device *dev, uint32_t mtu);
int linkops_set_txqlen(struct linkop *op, struct device *dev, uint32_t txqlen);
int linkops_rename(struct linkop *op, struct device *dev, const char *name);

/* What creation and change share. */
int linkops_refuse(struct linkop *op, int error,
                   const char *text); /* returns `error`, with the text for people */
int linkops_refuse_net_ns(struct linkop *op);
int linkops_check_master(struct linkop *op, uint32_t master);
/* The flags that ifi_flags and ifi_change ask for. */
uint32_t linkops_wanted_flags(const struct device *dev, const struct rtlink_attrs *attrs);
/* Lets user space set the state as far as it may. True when that changed it. Does not store. */
bool linkops_set_operstate(struct device *dev, uint8_t wanted);

/* How a link message shows the interface. *out points into *dev. */
void linkops_describe(const struct linkserver *server, const struct device *dev, struct rtlink_info *out);

#endif
