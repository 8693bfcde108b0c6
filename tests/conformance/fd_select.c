/* CAN sockets in select, pselect and poll. */
#include "link.h"

#include <sys/select.h>

static int select_on(int fd, int ms, int *readable, int *writable, int *exceptional)
{
    struct timeval t = { ms / 1000, ms % 1000 * 1000 };
    fd_set r, w, x;
    int n;

    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_ZERO(&x);
    FD_SET(fd, &r);
    FD_SET(fd, &w);
    FD_SET(fd, &x);
    n = OK(select(fd + 1, readable ? &r : NULL, writable ? &w : NULL, exceptional ? &x : NULL, &t));
    if (readable) *readable = FD_ISSET(fd, &r);
    if (writable) *writable = FD_ISSET(fd, &w);
    if (exceptional) *exceptional = FD_ISSET(fd, &x);
    return n;
}

TEST(select_times_out_without_frames)
{
    long long start = tap_now_ms();
    int r;

    CHECK_EQ(select_on(raw_a(), 50, &r, NULL, NULL), 0);
    CHECK(tap_now_ms() - start >= 49);
}

TEST(select_reports_a_frame)
{
    int fd = raw_a(), a = raw_a(), r, w, x;

    CHECK_EQ(select_on(fd, 0, &r, &w, &x), 1);
    CHECK(!r && w && !x);
    put(a, 1);
    CHECK_EQ(select_on(fd, WAIT_MS, &r, NULL, &x), 1);
    CHECK(r && !x);
    CHECK_GETS(fd, 1);
    CHECK_EQ(select_on(fd, 0, &r, NULL, NULL), 0);
}

TEST(select_reports_a_pending_error_as_readable_and_writable)
{
    int index = VCAN_UP(), fd = raw_bound(index), r, w, x;

    LINK_DOWN(index);
    CHECK_EQ(select_on(fd, WAIT_MS, &r, &w, &x), 2);
    CHECK(r && w && !x);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_EQ(select_on(fd, 0, &r, NULL, NULL), 0);
}

TEST(select_with_null_timeout_waits)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());
    fd_set r;

    if (!child) {
        await_asleep(getppid());
        put(a, 1);
        _exit(0);
    }
    FD_ZERO(&r);
    FD_SET(fd, &r);
    CHECK_EQ(select(fd + 1, &r, NULL, NULL, NULL), 1);
    CHECK_EQ(tap_join(child), 0);
}

TEST(select_leaves_the_remaining_time)
{
    int fd = raw_a(), a = raw_a();
    struct timeval t = { 100, 0 };
    fd_set r;

    put(a, 1);
    FD_ZERO(&r);
    FD_SET(fd, &r);
    CHECK_EQ(select(fd + 1, &r, NULL, NULL, &t), 1);
    CHECK(t.tv_sec >= 95 && t.tv_sec <= 100);
}

TEST(select_on_two_sockets_tells_which)
{
    int one = raw_a(), two = raw_b(), b = raw_b();
    struct timeval t = { 3, 0 };
    fd_set r;

    put(b, 1);
    FD_ZERO(&r);
    FD_SET(one, &r);
    FD_SET(two, &r);
    CHECK_EQ(select((one > two ? one : two) + 1, &r, NULL, NULL, &t), 1);
    CHECK(!FD_ISSET(one, &r) && FD_ISSET(two, &r));
}

TEST(pselect_reports_a_frame)
{
    int fd = raw_a(), a = raw_a();
    struct timespec t = { 3, 0 };
    fd_set r;

    put(a, 1);
    FD_ZERO(&r);
    FD_SET(fd, &r);
    CHECK_EQ(pselect(fd + 1, &r, NULL, NULL, &t, NULL), 1);
    FD_ZERO(&r);
    FD_SET(fd, &r);
    CHECK_GETS(fd, 1);
    t = (struct timespec){ 0, 1000000 };
    CHECK_EQ(pselect(fd + 1, &r, NULL, NULL, &t, NULL), 0);
}

TEST(select_of_a_closed_descriptor_is_ebadf)
{
    int fd = raw_a();
    struct timeval t = { 0, 0 };
    fd_set r;

    close(fd);
    FD_ZERO(&r);
    FD_SET(fd, &r);
    CHECK_ERRNO(select(fd + 1, &r, NULL, NULL, &t), EBADF);
}

TEST(ppoll_reports_a_frame)
{
    int fd = raw_a(), a = raw_a();
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct timespec t = { 3, 0 };

    put(a, 1);
    CHECK_EQ(ppoll(&p, 1, &t, NULL), 1);
    CHECK_EQ(p.revents, POLLIN);
}

TEST(poll_of_many_sockets_tells_which)
{
    struct pollfd p[30];
    int a = raw_a();

    for (int i = 0; i < 30; i++) {
        p[i] = (struct pollfd){ .fd = raw_a(), .events = POLLIN };
        filter1(p[i].fd, i, CAN_SFF_MASK);
    }
    put(a, 7);
    put(a, 21);
    await_in(p[21].fd, __FILE__, __LINE__);
    CHECK_EQ(poll(p, 30, WAIT_MS), 2);
    for (int i = 0; i < 30; i++)
        CHECK_EQ(p[i].revents, i == 7 || i == 21 ? POLLIN : 0);
}

TEST(poll_negative_descriptor_is_ignored)
{
    struct pollfd p[2] = { { .fd = -1, .events = POLLIN }, { .fd = raw_a(), .events = POLLIN } };
    int a = raw_a();

    put(a, 1);
    CHECK_EQ(poll(p, 2, WAIT_MS), 1);
    CHECK_EQ(p[0].revents, 0);
    CHECK_EQ(p[1].revents, POLLIN);
}
