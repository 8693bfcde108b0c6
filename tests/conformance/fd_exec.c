/* A CAN socket in a new program image: exec, posix_spawn, vfork, inherited standard streams. */
#include "can.h"

#include <spawn.h>
#include <sys/mman.h>

extern char **environ;

/* ---- What the new image does; it returns 0 when all went well ---- */

HELPER(reads_id)
{
    int fd = atoi(argv[1]);
    struct can_frame f;

    if (!(polled(fd, POLLIN, WAIT_MS) & POLLIN)) return 3;
    if (read(fd, &f, sizeof(f)) != sizeof(f)) return 4;
    return f.can_id == strtoul(argv[2], NULL, 0) ? 0 : 5;
}

HELPER(sends_id)
{
    struct can_frame f = frame_of(strtoul(argv[2], NULL, 0), 8);

    return write(atoi(argv[1]), &f, sizeof(f)) == sizeof(f) ? 0 : 3;
}

HELPER(finds_it_closed) { return fcntl(atoi(argv[1]), F_GETFD) == -1 && errno == EBADF ? 0 : 3; }

HELPER(knows_its_name_and_options)
{
    int fd = atoi(argv[1]), value = 0;
    struct sockaddr_can a;
    socklen_t len = sizeof(a), size = sizeof(value);
    struct can_filter f[4];
    socklen_t bytes = sizeof(f);

    if (getsockname(fd, (struct sockaddr *)&a, &len) || a.can_ifindex != atoi(argv[2]) || len != 8) return 3;
    if (getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &value, &size) || value != 1) return 4;
    if (getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, f, &bytes) || bytes != 8 || f[0].can_id != 5) return 5;
    return 0;
}

HELPER(sees_own_frame_confirmed)
{
    int fd = atoi(argv[1]);
    struct message m;
    struct can_frame f = frame_of(0x111, 1);

    if (write(fd, &f, sizeof(f)) != sizeof(f) || !(polled(fd, POLLIN, WAIT_MS) & POLLIN)) return 3;
    receive_with(fd, &m, 0);
    return m.size == 16 && m.flags == (MSG_DONTROUTE | MSG_CONFIRM) ? 0 : 4;
}

HELPER(opens_its_own)
{
    int fd = raw_a();

    put(fd, strtoul(argv[2], NULL, 0));
    return 0;
}

HELPER(execs_reader)
{
    execl("/proc/self/exe", "x", "--helper", "reads_id", argv[1], argv[2], NULL);
    return 6;
}

HELPER(has_a_blocking_descriptor) { return fcntl(atoi(argv[1]), F_GETFL) & O_NONBLOCK ? 3 : 0; }

/* ---- Starting it ---- */

static char number[2][32];

static char **arguments(const char *helper, int fd, unsigned value)
{
    static char *args[6];

    snprintf(number[0], sizeof(number[0]), "%d", fd);
    snprintf(number[1], sizeof(number[1]), "%u", value);
    args[0] = (char *)"fd_exec";
    args[1] = (char *)"--helper";
    args[2] = (char *)helper;
    args[3] = number[0];
    args[4] = number[1];
    return args;
}

static pid_t start(const char *helper, int fd, unsigned value)
{
    char **args = arguments(helper, fd, value);
    pid_t child = OK(fork());

    if (!child) {
        execv("/proc/self/exe", args);
        _exit(126);
    }
    return child;
}

static int run(const char *helper, int fd, unsigned value) { return tap_join(start(helper, fd, value)); }

TEST(exec_reads_frames_queued_before)
{
    int fd = raw_a(), a = raw_a();

    put(a, 0x21);
    CHECK_EQ(run("reads_id", fd, 0x21), 0);
    CHECK_QUIET(fd);
}

TEST(exec_reads_frames_sent_after)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = start("reads_id", fd, 0x22);

    put(a, 0x22);
    CHECK_EQ(tap_join(child), 0);
}

TEST(exec_sends_on_an_inherited_socket)
{
    int fd = raw_a(), a = raw_a();

    CHECK_EQ(run("sends_id", fd, 0x23), 0);
    CHECK_GETS(a, 0x23);
    CHECK_QUIET(fd);
}

TEST(exec_sends_unbound_sockets_are_enxio) { CHECK_EQ(run("sends_id", raw_any(), 1), 3); }

TEST(exec_closes_a_cloexec_socket)
{
    int fd = OK(socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW));

    CHECK_EQ(run("finds_it_closed", fd, 0), 0);
}

TEST(exec_closes_a_socket_set_cloexec_later)
{
    int fd = raw_a();

    OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
    CHECK_EQ(run("finds_it_closed", fd, 0), 0);
}

TEST(exec_keeps_a_socket_with_cloexec_cleared)
{
    int fd = OK(socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW)), a = raw_a();

    OK(bind_index(fd, index_of(if_a())));
    OK(fcntl(fd, F_SETFD, 0));
    put(a, 0x24);
    CHECK_EQ(run("reads_id", fd, 0x24), 0);
}

TEST(exec_keeps_binding_options_and_filters)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    filter1(fd, 5, CAN_SFF_MASK);
    CHECK_EQ(run("knows_its_name_and_options", fd, index_of(if_a())), 0);
}

TEST(exec_keeps_the_identity_of_the_socket)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    CHECK_EQ(run("sees_own_frame_confirmed", fd, 0), 0);
}

TEST(exec_twice)
{
    int fd = raw_a(), a = raw_a();

    put(a, 0x25);
    CHECK_EQ(run("execs_reader", fd, 0x25), 0);
}

TEST(exec_with_a_high_descriptor)
{
    int fd = OK(fcntl(raw_a(), F_DUPFD, 900)), a = raw_a();

    put(a, 0x26);
    CHECK_EQ(run("reads_id", fd, 0x26), 0);
}

TEST(exec_with_the_socket_as_standard_streams)
{
    int fd = raw_a(), a = raw_a();
    pid_t child;

    put(a, 0x27);
    child = OK(fork());
    if (!child) {
        char **args = arguments("reads_id", 0, 0x27);

        OK(dup2(fd, 0));
        OK(dup2(fd, 1));
        OK(dup2(fd, 2));
        close(fd);
        execv("/proc/self/exe", args);
        _exit(126);
    }
    CHECK_EQ(tap_join(child), 0);
}

TEST(exec_through_the_shell)
{
    int fd = OK(dup2(raw_a(), 7)), a = raw_a();
    char self[256] = "", command[400];

    if (access("/bin/sh", X_OK)) SKIP("no shell");
    OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
    snprintf(command, sizeof(command), "'%s' --helper reads_id %d 0x28", self, fd);
    put(a, 0x28);
    CHECK_EQ(system(command), 0);
}

TEST(exec_image_opens_its_own_socket)
{
    int a = raw_a();

    CHECK_EQ(run("opens_its_own", -1, 0x29), 0);
    CHECK_GETS(a, 0x29);
}

TEST(exec_that_fails_leaves_the_socket_usable)
{
    int fd = raw_a(), a = raw_a();

    CHECK_ERRNO(execl("/nonexistent/program", "x", NULL), ENOENT);
    put(a, 0x2b);
    CHECK_GETS(fd, 0x2b);
}

TEST(exec_without_memory_for_its_lists_is_efault)
{
    char none[] = "none", *const argv[] = { none, NULL }, *const bad[] = { (char *)8, NULL };
    char *const *nowhere;
    int fd = OK(open("/proc/self/exe", O_RDONLY));

    nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_ERRNO(execve("/proc/self/exe", argv, nowhere), EFAULT);
    CHECK_ERRNO(execve("/proc/self/exe", argv, bad), EFAULT);
    CHECK_ERRNO(execve("/proc/self/exe", nowhere, environ), EFAULT);
    CHECK_ERRNO(execve("/proc/self/exe", bad, environ), EFAULT);
    CHECK_ERRNO(execvpe("sh", argv, nowhere), EFAULT);
    CHECK_ERRNO(fexecve(fd, argv, nowhere), EFAULT);
    CHECK_ERRNO(fexecve(fd, argv, NULL), EINVAL);
}

TEST(exec_of_the_test_itself_keeps_the_socket)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        char **args = arguments("reads_id", fd, 0x2c);

        execve("/proc/self/exe", args, environ);
        _exit(126);
    }
    put(a, 0x2c);
    CHECK_EQ(tap_join(child), 0);
}

TEST(spawn_inherits_the_socket)
{
    int fd = raw_a(), a = raw_a();
    pid_t child;

    put(a, 0x31);
    CHECK_EQ(posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments("reads_id", fd, 0x31), environ), 0);
    CHECK_EQ(tap_join(child), 0);
}

TEST(spawn_with_dup2_action)
{
    int fd = raw_a(), a = raw_a();
    posix_spawn_file_actions_t actions;
    pid_t child;

    put(a, 0x32);
    CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQ(posix_spawn_file_actions_adddup2(&actions, fd, 0), 0);
    CHECK_EQ(posix_spawn_file_actions_addclose(&actions, fd), 0);
    CHECK_EQ(posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments("reads_id", 0, 0x32), environ),
             0);
    CHECK_EQ(tap_join(child), 0);
    put(a, 0x33);
    CHECK_GETS(fd, 0x33);
}

TEST(spawn_with_close_action)
{
    int fd = raw_a(), a = raw_a();
    posix_spawn_file_actions_t actions;
    pid_t child;

    CHECK_EQ(posix_spawn_file_actions_init(&actions), 0);
    CHECK_EQ(posix_spawn_file_actions_addclose(&actions, fd), 0);
    CHECK_EQ(
        posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments("finds_it_closed", fd, 0), environ),
        0);
    CHECK_EQ(tap_join(child), 0);
    put(a, 0x34);
    CHECK_GETS(fd, 0x34);
}

TEST(vfork_child_that_execs)
{
    int fd = raw_a(), a = raw_a();
    char **args = arguments("reads_id", fd, 0x35);
    pid_t child;

    put(a, 0x35);
    child = vfork();
    if (!child) {
        execv("/proc/self/exe", args);
        _exit(126);
    }
    OK(child);
    CHECK_EQ(tap_join(child), 0);
    put(a, 0x36);
    CHECK_GETS(fd, 0x36);
}

TEST(vfork_child_that_closes_leaves_the_parents_socket)
{
    int fd = raw_a(), other = raw_a(), a = raw_a();
    char **args = arguments("finds_it_closed", fd, 0);
    pid_t child = vfork();

    if (!child) {
        close(fd);
        close_range(other, other, 0);
        execv("/proc/self/exe", args);
        _exit(126);
    }
    OK(child);
    CHECK_EQ(tap_join(child), 0);
    put(a, 0x37);
    CHECK_GETS(fd, 0x37);
    CHECK_GETS(other, 0x37);
    put(fd, 0x38);
    CHECK_GETS(other, 0x38);
}

TEST(vfork_child_that_closes_all_leaves_the_parents_sockets)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = vfork();

    if (!child) {
        close_range(3, ~0U, 0);
        _exit(0);
    }
    OK(child);
    CHECK_EQ(tap_join(child), 0);
    put(a, 0x39);
    CHECK_GETS(fd, 0x39);
    CHECK_EQ(raw_get(fd, CAN_RAW_LOOPBACK), 1);
}

TEST(vfork_child_that_moves_descriptors_leaves_the_parents)
{
    int fd = raw_a(), b = raw_b(), a = raw_a(), sender = raw_b();
    pid_t child = vfork();

    if (!child) {
        dup2(b, fd);
        _exit(0);
    }
    OK(child);
    CHECK_EQ(tap_join(child), 0);
    put(sender, 1);
    put(a, 2);
    CHECK_GETS(fd, 2);
    CHECK_GETS(b, 1);
}

TEST(popen_child_inherits_and_parent_goes_on)
{
    int fd = raw_a(), a = raw_a();
    char line[8] = "";
    FILE *p;

    if (access("/bin/sh", X_OK)) SKIP("no shell");
    p = popen("echo hi", "r");
    CHECK(p != NULL);
    CHECK(fgets(line, sizeof(line), p) != NULL);
    CHECK(!strcmp(line, "hi\n"));
    CHECK_EQ(pclose(p), 0);
    put(a, 0x3a);
    CHECK_GETS(fd, 0x3a);
}

TEST(exec_keeps_the_descriptor_flags)
{
    int fd = raw_new();

    CHECK_EQ(run("has_a_blocking_descriptor", fd, 0), 0);
    CHECK_EQ(run("has_a_blocking_descriptor", raw_a(), 0), 3);
}
