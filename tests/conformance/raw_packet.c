/* CAN links seen by AF_PACKET sockets. */
#include "packet.h"

static int packet_type_of_next(int fd, canid_t id)
{
    struct sockaddr_ll a;
    socklen_t len = sizeof(a);
    struct can_frame f;

    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(recvfrom(fd, &f, sizeof(f), 0, (struct sockaddr *)&a, &len), 16);
    CHECK_EQ(f.can_id, id);
    CHECK_EQ(ntohs(a.sll_protocol), PROTOCOL_CAN);
    CHECK_EQ(a.sll_hatype, 280);
    CHECK_EQ(a.sll_halen, 0);
    return a.sll_pkttype;
}

TEST(packet_sees_a_sent_frame_twice)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL), fd = raw_bound(index);
    int first, second;

    put(fd, 0x123);
    first = packet_type_of_next(p, 0x123);
    second = packet_type_of_next(p, 0x123);
    CHECK(first != second);
    CHECK(first == PACKET_OUTGOING || second == PACKET_OUTGOING);
    CHECK(first == PACKET_BROADCAST || second == PACKET_BROADCAST);
    CHECK_QUIET(p);
}

TEST(packet_sees_a_frame_without_loopback_once)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL), fd = raw_bound(index);

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 0x123);
    CHECK_EQ(packet_type_of_next(p, 0x123), PACKET_OUTGOING);
    CHECK_QUIET(p);
}

TEST(packet_sends_past_local_can_sockets)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL_CAN) };
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL), fd = raw_bound(index);
    struct can_frame f = frame_of(0x123, 8);

    to.sll_ifindex = index;
    CHECK_EQ(sendto(p, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)), 16);
    CHECK_QUIET(fd);
    CHECK_EQ(LINK_STATE(index).stats.tx_packets, 1);
}

TEST(packet_sends_to_the_vxcan_peer)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL_CAN) };
    struct can_frame f = frame_of(0x123, 8);
    int a, b, p, peer;

    VXCAN_UP(&a, &b);
    p = packet_on(a, PROTOCOL_ALL);
    peer = raw_bound(b);
    to.sll_ifindex = a;
    CHECK_EQ(sendto(p, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)), 16);
    CHECK_GETS(peer, 0x123);
}

TEST(packet_with_an_invalid_frame_is_dropped_by_the_link)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL_CAN) };
    struct can_frame f = frame_of(0x123, 8);
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL);
    struct link_state s;

    f.len = 9;
    to.sll_ifindex = index;
    CHECK_EQ(sendto(p, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)), 16);
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_packets, 0);
    CHECK_EQ(s.stats.tx_dropped, 1);
}

TEST(packet_that_is_sent_is_seen_by_others_only)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL), other = packet_on(index, PROTOCOL_ALL),
        can = packet_on(index, PROTOCOL_CAN);
    struct can_frame f = frame_of(0x123, 8);

    CHECK_EQ(packet_send(p, index, PROTOCOL_CAN, &f, sizeof(f)), 16);
    CHECK_QUIET(p);
    CHECK_QUIET(can);
    CHECK_EQ(packet_type_of_next(other, 0x123), PACKET_OUTGOING);
    CHECK_QUIET(other);
}

TEST(packet_sends_by_itself_where_it_is_bound)
{
    int a, b, p, peer;
    struct can_frame f = frame_of(0x123, 8);

    VXCAN_UP(&a, &b);
    p = packet_on(a, PROTOCOL_CAN);
    peer = raw_bound(b);
    CHECK_EQ(write(p, &f, sizeof(f)), 16);
    CHECK_GETS(peer, 0x123);
}

TEST(packet_unbound_sends_where_it_is_told)
{
    int a, b, p = packet_new(SOCK_DGRAM, 0), peer;
    struct can_frame f = frame_of(0x123, 8);
    struct sockaddr_ll to;
    struct iovec iov = { &f, sizeof(f) };
    struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1 };

    VXCAN_UP(&a, &b);
    to = packet_addr(a, PROTOCOL_CAN);
    peer = raw_bound(b);
    CHECK_EQ(packet_send(p, a, PROTOCOL_CAN, &f, sizeof(f)), 16);
    CHECK_GETS(peer, 0x123);
    CHECK_EQ(sendmsg(p, &m, 0), 16);
    CHECK_GETS(peer, 0x123);
    CHECK_ERRNO(send(p, &f, sizeof(f), 0), ENXIO);
}

TEST(packet_of_fd_is_marked_as_such)
{
    int a, b, p, peer;
    struct canfd_frame f = fd_frame_of(0x124, 64), got;

    VXCAN_UP(&a, &b);
    p = packet_on(a, PROTOCOL_ALL);
    peer = raw_bound(b);
    raw_set(peer, CAN_RAW_FD_FRAMES, 1);
    f.flags = 0;
    CHECK_EQ(packet_send(p, a, PROTOCOL_CANFD, &f, sizeof(f)), 72);
    await_in(peer, __FILE__, __LINE__);
    CHECK_EQ(read(peer, &got, sizeof(got)), 72);
    CHECK_EQ(got.flags, CANFD_FDF);
}

TEST(packet_seen_on_both_ends_of_a_vxcan)
{
    int a, b, here, there;

    VXCAN_UP(&a, &b);
    here = packet_on(a, PROTOCOL_ALL);
    there = packet_on(b, PROTOCOL_ALL);
    put(raw_bound(a), 0x123);
    CHECK_EQ(packet_type_of_next(here, 0x123), PACKET_OUTGOING);
    CHECK_EQ(packet_type_of_next(here, 0x123), PACKET_BROADCAST);
    CHECK_EQ(packet_type_of_next(there, 0x123), PACKET_BROADCAST);
    CHECK_QUIET(here);
    CHECK_QUIET(there);
}

TEST(packet_that_is_no_frame_is_seen_and_dropped)
{
    static const struct {
        int protocol, size, seen_as;
    } table[] = {
        { PROTOCOL_CAN, 1, PROTOCOL_CAN },
        { PROTOCOL_CAN, 15, PROTOCOL_CAN },
        { PROTOCOL_CAN, 72, PROTOCOL_CAN },
        { PROTOCOL_CANFD, 16, PROTOCOL_CANFD },
        { PROTOCOL_ALL, 16, 0 },
        { 0x1234, 16, 0x1234 },
        { PROTOCOL_CANXL, 16, PROTOCOL_CANXL },
    };
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL), other = packet_on(index, PROTOCOL_ALL);
    struct canfd_frame f = fd_frame_of(0x124, 8);
    size_t count = sizeof(table) / sizeof(*table);
    struct packet got;

    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(packet_send(p, index, table[i].protocol, &f, table[i].size), table[i].size);
        got = packet_get(other);
        CHECK_EQ(got.size, table[i].size);
        CHECK_EQ(ntohs(got.from.sll_protocol), table[i].seen_as);
        CHECK_EQ(got.from.sll_pkttype, PACKET_OUTGOING);
        CHECK_QUIET(other);
    }
    CHECK_EQ(LINK_STATE(index).stats.tx_packets, 0);
    CHECK_EQ(LINK_STATE(index).stats.tx_dropped, count);
}

TEST(packet_send_errors)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_ALL);
    struct sockaddr_ll to = packet_addr(index, PROTOCOL_CAN);
    struct canfd_frame f[2] = { { 0 } };

    CHECK_ERRNO(packet_send(p, index, PROTOCOL_CAN, f, 0), EINVAL);
    CHECK_ERRNO(packet_send(p, index, PROTOCOL_CAN, f, 73), EMSGSIZE);
    CHECK_ERRNO(packet_send(p, index, PROTOCOL_CAN, bad_pointer, 77), EMSGSIZE);
    CHECK_ERRNO(packet_send(p, index, PROTOCOL_CAN, bad_pointer, 16), EFAULT);
    CHECK_ERRNO(packet_send(p, 999999, PROTOCOL_CAN, f, 16), ENXIO);
    CHECK_ERRNO(packet_send(p, 0, PROTOCOL_CAN, f, 16), ENXIO);
    CHECK_ERRNO(sendto(p, f, 16, 0, (struct sockaddr *)&to, sizeof(to) - 1), EINVAL);
    to.sll_halen = 9;
    CHECK_ERRNO(sendto(p, f, 16, 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
    to.sll_halen = 8;
    to.sll_family = 99; /* nobody looks */
    CHECK_EQ(sendto(p, f, 16, 0, (struct sockaddr *)&to, sizeof(to)), 16);
}
