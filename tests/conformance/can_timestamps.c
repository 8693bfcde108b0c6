/* Time stamps of frames that go through a controller: when the queue has it, when the driver has it, and, where the controller stamps frames itself, when
 * it was on the bus. */
#include "controller.h"

#include <linux/errqueue.h>
#include <linux/ethtool.h>

#define SOFT   (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)
#define HARD   (SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE)
#define A_MS   1000000LL
#define SETTLE 50 /* ms in which a message would have come */

static long long ns_of(const struct timespec *t) { return t->tv_sec * 1000000000LL + t->tv_nsec; }

/* What a message on the error queue says. Times in ns; 0: none. */
struct report {
    int size;
    canid_t id;
    unsigned info, data;
    bool has_times;
    long long software, hardware;
};

static void times_of(struct message *m, struct report *out)
{
    struct cmsghdr *c = control_of(m, SOL_SOCKET, SO_TIMESTAMPING);
    struct scm_timestamping t;

    out->has_times = c != NULL;
    if (!c) return;
    CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(t)));
    memcpy(&t, CMSG_DATA(c), sizeof(t));
    CHECK_EQ(ns_of(&t.ts[1]), 0);
    out->software = ns_of(&t.ts[0]);
    out->hardware = ns_of(&t.ts[2]);
}

static struct report REPORT(int fd) {
    struct report r = { 0 };
    struct sock_extended_err e;
    struct cmsghdr *c;
    struct message m;

    CHECK(polled(fd, 0, WAIT_MS) & POLLERR);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK(m.size >= 0);
    CHECK_EQ(m.flags, MSG_ERRQUEUE);
    c = control_of(&m, SOL_CAN_RAW, SCM_CAN_RAW_ERRQUEUE);
    CHECK(c != NULL);
    memcpy(&e, CMSG_DATA(c), sizeof(e));
    CHECK_EQ(e.ee_errno, ENOMSG);
    CHECK_EQ(e.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    r.size = m.size;
    r.id = m.size ? m.can.can_id : 0;
    r.info = e.ee_info;
    r.data = e.ee_data;
    times_of(&m, &r);
    return r;
}

static void
CHECK_NO_MORE(int fd)
{
    struct message m;

    polled(fd, 0, SETTLE);
    receive_with(fd, &m, MSG_ERRQUEUE);
    CHECK_EQ(m.size, -1);
    CHECK_EQ(errno, EAGAIN);
}

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return ns_of(&t);
}

/* A socket on the first of two controllers that are up. */
static int sender(int stamping)
{
    int fd;

    CONTROLLER_UP(1, 0);
    fd = raw_bound(CONTROLLER_UP(0, 0));
    sol_set(fd, SO_TIMESTAMPING, stamping);
    return fd;
}

TEST(software_is_the_time_at_which_the_driver_takes_the_frame)
{
    int fd = sender(SOFT);
    long long before = now();
    struct report r;

    put(fd, 0x345);
    r = REPORT(fd);
    CHECK_EQ(r.size, 16);
    CHECK_EQ(r.id, 0x345);
    CHECK_EQ(r.info, SCM_TSTAMP_SND);
    CHECK_EQ(r.data, 0);
    CHECK_EQ(r.hardware, 0);
    CHECK(r.software >= before - A_MS && r.software <= now() + A_MS);
    CHECK_NO_MORE(fd);
}

TEST(schedule_comes_before_software)
{
    int fd = sender(SOFT | SOF_TIMESTAMPING_TX_SCHED);
    struct report scheduled, taken;

    put(fd, 0x345);
    scheduled = REPORT(fd);
    taken = REPORT(fd);
    CHECK_EQ(scheduled.info, SCM_TSTAMP_SCHED);
    CHECK_EQ(taken.info, SCM_TSTAMP_SND);
    CHECK(taken.software >= scheduled.software - A_MS);
    CHECK_NO_MORE(fd);
}

TEST(numbers_count_frames_and_tsonly_leaves_them_out)
{
    int fd = sender(SOFT | SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY);

    for (unsigned i = 0; i < 3; i++)
        put(fd, i);
    for (unsigned i = 0; i < 3; i++) {
        struct report r = REPORT(fd);
        CHECK_EQ(r.data, i);
        CHECK_EQ(r.size, 0);
        CHECK(r.software > 0);
    }
    CHECK_NO_MORE(fd);
}

TEST(software_needs_no_loopback)
{
    int fd = sender(SOFT);

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 0x345);
    CHECK_EQ(REPORT(fd).id, 0x345);
}

/* Sends a frame with the flags as a control message. */
static void put_with(int fd, canid_t id, int flags)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4)];
    struct can_frame f = frame_of(id, 1);
    struct iovec v = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c = (struct cmsghdr *)control;

    memset(control, 0, sizeof(control));
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SO_TIMESTAMPING;
    c->cmsg_len = CMSG_LEN(4);
    memcpy(CMSG_DATA(c), &flags, 4);
    CHECK_EQ(sendmsg(fd, &h, 0), sizeof(f));
}

TEST(a_control_message_asks_for_one_frame)
{
    int fd = sender(SOF_TIMESTAMPING_SOFTWARE);

    put(fd, 0x345);
    put_with(fd, 0x346, SOF_TIMESTAMPING_TX_SOFTWARE);
    CHECK_EQ(REPORT(fd).id, 0x346);
    put(fd, 0x347);
    CHECK_NO_MORE(fd);
}

TEST(listen_only_the_driver_takes_nothing)
{
    int fd;

    fd = raw_bound(CONTROLLER_UP(0, CAN_CTRLMODE_LISTENONLY));
    sol_set(fd, SO_TIMESTAMPING, SOFT | SOF_TIMESTAMPING_TX_SCHED);
    put(fd, 0x345);
    CHECK_EQ(REPORT(fd).info, SCM_TSTAMP_SCHED);
    CHECK_NO_MORE(fd);
}

/* On a controller that does not stamp, the message comes without a time. */
TEST(hardware_is_told_when_the_frame_was_sent)
{
    int fd = sender(HARD);
    struct report r;

    put(fd, 0x345);
    r = REPORT(fd);
    CHECK_EQ(r.id, 0x345);
    CHECK_EQ(r.info, SCM_TSTAMP_SND);
    CHECK_EQ(r.has_times, controller_stamps());
    CHECK_EQ(r.software, 0);
    CHECK_EQ(r.hardware != 0, controller_stamps());
    CHECK_NO_MORE(fd);
}

TEST(hardware_needs_no_loopback)
{
    int fd = sender(HARD | SOF_TIMESTAMPING_OPT_ID);

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 0x344);
    CHECK_EQ(REPORT(fd).data, 0);
    put(fd, 0x345);
    CHECK_EQ(REPORT(fd).data, 1);
    CHECK_NO_MORE(fd);
}

TEST(hardware_replaces_software)
{
    int fd = sender(SOFT | HARD);
    struct report r;

    put(fd, 0x345);
    r = REPORT(fd);
    CHECK_EQ(r.software, 0);
    CHECK_EQ(r.hardware != 0, controller_stamps());
    CHECK_NO_MORE(fd);
}

TEST(both_come_when_both_are_asked_for)
{
    int fd = sender(SOFT | HARD | SOF_TIMESTAMPING_OPT_TX_SWHW | SOF_TIMESTAMPING_OPT_ID);
    struct report soft, hard;

    put(fd, 0x345);
    soft = REPORT(fd);
    hard = REPORT(fd);
    CHECK(soft.software > 0);
    CHECK_EQ(soft.hardware, 0);
    CHECK_EQ(hard.software, 0);
    CHECK_EQ(soft.data, 0);
    CHECK_EQ(hard.data, 0);
    if (controller_stamps())
        CHECK(hard.hardware >= soft.software + 94 * 2000); /* so many bits it has at least */
    CHECK_NO_MORE(fd);
}

TEST(hardware_that_is_not_reported_is_a_message_without_time)
{
    int fd = sender(SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_SOFTWARE);
    struct report r;

    put(fd, 0x345);
    r = REPORT(fd);
    CHECK_EQ(r.id, 0x345);
    CHECK(!r.has_times);
}

/* The second of two frames is taken when the first one has left its place. */
TEST(the_next_frame_is_taken_when_this_one_was_sent)
{
    int fd = sender(SOFT | HARD | SOF_TIMESTAMPING_OPT_TX_SWHW | SOF_TIMESTAMPING_OPT_ID);
    long long sent = 0, taken = 0;

    if (!controller_stamps()) SKIP("the controller stamps no frames");
    put(fd, 1);
    put(fd, 2);
    for (int i = 0; i < 4; i++) {
        struct report r = REPORT(fd);
        if (r.data == 0 && r.hardware) sent = r.hardware;
        if (r.data == 1 && r.software) taken = r.software;
    }
    CHECK(sent && taken >= sent);
}

/* What comes with a received frame. */
static struct report RECEIVED(int fd, canid_t id) {
    struct report r = { 0 };
    struct message m;

    RECEIVE(fd, &m);
    CHECK_EQ(m.can.can_id, id);
    times_of(&m, &r);
    return r;
}

TEST(receivers_have_the_hardware_time)
{
    int fd = sender(HARD), other = raw_bound(controller_index(1));
    struct report r;

    sol_set(other, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE);
    put(fd, 0x345);
    r = RECEIVED(other, 0x345);
    CHECK_EQ(r.has_times, controller_stamps());
    CHECK_EQ(r.hardware != 0, controller_stamps());
    CHECK_EQ(r.software, 0);
}

TEST(receivers_have_both_times)
{
    int fd = sender(0), other = raw_bound(controller_index(1));
    struct report r;

    sol_set(other, SO_TIMESTAMPING,
            SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RAW_HARDWARE);
    put(fd, 0x345);
    r = RECEIVED(other, 0x345);
    CHECK(r.software != 0);
    CHECK_EQ(r.hardware != 0, controller_stamps());
}

TEST(sender_echo_and_receivers_agree_on_the_hardware_time)
{
    int fd = sender(HARD), other = raw_bound(controller_index(1));
    long long sent, echoed;

    if (!controller_stamps()) SKIP("the controller stamps no frames");
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    sol_set(other, SO_TIMESTAMPING, SOF_TIMESTAMPING_RAW_HARDWARE);
    put(fd, 0x345);
    sent = REPORT(fd).hardware; /* first: while it is there, poll(2) does not wait for the echo */
    echoed = RECEIVED(fd, 0x345).hardware;
    CHECK(sent != 0);
    CHECK_EQ(echoed, sent);
    CHECK_EQ(RECEIVED(other, 0x345).hardware, sent);
}

TEST(the_configuration_of_hardware_stamps_is_fixed)
{
    struct hwtstamp_config config = { .flags = 7, .tx_type = 7, .rx_filter = 7 };
    struct ifreq request = controller_request(&config);
    int fd = sender(0);
    bool stamps = controller_stamps();

    if (stamps) {
        OK(ioctl(fd, SIOCGHWTSTAMP, &request));
        CHECK_EQ(config.flags, 0);
        CHECK_EQ(config.tx_type, HWTSTAMP_TX_ON);
        CHECK_EQ(config.rx_filter, HWTSTAMP_FILTER_ALL);
    } else {
        CHECK_ERRNO(ioctl(fd, SIOCGHWTSTAMP, &request), EOPNOTSUPP);
    }
    for (int tx = HWTSTAMP_TX_OFF; tx <= HWTSTAMP_TX_ON; tx++)
        for (int rx = HWTSTAMP_FILTER_NONE; rx <= HWTSTAMP_FILTER_SOME; rx++) {
            config = (struct hwtstamp_config){ .tx_type = tx, .rx_filter = rx };
            if (stamps && tx == HWTSTAMP_TX_ON && rx == HWTSTAMP_FILTER_ALL)
                OK(ioctl(fd, SIOCSHWTSTAMP, &request));
            else
                CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &request), stamps ? ERANGE : EOPNOTSUPP);
        }
    config = (struct hwtstamp_config){ .flags = 64 };
    CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &request), EINVAL);
    request.ifr_data = bad_pointer;
    CHECK_ERRNO(ioctl(fd, SIOCSHWTSTAMP, &request), EFAULT);
    CHECK_ERRNO(ioctl(fd, SIOCGHWTSTAMP, &request), stamps ? EFAULT : EOPNOTSUPP);
}

TEST(ethtool_tells_what_is_stamped)
{
    struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };
    struct ifreq request = controller_request(&info);
    int fd = sender(0);
    bool stamps = controller_stamps();

    OK(ioctl(fd, SIOCETHTOOL, &request));
    CHECK_EQ(info.so_timestamping, stamps ? 0x5f : 0x1a);
    CHECK_EQ(info.phc_index, -1);
    CHECK_EQ(info.tx_types, stamps ? 1 << HWTSTAMP_TX_ON : 0);
    CHECK_EQ(info.rx_filters, stamps ? 1 << HWTSTAMP_FILTER_ALL : 0);
}
