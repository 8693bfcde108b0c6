/* CAN_ISOTP, sending: the bytes of frames, flow control, gaps, errors. */
#include "isotp.h"

#define FAST 0xffffffff /* frame_txtime: none */

static int socket_with(uint32_t flags, uint32_t frame_txtime)
{
    int fd = isotp_new();

    isotp_opts(fd, (struct can_isotp_options){ flags, frame_txtime, 0xaa, 0x55, 0xcc, 0xbb });
    return fd;
}

static int fd_socket(uint32_t flags, int tx_dl, int tx_flags)
{
    int fd = socket_with(flags, FAST);

    isotp_ll(fd, CANFD_MTU, tx_dl, tx_flags);
    isotp_ready(fd);
    return fd;
}

static int ready(int fd)
{
    isotp_ready(fd);
    return fd;
}

/* ---- Bytes ---- */

TEST(isotp_single_frames)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 1);
    PEER_HEARS(peer, "01 01");
    ISOTP_SEND(fd, 7);
    PEER_HEARS(peer, "07 01..07");
}

TEST(isotp_single_frame_padded)
{
    int fd = ready(socket_with(CAN_ISOTP_TX_PADDING, FAST)), peer = peer_a();

    ISOTP_SEND(fd, 1);
    PEER_HEARS(peer, "01 01 55*6");
    ISOTP_SEND(fd, 7);
    PEER_HEARS(peer, "07 01..07");
}

TEST(isotp_single_frame_with_address)
{
    int fd = ready(socket_with(CAN_ISOTP_EXTEND_ADDR, FAST)), peer = peer_a();

    ISOTP_SEND(fd, 6);
    PEER_HEARS(peer, "aa 06 01..06");
    ISOTP_SEND(fd, 7);
    PEER_HEARS(peer, "aa 10 07 01..05");
}

TEST(isotp_single_frames_fd)
{
    int fd = fd_socket(0, 64, CANFD_BRS), peer = peer_a();

    ISOTP_SEND(fd, 7);
    PEER_HEARS_FD(peer, "07 01..07", CANFD_BRS);
    ISOTP_SEND(fd, 8);
    PEER_HEARS_FD(peer, "00 08 01..08 cc*2", CANFD_BRS);
    ISOTP_SEND(fd, 15);
    PEER_HEARS_FD(peer, "00 0f 01..0f cc*3", CANFD_BRS);
    ISOTP_SEND(fd, 62);
    PEER_HEARS_FD(peer, "00 3e 01..3e", CANFD_BRS);
}

TEST(isotp_single_frames_fd_padded)
{
    int fd = fd_socket(CAN_ISOTP_TX_PADDING, 64, 0), peer = peer_a();

    ISOTP_SEND(fd, 2);
    PEER_HEARS_FD(peer, "02 01 02 55*5", 0);
    ISOTP_SEND(fd, 15);
    PEER_HEARS_FD(peer, "00 0f 01..0f 55*3", 0);
}

TEST(isotp_single_frame_fd_tx_dl_12)
{
    int fd = fd_socket(0, 12, 0), peer = peer_a();

    ISOTP_SEND(fd, 10);
    PEER_HEARS_FD(peer, "00 0a 01..0a", 0);
    ISOTP_SEND(fd, 11);
    PEER_HEARS_FD(peer, "10 0b 01..0a", 0);
}

TEST(isotp_first_frame_fd)
{
    int fd = fd_socket(0, 64, 0), peer = peer_a();

    ISOTP_SEND(fd, 63);
    PEER_HEARS_FD(peer, "10 3f 01..3e", 0);
    peer_say_fd(peer, "30 00 00");
    PEER_HEARS_FD(peer, "21 3f", 0);
    isotp_await_idle(fd);
    ISOTP_SEND(fd, 72);
    PEER_HEARS_FD(peer, "10 48 01..3e", 0);
    peer_say_fd(peer, "30 00 00");
    PEER_HEARS_FD(peer, "21 3f..48 cc", 0);
}

TEST(isotp_first_frames_of_12_and_32_bits)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 4095);
    PEER_HEARS(peer, "1f ff 01..06");
    peer_say(peer, "32 00 00");
    ISOTP_FAILS(fd, EMSGSIZE);
    ISOTP_SEND(fd, 4096);
    PEER_HEARS(peer, "10 00 00 00 10 00 01 02");
    peer_say(peer, "32 00 00");
    ISOTP_FAILS(fd, EMSGSIZE);
    ISOTP_SEND(fd, 66000);
    PEER_HEARS(peer, "10 00 00 01 01 d0 01 02");
    peer_say(peer, "32 00 00");
}

TEST(isotp_consecutive_frames_with_addresses_and_padding)
{
    int fd = ready(socket_with(CAN_ISOTP_EXTEND_ADDR | CAN_ISOTP_RX_EXT_ADDR | CAN_ISOTP_TX_PADDING, FAST));
    int peer = peer_a();

    ISOTP_SEND(fd, 12);
    PEER_HEARS(peer, "aa 10 0c 01..05");
    peer_say(peer, "aa 30 00 00");
    peer_say(peer, "bb 30 00 00");
    PEER_HEARS(peer, "aa 21 06..0b");
    PEER_HEARS(peer, "aa 22 0c 55*5");
}

TEST(isotp_sequence_numbers_go_round)
{
    int fd = ready(socket_with(0, FAST)), peer = peer_a();
    char text[64];

    ISOTP_SEND(fd, 6 + 40 * 7);
    PEER_HEARS(peer, "11 1e 01..06");
    peer_say(peer, "30 00 00");
    for (int i = 1; i <= 40; i++) {
        sprintf(text, "%02x %02x %02x %02x %02x %02x %02x %02x", 0x20 | (i & 15), i * 7 & 255,
                (i * 7 + 1) & 255, (i * 7 + 2) & 255, (i * 7 + 3) & 255, (i * 7 + 4) & 255, (i * 7 + 5) & 255,
                (i * 7 + 6) & 255);
        PEER_HEARS(peer, text);
    }
    isotp_await_idle(fd);
    ISOTP_QUIET(fd, QUIET_MS);
}

TEST(isotp_extended_identifiers)
{
    int fd = isotp_new(), raw = raw_a();
    struct can_frame f;

    OK(isotp_bind(fd, index_of(if_a()), CAN_EFF_FLAG | 0x18da10f1, CAN_EFF_FLAG | 0x18daf110));
    ISOTP_SEND(fd, 3);
    f = GET(raw);
    CHECK_EQ(f.can_id, CAN_EFF_FLAG | 0x18da10f1);
    peer_say_as(raw, CAN_EFF_FLAG | 0x18daf110, "02 01 02");
    ISOTP_GETS(fd, 2);
}

/* ---- Sizes ---- */

TEST(isotp_write_sizes)
{
    int fd = isotp_a(0), peer = peer_a();

    CHECK_ERRNO(write(fd, isotp_pdu(), 0), EINVAL);
    CHECK_ERRNO(write(fd, isotp_pdu(), 66001), EINVAL);
    PEER_QUIET(peer, QUIET_MS);
    ISOTP_SEND(fd, 66000);
}

TEST(isotp_addresses_and_flags_of_send_are_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    CHECK_EQ(sendto(fd, "\1", 1, 0, (struct sockaddr *)"x", 1), 1);
    PEER_HEARS(peer, "01 01");
    CHECK_EQ(send(fd, "\1", 1, MSG_OOB), 1);
    PEER_HEARS(peer, "01 01");
    CHECK_EQ(send(fd, "\1", 1, MSG_MORE), 1);
    PEER_HEARS(peer, "01 01");
}

TEST(isotp_write_bad_pointer_is_efault)
{
    int fd = isotp_a(0), peer = peer_a();

    CHECK_ERRNO(write(fd, bad_pointer, 5), EFAULT);
    CHECK_ERRNO(write(fd, bad_pointer, 20), EFAULT);
    PEER_QUIET(peer, QUIET_MS);
    ISOTP_SEND(fd, 1);
    PEER_HEARS(peer, "01 01");
}

/* ---- Flow control ---- */

TEST(isotp_without_flow_control_is_ecomm_after_a_second)
{
    int fd = isotp_a(0);
    long long start = now_ns();

    ISOTP_SEND(fd, 20);
    CHECK_EQ(polled(fd, POLLIN | POLLOUT, 0), 0);
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLERR);
    TOOK(now_ns() - start, 1000 * MS);
    CHECK(polled(fd, POLLOUT, 0) & POLLOUT);
    ISOTP_FAILS(fd, ECOMM);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_pending_error_is_returned_by_the_next_write)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "32 00 00");
    isotp_await_idle(fd);
    CHECK_ERRNO(write(fd, isotp_pdu(), 1), EMSGSIZE);
    PEER_QUIET(peer, QUIET_MS);
    ISOTP_SEND(fd, 1);
    PEER_HEARS(peer, "01 01");
}

TEST(isotp_pending_error_is_in_so_error)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "32 00 00");
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLERR);
    CHECK_EQ(sol_get(fd, SO_ERROR), EMSGSIZE);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_EQ(polled(fd, POLLIN, 0), 0);
}

static int wait_done(int nonblocking)
{
    int fd = isotp_a(CAN_ISOTP_WAIT_TX_DONE);

    if (nonblocking) OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    return fd;
}

static void check_wait_done_without_flow_control(int nonblocking)
{
    int fd = wait_done(nonblocking);
    long long start = now_ns();

    CHECK_ERRNO(write(fd, isotp_pdu(), 20), ECOMM);
    TOOK(now_ns() - start, 1000 * MS);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_wait_tx_done_without_flow_control_is_ecomm) { check_wait_done_without_flow_control(0); }

TEST(isotp_wait_tx_done_waits_on_nonblocking_sockets_too) { check_wait_done_without_flow_control(1); }

/* A peer in another process that answers a first frame and then says what it is told to. */
static pid_t answering_peer(int peer, const char *answer)
{
    pid_t child = OK(fork());

    if (child) return child;
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, answer);
    _exit(0);
}

TEST(isotp_wait_tx_done_returns_after_the_last_frame)
{
    int fd = wait_done(0), peer = peer_a();
    struct can_frame f;
    pid_t child;

    filter1(raw_a(), 0, 0);
    child = answering_peer(peer, "30 00 0a");
    ISOTP_SEND(fd, 20);
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(recv(peer, &f, 16, MSG_DONTWAIT), 16);
    CHECK_EQ(f.data[0], 0x21);
    CHECK_EQ(recv(peer, &f, 16, MSG_DONTWAIT), 16);
    CHECK_EQ(f.data[0], 0x22);
}

TEST(isotp_wait_tx_done_tells_overflow)
{
    int fd = wait_done(0), peer = peer_a();
    pid_t child = answering_peer(peer, "32 00 00");

    CHECK_ERRNO(write(fd, isotp_pdu(), 20), EMSGSIZE);
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
}

TEST(isotp_busy_socket_is_eagain)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    CHECK_ERRNO(send(fd, "\1", 1, MSG_DONTWAIT), EAGAIN);
    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    CHECK_ERRNO(write(fd, isotp_pdu(), 20), EAGAIN);
    CHECK_ERRNO(write(fd, isotp_pdu(), 0), EAGAIN);
    CHECK_EQ(polled(fd, POLLOUT, 0), 0);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07..0d");
    PEER_HEARS(peer, "22 0e..14");
    isotp_await_idle(fd);
    CHECK_EQ(send(fd, "\1", 1, MSG_DONTWAIT), 1);
}

TEST(isotp_blocking_write_waits_for_the_one_before)
{
    int fd = isotp_a(0), peer = peer_a();
    pid_t child;

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        peer_say(peer, "30 00 05");
        _exit(0);
    }
    ISOTP_SEND(fd, 2);
    CHECK_EQ(tap_join(child), 0);
    PEER_HEARS(peer, "21 07..0d");
    PEER_HEARS(peer, "22 0e..14");
    PEER_HEARS(peer, "02 01 02");
}

TEST(isotp_wait_frames_prolong_the_wait)
{
    int fd = isotp_a(0), peer = peer_a();
    struct timespec pause = { 0, 700 * MS };

    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    for (int i = 0; i < 4; i++) {
        nanosleep(&pause, NULL);
        peer_say(peer, "31 00 00");
    }
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
    isotp_await_idle(fd);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_first_flow_control_sets_the_parameters_even_a_wait)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "31 01 00");
    peer_say(peer, "30 00 7f");
    PEER_HEARS(peer, "21 07..0d");
    PEER_QUIET(peer, 200);
    peer_say(peer, "30 00 7f");
    PEER_HEARS(peer, "22 0e..14");
}

static void check_flow_error(const char *flow, int error)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, flow);
    ISOTP_FAILS(fd, error);
    CHECK(polled(fd, POLLOUT, 0) & POLLOUT);
}

TEST(isotp_overflow_is_emsgsize) { check_flow_error("32 00 00", EMSGSIZE); }

TEST(isotp_unknown_flow_status_is_ebadmsg)
{
    check_flow_error("33 00 00", EBADMSG);
    check_flow_error("35 00 00", EBADMSG);
    check_flow_error("3f 00 00", EBADMSG);
}

TEST(isotp_short_flow_control_is_ebadmsg) { check_flow_error("30 00", EBADMSG); }

TEST(isotp_overflow_after_a_block_is_emsgsize)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 01 00");
    PEER_HEARS(peer, "21 07..0d");
    peer_say(peer, "32 00 00");
    ISOTP_FAILS(fd, EMSGSIZE);
}

TEST(isotp_missing_second_flow_control_is_ecomm)
{
    int fd = isotp_a(0), peer = peer_a();
    long long start;

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    start = now_ns();
    peer_say(peer, "30 01 00");
    PEER_HEARS(peer, "21 07..0d");
    ISOTP_FAILS(fd, ECOMM);
    TOOK(now_ns() - start, 1000 * MS);
}

TEST(isotp_flow_control_when_idle_is_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    peer_say(peer, "30 00 00");
    peer_say(peer, "32 00 00");
    peer_say(peer, "35 00 00");
    peer_say(peer, "30");
    ISOTP_QUIET(fd, QUIET_MS);
    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
}

TEST(isotp_flow_control_while_sending_is_ignored)
{
    int fd = isotp_a(0), peer = peer_a();

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 64");
    PEER_HEARS(peer, "21 07..0d");
    peer_say(peer, "32 00 00");
    peer_say(peer, "35 00 00");
    peer_say(peer, "30");
    PEER_HEARS(peer, "22 0e..14");
    isotp_await_idle(fd);
    ISOTP_QUIET(fd, 0);
}

/* ---- Gaps ---- */

/* Sends 20 bytes; returns the time between the two consecutive frames. */
static long long gap_of(int fd, const char *flow)
{
    int peer = peer_a();
    long long first;

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, flow);
    first = PEER_HEARS(peer, "21 07..0d");
    return PEER_HEARS(peer, "22 0e..14") - first;
}

TEST(isotp_blocks_and_gaps)
{
    int fd = isotp_a(0), peer = peer_a();
    long long asked, first, second;

    ISOTP_SEND(fd, 34);
    asked = PEER_HEARS(peer, "10 22 01..06");
    peer_say(peer, "30 02 14");
    first = PEER_HEARS(peer, "21 07..0d");
    TOOK(first - asked, 0);
    second = PEER_HEARS(peer, "22 0e..14");
    TOOK(second - first, 20 * MS);
    PEER_QUIET(peer, 100);
    peer_say(peer, "30 00 00");
    first = PEER_HEARS(peer, "23 15..1b");
    second = PEER_HEARS(peer, "24 1c..22");
    TOOK(second - first, 20 * MS);
}

TEST(isotp_first_frame_of_a_block_waits_for_no_gap)
{
    int fd = isotp_a(0), peer = peer_a();
    long long start;

    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    start = now_ns();
    peer_say(peer, "30 00 7f");
    PEER_HEARS(peer, "21 07 08");
    CHECK(now_ns() - start < 120 * MS);
}

TEST(isotp_gap_of_microseconds)
{
    TOOK(gap_of(isotp_a(0), "30 00 f5"), 550000);
    TOOK(gap_of(isotp_a(0), "30 00 f1"), 150000);
    TOOK(gap_of(isotp_a(0), "30 00 00"), 50000);
}

TEST(isotp_gap_of_reserved_values_is_127_ms)
{
    TOOK(gap_of(isotp_a(0), "30 00 80"), 127 * MS);
    TOOK(gap_of(isotp_a(0), "30 00 f0"), 127 * MS);
    TOOK(gap_of(isotp_a(0), "30 00 fa"), 127 * MS);
    TOOK(gap_of(isotp_a(0), "30 00 7f"), 127 * MS);
}

TEST(isotp_gap_is_frame_txtime_and_stmin)
{
    TOOK(gap_of(ready(socket_with(0, 10 * MS)), "30 00 05"), 15 * MS);
}

TEST(isotp_gap_is_forced)
{
    int fd = socket_with(CAN_ISOTP_FORCE_TXSTMIN, 10 * MS);
    long long gap;

    isotp_ns(fd, CAN_ISOTP_TX_STMIN, 30 * MS);
    isotp_ready(fd);
    gap = gap_of(fd, "30 00 7f");
    TOOK(gap, 40 * MS);
    CHECK(gap < 120 * MS);
}

TEST(isotp_frame_txtime_of_zero_keeps_the_one_before)
{
    int fd = socket_with(0, 30 * MS);

    isotp_flags(fd, 0);
    isotp_ready(fd);
    TOOK(gap_of(fd, "30 00 00"), 30 * MS);
}

TEST(isotp_gap_of_zero_is_a_burst)
{
    int fd = ready(socket_with(0, FAST)), peer = peer_a();
    long long start;

    ISOTP_SEND(fd, 1000);
    PEER_HEARS(peer, "13 e8 01..06");
    start = now_ns();
    peer_say(peer, "30 00 00");
    isotp_await_idle(fd);
    CHECK(now_ns() - start < LATE_MS * MS);
    for (int i = 0; i < 142; i++)
        RECEIVE(peer, &(struct message){ 0 });
    PEER_QUIET(peer, QUIET_MS);
}
