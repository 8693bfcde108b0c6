/* Time stamps of received and sent frames, and the error queue. */
#include "link.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

#define TX (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)

static void check_recent(long long seconds, long long nanoseconds)
{
    struct timespec now;
    long long age;

    clock_gettime(CLOCK_REALTIME, &now);
    age = (now.tv_sec - seconds) * 1000000000LL + now.tv_nsec - nanoseconds;
    CHECK(age >= -1000000 && age < 5000000000LL);
}

static void check_stamp(int option, int type)
{
    int fd = raw_a(), a = raw_a(), nano = type == SO_TIMESTAMPNS || type == 64;
    struct cmsghdr *c;
    struct message m;
    int64_t t[2];
    long narrow[2];

    sol_set(fd, option, 1);
    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 1);
    c = control_of(&m, SOL_SOCKET, type);
    CHECK(c != NULL);
    if (type < 63) { /* the old ones are as wide as long */
        CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(narrow)));
        memcpy(narrow, CMSG_DATA(c), sizeof(narrow));
        t[0] = narrow[0];
        t[1] = narrow[1];
    } else {
        CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(t)));
        memcpy(t, CMSG_DATA(c), sizeof(t));
    }
    check_recent(t[0], nano ? t[1] : t[1] * 1000);
}

TEST(timestamp_has_microseconds) { check_stamp(SO_TIMESTAMP, SO_TIMESTAMP); }

TEST(timestampns_has_nanoseconds) { check_stamp(SO_TIMESTAMPNS, SO_TIMESTAMPNS); }

TEST(timestamp_new_has_its_own_type)
{
    check_stamp(63, 63);
    check_stamp(64, 64);
}

TEST(timestamp_is_off_by_default)
{
    int fd = raw_a(), a = raw_a();
    struct message m;

    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 0);
}

TEST(timestamp_and_timestampns_replace_each_other)
{
    int fd = raw_a(), a = raw_a();
    struct message m;

    sol_set(fd, SO_TIMESTAMP, 1);
    sol_set(fd, SO_TIMESTAMPNS, 1);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMP), SO_TIMESTAMP == 63); /* SO_TIMESTAMP_NEW says yes to both */
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPNS), 1);
    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 1);
    CHECK(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS) != NULL);
}

TEST(timestamp_switched_off_again)
{
    int fd = raw_a(), a = raw_a();
    struct message m;

    sol_set(fd, SO_TIMESTAMP, 1);
    sol_set(fd, SO_TIMESTAMP, 0);
    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 0);
}

TEST(timestamps_of_frames_in_order_do_not_go_back)
{
    int fd = raw_a(), a = raw_a();
    struct timespec last = { 0, 0 }, t;

    sol_set(fd, SO_TIMESTAMPNS, 1);
    for (int i = 0; i < 50; i++)
        put(a, i);
    for (int i = 0; i < 50; i++) {
        struct message m;

        RECEIVE(fd, &m);
        memcpy(&t, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(t));
        CHECK(t.tv_sec > last.tv_sec || (t.tv_sec == last.tv_sec && t.tv_nsec >= last.tv_nsec));
        last = t;
    }
}

TEST(timestamp_is_the_time_of_arrival_not_of_reading)
{
    int fd = raw_a(), a = raw_a();
    struct timespec pause = { 0, 30000000 }, t, now;
    struct message m;

    sol_set(fd, SO_TIMESTAMPNS, 1);
    put(a, 1);
    nanosleep(&pause, NULL);
    clock_gettime(CLOCK_REALTIME, &now);
    RECEIVE(fd, &m);
    memcpy(&t, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(t));
    CHECK((now.tv_sec - t.tv_sec) * 1000000000LL + now.tv_nsec - t.tv_nsec >= 25000000);
}

TEST(timestamping_receive_software)
{
    int fd = raw_a(), a = raw_a();
    struct scm_timestamping t;
    struct cmsghdr *c;
    struct message m;

    sol_set(fd, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 1);
    c = control_of(&m, SOL_SOCKET, SO_TIMESTAMPING);
    CHECK(c != NULL);
    CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(t)));
    memcpy(&t, CMSG_DATA(c), sizeof(t));
    check_recent(t.ts[0].tv_sec, t.ts[0].tv_nsec);
    for (int i = 1; i < 3; i++) {
        CHECK_EQ(t.ts[i].tv_sec, 0);
        CHECK_EQ(t.ts[i].tv_nsec, 0);
    }
}

TEST(timestamping_and_timestamp_come_both)
{
    int fd = raw_a(), a = raw_a();
    struct cmsghdr *c;
    struct message m;

    sol_set(fd, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
    sol_set(fd, SO_TIMESTAMP, 1);
    put(a, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(control_count(&m), 2);
    c = CMSG_FIRSTHDR(&m.header);
    CHECK_EQ(c->cmsg_type, SO_TIMESTAMP);
    c = CMSG_NXTHDR(&m.header, c);
    CHECK_EQ(c->cmsg_type, SO_TIMESTAMPING);
}

TEST(timestamping_unknown_bits_are_einval)
{
    int fd = raw_a(), value = 1 << 20;

    CHECK_ERRNO(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &value, sizeof(value)), EINVAL);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPING), 0);
}

TEST(timestamping_reads_back)
{
    int fd = raw_a();

    sol_set(fd, SO_TIMESTAMPING, TX);
    CHECK_EQ(sol_get(fd, SO_TIMESTAMPING), TX);
}

static void check_error_message(int fd, canid_t id, int size, unsigned data)
{
    struct sock_extended_err e;
    struct scm_timestamping t;
    struct cmsghdr *c;
    struct message m;

    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, size);
    CHECK_EQ(m.flags, MSG_ERRQUEUE);
    CHECK_EQ(m.namelen, 0);
    if (size) CHECK_EQ(m.can.can_id, id);
    c = control_of(&m, SOL_SOCKET, SO_TIMESTAMPING);
    CHECK(c != NULL);
    memcpy(&t, CMSG_DATA(c), sizeof(t));
    check_recent(t.ts[0].tv_sec, t.ts[0].tv_nsec);
    c = control_of(&m, SOL_CAN_RAW, SCM_CAN_RAW_ERRQUEUE);
    CHECK(c != NULL);
    CHECK_EQ(c->cmsg_len, CMSG_LEN(16));
    memcpy(&e, CMSG_DATA(c), sizeof(e));
    CHECK_EQ(e.ee_errno, ENOMSG);
    CHECK_EQ(e.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    CHECK_EQ(e.ee_type, 0);
    CHECK_EQ(e.ee_code, 0);
    CHECK_EQ(e.ee_pad, 0);
    CHECK_EQ(e.ee_info, SCM_TSTAMP_SND);
    CHECK_EQ(e.ee_data, data);
}

static void check_error_queue_empty(int fd)
{
    struct message m;

    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, -1);
    CHECK_EQ(errno, EAGAIN);
}

TEST(timestamping_transmit_puts_a_message_on_the_error_queue)
{
    int fd = raw_a(), peer = raw_a();

    sol_set(fd, SO_TIMESTAMPING, TX);
    put(fd, 0x345);
    check_error_message(fd, 0x345, 16, 0);
    check_error_queue_empty(fd);
    CHECK_GETS(peer, 0x345);
}

TEST(timestamping_transmit_messages_come_in_order)
{
    int fd = raw_a();

    sol_set(fd, SO_TIMESTAMPING, TX);
    for (int i = 0; i < 5; i++)
        put(fd, i);
    for (int i = 0; i < 5; i++)
        check_error_message(fd, i, 16, 0);
    check_error_queue_empty(fd);
}

TEST(timestamping_transmit_tsonly_has_no_payload)
{
    int fd = raw_a();

    sol_set(fd, SO_TIMESTAMPING, TX | SOF_TIMESTAMPING_OPT_TSONLY);
    put(fd, 0x345);
    check_error_message(fd, 0, 0, 0);
}

TEST(timestamping_transmit_id_counts_from_0)
{
    int fd = raw_a();

    sol_set(fd, SO_TIMESTAMPING, TX | SOF_TIMESTAMPING_OPT_ID);
    for (int i = 0; i < 3; i++) {
        put(fd, 0x345);
        check_error_message(fd, 0x345, 16, i);
    }
}

TEST(timestamping_transmit_works_without_loopback)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    sol_set(fd, SO_TIMESTAMPING, TX);
    put(fd, 0x345);
    check_error_message(fd, 0x345, 16, 0);
}

TEST(timestamping_transmit_leaves_so_error_and_reception_alone)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame f;

    sol_set(fd, SO_TIMESTAMPING, TX);
    put(fd, 0x345);
    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), EAGAIN);
    put(a, 5);
    CHECK_GETS(fd, 5);
    check_error_message(fd, 0x345, 16, 0);
}

TEST(timestamping_transmit_by_control_message)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4)];
    struct can_frame f = frame_of(0x346, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c = (struct cmsghdr *)control;
    int fd = raw_a(), flags = SOF_TIMESTAMPING_TX_SOFTWARE;

    memset(control, 0, sizeof(control));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SO_TIMESTAMPING;
    c->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(c), &flags, 4);
    sol_set(fd, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE);
    put(fd, 0x345);
    check_error_queue_empty(fd);
    CHECK_EQ(sendmsg(fd, &h, 0), 16);
    check_error_message(fd, 0x346, 16, 0);
}

TEST(timestamping_transmit_of_fd_frames)
{
    struct canfd_frame f = fd_frame_of(0x347, 20);
    int fd = raw_a();
    struct message m;

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    sol_set(fd, SO_TIMESTAMPING, TX);
    CHECK_EQ(write(fd, &f, sizeof(f)), 72);
    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, 72);
    CHECK_EQ(m.fd.can_id, 0x347);
}

TEST(timestamping_transmit_schedule_comes_before_send)
{
    int fd = raw_a();
    struct sock_extended_err e;
    struct message m;

    sol_set(fd, SO_TIMESTAMPING, TX | SOF_TIMESTAMPING_TX_SCHED);
    put(fd, 0x345);
    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, 16);
    memcpy(&e, CMSG_DATA(control_of(&m, SOL_CAN_RAW, SCM_CAN_RAW_ERRQUEUE)), sizeof(e));
    CHECK_EQ(e.ee_info, SCM_TSTAMP_SCHED);
    check_error_message(fd, 0x345, 16, 0);
    check_error_queue_empty(fd);
}

TEST(timestamping_error_queue_is_not_read_by_ordinary_recv)
{
    int fd = raw_a();
    struct can_frame f;
    struct message m;

    sol_set(fd, SO_TIMESTAMPING, TX);
    put(fd, 0x345);
    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    CHECK_ERRNO(recv(fd, &f, sizeof(f), 0), EAGAIN);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, 16);
}

TEST(timestamping_transmit_on_vxcan)
{
    int a, b, fd, peer;

    VXCAN_UP(&a, &b);
    fd = raw_bound(a);
    peer = raw_bound(b);
    sol_set(fd, SO_TIMESTAMPING, TX);
    put(fd, 0x348);
    check_error_message(fd, 0x348, 16, 0);
    CHECK_GETS(peer, 0x348);
}

TEST(siocgstamp_is_enoent_at_first)
{
    struct timeval t;
    struct timespec n;

    CHECK_ERRNO(ioctl(raw_a(), SIOCGSTAMP, &t), ENOENT);
    CHECK_ERRNO(ioctl(raw_a(), SIOCGSTAMPNS, &n), ENOENT);
}

TEST(siocgstamp_is_the_time_of_the_frame_read_last)
{
    int fd = raw_a(), a = raw_a();
    struct timeval t = { 0, 0 };
    struct timespec n = { 0, 0 };

    CHECK_ERRNO(ioctl(fd, SIOCGSTAMP, &t), ENOENT);
    put(a, 1);
    CHECK_GETS(fd, 1);
    OK(ioctl(fd, SIOCGSTAMP, &t));
    check_recent(t.tv_sec, t.tv_usec * 1000);
    OK(ioctl(fd, SIOCGSTAMPNS, &n));
    check_recent(n.tv_sec, n.tv_nsec);
    CHECK_EQ(n.tv_sec, t.tv_sec);
    CHECK_EQ(n.tv_nsec / 1000, t.tv_usec);
}

/* SIOCGSTAMP_NEW, SIOCGSTAMPNS_NEW */
TEST(siocgstamp_new_has_64_bit_times)
{
    const unsigned long requests[] = { 0x80108906, 0x80108907 };
    int fd = raw_a(), a = raw_a();
    int64_t t[2][3] = { { -1, -1, -1 }, { -1, -1, -1 } };

    CHECK_ERRNO(ioctl(fd, requests[0], t[0]), ENOENT);
    put(a, 1);
    CHECK_GETS(fd, 1);
    for (int i = 0; i < 2; i++) {
        OK(ioctl(fd, requests[i], t[i]));
        check_recent(t[i][0], t[i][1] * (i ? 1 : 1000));
        CHECK_EQ(t[i][2], -1);
    }
    CHECK_EQ(t[1][1] / 1000, t[0][1]);
}

TEST(siocgstamp_with_bad_pointer_is_efault)
{
    int fd = raw_a(), a = raw_a();
    struct timeval t;

    CHECK_ERRNO(ioctl(fd, SIOCGSTAMP, &t), ENOENT);
    put(a, 1);
    CHECK_GETS(fd, 1);
    CHECK_ERRNO(ioctl(fd, SIOCGSTAMP, bad_pointer), EFAULT);
}
