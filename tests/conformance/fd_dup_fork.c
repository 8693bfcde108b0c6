/* One open socket behind several descriptors: dup(2) and fork(2). */
#include "can.h"

TEST(dup_shares_the_queue)
{
    int fd = raw_a(), copy = OK(dup(fd)), a = raw_a();

    put(a, 1);
    put(a, 2);
    CHECK_GETS(copy, 1);
    CHECK_GETS(fd, 2);
    CHECK_QUIET(copy);
}

TEST(dup_gives_one_copy_of_a_frame)
{
    int fd = raw_a(), copy = OK(dup(fd)), a = raw_a();

    put(a, 1);
    CHECK_GETS(fd, 1);
    CHECK_QUIET(copy);
    CHECK_QUIET(fd);
}

TEST(dup_shares_options_and_filters)
{
    int fd = raw_a(), copy = OK(dup(fd)), a = raw_a();

    raw_set(copy, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 1);
    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(copy, 5);
}

TEST(dup_shares_the_binding)
{
    int fd = raw_new(), copy = OK(dup(fd)), a = raw_a();

    OK(bind_index(copy, index_of(if_a())));
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(dup_shares_nonblock)
{
    int fd = raw_new(), copy = OK(dup(fd));
    struct can_frame f;

    OK(fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK));
    CHECK_ERRNO(read(fd, &f, sizeof(f)), EAGAIN);
}

TEST(dup_has_its_own_cloexec)
{
    int fd = OK(socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW)), copy = OK(dup(fd));

    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(dup_lives_on_when_the_first_is_closed)
{
    int fd = raw_a(), copy = OK(dup(fd)), a = raw_a();

    put(a, 1);
    close(fd);
    put(a, 2);
    CHECK_GETS(copy, 1);
    CHECK_GETS(copy, 2);
    put(copy, 3);
    CHECK_GETS(a, 3);
}

TEST(dup_sends_as_the_same_socket)
{
    int fd = raw_a(), copy = OK(dup(fd));

    put(copy, 1);
    CHECK_QUIET(fd);
}

TEST(dup2_over_another_can_socket_closes_it)
{
    int fd = raw_a(), other = raw_b(), a = raw_a(), b = raw_b();

    CHECK_EQ(dup2(fd, other), other);
    put(b, 1);
    CHECK_QUIET(other);
    put(a, 2);
    CHECK_GETS(other, 2);
}

TEST(dup2_onto_itself_is_nothing)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_GETS(fd, 1);
}

TEST(dup2_of_a_file_over_a_can_socket)
{
    int fd = raw_a(), null = OK(open("/dev/null", O_RDWR));
    struct can_frame f = frame_of(1, 1);

    CHECK_EQ(dup2(null, fd), fd);
    CHECK_EQ(read(fd, &f, sizeof(f)), 0);
    CHECK_EQ(write(fd, &f, 5), 5);
    CHECK_ERRNO(bind_index(fd, 0), ENOTSOCK);
}

TEST(dup2_of_a_can_socket_over_a_file)
{
    int fd = raw_a(), file = OK(open("/dev/null", O_RDWR)), a = raw_a();

    CHECK_EQ(dup2(fd, file), file);
    put(a, 1);
    CHECK_GETS(file, 1);
}

TEST(dup2_onto_standard_input)
{
    int fd = raw_a(), a = raw_a();

    CHECK_EQ(dup2(fd, 0), 0);
    close(fd);
    put(a, 1);
    CHECK_GETS(0, 1);
}

TEST(dup3_sets_cloexec)
{
    int fd = raw_a(), copy = OK(dup3(fd, 100, O_CLOEXEC)), a = raw_a();

    CHECK_EQ(copy, 100);
    CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
    put(a, 1);
    CHECK_GETS(copy, 1);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
}

TEST(fcntl_dupfd_takes_the_lowest_from)
{
    int fd = raw_a(), copy = OK(fcntl(fd, F_DUPFD, 50)), a = raw_a();

    CHECK_EQ(copy, 50);
    CHECK_EQ(OK(fcntl(fd, F_DUPFD_CLOEXEC, 50)), 51);
    CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
    put(a, 1);
    CHECK_GETS(51, 1);
}

TEST(dup_many_times)
{
    int fd = raw_a(), a = raw_a(), copies[50];

    for (int i = 0; i < 50; i++)
        copies[i] = OK(dup(fd));
    for (int i = 0; i < 50; i++) {
        put(a, i);
        CHECK_GETS(copies[i], i);
    }
    for (int i = 0; i < 49; i++)
        close(copies[i]);
    close(fd);
    put(a, 77);
    CHECK_GETS(copies[49], 77);
}

TEST(descriptor_number_used_again_by_a_file_is_a_file)
{
    int fd = raw_a(), file, a = raw_a();
    char byte = 0;

    put(a, 1);
    close(fd);
    file = OK(open("/dev/zero", O_RDWR));
    CHECK_EQ(file, fd);
    CHECK_EQ(read(file, &byte, 1), 1);
    CHECK_EQ(write(file, "x", 1), 1);
}

TEST(descriptor_number_used_again_by_a_can_socket_is_a_new_one)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    close(fd);
    CHECK_EQ(raw_a(), fd);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 0);
    CHECK_QUIET(fd);
    put(a, 2);
    CHECK_GETS(fd, 2);
}

TEST(fork_child_reads_from_the_same_queue)
{
    int fd = raw_a(), a = raw_a();
    pid_t child;

    put(a, 1);
    put(a, 2);
    child = OK(fork());
    if (!child) {
        CHECK_GETS(fd, 1);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    CHECK_GETS(fd, 2);
    CHECK_QUIET(fd);
}

TEST(fork_child_receives_what_the_parent_sends)
{
    int fd = raw_a(), a = raw_a(), p[2];
    pid_t child;
    char byte;

    OK(pipe(p));
    child = OK(fork());
    if (!child) {
        CHECK_EQ(write(p[1], "x", 1), 1);
        CHECK_GETS(fd, 1);
        _exit(0);
    }
    CHECK_EQ(read(p[0], &byte, 1), 1);
    put(a, 1);
    CHECK_EQ(tap_join(child), 0);
}

TEST(fork_child_changes_options_of_the_parent)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        filter1(fd, 5, CAN_SFF_MASK);
        raw_set(fd, CAN_RAW_ERR_FILTER, 3);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 3);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
}

TEST(fork_child_binds_for_the_parent)
{
    int fd = raw_new(), a = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        OK(bind_index(fd, index_of(if_a())));
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(fork_child_that_closes_leaves_the_parents_socket)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        close(fd);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(fork_child_that_is_killed_leaves_the_parents_socket)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());
    int status;

    if (!child) {
        put(fd, 7);
        raise(SIGKILL);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_GETS(a, 7);
    put(a, 1);
    CHECK_GETS(fd, 1);
    put(fd, 2);
    CHECK_GETS(a, 2);
}

TEST(fork_child_lives_on_when_the_parent_closes)
{
    int fd = raw_a(), a = raw_a(), p[2];
    pid_t child;
    char byte;

    OK(pipe(p));
    child = OK(fork());
    if (!child) {
        close(a);
        CHECK_EQ(read(p[0], &byte, 1), 1);
        CHECK_GETS(fd, 1);
        put(fd, 2);
        _exit(0);
    }
    close(fd);
    put(a, 1);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(tap_join(child), 0);
    CHECK_GETS(a, 2);
}

TEST(fork_two_readers_share_the_frames)
{
    enum { FRAMES = 200 };
    int fd = raw_a(), a = raw_a(), p[2], total = 0;
    unsigned char seen[FRAMES] = { 0 }, n;
    struct can_frame f;
    pid_t child[2];

    OK(pipe(p));
    block(fd);
    for (int i = 0; i < 2; i++) {
        child[i] = OK(fork());
        if (child[i]) continue;
        while (read(fd, &f, sizeof(f)) == sizeof(f) && f.can_id < FRAMES) {
            n = f.can_id;
            CHECK_EQ(write(p[1], &n, 1), 1);
        }
        _exit(0);
    }
    for (int i = 0; i < FRAMES; i++)
        put(a, i);
    put(a, FRAMES);
    put(a, FRAMES);
    CHECK_EQ(tap_join(child[0]), 0);
    CHECK_EQ(tap_join(child[1]), 0);
    close(p[1]);
    while (read(p[0], &n, 1) == 1) {
        CHECK_EQ(seen[n], 0);
        seen[n] = 1;
        total++;
    }
    CHECK_EQ(total, FRAMES);
}

TEST(fork_grandchild_inherits)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        pid_t grandchild = OK(fork());

        if (!grandchild) {
            put(fd, 9);
            _exit(0);
        }
        _exit(tap_join(grandchild));
    }
    CHECK_EQ(tap_join(child), 0);
    CHECK_GETS(a, 9);
}

TEST(fork_storm_leaves_the_socket_usable)
{
    int fd = raw_a(), a = raw_a();

    for (int i = 0; i < 40; i++) {
        pid_t child = OK(fork());

        if (!child) {
            if (i % 3 == 0)
                close(fd);
            else
                put(a, i);
            if (i % 3 == 1) raise(SIGKILL);
            _exit(0);
        }
        waitpid(child, NULL, 0);
        if (i % 3) CHECK_GETS(fd, i);
    }
    CHECK_QUIET(fd);
}

TEST(fork_many_children_send_at_once)
{
    enum { CHILDREN = 6, EACH = 40 };
    int fd = raw_a(), count[CHILDREN] = { 0 };
    pid_t child[CHILDREN];

    for (int c = 0; c < CHILDREN; c++) {
        child[c] = OK(fork());
        if (!child[c]) {
            int own = raw_a();

            for (int i = 0; i < EACH; i++)
                put(own, c << 8 | i);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN * EACH; i++) {
        canid_t id = GET(fd).can_id;

        CHECK(id >> 8 < CHILDREN);
        CHECK_EQ(id & 0xff, count[id >> 8]++);
    }
    for (int c = 0; c < CHILDREN; c++)
        CHECK_EQ(tap_join(child[c]), 0);
    CHECK_QUIET(fd);
}
