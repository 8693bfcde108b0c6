/* tests/unit/filter.c - receive filters: the truth table of spec B.4 (verified on Linux 6.1), normalisation, JOIN. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "can/filter.h"

#define E CAN_EFF_FLAG
#define R CAN_RTR_FLAG

/* The columns: one letter each in the table below. */
static const struct {
    char name;
    uint32_t id;
} frames[] = {
    { 's', 0x123 },
    { 'r', 0x123 | R },
    { 'e', 0x123 | E },
    { 'f', 0x123 | E | R },
    { 'x', 0x1000123 | E },
    { 'i', 0x1123 /* not a standard id */ },
    { 't', 0x124 },
    { 'u', 0x124 | R },
    { '1', CAN_ERR_FLAG | 4 },
    { '2', CAN_ERR_FLAG | 0x104 },
    { '3', CAN_ERR_FLAG | 8 },
    { '0', CAN_ERR_FLAG },
};

static const struct {
    uint32_t id, mask;
    const char *seen;
} table[] = {
    { 0x123, 0x7FF, "srefxi" },
    { 0x123, 0x800007FF, "sri" },
    { 0x123, 0xC00007FF, "si" },
    { 0x123, 0x1FFFFFFF, "sref" },
    { 0x123, 0x9FFFFFFF, "sri" },
    { 0x80000123, 0x9FFFFFFF, "ef" },
    { 0x80000123, 0xDFFFFFFF, "e" },
    { 0x40000123, 0xC00007FF, "r" },
    { 0, 0, "srefxitu" },
    { 0x1FFFFFFF, 0, "srefxitu" },
    { 0x20000000, 0, "" },
    { 0x20000123, 0x7FF, "tu" },
    { 0x20000123, 0x800007FF, "efxtu" },
    { 0, 0x80000000, "sritu" },
    { 0x80000000, 0x80000000, "efx" },
    { 0x40000000, 0x40000000, "rfu" },
    { 0x456, 0x123, "" },
    { 0, 0x20000004, "12" },
    { 0x20000123, 0x20000004, "12" },
    { 0x123, 0x20000000, "" },
    { 0, 0x3FFFFFFF, "123" },
};

static void filter_lets_through_what_linux_does(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct filter_entry entry = filter_normalise(table[i].id, table[i].mask);
        char seen[sizeof(frames) / sizeof(*frames) + 1] = "";
        unsigned count = 0;
        for (unsigned f = 0; f < sizeof(frames) / sizeof(*frames); f++)
            if (filter_matches(entry, frames[f].id)) seen[count++] = frames[f].name;
        assert_string_equal(seen, table[i].seen);
    }
}

static void filter_is_kept_in_the_list_that_linux_keeps_it_in(void **state)
{
    static const struct {
        uint32_t id, mask;
        enum filter_list list;
        uint32_t id_out, mask_out;
    } rows[] = {
        { 0x123, 0, FILTER_ALL, 0, 0 },
        { 0x123, 0x7FF, FILTER_MASKED, 0x123, 0x7FF },
        { 0x456, 0x123, FILTER_MASKED, 0x002, 0x123 },
        { 0x20000456, 0x123, FILTER_INVERTED, 0x002, 0x123 },
        { 0x123, 0xC00007FF, FILTER_SFF, 0x123, 0xC00007FF },
        { 0x123, 0xDFFFFFFF, FILTER_SFF, 0x123, 0xC00007FF }, /* rule 2 */
        { 0x40000123, 0xC00007FF, FILTER_MASKED, 0x40000123, 0xC00007FF },
        { 0x80000123, 0xDFFFFFFF, FILTER_EFF, 0x80000123, 0xDFFFFFFF },
        { 0xC0000123, 0xDFFFFFFF, FILTER_MASKED, 0xC0000123, 0xDFFFFFFF },
        { 0x123, 0x20000004, FILTER_ERROR, 0x123, 4 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct filter_entry entry = filter_normalise(rows[i].id, rows[i].mask);
        assert_int_equal(entry.list, rows[i].list);
        assert_int_equal(entry.mask, rows[i].mask_out);
        if (entry.list != FILTER_ERROR) /* there the id does not count */
            assert_int_equal(entry.id, rows[i].id_out);
    }
}

static void filter_hash_stays_in_its_buckets(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < 0x1fffffff; id += 99991)
        assert_true(filter_hash(id | E, 256) < 256);
}

static void filter_join_wants_every_filter(void **state)
{
    (void)state;
    assert_int_equal(filter_copies(0, 3, false), 0);
    assert_int_equal(filter_copies(3, 3, false), 1);
    assert_int_equal(filter_copies(2, 3, true), 0);
    assert_int_equal(filter_copies(3, 3, true), 1);
    assert_int_equal(filter_copies(4, 3, true), 2); /* the error filter matched, too */
    assert_int_equal(filter_copies(0, 0, true), 0);
    assert_int_equal(filter_copies(1, 0, true), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_lets_through_what_linux_does),
        cmocka_unit_test(filter_is_kept_in_the_list_that_linux_keeps_it_in),
        cmocka_unit_test(filter_hash_stays_in_its_buckets),
        cmocka_unit_test(filter_join_wants_every_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
