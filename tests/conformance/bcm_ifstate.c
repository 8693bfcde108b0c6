/* CAN_BCM: interfaces that go down, come up, disappear. */
#include "bcm.h"

TEST(down_is_told_once)
{
    int index = VCAN_UP(), fd = bcm_on(index);

    LINK_DOWN(index);
    CHECK(polled(fd, POLLIN, WAIT_MS) & POLLERR);
    CHECK_EQ(recv_errno(fd), ENETDOWN);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    LINK_UP(index);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    LINK_DOWN(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
}

TEST(down_is_told_before_messages)
{
    int index = VCAN_UP(), fd = bcm_on(index), raw = raw_bound(index);

    SETUP(fd, RX_SETUP, 0, 0x701);
    send_frame(raw, 0x701, "01");
    bcm_await(fd, __FILE__, __LINE__);
    LINK_DOWN(index);
    CHECK_EQ(recv_errno(fd), ENETDOWN);
    CHANGED(fd, 0x701, "01");
}

TEST(down_is_not_taken_by_send)
{
    int index = VCAN_UP(), fd = bcm_on(index);

    LINK_DOWN(index);
    LINK_UP(index);
    CHECK_EQ(ASK(fd, TX_SEND, 0, 0, "702:01"), HEAD + 16);
    CHECK_EQ(ASK(fd, TX_SETUP, 0, 0x702, "01"), HEAD + 16);
    CHECK_EQ(recv_errno(fd), ENETDOWN);
}

TEST(down_wakes_a_blocked_reader)
{
    int index = VCAN_UP(), fd = bcm_on(index);
    char buffer[200];
    pid_t child;

    block(fd);
    child = OK(fork());
    if (!child) {
        await_asleep(getppid());
        LINK_DOWN(index);
        _exit(0);
    }
    CHECK_ERRNO(read(fd, buffer, sizeof(buffer)), ENETDOWN);
    CHECK_EQ(tap_join(child), 0);
}

TEST(down_is_nothing_to_any)
{
    int index = VCAN_UP(), fd = bcm_on(0);

    SETUP(fd, RX_SETUP, 0, 0x703);
    LINK_DOWN(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    LINK_UP(index);
    send_frame(raw_bound(index), 0x703, "01");
    CHANGED(fd, 0x703, "01");
}

TEST(down_lets_jobs_go_on)
{
    int index = VCAN_UP(), fd = bcm_on(index), raw = raw_bound(index), o = observer(index, 0x704);
    struct bcm_event *e;
    int before, count;

    SETUP(fd, RX_SETUP, 0, 0x705);
    SETUP(fd, TX_SETUP, START, 0x704, "01 02", .count = 1000000, .ival1_ms = 5);
    CHECK_FRAME(o, 0x704, "01");
    CHECK_FRAME(o, 0x704, "02");
    LINK_DOWN(index);
    CHECK_EQ(recv_errno(fd), ENETDOWN);
    CHECK_EQ(recv_errno(raw), ENETDOWN);
    SETUP(fd, TX_READ, 0, 0x704);
    before = EXPECT(fd, TX_STATUS, 0x704)->m.head.count;
    do {
        poll(NULL, 0, 5);
        SETUP(fd, TX_READ, 0, 0x704);
        e = EXPECT(fd, TX_STATUS, 0x704);
        count = e->m.head.count;
    } while (count > before - 5); /* frames that cannot be sent count */
    LINK_UP(index);
    while (recv(o, (char[72]){ 0 }, 72, 0) > 0 || errno == ENETDOWN)
        ;
    GET(o);
    GET(o);
    send_frame(raw, 0x705, "01");
    CHANGED(fd, 0x705, "01");
}

TEST(removal_is_told_as_enodev_and_disconnects)
{
    int index = VCAN_UP(), fd = bcm_on(index), raw = raw_a();

    SETUP(fd, TX_SETUP, START, 0x706, "01", .ival2_ms = 5);
    SETUP(fd, RX_SETUP, 0, 0x706);
    LINK_DELETE(index);
    while (recv(fd, (char[100]){ 0 }, 100, 0) > 0)
        ;
    CHECK_EQ(errno, ENODEV);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 0, "706:01"), ENOTCONN);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 0x706, "01"), ENOTCONN);
    OK(bcm_connect(fd, index_of(if_a())));
    CHECK_ERRNO(ASK(fd, TX_READ, 0, 0x706), EINVAL); /* that job was one of another interface */
    CHECK_ERRNO(ASK(fd, RX_READ, 0, 0x706), EINVAL);
    while (recv(fd, (char[100]){ 0 }, 100, 0) > 0)
        ;
    SETUP(fd, RX_SETUP, 0, 0x707);
    send_frame(raw, 0x707, "01");
    CHANGED(fd, 0x707, "01");
    CHECK_ERRNO(bcm_connect(fd, index_of(if_b())), EISCONN);
}

TEST(removal_while_down_is_enodev)
{
    int index = VCAN_DOWN(), fd = bcm_on(index);

    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    OK(bcm_connect(fd, 0));
}

TEST(removal_ends_jobs_of_any_on_it)
{
    int index = VCAN_UP(), fd = bcm_on(0), raw = raw_a();
    struct sockaddr_can gone = can_addr(index), a = can_addr(index_of(if_a()));

    SETUP(fd, TX_SETUP, START, 0x708, "01", .ival2_ms = 5, .to = &gone);
    SETUP(fd, RX_SETUP, 0, 0x708, .to = &gone);
    SETUP(fd, RX_SETUP, 0, 0x709);
    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_ERRNO(ASK(fd, TX_DELETE, 0, 0x708, .to = &gone), ENODEV);
    CHECK_ERRNO(ASK(fd, RX_DELETE, 0, 0x708, .to = &gone), ENODEV);
    CHECK_ERRNO(ASK(fd, TX_DELETE, 0, 0x708), EINVAL);
    CHECK_ERRNO(ASK(fd, RX_SETUP, 0, 0x70a, .to = &gone), ENODEV);
    SETUP(fd, TX_SETUP, 0, 0x708, "02", .to = &a);
    send_frame(raw, 0x709, "01");
    while (EVENT(fd)->m.head.can_id != 0x709)
        ;
}

TIMED(removal_leaves_timeouts)
{
    int index = VCAN_UP(), fd = bcm_on(index);

    clock_start();
    SETUP(fd, RX_SETUP, START, 0x70b, .ival1_ms = 150);
    LINK_DELETE(index);
    CHECK_EQ(recv_errno(fd), ENODEV);
    AT(20);
    EVENT_DUE(fd, 150);
    EXPECT(fd, RX_TIMEOUT, 0x70b);
    return 1;
}

TEST(removal_frees_the_claim_of_any)
{
    int index = VCAN_UP(), fd = bcm_on(0), raw = raw_bound(index), a = raw_a(), b = raw_b();

    SETUP(fd, RX_SETUP, SETTIMER, 0x70c, .ival1_ms = 60000);
    send_frame(raw, 0x70c, "01");
    CHANGED(fd, 0x70c, "01");
    send_frame(a, 0x70c, "02");
    LINK_DELETE(index);
    send_frame(a, 0x70c, "03");
    CHANGED(fd, 0x70c, "03");
    send_frame(b, 0x70c, "04");
    send_frame(a, 0x70c, "05");
    CHANGED(fd, 0x70c, "05");
}

TEST(removal_of_another_interface_is_nothing)
{
    int index = VCAN_UP(), fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x70d);
    LINK_DELETE(index);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    send_frame(raw, 0x70d, "01");
    CHANGED(fd, 0x70d, "01");
}

TEST(vxcan_peers_hear_each_other)
{
    int one, two;

    VXCAN_UP(&one, &two);

    int sender = bcm_on(one), hearer = bcm_on(two), o = observer(two, 0x70e);

    SETUP(hearer, RX_SETUP, 0, 0x70e);
    SETUP(sender, TX_SETUP, START, 0x70e, "01", .count = 2, .ival1_ms = 5);
    CHANGED(hearer, 0x70e, "01");
    CHANGED(hearer, 0x70e, "01");
    CHECK_FRAME(o, 0x70e, "01");
}
