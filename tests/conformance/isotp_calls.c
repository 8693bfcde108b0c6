/* CAN_ISOTP: recv, signals and close. */
#include "isotp.h"

#include <sys/epoll.h>

static void received(int fd, int peer)
{
    peer_say(peer, "05 01..05");
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLIN);
}

TEST(isotp_recv_short_buffer_loses_the_rest)
{
    int fd = isotp_a(0), peer = peer_a();
    struct iovec v = { (char[2]){ 0 }, 2 };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

    received(fd, peer);
    CHECK_EQ(recvmsg(fd, &h, 0), 2);
    CHECK_EQ(h.msg_flags, MSG_TRUNC);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_recv_trunc_returns_the_whole_length)
{
    int fd = isotp_a(0), peer = peer_a();
    char bytes[8];

    received(fd, peer);
    CHECK_EQ(recv(fd, bytes, 2, MSG_PEEK | MSG_TRUNC), 5);
    CHECK_EQ(recv(fd, bytes, 2, MSG_PEEK), 2);
    CHECK_EQ(recv(fd, bytes, 2, MSG_TRUNC), 5);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_recv_of_0_bytes_takes_a_pdu)
{
    int fd = isotp_a(0), peer = peer_a();

    received(fd, peer);
    CHECK_EQ(recv(fd, NULL, 0, 0), 0);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_recv_flags_that_are_einval)
{
    static const int flags[] = { MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE, MSG_CMSG_CLOEXEC };
    int fd = isotp_a(0), peer = peer_a();
    char byte;

    received(fd, peer);
    for (int i = 0; i < 4; i++) {
        CHECK_ERRNO(recv(fd, &byte, 1, flags[i]), EINVAL);
        CHECK_ERRNO(recv(isotp_new(), &byte, 1, flags[i]), EINVAL);
    }
    ISOTP_GETS(fd, 5);
}

TEST(isotp_recv_address_has_no_ids)
{
    int fd = isotp_a(0), peer = peer_a();
    struct sockaddr_can a;
    socklen_t len = sizeof(a);
    char bytes[8];

    memset(&a, 0xee, sizeof(a));
    received(fd, peer);
    CHECK_EQ(recvfrom(fd, bytes, 8, 0, (struct sockaddr *)&a, &len), 5);
    CHECK_EQ(len, 16);
    CHECK_EQ(a.can_family, AF_CAN);
    CHECK_EQ(a.can_ifindex, index_of(if_a()));
    CHECK_EQ(a.can_addr.tp.rx_id, 0);
    CHECK_EQ(a.can_addr.tp.tx_id, 0);
}

TEST(isotp_recv_stamp_is_that_of_the_last_frame)
{
    int fd = isotp_a(0), peer = peer_a();
    struct timespec before, stamp, pause = { 0, 30 * MS };
    struct message m;

    sol_set(fd, SO_TIMESTAMPNS, 1);
    peer_say(peer, "10 08 01..06");
    PEER_HEARS(peer, "30 00 00");
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_REALTIME, &before);
    peer_say(peer, "21 07 08");
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 8);
    CHECK_EQ(control_count(&m), 1);
    memcpy(&stamp, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(stamp));
    TOOK((stamp.tv_sec - before.tv_sec) * 1000000000LL + stamp.tv_nsec - before.tv_nsec, 0);
}

TEST(isotp_recv_timeout_is_eagain)
{
    struct timeval t = { 0, 50000 };
    int fd = isotp_a(0);
    long long start = now_ns();
    char byte;

    OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    CHECK_ERRNO(read(fd, &byte, 1), EAGAIN);
    TOOK(now_ns() - start, 45 * MS);
}

TEST(isotp_epoll_tells_of_pdus_and_of_idleness)
{
    int fd = isotp_a(0), peer = peer_a(), ep = OK(epoll_create1(0));
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT };

    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
    CHECK_EQ(e.events, EPOLLOUT);
    ISOTP_SEND(fd, 8);
    CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "30 00 00");
    CHECK_EQ(epoll_wait(ep, &e, 1, WAIT_MS), 1);
    CHECK_EQ(e.events, EPOLLOUT);
    received(fd, peer);
    CHECK_EQ(epoll_wait(ep, &e, 1, WAIT_MS), 1);
    CHECK_EQ(e.events, EPOLLIN | EPOLLOUT);
}

TEST(isotp_blocking_recv_waits)
{
    int fd = isotp_a(0), peer = peer_a();
    pid_t child = OK(fork());
    char bytes[8];

    if (!child) {
        await_asleep(getppid());
        peer_say(peer, "05 01..05");
        _exit(0);
    }
    CHECK_EQ(read(fd, bytes, 8), 5);
    CHECK_EQ(tap_join(child), 0);
}

TEST(isotp_blocking_recv_is_woken_by_an_error)
{
    int fd = isotp_a(0), peer = peer_a();
    char bytes[8];
    pid_t child;

    peer_say(peer, "10 14 01..06");
    PEER_HEARS(peer, "30 00 00");
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        peer_say(peer, "25 07..0d");
        _exit(0);
    }
    CHECK_ERRNO(read(fd, bytes, 8), EILSEQ);
    CHECK_EQ(tap_join(child), 0);
}

/* ---- Signals ---- */

static volatile sig_atomic_t signals;

static void count(int number)
{
    (void)number;
    signals++;
}

static void handle_usr1(int flags)
{
    struct sigaction a = { .sa_handler = count, .sa_flags = flags };

    OK(sigaction(SIGUSR1, &a, NULL));
}

/* Sends SIGUSR1 when this process sleeps. */
static pid_t interrupter(void)
{
    pid_t child = OK(fork());

    if (child) return child;
    await_asleep(getppid());
    kill(getppid(), SIGUSR1);
    _exit(0);
}

TEST(isotp_signal_interrupts_recv)
{
    int fd = isotp_a(0);
    char byte;

    handle_usr1(0);
    ISOTP_QUIET(fd, 0); /* no first time: the call that is interrupted sleeps nowhere but where it waits */
    interrupter();
    CHECK_ERRNO(read(fd, &byte, 1), EINTR);
    CHECK_EQ(signals, 1);
}

TEST(isotp_signal_ends_a_transfer_that_is_waited_for)
{
    int fd = isotp_a(CAN_ISOTP_WAIT_TX_DONE), peer = peer_a();

    handle_usr1(0);
    interrupter();
    CHECK_ERRNO(write(fd, isotp_pdu(), 20), EINTR);
    PEER_HEARS(peer, "10 14 01..06");
    isotp_await_idle(fd);
    peer_say(peer, "30 00 00");
    PEER_QUIET(peer, 20);
    ISOTP_QUIET(fd, 0);
}

TEST(isotp_signal_with_sa_restart_sends_the_first_frame_again)
{
    int fd = isotp_a(CAN_ISOTP_WAIT_TX_DONE), peer = peer_a();
    pid_t child;

    handle_usr1(SA_RESTART);
    child = OK(fork());
    if (!child) {
        PEER_HEARS(peer, "10 08 01..06");
        await_asleep(getppid());
        kill(getppid(), SIGUSR1);
        PEER_HEARS(peer, "10 08 01..06");
        peer_say(peer, "30 00 00");
        PEER_HEARS(peer, "21 07 08");
        _exit(0);
    }
    ISOTP_SEND(fd, 8);
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(signals, 1);
}

TEST(isotp_signal_interrupts_a_write_that_waits_for_its_turn)
{
    int fd = isotp_a(0), peer = peer_a();

    handle_usr1(0);
    ISOTP_SEND(fd, 20);
    interrupter();
    CHECK_ERRNO(write(fd, isotp_pdu(), 1), EINTR);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07..0d");
    PEER_HEARS(peer, "22 0e..14");
    isotp_await_idle(fd);
    ISOTP_QUIET(fd, 0);
    PEER_QUIET(peer, QUIET_MS);
}

/* ---- close ---- */

TEST(isotp_close_waits_for_an_unanswered_transfer)
{
    int fd = isotp_a(0);
    long long start = now_ns();

    ISOTP_SEND(fd, 20);
    CHECK_EQ(close(fd), 0);
    TOOK(now_ns() - start, 1000 * MS);
}

TEST(isotp_close_waits_for_all_frames)
{
    int fd = isotp_a(0), peer = peer_a();
    struct can_frame f;

    ISOTP_SEND(fd, 20);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 32");
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(recv(peer, &f, 16, MSG_DONTWAIT), 16);
    CHECK_EQ(f.data[0], 0x21);
    CHECK_EQ(recv(peer, &f, 16, MSG_DONTWAIT), 16);
    CHECK_EQ(f.data[0], 0x22);
}

TEST(isotp_close_is_not_delayed_when_idle)
{
    int fd = isotp_a(0), peer = peer_a();
    long long start;

    ISOTP_SEND(fd, 5);
    PEER_HEARS(peer, "05 01..05");
    peer_say(peer, "10 14 01..06");
    PEER_HEARS(peer, "30 00 00");
    start = now_ns();
    CHECK_EQ(close(fd), 0);
    CHECK(now_ns() - start < 500 * MS);
}

TEST(isotp_close_is_interrupted_by_a_signal)
{
    int go[2], fd, peer = peer_a();
    long long start;
    pid_t child;

    OK(pipe(go));
    child = OK(fork()); /* before there is a socket, which it would keep open */
    if (!child) {
        CHECK_EQ(read(go[0], &fd, 1), 1);
        await_asleep(getppid());
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    handle_usr1(0);
    fd = isotp_a(0);
    ISOTP_SEND(fd, 20);
    CHECK_EQ(write(go[1], "x", 1), 1);
    start = now_ns();
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(signals, 1);
    CHECK(now_ns() - start < 900 * MS);
    CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
    CHECK_EQ(tap_join(child), 0);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 00");
    PEER_QUIET(peer, 20);
}

TEST(isotp_close_of_a_duplicate_does_not_wait)
{
    int fd = isotp_a(0), other = OK(dup(fd)), peer = peer_a();
    long long start = now_ns();

    ISOTP_SEND(fd, 8);
    CHECK_EQ(close(other), 0);
    CHECK(now_ns() - start < 500 * MS);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, "30 00 00");
    PEER_HEARS(peer, "21 07 08");
}

static pid_t sender(int killed)
{
    pid_t child = OK(fork());
    int fd;

    if (child) return child;
    fd = isotp_a(0);
    ISOTP_SEND(fd, 20);
    if (killed) kill(getpid(), SIGKILL); /* not raise(): Linux would wait then */
    exit(0);
}

TEST(isotp_exit_waits_for_the_transfer)
{
    int peer = peer_a();
    struct can_frame f;
    pid_t child = sender(0);

    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 32");
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(recv(peer, &f, 16, MSG_DONTWAIT), 16);
    CHECK_EQ(f.data[0], 0x21);
    CHECK_EQ(recv(peer, &f, 16, MSG_DONTWAIT), 16);
    CHECK_EQ(f.data[0], 0x22);
}

TEST(isotp_killed_program_does_not_wait)
{
    int peer = peer_a(), status;
    long long start = now_ns();
    pid_t child = sender(1);

    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK(now_ns() - start < 900 * MS);
    PEER_HEARS(peer, "10 14 01..06");
    peer_say(peer, "30 00 00");
    PEER_QUIET(peer, 20);
}

TEST(isotp_fork_shares_the_socket)
{
    int fd = isotp_a(0), peer = peer_a();
    pid_t child = OK(fork());

    if (!child) {
        ISOTP_SEND(fd, 2);
        peer_say(peer, "05 01..05");
        ISOTP_GETS(fd, 5);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    PEER_HEARS(peer, "02 01 02");
    peer_say(peer, "01 55");
    ISOTP_HAS(fd, "55");
}
