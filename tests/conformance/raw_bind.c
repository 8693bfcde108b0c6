/* bind(2) and getsockname(2) on CAN_RAW sockets. */
#include "link.h"

static int bind_as(int fd, const void *address, socklen_t len)
{
    return bind(fd, (const struct sockaddr *)address, len);
}

static int bound_index(int fd)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);

    OK(getsockname(fd, (struct sockaddr *)&a, &len));
    return a.can_ifindex;
}

TEST(bind_length_below_8_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = raw_new();

    for (int len = 0; len < 8; len++)
        CHECK_ERRNO(bind_as(fd, &a, len), EINVAL);
    CHECK_EQ(bound_index(fd), 0);
}

TEST(bind_length_out_of_range_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = raw_new();

    CHECK_ERRNO(bind_as(fd, &a, 129), EINVAL);
    CHECK_ERRNO(bind_as(fd, &a, -1), EINVAL);
    CHECK_ERRNO(bind_as(fd, &a, 1 << 30), EINVAL);
}

TEST(bind_lengths_8_to_128_are_accepted)
{
    struct sockaddr_storage s;
    struct sockaddr_can *a = (struct sockaddr_can *)&s;

    memset(&s, 0xa5, sizeof(s));
    a->can_family = AF_CAN;
    a->can_ifindex = index_of(if_a());
    for (int len = 8; len <= 128; len++) {
        int fd = raw_new();

        OK(bind_as(fd, &s, len));
        CHECK_EQ(bound_index(fd), a->can_ifindex);
        close(fd);
    }
}

TEST(bind_bad_pointer_is_efault)
{
    int fd = raw_new();

    CHECK_ERRNO(bind_as(fd, NULL, 24), EFAULT);
    CHECK_ERRNO(bind_as(fd, NULL, 8), EFAULT);
    CHECK_ERRNO(bind_as(fd, bad_pointer, 24), EFAULT);
    CHECK_ERRNO(bind_as(fd, page_with(PROT_NONE), 24), EFAULT);
    CHECK_ERRNO(bind_as(fd, page_gone(), 24), EFAULT);
    CHECK_EQ(bound_index(fd), 0);
}

TEST(bind_address_across_an_unreadable_page_is_efault)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = raw_new();

    CHECK(p != MAP_FAILED);
    OK(mprotect(p + 4096, 4096, PROT_NONE));
    memcpy(p + 4096 - 8, &a, 8);
    CHECK_ERRNO(bind_as(fd, p + 4096 - 8, sizeof(a)), EFAULT);
    OK(bind_as(fd, p + 4096 - 8, 8));
}

TEST(bind_null_with_short_length_is_einval) { CHECK_ERRNO(bind_as(raw_new(), NULL, 0), EINVAL); }

TEST(bind_wrong_family_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    static const int families[] = { AF_UNSPEC, AF_INET, AF_UNIX, AF_PACKET, 28, 30, 0xffff };
    int fd = raw_new();

    for (int i = 0; i < 7; i++) {
        a.can_family = families[i];
        CHECK_ERRNO(bind_as(fd, &a, sizeof(a)), EINVAL);
    }
}

TEST(bind_unknown_index_is_enodev)
{
    int fd = raw_new();

    CHECK_ERRNO(bind_index(fd, 999999), ENODEV);
    CHECK_ERRNO(bind_index(fd, -1), ENODEV);
    CHECK_ERRNO(bind_index(fd, INT32_MIN), ENODEV);
    CHECK_ERRNO(bind_index(fd, INT32_MAX), ENODEV);
}

TEST(bind_other_device_type_is_enodev) { CHECK_ERRNO(bind_index(raw_new(), index_of("lo")), ENODEV); }

TEST(bind_device_receives_only_from_it)
{
    int fd = raw_a(), a = raw_a(), b = raw_b();

    put(b, 1);
    put(a, 2);
    CHECK_GETS(fd, 2);
    CHECK_QUIET(fd);
}

TEST(bind_any_receives_from_all)
{
    int fd = raw_any(), a = raw_a(), b = raw_b();

    put(b, 1);
    put(a, 2);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 2);
}

TEST(bind_any_includes_later_devices)
{
    int fd = raw_any(), c = raw_bound(VCAN_UP());

    put(c, 0x55);
    CHECK_GETS(fd, 0x55);
}

TEST(unbound_socket_receives_nothing)
{
    int fd = raw_new(), a = raw_a();

    put(a, 1);
    CHECK_QUIET(fd);
}

TEST(bind_again_to_the_same_device_is_accepted)
{
    int fd = raw_a(), a = raw_a();

    OK(bind_index(fd, index_of(if_a())));
    put(a, 1);
    CHECK_GETS(fd, 1);
    CHECK_QUIET(fd);
}

TEST(bind_again_moves_to_the_other_device)
{
    int fd = raw_a(), a = raw_a(), b = raw_b();

    OK(bind_index(fd, index_of(if_b())));
    CHECK_EQ(bound_index(fd), index_of(if_b()));
    put(a, 1);
    put(b, 2);
    CHECK_GETS(fd, 2);
    CHECK_QUIET(fd);
}

TEST(bind_again_moves_from_any_to_a_device)
{
    int fd = raw_any(), a = raw_a(), b = raw_b();

    OK(bind_index(fd, index_of(if_a())));
    put(b, 1);
    put(a, 2);
    CHECK_GETS(fd, 2);
    CHECK_QUIET(fd);
}

TEST(bind_again_moves_from_a_device_to_any)
{
    int fd = raw_a(), b = raw_b();

    OK(bind_index(fd, 0));
    CHECK_EQ(bound_index(fd), 0);
    put(b, 2);
    CHECK_GETS(fd, 2);
}

TEST(bind_again_keeps_queued_frames)
{
    int fd = raw_a(), a = raw_a();

    put(a, 7);
    OK(bind_index(fd, index_of(if_b())));
    CHECK_GETS(fd, 7);
}

TEST(bind_again_keeps_filters)
{
    int fd = raw_a(), b = raw_b();

    filter1(fd, 5, CAN_SFF_MASK);
    OK(bind_index(fd, index_of(if_b())));
    put(b, 4);
    put(b, 5);
    CHECK_GETS(fd, 5);
}

TEST(bind_that_fails_keeps_the_old_binding)
{
    int fd = raw_a(), a = raw_a();

    CHECK_ERRNO(bind_index(fd, 999999), ENODEV);
    CHECK_ERRNO(bind_index(fd, index_of("lo")), ENODEV);
    CHECK_EQ(bound_index(fd), index_of(if_a()));
    put(a, 3);
    CHECK_GETS(fd, 3);
}

TEST(bind_to_a_device_that_is_down_succeeds_with_one_enetdown)
{
    struct can_frame f;
    int fd = raw_new(), index = VCAN_DOWN();

    OK(bind_index(fd, index));
    CHECK_EQ(bound_index(fd), index);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), MSG_DONTWAIT), ENETDOWN);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), MSG_DONTWAIT), EAGAIN);
}

TEST(bind_again_to_the_same_down_device_raises_nothing)
{
    int fd = raw_new(), index = VCAN_DOWN();

    OK(bind_index(fd, index));
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    OK(bind_index(fd, index));
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
}

TEST(bind_while_down_receives_after_up)
{
    int fd = raw_new(), index = VCAN_DOWN(), sender;

    OK(bind_index(fd, index));
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    LINK_UP(index);
    sender = raw_bound(index);
    put(sender, 0x66);
    CHECK_GETS(fd, 0x66);
}

TEST(getsockname_of_an_unbound_socket_has_index_0)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);

    memset(&a, 0xee, sizeof(a));
    OK(getsockname(raw_new(), (struct sockaddr *)&a, &len));
    CHECK_EQ(len, 8);
    CHECK_EQ(a.can_family, AF_CAN);
    CHECK_EQ(a.can_ifindex, 0);
}

TEST(getsockname_is_8_bytes_and_leaves_the_rest)
{
    uint8_t a[24];
    socklen_t len = sizeof(a);
    int index;

    memset(a, 0xee, sizeof(a));
    OK(getsockname(raw_a(), (struct sockaddr *)a, &len));
    memcpy(&index, a + 4, 4);
    CHECK_EQ(len, 8);
    CHECK_EQ(a[0], AF_CAN);
    CHECK_EQ(a[2], 0);
    CHECK_EQ(a[3], 0);
    CHECK_EQ(index, index_of(if_a()));
    for (int i = 8; i < 24; i++)
        CHECK_EQ(a[i], 0xee);
}

TEST(getsockname_truncates_to_the_given_length)
{
    int fd = raw_a();

    for (socklen_t room = 0; room < 8; room++) {
        uint8_t a[24];
        socklen_t len = room;

        memset(a, 0xee, sizeof(a));
        OK(getsockname(fd, (struct sockaddr *)a, &len));
        CHECK_EQ(len, 8);
        CHECK_EQ(a[room], 0xee);
        if (room) CHECK_EQ(a[0], AF_CAN);
    }
}

TEST(getsockname_negative_length_is_einval)
{
    struct sockaddr_can a;
    socklen_t len = -1;

    CHECK_ERRNO(getsockname(raw_a(), (struct sockaddr *)&a, &len), EINVAL);
}

TEST(getsockname_bad_pointers_are_efault)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);
    int fd = raw_a();

    CHECK_ERRNO(getsockname(fd, NULL, &len), EFAULT);
    CHECK_ERRNO(getsockname(fd, (struct sockaddr *)page_with(PROT_READ), &len), EFAULT);
    CHECK_ERRNO(getsockname(fd, (struct sockaddr *)&a, NULL), EFAULT);
    CHECK_ERRNO(getsockname(fd, (struct sockaddr *)&a, bad_pointer), EFAULT);
}

TEST(bind_error_reports_do_not_disturb_a_pending_enetdown)
{
    int fd = raw_new(), index = VCAN_DOWN();

    OK(bind_index(fd, index));
    CHECK_ERRNO(bind_index(fd, 999999), ENODEV);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
}
