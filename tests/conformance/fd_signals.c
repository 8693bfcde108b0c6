/* Signals and CAN sockets: interrupted calls, SA_RESTART, SIGIO. */
#include "link.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

static volatile sig_atomic_t signals;
static volatile sig_atomic_t signal_number;
static int signals_ignored;

static _Atomic int *handled; /* the same for other processes to see */

__attribute__((constructor)) static void start(void)
{
    handled = mmap(NULL, sizeof(*handled), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void count(int number)
{
    signals++;
    ++*handled;
    signal_number = number;
}

static void handle(int number, int flags)
{
    struct sigaction a = { .sa_handler = count, .sa_flags = flags };

    OK(sigaction(number, &a, NULL));
}

/* Sends SIGUSR1 when this process sleeps; when it has been handled and the process sleeps again, a frame. */
static pid_t interrupter(int and_frame_from)
{
    int before = *handled;
    pid_t child = OK(fork());

    if (child) return child;
    await_asleep(getppid());
    kill(getppid(), SIGUSR1);
    if (and_frame_from >= 0) {
        while (*handled == before && !signals_ignored)
            sched_yield();
        await_asleep(getppid());
        put(and_frame_from, 0x51);
    }
    _exit(0);
}

static int blocking(void)
{
    int fd = raw_a();

    block(fd);
    return fd;
}

TEST(signal_interrupts_a_blocking_read)
{
    int fd = blocking();
    struct can_frame f;
    pid_t child;

    handle(SIGUSR1, 0);
    child = interrupter(-1);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EINTR);
    CHECK_EQ(signals, 1);
    CHECK_EQ(tap_join(child), 0);
}

TEST(signal_interrupts_blocking_recv_recvfrom_recvmsg)
{
    int fd = blocking();
    struct can_frame f;
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

    handle(SIGUSR1, 0);
    interrupter(-1);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), EINTR);
    interrupter(-1);
    CHECK_ERRNO(recvfrom(fd, &f, sizeof(f), 0, NULL, NULL), EINTR);
    interrupter(-1);
    CHECK_ERRNO(recvmsg(fd, &h, 0), EINTR);
    interrupter(-1);
    CHECK_ERRNO(readv(fd, &v, 1), EINTR);
    CHECK_EQ(signals, 4);
}

TEST(signal_with_sa_restart_restarts_a_blocking_read)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;
    pid_t child;

    handle(SIGUSR1, SA_RESTART);
    child = interrupter(a);
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
    CHECK_EQ(f.can_id, 0x51);
    CHECK_EQ(signals, 1);
    CHECK_EQ(tap_join(child), 0);
}

TEST(signal_with_sa_restart_restarts_a_blocking_recvmsg)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };

    handle(SIGUSR1, SA_RESTART);
    interrupter(a);
    CHECK_EQ(recvmsg(fd, &h, 0), 16);
    CHECK_EQ(signals, 1);
}

TEST(signal_with_sa_restart_and_receive_timeout_is_eintr)
{
    int fd = blocking();
    struct timeval t = { 5, 0 };
    struct can_frame f;

    OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    handle(SIGUSR1, SA_RESTART);
    interrupter(-1);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), EINTR);
    CHECK_EQ(signals, 1);
}

TEST(signal_that_is_ignored_does_not_interrupt)
{
    int fd = blocking(), a = raw_a();
    struct can_frame f;

    signal(SIGUSR1, SIG_IGN);
    signals_ignored = 1;
    interrupter(a);
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
}

TEST(signal_interrupts_poll_select_epoll)
{
    int fd = blocking(), ep = OK(epoll_create1(0));
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct epoll_event e = { .events = EPOLLIN };
    fd_set r;

    OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    handle(SIGUSR1, SA_RESTART);
    interrupter(-1);
    CHECK_ERRNO(poll(&p, 1, -1), EINTR);
    interrupter(-1);
    FD_ZERO(&r);
    FD_SET(fd, &r);
    CHECK_ERRNO(select(fd + 1, &r, NULL, NULL, NULL), EINTR);
    interrupter(-1);
    CHECK_ERRNO(epoll_wait(ep, &e, 1, -1), EINTR);
    CHECK_EQ(signals, 3);
}

TEST(signal_unblocked_by_ppoll_interrupts)
{
    struct pollfd p = { .fd = raw_a(), .events = POLLIN };
    sigset_t usr1, none;

    handle(SIGUSR1, 0);
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &usr1, NULL));
    raise(SIGUSR1);
    CHECK_EQ(signals, 0);
    CHECK_ERRNO(ppoll(&p, 1, NULL, &none), EINTR);
    CHECK_EQ(signals, 1);
}

TEST(signal_storm_loses_no_frames)
{
    enum { FRAMES = 300 };
    struct itimerval t = { { 0, 500 }, { 0, 500 } };
    int fd = blocking(), a = raw_a(), back = raw_b(), peer = raw_b();
    pid_t child = OK(fork());
    struct can_frame f;

    if (!child) {
        for (int i = 0; i < FRAMES; i++) {
            put(a, i);
            CHECK_GETS(back, i);
        }
        _exit(0);
    }
    handle(SIGALRM, 0);
    OK(setitimer(ITIMER_REAL, &t, NULL));
    for (int i = 0; i < FRAMES; i++) {
        ssize_t n;

        while ((n = read(fd, &f, sizeof(f))) < 0)
            CHECK_EQ(errno, EINTR);
        CHECK_EQ(n, 16);
        CHECK_EQ(f.can_id, i);
        f = frame_of(i, 1);
        while ((n = write(peer, &f, sizeof(f))) < 0)
            CHECK_EQ(errno, EINTR);
        CHECK_EQ(n, 16);
    }
    t = (struct itimerval){ { 0, 0 }, { 0, 0 } };
    OK(setitimer(ITIMER_REAL, &t, NULL));
    CHECK(signals > 0);
    CHECK_EQ(tap_join(child), 0);
}

static int handler_fd;

static void send_in_handler(int number)
{
    struct can_frame f = frame_of(0x600 + number, 0);
    int error = errno;

    if (write(handler_fd, &f, sizeof(f)) == sizeof(f)) signals++;
    errno = error;
}

TEST(signal_handler_may_send)
{
    int fd = raw_a();

    handler_fd = raw_a();
    signal(SIGUSR1, send_in_handler);
    raise(SIGUSR1);
    CHECK_EQ(signals, 1);
    CHECK_GETS(fd, 0x600 + SIGUSR1);
}

TEST(signal_handler_may_send_while_the_program_sends)
{
    struct itimerval t = { { 0, 300 }, { 0, 300 } };
    int a = raw_a(), fd = raw_a(), from_handler = 0, in_order = 0;

    handler_fd = raw_a();
    signal(SIGALRM, send_in_handler);
    OK(setitimer(ITIMER_REAL, &t, NULL));
    for (int i = 0; i < 500 || !from_handler; i++) {
        struct can_frame f = frame_of(i & 0x3ff, 1);

        CHECK_EQ(write(a, &f, sizeof(f)), 16);
        do {
            f = GET(fd);
            if (f.can_id >= 0x600) from_handler++;
        } while (f.can_id >= 0x600);
        CHECK_EQ(f.can_id, i & 0x3ff);
        in_order++;
    }
    t = (struct itimerval){ { 0, 0 }, { 0, 0 } };
    OK(setitimer(ITIMER_REAL, &t, NULL));
    CHECK(in_order >= 500);
}

TEST(signal_handler_may_receive)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f;

    handle(SIGUSR1, 0);
    put(a, 1);
    put(a, 2);
    raise(SIGUSR1);
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
    CHECK_GETS(fd, 2);
}

static int async(int fd, int number)
{
    OK(fcntl(fd, F_SETOWN, getpid()));
    if (number) OK(fcntl(fd, F_SETSIG, number));
    OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
    return fd;
}

static void await_signals(int wanted)
{
    long long end = tap_now_ms() + WAIT_MS;

    while (signals < wanted && tap_now_ms() < end)
        sched_yield();
    CHECK(signals >= wanted);
}

TEST(sigio_for_a_frame)
{
    int a = raw_a(), fd;

    handle(SIGIO, SA_RESTART);
    fd = async(raw_a(), 0);
    CHECK_EQ(signals, 0);
    put(a, 1);
    await_signals(1);
    CHECK_EQ(signal_number, SIGIO);
    CHECK_GETS(fd, 1);
}

TEST(sigio_for_every_frame_when_drained)
{
    int a = raw_a(), fd;

    handle(SIGIO, SA_RESTART);
    fd = async(raw_a(), 0);
    for (int i = 1; i <= 20; i++) {
        put(a, i);
        await_signals(i);
        CHECK_GETS(fd, i);
    }
}

TEST(sigio_not_for_frames_that_do_not_match)
{
    int a = raw_a(), fd;

    handle(SIGIO, SA_RESTART);
    fd = async(raw_a(), 0);
    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 1);
    CHECK_QUIET(fd);
    CHECK_EQ(signals, 0);
}

TEST(sigio_for_down)
{
    int index = VCAN_UP(), fd;

    handle(SIGIO, SA_RESTART);
    fd = async(raw_bound(index), 0);
    LINK_DOWN(index);
    await_signals(1);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
}

TEST(sigio_by_fioasync_and_siocspgrp)
{
    int a = raw_a(), fd = raw_a(), on = 1, owner = getpid(), got = 0;

    handle(SIGIO, SA_RESTART);
    OK(ioctl(fd, FIOASYNC, &on));
    OK(ioctl(fd, FIOSETOWN, &owner));
    OK(ioctl(fd, FIOGETOWN, &got));
    CHECK_EQ(got, owner);
    OK(ioctl(fd, SIOCSPGRP, &owner));
    OK(ioctl(fd, SIOCGPGRP, &got));
    CHECK_EQ(got, owner);
    CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
    CHECK_EQ(fcntl(fd, F_GETOWN), owner);
    put(a, 1);
    await_signals(1);
}

TEST(sigio_switched_off)
{
    int a = raw_a(), fd, off = 0;

    handle(SIGIO, SA_RESTART);
    fd = async(raw_a(), 0);
    OK(ioctl(fd, FIOASYNC, &off));
    put(a, 1);
    CHECK_GETS(fd, 1);
    CHECK_EQ(signals, 0);
}

TEST(sigio_by_a_chosen_signal_tells_the_descriptor)
{
    int a = raw_a(), fd = raw_a(), number = SIGRTMIN + 2;
    struct timespec t = { 3, 0 };
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    async(fd, number);
    put(a, 1);
    CHECK_EQ(sigtimedwait(&set, &info, &t), number);
    CHECK_EQ(info.si_fd, fd);
    CHECK(info.si_band & POLLIN);
}

TEST(sigio_for_every_frame_of_a_backlog)
{
    int a = raw_a(), fd, number = SIGRTMIN + 2;
    struct timespec t = { 3, 0 }, none = { 0, 0 };
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    fd = async(raw_a(), number);
    for (int i = 1; i <= 30; i++)
        put(a, i);
    for (int i = 1; i <= 30; i++) {
        CHECK_EQ(sigtimedwait(&set, NULL, &t), number);
        CHECK_GETS(fd, i);
    }
    CHECK_ERRNO(sigtimedwait(&set, NULL, &none), EAGAIN);
}

TEST(wakeups_any_first_then_latest_bound_first)
{
    int a = raw_a(), number = SIGRTMIN + 3, first, second, any;
    struct timespec t = { 3, 0 };
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, number);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    first = async(raw_a(), number);
    second = async(raw_a(), number);
    any = async(raw_any(), number);
    put(a, 1);
    CHECK_EQ(sigtimedwait(&set, &info, &t), number);
    CHECK_EQ(info.si_fd, any);
    CHECK_EQ(sigtimedwait(&set, &info, &t), number);
    CHECK_EQ(info.si_fd, second);
    CHECK_EQ(sigtimedwait(&set, &info, &t), number);
    CHECK_EQ(info.si_fd, first);
}

TEST(write_raises_no_sigpipe_when_the_device_is_gone)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct can_frame f = frame_of(1, 1);

    handle(SIGPIPE, 0);
    LINK_DELETE(index);
    CHECK_ERRNO(write(fd, &f, sizeof(f)), ENXIO);
    CHECK_EQ(signals, 0);
}

TEST(calls_that_succeed_leave_errno_alone)
{
    int fd = raw_a(), a = raw_a(), copy;
    struct can_frame f = frame_of(1, 1);

    errno = 4711;
    CHECK_EQ(write(a, &f, sizeof(f)), 16);
    CHECK_EQ(errno, 4711);
    CHECK_EQ(recv(fd, &f, sizeof(f), 0), 16);
    CHECK_EQ(errno, 4711);
    copy = dup(fd);
    CHECK_EQ(errno, 4711);
    close(copy);
    CHECK_EQ(errno, 4711);
    filter1(fd, 1, 1);
    CHECK_EQ(errno, 4711);
    close(socket(PF_CAN, SOCK_RAW, CAN_RAW));
    CHECK_EQ(errno, 4711);
}
