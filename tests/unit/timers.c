/* tests/unit/timers.c - the timer heap against a plain list: a long random mix of setting, cancelling and expiring. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/timers.h"

#define COUNT 200

struct item {
    struct timer timer;
    bool expected; /* set, as the model has it */
    uint64_t at, turn;
};

static struct timers timers;
static struct item items[COUNT], *expired;
static unsigned expirations;

static void on_expiry(struct timer *timer, uint64_t now)
{
    assert_true(timer->at <= now);
    assert_false(timer_is_set(timer));
    expired = timer_owner(timer, struct item, timer);
    expirations++;
}

static struct item *first_of_model(void)
{
    struct item *first = NULL;

    for (unsigned i = 0; i < COUNT; i++)
        if (items[i].expected &&
            (!first || items[i].at < first->at || (items[i].at == first->at && items[i].turn < first->turn)))
            first = &items[i];
    return first;
}

static void expire_one(uint64_t now)
{
    struct item *first = first_of_model();

    expired = NULL;
    assert_int_equal(timers_next(&timers), first ? first->at : TIMERS_NEVER);
    assert_int_equal(timers_expire(&timers, now), first && first->at <= now);
    if (!first || first->at > now) {
        assert_null(expired);
        return;
    }
    assert_ptr_equal(expired, first);
    first->expected = false;
}

static void random_mix(void **state)
{
    uint64_t now = 0, turn = 0;

    (void)state;
    srand(7);
    for (unsigned i = 0; i < COUNT; i++)
        items[i].timer.expire = on_expiry;
    for (unsigned step = 0; step < 200000; step++) {
        struct item *item = &items[rand() % COUNT];
        unsigned what = (unsigned)rand() % 10;
        if (what < 5) {
            item->at = now + (uint64_t)(rand() % 50);
            item->turn = turn++;
            item->expected = true;
            timers_set(&timers, &item->timer, item->at);
        } else if (what < 7) {
            item->expected = false;
            timers_cancel(&timers, &item->timer);
        } else {
            expire_one(now);
        }
        assert_int_equal(timer_is_set(&item->timer), item->expected);
        now += (uint64_t)(rand() % 3 == 0);
    }
    while (first_of_model())
        expire_one(TIMERS_NEVER - 1);
    assert_int_equal(timers_next(&timers), TIMERS_NEVER);
    assert_true(expirations > 10000);
}

static void equals_in_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT; i++)
        timers_set(&timers, &items[i].timer, 5);
    timers_set(&timers, &items[0].timer, 5); /* anew: now the last */
    for (unsigned i = 1; i <= COUNT; i++) {
        assert_true(timers_expire(&timers, 5));
        assert_ptr_equal(expired, &items[i % COUNT]);
    }
    assert_false(timers_expire(&timers, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_mix), cmocka_unit_test(equals_in_order) };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
