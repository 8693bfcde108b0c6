/* Receiving from CAN_RAW sockets: sizes, buffers, addresses, errors. */
#include "link.h"

/* A socket on the first interface with one frame of this id in its queue. */
static int with_frame(canid_t id)
{
    int fd = raw_a(), a = raw_a();

    put(a, id);
    await_in(fd, __FILE__, __LINE__);
    close(a);
    return fd;
}

TEST(recv_one_frame_per_call)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f[4];

    put(a, 1);
    put(a, 2);
    CHECK_EQ(read(fd, f, sizeof(f)), 16);
    CHECK_EQ(f[0].can_id, 1);
    CHECK_EQ(read(fd, f, sizeof(f)), 16);
    CHECK_EQ(f[0].can_id, 2);
    CHECK_ERRNO(read(fd, f, sizeof(f)), EAGAIN);
}

TEST(recv_leaves_the_rest_of_the_buffer)
{
    int fd = with_frame(1);
    uint8_t b[64];

    memset(b, 0xee, sizeof(b));
    CHECK_EQ(recv(fd, b, sizeof(b), 0), 16);
    for (int i = 16; i < 64; i++)
        CHECK_EQ(b[i], 0xee);
}

TEST(recv_short_buffer_loses_the_rest)
{
    for (int room = 1; room < 16; room++) {
        int fd = with_frame(0x11223344 & CAN_SFF_MASK);
        uint8_t b[16];

        memset(b, 0xee, sizeof(b));
        CHECK_EQ(read(fd, b, room), room);
        CHECK_EQ(b[room], 0xee);
        CHECK_QUIET(fd);
        close(fd);
    }
}

TEST(recv_short_buffer_sets_msg_trunc)
{
    int fd = with_frame(1);
    struct message m;

    memset(&m, 0, sizeof(m));
    m.iov = (struct iovec){ m.bytes, 8 };
    m.header = (struct msghdr){ .msg_iov = &m.iov, .msg_iovlen = 1 };
    CHECK_EQ(recvmsg(fd, &m.header, 0), 8);
    CHECK_EQ(m.header.msg_flags, MSG_TRUNC | MSG_DONTROUTE);
}

TEST(recv_with_msg_trunc_returns_the_copied_size)
{
    uint8_t b[8];

    CHECK_EQ(recv(with_frame(1), b, 8, MSG_TRUNC), 8);
}

TEST(recv_peek_with_msg_trunc_returns_the_copied_size)
{
    int fd = with_frame(1);
    uint8_t b[8];

    CHECK_EQ(recv(fd, b, 5, MSG_TRUNC | MSG_PEEK), 5);
    CHECK_GETS(fd, 1);
}

TEST(read_of_0_bytes_keeps_the_frame)
{
    int fd = with_frame(9);
    char byte;

    CHECK_EQ(read(fd, &byte, 0), 0);
    CHECK_EQ(read(fd, no_pointer, 0), 0);
    CHECK_GETS(fd, 9);
}

TEST(read_of_0_bytes_never_blocks)
{
    int fd = raw_a();
    char byte;

    block(fd);
    CHECK_EQ(read(fd, &byte, 0), 0);
}

TEST(recv_of_0_bytes_consumes_the_frame)
{
    int fd = with_frame(9);
    char byte;

    CHECK_EQ(recv(fd, &byte, 0, 0), 0);
    CHECK_QUIET(fd);
}

TEST(recv_of_0_bytes_from_an_empty_queue_is_eagain)
{
    char byte;

    CHECK_ERRNO(recv(raw_a(), &byte, 0, 0), EAGAIN);
}

TEST(recvmsg_without_vectors_consumes_the_frame)
{
    int fd = with_frame(9);
    struct msghdr h = { 0 };

    CHECK_EQ(recvmsg(fd, &h, 0), 0);
    CHECK_EQ(h.msg_flags, MSG_TRUNC | MSG_DONTROUTE);
    CHECK_QUIET(fd);
}

TEST(recv_peek_keeps_the_frame)
{
    int fd = with_frame(9);
    struct can_frame f;

    CHECK_EQ(recv(fd, &f, sizeof(f), MSG_PEEK), 16);
    CHECK_EQ(f.can_id, 9);
    CHECK_EQ(recv(fd, &f, sizeof(f), MSG_PEEK), 16);
    CHECK_GETS(fd, 9);
    CHECK_QUIET(fd);
}

TEST(recv_peek_of_an_empty_queue_is_eagain)
{
    struct can_frame f;

    CHECK_ERRNO(recv(raw_a(), &f, sizeof(f), MSG_PEEK), EAGAIN);
}

TEST(recv_peek_keeps_the_order)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f;

    put(a, 1);
    put(a, 2);
    CHECK_EQ(recv(fd, &f, sizeof(f), MSG_PEEK), 16);
    put(a, 3);
    for (canid_t id = 1; id < 4; id++)
        CHECK_GETS(fd, id);
}

TEST(recv_bad_buffer_is_efault_and_loses_the_frame)
{
    void *const buffers[] = { no_pointer, bad_pointer, page_with(PROT_READ), page_with(PROT_NONE),
                              page_gone() };

    for (int i = 0; i < 5; i++) {
        int fd = with_frame(9);

        CHECK_ERRNO(recv(fd, buffers[i], 16, 0), EFAULT);
        CHECK_QUIET(fd);
        close(fd);
        fd = with_frame(9);
        CHECK_ERRNO(read(fd, buffers[i], 16), EFAULT);
        CHECK_QUIET(fd);
        close(fd);
    }
}

TEST(recv_peek_into_a_bad_buffer_is_efault_and_keeps_the_frame)
{
    int fd = with_frame(9);

    CHECK_ERRNO(recv(fd, bad_pointer, 16, MSG_PEEK), EFAULT);
    CHECK_GETS(fd, 9);
}

TEST(recv_bad_buffer_with_empty_queue_is_eagain) { CHECK_ERRNO(recv(raw_a(), bad_pointer, 16, 0), EAGAIN); }

TEST(recv_buffer_across_an_unwritable_page_is_efault)
{
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = with_frame(9);

    CHECK(p != MAP_FAILED);
    OK(mprotect(p + 4096, 4096, PROT_NONE));
    CHECK_ERRNO(recv(fd, p + 4096 - 8, 16, 0), EFAULT);
    CHECK_QUIET(fd);
    fd = with_frame(10);
    CHECK_EQ(recv(fd, p + 4096 - 16, 16, 0), 16);
    fd = with_frame(11);
    CHECK_EQ(recv(fd, p + 4096 - 16, 32, 0), 16);
}

TEST(recv_huge_length_is_fine)
{
    static struct can_frame f; /* 2 GB below the end of the address space: the kernel looks at that */

    CHECK_EQ(recv(with_frame(9), &f, SIZE_MAX / 4, 0), 16);
    CHECK_EQ(f.can_id, 9);
}

TEST(recvfrom_tells_the_device)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);
    struct can_frame f;
    int fd = raw_any(), b = raw_b();

    put(b, 1);
    await_in(fd, __FILE__, __LINE__);
    memset(&a, 0xee, sizeof(a));
    CHECK_EQ(recvfrom(fd, &f, sizeof(f), 0, (struct sockaddr *)&a, &len), 16);
    CHECK_EQ(len, 8);
    CHECK_EQ(a.can_family, AF_CAN);
    CHECK_EQ(((uint8_t *)&a)[2], 0);
    CHECK_EQ(((uint8_t *)&a)[3], 0);
    CHECK_EQ(a.can_ifindex, index_of(if_b()));
    for (int i = 8; i < 24; i++)
        CHECK_EQ(((uint8_t *)&a)[i], 0xee);
}

TEST(recvfrom_address_is_truncated_to_the_given_length)
{
    for (socklen_t room = 0; room < 8; room++) {
        socklen_t len = room;
        struct can_frame f;
        uint8_t a[24];

        memset(a, 0xee, sizeof(a));
        CHECK_EQ(recvfrom(with_frame(1), &f, sizeof(f), 0, (struct sockaddr *)a, &len), 16);
        CHECK_EQ(len, 8);
        CHECK_EQ(a[room], 0xee);
    }
}

TEST(recvfrom_negative_address_length_is_einval_and_loses_the_frame)
{
    int fd = with_frame(9);
    struct sockaddr_can a;
    struct can_frame f;
    socklen_t len = -1;

    CHECK_ERRNO(recvfrom(fd, &f, sizeof(f), 0, (struct sockaddr *)&a, &len), EINVAL);
    CHECK_QUIET(fd);
}

TEST(recvfrom_bad_address_pointers_are_efault)
{
    struct sockaddr_can a;
    struct can_frame f;
    socklen_t len = sizeof(a);

    CHECK_ERRNO(recvfrom(with_frame(1), &f, 16, 0, bad_pointer, &len), EFAULT);
    CHECK_ERRNO(recvfrom(with_frame(1), &f, 16, 0, (struct sockaddr *)&a, no_pointer), EFAULT);
    CHECK_ERRNO(recvfrom(with_frame(1), &f, 16, 0, (struct sockaddr *)&a, bad_pointer), EFAULT);
}

TEST(recvfrom_null_address_ignores_the_length)
{
    struct can_frame f;
    socklen_t len = 77;

    CHECK_EQ(recvfrom(with_frame(1), &f, 16, 0, NULL, &len), 16);
    CHECK_EQ(len, 77);
}

TEST(recvmsg_address_length_is_8)
{
    struct message m;

    RECEIVE(with_frame(1), &m);
    CHECK_EQ(m.namelen, 8);
    CHECK_EQ(m.from.can_family, AF_CAN);
    CHECK_EQ(m.from.can_ifindex, index_of(if_a()));
    CHECK_EQ(m.header.msg_controllen, 0);
}

TEST(recvmsg_bad_header_is_efault)
{
    int fd = with_frame(9);

    CHECK_ERRNO(recvmsg(fd, no_pointer, 0), EFAULT);
    CHECK_ERRNO(recvmsg(fd, bad_pointer, 0), EFAULT);
    CHECK_GETS(fd, 9);
}

TEST(recvmsg_bad_vector_pointer_is_efault_and_keeps_the_frame)
{
    int fd = with_frame(9);
    struct msghdr h = { .msg_iov = bad_pointer, .msg_iovlen = 2 };

    CHECK_ERRNO(recvmsg(fd, &h, 0), EFAULT);
    CHECK_GETS(fd, 9);
}

TEST(recvmsg_too_many_vectors_is_emsgsize_and_keeps_the_frame)
{
    static struct iovec v[1025];
    int fd = with_frame(9);
    struct msghdr h = { .msg_iov = v, .msg_iovlen = 1025 };

    CHECK_ERRNO(recvmsg(fd, &h, 0), EMSGSIZE);
    CHECK_GETS(fd, 9);
}

TEST(recv_unusual_flags_are_ignored)
{
    static const int flags[] = { MSG_OOB,      MSG_WAITALL, MSG_DONTROUTE, MSG_CONFIRM,
                                 MSG_NOSIGNAL, MSG_MORE,    MSG_DONTWAIT,  MSG_CMSG_CLOEXEC };
    struct can_frame f;

    for (int i = 0; i < 8; i++)
        CHECK_EQ(recv(with_frame(1), &f, sizeof(f), flags[i]), 16);
}

TEST(recv_msg_waitall_returns_one_frame)
{
    struct can_frame f[3];
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    put(a, 2);
    CHECK_EQ(recv(fd, f, sizeof(f), MSG_WAITALL), 16);
    CHECK_GETS(fd, 2);
}

TEST(recv_unbound_is_eagain)
{
    struct can_frame f;

    CHECK_ERRNO(recv(raw_new(), &f, sizeof(f), MSG_DONTWAIT), EAGAIN);
}

TEST(recv_empty_error_queue_is_eagain)
{
    struct message m;
    int fd = with_frame(1);

    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_GETS(fd, 1);
}

TEST(recv_empty_error_queue_is_eagain_also_when_blocking)
{
    struct message m = { 0 };
    int fd = raw_a();

    block(fd);
    m.iov = (struct iovec){ m.bytes, 16 };
    m.header = (struct msghdr){ .msg_iov = &m.iov, .msg_iovlen = 1 };
    CHECK_ERRNO(recvmsg(fd, &m.header, MSG_ERRQUEUE), EAGAIN);
}

TEST(recv_blocks_until_a_frame_comes)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f;
    pid_t child;

    block(fd);
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        put(a, 0x44);
        _exit(0);
    }
    CHECK_EQ(read(fd, &f, sizeof(f)), 16);
    CHECK_EQ(f.can_id, 0x44);
    CHECK_EQ(tap_join(child), 0);
}

TEST(recv_dontwait_on_a_blocking_socket_is_eagain)
{
    struct can_frame f;
    int fd = raw_a();

    block(fd);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), MSG_DONTWAIT), EAGAIN);
}

TEST(recv_unaligned_buffer)
{
    uint8_t b[32];
    canid_t id;

    CHECK_EQ(recv(with_frame(0x345), b + 3, 16, 0), 16);
    memcpy(&id, b + 3, 4);
    CHECK_EQ(id, 0x345);
}

TEST(recv_frames_of_several_senders_in_order)
{
    int fd = raw_a(), a = raw_a(), b = raw_a(), c = raw_new();

    put(a, 1);
    put(b, 2);
    CHECK_EQ(put_to(c, index_of(if_a()), 3), 16);
    put(a, 4);
    for (canid_t id = 1; id <= 4; id++)
        CHECK_GETS(fd, id);
}
