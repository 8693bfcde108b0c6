/* Sending on CAN_RAW sockets: what is accepted, and which error comes first. */
#include "link.h"

static int send_size(int fd, size_t size)
{
    static uint8_t zero[4096];

    return write(fd, zero, size);
}

static int send_len(int fd, int len)
{
    struct can_frame f = frame_of(1, 8);

    f.len = len;
    return write(fd, &f, sizeof(f));
}

static int send_as(int fd, const void *address, socklen_t len)
{
    struct can_frame f = frame_of(0x123, 2);

    return sendto(fd, &f, sizeof(f), 0, address, len);
}

TEST(send_returns_the_full_size)
{
    struct can_frame f = frame_of(1, 0);
    int fd = raw_a();

    CHECK_EQ(write(fd, &f, sizeof(f)), 16);
    CHECK_EQ(send(fd, &f, sizeof(f), 0), 16);
    CHECK_EQ(put_to(fd, index_of(if_a()), 1), 16);
}

TEST(send_accepts_lengths_0_to_8)
{
    int fd = raw_a(), peer = raw_a();

    for (int len = 0; len <= 8; len++) {
        CHECK_EQ(send_len(fd, len), 16);
        CHECK_EQ(GET(peer).len, len);
    }
}

TEST(send_lengths_above_8_are_einval)
{
    int fd = raw_a(), peer = raw_a();

    for (int len = 9; len < 256; len++)
        CHECK_ERRNO(send_len(fd, len), EINVAL);
    CHECK_QUIET(peer);
}

TEST(send_any_size_but_16_is_einval)
{
    int fd = raw_a(), peer = raw_a();

    for (size_t size = 0; size <= 2100; size++)
        if (size != 16) CHECK_ERRNO(send_size(fd, size), EINVAL);
    CHECK_QUIET(peer);
}

TEST(send_with_fd_frames_any_size_but_16_and_72_is_einval)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    for (size_t size = 0; size <= 2100; size++) {
        if (size == 16 || size == 72)
            CHECK_EQ(send_size(fd, size), size);
        else
            CHECK_ERRNO(send_size(fd, size), EINVAL);
    }
}

TEST(send_huge_size_is_einval)
{
    char *big = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(big != MAP_FAILED);
    CHECK_ERRNO(write(raw_a(), big, 1 << 20), EINVAL);
}

TEST(send_frame_travels_unchanged_with_padding)
{
    uint8_t f[16] = { 0x23, 0x11, 0, 0, 3, 0xaa, 0xbb, 0xcc, 1, 2, 3, 4, 5, 6, 7, 8 };
    int fd = raw_a(), peer = raw_a();
    struct can_frame g;

    CHECK_EQ(write(fd, f, sizeof(f)), 16);
    g = GET(peer);
    CHECK(!memcmp(f, &g, 16));
}

TEST(send_does_not_check_ids)
{
    static const canid_t ids[] = { 0x1123,     0x1fffffff, 0x9fffffff, 0xdfffffff,
                                   0x5fffffff, 0x40000000, 0x80000000 };
    int fd = raw_a(), peer = raw_a();

    for (int i = 0; i < 7; i++) {
        put(fd, ids[i]);
        CHECK_GETS(peer, ids[i]);
    }
}

TEST(send_len8_dlc_of_any_value_passes)
{
    struct can_frame f = frame_of(1, 8);
    int fd = raw_a(), peer = raw_a();

    for (int dlc = 0; dlc < 256; dlc += 5) {
        f.len8_dlc = dlc;
        CHECK_EQ(write(fd, &f, sizeof(f)), 16);
        CHECK_EQ(GET(peer).len8_dlc, dlc);
    }
}

TEST(send_unbound_is_enxio) { CHECK_ERRNO(send_as(raw_new(), NULL, 0), ENXIO); }

TEST(send_bound_to_any_is_enxio) { CHECK_ERRNO(send_as(raw_any(), NULL, 0), ENXIO); }

TEST(sendto_unknown_index_is_enxio)
{
    int fd = raw_a();

    CHECK_ERRNO(put_to(fd, 999999, 1), ENXIO);
    CHECK_ERRNO(put_to(fd, -1, 1), ENXIO);
}

TEST(sendto_index_0_is_enxio_even_when_bound) { CHECK_ERRNO(put_to(raw_a(), 0, 1), ENXIO); }

TEST(sendto_other_device_type_is_eperm) { CHECK_ERRNO(put_to(raw_any(), index_of("lo"), 1), EPERM); }

TEST(sendto_works_unbound)
{
    int fd = raw_new(), peer = raw_a();

    CHECK_EQ(put_to(fd, index_of(if_a()), 0x12), 16);
    CHECK_GETS(peer, 0x12);
}

TEST(sendto_works_bound_to_any)
{
    int peer = raw_b();

    CHECK_EQ(put_to(raw_any(), index_of(if_b()), 0x13), 16);
    CHECK_GETS(peer, 0x13);
}

TEST(sendto_from_a_bound_socket_reaches_the_other_device)
{
    int fd = raw_a(), a = raw_a(), b = raw_b();

    CHECK_EQ(put_to(fd, index_of(if_b()), 0x14), 16);
    CHECK_GETS(b, 0x14);
    CHECK_QUIET(a);
}

TEST(sendto_address_below_8_bytes_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = raw_a();

    for (int len = 0; len < 8; len++)
        CHECK_ERRNO(send_as(fd, &a, len), EINVAL);
}

TEST(sendto_address_of_8_to_128_bytes_is_accepted)
{
    struct sockaddr_storage s;
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = raw_new();

    memset(&s, 0xff, sizeof(s));
    memcpy(&s, &a, 8);
    CHECK_EQ(send_as(fd, &s, 8), 16);
    CHECK_EQ(send_as(fd, &s, 24), 16);
    CHECK_EQ(send_as(fd, &s, 128), 16);
}

TEST(sendto_address_length_out_of_range_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = raw_a();

    CHECK_ERRNO(send_as(fd, &a, 129), EINVAL);
    CHECK_ERRNO(send_as(fd, &a, -1), EINVAL);
}

TEST(sendto_null_address_with_length_uses_the_binding) { CHECK_EQ(send_as(raw_a(), NULL, 24), 16); }

TEST(sendto_wrong_family_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));

    a.can_family = AF_UNSPEC;
    CHECK_ERRNO(send_as(raw_a(), &a, sizeof(a)), EINVAL);
    a.can_family = AF_INET;
    CHECK_ERRNO(send_as(raw_a(), &a, sizeof(a)), EINVAL);
}

TEST(sendto_bad_address_pointer_is_efault)
{
    int fd = raw_a();

    CHECK_ERRNO(send_as(fd, bad_pointer, 24), EFAULT);
    CHECK_ERRNO(send_as(fd, page_with(PROT_NONE), 24), EFAULT);
    CHECK_ERRNO(send_as(fd, page_gone(), 24), EFAULT);
}

TEST(send_bad_pointer_is_efault)
{
    int fd = raw_a(), peer = raw_a();

    CHECK_ERRNO(write(fd, no_pointer, 16), EFAULT);
    CHECK_ERRNO(write(fd, bad_pointer, 16), EFAULT);
    CHECK_ERRNO(write(fd, page_gone(), 16), EFAULT);
    CHECK_ERRNO(send(fd, page_with(PROT_NONE), 16, 0), EFAULT);
    CHECK_QUIET(peer);
    put(fd, 1);
    CHECK_GETS(peer, 1);
}

TEST(send_frame_across_an_unreadable_page_is_efault)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = raw_a(), peer = raw_a();

    CHECK(p != MAP_FAILED);
    OK(mprotect(p + 4096, 4096, PROT_NONE));
    CHECK_ERRNO(write(fd, p + 4096 - 8, 16), EFAULT);
    CHECK_QUIET(peer);
    CHECK_EQ(write(fd, p + 4096 - 16, 16), 16);
}

TEST(send_size_is_checked_before_pointer) { CHECK_ERRNO(write(raw_a(), bad_pointer, 12), EINVAL); }

TEST(send_pointer_is_checked_before_kind)
{
    CHECK_ERRNO(write(raw_a(), bad_pointer, 15), EFAULT);
    CHECK_ERRNO(write(raw_a(), bad_pointer, 2060), EFAULT);
}

TEST(send_size_is_checked_before_device)
{
    CHECK_ERRNO(send_size(raw_new(), 12), EINVAL);
    CHECK_ERRNO(send_size(raw_new(), 2061), EINVAL);
    CHECK_ERRNO(send_size(raw_new(), 0), EINVAL);
}

TEST(send_device_is_checked_before_pointer_and_kind)
{
    CHECK_ERRNO(write(raw_new(), bad_pointer, 16), ENXIO);
    CHECK_ERRNO(send_size(raw_new(), 15), ENXIO);
    CHECK_ERRNO(send_len(raw_new(), 9), ENXIO);
}

TEST(send_kind_is_checked_before_device_type)
{
    struct sockaddr_can lo = can_addr(index_of("lo"));
    struct can_frame f = frame_of(1, 8);
    int fd = raw_new();

    CHECK_ERRNO(sendto(fd, &f, 15, 0, (struct sockaddr *)&lo, sizeof(lo)), EINVAL);
    f.len = 9;
    CHECK_ERRNO(sendto(fd, &f, 16, 0, (struct sockaddr *)&lo, sizeof(lo)), EINVAL);
    f.len = 8;
    CHECK_ERRNO(sendto(fd, &f, 16, 0, (struct sockaddr *)&lo, sizeof(lo)), EPERM);
}

TEST(send_pending_error_comes_before_pointer_and_kind)
{
    int fd = raw_new(), index = VCAN_DOWN();

    OK(bind_index(fd, index));
    CHECK_ERRNO(send_len(fd, 9), ENETDOWN);
    CHECK_ERRNO(send_len(fd, 9), EINVAL);
    CHECK_ERRNO(write(fd, bad_pointer, 16), EFAULT);
    CHECK_ERRNO(send_len(fd, 8), ENETDOWN);
    CHECK_ERRNO(send_len(fd, 8), ENETDOWN);
}

TEST(send_size_and_address_errors_keep_a_pending_error)
{
    struct sockaddr_can a = can_addr(0);
    int fd = raw_new(), index = VCAN_DOWN();

    OK(bind_index(fd, index));
    CHECK_ERRNO(send_size(fd, 12), EINVAL);
    CHECK_ERRNO(send_as(fd, &a, 7), EINVAL);
    CHECK_ERRNO(put_to(fd, 999999, 1), ENXIO);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
}

TEST(send_to_a_device_that_is_down_is_enetdown) { CHECK_ERRNO(put_to(raw_new(), VCAN_DOWN(), 1), ENETDOWN); }

TEST(send_ignores_unusual_flags)
{
    static const int flags[] = { MSG_OOB,      MSG_EOR,      MSG_DONTROUTE, MSG_MORE,  MSG_CONFIRM,
                                 MSG_NOSIGNAL, MSG_ZEROCOPY, MSG_DONTWAIT,  MSG_TRUNC, MSG_PEEK,
                                 MSG_WAITALL,  MSG_ERRQUEUE, MSG_FASTOPEN,  MSG_PROXY, MSG_CMSG_CLOEXEC };
    struct can_frame f = frame_of(0x99, 1);
    int fd = raw_a(), peer = raw_a();

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        struct message m;

        CHECK_EQ(send(fd, &f, sizeof(f), flags[i]), 16);
        RECEIVE(peer, &m);
        CHECK_EQ(m.flags, MSG_DONTROUTE);
    }
}

TEST(send_classical_on_small_created_mtu_is_emsgsize)
{
    int index = VCAN_UP_MTU(8);

    CHECK_ERRNO(put_to(raw_new(), index, 1), EMSGSIZE);
}

TEST(send_mtu_is_checked_before_link_state)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 8);

    CHECK_ERRNO(put_to(raw_new(), index, 1), EMSGSIZE);
}

TEST(send_never_fails_with_the_smallest_send_buffer)
{
    int fd = raw_a();

    sol_set(fd, SO_SNDBUF, 0);
    for (int i = 0; i < 2000; i++)
        put(fd, 1);
    CHECK(polled(fd, POLLOUT, 0) & POLLOUT);
}

TEST(send_keeps_order_in_a_long_burst)
{
    int fd = raw_a(), peer = raw_a();
    struct can_frame f = frame_of(0x100, 4);

    for (uint32_t round = 0; round < 100; round++) {
        for (uint32_t i = 0; i < 200; i++) {
            uint32_t n = round * 200 + i;

            memcpy(f.data, &n, 4);
            CHECK_EQ(write(fd, &f, sizeof(f)), 16);
        }
        for (uint32_t i = 0; i < 200; i++) {
            struct can_frame g = GET(peer);
            uint32_t n;

            memcpy(&n, g.data, 4);
            CHECK_EQ(n, round * 200 + i);
        }
    }
}

TEST(send_of_zero_bytes_is_einval)
{
    int fd = raw_a();

    CHECK_ERRNO(send(fd, NULL, 0, 0), EINVAL);
    CHECK_ERRNO(write(fd, "", 0), EINVAL);
}
