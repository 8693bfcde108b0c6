/* netlink/rtlink.h - rtnetlink's link messages as plain structs: requests are parsed, answers and events are built.
 *
 * Pure: no system call, no allocation, no global. Bytes come from programs nobody checked, so every length is; what the
 * kernel tolerates (unknown attributes, integers that are too long, strings without NUL) is tolerated, and what it refuses
 * is refused with its errno and its extended text. Sources: rtnetlink(7), netlink(7), spec section F. */
#ifndef NETLINK_RTLINK_H
#define NETLINK_RTLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtcan_info;

#define RTLINK_NAME_SIZE    16u  /* IFNAMSIZ */
#define RTLINK_ALTNAME_SIZE 128u /* ALTIFNAMSIZ */
#define RTLINK_ALIAS_SIZE   256u /* IFALIASZ */
#define RTLINK_KIND_SIZE    64u
#define RTLINK_ALTNAMES_MAX 16u /* names that one NEWLINKPROP or DELLINKPROP may list here */

/* What a link request carries, one bit each in rtlink_attrs.has. */
enum rtlink_has {
    RTLINK_IFNAME = 1 << 0,
    RTLINK_ALT_IFNAME = 1 << 1,
    RTLINK_MTU = 1 << 2,
    RTLINK_TXQLEN = 1 << 3,
    RTLINK_GROUP = 1 << 4,
    RTLINK_OPERSTATE = 1 << 5,
    RTLINK_LINKMODE = 1 << 6,
    RTLINK_IFALIAS = 1 << 7,
    RTLINK_ADDRESS = 1 << 8,
    RTLINK_BROADCAST = 1 << 9,
    RTLINK_CARRIER = 1 << 10,
    RTLINK_MASTER = 1 << 11,
    RTLINK_MAP = 1 << 12,
    RTLINK_PROTO_DOWN = 1 << 13,
    RTLINK_NUM_TX_QUEUES = 1 << 14,
    RTLINK_NUM_RX_QUEUES = 1 << 15,
    RTLINK_EXT_MASK = 1 << 16,
    RTLINK_NET_NS = 1 << 17, /* by pid, fd or id: the link is to live in another namespace */
    RTLINK_AF_SPEC = 1 << 18,
    RTLINK_VF = 1 << 19, /* IFLA_VFINFO_LIST, IFLA_VF_PORTS, IFLA_PORT_SELF */
    RTLINK_XDP = 1 << 20,
    RTLINK_PROP_LIST = 1 << 21,
    RTLINK_KIND = 1 << 22,
    RTLINK_DATA = 1 << 23, /* IFLA_INFO_DATA */
    RTLINK_PEER = 1 << 24, /* VXCAN_INFO_PEER: see rtlink_request.peer */
    RTLINK_PROTINFO = 1 << 25,
};

/* One link as a request describes it. Fields whose bit in `has` is clear are zero. Strings are always terminated. */
struct rtlink_attrs {
    uint32_t has;
    int32_t ifindex;
    uint32_t flags, change; /* ifi_flags, ifi_change */
    uint32_t mtu, txqlen, group, master, num_tx_queues, num_rx_queues;
    uint8_t operstate, linkmode, carrier, proto_down;
    char ifname[RTLINK_NAME_SIZE];
    char alt_ifname[RTLINK_ALTNAME_SIZE];
    char alias[RTLINK_ALIAS_SIZE];
    char kind[RTLINK_KIND_SIZE];
    const void *info_data; /* payload of IFLA_INFO_DATA inside the message: for a driver's own table */
    uint32_t info_data_size;
};

struct rtlink_request {
    uint16_t type;  /* RTM_* */
    uint16_t flags; /* NLM_F_* */
    uint32_t seq;
    uint8_t family;
    bool dump; /* RTM_GETLINK of all links */
    struct rtlink_attrs link;
    struct rtlink_attrs peer; /* with RTLINK_PEER */
    unsigned altname_count;   /* IFLA_PROP_LIST */
    char altname[RTLINK_ALTNAMES_MAX][RTLINK_ALTNAME_SIZE];
};

/* Why a request was refused, for people (extended acknowledgement). `text` is NULL when there is no more to say than errno. */
struct rtlink_fault {
    const char *text;
    uint32_t offset;      /* of the attribute in the message; 0: none in particular */
    uint32_t policy_type; /* NL_ATTR_TYPE_* that it should have been; 0: unknown */
    uint32_t policy_max;  /* longest string or data allowed; 0: no such limit */
};

/* Reads one rtnetlink message. RTM_{NEW,DEL,GET,SET}LINK and RTM_{NEW,DEL}LINKPROP are read completely; of other types only
 * the header (the caller refuses them). `strict`: NETLINK_GET_STRICT_CHK is on. Returns 0; -EBADMSG when it is no complete
 * message at all; or the kernel's -errno, with *fault filled in. *out is only valid on 0. */
int rtlink_parse(const void *message, size_t size, bool strict, struct rtlink_request *out,
                 struct rtlink_fault *fault);

/* ---- answers and events -------------------------------------------------------------------------------------- */

#define RTLINK_MESSAGE_MAX 4096u /* no message built here is longer */

struct rtlink_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped;
    uint64_t rx_over_errors, tx_aborted_errors;
};

/* A link as RTM_NEWLINK shows it. */
struct rtlink_info {
    int32_t ifindex;
    uint32_t flags, change;
    char name[RTLINK_NAME_SIZE];
    uint32_t txqlen, mtu, group, promiscuity, allmulti;
    uint32_t carrier_up_count, carrier_down_count;
    uint8_t operstate, linkmode, carrier, proto_down;
    const char *qdisc;
    const char *kind;
    const char *alias; /* NULL or "": none */
    bool has_link;     /* IFLA_LINK is sent */
    int32_t link;
    bool has_inet; /* carries IPv4 settings: mtu of at least 68 and not being deleted */
    struct rtlink_stats stats;
    const char *altname; /* altname_count fields of RTLINK_ALTNAME_SIZE bytes; "" where unused */
    unsigned altname_count;
    const struct rtcan_info *can; /* kind "can"; else NULL */
};

struct rtlink_head {
    uint16_t type;  /* RTM_NEWLINK or RTM_DELLINK */
    uint16_t flags; /* NLM_F_MULTI ... */
    uint32_t seq, portid;
};

/* Builds one link message into buffer[0..cap), cap >= RTLINK_MESSAGE_MAX. Returns its length (a multiple of 4). */
size_t rtlink_build(void *buffer, const struct rtlink_head *head, const struct rtlink_info *info);

/* How an error is to be reported, as the socket's options say. */
struct rtlink_ack {
    uint32_t portid;
    bool ext_ack; /* NETLINK_EXT_ACK: append fault */
    bool cap_ack; /* NETLINK_CAP_ACK: do not repeat the request */
};

/* Builds the NLMSG_ERROR that answers `request` (a complete message) with `error` (0 or -errno). Returns its length, or
 * -EMSGSIZE when it does not fit into `cap`. `fault` may be NULL. */
long rtlink_build_error(void *buffer, size_t cap, const void *request, const struct rtlink_ack *ack,
                        int error, const struct rtlink_fault *fault);

#endif
