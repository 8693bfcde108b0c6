/* CAN sockets passed over UNIX sockets, and taken with pidfd_getfd(2). */
#include "can.h"

#include <sys/syscall.h>

static int unix_pair[2];

static void make_pair(int type) { OK(socketpair(AF_UNIX, type, 0, unix_pair)); }

static void send_fds(int via, const int *fds, int count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
    char byte = 'f';
    struct iovec v = { &byte, 1 };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control };
    struct cmsghdr *c;

    memset(control, 0, sizeof(control));
    h.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
    CHECK_EQ(sendmsg(via, &h, 0), 1);
}

static int receive_fds(int via, int *fds, int flags)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
    char byte;
    struct iovec v = { &byte, 1 };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c;

    CHECK_EQ(recvmsg(via, &h, flags), 1);
    c = CMSG_FIRSTHDR(&h);
    CHECK(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS);
    memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
}

static int pass(int fd)
{
    int got = -1;

    send_fds(unix_pair[0], &fd, 1);
    CHECK_EQ(receive_fds(unix_pair[1], &got, 0), 1);
    return got;
}

TEST(scm_within_a_process_is_a_duplicate)
{
    int fd = raw_a(), a = raw_a(), copy;

    make_pair(SOCK_STREAM);
    copy = pass(fd);
    CHECK(copy != fd);
    put(a, 1);
    CHECK_GETS(copy, 1);
    CHECK_QUIET(fd);
    put(copy, 2);
    CHECK_GETS(a, 2);
    CHECK_QUIET(fd);
}

TEST(scm_over_datagram_and_seqpacket)
{
    static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
    int a = raw_a();

    for (int i = 0; i < 2; i++) {
        int copy;

        make_pair(types[i]);
        copy = pass(raw_a());
        put(a, 1);
        CHECK_GETS(copy, 1);
    }
}

TEST(scm_shares_options)
{
    int fd = raw_a(), copy;

    make_pair(SOCK_STREAM);
    copy = pass(fd);
    raw_set(copy, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 1);
}

TEST(scm_keeps_a_socket_alive_in_flight)
{
    int fd = raw_a(), a = raw_a(), got = -1;

    make_pair(SOCK_STREAM);
    send_fds(unix_pair[0], &fd, 1);
    close(fd);
    put(a, 1);
    CHECK_EQ(receive_fds(unix_pair[1], &got, 0), 1);
    CHECK_GETS(got, 1);
}

TEST(scm_with_cmsg_cloexec)
{
    int fd = raw_a(), got = -1;

    make_pair(SOCK_STREAM);
    send_fds(unix_pair[0], &fd, 1);
    CHECK_EQ(receive_fds(unix_pair[1], &got, MSG_CMSG_CLOEXEC), 1);
    CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
}

TEST(scm_several_at_once)
{
    int fds[3], got[3], a = raw_a(), b = raw_b();

    fds[0] = raw_a();
    fds[1] = OK(open("/dev/zero", O_RDONLY));
    fds[2] = raw_b();
    make_pair(SOCK_STREAM);
    send_fds(unix_pair[0], fds, 3);
    CHECK_EQ(receive_fds(unix_pair[1], got, 0), 3);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    put(a, 1);
    put(b, 2);
    CHECK_GETS(got[0], 1);
    CHECK_GETS(got[2], 2);
}

TEST(scm_to_a_child_started_before_the_socket)
{
    int fd, a = raw_a();
    pid_t child;

    make_pair(SOCK_STREAM);
    child = OK(fork());
    if (!child) {
        int got = -1;

        CHECK_EQ(receive_fds(unix_pair[1], &got, 0), 1);
        CHECK_GETS(got, 5);
        put(got, 6);
        _exit(0);
    }
    fd = raw_a();
    put(a, 5);
    send_fds(unix_pair[0], &fd, 1);
    close(fd);
    CHECK_EQ(tap_join(child), 0);
    CHECK_GETS(a, 6);
}

TEST(scm_from_a_child_that_exits)
{
    int a = raw_a(), got = -1;
    pid_t child;

    make_pair(SOCK_STREAM);
    child = OK(fork());
    if (!child) {
        int fd = raw_a();

        filter1(fd, 5, CAN_SFF_MASK);
        send_fds(unix_pair[0], &fd, 1);
        _exit(0);
    }
    CHECK_EQ(receive_fds(unix_pair[1], &got, 0), 1);
    CHECK_EQ(tap_join(child), 0);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(got, 5);
    CHECK_QUIET(got);
}

TEST(scm_into_a_number_used_by_a_closed_can_socket)
{
    int fd = raw_a(), b = raw_b(), sender = raw_b(), old = raw_a(), got = -1;

    make_pair(SOCK_STREAM);
    (void)fd;
    send_fds(unix_pair[0], &b, 1);
    close(old);
    CHECK_EQ(receive_fds(unix_pair[1], &got, 0), 1);
    CHECK_EQ(got, old);
    put(sender, 1);
    CHECK_GETS(got, 1);
}

TEST(scm_pidfd_getfd_is_a_duplicate)
{
    int fd = raw_a(), a = raw_a(), p[2], pidfd, got;
    pid_t child;
    char byte;

    OK(pipe(p));
    child = OK(fork());
    if (!child) {
        close(p[1]);
        CHECK_EQ(read(p[0], &byte, 1), 0);
        _exit(0);
    }
    close(p[0]);
    pidfd = OK(syscall(SYS_pidfd_open, child, 0));
    got = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    if (got < 0) SKIP("no pidfd_getfd here");
    put(a, 1);
    CHECK_GETS(got, 1);
    CHECK_QUIET(fd);
    close(p[1]);
    CHECK_EQ(tap_join(child), 0);
}

TEST(scm_rights_on_a_can_socket_are_ignored)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct can_frame f = frame_of(1, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c;
    int fd = raw_a(), peer = raw_a();
    struct message m;

    memset(control, 0, sizeof(control));
    c = CMSG_FIRSTHDR(&h);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    CHECK_EQ(sendmsg(fd, &h, 0), 16);
    RECEIVE(peer, &m);
    CHECK_EQ(control_count(&m), 0);
}
