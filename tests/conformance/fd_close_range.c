/* close_range(2), closefrom(3) and other ways to lose descriptors. */
#include "can.h"

#include <linux/close_range.h>

static int moved(int to)
{
    int fd = raw_a();

    OK(dup2(fd, to));
    close(fd);
    return to;
}

TEST(close_range_closes_can_sockets)
{
    int a = raw_a(), low = moved(20), high = moved(30);

    OK(close_range(25, 40, 0));
    CHECK_ERRNO(fcntl(high, F_GETFD), EBADF);
    put(a, 1);
    CHECK_GETS(low, 1);
}

TEST(close_range_bounds_are_inclusive)
{
    int fds[4] = { moved(20), moved(21), moved(22), moved(23) };

    OK(close_range(21, 22, 0));
    CHECK_EQ(fcntl(fds[0], F_GETFD), 0);
    CHECK_ERRNO(fcntl(fds[1], F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(fds[2], F_GETFD), EBADF);
    CHECK_EQ(fcntl(fds[3], F_GETFD), 0);
}

TEST(close_range_cloexec_only_marks)
{
    int a = raw_a(), fd = moved(20);

    OK(close_range(20, 20, CLOSE_RANGE_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(close_range_unshare_closes_too)
{
    int a = raw_a(), fd = moved(20), kept = moved(21);

    OK(close_range(20, 20, CLOSE_RANGE_UNSHARE));
    CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
    put(a, 1);
    CHECK_GETS(kept, 1);
}

TEST(close_range_in_the_wrong_order_is_einval)
{
    int fd = moved(20);

    CHECK_ERRNO(close_range(21, 20, 0), EINVAL);
    CHECK_ERRNO(close_range(20, 20, 1 << 8), EINVAL);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
}

TEST(close_range_of_everything_then_a_new_socket)
{
    int fd, a;

    raw_a();
    raw_b();
    OK(close_range(3, ~0U, 0));
    fd = raw_a();
    CHECK_EQ(fd, 3);
    a = raw_a();
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(closefrom_closes_can_sockets)
{
    int low = moved(20), high = moved(30), a = raw_a();

    closefrom(25);
    CHECK_ERRNO(fcntl(high, F_GETFD), EBADF);
    put(a, 1);
    CHECK_GETS(low, 1);
}

TEST(close_range_in_a_forked_child_leaves_the_parents_sockets)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        OK(close_range(3, ~0U, 0));
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    put(a, 1);
    CHECK_GETS(fd, 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_LOOPBACK), 1);
}

TEST(close_all_as_a_daemon_does_then_open_again)
{
    int fd, a;

    raw_a();
    for (int i = 0; i < 64; i++)
        close(i);
    OK(open("/dev/null", O_RDWR));
    OK(dup(0));
    OK(dup(0));
    fd = raw_a();
    a = raw_a();
    put(a, 1);
    CHECK_GETS(fd, 1);
}

TEST(fclose_of_a_stream_over_a_can_socket_closes_it)
{
    int fd = raw_a();
    FILE *f = fdopen(fd, "r+");

    CHECK(f != NULL);
    CHECK_EQ(fclose(f), 0);
    CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
}

TEST(stream_over_a_can_socket_reads_frames)
{
    int fd = raw_a(), a = raw_a();
    struct can_frame g;
    FILE *f;

    block(fd);
    f = fdopen(fd, "r");
    CHECK(f != NULL);
    setvbuf(f, NULL, _IONBF, 0);
    put(a, 0x41);
    CHECK_EQ(fread(&g, sizeof(g), 1, f), 1);
    CHECK_EQ(g.can_id, 0x41);
}

TEST(stream_over_a_can_socket_tells_its_descriptor)
{
    int fd = raw_a();
    FILE *f = fdopen(fd, "r");

    CHECK(f != NULL);
    CHECK_EQ(fileno(f), fd);
    OK(fclose(f));
    CHECK_ERRNO(fcntl(fd, F_GETFD), EBADF);
}

TEST(stream_over_a_can_socket_cannot_seek)
{
    FILE *f = fdopen(raw_a(), "r");

    CHECK(f != NULL);
    CHECK_ERRNO(fseek(f, 0, SEEK_SET), ESPIPE);
}

TEST(stream_over_a_can_socket_writes_frames)
{
    int fd = raw_a(), peer = raw_a();
    struct can_frame g = frame_of(0x42, 2);
    FILE *f = fdopen(fd, "w");

    CHECK(f != NULL);
    CHECK_EQ(fwrite(&g, sizeof(g), 1, f), 1);
    CHECK_EQ(fflush(f), 0);
    CHECK_GETS(peer, 0x42);
}
