/* daemon/linkmodify.c - a request that sets several things at once; see linkops.h.
 *
 * steps[] is the order in which Linux 6.1 goes through them. A step that is refused ends the request, and what was done before
 * it stays done. */
/* prefix: linkops_ */
#include <errno.h>
#include <string.h>
#include <linux/if.h>
#include "daemon/linkops.h"

/* A step of linkops_modify(). Sets *told when the change is to be told at the end, if the interface is up. */
typedef int step(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told);

static int step_af_spec(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)op, (void)dev, (void)attrs, (void)told;
    return -EAFNOSUPPORT;
}

static int step_unsupported(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs,
                            bool *told)
{
    (void)op, (void)dev, (void)attrs, (void)told;
    return -EOPNOTSUPP;
}

int linkops_refuse_net_ns(struct linkop *op)
{
    return linkops_refuse(op, -EOPNOTSUPP, "A pocketcan interface cannot move to another network namespace");
}

static int step_net_ns(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)dev, (void)attrs, (void)told;
    return linkops_refuse_net_ns(op);
}

static int step_proto_down(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs,
                           bool *told)
{
    (void)dev, (void)attrs, (void)told;
    return linkops_refuse(op, -EOPNOTSUPP, "Protodown not supported by device");
}

static int step_mtu(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)told;
    return linkops_set_mtu(op, dev, attrs->mtu);
}

static int step_txqlen(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)told;
    return linkops_set_txqlen(op, dev, attrs->txqlen);
}

static int step_group(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    dev->group = attrs->group;
    linktable_store(op->server, dev);
    *told = true;
    return 0;
}

/* A name beside an index renames; alone it says which interface is meant. */
static int step_name(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)told;
    if (attrs->ifindex <= 0 || !attrs->ifname[0]) return 0;
    return linkops_rename(op, dev, attrs->ifname);
}

static int step_alias(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    memcpy(dev->alias, attrs->alias, sizeof dev->alias);
    linktable_store(op->server, dev);
    *told = true;
    return 0;
}

static int step_flags(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)told;
    if (!attrs->flags && !attrs->change) return 0;
    return linkops_set_flags(op, dev, linkops_wanted_flags(dev, attrs));
}

/* No CAN interface can have a master; which errno depends on whether that one exists. */
int linkops_check_master(struct linkop *op, uint32_t master)
{
    if (!master) return 0;
    return linktable_ifindex_taken(op->server, (int32_t)master) ? -EOPNOTSUPP : -EINVAL;
}

static int step_master(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)dev, (void)told;
    return linkops_check_master(op, attrs->master);
}

/* What user space may make of the state: only these changes have an effect (RFC 2863, operstates.rst). */
bool linkops_set_operstate(struct device *dev, uint8_t wanted)
{
    uint8_t now = dev->operstate;
    bool running = now == IF_OPER_UP || now == IF_OPER_UNKNOWN;
    if (wanted == IF_OPER_UP && (now == IF_OPER_DORMANT || now == IF_OPER_TESTING || now == IF_OPER_UNKNOWN))
        dev->operstate = IF_OPER_UP;
    else if ((wanted == IF_OPER_DORMANT || wanted == IF_OPER_TESTING) && running)
        dev->operstate = wanted;
    return dev->operstate != now;
}

static int step_operstate(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)told;
    if (!linkops_set_operstate(dev, attrs->operstate)) return 0;
    linktable_store(op->server, dev);
    linkops_notify_change(op, dev);
    return 0;
}

static int step_linkmode(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    if (dev->linkmode == attrs->linkmode) return 0;
    dev->linkmode = attrs->linkmode;
    linktable_store(op->server, dev);
    *told = true;
    return 0;
}

static int step_xdp(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs, bool *told)
{
    (void)op, (void)dev, (void)attrs;
    *told = true; /* only "off" can be meant: there is no program to run */
    return 0;
}

static const struct {
    uint32_t has; /* 0: always */
    step *step;
} steps[] = {
    { RTLINK_AF_SPEC, step_af_spec },
    { RTLINK_NET_NS, step_net_ns },
    { RTLINK_MAP, step_unsupported },
    { RTLINK_ADDRESS, step_unsupported },
    { RTLINK_MTU, step_mtu },
    { RTLINK_GROUP, step_group },
    { RTLINK_IFNAME, step_name },
    { RTLINK_IFALIAS, step_alias },
    { 0, step_flags },
    { RTLINK_MASTER, step_master },
    { RTLINK_CARRIER, step_unsupported },
    { RTLINK_TXQLEN, step_txqlen },
    { RTLINK_OPERSTATE, step_operstate },
    { RTLINK_LINKMODE, step_linkmode },
    { RTLINK_VF, step_unsupported },
    { RTLINK_PROTO_DOWN, step_proto_down },
    { RTLINK_XDP, step_xdp },
};

int linkops_modify(struct linkop *op, struct device *dev, const struct rtlink_attrs *attrs)
{
    bool told = false;
    int error = 0;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && !error; i++)
        if (!steps[i].has || attrs->has & steps[i].has) error = steps[i].step(op, dev, attrs, &told);
    if (told) linkops_notify_change(op, dev);
    return error;
}
