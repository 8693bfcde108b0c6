/* Other ways into the same calls: syscall(2), and the checked variants that _FORTIFY_SOURCE chooses. */
#ifndef _FORTIFY_SOURCE
#define _FORTIFY_SOURCE 2
#endif
#include "can.h"

#include <sys/syscall.h>

TEST(syscall_socket_bind_write_read_close)
{
    struct sockaddr_can a = can_addr(index_of(if_a())), name;
    struct can_frame f = frame_of(0x123, 3), g;
    socklen_t len = sizeof(name);
    int fd, peer = raw_a();

    fd = OK(syscall(SYS_socket, PF_CAN, SOCK_RAW, CAN_RAW));
    OK(syscall(SYS_bind, fd, &a, sizeof(a)));
    OK(syscall(SYS_getsockname, fd, &name, &len));
    CHECK_EQ(len, 8);
    CHECK_EQ(name.can_ifindex, a.can_ifindex);
    CHECK_EQ(syscall(SYS_write, fd, &f, sizeof(f)), 16);
    CHECK_GETS(peer, 0x123);
    put(peer, 0x124);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(syscall(SYS_read, fd, &g, sizeof(g)), 16);
    CHECK_EQ(g.can_id, 0x124);
    OK(syscall(SYS_close, fd));
    CHECK_ERRNO(syscall(SYS_fcntl, fd, F_GETFD, 0), EBADF);
}

TEST(syscall_errors_are_in_errno)
{
    struct can_frame f = frame_of(1, 1);
    int fd = raw_a();

    CHECK_ERRNO(syscall(SYS_socket, PF_CAN, SOCK_STREAM, CAN_RAW), EPROTOTYPE);
    CHECK_ERRNO(syscall(SYS_read, fd, &f, sizeof(f)), EAGAIN);
    CHECK_ERRNO(syscall(SYS_write, fd, &f, 15), EINVAL);
    CHECK_ERRNO(syscall(SYS_connect, fd, &f, 16), EOPNOTSUPP);
}

TEST(syscall_options_and_messages)
{
    struct can_frame f = frame_of(0x125, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
    int fd = raw_a(), peer = raw_a(), on = 1, value = 0;
    socklen_t len = sizeof(value);

    OK(syscall(SYS_setsockopt, fd, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &on, sizeof(on)));
    OK(syscall(SYS_getsockopt, fd, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &value, &len));
    CHECK_EQ(value, 1);
    CHECK_EQ(syscall(SYS_sendmsg, fd, &h, 0), 16);
    CHECK_EQ(syscall(SYS_sendto, fd, &f, sizeof(f), 0, NULL, 0), 16);
    CHECK_EQ(syscall(SYS_writev, fd, &v, 1), 16);
    for (int i = 0; i < 3; i++)
        CHECK_GETS(peer, 0x125);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(syscall(SYS_recvmsg, fd, &h, 0), 16);
    CHECK_EQ(h.msg_flags, MSG_DONTROUTE | MSG_CONFIRM);
    CHECK_EQ(syscall(SYS_recvfrom, fd, &f, sizeof(f), 0, NULL, NULL), 16);
    CHECK_EQ(syscall(SYS_readv, fd, &v, 1), 16);
}

TEST(syscall_dup_and_close_range)
{
    int fd = raw_a(), a = raw_a(), copy = OK(syscall(SYS_dup, fd));

    put(a, 1);
    CHECK_GETS(copy, 1);
    OK(syscall(SYS_dup3, fd, 100, O_CLOEXEC));
    put(a, 2);
    CHECK_GETS(100, 2);
    OK(syscall(SYS_close_range, 100, 100, 0));
    CHECK_ERRNO(fcntl(100, F_GETFD), EBADF);
    put(a, 3);
    CHECK_GETS(fd, 3);
}

/* the length is hidden from the compiler, so that it calls the function which checks at run time */
static volatile size_t frame_size = sizeof(struct can_frame);

TEST(fortified_read_recv_recvfrom)
{
    struct can_frame f;
    int fd = raw_a(), a = raw_a();

    for (canid_t id = 1; id <= 3; id++)
        put(a, id);
    await_in(fd, __FILE__, __LINE__);
    CHECK_EQ(read(fd, &f, frame_size), 16);
    CHECK_EQ(f.can_id, 1);
    CHECK_EQ(recv(fd, &f, frame_size, 0), 16);
    CHECK_EQ(f.can_id, 2);
    CHECK_EQ(recvfrom(fd, &f, frame_size, 0, NULL, NULL), 16);
    CHECK_EQ(f.can_id, 3);
    CHECK_ERRNO(read(fd, &f, frame_size), EAGAIN);
}

TEST(fortified_poll)
{
    struct pollfd p[2] = { { .fd = raw_a(), .events = POLLIN }, { .fd = raw_b(), .events = POLLIN } };
    volatile nfds_t count = 2;
    struct timespec t = { 3, 0 };

    put(raw_b(), 1);
    CHECK_EQ(poll(p, count, WAIT_MS), 1);
    CHECK_EQ(ppoll(p, count, &t, NULL), 1);
    CHECK_EQ(p[1].revents, POLLIN);
}

TEST(fortified_overflow_is_caught)
{
#ifndef __GLIBC__
    SKIP("this libc has no fortified functions");
#endif
    struct can_frame f;
    int fd = raw_a(), a = raw_a(), status;
    pid_t child = OK(fork());

    if (!child) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, 2);
        put(a, 1);
        frame_size = 64;
        if (read(fd, &f, frame_size) != 16) _exit(2);
        _exit(__builtin_dynamic_object_size(&f, 0) == sizeof(f) ? 3 : 4);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
