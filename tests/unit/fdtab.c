/* tests/unit/fdtab.c - the table of descriptors: edges, threads, fork and vfork. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>
#include "sockets/fdtab.h"

static int set_up(void **state)
{
    (void)state;
    fdtab_own();
    return 0;
}

static void fdtab_remembers(void **state)
{
    (void)state;
    assert_int_equal(fdtab_get(5), 0);
    assert_int_equal(fdtab_set(5, fd_entry(FD_RAW, 8191)), 0);
    assert_int_equal(fd_kind(fdtab_get(5)), FD_RAW);
    assert_int_equal(fd_number(fdtab_get(5)), 8191);
    assert_int_equal(fdtab_find(fd_entry(FD_RAW, 8191)), 5);
    assert_int_equal(fdtab_find(fd_entry(FD_RAW, 1)), -1);
    assert_int_equal(fdtab_set(5, 0), fd_entry(FD_RAW, 8191));
    assert_int_equal(fdtab_get(5), 0);
}

static void fdtab_has_edges(void **state)
{
    static const int bad[] = { -1, FDTAB_MAX, FDTAB_MAX + 1, INT32_MAX, INT32_MIN };

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(fdtab_set(bad[i], 7), 0);
        assert_int_equal(fdtab_get(bad[i]), 0);
    }
    fdtab_set(FDTAB_MAX - 1, 7);
    assert_int_equal(fdtab_get(FDTAB_MAX - 1), 7);
    assert_int_equal(fdtab_set(FDTAB_MAX - 1, 0), 7);
}

static void count_and_sum(int fd, uint32_t entry, void *context)
{
    unsigned *sums = context;
    sums[0]++;
    sums[1] += (unsigned)fd;
    sums[2] += entry;
}

static void fdtab_each_visits_a_range(void **state)
{
    unsigned all[3] = { 0 }, part[3] = { 0 };

    (void)state;
    fdtab_set(3, 1);
    fdtab_set(1500, 2); /* another page */
    fdtab_set(70000, 3);
    fdtab_each(0, UINT32_MAX, count_and_sum, all);
    fdtab_each(4, 1500, count_and_sum, part);
    assert_int_equal(all[0], 3);
    assert_int_equal(all[1], 71503);
    assert_int_equal(all[2], 6);
    assert_int_equal(part[0], 1);
    assert_int_equal(part[1], 1500);
    fdtab_set(3, 0);
    fdtab_set(1500, 0);
    fdtab_set(70000, 0);
}

static void fdtab_is_the_forked_childs_own(void **state)
{
    int status;

    (void)state;
    fdtab_set(9, 1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fdtab_is_borrowed() || fdtab_get(9) != 1 || fdtab_set(9, 2) != 1 || fdtab_get(9) != 2);
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(fdtab_set(9, 0), 1);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static void fdtab_is_only_lent_to_a_vforked_child(void **state)
{
    static volatile int borrowed;

    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it makes a fork of it */
#endif
    fdtab_set(9, 1);
    pid_t pid = vfork(); /* NOLINT: what this is about */
    if (pid == 0) {
        borrowed = fdtab_is_borrowed();
        fdtab_set(9, 0);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    assert_true(borrowed);
    assert_false(fdtab_is_borrowed());
    assert_int_equal(fdtab_set(9, 0), 1);
}
#pragma GCC diagnostic pop

static void *set_many(void *argument)
{
    int first = (int)(intptr_t)argument;
    uintptr_t wrong = 0;

    for (int fd = first; fd < 200000; fd += 4)
        fdtab_set(fd, (uint32_t)fd + 1);
    for (int fd = first; fd < 200000; fd += 4)
        wrong += fdtab_set(fd, 0) != (uint32_t)fd + 1;
    return (void *)wrong; /* NOLINT(performance-no-int-to-ptr): a number */
}

static void fdtab_serves_threads(void **state)
{
    pthread_t thread[4];

    (void)state;
    for (intptr_t i = 0; i < 4; i++)
        pthread_create(&thread[i], NULL, set_many, (void *)i); /* NOLINT(performance-no-int-to-ptr) */
    for (unsigned i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fdtab_remembers, set_up),
        cmocka_unit_test_setup(fdtab_has_edges, set_up),
        cmocka_unit_test_setup(fdtab_each_visits_a_range, set_up),
        cmocka_unit_test_setup(fdtab_is_the_forked_childs_own, set_up),
        cmocka_unit_test_setup(fdtab_is_only_lent_to_a_vforked_child, set_up),
        cmocka_unit_test_setup(fdtab_serves_threads, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
