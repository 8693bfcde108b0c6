/* The receive buffer: how much fits, what happens to the rest, how it is told. */
#include "link.h"

static int fence_a(void) { return fence_on(index_of(if_a())); }

static void put_all(int fence, int fd, int first, int count)
{
    for (int i = 0; i < count; i++)
        put(fd, first + i);
    fence_pass(fence, count);
}

static int drain(int fd)
{
    struct can_frame f;
    int n = 0;

    await_in(fd, __FILE__, __LINE__);
    while (recv(fd, &f, sizeof(f), MSG_DONTWAIT) == sizeof(f)) {
        CHECK_EQ(f.can_id, n);
        n++;
    }
    CHECK_EQ(errno, EAGAIN);
    return n;
}

static int fits(int buffer, int sent)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    if (buffer >= 0) sol_set(fd, SO_RCVBUF, buffer);
    put_all(fence, a, 0, sent);
    return drain(fd);
}

TEST(drops_default_buffer_holds_278_frames) { CHECK_EQ(fits(-1, 500), 278); }

TEST(drops_smallest_buffer_holds_3_frames) { CHECK_EQ(fits(0, 20), 3); }

TEST(drops_buffer_of_5000_holds_14_frames) { CHECK_EQ(fits(5000, 40), 14); }

TEST(drops_a_frame_is_accepted_while_less_than_the_buffer_is_used)
{
    CHECK_EQ(fits(768, 20), 3);         /* 2304, the floor */
    CHECK_EQ(fits(2 * 768, 20), 4);     /* 3072 */
    CHECK_EQ(fits(2 * 768 + 1, 20), 5); /* 3074: one more, which overshoots */
}

TEST(drops_are_silent)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    put_all(fence, a, 0, 10);
    CHECK_EQ(drain(fd), 3);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK(!(polled(fd, POLLIN, 0) & POLLERR));
}

TEST(drops_leave_the_sender_and_other_readers_alone)
{
    int fence = fence_a(), slow = raw_a(), fast = raw_a(), a = raw_a();

    sol_set(slow, SO_RCVBUF, 0);
    put_all(fence, a, 0, 200);
    CHECK_EQ(drain(fast), 200);
    CHECK_EQ(drain(slow), 3);
}

TEST(drops_stop_when_room_is_made)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    put_all(fence, a, 0, 10);
    CHECK_GETS(fd, 0);
    put_all(fence, a, 100, 1);
    put_all(fence, a, 101, 1);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 2);
    CHECK_GETS(fd, 100);
    CHECK_QUIET(fd);
}

TEST(drops_larger_buffer_helps_at_once)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    put_all(fence, a, 0, 5);
    sol_set(fd, SO_RCVBUF, 100000);
    put_all(fence, a, 3, 1);
    CHECK_EQ(drain(fd), 4);
}

TEST(drops_smaller_buffer_keeps_what_is_queued)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    put_all(fence, a, 0, 50);
    sol_set(fd, SO_RCVBUF, 0);
    put_all(fence, a, 50, 1);
    CHECK_EQ(drain(fd), 50);
}

TEST(drops_of_frames_that_do_not_match_do_not_count)
{
    uint32_t info[9];
    socklen_t len = sizeof(info);
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    filter1(fd, 0, CAN_SFF_MASK);
    put_all(fence, a, 1, 50);
    put_all(fence, a, 0, 1);
    CHECK_EQ(drain(fd), 1);
    OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len));
    CHECK_EQ(info[8], 0);
}

static int drops_told(int fd)
{
    struct cmsghdr *c;
    struct message m;
    int count = 0;

    RECEIVE(fd, &m);
    c = control_of(&m, SOL_SOCKET, SO_RXQ_OVFL);
    if (!c) return 0;
    CHECK_EQ(c->cmsg_len, CMSG_LEN(4));
    memcpy(&count, CMSG_DATA(c), 4);
    CHECK(count != 0);
    return count;
}

TEST(rxq_ovfl_is_told_with_frames_queued_after_the_loss)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    sol_set(fd, SO_RXQ_OVFL, 1);
    put_all(fence, a, 0, 10);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(drops_told(fd), 0);
    put_all(fence, a, 20, 1);
    put_all(fence, a, 21, 1);
    CHECK_EQ(drops_told(fd), 7);
    CHECK_EQ(drops_told(fd), 7);
    put_all(fence, a, 0, 5);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(drops_told(fd), 7);
    put_all(fence, a, 22, 1);
    CHECK_EQ(drops_told(fd), 9);
}

TEST(rxq_ovfl_is_off_by_default)
{
    int fence = fence_a(), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    put_all(fence, a, 0, 10);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(drops_told(fd), 0);
    put_all(fence, a, 20, 1);
    CHECK_EQ(drops_told(fd), 0);
}

TEST(drops_of_fd_frames_are_as_those_of_classical)
{
    struct canfd_frame f = fd_frame_of(1, 64);
    int fence = fence_a(), fd = raw_a(), a = raw_a(), n = 0;

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    raw_set(a, CAN_RAW_FD_FRAMES, 1);
    sol_set(fd, SO_RCVBUF, 0);
    raw_set(fence, CAN_RAW_FD_FRAMES, 1);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(write(a, &f, sizeof(f)), 72);
    for (int i = 0; i < 10; i++) {
        struct message m;

        RECEIVE(fence, &m);
    }
    while (recv(fd, &f, sizeof(f), 0) == 72)
        n++;
    CHECK_EQ(n, 3);
}

TEST(drops_own_frames_count_against_the_buffer)
{
    int fence = fence_a(), fd = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put_all(fence, fd, 0, 10);
    CHECK_EQ(drain(fd), 3);
}

static uint32_t charge_of(int index, int data)
{
    uint8_t f[2060] = { 1, 0, 0, 0, 0x80, 0, data & 0xff, data >> 8 };
    int fd = raw_bound(index), a = raw_bound(index);
    uint32_t info[9];
    socklen_t len = sizeof(info);

    raw_set(fd, CAN_RAW_XL_FRAMES, 1);
    raw_set(a, CAN_RAW_XL_FRAMES, 1);
    CHECK_EQ(write(a, f, 12 + data), 12 + data);
    await_in(fd, __FILE__, __LINE__);
    OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len));
    close(fd);
    close(a);
    return info[0];
}

TEST(drops_charge_of_xl_frames_grows_with_their_length)
{
    int index = VCAN_UP_MTU(2060);

    CHECK_EQ(charge_of(index, 1), 768);
    CHECK_EQ(charge_of(index, 100), 768);
    CHECK_EQ(charge_of(index, 200), 1280);
    CHECK_EQ(charge_of(index, 600), 1280);
    CHECK_EQ(charge_of(index, 1000), 2304);
    CHECK_EQ(charge_of(index, 2048), 4352);
}
