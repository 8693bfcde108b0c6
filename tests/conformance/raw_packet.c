/* CAN links seen by AF_PACKET sockets. */
#include "link.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>

enum { ETHERTYPE_CAN = 0x000c, ETHERTYPE_ALL = 0x0003 };

static int packet_on(int index, int type)
{
    struct sockaddr_ll a = { .sll_family = AF_PACKET,
                             .sll_protocol = htons(ETHERTYPE_ALL),
                             .sll_ifindex = index };
    int fd = socket(AF_PACKET, type | SOCK_NONBLOCK, 0);

    if (fd < 0 && errno == EPERM) SKIP("may not open packet sockets");
    OK(fd);
    OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
    return fd;
}

static int packet_type_of_next(int fd, canid_t id)
{
    struct sockaddr_ll a;
    socklen_t len = sizeof(a);
    struct can_frame f;

    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(recvfrom(fd, &f, sizeof(f), 0, (struct sockaddr *)&a, &len), 16);
    CHECK_EQ(f.can_id, id);
    CHECK_EQ(ntohs(a.sll_protocol), ETHERTYPE_CAN);
    CHECK_EQ(a.sll_hatype, 280);
    CHECK_EQ(a.sll_halen, 0);
    return a.sll_pkttype;
}

TEST(packet_sees_a_sent_frame_twice)
{
    int index = VCAN_UP(), p = packet_on(index, SOCK_RAW), fd = raw_bound(index);
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
    int index = VCAN_UP(), p = packet_on(index, SOCK_RAW), fd = raw_bound(index);

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 0x123);
    CHECK_EQ(packet_type_of_next(p, 0x123), PACKET_OUTGOING);
    CHECK_QUIET(p);
}

TEST(packet_sends_past_local_can_sockets)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_CAN) };
    int index = VCAN_UP(), p = packet_on(index, SOCK_RAW), fd = raw_bound(index);
    struct can_frame f = frame_of(0x123, 8);

    to.sll_ifindex = index;
    CHECK_EQ(sendto(p, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)), 16);
    CHECK_QUIET(fd);
    CHECK_EQ(LINK_STATE(index).stats.tx_packets, 1);
}

TEST(packet_sends_to_the_vxcan_peer)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_CAN) };
    struct can_frame f = frame_of(0x123, 8);
    int a, b, p, peer;

    VXCAN_UP(&a, &b);
    p = packet_on(a, SOCK_RAW);
    peer = raw_bound(b);
    to.sll_ifindex = a;
    CHECK_EQ(sendto(p, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)), 16);
    CHECK_GETS(peer, 0x123);
}

TEST(packet_with_an_invalid_frame_is_dropped_by_the_link)
{
    struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETHERTYPE_CAN) };
    struct can_frame f = frame_of(0x123, 8);
    int index = VCAN_UP(), p = packet_on(index, SOCK_RAW);
    struct link_state s;

    f.len = 9;
    to.sll_ifindex = index;
    CHECK_EQ(sendto(p, &f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to)), 16);
    s = LINK_STATE(index);
    CHECK_EQ(s.stats.tx_packets, 0);
    CHECK_EQ(s.stats.tx_dropped, 1);
}
