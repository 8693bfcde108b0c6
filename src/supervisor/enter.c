/* supervisor/enter.c - installs the filter and hands its listener over. Only async-signal-safe calls: this is also the child of a fork. */
#include "supervisor/enter.h"
#include "base/passing.h"
#include "base/sys.h"
#include "supervisor/filter.h"
#include "supervisor/supervisor.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *reason(int error)
{
    switch (error) {
    case -EBUSY:
        return "it is inside another sandbox that listens to its system calls (a container's, or WSL's "
               "mirrored networking): "
               "use a dynamically linked build, or run pocketcan outside of that sandbox";
    case -EINVAL:
    case -ENOSYS:
        return "this kernel gives no seccomp listener (gVisor, qemu-user, or Linux before 5.9): use a "
               "dynamically "
               "linked build";
    case -EACCES:
    case -EPERM:
        return "seccomp filters are forbidden here: allow seccomp(2) in this container's profile, or use a "
               "dynamically "
               "linked build";
    case -ENOENT:
    case -ECONNREFUSED:
        return "the `pocketcan run` that it belongs to has ended: start it with `pocketcan run`";
    default: return "its system calls cannot be listened to: use a dynamically linked build";
    }
}

static int reach(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), error;

    if (fd < 0) return -errno;
    if (strlen(path) >= sizeof(address.sun_path)) {
        close(fd);
        return -ENOENT;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
    error = -errno;
    close(fd);
    return error;
}

static int hand_over(int fd, int listener, const struct filter_range *range)
{
    const struct iovec iov = { (void *)(uintptr_t)range, sizeof(*range) };
    char answer;
    long error = passing_send(fd, &iov, 1, listener);

    if (error < 0) return (int)error;
    return read(fd, &answer, 1) == 1 ? 0 : -ECONNREFUSED;
}

static bool is_inherited(const struct filter_range *range, int number)
{
    for (uint32_t i = 0; i < range->inherited_count; i++)
        if (range->inherited[i] == number) return true;
    return false;
}

/* The filter traps calls on high numbers and inherited ones, which nobody serves before the listener has arrived: so its way has to have another, if
 * need be that of a descriptor of the program, which comes back. */
static int install(int fd, const struct filter_range *range, bool *exact)
{
    int way = fd < range->folders ? fd : 0, away = -1, flags = 0, listener, error;

    if (way != fd) {
        while (is_inherited(range, way))
            way++;
        away = fcntl(way, F_DUPFD_CLOEXEC, 0);
        flags = fcntl(way, F_GETFD);
        if (away < 0 || dup2(fd, way) < 0) return -errno;
    }
    listener = filter_install(range, exact);
    error = listener < 0 ? listener : hand_over(way, listener, range);
    if (listener >= 0) close(listener);
    if (way != fd) {
        dup3(away, way, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
        close(away);
    }
    return error;
}

/* ---- sockets that the program inherits from one that came through the other door ---- */

/* A descriptor of the same process that is to be exchanged for one that the supervisor serves: that, or -1. */
static int exchange(const char *path, int number)
{
    const struct iovec iov = { &number, sizeof(number) };
    int fd = reach(path), result = -1;
    char answer;

    if (fd >= 0 && passing_send(fd, &iov, 1, number) >= 0)
        passing_receive(fd, &answer, sizeof(answer), &result);
    if (fd >= 0) close(fd);
    return result;
}

/* Is it named as the sockets of this instance are: beside the door, by a number? The kernel is asked, not the preload library, which is in here, too. */
static bool is_socket_of(const char *path, int fd)
{
    size_t length = (size_t)(strrchr(path, '/') - path) + 1;
    struct sockaddr_un name = { .sun_family = 0 };
    socklen_t size = sizeof(name);

    return sys_call(SYS_getsockname, fd, &name, &size) == 0 && name.sun_family == AF_UNIX &&
           !strncmp(name.sun_path, path, length) && name.sun_path[length] >= '0' &&
           name.sun_path[length] <= '9';
}

/* Copies of one that is done already stay copies. */
static bool copy_known(const struct filter_range *range, const ino_t *inodes, int number, ino_t inode)
{
    for (uint32_t i = 0; i < range->inherited_count; i++)
        if (inodes[i] == inode) return dup2(range->inherited[i], number) == number;
    return false;
}

static void bring_inherited(const char *path, struct filter_range *range)
{
    ino_t inodes[FILTER_INHERITED_MAX];
    struct stat about;
    int fd;

    for (int number = 0; number < range->end && range->inherited_count < FILTER_INHERITED_MAX; number++) {
        if (!is_socket_of(path, number) || fstat(number, &about) < 0) continue;
        if (!copy_known(range, inodes, number, about.st_ino)) {
            fd = exchange(path, number);
            if (fd < 0) continue;
            dup2(fd, number);
            close(fd);
        }
        inodes[range->inherited_count] = about.st_ino;
        range->inherited[range->inherited_count++] = number;
    }
}

/* Who has no use for our files of /proc and /sys may have a program that opens many others be faster. */
static bool leaves_files(void)
{
    const char *files = getenv("POCKETCAN_FILES");
    return files && !strcmp(files, "kernel");
}

/* DIR/s/door.NUMBER */
static int number_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? (int)strtol(dot + 1, NULL, 10) : 0;
}

int enter_door(const char *path, const char **why)
{
    struct filter_range range;
    int fd, error;
    bool exact;

    if (filter_supervisor()) {
        error = filter_supervisor() == number_of(path) ? 0 : -EBUSY;
        filter_range_now(&range);
        if (!error) bring_inherited(path, &range); /* their numbers do not become known to the filter */
        *why = "it is inside another `pocketcan run` already, which serves its static programs";
        return error;
    }
    filter_range_now(&range);
    if (leaves_files()) range.folders = range.first;
    bring_inherited(path, &range);
    fd = reach(path);
    error = fd < 0 ? fd : install(fd, &range, &exact);
    if (fd >= 0) close(fd);
    if (error) *why = reason(error);
    return error;
}
