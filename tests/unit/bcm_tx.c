/* tests/unit/bcm_tx.c - TX_SETUP under a virtual clock: which frames leave when, what is counted, what updates change. */
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
    host.loses_echoes = true;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    return host_close() ? 0 : -1;
}

#define CHECK(log) assert_string_equal(happened(), log)

static void two_phases(void **state)
{
    (void)state;
    assert_int_equal(ASK(TX_SETUP, START | TX_COUNTEVT, 0x123, .count = 3, .ival1_us = 50000,
                         .ival2_us = 100000, .frames = "01"),
                     72);
    until(310);
    CHECK("0 tx 1 123#01\n50 tx 1 123#01\n100 tx 1 123#01\n100 expired 0 123\n200 tx 1 123#01\n300 tx 1 "
          "123#01\n");
}

static void count_one_ends_without_a_message(void **state)
{
    (void)state;
    ASK(TX_SETUP, START | TX_COUNTEVT, 0x123, .count = 1, .ival1_us = 50000, .frames = "01");
    until(500);
    CHECK("0 tx 1 123#01\n");
    ASK(TX_SETUP, START | TX_COUNTEVT, 0x123, .count = 1, .ival1_us = 50000, .ival2_us = 80000,
        .frames = "01");
    until(670);
    CHECK("500 tx 1 123#01\n580 tx 1 123#01\n660 tx 1 123#01\n");
}

static void count_without_ival1_is_silent(void **state)
{
    (void)state;
    ASK(TX_SETUP, START | TX_COUNTEVT, 0x123, .count = 3, .ival2_us = 10000, .frames = "01");
    until(30);
    CHECK("0 tx 1 123#01\n10 tx 1 123#01\n20 tx 1 123#01\n30 tx 1 123#01\n");
    ASK(TX_READ, .id = 0x123);
    CHECK("30 tx_status 0 123 flags F count 0 ival 0.000000 0.010000 123#01\n");
}

static void ival1_without_count_is_ival2(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .ival1_us = 7000, .frames = "01");
    until(100);
    CHECK("0 tx 1 123#01\n");
    ASK(TX_SETUP, START, 0x123, .ival1_us = 7000, .ival2_us = 20000, .frames = "01");
    until(140);
    CHECK("100 tx 1 123#01\n120 tx 1 123#01\n140 tx 1 123#01\n");
}

static void setting_the_timer_does_not_start_it(void **state)
{
    (void)state;
    ASK(TX_SETUP, SETTIMER, 0x123, .ival2_us = 10000, .frames = "01");
    until(100);
    CHECK("");
    ASK(TX_SETUP, STARTTIMER, 0x123, .frames = "02");
    until(115);
    CHECK("100 tx 1 123#02\n110 tx 1 123#02\n");
    ASK(TX_READ, .id = 0x123);
    CHECK("115 tx_status 0 123 flags A count 0 ival 0.000000 0.010000 123#02\n");
}

static void no_flags_send_nothing(void **state)
{
    (void)state;
    assert_int_equal(ASK(TX_SETUP, 0, 0x123, .ival2_us = 10000, .frames = "01"), 72);
    until(100);
    CHECK("");
    ASK(TX_SETUP, TX_ANNOUNCE, 0x123, .frames = "02");
    until(200);
    CHECK("100 tx 1 123#02\n");
}

static void start_without_times_sends_once(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .frames = "01");
    until(1000);
    CHECK("0 tx 1 123#01\n");
}

static void update_keeps_the_phase(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .ival2_us = 100000, .frames = "01");
    until(130);
    ASK(TX_SETUP, 0, 0x123, .frames = "02");
    until(210);
    CHECK("0 tx 1 123#01\n100 tx 1 123#01\n200 tx 1 123#02\n");
}

static void announce_keeps_the_phase(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .ival2_us = 100000, .frames = "01");
    until(130);
    ASK(TX_SETUP, TX_ANNOUNCE, 0x123, .frames = "02");
    until(210);
    CHECK("0 tx 1 123#01\n100 tx 1 123#01\n130 tx 1 123#02\n200 tx 1 123#02\n");
}

static void new_time_counts_from_the_next_frame_on(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .ival2_us = 100000, .frames = "01");
    until(130);
    ASK(TX_SETUP, SETTIMER, 0x123, .ival2_us = 20000, .frames = "01");
    until(250);
    CHECK("0 tx 1 123#01\n100 tx 1 123#01\n200 tx 1 123#01\n220 tx 1 123#01\n240 tx 1 123#01\n");
}

static void times_of_zero_stop(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .ival2_us = 10000, .frames = "01");
    until(15);
    ASK(TX_SETUP, SETTIMER, 0x123, .frames = "01");
    until(1000);
    CHECK("0 tx 1 123#01\n10 tx 1 123#01\n");
    assert_int_equal(timers_next(&host.timers), TIMERS_NEVER);
}

static void time_that_has_nothing_to_say_ends_at_the_expiry(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .ival2_us = 10000, .frames = "01");
    until(15);
    ASK(TX_SETUP, SETTIMER, 0x123, .ival1_us = 10000, .frames = "01"); /* no count: nothing more to send */
    until(1000);
    CHECK("0 tx 1 123#01\n10 tx 1 123#01\n");
}

static void start_alone_begins_anew_with_the_old_times(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x123, .count = 2, .ival1_us = 10000, .ival2_us = 50000, .frames = "01");
    until(65);
    CHECK("0 tx 1 123#01\n10 tx 1 123#01\n60 tx 1 123#01\n");
    ASK(TX_SETUP, STARTTIMER, 0x123, .count = 9,
        .frames = "01"); /* a count without SETTIMER is not looked at */
    until(120);
    CHECK("65 tx 1 123#01\n115 tx 1 123#01\n");
}

static void flags_are_replaced(void **state)
{
    (void)state;
    ASK(TX_SETUP, START | TX_COUNTEVT, 0x123, .count = 3, .ival1_us = 10000, .frames = "01");
    ASK(TX_SETUP, 0, 0x123, .frames = "01");
    until(100);
    CHECK("0 tx 1 123#01\n10 tx 1 123#01\n20 tx 1 123#01\n");
}

static void a_sequence_goes_round(void **state)
{
    (void)state;
    assert_int_equal(ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "11 22 33"), 56 + 48);
    until(30);
    CHECK("0 tx 1 1#11\n10 tx 1 1#22\n20 tx 1 1#33\n30 tx 1 1#11\n");
    assert_int_equal(ASK(TX_SETUP, 0, 0x1, .frames = "01 02 03 04"), -E2BIG);
    ASK(TX_SETUP, 0, 0x1, .frames = "44 55 66"); /* goes on where it was */
    until(40);
    CHECK("40 tx 1 1#55\n");
    ASK(TX_SETUP, TX_RESET_MULTI_IDX, 0x1, .frames = "44 55 66");
    until(50);
    CHECK("50 tx 1 1#44\n");
    ASK(TX_SETUP, 0, 0x1, .frames = "77 88"); /* another number: from the start */
    until(80);
    CHECK("60 tx 1 1#77\n70 tx 1 1#88\n80 tx 1 1#77\n");
    assert_int_equal(ASK(TX_SETUP, 0, 0x1, .frames = "01 02 03"), -E2BIG);
}

static void count_is_of_frames_not_of_rounds(void **state)
{
    (void)state;
    ASK(TX_SETUP, START | TX_COUNTEVT, 0x1, .count = 4, .ival1_us = 10000, .frames = "11 22 33");
    until(100);
    CHECK("0 tx 1 1#11\n10 tx 1 1#22\n20 tx 1 1#33\n30 tx 1 1#11\n30 expired 0 1\n");
}

static void identifiers_are_copied_when_asked(void **state)
{
    (void)state;
    ASK(TX_SETUP, TX_ANNOUNCE, 0x111, .frames = "222#01 333#02");
    CHECK("0 tx 1 222#01\n");
    ASK(TX_SETUP, TX_ANNOUNCE | TX_CP_CAN_ID | TX_RESET_MULTI_IDX, 0x111, .frames = "222#01 333#02");
    CHECK("0 tx 1 111#01\n");
    ASK(TX_READ, .id = 0x111);
    CHECK("0 tx_status 0 111 flags 218 count 0 ival 0.000000 0.000000 111#01 111#02\n");
}

static void failed_frames_count(void **state)
{
    (void)state;
    ASK(TX_SETUP, START | TX_COUNTEVT, 0x1, .to = DOWN, .count = 3, .ival1_us = 10000, .frames = "11 22");
    until(100);
    CHECK("20 expired 0 1\n");
    assert_int_equal(ASK(TX_SETUP, TX_ANNOUNCE, 0x2, .to = DOWN, .frames = "01"), 72);
}

static void frames_to_an_interface_that_is_gone_do_not(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .to = GONE, .count = 3, .ival1_us = 10000, .frames = "11 22");
    until(1000);
    ASK(TX_READ, .id = 1, .to = GONE);
    CHECK("1000 tx_status 0 1 flags B count 3 ival 0.010000 0.000000 1#11 1#22\n");
}

static void its_end_stops_timers(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "01");
    ASK(TX_SETUP, START, 0x1, .to = IF_B, .ival2_us = 10000, .frames = "02");
    bcm_link_gone(&host.bcm, IF_A);
    until(10);
    CHECK("0 tx 1 1#01\n0 tx 2 1#02\n10 tx 2 1#02\n");
}

static void lateness_does_not_add_up(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "01");
    late(13);
    late(27);
    until(40);
    CHECK("0 tx 1 1#01\n13 tx 1 1#01\n27 tx 1 1#01\n30 tx 1 1#01\n40 tx 1 1#01\n");
}

static void who_is_very_late_sends_one_frame_and_goes_on_in_step(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "01");
    late(40); /* the frame due at 40 is the one that is left out */
    until(50);
    late(75);
    until(80);
    CHECK("0 tx 1 1#01\n40 tx 1 1#01\n50 tx 1 1#01\n75 tx 1 1#01\n80 tx 1 1#01\n");
}

static void a_microsecond_is_a_period(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .count = 1000, .ival1_us = 1, .frames = "01");
    until(1);
    assert_int_equal(host.sent, 1000);
}

static void the_longest_period_is_400_days(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .ival2 = { 34560000, 999999 }, .frames = "01");
    assert_int_equal(timers_next(&host.timers), 34560000999999000ull);
}

static void fd_jobs(void **state)
{
    (void)state;
    assert_int_equal(ASK(TX_SETUP, TX_ANNOUNCE | CAN_FD_FRAME, 0x1, .frames = "000102030405060708090A0B!01"),
                     56 + 72);
    CHECK("0 tx 1 1##000102030405060708090A0B!01\n");
    assert_int_equal(ASK(TX_SETUP, TX_ANNOUNCE, 0x1, .frames = "01"), 72); /* another one */
    CHECK("0 tx 1 1#01\n");
    assert_int_equal(ASK(TX_DELETE, CAN_FD_FRAME, 0x1), 56);
    assert_int_equal(ASK(TX_DELETE, CAN_FD_FRAME, 0x1), -EINVAL);
    assert_int_equal(ASK(TX_DELETE, 0, 0x1), 56);
}

static void deleting_stops(void **state)
{
    (void)state;
    ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "01");
    ASK(TX_SETUP, START, 0x2, .ival2_us = 10000, .frames = "02");
    assert_int_equal(ASK(TX_DELETE, .id = 1), 56);
    until(10);
    CHECK("0 tx 1 1#01\n0 tx 1 2#02\n10 tx 1 2#02\n");
}

static void a_refused_update_changes_nothing(void **state)
{
    static const struct {
        struct ask ask;
        long result;
    } refused[] = {
        { { TX_SETUP, 0, 0x1, .frames = "44 55+9" }, -EINVAL },
        { { TX_SETUP, 0, 0x1, .frames = "44", .nframes = 2 }, -EFAULT },
        { { TX_SETUP, 0, 0x1, .frames = "44 55 66" }, -E2BIG },
        { { TX_SETUP, SETTIMER, 0x1, .frames = "44 55", .ival1 = { -1, 0 } }, -EINVAL },
        { { TX_SETUP, TX_RESET_MULTI_IDX, 0x1, .nframes = -1 }, -EINVAL },
    };

    (void)state;
    ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "11 22");
    happened();
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        assert_int_equal(ask(refused[i].ask), refused[i].result);
        ASK(TX_READ, .id = 1);
        CHECK("0 tx_status 0 1 flags B count 0 ival 0.000000 0.010000 1#11 1#22\n");
    }
    until(10);
    CHECK("10 tx 1 1#22\n");
}

static void without_memory_there_is_no_job(void **state)
{
    (void)state;
    host.allocations_left = 0;
    assert_int_equal(ASK(TX_SETUP, START, 0x1, .ival2_us = 10000, .frames = "11 22"), -ENOMEM);
    assert_int_equal(ASK(TX_READ, .id = 1), -EINVAL);
}

int main(void)
{
#define WITH_HOST(name) cmocka_unit_test_setup_teardown(name, open_a, close_all)
    const struct CMUnitTest tests[] = {
        WITH_HOST(two_phases),
        WITH_HOST(count_one_ends_without_a_message),
        WITH_HOST(count_without_ival1_is_silent),
        WITH_HOST(ival1_without_count_is_ival2),
        WITH_HOST(setting_the_timer_does_not_start_it),
        WITH_HOST(no_flags_send_nothing),
        WITH_HOST(start_without_times_sends_once),
        WITH_HOST(update_keeps_the_phase),
        WITH_HOST(announce_keeps_the_phase),
        WITH_HOST(new_time_counts_from_the_next_frame_on),
        WITH_HOST(times_of_zero_stop),
        WITH_HOST(time_that_has_nothing_to_say_ends_at_the_expiry),
        WITH_HOST(start_alone_begins_anew_with_the_old_times),
        WITH_HOST(flags_are_replaced),
        WITH_HOST(a_sequence_goes_round),
        WITH_HOST(count_is_of_frames_not_of_rounds),
        WITH_HOST(identifiers_are_copied_when_asked),
        WITH_HOST(failed_frames_count),
        WITH_HOST(frames_to_an_interface_that_is_gone_do_not),
        WITH_HOST(its_end_stops_timers),
        WITH_HOST(lateness_does_not_add_up),
        WITH_HOST(who_is_very_late_sends_one_frame_and_goes_on_in_step),
        WITH_HOST(a_microsecond_is_a_period),
        WITH_HOST(the_longest_period_is_400_days),
        WITH_HOST(fd_jobs),
        WITH_HOST(deleting_stops),
        WITH_HOST(a_refused_update_changes_nothing),
        WITH_HOST(without_memory_there_is_no_job),
    };
    return cmocka_run_group_tests_name("bcm_tx", tests, NULL, NULL);
}
