/* daemon/linkserver.c - takes requests, finds out which interface they mean, and answers; see linkserver.h.
 *
 * bytes -> rtlink_parse() -> handlers[] -> linkops_*() -> interface table -> rtlink_build() -> bytes. It keeps nothing
 * between two requests. */
#include "daemon/linkserver.h"

#include <errno.h>
#include <string.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "bus/links.h"
#include "daemon/linkops.h"
#include "netlink/rtcan.h"

/* A request on its way to an answer. */
struct question {
    struct linkop op;
    const struct ctl_netlink *caller;
    const struct rtlink_request *request;
    struct rtcan_request controller; /* IFLA_INFO_DATA of kind "can" */
    unsigned char *reply;
    size_t cap, size;
};

void linkserver_start(struct linkserver *server) { linktable_mend(server); }

void linkserver_stop(struct linkserver *server)
{
    struct device dev;

    for (uint32_t index = 0; index < LINKS_MAX; index++)
        if (linktable_load(server, index, &dev)) linktable_remove(server, &dev);
}

/* ---- which interface ------------------------------------------------------------------------------------------- */

/* Returns 0, -ENODEV for one that is not there, -EINVAL when the request names none. */
static int find(const struct question *q, struct device *out)
{
    const struct rtlink_attrs *link = &q->request->link;
    if (link->ifindex > 0) return linktable_by_ifindex(q->op.server, link->ifindex, out);
    if (link->has & RTLINK_IFNAME) return linktable_by_name(q->op.server, link->ifname, out);
    if (link->has & RTLINK_ALT_IFNAME) return linktable_by_name(q->op.server, link->alt_ifname, out);
    return -EINVAL;
}

typedef int each_device(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs);

/* Calls `each` for every interface of the group that is named instead of an interface. */
static int for_group(struct question *q, each_device *each, unsigned *count)
{
    const struct rtlink_attrs *link = &q->request->link;
    struct device dev;
    *count = 0;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (!linktable_load(q->op.server, i, &dev) || dev.group != link->group) continue;
        int error = each(&q->op, &dev, link);
        if (error) return error;
        ++*count;
    }
    return 0;
}

static int delete_one(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs)
{
    struct linkop quiet = *op;
    (void)attrs;
    quiet.seq = quiet.portid = 0; /* not named, so not told as an answer either */
    return linkops_delete(&quiet, dev);
}

/* ---- handlers -------------------------------------------------------------------------------------------------- */

static int change_existing(struct question *q, struct device *dev)
{
    const struct rtlink_request *request = q->request;
    if (request->flags & NLM_F_EXCL) return -EEXIST;
    if (request->flags & NLM_F_REPLACE) return -EOPNOTSUPP;
    if (request->link.has & RTLINK_DATA) { /* neither vcan nor vxcan has anything to set there */
        int error = dev->can && strcmp(request->link.kind, "can") == 0
                        ? linkops_change_controller(&q->op, dev, &q->controller)
                        : -EOPNOTSUPP;
        if (error) return error;
    }
    return linkops_modify(&q->op, dev, &request->link);
}

static int new_link(struct question *q)
{
    const struct rtlink_request *request = q->request;
    struct device dev;
    unsigned count;
    if (request->link.ifindex < 0) {
        q->op.fault->text = "ifindex can't be negative";
        return -EINVAL;
    }
    if (request->link.has & RTLINK_DATA && strcmp(request->link.kind, "can") == 0) {
        int error = linkops_check_controller(&request->link, &q->controller);
        if (error) return error;
    }
    int found = find(q, &dev);
    if (found == 0) return change_existing(q, &dev);
    if (request->flags & NLM_F_CREATE) return linkops_create(&q->op, request);
    if (found == -EINVAL && request->link.has & RTLINK_GROUP) return for_group(q, linkops_modify, &count);
    return -ENODEV;
}

static int set_link(struct question *q)
{
    struct device dev;
    int error = find(q, &dev);
    return error ? error : linkops_modify(&q->op, &dev, &q->request->link);
}

static int del_link(struct question *q)
{
    struct device dev;
    unsigned count;
    int error = find(q, &dev);
    if (error == 0) return linkops_delete(&q->op, &dev);
    if (error != -EINVAL || !(q->request->link.has & RTLINK_GROUP)) return error;
    error = q->request->link.group ? for_group(q, delete_one, &count) : -EPERM; /* group 0 is everything */
    return !error && !count ? -ENODEV : error;
}

/* Appends the interface. Returns 0, or -EMSGSIZE when there is no room for it. */
static int append_link(struct question *q, const struct device *dev, uint16_t flags, size_t room)
{
    static _Alignas(8) unsigned char message[RTLINK_MESSAGE_MAX]; /* the daemon has one thread */
    const struct rtlink_head head = {
        .type = RTM_NEWLINK,
        .flags = flags,
        .seq = q->request->seq,
        .portid = q->caller->portid,
    };
    struct rtlink_info info;
    linkops_describe(q->op.server, dev, &info);
    size_t size = rtlink_build(message, &head, &info);
    if (size > room - q->size) return -EMSGSIZE;
    memcpy(q->reply + q->size, message, size);
    q->size += size;
    return 0;
}

/* The next interface of a dump: the one with the lowest ifindex that is not below `from`. */
static bool next_in_order(const struct linkserver *server, uint32_t from, struct device *out)
{
    uint32_t best = LINKS_MAX, best_ifindex = UINT32_MAX;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        uint32_t ifindex = load_relaxed(&server->control->links[i].ifindex);
        if (ifindex < from || ifindex == 0 || ifindex >= best_ifindex) continue;
        best = i;
        best_ifindex = ifindex;
    }
    return best < LINKS_MAX && linktable_load(server, best, out);
}

static int dump_links(struct question *q)
{
    const struct rtlink_attrs *filter = &q->request->link;
    bool by_kind = filter->has & RTLINK_KIND, by_master = filter->has & RTLINK_MASTER && filter->master;
    uint16_t flags = NLM_F_MULTI | (by_kind ? NLM_F_DUMP_FILTERED : 0);
    uint32_t from = q->caller->dump_from;
    size_t room = q->caller->dump_room && q->caller->dump_room < q->cap ? q->caller->dump_room : q->cap;
    struct device dev;
    if (by_master) return 0; /* a CAN interface has none */
    while (next_in_order(q->op.server, from, &dev)) {
        from = (uint32_t)dev.ifindex + 1;
        if (by_kind && strcmp(dev.ops->kind, filter->kind) != 0) continue;
        if (append_link(q, &dev, flags, room) < 0) break;
    }
    return 0;
}

static int get_link(struct question *q)
{
    struct device dev;
    if (q->request->dump) return dump_links(q);
    int error = find(q, &dev);
    return error ? error : append_link(q, &dev, 0, q->cap);
}

static int change_props(struct question *q, bool add)
{
    const struct rtlink_request *request = q->request;
    struct device dev;
    bool changed = false;
    int error = find(q, &dev);
    if (error) return error;
    for (unsigned i = 0; i < request->altname_count; i++) {
        error = linkops_altname(&q->op, &dev, request->altname[i], add, &changed);
        if (error) return error; /* what was done stays done, untold: so it is in the kernel */
    }
    if (changed) linkops_notify_change(&q->op, &dev);
    return 0;
}

static int new_prop(struct question *q) { return change_props(q, true); }

static int del_prop(struct question *q) { return change_props(q, false); }

static int no_addresses(struct question *q)
{
    q->op.fault->text = "A pocketcan interface carries no IP addresses";
    return -EOPNOTSUPP;
}

static int no_such_address(struct question *q)
{
    (void)q;
    return -EADDRNOTAVAIL;
}

static const struct {
    uint16_t type;
    int (*handle)(struct question *q);
} handlers[] = {
    { RTM_NEWLINK, new_link },     { RTM_SETLINK, set_link },        { RTM_DELLINK, del_link },
    { RTM_GETLINK, get_link },     { RTM_NEWLINKPROP, new_prop },    { RTM_DELLINKPROP, del_prop },
    { RTM_NEWADDR, no_addresses }, { RTM_DELADDR, no_such_address },
};

static int handle(struct question *q)
{
    for (size_t i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].type == q->request->type) return handlers[i].handle(q);
    return -EOPNOTSUPP;
}

long linkserver_netlink(struct linkserver *server, const struct ctl_netlink *caller, const void *message,
                        size_t size, void *reply, size_t cap)
{
    static struct rtlink_request request;
    struct rtlink_fault fault;
    int error = rtlink_parse(message, size, caller->strict_dump, &request, &fault);
    if (error == -EBADMSG) return error;
    struct question q = {
        .op = { .server = server, .fault = &fault, .seq = request.seq, .portid = caller->portid },
        .caller = caller,
        .request = &request,
        .reply = reply,
        .cap = cap,
    };
    if (!error) error = handle(&q);
    if (!error) return (long)q.size;
    const struct rtlink_ack ack = { caller->portid, caller->ext_ack, caller->cap_ack };
    return rtlink_build_error(reply, cap, message, &ack, error, &fault);
}

/* ---- ioctls ---------------------------------------------------------------------------------------------------- */

static int ioctl_flags(struct linkop *op, struct device *dev, const struct ifreq *ifr)
{
    return linkops_set_flags(op, dev, (uint32_t)(uint16_t)ifr->ifr_flags);
}

static int ioctl_mtu(struct linkop *op, struct device *dev, const struct ifreq *ifr)
{
    return linkops_set_mtu(op, dev, (uint32_t)ifr->ifr_mtu);
}

static int ioctl_txqlen(struct linkop *op, struct device *dev, const struct ifreq *ifr)
{
    return ifr->ifr_qlen < 0 ? -EINVAL : linkops_set_txqlen(op, dev, (uint32_t)ifr->ifr_qlen);
}

static int ioctl_name(struct linkop *op, struct device *dev, const struct ifreq *ifr)
{
    char name[IFNAMSIZ];
    memcpy(name, ifr->ifr_newname, sizeof name);
    name[sizeof name - 1] = '\0';
    return linkops_rename(op, dev, name);
}

static const struct {
    uint32_t request;
    int (*handle)(struct linkop *op, struct device *dev, const struct ifreq *ifr);
} ioctls[] = {
    { SIOCSIFFLAGS, ioctl_flags },
    { SIOCSIFMTU, ioctl_mtu },
    { SIOCSIFTXQLEN, ioctl_txqlen },
    { SIOCSIFNAME, ioctl_name },
};

/* What is used of struct ifreq lies at the same offsets for 32- and 64-bit processes. */
_Static_assert(sizeof(struct ifreq) <= sizeof(((struct ctl_ioctl *)0)->ifreq), "room for every struct ifreq");
_Static_assert(offsetof(struct ifreq, ifr_flags) == 16 && offsetof(struct ifreq, ifr_newname) == 16,
               "layout");

int linkserver_ioctl(struct linkserver *server, struct ctl_ioctl *request)
{
    struct rtlink_fault fault = { 0 };
    struct linkop op = { .server = server, .fault = &fault };
    struct link_view view;
    struct device dev;
    struct ifreq ifr;
    memcpy(&ifr, request->ifreq, sizeof ifr);
    if (links_by_name(server->control, ifr.ifr_name, sizeof ifr.ifr_name, &view) < 0) return -ENODEV;
    if (!linktable_load(server, view.index, &dev)) return -ENODEV;
    for (size_t i = 0; i < sizeof ioctls / sizeof ioctls[0]; i++)
        if (ioctls[i].request == request->request) return ioctls[i].handle(&op, &dev, &ifr);
    return -ENOTTY;
}
