/* CAN FD frames on CAN_RAW sockets. */
#include "link.h"

static int raw_fd(int index)
{
    int fd = raw_bound(index);

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    return fd;
}

static int fd_a(void) { return raw_fd(index_of(if_a())); }

static int put_fd(int fd, canid_t id, int len)
{
    struct canfd_frame f = fd_frame_of(id, len);

    return write(fd, &f, sizeof(f));
}

static struct canfd_frame get_fd(int fd)
{
    struct message m;

    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 72);
    return m.fd;
}

TEST(fd_frame_is_delivered_whole)
{
    int fd = fd_a(), a = fd_a();
    struct canfd_frame f = fd_frame_of(0x321, 64), g;

    CHECK_EQ(write(a, &f, sizeof(f)), 72);
    g = get_fd(fd);
    CHECK_EQ(g.flags, CANFD_FDF);
    g.flags = 0;
    CHECK(!memcmp(&f, &g, sizeof(f)));
}

TEST(fd_frame_is_72_bytes_whatever_its_length)
{
    int fd = fd_a(), a = fd_a();

    for (int len = 0; len <= 64; len++) {
        CHECK_EQ(put_fd(a, 1, len), 72);
        CHECK_EQ(get_fd(fd).len, len);
    }
}

TEST(fd_frame_longer_than_64_is_einval)
{
    int fd = fd_a(), a = fd_a();

    for (int len = 65; len < 256; len++)
        CHECK_ERRNO(put_fd(a, 1, len), EINVAL);
    CHECK_QUIET(fd);
}

TEST(fd_frame_bytes_beyond_the_length_travel)
{
    uint8_t f[72], g[72];
    int fd = fd_a(), a = fd_a();

    memset(f, 0x5a, sizeof(f));
    f[4] = 3;
    f[3] = 0;
    CHECK_EQ(write(a, f, 72), 72);
    CHECK_EQ(read(fd, g, 72), 72);
    f[5] |= CANFD_FDF;
    CHECK(!memcmp(f, g, 72));
}

TEST(fd_frame_gets_the_fdf_flag)
{
    int fd = fd_a(), a = fd_a();

    for (int flags = 0; flags < 256; flags++) {
        struct canfd_frame f = fd_frame_of(1, 1);

        f.flags = flags;
        CHECK_EQ(write(a, &f, sizeof(f)), 72);
        CHECK_EQ(get_fd(fd).flags, flags | CANFD_FDF);
    }
}

TEST(fd_frame_with_rtr_passes)
{
    int fd = fd_a(), a = fd_a();

    CHECK_EQ(put_fd(a, CAN_RTR_FLAG | 5, 4), 72);
    CHECK_EQ(get_fd(fd).can_id, CAN_RTR_FLAG | 5);
}

TEST(fd_frame_without_the_option_is_einval) { CHECK_ERRNO(put_fd(raw_a(), 1, 8), EINVAL); }

TEST(fd_frame_is_invisible_without_the_option)
{
    int plain = raw_a(), any = raw_any(), a = fd_a();

    CHECK_EQ(put_fd(a, 1, 8), 72);
    CHECK_QUIET(plain);
    CHECK_QUIET(any);
    put(a, 2);
    CHECK_GETS(plain, 2);
}

TEST(fd_option_counts_when_the_frame_is_sent)
{
    int fd = raw_a(), a = fd_a();

    CHECK_EQ(put_fd(a, 1, 8), 72);
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    CHECK_QUIET(fd);
    CHECK_EQ(put_fd(a, 2, 8), 72);
    raw_set(fd, CAN_RAW_FD_FRAMES, 0);
    CHECK_EQ(get_fd(fd).can_id, 2);
}

TEST(fd_socket_still_gets_classical_frames_as_16_bytes)
{
    int fd = fd_a(), a = fd_a();
    struct message m;

    put(a, 2);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 16);
    CHECK_EQ(m.can.can_id, 2);
}

TEST(fd_classical_frame_keeps_byte_5)
{
    struct can_frame f = frame_of(1, 8), g;
    int fd = fd_a(), a = fd_a();

    ((uint8_t *)&f)[5] = 0x13;
    CHECK_EQ(write(a, &f, sizeof(f)), 16);
    g = GET(fd);
    CHECK_EQ(((uint8_t *)&g)[5], 0x13);
}

TEST(fd_frame_is_filtered_like_any_other)
{
    int fd = fd_a(), a = fd_a();

    filter1(fd, 5, CAN_SFF_MASK);
    CHECK_EQ(put_fd(a, 4, 8), 72);
    CHECK_EQ(put_fd(a, 5, 8), 72);
    CHECK_EQ(get_fd(fd).can_id, 5);
}

TEST(fd_frame_own_copy)
{
    int fd = fd_a();
    struct message m;

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    CHECK_EQ(put_fd(fd, 1, 1), 72);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 72);
    CHECK_EQ(m.flags, MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(fd_frame_into_a_16_byte_buffer_is_truncated)
{
    int fd = fd_a(), a = fd_a();
    uint8_t b[16];
    struct iovec v = { b, sizeof(b) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

    CHECK_EQ(put_fd(a, 1, 64), 72);
    CHECK_EQ(recvmsg(fd, &h, 0), 16);
    CHECK_EQ(h.msg_flags, MSG_TRUNC | MSG_DONTROUTE);
    CHECK_QUIET(fd);
}

TEST(fd_frame_on_a_16_byte_mtu_is_einval)
{
    int index = VCAN_UP_MTU(16), fd = raw_fd(index);

    CHECK_ERRNO(put_fd(fd, 1, 8), EINVAL);
    put(fd, 1);
}

TEST(fd_frame_on_a_down_16_byte_mtu_is_einval)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 16), fd = raw_fd(index);

    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_ERRNO(put_fd(fd, 1, 8), EINVAL);
    CHECK_ERRNO(write(fd, &(struct can_frame){ 0 }, 16), ENETDOWN);
}

TEST(fd_frame_on_an_xl_mtu_is_accepted)
{
    static const int mtus[] = { 76, 100, 2060 };

    for (int i = 0; i < 3; i++) {
        int index = VCAN_UP_MTU(mtus[i]), fd = raw_fd(index), peer = raw_fd(index);

        CHECK_EQ(put_fd(fd, 1, 8), 72);
        CHECK_EQ(get_fd(peer).can_id, 1);
    }
}

TEST(fd_frame_on_odd_created_mtus_is_einval)
{
    static const int mtus[] = { 8, 17, 71, 73, 75, 2061, 5000 };

    for (int i = 0; i < 7; i++) {
        int fd = raw_fd(VCAN_UP_MTU(mtus[i]));

        CHECK_ERRNO(put_fd(fd, 1, 8), EINVAL);
    }
}

TEST(classical_frame_on_odd_created_mtus)
{
    static const int mtus[] = { 17, 71, 73, 75, 2061, 5000 };

    for (int i = 0; i < 6; i++) {
        int index = VCAN_UP_MTU(mtus[i]), fd = raw_bound(index), peer = raw_bound(index);

        put(fd, 9);
        CHECK_GETS(peer, 9);
    }
}

TEST(fd_error_precedes_link_state)
{
    CHECK_ERRNO(put_fd(raw_a(), 1, 8), EINVAL);
    CHECK_ERRNO(put_fd(raw_new(), 1, 8), ENXIO);
}
