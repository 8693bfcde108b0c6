/* base/passing.c - see passing.h. */
#include "base/passing.h"
#include "base/sys.h"

union passing_control {
    struct cmsghdr head;
    char space[CMSG_SPACE(sizeof(int))];
};

long passing_send(int fd, const struct iovec *iov, size_t count, int passed)
{
    union passing_control control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
                          .msg_iovlen = count,
                          .msg_control = &control,
                          .msg_controllen = CMSG_LEN(sizeof(int)) };

    __builtin_memcpy(CMSG_DATA(&control.head), &passed, sizeof(passed));
    return sys_call(SYS_sendmsg, fd, &msg, MSG_NOSIGNAL);
}

long passing_receive(int fd, void *bytes, size_t size, int *came)
{
    union passing_control control;
    struct iovec iov = { bytes, size };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    long got = sys_call(SYS_recvmsg, fd, &msg, MSG_CMSG_CLOEXEC);

    *came = -1;
    if (got >= 0 && msg.msg_controllen >= CMSG_LEN(sizeof(int)) && control.head.cmsg_type == SCM_RIGHTS)
        __builtin_memcpy(came, CMSG_DATA(&control.head), sizeof(*came));
    return got;
}
