/* tests/unit/bcm_rx.c - RX_SETUP under a virtual clock: which frames are told of, timeouts, the throttle, answers, interfaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "unit/bcmhost.h"

#define START (SETTIMER | STARTTIMER)

static int open_a(void **state)
{
    (void)state;
    host_open(IF_A);
    return 0;
}

static int open_any(void **state)
{
    (void)state;
    host_open(ANY);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    return host_close() ? 0 : -1;
}

#define CHECK(log) assert_string_equal(happened(), log)

/* Frames that come one after the other, with what is told of each ("1": told). */
static void check_told(const char *const *frames, const char *told)
{
    for (; *frames; frames++, told++) {
        unsigned before = host.messages;

        put(IF_A, *frames);
        if (host.messages - before != (unsigned)(*told - '0'))
            fail_msg("%s: told %u", *frames, host.messages - before);
    }
    assert_int_equal(*told, 0);
}

#define FRAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void filter_id_tells_every_frame(void **state)
{
    (void)state;
    assert_int_equal(ASK(RX_SETUP, RX_FILTER_ID, 0x123), 56);
    check_told(FRAMES("123#01", "123#01", "123#-", "124#01", "123##01"), "11100");
    CHECK("0 changed 1 123#01\n0 changed 1 123#01\n0 changed 1 123#\n");
}

static void no_frames_is_filter_id(void **state)
{
    (void)state;
    assert_int_equal(ASK(RX_SETUP, 0, 0x123), 56);
    ASK(RX_READ, .id = 0x123);
    CHECK("0 rx_status 1 123 flags 20 count 0 ival 0.000000 0.000000\n");
    assert_int_equal(ASK(RX_SETUP, RX_FILTER_ID, 0x123, .frames = "FF"), 56);
    ASK(RX_READ, .id = 0x123);
    CHECK("0 rx_status 1 123 flags 20 count 0 ival 0.000000 0.000000\n");
}

static void identifiers_are_compared_with_all_flags(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x123);
    ASK(RX_SETUP, 0, 0x80000123);
    check_told(FRAMES("123#01", "80000123#01", "40000123#", "C0000123#"), "1100");
}

static void content_is_compared_under_the_mask(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1, .frames = "FF");
    check_told(FRAMES("1#0102", "1#0103", "1#0203", "1#020304", "1#-", "1#05"), "101001");
}

static void chunks_are_compared_whole(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1, .frames = "FFFFFFFFFFFFFFFF");
    /* the frame's bytes beyond its length take part in the comparison */
    check_told(FRAMES("1#0102030405060708", "1#0102030405060708+1", "1#01", "1#0100", "1#-"), "10100");
}

static void a_silent_frame_is_not_stored(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1, .frames = "FF");
    check_told(FRAMES("1#01", "1#-", "1#01", "1#02", "1#0277", "1#01"), "100101");
}

static void lengths_are_compared_when_asked(void **state)
{
    (void)state;
    ASK(RX_SETUP, RX_CHECK_DLC, 0x1, .frames = "FF");
    check_told(FRAMES("1#0102", "1#0103", "1#0203", "1#020304", "1#-", "1#-", "1#05"), "1011101");
}

static void multiplexed(void **state)
{
    (void)state;
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .frames = "FF 01FF 020F"), 56 + 48);
    check_told(FRAMES("1#0110", "1#0110", "1#0111", "1#0210", "1#0220", "1#0221", "1#0321"), "1011010");
}

static void multiplexed_by_the_first_that_fits(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1, .frames = "F0 10FF 11FF");
    /* 11 is taken for 10, because the selector's mask leaves that bit out; so does the mask of what is compared */
    check_told(FRAMES("1#1100", "1#1000", "1#1101", "1#2000"), "1010");
    CHECK("0 changed 1 1#1100\n0 changed 1 1#1101\n");
}

static void fd_frames_are_compared_to_the_end(void **state)
{
    char frame[160];
    const char *zeros = "000000000000000000000000000000";

    (void)state;
    snprintf(frame, sizeof(frame), "%s%s%s%s000F0000", zeros, zeros, zeros, zeros);
    assert_int_equal(ASK(RX_SETUP, CAN_FD_FRAME, 0x1, .frames = frame), 56 + 72);
    snprintf(frame, sizeof(frame), "1##%s%s%s%s00000000", zeros, zeros, zeros, zeros);
    check_told(FRAMES(frame, frame), "10");
    frame[3 + 123] = '1';
    check_told(FRAMES(frame, "1##01", "1#01"), "100");
    frame[3 + 123] = 'F';
    check_told(FRAMES(frame), "1");
}

static void flags_of_frames_are_told_without_two_bits(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1);
    put(IF_A, "1#01!FF");
    CHECK("0 changed 1 1#01!3F\n");
    ASK(RX_SETUP, 0, 0x2, .frames = "FF");
    check_told(FRAMES("2#01!C0", "2#01!00", "2#02!40", "2#02!80"),
               "1010"); /* they tell nothing about stores */
}

static void update_forgets_what_was_stored(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1, .frames = "FF");
    check_told(FRAMES("1#01", "1#01"), "10");
    ASK(RX_SETUP, 0, 0x1, .frames = "FF");
    check_told(FRAMES("1#01", "1#01"), "10");
}

static void frames_can_become_fewer_but_not_more(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1, .frames = "FF 01FF 02FF");
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .frames = "FF 01FF 02FF 03FF"), -E2BIG);
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .frames = "FF 03FF"), 56 + 32);
    check_told(FRAMES("1#0100", "1#0300"), "01");
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .frames = "FF 01FF 02FF"), -E2BIG);
    assert_int_equal(ASK(RX_SETUP, 0, 0x1), 56);
    check_told(FRAMES("1#0100", "1#0100"), "11");
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .frames = "FF"), -E2BIG);
    assert_int_equal(ASK(RX_DELETE, 0, 0x1), 56);
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .frames = "FF"), 72);
}

static void own_frames_are_received(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1);
    ASK(TX_SEND, .frames = "1#0102");
    CHECK("0 tx 1 1#0102\n0 changed 1 1#0102\n");
}

static void timeout_comes_once(void **state)
{
    (void)state;
    ASK(RX_SETUP, START, 0x1, .ival1_us = 50000);
    until(200);
    CHECK("50 timeout 1 1\n");
    put(IF_A, "1#01");
    until(240);
    put(IF_A, "1#01");
    until(400);
    CHECK("200 changed 1 1#01\n240 changed 1 1#01\n290 timeout 1 1\n");
}

static void timeout_begins_anew_with_frames_of_no_interest(void **state)
{
    (void)state;
    ASK(RX_SETUP, START, 0x1, .ival1_us = 50000, .frames = "FF 01FF");
    until(40);
    put(IF_A, "1#02");
    until(100);
    CHECK("90 timeout 1 1\n");
}

static void timeout_without_start_begins_with_the_first_frame(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival1_us = 50000, .frames = "FF");
    until(100);
    CHECK("");
    put(IF_A, "1#01");
    until(200);
    CHECK("100 changed 1 1#01\n150 timeout 1 1\n");
}

static void no_autotimer_ends_with_the_first_frame(void **state)
{
    (void)state;
    ASK(RX_SETUP, START | RX_NO_AUTOTIMER, 0x1, .ival1_us = 50000, .frames = "FF");
    until(40);
    put(IF_A, "1#01");
    until(500);
    CHECK("40 changed 1 1#01\n");
    ASK(RX_SETUP, STARTTIMER | RX_NO_AUTOTIMER, 0x1, .frames = "FF");
    until(600);
    CHECK("550 timeout 1 1\n");
}

static void timeout_is_taken_away_by_a_time_of_zero(void **state)
{
    (void)state;
    ASK(RX_SETUP, START, 0x1, .ival1_us = 50000, .frames = "FF");
    ASK(RX_SETUP, 0, 0x1, .frames = "FF"); /* leaves it */
    until(30);
    ASK(RX_SETUP, SETTIMER, 0x1, .ival1_us = 10000, .frames = "FF"); /* leaves it, too */
    until(50);
    CHECK("50 timeout 1 1\n");
    ASK(RX_SETUP, START, 0x1, .ival1_us = 50000, .frames = "FF");
    ASK(RX_SETUP, SETTIMER, 0x1, .frames = "FF");
    until(500);
    CHECK("");
}

static void content_is_remembered_over_a_timeout(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival1_us = 50000, .frames = "FF");
    put(IF_A, "1#01");
    until(100);
    put(IF_A, "1#01");
    until(200);
    CHECK("0 changed 1 1#01\n50 timeout 1 1\n150 timeout 1 1\n");
}

static void content_is_forgotten_when_asked(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER | RX_ANNOUNCE_RESUME, 0x1, .ival1_us = 50000, .frames = "FF");
    put(IF_A, "1#01");
    put(IF_A, "1#01");
    until(100);
    put(IF_A, "1#01");
    CHECK("0 changed 1 1#01\n50 timeout 1 1\n100 changed 1 1#01\n");
}

static void throttle(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 100000, .frames = "FF");
    put(IF_A, "1#01");
    until(20), put(IF_A, "1#02");
    until(40), put(IF_A, "1#03");
    until(60), put(IF_A, "1#04");
    until(80), put(IF_A, "1#05");
    until(130), put(IF_A, "1#06");
    until(400), put(IF_A, "1#07");
    until(1000);
    CHECK(
        "0 changed 1 1#01\n100 changed 1 1#05 stamp 80\n200 changed 1 1#06 stamp 130\n400 changed 1 1#07\n");
    assert_int_equal(timers_next(&host.timers), TIMERS_NEVER);
}

static void throttle_is_no_matter_for_rare_changes(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 100000, .frames = "FF");
    for (unsigned i = 0; i < 3; i++) {
        put(IF_A, i % 2 ? "1#01" : "1#02");
        assert_int_equal(timers_next(&host.timers), TIMERS_NEVER);
        until((i + 1) * 100);
    }
    CHECK("0 changed 1 1#02\n100 changed 1 1#01\n200 changed 1 1#02\n");
}

static void throttled_content_that_goes_back_is_still_told(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 100000, .frames = "FF");
    put(IF_A, "1#01");
    until(20), put(IF_A, "1#02");
    until(40), put(IF_A, "1#01");
    until(50), put(IF_A, "1#01");
    until(200);
    CHECK("0 changed 1 1#01\n100 changed 1 1#01 stamp 50\n");
}

static void throttle_tells_all_of_a_multiplex(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 100000, .frames = "FF 01FF 02FF 03FF");
    put(IF_A, "1#0311");
    until(10), put(IF_A, "1#0211");
    until(20), put(IF_A, "1#0111");
    until(200);
    CHECK("0 changed 1 1#0311\n100 changed 1 1#0111 stamp 20\n100 changed 1 1#0211 stamp 20\n");
}

static void throttle_that_is_late_keeps_step(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 100000);
    put(IF_A, "1#01");
    until(10), put(IF_A, "1#02");
    late(350);
    put(IF_A, "1#03");
    until(500);
    CHECK("0 changed 1 1#01\n350 changed 1 1#02 stamp 10\n400 changed 1 1#03 stamp 350\n");
}

static void setting_the_timer_ends_the_throttle(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 100000);
    put(IF_A, "1#01");
    until(20), put(IF_A, "1#02");
    ASK(RX_SETUP, SETTIMER, 0x1, .ival2_us = 200000);
    CHECK("0 changed 1 1#01\n20 changed 1 1#02\n");
    put(IF_A, "1#03");
    until(30), put(IF_A, "1#04");
    until(300);
    CHECK("20 changed 1 1#03\n220 changed 1 1#04 stamp 30\n");
}

static void remote_frames_are_answered(void **state)
{
    (void)state;
    assert_int_equal(ASK(RX_SETUP, RX_RTR_FRAME, 0x40000123, .frames = "40000123#0102"), 72);
    put(IF_A, "40000123#-");
    CHECK("0 tx 1 123#0102\n");
    ASK(RX_SETUP, RX_RTR_FRAME, 0x40000123, .frames = "456#0102");
    put(IF_A, "40000123#-");
    CHECK("0 tx 1 456#0102\n");
    ASK(RX_SETUP, RX_RTR_FRAME | TX_CP_CAN_ID, 0x40000123, .frames = "456#0102");
    put(IF_A, "40000123#-");
    CHECK("0 tx 1 123#0102\n");
    ASK(RX_SETUP, RX_RTR_FRAME | START, 0x40000123, .ival1_us = 1000, .frames = "456#0102");
    until(100);
    CHECK("");
}

static void answers_are_checked(void **state)
{
    static const struct ask wrong[] = {
        { RX_SETUP, RX_RTR_FRAME, 0x123, .frames = "01" },
        { RX_SETUP, RX_RTR_FRAME, 0x40000123 },
        { RX_SETUP, RX_RTR_FRAME, 0x40000123, .frames = "01 02" },
        { RX_SETUP, RX_RTR_FRAME, 0x40000123, .frames = "01+9" },
        { RX_SETUP, RX_RTR_FRAME | CAN_FD_FRAME, 0x40000123, .frames = "01+65" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(ask(wrong[i]), -EINVAL);
    assert_int_equal(ASK(RX_SETUP, 0, 0x40000123, .frames = "01+9"), 72); /* a mask may have any length */
}

static void answers_end_timers(void **state)
{
    (void)state;
    ASK(RX_SETUP, START, 0x40000123, .ival1_us = 50000, .ival2_us = 50000, .frames = "FF");
    put(IF_A, "40000123#01");
    put(IF_A, "40000123#02");
    ASK(RX_SETUP, RX_RTR_FRAME, 0x40000123, .frames = "01");
    until(200);
    CHECK("0 changed 1 40000123#01\n");
}

static void answers_keep_the_times_of_an_update(void **state)
{
    (void)state;
    ASK(RX_SETUP, SETTIMER | RX_RTR_FRAME, 0x40000123, .ival1_us = 50000, .frames = "01");
    ASK(RX_SETUP, STARTTIMER, 0x40000123, .frames = "01");
    until(100);
    CHECK(""); /* a new one's were not looked at */
    ASK(RX_SETUP, SETTIMER | RX_RTR_FRAME, 0x40000123, .ival1_us = 50000, .frames = "01");
    ASK(RX_SETUP, STARTTIMER, 0x40000123, .frames = "01");
    until(200);
    CHECK("150 timeout 1 40000123\n");
}

static void any_does_not_answer(void **state)
{
    (void)state;
    ASK(RX_SETUP, RX_RTR_FRAME, 0x40000123, .frames = "01");
    put(IF_A, "40000123#-");
    CHECK("");
    ASK(RX_READ, 0, 0x40000123); /* nor does it name the interface of what it heard */
    CHECK("0 rx_status 0 40000123 flags 400 count 0 ival 0.000000 0.000000 123#01\n");
}

static void any_without_timers_hears_all(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1);
    put(IF_A, "1#01");
    put(IF_B, "1#02");
    CHECK("0 changed 1 1#01\n0 changed 2 1#02\n");
}

static void any_with_timers_stays_with_the_first(void **state)
{
    (void)state;
    ASK(RX_SETUP, START, 0x1, .ival1_us = 50000);
    until(60);
    put(IF_B, "1#02");
    put(IF_A, "1#01");
    until(100);
    put(IF_A, "1#01"); /* does not begin the timeout anew */
    until(120);
    CHECK("50 timeout 0 1\n60 changed 2 1#02\n110 timeout 2 1\n");
    ASK(RX_SETUP, SETTIMER, 0x1, .ival1_us = 50000);
    put(IF_A, "1#01");
    put(IF_B, "1#02");
    CHECK("120 changed 1 1#01\n");
    bcm_link_gone(&host.bcm, IF_A);
    put(IF_B, "1#02");
    CHECK("120 changed 2 1#02\n");
}

static void any_and_one_interface_are_two_jobs(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1);
    ASK(RX_SETUP, 0, 0x1, .to = IF_B);
    put(IF_B, "1#02");
    put(IF_A, "1#01");
    CHECK("0 changed 2 1#02\n0 changed 2 1#02\n0 changed 1 1#01\n");
    assert_int_equal(ASK(RX_DELETE, 0, 0x1), 56);
    put(IF_B, "1#02");
    CHECK("0 changed 2 1#02\n");
}

static void an_interface_that_is_gone_is_silent(void **state)
{
    (void)state;
    ASK(RX_SETUP, 0, 0x1);
    bcm_link_gone(&host.bcm, IF_A);
    assert_int_equal(host.subscribed, 0);
    put(IF_A, "1#01");
    CHECK("");
    ASK(RX_SETUP, 0, 0x1); /* it is back */
    put(IF_A, "1#01");
    CHECK("0 changed 1 1#01\n");
    assert_int_equal(ASK(RX_SETUP, 0, 0x1, .to = GONE), -ENODEV);
    assert_int_equal(ASK(RX_DELETE, 0, 0x1, .to = GONE), -EINVAL);
}

static void a_refused_update_changes_nothing(void **state)
{
    static const struct {
        struct ask ask;
        long result;
    } refused[] = {
        { { RX_SETUP, 0, 0x1, .frames = "44", .nframes = 2 }, -EFAULT },
        { { RX_SETUP, 0, 0x1, .frames = "44 55 66" }, -E2BIG },
        { { RX_SETUP, SETTIMER, 0x1, .frames = "44 55", .ival2 = { 0, 1000000 } }, -EINVAL },
        { { RX_SETUP, RX_RTR_FRAME, 0x1, .frames = "44" }, -EINVAL },
        { { RX_SETUP, 0, 0x1, .frames = "44", .nframes = 258 }, -EINVAL },
    };

    (void)state;
    ASK(RX_SETUP, START, 0x1, .ival1_us = 10000, .ival2_us = 20000, .frames = "11 22");
    put(IF_A, "1#22");
    happened();
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        assert_int_equal(ask(refused[i].ask), refused[i].result);
        ASK(RX_READ, .id = 1);
        CHECK("0 rx_status 1 1 flags 3 count 0 ival 0.010000 0.020000 1#11 1#22\n");
    }
    put(IF_A, "1#22");
    until(10);
    CHECK("10 timeout 1 1\n");
}

static void without_memory_there_is_no_job(void **state)
{
    (void)state;
    host.allocations_left = 0;
    assert_int_equal(ASK(RX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "11 22"), -ENOMEM);
    assert_int_equal(ASK(RX_READ, .id = 1), -EINVAL);
}

int main(void)
{
#define WITH_HOST(name) cmocka_unit_test_setup_teardown(name, open_a, close_all)
#define WITH_ANY(name)  cmocka_unit_test_setup_teardown(name, open_any, close_all)
    const struct CMUnitTest tests[] = {
        WITH_HOST(filter_id_tells_every_frame),
        WITH_HOST(no_frames_is_filter_id),
        WITH_HOST(identifiers_are_compared_with_all_flags),
        WITH_HOST(content_is_compared_under_the_mask),
        WITH_HOST(chunks_are_compared_whole),
        WITH_HOST(a_silent_frame_is_not_stored),
        WITH_HOST(lengths_are_compared_when_asked),
        WITH_HOST(multiplexed),
        WITH_HOST(multiplexed_by_the_first_that_fits),
        WITH_HOST(fd_frames_are_compared_to_the_end),
        WITH_HOST(flags_of_frames_are_told_without_two_bits),
        WITH_HOST(update_forgets_what_was_stored),
        WITH_HOST(frames_can_become_fewer_but_not_more),
        WITH_HOST(own_frames_are_received),
        WITH_HOST(timeout_comes_once),
        WITH_HOST(timeout_begins_anew_with_frames_of_no_interest),
        WITH_HOST(timeout_without_start_begins_with_the_first_frame),
        WITH_HOST(no_autotimer_ends_with_the_first_frame),
        WITH_HOST(timeout_is_taken_away_by_a_time_of_zero),
        WITH_HOST(content_is_remembered_over_a_timeout),
        WITH_HOST(content_is_forgotten_when_asked),
        WITH_HOST(throttle),
        WITH_HOST(throttle_is_no_matter_for_rare_changes),
        WITH_HOST(throttled_content_that_goes_back_is_still_told),
        WITH_HOST(throttle_tells_all_of_a_multiplex),
        WITH_HOST(throttle_that_is_late_keeps_step),
        WITH_HOST(setting_the_timer_ends_the_throttle),
        WITH_HOST(remote_frames_are_answered),
        WITH_HOST(answers_are_checked),
        WITH_HOST(answers_end_timers),
        WITH_HOST(answers_keep_the_times_of_an_update),
        WITH_ANY(any_does_not_answer),
        WITH_ANY(any_without_timers_hears_all),
        WITH_ANY(any_with_timers_stays_with_the_first),
        WITH_ANY(any_and_one_interface_are_two_jobs),
        WITH_HOST(an_interface_that_is_gone_is_silent),
        WITH_HOST(a_refused_update_changes_nothing),
        WITH_HOST(without_memory_there_is_no_job),
    };
    return cmocka_run_group_tests_name("bcm_rx", tests, NULL, NULL);
}
