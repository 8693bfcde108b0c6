/* netlink/rtlink_parse.c - link requests, from bytes to struct rtlink_request; see rtlink.h.
 *
 * Each level of nesting is one table: a row says what an attribute may look like and where its value goes. walk() is the
 * only loop over attributes. It checks the rows' lengths as the kernel does: a number may be longer than it should be but not
 * shorter, a string may lack its NUL, an attribute without a row is skipped. RTM_*LINKPROP came later and is checked strictly:
 * there a nest must say that it is one. */
#include "netlink/rtlink.h"

#include <errno.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/can/vxcan.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define TEXT_POLICY "Attribute failed policy validation"

enum form { FORM_U8, FORM_U32, FORM_STRING, FORM_BINARY, FORM_NEST, FORM_ANY };

/* NL_ATTR_TYPE_* by form, as the kernel describes its policy in an extended acknowledgement. */
static const uint8_t policy_types[] = {
    [FORM_U8] = NL_ATTR_TYPE_U8,         [FORM_U32] = NL_ATTR_TYPE_U32,
    [FORM_STRING] = NL_ATTR_TYPE_STRING, [FORM_BINARY] = NL_ATTR_TYPE_BINARY,
    [FORM_NEST] = NL_ATTR_TYPE_NESTED,
};

struct parse {
    const struct nlmsghdr *message;
    struct rtlink_request *request;
    struct rtlink_fault *fault;
    bool strict;
};

typedef int parse_nest(struct parse *parse, const struct nlattr *attr, struct rtlink_attrs *out);

struct row {
    uint16_t type;
    uint8_t form;
    uint16_t max;    /* FORM_STRING, FORM_BINARY: longest payload; 0: any */
    uint32_t has;    /* enum rtlink_has */
    uint16_t offset; /* into struct rtlink_attrs; 0: only noted */
    parse_nest *nest;
};

#define AT(field) offsetof(struct rtlink_attrs, field)

static parse_nest parse_linkinfo, parse_info_data, parse_peer, parse_prop_list;

static const struct row link_rows[] = {
    { IFLA_ADDRESS, FORM_BINARY, 32, RTLINK_ADDRESS, 0, NULL },
    { IFLA_BROADCAST, FORM_BINARY, 32, RTLINK_BROADCAST, 0, NULL },
    { IFLA_IFNAME, FORM_STRING, RTLINK_NAME_SIZE - 1, RTLINK_IFNAME, AT(ifname), NULL },
    { IFLA_MTU, FORM_U32, 0, RTLINK_MTU, AT(mtu), NULL },
    { IFLA_LINK, FORM_U32, 0, 0, 0, NULL },
    { IFLA_MASTER, FORM_U32, 0, RTLINK_MASTER, AT(master), NULL },
    { IFLA_PROTINFO, FORM_ANY, 0, RTLINK_PROTINFO, 0, NULL },
    { IFLA_TXQLEN, FORM_U32, 0, RTLINK_TXQLEN, AT(txqlen), NULL },
    { IFLA_MAP, FORM_ANY, 0, RTLINK_MAP, 0, NULL },
    { IFLA_OPERSTATE, FORM_U8, 0, RTLINK_OPERSTATE, AT(operstate), NULL },
    { IFLA_LINKMODE, FORM_U8, 0, RTLINK_LINKMODE, AT(linkmode), NULL },
    { IFLA_LINKINFO, FORM_NEST, 0, 0, 0, parse_linkinfo },
    { IFLA_NET_NS_PID, FORM_U32, 0, RTLINK_NET_NS, 0, NULL },
    { IFLA_IFALIAS, FORM_BINARY, RTLINK_ALIAS_SIZE - 1, RTLINK_IFALIAS, AT(alias), NULL },
    { IFLA_VFINFO_LIST, FORM_NEST, 0, RTLINK_VF, 0, NULL },
    { IFLA_VF_PORTS, FORM_NEST, 0, RTLINK_VF, 0, NULL },
    { IFLA_PORT_SELF, FORM_NEST, 0, RTLINK_VF, 0, NULL },
    { IFLA_AF_SPEC, FORM_NEST, 0, RTLINK_AF_SPEC, 0, NULL },
    { IFLA_GROUP, FORM_U32, 0, RTLINK_GROUP, AT(group), NULL },
    { IFLA_NET_NS_FD, FORM_U32, 0, RTLINK_NET_NS, 0, NULL },
    { IFLA_EXT_MASK, FORM_U32, 0, RTLINK_EXT_MASK, 0, NULL },
    { IFLA_PROMISCUITY, FORM_U32, 0, 0, 0, NULL },
    { IFLA_NUM_TX_QUEUES, FORM_U32, 0, RTLINK_NUM_TX_QUEUES, AT(num_tx_queues), NULL },
    { IFLA_NUM_RX_QUEUES, FORM_U32, 0, RTLINK_NUM_RX_QUEUES, AT(num_rx_queues), NULL },
    { IFLA_CARRIER, FORM_U8, 0, RTLINK_CARRIER, AT(carrier), NULL },
    { IFLA_PROTO_DOWN, FORM_U8, 0, RTLINK_PROTO_DOWN, AT(proto_down), NULL },
    { IFLA_XDP, FORM_NEST, 0, RTLINK_XDP, 0, NULL },
    { IFLA_TARGET_NETNSID, FORM_U32, 0, RTLINK_NET_NS, 0, NULL },
    { IFLA_PROP_LIST, FORM_NEST, 0, RTLINK_PROP_LIST, 0, parse_prop_list },
    { IFLA_ALT_IFNAME, FORM_STRING, RTLINK_ALTNAME_SIZE - 1, RTLINK_ALT_IFNAME, AT(alt_ifname), NULL },
};

static const struct row linkinfo_rows[] = {
    { IFLA_INFO_KIND, FORM_STRING, 0, RTLINK_KIND, AT(kind), NULL },
    { IFLA_INFO_DATA, FORM_NEST, 0, RTLINK_DATA, 0, parse_info_data },
};

static const struct row vxcan_rows[] = {
    { VXCAN_INFO_PEER, FORM_ANY, 0, RTLINK_PEER, 0, parse_peer },
};

#define ROWS(table) table, sizeof(table) / sizeof(table[0])

static uint32_t offset_of(const struct parse *parse, const struct nlattr *attr)
{
    return (uint32_t)((const char *)attr - (const char *)parse->message);
}

static int refuse(struct parse *parse, const struct nlattr *attr, const struct row *row, int error,
                  const char *text)
{
    *parse->fault = (struct rtlink_fault){
        .text = text,
        .offset = offset_of(parse, attr),
        .policy_type = policy_types[row->form],
        .policy_max = row->max,
    };
    return error;
}

/* The length of a string's text: up to its NUL, which need not be there. */
static size_t text_size(const void *text, size_t size)
{
    const char *end = memchr(text, '\0', size);
    return end ? (size_t)(end - (const char *)text) : size;
}

static bool length_is_good(const struct row *row, const void *payload, size_t size)
{
    switch (row->form) {
    case FORM_U8: return size >= 1;
    case FORM_U32: return size >= 4;
    /* the closing NUL does not count against the limit, and a string of no bytes at all is none */
    case FORM_STRING: return size > 0 && (!row->max || text_size(payload, size) <= row->max);
    case FORM_BINARY: return size <= row->max;
    case FORM_NEST: return size == 0 || size >= sizeof(struct nlattr);
    default: return true;
    }
}

static void store_string(char *to, size_t room, const void *from, size_t size)
{
    size = text_size(from, size);
    if (size >= room) size = room - 1;
    memcpy(to, from, size);
    memset(to + size, 0, room - size);
}

/* Room of the string that a row fills. */
static size_t string_room(const struct row *row) { return row->max ? row->max + 1u : RTLINK_KIND_SIZE; }

static void store(const struct row *row, const void *payload, size_t size, struct rtlink_attrs *out)
{
    char *to = (char *)out + row->offset;
    out->has |= row->has;
    if (!row->offset) return;
    if (row->form == FORM_U8)
        memcpy(to, payload, 1);
    else if (row->form == FORM_U32)
        memcpy(to, payload, 4);
    else
        store_string(to, string_room(row), payload, size);
}

static int take(struct parse *parse, const struct row *row, const struct nlattr *attr,
                struct rtlink_attrs *out)
{
    const void *payload = mnl_attr_get_payload(attr);
    size_t size = mnl_attr_get_payload_len(attr);
    if (!length_is_good(row, payload, size)) return refuse(parse, attr, row, -ERANGE, TEXT_POLICY);
    if (parse->strict && row->form == FORM_NEST && !(attr->nla_type & NLA_F_NESTED))
        return refuse(parse, attr, row, -EINVAL, "NLA_F_NESTED is missing");
    store(row, payload, size, out);
    return row->nest ? row->nest(parse, attr, out) : 0;
}

/* Goes through the attributes in data[0..size). A remainder too short for an attribute is ignored, as the kernel does. */
static int walk(struct parse *parse, const void *data, size_t size, const struct row *rows, size_t count,
                struct rtlink_attrs *out)
{
    const struct nlattr *attr = data;
    while (mnl_attr_ok(attr, (int)size)) {
        for (size_t i = 0; i < count; i++) {
            if (rows[i].type != mnl_attr_get_type(attr)) continue;
            int error = take(parse, &rows[i], attr, out);
            if (error) return error;
        }
        size_t step = MNL_ALIGN(attr->nla_len);
        if (step >= size) break;
        size -= step;
        attr = mnl_attr_next(attr);
    }
    return 0;
}

static int parse_linkinfo(struct parse *parse, const struct nlattr *attr, struct rtlink_attrs *out)
{
    int error =
        walk(parse, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr), ROWS(linkinfo_rows), out);
    if (error) *parse->fault = (struct rtlink_fault){ 0 }; /* in here the kernel gives no reasons */
    return error;
}

/* What the data means depends on the kind, which comes before it in every message iproute2, pyroute2 and libnl send. */
static int parse_info_data(struct parse *parse, const struct nlattr *attr, struct rtlink_attrs *out)
{
    out->info_data = mnl_attr_get_payload(attr);
    out->info_data_size = mnl_attr_get_payload_len(attr);
    if (strcmp(out->kind, "vxcan") != 0) return 0;
    return walk(parse, out->info_data, out->info_data_size, ROWS(vxcan_rows), out);
}

/* struct ifinfomsg and the ordinary attributes of the other end. One too short for that is a peer without wishes. */
static int parse_peer(struct parse *parse, const struct nlattr *attr, struct rtlink_attrs *out)
{
    struct rtlink_attrs *peer = &parse->request->peer;
    const char *payload = mnl_attr_get_payload(attr);
    size_t size = mnl_attr_get_payload_len(attr);
    struct ifinfomsg head;
    if (out == peer) return 0; /* a peer's peer: nobody asked */
    memset(peer, 0, sizeof *peer);
    if (size < sizeof head) return 0;
    memcpy(&head, payload, sizeof head);
    peer->ifindex = head.ifi_index;
    peer->flags = head.ifi_flags;
    peer->change = head.ifi_change;
    return walk(parse, payload + sizeof head, size - sizeof head, ROWS(link_rows), peer);
}

static int parse_prop_list(struct parse *parse, const struct nlattr *attr, struct rtlink_attrs *out)
{
    static const struct row row = { IFLA_ALT_IFNAME, FORM_STRING, RTLINK_ALTNAME_SIZE - 1, 0, 0, NULL };
    struct rtlink_request *request = parse->request;
    const struct nlattr *prop;
    (void)out;
    if (request->type != RTM_NEWLINKPROP && request->type != RTM_DELLINKPROP) return 0;
    mnl_attr_for_each_nested(prop, attr)
    {
        const void *payload = mnl_attr_get_payload(prop);
        size_t size = mnl_attr_get_payload_len(prop);
        if (mnl_attr_get_type(prop) != IFLA_ALT_IFNAME) continue;
        if (!length_is_good(&row, payload, size)) return refuse(parse, prop, &row, -ERANGE, TEXT_POLICY);
        if (request->altname_count == RTLINK_ALTNAMES_MAX) return refuse(parse, prop, &row, -ENOSPC, NULL);
        store_string(request->altname[request->altname_count++], RTLINK_ALTNAME_SIZE, payload, size);
    }
    return 0;
}

/* With NETLINK_GET_STRICT_CHK a request for one link may say nothing but which one. */
static int check_strict_get(const struct rtlink_request *request, struct rtlink_fault *fault)
{
    const uint32_t allowed = RTLINK_IFNAME | RTLINK_ALT_IFNAME | RTLINK_EXT_MASK | RTLINK_NET_NS;
    if (request->link.flags || request->link.change) {
        fault->text = "Invalid values in header for get link request";
        return -EINVAL;
    }
    if (request->link.has & ~allowed) {
        fault->text = "Unsupported attribute in get link request";
        return -EINVAL;
    }
    return 0;
}

static bool is_link_message(uint16_t type)
{
    return (type >= RTM_NEWLINK && type <= RTM_SETLINK) || type == RTM_NEWLINKPROP || type == RTM_DELLINKPROP;
}

int rtlink_parse(const void *message, size_t size, bool strict, struct rtlink_request *out,
                 struct rtlink_fault *fault)
{
    const struct nlmsghdr *head = message;
    struct ifinfomsg info;
    memset(out, 0, sizeof *out);
    memset(fault, 0, sizeof *fault);
    if (size < sizeof *head || head->nlmsg_len < sizeof *head || head->nlmsg_len > size) return -EBADMSG;
    out->type = head->nlmsg_type;
    out->flags = head->nlmsg_flags;
    out->seq = head->nlmsg_seq;
    if (!is_link_message(head->nlmsg_type)) return 0;
    out->dump = head->nlmsg_type == RTM_GETLINK && (head->nlmsg_flags & NLM_F_DUMP);
    if (head->nlmsg_len < NLMSG_LENGTH(sizeof info))
        return out->dump ? 0 : -EINVAL; /* old dumps have a rtgenmsg */

    memcpy(&info, mnl_nlmsg_get_payload(head), sizeof info);
    out->family = info.ifi_family;
    out->link.ifindex = info.ifi_index;
    out->link.flags = info.ifi_flags;
    out->link.change = info.ifi_change;
    struct parse parse = {
        .message = head,
        .request = out,
        .fault = fault,
        .strict = head->nlmsg_type == RTM_NEWLINKPROP || head->nlmsg_type == RTM_DELLINKPROP,
    };
    int error = walk(&parse, mnl_nlmsg_get_payload_offset(head, sizeof info),
                     head->nlmsg_len - NLMSG_LENGTH(sizeof info), ROWS(link_rows), &out->link);
    if (error || !strict || out->dump || out->type != RTM_GETLINK) return error;
    return check_strict_get(out, fault);
}
