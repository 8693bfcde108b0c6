/* preload/narrow.h - 32-bit programs whose time_t has 64 bits: their structs, which none of our headers has (we are compiled with the short one). */
#ifndef PRELOAD_NARROW_H
#define PRELOAD_NARROW_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct timespec_wide {
    int64_t tv_sec;
    int32_t tv_nsec, pad;
};
struct timeval_wide {
    int64_t tv_sec, tv_usec;
};
/* struct stat; each architecture aligns 64-bit members its own way, as in libc. */
struct stat_wide {
    uint64_t st_dev, st_ino;
    uint32_t st_mode, st_nlink, st_uid, st_gid;
    uint64_t st_rdev;
    int64_t st_size;
    int32_t st_blksize;
    int64_t st_blocks;
    struct timespec_wide st_atim, st_mtim, st_ctim;
};

/* libc's, which its headers do not declare to us. */
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags);
ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags);
#if __SIZEOF_LONG__ == 4
ssize_t __recvmsg64(int fd, struct msghdr *msg, int flags);
ssize_t __sendmsg64(int fd, const struct msghdr *msg, int flags);
int __sendmmsg64(int fd, struct mmsghdr *msgs, unsigned count, int flags);
int __setsockopt64(int fd, int level, int option, const void *value, socklen_t size);
int __getsockopt64(int fd, int level, int option, void *value, socklen_t *size);
int __ioctl_time64(int fd, unsigned long request, ...);
int __fcntl_time64(int fd, int command, ...);
int __ppoll64(struct pollfd *fds, nfds_t count, const struct timespec_wide *timeout, const sigset_t *mask);
int __ppoll64_chk(struct pollfd *fds, nfds_t count, const struct timespec_wide *timeout, const sigset_t *mask,
                  size_t size);
int __pselect64(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec_wide *timeout,
                const sigset_t *mask);
int __select64(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval_wide *timeout);
int __recvmmsg64(int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec_wide *timeout);
int __epoll_pwait2_time64(int fd, struct epoll_event *events, int count, const struct timespec_wide *timeout,
                          const sigset_t *mask);
int __stat64_time64(const char *path, struct stat_wide *out);
int __lstat64_time64(const char *path, struct stat_wide *out);
int __fstatat64_time64(int dir, const char *path, struct stat_wide *out, int flags);
#endif

#endif
