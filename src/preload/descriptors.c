/* preload/descriptors.c - close, dup and their relatives: the table follows what the kernel does. */
#include "preload/fds.h"
#include "preload/real.h"
#include "sockets/fdtab.h"
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdarg.h>

/* prefix: close dup fcntl fclose fdopen __close */

EXPORT int close(int fd)
{
    uint32_t entry = fdtab_get(fd);
    int result;

    if (likely(!entry))
        return real.close(fd);
    entry = fdtab_set(fd, 0); /* before the close: another thread may get the number at once */
    result = real.close(fd);
    if (entry)
        fds_closed(entry);
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
    if (first <= last && !(flags & (int)CLOSE_RANGE_CLOEXEC) && !fdtab_is_borrowed())
        fdtab_each(first, last, close_ours, NULL);
    return real.close_range ? real.close_range(first, last, flags) : (int)edge(-ENOSYS);
}

EXPORT void closefrom(int first)
{
    if (!fdtab_is_borrowed())
        fdtab_each(first < 0 ? 0 : (unsigned)first, FDTAB_MAX - 1, close_ours, NULL);
    if (real.closefrom)
        real.closefrom(first);
}

EXPORT int dup(int fd)
{
    uint32_t entry = fdtab_get(fd);
    int copy = real.dup(fd);

    if (copy >= 0)
        fds_copied(copy, entry);
    return copy;
}

EXPORT int dup2(int fd, int to)
{
    uint32_t entry = fdtab_get(fd);
    int copy = real.dup2(fd, to);

    if (copy >= 0 && fd != to)
        fds_copied(copy, entry);
    return copy;
}

EXPORT int dup3(int fd, int to, int flags)
{
    uint32_t entry = fdtab_get(fd);
    int copy = real.dup3(fd, to, flags);

    if (copy >= 0)
        fds_copied(copy, entry);
    return copy;
}

static int copied(int fd, int command, int result)
{
    if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC))
        fds_copied(result, fdtab_get(fd));
    return result;
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    if (unlikely(!real.fcntl))
        real_resolve();
    return copied(fd, command, real.fcntl(fd, command, argument));
}

EXPORT int fcntl64(int fd, int command, ...)
{
    va_list list;
    void *argument;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    if (unlikely(!real.fcntl64))
        real_resolve();
    return copied(fd, command, real.fcntl64(fd, command, argument));
}

/* ---- stdio on a CAN socket: libc's own reads would see tokens ---- */

static ssize_t cookie_read(void *cookie, char *buf, size_t size) { return read((int)(intptr_t)cookie, buf, size); }
static ssize_t cookie_write(void *cookie, const char *buf, size_t size)
{
    ssize_t written = write((int)(intptr_t)cookie, buf, size);
    return written < 0 ? 0 : written;
}
static int cookie_close(void *cookie) { return close((int)(intptr_t)cookie); }

EXPORT FILE *fdopen(int fd, const char *mode)
{
    static const cookie_io_functions_t functions = { .read = cookie_read, .write = cookie_write, .close = cookie_close };

    if (likely(fd_kind(fdtab_get(fd)) != FD_RAW))
        return real.fdopen(fd, mode);
    return fopencookie((void *)(intptr_t)fd, mode, functions);
}

EXPORT int fclose(FILE *file)
{
    int fd = file ? fileno(file) : -1;
    uint32_t entry = fdtab_get(fd) ? fdtab_set(fd, 0) : 0;
    int result = real.fclose(file);

    if (entry)
        fds_closed(entry);
    return result;
}
