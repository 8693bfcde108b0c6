/* Unit tests of cli/install_files.c: what becomes of /etc/ld.so.preload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/install.h"

#define OURS "/usr/lib/x/libpocketcan.so"

static void preload_is_found_by_its_name(void **state)
{
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        { "", 0 },
        { OURS "\n", sizeof(OURS) - 1 },
        { "a.so:" OURS " b.so", sizeof(OURS) - 1 },
        { "libpocketcan.so", 15 },
        { "# " OURS "\n", 0 },
        { "a.so # " OURS "\n", 0 },
        { "a.so#" OURS "\n" OURS "#x", sizeof(OURS) - 1 },
        { "/usr/lib/xlibpocketcan.so", 0 },
        { "/usr/lib/libpocketcan.so.1", 0 },
        { "/usr/lib/libpocketcan.so/x", 0 },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *name;
        size_t size = preload_find(cases[i].text, &name);
        assert_int_equal(size, cases[i].size);
        if (size) assert_memory_equal(name + size - 15, "libpocketcan.so", 15);
    }
}

static void preload_gets_one_line_more(void **state)
{
    static const char *const cases[][2] = {
        { "", OURS "\n" },
        { "a.so\n", "a.so\n" OURS "\n" },
        { "a.so", "a.so\n" OURS "\n" },
        { "# text", "# text\n" OURS "\n" },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out = preload_add(cases[i][0], OURS);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
}

static void preload_loses_only_what_is_ours(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { OURS "\n", "" },
        { OURS, "" },
        { " \t" OURS " :\n", "" },
        { "a.so\n" OURS "\nb.so\n", "a.so\nb.so\n" },
        { "a.so\n\n\n" OURS "\n\n", "a.so\n\n\n\n" },
        { "a.so " OURS " b.so\n", "a.so b.so\n" },
        { OURS ":a.so:" OURS "\nlibpocketcan.so\n", "a.so:\n" },
        { OURS " # why\n", "# why\n" },
        { "# " OURS "\na.so", "# " OURS "\na.so" },
        { "a.so\r\n" OURS "\r\n", "a.so\r\n" },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *out = preload_remove(cases[i][0]);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
}

static void preload_is_what_it_was_before(void **state)
{
    static const char *const cases[] = { "", "a.so\n", "a.so b.so\n# x\n", "\n\n", "a.so:b.so\n" };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *with = preload_add(cases[i], OURS), *without = preload_remove(with);
        assert_string_equal(without, cases[i]);
        free(with);
        free(without);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preload_is_found_by_its_name),
        cmocka_unit_test(preload_gets_one_line_more),
        cmocka_unit_test(preload_loses_only_what_is_ours),
        cmocka_unit_test(preload_is_what_it_was_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
