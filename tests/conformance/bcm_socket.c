/* CAN_BCM sockets: opening, connecting, the calls they have and those they do not have. */
#include "bcm.h"

#include <sys/sendfile.h>

TEST(socket_is_a_datagram_socket_of_protocol_0)
{
    int fd = bcm_new();

    CHECK_EQ(sol_get(fd, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(sol_get(fd, SO_DOMAIN), PF_CAN);
    CHECK_EQ(sol_get(fd, SO_PROTOCOL), 0);
}

TEST(socket_of_another_type_is_eprototype)
{
    CHECK_ERRNO(socket(PF_CAN, SOCK_RAW, CAN_BCM), EPROTOTYPE);
    CHECK_ERRNO(socket(PF_CAN, SOCK_STREAM, CAN_BCM), EPROTOTYPE);
    CHECK_ERRNO(socket(PF_CAN, SOCK_SEQPACKET, CAN_BCM), EPROTOTYPE);
    CHECK_ERRNO(socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK, CAN_BCM), EPROTOTYPE);
}

TEST(socket_flags_are_kept)
{
    int fd = OK(socket(PF_CAN, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_BCM));

    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    fd = OK(socket(PF_CAN, SOCK_DGRAM, CAN_BCM));
    CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(connect_of_less_than_8_bytes_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = bcm_new();

    CHECK_ERRNO(connect(fd, (struct sockaddr *)&a, 7), EINVAL);
    CHECK_ERRNO(connect(fd, (struct sockaddr *)&a, 0), EINVAL);
    OK(connect(fd, (struct sockaddr *)&a, 8));
}

TEST(connect_to_what_is_no_can_interface_is_enodev)
{
    int fd = bcm_new();

    CHECK_ERRNO(bcm_connect(fd, 9999), ENODEV);
    CHECK_ERRNO(bcm_connect(fd, -1), ENODEV);
    CHECK_ERRNO(bcm_connect(fd, if_nametoindex("lo")), ENODEV);
    OK(bcm_connect(fd, index_of(if_a())));
}

TEST(connect_ignores_the_family)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = bcm_new();

    a.can_family = AF_INET;
    OK(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

TEST(connect_takes_a_longer_address)
{
    struct {
        struct sockaddr_can a;
        char more[40];
    } a = { .a = can_addr(index_of(if_a())) };

    OK(connect(bcm_new(), (struct sockaddr *)&a, sizeof(a)));
}

TEST(connect_again_is_eisconn)
{
    struct sockaddr nothing = { .sa_family = AF_UNSPEC };
    int fd = bcm_a();

    CHECK_ERRNO(bcm_connect(fd, index_of(if_a())), EISCONN);
    CHECK_ERRNO(bcm_connect(fd, 0), EISCONN);
    CHECK_ERRNO(bcm_connect(fd, 9999), EISCONN);
    CHECK_ERRNO(connect(fd, &nothing, sizeof(nothing)), EISCONN);
    CHECK_ERRNO(connect(fd, &nothing, 2), EINVAL);
}

TEST(connect_to_a_bad_pointer_is_efault)
{
    int fd = bcm_new();

    CHECK_ERRNO(connect(fd, bad_pointer, 8), EFAULT);
    CHECK_ERRNO(connect(fd, bad_pointer, 4000), EINVAL);
}

TEST(connect_to_an_interface_that_is_down_is_no_error)
{
    int fd = bcm_on(VCAN_DOWN());

    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_EQ(polled(fd, POLLIN, 0), 0);
}

TEST(send_before_connect_is_enotconn)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = bcm_new();

    CHECK_ERRNO(ASK(fd, TX_SEND, .frames = "01"), ENOTCONN);
    CHECK_ERRNO(ASK(fd, TX_SEND, .frames = "01", .to = &a), ENOTCONN);
    CHECK_ERRNO(write(fd, "", 1), ENOTCONN);
    CHECK_ERRNO(write(fd, "", 0), ENOTCONN);
    CHECK_ERRNO(write(fd, bad_pointer, HEAD + 16), ENOTCONN);
}

TEST(recv_before_connect_is_eagain)
{
    int fd = bcm_new();
    struct timeval t = { 0, 1000 };

    CHECK_EQ(recv_errno(fd), EAGAIN);
    block(fd);
    OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    CHECK_ERRNO(read(fd, &t, sizeof(t)), EAGAIN);
}

TEST(poll_of_an_idle_socket_is_writable)
{
    int fd = bcm_new();

    CHECK_EQ(polled(fd, POLLIN | POLLOUT | POLLWRNORM | POLLWRBAND, 0), POLLOUT | POLLWRNORM | POLLWRBAND);
    OK(bcm_connect(fd, 0));
    CHECK_EQ(polled(fd, POLLIN | POLLOUT, 0), POLLOUT);
}

TEST(calls_it_has_not_are_eopnotsupp)
{
    int fds[] = { bcm_new(), bcm_a() }, pair[2], value = 0;
    socklen_t len = sizeof(value);

    for (int i = 0; i < 2; i++) {
        struct sockaddr_can a = can_addr(index_of(if_a()));
        socklen_t alen = sizeof(a);

        CHECK_ERRNO(bind(fds[i], (struct sockaddr *)&a, sizeof(a)), EOPNOTSUPP);
        CHECK_ERRNO(listen(fds[i], 1), EOPNOTSUPP);
        CHECK_ERRNO(accept(fds[i], NULL, NULL), EOPNOTSUPP);
        CHECK_ERRNO(shutdown(fds[i], SHUT_RD), EOPNOTSUPP);
        CHECK_ERRNO(shutdown(fds[i], SHUT_RDWR), EOPNOTSUPP);
        CHECK_ERRNO(getsockname(fds[i], (struct sockaddr *)&a, &alen), EOPNOTSUPP);
        CHECK_ERRNO(getpeername(fds[i], (struct sockaddr *)&a, &alen), EOPNOTSUPP);
    }
    CHECK_ERRNO(socketpair(PF_CAN, SOCK_DGRAM, CAN_BCM, pair), EOPNOTSUPP);
    for (int level = 99; level < 109; level++) {
        CHECK_ERRNO(setsockopt(fds[0], level, 1, &value, sizeof(value)), EOPNOTSUPP);
        CHECK_ERRNO(getsockopt(fds[0], level, 1, &value, &len), EOPNOTSUPP);
    }
    CHECK_EQ(sol_get(fds[0], SO_ERROR), 0);
}

TEST(mmap_is_enodev)
{
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, bcm_new(), 0) == MAP_FAILED);
    CHECK_EQ(errno, ENODEV);
}

TEST(ioctl_knows_interfaces)
{
    struct ifreq r = { 0 };
    int fd = bcm_new();

    strcpy(r.ifr_name, if_a());
    OK(ioctl(fd, SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, index_of(if_a()));
    memset(r.ifr_name, 0, sizeof(r.ifr_name));
    OK(ioctl(fd, SIOCGIFNAME, &r));
    CHECK(!strcmp(r.ifr_name, if_a()));
    OK(ioctl(fd, SIOCGIFMTU, &r));
    CHECK_EQ(r.ifr_mtu, 72);
    r.ifr_ifindex = 9999;
    CHECK_ERRNO(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
    strcpy(r.ifr_name, "nosuchif");
    CHECK_ERRNO(ioctl(fd, SIOCGIFINDEX, &r), ENODEV);
}

TEST(ioctl_of_queues_is_enotty)
{
    int fd = bcm_a(), value;

    CHECK_ERRNO(ioctl(fd, FIONREAD, &value), ENOTTY);
    CHECK_ERRNO(ioctl(fd, SIOCOUTQ, &value), ENOTTY);
}

TEST(ioctl_of_stamps_is_enoent_before_there_is_one)
{
    int fd = bcm_a(), raw = raw_a();
    struct timespec t, got;
    struct timeval v;

    CHECK_ERRNO(ioctl(fd, SIOCGSTAMPNS, &t), ENOENT);
    SETUP(fd, RX_SETUP, .id = 0x100);
    send_frame(raw, 0x100, "01");
    CHANGED(fd, 0x100, "01");
    OK(ioctl(fd, SIOCGSTAMP, &v)); /* ENOENT was the wish for stamps */
    send_frame(raw, 0x100, "02");
    CHANGED(fd, 0x100, "02");
    OK(ioctl(fd, SIOCGSTAMPNS, &got));
    CHECK(got.tv_sec > 1500000000);
}

TEST(so_error_of_an_idle_socket_is_0) { CHECK_EQ(sol_get(bcm_a(), SO_ERROR), 0); }

TEST(so_peername_and_so_peergroups_know_nobody)
{
    char name[128];
    socklen_t len = sizeof(name);

    CHECK_ERRNO(getsockopt(bcm_a(), SOL_SOCKET, SO_PEERNAME, name, &len), ENOTCONN);
    CHECK_ERRNO(getsockopt(bcm_a(), SOL_SOCKET, SO_PEERGROUPS, name, &len), ENODATA);
    CHECK_EQ(len, sizeof(name));
    CHECK_ERRNO(setsockopt(bcm_a(), SOL_SOCKET, SO_PEERNAME, name, sizeof(name)), ENOPROTOOPT);
}

TEST(sendfile_and_vectors_are_messages)
{
    struct bcm_message m;
    int fd = bcm_a(), o = observer_a(0x101), size;
    struct iovec iov[3];

    size = bcm_compose(&(struct bcm_request){ TX_SEND, .frames = "101:0102" }, &m);
    iov[0] = (struct iovec){ &m, 7 };
    iov[1] = (struct iovec){ (char *)&m + 7, HEAD };
    iov[2] = (struct iovec){ (char *)&m + 7 + HEAD, size - 7 - HEAD };
    CHECK_EQ(writev(fd, iov, 3), HEAD + 16);
    CHECK_FRAME(o, 0x101, "0102");
    CHECK_ERRNO(writev(fd, iov, 2), EINVAL);
}

TEST(close_ends_its_jobs)
{
    int fd = bcm_a(), o = observer_a(0x102), copy;

    SETUP(fd, TX_SETUP, START, 0x102, "01", .ival2_ms = 5);
    CHECK_FRAME(o, 0x102, "01");
    CHECK_FRAME(o, 0x102, "01");
    copy = OK(dup(fd));
    close(fd);
    CHECK_FRAME(o, 0x102, "01");
    CHECK_FRAME(o, 0x102, "01");
    CHECK_FRAME(o, 0x102, "01");
    close(copy);
    while (polled(o, POLLIN, 100) & POLLIN) /* those that were on their way */
        GET(o);
    CHECK_QUIET(o);
}

TEST(death_ends_its_jobs)
{
    int o = observer_a(0x103);
    pid_t child = OK(fork());

    if (!child) {
        int fd = bcm_a();

        SETUP(fd, TX_SETUP, START, 0x103, "01", .ival2_ms = 5);
        for (;;)
            pause();
    }
    for (int i = 0; i < 3; i++)
        CHECK_FRAME(o, 0x103, "01");
    OK(kill(child, SIGKILL));
    OK(waitpid(child, NULL, 0));
    for (int i = 0; polled(o, POLLIN, 100) & POLLIN; i++) {
        CHECK(i < 200);
        GET(o);
    }
}

TEST(jobs_of_a_forked_process_are_its_parents)
{
    int fd = bcm_a(), o = observer_a(0x104);
    pid_t child = OK(fork());

    if (!child) {
        SETUP(fd, TX_SETUP, START, 0x104, "01", .ival2_ms = 5);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    for (int i = 0; i < 5; i++)
        CHECK_FRAME(o, 0x104, "01");
    SETUP(fd, TX_DELETE, .id = 0x104);
}
