/* vxcan: a pair of links that receive what the other sends. */
#include "link.h"

static int flags_of_next(int fd, canid_t id)
{
    struct message m;

    RECEIVE(fd, &m);
    CHECK_EQ(m.can.can_id, id);
    return m.flags;
}

TEST(vxcan_frame_reaches_the_peer_as_from_the_bus)
{
    int a, b, fd, peer;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    peer = raw_bound(b);
    put(fd, 1);
    CHECK_EQ(flags_of_next(peer, 1), 0);
    put(peer, 2);
    CHECK_EQ(flags_of_next(fd, 2), 0);
    CHECK_QUIET(fd);
    CHECK_QUIET(peer);
}

TEST(vxcan_frame_reaches_local_listeners_as_local)
{
    int a, b, fd, other;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    other = raw_bound(a);
    put(fd, 1);
    CHECK_EQ(flags_of_next(other, 1), MSG_DONTROUTE);
}

TEST(vxcan_own_message_is_confirmed)
{
    int a, b, fd;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, 1);
    CHECK_EQ(flags_of_next(fd, 1), MSG_DONTROUTE | MSG_CONFIRM);
    CHECK_QUIET(fd);
}

TEST(vxcan_any_sees_both_ends)
{
    int a, b, fd, any = raw_any(), seen_a = 0, seen_b = 0;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    put(fd, 1);
    for (int i = 0; i < 2; i++) {
        struct message m;

        RECEIVE(any, &m);
        seen_a += m.from.can_ifindex == a && m.flags == MSG_DONTROUTE;
        seen_b += m.from.can_ifindex == b && m.flags == 0;
    }
    CHECK_EQ(seen_a, 1);
    CHECK_EQ(seen_b, 1);
    CHECK_QUIET(any);
}

TEST(vxcan_sender_bound_to_any_receives_its_frame_from_the_peer)
{
    int a, b, fd = raw_any();
    struct message m;

    VXCAN_UP(&a, &b);
    CHECK_EQ(put_to(fd, a, 1), 16);
    RECEIVE(fd, &m);
    CHECK_EQ(m.from.can_ifindex, b);
    CHECK_EQ(m.flags, 0);
    CHECK_QUIET(fd);
}

TEST(vxcan_loopback_off_still_reaches_the_peer)
{
    int a, b, fd, other, peer;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    other = raw_bound(a);
    peer = raw_bound(b);
    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    CHECK_GETS(peer, 1);
    CHECK_QUIET(other);
}

TEST(vxcan_state_of_a_new_pair)
{
    char a[IFNAMSIZ], b[IFNAMSIZ];
    struct link_state s;
    int error;

    link_name(a);
    link_name(b);
    error = link_create_vxcan(a, b);
    if (error == -EPERM) SKIP("may not create links");
    CHECK_EQ(error, 0);
    CHECK(index_of(b) < index_of(a));
    s = LINK_STATE(index_of(a));
    CHECK_EQ(s.type, 280);
    CHECK_EQ(s.flags, IFF_NOARP);
    CHECK_EQ(s.operstate, OPER_DOWN);
    CHECK_EQ(s.carrier, 0);
    CHECK_EQ(s.mtu, 72);
    CHECK_EQ(s.txqlen, 1000);
    CHECK_EQ(s.link, index_of(b));
    CHECK(!strcmp(s.kind, "vxcan"));
    CHECK_EQ(LINK_STATE(index_of(b)).link, index_of(a));
    LINK_UP(index_of(a));
    LINK_AWAIT(index_of(a), OPER_LOWERLAYERDOWN);
    s = LINK_STATE(index_of(a));
    CHECK_EQ(s.flags, IFF_NOARP | IFF_UP);
    CHECK_EQ(s.carrier, 0);
    LINK_UP(index_of(b));
    LINK_AWAIT(index_of(a), OPER_UP);
    LINK_AWAIT(index_of(b), OPER_UP);
    CHECK_EQ(LINK_STATE(index_of(a)).flags, 0x100c1);
    CHECK_EQ(LINK_STATE(index_of(a)).carrier, 1);
    CHECK_EQ(LINK_STATE(index_of(b)).carrier, 1);
}

TEST(vxcan_peer_down_is_no_error_here)
{
    int a, b, fd, other;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    other = raw_bound(a);
    LINK_DOWN(b);
    LINK_AWAIT(a, OPER_LOWERLAYERDOWN);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    put(fd, 1);
    CHECK_EQ(flags_of_next(other, 1), MSG_DONTROUTE);
}

TEST(vxcan_peer_down_counts_nothing)
{
    int a, b, fd;
    struct link_state s;

    VXCAN_UP(&a, &b);
    LINK_DOWN(b);
    LINK_AWAIT(a, OPER_LOWERLAYERDOWN);
    fd = raw_bound(a);
    put(fd, 1);
    s = LINK_STATE(a);
    CHECK_EQ(s.stats.tx_packets, 0);
    CHECK_EQ(s.stats.tx_dropped, 0);
    CHECK_EQ(s.stats.rx_packets, 0);
    CHECK_EQ(LINK_STATE(b).stats.rx_packets, 0);
}

TEST(vxcan_peer_down_and_up_again_resumes)
{
    int a, b, fd, peer;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    peer = raw_bound(b);
    LINK_DOWN(b);
    LINK_AWAIT(a, OPER_LOWERLAYERDOWN);
    CHECK_EQ(sol_get(peer, SO_ERROR), ENETDOWN);
    LINK_UP(b);
    LINK_AWAIT(a, OPER_UP);
    LINK_AWAIT(b, OPER_UP);
    put(fd, 1);
    CHECK_GETS(peer, 1);
}

TEST(vxcan_counts_transmission_here_and_reception_there)
{
    int a, b, fd;
    struct link_state s;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    put(fd, 1);
    put(fd, 2);
    s = LINK_STATE(a);
    CHECK_EQ(s.stats.tx_packets, 2);
    CHECK_EQ(s.stats.tx_bytes, 16);
    CHECK_EQ(s.stats.rx_packets, 0);
    s = LINK_STATE(b);
    CHECK_EQ(s.stats.tx_packets, 0);
    CHECK_EQ(s.stats.rx_packets, 2);
    CHECK_EQ(s.stats.rx_bytes, 16);
}

TEST(vxcan_mtu_is_not_compared_with_the_peers)
{
    int a, b, fd, peer;
    struct canfd_frame f = fd_frame_of(1, 64);
    struct message m;

    VXCAN_UP(&a, &b);
    LINK_DOWN(b);
    CHECK_EQ(link_mtu(b, 16), 0);
    LINK_UP(b);
    LINK_AWAIT(a, OPER_UP);
    LINK_AWAIT(b, OPER_UP);
    fd = raw_bound(a);
    peer = raw_bound(b);
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    raw_set(peer, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(write(fd, &f, sizeof(f)), 72);
    RECEIVE(peer, &m);
    CHECK_EQ(m.size, 72);
    CHECK_ERRNO(write(peer, &f, sizeof(f)), EINVAL);
}

TEST(vxcan_mtu_rules_are_those_of_vcan)
{
    int a, b;

    VXCAN_UP(&a, &b);
    CHECK_EQ(link_mtu(a, 16), -EBUSY);
    LINK_DOWN(a);
    CHECK_EQ(link_mtu(a, 17), -EINVAL);
    CHECK_EQ(link_mtu(a, 2060), 0);
    CHECK_EQ(LINK_STATE(a).mtu, 2060);
    CHECK_EQ(LINK_STATE(b).mtu, 72);
}

TEST(vxcan_delete_of_one_end_deletes_both)
{
    int a, b, fd, peer;
    struct link_state s;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    peer = raw_bound(b);
    LINK_DELETE(b);
    CHECK_EQ(link_get(a, &s), -ENODEV);
    CHECK_EQ(link_get(b, &s), -ENODEV);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    CHECK_EQ(sol_get(peer, SO_ERROR), ENODEV);
}

TEST(vxcan_created_without_peer_data)
{
    struct link_request r = link_request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    char name[IFNAMSIZ], peer[IFNAMSIZ];
    int nest, error;

    link_name(name);
    link_string(&r, IFLA_IFNAME, name);
    nest = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "vxcan");
    link_close(&r, nest);
    error = link_talk(&r);
    if (error == -EPERM) SKIP("may not create links");
    CHECK_EQ(error, 0);
    link_remember(name);
    CHECK(if_indextoname(LINK_STATE(index_of(name)).link, peer) != NULL);
    CHECK(!strncmp(peer, "vxcan", 5));
}

TEST(vxcan_duplicate_peer_name_is_eexist_and_creates_nothing)
{
    char a[IFNAMSIZ], b[IFNAMSIZ];

    VCAN_NAMED(b, 0);
    link_name(a);
    CHECK_EQ(link_create_vxcan(a, b), -EEXIST);
    CHECK_EQ(if_nametoindex(a), 0);
}

TEST(vxcan_error_frames_cross)
{
    int a, b, fd, peer;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    peer = raw_bound(b);
    raw_set(peer, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(fd, CAN_ERR_FLAG | 4);
    CHECK_GETS(peer, CAN_ERR_FLAG | 4);
}

TEST(vxcan_burst_keeps_order)
{
    int a, b, fd, peer;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    peer = raw_bound(b);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 150; i++)
            put(fd, i);
        for (int i = 0; i < 150; i++)
            CHECK_GETS(peer, i);
    }
}
