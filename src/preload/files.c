/* preload/files.c - open, stat and their relatives: files of /proc and /sys that tell of CAN are the instance's (sockets/procfs.h).
 *
 * What libc does inside fopen() or opendir() does not come by here, so each entry point is answered by itself. Only absolute paths are looked at. */
#include "preload/real.h"
#include "base/clock.h"
#include "sockets/procfs.h"
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* prefix: open fopen freopen access faccessat euidaccess eaccess stat lstat fstatat __open getxattr lgetxattr listxattr llistxattr */

#define SECOND_NS   1000000000u
#define PROC_DEVICE 0x7ca0u /* of no device that the kernel has */

static bool creates(int flags) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; }

/* True: *result is what the call returns. */
static bool opened(const char *path, int flags, int *result)
{
    int fd;

    if (likely(!procfs_may_be(path))) return false;
    fd = procfs_open(path, flags);
    if (fd == PROCFS_FOREIGN) return false;
    *result = (int)edge(fd);
    return true;
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
    if (opened(path, flags, &fd)) return fd;
    if (unlikely(!real.open)) real_resolve();
    return real.open(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(path, flags, &fd)) return fd;
    if (unlikely(!real.open64)) real_resolve();
    return real.open64(path, flags, mode);
}

EXPORT int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(path, flags, &fd)) return fd;
    if (unlikely(!real.openat)) real_resolve();
    return real.openat(dir, path, flags, mode);
}

EXPORT int openat64(int dir, const char *path, int flags, ...)
{
    mode_t mode;
    int fd;

    MODE(flags, mode);
    if (opened(path, flags, &fd)) return fd;
    if (unlikely(!real.openat64)) real_resolve();
    return real.openat64(dir, path, flags, mode);
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

EXPORT FILE *fopen(const char *path, const char *mode)
{
    int fd;

    if (unlikely(procfs_may_be(path)) && opened(path, flags_of(mode), &fd)) return stream_of(fd, mode);
    return real.fopen(path, mode);
}

EXPORT FILE *fopen64(const char *path, const char *mode)
{
    int fd;

    if (unlikely(procfs_may_be(path)) && opened(path, flags_of(mode), &fd)) return stream_of(fd, mode);
    return real.fopen64(path, mode);
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

    if (unlikely(procfs_may_be(path)) && opened(path, flags_of(mode), &fd))
        return reopen(fd, mode, file, real.freopen);
    return real.freopen(path, mode, file);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *file)
{
    int fd;

    if (unlikely(procfs_may_be(path)) && opened(path, flags_of(mode), &fd))
        return reopen(fd, mode, file, real.freopen64);
    return real.freopen64(path, mode, file);
}

/* ---- access ---- */

static bool accessed(const char *path, int mode, int *result)
{
    int error;

    if (likely(!procfs_may_be(path))) return false;
    error = procfs_access(path, mode);
    if (error == PROCFS_FOREIGN) return false;
    *result = (int)edge(error);
    return true;
}

EXPORT int access(const char *path, int mode)
{
    int result;
    return accessed(path, mode, &result) ? result : real.access(path, mode);
}

EXPORT int faccessat(int dir, const char *path, int mode, int flags)
{
    int result;
    return accessed(path, mode, &result) ? result : real.faccessat(dir, path, mode, flags);
}

EXPORT int euidaccess(const char *path, int mode)
{
    int result;
    return accessed(path, mode, &result) ? result : real.euidaccess(path, mode);
}

EXPORT int eaccess(const char *path, int mode)
{
    int result;
    return accessed(path, mode, &result) ? result : real.eaccess(path, mode);
}

/* ---- stat ---- */

static bool found(const char *path, bool follow, struct procfs_stat *about)
{
    return unlikely(procfs_may_be(path)) && procfs_stat(path, follow, about) == 0;
}

/* struct stat and struct stat64 have the same members. */
#define FILL(to, about)                                                                                      \
    do {                                                                                                     \
        uint64_t now = clock_real_ns();                                                                      \
                                                                                                             \
        memset(to, 0, sizeof(*(to)));                                                                        \
        (to)->st_dev = PROC_DEVICE;                                                                          \
        (to)->st_ino = (ino_t)(about).inode;                                                                 \
        (to)->st_mode = (about).mode;                                                                        \
        (to)->st_nlink = (about).links;                                                                      \
        (to)->st_size = (off_t)(about).size;                                                                 \
        (to)->st_blksize = 4096;                                                                             \
        (to)->st_atim.tv_sec = (to)->st_mtim.tv_sec = (to)->st_ctim.tv_sec = (time_t)(now / SECOND_NS);      \
        (to)->st_atim.tv_nsec = (to)->st_mtim.tv_nsec = (to)->st_ctim.tv_nsec = (long)(now % SECOND_NS);     \
    } while (0)

#define STAT(name, follow, parameters, call)                                                                 \
    EXPORT int name parameters                                                                               \
    {                                                                                                        \
        struct procfs_stat about;                                                                            \
                                                                                                             \
        if (likely(!found(path, follow, &about))) return real.call;                                          \
        FILL(out, about);                                                                                    \
        return 0;                                                                                            \
    }

STAT(stat, true, (const char *path, struct stat *out), stat(path, out))
STAT(stat64, true, (const char *path, struct stat64 *out), stat64(path, out))
STAT(lstat, false, (const char *path, struct stat *out), lstat(path, out))
STAT(lstat64, false, (const char *path, struct stat64 *out), lstat64(path, out))
STAT(fstatat, !(flags & AT_SYMLINK_NOFOLLOW), (int dir, const char *path, struct stat *out, int flags),
     fstatat(dir, path, out, flags))
STAT(fstatat64, !(flags & AT_SYMLINK_NOFOLLOW), (int dir, const char *path, struct stat64 *out, int flags),
     fstatat64(dir, path, out, flags))

EXPORT int statx(int dir, const char *path, int flags, unsigned mask, struct statx *out)
{
    struct procfs_stat about;
    struct stat plain;

    if (likely(!found(path, !(flags & AT_SYMLINK_NOFOLLOW), &about)))
        return real.statx(dir, path, flags, mask, out);
    FILL(&plain, about);
    memset(out, 0, sizeof(*out));
    out->stx_mask = STATX_BASIC_STATS;
    out->stx_mode = (uint16_t)about.mode;
    out->stx_nlink = about.links;
    out->stx_ino = about.inode;
    out->stx_size = about.size;
    out->stx_blksize = 4096;
    out->stx_dev_major = major(PROC_DEVICE);
    out->stx_dev_minor = minor(PROC_DEVICE);
    out->stx_mtime.tv_sec = plain.st_mtim.tv_sec;
    out->stx_mtime.tv_nsec = (uint32_t)plain.st_mtim.tv_nsec;
    out->stx_atime = out->stx_ctime = out->stx_mtime;
    return 0;
}

/* ---- extended attributes: there are none; `ls -l` asks ---- */

#define XATTR(name, parameters, call)                                                                        \
    EXPORT ssize_t name parameters                                                                           \
    {                                                                                                        \
        struct procfs_stat about;                                                                            \
        return unlikely(found(path, true, &about)) ? edge(-ENOTSUP) : real.call;                             \
    }

XATTR(getxattr, (const char *path, const char *name, void *value, size_t size),
      getxattr(path, name, value, size))
XATTR(lgetxattr, (const char *path, const char *name, void *value, size_t size),
      lgetxattr(path, name, value, size))
XATTR(listxattr, (const char *path, char *list, size_t size), listxattr(path, list, size))
XATTR(llistxattr, (const char *path, char *list, size_t size), llistxattr(path, list, size))
