/* supervisor/enter.c - installs the filter and hands its listener over. Only async-signal-safe calls: this is also the child of a fork. */
#include "supervisor/enter.h"
#include "base/sys.h"
#include "supervisor/filter.h"
#include "supervisor/supervisor.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
        return "this kernel gives no seccomp listener (gVisor, or Linux before 5.9): use a dynamically "
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
    struct iovec iov = { (void *)(uintptr_t)range, sizeof(*range) };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int))
    };
    char answer;
    long error;

    memcpy(CMSG_DATA(&control.head), &listener, sizeof(listener));
    /* not libc's: on i386 that may be socketcall(2), which is trapped already, and by nobody served yet */
    error = sys_call(SYS_sendmsg, fd, &msg, MSG_NOSIGNAL);
    if (error < 0) return (int)error;
    return read(fd, &answer, 1) == 1 ? 0 : -ECONNREFUSED;
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
    int fd, listener, error;
    bool exact;

    if (filter_supervisor()) {
        error = filter_supervisor() == number_of(path) ? 0 : -EBUSY;
        *why = "it is inside another `pocketcan run` already, which serves its static programs";
        return error;
    }
    filter_range_now(&range);
    fd = reach(path);
    listener = fd < 0 ? fd : filter_install(&range, &exact);
    error = listener < 0 ? listener : hand_over(fd, listener, &range);
    if (listener >= 0) close(listener);
    if (fd >= 0) close(fd);
    if (error) *why = reason(error);
    return error;
}
