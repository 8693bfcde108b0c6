/* What happens to sockets when their interface goes down, comes up, is renamed or disappears. */
#include "link.h"

static int recv_error(int fd)
{
    struct can_frame f;

    CHECK_EQ(recv(fd, &f, sizeof(f), MSG_DONTWAIT), -1);
    return errno;
}

static int send_error(int fd)
{
    struct can_frame f = frame_of(1, 1);

    CHECK_EQ(write(fd, &f, sizeof(f)), -1);
    return errno;
}

static int bound_index(int fd)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);

    OK(getsockname(fd, (struct sockaddr *)&a, &len));
    return a.can_ifindex;
}

static int filter_count(int fd)
{
    struct can_filter f[8];
    socklen_t len = sizeof(f);

    OK(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, f, &len));
    return len / 8;
}

TEST(down_is_reported_once_to_recv)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(down_is_reported_before_queued_frames)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_bound(index), a = raw_bound(index);

    put(a, 1);
    put(a, 2);
    fence_pass(fence, 2);
    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 2);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(down_is_reported_to_every_bound_socket)
{
    int index = VCAN_UP(), one = raw_bound(index), two = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(recv_error(one), ENETDOWN);
    CHECK_EQ(recv_error(two), ENETDOWN);
}

TEST(down_is_reported_once_to_send_which_then_fails_as_down)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(send_error(fd), ENETDOWN);
    CHECK_EQ(recv_error(fd), EAGAIN);
    CHECK_EQ(send_error(fd), ENETDOWN);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(down_is_reported_once_to_so_error)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(down_is_consumed_by_peek)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_bound(index), a = raw_bound(index);
    struct can_frame f;

    put(a, 1);
    fence_pass(fence, 1);
    LINK_DOWN(index);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), MSG_PEEK), ENETDOWN);
    CHECK_EQ(recv(fd, &f, sizeof(f), MSG_PEEK), 16);
}

TEST(down_is_not_consumed_by_a_read_of_0_bytes)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    char byte;

    LINK_DOWN(index);
    CHECK_EQ(read(fd, &byte, 0), 0);
    CHECK_EQ(recv_error(fd), ENETDOWN);
}

TEST(down_is_not_consumed_by_poll)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLERR);
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLERR);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_EQ(polled(fd, POLLIN, 0), 0);
}

TEST(down_with_bad_buffer_is_enetdown)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_ERRNO(recv(fd, bad_pointer, 16, 0), ENETDOWN);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(down_wakes_a_blocked_reader)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct can_frame f;
    pid_t child;

    block(fd);
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        LINK_DOWN(index);
        _exit(0);
    }
    CHECK_ERRNO(read(fd, &f, sizeof(f)), ENETDOWN);
    CHECK_EQ(tap_join(child), 0);
}

TEST(down_wakes_poll)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    pid_t child = OK(fork());

    if (!child) {
        await_asleep(getppid());
        LINK_DOWN(index);
        _exit(0);
    }
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLERR);
    CHECK_EQ(tap_join(child), 0);
}

TEST(down_is_nothing_to_any)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_any(), a = raw_bound(index);

    put(a, 1);
    fence_pass(fence, 1);
    LINK_DOWN(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_GETS(fd, 1);
    CHECK_EQ(recv_error(fd), EAGAIN);
    CHECK_ERRNO(put_to(fd, index, 1), ENETDOWN);
}

TEST(down_is_nothing_to_sockets_of_other_devices)
{
    int index = VCAN_UP(), fd = raw_a();

    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(up_again_resumes_reception)
{
    int index = VCAN_UP(), fd = raw_bound(index), a = raw_bound(index);

    filter1(fd, 5, CAN_SFF_MASK);
    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_EQ(recv_error(a), ENETDOWN);
    LINK_UP(index);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(up_again_keeps_a_pending_enetdown)
{
    int index = VCAN_UP(), fd = raw_bound(index), a = raw_bound(index);

    LINK_DOWN(index);
    LINK_UP(index);
    CHECK_EQ(send_error(a), ENETDOWN);
    put(a, 7);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_GETS(fd, 7);
}

TEST(up_again_resumes_any)
{
    int index = VCAN_UP(), fd = raw_any();

    LINK_DOWN(index);
    LINK_UP(index);
    CHECK_EQ(put_to(raw_new(), index, 8), 16);
    CHECK_GETS(fd, 8);
}

TEST(down_twice_unread_is_reported_once)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    LINK_UP(index);
    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(down_when_down_already_is_nothing)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(delete_unbinds)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DELETE(index);
    CHECK_EQ(bound_index(fd), 0);
}

TEST(delete_is_enodev_once_then_queued_frames)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_bound(index), a = raw_bound(index);

    put(a, 1);
    fence_pass(fence, 1);
    LINK_DELETE(index);
    CHECK_EQ(recv_error(fd), ENODEV);
    CHECK_GETS(fd, 1);
    CHECK_EQ(recv_error(fd), EAGAIN);
}

TEST(delete_of_a_down_device_is_enodev)
{
    int index = VCAN_DOWN(), fd = raw_bound(index);

    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
}

TEST(delete_makes_send_enxio_and_keeps_enodev_pending)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DELETE(index);
    CHECK_EQ(send_error(fd), ENXIO);
    CHECK_EQ(send_error(fd), ENXIO);
    CHECK_EQ(recv_error(fd), ENODEV);
}

TEST(delete_pending_enodev_fails_sendto_elsewhere_once)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DELETE(index);
    CHECK_ERRNO(put_to(fd, index_of(if_a()), 1), ENODEV);
    CHECK_EQ(put_to(fd, index_of(if_a()), 1), 16);
}

TEST(delete_empties_the_filter_list)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    filter2(fd, 1, 1, 2, 2);
    LINK_DELETE(index);
    CHECK_EQ(filter_count(fd), 0);
}

TEST(delete_keeps_the_other_options)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    raw_set(fd, CAN_RAW_ERR_FILTER, 0x5);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    LINK_DELETE(index);
    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 0x5);
    CHECK_EQ(raw_get(fd, CAN_RAW_RECV_OWN_MSGS), 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_LOOPBACK), 0);
}

TEST(delete_then_bind_elsewhere_receives_errors_but_no_data)
{
    int index = VCAN_UP(), fd = raw_bound(index), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    LINK_DELETE(index);
    CHECK_EQ(recv_error(fd), ENODEV);
    OK(bind_index(fd, index_of(if_a())));
    put(a, 1);
    put(a, CAN_ERR_FLAG | 4);
    CHECK_GETS(fd, CAN_ERR_FLAG | 4);
    CHECK_QUIET(fd);
    filter1(fd, 0, 0);
    put(a, 2);
    CHECK_GETS(fd, 2);
}

TEST(delete_then_bind_any_receives_no_data)
{
    int index = VCAN_UP(), fd = raw_bound(index), a = raw_a();

    LINK_DELETE(index);
    CHECK_EQ(recv_error(fd), ENODEV);
    OK(bind_index(fd, 0));
    put(a, 1);
    CHECK_QUIET(fd);
}

TEST(delete_then_create_by_the_same_name_does_not_bind_again)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd, again;

    LINK_UP(index);
    fd = raw_bound(index);
    LINK_DELETE(index);
    CHECK_EQ(recv_error(fd), ENODEV);
    CHECK_EQ(link_create_vcan(name, 0), 0);
    again = index_of(name);
    CHECK(again != index);
    LINK_UP(again);
    CHECK_EQ(put_to(raw_new(), again, 1), 16);
    CHECK_QUIET(fd);
    CHECK_EQ(bound_index(fd), 0);
}

TEST(delete_is_nothing_to_any)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_any(), a = raw_bound(index);

    put(a, 1);
    fence_pass(fence, 1);
    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_GETS(fd, 1);
    CHECK_EQ(filter_count(fd), 1);
    CHECK_ERRNO(put_to(fd, index, 1), ENXIO);
}

TEST(delete_keeps_the_index_in_addresses_of_queued_frames)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_any();
    struct message m;

    CHECK_EQ(put_to(raw_new(), index, 1), 16);
    fence_pass(fence, 1);
    LINK_DELETE(index);
    RECEIVE(fd, &m);
    CHECK_EQ(m.from.can_ifindex, index);
}

TEST(delete_wakes_a_blocked_reader)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct can_frame f;
    pid_t child;

    block(fd);
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        LINK_DELETE(index);
        _exit(0);
    }
    CHECK_EQ(read(fd, &f, sizeof(f)), -1);
    CHECK(errno == ENODEV || errno == ENETDOWN);
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(bound_index(fd), 0);
}

TEST(rename_keeps_the_binding)
{
    char old[IFNAMSIZ], name[IFNAMSIZ];
    int index = VCAN_NAMED(old, 0), fd, a;

    LINK_UP(index);
    fd = raw_bound(index);
    a = raw_bound(index);
    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_EQ(recv_error(a), ENETDOWN);
    link_name(name);
    CHECK_EQ(link_rename(index, name), 0);
    CHECK_EQ(recv_error(fd), EAGAIN);
    CHECK_EQ(bound_index(fd), index);
    CHECK_EQ(if_nametoindex(name), index);
    CHECK_EQ(if_nametoindex(old), 0);
    LINK_UP(index);
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(rename_while_up_is_ebusy)
{
    char name[IFNAMSIZ];
    int index = VCAN_UP();

    link_name(name);
    CHECK_EQ(link_rename(index, name), -EBUSY);
}

TEST(mtu_change_while_down_raises_nothing_more)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(recv_error(fd), ENETDOWN);
    CHECK_EQ(link_mtu(index, 16), 0);
    CHECK_EQ(recv_error(fd), EAGAIN);
    CHECK_EQ(filter_count(fd), 1);
}

TEST(down_drops_nothing_of_other_sockets)
{
    int index = VCAN_UP(), fd = raw_any(), a = raw_a();

    put(a, 1);
    LINK_DOWN(index);
    LINK_DELETE(index);
    put(a, 2);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 2);
}

TEST(bind_elsewhere_leaves_the_old_devices_fate)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    OK(bind_index(fd, index_of(if_a())));
    LINK_DOWN(index);
    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_EQ(filter_count(fd), 1);
}

TEST(closed_sockets_do_not_disturb_a_deletion)
{
    int index = VCAN_UP();

    for (int i = 0; i < 20; i++) {
        int fd = raw_bound(index);

        if (i % 2) close(fd);
    }
    LINK_DELETE(index);
    CHECK_EQ(recv_error(raw_a()), EAGAIN);
}
