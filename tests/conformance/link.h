/*
 * Links by rtnetlink, with libc only. Names are unique to the process; what a test creates and does not
 * delete is deleted by the runner after it. Functions return 0 or a negative errno; the ones in capitals must
 * succeed.
 */
#ifndef CONFORMANCE_LINK_H
#define CONFORMANCE_LINK_H

#include "can.h"

#include <linux/can/vxcan.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define LINKS_MAX 16

enum { OPER_UNKNOWN = 0, OPER_DOWN = 2, OPER_LOWERLAYERDOWN = 3, OPER_UP = 6 }; /* RFC 2863 */

struct link_request {
    struct nlmsghdr head;
    struct ifinfomsg info;
    char attributes[600];
};

struct link_registry {
    int count;
    int index[LINKS_MAX];
};

static struct link_registry *link_registry; /* shared by the runner and its tests */

static inline struct link_request link_request(int type, int flags, int index)
{
    struct link_request r;

    memset(&r, 0, sizeof(r));
    r.head.nlmsg_len = NLMSG_LENGTH(sizeof(r.info));
    r.head.nlmsg_type = type;
    r.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    r.head.nlmsg_seq = 1;
    r.info.ifi_family = AF_UNSPEC;
    r.info.ifi_index = index;
    return r;
}

/* Appends an attribute and returns its offset; a nest is an empty one that link_close() completes. */
static inline int link_attribute(struct link_request *r, int type, const void *data, int len)
{
    int at = NLMSG_ALIGN(r->head.nlmsg_len);
    struct rtattr *a = (struct rtattr *)((char *)r + at);

    CHECK(at + RTA_SPACE(len) <= sizeof(*r));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(len);
    if (len) memcpy(RTA_DATA(a), data, len);
    r->head.nlmsg_len = at + RTA_LENGTH(len);
    return at;
}

static inline void link_close(struct link_request *r, int nest)
{
    ((struct rtattr *)((char *)r + nest))->rta_len = r->head.nlmsg_len - nest;
}

static inline void link_string(struct link_request *r, int type, const char *s)
{
    link_attribute(r, type, s, strlen(s) + 1);
}

static inline int link_talk(struct link_request *r)
{
    char reply[4096];
    struct nlmsghdr *h = (struct nlmsghdr *)reply;
    int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    ssize_t n;

    CHECK_EQ(send(fd, r, r->head.nlmsg_len, 0), r->head.nlmsg_len);
    n = OK(recv(fd, reply, sizeof(reply), 0));
    CHECK(n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)));
    CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
    close(fd);
    return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static inline int link_delete(int index)
{
    struct link_request r = link_request(RTM_DELLINK, 0, index);

    return link_talk(&r);
}

static inline void link_forget_all(void)
{
    while (link_registry->count > 0)
        link_delete(link_registry->index[--link_registry->count]);
}

__attribute__((constructor)) static inline void link_start(void)
{
    link_registry =
        mmap(NULL, sizeof(*link_registry), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tap_after_each = link_forget_all;
}

static inline void link_remember(const char *name)
{
    CHECK(link_registry->count < LINKS_MAX);
    link_registry->index[link_registry->count++] = index_of(name);
}

static inline void link_name(char name[IFNAMSIZ])
{
    static int serial;

    snprintf(name, IFNAMSIZ, "cf%d_%d", (int)getpid() % 1000000, serial++);
}

/* mtu 0: the default */
static inline int link_create_vcan(const char *name, int mtu)
{
    struct link_request r = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    int nest, error;

    link_string(&r, IFLA_IFNAME, name);
    if (mtu) link_attribute(&r, IFLA_MTU, &mtu, sizeof(mtu));
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "vcan");
    link_close(&r, nest);
    error = link_talk(&r);
    if (!error) link_remember(name);
    return error;
}

static inline int link_create_vxcan(const char *name, const char *peer)
{
    struct link_request r = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    struct ifinfomsg info;
    int nest, data, other, error;

    memset(&info, 0, sizeof(info));
    link_string(&r, IFLA_IFNAME, name);
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "vxcan");
    data = link_attribute(&r, IFLA_INFO_DATA, NULL, 0);
    other = link_attribute(&r, VXCAN_INFO_PEER, &info, sizeof(info));
    link_string(&r, IFLA_IFNAME, peer);
    link_close(&r, other);
    link_close(&r, data);
    link_close(&r, nest);
    error = link_talk(&r);
    if (!error) link_remember(name);
    return error;
}

static inline int link_flags(int index, unsigned flags, unsigned change)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, index);

    r.info.ifi_flags = flags;
    r.info.ifi_change = change;
    return link_talk(&r);
}

static inline int link_mtu(int index, int mtu)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, index);

    link_attribute(&r, IFLA_MTU, &mtu, sizeof(mtu));
    return link_talk(&r);
}

static inline int link_rename(int index, const char *name)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, index);

    link_string(&r, IFLA_IFNAME, name);
    return link_talk(&r);
}

/* What RTM_GETLINK tells; fields without an attribute in the answer are -1. */
struct link_state {
    int type;
    unsigned flags;
    int operstate, carrier, mtu, txqlen, link;
    char name[IFNAMSIZ], qdisc[32], kind[32];
    struct rtnl_link_stats64 stats;
};

static inline int link_get(int index, struct link_state *s)
{
    struct link_request r = link_request(RTM_GETLINK, 0, index);
    _Alignas(struct nlmsghdr) static char reply[16384];
    struct nlmsghdr *h = (struct nlmsghdr *)reply;
    int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)), left;
    struct ifinfomsg *info = NLMSG_DATA(h);

    r.head.nlmsg_flags = NLM_F_REQUEST;
    CHECK_EQ(send(fd, &r, r.head.nlmsg_len, 0), r.head.nlmsg_len);
    OK(recv(fd, reply, sizeof(reply), 0));
    close(fd);
    if (h->nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
    CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
    memset(s, 0, sizeof(*s));
    s->type = info->ifi_type;
    s->flags = info->ifi_flags;
    s->operstate = s->carrier = s->mtu = s->txqlen = s->link = -1;
    left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*info));
    for (struct rtattr *a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        void *data = RTA_DATA(a);
        int size = RTA_PAYLOAD(a), inner = size;

        switch (a->rta_type) {
        case IFLA_OPERSTATE: s->operstate = *(uint8_t *)data; break;
        case IFLA_CARRIER: s->carrier = *(uint8_t *)data; break;
        case IFLA_MTU: s->mtu = *(int *)data; break;
        case IFLA_TXQLEN: s->txqlen = *(int *)data; break;
        case IFLA_LINK: s->link = *(int *)data; break;
        case IFLA_IFNAME: snprintf(s->name, sizeof(s->name), "%.*s", size, (char *)data); break;
        case IFLA_QDISC: snprintf(s->qdisc, sizeof(s->qdisc), "%.*s", size, (char *)data); break;
        case IFLA_STATS64:
            memcpy(&s->stats, data, size < (int)sizeof(s->stats) ? size : (int)sizeof(s->stats));
            break;
        case IFLA_LINKINFO:
            for (struct rtattr *b = data; RTA_OK(b, inner); b = RTA_NEXT(b, inner))
                if (b->rta_type == IFLA_INFO_KIND)
                    snprintf(s->kind, sizeof(s->kind), "%.*s", (int)RTA_PAYLOAD(b), (char *)RTA_DATA(b));
            break;
        }
    }
    return 0;
}

static inline struct link_state LINK_STATE(int index) {
    struct link_state s;

    CHECK_EQ(link_get(index, &s), 0);
    return s;
}

/* Waits for an operational state: the kernel derives it from the carrier a moment later. */
static inline void
LINK_AWAIT(int index, int operstate)
{
    long long end = tap_now_ms() + WAIT_MS;

    while (LINK_STATE(index).operstate != operstate) {
        CHECK(tap_now_ms() < end);
        sched_yield();
    }
}

static inline void LINK_UP(int index) { CHECK_EQ(link_flags(index, IFF_UP, IFF_UP), 0); }

static inline void LINK_DOWN(int index) { CHECK_EQ(link_flags(index, 0, IFF_UP), 0); }

static inline void LINK_DELETE(int index) { CHECK_EQ(link_delete(index), 0); }

/* A new vcan, down; skips the test for users who may not create one. */
static inline int VCAN_NAMED(char name[IFNAMSIZ], int mtu)
{
    int error;

    link_name(name);
    error = link_create_vcan(name, mtu);
    if (error == -EPERM) SKIP("may not create links");
    CHECK_EQ(error, 0);
    return index_of(name);
}

static inline int VCAN_DOWN(void)
{
    char name[IFNAMSIZ];

    return VCAN_NAMED(name, 0);
}

static inline int VCAN_UP_MTU(int mtu)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, mtu);

    LINK_UP(index);
    return index;
}

static inline int VCAN_UP(void) { return VCAN_UP_MTU(0); }

/* A pair of vxcan ends, both up. */
static inline void VXCAN_UP(int *index, int *peer)
{
    char a[IFNAMSIZ], b[IFNAMSIZ];
    int error;

    link_name(a);
    link_name(b);
    error = link_create_vxcan(a, b);
    if (error == -EPERM) SKIP("may not create links");
    CHECK_EQ(error, 0);
    *index = index_of(a);
    *peer = index_of(b);
    LINK_UP(*index);
    LINK_UP(*peer);
    LINK_AWAIT(*index, OPER_UP);
    LINK_AWAIT(*peer, OPER_UP);
}

#endif
