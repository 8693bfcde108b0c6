/* CAN sockets in epoll: level and edge, one shot, nested, with fork and dup. */
#include "link.h"

#include <sys/epoll.h>

static int epoll_with(int fd, unsigned events)
{
    struct epoll_event e = { .events = events, .data.fd = fd };
    int ep = OK(epoll_create1(EPOLL_CLOEXEC));

    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    return ep;
}

static unsigned wait_ms(int ep, int ms)
{
    struct epoll_event e = { 0 };

    return OK(epoll_wait(ep, &e, 1, ms)) ? e.events : 0;
}

TEST(epoll_level_reports_while_frames_are_queued)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);

    CHECK_EQ(wait_ms(ep, 0), 0);
    put(a, 1);
    put(a, 2);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 2);
    CHECK_EQ(wait_ms(ep, 0), 0);
}

TEST(epoll_add_reports_frames_queued_before)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(wait_ms(epoll_with(fd, EPOLLIN), WAIT_MS), EPOLLIN);
    CHECK_EQ(wait_ms(epoll_with(fd, EPOLLIN | EPOLLET), WAIT_MS), EPOLLIN);
}

TEST(epoll_idle_socket_is_writable)
{
    CHECK_EQ(wait_ms(epoll_with(raw_a(), EPOLLOUT), 0), EPOLLOUT);
    CHECK_EQ(wait_ms(epoll_with(raw_new(), EPOLLOUT | EPOLLIN), 0), EPOLLOUT);
}

TEST(epoll_frame_for_nobody_reports_nothing)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLET);

    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 1);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
    put(a, 5);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
}

TEST(epoll_edge_reports_a_frame_once)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLET);

    put(a, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
    CHECK_GETS(fd, 1);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
}

TEST(epoll_edge_reports_a_new_frame_though_others_are_queued)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLET);

    put(a, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    put(a, 2);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
}

TEST(epoll_edge_reports_a_new_frame_after_a_partial_drain)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLET);

    put(a, 1);
    put(a, 2);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 1);
    put(a, 3);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 2);
    CHECK_GETS(fd, 3);
}

TEST(epoll_edge_reports_every_frame_when_drained_each_time)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLET);

    for (int i = 0; i < 200; i++) {
        put(a, i);
        CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
        CHECK_GETS(fd, i);
        CHECK_EQ(wait_ms(ep, 0), 0);
    }
}

TEST(epoll_edge_sleeping_waiter_wakes_for_every_frame)
{
    int fd = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLET), a = raw_a(), back = raw_b(), peer = raw_b();
    pid_t child = OK(fork());

    if (!child) {
        for (int i = 0; i < 100; i++) {
            put(a, i);
            CHECK_GETS(back, i);
        }
        _exit(0);
    }
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
        CHECK_GETS(fd, i);
        CHECK_QUIET(fd);
        put(peer, i);
    }
    CHECK_EQ(tap_join(child), 0);
}

TEST(epoll_oneshot_is_disabled_after_one_event)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLONESHOT);
    struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT };

    put(a, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    put(a, 2);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e));
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 2);
}

TEST(epoll_mod_changes_the_events)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);
    struct epoll_event e = { .events = EPOLLOUT };

    put(a, 1);
    OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e));
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLOUT);
}

TEST(epoll_del_stops_reports)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);

    OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
    put(a, 1);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), ENOENT);
}

TEST(epoll_add_twice_is_eexist)
{
    int fd = raw_a(), ep = epoll_with(fd, EPOLLIN);
    struct epoll_event e = { .events = EPOLLIN };

    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EEXIST);
}

TEST(epoll_close_removes_the_socket)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);

    put(a, 1);
    close(fd);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
}

TEST(epoll_close_of_one_duplicate_keeps_reporting)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);

    OK(dup(fd));
    close(fd);
    put(a, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
}

TEST(epoll_nested_reports_through)
{
    int fd = raw_a(), a = raw_a(), inner = epoll_with(fd, EPOLLIN), outer = epoll_with(inner, EPOLLIN);

    CHECK_EQ(wait_ms(outer, 0), 0);
    put(a, 1);
    CHECK_EQ(wait_ms(outer, WAIT_MS), EPOLLIN);
    CHECK_EQ(wait_ms(inner, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 1);
    CHECK_EQ(wait_ms(outer, 0), 0);
}

TEST(epoll_inside_poll_and_select)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);
    struct timeval t = { WAIT_MS / 1000, 0 };
    fd_set set;

    CHECK_EQ(polled(ep, POLLIN, 0), 0);
    put(a, 1);
    CHECK_EQ(polled(ep, POLLIN, WAIT_MS), POLLIN);
    FD_ZERO(&set);
    FD_SET(ep, &set);
    CHECK_EQ(select(ep + 1, &set, NULL, NULL, &t), 1);
}

TEST(epoll_several_sockets_tell_which)
{
    struct epoll_event e = { .events = EPOLLIN };
    int ep = OK(epoll_create1(0)), fds[20], a = raw_a();

    for (int i = 0; i < 20; i++) {
        fds[i] = raw_a();
        filter1(fds[i], i, CAN_SFF_MASK);
        e.data.u32 = i;
        OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e));
    }
    for (unsigned i = 0; i < 20; i += 3) {
        put(a, i);
        CHECK_EQ(epoll_wait(ep, &e, 1, WAIT_MS), 1);
        CHECK_EQ(e.data.u32, i);
        CHECK_GETS(fds[i], i);
    }
    CHECK_EQ(wait_ms(ep, 0), 0);
}

TEST(epoll_mixed_with_pipes)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN), p[2];
    struct epoll_event e = { .events = EPOLLIN }, got[4];

    OK(pipe(p));
    e.data.fd = p[0];
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
    put(a, 1);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(ep, got, 4, WAIT_MS), 2);
    CHECK_GETS(fd, 1);
    CHECK_EQ(epoll_wait(ep, got, 4, WAIT_MS), 1);
    CHECK_EQ(got[0].data.fd, p[0]);
}

TEST(epoll_in_a_forked_child)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);
    pid_t child = OK(fork());

    if (!child) {
        CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
        CHECK_GETS(fd, 1);
        _exit(0);
    }
    put(a, 1);
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(wait_ms(ep, 0), 0);
}

TEST(epoll_reports_down_as_error)
{
    int index = VCAN_UP(), fd = raw_bound(index), ep = epoll_with(fd, EPOLLIN | EPOLLOUT);

    LINK_DOWN(index);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLERR | EPOLLOUT);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLOUT);
}

TEST(epoll_edge_reports_down_once)
{
    int index = VCAN_UP(), fd = raw_bound(index), ep = epoll_with(fd, EPOLLIN | EPOLLET);

    LINK_DOWN(index);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLERR);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
}

TEST(epoll_exclusive_is_accepted)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLEXCLUSIVE);

    put(a, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
}

TEST(epoll_two_instances_both_report)
{
    int fd = raw_a(), a = raw_a(), one = epoll_with(fd, EPOLLIN), two = epoll_with(fd, EPOLLIN | EPOLLET);

    put(a, 1);
    CHECK_EQ(wait_ms(one, WAIT_MS), EPOLLIN);
    CHECK_EQ(wait_ms(two, WAIT_MS), EPOLLIN);
}

TEST(epoll_socket_bound_after_it_was_added)
{
    int fd = raw_new(), a = raw_a(), ep = epoll_with(fd, EPOLLIN);

    OK(bind_index(fd, index_of(if_a())));
    put(a, 1);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
}

TEST(epoll_reports_no_hangup_after_the_last_sender_closes)
{
    int fd = raw_a(), a = raw_a(), ep = epoll_with(fd, EPOLLIN | EPOLLRDHUP);

    put(a, 1);
    close(a);
    CHECK_EQ(wait_ms(ep, WAIT_MS), EPOLLIN);
    CHECK_GETS(fd, 1);
    CHECK_EQ(wait_ms(ep, QUIET_MS), 0);
}

TEST(epoll_pwait2_times_out)
{
    int fd = raw_a(), ep = epoll_with(fd, EPOLLIN);
    struct timespec t = { 0, 30000000 };
    struct epoll_event e;
    long long start = tap_now_ms();

    CHECK_EQ(epoll_pwait2(ep, &e, 1, &t, NULL), 0);
    CHECK(tap_now_ms() - start >= 29);
}
