/* tests/unit/usermem.c - bad pointers are refused, good ones are not touched by the question. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "sockets/usermem.h"

#define PAGE 4096

static uint8_t *pages; /* writable, read-only, nothing */

static int set_up(void **state)
{
    (void)state;
    pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    memset(pages, 0x5a, 2 * PAGE);
    mprotect(pages + PAGE, PAGE, PROT_READ);
    munmap(pages + 2 * PAGE, PAGE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    memset((void *)usermem_known, 0, sizeof(usermem_known));
    return munmap(pages, 2 * PAGE);
}

static void usermem_refuses_what_is_not_there(void **state)
{
    /* volatile, or the compiler proves what it cannot know */
    void *volatile const bad[] = { NULL, (void *)8, (void *)UINTPTR_MAX };
    char buffer[64];

    (void)state;
    assert_int_equal(usermem_read(buffer, bad[0], 1), -EFAULT);
    assert_int_equal(usermem_read(buffer, bad[1], 1), -EFAULT);
    assert_int_equal(usermem_read(buffer, pages + 2 * PAGE, 1), -EFAULT);
    assert_int_equal(usermem_read(buffer, pages + 2 * PAGE - 8, 16), -EFAULT);
    assert_int_equal(usermem_write(pages + 2 * PAGE, buffer, 1), -EFAULT);
    assert_int_equal(usermem_write(pages + PAGE, buffer, 1), -EFAULT);
    assert_int_equal(usermem_write(pages + PAGE - 8, buffer, 16), -EFAULT);
    assert_int_equal(pages[PAGE - 8], 0x5a); /* refused as a whole */
    assert_int_equal(usermem_read(buffer, bad[2], 2), -EFAULT);
}

static void usermem_lets_good_memory_be(void **state)
{
    char buffer[64];

    (void)state;
    assert_int_equal(usermem_read(buffer, pages + PAGE - 32, 64), 0);
    assert_int_equal(buffer[63], 0x5a);
    assert_true(usermem_ok(pages, PAGE, USERMEM_WRITE));
    for (unsigned i = 0; i < 2 * PAGE; i++)
        assert_int_equal(pages[i], 0x5a);
    assert_int_equal(usermem_write(pages + 1, "abc", 3), 0);
    assert_memory_equal(pages,
                        "\x5a"
                        "abc\x5a",
                        5);
}

static void usermem_asks_nothing_of_empty_ranges(void **state)
{
    (void)state;
    assert_int_equal(usermem_read(&(char){ 0 }, pages + 2 * PAGE, 0), 0);
    assert_true(usermem_ok((void *)1, 0, USERMEM_WRITE)); /* NOLINT(performance-no-int-to-ptr) */
}

static void usermem_copies_strings_as_far_as_they_are_there(void **state)
{
    char buffer[64] = "", *end = (char *)pages + 2 * PAGE, *middle = (char *)pages + PAGE - 3;
    void *volatile const nothing = NULL;

    (void)state;
    for (int i = 0; i < 3; i++)
        middle[i] = (char)('a' + i); /* and behind them, in another page, ... */
    assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
    memcpy(middle + 3, "def", 4);
    memcpy(end - 4, "xyz", 4);
    assert_int_equal(usermem_string(buffer, middle, sizeof(buffer)), 0);
    assert_string_equal(buffer, "abcdef");
    assert_int_equal(usermem_string(buffer, middle, 7), 0);
    assert_int_equal(usermem_string(buffer, middle, 6), -ENAMETOOLONG);
    assert_int_equal(usermem_string(buffer, end - 4, sizeof(buffer)), 0);
    assert_string_equal(buffer, "xyz");
    end[-1] = '!';
    assert_int_equal(usermem_string(buffer, end - 4, sizeof(buffer)), -EFAULT);
    assert_int_equal(usermem_string(buffer, end, sizeof(buffer)), -EFAULT);
    assert_int_equal(usermem_string(buffer, nothing, sizeof(buffer)), -EFAULT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(usermem_refuses_what_is_not_there),
        TEST(usermem_lets_good_memory_be),
        TEST(usermem_asks_nothing_of_empty_ranges),
        TEST(usermem_copies_strings_as_far_as_they_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
