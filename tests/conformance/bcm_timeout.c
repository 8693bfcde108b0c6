/* CAN_BCM: the timers of RX_SETUP - timeout (ival1) and throttle (ival2). */
#include "bcm.h"

TIMED(timeout_of_a_frame_that_never_came)
{
    int fd = bcm_a();
    struct bcm_event *e;

    clock_start();
    SETUP(fd, RX_SETUP, START, 0x601, .ival1_ms = 50);
    EVENT_DUE(fd, 50);
    e = EXPECT(fd, RX_TIMEOUT, 0x601);
    CHECK_EQ(e->size, HEAD);
    CHECK_EQ(e->m.head.flags, START | RX_FILTER_ID);
    CHECK_EQ(e->m.head.nframes, 0);
    CHECK_EQ(e->m.head.count, 0);
    CHECK_EQ(e->m.head.ival1.tv_usec, 50000);
    CHECK_EQ(e->from.can_ifindex, index_of(if_a()));
    AT(160);
    CHECK_EQ(recv_errno(fd), EAGAIN); /* once */
    return 1;
}

TIMED(timeout_begins_anew_with_each_frame)
{
    int fd = bcm_a(), raw = raw_a();

    clock_start();
    SETUP(fd, RX_SETUP, START, 0x602, "FF 01FF", .ival1_ms = 60);
    PUT_AT(raw, 30, 0x602, "01");
    PUT_AT(raw, 60, 0x602, "01");
    PUT_AT(raw, 90, 0x602, "02"); /* of no interest */
    CHANGED(fd, 0x602, "01");
    EVENT_DUE(fd, 150);
    EXPECT(fd, RX_TIMEOUT, 0x602);
    return 1;
}

TIMED(timeout_set_but_not_started_begins_with_the_first_frame)
{
    int fd = bcm_a(), raw = raw_a();

    clock_start();
    SETUP(fd, RX_SETUP, SETTIMER, 0x603, "FF", .ival1_ms = 50);
    AT(80);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    PUT_AT(raw, 80, 0x603, "01");
    CHANGED(fd, 0x603, "01");
    EVENT_DUE(fd, 130);
    EXPECT(fd, RX_TIMEOUT, 0x603);
    return 1;
}

TIMED(timeout_without_autotimer_ends_with_the_first_frame)
{
    int fd = bcm_a(), raw = raw_a();

    clock_start();
    SETUP(fd, RX_SETUP, START | RX_NO_AUTOTIMER, 0x604, "FF", .ival1_ms = 60);
    PUT_AT(raw, 20, 0x604, "01");
    CHANGED(fd, 0x604, "01");
    AT(140);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    clock_start();
    SETUP(fd, RX_SETUP, STARTTIMER | RX_NO_AUTOTIMER, 0x604, "FF");
    EVENT_DUE(fd, 60);
    EXPECT(fd, RX_TIMEOUT, 0x604);
    return 1;
}

TIMED(timeout_stays_armed_over_updates)
{
    int fd = bcm_a();

    clock_start();
    SETUP(fd, RX_SETUP, START, 0x605, "FF", .ival1_ms = 60);
    AT(10);
    SETUP(fd, RX_SETUP, 0, 0x605, "FF");
    AT(20);
    SETUP(fd, RX_SETUP, SETTIMER, 0x605, "FF", .ival1_ms = 5);
    AT(25);
    EVENT_DUE(fd, 60);
    EXPECT(fd, RX_TIMEOUT, 0x605);
    clock_start();
    SETUP(fd, RX_SETUP, START, 0x605, "FF", .ival1_ms = 60);
    AT(10);
    SETUP(fd, RX_SETUP, SETTIMER, 0x605, "FF");
    AT(100);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    return 1;
}

TIMED(content_is_remembered_over_a_timeout)
{
    int fd = bcm_a(), raw = raw_a();

    clock_start();
    SETUP(fd, RX_SETUP, SETTIMER, 0x606, "FF", .ival1_ms = 40);
    send_frame(raw, 0x606, "01");
    CHANGED(fd, 0x606, "01");
    EVENT_DUE(fd, 40);
    EXPECT(fd, RX_TIMEOUT, 0x606);
    PUT_AT(raw, 60, 0x606, "01"); /* silent, but begins the timeout anew */
    EVENT_DUE(fd, 100);
    EXPECT(fd, RX_TIMEOUT, 0x606);
    return 1;
}

TEST(content_is_forgotten_when_asked)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, SETTIMER | RX_ANNOUNCE_RESUME, 0x607, "FF", .ival1_ms = 5);
    for (int i = 0; i < 3; i++) {
        send_frame(raw, 0x607, "01");
        CHANGED(fd, 0x607, "01");
        EXPECT(fd, RX_TIMEOUT, 0x607);
    }
}

TEST(timeout_on_any_names_the_last_interface)
{
    int fd = bcm_on(0), b = raw_b();

    SETUP(fd, RX_SETUP, START, 0x608, .ival1_ms = 5);
    CHECK_EQ(EXPECT(fd, RX_TIMEOUT, 0x608)->from.can_ifindex, 0);
    send_frame(b, 0x608, "01");
    CHANGED(fd, 0x608, "01");
    CHECK_EQ(EXPECT(fd, RX_TIMEOUT, 0x608)->from.can_ifindex, index_of(if_b()));
}

TIMED(throttle)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, SETTIMER, 0x609, "FF", .ival2_ms = 100);
    clock_start();
    PUT_AT(raw, 0, 0x609, "01");
    EVENT_DUE(fd, 0);
    CHANGED(fd, 0x609, "01");
    PUT_AT(raw, 20, 0x609, "02");
    PUT_AT(raw, 40, 0x609, "03");
    PUT_AT(raw, 60, 0x609, "04");
    PUT_AT(raw, 80, 0x609, "05");
    EVENT_DUE(fd, 100);
    CHANGED(fd, 0x609, "05");
    PUT_AT(raw, 130, 0x609, "06");
    EVENT_DUE(fd, 200);
    CHANGED(fd, 0x609, "06");
    PUT_AT(raw, 400, 0x609, "07");
    EVENT_DUE(fd, 400);
    CHANGED(fd, 0x609, "07");
    return 1;
}

TIMED(throttled_content_that_goes_back_is_told)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, SETTIMER, 0x60a, "FF", .ival2_ms = 60);
    clock_start();
    PUT_AT(raw, 0, 0x60a, "01");
    CHANGED(fd, 0x60a, "01");
    PUT_AT(raw, 10, 0x60a, "02");
    PUT_AT(raw, 20, 0x60a, "01");
    EVENT_DUE(fd, 60);
    CHANGED(fd, 0x60a, "01");
    return 1;
}

TIMED(throttle_tells_all_of_a_multiplex)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, SETTIMER, 0x60b, "FF 01FF 02FF 03FF", .ival2_ms = 60);
    clock_start();
    PUT_AT(raw, 0, 0x60b, "0311");
    CHANGED(fd, 0x60b, "0311");
    PUT_AT(raw, 10, 0x60b, "0211");
    PUT_AT(raw, 20, 0x60b, "0111");
    EVENT_DUE(fd, 60);
    CHANGED(fd, 0x60b, "0111");
    CHANGED(fd, 0x60b, "0211");
    return 1;
}

TIMED(throttled_frames_have_the_stamp_of_the_last_one_seen)
{
    int fd = bcm_a(), raw = raw_a(), o = observer_a(0x60c);
    struct timespec t = { 0 };
    struct bcm_event *e;

    sol_set(fd, SO_TIMESTAMPNS, 1);
    SETUP(fd, RX_SETUP, SETTIMER, 0x60c, "FF", .ival2_ms = 60);
    clock_start();
    PUT_AT(raw, 0, 0x60c, "01");
    CHANGED(fd, 0x60c, "01");
    PUT_AT(raw, 10, 0x60c, "02");
    PUT_AT(raw, 20, 0x60c, "02");
    for (int i = 0; i < 3; i++) {
        struct message m;

        RECEIVE(o, &m);
        memcpy(&t, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(t));
    }
    EVENT_DUE(fd, 60);
    e = CHANGED(fd, 0x60c, "02");
    CHECK_EQ(e->stamp.tv_sec, t.tv_sec);
    CHECK_EQ(e->stamp.tv_nsec, t.tv_nsec);
    return 1;
}

/* A held change, then an update with SETTIMER. */
static int held(int fd, int raw, canid_t id, const char *masks, const char *first, const char *second)
{
    SETUP(fd, RX_SETUP, SETTIMER, id, masks, .ival2_ms = 100);
    clock_start();
    PUT_AT(raw, 0, id, first);
    CHANGED(fd, id, first);
    PUT_AT(raw, 20, id, second);
    return 1;
}

TIMED(setting_times_flushes_every_frame)
{
    int fd = bcm_a(), raw = raw_a();

    if (!held(fd, raw, 0x60d, "", "01", "02")) return 0;
    SETUP(fd, RX_SETUP, SETTIMER, 0x60d, "", .ival2_ms = 200);
    EVENT_DUE(fd, 20);
    CHANGED(fd, 0x60d, "02");
    clock_start();
    PUT_AT(raw, 0, 0x60d, "03"); /* the window is new */
    EVENT_DUE(fd, 0);
    CHANGED(fd, 0x60d, "03");
    PUT_AT(raw, 10, 0x60d, "04");
    EVENT_DUE(fd, 200);
    CHANGED(fd, 0x60d, "04");
    return 1;
}

TIMED(setting_times_flushes_no_content)
{
    int fd = bcm_a(), raw = raw_a();

    if (!held(fd, raw, 0x60e, "FF", "01", "02")) return 0;
    SETUP(fd, RX_SETUP, SETTIMER, 0x60e, "FF", .ival2_ms = 100);
    PUT_AT(raw, 30, 0x60e, "02");
    EVENT_DUE(fd, 30);
    CHANGED(fd, 0x60e, "02");
    AT(150);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    return 1;
}

TIMED(setting_times_flushes_no_multiplex)
{
    int fd = bcm_a(), raw = raw_a();

    if (!held(fd, raw, 0x60f, "FF 01FF", "0101", "0102")) return 0;
    SETUP(fd, RX_SETUP, SETTIMER, 0x60f, "FF 01FF", .ival2_ms = 100);
    PUT_AT(raw, 30, 0x60f, "0103");
    EVENT_DUE(fd, 30);
    CHANGED(fd, 0x60f, "0103");
    return 1;
}

TIMED(setting_times_flushes_content_when_the_filter_goes)
{
    int fd = bcm_a(), raw = raw_a();

    if (!held(fd, raw, 0x610, "FF", "01", "02")) return 0;
    SETUP(fd, RX_SETUP, SETTIMER, 0x610);
    EVENT_DUE(fd, 20);
    CHANGED(fd, 0x610, "02");
    return 1;
}

TIMED(updates_without_times_leave_the_throttle)
{
    int fd = bcm_a(), raw = raw_a();

    if (!held(fd, raw, 0x611, "FF", "01", "02")) return 0;
    SETUP(fd, RX_SETUP, 0, 0x611, "FF"); /* forgets what was held */
    PUT_AT(raw, 30, 0x611, "03");
    EVENT_DUE(fd, 100);
    CHANGED(fd, 0x611, "03");
    return 1;
}

TIMED(resume_forgets_what_is_held)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, SETTIMER | RX_ANNOUNCE_RESUME, 0x612, "FF", .ival1_ms = 30, .ival2_ms = 100);
    clock_start();
    PUT_AT(raw, 0, 0x612, "01");
    CHANGED(fd, 0x612, "01");
    PUT_AT(raw, 20, 0x612, "02");
    EVENT_DUE(fd, 50);
    EXPECT(fd, RX_TIMEOUT, 0x612);
    AT(130);
    CHECK_EQ(recv_errno(fd), EAGAIN);
    return 1;
}

TEST(deleting_drops_what_is_held)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, SETTIMER, 0x613, .ival1_ms = 20, .ival2_ms = 20);
    send_frame(raw, 0x613, "01");
    send_frame(raw, 0x613, "02");
    CHANGED(fd, 0x613, "01");
    SETUP(fd, RX_DELETE, 0, 0x613);
    poll(NULL, 0, 50);
    while (recv(fd, (char[100]){ 0 }, 100, 0) > 0) /* the second, if deleting was late */
        ;
    CHECK_EQ(recv_errno(fd), EAGAIN);
}

TEST(rtr_jobs_keep_the_times_of_an_update)
{
    int fd = bcm_a();

    SETUP(fd, RX_SETUP, SETTIMER | RX_RTR_FRAME, 0x40000616, "01", .ival1_ms = 10);
    SETUP(fd, RX_SETUP, STARTTIMER, 0x40000616, "01");
    poll(NULL, 0, 50);
    CHECK_EQ(recv_errno(fd), EAGAIN); /* a new one's are not looked at */
    SETUP(fd, RX_SETUP, SETTIMER | RX_RTR_FRAME, 0x40000616, "01", .ival1_ms = 10);
    SETUP(fd, RX_SETUP, STARTTIMER, 0x40000616, "01");
    EXPECT(fd, RX_TIMEOUT, 0x40000616);
}

TEST(rtr_jobs_have_no_timers)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, START, 0x40000614, "FF", .ival1_ms = 20, .ival2_ms = 20);
    SETUP(fd, RX_SETUP, RX_RTR_FRAME, 0x40000614, "01");
    SETUP(fd, RX_SETUP, RX_RTR_FRAME | START, 0x40000615, "01", .ival1_ms = 1);
    send_frame(raw, 0x40000615, "");
    poll(NULL, 0, 50);
    CHECK_EQ(recv_errno(fd), EAGAIN);
}
