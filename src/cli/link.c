/* cli/link.c - asks the daemon as `ip link` would: an rtnetlink request in, an NLMSG_ERROR out when it was
 * refused. */
#include "cli/link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include "cli/bench.h"
#include "sockets/ctl.h"

/* RTM_NEWLINK for `name`, up; with `kind` as a new interface of that kind. */
static size_t build(void *buffer, const char *name, const char *kind)
{
    struct ctl_netlink *caller = buffer;
    memset(caller, 0, sizeof(*caller));
    struct nlmsghdr *head = mnl_nlmsg_put_header(caller + 1);

    head->nlmsg_type = RTM_NEWLINK;
    head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (kind ? NLM_F_CREATE | NLM_F_EXCL : 0);
    head->nlmsg_seq = 1;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(head, sizeof(*info));
    info->ifi_flags = info->ifi_change = IFF_UP;
    mnl_attr_put_strz(head, IFLA_IFNAME, name);
    if (kind) {
        struct nlattr *nest = mnl_attr_nest_start(head, IFLA_LINKINFO);
        mnl_attr_put_str(head, IFLA_INFO_KIND, kind);
        mnl_attr_nest_end(head, nest);
    }
    return sizeof(*caller) + head->nlmsg_len;
}

static int ask(const char *dir, const char *name, const char *kind)
{
    _Alignas(8) char request[512], reply[1024];
    size_t size = 0;

    int error = ctl_call(dir, CTL_NETLINK, request, build(request, name, kind), -1, reply, sizeof(reply),
                         &size, NULL, 0);
    const struct nlmsghdr *head = (const struct nlmsghdr *)(void *)reply;
    if (!error && mnl_nlmsg_ok(head, (int)size) && head->nlmsg_type == NLMSG_ERROR &&
        mnl_nlmsg_get_payload_len(head) >= sizeof(struct nlmsgerr))
        error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error;
    return error;
}

/* NAME@BUS: stays down, because it has no bit rate yet. */
static int make_on_bus(const char *dir, const char *name, const char *at)
{
    char own[IFNAMSIZ] = { 0 };

    if ((size_t)(at - name) < sizeof(own)) memcpy(own, name, (size_t)(at - name));
    int error = bench_make_link(dir, own, at + 1);
    if (error) fprintf(stderr, "pocketcan: --link %s: %s\n", name, strerror(-error));
    return error;
}

int link_make(const char *dir, const char *name)
{
    const char *at = strchr(name, '@');
    int error = -EINVAL;

    if (at) return make_on_bus(dir, name, at);

    if (name[0] && strlen(name) < IFNAMSIZ) error = ask(dir, name, "vcan");
    if (error == -EEXIST) error = ask(dir, name, NULL);
    if (error == -EINVAL)
        fprintf(
            stderr,
            "pocketcan: --link %s: no valid interface name: give 1 to %d bytes without space, '/' and ':'\n",
            name, IFNAMSIZ - 1);
    else if (error)
        fprintf(stderr, "pocketcan: --link %s: %s\n", name, strerror(-error));
    return error;
}
