/* Control messages: what sendmsg accepts, what recvmsg delivers and how it is cut. */
#include "can.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

static int send_with(int fd, int level, int type, const void *data, int len)
{
    _Alignas(struct cmsghdr) char control[256];
    struct can_frame f = frame_of(0x123, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(len)
    };
    struct cmsghdr *c;

    memset(control, 0, sizeof(control));
    c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    return sendmsg(fd, &h, 0);
}

static int send_int(int fd, int level, int type, int value)
{
    return send_with(fd, level, type, &value, sizeof(value));
}

TEST(cmsg_of_other_levels_is_ignored)
{
    int fd = raw_a(), peer = raw_a();

    CHECK_EQ(send_int(fd, SOL_CAN_RAW, 1, 1), 16);
    CHECK_EQ(send_int(fd, 0, 1, 1), 16);
    CHECK_EQ(send_int(fd, 9999, 77, 1), 16);
    for (int i = 0; i < 3; i++)
        CHECK_GETS(peer, 0x123);
}

TEST(cmsg_unknown_socket_type_is_einval)
{
    int fd = raw_a(), peer = raw_a();

    CHECK_ERRNO(send_int(fd, SOL_SOCKET, 9999, 1), EINVAL);
    CHECK_ERRNO(send_int(fd, SOL_SOCKET, SO_PRIORITY, 1), EINVAL);
    CHECK_QUIET(peer);
}

TEST(cmsg_rights_and_credentials_are_ignored)
{
    struct ucred c = { 1, 2, 3 };

    CHECK_EQ(send_int(raw_a(), SOL_SOCKET, SCM_RIGHTS, 0), 16);
    CHECK_EQ(send_with(raw_a(), SOL_SOCKET, SCM_CREDENTIALS, &c, sizeof(c)), 16);
}

TEST(cmsg_mark_needs_privilege)
{
    int fd = raw_a();

    if (setuid(65534)) SKIP("may not change the user");
    CHECK_ERRNO(send_int(fd, SOL_SOCKET, SO_MARK, 1), EPERM);
}

TEST(cmsg_timestamping_takes_transmit_record_bits_only)
{
    int fd = raw_a();

    CHECK_EQ(send_int(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_TX_SOFTWARE), 16);
    CHECK_ERRNO(send_int(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE), EINVAL);
    CHECK_ERRNO(send_int(fd, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE), EINVAL);
}

TEST(cmsg_timestamping_of_wrong_size_is_einval)
{
    char byte = 2;

    CHECK_ERRNO(send_with(raw_a(), SOL_SOCKET, SO_TIMESTAMPING, &byte, 1), EINVAL);
}

TEST(cmsg_txtime_needs_the_option)
{
    uint64_t when = 1;
    struct sock_txtime t = { .clockid = CLOCK_MONOTONIC };
    int fd = raw_a();

    CHECK_ERRNO(send_with(fd, SOL_SOCKET, SCM_TXTIME, &when, sizeof(when)), EINVAL);
    OK(setsockopt(fd, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)));
    CHECK_EQ(send_with(fd, SOL_SOCKET, SCM_TXTIME, &when, sizeof(when)), 16);
}

TEST(cmsg_malformed_length_is_einval)
{
    _Alignas(struct cmsghdr) char control[64];
    struct can_frame f = frame_of(0x123, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c = (struct cmsghdr *)control;
    int fd = raw_a(), peer = raw_a();

    memset(control, 0, sizeof(control));
    c->cmsg_level = SOL_CAN_RAW;
    c->cmsg_len = 0;
    CHECK_ERRNO(sendmsg(fd, &h, 0), EINVAL);
    c->cmsg_len = sizeof(*c) - 1;
    CHECK_ERRNO(sendmsg(fd, &h, 0), EINVAL);
    c->cmsg_len = sizeof(control) + 1;
    CHECK_ERRNO(sendmsg(fd, &h, 0), EINVAL);
    CHECK_QUIET(peer);
}

TEST(cmsg_bad_pointer_is_efault)
{
    struct can_frame f = frame_of(0x123, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = bad_pointer, .msg_controllen = 32 };

    CHECK_ERRNO(sendmsg(raw_a(), &h, 0), EFAULT);
}

TEST(cmsg_shorter_than_a_header_is_ignored)
{
    char control[16] = { 0 };
    struct can_frame f = frame_of(0x123, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 8 };

    CHECK_EQ(sendmsg(raw_a(), &h, 0), 16);
}

TEST(cmsg_of_a_huge_length_is_enobufs)
{
    struct can_frame f = frame_of(0x123, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &f, .msg_controllen = 0x80000000u };

    CHECK_ERRNO(sendmsg(raw_a(), &h, 0), ENOBUFS);
}

TEST(cmsg_kind_of_frame_is_checked_before)
{
    int value = 1;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4)];
    struct can_frame f = frame_of(0x123, 8);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c = (struct cmsghdr *)control;
    int fd = raw_a();

    memset(control, 0, sizeof(control));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_TXTIME;
    c->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(c), &value, 4);
    CHECK_ERRNO(sendmsg(fd, &h, 0), EINVAL);
}

static int stamped(void)
{
    int fd = raw_a();

    sol_set(fd, SO_TIMESTAMP, 1);
    return fd;
}

static ssize_t receive_control(int fd, void *control, size_t room, struct msghdr *h)
{
    static struct can_frame f;
    static struct iovec v = { &f, sizeof(f) };

    *h = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };
    await_in(fd, __FILE__, __LINE__);
    return recvmsg(fd, h, 0);
}

TEST(cmsg_received_without_room_sets_ctrunc)
{
    int fd = stamped(), a = raw_a();
    struct msghdr h;

    put(a, 1);
    CHECK_EQ(receive_control(fd, NULL, 0, &h), 16);
    CHECK_EQ(h.msg_flags, MSG_CTRUNC | MSG_DONTROUTE);
    CHECK_EQ(h.msg_controllen, 0);
}

TEST(cmsg_received_with_less_than_a_header_sets_ctrunc)
{
    _Alignas(struct cmsghdr) char control[64];
    int fd = stamped(), a = raw_a();
    struct msghdr h;

    put(a, 1);
    CHECK_EQ(receive_control(fd, control, sizeof(struct cmsghdr) - 1, &h), 16);
    CHECK_EQ(h.msg_flags, MSG_CTRUNC | MSG_DONTROUTE);
    CHECK_EQ(h.msg_controllen, 0);
}

TEST(cmsg_received_in_part_sets_ctrunc)
{
    _Alignas(struct cmsghdr) char control[64];
    struct cmsghdr *c = (struct cmsghdr *)control;
    int fd = stamped(), a = raw_a();
    struct msghdr h;

    put(a, 1);
    CHECK_EQ(receive_control(fd, control, CMSG_LEN(sizeof(struct timeval) / 2), &h), 16);
    CHECK_EQ(h.msg_flags, MSG_CTRUNC | MSG_DONTROUTE);
    CHECK_EQ(h.msg_controllen, CMSG_LEN(sizeof(struct timeval) / 2));
    CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(struct timeval) / 2));
    CHECK_EQ(c->cmsg_type, SO_TIMESTAMP);
}

TEST(cmsg_received_into_exact_room)
{
    _Alignas(struct cmsghdr) char control[64];
    int fd = stamped(), a = raw_a();
    struct msghdr h;

    put(a, 1);
    CHECK_EQ(receive_control(fd, control, CMSG_SPACE(sizeof(struct timeval)), &h), 16);
    CHECK_EQ(h.msg_flags, MSG_DONTROUTE);
    CHECK_EQ(h.msg_controllen, CMSG_SPACE(sizeof(struct timeval)));
}

TEST(cmsg_received_into_a_bad_pointer)
{
    int fd = stamped(), a = raw_a();
    struct msghdr h;
    ssize_t n;

    put(a, 1);
    n = receive_control(fd, bad_pointer, 64, &h);
    CHECK(n == 16 || (n == -1 && errno == EFAULT));
    CHECK_QUIET(fd);
}

TEST(cmsg_room_is_0_when_nothing_came)
{
    _Alignas(struct cmsghdr) char control[64];
    int fd = raw_a(), a = raw_a();
    struct msghdr h;

    put(a, 1);
    CHECK_EQ(receive_control(fd, control, sizeof(control), &h), 16);
    CHECK_EQ(h.msg_controllen, 0);
    CHECK_EQ(h.msg_flags, MSG_DONTROUTE);
}

TEST(cmsg_mark_of_the_sender_with_rcvmark)
{
    int fd = raw_a(), a = raw_a(), got = 0;
    struct cmsghdr *c;
    struct message m;
    int mark = 0x1234;

    if (setsockopt(a, SOL_SOCKET, SO_MARK, &mark, sizeof(mark))) SKIP("may not set a mark");
    sol_set(fd, 75 /* SO_RCVMARK */, 1);
    put(a, 1);
    RECEIVE(fd, &m);
    c = control_of(&m, SOL_SOCKET, SO_MARK);
    CHECK(c != NULL);
    memcpy(&got, CMSG_DATA(c), 4);
    CHECK_EQ(got, mark);
}

TEST(cmsg_mark_is_accepted_but_the_socket_mark_counts)
{
    int fd = raw_a(), a = raw_a(), mark = 0x1234, got = 0;
    struct cmsghdr *c;
    struct message m;

    if (setsockopt(a, SOL_SOCKET, SO_MARK, &mark, sizeof(mark))) SKIP("may not set a mark");
    sol_set(fd, 75 /* SO_RCVMARK */, 1);
    CHECK_EQ(send_int(a, SOL_SOCKET, SO_MARK, 0x77), 16);
    RECEIVE(fd, &m);
    c = control_of(&m, SOL_SOCKET, SO_MARK);
    CHECK(c != NULL);
    memcpy(&got, CMSG_DATA(c), 4);
    CHECK_EQ(got, mark);
}

TEST(cmsg_order_is_time_then_drops_then_mark)
{
    int fence = fence_on(index_of(if_a())), fd = raw_a(), a = raw_a(), i = 0;
    struct message m;

    sol_set(fd, SO_RCVBUF, 0);
    sol_set(fd, SO_RXQ_OVFL, 1);
    sol_set(fd, 75 /* SO_RCVMARK */, 1);
    sol_set(fd, SO_TIMESTAMP, 1);
    for (int n = 0; n < 10; n++)
        put(a, 1);
    fence_pass(fence, 10);
    for (int n = 0; n < 3; n++)
        CHECK_GETS(fd, 1);
    put(a, 2);
    RECEIVE(fd, &m);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m.header); c; c = CMSG_NXTHDR(&m.header, c)) {
        static const int types[] = { SO_TIMESTAMP, SO_RXQ_OVFL, SO_MARK };

        CHECK(i < 3);
        CHECK_EQ(c->cmsg_level, SOL_SOCKET);
        CHECK_EQ(c->cmsg_type, types[i++]);
    }
    CHECK_EQ(i, 3);
}

/* musl's headers have holes where the kernel's lengths are wider. */
TEST(cmsg_headers_may_have_anything_in_their_holes)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4)];
    int fd = stamped(), a = raw_a(), value = 0;
    struct can_frame f = frame_of(0x123, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h;
    struct cmsghdr *c;
    struct message m;

    memset(&h, 0xff, sizeof(h));
    memset(control, 0xff, sizeof(control));
    h.msg_name = NULL;
    h.msg_namelen = 0;
    h.msg_iov = &v;
    h.msg_iovlen = 1;
    h.msg_control = control;
    h.msg_controllen = sizeof(control);
    c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SO_TIMESTAMPING;
    c->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(c), &value, 4);
    CHECK_EQ(sendmsg(a, &h, 0), 16);
    h.msg_control = NULL;
    h.msg_controllen = 0;
    CHECK_EQ(sendmsg(a, &h, 0), 16);
    CHECK_EQ(recvmsg(fd, &h, 0), 16);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 1);
}
