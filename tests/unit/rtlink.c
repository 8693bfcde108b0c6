/* tests/unit/rtlink.c - link messages: what is built equals what Linux sends, what is parsed is checked as Linux checks it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/can/vxcan.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include "netlink/rtlink.h"
#include "unit/rtlink_linux.h"

static _Alignas(8) unsigned char bytes[8192], expected[4096], built[RTLINK_MESSAGE_MAX];
static struct nlmsghdr *message;
static struct rtlink_request request;
static struct rtlink_fault fault;

static size_t from_hex(const char *hex)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        expected[i] = (unsigned char)byte;
    }
    return size;
}

static struct ifinfomsg *begin(uint16_t type, uint16_t flags)
{
    memset(bytes, 0, sizeof bytes);
    message = mnl_nlmsg_put_header(bytes);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = 7;
    return mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
}

static int parse(void) { return rtlink_parse(message, message->nlmsg_len, false, &request, &fault); }

/* ---- building -------------------------------------------------------------------------------------------------- */

static struct rtlink_info make_info(int32_t ifindex, const char *name, const char *kind)
{
    struct rtlink_info info = {
        .ifindex = ifindex,
        .flags = 0x80,
        .txqlen = 1000,
        .mtu = 72,
        .operstate = 2,
        .carrier = 1,
        .qdisc = "noop",
        .kind = kind,
        .has_inet = true,
    };
    snprintf(info.name, sizeof info.name, "%s", name);
    return info;
}

static void assert_built(const struct rtlink_info *info, const char *hex)
{
    size_t size = from_hex(hex);
    const struct nlmsghdr *want = (void *)expected;
    struct rtlink_head head = { RTM_NEWLINK, 0, want->nlmsg_seq, want->nlmsg_pid };
    assert_int_equal(rtlink_build(built, &head, info), size);
    assert_memory_equal(built, expected, size);
}

static void built_vcan_equals_linux(void **state)
{
    (void)state;
    struct rtlink_info info = make_info(3, "v0", "vcan");
    assert_built(&info, linux_vcan_down);
}

static void built_alias_and_altname_are_where_linux_puts_them(void **state)
{
    (void)state;
    static const char altnames[2][RTLINK_ALTNAME_SIZE] = { "", "second" };
    struct rtlink_info info = make_info(3, "v0", "vcan");
    info.flags = 0x100c1;
    info.operstate = 0;
    info.qdisc = "noqueue";
    info.alias = "engine";
    info.altname = altnames[0];
    info.altname_count = 2;
    assert_built(&info, linux_vcan_up);
}

static void built_vxcan_equals_linux(void **state)
{
    (void)state;
    struct rtlink_info info = make_info(5, "a0", "vxcan");
    info.carrier = 0;
    info.carrier_down_count = 1;
    info.has_link = true;
    info.link = 4;
    assert_built(&info, linux_vxcan);
}

static void largest_message_fits(void **state)
{
    (void)state;
    static char altnames[8][RTLINK_ALTNAME_SIZE], alias[RTLINK_ALIAS_SIZE];
    struct rtlink_head head = { .type = RTM_NEWLINK };
    struct rtlink_info info = make_info(1, "fifteen-letters", "vxcan");
    memset(altnames, 'a', sizeof altnames);
    memset(alias, 'b', sizeof alias - 1);
    for (int i = 0; i < 8; i++)
        altnames[i][RTLINK_ALTNAME_SIZE - 1] = '\0';
    info.alias = alias;
    info.altname = altnames[0];
    info.altname_count = 8;
    assert_true(rtlink_build(built, &head, &info) < RTLINK_MESSAGE_MAX);
}

/* Parses `message`, which is to be refused, and compares the error message with Linux's. */
static void assert_refused_as(const char *hex, bool cap_ack)
{
    size_t size = from_hex(hex);
    struct rtlink_ack ack = { ((const struct nlmsghdr *)(void *)expected)->nlmsg_pid, true, cap_ack };
    int error = parse();
    assert_int_equal(error, ((const struct nlmsgerr *)mnl_nlmsg_get_payload((void *)expected))->error);
    assert_int_equal(rtlink_build_error(built, sizeof built, message, &ack, error, &fault), size);
    assert_memory_equal(built, expected, size);
}

static void put_vcan(void)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
    nest->nla_type = IFLA_LINKINFO;
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "vcan");
    mnl_attr_nest_end(message, nest);
}

static void built_errors_equal_linux(void **state)
{
    static const unsigned char address[41] = { 'a' };
    (void)state;
    begin(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    put_vcan();
    mnl_attr_put_strz(message, IFLA_IFNAME, "aaaaaaaaaaaaaaaa");
    assert_refused_as(linux_long_name, false);
    begin(RTM_SETLINK, NLM_F_ACK)->ifi_index = 3;
    mnl_attr_put_u16(message, IFLA_MTU, 72);
    assert_refused_as(linux_short_mtu, true);
    begin(RTM_SETLINK, NLM_F_ACK)->ifi_index = 3;
    mnl_attr_put(message, IFLA_ADDRESS, sizeof address, address);
    assert_refused_as(linux_long_address, true);
}

static void errors_are_plain_without_ext_ack(void **state)
{
    struct rtlink_ack ack = { 5, false, true };
    struct rtlink_fault why = { .text = "because" };
    (void)state;
    begin(RTM_GETLINK, 0);
    assert_int_equal(rtlink_build_error(built, sizeof built, message, &ack, -ENODEV, &why), 36);
    assert_int_equal(((struct nlmsghdr *)(void *)built)->nlmsg_flags, NLM_F_CAPPED);
    assert_int_equal(rtlink_build_error(built, 40, message, &ack, -ENODEV, &why), -EMSGSIZE);
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

static void parsed_attributes_are_where_they_belong(void **state)
{
    (void)state;
    begin(RTM_NEWLINK, NLM_F_CREATE);
    mnl_attr_put_strz(message, IFLA_IFNAME, "can7");
    mnl_attr_put_u32(message, IFLA_MTU, 16);
    mnl_attr_put_u32(message, IFLA_TXQLEN, 10);
    mnl_attr_put_u32(message, IFLA_GROUP, 4);
    mnl_attr_put_u8(message, IFLA_LINKMODE, 1);
    mnl_attr_put(message, IFLA_IFALIAS, 3, "abc"); /* no NUL */
    put_vcan();
    assert_int_equal(parse(), 0);
    assert_string_equal(request.link.ifname, "can7");
    assert_string_equal(request.link.alias, "abc");
    assert_string_equal(request.link.kind, "vcan");
    assert_int_equal(request.link.mtu, 16);
    assert_int_equal(request.link.txqlen, 10);
    assert_int_equal(request.link.group, 4);
    assert_int_equal(request.link.linkmode, 1);
    assert_int_equal(request.link.has, RTLINK_IFNAME | RTLINK_MTU | RTLINK_TXQLEN | RTLINK_GROUP |
                                           RTLINK_LINKMODE | RTLINK_IFALIAS | RTLINK_KIND);
}

static void kind_without_nul_is_a_kind(void **state)
{
    (void)state;
    begin(RTM_NEWLINK, NLM_F_CREATE);
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put(message, IFLA_INFO_KIND, 4, "vcan");
    mnl_attr_nest_end(message, nest);
    assert_int_equal(parse(), 0);
    assert_string_equal(request.link.kind, "vcan");
}

static void long_numbers_and_unknown_attributes_pass(void **state)
{
    (void)state;
    begin(RTM_SETLINK, 0);
    mnl_attr_put_u64(message, IFLA_MTU, 72);
    mnl_attr_put_u32(message, 200, 1);
    assert_int_equal(parse(), 0);
    assert_int_equal(request.link.mtu, 72);
}

static void names_fit_or_are_refused(void **state)
{
    (void)state;
    begin(RTM_SETLINK, 0);
    mnl_attr_put(message, IFLA_IFNAME, 15, "aaaaaaaaaaaaaaaa");
    assert_int_equal(parse(), 0);
    assert_int_equal(strlen(request.link.ifname), 15);
    begin(RTM_SETLINK, 0);
    mnl_attr_put(message, IFLA_IFNAME, 0, "");
    assert_int_equal(parse(), -ERANGE);
}

static void nests_that_are_too_short_are_refused(void **state)
{
    (void)state;
    begin(RTM_NEWLINK, NLM_F_CREATE);
    mnl_attr_put(message, IFLA_LINKINFO, 2, "\4\0");
    assert_int_equal(parse(), -ERANGE);
    assert_int_equal(fault.policy_type, NL_ATTR_TYPE_NESTED);
    begin(RTM_NEWLINK, NLM_F_CREATE);
    mnl_attr_put(message, IFLA_LINKINFO, 4, "\4\0\1\0"); /* a kind of no bytes; no reasons given in here */
    assert_int_equal(parse(), -ERANGE);
    assert_null(fault.text);
}

static void put_peer(const char *name, uint32_t mtu)
{
    struct nlattr *linkinfo = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "vxcan");
    struct nlattr *info_data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(message, VXCAN_INFO_PEER);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(message, sizeof *info);
    info->ifi_index = 42;
    if (name) mnl_attr_put_strz(message, IFLA_IFNAME, name);
    if (mtu) mnl_attr_put_u32(message, IFLA_MTU, mtu);
    mnl_attr_nest_end(message, peer);
    mnl_attr_nest_end(message, info_data);
    mnl_attr_nest_end(message, linkinfo);
}

static void peer_has_its_own_attributes(void **state)
{
    (void)state;
    begin(RTM_NEWLINK, NLM_F_CREATE);
    mnl_attr_put_strz(message, IFLA_IFNAME, "a");
    put_peer("b", 18);
    assert_int_equal(parse(), 0);
    assert_string_equal(request.link.ifname, "a");
    assert_true(request.link.has & RTLINK_PEER);
    assert_string_equal(request.peer.ifname, "b");
    assert_int_equal(request.peer.mtu, 18);
    assert_int_equal(request.peer.ifindex, 42);
    assert_int_equal(request.link.has & RTLINK_MTU, 0);
}

static void short_peer_is_a_peer_without_wishes(void **state)
{
    (void)state;
    begin(RTM_NEWLINK, NLM_F_CREATE);
    struct nlattr *linkinfo = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "vxcan");
    struct nlattr *info_data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    mnl_attr_put_u32(message, VXCAN_INFO_PEER, 1);
    mnl_attr_nest_end(message, info_data);
    mnl_attr_nest_end(message, linkinfo);
    assert_int_equal(parse(), 0);
    assert_true(request.link.has & RTLINK_PEER);
    assert_int_equal(request.peer.has, 0);
}

static void properties_list_names(void **state)
{
    (void)state;
    begin(RTM_NEWLINKPROP, 0)->ifi_index = 3;
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_PROP_LIST);
    mnl_attr_put_strz(message, IFLA_ALT_IFNAME, "one");
    mnl_attr_put_strz(message, IFLA_ALT_IFNAME, "two");
    mnl_attr_nest_end(message, nest);
    assert_int_equal(parse(), 0);
    assert_int_equal(request.altname_count, 2);
    assert_string_equal(request.altname[1], "two");
    nest->nla_type = IFLA_PROP_LIST;
    assert_int_equal(parse(), -EINVAL);
    assert_string_equal(fault.text, "NLA_F_NESTED is missing");
}

static void dumps_may_have_a_short_header(void **state)
{
    (void)state;
    begin(RTM_GETLINK, NLM_F_DUMP);
    message->nlmsg_len = 20;
    assert_int_equal(parse(), 0);
    assert_true(request.dump);
    message->nlmsg_flags = NLM_F_REQUEST;
    assert_int_equal(parse(), -EINVAL);
}

static void strict_get_allows_only_which_link(void **state)
{
    (void)state;
    begin(RTM_GETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "a");
    mnl_attr_put_u32(message, IFLA_EXT_MASK, 1);
    assert_int_equal(rtlink_parse(message, message->nlmsg_len, true, &request, &fault), 0);
    mnl_attr_put_u32(message, IFLA_MTU, 1);
    assert_int_equal(rtlink_parse(message, message->nlmsg_len, true, &request, &fault), -EINVAL);
    assert_int_equal(rtlink_parse(message, message->nlmsg_len, false, &request, &fault), 0);
}

static void pieces_of_messages_are_no_messages(void **state)
{
    (void)state;
    begin(RTM_SETLINK, 0);
    mnl_attr_put_u32(message, IFLA_MTU, 72);
    for (size_t size = 0; size < message->nlmsg_len; size++)
        assert_int_equal(rtlink_parse(message, size, false, &request, &fault), -EBADMSG);
    uint32_t whole = message->nlmsg_len;
    for (uint32_t size = 0; size < whole; size++) {
        message->nlmsg_len = size;
        rtlink_parse(message, whole, false, &request, &fault); /* the sanitizers judge */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_vcan_equals_linux),
        cmocka_unit_test(built_alias_and_altname_are_where_linux_puts_them),
        cmocka_unit_test(built_vxcan_equals_linux),
        cmocka_unit_test(largest_message_fits),
        cmocka_unit_test(built_errors_equal_linux),
        cmocka_unit_test(errors_are_plain_without_ext_ack),
        cmocka_unit_test(parsed_attributes_are_where_they_belong),
        cmocka_unit_test(kind_without_nul_is_a_kind),
        cmocka_unit_test(long_numbers_and_unknown_attributes_pass),
        cmocka_unit_test(names_fit_or_are_refused),
        cmocka_unit_test(nests_that_are_too_short_are_refused),
        cmocka_unit_test(peer_has_its_own_attributes),
        cmocka_unit_test(short_peer_is_a_peer_without_wishes),
        cmocka_unit_test(properties_list_names),
        cmocka_unit_test(dumps_may_have_a_short_header),
        cmocka_unit_test(strict_get_allows_only_which_link),
        cmocka_unit_test(pieces_of_messages_are_no_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
