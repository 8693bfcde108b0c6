/* preload/files.c - open, stat and their relatives: files of /proc and /sys that tell of CAN are the instance's (sockets/procfs.h).
 *
 * What libc does inside fopen() or opendir() does not come by here, so each entry point is answered by itself. Absolute paths are ours to look at first;
 * relative ones mostly after libc has found nothing: those calls end with `late`. */
#include "preload/narrow.h"
#include "preload/real.h"
#include "sockets/procfs.h"
#include "sockets/procstat.h"
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

/* prefix: open fopen freopen access faccessat euidaccess eaccess stat lstat fstatat __open getxattr lgetxattr listxattr llistxattr */

static bool creates(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

/* After a call that returned `result`: may what libc did not find be ours? */
static inline bool is_missing(long result, const char *path)
{
    return unlikely(result < 0) && errno == ENOENT && path[0] && path[0] != '/';
}

/* True: *result is what the call returns. A relative path that would be created is none that libc does not find. */
static bool opened(int dir, const char *path, int flags, int *result)
{
    int fd;

    if (likely(!procfs_may_be(path)) &&
        likely(!creates(flags) || !usermem_ok(path, 1, USERMEM_READ) || path[0] == '/'))
        return false;
    fd = procfs_open(dir, path, flags);
    if (fd == PROCFS_FOREIGN) return false;
    *result = (int)edge(fd);
    return true;
}

static int opened_late(int fd, int dir, const char *path, int flags)
{
    int ours;

    if (likely(!is_missing(fd, path))) return fd;
    ours = procfs_open(dir, path, flags);
    if (ours == PROCFS_FOREIGN) return fd;
    return (int)edge(ours);
}

/* The mode that the caller passed, if he did. */
#define MODE(flags, mode)                                                                                    \
    do {                                                                                                     \
        va_list list;                                                                                        \
                                                                                                             \
        va_start(list, flags);                                                                               \
        (mode) = creates(flags) ? va_arg(list, mode_t) : 0;                                                  \
        va_end(list);                                                                                        \
    } while (0)

EXPORT int open(const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(AT_FDCWD, path, flags, &fd)) return fd;
    if (unlikely(!real.open)) real_resolve();
    return opened_late(real.open(path, flags, mode), AT_FDCWD, path, flags);
}

EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(AT_FDCWD, path, flags, &fd)) return fd;
    if (unlikely(!real.open64)) real_resolve();
    return opened_late(real.open64(path, flags, mode), AT_FDCWD, path, flags);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(dir, path, flags, &fd)) return fd;
    if (unlikely(!real.openat)) real_resolve();
    return opened_late(real.openat(dir, path, flags, mode), dir, path, flags);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(dir, path, flags, &fd)) return fd;
    if (unlikely(!real.openat64)) real_resolve();
    return opened_late(real.openat64(dir, path, flags, mode), dir, path, flags);
}

/* ---- what _FORTIFY_SOURCE makes of calls without a mode ---- */

static void need_no_mode(int flags)
{
    if (unlikely(creates(flags))) real_overflow();
}

int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
    need_no_mode(flags);
    return open(path, flags);
}

int __open64_2(const char *path, int flags);
EXPORT int __open64_2(const char *path, int flags)
{
    need_no_mode(flags);
    return open64(path, flags);
}

int __openat_2(int dir, const char *path, int flags);
EXPORT int __openat_2(int dir, const char *path, int flags)
{
    need_no_mode(flags);
    return openat(dir, path, flags);
}

int __openat64_2(int dir, const char *path, int flags);
EXPORT int __openat64_2(int dir, const char *path, int flags)
{
    need_no_mode(flags);
    return openat64(dir, path, flags);
}

/* ---- stdio ---- */

static int flags_of(const char *mode)
{
    int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY;

    if (strchr(mode, '+')) flags = O_RDWR;
    return strchr(mode, 'e') ? flags | O_CLOEXEC : flags;
}

static FILE *stream_of(int fd, const char *mode)
{
    FILE *file = fd < 0 ? NULL : real.fdopen(fd, mode);
    int saved = errno;

    if (file || fd < 0) return file;
    real.close(fd);
    errno = saved;
    return NULL;
}

/* `first`: before libc had a look. */
static bool fopened(const char *path, const char *mode, bool first, FILE **file)
{
    int flags, fd;

    if (first ? likely(!procfs_may_be(path)) : *file || likely(!is_missing(-1, path))) return false;
    flags = flags_of(mode);
    fd = procfs_open(AT_FDCWD, path, flags);
    if (fd == PROCFS_FOREIGN) return false;
    *file = stream_of((int)edge(fd), mode);
    return true;
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
    FILE *file = NULL;

    if (fopened(path, mode, true, &file)) return file;
    file = real.fopen(path, mode);
    fopened(path, mode, false, &file);
    return file;
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    FILE *file = NULL;

    if (fopened(path, mode, true, &file)) return file;
    file = real.fopen64(path, mode);
    fopened(path, mode, false, &file);
    return file;
}

/* The stream has to open something by its name: our descriptor has one. */
static FILE *reopen(int fd, const char *mode, FILE *file,
                    FILE *(*function)(const char *, const char *, FILE *))
{
    char path[40];

    if (fd < 0) {
        int saved = errno;
        fclose(file);
        errno = saved;
        return NULL;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    file = function(path, mode, file);
    stream_of(fd, ""); /* closes it */
    return file;
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *file)
{
    int fd;

    if (unlikely(procfs_may_be(path)) && opened(AT_FDCWD, path, flags_of(mode), &fd))
        return reopen(fd, mode, file, real.freopen);
    return real.freopen(path, mode, file);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *file)
{
    int fd;

    if (unlikely(procfs_may_be(path)) && opened(AT_FDCWD, path, flags_of(mode), &fd))
        return reopen(fd, mode, file, real.freopen64);
    return real.freopen64(path, mode, file);
}

/* ---- access ---- */

static bool accessed(int dir, const char *path, int mode, bool first, int *result)
{
    int error;

    if (first ? likely(!procfs_may_be(path)) : likely(!is_missing(*result, path))) return false;
    error = procfs_access(dir, path, mode);
    if (error == PROCFS_FOREIGN) return false;
    *result = (int)edge(error);
    return true;
}

#define ACCESS(name, dir, parameters, call)                                                                  \
    EXPORT int name parameters                                                                               \
    {                                                                                                        \
        int result = 0;                                                                                      \
                                                                                                             \
        if (accessed(dir, path, mode, true, &result)) return result;                                         \
        result = real.call;                                                                                  \
        accessed(dir, path, mode, false, &result);                                                           \
        return result;                                                                                       \
    }

ACCESS(access, AT_FDCWD, (const char *path, int mode), access(path, mode))
ACCESS(faccessat, dir, (int dir, const char *path, int mode, int flags), faccessat(dir, path, mode, flags))
ACCESS(euidaccess, AT_FDCWD, (const char *path, int mode), euidaccess(path, mode))
ACCESS(eaccess, AT_FDCWD, (const char *path, int mode), eaccess(path, mode))

/* ---- stat ---- */

static bool found(int dir, const char *path, bool follow, struct procfs_stat *about)
{
    return unlikely(procfs_may_be(path)) && procfs_stat(dir, path, follow, about) == 0;
}

static bool found_late(int result, int dir, const char *path, bool follow, struct procfs_stat *about)
{
    return is_missing(result, path) && procfs_stat(dir, path, follow, about) == 0;
}

#define STAT(name, dir, follow, parameters, call)                                                            \
    EXPORT int name parameters                                                                               \
    {                                                                                                        \
        struct procfs_stat about;                                                                            \
        int result;                                                                                          \
                                                                                                             \
        if (likely(!found(dir, path, follow, &about))) {                                                     \
            result = real.call;                                                                              \
            if (likely(!found_late(result, dir, path, follow, &about))) return result;                       \
        }                                                                                                    \
        if (!usermem_ok(out, sizeof(*out), USERMEM_WRITE)) return (int)edge(-EFAULT);                        \
        PROCSTAT_FILL(out, about);                                                                           \
        return 0;                                                                                            \
    }
#define FOLLOW !(flags & AT_SYMLINK_NOFOLLOW)

STAT(stat, AT_FDCWD, true, (const char *path, struct stat *out), stat(path, out))
STAT(stat64, AT_FDCWD, true, (const char *path, struct stat64 *out), stat64(path, out))
STAT(lstat, AT_FDCWD, false, (const char *path, struct stat *out), lstat(path, out))
STAT(lstat64, AT_FDCWD, false, (const char *path, struct stat64 *out), lstat64(path, out))
STAT(fstatat, dir, FOLLOW, (int dir, const char *path, struct stat *out, int flags),
     fstatat(dir, path, out, flags))
STAT(fstatat64, dir, FOLLOW, (int dir, const char *path, struct stat64 *out, int flags),
     fstatat64(dir, path, out, flags))

#if __SIZEOF_LONG__ == 4
STAT(__stat64_time64, AT_FDCWD, true, (const char *path, struct stat_wide *out), __stat64_time64(path, out))
STAT(__lstat64_time64, AT_FDCWD, false, (const char *path, struct stat_wide *out),
     __lstat64_time64(path, out))
STAT(__fstatat64_time64, dir, FOLLOW, (int dir, const char *path, struct stat_wide *out, int flags),
     __fstatat64_time64(dir, path, out, flags))
#endif

EXPORT int statx(int dir, const char *path, int flags, unsigned mask, struct statx *out)
{
    struct procfs_stat about;
    int result;

    if (likely(!found(dir, path, FOLLOW, &about))) {
        result = real.statx(dir, path, flags, mask, out);
        if (likely(!found_late(result, dir, path, FOLLOW, &about))) return result;
    }
    if (!usermem_ok(out, sizeof(*out), USERMEM_WRITE)) return (int)edge(-EFAULT);
    procstat_fill_statx(out, &about);
    return 0;
}

/* ---- extended attributes: there are none; `ls -l` asks ---- */

#define XATTR(name, parameters, call)                                                                        \
    EXPORT ssize_t name parameters                                                                           \
    {                                                                                                        \
        struct procfs_stat about;                                                                            \
        ssize_t result;                                                                                      \
                                                                                                             \
        if (unlikely(found(AT_FDCWD, path, true, &about))) return edge(-ENOTSUP);                            \
        result = real.call;                                                                                  \
        return found_late((int)result, AT_FDCWD, path, true, &about) ? edge(-ENOTSUP) : result;              \
    }

XATTR(getxattr, (const char *path, const char *name, void *value, size_t size),
      getxattr(path, name, value, size))
XATTR(lgetxattr, (const char *path, const char *name, void *value, size_t size),
      lgetxattr(path, name, value, size))
XATTR(listxattr, (const char *path, char *list, size_t size), listxattr(path, list, size))
XATTR(llistxattr, (const char *path, char *list, size_t size), llistxattr(path, list, size))
