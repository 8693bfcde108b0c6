/* SO_ATTACH_FILTER on CAN_RAW sockets. */
#include "can.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <sys/syscall.h>

static int attach(int fd, struct sock_filter *code, int count)
{
    struct sock_fprog p = { .len = count, .filter = code };

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p));
}

#define ATTACH(fd, ...)                                                                                      \
    do {                                                                                                     \
        struct sock_filter code_[] = { __VA_ARGS__ };                                                        \
        OK(attach(fd, code_, sizeof(code_) / sizeof(code_[0])));                                             \
    } while (0)

/* accepts when the word loaded before equals k */
#define ACCEPT_IF(k)                                                                                         \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0xffff),                         \
        BPF_STMT(BPF_RET | BPF_K, 0)

TEST(bpf_returning_0_drops)
{
    int fd = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0));
    put(a, 1);
    CHECK_QUIET(fd);
}

TEST(bpf_loads_the_id_as_big_endian)
{
    int fd = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), ACCEPT_IF(htonl(0x123)));
    put(a, 0x124);
    put(a, 0x123);
    CHECK_GETS(fd, 0x123);
    CHECK_QUIET(fd);
}

TEST(bpf_loads_bytes_of_the_frame)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f = frame_of(1, 3);

    ATTACH(fd, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 4), ACCEPT_IF(3));
    put(a, 7);
    CHECK_EQ(write(a, &f, sizeof(f)), 16);
    CHECK_GETS(fd, 1);
    CHECK_QUIET(fd);
}

TEST(bpf_load_beyond_the_frame_drops)
{
    int fd = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 16), BPF_STMT(BPF_RET | BPF_K, 0xffff));
    put(a, 7);
    CHECK_QUIET(fd);
}

TEST(bpf_length_is_the_frame_size)
{
    int fd = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), ACCEPT_IF(16));
    put(a, 7);
    CHECK_GETS(fd, 7);
}

TEST(bpf_runs_after_the_can_filters)
{
    int fd = raw_a(), a = raw_a();

    filter1(fd, 5, CAN_SFF_MASK);
    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0xffff));
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(bpf_returning_less_trims_without_msg_trunc)
{
    int fd = raw_a(), a = raw_a();
    struct message m;

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 6));
    put(a, 7);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 6);
    CHECK_EQ(m.flags, MSG_DONTROUTE);
}

TEST(bpf_sees_protocol_packet_type_and_hardware_type)
{
    int fd = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), ACCEPT_IF(0x000c));
    put(a, 1);
    CHECK_GETS(fd, 1);
    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE), ACCEPT_IF(1));
    put(a, 2);
    CHECK_GETS(fd, 2);
    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_HATYPE), ACCEPT_IF(280));
    put(a, 3);
    CHECK_GETS(fd, 3);
    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), ACCEPT_IF(index_of(if_a())));
    put(a, 4);
    CHECK_GETS(fd, 4);
}

TEST(bpf_sees_the_protocol_of_fd_frames)
{
    struct canfd_frame f = fd_frame_of(9, 8);
    int fd = raw_a(), a = raw_a();
    struct message m;

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    raw_set(a, CAN_RAW_FD_FRAMES, 1);
    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), ACCEPT_IF(0x000d));
    put(a, 1);
    CHECK_EQ(write(a, &f, sizeof(f)), 72);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 72);
    CHECK_QUIET(fd);
}

TEST(bpf_drops_are_not_counted)
{
    uint32_t info[9];
    socklen_t len = sizeof(info);
    int fd = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0));
    put(a, 1);
    CHECK_QUIET(fd);
    OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len));
    CHECK_EQ(info[8], 0);
}

TEST(bpf_detach_receives_again)
{
    int fd = raw_a(), a = raw_a(), value = 0;

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0));
    put(a, 1);
    OK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &value, sizeof(value)));
    put(a, 2);
    CHECK_GETS(fd, 2);
}

TEST(bpf_detach_needs_a_value)
{
    int fd = raw_a();

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0));
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0), EINVAL);
}

TEST(bpf_detach_of_none_is_enoent)
{
    int value = 0;

    CHECK_ERRNO(setsockopt(raw_a(), SOL_SOCKET, SO_DETACH_FILTER, &value, sizeof(value)), ENOENT);
}

TEST(bpf_invalid_program_is_einval)
{
    struct sock_filter no_return[] = { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0) };
    struct sock_filter bad[] = { { 0xffff, 0, 0, 0 }, BPF_STMT(BPF_RET | BPF_K, 0) };
    int fd = raw_a(), value = 0;

    CHECK_ERRNO(attach(fd, no_return, 1), EINVAL);
    CHECK_ERRNO(attach(fd, bad, 2), EINVAL);
    CHECK_ERRNO(attach(fd, no_return, 0), EINVAL);
    CHECK_ERRNO(attach(fd, bad_pointer, 1), EFAULT);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &value, sizeof(value)), EINVAL);
}

TEST(bpf_locked_filter_cannot_be_changed)
{
    int fd = raw_a(), value = 0;
    struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, 0xffff) };

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0));
    sol_set(fd, SO_LOCK_FILTER, 1);
    CHECK_ERRNO(attach(fd, all, 1), EPERM);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &value, sizeof(value)), EPERM);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &value, sizeof(value)), EPERM);
}

TEST(bpf_get_filter_reads_back)
{
    struct sock_filter code[2] = { BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_RET | BPF_K, 0xffff) },
                       got[4];
    socklen_t len = 4;
    int fd = raw_a();

    OK(attach(fd, code, 2));
    OK(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, got, &len));
    CHECK_EQ(len, 2);
    CHECK(!memcmp(code, got, sizeof(code)));
}

TEST(bpf_filter_drops_only_for_its_socket)
{
    int fd = raw_a(), other = raw_a(), a = raw_a();

    ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0));
    put(a, 1);
    CHECK_GETS(other, 1);
    CHECK_QUIET(fd);
}

TEST(bpf_all_arithmetic)
{
    int fd = raw_a(), a = raw_a();

    /* ((len * 3 + 4) / 2 ^ 5) << 2 >> 1 = ((26) ^ 5) * 2 = 62 for len 16 */
    ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 3),
           BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 4), BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 2),
           BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 5), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
           BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1), BPF_STMT(BPF_ST, 3),
           BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, 3), BPF_STMT(BPF_LD | BPF_IMM, 1),
           BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
           BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 100), ACCEPT_IF(62));
    put(a, 1);
    CHECK_GETS(fd, 1);
}
