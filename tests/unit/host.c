/* tests/unit/host.c - subscriptions: who is called, in which order, and what a call may remove. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "can/host.h"

#define EFF CAN_EFF_FLAG

static struct subscriptions all;
static struct subscription sub[6];
static char calls[16];
static struct subscription *victim; /* to be removed by the next call */

static void on_frame(struct subscription *subscription, const struct can_event *event)
{
    (void)event;
    calls[strlen(calls)] = (char)('a' + (subscription - sub));
    if (victim) subscriptions_remove(&all, victim);
    victim = NULL;
}

static void add(unsigned i, uint32_t id, uint32_t ifindex)
{
    sub[i] = (struct subscription){ .id = id, .ifindex = ifindex, .receive = on_frame };
    subscriptions_add(&all, &sub[i]);
}

static const char *serve_scope(uint32_t id, uint32_t ifindex, uint32_t scope)
{
    struct can_frame frame = { .can_id = id };
    struct can_event event = { .frame = &frame, .kind = FRAME_CC, .ifindex = ifindex, .scope = scope };

    memset(calls, 0, sizeof(calls));
    subscriptions_serve(&all, &event);
    return calls;
}

static const char *serve(uint32_t id, uint32_t ifindex) { return serve_scope(id, ifindex, CAN_SCOPE_ALL); }

static int start(void **state)
{
    (void)state;
    memset(&all, 0, sizeof(all));
    add(0, 0x123, 7);
    add(1, 0x123, 0);
    add(2, 0x123 | EFF, 7);
    add(3, 0x123, 8);
    add(4, 0x123, 7);
    return 0;
}

static void who_is_called(void **state)
{
    (void)state;
    assert_string_equal(serve(0x123, 7), "abe");
    assert_string_equal(serve(0x123, 8), "bd");
    assert_string_equal(serve(0x123, 9), "b");
    assert_string_equal(serve(0x123 | EFF, 7), "c");
    assert_string_equal(serve(0x123 | CAN_RTR_FLAG, 7), "");
    assert_string_equal(serve(0x124, 7), "");
}

static void who_is_meant(void **state)
{
    (void)state;
    assert_string_equal(serve_scope(0x123, 7, CAN_SCOPE_ANY), "b");
    assert_string_equal(serve_scope(0x123, 7, CAN_SCOPE_LINK), "ae");
    assert_string_equal(serve_scope(0x123, 9, CAN_SCOPE_LINK), "");
}

static void removal_in_a_call(void **state)
{
    (void)state;
    victim = &sub[0]; /* itself */
    assert_string_equal(serve(0x123, 7), "abe");
    victim = &sub[4]; /* one that comes later */
    assert_string_equal(serve(0x123, 7), "b");
    victim = &sub[3]; /* the very next in the list */
    assert_string_equal(serve(0x123, 8), "b");
    subscriptions_remove(&all, &sub[3]); /* twice is once */
    assert_string_equal(serve(0x123, 8), "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_is_called, start),
        cmocka_unit_test_setup(who_is_meant, start),
        cmocka_unit_test_setup(removal_in_a_call, start),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
