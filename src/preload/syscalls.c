/* preload/syscalls.c - syscall(2): programs that number their calls themselves get the same answers.
 *
 * The table leads from a number to our function; everything else goes to the real one. */
#include "preload/narrow.h"
#include "preload/real.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

/* prefix: syscall */

#define A(n) ((a)[n])
#define FD   ((int)A(0))

static long do_read(const long *a) { return read(FD, (void *)A(1), (size_t)A(2)); }
static long do_write(const long *a) { return write(FD, (const void *)A(1), (size_t)A(2)); }
static long do_openat(const long *a) { return openat(FD, (const char *)A(1), (int)A(2), (mode_t)A(3)); }
#ifdef SYS_open
static long do_open(const long *a) { return open((const char *)A(0), (int)A(1), (mode_t)A(2)); }
#endif
static long do_statx(const long *a)
{
    return statx(FD, (const char *)A(1), (int)A(2), (unsigned)A(3), (struct statx *)A(4));
}
static long do_readlinkat(const long *a)
{
    return readlinkat(FD, (const char *)A(1), (char *)A(2), (size_t)A(3));
}
static long do_faccessat(const long *a) { return faccessat(FD, (const char *)A(1), (int)A(2), 0); }
#ifdef SYS_faccessat2
static long do_faccessat2(const long *a) { return faccessat(FD, (const char *)A(1), (int)A(2), (int)A(3)); }
#endif
#ifdef SYS_pidfd_getfd
static long do_pidfd_getfd(const long *a) { return pidfd_getfd(FD, (int)A(1), (unsigned)A(2)); }
#endif
static long do_readv(const long *a) { return readv(FD, (const struct iovec *)A(1), (int)A(2)); }
static long do_writev(const long *a) { return writev(FD, (const struct iovec *)A(1), (int)A(2)); }
/* The offset takes two arguments, of which the second matters where they are narrow. */
static off64_t offset_of(const long *a)
{
    return sizeof(long) == 8 ? A(3) : (off64_t)((uint64_t)A(4) << 32 | (uint32_t)A(3));
}
static long do_preadv2(const long *a)
{
    return preadv64v2(FD, (const struct iovec *)A(1), (int)A(2), offset_of(a), (int)A(5));
}
static long do_pwritev2(const long *a)
{
    return pwritev64v2(FD, (const struct iovec *)A(1), (int)A(2), offset_of(a), (int)A(5));
}
static long do_close(const long *a) { return close(FD); }
static long do_close_range(const long *a) { return close_range((unsigned)A(0), (unsigned)A(1), (int)A(2)); }
static long do_dup(const long *a) { return dup(FD); }
static long do_dup3(const long *a) { return dup3(FD, (int)A(1), (int)A(2)); }
static long do_fcntl(const long *a) { return fcntl(FD, (int)A(1), A(2)); }
static long do_ioctl(const long *a) { return ioctl(FD, (unsigned long)A(1), (void *)A(2)); }
static long do_ppoll(const long *a)
{
    return ppoll((struct pollfd *)A(0), (nfds_t)A(1), (const struct timespec *)A(2), (const sigset_t *)A(3));
}
static long do_pselect(const long *a)
{
    const sigset_t *const *mask = (const sigset_t *const *)A(5); /* { mask, its size } */
    return pselect((int)A(0), (fd_set *)A(1), (fd_set *)A(2), (fd_set *)A(3), (const struct timespec *)A(4),
                   mask ? *mask : NULL);
}
#if __SIZEOF_LONG__ == 4 && defined(SYS_ppoll_time64)
static long do_ppoll_wide(const long *a)
{
    return __ppoll64((struct pollfd *)A(0), (nfds_t)A(1), (const struct timespec_wide *)A(2),
                     (const sigset_t *)A(3));
}
static long do_pselect_wide(const long *a)
{
    const sigset_t *const *mask = (const sigset_t *const *)A(5);
    return __pselect64((int)A(0), (fd_set *)A(1), (fd_set *)A(2), (fd_set *)A(3),
                       (const struct timespec_wide *)A(4), mask ? *mask : NULL);
}
static long do_recvmmsg_wide(const long *a)
{
    return __recvmmsg64(FD, (struct mmsghdr *)A(1), (unsigned)A(2), (int)A(3), (struct timespec_wide *)A(4));
}
/* There is one epoll_pwait2, and its time is the wide one. */
static long do_epoll_pwait2(const long *a)
{
    return __epoll_pwait2_time64(FD, (struct epoll_event *)A(1), (int)A(2),
                                 (const struct timespec_wide *)A(3), (const sigset_t *)A(4));
}
#else
static long do_epoll_pwait2(const long *a)
{
    return epoll_pwait2(FD, (struct epoll_event *)A(1), (int)A(2), (const struct timespec *)A(3),
                        (const sigset_t *)A(4));
}
#endif
#if defined(SYS_select) || defined(SYS__newselect)
static long do_select(const long *a)
{
    return select((int)A(0), (fd_set *)A(1), (fd_set *)A(2), (fd_set *)A(3), (struct timeval *)A(4));
}
#endif
static long do_epoll_pwait(const long *a)
{
    return epoll_pwait(FD, (struct epoll_event *)A(1), (int)A(2), (int)A(3), (const sigset_t *)A(4));
}
static long do_splice(const long *a)
{
    return splice(FD, (off64_t *)A(1), (int)A(2), (off64_t *)A(3), (size_t)A(4), (unsigned)A(5));
}
static long do_sendfile(const long *a) { return sendfile(FD, (int)A(1), (off_t *)A(2), (size_t)A(3)); }
#ifdef SYS_sendfile64
static long do_sendfile64(const long *a) { return sendfile64(FD, (int)A(1), (off64_t *)A(2), (size_t)A(3)); }
#endif
#ifdef SYS_dup2
static long do_dup2(const long *a) { return dup2(FD, (int)A(1)); }
#endif
#ifdef SYS_poll
static long do_poll(const long *a) { return poll((struct pollfd *)A(0), (nfds_t)A(1), (int)A(2)); }
#endif
#ifdef SYS_epoll_wait
static long do_epoll_wait(const long *a)
{
    return epoll_wait(FD, (struct epoll_event *)A(1), (int)A(2), (int)A(3));
}
#endif
#ifdef SYS_socket
static long do_socket(const long *a) { return socket((int)A(0), (int)A(1), (int)A(2)); }
static long do_socketpair(const long *a) { return socketpair((int)A(0), (int)A(1), (int)A(2), (int *)A(3)); }
static long do_bind(const long *a) { return bind(FD, (const struct sockaddr *)A(1), (socklen_t)A(2)); }
static long do_connect(const long *a) { return connect(FD, (const struct sockaddr *)A(1), (socklen_t)A(2)); }
static long do_listen(const long *a) { return listen(FD, (int)A(1)); }
static long do_accept4(const long *a)
{
    return accept4(FD, (struct sockaddr *)A(1), (socklen_t *)A(2), (int)A(3));
}
static long do_shutdown(const long *a) { return shutdown(FD, (int)A(1)); }
static long do_getsockname(const long *a)
{
    return getsockname(FD, (struct sockaddr *)A(1), (socklen_t *)A(2));
}
static long do_getpeername(const long *a)
{
    return getpeername(FD, (struct sockaddr *)A(1), (socklen_t *)A(2));
}
static long do_sendto(const long *a)
{
    return sendto(FD, (const void *)A(1), (size_t)A(2), (int)A(3), (const struct sockaddr *)A(4),
                  (socklen_t)A(5));
}
static long do_recvfrom(const long *a)
{
    return recvfrom(FD, (void *)A(1), (size_t)A(2), (int)A(3), (struct sockaddr *)A(4), (socklen_t *)A(5));
}
static long do_sendmsg(const long *a) { return sendmsg(FD, (const struct msghdr *)A(1), (int)A(2)); }
static long do_recvmsg(const long *a) { return recvmsg(FD, (struct msghdr *)A(1), (int)A(2)); }
static long do_sendmmsg(const long *a)
{
    return sendmmsg(FD, (struct mmsghdr *)A(1), (unsigned)A(2), (int)A(3));
}
static long do_recvmmsg(const long *a)
{
    return recvmmsg(FD, (struct mmsghdr *)A(1), (unsigned)A(2), (int)A(3), (struct timespec *)A(4));
}
static long do_setsockopt(const long *a)
{
    return setsockopt(FD, (int)A(1), (int)A(2), (const void *)A(3), (socklen_t)A(4));
}
static long do_getsockopt(const long *a)
{
    return getsockopt(FD, (int)A(1), (int)A(2), (void *)A(3), (socklen_t *)A(4));
}
#endif

static const struct {
    long number;
    long (*call)(const long *arguments);
} calls[] = {
    { SYS_read, do_read },
    { SYS_write, do_write },
    { SYS_readv, do_readv },
    { SYS_writev, do_writev },
    { SYS_preadv2, do_preadv2 },
    { SYS_pwritev2, do_pwritev2 },
    { SYS_close, do_close },
    { SYS_openat, do_openat },
#ifdef SYS_open
    { SYS_open, do_open },
#endif
    { SYS_statx, do_statx },
    { SYS_readlinkat, do_readlinkat },
    { SYS_faccessat, do_faccessat },
#ifdef SYS_faccessat2
    { SYS_faccessat2, do_faccessat2 },
#endif
    { SYS_dup, do_dup },
    { SYS_dup3, do_dup3 },
    { SYS_fcntl, do_fcntl },
    { SYS_ioctl, do_ioctl },
    { SYS_ppoll, do_ppoll },
    { SYS_epoll_pwait, do_epoll_pwait },
#ifdef SYS_pidfd_getfd
    { SYS_pidfd_getfd, do_pidfd_getfd },
#endif
    { SYS_pselect6, do_pselect },
#ifdef SYS_epoll_pwait2
    { SYS_epoll_pwait2, do_epoll_pwait2 },
#endif
#if defined(SYS__newselect) /* SYS_select, if there is one, takes a struct */
    { SYS__newselect, do_select },
#elif defined(SYS_select)
    { SYS_select, do_select },
#endif
#ifdef SYS_fcntl64
    { SYS_fcntl64, do_fcntl },
#endif
#if __SIZEOF_LONG__ == 4 && defined(SYS_ppoll_time64)
    { SYS_ppoll_time64, do_ppoll_wide },
    { SYS_pselect6_time64, do_pselect_wide },
    { SYS_recvmmsg_time64, do_recvmmsg_wide },
#endif
#ifdef SYS_close_range
    { SYS_close_range, do_close_range },
#endif
    { SYS_splice, do_splice },
    { SYS_sendfile, do_sendfile },
#ifdef SYS_sendfile64
    { SYS_sendfile64, do_sendfile64 },
#endif
#ifdef SYS_dup2
    { SYS_dup2, do_dup2 },
#endif
#ifdef SYS_poll
    { SYS_poll, do_poll },
#endif
#ifdef SYS_epoll_wait
    { SYS_epoll_wait, do_epoll_wait },
#endif
#ifdef SYS_socket
    { SYS_socket, do_socket },
    { SYS_socketpair, do_socketpair },
    { SYS_bind, do_bind },
    { SYS_connect, do_connect },
    { SYS_listen, do_listen },
    { SYS_accept4, do_accept4 },
    { SYS_shutdown, do_shutdown },
    { SYS_getsockname, do_getsockname },
    { SYS_getpeername, do_getpeername },
    { SYS_sendto, do_sendto },
    { SYS_recvfrom, do_recvfrom },
    { SYS_sendmsg, do_sendmsg },
    { SYS_recvmsg, do_recvmsg },
    { SYS_sendmmsg, do_sendmmsg },
    { SYS_recvmmsg, do_recvmmsg },
    { SYS_setsockopt, do_setsockopt },
    { SYS_getsockopt, do_getsockopt },
#endif
};

EXPORT long syscall(long number, ...)
{
    long arguments[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arguments[i] = va_arg(list, long);
    va_end(list);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
        if (calls[i].number == number) return calls[i].call(arguments);
    if (!real.syscall) real_resolve();
    return real.syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                        arguments[5]);
}
