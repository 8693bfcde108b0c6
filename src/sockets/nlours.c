/* sockets/nlours.c - which netlink messages are about our interfaces; see nlfd.h. Only looks, never changes.
 *
 * Requests come from the program unchecked: every length is, before anything is read. */
/* prefix: nlfd_ nl_ */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "base/sys.h"
#include "bus/links.h"
#include "sockets/nlstate.h"
#include "sockets/raw.h"

#define KIND_MAX 16u

/* Messages whose payload has an interface index at offset 4: struct ifinfomsg, ifaddrmsg, ndmsg, tcmsg. */
static const struct {
    uint16_t first, last;
} indexed[] = {
    { RTM_NEWLINK, RTM_SETLINK },         { RTM_NEWADDR, RTM_GETADDR },
    { RTM_NEWNEIGH, RTM_GETNEIGH },       { RTM_NEWQDISC, RTM_GETQDISC },
    { RTM_NEWTCLASS, RTM_GETTCLASS },     { RTM_NEWTFILTER, RTM_GETTFILTER },
    { RTM_NEWLINKPROP, RTM_GETLINKPROP },
};

const struct nlmsghdr *nl_message(const void *data, size_t size, size_t at)
{
    const struct nlmsghdr *message = (const void *)((const char *)data + at);
    if (at > size || size - at < sizeof *message) return NULL;
    if (message->nlmsg_len < sizeof *message || message->nlmsg_len > size - at) return NULL;
    return message;
}

/* Finds an attribute in data[0..size); the last one counts, as in the kernel. */
static const struct nlattr *find_attr(const void *data, size_t size, uint16_t type)
{
    const struct nlattr *found = NULL;
    size_t at = 0;
    while (size - at >= sizeof(struct nlattr)) {
        const struct nlattr *attr = (const void *)((const char *)data + at);
        if (attr->nla_len < sizeof *attr || attr->nla_len > size - at) break;
        if ((attr->nla_type & NLA_TYPE_MASK) == type) found = attr;
        size_t step = NLA_ALIGN((size_t)attr->nla_len);
        if (step >= size - at) break;
        at += step;
    }
    return found;
}

static const char *attr_data(const struct nlattr *attr) { return (const char *)attr + NLA_HDRLEN; }

static size_t attr_size(const struct nlattr *attr) { return attr->nla_len - (size_t)NLA_HDRLEN; }

static bool names_ours(const struct bus *bus, const struct nlattr *attr)
{
    struct link_view view;
    if (!attr || memchr(attr_data(attr), ':', attr_size(attr))) return false; /* no label form here */
    return links_by_name(bus->control, attr_data(attr), attr_size(attr), &view) == 0;
}

static bool kind_is_ours(const struct nlattr *linkinfo)
{
    char kind[KIND_MAX] = { 0 };
    const struct nlattr *attr =
        linkinfo ? find_attr(attr_data(linkinfo), attr_size(linkinfo), IFLA_INFO_KIND) : NULL;
    if (!attr || attr_size(attr) > sizeof kind) return false;
    memcpy(kind, attr_data(attr), attr_size(attr));
    for (uint32_t i = LINK_KIND_VCAN; i <= LINK_KIND_CAN; i++)
        if (memcmp(kind, links_kind_name(i), strlen(links_kind_name(i)) + 1) == 0) return true;
    return false;
}

bool nl_has_our_kind(const struct nlmsghdr *message)
{
    const size_t head = NLMSG_LENGTH(sizeof(struct ifinfomsg));
    if (message->nlmsg_len < head) return false;
    return kind_is_ours(find_attr((const char *)message + head, message->nlmsg_len - head, IFLA_LINKINFO));
}

static bool group_has_ours(const struct bus *bus, const struct nlattr *attr)
{
    uint32_t group;
    if (!attr || attr_size(attr) < sizeof group) return false;
    memcpy(&group, attr_data(attr), sizeof group);
    for (uint32_t i = 0; group && i < LINKS_MAX; i++) {
        const struct bus_link *link = &bus->control->links[i];
        if (load_acquire(&link->ifindex) && link->group == group) return true;
    }
    return false;
}

/* A link message that names no index: by name, by group, or what it wants to create. */
static bool link_is_ours(const struct bus *bus, const struct nlmsghdr *message, const struct ifinfomsg *info)
{
    const char *attrs = (const char *)message + NLMSG_LENGTH(sizeof *info);
    size_t size = message->nlmsg_len - NLMSG_LENGTH(sizeof *info);
    const struct nlattr *name = find_attr(attrs, size, IFLA_IFNAME);
    const struct nlattr *altname = find_attr(attrs, size, IFLA_ALT_IFNAME);
    bool creates = message->nlmsg_type == RTM_NEWLINK && message->nlmsg_flags & NLM_F_CREATE;
    if (creates && kind_is_ours(find_attr(attrs, size, IFLA_LINKINFO))) return true;
    if (info->ifi_index > 0) return false;
    if (name || altname) return names_ours(bus, name ? name : altname);
    bool whole_group = !creates && (message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK);
    return whole_group && group_has_ours(bus, find_attr(attrs, size, IFLA_GROUP));
}

static bool is_indexed(uint16_t type)
{
    for (size_t i = 0; i < sizeof indexed / sizeof indexed[0]; i++)
        if (type >= indexed[i].first && type <= indexed[i].last) return true;
    return false;
}

static bool is_link_type(uint16_t type)
{
    return (type >= RTM_NEWLINK && type <= RTM_SETLINK) ||
           (type >= RTM_NEWLINKPROP && type <= RTM_GETLINKPROP);
}

/* Every fourth rtnetlink type asks; a question with any of the dump flags wants all the answers there are. */
static bool is_dump(const struct nlmsghdr *message)
{
    bool asks = message->nlmsg_type >= RTM_BASE && (message->nlmsg_type & 3) == (RTM_GETLINK & 3);
    return asks && message->nlmsg_flags & NLM_F_DUMP;
}

/* An index that was one of ours, and is nobody's now: the kernel would look at the caller's rights before it says so. */
static bool was_ours(const struct bus *bus, int32_t ifindex)
{
    if (ifindex < LINK_IFINDEX_FIRST || (uint32_t)ifindex >= load_relaxed(&bus->control->next_ifindex))
        return false;
    long fd = sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool kernel = raw_kernel_has_ifindex((int)fd, (uint32_t)ifindex);
    sys_call(SYS_close, fd);
    return !kernel;
}

bool nlfd_is_ours(const struct bus *bus, const void *bytes, size_t size)
{
    const struct nlmsghdr *message = nl_message(bytes, size, 0);
    struct ifinfomsg info;
    if (!message || !(message->nlmsg_flags & NLM_F_REQUEST) || is_dump(message)) return false;
    if (!is_indexed(message->nlmsg_type) || message->nlmsg_len < NLMSG_LENGTH(8)) return false;
    memcpy(&info, (const char *)bytes + NLMSG_HDRLEN, 8);
    if (info.ifi_index > 0 && links_find(bus->control, (uint32_t)info.ifi_index) < LINKS_MAX) return true;
    if (!is_link_type(message->nlmsg_type) || message->nlmsg_len < NLMSG_LENGTH(sizeof info)) return false;
    if (was_ours(bus, info.ifi_index)) return true;
    return link_is_ours(bus, message, &info);
}

/* Is any word of the request the index of one of ours? They are high numbers, so that a word which is not meant as an
 * index hardly ever looks like one - and then it takes the kernel's ENODEV, too, before this matters. */
static bool mentions_ours(const struct bus *bus, const struct nlmsghdr *message)
{
    for (size_t at = NLMSG_HDRLEN; at + 4 <= message->nlmsg_len; at += 4) {
        uint32_t word;
        memcpy(&word, (const char *)message + at, sizeof word);
        if (word && links_find(bus->control, word) < LINKS_MAX) return true;
    }
    return false;
}

/* Families with a link dump of their own: bridge ports, IPv6 settings. */
static bool is_other_family(const struct nlmsghdr *message)
{
    if (message->nlmsg_len < NLMSG_LENGTH(1)) return false;
    unsigned char family = *((const unsigned char *)message + NLMSG_HDRLEN);
    return family == AF_BRIDGE || family == AF_INET6;
}

bool nl_is_dump(const struct bus *bus, const struct nlmsghdr *message, bool *links)
{
    if (!(message->nlmsg_flags & NLM_F_REQUEST) || !is_dump(message) || message->nlmsg_len > NL_DUMP_MAX)
        return false;
    *links = message->nlmsg_type == RTM_GETLINK && !is_other_family(message);
    return *links || mentions_ours(bus, message);
}
