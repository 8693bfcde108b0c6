/* Unit tests of daemon/instance.c and daemon/lock.c: which directory, whose, and what is left of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/instance.h"

static char base[64]; /* an empty directory for each test */
static struct instance instance;

static int make_base(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/pct-unit-XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", base);
    return system(command); /* NOLINT: a test may use the shell */
}

static const char *below_base(const char *name)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/%s", base, name);
    return path;
}

/* ---- where ---- */

static void locate_prefers_pocketcan_dir(void **state)
{
    (void)state;
    setenv("XDG_RUNTIME_DIR", base, 1);
    setenv("POCKETCAN_DIR", "/somewhere/else///", 1);
    assert_int_equal(instance_locate(&instance), 0);
    assert_string_equal(instance.dir, "/somewhere/else");
}

static void locate_takes_the_runtime_dir(void **state)
{
    (void)state;
    unsetenv("POCKETCAN_DIR");
    setenv("XDG_RUNTIME_DIR", base, 1);
    assert_int_equal(instance_locate(&instance), 0);
    assert_string_equal(instance.dir, below_base("pocketcan"));
}

static void locate_falls_back_to_tmp(void **state)
{
    char wanted[64];
    (void)state;
    snprintf(wanted, sizeof(wanted), "/tmp/pocketcan-%u", (unsigned)geteuid());
    setenv("POCKETCAN_DIR", "", 1);
    setenv("XDG_RUNTIME_DIR", below_base("missing"), 1);
    assert_int_equal(instance_locate(&instance), 0);
    assert_string_equal(instance.dir, wanted);
    unsetenv("XDG_RUNTIME_DIR");
    assert_int_equal(instance_locate(&instance), 0);
    assert_string_equal(instance.dir, wanted);
}

static void name_makes_relative_paths_absolute(void **state)
{
    (void)state;
    assert_int_equal(chdir(base), 0);
    assert_int_equal(instance_name(&instance, "here"), 0);
    assert_string_equal(instance.dir, below_base("here"));
    assert_int_equal(chdir("/"), 0);
}

static void name_refuses_what_leaves_no_room_for_sockets(void **state)
{
    char path[INSTANCE_DIR_MAX + 2];
    (void)state;
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[INSTANCE_DIR_MAX] = 0;
    assert_int_equal(instance_name(&instance, path), 0);
    assert_int_equal(strlen(instance.dir) + strlen("/s/8191.4294967295"), 107);
    path[INSTANCE_DIR_MAX] = 'x';
    path[INSTANCE_DIR_MAX + 1] = 0;
    assert_int_equal(instance_name(&instance, path), -ENAMETOOLONG);
    assert_non_null(strstr(instance.why, "set POCKETCAN_DIR to a shorter path"));
    assert_int_equal(instance_name(&instance, "///"), -EINVAL);
}

/* ---- whose ---- */

static void enter_makes_it_closed_whatever_the_umask(void **state)
{
    struct stat st;
    (void)state;
    mode_t old = umask(0777);
    assert_int_equal(instance_name(&instance, below_base("new")), 0);
    assert_int_equal(instance_enter(&instance, false), -ENOENT);
    assert_int_equal(instance_enter(&instance, true), 0);
    umask(old);
    assert_int_equal(stat(instance.dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(instance_name(&instance, instance.dir), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
}

static void enter_refuses_open_directories_links_and_files(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below_base("open"), 0755), 0);
    assert_int_equal(instance_name(&instance, below_base("open")), 0);
    assert_int_equal(instance_enter(&instance, true), -EACCES);
    assert_non_null(strstr(instance.why, "chmod 700"));

    assert_int_equal(symlink("/tmp", below_base("link")), 0);
    assert_int_equal(instance_name(&instance, below_base("link")), 0);
    assert_int_equal(instance_enter(&instance, true), -ENOTDIR);
    assert_non_null(strstr(instance.why, "a symbolic link"));

    close(open(below_base("file"), O_CREAT | O_WRONLY, 0600));
    assert_int_equal(instance_name(&instance, below_base("file")), 0);
    assert_int_equal(instance_enter(&instance, true), -ENOTDIR);
}

static void enter_refuses_what_belongs_to_another(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    assert_int_equal(mkdir(below_base("theirs"), 0700), 0);
    assert_int_equal(chown(below_base("theirs"), 65534, 65534), 0);
    assert_int_equal(instance_name(&instance, below_base("theirs")), 0);
    assert_int_equal(instance_enter(&instance, true), -EACCES); /* not even root starts a daemon in there */
    assert_non_null(strstr(instance.why, "belongs to uid 65534"));
    assert_int_equal(instance_enter(&instance, false), 0); /* but it may use one */
}

/* ---- what lies in it ---- */

static void fill_removes_what_was_left_and_remove_leaves_nothing(void **state)
{
    char path[256];
    (void)state;
    assert_int_equal(instance_name(&instance, below_base("i")), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
    assert_int_equal(instance_fill(&instance), 0);
    snprintf(path, sizeof(path), "%s/s/17.3", instance.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(instance_fill(&instance), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(instance_check_version(&instance), 0);
    instance_remove(&instance);
    assert_int_equal(access(instance.dir, F_OK), -1);
}

static void remove_keeps_a_directory_that_was_there_before(void **state)
{
    (void)state;
    assert_int_equal(mkdir(below_base("mine"), 0700), 0);
    assert_int_equal(instance_name(&instance, below_base("mine")), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
    assert_int_equal(instance_fill(&instance), 0);
    instance_remove(&instance);
    assert_int_equal(rmdir(instance.dir), 0);
}

static void fill_does_not_follow_links(void **state)
{
    char path[256];
    (void)state;
    assert_int_equal(mkdir(below_base("victim"), 0700), 0);
    close(open(below_base("victim/file"), O_CREAT | O_WRONLY, 0600));
    assert_int_equal(instance_name(&instance, below_base("i")), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
    snprintf(path, sizeof(path), "%s/s", instance.dir);
    assert_int_equal(symlink(below_base("victim"), path), 0);
    instance_fill(&instance);
    assert_int_equal(access(below_base("victim/file"), F_OK), 0);
}

static void check_version_names_the_other_one(void **state)
{
    char path[256];
    (void)state;
    assert_int_equal(instance_name(&instance, below_base("i")), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
    assert_int_equal(instance_check_version(&instance), 0);
    snprintf(path, sizeof(path), "%s/version", instance.dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "pocketcan 9.9\033[31m\n", 19), 19);
    close(fd);
    assert_int_equal(instance_check_version(&instance), -EPROTO);
    assert_non_null(strstr(instance.why, "\"pocketcan 9.9\""));
    assert_non_null(strstr(instance.why, "pocketcan down"));
}

/* ---- locks ---- */

static void lock_excludes_others_until_its_holder_dies(void **state)
{
    char ready;
    int pipes[2];
    (void)state;
    assert_int_equal(instance_name(&instance, below_base("i")), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
    assert_int_equal(instance_lock_daemon(&instance, 0, false), -ENOENT);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        if (instance_lock_daemon(&instance, 0, true) >= 0 && write(pipes[1], "x", 1) == 1) pause();
        _exit(1);
    }
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    assert_int_equal(instance_lock_daemon(&instance, 0, true), -EWOULDBLOCK);
    assert_int_equal(instance_lock_daemon(&instance, 50, true), -ETIMEDOUT);
    kill(child, SIGKILL);
    int fd = instance_lock_daemon(&instance, INSTANCE_WAIT_MS, true);
    assert_true(fd >= 0);
    close(fd);
    waitpid(child, NULL, 0);
    close(pipes[0]);
    close(pipes[1]);
}

static void lock_is_not_that_of_a_removed_file(void **state)
{
    int pipes[2];
    char ready;
    (void)state;
    assert_int_equal(instance_name(&instance, below_base("i")), 0);
    assert_int_equal(instance_enter(&instance, true), 0);
    int held = instance_lock_daemon(&instance, 0, true);
    assert_true(held >= 0);
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) { /* waits for the old file; must not be content with it */
        close(held);
        if (write(pipes[1], "x", 1) != 1) _exit(1);
        int fd = instance_lock_daemon(&instance, INSTANCE_WAIT_MS, false);
        _exit(fd == -ENOENT ? 0 : 2);
    }
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    instance_remove(&instance);
    close(held);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(pipes[0]);
    close(pipes[1]);
}

/* `pocketcan install` starts and ends an instance with all signals blocked. */
static void lock_wait_ends_with_signals_blocked(void **state)
{
    sigset_t all, pending;

    (void)state;
    assert_int_equal(instance_name(&instance, base), 0);
    int held = instance_lock_daemon(&instance, 0, true);
    assert_true(held >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        int result = instance_lock_daemon(&instance, 300, false);
        sigpending(&pending);
        _exit(result != -ETIMEDOUT ? 1 : sigismember(&pending, SIGALRM) ? 2 : 0);
    }
    int status = -1;
    for (unsigned tries = 0; tries < 1000 && waitpid(child, &status, WNOHANG) == 0; tries++)
        usleep(10000);
    kill(child, SIGKILL);
    close(held);
    assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_base, remove_base)
    const struct CMUnitTest tests[] = {
        TEST(locate_prefers_pocketcan_dir),
        TEST(locate_takes_the_runtime_dir),
        TEST(locate_falls_back_to_tmp),
        TEST(name_makes_relative_paths_absolute),
        TEST(name_refuses_what_leaves_no_room_for_sockets),
        TEST(enter_makes_it_closed_whatever_the_umask),
        TEST(enter_refuses_open_directories_links_and_files),
        TEST(enter_refuses_what_belongs_to_another),
        TEST(fill_removes_what_was_left_and_remove_leaves_nothing),
        TEST(remove_keeps_a_directory_that_was_there_before),
        TEST(fill_does_not_follow_links),
        TEST(check_version_names_the_other_one),
        TEST(lock_excludes_others_until_its_holder_dies),
        TEST(lock_is_not_that_of_a_removed_file),
        TEST(lock_wait_ends_with_signals_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
