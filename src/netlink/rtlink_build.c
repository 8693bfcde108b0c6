/* netlink/rtlink_build.c - link messages and errors, from structs to bytes; see rtlink.h.
 *
 * The order of rows[] is the order on the wire: programs that print attributes as they come, and tests that compare bytes,
 * see what Linux 6.1 sends for a CAN interface. A row either takes its value from struct rtlink_info or has a function. */
#include "netlink/rtlink.h"

#include <errno.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include "netlink/rtcan.h"

enum form { FORM_U8, FORM_U32, FORM_CONST, FORM_NAME, FORM_CALL };

typedef void put(struct nlmsghdr *message, const struct rtlink_head *head, const struct rtlink_info *info);

struct row {
    uint16_t type;
    uint8_t form;
    uint32_t value; /* FORM_CONST: a u32; otherwise the offset into struct rtlink_info */
    put *call;
};

#define AT(field) offsetof(struct rtlink_info, field)

static void put_qdisc(struct nlmsghdr *message, const struct rtlink_head *head,
                      const struct rtlink_info *info)
{
    (void)head;
    mnl_attr_put_strz(message, IFLA_QDISC, info->qdisc);
}

static void put_alias(struct nlmsghdr *message, const struct rtlink_head *head,
                      const struct rtlink_info *info)
{
    (void)head;
    if (info->alias && info->alias[0]) mnl_attr_put_strz(message, IFLA_IFALIAS, info->alias);
}

static void put_carrier_changes(struct nlmsghdr *message, const struct rtlink_head *head,
                                const struct rtlink_info *info)
{
    (void)head;
    mnl_attr_put_u32(message, IFLA_CARRIER_CHANGES, info->carrier_up_count + info->carrier_down_count);
}

static void put_map(struct nlmsghdr *message, const struct rtlink_head *head, const struct rtlink_info *info)
{
    static const struct rtnl_link_ifmap none;
    (void)head;
    (void)info;
    mnl_attr_put(message, IFLA_MAP, sizeof none, &none);
}

/* Sizes as in Linux 6.1; later kernels append fields. */
#define STATS64_SIZE 200
#define STATS_SIZE   96

/* RTEXT_FILTER_SKIP_STATS is about the statistics of virtual functions: these are sent always. */
static void put_stats(struct nlmsghdr *message, const struct rtlink_head *head,
                      const struct rtlink_info *info)
{
    (void)head;
    const struct rtlink_stats *from = &info->stats;
    uint64_t wide[STATS64_SIZE / 8] = {
        [0] = from->rx_packets,      [1] = from->tx_packets,         [2] = from->rx_bytes,
        [3] = from->tx_bytes,        [4] = from->rx_errors,          [5] = from->tx_errors,
        [6] = from->rx_dropped,      [7] = from->tx_dropped, /* 8 multicast, 9 collisions, 10 rx_length_errors */
        [11] = from->rx_over_errors, [16] = from->tx_aborted_errors,
    };
    uint32_t narrow[STATS_SIZE / 4];
    for (size_t i = 0; i < STATS_SIZE / 4; i++)
        narrow[i] = (uint32_t)wide[i];
    mnl_attr_put(message, IFLA_STATS64, sizeof wide, wide);
    mnl_attr_put(message, IFLA_STATS, sizeof narrow, narrow);
}

static void put_xdp(struct nlmsghdr *message, const struct rtlink_head *head, const struct rtlink_info *info)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_XDP);
    (void)head;
    (void)info;
    nest->nla_type = IFLA_XDP; /* the kernel does not flag this nest, nor the next two */
    mnl_attr_put_u8(message, IFLA_XDP_ATTACHED, 0);
    mnl_attr_nest_end(message, nest);
}

static void put_linkinfo(struct nlmsghdr *message, const struct rtlink_head *head,
                         const struct rtlink_info *info)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
    (void)head;
    nest->nla_type = IFLA_LINKINFO;
    mnl_attr_put_strz(message, IFLA_INFO_KIND, info->kind);
    if (info->can) rtcan_build(message, info->can);
    mnl_attr_nest_end(message, nest);
}

static void put_link(struct nlmsghdr *message, const struct rtlink_head *head, const struct rtlink_info *info)
{
    (void)head;
    if (info->has_link) mnl_attr_put_u32(message, IFLA_LINK, (uint32_t)info->link);
}

/* IPv4's settings of an interface as a kernel has them by default, IPV4_DEVCONF_* in order. */
static const uint32_t inet_conf[33] = {
    [3] = 1, [4] = 1, [5] = 1, [6] = 1, [8] = 1, [26] = 10000, [27] = 1000, [32] = 1,
};

static void put_af_spec(struct nlmsghdr *message, const struct rtlink_head *head,
                        const struct rtlink_info *info)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_AF_SPEC);
    (void)head;
    nest->nla_type = IFLA_AF_SPEC;
    if (info->has_inet) {
        struct nlattr *inet = mnl_attr_nest_start(message, AF_INET);
        inet->nla_type = AF_INET;
        mnl_attr_put(message, IFLA_INET_CONF, sizeof inet_conf, inet_conf);
        mnl_attr_nest_end(message, inet);
    }
    mnl_attr_nest_end(message, nest);
}

static void put_prop_list(struct nlmsghdr *message, const struct rtlink_head *head,
                          const struct rtlink_info *info)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_PROP_LIST);
    bool any = false;
    (void)head;
    for (unsigned i = 0; i < info->altname_count; i++) {
        const char *name = info->altname + (size_t)i * RTLINK_ALTNAME_SIZE;
        if (!name[0]) continue;
        mnl_attr_put_strz(message, IFLA_ALT_IFNAME, name);
        any = true;
    }
    if (any)
        mnl_attr_nest_end(message, nest);
    else
        mnl_attr_nest_cancel(message, nest);
}

static const struct row rows[] = {
    { IFLA_IFNAME, FORM_NAME, AT(name), NULL },
    { IFLA_TXQLEN, FORM_U32, AT(txqlen), NULL },
    { IFLA_OPERSTATE, FORM_U8, AT(operstate), NULL },
    { IFLA_LINKMODE, FORM_U8, AT(linkmode), NULL },
    { IFLA_MTU, FORM_U32, AT(mtu), NULL },
    { IFLA_MIN_MTU, FORM_CONST, 0, NULL },
    { IFLA_MAX_MTU, FORM_CONST, 0, NULL },
    { IFLA_GROUP, FORM_U32, AT(group), NULL },
    { IFLA_PROMISCUITY, FORM_U32, AT(promiscuity), NULL },
    { IFLA_ALLMULTI, FORM_U32, AT(allmulti), NULL },
    { IFLA_NUM_TX_QUEUES, FORM_CONST, 1, NULL },
    { IFLA_GSO_MAX_SEGS, FORM_CONST, 65535, NULL },
    { IFLA_GSO_MAX_SIZE, FORM_CONST, 65536, NULL },
    { IFLA_GRO_MAX_SIZE, FORM_CONST, 65536, NULL },
    { IFLA_TSO_MAX_SIZE, FORM_CONST, 65536, NULL },
    { IFLA_TSO_MAX_SEGS, FORM_CONST, 65535, NULL },
    { IFLA_NUM_RX_QUEUES, FORM_CONST, 1, NULL },
    { IFLA_CARRIER, FORM_U8, AT(carrier), NULL },
    { IFLA_QDISC, FORM_CALL, 0, put_qdisc },
    { IFLA_IFALIAS, FORM_CALL, 0, put_alias },
    { IFLA_CARRIER_CHANGES, FORM_CALL, 0, put_carrier_changes },
    { IFLA_CARRIER_UP_COUNT, FORM_U32, AT(carrier_up_count), NULL },
    { IFLA_CARRIER_DOWN_COUNT, FORM_U32, AT(carrier_down_count), NULL },
    { IFLA_PROTO_DOWN, FORM_U8, AT(proto_down), NULL },
    { IFLA_MAP, FORM_CALL, 0, put_map },
    { IFLA_STATS64, FORM_CALL, 0, put_stats },
    { IFLA_XDP, FORM_CALL, 0, put_xdp },
    { IFLA_LINKINFO, FORM_CALL, 0, put_linkinfo },
    { IFLA_LINK, FORM_CALL, 0, put_link },
    { IFLA_AF_SPEC, FORM_CALL, 0, put_af_spec },
    { IFLA_PROP_LIST, FORM_CALL, 0, put_prop_list },
};

static void put_row(struct nlmsghdr *message, const struct row *row, const struct rtlink_head *head,
                    const struct rtlink_info *info)
{
    const char *field = (const char *)info + row->value;
    uint32_t number;
    switch (row->form) {
    case FORM_U8: mnl_attr_put_u8(message, row->type, *(const uint8_t *)field); break;
    case FORM_U32:
        memcpy(&number, field, sizeof number);
        mnl_attr_put_u32(message, row->type, number);
        break;
    case FORM_CONST: mnl_attr_put_u32(message, row->type, row->value); break;
    case FORM_NAME: mnl_attr_put_strz(message, row->type, field); break;
    default: row->call(message, head, info);
    }
}

size_t rtlink_build(void *buffer, const struct rtlink_head *head, const struct rtlink_info *info)
{
    memset(buffer, 0, RTLINK_MESSAGE_MAX); /* padding is sent, too */
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = head->type;
    message->nlmsg_flags = head->flags;
    message->nlmsg_seq = head->seq;
    message->nlmsg_pid = head->portid;
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof *link);
    link->ifi_type = ARPHRD_CAN;
    link->ifi_index = info->ifindex;
    link->ifi_flags = info->flags;
    link->ifi_change = info->change;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        put_row(message, &rows[i], head, info);
    return message->nlmsg_len;
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

#define ERROR_TAIL_MAX 256u /* the longest text, offset and policy that are appended */

static void put_policy(struct nlmsghdr *message, const struct rtlink_fault *fault)
{
    struct nlattr *nest = mnl_attr_nest_start(message, NLMSGERR_ATTR_POLICY);
    if (fault->policy_type == NL_ATTR_TYPE_U32 || fault->policy_type == NL_ATTR_TYPE_U8) {
        mnl_attr_put_u64(message, NL_POLICY_TYPE_ATTR_MIN_VALUE_U, 0);
        mnl_attr_put_u64(message, NL_POLICY_TYPE_ATTR_MAX_VALUE_U,
                         fault->policy_type == NL_ATTR_TYPE_U8 ? UINT8_MAX : UINT32_MAX);
    } else if (fault->policy_max) {
        mnl_attr_put_u32(message, NL_POLICY_TYPE_ATTR_MAX_LENGTH, fault->policy_max);
    }
    mnl_attr_put_u32(message, NL_POLICY_TYPE_ATTR_TYPE, fault->policy_type);
    mnl_attr_nest_end(message, nest);
}

static void put_fault(struct nlmsghdr *message, const struct rtlink_fault *fault)
{
    message->nlmsg_flags |= NLM_F_ACK_TLVS;
    if (fault->text) mnl_attr_put_strz(message, NLMSGERR_ATTR_MSG, fault->text);
    if (fault->offset) mnl_attr_put_u32(message, NLMSGERR_ATTR_OFFS, fault->offset);
    if (fault->policy_type) put_policy(message, fault);
}

long rtlink_build_error(void *buffer, size_t cap, const void *request, const struct rtlink_ack *ack,
                        int error, const struct rtlink_fault *fault)
{
    const struct nlmsghdr *from = request;
    bool capped = error == 0 || ack->cap_ack;
    size_t repeated = capped ? sizeof *from : NLMSG_ALIGN(from->nlmsg_len);
    if (cap < NLMSG_LENGTH(sizeof error) + repeated + ERROR_TAIL_MAX) return -EMSGSIZE;
    memset(buffer, 0, NLMSG_LENGTH(sizeof error) + repeated + ERROR_TAIL_MAX);
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = NLMSG_ERROR;
    message->nlmsg_flags = capped ? NLM_F_CAPPED : 0;
    message->nlmsg_seq = from->nlmsg_seq;
    message->nlmsg_pid = ack->portid;
    struct nlmsgerr *payload = mnl_nlmsg_put_extra_header(message, sizeof(int) + repeated);
    payload->error = error;
    memcpy(&payload->msg, from, capped ? sizeof *from : from->nlmsg_len);
    if (ack->ext_ack && fault && fault->text) put_fault(message, fault);
    return (long)NLMSG_ALIGN(message->nlmsg_len);
}
