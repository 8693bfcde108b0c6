/* preload/io_names.c - other names of the calls in io.c: libc's own, and what _FORTIFY_SOURCE makes of them. */
#include "preload/real.h"
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* prefix: preadv64v2 pwritev64v2 __ */

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags);
ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags);
ssize_t __read(int fd, void *buf, size_t size);
ssize_t __write(int fd, const void *buf, size_t size);
ssize_t __send(int fd, const void *buf, size_t size, int flags);
ssize_t __read_chk(int fd, void *buf, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t size, size_t room, int flags, struct sockaddr *name,
                       socklen_t *name_size);

#if __SIZEOF_LONG__ == 8
EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
    return preadv2(fd, iov, count, offset, flags);
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
    return pwritev2(fd, iov, count, offset, flags);
}
#endif

EXPORT ssize_t __read(int fd, void *buf, size_t size) { return read(fd, buf, size); }
EXPORT ssize_t __write(int fd, const void *buf, size_t size) { return write(fd, buf, size); }
EXPORT ssize_t __send(int fd, const void *buf, size_t size, int flags) { return send(fd, buf, size, flags); }

static void check_room(size_t size, size_t room)
{
    if (size > room) real_overflow();
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t size, size_t room)
{
    check_room(size, room);
    return read(fd, buf, size);
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t size, size_t room, int flags)
{
    check_room(size, room);
    return recv(fd, buf, size, flags);
}

EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t size, size_t room, int flags, struct sockaddr *name,
                              socklen_t *name_size)
{
    check_room(size, room);
    return recvfrom(fd, buf, size, flags, name, name_size);
}
