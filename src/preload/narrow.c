/* preload/narrow.c - further names that 32-bit programs call: those of calls with 64-bit offsets, and, when they were compiled with
 * _TIME_BITS=64, those of every call that may have to do with time. Keeps no state.
 *
 * Where time is only in what options and control messages hold, the kernel tells the two kinds by number (SO_TIMESTAMP_NEW and its like), and
 * the call is the same. Where it is an argument, it is made a short one: a wait of more than 34 years is one of 34 years. */
#include "preload/narrow.h"

#if __SIZEOF_LONG__ == 4

#include "preload/real.h"
#include "sockets/fdtab.h"
#include "sockets/usermem.h"
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>

/* prefix: __ preadv64v2 pwritev64v2 */

#define LONG_WAIT 0x3fffffff

/* ---- offsets ---- */

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
    return fdtab_get(fd) && offset == -1 ? preadv2(fd, iov, count, -1, flags)
                                         : real.preadv64v2(fd, iov, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
    return fdtab_get(fd) && offset == -1 ? pwritev2(fd, iov, count, -1, flags)
                                         : real.pwritev64v2(fd, iov, count, offset, flags);
}

/* ---- the same call ---- */

EXPORT ssize_t __recvmsg64(int fd, struct msghdr *msg, int flags) { return recvmsg(fd, msg, flags); }

EXPORT ssize_t __sendmsg64(int fd, const struct msghdr *msg, int flags) { return sendmsg(fd, msg, flags); }

EXPORT int __sendmmsg64(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    return sendmmsg(fd, msgs, count, flags);
}

EXPORT int __setsockopt64(int fd, int level, int option, const void *value, socklen_t size)
{
    return setsockopt(fd, level, option, value, size);
}

EXPORT int __getsockopt64(int fd, int level, int option, void *value, socklen_t *size)
{
    return getsockopt(fd, level, option, value, size);
}

/* The third argument, whatever it is, has the width of a pointer. */
#define THIRD(last, argument)                                                                                \
    do {                                                                                                     \
        va_list list;                                                                                        \
                                                                                                             \
        va_start(list, last);                                                                                \
        (argument) = va_arg(list, void *);                                                                   \
        va_end(list);                                                                                        \
    } while (0)

EXPORT int __ioctl_time64(int fd, unsigned long request, ...)
{
    void *argument;

    THIRD(request, argument);
    return ioctl(fd, request, argument);
}

EXPORT int __fcntl_time64(int fd, int command, ...)
{
    void *argument;

    THIRD(command, argument);
    return fcntl64(fd, command, argument);
}

/* ---- time as an argument ---- */

/* false: it cannot be read. *out is NULL for none, else `room`. */
static bool shorten(const struct timespec_wide *time, struct timespec *room, struct timespec **out)
{
    struct timespec_wide wide;

    *out = NULL;
    if (!time) return true;
    if (usermem_read(&wide, time, sizeof(wide))) return false;
    *room = (struct timespec){ wide.tv_sec > LONG_WAIT ? LONG_WAIT
                               : wide.tv_sec < 0       ? -1
                                                       : (time_t)wide.tv_sec,
                               wide.tv_nsec };
    *out = room;
    return true;
}

EXPORT int __ppoll64(struct pollfd *fds, nfds_t count, const struct timespec_wide *timeout,
                     const sigset_t *mask)
{
    struct timespec room, *time;

    return shorten(timeout, &room, &time) ? ppoll(fds, count, time, mask) : (int)edge(-EFAULT);
}

EXPORT int __ppoll64_chk(struct pollfd *fds, nfds_t count, const struct timespec_wide *timeout,
                         const sigset_t *mask, size_t size)
{
    if (size / sizeof(*fds) < count) real_overflow();
    return __ppoll64(fds, count, timeout, mask);
}

EXPORT int __pselect64(int count, fd_set *in, fd_set *out, fd_set *except,
                       const struct timespec_wide *timeout, const sigset_t *mask)
{
    struct timespec room, *time;

    return shorten(timeout, &room, &time) ? pselect(count, in, out, except, time, mask) : (int)edge(-EFAULT);
}

EXPORT int __select64(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval_wide *timeout)
{
    struct timeval_wide wide;
    struct timeval time;
    int result;

    if (!timeout) return select(count, in, out, except, NULL);
    if (usermem_read(&wide, timeout, sizeof(wide))) return (int)edge(-EFAULT);
    if (wide.tv_sec < 0 || wide.tv_usec < 0) return (int)edge(-EINVAL);
    wide.tv_sec += wide.tv_usec / 1000000;
    time = (struct timeval){ wide.tv_sec > LONG_WAIT ? LONG_WAIT : (time_t)wide.tv_sec,
                             (suseconds_t)(wide.tv_usec % 1000000) };
    result = select(count, in, out, except, &time);
    if (result >= 0 || errno == EINTR) *timeout = (struct timeval_wide){ time.tv_sec, time.tv_usec };
    return result;
}

EXPORT int __recvmmsg64(int fd, struct mmsghdr *msgs, unsigned count, int flags,
                        struct timespec_wide *timeout)
{
    struct timespec room, *time;
    int result;

    if (!shorten(timeout, &room, &time)) return (int)edge(-EFAULT);
    result = recvmmsg(fd, msgs, count, flags, time);
    if (result > 0 && timeout)
        *timeout = (struct timespec_wide){ .tv_sec = room.tv_sec, .tv_nsec = (int32_t)room.tv_nsec };
    return result;
}

EXPORT int __epoll_pwait2_time64(int fd, struct epoll_event *events, int count,
                                 const struct timespec_wide *timeout, const sigset_t *mask)
{
    struct timespec room, *time;

    return shorten(timeout, &room, &time) ? epoll_pwait2(fd, events, count, time, mask) : (int)edge(-EFAULT);
}

#endif
