/* SO_RCVTIMEO, SO_SNDTIMEO and the ways to be non-blocking. */
#include "can.h"

static void set_timeout(int fd, int option, long seconds, long microseconds)
{
    struct timeval t = { seconds, microseconds };

    OK(setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t)));
}

static int blocking(void)
{
    int fd = raw_a();

    block(fd);
    return fd;
}

TEST(timeout_of_receive_is_eagain)
{
    int fd = blocking();
    long long start = tap_now_ms();
    struct can_frame f;

    set_timeout(fd, SO_RCVTIMEO, 0, 60000);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
    CHECK(tap_now_ms() - start >= 50); /* it counts in clock ticks, and the first one is not a whole one */
    CHECK(tap_now_ms() - start < 2000);
}

TEST(timeout_applies_to_all_ways_of_receiving)
{
    int fd = blocking();
    struct can_frame f;
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

    set_timeout(fd, SO_RCVTIMEO, 0, 8000);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), EAGAIN);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), MSG_PEEK), EAGAIN);
    CHECK_ERRNO(recvfrom(fd, &f, sizeof(f), 0, NULL, NULL), EAGAIN);
    CHECK_ERRNO(recvmsg(fd, &h, 0), EAGAIN);
    CHECK_ERRNO(readv(fd, &v, 1), EAGAIN);
}

TEST(timeout_does_not_delay_a_frame)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;

    set_timeout(fd, SO_RCVTIMEO, 5, 0);
    put(a, 1);
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
}

TEST(timeout_ends_early_when_a_frame_comes)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;
    pid_t child;

    set_timeout(fd, SO_RCVTIMEO, 5, 0);
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        put(a, 1);
        _exit(0);
    }
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
    CHECK_EQ(tap_join(child), 0);
}

TEST(timeout_is_not_used_up_by_frames_for_others)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;

    filter1(fd, 5, CAN_SFF_MASK);
    set_timeout(fd, SO_RCVTIMEO, 0, 50000);
    put(a, 1);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
}

TEST(timeout_reads_back)
{
    struct timeval t = { 9, 9 };
    socklen_t len = sizeof(t);
    int fd = raw_new();

    OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len));
    CHECK_EQ(len, sizeof(t));
    CHECK_EQ(t.tv_sec, 0);
    CHECK_EQ(t.tv_usec, 0);
    set_timeout(fd, SO_RCVTIMEO, 3, 500000);
    set_timeout(fd, SO_SNDTIMEO, 4, 0);
    OK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len));
    CHECK_EQ(t.tv_sec, 3);
    CHECK_EQ(t.tv_usec, 500000);
    OK(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, &len));
    CHECK_EQ(t.tv_sec, 4);
}

TEST(timeout_zero_waits_for_ever)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;
    pid_t child;

    set_timeout(fd, SO_RCVTIMEO, 0, 1000);
    set_timeout(fd, SO_RCVTIMEO, 0, 0);
    child = OK(fork());
    if (!child) {
        struct timespec t = { 0, 30000000 };

        nanosleep(&t, NULL);
        put(a, 1);
        _exit(0);
    }
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
    CHECK_EQ(tap_join(child), 0);
}

TEST(timeout_out_of_range_is_edom)
{
    struct timeval t = { 0, 1000000 };

    CHECK_ERRNO(setsockopt(raw_new(), SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
    t.tv_usec = -1;
    CHECK_ERRNO(setsockopt(raw_new(), SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), EDOM);
}

TEST(timeout_of_wrong_size_is_einval)
{
    int value = 1;

    CHECK_ERRNO(setsockopt(raw_new(), SOL_SOCKET, SO_RCVTIMEO, &value, sizeof(value)), EINVAL);
}

TEST(timeout_negative_does_not_wait)
{
    int fd = blocking();
    struct can_frame f;

    set_timeout(fd, SO_RCVTIMEO, -1, 0);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
}

TEST(timeout_is_shared_by_duplicates)
{
    int fd = blocking(), copy = OK(dup(fd));
    struct can_frame f;

    set_timeout(copy, SO_RCVTIMEO, 0, 5000);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
}

TEST(timeout_of_sending_does_not_disturb)
{
    int fd = blocking(), peer = raw_a();

    set_timeout(fd, SO_SNDTIMEO, 0, 1000);
    for (int i = 0; i < 50; i++)
        put(fd, i);
    for (int i = 0; i < 50; i++)
        CHECK_GETS(peer, i);
}

TEST(nonblock_by_fcntl)
{
    int fd = blocking();
    struct can_frame f;

    OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
}

TEST(nonblock_by_fionbio)
{
    int fd = blocking(), on = 1, off = 0;
    struct can_frame f;

    OK(ioctl(fd, FIONBIO, &on));
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
    OK(ioctl(fd, FIONBIO, &off));
    CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    CHECK_ERRNO(ioctl(fd, FIONBIO, bad_pointer), EFAULT);
}

TEST(nonblock_wins_over_a_timeout)
{
    int fd = raw_a();
    long long start = tap_now_ms();
    struct can_frame f;

    set_timeout(fd, SO_RCVTIMEO, 5, 0);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
    CHECK(tap_now_ms() - start < 2000);
}

TEST(poll_timeout_is_kept)
{
    long long start = tap_now_ms();

    CHECK_EQ(polled(raw_a(), POLLIN, 60), 0);
    CHECK(tap_now_ms() - start >= 59);
}

static void on_alarm(int signal) { (void)signal; }

/* "For ever", said with a number, and in vain: the frame that is there is not asked for. */
TEST(ppoll_of_the_longest_time_waits)
{
    struct itimerval soon = { .it_value = { 0, 100000 } };
    struct sigaction action = { .sa_handler = on_alarm };
    struct timespec longest = { LONG_MAX, 0 };
    int fd = raw_a(), a = raw_a();
    struct pollfd p = { .fd = fd, .events = POLLPRI };

    put(a, 1);
    await_in(fd, __FILE__, __LINE__);
    OK(sigaction(SIGALRM, &action, NULL));
    OK(setitimer(ITIMER_REAL, &soon, NULL));
    CHECK_ERRNO(ppoll(&p, 1, &longest, NULL), EINTR);
    CHECK_GETS(fd, 1);
}
