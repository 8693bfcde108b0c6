/*
 * What glibc has and another libc (musl) lacks, so that the programs build on both. Functions that are missing there are the system call.
 */
#ifndef CONFORMANCE_LIBC_H
#define CONFORMANCE_LIBC_H

#include <limits.h>

#ifndef __GLIBC__

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static inline const char *strerrorname_np(int error)
{
    static char text[2][16];
    static int which;

    which ^= 1;
    snprintf(text[which], sizeof(text[which]), "errno %d", error);
    return error ? text[which] : "0";
}

static inline ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return syscall(SYS_preadv2, fd, iov, count, offset, 0, flags);
}

static inline ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return syscall(SYS_pwritev2, fd, iov, count, offset, 0, flags);
}

static inline int close_range(unsigned first, unsigned last, int flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

static inline void closefrom(int first) { close_range((unsigned)first, UINT_MAX, 0); }

static inline int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout,
                               const sigset_t *mask)
{
    return (int)syscall(SYS_epoll_pwait2, fd, events, count, timeout, mask, 8);
}

static inline int isfdtype(int fd, int type)
{
    struct stat about;
    return fstat(fd, &about) < 0 ? -1 : (int)(about.st_mode & S_IFMT) == type;
}

#define RWF_HIPRI  1
#define RWF_DSYNC  2
#define RWF_SYNC   4
#define RWF_NOWAIT 8
#define RWF_APPEND 16

#define SO_TIMESTAMP_OLD    29
#define SO_TIMESTAMPNS_OLD  35
#define SO_TIMESTAMPING_OLD 37
#define SO_TIMESTAMP_NEW    63
#define SO_TIMESTAMPNS_NEW  64
#define SO_TIMESTAMPING_NEW 65

#define SIOCGSTAMP_OLD 0x8906 /* as in linux/sockios.h */

#endif
#endif
