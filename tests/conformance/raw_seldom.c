/* What few programs do to a CAN_RAW socket: options and requests that make sense elsewhere, and how they are refused. */
#include "can.h"
#include "link.h"

#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#define BUF_LOCK     72
#define TXREHASH     74
#define DETACH_REUSE 68
#define UNMAPPED     ((void *)8)
#define CHECK_SET(fd, option, value, error)                                                                  \
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, option, &(int){ value }, sizeof(int)), error)

static void lock_filter(int fd)
{
    struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0xffff);
    struct sock_fprog p = { 1, &code };

    OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
    sol_set(fd, SO_LOCK_FILTER, 1);
}

/* ---- the first of a process ---- */

static pthread_barrier_t all;

static void *open_one(void *unused)
{
    int fd;

    pthread_barrier_wait(&all);
    fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);
    (void)unused;
    return (void *)(intptr_t)fd;
}

TEST(first_sockets_of_many_threads_at_once)
{
    pthread_t thread[16];

    pthread_barrier_init(&all, NULL, 16);
    for (int i = 0; i < 16; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, open_one, NULL), 0);
    for (int i = 0; i < 16; i++) {
        void *fd;
        pthread_join(thread[i], &fd);
        CHECK((intptr_t)fd >= 0);
        OK(bind_index((int)(intptr_t)fd, index_of(if_a())));
    }
}

/* ---- programs that are not classic filters ---- */

TEST(attach_bpf_of_something_else_is_einval)
{
    int fd = raw_a();

    CHECK_SET(fd, SO_ATTACH_BPF, fd, EINVAL);
    CHECK_SET(fd, SO_ATTACH_BPF, 0, EINVAL);
}

TEST(attach_bpf_of_nothing_is_ebadf)
{
    int fd = raw_a();

    CHECK_SET(fd, SO_ATTACH_BPF, -1, EBADF);
    CHECK_SET(fd, SO_ATTACH_BPF, 1000, EBADF);
}

TEST(attach_bpf_size_and_pointer)
{
    int fd = raw_a(), value = 0;

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &value, 8), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, UNMAPPED, sizeof(int)), EFAULT);
}

TEST(attach_bpf_to_a_locked_filter_is_eperm)
{
    int fd = raw_a();

    lock_filter(fd);
    CHECK_SET(fd, SO_ATTACH_BPF, -1, EPERM);
}

TEST(attach_reuseport_programs_are_refused)
{
    struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog p = { 1, &code }, empty = { 0, &code }, nowhere = { 1, UNMAPPED };
    int fd = raw_a();

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &p, sizeof(p)), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &empty, sizeof(p)), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &nowhere, sizeof(p)), EFAULT);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &p, 8), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, UNMAPPED, sizeof(p)), EFAULT);
    CHECK_SET(fd, SO_ATTACH_REUSEPORT_EBPF, -1, EBADF);
    CHECK_SET(fd, SO_ATTACH_REUSEPORT_EBPF, fd, EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &fd, 8), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, UNMAPPED, sizeof(int)), EFAULT);
    CHECK_SET(fd, DETACH_REUSE, 1, EINVAL);
}

TEST(attach_reuseport_programs_to_a_locked_filter_are_eperm)
{
    struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog p = { 1, &code };
    int fd = raw_a();

    lock_filter(fd);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &p, sizeof(p)), EPERM);
    CHECK_SET(fd, SO_ATTACH_REUSEPORT_EBPF, -1, EPERM);
}

TEST(bpf_asks_for_the_cpu_and_a_random_number)
{
    static const struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_CPU),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 4096, 2, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_RANDOM),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
    };
    struct sock_fprog p = { 6, (struct sock_filter *)code };
    int fd = raw_a(), a = raw_a(), got = 0;
    struct can_frame f;

    OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
    for (int i = 0; i < 200; i++) {
        put(a, 1);
        got += recv(fd, &f, sizeof(f), MSG_DONTWAIT) > 0;
    }
    CHECK(got > 50 && got < 150);
}

/* ---- options ---- */

TEST(buf_lock_takes_two_bits)
{
    int fd = raw_a();

    CHECK_EQ(sol_get(fd, BUF_LOCK), 0);
    sol_set(fd, BUF_LOCK, 3);
    CHECK_EQ(sol_get(fd, BUF_LOCK), 3);
    CHECK_SET(fd, BUF_LOCK, 4, EINVAL);
    CHECK_EQ(sol_get(fd, BUF_LOCK), 3);
}

TEST(txrehash_is_0_or_1)
{
    int fd = raw_a();

    sol_set(fd, TXREHASH, 0);
    CHECK_EQ(sol_get(fd, TXREHASH), 0);
    sol_set(fd, TXREHASH, -1);
    CHECK_EQ(sol_get(fd, TXREHASH), 1);
    CHECK_SET(fd, TXREHASH, 2, EINVAL);
    CHECK_SET(fd, TXREHASH, -2, EINVAL);
}

TEST(sndlowat_is_1) { CHECK_EQ(sol_get(raw_a(), SO_SNDLOWAT), 1); }

TEST(bindtodevice_of_a_device_that_is_no_can_device)
{
    char name[IFNAMSIZ] = "";
    socklen_t size = sizeof(name);
    int fd = raw_a();

    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    CHECK(!strcmp(name, "lo") && size == 3);
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
    size = sizeof(name);
    OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
    CHECK_EQ(size, 0);
}

TEST(bindtodevice_of_nothing_is_enodev)
{
    CHECK_ERRNO(setsockopt(raw_a(), SOL_SOCKET, SO_BINDTODEVICE, "nosuch0", 8), ENODEV);
}

TEST(bindtodevice_size_and_pointer)
{
    char name[IFNAMSIZ] = "";
    socklen_t size = 4;
    int fd = raw_a();

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, UNMAPPED, 3), EFAULT);
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, if_a(), strlen(if_a()) + 1));
    CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), EINVAL);
}

TEST(bindtodevice_of_a_device_that_has_gone_is_enodev_when_asked)
{
    char name[IFNAMSIZ] = "";
    socklen_t size = sizeof(name);
    int fd = raw_a();

    sol_set(fd, 62 /* SO_BINDTOIFINDEX */, 99999999);
    CHECK_ERRNO(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &size), ENODEV);
}

TEST(busy_poll_below_0_is_einval)
{
    if (geteuid()) SKIP("more than before needs privilege");
    CHECK_SET(raw_a(), SO_BUSY_POLL, -1, EINVAL);
}

TEST(linger_and_txtime_sizes_and_pointers)
{
    unsigned long long value[2] = { 0 };
    int fd = raw_a();

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_LINGER, value, 4), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_LINGER, UNMAPPED, 8), EFAULT);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TXTIME, value, 16), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TXTIME, UNMAPPED, 8), EFAULT);
    value[0] = 4ull << 32;
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TXTIME, value, 8), EINVAL);
}

/* ---- time stamps ---- */

TEST(timestamping_bound_to_a_clock_is_refused)
{
    int value[2] = { SOF_TIMESTAMPING_BIND_PHC, 0 }, fd = raw_a();

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, value, sizeof(value)), EOPNOTSUPP);
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, if_a(), strlen(if_a()) + 1));
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, value, sizeof(value)), EINVAL);
    OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, value, sizeof(value)), EINVAL);
}

TEST(timestamp_options_read_back_in_their_own_words)
{
    int fd = raw_a();

    sol_set(fd, SO_TIMESTAMPNS_OLD, 1);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPNS_OLD), 1);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMP_OLD), 0);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPNS_NEW), 0);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMP_NEW), 0);
    sol_set(fd, SO_TIMESTAMPNS_NEW, 1);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMP_NEW), 1);
    sol_set(fd, SO_TIMESTAMP_OLD, 1);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMP_OLD), 1);
    sol_set(fd, SO_TIMESTAMPING_OLD, SOF_TIMESTAMPING_SOFTWARE);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPING_OLD), SOF_TIMESTAMPING_SOFTWARE);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPING_NEW), 0);
}

/* The end of a pair whose other end is down has no carrier: nothing reaches the driver. */
TEST(transmit_stamps_without_a_driver)
{
    int index, peer, fd;
    char buffer[512];
    struct iovec iov = { buffer, 16 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buffer + 64, .msg_controllen = 400 };

    VXCAN_UP(&index, &peer);
    LINK_DOWN(peer);
    LINK_AWAIT(index, OPER_LOWERLAYERDOWN);
    fd = raw_bound(index);
    sol_set(fd, SO_TIMESTAMPING,
            SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE);
    put(fd, 1);
    CHECK_EQ(recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT), 16);
    CHECK_ERRNO(recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
}

TEST(transmit_stamps_of_a_frame_that_is_refused)
{
    int index, peer, fd;
    char buffer[512];
    struct iovec iov = { buffer, 16 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = buffer + 64, .msg_controllen = 400 };
    struct canfd_frame f = fd_frame_of(1, 8);

    VXCAN_UP(&index, &peer);
    LINK_DOWN(index);
    CHECK_EQ(link_mtu(index, 16), 0);
    LINK_UP(index);
    fd = raw_bound(index);
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    sol_set(fd, SO_TIMESTAMPING,
            SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE);
    CHECK_ERRNO(write(fd, &f, sizeof(f)), EINVAL);
    LINK_DOWN(index);
    raw_new();
    CHECK_ERRNO(recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
    CHECK_ERRNO(write(fd, &f, 16), ENETDOWN);
    CHECK_ERRNO(recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
}

/* SIOCGSTAMP tells what no control message does. */
TEST(siocgstamp_without_control_messages)
{
    int fd = raw_a(), a = raw_a();
    struct timeval t = { 0 };

    sol_set(fd, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE);
    put(a, 1);
    CHECK_GETS(fd, 1);
    OK(ioctl(fd, SIOCGSTAMP_OLD, &t));
    CHECK(t.tv_sec > 0);
    fd = raw_a();
    sol_set(fd, SO_RXQ_OVFL, 1);
    put(a, 2);
    CHECK_GETS(fd, 2);
    OK(ioctl(fd, SIOCGSTAMP_OLD, &t));
    CHECK(t.tv_sec > 0);
}

TEST(siocgstamp_of_a_frame_that_was_read_without_a_stamp_is_a_time)
{
    int fd = raw_a(), a = raw_a();
    struct timeval t = { 0 }, before;

    gettimeofday(&before, NULL);
    put(a, 1);
    CHECK_GETS(fd, 1);
    OK(ioctl(fd, SIOCGSTAMP_OLD, &t));
    CHECK(t.tv_sec >= before.tv_sec);
}

TEST(control_messages_to_a_bad_pointer)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f;
    struct iovec iov = { &f, sizeof(f) };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = UNMAPPED, .msg_controllen = 100 };

    sol_set(fd, SO_TIMESTAMP, 1);
    put(a, 1);
    CHECK_EQ(recvmsg(fd, &m, 0), 16);
}

/* A reader that is busy leaves the kernel's side behind; a signal is to come all the same. */
static volatile sig_atomic_t signals;
static void on_signal(int number) { signals += number == SIGIO; }

TEST(signals_switched_on_between_frames)
{
    struct sigaction action = { .sa_handler = on_signal };
    int fd = raw_a(), a = raw_a();

    OK(sigaction(SIGIO, &action, NULL));
    OK(fcntl(fd, F_SETOWN, getpid()));
    put(a, 1);
    put(a, 2);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 2);
    OK(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
    signals = 0;
    put(a, 3);
    for (int i = 0; i < 1000 && !signals; i++)
        usleep(1000);
    CHECK(signals > 0);
}

/* ---- ioctl ---- */

TEST(ioctl_addresses_are_eaddrnotavail)
{
    struct ifreq r = { .ifr_addr.sa_family = AF_INET };
    int fd = raw_a();

    strcpy(r.ifr_name, if_a());
    CHECK_ERRNO(ioctl(OK(socket(AF_INET, SOCK_DGRAM, 0)), SIOCGIFADDR, &r), EADDRNOTAVAIL);
    (void)fd;
}

static struct ifreq request(void)
{
    struct ifreq r = { 0 };

    strcpy(r.ifr_name, if_a());
    return r;
}

static void refused(unsigned long number, int error)
{
    struct ifreq r = request();

    CHECK_ERRNO(ioctl(raw_a(), number, &r), error);
}

TEST(ioctl_multicast_and_slaves_are_einval)
{
    refused(SIOCADDMULTI, EINVAL);
    refused(SIOCDELMULTI, EINVAL);
    refused(SIOCGIFSLAVE, EINVAL);
    refused(SIOCSIFSLAVE, EINVAL);
}

TEST(ioctl_of_other_hardware_is_eopnotsupp)
{
    refused(SIOCSIFMAP, EOPNOTSUPP);
    refused(SIOCSIFMETRIC, EOPNOTSUPP);
    refused(SIOCGMIIPHY, EOPNOTSUPP);
    refused(SIOCGMIIREG, EOPNOTSUPP);
    refused(SIOCSMIIREG, EOPNOTSUPP);
    refused(SIOCWANDEV, EOPNOTSUPP);
}

TEST(ioctl_set_broadcast_checks_the_family_only)
{
    struct ifreq r = request();
    int fd = raw_a();

    CHECK_ERRNO(ioctl(fd, SIOCSIFHWBROADCAST, &r), EINVAL);
    r.ifr_hwaddr.sa_family = 280; /* ARPHRD_CAN */
    OK(ioctl(fd, SIOCSIFHWBROADCAST, &r));
}

TEST(ioctl_hardware_stamps_are_checked_before_they_are_refused)
{
    struct hwtstamp_config config = { .tx_type = 99 };
    struct ifreq r = request();
    int fd = raw_a();

    r.ifr_data = (void *)&config;
    CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &r), ERANGE);
    config = (struct hwtstamp_config){ .rx_filter = 99 };
    CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &r), ERANGE);
    config = (struct hwtstamp_config){ .flags = 2 };
    CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &r), EINVAL);
    r.ifr_data = UNMAPPED;
    CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &r), EFAULT);
}

TEST(ioctl_ethtool_link_is_eopnotsupp)
{
    struct ethtool_value value = { .cmd = ETHTOOL_GLINK };
    struct ifreq r = request();

    r.ifr_data = (void *)&value;
    CHECK_ERRNO(ioctl(raw_a(), SIOCETHTOOL, &r), EOPNOTSUPP);
    r.ifr_data = UNMAPPED;
    CHECK_ERRNO(ioctl(raw_a(), SIOCETHTOOL, &r), EFAULT);
}

/* ---- netlink ---- */

TEST(netlink_socket_that_was_duplicated_knows_the_links)
{
    struct link_request r = link_request(RTM_GETLINK, 0, index_of(if_a()));
    _Alignas(struct nlmsghdr) char reply[16384];
    struct nlmsghdr *h = (struct nlmsghdr *)reply;
    int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), copy = OK(dup(fd));

    OK(close(fd));
    CHECK_EQ(send(copy, &r, r.head.nlmsg_len, 0), r.head.nlmsg_len);
    CHECK(recv(copy, reply, sizeof(reply), 0) > 32);
    CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
    CHECK_EQ(((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index, index_of(if_a()));
}
