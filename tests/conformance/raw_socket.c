/* socket(2) in the CAN family, and the calls that CAN_RAW does not have. */
#include "can.h"

#include <sys/sendfile.h>
#include <sys/stat.h>

static int can_socket(int type, int protocol) { return socket(PF_CAN, type, protocol); }

TEST(socket_raw_opens) { OK(can_socket(SOCK_RAW, CAN_RAW)); }

TEST(socket_other_protocols_open_as_datagram)
{
    static const int protocols[] = { CAN_BCM, CAN_ISOTP, CAN_J1939 };

    for (int i = 0; i < 3; i++) {
        int fd = OK(can_socket(SOCK_DGRAM, protocols[i]));

        /* J1939 alone records its number */
        CHECK_EQ(sol_get(fd, SO_PROTOCOL), protocols[i] == CAN_J1939 ? CAN_J1939 : 0);
        CHECK_EQ(sol_get(fd, SO_TYPE), SOCK_DGRAM);
        CHECK_ERRNO(can_socket(SOCK_RAW, protocols[i]), EPROTOTYPE);
        CHECK_ERRNO(can_socket(SOCK_STREAM, protocols[i]), EPROTOTYPE);
    }
}

TEST(socket_wrong_type_is_eprototype)
{
    CHECK_ERRNO(can_socket(SOCK_STREAM, CAN_RAW), EPROTOTYPE);
    CHECK_ERRNO(can_socket(SOCK_DGRAM, CAN_RAW), EPROTOTYPE);
    CHECK_ERRNO(can_socket(SOCK_SEQPACKET, CAN_RAW), EPROTOTYPE);
    CHECK_ERRNO(can_socket(SOCK_RDM, CAN_RAW), EPROTOTYPE);
    CHECK_ERRNO(can_socket(10, CAN_RAW), EPROTOTYPE);
    CHECK_ERRNO(can_socket(0, CAN_RAW), EPROTOTYPE);
}

TEST(socket_wrong_type_with_flags_is_eprototype)
{
    CHECK_ERRNO(can_socket(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_RAW), EPROTOTYPE);
}

TEST(socket_protocol_without_module_is_eprotonosupport_for_any_type)
{
    static const int protocols[] = { 0, CAN_TP16, CAN_TP20, CAN_MCNET };

    for (int i = 0; i < 4; i++) {
        CHECK_ERRNO(can_socket(SOCK_RAW, protocols[i]), EPROTONOSUPPORT);
        CHECK_ERRNO(can_socket(SOCK_DGRAM, protocols[i]), EPROTONOSUPPORT);
        CHECK_ERRNO(can_socket(SOCK_STREAM, protocols[i]), EPROTONOSUPPORT);
    }
}

TEST(socket_protocol_out_of_range_is_einval)
{
    static const int protocols[] = { -1, 8, 9, 99, 256, 0x101, 0x7fffffff };

    for (int i = 0; i < 7; i++)
        CHECK_ERRNO(can_socket(SOCK_RAW, protocols[i]), EINVAL);
}

TEST(socket_protocol_range_is_checked_before_type)
{
    CHECK_ERRNO(can_socket(SOCK_STREAM, 8), EINVAL);
    CHECK_ERRNO(can_socket(SOCK_STREAM, -1), EINVAL);
}

TEST(socket_type_out_of_range_is_einval)
{
    CHECK_ERRNO(can_socket(11, CAN_RAW), EINVAL);
    CHECK_ERRNO(can_socket(15, CAN_RAW), EINVAL);
    CHECK_ERRNO(can_socket(-1, CAN_RAW), EINVAL);
}

TEST(socket_unknown_type_flag_is_einval)
{
    CHECK_ERRNO(can_socket(SOCK_RAW | 0x10, CAN_RAW), EINVAL);
    CHECK_ERRNO(can_socket(SOCK_RAW | 0x40000000, CAN_RAW), EINVAL);
    CHECK_ERRNO(can_socket(SOCK_RAW | 0x10, 99), EINVAL);
}

TEST(socket_nonblock_flag_is_honoured)
{
    CHECK(fcntl(OK(can_socket(SOCK_RAW | SOCK_NONBLOCK, CAN_RAW)), F_GETFL) & O_NONBLOCK);
    CHECK(!(fcntl(OK(can_socket(SOCK_RAW, CAN_RAW)), F_GETFL) & O_NONBLOCK));
}

TEST(socket_cloexec_flag_is_honoured)
{
    CHECK_EQ(fcntl(OK(can_socket(SOCK_RAW | SOCK_CLOEXEC, CAN_RAW)), F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(OK(can_socket(SOCK_RAW, CAN_RAW)), F_GETFD), 0);
}

TEST(socket_is_opened_read_write) { CHECK_EQ(fcntl(raw_new(), F_GETFL) & O_ACCMODE, O_RDWR); }

TEST(socket_takes_the_lowest_free_descriptor)
{
    int a = raw_new(), b = raw_new();

    close(a);
    CHECK_EQ(raw_new(), a);
    CHECK(b > a);
}

TEST(socket_at_the_descriptor_limit_is_emfile)
{
    int fd = raw_new(), last;

    while ((last = dup(fd)) >= 0)
        ;
    CHECK_EQ(errno, EMFILE);
    CHECK_ERRNO(can_socket(SOCK_RAW, CAN_RAW), EMFILE);
}

TEST(socket_needs_no_privilege)
{
    int fd;

    if (setuid(65534)) SKIP("may not change the user");
    fd = OK(can_socket(SOCK_RAW | SOCK_NONBLOCK, CAN_RAW));
    OK(bind_index(fd, index_of(if_a())));
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, 0x123);
    CHECK_GETS(fd, 0x123);
}

TEST(socket_stat_is_a_socket)
{
    struct stat st;

    OK(fstat(raw_new(), &st));
    CHECK_EQ(st.st_mode, 0140777);
    CHECK_EQ(st.st_size, 0);
}

TEST(socket_proc_link_names_the_inode)
{
    char path[64], want[64], got[64] = "";
    struct stat st;
    int fd = raw_new();

    OK(fstat(fd, &st));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    snprintf(want, sizeof(want), "socket:[%lu]", (unsigned long)st.st_ino);
    OK(readlink(path, got, sizeof(got) - 1));
    CHECK(!strcmp(got, want));
}

TEST(socket_options_tell_domain_type_and_no_protocol)
{
    int fd = raw_new();

    CHECK_EQ(sol_get(fd, SO_DOMAIN), AF_CAN);
    CHECK_EQ(sol_get(fd, SO_TYPE), SOCK_RAW);
    CHECK_EQ(sol_get(fd, SO_PROTOCOL), 0);
    CHECK_EQ(sol_get(fd, SO_ACCEPTCONN), 0);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
}

TEST(socket_isfdtype_is_a_socket) { CHECK_EQ(isfdtype(raw_new(), S_IFSOCK), 1); }

TEST(connect_is_eopnotsupp)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int fd = raw_new();

    CHECK_ERRNO(connect(fd, (struct sockaddr *)&a, sizeof(a)), EOPNOTSUPP);
    CHECK_ERRNO(connect(fd, (struct sockaddr *)&a, 0), EOPNOTSUPP);
    CHECK_ERRNO(connect(fd, &none, sizeof(none)), EOPNOTSUPP);
}

TEST(connect_checks_length_and_pointer_first)
{
    int fd = raw_new();

    CHECK_ERRNO(connect(fd, bad_pointer, 16), EFAULT);
    CHECK_ERRNO(connect(fd, bad_pointer, 129), EINVAL);
    CHECK_ERRNO(connect(fd, bad_pointer, -1), EINVAL);
    CHECK_ERRNO(connect(fd, NULL, 0), EOPNOTSUPP);
}

TEST(listen_and_accept_are_eopnotsupp)
{
    int fd = raw_a();

    CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(accept4(fd, NULL, NULL, SOCK_CLOEXEC), EOPNOTSUPP);
}

TEST(accept4_with_unknown_flags_is_einval) { CHECK_ERRNO(accept4(raw_a(), NULL, NULL, 1), EINVAL); }

TEST(shutdown_is_eopnotsupp)
{
    int fd = raw_a();

    CHECK_ERRNO(shutdown(fd, SHUT_RD), EOPNOTSUPP);
    CHECK_ERRNO(shutdown(fd, SHUT_WR), EOPNOTSUPP);
    CHECK_ERRNO(shutdown(fd, SHUT_RDWR), EOPNOTSUPP);
    CHECK_ERRNO(shutdown(fd, 77), EOPNOTSUPP);
}

TEST(socketpair_is_eopnotsupp)
{
    int fds[2] = { -7, -8 };

    CHECK_ERRNO(socketpair(PF_CAN, SOCK_RAW, CAN_RAW, fds), EOPNOTSUPP);
}

TEST(getpeername_is_eopnotsupp)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);

    CHECK_ERRNO(getpeername(raw_a(), (struct sockaddr *)&a, &len), EOPNOTSUPP);
    CHECK_ERRNO(getpeername(raw_new(), (struct sockaddr *)&a, &len), EOPNOTSUPP);
}

TEST(mmap_is_enodev)
{
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, raw_a(), 0) == MAP_FAILED);
    CHECK_EQ(errno, ENODEV);
}

TEST(seeking_is_espipe)
{
    int fd = raw_a();
    char byte[16];

    CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
    CHECK_ERRNO(lseek(fd, 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(pread(fd, byte, sizeof(byte), 0), ESPIPE);
    CHECK_ERRNO(pwrite(fd, byte, sizeof(byte), 0), ESPIPE);
}

TEST(fsync_and_ftruncate_are_einval)
{
    int fd = raw_a();

    CHECK_ERRNO(fsync(fd), EINVAL);
    CHECK_ERRNO(fdatasync(fd), EINVAL);
    CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
}

TEST(calls_on_a_closed_descriptor_are_ebadf)
{
    struct sockaddr_can a = can_addr(0);
    socklen_t len = sizeof(a);
    struct can_frame f = frame_of(1, 1);
    int fd = raw_a(), value = 1;

    OK(close(fd));
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_ERRNO(bind_index(fd, 0), EBADF);
    CHECK_ERRNO(write(fd, &f, sizeof(f)), EBADF);
    CHECK_ERRNO(send(fd, &f, sizeof(f), 0), EBADF);
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EBADF);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), EBADF);
    CHECK_ERRNO(getsockname(fd, (struct sockaddr *)&a, &len), EBADF);
    CHECK_ERRNO(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_LOOPBACK, &value, 4), EBADF);
    CHECK_ERRNO(fcntl(fd, F_GETFL), EBADF);
    CHECK_EQ(polled(fd, POLLIN, 0), POLLNVAL);
}

TEST(calls_on_another_kind_of_file_are_enotsock)
{
    int fd = OK(open("/dev/null", O_RDWR)), value = 1;
    struct can_frame f = frame_of(1, 1);

    CHECK_ERRNO(bind_index(fd, 0), ENOTSOCK);
    CHECK_ERRNO(send(fd, &f, sizeof(f), 0), ENOTSOCK);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), ENOTSOCK);
    CHECK_ERRNO(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_LOOPBACK, &value, 4), ENOTSOCK);
}

TEST(sendfile_of_one_frame_sends_it)
{
    int fd = raw_a(), peer = raw_a(), file = OK(memfd_create("frames", 0));
    struct can_frame f = frame_of(0x321, 3);
    off_t at = 0;

    CHECK_EQ(write(file, &f, sizeof(f)), sizeof(f));
    CHECK_EQ(sendfile(fd, file, &at, sizeof(f)), sizeof(f));
    CHECK_GETS(peer, 0x321);
}

TEST(sendfile_of_two_frames_at_once_is_einval)
{
    int fd = raw_a(), peer = raw_a(), file = OK(memfd_create("frames", 0));
    struct can_frame f[2] = { frame_of(1, 1), frame_of(2, 1) };
    off_t at = 0;

    CHECK_EQ(write(file, f, sizeof(f)), sizeof(f));
    CHECK_ERRNO(sendfile(fd, file, &at, sizeof(f)), EINVAL);
    CHECK_QUIET(peer);
}

TEST(splice_moves_one_frame_into_the_socket)
{
    struct can_frame f = frame_of(0x322, 3);
    int fd = raw_a(), peer = raw_a(), p[2];

    OK(pipe(p));
    CHECK_EQ(write(p[1], &f, sizeof(f)), sizeof(f));
    CHECK_EQ(splice(p[0], NULL, fd, NULL, sizeof(f), 0), sizeof(f));
    CHECK_GETS(peer, 0x322);
}

TEST(splice_moves_one_frame_out_of_the_socket)
{
    int fd = raw_a(), peer = raw_a(), p[2];
    struct can_frame f;

    OK(pipe(p));
    put(fd, 0x323);
    await_in(peer, __FILE__, __LINE__);
    CHECK_EQ(splice(peer, NULL, p[1], NULL, sizeof(f), 0), sizeof(f));
    CHECK_EQ(read(p[0], &f, sizeof(f)), sizeof(f));
    CHECK_EQ(f.can_id, 0x323);
}

TEST(close_drops_the_queue_of_one_socket_only)
{
    int fd = raw_a(), one = raw_a(), two = raw_a();

    put(fd, 1);
    OK(close(one));
    put(fd, 2);
    CHECK_GETS(two, 1);
    CHECK_GETS(two, 2);
}

TEST(close_right_after_send_keeps_the_frame)
{
    int fd = raw_a(), peer = raw_a();
    struct message m;

    put(fd, 0x77);
    OK(close(fd));
    RECEIVE(peer, &m);
    CHECK_EQ(m.can.can_id, 0x77);
    CHECK_EQ(m.flags, MSG_DONTROUTE);
}
