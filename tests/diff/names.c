/* Steps that look at links through libc and by dumps of rtnetlink. Only links of the sequence are told, in the order of their names: which
 * others a machine has, and in which order it lists them, is its own affair. */
#include "diff.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOUND_MAX 16

static struct found {
    char text[160];
} found[FOUND_MAX];
static int found_count;

static bool is_ours(const char *name)
{
    return (!strncmp(name, "df", 2) || !strncmp(name, "dg", 2)) && strlen(name) == 3;
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static void out_found(void)
{
    qsort(found, (size_t)found_count, sizeof(*found), by_text);
    for (int i = 0; i < found_count; i++)
        out(" %s", found[i].text);
}

#define FIND(...)                                                                                            \
    do {                                                                                                     \
        if (found_count < FOUND_MAX) snprintf(found[found_count++].text, sizeof(found->text), __VA_ARGS__);  \
    } while (0)

/* names: if_nameindex() */
static void op_names(const struct step *step)
{
    struct if_nameindex *list = if_nameindex();

    (void)step;
    if (!list) {
        out_result(-1);
        return;
    }
    for (struct if_nameindex *at = list; at->if_index; at++)
        if (is_ours(at->if_name)) FIND("%s/%s", at->if_name, step_index_word((int)at->if_index));
    if_freenameindex(list);
    out(" =");
    out_found();
}

/* addresses: getifaddrs() */
static void op_addresses(const struct step *step)
{
    struct ifaddrs *list;

    (void)step;
    if (getifaddrs(&list)) {
        out_result(-1);
        return;
    }
    for (struct ifaddrs *at = list; at; at = at->ifa_next) {
        const struct rtnl_link_stats *s = at->ifa_data;

        if (is_ours(at->ifa_name))
            FIND("%s flags %x address %d data %u/%u/%u/%u", at->ifa_name, at->ifa_flags,
                 at->ifa_addr ? at->ifa_addr->sa_family : -1, s ? s->rx_packets : 99, s ? s->tx_packets : 99,
                 s ? s->rx_bytes : 99, s ? s->tx_bytes : 99);
    }
    freeifaddrs(list);
    out(" =");
    out_found();
}

/* lookup LINK: its index by its name, its name by its index */
static void op_lookup(const struct step *step)
{
    const char *word = step_word(step, 0);
    int index = (int)if_nametoindex(step_name(word)), error = errno;
    char name[IF_NAMESIZE] = "-";

    out(" = %s", index ? step_index_word(index) : strerrorname_np(error));
    index = step_index(word);
    errno = 0;
    out(" %s", index > 0 && if_indextoname((unsigned)index, name) ? name : strerrorname_np(errno));
}

static void find_link(const struct nlmsghdr *h)
{
    int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg)));
    const struct ifinfomsg *info = NLMSG_DATA(h);
    const char *name = "";
    unsigned mtu = 0, present = 0;

    for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(h)); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == IFLA_IFNAME) name = RTA_DATA(a);
        if (a->rta_type == IFLA_MTU) memcpy(&mtu, RTA_DATA(a), sizeof(mtu));
        if (a->rta_type == IFLA_STATS64) present |= 1;
        if (a->rta_type == IFLA_LINKINFO) present |= 2;
        if (a->rta_type == IFLA_LINK) present |= 4;
        if (a->rta_type == IFLA_AF_SPEC) present |= 8;
    }
    if (is_ours(name))
        FIND("%s/%s type %d flags %x change %x mtu %u has %x%s", name, step_index_word(info->ifi_index),
             info->ifi_type, info->ifi_flags, info->ifi_change, mtu, present,
             h->nlmsg_flags & NLM_F_MULTI ? "" : " alone");
}

/* Takes an answer to its end. False: more is to come. */
static bool take_answer(struct nlmsghdr *h, int size)
{
    for (; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
        if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
            out(" %s %d", h->nlmsg_type == NLMSG_DONE ? "done" : "error", *(int *)NLMSG_DATA(h));
            return true;
        }
        if (h->nlmsg_type == RTM_NEWLINK) find_link(h);
        if (!(h->nlmsg_flags & NLM_F_MULTI)) return true;
    }
    return false;
}

/* dump [kind=KIND] [name=LINK] [index=LINK] [mask=N] [peek=1]: RTM_GETLINK of all, or of one */
static void op_dump(const struct step *step)
{
    _Alignas(struct nlmsghdr) static char reply[65536];
    struct {
        struct nlmsghdr head;
        struct ifinfomsg info;
        char attributes[256];
    } r = { { NLMSG_LENGTH(sizeof(r.info)), RTM_GETLINK, NLM_F_REQUEST, 7, 0 }, { 0 }, { 0 } };
    const char *kind = step_text(step, "kind", NULL), *name = step_text(step, "name", NULL),
               *index = step_text(step, "index", NULL);
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
        mask = (int)step_number(step, "mask", 0);
    ssize_t size;

#define ROOM ((struct rtattr *)((char *)&r + NLMSG_ALIGN(r.head.nlmsg_len)))
#define PUT(type, data, length)                                                                              \
    do {                                                                                                     \
        *ROOM = (struct rtattr){ (unsigned short)RTA_LENGTH(length), (type) };                               \
        memcpy(RTA_DATA(ROOM), data, length);                                                                \
        r.head.nlmsg_len = NLMSG_ALIGN(r.head.nlmsg_len) + RTA_ALIGN(RTA_LENGTH(length));                    \
    } while (0)
    if (fd < 0) return;
    if (!name && !index) r.head.nlmsg_flags |= NLM_F_DUMP;
    if (index) r.info.ifi_index = step_index(index);
    if (name) PUT(IFLA_IFNAME, step_name(name), strlen(step_name(name)) + 1);
    if (mask) PUT(IFLA_EXT_MASK, &mask, sizeof(mask));
    if (kind) {
        struct rtattr inner = { (unsigned short)RTA_LENGTH(strlen(kind) + 1), IFLA_INFO_KIND };
        char nest[64] = { 0 };

        memcpy(nest, &inner, sizeof(inner));
        memcpy(nest + RTA_LENGTH(0), kind, strlen(kind) + 1);
        PUT(IFLA_LINKINFO, nest, (size_t)RTA_ALIGN(inner.rta_len));
    }
    out(" =");
    if (send(fd, &r, r.head.nlmsg_len, 0) < 0) out(" %s", strerrorname_np(errno));
    do {
        if (step_number(step, "peek", 0) && recv(fd, reply, 0, MSG_PEEK | MSG_TRUNC) <= 0) out(" no peek");
        size = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
    } while (size > 0 && !take_answer((struct nlmsghdr *)(void *)reply, (int)size));
    if (size <= 0) out(" %s", strerrorname_np(errno));
    close(fd);
    out_found();
}

bool names_run(const struct step *step)
{
    static const struct {
        const char *name;
        void (*run)(const struct step *step);
    } table[] = {
        { "names", op_names }, { "addresses", op_addresses }, { "lookup", op_lookup }, { "dump", op_dump }
    };

    found_count = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(step->operation, table[i].name)) {
            table[i].run(step);
            return true;
        }
    return false;
}
