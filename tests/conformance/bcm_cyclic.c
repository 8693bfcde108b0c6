/* CAN_BCM: TX_SETUP - which frames are sent when, what is counted, what updates change. */
#include "bcm.h"

TIMED(count_frames_at_ival1_then_ival2)
{
    int fd = bcm_a(), o = observer_a(0x301);
    struct bcm_event *e;

    clock_start();
    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x301, "01", .count = 3, .ival1_ms = 50, .ival2_ms = 100);
    FRAME_DUE(o, 0, "01");
    FRAME_DUE(o, 50, "01");
    FRAME_DUE(o, 100, "01");
    e = EXPECT(fd, TX_EXPIRED, 0x301);
    CHECK_EQ(e->m.head.flags, START | TX_COUNTEVT | TX_ANNOUNCE);
    CHECK_EQ(e->m.head.count, 0);
    CHECK_EQ(e->m.head.nframes, 0);
    CHECK_EQ(e->m.head.ival1.tv_usec, 50000);
    CHECK_EQ(e->m.head.ival2.tv_usec, 100000);
    CHECK_EQ(e->from.can_ifindex, 0);
    FRAME_DUE(o, 200, "01");
    FRAME_DUE(o, 300, "01");
    CHECK_EQ(recv_errno(fd), EAGAIN);
    return 1;
}

TIMED(count_of_one_brings_no_message)
{
    int fd = bcm_a(), o = observer_a(0x302);

    clock_start();
    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x302, "01", .count = 1, .ival1_ms = 20);
    FRAME_DUE(o, 0, "01");
    AT(60);
    CHECK_QUIET(o);
    clock_start();
    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x302, "02", .count = 1, .ival1_ms = 50, .ival2_ms = 80);
    FRAME_DUE(o, 0, "02");
    FRAME_DUE(o, 80, "02");
    FRAME_DUE(o, 160, "02");
    CHECK_EQ(recv_errno(fd), EAGAIN);
    return 1;
}

TIMED(count_without_ival1_goes_down_in_silence)
{
    int fd = bcm_a(), o = observer_a(0x303);

    clock_start();
    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x303, "01", .count = 3, .ival2_ms = 20);
    FRAME_DUE(o, 0, "01");
    FRAME_DUE(o, 20, "01");
    FRAME_DUE(o, 40, "01");
    FRAME_DUE(o, 60, "01");
    SETUP(fd, TX_READ, .id = 0x303);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 0x303)->m.head.count, 0);
    return 1;
}

TIMED(ival1_without_count_is_not_used)
{
    int fd = bcm_a(), o = observer_a(0x304);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x304, "01", .ival1_ms = 10);
    FRAME_DUE(o, 0, "01");
    AT(50);
    CHECK_QUIET(o);
    clock_start();
    SETUP(fd, TX_SETUP, START, 0x304, "02", .ival1_ms = 1, .ival2_ms = 40);
    FRAME_DUE(o, 0, "02");
    FRAME_DUE(o, 40, "02");
    return 1;
}

TIMED(settimer_alone_does_not_start)
{
    int fd = bcm_a(), o = observer_a(0x305);

    clock_start();
    SETUP(fd, TX_SETUP, SETTIMER, 0x305, "01", .ival2_ms = 20);
    AT(60);
    CHECK_QUIET(o);
    clock_start();
    SETUP(fd, TX_SETUP, STARTTIMER, 0x305, "02");
    FRAME_DUE(o, 0, "02");
    FRAME_DUE(o, 20, "02");
    FRAME_DUE(o, 40, "02");
    return 1;
}

TIMED(starttimer_alone_begins_anew)
{
    int fd = bcm_a(), o = observer_a(0x306);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x306, "01", .ival2_ms = 100);
    FRAME_DUE(o, 0, "01");
    AT(50);
    SETUP(fd, TX_SETUP, STARTTIMER, 0x306, "02", .count = 5, .ival2_ms = 1); /* these are not looked at */
    FRAME_DUE(o, 50, "02");
    FRAME_DUE(o, 150, "02");
    return 1;
}

TIMED(update_keeps_the_phase)
{
    int fd = bcm_a(), o = observer_a(0x307);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x307, "01", .ival2_ms = 100);
    FRAME_DUE(o, 0, "01");
    AT(60);
    SETUP(fd, TX_SETUP, 0, 0x307, "02");
    AT(62);
    FRAME_DUE(o, 100, "02");
    AT(130);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x307, "03");
    FRAME_DUE(o, 130, "03");
    FRAME_DUE(o, 200, "03");
    return 1;
}

TIMED(new_interval_counts_from_the_next_frame_on)
{
    int fd = bcm_a(), o = observer_a(0x308);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x308, "01", .ival2_ms = 100);
    FRAME_DUE(o, 0, "01");
    AT(30);
    SETUP(fd, TX_SETUP, SETTIMER, 0x308, "01", .ival2_ms = 30);
    FRAME_DUE(o, 100, "01");
    FRAME_DUE(o, 130, "01");
    FRAME_DUE(o, 160, "01");
    return 1;
}

TIMED(intervals_of_0_stop)
{
    int fd = bcm_a(), o = observer_a(0x309);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x309, "01", .ival2_ms = 30);
    FRAME_DUE(o, 0, "01");
    FRAME_DUE(o, 30, "01");
    SETUP(fd, TX_SETUP, SETTIMER, 0x309, "01");
    AT(45);
    AT(100);
    CHECK_QUIET(o);
    return 1;
}

TIMED(intervals_of_0_send_once)
{
    int fd = bcm_a(), o = observer_a(0x30a);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x30a, "01");
    FRAME_DUE(o, 0, "01");
    AT(40);
    CHECK_QUIET(o);
    return 1;
}

TIMED(fifty_frames_of_two_milliseconds)
{
    int fd = bcm_a(), o = observer_a(0x30b);

    clock_start();
    SETUP(fd, TX_SETUP, START, 0x30b, "01", .count = 50, .ival1_ms = 2);
    for (int i = 0; i < 50;
         i++) /* late is no matter: another process may have the processor for some periods */
        is_frame_in_time(o, 2 * i, "01", __FILE__, __LINE__);
    if (bcm_late_us > 100000) return 0;
    poll(NULL, 0, 20);
    CHECK_QUIET(o);
    return 1;
}

TEST(microseconds_are_an_interval)
{
    int fd = bcm_a(), o = observer_a(0x30c);

    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x30c, "01", .count = 100, .ival1 = { 0, 100 });
    for (int i = 0; i < 100; i++)
        CHECK_FRAME(o, 0x30c, "01");
    EXPECT(fd, TX_EXPIRED, 0x30c);
    CHECK_QUIET(o);
}

TEST(no_flags_send_nothing)
{
    int fd = bcm_a(), o = observer_a(0x30d);

    SETUP(fd, TX_SETUP, 0, 0x30d, "01", .count = 3, .ival1_ms = 1);
    CHECK_QUIET(o);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x30d, "02");
    CHECK_FRAME(o, 0x30d, "02");
    CHECK_QUIET(o);
}

TEST(announced_frames_count)
{
    int fd = bcm_a();
    struct bcm_event *e;

    SETUP(fd, TX_SETUP, SETTIMER | TX_COUNTEVT, 0x30e, "01", .count = 2, .ival1_ms = 10);
    for (int left = 1; left >= -1; left--) {
        SETUP(fd, TX_SETUP, TX_ANNOUNCE | TX_COUNTEVT, 0x30e, "01");
        SETUP(fd, TX_READ, .id = 0x30e);
        e = EXPECT(fd, TX_STATUS, 0x30e); /* and no TX_EXPIRED */
        CHECK_EQ(e->m.head.count, left > 0 ? left : 0);
    }
}

TEST(a_sequence_goes_round)
{
    int fd = bcm_a(), o = observer_a(0x310);

    SETUP(fd, TX_SETUP, START, 0x310, "11 22 33", .ival2_ms = 10);
    CHECK_FRAME(o, 0x310, "11");
    CHECK_FRAME(o, 0x310, "22");
    CHECK_FRAME(o, 0x310, "33");
    CHECK_FRAME(o, 0x310, "11");
}

TEST(a_sequence_can_become_shorter_only)
{
    int fd = bcm_a(), o = observer_a(0x311);

    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x311, "11 22 33");
    CHECK_ERRNO(ASK(fd, TX_SETUP, TX_ANNOUNCE, 0x311, "01 02 03 04"), E2BIG);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x311, "44 55 66");
    SETUP(fd, TX_SETUP, TX_ANNOUNCE | TX_RESET_MULTI_IDX, 0x311, "77 88 99");
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x311, "AA BB");
    CHECK_ERRNO(ASK(fd, TX_SETUP, TX_ANNOUNCE, 0x311, "01 02 03"), E2BIG);
    CHECK_FRAME(o, 0x311, "11");
    CHECK_FRAME(o, 0x311, "55");
    CHECK_FRAME(o, 0x311, "77");
    CHECK_FRAME(o, 0x311, "AA");
    CHECK_QUIET(o);
}

TEST(count_is_of_frames_not_of_rounds)
{
    int fd = bcm_a(), o = observer_a(0x312);

    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x312, "11 22 33", .count = 4, .ival1_ms = 5);
    CHECK_FRAME(o, 0x312, "11");
    CHECK_FRAME(o, 0x312, "22");
    CHECK_FRAME(o, 0x312, "33");
    CHECK_FRAME(o, 0x312, "11");
    EXPECT(fd, TX_EXPIRED, 0x312);
    CHECK_QUIET(o);
}

TEST(expired_comes_before_the_echo_of_its_frame)
{
    int fd = bcm_a();

    SETUP(fd, RX_SETUP, 0, 0x313);
    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x313, "01", .count = 2, .ival1_ms = 5);
    CHANGED(fd, 0x313, "01");
    EXPECT(fd, TX_EXPIRED, 0x313);
    CHANGED(fd, 0x313, "01");
}

TEST(identifiers_are_copied_when_asked)
{
    int fd = bcm_a(), o = raw_a();
    struct bcm_event *e;

    filter1(o, 0x310, 0x7f0);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x311, "312:01");
    CHECK_FRAME(o, 0x312, "01");
    SETUP(fd, TX_SETUP, TX_ANNOUNCE | TX_CP_CAN_ID, 0x311, "312:01");
    CHECK_FRAME(o, 0x311, "01");
    SETUP(fd, TX_READ, 0, 0x311);
    e = EXPECT(fd, TX_STATUS, 0x311);
    CHECK_EQ(e->m.can[0].can_id, 0x311);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE | TX_CP_CAN_ID, 0x80000311, "312:01 313:02");
    SETUP(fd, TX_READ, 0, 0x80000311);
    e = EXPECT(fd, TX_STATUS, 0x80000311);
    CHECK_EQ(e->m.can[0].can_id, 0x80000311);
    CHECK_EQ(e->m.can[1].can_id, 0x80000311);
}

TEST(flags_are_replaced)
{
    int fd = bcm_a(), o = observer_a(0x314);

    SETUP(fd, TX_SETUP, START | TX_COUNTEVT, 0x314, "01", .count = 3, .ival1_ms = 20);
    SETUP(fd, TX_SETUP, 0, 0x314, "01");
    for (int i = 0; i < 3; i++)
        CHECK_FRAME(o, 0x314, "01");
    SETUP(fd, TX_READ, 0, 0x314);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 0x314)->m.head.flags, 0); /* and not TX_EXPIRED */
}

TEST(status_tells_what_was_set)
{
    int fd = bcm_a();
    struct bcm_event *e;

    SETUP(fd, TX_SETUP, SETTIMER | 0x70000000, 0x315, "01 0203", .count = 7, .ival1 = { 1, 500000 },
          .ival2 = { 0, 2 });
    SETUP(fd, TX_READ, 0x12345000, 0x315, .count = 99);
    e = EXPECT(fd, TX_STATUS, 0x315);
    CHECK_EQ(e->size, HEAD + 32);
    CHECK_EQ(e->m.head.flags, SETTIMER | 0x70000000);
    CHECK_EQ(e->m.head.count, 7);
    CHECK_EQ(e->m.head.nframes, 2);
    CHECK_EQ(e->m.head.ival1.tv_sec, 1);
    CHECK_EQ(e->m.head.ival1.tv_usec, 500000);
    CHECK_EQ(e->m.head.ival2.tv_sec, 0);
    CHECK_EQ(e->m.head.ival2.tv_usec, 2);
    CHECK_EQ(e->m.can[1].len, 2);
    CHECK_EQ(e->m.can[1].data[1], 3);
    CHECK_EQ(e->from.can_family, AF_CAN);
    CHECK_EQ(e->from.can_ifindex, 0);
}

TEST(status_of_one_frame_loses_two_bits_of_the_flags_byte)
{
    int fd = bcm_a(), size;
    struct bcm_message m;

    size = bcm_compose(&(struct bcm_request){ TX_SETUP, CAN_FD_FRAME, 0x316, "01 02" }, &m);
    m.fd[0].flags = m.fd[1].flags = 0xff;
    CHECK_EQ(write(fd, &m, size), size);
    SETUP(fd, TX_READ, CAN_FD_FRAME, 0x316);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 0x316)->m.fd[1].flags, 0xff);
    m.head.nframes = 1;
    CHECK_EQ(write(fd, &m, size), size - 72);
    SETUP(fd, TX_READ, CAN_FD_FRAME, 0x316);
    CHECK_TOLD(EXPECT(fd, TX_STATUS, 0x316)->m.fd[0].flags);
}

TEST(fd_frames_are_sent)
{
    int fd = bcm_a(), o = observer_a(0x317), size;
    struct bcm_message request;
    struct message m;

    raw_set(o, CAN_RAW_FD_FRAMES, 1);
    size = bcm_compose(&(struct bcm_request){ TX_SETUP, CAN_FD_FRAME | TX_ANNOUNCE, 0x317, "01" }, &request);
    request.fd[0].len = 64;
    request.fd[0].flags = CANFD_BRS;
    request.fd[0].data[63] = 0xab;
    CHECK_EQ(write(fd, &request, size), HEAD + 72);
    RECEIVE(o, &m);
    CHECK_EQ(m.size, 72);
    CHECK_EQ(m.fd.len, 64);
    CHECK_EQ(m.fd.flags, CANFD_BRS | 4);
    CHECK_EQ(m.fd.data[63], 0xab);
    SETUP(fd, TX_READ, CAN_FD_FRAME, 0x317);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 0x317)->m.fd[0].flags, CANFD_BRS);
}

TEST(deleting_stops)
{
    int fd = bcm_a(), o = observer_a(0x318);

    SETUP(fd, TX_SETUP, START, 0x318, "01", .ival2_ms = 5);
    CHECK_FRAME(o, 0x318, "01");
    CHECK_FRAME(o, 0x318, "01");
    SETUP(fd, TX_DELETE, 0, 0x318);
    SETUP(fd, TX_SEND, 0, 0, "318:02");
    while (GET(o).data[0] != 2)
        ;
    poll(NULL, 0, 20);
    CHECK_QUIET(o);
}

TEST(many_jobs_run_side_by_side)
{
    int fd = bcm_a(), o = raw_a(), seen[64] = { 0 }, all = 0;

    filter1(o, 0x400, 0x7c0);
    for (int i = 0; i < 64; i++)
        SETUP(fd, TX_SETUP, START, 0x400 + i, "01", .ival2_ms = 20 + i);
    for (int got = 0; all < 64; got++) {
        struct can_frame f = GET(o);

        if (++seen[f.can_id & 63] == 4) all++;
        CHECK(got < 10000);
    }
}

TEST(remote_frames_are_sent)
{
    int fd = bcm_a(), o = raw_a();

    filter1(o, 0x319 | CAN_RTR_FLAG, CAN_RTR_FLAG | CAN_SFF_MASK);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x319, "40000319:");
    CHECK_FRAME(o, 0x319 | CAN_RTR_FLAG, "");
}
