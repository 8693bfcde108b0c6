/* CAN_ISOTP, receiving: frames, flow control, errors, limits. */
#include "isotp.h"

#define FIRST_OF_20 "10 14 01..06"

/* A socket and its peer that are in the middle of a PDU of 20 bytes. */
static void begin_20(int *fd, int *peer, uint32_t flags)
{
    *fd = isotp_a(flags);
    *peer = peer_a();
    peer_say(*peer, FIRST_OF_20);
    if (!(flags & CAN_ISOTP_LISTEN_MODE)) PEER_HEARS(*peer, "30 00 00");
}

static void finish_20(int fd, int peer)
{
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 0e..14");
    ISOTP_GETS(fd, 20);
}

static int fd_socket(uint32_t flags, int tx_flags)
{
    int fd = isotp_new();

    isotp_flags(fd, flags);
    isotp_ll(fd, CANFD_MTU, 64, tx_flags);
    isotp_ready(fd);
    return fd;
}

TEST(isotp_receives_single_frames)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
    peer_say(peer, "07 01..07");
    ISOTP_GETS(fd, 7);
    peer_say(peer, "02 01 02 03 04");
    ISOTP_GETS(fd, 2);
}

TEST(isotp_ignores_invalid_single_frames)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "00 01");
    peer_say(peer, "00");
    peer_say(peer, "02 01");
    peer_say(peer, "08 01..07");
    peer_say(peer, "0f 01..07");
    peer_say(peer, "");
    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
}

TEST(isotp_receives_single_frames_fd)
{
    int fd = fd_socket(0, 0), peer = peer_a();

    peer_say_fd(peer, "03 01..03 cc*4");
    ISOTP_GETS(fd, 3);
    peer_say_fd(peer, "00 08 01..08 cc*2");
    ISOTP_GETS(fd, 8);
    peer_say_fd(peer, "00 03 01..03 cc*7");
    ISOTP_GETS(fd, 3);
    peer_say_fd(peer, "00 3e 01..3e");
    ISOTP_GETS(fd, 62);
    peer_say_fd(peer, "05 01..05 cc*6");
    peer_say_fd(peer, "00 3f 01..3e");
    peer_say_fd(peer, "00 00 01..3e");
    peer_say_fd(peer, "01 55");
    ISOTP_HAS(fd, "55");
}

TEST(isotp_kinds_of_frames_are_kept_apart)
{
    int classic = isotp_a(0), fd = fd_socket(0, 0), peer = peer_a();

    peer_say(peer, "01 01");
    ISOTP_HAS(classic, "01");
    ISOTP_QUIET(fd, QUIET_MS);
    peer_say_fd(peer, "01 02");
    ISOTP_HAS(fd, "02");
    ISOTP_QUIET(classic, QUIET_MS);
}

TEST(isotp_unknown_frames_are_ignored)
{
    int fd, peer;
    char text[16];

    begin_20(&fd, &peer, 0);
    for (int pci = 0x40; pci < 0x100; pci += 0x10) {
        sprintf(text, "%02x 01 02", pci);
        peer_say(peer, text);
    }
    finish_20(fd, peer);
}

TEST(isotp_remote_frames_and_other_ids_are_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say_as(peer, RX_ID | CAN_RTR_FLAG, "01 01");
    peer_say_as(peer, RX_ID | CAN_EFF_FLAG, "01 02");
    peer_say_as(peer, RX_ID + 1, "01 03");
    peer_say_as(peer, TX_ID, "01 04");
    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_answers_a_first_frame)
{
    int fd = isotp_new(), peer = peer_a();

    isotp_fc(fd, 15, 0xfb);
    isotp_ready(fd);
    peer_say(peer, FIRST_OF_20);
    PEER_HEARS(peer, "30 0f fb");
    finish_20(fd, peer);
}

TEST(isotp_flow_control_padded)
{
    int fd = isotp_a(CAN_ISOTP_TX_PADDING), peer = peer_a();

    peer_say(peer, FIRST_OF_20);
    PEER_HEARS(peer, "30 00 00 cc*5");
    finish_20(fd, peer);
}

TEST(isotp_flow_control_fd)
{
    int fd = fd_socket(0, CANFD_BRS), peer = peer_a();

    peer_say_fd(peer, "10 48 01..3e");
    PEER_HEARS_FD(peer, "30 00 00", CANFD_BRS);
    peer_say_fd(peer, "21 3f..48 cc");
    ISOTP_GETS(fd, 72);
}

TEST(isotp_flow_control_fd_padded_to_8)
{
    int fd = fd_socket(CAN_ISOTP_TX_PADDING, 0), peer = peer_a();

    peer_say_fd(peer, "10 48 01..3e");
    PEER_HEARS_FD(peer, "30 00 00 cc*5", 0);
    peer_say_fd(peer, "21 3f..48 cc");
    ISOTP_GETS(fd, 72);
}

TEST(isotp_addresses_of_both_directions)
{
    int fd = isotp_new(), peer = peer_a();

    isotp_opts(
        fd, (struct can_isotp_options){ CAN_ISOTP_EXTEND_ADDR | CAN_ISOTP_RX_EXT_ADDR, 0, 0xaa, 0, 0, 0xbb });
    isotp_ready(fd);
    peer_say(peer, "aa 01 01");
    peer_say(peer, "01 02");
    peer_say(peer, "bb 06 01..06");
    ISOTP_GETS(fd, 6);
    peer_say(peer, "bb 10 0c 01..05");
    PEER_HEARS(peer, "aa 30 00 00");
    peer_say(peer, "bb 21 06..0b");
    peer_say(peer, "bb 22 0c");
    ISOTP_GETS(fd, 12);
}

TEST(isotp_flow_control_after_every_block)
{
    int fd = isotp_new(), peer = peer_a();

    isotp_fc(fd, 2, 0);
    isotp_ready(fd);
    peer_say(peer, "10 29 01..06");
    PEER_HEARS(peer, "30 02 00");
    peer_say(peer, "21 07..0d");
    PEER_QUIET(peer, QUIET_MS);
    peer_say(peer, "22 0e..14");
    PEER_HEARS(peer, "30 02 00");
    peer_say(peer, "23 15..1b");
    peer_say(peer, "24 1c..22");
    PEER_HEARS(peer, "30 02 00");
    peer_say(peer, "25 23..29");
    ISOTP_GETS(fd, 41);
    PEER_QUIET(peer, QUIET_MS);
}

/* ---- Errors ---- */

TEST(isotp_wrong_sequence_number_is_eilseq)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "22 07..0d");
    ISOTP_FAILS(fd, EILSEQ);
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 0e..14");
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_frame_that_comes_twice_is_eilseq)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "21 07..0d");
    peer_say(peer, "21 07..0d");
    ISOTP_FAILS(fd, EILSEQ);
}

TEST(isotp_error_comes_before_data)
{
    int fd, peer;

    fd = isotp_a(0);
    peer = peer_a();
    peer_say(peer, "01 55");
    peer_say(peer, FIRST_OF_20);
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "23 07..0d");
    CHECK(polled(fd, POLLPRI, WAIT_MS) & POLLERR);
    ISOTP_FAILS(fd, EILSEQ);
    ISOTP_HAS(fd, "55");
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_receive_error_is_returned_by_the_next_write)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "23 07..0d");
    CHECK(polled(fd, POLLPRI, WAIT_MS) & POLLERR);
    CHECK_ERRNO(write(fd, isotp_pdu(), 1), EILSEQ);
    PEER_QUIET(peer, QUIET_MS);
    ISOTP_SEND(fd, 1);
    PEER_HEARS(peer, "01 01");
}

TEST(isotp_silence_is_etimedout_after_a_second)
{
    long long start = now_ns();
    int fd, peer;

    begin_20(&fd, &peer, 0);
    ISOTP_FAILS(fd, ETIMEDOUT);
    TOOK(now_ns() - start, 1000 * MS);
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 0e..14");
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_silence_counts_from_the_last_frame)
{
    struct timespec pause = { 0, 600 * MS };
    long long start;
    int fd, peer;

    begin_20(&fd, &peer, 0);
    nanosleep(&pause, NULL);
    start = now_ns();
    peer_say(peer, "21 07..0d");
    ISOTP_FAILS(fd, ETIMEDOUT);
    TOOK(now_ns() - start, 1000 * MS);
}

/* ---- What interrupts ---- */

TEST(isotp_first_frame_restarts)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "21 07..0d");
    peer_say(peer, FIRST_OF_20);
    PEER_HEARS(peer, "30 00 00");
    finish_20(fd, peer);
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_single_frame_drops_what_was_coming)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "01 55");
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 0e..14");
    ISOTP_HAS(fd, "55");
    ISOTP_QUIET(fd, 1200);
}

TEST(isotp_invalid_single_frame_drops_what_was_coming)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "00");
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 0e..14");
    ISOTP_QUIET(fd, 20);
}

TEST(isotp_short_length_in_a_long_frame_drops_nothing)
{
    int fd = fd_socket(0, 0), peer = peer_a();

    peer_say_fd(peer, "10 14 01..06");
    PEER_HEARS_FD(peer, "30 00 00", 0);
    peer_say_fd(peer, "05 01..09 cc*2");
    peer_say_fd(peer, "21 07..0d");
    peer_say_fd(peer, "22 0e..14");
    ISOTP_GETS(fd, 20);
}

TEST(isotp_consecutive_frame_of_nothing_is_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "21 01..07");
    ISOTP_QUIET(fd, QUIET_MS);
}

/* ---- Limits of first frames ---- */

TEST(isotp_first_frame_has_to_be_full)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 14 01..05");
    PEER_QUIET(peer, 20);
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_first_frame_fd_of_odd_length_is_ignored)
{
    int fd = fd_socket(0, 0), peer = peer_a();

    peer_say_fd(peer, "10 ff 01..07");
    peer_say_fd(peer, "10 ff 01..3d");
    PEER_QUIET(peer, 20);
    peer_say_fd(peer, "10 ff 01..0a");
    PEER_HEARS_FD(peer, "30 00 00", 0);
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_first_frame_of_5_bytes_is_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 05 01..06");
    PEER_QUIET(peer, 20);
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_first_frame_of_6_bytes_needs_one_more)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 06 01..06");
    PEER_HEARS(peer, "30 00 00");
    ISOTP_QUIET(fd, QUIET_MS);
    peer_say(peer, "21");
    ISOTP_GETS(fd, 6);
}

TEST(isotp_first_frame_of_7_bytes)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 07 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07");
    ISOTP_GETS(fd, 7);
}

TEST(isotp_first_frame_fd_of_61_bytes_needs_a_full_frame)
{
    int fd = fd_socket(0, 0), peer = peer_a();

    peer_say_fd(peer, "10 3c 01..3e");
    PEER_QUIET(peer, 20);
    peer_say_fd(peer, "10 3d 01..3e");
    PEER_HEARS_FD(peer, "30 00 00", 0);
    peer_say_fd(peer, "21 01");
    ISOTP_QUIET(fd, 20);
    peer_say_fd(peer, "21 01..3f");
    ISOTP_GETS(fd, 61);
}

TEST(isotp_first_frame_of_32_bits_takes_any_length)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 00 00 00 00 0a 01 02");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 03..09");
    peer_say(peer, "22 0a");
    ISOTP_GETS(fd, 10);
}

TEST(isotp_too_long_pdu_is_answered_with_overflow)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 00 00 01 01 d1 01 02");
    PEER_HEARS(peer, "32 00 00");
    peer_say(peer, "21 03..09");
    ISOTP_QUIET(fd, 1200);
}

TEST(isotp_too_long_pdu_overflows_in_listen_mode_too)
{
    int fd = isotp_a(CAN_ISOTP_LISTEN_MODE), peer = peer_a();

    peer_say(peer, "10 00 00 01 01 d1 01 02");
    PEER_HEARS(peer, "32 00 00");
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_longest_length_of_all_is_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 00 ff ff ff ff 01 02");
    PEER_QUIET(peer, 20);
    peer_say(peer, "10 00 ff ff ff f9 01 02");
    PEER_HEARS(peer, "32 00 00");
    ISOTP_QUIET(fd, QUIET_MS);
}

/* ---- Lengths of consecutive frames ---- */

TEST(isotp_short_frame_stops_the_clock)
{
    int fd, peer;

    begin_20(&fd, &peer, 0);
    peer_say(peer, "21 07..09");
    ISOTP_QUIET(fd, 1500);
    finish_20(fd, peer);
}

TEST(isotp_long_frame_stops_the_clock)
{
    int fd = fd_socket(0, 0), peer = peer_a();

    peer_say_fd(peer, "10 14 01..06");
    PEER_HEARS_FD(peer, "30 00 00", 0);
    peer_say_fd(peer, "21 07..11");
    ISOTP_QUIET(fd, 1500);
    peer_say_fd(peer, "21 07..0d");
    peer_say_fd(peer, "22 0e..14");
    ISOTP_GETS(fd, 20);
}

TEST(isotp_short_frame_is_good_when_the_rest_fits_one)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 0d 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07..09");
    peer_say(peer, "22 0a..0d");
    ISOTP_GETS(fd, 13);
}

TEST(isotp_last_frame_may_be_longer)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 08 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07 08 aa bb cc dd ee");
    ISOTP_GETS(fd, 8);
}

/* ---- Listening only ---- */

TEST(isotp_listen_mode_sends_no_flow_control)
{
    int fd, peer;

    begin_20(&fd, &peer, CAN_ISOTP_LISTEN_MODE);
    PEER_QUIET(peer, 20);
    finish_20(fd, peer);
}

TEST(isotp_listen_mode_has_no_clock_before_the_first_frame)
{
    int fd, peer;

    begin_20(&fd, &peer, CAN_ISOTP_LISTEN_MODE);
    ISOTP_QUIET(fd, 1500);
    finish_20(fd, peer);
}

TEST(isotp_listen_mode_has_a_clock_after_a_frame)
{
    long long start;
    int fd, peer;

    begin_20(&fd, &peer, CAN_ISOTP_LISTEN_MODE);
    start = now_ns();
    peer_say(peer, "21 07..0d");
    ISOTP_FAILS(fd, ETIMEDOUT);
    TOOK(now_ns() - start, 1000 * MS);
}

TEST(isotp_listen_mode_block_size_stops_the_clock)
{
    int fd = isotp_new(), peer = peer_a();

    isotp_flags(fd, CAN_ISOTP_LISTEN_MODE);
    isotp_fc(fd, 1, 0);
    isotp_ready(fd);
    peer_say(peer, FIRST_OF_20);
    peer_say(peer, "21 07..0d");
    ISOTP_QUIET(fd, 1500);
    peer_say(peer, "22 0e..14");
    ISOTP_GETS(fd, 20);
}

TEST(isotp_listen_mode_sends)
{
    int fd = isotp_a(CAN_ISOTP_LISTEN_MODE), peer = peer_a();

    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
}

/* ---- Separation time of the receiver ---- */

TEST(isotp_fast_frames_are_dropped)
{
    struct timespec pause = { 0, 25 * MS };
    int fd = isotp_new(), peer = peer_a();

    isotp_flags(fd, CAN_ISOTP_FORCE_RXSTMIN);
    isotp_ns(fd, CAN_ISOTP_RX_STMIN, 20 * MS);
    isotp_ready(fd);
    peer_say(peer, "10 1b 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 f0..f6");
    nanosleep(&pause, NULL);
    peer_say(peer, "22 0e..14");
    nanosleep(&pause, NULL);
    peer_say(peer, "23 15..1b");
    ISOTP_GETS(fd, 27);
}
