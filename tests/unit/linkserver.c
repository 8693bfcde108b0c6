/* tests/unit/linkserver.c - the link server, message in, messages and events out: creation, changes, pairs, deletion.
 *
 * What is expected was seen on Linux 6.1 (spec D and F). Interfaces of the machine the test runs on may exist: names used here
 * start with "pct". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <libmnl/libmnl.h>
#include <linux/can/vxcan.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include "bus/counters.h"
#include "bus/links.h"
#include "daemon/linkserver.h"

#define CREATE (NLM_F_CREATE | NLM_F_EXCL)

static struct control *control;
static struct data *data;
static struct bus bus;
static struct linkserver server;
static char events[4096]; /* one line per event */
static _Alignas(8) unsigned char request[4096], reply[65536];
static struct nlmsghdr *message;

static const struct nlattr *find_attr(const void *from, uint16_t type)
{
    const struct nlattr *attr;
    mnl_attr_for_each(attr, (const struct nlmsghdr *)from, sizeof(struct ifinfomsg))
    {
        if (mnl_attr_get_type(attr) == type) return attr;
    }
    return NULL;
}

static uint32_t attr_u32(const void *from, uint16_t type)
{
    const struct nlattr *attr = find_attr(from, type);
    assert_non_null(attr);
    return mnl_attr_get_u32(attr);
}

static uint8_t attr_u8(const void *from, uint16_t type)
{
    const struct nlattr *attr = find_attr(from, type);
    assert_non_null(attr);
    return mnl_attr_get_u8(attr);
}

static const char *attr_str(const void *from, uint16_t type)
{
    const struct nlattr *attr = find_attr(from, type);
    assert_non_null(attr);
    return mnl_attr_get_str(attr);
}

static void on_event(void *context, const void *event, size_t size)
{
    const struct nlmsghdr *head = event;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
    size_t used = strlen(events);
    assert_ptr_equal(context, &server);
    assert_int_equal(head->nlmsg_len, size);
    snprintf(events + used, sizeof events - used, "%s %s flags %x change %x oper %u seq %u\n",
             head->nlmsg_type == RTM_NEWLINK ? "NEW" : "DEL", attr_str(event, IFLA_IFNAME), info->ifi_flags,
             info->ifi_change, attr_u8(event, IFLA_OPERSTATE), head->nlmsg_seq);
}

static void *zeroed(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

static int setup(void **state)
{
    (void)state;
    control = zeroed(sizeof *control);
    data = zeroed(sizeof *data);
    bus = (struct bus){ .control = control, .data = data, .dir = "/nowhere", .dir_size = 8 };
    server = (struct linkserver){
        .bus = &bus, .control = control, .token_fd = -1, .event = on_event, .context = &server
    };
    linkserver_start(&server);
    events[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    munmap(control, sizeof *control);
    munmap(data, sizeof *data);
    return 0;
}

static struct ifinfomsg *begin(uint16_t type, uint16_t flags)
{
    memset(request, 0, sizeof request);
    message = mnl_nlmsg_put_header(request);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = 77;
    return mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
}

static void put_kind(const char *kind)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(message, nest);
}

/* Sends what begin() and put_*() made. Returns the bytes of the answer, or the errno of a refusal. */
static long ask(void)
{
    struct ctl_netlink caller = { .portid = 1234, .ext_ack = 1, .cap_ack = 1 };
    long size = linkserver_netlink(&server, &caller, message, message->nlmsg_len, reply, sizeof reply);
    const struct nlmsghdr *head = (void *)reply;
    if (size > 0 && head->nlmsg_type == NLMSG_ERROR)
        return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error;
    return size;
}

static const char *refusal_text(void)
{
    const struct nlattr *attr;
    mnl_attr_for_each(attr, (struct nlmsghdr *)reply, sizeof(struct nlmsgerr))
    {
        if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG) return mnl_attr_get_str(attr);
    }
    return "";
}

static long add(const char *kind, const char *name)
{
    begin(RTM_NEWLINK, CREATE);
    if (name) mnl_attr_put_strz(message, IFLA_IFNAME, name);
    put_kind(kind);
    return ask();
}

static long add_pair(const char *name, const char *peer)
{
    begin(RTM_NEWLINK, CREATE);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    struct nlattr *linkinfo = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "vxcan");
    struct nlattr *info_data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    struct nlattr *info_peer = mnl_attr_nest_start(message, VXCAN_INFO_PEER);
    mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(message, IFLA_IFNAME, peer);
    mnl_attr_nest_end(message, info_peer);
    mnl_attr_nest_end(message, info_data);
    mnl_attr_nest_end(message, linkinfo);
    return ask();
}

static long set_flags(const char *name, unsigned flags, unsigned change)
{
    struct ifinfomsg *info = begin(RTM_NEWLINK, 0);
    info->ifi_flags = flags;
    info->ifi_change = change;
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    return ask();
}

static long set_u32(const char *name, uint16_t type, uint32_t value)
{
    begin(RTM_SETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    mnl_attr_put_u32(message, type, value);
    return ask();
}

static long del(const char *name)
{
    begin(RTM_DELLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    return ask();
}

static long get(const char *name)
{
    begin(RTM_GETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    return ask();
}

static int32_t ifindex_of(const char *name)
{
    struct link_view view;
    return links_by_name(control, name, strlen(name), &view) == 0 ? view.ifindex : 0;
}

static uint64_t state_of(const char *name)
{
    struct link_view view;
    return links_by_name(control, name, strlen(name), &view) == 0 ? view.state : 0;
}

#define assert_events(expected)                                                                              \
    do {                                                                                                     \
        assert_string_equal(events, expected);                                                               \
        events[0] = '\0';                                                                                    \
    } while (0)

/* ---- vcan ------------------------------------------------------------------------------------------------------ */

static void vcan_is_created_down(void **state)
{
    (void)state;
    assert_int_equal(add("vcan", "pct0"), 0);
    assert_events("NEW pct0 flags 80 change ffffffff oper 2 seq 0\n");
    assert_true(ifindex_of("pct0") >= LINK_IFINDEX_FIRST);
    assert_int_equal(state_of("pct0") & 0xff, LINK_PRESENT | LINK_CARRIER);
    assert_int_equal(link_state_mtu(state_of("pct0")), 72);
    assert_int_equal(link_state_kind(state_of("pct0")), LINK_KIND_VCAN);
}

static void up_and_down_are_told_once(void **state)
{
    (void)state;
    add("vcan", "pct0");
    events[0] = '\0';
    assert_int_equal(set_flags("pct0", IFF_UP, IFF_UP), 0);
    assert_int_equal(set_flags("pct0", IFF_UP, IFF_UP), 0);
    assert_events("NEW pct0 flags 100c1 change 1 oper 0 seq 0\n");
    assert_int_equal(state_of("pct0") & LINK_UP, LINK_UP);
    assert_int_equal(set_flags("pct0", 0, IFF_UP), 0);
    assert_events("NEW pct0 flags 80 change 1 oper 2 seq 0\n");
}

static void change_mask_0_sets_all_flags(void **state)
{
    (void)state;
    add("vcan", "pct0");
    assert_int_equal(set_flags("pct0", IFF_UP, 0), 0);
    get("pct0");
    assert_int_equal(((struct ifinfomsg *)mnl_nlmsg_get_payload((void *)reply))->ifi_flags, 0x10041);
}

static void delete_of_up_device_closes_it_first(void **state)
{
    (void)state;
    add("vcan", "pct0");
    set_flags("pct0", IFF_UP, IFF_UP);
    events[0] = '\0';
    assert_int_equal(del("pct0"), 0);
    assert_events("NEW pct0 flags 80 change 41 oper 2 seq 0\n"
                  "DEL pct0 flags 80 change ffffffff oper 2 seq 77\n");
    assert_int_equal(ifindex_of("pct0"), 0);
    assert_int_equal(del("pct0"), -ENODEV);
}

static void created_up_is_told_once(void **state)
{
    (void)state;
    struct ifinfomsg *info = begin(RTM_NEWLINK, CREATE);
    info->ifi_flags = info->ifi_change = IFF_UP;
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    put_kind("vcan");
    assert_int_equal(ask(), 0);
    assert_events("NEW pct0 flags 100c1 change ffffffff oper 0 seq 0\n");
}

static void mtu_only_while_down_and_only_frame_sizes(void **state)
{
    static const uint32_t bad[] = { 0, 15, 17, 71, 73, 75, 2061 }, good[] = { 16, 76, 2060, 72 };
    (void)state;
    add("vcan", "pct0");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(set_u32("pct0", IFLA_MTU, bad[i]), -EINVAL);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(set_u32("pct0", IFLA_MTU, good[i]), 0);
    set_flags("pct0", IFF_UP, IFF_UP);
    assert_int_equal(set_u32("pct0", IFLA_MTU, 16), -EBUSY);
    events[0] = '\0';
    assert_int_equal(set_u32("pct0", IFLA_MTU, 72), 0);
    assert_events("");
    assert_int_equal(set_u32("pct0", IFLA_MTU, 0xffffffff), -EINVAL);
    assert_string_equal(refusal_text(), "mtu less than device minimum");
}

static void queue_length_has_a_limit(void **state)
{
    (void)state;
    add("vcan", "pct0");
    assert_int_equal(set_u32("pct0", IFLA_TXQLEN, 32767), 0);
    assert_int_equal(set_u32("pct0", IFLA_TXQLEN, 32768), -ERANGE);
}

static void creation_takes_any_mtu(void **state)
{
    (void)state;
    begin(RTM_NEWLINK, CREATE);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    mnl_attr_put_u32(message, IFLA_MTU, 17);
    put_kind("vcan");
    assert_int_equal(ask(), 0);
    assert_int_equal(link_state_mtu(state_of("pct0")), 17);
}

static void a_refused_step_keeps_the_steps_before_it(void **state)
{
    (void)state;
    add("vcan", "pct0");
    set_flags("pct0", IFF_UP, IFF_UP);
    struct ifinfomsg *info = begin(RTM_SETLINK, 0);
    info->ifi_change = IFF_UP; /* down, but mtu comes before flags */
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    mnl_attr_put_u32(message, IFLA_MTU, 16);
    assert_int_equal(ask(), -EBUSY);
    assert_int_equal(state_of("pct0") & LINK_UP, LINK_UP);
}

static void rename_needs_down_and_an_index(void **state)
{
    (void)state;
    add("vcan", "pct0");
    struct ifinfomsg *info = begin(RTM_SETLINK, 0);
    info->ifi_index = ifindex_of("pct0");
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct1");
    events[0] = '\0';
    assert_int_equal(ask(), 0);
    assert_events("NEW pct1 flags 80 change 0 oper 2 seq 0\n");
    set_flags("pct1", IFF_UP, IFF_UP);
    info = begin(RTM_SETLINK, 0);
    info->ifi_index = ifindex_of("pct1");
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct2");
    assert_int_equal(ask(), -EBUSY);
}

static void alias_and_group_are_told_only_while_up(void **state)
{
    (void)state;
    add("vcan", "pct0");
    events[0] = '\0';
    assert_int_equal(set_u32("pct0", IFLA_GROUP, 5), 0);
    assert_events("");
    set_flags("pct0", IFF_UP, IFF_UP);
    events[0] = '\0';
    begin(RTM_SETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    mnl_attr_put_strz(message, IFLA_IFALIAS, "engine");
    assert_int_equal(ask(), 0);
    assert_events("NEW pct0 flags 100c1 change 0 oper 0 seq 0\n");
    get("pct0");
    assert_string_equal(attr_str(reply, IFLA_IFALIAS), "engine");
    assert_int_equal(attr_u32(reply, IFLA_GROUP), 5);
}

static void group_is_changed_and_deleted_as_one(void **state)
{
    (void)state;
    add("vcan", "pct0");
    add("vcan", "pct1");
    set_u32("pct0", IFLA_GROUP, 9);
    set_u32("pct1", IFLA_GROUP, 9);
    struct ifinfomsg *info = begin(RTM_NEWLINK, 0);
    info->ifi_flags = info->ifi_change = IFF_UP;
    mnl_attr_put_u32(message, IFLA_GROUP, 9);
    assert_int_equal(ask(), 0);
    assert_int_equal(state_of("pct1") & LINK_UP, LINK_UP);
    begin(RTM_DELLINK, 0);
    mnl_attr_put_u32(message, IFLA_GROUP, 9);
    assert_int_equal(ask(), 0);
    assert_int_equal(ifindex_of("pct0") + ifindex_of("pct1"), 0);
    begin(RTM_DELLINK, 0);
    mnl_attr_put_u32(message, IFLA_GROUP, 9);
    assert_int_equal(ask(), -ENODEV);
}

static void promiscuity_is_counted(void **state)
{
    (void)state;
    add("vcan", "pct0");
    set_flags("pct0", IFF_UP, IFF_UP);
    events[0] = '\0';
    assert_int_equal(set_flags("pct0", IFF_PROMISC, IFF_PROMISC), 0);
    assert_int_equal(set_flags("pct0", IFF_PROMISC, IFF_PROMISC), 0);
    assert_events("NEW pct0 flags 101c1 change 100 oper 0 seq 0\n");
    get("pct0");
    assert_int_equal(attr_u32(reply, IFLA_PROMISCUITY), 1);
    set_flags("pct0", 0, IFF_PROMISC);
    get("pct0");
    assert_int_equal(attr_u32(reply, IFLA_PROMISCUITY), 0);
}

static void operstate_follows_only_allowed_changes(void **state)
{
    (void)state;
    add("vcan", "pct0");
    set_flags("pct0", IFF_UP, IFF_UP);
    events[0] = '\0';
    begin(RTM_SETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    mnl_attr_put_u8(message, IFLA_OPERSTATE, IF_OPER_DORMANT);
    ask();
    assert_events("NEW pct0 flags 10081 change 0 oper 5 seq 0\n");
    begin(RTM_SETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    mnl_attr_put_u8(message, IFLA_OPERSTATE, IF_OPER_UNKNOWN);
    ask();
    assert_events("");
}

/* ---- refusals -------------------------------------------------------------------------------------------------- */

static void unknown_kinds_are_refused_with_text(void **state)
{
    (void)state;
    assert_int_equal(add("vca", "pct0"), -EOPNOTSUPP);
    assert_string_equal(refusal_text(), "Unknown device type");
    assert_int_equal(add("can", "pct0"), -EOPNOTSUPP);
    assert_string_equal(refusal_text(), "");
    assert_events("");
}

static void bad_names_are_refused(void **state)
{
    static const char *const bad[] = { ".", "..", "a/b", "a:b", "a b", "v%dx%d", "v%s", "" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(add("vcan", bad[i]), -EINVAL);
    assert_int_equal(add("vcan", "pct4567890123456"), -ERANGE);
    assert_string_equal(refusal_text(), "Attribute failed policy validation");
    assert_int_equal(add("vcan", "pct456789012345"), 0);
}

static void taken_names_and_indexes_are_refused(void **state)
{
    (void)state;
    assert_int_equal(add("vcan", "pct0"), 0);
    assert_int_equal(add("vcan", "pct0"), -EEXIST);
    assert_int_equal(add("vcan", "lo"), -EEXIST); /* the kernel's */
    struct ifinfomsg *info = begin(RTM_NEWLINK, CREATE);
    info->ifi_index = 1; /* the kernel's */
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct1");
    put_kind("vcan");
    assert_int_equal(ask(), -EEXIST);
    info = begin(RTM_NEWLINK, CREATE);
    info->ifi_index = 7777;
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct1");
    put_kind("vcan");
    assert_int_equal(ask(), 0);
    assert_int_equal(ifindex_of("pct1"), 7777);
    info = begin(RTM_NEWLINK, CREATE);
    info->ifi_index = -5;
    put_kind("vcan");
    assert_int_equal(ask(), -EINVAL);
    assert_string_equal(refusal_text(), "ifindex can't be negative");
}

static void existing_interface_obeys_excl_and_replace(void **state)
{
    (void)state;
    add("vcan", "pct0");
    begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_REPLACE);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    put_kind("vcan");
    assert_int_equal(ask(), -EOPNOTSUPP);
    begin(RTM_NEWLINK, NLM_F_CREATE);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    put_kind("vxcan");
    assert_int_equal(ask(), 0); /* without data the kind does not matter */
    assert_int_equal(link_state_kind(state_of("pct0")), LINK_KIND_VCAN);
}

static void what_can_has_not_is_refused(void **state)
{
    static const uint16_t types[] = { IFLA_ADDRESS, IFLA_CARRIER, IFLA_PROTO_DOWN, IFLA_NET_NS_PID };
    (void)state;
    add("vcan", "pct0");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(set_u32("pct0", types[i], 1), -EOPNOTSUPP);
    assert_int_equal(set_u32("pct0", IFLA_MASTER, 1), -EOPNOTSUPP);
    assert_int_equal(set_u32("pct0", IFLA_MASTER, 0), 0);
    assert_int_equal(set_u32("pct0", 200, 1), 0); /* unknown: skipped */
}

static void requests_without_interface_are_refused(void **state)
{
    (void)state;
    begin(RTM_GETLINK, 0);
    assert_int_equal(ask(), -EINVAL);
    begin(RTM_SETLINK, 0);
    assert_int_equal(ask(), -EINVAL);
    begin(RTM_DELLINK, 0);
    assert_int_equal(ask(), -EINVAL);
    begin(RTM_NEWLINK, 0);
    assert_int_equal(ask(), -ENODEV);
    assert_int_equal(get("pct9"), -ENODEV);
}

/* ---- names ----------------------------------------------------------------------------------------------------- */

static void patterns_take_the_lowest_number(void **state)
{
    (void)state;
    assert_int_equal(add("vcan", "pct%dy"), 0);
    assert_int_equal(add("vcan", "pct%dy"), 0);
    assert_int_not_equal(ifindex_of("pct0y"), 0);
    assert_int_not_equal(ifindex_of("pct1y"), 0);
    del("pct0y");
    add("vcan", "pct%dy");
    assert_int_not_equal(ifindex_of("pct0y"), 0);
}

static long props(const char *name, uint16_t type, const char *altname)
{
    begin(type, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_PROP_LIST);
    mnl_attr_put_strz(message, IFLA_ALT_IFNAME, altname);
    mnl_attr_nest_end(message, nest);
    return ask();
}

static void alternative_names_work_like_names(void **state)
{
    (void)state;
    add("vcan", "pct0");
    assert_int_equal(props("pct0", RTM_NEWLINKPROP, "pct-a-name-of-more-than-15-characters"), 0);
    assert_int_equal(props("pct0", RTM_NEWLINKPROP, "pctb"), 0);
    assert_int_equal(props("pct0", RTM_NEWLINKPROP, "pctb"), -EEXIST);
    assert_int_equal(props("pct0", RTM_NEWLINKPROP, "pct0"), -EEXIST);
    assert_int_equal(add("vcan", "pctb"), -EEXIST);
    assert_true(get("pctb") > 0);
    assert_string_equal(attr_str(reply, IFLA_IFNAME), "pct0");
    assert_non_null(find_attr(reply, IFLA_PROP_LIST));
    assert_int_equal(props("pct0", RTM_DELLINKPROP, "pctb"), 0);
    assert_int_equal(props("pct0", RTM_DELLINKPROP, "pctb"), -ENOENT);
    assert_int_equal(get("pctb"), -ENODEV);
}

/* ---- vxcan ----------------------------------------------------------------------------------------------------- */

static void pair_is_created_peer_first(void **state)
{
    (void)state;
    assert_int_equal(add_pair("pcta", "pctb"), 0);
    assert_events("NEW pctb flags 80 change ffffffff oper 2 seq 0\n"
                  "NEW pcta flags 80 change ffffffff oper 2 seq 0\n");
    assert_true(ifindex_of("pctb") < ifindex_of("pcta"));
    get("pcta");
    assert_int_equal(attr_u32(reply, IFLA_LINK), ifindex_of("pctb"));
    assert_int_equal(attr_u32(reply, IFLA_CARRIER_CHANGES), 1);
    assert_int_equal(attr_u8(reply, IFLA_CARRIER), 0);
    struct link_view a, b;
    links_by_name(control, "pcta", 4, &a);
    links_by_name(control, "pctb", 4, &b);
    assert_int_equal(link_state_peer(a.state), b.index + 1);
    assert_int_equal(link_state_peer(b.state), a.index + 1);
}

static void pair_has_carrier_while_both_ends_are_up(void **state)
{
    (void)state;
    add_pair("pcta", "pctb");
    events[0] = '\0';
    set_flags("pcta", IFF_UP, IFF_UP);
    assert_events("NEW pcta flags 81 change 1 oper 3 seq 0\n");
    set_flags("pctb", IFF_UP, IFF_UP);
    assert_events("NEW pctb flags 10081 change 1 oper 3 seq 0\n"
                  "NEW pctb flags 100c1 change 0 oper 6 seq 0\n"
                  "NEW pcta flags 100c1 change 0 oper 6 seq 0\n");
    assert_int_equal(state_of("pcta") & LINK_CARRIER, LINK_CARRIER);
    set_flags("pcta", 0, IFF_UP);
    assert_events("NEW pcta flags 80 change 1 oper 2 seq 0\n"
                  "NEW pctb flags 81 change 0 oper 3 seq 0\n");
    assert_int_equal(state_of("pctb") & LINK_CARRIER, 0);
}

static void pair_is_deleted_together(void **state)
{
    (void)state;
    add_pair("pcta", "pctb");
    set_flags("pcta", IFF_UP, IFF_UP);
    set_flags("pctb", IFF_UP, IFF_UP);
    events[0] = '\0';
    assert_int_equal(del("pcta"), 0);
    assert_events("NEW pcta flags 80 change 41 oper 2 seq 0\n"
                  "NEW pctb flags 80 change 41 oper 2 seq 0\n"
                  "DEL pcta flags 80 change ffffffff oper 2 seq 77\n"
                  "DEL pctb flags 80 change ffffffff oper 2 seq 77\n");
}

static void pair_with_one_name_leaves_nothing(void **state)
{
    (void)state;
    assert_int_equal(add_pair("pctx", "pctx"), -EEXIST);
    assert_events("NEW pctx flags 80 change ffffffff oper 2 seq 0\n"
                  "DEL pctx flags 80 change ffffffff oper 2 seq 0\n");
    assert_int_equal(ifindex_of("pctx"), 0);
}

/* ---- tables, dumps, crashes ------------------------------------------------------------------------------------ */

static unsigned count_messages(long size)
{
    unsigned count = 0;
    int left = (int)size;
    for (const struct nlmsghdr *head = (void *)reply; mnl_nlmsg_ok(head, left);
         head = mnl_nlmsg_next(head, &left)) {
        assert_int_equal(head->nlmsg_flags & NLM_F_MULTI, NLM_F_MULTI);
        count++;
    }
    return count;
}

static void dumps_are_filtered_by_kind(void **state)
{
    (void)state;
    add("vcan", "pct0");
    add_pair("pcta", "pctb");
    begin(RTM_GETLINK, NLM_F_DUMP);
    assert_int_equal(count_messages(ask()), 3);
    begin(RTM_GETLINK, NLM_F_DUMP);
    put_kind("vxcan");
    assert_int_equal(count_messages(ask()), 2);
    begin(RTM_GETLINK, NLM_F_DUMP);
    put_kind("dummy");
    assert_int_equal(ask(), 0);
}

static void table_is_full_at_its_limit_and_dumps_in_parts(void **state)
{
    (void)state;
    char name[16];
    for (unsigned i = 0; i < LINKS_MAX; i++) {
        snprintf(name, sizeof name, "pct%u", i);
        assert_int_equal(add("vcan", name), 0);
        events[0] = '\0';
    }
    assert_int_equal(add("vcan", "pctfull"), -ENOSPC);
    struct ctl_netlink caller = { .dump_room = 8000 };
    unsigned total = 0, parts = 0;
    begin(RTM_GETLINK, NLM_F_DUMP);
    for (;; parts++) {
        long size = linkserver_netlink(&server, &caller, message, message->nlmsg_len, reply, sizeof reply);
        if (size == 0) break;
        assert_true(size <= 8000);
        total += count_messages(size);
        int left = (int)size;
        for (const struct nlmsghdr *head = (void *)reply; mnl_nlmsg_ok(head, left);
             head = mnl_nlmsg_next(head, &left))
            caller.dump_from = (uint32_t)((struct ifinfomsg *)mnl_nlmsg_get_payload(head))->ifi_index + 1;
    }
    assert_int_equal(total, LINKS_MAX);
    assert_true(parts > 5);
}

static void skip_stats_is_not_about_these_stats(void **state)
{
    (void)state;
    add("vcan", "pct0");
    begin(RTM_GETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    assert_true(ask() > 0);
    assert_non_null(find_attr(reply, IFLA_STATS64));
    assert_non_null(find_attr(reply, IFLA_STATS));
    assert_non_null(find_attr(reply, IFLA_XDP));
}

static void deletion_clears_counters_and_renews_the_generation(void **state)
{
    (void)state;
    struct link_view before, after;
    add("vcan", "pct0");
    links_by_name(control, "pct0", 4, &before);
    counters_add(&data->counters[before.index][3], COUNT_SENT, 5);
    counters_add(&data->counters[before.index][4], COUNT_LOOPED, 2);
    get("pct0");
    assert_int_equal(((uint64_t *)mnl_attr_get_payload(find_attr(reply, IFLA_STATS64)))[1], 2);
    del("pct0");
    assert_int_equal(counters_sum(data, before.index).tx_packets, 0);
    struct ifinfomsg *info = begin(RTM_NEWLINK, CREATE);
    info->ifi_index = before.ifindex;
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    put_kind("vcan");
    ask();
    links_by_name(control, "pct0", 4, &after);
    assert_int_equal(after.index, before.index);
    assert_int_equal(link_state_gen(after.state), link_state_gen(before.state) + 1);
}

static void next_worker_mends_what_it_finds(void **state)
{
    (void)state;
    add("vcan", "pct0");
    add_pair("pcta", "pctb");
    struct link_view view;
    links_by_name(control, "pct0", 4, &view);
    struct bus_link *link = &control->links[view.index];
    store_relaxed(&link->seq, load_relaxed(&link->seq) + 1);
    struct link_view half;
    links_by_name(control, "pcta", 4, &half); /* its removal had begun */
    store_relaxed(&control->links[half.index].state, 0);
    linkserver_start(&server);
    assert_int_equal(load_relaxed(&link->seq) & 1, 0);
    assert_int_equal(ifindex_of("pct0"), view.ifindex);
    assert_int_equal(ifindex_of("pcta"), 0);
    assert_int_equal(ifindex_of("pctb"), 0);
}

static void every_change_counts_in_links_gen(void **state)
{
    (void)state;
    uint32_t gen = load_relaxed(&control->links_gen);
    add("vcan", "pct0");
    assert_int_not_equal(load_relaxed(&control->links_gen), gen);
    gen = load_relaxed(&control->links_gen);
    set_u32("pct0", IFLA_TXQLEN, 5);
    assert_int_equal(load_relaxed(&control->links_gen), gen + 1);
}

/* ---- ioctls ---------------------------------------------------------------------------------------------------- */

static struct ctl_ioctl make_ioctl(uint32_t number, const char *name, struct ifreq **ifr)
{
    static struct ifreq space;
    struct ctl_ioctl out = { .request = number };
    memset(&space, 0, sizeof space);
    strcpy(space.ifr_name, name);
    *ifr = &space;
    return out;
}

static int send_ioctl(struct ctl_ioctl *ioctl, const struct ifreq *ifr)
{
    memcpy(ioctl->ifreq, ifr, sizeof *ifr);
    return linkserver_ioctl(&server, ioctl);
}

static void ioctls_do_what_netlink_does(void **state)
{
    (void)state;
    struct ifreq *ifr;
    add("vcan", "pct0");
    events[0] = '\0';
    struct ctl_ioctl ioctl = make_ioctl(SIOCSIFFLAGS, "pct0", &ifr);
    ifr->ifr_flags = (short)(IFF_UP | IFF_NOARP);
    assert_int_equal(send_ioctl(&ioctl, ifr), 0);
    assert_events("NEW pct0 flags 100c1 change 1 oper 0 seq 0\n");
    ioctl = make_ioctl(SIOCSIFMTU, "pct0", &ifr);
    ifr->ifr_mtu = 16;
    assert_int_equal(send_ioctl(&ioctl, ifr), -EBUSY);
    ioctl = make_ioctl(SIOCSIFTXQLEN, "pct0", &ifr);
    ifr->ifr_qlen = -1;
    assert_int_equal(send_ioctl(&ioctl, ifr), -EINVAL);
    ioctl = make_ioctl(SIOCSIFNAME, "pct0", &ifr);
    strcpy(ifr->ifr_newname, "pct1");
    assert_int_equal(send_ioctl(&ioctl, ifr), -EBUSY);
    set_flags("pct0", 0, IFF_UP);
    assert_int_equal(send_ioctl(&ioctl, ifr), 0);
    assert_int_not_equal(ifindex_of("pct1"), 0);
    ioctl = make_ioctl(SIOCSIFMTU, "pct0", &ifr);
    assert_int_equal(send_ioctl(&ioctl, ifr), -ENODEV);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vcan_is_created_down),
        TEST(up_and_down_are_told_once),
        TEST(change_mask_0_sets_all_flags),
        TEST(delete_of_up_device_closes_it_first),
        TEST(created_up_is_told_once),
        TEST(mtu_only_while_down_and_only_frame_sizes),
        TEST(queue_length_has_a_limit),
        TEST(creation_takes_any_mtu),
        TEST(a_refused_step_keeps_the_steps_before_it),
        TEST(rename_needs_down_and_an_index),
        TEST(alias_and_group_are_told_only_while_up),
        TEST(group_is_changed_and_deleted_as_one),
        TEST(promiscuity_is_counted),
        TEST(operstate_follows_only_allowed_changes),
        TEST(unknown_kinds_are_refused_with_text),
        TEST(bad_names_are_refused),
        TEST(taken_names_and_indexes_are_refused),
        TEST(existing_interface_obeys_excl_and_replace),
        TEST(what_can_has_not_is_refused),
        TEST(requests_without_interface_are_refused),
        TEST(patterns_take_the_lowest_number),
        TEST(alternative_names_work_like_names),
        TEST(pair_is_created_peer_first),
        TEST(pair_has_carrier_while_both_ends_are_up),
        TEST(pair_is_deleted_together),
        TEST(pair_with_one_name_leaves_nothing),
        TEST(dumps_are_filtered_by_kind),
        TEST(table_is_full_at_its_limit_and_dumps_in_parts),
        TEST(skip_stats_is_not_about_these_stats),
        TEST(deletion_clears_counters_and_renews_the_generation),
        TEST(next_worker_mends_what_it_finds),
        TEST(every_change_counts_in_links_gen),
        TEST(ioctls_do_what_netlink_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
