/* CAN_ISOTP: half duplex, broadcast, and sockets that talk to each other. */
#include "isotp.h"

/* ---- Half and full duplex ---- */

TEST(isotp_half_duplex_receives_nothing_while_it_sends)
{
    int fd = isotp_a(CAN_ISOTP_HALF_DUPLEX), peer = peer_a();

    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "01 55");
    peer_say(peer, "10 14 01..06");
    PEER_QUIET(peer, 20);
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
    isotp_await_idle(fd);
    ISOTP_QUIET(fd, QUIET_MS);
    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
}

TEST(isotp_half_duplex_ignores_flow_control_while_it_receives)
{
    int fd = isotp_a(CAN_ISOTP_HALF_DUPLEX), peer = peer_a();

    peer_say(peer, "10 14 01..06");
    PEER_HEARS(peer, "30 00 00");
    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "30 00 00");
    PEER_QUIET(peer, 20);
}

TEST(isotp_full_duplex)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
    peer_say(peer, "10 14 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07..0d");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
    peer_say(peer, "22 0e..14");
    ISOTP_GETS(fd, 20);
}

/* ---- Broadcast ---- */

TEST(isotp_sf_broadcast_sends_single_frames_only)
{
    int fd = isotp_a(CAN_ISOTP_SF_BROADCAST), peer = peer_a();

    CHECK_ERRNO(write(fd, isotp_pdu(), 8), EINVAL);
    PEER_QUIET(peer, QUIET_MS);
    ISOTP_SEND(fd, 7);
    PEER_HEARS(peer, "07 01..07");
}

TEST(isotp_sf_broadcast_receives_nothing)
{
    int fd = isotp_a(CAN_ISOTP_SF_BROADCAST), peer = peer_a();

    peer_say(peer, "01 55");
    peer_say(peer, "10 14 01..06");
    PEER_QUIET(peer, 20);
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_cf_broadcast_needs_no_flow_control)
{
    int fd = isotp_new(), peer = peer_a();
    long long first, second, third;

    isotp_flags(fd, CAN_ISOTP_CF_BROADCAST | CAN_ISOTP_FORCE_TXSTMIN);
    isotp_ns(fd, CAN_ISOTP_TX_STMIN, 10 * MS);
    isotp_ready(fd);
    ISOTP_SEND(fd, 20);
    first = PEER_HEARS(peer, "10 14 01..06");
    second = PEER_HEARS(peer, "21 07..0d");
    third = PEER_HEARS(peer, "22 0e..14");
    TOOK(second - first, 10 * MS);
    TOOK(third - second, 10 * MS);
    isotp_await_idle(fd);
    peer_say(peer, "10 14 01..06");
    peer_say(peer, "01 55");
    PEER_QUIET(peer, 20);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_cf_broadcast_gap_is_frame_txtime)
{
    int fd = isotp_new(), peer = peer_a();
    long long first, second;

    isotp_opts(fd, (struct can_isotp_options){ .flags = CAN_ISOTP_CF_BROADCAST, .frame_txtime = 20 * MS });
    isotp_ready(fd);
    ISOTP_SEND(fd, 8);
    first = PEER_HEARS(peer, "10 08 01..06");
    second = PEER_HEARS(peer, "21 07 08");
    TOOK(second - first, 20 * MS);
}

/* ---- Sockets among themselves ---- */

/* The other end of isotp_a(). */
static int other_end(uint32_t flags)
{
    int fd = isotp_new();

    if (flags) isotp_flags(fd, flags);
    OK(isotp_bind(fd, index_of(if_a()), RX_ID, TX_ID));
    return fd;
}

static void check_transfer(int from, int to, size_t size)
{
    ISOTP_SEND(from, size);
    ISOTP_GETS(to, size);
}

TEST(isotp_pdus_of_all_small_sizes)
{
    int one = isotp_a(0), two = other_end(0);

    for (size_t size = 1; size <= 100; size++) {
        check_transfer(one, two, size);
        check_transfer(two, one, size);
    }
}

TEST(isotp_pdu_of_66000_bytes)
{
    int one = isotp_new(), two = other_end(0);

    isotp_opts(one, (struct can_isotp_options){ .frame_txtime = 0xffffffff });
    isotp_ready(one);
    check_transfer(one, two, 66000);
}

TEST(isotp_pdu_of_66000_bytes_fd_in_blocks)
{
    int one = isotp_new(), two = isotp_new();

    isotp_ll(one, CANFD_MTU, 64, CANFD_BRS);
    isotp_ll(two, CANFD_MTU, 64, CANFD_BRS);
    isotp_fc(two, 8, 0);
    isotp_ready(one);
    OK(isotp_bind(two, index_of(if_a()), RX_ID, TX_ID));
    check_transfer(one, two, 66000);
}

TEST(isotp_both_directions_at_once)
{
    int one = isotp_a(0), two = other_end(0);

    for (int i = 0; i < 5; i++) {
        ISOTP_SEND(one, 2000 + i);
        ISOTP_SEND(two, 1000 + i);
        ISOTP_GETS(one, 1000 + i);
        ISOTP_GETS(two, 2000 + i);
    }
}

TEST(isotp_wait_tx_done_between_sockets)
{
    int one = isotp_a(CAN_ISOTP_WAIT_TX_DONE), two = other_end(0);

    for (size_t size = 1; size < 2000; size = size * 3 + 1)
        check_transfer(one, two, size);
}

TEST(isotp_pdus_wait_in_the_queue_of_the_receiver)
{
    int one = isotp_a(CAN_ISOTP_WAIT_TX_DONE), two = other_end(0);

    for (size_t size = 1; size <= 40; size++)
        ISOTP_SEND(one, size);
    for (size_t size = 1; size <= 40; size++)
        ISOTP_GETS(two, size);
    ISOTP_QUIET(two, QUIET_MS);
}

TEST(isotp_socket_on_another_interface_hears_nothing)
{
    int one = isotp_a(0), two = isotp_new(), there = other_end(0);

    OK(isotp_bind(two, index_of(if_b()), RX_ID, TX_ID));
    ISOTP_SEND(one, 3);
    ISOTP_GETS(there, 3);
    ISOTP_QUIET(two, QUIET_MS);
}

TEST(isotp_listener_hears_a_transfer_of_others)
{
    int one = isotp_a(0), two = other_end(0), listener = isotp_new();

    isotp_flags(listener, CAN_ISOTP_LISTEN_MODE);
    OK(isotp_bind(listener, index_of(if_a()), 0x123, TX_ID));
    check_transfer(one, two, 500);
    ISOTP_GETS(listener, 500);
}
