/* CAN XL frames on CAN_RAW sockets. The structure is spelled out, older headers lack it. */
#include "link.h"

#define XLF 0x80

struct xl_frame {
    uint32_t prio;
    uint8_t flags;
    uint8_t sdt;
    uint16_t len;
    uint32_t af;
    uint8_t data[2100];
};

static struct xl_frame xl_of(uint32_t prio, int len)
{
    struct xl_frame f;

    memset(&f, 0, sizeof(f));
    f.prio = prio;
    f.flags = XLF;
    f.sdt = 3;
    f.len = len;
    f.af = 0xdeadbeef;
    for (int i = 0; i < len && i < 2048; i++)
        f.data[i] = i * 7;
    return f;
}

static int raw_xl(int index)
{
    int fd = raw_bound(index);

    raw_set(fd, CAN_RAW_XL_FRAMES, 1);
    return fd;
}

static int put_xl(int fd, uint32_t prio, int len)
{
    struct xl_frame f = xl_of(prio, len);

    return write(fd, &f, 12 + len);
}

static void check_xl(int fd, uint32_t prio, int len)
{
    struct xl_frame f = xl_of(prio, len);
    struct message m;

    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 12 + len);
    CHECK(!memcmp(&f, m.bytes, 12 + len));
}

TEST(xl_frame_is_delivered_whole)
{
    static const int lengths[] = { 1, 2, 3, 4, 5, 8, 59, 60, 61, 64, 100, 200, 1000, 2047, 2048 };
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);

    for (int i = 0; i < 15; i++) {
        CHECK_EQ(put_xl(a, 0x123, lengths[i]), 12 + lengths[i]);
        check_xl(fd, 0x123, lengths[i]);
    }
}

TEST(xl_frame_of_every_length)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);

    for (int len = 1; len <= 2048; len += 13) {
        CHECK_EQ(put_xl(a, len & 0x7ff, len), 12 + len);
        check_xl(fd, len & 0x7ff, len);
    }
}

TEST(xl_frame_size_has_to_fit_its_length)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);
    struct xl_frame f = xl_of(1, 100);

    CHECK_ERRNO(write(a, &f, 111), EINVAL);
    CHECK_ERRNO(write(a, &f, 113), EINVAL);
    CHECK_ERRNO(write(a, &f, 12), EINVAL);
    CHECK_EQ(write(a, &f, 112), 112);
    check_xl(fd, 1, 100);
    CHECK_QUIET(fd);
}

TEST(xl_frame_of_length_0_is_einval)
{
    int a = raw_xl(VCAN_UP_MTU(2060));
    struct xl_frame f = xl_of(1, 0);

    CHECK_ERRNO(write(a, &f, 12), EINVAL);
    CHECK_ERRNO(write(a, &f, 13), EINVAL);
}

TEST(xl_frame_longer_than_2048_is_einval)
{
    int a = raw_xl(VCAN_UP_MTU(2060));
    struct xl_frame f = xl_of(1, 2049);

    CHECK_ERRNO(write(a, &f, 2061), EINVAL);
    CHECK_ERRNO(write(a, &f, 2060), EINVAL);
}

TEST(xl_frame_without_the_flag_is_einval)
{
    int a = raw_xl(VCAN_UP_MTU(2060));

    for (int flags = 0; flags < 0x80; flags += 9) {
        struct xl_frame f = xl_of(1, 100);

        f.flags = flags;
        CHECK_ERRNO(write(a, &f, 112), EINVAL);
    }
}

TEST(xl_frame_flags_travel_unchanged)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);
    struct message m;

    for (int flags = 0x80; flags < 0x100; flags += 7) {
        struct xl_frame f = xl_of(1, 100);

        f.flags = flags;
        CHECK_EQ(write(a, &f, 112), 112);
        RECEIVE(fd, &m);
        CHECK_EQ(m.bytes[4], flags);
    }
}

TEST(xl_frames_of_16_and_72_bytes_are_xl)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), plain = raw_bound(index), a = raw_xl(index);

    CHECK_EQ(put_xl(a, 1, 4), 16);
    CHECK_EQ(put_xl(a, 1, 60), 72);
    check_xl(fd, 1, 4);
    check_xl(fd, 1, 60);
    CHECK_QUIET(plain);
}

TEST(xl_prio_travels_unmodified)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);

    CHECK_EQ(put_xl(a, 0x923407ff & ~CAN_ERR_FLAG, 5), 17);
    check_xl(fd, 0x923407ff & ~CAN_ERR_FLAG, 5);
}

TEST(xl_prio_with_the_error_bit_is_an_error_frame)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), errors = raw_xl(index), a = raw_xl(index);

    raw_set(errors, CAN_RAW_ERR_FILTER, 4);
    CHECK_EQ(put_xl(a, CAN_ERR_FLAG | 4, 5), 17);
    check_xl(errors, CAN_ERR_FLAG | 4, 5);
    CHECK_QUIET(fd);
}

TEST(xl_prio_is_filtered_as_an_id)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);

    filter1(fd, 5, CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG);
    CHECK_EQ(put_xl(a, 4, 5), 17);
    CHECK_EQ(put_xl(a, 5, 5), 17);
    check_xl(fd, 5, 5);
    CHECK_QUIET(fd);
}

TEST(xl_frame_without_the_option_is_einval)
{
    int index = VCAN_UP_MTU(2060), a = raw_bound(index);

    CHECK_ERRNO(put_xl(a, 1, 5), EINVAL);
    raw_set(a, CAN_RAW_FD_FRAMES, 1);
    CHECK_ERRNO(put_xl(a, 1, 5), EINVAL);
}

TEST(xl_frame_is_invisible_without_the_option)
{
    int index = VCAN_UP_MTU(2060), fd = raw_bound(index), a = raw_xl(index);

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(put_xl(a, 1, 5), 17);
    CHECK_QUIET(fd);
}

TEST(xl_socket_also_gets_classical_and_fd_frames)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);
    struct canfd_frame f = fd_frame_of(2, 12);
    struct message m;

    put(a, 1);
    CHECK_EQ(write(a, &f, sizeof(f)), 72);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 16);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 72);
    CHECK_EQ(m.fd.flags, CANFD_FDF);
}

TEST(xl_frame_on_smaller_mtus_is_einval)
{
    CHECK_ERRNO(put_xl(raw_xl(index_of(if_a())), 1, 5), EINVAL);
    CHECK_ERRNO(put_xl(raw_xl(VCAN_UP_MTU(16)), 1, 5), EINVAL);
    CHECK_ERRNO(put_xl(raw_xl(VCAN_UP_MTU(16)), 1, 4), EINVAL);
}

TEST(xl_frame_longer_than_an_xl_mtu_is_emsgsize)
{
    int index = VCAN_UP_MTU(76), a = raw_xl(index), fd = raw_xl(index);

    CHECK_EQ(put_xl(a, 1, 64), 76);
    CHECK_ERRNO(put_xl(a, 1, 65), EMSGSIZE);
    check_xl(fd, 1, 64);
    CHECK_QUIET(fd);
}

TEST(xl_frame_on_odd_created_mtus_is_einval)
{
    static const int mtus[] = { 8, 17, 73, 75, 2061, 5000 };

    for (int i = 0; i < 6; i++)
        CHECK_ERRNO(put_xl(raw_xl(VCAN_UP_MTU(mtus[i])), 1, 5), EINVAL);
}

TEST(xl_frame_in_a_short_buffer_is_truncated)
{
    int index = VCAN_UP_MTU(2060), fd = raw_xl(index), a = raw_xl(index);
    uint8_t b[100];
    struct iovec v = { b, sizeof(b) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

    CHECK_EQ(put_xl(a, 1, 2048), 2060);
    CHECK_EQ(recvmsg(fd, &h, 0), 100);
    CHECK_EQ(h.msg_flags, MSG_TRUNC | MSG_DONTROUTE);
}

TEST(xl_frame_own_copy)
{
    int fd = raw_xl(VCAN_UP_MTU(2060));
    struct message m;

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    CHECK_EQ(put_xl(fd, 1, 300), 312);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 312);
    CHECK_EQ(m.flags, MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(xl_sizes_on_an_xl_mtu)
{
    int a = raw_xl(VCAN_UP_MTU(2060));

    for (int size = 0; size <= 2100; size++) {
        struct xl_frame f = xl_of(1, size - 12);

        if (size >= 13 && size <= 2060)
            CHECK_EQ(write(a, &f, size), size);
        else
            CHECK_ERRNO(write(a, &f, size), EINVAL);
    }
}
