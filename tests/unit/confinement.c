/* tests/unit/confinement.c - error counters by the rules of ISO 11898-1, the states they lead to, and the error frames that tell of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "can/confinement.h"
#include "can/errframe.h"

static struct confinement counters;

static void count(enum confinement_event event, unsigned times)
{
    while (times--)
        confinement_count(&counters, event);
}

static enum can_state state(void) { return confinement_state(&counters); }

static int start(void **unused)
{
    (void)unused;
    confinement_reset(&counters);
    return 0;
}

static void sender_goes_through_all_states(void **unused)
{
    (void)unused;
    assert_int_equal(state(), CAN_STATE_ERROR_ACTIVE);
    count(CONFINEMENT_SEND_ERROR, 11);
    assert_int_equal(state(), CAN_STATE_ERROR_ACTIVE);
    count(CONFINEMENT_SEND_ERROR, 1);
    assert_int_equal(state(), CAN_STATE_ERROR_WARNING);
    count(CONFINEMENT_SEND_ERROR, 4);
    assert_int_equal(state(), CAN_STATE_ERROR_PASSIVE);
    count(CONFINEMENT_SEND_ERROR, 15);
    assert_int_equal(state(), CAN_STATE_ERROR_PASSIVE);
    count(CONFINEMENT_SEND_ERROR, 1);
    assert_int_equal(state(), CAN_STATE_BUS_OFF);
    count(CONFINEMENT_SENT, 200);
    assert_int_equal(state(), CAN_STATE_BUS_OFF);
    confinement_reset(&counters);
    assert_int_equal(state(), CAN_STATE_ERROR_ACTIVE);
}

static void sender_recovers_with_every_frame(void **unused)
{
    (void)unused;
    count(CONFINEMENT_SEND_ERROR, 16);
    count(CONFINEMENT_SENT, 1);
    assert_int_equal(state(), CAN_STATE_ERROR_WARNING);
    count(CONFINEMENT_SENT, 32);
    assert_int_equal(counters.tec, 95);
    assert_int_equal(state(), CAN_STATE_ERROR_ACTIVE);
    count(CONFINEMENT_SENT, 200);
    assert_int_equal(counters.tec, 0);
}

static void sender_without_acknowledgement_stays_passive(void **unused)
{
    (void)unused;
    count(CONFINEMENT_NO_ACK, 100000);
    assert_int_equal(counters.tec, 128);
    assert_int_equal(state(), CAN_STATE_ERROR_PASSIVE);
}

static void receiver_never_leaves_the_bus(void **unused)
{
    (void)unused;
    count(CONFINEMENT_RECEIVE_ERROR, 96);
    assert_int_equal(state(), CAN_STATE_ERROR_WARNING);
    count(CONFINEMENT_RECEIVE_ERROR, 32);
    assert_int_equal(state(), CAN_STATE_ERROR_PASSIVE);
    count(CONFINEMENT_FIRST_TO_NOTICE, 10000);
    assert_int_equal(counters.rec, 255);
    assert_int_equal(state(), CAN_STATE_ERROR_PASSIVE);
    count(CONFINEMENT_RECEIVED, 1);
    assert_int_equal(counters.rec, 127);
    assert_int_equal(state(), CAN_STATE_ERROR_WARNING);
    count(CONFINEMENT_RECEIVED, 200);
    assert_int_equal(counters.rec, 0);
}

static void first_to_notice_counts_nine(void **unused)
{
    (void)unused;
    count(CONFINEMENT_FIRST_TO_NOTICE, 1);
    assert_int_equal(counters.rec, 9);
    count(CONFINEMENT_RECEIVER_STUCK, 1);
    assert_int_equal(counters.rec, 17);
    assert_int_equal(counters.tec, 0);
}

/* ---- error frames ---- */

static struct can_frame told(uint16_t tec, uint16_t rec)
{
    struct can_frame frame = { 0 };
    counters = (struct confinement){ .tec = tec, .rec = rec };
    errframe_state(&frame, &counters);
    errframe_end(&frame, &counters);
    return frame;
}

static void states_are_told(void **unused)
{
    static const struct {
        uint16_t tec, rec;
        uint32_t id;
        uint8_t data[8];
    } rows[] = {
        { 96, 16, 0x20000204, { 0, 0x08, 0, 0, 0, 0, 96, 16 } },
        { 3, 100, 0x20000204, { 0, 0x04, 0, 0, 0, 0, 3, 100 } },
        { 100, 101, 0x20000204, { 0, 0x0c, 0, 0, 0, 0, 100, 101 } },
        { 128, 100, 0x20000204, { 0, 0x20, 0, 0, 0, 0, 128, 100 } },
        { 100, 128, 0x20000204, { 0, 0x10, 0, 0, 0, 0, 100, 128 } },
        { 130, 128, 0x20000204, { 0, 0x30, 0, 0, 0, 0, 130, 128 } },
        { 95, 2, 0x20000204, { 0, 0x40, 0, 0, 0, 0, 95, 2 } },
        { 256, 2, 0x20000040, { 0 } },
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct can_frame frame = told(rows[i].tec, rows[i].rec);
        assert_int_equal(frame.can_id, rows[i].id);
        assert_int_equal(frame.len, 8);
        assert_memory_equal(frame.data, rows[i].data, 8);
    }
}

static void a_missing_acknowledgement_is_told(void **unused)
{
    struct can_frame frame = { 0 };
    static const uint8_t data[8] = { 0, 0, CAN_ERR_PROT_TX, CAN_ERR_PROT_LOC_ACK, 0, 0, 8, 0 };

    (void)unused;
    count(CONFINEMENT_NO_ACK, 1);
    errframe_bus_error(&frame, CAN_ERR_PROT_TX, CAN_ERR_PROT_LOC_ACK);
    errframe_end(&frame, &counters);
    assert_int_equal(frame.can_id, 0x200002a8);
    assert_memory_equal(frame.data, data, 8);
}

static void what_happens_at_once_is_one_frame(void **unused)
{
    struct can_frame frame = { 0 };

    (void)unused;
    errframe_end(&frame, &counters);
    assert_int_equal(frame.can_id, 0);
    count(CONFINEMENT_SEND_ERROR, 12);
    errframe_arbitration_lost(&frame, 7);
    errframe_bus_error(&frame, CAN_ERR_PROT_BIT | CAN_ERR_PROT_TX, CAN_ERR_PROT_LOC_DATA);
    errframe_state(&frame, &counters);
    errframe_overrun(&frame);
    errframe_end(&frame, &counters);
    assert_int_equal(frame.can_id, 0x2000028e);
    assert_int_equal(frame.data[0], 7);
    assert_int_equal(frame.data[1], CAN_ERR_CRTL_TX_WARNING | CAN_ERR_CRTL_RX_OVERFLOW);
    assert_int_equal(frame.data[6], 96);
    frame = (struct can_frame){ 0 };
    errframe_restarted(&frame);
    errframe_end(&frame, &counters);
    assert_int_equal(frame.can_id, 0x20000100);
    assert_int_equal(frame.data[6], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(sender_goes_through_all_states, start),
        cmocka_unit_test_setup(sender_recovers_with_every_frame, start),
        cmocka_unit_test_setup(sender_without_acknowledgement_stays_passive, start),
        cmocka_unit_test_setup(receiver_never_leaves_the_bus, start),
        cmocka_unit_test_setup(first_to_notice_counts_nine, start),
        cmocka_unit_test_setup(states_are_told, start),
        cmocka_unit_test_setup(a_missing_acknowledgement_is_told, start),
        cmocka_unit_test_setup(what_happens_at_once_is_one_frame, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
