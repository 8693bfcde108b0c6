/* CAN_ISOTP: interfaces that go down and disappear. */
#include "isotp.h"

static int bound_on(int index)
{
    int fd = isotp_new();

    OK(isotp_bind(fd, index, TX_ID, RX_ID));
    return fd;
}

TEST(isotp_bind_to_an_interface_that_is_down)
{
    int fd = isotp_new();

    OK(isotp_bind(fd, VCAN_DOWN(), TX_ID, RX_ID));
    CHECK_EQ(polled(fd, POLLIN, 0), POLLERR);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_ERRNO(write(fd, isotp_pdu(), 1), ENETDOWN);
    CHECK_ERRNO(write(fd, isotp_pdu(), 20), ENETDOWN);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_down_is_reported_once)
{
    int index = VCAN_UP(), fd = bound_on(index);

    LINK_DOWN(index);
    ISOTP_FAILS(fd, ENETDOWN);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_down_ends_a_transfer_with_ecomm)
{
    int index = VCAN_UP(), fd = bound_on(index);

    ISOTP_SEND(fd, 20);
    LINK_DOWN(index);
    ISOTP_FAILS(fd, ENETDOWN);
    ISOTP_FAILS(fd, ECOMM);
    CHECK_ERRNO(write(fd, isotp_pdu(), 20), ENETDOWN);
    CHECK_ERRNO(write(fd, isotp_pdu(), 2), ENETDOWN);
}

TEST(isotp_down_while_sending_is_ecomm_after_two_seconds)
{
    int index = VCAN_UP(), fd = bound_on(index), peer = peer_on(index);
    long long start;

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 7f");
    PEER_HEARS(peer, "21 07..0d");
    LINK_DOWN(index);
    start = now_ns();
    ISOTP_FAILS(fd, ENETDOWN);
    ISOTP_FAILS(fd, ECOMM);
    TOOK(now_ns() - start, 1990 * MS);
}

TEST(isotp_up_again_works)
{
    int index = VCAN_UP(), fd = bound_on(index), peer;

    LINK_DOWN(index);
    ISOTP_FAILS(fd, ENETDOWN);
    LINK_UP(index);
    peer = peer_on(index);
    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
}

TEST(isotp_removal_unbinds)
{
    int index = VCAN_UP(), fd = bound_on(index);
    struct sockaddr_can a;
    socklen_t len = sizeof(a);
    char byte;

    LINK_DELETE(index);
    CHECK_ERRNO(read(fd, &byte, 1), EADDRNOTAVAIL);
    CHECK_ERRNO(write(fd, "x", 1), EADDRNOTAVAIL);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    OK(getsockname(fd, (struct sockaddr *)&a, &len));
    CHECK_EQ(a.can_ifindex, 0);
    CHECK_EQ(a.can_addr.tp.rx_id, RX_ID);
    CHECK_EQ(a.can_addr.tp.tx_id, TX_ID);
}

TEST(isotp_removal_lets_bind_again)
{
    int index = VCAN_UP(), fd = bound_on(index), peer = peer_a();

    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    isotp_flags(fd, CAN_ISOTP_TX_PADDING);
    isotp_ready(fd);
    ISOTP_SEND(fd, 1);
    PEER_HEARS(peer, "01 01 cc*6");
}

TEST(isotp_removal_wakes_a_reader)
{
    int index = VCAN_UP(), fd = bound_on(index);
    pid_t child = OK(fork());
    char byte;

    if (!child) {
        await_asleep(getppid());
        LINK_DELETE(index);
        _exit(0);
    }
    CHECK_EQ(read(fd, &byte, 1), -1);
    CHECK(errno == ENETDOWN || errno == ENODEV); /* it goes down first; who wakes late sees what came then */
    CHECK_EQ(tap_join(child), 0);
    CHECK_ERRNO(read(fd, &byte, 1), EADDRNOTAVAIL);
}
