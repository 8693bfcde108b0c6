/* preload/descriptors.c - close, dup and their relatives: the table follows what the kernel does. */
#include "preload/fds.h"
#include "preload/real.h"
#include "sockets/family.h"
#include "sockets/fdtab.h"
#include "sockets/process.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#define STREAM_FRAME 2060 /* CANXL_MTU */

/* prefix: _IO_ pidfd_ __ close dup fcntl fclose fdopen __close */

EXPORT int close(int fd)
{
    uint32_t entry = fdtab_get(fd);
    int result;

    if (likely(!entry)) return real.close(fd);
    entry = fdtab_set(fd, 0); /* before the close: another thread may get the number at once */
    if (fd_kind(entry) == FD_RAW) family_closing(process_bus_attached(), fd_number(entry));
    result = real.close(fd);
    if (entry) fds_closed(entry);
    return result;
}

int __close(int fd);
EXPORT int __close(int fd) { return close(fd); }

static void close_ours(int fd, uint32_t entry, void *context)
{
    (void)entry;
    (void)context;
    close(fd);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    if (first <= last && !(flags & ~(int)CLOSE_RANGE_UNSHARE) && !fdtab_is_borrowed())
        fdtab_each(first, last, close_ours, NULL);
    return real.close_range(first, last, flags);
}

EXPORT void closefrom(int first)
{
    if (!fdtab_is_borrowed()) fdtab_each(first < 0 ? 0 : (unsigned)first, FDTAB_MAX - 1, close_ours, NULL);
    if (real.closefrom) real.closefrom(first);
}

EXPORT int dup(int fd)
{
    uint32_t entry = fdtab_get(fd);
    int copy = real.dup(fd);

    if (copy >= 0) fds_copied(copy, entry);
    return copy;
}

EXPORT int pidfd_getfd(int pidfd, int target, unsigned flags)
{
    int fd = real.pidfd_getfd(pidfd, target, flags);

    if (fd >= 0) fds_adopt(fd);
    return fd;
}

EXPORT int dup2(int fd, int to)
{
    uint32_t entry = fdtab_get(fd);
    int copy = real.dup2(fd, to);

    if (copy >= 0 && fd != to) fds_copied(copy, entry);
    return copy;
}

int __dup2(int fd, int to);
EXPORT int __dup2(int fd, int to) { return dup2(fd, to); }

EXPORT int dup3(int fd, int to, int flags)
{
    uint32_t entry = fdtab_get(fd);
    int copy = real.dup3(fd, to, flags);

    if (copy >= 0) fds_copied(copy, entry);
    return copy;
}

/* After a successful command on `fd`. */
static int followed(int fd, int command, void *argument, int result)
{
    if (unlikely(result >= 0 && command == F_SETFL && fd_kind(fdtab_get(fd)) == FD_RAW))
        raw_set_async(process_bus_attached(), fd_number(fdtab_get(fd)), fd, (intptr_t)argument & O_ASYNC);
    if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) fds_copied(result, fdtab_get(fd));
    return result;
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    if (unlikely(!real.fcntl)) real_resolve();
    return followed(fd, command, argument, real.fcntl(fd, command, argument));
}

int __fcntl(int fd, int command, ...) __attribute__((alias("fcntl"), visibility("default")));

EXPORT int fcntl64(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    if (unlikely(!real.fcntl64)) real_resolve();
    return followed(fd, command, argument, real.fcntl64(fd, command, argument));
}

/* ---- stdio on a CAN socket: libc's own reads would see tokens ---- */

/* libc knows no descriptor of streams like ours; fileno() finds it here. With more streams than this, that fails for the others. */
#define STREAMS_KNOWN 64
static struct known_stream {
    _Atomic uintptr_t file; /* 0: free; 1: being written */
    int fd;
} known_streams[STREAMS_KNOWN];

/* An unbuffered stream reads byte by byte here, so the rest of a frame waits in `frame`. */
struct stream {
    int fd;
    struct known_stream *known; /* or NULL */
    size_t at, size;
    char frame[STREAM_FRAME];
};

static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
    struct stream *stream = cookie;

    if (stream->at == stream->size) {
        ssize_t got = read(stream->fd, stream->frame, sizeof(stream->frame));
        if (got <= 0) return got;
        stream->at = 0;
        stream->size = (size_t)got;
    }
    if (size > stream->size - stream->at) size = stream->size - stream->at;
    memcpy(buf, stream->frame + stream->at, size);
    stream->at += size;
    return (ssize_t)size;
}

static ssize_t stream_write(void *cookie, const char *buf, size_t size)
{
    ssize_t written = write(((struct stream *)cookie)->fd, buf, size);
    return written < 0 ? 0 : written;
}

static int stream_seek(void *cookie, off64_t *offset, int from)
{
    (void)cookie;
    (void)offset;
    (void)from;
    errno = ESPIPE;
    return -1;
}

static int stream_close(void *cookie)
{
    struct stream *stream = cookie;
    int result = close(stream->fd);

    if (stream->known) store_release(&stream->known->file, 0);
    free(stream);
    return result;
}

static struct known_stream *make_known(FILE *file, int fd)
{
    for (struct known_stream *at = known_streams; at < known_streams + STREAMS_KNOWN; at++) {
        uintptr_t none = 0;
        if (load_relaxed(&at->file) || !atomic_compare_exchange_strong(&at->file, &none, 1)) continue;
        at->fd = fd;
        store_release(&at->file, (uintptr_t)file);
        return at;
    }
    return NULL;
}

EXPORT int fileno(FILE *file)
{
    int saved = errno, fd = real.fileno(file);

    if (likely(fd >= 0)) return fd;
    for (struct known_stream *at = known_streams; at < known_streams + STREAMS_KNOWN; at++)
        if (load_acquire(&at->file) == (uintptr_t)file) {
            errno = saved;
            return at->fd;
        }
    return fd;
}

EXPORT FILE *fdopen(int fd, const char *mode)
{
    static const cookie_io_functions_t functions = {
        .read = stream_read, .write = stream_write, .seek = stream_seek, .close = stream_close
    };
    struct stream *stream;
    FILE *file;

    if (likely(fd_kind(fdtab_get(fd)) != FD_RAW)) return real.fdopen(fd, mode);
    stream = malloc(sizeof(*stream));
    if (!stream) return NULL;
    stream->fd = fd;
    stream->at = stream->size = 0;
    file = fopencookie(stream, mode, functions);
    if (!file)
        free(stream);
    else
        stream->known = make_known(file, fd);
    return file;
}

EXPORT int fclose(FILE *file)
{
    int saved = errno, fd = file ? real.fileno(file) : -1;
    uint32_t entry = fdtab_get(fd) ? fdtab_set(fd, 0) : 0;
    int result;

    errno = saved; /* a stream without a descriptor is no error */
    if (fd_kind(entry) == FD_RAW) family_closing(process_bus_attached(), fd_number(entry));
    result = real.fclose(file);
    if (entry) fds_closed(entry);
    return result;
}

FILE *_IO_fdopen(int fd, const char *mode);
EXPORT FILE *_IO_fdopen(int fd, const char *mode) { return fdopen(fd, mode); }
int _IO_fclose(FILE *file);
EXPORT int _IO_fclose(FILE *file) { return fclose(file); }
