/* What programs seldom do: the paths of src/sockets that no other test takes. */
#include "packet.h"

#include <linux/can/bcm.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* ---- packet sockets ---- */

TEST(packet_bound_to_no_link_hears_all)
{
    int a = VCAN_UP(), b = VCAN_UP(), p = packet_on(a, PROTOCOL_CAN), kernels = packet_new(SOCK_RAW, 0);

    OK(packet_bind(p, 0, PROTOCOL_CAN));
    OK(packet_bind(kernels, 0, PROTOCOL_CAN));
    put(raw_bound(b), 0x102);
    CHECK_EQ(packet_get(p).from.sll_ifindex, b);
    CHECK_EQ(packet_get(kernels).from.sll_ifindex, b);
}

TEST(packet_keeps_its_buffer_when_it_is_bound)
{
    int index = VCAN_UP(), p = packet_new(SOCK_RAW, 0), size = 50000, before;

    OK(setsockopt(p, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
    before = sol_get(p, SO_RCVBUF);
    CHECK_EQ(before, 100000);
    OK(packet_bind(p, index, PROTOCOL_CAN));
    CHECK_EQ(sol_get(p, SO_RCVBUF), before);
}

TEST(packet_options_off_again_and_cut)
{
    int p = packet_on(VCAN_UP(), PROTOCOL_CAN), value;
    struct tpacket_stats_v3 stats[2];
    struct tpacket_req3 request = { 0 };
    socklen_t size = sizeof(stats);

    OK(packet_set(p, PACKET_AUXDATA, 1));
    CHECK_EQ(packet_value(p, PACKET_AUXDATA), 1);
    OK(packet_set(p, PACKET_AUXDATA, 0));
    CHECK_EQ(packet_value(p, PACKET_AUXDATA), 0);
    OK(getsockopt(p, SOL_PACKET, PACKET_STATISTICS, stats, &size));
    CHECK_EQ(size, sizeof(struct tpacket_stats));
    for (int version = TPACKET_V1; version <= TPACKET_V3; version++) {
        static const int wanted[] = { sizeof(struct tpacket_hdr), sizeof(struct tpacket2_hdr),
                                      sizeof(struct tpacket3_hdr) };
        value = version;
        size = sizeof(value);
        OK(getsockopt(p, SOL_PACKET, PACKET_HDRLEN, &value, &size));
        CHECK_EQ(value, wanted[version]);
    }
    CHECK_ERRNO(setsockopt(p, SOL_PACKET, PACKET_FANOUT, &request, 3), EINVAL);
    CHECK_ERRNO(setsockopt(p, SOL_PACKET, PACKET_TX_RING, &request, 4), EINVAL);
    CHECK_ERRNO(setsockopt(p, SOL_PACKET, PACKET_RX_RING, &request, 4), EINVAL);
}

TEST(packet_calls_with_bad_memory)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_CAN);
    struct iovec endless = { bad_pointer, (size_t)-1 };
    struct msghdr msg = { .msg_iov = &endless, .msg_iovlen = 1 };
    char bytes[16];
    socklen_t size = 20;

    CHECK_ERRNO(sendmsg(p, &msg, 0), EINVAL);
    put(raw_bound(index), 0x123);
    await_in(p, __FILE__, __LINE__);
    CHECK_ERRNO(recvfrom(p, bytes, sizeof(bytes), 0, bad_pointer, &size), EFAULT);
}

TEST(packet_tells_how_many_it_lost)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_CAN), sender = raw_bound(index), on = 1, size = 2304;
    unsigned lost = 0;
    char bytes[16], control[256];

    OK(setsockopt(p, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)));
    OK(setsockopt(p, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)));
    for (int i = 0; i < 2000; i++)
        put(sender, 0x100);
    while (polled(p, POLLIN, 0)) {
        struct iovec iov = { bytes, sizeof(bytes) };
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        CHECK_EQ(recvmsg(p, &msg, 0), 16);
        if (!lost) put(sender, 0x101); /* the next to come knows */
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
            if (c->cmsg_type == SO_RXQ_OVFL) memcpy(&lost, CMSG_DATA(c), sizeof(lost));
        if (lost) break;
    }
    CHECK(lost > 0);
}

static int with_ring(int index)
{
    int p = packet_on(index, PROTOCOL_CAN);
    struct tpacket_req3 request = {
        .tp_block_size = 16384, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 8
    };

    OK(packet_set(p, PACKET_VERSION, TPACKET_V3));
    OK(setsockopt(p, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)));
    return p;
}

TEST(packet_rings_go_with_their_sockets)
{
    int index = VCAN_UP();

    for (int i = 0; i < 100; i++) {
        int p = with_ring(index);
        CHECK_EQ(polled(p, POLLIN, 0), 0);
        OK(close(p));
    }
}

TEST(packet_ring_that_a_child_has_ended)
{
    struct tpacket_req3 none = { 0 }, request = {
        .tp_block_size = 16384, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 8
    };
    int p = with_ring(VCAN_UP()), status;
    pid_t child = OK(fork());

    if (child == 0) _exit(setsockopt(p, SOL_PACKET, PACKET_RX_RING, &none, sizeof(none)) != 0);
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 0);
    CHECK_EQ(polled(p, POLLIN, 0), 0);
    OK(setsockopt(p, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)));
}

/* ---- sockets of AF_CAN ---- */

TEST(no_descriptor_is_left_for_a_socket)
{
    struct rlimit limit;
    int fd = raw_new();

    OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = (rlim_t)fd + 1;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ERRNO(socket(PF_CAN, SOCK_RAW, CAN_RAW), EMFILE);
    CHECK_ERRNO(socket(PF_CAN, SOCK_DGRAM, CAN_BCM), EMFILE);
    OK(close(fd));
    OK(raw_new());
}

TEST(bcm_frame_from_bad_memory)
{
    struct bcm_msg_head head = { .opcode = TX_SEND, .can_id = 0x123, .nframes = 1 };
    struct iovec iov[2] = { { &head, sizeof(head) }, { bad_pointer, sizeof(struct can_frame) } };
    struct sockaddr_can to = { .can_family = AF_CAN, .can_ifindex = VCAN_UP() };
    int fd = OK(socket(PF_CAN, SOCK_DGRAM, CAN_BCM));

    OK(connect(fd, (struct sockaddr *)&to, sizeof(to)));
    CHECK_ERRNO(writev(fd, iov, 2), EFAULT);
}

TEST(bcm_takes_control_messages_as_others_do)
{
    struct bcm_msg_head head = { .opcode = TX_SEND, .can_id = 0x123, .nframes = 1 };
    struct can_frame frame = frame_of(0x123, 0);
    struct sockaddr_can to = { .can_family = AF_CAN, .can_ifindex = VCAN_UP() };
    struct iovec iov[2] = { { &head, sizeof(head) }, { &frame, sizeof(frame) } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = bad_pointer, .msg_controllen = 16 };
    int fd = OK(socket(PF_CAN, SOCK_DGRAM, CAN_BCM)), reader = raw_bound(to.can_ifindex);

    OK(connect(fd, (struct sockaddr *)&to, sizeof(to)));
    CHECK_ERRNO(sendmsg(fd, &msg, 0), EFAULT);
    msg.msg_control = (char[16]){ 1 };
    CHECK_EQ(sendmsg(fd, &msg, 0), sizeof(head) + sizeof(frame));
    CHECK_GETS(reader, 0x123);
}

static int stamp_errno(int fd)
{
    struct timeval at;
    return ioctl(fd, SIOCGSTAMP_OLD, &at) < 0 ? errno : 0;
}

/* What SIOCGSTAMP tells of frames whose times control messages tell, or could. */
TEST(stamp_of_a_frame_with_each_option)
{
    static const struct {
        int stamping, overflow, early, wanted;
    } table[] = {
        { SOF_TIMESTAMPING_SOFTWARE, 1, 0, 0 }, /* before anybody wants times, which gives them to all */
        { 0, 0, 0, 0 },
        { SOF_TIMESTAMPING_RX_SOFTWARE, 0, 0, 0 },
        { SOF_TIMESTAMPING_RX_SOFTWARE, 1, 0, ENOENT },
        { SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE, 0, 0, ENOENT },
        { SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE, 1, 1, ENOENT },
        { SOF_TIMESTAMPING_SOFTWARE, 1, 1, ENOENT },
        { SOF_TIMESTAMPING_RAW_HARDWARE, 0, 0, 0 },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        int index = VCAN_UP(), fd = raw_bound(index), got;
        struct can_frame f;
        if (table[i].early) stamp_errno(fd);
        if (table[i].stamping)
            OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &table[i].stamping, sizeof(int)));
        if (table[i].overflow) OK(setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &table[i].overflow, sizeof(int)));
        put(raw_bound(index), 0x123);
        await_in(fd, __FILE__, __LINE__);
        OK(read(fd, &f, sizeof(f)));
        got = stamp_errno(fd);
        if (got != table[i].wanted) printf("# row %zu\n", i);
        CHECK_EQ(got, table[i].wanted);
    }
}

TEST(stamp_that_is_asked_for_when_the_frame_has_come)
{
    int index = VCAN_UP(), fd = raw_bound(index), on = 1;
    char control[64];
    struct can_frame f;
    struct iovec iov = { &f, sizeof(f) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct timeval at = { 0 };

    put(raw_bound(index), 0x123);
    await_in(fd, __FILE__, __LINE__);
    OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)));
    OK(recvmsg(fd, &msg, 0));
    CHECK(CMSG_FIRSTHDR(&msg));
    memcpy(&at, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(at));
    CHECK(at.tv_sec <= time(NULL) + 1 && at.tv_sec >= time(NULL) - 5);
}

/* The number that a transmit time stamp has. */
static unsigned number_of(int fd)
{
    char control[256], bytes[80];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct sock_extended_err report = { 0 };

    OK(recvmsg(fd, &msg, MSG_ERRQUEUE));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_CAN_RAW) memcpy(&report, CMSG_DATA(c), sizeof(report));
    CHECK_EQ(report.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    return report.ee_data;
}

TEST(stamps_number_frames_that_are_too_long)
{
    int index = VCAN_UP_MTU(16), fd = raw_bound(index),
        how = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
    struct canfd_frame long_one = fd_frame_of(0x124, 64);

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &how, sizeof(how)));
    put(fd, 0x100);
    CHECK_EQ(number_of(fd), 0);
    CHECK(write(fd, &long_one, sizeof(long_one)) < 0);
    put(fd, 0x101);
    CHECK_EQ(number_of(fd), 1);
}

TEST(stamps_number_frames_for_other_links)
{
    int fd = raw_bound(VCAN_UP()),
        how = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
    struct sockaddr_can lo = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex("lo") };
    struct can_frame f = frame_of(0x123, 0);

    OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &how, sizeof(how)));
    CHECK_ERRNO(sendto(fd, &f, sizeof(f), 0, (struct sockaddr *)&lo, sizeof(lo)), EPERM);
    put(fd, 0x101);
    CHECK_EQ(number_of(fd), 1);
}

static volatile sig_atomic_t signals;
static void count_signal(int number) { signals += number == SIGIO; }

TEST(stamps_signal_for_what_is_left)
{
    int fd = raw_bound(VCAN_UP()),
        how = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
    int before;

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    OK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &how, sizeof(how)));
    put(fd, 0x100);
    put(fd, 0x101);
    signal(SIGIO, count_signal);
    OK(fcntl(fd, F_SETOWN, getpid()));
    OK(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
    before = signals;
    number_of(fd);
    CHECK_EQ(signals > before, 1);
    CHECK_EQ(stamp_errno(fd), 0); /* of the message, which told none itself */
}
