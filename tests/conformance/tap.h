/*
 * A test runner for one program: TAP on stdout, one forked child per test, so that a crash or a hang is one
 * failure.
 *
 * A file of tests is    #include "tap.h"    TEST(name_states_behaviour) { ... CHECK_EQ(a, b); ... }
 * and needs no main. The first failed check ends the test; the message travels to the runner in a shared
 * page, so checks may be made in threads and forked children as well. "PROGRAM NAME..." runs only the named
 * tests.
 *
 * A program that executes itself again defines what the new image does with HELPER(name) { ... return status;
 * } and gets there by executing "/proc/self/exe" with the arguments "--helper", name, ...
 */
#ifndef CONFORMANCE_TAP_H
#define CONFORMANCE_TAP_H

#include "libc.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TAP_TEST_SECONDS 10 /* a test takes milliseconds; this bounds a hang, also under emulation */
#define TAP_TESTS_MAX    400

struct tap_verdict {
    enum { TAP_RUNNING, TAP_FAILED, TAP_SKIPPED } state;
    char text[512];
};

struct tap_test {
    const char *name;
    void (*run)(void);
};

struct tap_helper {
    const char *name;
    int (*run)(int argc, char **argv);
};

static struct tap_test tap_tests[TAP_TESTS_MAX];
static int tap_count;
static struct tap_helper tap_helpers[32];
static int tap_helper_count;
static struct tap_verdict *tap_verdict;
static void (*tap_after_each)(void); /* runs in the runner after every test, also one that crashed */

#define TEST(name)                                                                                           \
    static void name(void);                                                                                  \
    __attribute__((constructor)) static void tap_register_##name(void)                                       \
    {                                                                                                        \
        tap_tests[tap_count++] = (struct tap_test){ #name, name };                                           \
    }                                                                                                        \
    static void name(void)

#define HELPER(name)                                                                                         \
    static int helper_##name(int argc, char **argv);                                                         \
    __attribute__((constructor)) static void tap_register_helper_##name(void)                                \
    {                                                                                                        \
        tap_helpers[tap_helper_count++] = (struct tap_helper){ #name, helper_##name };                       \
    }                                                                                                        \
    static int helper_##name(__attribute__((unused)) int argc, __attribute__((unused)) char **argv)

__attribute__((noreturn, format(printf, 2, 3))) static inline void tap_end(int state, const char *format, ...)
{
    va_list args;

    if (tap_verdict && tap_verdict->state == TAP_RUNNING) {
        va_start(args, format);
        vsnprintf(tap_verdict->text, sizeof(tap_verdict->text), format, args);
        va_end(args);
        tap_verdict->state = state;
    }
    _exit(state == TAP_FAILED);
}

#define FAIL(...)    tap_end(TAP_FAILED, __VA_ARGS__)
#define SKIP(reason) tap_end(TAP_SKIPPED, "%s", reason)

static inline const char *tap_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static inline void tap_check(int ok, const char *what, const char *file, int line)
{
    if (!ok) FAIL("%s:%d %s", tap_base(file), line, what);
}

static inline void tap_check_eq(long long got, long long want, const char *what, const char *file, int line)
{
    int error = errno;

    if (got != want)
        FAIL("%s:%d %s: got %lld (0x%llx), want %lld (0x%llx), errno %s", tap_base(file), line, what, got,
             got, want, want, strerrorname_np(error) ? strerrorname_np(error) : "?");
}

static inline void tap_check_errno(long long got, int want, const char *what, const char *file, int line)
{
    int error = errno;

    if (got != -1)
        FAIL("%s:%d %s: got %lld, want %s", tap_base(file), line, what, got, strerrorname_np(want));
    if (error != want)
        FAIL("%s:%d %s: got %s, want %s", tap_base(file), line, what,
             strerrorname_np(error) ? strerrorname_np(error) : "?", strerrorname_np(want));
}

static inline long long tap_ok(long long got, const char *what, const char *file, int line)
{
    int error = errno;

    if (got < 0)
        FAIL("%s:%d %s: got %lld %s", tap_base(file), line, what, got,
             strerrorname_np(error) ? strerrorname_np(error) : "?");
    return got;
}

#define CHECK(condition)    tap_check(!!(condition), #condition, __FILE__, __LINE__)
#define CHECK_EQ(got, want) tap_check_eq((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
/* the call returns -1 and sets errno to the given value */
#define CHECK_ERRNO(call, error) tap_check_errno((long long)(call), error, #call, __FILE__, __LINE__)
/* the call does not return a negative value; its value is the value of the macro */
#define OK(call) tap_ok((long long)(call), #call, __FILE__, __LINE__)

static inline long long tap_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Waits for the end of a child and returns its exit status; death by a signal fails the test. */
static inline int tap_join(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) != pid)
        CHECK(errno == EINTR);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The end of a child within the time limit: 1 and its status, else 0. SIGCHLD is blocked in the runner. */
static inline int tap_wait(pid_t pid, int *status)
{
    long long end = tap_now_ms() + TAP_TEST_SECONDS * 1000;
    sigset_t chld;

    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    while (waitpid(pid, status, WNOHANG) != pid) {
        long long left = end - tap_now_ms();
        struct timespec t = { left / 1000, left % 1000 * 1000000 };

        if (left <= 0) return 0;
        sigtimedwait(&chld, NULL, &t);
    }
    return 1;
}

static inline void tap_run(int number, const struct tap_test *test)
{
    int status = 0, ended;
    sigset_t none;
    pid_t pid;

    memset(tap_verdict, 0, sizeof(*tap_verdict));
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        test->run();
        _exit(0);
    }
    setpgid(pid, pid);
    ended = tap_wait(pid, &status);
    kill(-pid, SIGKILL); /* what the test left running, or the test */
    if (!ended) waitpid(pid, &status, 0);
    if (tap_after_each) tap_after_each();

    if (tap_verdict->state == TAP_FAILED)
        printf("not ok %d - %s # %s\n", number, test->name, tap_verdict->text);
    else if (!ended)
        printf("not ok %d - %s # still running after %d s\n", number, test->name, TAP_TEST_SECONDS);
    else if (WIFSIGNALED(status))
        printf("not ok %d - %s # killed by signal %d\n", number, test->name, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        printf("not ok %d - %s # exit status %d\n", number, test->name, WEXITSTATUS(status));
    else if (tap_verdict->state == TAP_SKIPPED)
        printf("ok %d - %s # SKIP %s\n", number, test->name, tap_verdict->text);
    else
        printf("ok %d - %s\n", number, test->name);
    fflush(stdout);
}

static inline int tap_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    sigset_t chld;
    int number = 0;

    if (argc > 2 && !strcmp(argv[1], "--helper")) {
        for (int i = 0; i < tap_helper_count; i++)
            if (!strcmp(tap_helpers[i].name, argv[2])) return tap_helpers[i].run(argc - 2, argv + 2);
        return 127;
    }
    tap_verdict = mmap(NULL, sizeof(*tap_verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tap_verdict == MAP_FAILED) return 2;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    for (int i = 0; i < tap_count; i++)
        if (tap_wanted(tap_tests[i].name, argc, argv)) tap_run(++number, &tap_tests[i]);
    printf("1..%d\n", number);
    return 0;
}

#endif
