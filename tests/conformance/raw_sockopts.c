/* Options of level SOL_SOCKET on CAN_RAW sockets. */
#include "link.h"

#include <linux/net_tstamp.h>

static int set_int(int fd, int option, int value)
{
    return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

static int file_number(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY);

    if (fd < 0) return 212992;
    OK(read(fd, text, sizeof(text) - 1));
    close(fd);
    return atoi(text);
}

TEST(sockopt_rcvbuf_default)
{
    CHECK_EQ(sol_get(raw_new(), SO_RCVBUF), file_number("/proc/sys/net/core/rmem_default"));
}

TEST(sockopt_sndbuf_default)
{
    CHECK_EQ(sol_get(raw_new(), SO_SNDBUF), file_number("/proc/sys/net/core/wmem_default"));
}

TEST(sockopt_rcvbuf_is_doubled)
{
    int fd = raw_new();

    sol_set(fd, SO_RCVBUF, 5000);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), 10000);
    sol_set(fd, SO_RCVBUF, 100000);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), 200000);
}

TEST(sockopt_rcvbuf_has_a_floor_and_a_ceiling)
{
    int fd = raw_new(), most = 2 * file_number("/proc/sys/net/core/rmem_max");

    sol_set(fd, SO_RCVBUF, 0);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), 2304);
    sol_set(fd, SO_RCVBUF, 1);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), 2304);
    sol_set(fd, SO_RCVBUF, 1153);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), 2306);
    sol_set(fd, SO_RCVBUF, 1 << 30);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), most);
    sol_set(fd, SO_RCVBUF, 0);
    sol_set(fd, SO_RCVBUF, -1);
    CHECK_EQ(sol_get(fd, SO_RCVBUF), most);
}

TEST(sockopt_sndbuf_has_a_floor_and_a_ceiling)
{
    int fd = raw_new(), most = 2 * file_number("/proc/sys/net/core/wmem_max");

    sol_set(fd, SO_SNDBUF, 0);
    CHECK_EQ(sol_get(fd, SO_SNDBUF), 4608);
    sol_set(fd, SO_SNDBUF, 5000);
    CHECK_EQ(sol_get(fd, SO_SNDBUF), 10000);
    sol_set(fd, SO_SNDBUF, 1 << 30);
    CHECK_EQ(sol_get(fd, SO_SNDBUF), most);
    sol_set(fd, SO_SNDBUF, -1);
    CHECK_EQ(sol_get(fd, SO_SNDBUF), most);
}

TEST(sockopt_bufforce_needs_privilege)
{
    int fd = raw_new();

    if (setuid(65534)) SKIP("may not change the user");
    CHECK_ERRNO(set_int(fd, SO_RCVBUFFORCE, 5000), EPERM);
    CHECK_ERRNO(set_int(fd, SO_SNDBUFFORCE, 5000), EPERM);
}

TEST(sockopt_bufforce_exceeds_the_maximum)
{
    int fd = raw_new(), most = file_number("/proc/sys/net/core/rmem_max");

    if (set_int(fd, SO_RCVBUFFORCE, most * 4)) SKIP("may not exceed the maximum");
    CHECK_EQ(sol_get(fd, SO_RCVBUF), most * 8);
}

TEST(sockopt_bindtodevice_needs_no_privilege_at_first)
{
    int fd = raw_new();

    if (setuid(65534)) SKIP("may not change the user");
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, if_a(), strlen(if_a()) + 1));
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, if_b(), strlen(if_b()) + 1), EPERM);
}

TEST(sockopt_mark_needs_privilege)
{
    int fd = raw_new();

    if (setuid(65534)) SKIP("may not change the user");
    CHECK_ERRNO(set_int(fd, SO_MARK, 5), EPERM);
    CHECK_EQ(sol_get(fd, SO_MARK), 0);
}

TEST(sockopt_priority_0_to_6_is_free)
{
    int fd = raw_new();

    CHECK_EQ(sol_get(fd, SO_PRIORITY), 0);
    if (setuid(65534)) SKIP("may not change the user");
    for (int i = 0; i <= 6; i++) {
        sol_set(fd, SO_PRIORITY, i);
        CHECK_EQ(sol_get(fd, SO_PRIORITY), i);
    }
    CHECK_ERRNO(set_int(fd, SO_PRIORITY, 7), EPERM);
    CHECK_ERRNO(set_int(fd, SO_PRIORITY, -1), EPERM);
    CHECK_EQ(sol_get(fd, SO_PRIORITY), 6);
}

TEST(sockopt_priority_does_not_disturb_sending)
{
    int fd = raw_a(), peer = raw_a();

    sol_set(fd, SO_PRIORITY, 6);
    put(fd, 1);
    CHECK_GETS(peer, 1);
}

TEST(sockopt_bindtodevice_has_no_effect)
{
    int fd = raw_a(), a = raw_a(), b = raw_b(), peer = raw_a();

    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, if_b(), strlen(if_b()) + 1));
    put(b, 1);
    put(a, 2);
    CHECK_GETS(fd, 2);
    CHECK_GETS(peer, 2);
    put(fd, 3);
    CHECK_GETS(peer, 3);
}

TEST(sockopt_bindtodevice_of_an_unknown_name_is_enodev)
{
    CHECK_ERRNO(setsockopt(raw_new(), SOL_SOCKET, SO_BINDTODEVICE, "nosuchdev", 10), ENODEV);
}

TEST(sockopt_bindtodevice_reads_back)
{
    char name[IFNAMSIZ] = "x";
    socklen_t len = sizeof(name);
    int fd = raw_new();

    OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    CHECK_EQ(len, 0);
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, if_b(), strlen(if_b()) + 1));
    len = sizeof(name);
    OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
    CHECK_EQ(len, strlen(if_b()) + 1);
    CHECK(!strcmp(name, if_b()));
    CHECK_EQ(sol_get(fd, SO_BINDTOIFINDEX), index_of(if_b()));
}

TEST(sockopt_bindtoifindex_has_no_effect)
{
    int fd = raw_a(), a = raw_a();

    sol_set(fd, SO_BINDTOIFINDEX, index_of(if_b()));
    put(a, 2);
    CHECK_GETS(fd, 2);
}

TEST(sockopt_bindtoifindex_does_not_bind)
{
    int fd = OK(socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK, CAN_RAW)), a = raw_a();
    struct can_frame f = frame_of(1, 1);

    sol_set(fd, SO_BINDTOIFINDEX, index_of(if_a()));
    put(a, 2);
    CHECK_QUIET(fd);
    CHECK_ERRNO(write(fd, &f, sizeof(f)), ENXIO);
}

TEST(sockopt_generic_ones_are_accepted)
{
    static const int flags[] = { SO_PASSCRED,  SO_BROADCAST, SO_KEEPALIVE,        SO_DONTROUTE, SO_REUSEADDR,
                                 SO_OOBINLINE, SO_NO_CHECK,  SO_SELECT_ERR_QUEUE, SO_TIMESTAMP };

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        int fd = raw_new();

        CHECK_EQ(sol_get(fd, flags[i]), 0);
        sol_set(fd, flags[i], 1);
        CHECK_EQ(sol_get(fd, flags[i]), 1);
        sol_set(fd, flags[i], 0);
        CHECK_EQ(sol_get(fd, flags[i]), 0);
    }
}

TEST(sockopt_debug_needs_privilege)
{
    int fd = raw_new();

    if (setuid(65534) && getuid() == 0) SKIP("may not change the user");
    CHECK_ERRNO(set_int(fd, SO_DEBUG, 1), EACCES);
}

TEST(sockopt_flags_read_back_as_0_or_1)
{
    int fd = raw_new();

    sol_set(fd, SO_BROADCAST, 77);
    CHECK_EQ(sol_get(fd, SO_BROADCAST), 1);
    sol_set(fd, SO_REUSEADDR, -1);
    CHECK_EQ(sol_get(fd, SO_REUSEADDR), 1);
}

TEST(sockopt_passcred_yields_no_control_message)
{
    int fd = raw_a(), a = raw_a();
    struct message m;

    sol_set(fd, SO_PASSCRED, 1);
    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 0);
}

TEST(sockopt_rcvlowat_defaults_to_1_and_does_not_delay)
{
    int fd = raw_a(), a = raw_a();

    CHECK_EQ(sol_get(fd, SO_RCVLOWAT), 1);
    sol_set(fd, SO_RCVLOWAT, 64);
    CHECK_EQ(sol_get(fd, SO_RCVLOWAT), 64);
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(sockopt_busy_poll_and_incoming_cpu)
{
    int fd = raw_new();

    if (sol_get(fd, SO_BUSY_POLL) == 0 && set_int(fd, SO_BUSY_POLL, 0))
        FAIL("SO_BUSY_POLL 0: errno %d", errno);
    sol_set(fd, SO_INCOMING_CPU, 0);
    CHECK_EQ(sol_get(fd, SO_INCOMING_CPU), 0);
}

TEST(sockopt_unsupported_are_eopnotsupp)
{
    int fd = raw_new();

    CHECK_ERRNO(set_int(fd, SO_REUSEPORT, 1), EOPNOTSUPP);
    CHECK_ERRNO(set_int(fd, SO_ZEROCOPY, 1), EOPNOTSUPP);
    CHECK_ERRNO(set_int(fd, SO_PEEK_OFF, 0), EOPNOTSUPP);
}

TEST(sockopt_read_only_ones_are_enoprotoopt)
{
    int fd = raw_new();

    CHECK_ERRNO(set_int(fd, SO_TYPE, 1), ENOPROTOOPT);
    CHECK_ERRNO(set_int(fd, SO_DOMAIN, 1), ENOPROTOOPT);
    CHECK_ERRNO(set_int(fd, SO_PROTOCOL, 1), ENOPROTOOPT);
    CHECK_ERRNO(set_int(fd, SO_ERROR, 1), ENOPROTOOPT);
    CHECK_ERRNO(set_int(fd, SO_SNDLOWAT, 1), ENOPROTOOPT);
}

TEST(sockopt_unknown_is_enoprotoopt)
{
    int fd = raw_new(), value = 0;
    socklen_t len = sizeof(value);

    CHECK_ERRNO(set_int(fd, 9999, 1), ENOPROTOOPT);
    CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, 9999, &value, &len), ENOPROTOOPT);
}

TEST(sockopt_short_value_is_einval)
{
    int fd = raw_new(), value = 1;

    for (int len = 0; len < 4; len++)
        CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, len), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, -1), EINVAL);
}

TEST(sockopt_bad_pointers_are_efault)
{
    int fd = raw_new(), value = 1;
    socklen_t len = sizeof(value);

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, bad_pointer, 4), EFAULT);
    CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, bad_pointer, &len), EFAULT);
    CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, bad_pointer), EFAULT);
    len = -1;
    CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, &len), EINVAL);
}

TEST(sockopt_error_with_a_short_buffer_still_clears)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    uint8_t value[4] = { 0, 0xee, 0xee, 0xee };
    socklen_t len = 1;

    LINK_DOWN(index);
    OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, &len));
    CHECK_EQ(len, 1);
    CHECK_EQ(value[0], ENETDOWN);
    CHECK_EQ(value[1], 0xee);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
}

TEST(sockopt_peercred_is_nobody)
{
    struct ucred c = { 1, 2, 3 };
    socklen_t len = sizeof(c);

    OK(getsockopt(raw_new(), SOL_SOCKET, SO_PEERCRED, &c, &len));
    CHECK_EQ(len, sizeof(c));
    CHECK_EQ(c.pid, 0);
    CHECK_EQ((int)c.uid, -1);
    CHECK_EQ((int)c.gid, -1);
}

TEST(sockopt_linger_reads_back)
{
    struct linger l = { 1, 5 };
    socklen_t len = sizeof(l);
    int fd = raw_new();

    OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    memset(&l, 0, sizeof(l));
    OK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
    CHECK_EQ(l.l_onoff, 1);
    CHECK_EQ(l.l_linger, 5);
    CHECK_EQ(close(fd), 0);
}

TEST(sockopt_cookie_is_unique)
{
    uint64_t one = 0, two = 0, again = 0;
    socklen_t len = 8;
    int fd = raw_new();

    OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &one, &len));
    OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &again, &len));
    OK(getsockopt(raw_new(), SOL_SOCKET, SO_COOKIE, &two, &len));
    CHECK(one && one == again && one != two);
}

TEST(sockopt_meminfo_tells_charge_and_drops)
{
    uint32_t info[9];
    socklen_t len = sizeof(info);
    int fence = fence_on(index_of(if_a())), fd = raw_a(), a = raw_a();

    sol_set(fd, SO_RCVBUF, 0);
    for (int i = 0; i < 10; i++)
        put(a, i);
    fence_pass(fence, 10);
    memset(info, 0, sizeof(info));
    OK(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len));
    CHECK_EQ(len, sizeof(info));
    CHECK_EQ(info[0], 3 * 768);
    CHECK_EQ(info[1], 2304);
    CHECK_EQ(info[2], 0);
    CHECK_EQ(info[3], sol_get(fd, SO_SNDBUF));
    CHECK_EQ(info[8], 7);
}

TEST(sockopt_txtime_is_accepted)
{
    struct sock_txtime t = { .clockid = CLOCK_MONOTONIC };

    OK(setsockopt(raw_new(), SOL_SOCKET, SO_TXTIME, &t, sizeof(t)));
}
