/* supervisor/files.c - open, stat and their relatives: files of /proc and /sys that tell of CAN are the instance's (sockets/procfs.h).
 *
 * A file is a memfd that holds the text of this moment, as behind the other door; a directory is a full stand-in (folders.h), and gets a number that the
 * filter knows, so that calls which begin there come to us. What is there but not ours (/sys/class/net/lo, seen from the stand-in of /sys/class/net) we
 * ask the kernel for, by its absolute path, in the program's root. All else goes on to the kernel. The program may change a path after we have read it:
 * it deceives only itself. */
#include "supervisor/call.h"
#include "sockets/procfs.h"
#include "sockets/procstat.h"
#include "supervisor/folders.h"
#include "supervisor/paths.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNELS_MAX (PROCDIR_PATH + 32)

/* Which of the call's arguments are what. */
struct shape {
    int number;
    int8_t dir, path; /* -1: none */
    int8_t rest;      /* the first that follows */
    int8_t flags;     /* of AT_SYMLINK_NOFOLLOW; -1: none */
    bool nofollow;    /* without any */
    long (*act)(struct call *call, const struct shape *shape, const struct path *path);
};

static bool follows(const struct call *call, const struct shape *shape, const struct path *path)
{
    if (path->follows) return true;
    if (shape->flags < 0) return !shape->nofollow;
    return !(call_arg(call, (unsigned)shape->flags) & AT_SYMLINK_NOFOLLOW);
}

/* ---- the kernel's ---- */

/* Directories that the kernel has, and we have something in. */
static const char *shared_folder(const char *path)
{
    static const char *const folders[] = { "/sys/class/net", "/sys/devices/virtual/net", "/sys/module" };
    size_t size = strlen(path);

    if (!strncmp(path, "/proc/", 6) && size > 8 && !strcmp(path + size - 4, "/net") &&
        strchr(path + 6, '/') == path + size - 4)
        return "/proc/net";
    if (!strcmp(path, "/proc/net")) return "/proc/net";
    for (unsigned i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        if (!strcmp(path, folders[i])) return folders[i];
    return NULL;
}

/* What we call what the program calls so. */
static void name_kernels(const struct call *call, const char *path, char out[KERNELS_MAX])
{
    static const char *const self[] = { "/proc/net", "/proc/self/net", "/proc/thread-self/net" };

    snprintf(out, KERNELS_MAX, "/proc/%d/root%s", call_tid(call), path);
    for (unsigned i = 0; i < sizeof(self) / sizeof(*self); i++)
        if (!strncmp(path, self[i], strlen(self[i])))
            snprintf(out, KERNELS_MAX, "/proc/%d/net%s", call_tid(call), path + strlen(self[i]));
}

/* What we ask the kernel for, the program could ask for: it has our user. */
static bool is_equal(const struct call *call) { return remote_user(call_tid(call)) == geteuid(); }

/* ---- open ---- */

static bool is_directory(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
}

static long hand_over(struct call *call, int fd, bool is_folder, int flags)
{
    long number;

    if (fd < 0) return fd;
    number =
        call_install(call, fd, is_folder ? call->range.folders : -1, call->range.first, flags & O_CLOEXEC);
    close(fd);
    return number;
}

static bool only_reads(int flags)
{
    return (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC)) &&
           (flags & O_TMPFILE) != O_TMPFILE;
}

static long open_kernels(struct call *call, const struct path *path, int flags)
{
    const char *shared = shared_folder(path->whole);
    bool is_way = path_is_way(path->whole);
    char kernels[KERNELS_MAX];
    int fd;

    name_kernels(call, path->whole, kernels);
    if (shared && only_reads(flags) && !((flags & O_NOFOLLOW) && !strcmp(path->whole, "/proc/net")) &&
        access(kernels, F_OK) == 0)
        return hand_over(call, folder_open(shared, kernels, flags), true, flags);
    if (!path->moved && !(is_way && only_reads(flags))) return CALL_CONTINUE;
    if (!only_reads(flags) || !is_equal(call)) return path->moved ? -EACCES : CALL_CONTINUE;
    fd = open(kernels, (flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_NOATIME)) | O_RDONLY | O_NONBLOCK |
                           O_NOCTTY | O_CLOEXEC); /* a fifo would let all others wait */
    if (fd < 0) return path->moved ? -errno : CALL_CONTINUE;
    if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags & O_NOATIME);
    return hand_over(call, fd, is_way, flags);
}

static long open_path(struct call *call, const struct path *path, int flags)
{
    char name[PROCFS_PATH];
    struct procfs_stat about;
    int fd;

    if (path->follows) flags = (flags & ~O_NOFOLLOW) | (flags & O_CREAT ? 0 : O_DIRECTORY);
    fd = procfs_open(AT_FDCWD, path->whole, flags);
    if (fd == PROCFS_FOREIGN) return open_kernels(call, path, flags);
    if (fd < 0 || !is_directory(fd)) return hand_over(call, fd, false, flags);
    close(fd);
    if (procfs_look(AT_FDCWD, path->whole, true, &about, name)) return -ENOENT;
    return hand_over(call, folder_open(name, NULL, flags), true, flags);
}

static long do_open(struct call *call, const struct shape *shape, const struct path *path)
{
    return open_path(call, path, (int)call_arg(call, (unsigned)shape->rest));
}

static long do_openat2(struct call *call, const struct shape *shape, const struct path *path)
{
    struct open_how how;

    if (call_arg(call, (unsigned)shape->rest + 1) < sizeof(how) ||
        !remote_read(call_tid(call), &how, call_arg(call, (unsigned)shape->rest), sizeof(how)) ||
        (how.resolve & RESOLVE_IN_ROOT))
        return CALL_CONTINUE;
    return open_path(call, path, (int)how.flags);
}

/* gnulib's fts, and so find(1), goes on with copies. */
long files_dup(struct call *call, bool close_on_exec)
{
    int fd = remote_borrow(call_tid(call), call_fd(call));

    if (fd < 0) return CALL_CONTINUE;
    if (is_directory(fd)) return hand_over(call, fd, true, close_on_exec ? O_CLOEXEC : 0);
    close(fd);
    return CALL_CONTINUE;
}

/* ---- stat ---- */

/* What is ours lies in the same file system as what is not. */
static void identify(const char *path, struct procfs_stat *about)
{
    struct statx mount;

    if (statx(AT_FDCWD, strncmp(path, "/sys", 4) ? "/proc" : "/sys", AT_STATX_DONT_SYNC, STATX_INO, &mount) <
        0)
        return;
    about->device_major = mount.stx_dev_major;
    about->device_minor = mount.stx_dev_minor;
}

/* 0: *about is what is ours. 1: `kernels` is who knows. Or what the call returns. */
static long look(const struct call *call, const struct path *path, bool follow, struct procfs_stat *about,
                 char kernels[KERNELS_MAX])
{
    char name[PROCFS_PATH];

    if (procfs_look(AT_FDCWD, path->whole, follow, about, name) == 0) {
        identify(path->whole, about);
        if (call->narrow || sizeof(long) == 4) about->inode &= UINT32_MAX; /* or libc says EOVERFLOW */
        return path->follows && !path->is_empty && !S_ISDIR(about->mode) ? -ENOTDIR : 0;
    }
    if (!path->moved) return CALL_CONTINUE;
    if (!path->is_empty && !is_equal(call)) return -EACCES;
    name_kernels(call, path->whole, kernels);
    return 1;
}

/* struct stat64 of i386, for those who run it on x86-64. */
struct narrow_stat {
    uint64_t st_dev;
    uint32_t unused, short_ino;
    uint32_t st_mode, st_nlink, st_uid, st_gid;
    uint64_t st_rdev;
    uint32_t unused_too;
    int64_t st_size;
    uint32_t st_blksize;
    int64_t st_blocks;
    uint32_t st_atime_s, st_atime_ns, st_mtime_s, st_mtime_ns, st_ctime_s, st_ctime_ns;
    uint64_t st_ino;
} __attribute__((packed, aligned(4)));
_Static_assert(sizeof(struct narrow_stat) == 96, "as i386 has it");

static bool write_stat(const struct call *call, uint64_t to, const struct stat64 *out)
{
    struct narrow_stat narrow = { .st_dev = out->st_dev,
                                  .short_ino = (uint32_t)out->st_ino,
                                  .st_mode = out->st_mode,
                                  .st_nlink = (uint32_t)out->st_nlink,
                                  .st_uid = out->st_uid,
                                  .st_gid = out->st_gid,
                                  .st_rdev = out->st_rdev,
                                  .st_size = out->st_size,
                                  .st_blksize = (uint32_t)out->st_blksize,
                                  .st_blocks = out->st_blocks,
                                  .st_atime_s = (uint32_t)out->st_atim.tv_sec,
                                  .st_atime_ns = (uint32_t)out->st_atim.tv_nsec,
                                  .st_mtime_s = (uint32_t)out->st_mtim.tv_sec,
                                  .st_mtime_ns = (uint32_t)out->st_mtim.tv_nsec,
                                  .st_ctime_s = (uint32_t)out->st_ctim.tv_sec,
                                  .st_ctime_ns = (uint32_t)out->st_ctim.tv_nsec,
                                  .st_ino = out->st_ino };

    return call->narrow ? remote_write(call_tid(call), to, &narrow, sizeof(narrow))
                        : remote_write(call_tid(call), to, out, sizeof(*out));
}

static long do_stat(struct call *call, const struct shape *shape, const struct path *path)
{
    bool follow = follows(call, shape, path);
    struct procfs_stat about;
    char kernels[KERNELS_MAX];
    struct stat64 out;
    long known = look(call, path, follow, &about, kernels);

    if (known < 0) return known;
    if (known == 0)
        PROCSTAT_FILL(&out, about);
    else if (fstatat64(AT_FDCWD, kernels, &out, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return write_stat(call, call_arg(call, (unsigned)shape->rest), &out) ? 0 : -EFAULT;
}

static long do_statx(struct call *call, const struct shape *shape, const struct path *path)
{
    int flags = (int)call_arg(call, (unsigned)shape->flags) & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
    unsigned mask = (unsigned)call_arg(call, (unsigned)shape->flags + 1);
    bool follow = follows(call, shape, path);
    struct procfs_stat about;
    char kernels[KERNELS_MAX];
    struct statx out;
    long known = look(call, path, follow, &about, kernels);

    if (known < 0) return known;
    if (known == 0)
        procstat_fill_statx(&out, &about);
    else if (statx(AT_FDCWD, kernels, follow ? flags : flags | AT_SYMLINK_NOFOLLOW, mask, &out) < 0)
        return -errno;
    return remote_write(call_tid(call), call_arg(call, (unsigned)shape->rest), &out, sizeof(out)) ? 0
                                                                                                  : -EFAULT;
}

/* ---- access, links, attributes, the current directory ---- */

static long do_access(struct call *call, const struct shape *shape, const struct path *path)
{
    int mode = (int)call_arg(call, (unsigned)shape->rest), error = procfs_access(AT_FDCWD, path->whole, mode);
    struct procfs_stat about;
    char kernels[KERNELS_MAX];

    if (error != PROCFS_FOREIGN)
        return error || !path->follows ? error : look(call, path, true, &about, kernels);
    if (!path->moved) return CALL_CONTINUE;
    if (!is_equal(call)) return -EACCES;
    name_kernels(call, path->whole, kernels);
    return access(kernels, mode) < 0 ? -errno : 0;
}

static long do_readlink(struct call *call, const struct shape *shape, const struct path *path)
{
    char text[PATH_MAX], kernels[KERNELS_MAX];
    struct procfs_stat about;
    size_t size = (size_t)call_arg(call, (unsigned)shape->rest + 1);
    long got;

    if ((int)size <= 0) return CALL_CONTINUE;
    if (path->follows) {
        got = look(call, path, true, &about, kernels);
        if (got <= 0) return got ? got : -EINVAL;
    }
    if (size > sizeof(text)) size = sizeof(text);
    got = procfs_readlink(AT_FDCWD, path->whole, text, size);
    if (got == PROCFS_FOREIGN) {
        if (!path->moved) return CALL_CONTINUE;
        name_kernels(call, path->whole, kernels);
        got = is_equal(call) ? readlink(kernels, text, size) : (errno = EACCES, -1);
        if (got < 0) got = -errno;
    }
    if (got < 0) return got;
    return remote_write(call_tid(call), call_arg(call, (unsigned)shape->rest), text, (size_t)got) ? got
                                                                                                  : -EFAULT;
}

/* There are none; `ls -l` asks. */
static long do_xattr(struct call *call, const struct shape *shape, const struct path *path)
{
    struct procfs_stat about;
    char name[PROCFS_PATH];

    (void)call;
    (void)shape;
    return path->moved || procfs_look(AT_FDCWD, path->whole, true, &about, name) == 0 ? -ENOTSUP
                                                                                      : CALL_CONTINUE;
}

long files_chdir(struct call *call)
{
    (void)call;
    path_changed();
    return CALL_CONTINUE;
}

/* A stand-in has another name than what it stands for. */
long files_getcwd(struct call *call)
{
    char name[PATH_MAX];
    ssize_t size = remote_name(call_tid(call), AT_FDCWD, name, sizeof(name) - 1);

    if (size <= 0 || !procdir_translate(name, (size_t)size)) return CALL_CONTINUE;
    size = (ssize_t)strlen(name) + 1;
    if ((uint64_t)size > call_arg(call, 1)) return -ERANGE;
    return remote_write(call_tid(call), call_arg(call, 0), name, (size_t)size) ? size : -EFAULT;
}

/* ---- which is which ---- */

static const struct shape shapes[] = {
    { SYS_openat, 0, 1, 2, -1, false, do_open },       { SYS_openat2, 0, 1, 2, -1, false, do_openat2 },
    { FILES_FSTATAT, 0, 1, 2, 3, false, do_stat },     { FILES_FSTAT, 0, -1, 1, -1, false, do_stat },
    { SYS_statx, 0, 1, 4, 2, false, do_statx },        { SYS_faccessat, 0, 1, 2, -1, false, do_access },
    { SYS_faccessat2, 0, 1, 2, 3, false, do_access },  { SYS_readlinkat, 0, 1, 2, -1, true, do_readlink },
    { SYS_getxattr, -1, 0, 1, -1, false, do_xattr },   { SYS_lgetxattr, -1, 0, 1, -1, true, do_xattr },
    { SYS_listxattr, -1, 0, 1, -1, false, do_xattr },  { SYS_llistxattr, -1, 0, 1, -1, true, do_xattr },
#ifdef SYS_open /* of old machines */
    { SYS_open, -1, 0, 1, -1, false, do_open },        { FILES_STAT, -1, 0, 1, -1, false, do_stat },
    { FILES_LSTAT, -1, 0, 1, -1, true, do_stat },      { SYS_access, -1, 0, 1, -1, false, do_access },
    { SYS_readlink, -1, 0, 1, -1, true, do_readlink },
#endif
};

long files_call(struct call *call)
{
    const struct shape *shape = shapes;
    struct path path;
    uint64_t at;
    int dir;

    while (shape < shapes + sizeof(shapes) / sizeof(*shapes) && shape->number != call->notif.data.nr)
        shape++;
    if (shape == shapes + sizeof(shapes) / sizeof(*shapes)) return CALL_CONTINUE;
    dir = shape->dir < 0 ? AT_FDCWD : (int)call_arg(call, (unsigned)shape->dir);
    at = shape->path < 0 ? 0 : call_arg(call, (unsigned)shape->path);
    if ((!at && shape->path >= 0) || !path_find(call, dir, at, &path)) return CALL_CONTINUE;
    if (path.is_empty && shape->path >= 0 &&
        (shape->flags < 0 || !(call_arg(call, (unsigned)shape->flags) & AT_EMPTY_PATH)))
        return CALL_CONTINUE;
    sock_look_soon(); /* what the program has closed, however long ago, is not to be seen any more */
    sock_look();
    return shape->act(call, shape, &path);
}
