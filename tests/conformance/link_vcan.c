/* vcan links: creation, state, MTU rules, counters; as seen through rtnetlink. */
#include "link.h"

#define UP_FLAGS (IFF_UP | IFF_RUNNING | IFF_NOARP | 0x10000 /* LOWER_UP */)

TEST(vcan_new_link)
{
    char name[IFNAMSIZ];
    struct link_state s = LINK_STATE(VCAN_NAMED(name, 0));

    CHECK_EQ(s.type, 280);
    CHECK_EQ(s.flags, IFF_NOARP);
    CHECK_EQ(s.operstate, OPER_DOWN);
    CHECK_EQ(s.carrier, 1);
    CHECK_EQ(s.mtu, 72);
    CHECK_EQ(s.txqlen, 1000);
    CHECK_EQ(s.link, -1);
    CHECK(!strcmp(s.name, name));
    CHECK(!strcmp(s.kind, "vcan"));
    CHECK(!strcmp(s.qdisc, "noop"));
}

TEST(vcan_up_and_down)
{
    int index = VCAN_UP();
    struct link_state s = LINK_STATE(index);

    CHECK_EQ(s.flags, UP_FLAGS);
    CHECK_EQ(s.operstate, OPER_UNKNOWN);
    CHECK(!strcmp(s.qdisc, "noqueue"));
    LINK_DOWN(index);
    s = LINK_STATE(index);
    CHECK_EQ(s.flags, IFF_NOARP);
    CHECK_EQ(s.operstate, OPER_DOWN);
    CHECK(!strcmp(s.qdisc, "noqueue"));
}

TEST(vcan_created_without_a_name_gets_one)
{
    struct link_request r = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    int nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0), error;
    char name[IFNAMSIZ];
    int i;

    link_string(&r, IFLA_INFO_KIND, "vcan");
    link_close(&r, nest);
    for (i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "vcan%d", i);
        if (!if_nametoindex(name)) break;
    }
    error = link_talk(&r);
    if (error == -EPERM) SKIP("may not create links");
    CHECK_EQ(error, 0);
    link_remember(name);
}

/* link_create_vcan() looks the name up afterwards, a pattern is none */
static int create(const char *name, const char *kind, int flags)
{
    struct link_request r = link_request(RTM_NEWLINK, flags, 0);
    int nest, error;

    link_string(&r, IFLA_IFNAME, name);
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, kind);
    link_close(&r, nest);
    error = link_talk(&r);
    if (!error && if_nametoindex(name)) link_remember(name);
    return error;
}

TEST(vcan_created_by_a_pattern)
{
    char pattern[IFNAMSIZ], name[IFNAMSIZ + 4];

    VCAN_DOWN();
    snprintf(pattern, sizeof(pattern), "q%d_%%dy", (int)getpid() % 10000);
    CHECK_EQ(create(pattern, "vcan", NLM_F_CREATE | NLM_F_EXCL), 0);
    snprintf(name, sizeof(name), "q%d_0y", (int)getpid() % 10000);
    link_remember(name);
}

TEST(vcan_duplicate_name_is_eexist)
{
    char name[IFNAMSIZ];

    VCAN_NAMED(name, 0);
    CHECK_EQ(create(name, "vcan", NLM_F_CREATE | NLM_F_EXCL), -EEXIST);
    CHECK_EQ(create(if_a(), "vcan", NLM_F_CREATE | NLM_F_EXCL), -EEXIST);
    CHECK_EQ(create(name, "vcan", NLM_F_CREATE | NLM_F_REPLACE), -EOPNOTSUPP);
}

TEST(vcan_bad_names)
{
    VCAN_DOWN();
    CHECK_EQ(create(".", "vcan", NLM_F_CREATE | NLM_F_EXCL), -EINVAL);
    CHECK_EQ(create("..", "vcan", NLM_F_CREATE | NLM_F_EXCL), -EINVAL);
    CHECK_EQ(create("a/b", "vcan", NLM_F_CREATE | NLM_F_EXCL), -EINVAL);
    CHECK_EQ(create("a b", "vcan", NLM_F_CREATE | NLM_F_EXCL), -EINVAL);
    CHECK_EQ(create("0123456789abcdef", "vcan", NLM_F_CREATE | NLM_F_EXCL), -ERANGE);
}

TEST(link_of_unknown_kind_is_eopnotsupp)
{
    VCAN_DOWN();
    CHECK_EQ(create("nosuch0", "nosuchkind", NLM_F_CREATE | NLM_F_EXCL), -EOPNOTSUPP);
    CHECK_EQ(create("nosuch0", "can", NLM_F_CREATE | NLM_F_EXCL), -EOPNOTSUPP);
}

TEST(link_type_vcan_of_an_existing_link_is_nothing)
{
    char name[IFNAMSIZ];

    VCAN_NAMED(name, 0);
    CHECK_EQ(create(name, "vcan", 0), 0);
    CHECK_EQ(LINK_STATE(index_of(name)).mtu, 72);
}

TEST(link_created_with_a_chosen_index)
{
    struct link_request r = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    char name[IFNAMSIZ];
    int nest, taken = VCAN_DOWN(), wanted = taken + 5000;

    r.info.ifi_index = wanted;
    link_name(name);
    link_string(&r, IFLA_IFNAME, name);
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "vcan");
    link_close(&r, nest);
    CHECK_EQ(link_talk(&r), 0);
    link_remember(name);
    CHECK_EQ(index_of(name), wanted);
}

TEST(link_requests_on_an_unknown_index_are_enodev)
{
    struct link_state s;

    VCAN_DOWN();
    CHECK_EQ(link_flags(999999, IFF_UP, IFF_UP), -ENODEV);
    CHECK_EQ(link_delete(999999), -ENODEV);
    CHECK_EQ(link_get(999999, &s), -ENODEV);
    CHECK_EQ(link_flags(0, IFF_UP, IFF_UP), -ENODEV);
    CHECK_EQ(link_delete(0), -EINVAL);
    CHECK_EQ(link_get(0, &s), -EINVAL);
}

TEST(link_requests_without_privilege_are_eperm)
{
    struct link_state s;
    int index = index_of(if_a());

    if (setuid(65534)) SKIP("may not change the user");
    CHECK_EQ(link_flags(index, 0, IFF_UP), -EPERM);
    CHECK_EQ(link_delete(index), -EPERM);
    CHECK_EQ(create("cfx", "vcan", NLM_F_CREATE | NLM_F_EXCL), -EPERM);
    CHECK_EQ(create(if_a(), "vcan", NLM_F_CREATE | NLM_F_EXCL), -EPERM);
    CHECK_EQ(link_get(index, &s), 0);
}

TEST(vcan_mtu_values_allowed_while_down)
{
    static const int good[] = { 16, 72, 76, 77, 100, 2059, 2060 };
    static const int bad[] = { 0, 1, 8, 15, 17, 71, 73, 74, 75, 2061, 5000, -1 };
    int index = VCAN_DOWN();

    for (int i = 0; i < 7; i++) {
        CHECK_EQ(link_mtu(index, good[i]), 0);
        CHECK_EQ(LINK_STATE(index).mtu, good[i]);
        for (int j = 0; j < 12; j++)
            CHECK_EQ(link_mtu(index, bad[j]), -EINVAL);
        CHECK_EQ(LINK_STATE(index).mtu, good[i]);
    }
}

TEST(vcan_mtu_change_while_up_is_ebusy)
{
    int index = VCAN_UP();

    CHECK_EQ(link_mtu(index, 16), -EBUSY);
    CHECK_EQ(link_mtu(index, 17), -EBUSY);
    CHECK_EQ(link_mtu(index, 72), 0);
    CHECK_EQ(LINK_STATE(index).mtu, 72);
}

TEST(vcan_created_with_any_mtu)
{
    static const int mtus[] = { 8, 17, 71, 75, 5000 };

    for (int i = 0; i < 5; i++) {
        char name[IFNAMSIZ];

        CHECK_EQ(LINK_STATE(VCAN_NAMED(name, mtus[i])).mtu, mtus[i]);
    }
}

TEST(vcan_mtu_takes_effect_on_sending)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct canfd_frame f = fd_frame_of(1, 8);

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(write(fd, &f, sizeof(f)), 72);
    LINK_DOWN(index);
    CHECK_EQ(link_mtu(index, 16), 0);
    LINK_UP(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_ERRNO(write(fd, &f, sizeof(f)), EINVAL);
}

TEST(vcan_txqlen_can_be_set)
{
    int index = VCAN_UP(), length = 33;
    struct link_request r = link_request(RTM_NEWLINK, 0, index);

    link_attribute(&r, IFLA_TXQLEN, &length, sizeof(length));
    CHECK_EQ(link_talk(&r), 0);
    CHECK_EQ(LINK_STATE(index).txqlen, 33);
}

TEST(vcan_counts_frames_and_payload_bytes_both_ways)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct link_state s;

    for (int i = 0; i < 3; i++) {
        struct can_frame f = frame_of(1, i + 1);

        CHECK_EQ(write(fd, &f, sizeof(f)), 16);
    }
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_packets, 3);
    CHECK_EQ(s.stats.tx_bytes, 6);
    CHECK_EQ(s.stats.rx_packets, 3);
    CHECK_EQ(s.stats.rx_bytes, 6);
    CHECK_EQ(s.stats.tx_dropped, 0);
    CHECK_EQ(s.stats.rx_dropped, 0);
}

TEST(vcan_counts_no_bytes_for_remote_frames)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct link_state s;

    put(fd, CAN_RTR_FLAG | 1);
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_packets, 1);
    CHECK_EQ(s.stats.tx_bytes, 0);
    CHECK_EQ(s.stats.rx_bytes, 0);
}

TEST(vcan_counts_transmission_only_without_loopback)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct link_state s;

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_packets, 1);
    CHECK_EQ(s.stats.tx_bytes, 8);
    CHECK_EQ(s.stats.rx_packets, 0);
}

TEST(vcan_counts_fd_payload)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct canfd_frame f = fd_frame_of(1, 48);
    struct link_state s;

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(write(fd, &f, sizeof(f)), 72);
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_bytes, 48);
    CHECK_EQ(s.stats.rx_bytes, 48);
}

TEST(vcan_counts_no_refused_frames)
{
    int index = VCAN_DOWN();
    struct link_state s;

    CHECK_ERRNO(put_to(raw_new(), index, 1), ENETDOWN);
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_packets, 0);
    CHECK_EQ(s.stats.tx_dropped, 0);
}

TEST(vcan_counters_survive_down)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    put(fd, 1);
    LINK_DOWN(index);
    LINK_UP(index);
    CHECK_EQ(LINK_STATE(index).stats.tx_packets, 1);
}

TEST(vcan_address_carrier_and_master_are_eopnotsupp)
{
    struct link_request r;
    int index = VCAN_DOWN(), other = VCAN_DOWN();
    char address[6] = { 2, 0, 0, 0, 0, 1 }, one = 1;

    r = link_request(RTM_NEWLINK, 0, index);
    link_attribute(&r, IFLA_ADDRESS, address, sizeof(address));
    CHECK_EQ(link_talk(&r), -EOPNOTSUPP);
    r = link_request(RTM_NEWLINK, 0, index);
    link_attribute(&r, IFLA_CARRIER, &one, sizeof(one));
    CHECK_EQ(link_talk(&r), -EOPNOTSUPP);
    r = link_request(RTM_NEWLINK, 0, index);
    link_attribute(&r, IFLA_MASTER, &other, sizeof(other));
    CHECK_EQ(link_talk(&r), -EOPNOTSUPP);
}

TEST(link_type_change_with_data_of_another_kind_is_eopnotsupp)
{
    struct link_request r;
    int nest, data, index = VCAN_DOWN();

    r = link_request(RTM_NEWLINK, 0, index);
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "vxcan");
    link_close(&r, nest);
    CHECK_EQ(link_talk(&r), 0);
    r = link_request(RTM_NEWLINK, 0, index);
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "vxcan");
    data = link_attribute(&r, IFLA_INFO_DATA, NULL, 0);
    link_close(&r, data);
    link_close(&r, nest);
    CHECK_EQ(link_talk(&r), -EOPNOTSUPP);
}

TEST(vcan_operstate_can_be_set)
{
    struct link_request r = link_request(RTM_NEWLINK, 0, VCAN_UP());
    char state = OPER_UP;

    link_attribute(&r, IFLA_OPERSTATE, &state, sizeof(state));
    CHECK_EQ(link_talk(&r), 0);
}

TEST(vcan_setlink_ignores_linkinfo)
{
    struct link_request r = link_request(RTM_SETLINK, 0, VCAN_DOWN());
    int nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);

    link_string(&r, IFLA_INFO_KIND, "nosuchkind");
    link_close(&r, nest);
    CHECK_EQ(link_talk(&r), 0);
}

TEST(vcan_setlink_changes_state)
{
    int index = VCAN_DOWN();
    struct link_request r = link_request(RTM_SETLINK, 0, index);

    r.info.ifi_flags = r.info.ifi_change = IFF_UP;
    CHECK_EQ(link_talk(&r), 0);
    CHECK_EQ(LINK_STATE(index).flags, UP_FLAGS);
}

TEST(vcan_change_by_name)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0);
    struct link_request r = link_request(RTM_NEWLINK, 0, 0);

    r.info.ifi_flags = r.info.ifi_change = IFF_UP;
    link_string(&r, IFLA_IFNAME, name);
    CHECK_EQ(link_talk(&r), 0);
    CHECK_EQ(LINK_STATE(index).flags, UP_FLAGS);
    r = link_request(RTM_DELLINK, 0, 0);
    link_string(&r, IFLA_IFNAME, name);
    CHECK_EQ(link_talk(&r), 0);
    CHECK_EQ(if_nametoindex(name), 0);
}

TEST(vcan_change_without_mask_sets_all_flags)
{
    int index = VCAN_UP();

    CHECK_EQ(link_flags(index, IFF_UP, 0), 0);
    CHECK_EQ(LINK_STATE(index).flags, UP_FLAGS & ~IFF_NOARP);
}

TEST(vcan_arp_on_clears_noarp)
{
    int index = VCAN_UP();

    CHECK_EQ(link_flags(index, 0, IFF_NOARP), 0);
    CHECK_EQ(LINK_STATE(index).flags, UP_FLAGS & ~IFF_NOARP);
}

TEST(vcan_echo_flag_cannot_be_set)
{
    int index = VCAN_DOWN();

    CHECK_EQ(link_flags(index, 0x40000, 0x40000), 0);
    CHECK_EQ(LINK_STATE(index).flags, IFF_NOARP);
}

TEST(vcan_rename_to_a_taken_name_is_eexist)
{
    int index = VCAN_DOWN();

    CHECK_EQ(link_rename(index, if_a()), -EEXIST);
}

TEST(vcan_delete_while_up)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0);

    LINK_UP(index);
    LINK_DELETE(index);
    CHECK_EQ(if_nametoindex(name), 0);
    CHECK_EQ(link_delete(index), -ENODEV);
}

TEST(vcan_indexes_are_not_used_again_at_once)
{
    int first = VCAN_DOWN(), second;

    LINK_DELETE(first);
    second = VCAN_DOWN();
    CHECK(second != first);
}

TEST(vcan_dump_contains_the_link)
{
    static char reply[65536];
    struct link_request r = link_request(RTM_GETLINK, 0, 0);
    int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), found = 0, index = index_of(if_a());

    r.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    OK(send(fd, &r, r.head.nlmsg_len, 0));
    for (;;) {
        int left = OK(recv(fd, reply, sizeof(reply), 0));

        for (struct nlmsghdr *h = (struct nlmsghdr *)reply; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type == NLMSG_DONE) {
                CHECK_EQ(found, 1);
                return;
            }
            CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
            CHECK(h->nlmsg_flags & NLM_F_MULTI);
            found += ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == index;
        }
    }
}

/* One datagram: the type of the only message in it, which answers the request `seq`. */
static int lone_message(int fd, uint32_t seq)
{
    static char reply[65536];
    int size = OK(recv(fd, reply, sizeof(reply), 0));
    const struct nlmsghdr *h = (const struct nlmsghdr *)reply;

    CHECK_EQ(h->nlmsg_len, size);
    CHECK_EQ(h->nlmsg_seq, seq);
    if (h->nlmsg_type == NLMSG_ERROR) CHECK_EQ(((const struct nlmsgerr *)NLMSG_DATA(h))->error, 0);
    return h->nlmsg_type;
}

TEST(vcan_answer_and_acknowledgement_are_two_datagrams)
{
    struct link_request r[2] = { link_request(RTM_GETLINK, 0, index_of(if_a())),
                                 link_request(RTM_GETLINK, 0, index_of(if_b())) };
    int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    struct iovec iov[2];
    struct msghdr both = { .msg_iov = iov, .msg_iovlen = 2 };

    for (uint32_t i = 0; i < 2; i++) {
        r[i].head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        r[i].head.nlmsg_seq = 100 + i;
        iov[i] = (struct iovec){ &r[i], r[i].head.nlmsg_len };
    }
    CHECK_EQ(sendmsg(fd, &both, 0), r[0].head.nlmsg_len + r[1].head.nlmsg_len);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_EQ(lone_message(fd, 100 + i), RTM_NEWLINK);
        CHECK_EQ(lone_message(fd, 100 + i), NLMSG_ERROR);
    }
    CHECK_ERRNO(recv(fd, r, sizeof(r), MSG_DONTWAIT), EAGAIN);
}
