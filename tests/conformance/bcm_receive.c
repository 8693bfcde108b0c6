/* CAN_BCM: reading messages - sizes, flags, waiting, overflow. */
#include "bcm.h"

/* A socket with one message waiting, of HEAD + 16 bytes. */
static int with_message(canid_t id)
{
    int fd = bcm_a();

    SETUP(fd, RX_SETUP, 0, id);
    SETUP(fd, TX_SEND, 0, id, "0102");
    bcm_await(fd, __FILE__, __LINE__);
    return fd;
}

TEST(a_short_buffer_cuts_in_silence)
{
    int fd = with_message(0x801);
    char bytes[100];
    struct iovec iov = { bytes, 10 };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    CHECK_EQ(recvmsg(fd, &h, 0), 10);
    CHECK_EQ(h.msg_flags & ~NEWER_FLAGS, 0);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    SETUP(fd, TX_SEND, 0, 0x801, "0102");
    bcm_await(fd, __FILE__, __LINE__);
    h.msg_flags = 0;
    CHECK_EQ(recvmsg(fd, &h, MSG_TRUNC), 10);
    CHECK_EQ(h.msg_flags & ~NEWER_FLAGS, 0);
    CHECK_EQ(recv_errno(fd), EAGAIN);
}

TEST(peek_leaves_the_message)
{
    int fd = with_message(0x802);
    char bytes[100];

    CHECK_EQ(recv(fd, bytes, sizeof(bytes), MSG_PEEK), HEAD + 16);
    CHECK_EQ(recv(fd, bytes, 5, MSG_PEEK), 5);
    CHANGED(fd, 0x802, "0102");
    CHECK_EQ(recv_errno(fd), EAGAIN);
}

TEST(unknown_flags_are_ignored)
{
    int fd = with_message(0x803);
    char bytes[100];

    CHECK_EQ(recv(fd, bytes, sizeof(bytes), MSG_OOB), HEAD + 16);
    SETUP(fd, TX_SEND, 0, 0x803, "0102");
    bcm_await(fd, __FILE__, __LINE__);
    CHECK_EQ(recv(fd, bytes, sizeof(bytes), MSG_WAITALL), HEAD + 16);
}

TEST(read_takes_one_message)
{
    int fd = with_message(0x804);
    char bytes[200];

    SETUP(fd, TX_SEND, 0, 0x804, "0103");
    CHECK_EQ(read(fd, bytes, sizeof(bytes)), HEAD + 16);
    CHANGED(fd, 0x804, "0103");
}

TEST(read_of_0_bytes_takes_nothing)
{
    int fd = with_message(0x805);
    char byte;

    CHECK_EQ(read(fd, &byte, 0), 0);
    CHANGED(fd, 0x805, "0102");
}

TEST(recv_of_0_bytes_takes_the_message)
{
    int fd = with_message(0x806);
    char byte;

    CHECK_EQ(recv(fd, &byte, 0, 0), 0);
    CHECK_EQ(recv_errno(fd), EAGAIN);
}

TEST(a_bad_buffer_is_efault_and_takes_the_message)
{
    int fd = with_message(0x807);

    CHECK_ERRNO(read(fd, bad_pointer, 100), EFAULT);
    CHECK_EQ(recv_errno(fd), EAGAIN);
}

TEST(address_has_8_bytes)
{
    int fd = with_message(0x808);
    struct sockaddr_can a;
    socklen_t len = sizeof(a);
    char bytes[100];

    memset(&a, 0x55, sizeof(a));
    CHECK_EQ(recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&a, &len), HEAD + 16);
    CHECK_EQ(len, 8);
    CHECK_EQ(a.can_family, AF_CAN);
    CHECK_EQ(a.can_ifindex, index_of(if_a()));
    CHECK_EQ(((uint8_t *)&a)[8], 0x55);
    SETUP(fd, TX_SEND, 0, 0x808, "0102");
    bcm_await(fd, __FILE__, __LINE__);
    memset(&a, 0x55, sizeof(a));
    len = 4;
    CHECK_EQ(recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&a, &len), HEAD + 16);
    CHECK_EQ(len, 8);
    CHECK_EQ(((uint8_t *)&a)[4], 0x55);
}

TEST(waiting_reader_is_woken)
{
    int fd = bcm_a();
    char bytes[100];
    pid_t child;

    block(fd);
    SETUP(fd, RX_SETUP, 0, 0x809);
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        send_frame(raw_a(), 0x809, "01");
        _exit(0);
    }
    CHECK_EQ(read(fd, bytes, sizeof(bytes)), HEAD + 16);
    CHECK_EQ(tap_join(child), 0);
}

TEST(waiting_poll_is_woken_by_a_timer)
{
    int fd = bcm_a();

    SETUP(fd, RX_SETUP, START, 0x80a, .ival1_ms = 30);
    CHECK_EQ(polled(fd, POLLIN | POLLOUT, 0), POLLOUT);
    CHECK_EQ(polled(fd, POLLIN, WAIT_MS), POLLIN);
    CHECK_EQ(polled(fd, POLLIN | POLLRDNORM | POLLOUT, 0), POLLIN | POLLRDNORM | POLLOUT);
    EXPECT(fd, RX_TIMEOUT, 0x80a);
    CHECK_EQ(polled(fd, POLLIN | POLLOUT, 0), POLLOUT);
}

TEST(waiting_has_a_limit)
{
    int fd = bcm_a();
    struct timeval t = { 0, 20000 };
    char bytes[100];
    long long start = tap_now_ms();

    block(fd);
    OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    CHECK_ERRNO(read(fd, bytes, sizeof(bytes)), EAGAIN);
    CHECK(tap_now_ms() >= start + 19);
}

TEST(overflow_drops_the_newest)
{
    int fd = bcm_a(), raw = raw_a(), last = observer_a(0x80b);

    sol_set(fd, SO_RCVBUF, 0); /* the least there is: three messages */
    SETUP(fd, RX_SETUP, 0, 0x80b);
    for (int i = 0; i < 50; i++) {
        char data[3];

        snprintf(data, sizeof(data), "%02X", i);
        send_frame(raw, 0x80b, data);
    }
    for (int i = 0; i < 50; i++)
        GET(last);
    CHANGED(fd, 0x80b, "00");
    CHANGED(fd, 0x80b, "01");
    CHANGED(fd, 0x80b, "02");
    CHECK_EQ(recv_errno(fd), EAGAIN);
    send_frame(raw, 0x80b, "FF"); /* there is room again */
    CHANGED(fd, 0x80b, "FF");
}

TEST(many_messages_come_in_order)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x80c);
    for (int i = 0; i < 100; i++) {
        char data[3];

        snprintf(data, sizeof(data), "%02X", i);
        send_frame(raw, 0x80c, data);
    }
    for (int i = 0; i < 100; i++)
        CHECK_EQ(EXPECT(fd, RX_CHANGED, 0x80c)->m.can[0].data[0], i);
}
