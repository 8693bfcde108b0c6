/* Unit tests of cli/install_files.c: what becomes of /etc/ld.so.preload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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

static ino_t inode_of(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 ? about.st_ino : 0;
}

static void what_was_kept_is_put_back_without_being_written(void **state)
{
    char dir[] = "/tmp/pocketcan-unit-XXXXXX", path[64], kept[96];
    struct install_file file = { .path = path, .mode = 0644 };
    ino_t before;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/ld.so.preload", dir);
    snprintf(kept, sizeof(kept), "%s.before-pocketcan", path);
    assert_int_equal(install_write(&file, "a.so\n"), 0);
    file.text = strdup("a.so\n");
    before = inode_of(path);

    install_keep(&file);
    assert_int_equal(install_write(&file, "b.so\n"), 0);
    assert_int_not_equal(inode_of(path), before);
    assert_int_equal(install_put_back(&file), 0);
    install_keep_no_more(&file);
    assert_int_equal(inode_of(path), before);
    assert_int_equal(inode_of(kept), 0);

    install_keep(&file); /* nothing has replaced it */
    assert_int_equal(install_put_back(&file), 0);
    install_keep_no_more(&file);
    assert_int_equal(inode_of(path), before);
    assert_int_equal(inode_of(kept), 0);

    assert_int_equal(install_write(&file, "b.so\n"), 0); /* as where there are no hard links */
    assert_int_equal(install_put_back(&file), 0);
    free(file.text);
    assert_int_equal(install_read(&file, path), 0);
    assert_string_equal(file.text, "a.so\n");
    free(file.text);

    file.text = NULL; /* there was none */
    install_keep(&file);
    assert_int_equal(install_put_back(&file), 0);
    assert_int_equal(inode_of(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preload_is_found_by_its_name),
        cmocka_unit_test(preload_gets_one_line_more),
        cmocka_unit_test(preload_loses_only_what_is_ours),
        cmocka_unit_test(preload_is_what_it_was_before),
        cmocka_unit_test(what_was_kept_is_put_back_without_being_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
