/* supervisor/call.c - the table of trapped system calls, and what their handlers have in common.
 *
 * A handler copies what the call's pointers lead to, asks the funnel, and copies back what that wrote. Where a pointer is bad the funnel gets a bad one, too,
 * so that it says EFAULT when its turn comes. */
#include "supervisor/call.h"
#include "base/clock.h"
#include "sockets/options.h"
#include "supervisor/errors.h"
#include "supervisor/pump.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define BAD_POINTER 8

static const struct {
    int number;
    call_handler *can, *netlink; /* NULL: the kernel's */
} table[] = {
    { SYS_write, data_write, netlink_write },
    { SYS_read, data_read, netlink_read },
    { SYS_sendto, data_sendto, netlink_sendto },
    { SYS_recvfrom, data_recvfrom, netlink_recvfrom },
    { SYS_sendmsg, data_sendmsg, netlink_sendmsg },
    { SYS_recvmsg, data_recvmsg, netlink_recvmsg },
    { SYS_writev, data_writev, netlink_writev },
    { SYS_readv, data_readv, netlink_readv },
    { SYS_pwritev2, data_pwritev2, NULL },
    { SYS_sendmmsg, data_sendmmsg, NULL },
    { SYS_recvmmsg, data_recvmmsg, NULL },
    { SYS_ioctl, control_ioctl, control_ioctl },
    { SYS_fcntl, control_fcntl, control_fcntl },
    { SYS_dup, control_dup, control_dup },
    { SYS_close, control_close, control_close },
    { SYS_exit_group, control_exit, control_exit },
    { SYS_close_range, control_change, control_change },
    { SYS_execve, control_change, control_change },
    { SYS_execveat, control_change, control_change },
#ifdef SYS_dup2
    { SYS_dup2, control_dup_to, control_dup_to },
#endif
    { SYS_dup3, control_dup_to, control_dup_to },
#ifdef SYS_accept
    { SYS_accept, control_accept, NULL },
#endif
    { SYS_accept4, control_accept4, NULL },
    { SYS_socket, control_socket, control_socket },
    { SYS_socketpair, control_socketpair, control_socketpair },
    { SYS_bind, control_bind, netlink_bind },
    { SYS_connect, control_connect, NULL },
    { SYS_listen, control_listen, NULL },
    { SYS_shutdown, control_shutdown, NULL },
    { SYS_getsockname, control_getsockname, NULL },
    { SYS_getpeername, control_getpeername, NULL },
    { SYS_getsockopt, control_getsockopt, NULL },
    { SYS_setsockopt, control_setsockopt, netlink_setsockopt },
    { SYS_openat, files_call, files_call },
    { SYS_openat2, files_call, files_call },
    { FILES_FSTATAT, files_call, files_call },
    { FILES_FSTAT, files_call, files_call },
    { SYS_statx, files_call, files_call },
    { SYS_faccessat, files_call, files_call },
    { SYS_faccessat2, files_call, files_call },
    { SYS_readlinkat, files_call, files_call },
    { SYS_getxattr, files_call, files_call },
    { SYS_lgetxattr, files_call, files_call },
    { SYS_listxattr, files_call, files_call },
    { SYS_llistxattr, files_call, files_call },
    { SYS_chdir, files_chdir, files_chdir },
    { SYS_fchdir, files_chdir, files_chdir },
    { SYS_getcwd, files_getcwd, files_getcwd },
#ifdef SYS_open /* of old machines */
    { SYS_open, files_call, files_call },
    { FILES_STAT, files_call, files_call },
    { FILES_LSTAT, files_call, files_call },
    { SYS_access, files_call, files_call },
    { SYS_readlink, files_call, files_call },
#endif
};

/* What poll(2) says of the program's end has to be true when it has its answer. */
static void settle(const struct call *call, struct sock *sock)
{
    bool errors = errors_shown(sock), blocks = pump_wants_block(sock);
    int fd = errors || blocks ? call_borrow(call, sock) : -1;

    if (fd >= 0 && errors) errors_take_back(sock, fd);
    if (fd >= 0 && blocks) pump_block(sock, fd);
    call_give_back(sock, fd);
}

static call_handler *handler_of(const struct call *call)
{
    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (table[i].number == call->notif.data.nr)
            return call_is_netlink(call) ? table[i].netlink : table[i].can;
    return NULL;
}

long call_run(struct call *call)
{
    call_handler *handler = handler_of(call);
    ssize_t over;
    long result;

    if (call->job) {
        if (!job_is_over(call->job, &over)) {
            if (call_sock(call)) settle(call, call->sock);
            return CALL_HOLD;
        }
        call->job = NULL;
        pump_all();
        return over;
    }
    call->sock = NULL;
    options_ask_for(call_tid(call));
    result = handler ? handler(call) : CALL_CONTINUE;
    if (result != CALL_HOLD) pump_all();
    if (call->sock) settle(call, call->sock);
    return result;
}

int call_tell(const struct call *call, unsigned long request, void *argument)
{
    int result;

    do
        result = ioctl(call->listener, request, argument);
    while (result < 0 && errno == EINTR);
    return result;
}

/* Of other numbers close(2) is not trapped. */
uint64_t call_socket(const struct call *call)
{
    int fd = call_fd(call);
    return remote_socket(call_tid(call), fd, fd >= call->range.first && fd < call->range.end);
}

struct sock *call_sock(struct call *call)
{
    call->sock = sock_any() ? sock_find(call_socket(call)) : NULL;
    if (call->sock && call->sock->is_copied) pump_pass_on(call->sock);
    if (call->sock && call->sock->error) {
        int fd = call_borrow(call, call->sock);
        if (fd >= 0) errors_bring(call->sock, fd);
        call_give_back(call->sock, fd);
    }
    return call->sock;
}

int call_borrow(const struct call *call, struct sock *sock)
{
    return sock && sock->kept_fd >= 0 ? sock->kept_fd : remote_borrow(call_tid(call), call_fd(call));
}

void call_give_back(const struct sock *sock, int fd)
{
    if (fd >= 0 && (!sock || fd != sock->kept_fd)) close(fd);
}

/* `number` -1: the lowest; that is below our numbers, and will do for most. */
long call_replace(struct call *call, int fd, int number, bool close_on_exec)
{
    struct seccomp_notif_addfd request = { .id = call->notif.id,
                                           .flags = number < 0 ? 0 : SECCOMP_ADDFD_FLAG_SETFD,
                                           .srcfd = (uint32_t)fd,
                                           .newfd = number < 0 ? 0 : (uint32_t)number,
                                           .newfd_flags = close_on_exec ? O_CLOEXEC : 0 };
    long result = call_tell(call, SECCOMP_IOCTL_NOTIF_ADDFD, &request);

    if (result >= 0) remote_closed(call_tid(call), (int)result);
    return result < 0 ? (errno == EBADF ? -EMFILE : -errno) : result;
}

long call_install(struct call *call, int fd, int first, int end, bool close_on_exec)
{
    return call_replace(call, fd, first < 0 ? -1 : remote_free_number(call_tid(call), first, end),
                        close_on_exec);
}

static uint64_t limit_of(int fd, int option)
{
    struct timeval limit = { 0, 0 };
    socklen_t size = sizeof(limit);

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, option, &limit, &size) < 0 || (!limit.tv_sec && !limit.tv_usec))
        return 0;
    return clock_mono_ns() + (uint64_t)limit.tv_sec * 1000000000u + (uint64_t)limit.tv_usec * 1000u;
}

long call_wait(struct call *call, int fd, int flags, int timeout_option)
{
    if (flags & MSG_DONTWAIT) return -EAGAIN;
    if (!call->asked_limit) {
        if (fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK) return -EAGAIN;
        call->limit_ns = limit_of(fd, timeout_option);
        call->asked_limit = true;
    }
    return call->limit_ns && clock_mono_ns() >= call->limit_ns ? -EAGAIN : CALL_HOLD;
}

const void *call_copy(const struct call *call, void *to, uint64_t from, size_t size)
{
    return remote_read(call_tid(call), to, from, size) ? to : (const void *)(uintptr_t)BAD_POINTER;
}
