/* tests/unit/capture_filter.c - filters in the words of can-utils. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "cli/capture.h"

static struct capture_filter filter;

static void without_filters_nothing_is_left_out(void **state)
{
    (void)state;
    assert_true(capture_filter_parse("", &filter));
    assert_int_equal(filter.count, 0);
    assert_int_equal(filter.errors, CAN_ERR_MASK);
    assert_false(filter.join);
}

static void filters_are_what_candump_makes_of_them(void **state)
{
    (void)state;
    assert_true(capture_filter_parse("123:7FF,92345678:DFFFFFFF,7ff~7f0,12345678~1fffFFFF,j,#1F", &filter));
    assert_int_equal(filter.count, 4);
    assert_int_equal(filter.list[0].can_id, 0x123);
    assert_int_equal(filter.list[0].can_mask, 0x7ff);
    assert_int_equal(filter.list[1].can_id, 0x92345678);
    assert_int_equal(filter.list[1].can_mask, 0xdfffffff);
    assert_int_equal(filter.list[2].can_id, 0x7ff | CAN_INV_FILTER);
    assert_int_equal(filter.list[3].can_id, 0x12345678 | CAN_EFF_FLAG | CAN_INV_FILTER);
    assert_int_equal(filter.errors, 0x1f);
    assert_true(filter.join);
}

static void filters_without_error_classes_leave_out_error_frames(void **state)
{
    (void)state;
    assert_true(capture_filter_parse("123:7FF", &filter));
    assert_int_equal(filter.errors, 0);
    assert_true(capture_filter_parse("123:FFFFFFFF", &filter));
    assert_int_equal(filter.list[0].can_mask, 0xffffffff & ~CAN_ERR_FLAG);
}

static void nonsense_is_refused(void **state)
{
    static const char *const texts[] = { "x",         "123",         "123:",        ":7FF", "123:7FF;",
                                         "123:7FF,,", "123456789:1", "1:123456789", "#",    "#xyz",
                                         "jj",        "-1:7FF",      " 123:7FF" };
    (void)state;
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (capture_filter_parse(texts[i], &filter)) fail_msg("%s was taken", texts[i]);
}

static void more_filters_than_a_socket_has_are_refused(void **state)
{
    static char text[16 * (CAPTURE_FILTERS_MAX + 2)];
    size_t size = 0;
    (void)state;

    for (unsigned i = 0; i < CAPTURE_FILTERS_MAX; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%03X:7FF", i ? "," : "", i);
    assert_true(capture_filter_parse(text, &filter));
    assert_int_equal(filter.count, CAPTURE_FILTERS_MAX);
    snprintf(text + size, sizeof(text) - size, ",7FF:7FF");
    assert_false(capture_filter_parse(text, &filter));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_filters_nothing_is_left_out),
        cmocka_unit_test(filters_are_what_candump_makes_of_them),
        cmocka_unit_test(filters_without_error_classes_leave_out_error_frames),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(more_filters_than_a_socket_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
