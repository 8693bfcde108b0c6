/* The exact poll masks of CAN_RAW sockets. */
#include "link.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#define ALL                                                                                                  \
    (POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLNVAL | POLLRDNORM | POLLRDBAND | POLLWRNORM |      \
     POLLWRBAND | POLLMSG | POLLRDHUP)

#define IDLE   (POLLOUT | POLLWRNORM | POLLWRBAND)
#define QUEUED (IDLE | POLLIN | POLLRDNORM)

static int mask(int fd) { return polled(fd, ALL, 0); }

TEST(poll_idle)
{
    CHECK_EQ(mask(raw_new()), IDLE);
    CHECK_EQ(mask(raw_a()), IDLE);
    CHECK_EQ(mask(raw_any()), IDLE);
    CHECK_EQ(IDLE, 0x304);
}

TEST(poll_with_a_frame)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(mask(fd), QUEUED);
    CHECK_EQ(QUEUED, 0x345);
    CHECK_GETS(fd, 1);
    CHECK_EQ(mask(fd), IDLE);
}

TEST(poll_reports_only_what_was_asked)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(polled(fd, POLLIN, 0), POLLIN);
    CHECK_EQ(polled(fd, POLLRDNORM, 0), POLLRDNORM);
    CHECK_EQ(polled(fd, POLLOUT, 0), POLLOUT);
    CHECK_EQ(polled(fd, POLLPRI, 0), 0);
    CHECK_EQ(polled(fd, 0, 0), 0);
}

TEST(poll_with_a_pending_error)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(mask(fd), IDLE | POLLERR);
    CHECK_EQ(polled(fd, 0, 0), POLLERR);
}

TEST(poll_with_a_pending_error_and_a_frame)
{
    int index = VCAN_UP(), fence = fence_on(index), fd = raw_bound(index), a = raw_bound(index);

    put(a, 1);
    fence_pass(fence, 1);
    LINK_DOWN(index);
    CHECK_EQ(mask(fd), QUEUED | POLLERR);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_EQ(mask(fd), QUEUED);
}

TEST(poll_after_delete_is_an_error_without_hangup)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DELETE(index);
    CHECK_EQ(mask(fd), IDLE | POLLERR);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    CHECK_EQ(mask(fd), IDLE);
}

TEST(poll_writable_while_the_device_is_down)
{
    int index = VCAN_UP(), fd = raw_bound(index);

    LINK_DOWN(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_EQ(mask(fd), IDLE);
}

TEST(poll_ignores_the_low_water_mark)
{
    int fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVLOWAT, 1000);
    put(a, 1);
    CHECK_EQ(polled(fd, POLLIN, WAIT_MS), POLLIN);
}

TEST(poll_full_receive_buffer_is_readable_and_writable)
{
    int fd = raw_a(), a = raw_a();

    for (int i = 0; i < 400; i++)
        put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(mask(fd), QUEUED);
    CHECK_EQ(mask(a), IDLE);
}

TEST(poll_frame_for_nobody_changes_nothing)
{
    int fd = raw_a(), a = raw_a();

    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 1);
    CHECK_EQ(polled(fd, POLLIN, QUIET_MS), 0);
    put(fd, 2);
    CHECK_EQ(polled(fd, POLLIN, QUIET_MS), 0);
}

static int with_error_queue(void)
{
    int fd = raw_a(), flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

    sol_set(fd, SO_TIMESTAMPING, flags);
    return fd;
}

TEST(poll_with_a_message_in_the_error_queue)
{
    int fd = with_error_queue();
    struct message m;

    put(fd, 1);
    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    CHECK_EQ(mask(fd), IDLE | POLLERR);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, 16);
    CHECK_EQ(mask(fd), IDLE);
}

TEST(poll_with_select_err_queue_adds_pri)
{
    int fd = with_error_queue();

    sol_set(fd, SO_SELECT_ERR_QUEUE, 1);
    put(fd, 1);
    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    CHECK_EQ(mask(fd), IDLE | POLLERR | POLLPRI);
}
