/* readv, writev, preadv2, sendmsg and the multiple-message calls. */
#include "can.h"

TEST(writev_gathers_one_frame)
{
    struct can_frame f = frame_of(0x123, 8);
    uint8_t *b = (uint8_t *)&f;
    struct iovec v[5] = { { b, 1 }, { b + 1, 6 }, { no_pointer, 0 }, { b + 7, 1 }, { b + 8, 8 } };
    int fd = raw_a(), peer = raw_a();
    struct can_frame g;

    CHECK_EQ(writev(fd, v, 5), 16);
    g = GET(peer);
    CHECK(!memcmp(&f, &g, sizeof(f)));
}

TEST(writev_of_two_frames_is_einval)
{
    struct can_frame f[2] = { frame_of(1, 1), frame_of(2, 1) };
    struct iovec v[2] = { { &f[0], 16 }, { &f[1], 16 } };
    int fd = raw_a(), peer = raw_a();

    CHECK_ERRNO(writev(fd, v, 2), EINVAL);
    CHECK_QUIET(peer);
}

TEST(writev_with_a_bad_part_is_efault)
{
    struct can_frame f = frame_of(1, 1);
    struct iovec v[2] = { { &f, 8 }, { bad_pointer, 8 } };
    int fd = raw_a(), peer = raw_a();

    CHECK_ERRNO(writev(fd, v, 2), EFAULT);
    CHECK_ERRNO(writev(fd, bad_pointer, 2), EFAULT);
    CHECK_QUIET(peer);
}

TEST(writev_count_out_of_range_is_einval)
{
    static struct iovec v[1025];
    volatile int negative = -1;
    int fd = raw_a();

    CHECK_ERRNO(writev(fd, v, negative), EINVAL);
    CHECK_ERRNO(writev(fd, v, 1025), EINVAL);
}

TEST(writev_of_nothing_is_0_but_write_and_sendmsg_are_einval)
{
    struct iovec v = { no_pointer, 0 };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
    int fd = raw_a(), peer = raw_a();

    CHECK_EQ(writev(fd, &v, 1), 0);
    CHECK_EQ(writev(fd, &v, 0), 0);
    CHECK_ERRNO(write(fd, &v, 0), EINVAL);
    CHECK_ERRNO(sendmsg(fd, &h, 0), EINVAL);
    CHECK_QUIET(peer);
}

TEST(readv_scatters_one_frame)
{
    uint8_t b[3][8];
    struct iovec v[4] = { { b[0], 5 }, { no_pointer, 0 }, { b[1], 3 }, { b[2], 8 } };
    int fd = raw_a(), a = raw_a();
    struct can_frame f = frame_of(0x7aa, 8);

    CHECK_EQ(write(a, &f, 16), 16);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(readv(fd, v, 4), 16);
    CHECK(!memcmp(b[0], &f, 5));
    CHECK(!memcmp(b[1], (uint8_t *)&f + 5, 3));
    CHECK(!memcmp(b[2], (uint8_t *)&f + 8, 8));
}

TEST(readv_takes_one_frame_only)
{
    struct can_frame f[2];
    struct iovec v[2] = { { &f[0], 16 }, { &f[1], 16 } };
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    put(a, 2);
    CHECK_EQ(readv(fd, v, 2), 16);
    CHECK_GETS(fd, 2);
}

TEST(readv_with_a_bad_part_is_efault_and_loses_the_frame)
{
    struct can_frame f;
    struct iovec v[2] = { { &f, 8 }, { bad_pointer, 8 } };
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    CHECK_ERRNO(readv(fd, v, 2), EFAULT);
    CHECK_QUIET(fd);
}

TEST(readv_of_nothing_keeps_the_frame)
{
    struct iovec v = { no_pointer, 0 };
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    CHECK_EQ(readv(fd, &v, 1), 0);
    CHECK_EQ(readv(fd, &v, 0), 0);
    CHECK_GETS(fd, 1);
}

TEST(preadv2_at_the_current_position_reads)
{
    struct can_frame f;
    struct iovec v = { &f, sizeof(f) };
    int fd = raw_a(), a = raw_a();

    put(a, 0x31);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(preadv2(fd, &v, 1, -1, 0), 16);
    CHECK_EQ(f.can_id, 0x31);
    CHECK_ERRNO(preadv2(fd, &v, 1, 0, 0), ESPIPE);
    CHECK_ERRNO(preadv(fd, &v, 1, 0), ESPIPE);
}

TEST(pwritev2_at_the_current_position_writes)
{
    struct can_frame f = frame_of(0x32, 1);
    struct iovec v = { &f, sizeof(f) };
    int fd = raw_a(), peer = raw_a();

    CHECK_EQ(pwritev2(fd, &v, 1, -1, 0), 16);
    CHECK_GETS(peer, 0x32);
    CHECK_ERRNO(pwritev2(fd, &v, 1, 0, 0), ESPIPE);
}

/* refused for every socket until Linux 6.5 */
TEST(preadv2_with_nowait_does_not_block)
{
    struct can_frame f;
    struct iovec v = { &f, sizeof(f) };
    int fd = raw_a();

    block(fd);
    CHECK_EQ(preadv2(fd, &v, 1, -1, RWF_NOWAIT), -1);
    CHECK(errno == EOPNOTSUPP || errno == EAGAIN);
}

TEST(sendmsg_with_address)
{
    struct sockaddr_can to = can_addr(index_of(if_b()));
    struct can_frame f = frame_of(0x33, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &v, .msg_iovlen = 1 };
    int peer = raw_b();

    CHECK_EQ(sendmsg(raw_new(), &h, 0), 16);
    CHECK_GETS(peer, 0x33);
}

TEST(sendmsg_null_name_with_length_uses_the_binding)
{
    struct can_frame f = frame_of(0x34, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_name = NULL, .msg_namelen = 24, .msg_iov = &v, .msg_iovlen = 1 };
    int peer = raw_a();

    CHECK_EQ(sendmsg(raw_a(), &h, 0), 16);
    CHECK_GETS(peer, 0x34);
}

TEST(sendmsg_negative_name_length_is_einval)
{
    struct sockaddr_can to = can_addr(index_of(if_b()));
    struct can_frame f = frame_of(0x34, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_name = &to, .msg_namelen = -1, .msg_iov = &v, .msg_iovlen = 1 };

    CHECK_ERRNO(sendmsg(raw_a(), &h, 0), EINVAL);
}

TEST(sendmsg_bad_header_or_vector_is_efault)
{
    struct msghdr h = { .msg_iov = bad_pointer, .msg_iovlen = 1 };
    int fd = raw_a();

    CHECK_ERRNO(sendmsg(fd, no_pointer, 0), EFAULT);
    CHECK_ERRNO(sendmsg(fd, bad_pointer, 0), EFAULT);
    CHECK_ERRNO(sendmsg(fd, &h, 0), EFAULT);
}

TEST(sendmsg_too_many_vectors_is_emsgsize)
{
    static struct iovec v[1025];
    struct msghdr h = { .msg_iov = v, .msg_iovlen = 1025 };

    CHECK_ERRNO(sendmsg(raw_a(), &h, 0), EMSGSIZE);
}

TEST(sendmmsg_sends_all)
{
    struct can_frame f[5];
    struct iovec v[5];
    struct mmsghdr m[5];
    int fd = raw_a(), peer = raw_a();

    memset(m, 0, sizeof(m));
    for (int i = 0; i < 5; i++) {
        f[i] = frame_of(i, i);
        v[i] = (struct iovec){ &f[i], 16 };
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
    }
    CHECK_EQ(sendmmsg(fd, m, 5, 0), 5);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(m[i].msg_len, 16);
        CHECK_GETS(peer, i);
    }
}

TEST(sendmmsg_stops_at_an_invalid_frame)
{
    struct can_frame f[3] = { frame_of(1, 1), frame_of(2, 8), frame_of(3, 1) };
    struct iovec v[3] = { { &f[0], 16 }, { &f[1], 15 }, { &f[2], 16 } };
    struct mmsghdr m[3];
    int fd = raw_a(), peer = raw_a();

    memset(m, 0, sizeof(m));
    for (int i = 0; i < 3; i++)
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
    CHECK_EQ(sendmmsg(fd, m, 3, 0), 1);
    CHECK_GETS(peer, 1);
    CHECK_QUIET(peer);
    CHECK_ERRNO(sendmmsg(fd, m + 1, 2, 0), EINVAL);
    CHECK_EQ(sendmmsg(fd, m, 0, 0), 0);
}

TEST(recvmmsg_takes_what_is_there)
{
    struct can_frame f[5];
    struct iovec v[5];
    struct mmsghdr m[5];
    struct sockaddr_can from[5];
    int fd = raw_a(), a = raw_a();

    memset(m, 0, sizeof(m));
    for (int i = 0; i < 5; i++) {
        v[i] = (struct iovec){ &f[i], 16 };
        m[i].msg_hdr = (struct msghdr){
            .msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &v[i], .msg_iovlen = 1
        };
    }
    CHECK_ERRNO(recvmmsg(fd, m, 5, 0, NULL), EAGAIN);
    for (int i = 0; i < 3; i++)
        put(a, i);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(recvmmsg(fd, m, 5, 0, NULL), 3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(f[i].can_id, i);
        CHECK_EQ(m[i].msg_len, 16);
        CHECK_EQ(m[i].msg_hdr.msg_flags, MSG_DONTROUTE);
        CHECK_EQ(m[i].msg_hdr.msg_namelen, 8);
        CHECK_EQ(from[i].can_ifindex, index_of(if_a()));
    }
}

TEST(recvmmsg_waitforone_returns_after_the_first)
{
    struct can_frame f[4];
    struct iovec v[4];
    struct mmsghdr m[4];
    int fd = raw_a(), a = raw_a();

    memset(m, 0, sizeof(m));
    for (int i = 0; i < 4; i++) {
        v[i] = (struct iovec){ &f[i], 16 };
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
    }
    block(fd);
    put(a, 1);
    put(a, 2);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(recvmmsg(fd, m, 4, MSG_WAITFORONE, NULL), 2);
}

TEST(recvmmsg_timeout_is_checked_between_messages)
{
    struct can_frame f[2];
    struct iovec v[2] = { { &f[0], 16 }, { &f[1], 16 } };
    struct timespec t = { 0, 1 };
    struct mmsghdr m[2];
    int fd = raw_a(), a = raw_a();

    memset(m, 0, sizeof(m));
    for (int i = 0; i < 2; i++)
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
    block(fd);
    put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(recvmmsg(fd, m, 2, 0, &t), 1);
}

TEST(recvmmsg_of_none_is_0) { CHECK_EQ(recvmmsg(raw_a(), NULL, 0, 0, NULL), 0); }
