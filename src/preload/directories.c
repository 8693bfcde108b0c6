/* preload/directories.c - opendir, readdir, readlink, chdir where directories of /proc and /sys have entries of ours (sockets/procfs.h).
 *
 * A DIR is libc's; of a directory that the kernel does not have it is that of the stand-in (sockets/procdir.h). One whose directory has entries of ours is
 * also in `listings`, which readdir() looks at when libc has come to the end. A place is taken by compare-and-swap; what is in it belongs to the thread that
 * uses the DIR, as a DIR does. With all places taken a directory is shown as the kernel has it. */
#include "preload/real.h"
#include "base/atomics.h"
#include "base/sys.h"
#include "sockets/door.h"
#include "sockets/procdir.h"
#include "sockets/procfs.h"
#include "sockets/process.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* prefix: opendir fdopendir readdir closedir rewinddir readlink __readlink chdir getcwd __getcwd get_current */

#define LISTINGS 32

struct listing {
    _Atomic(DIR *) dir; /* NULL: free */
    struct procfs_names names;
    size_t at;        /* in names.text */
    bool kernel_done; /* its entries have been shown */
    union {
        struct dirent plain;
        struct dirent64 large;
    } entry;
};
static struct listing listings[LISTINGS];
static atomic_u32 listings_used;

static struct listing *find(DIR *dir)
{
    if (likely(!load_acquire(&listings_used)) || !dir) return NULL;
    for (unsigned i = 0; i < LISTINGS; i++)
        if (load_acquire(&listings[i].dir) == dir) return &listings[i];
    return NULL;
}

/* Takes a place, with `dir` in it. */
static struct listing *take(DIR *dir)
{
    for (unsigned i = 0; i < LISTINGS; i++) {
        DIR *none = NULL;
        if (!atomic_compare_exchange_strong(&listings[i].dir, &none, dir)) continue;
        add_relaxed(&listings_used, 1);
        return &listings[i];
    }
    return NULL;
}

static void forget(struct listing *listing)
{
    procfs_unlist(&listing->names);
    atomic_store(&listing->dir, NULL);
    atomic_fetch_sub(&listings_used, 1);
}

/* `dir` was opened on a directory that has entries of ours. Their memory is ours to free, or the place's. */
static void note(DIR *dir, struct procfs_names *names)
{
    struct listing *listing = take(dir);

    if (!listing) {
        procfs_unlist(names);
        return;
    }
    listing->names = *names;
    listing->at = 0;
    listing->kernel_done = false;
}

/* Has the directory that is open as `fd` entries of ours? */
static DIR *noted(DIR *dir, int fd)
{
    struct procfs_names names;

    if (dir && process_has_instance() && procfs_list(fd, "", &names) == 0) note(dir, &names);
    return dir;
}

EXPORT DIR *fdopendir(int fd) { return noted(real.fdopendir(fd), fd); }

/* A directory that the kernel has not. */
static DIR *open_stand_in(const char *path)
{
    int fd = procfs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir;

    if (fd == PROCFS_FOREIGN) return errno = ENOENT, NULL;
    if (fd < 0) return errno = -fd, NULL;
    dir = noted(real.fdopendir(fd), fd);
    if (!dir) sys_call(SYS_close, fd);
    return dir;
}

EXPORT DIR *opendir(const char *path)
{
    int saved = errno;
    DIR *dir = real.opendir(path);

    if (!dir && (errno != ENOENT || !path[0])) return NULL; /* or it points nowhere */
    if (likely(path[0] == '/') && likely(!procfs_may_be(path))) return dir;
    if (dir) return noted(dir, dirfd(dir));
    dir = open_stand_in(path);
    if (dir) errno = saved;
    return dir;
}

/* The next name of ours that the kernel has not shown already; its size, or 0. */
static size_t next_name(struct listing *listing, const char **name)
{
    char path[512];

    while (listing->at < listing->names.size) {
        const char *at = listing->names.text + listing->at, *end;
        size_t size;

        end = memchr(at, '\n', listing->names.size - listing->at);
        size = end ? (size_t)(end - at) : listing->names.size - listing->at;
        listing->at += size + 1;
        if (!size || size > NAME_MAX) continue;
        *name = at;
        snprintf(path, sizeof(path), "%s/%.*s", listing->names.path, (int)size, at);
        if (door_past(SYS_faccessat, AT_FDCWD, path, 0, 0) != 0) return size;
    }
    return 0;
}

/* A name's type is not told: whoever wants it asks stat(). struct dirent64 has the same members. */
#define READDIR(function, type, member)                                                                      \
    EXPORT struct type *function(DIR *dir)                                                                   \
    {                                                                                                        \
        struct listing *listing = find(dir);                                                                 \
        struct type *entry;                                                                                  \
        const char *name;                                                                                    \
        size_t size;                                                                                         \
                                                                                                             \
        if (likely(!listing)) return real.function(dir);                                                     \
        if (!listing->kernel_done) {                                                                         \
            int saved = errno;                                                                               \
            errno = 0;                                                                                       \
            entry = real.function(dir);                                                                      \
            if (entry || errno) return errno = errno ? errno : saved, entry;                                 \
            errno = saved;                                                                                   \
            listing->kernel_done = true;                                                                     \
        }                                                                                                    \
        size = next_name(listing, &name);                                                                    \
        if (!size) return NULL;                                                                              \
        entry = &listing->entry.member;                                                                      \
        memset(entry, 0, sizeof(*entry));                                                                    \
        entry->d_ino = listing->at + 1;                                                                      \
        entry->d_reclen = sizeof(*entry);                                                                    \
        entry->d_type = DT_UNKNOWN;                                                                          \
        memcpy(entry->d_name, name, size);                                                                   \
        return entry;                                                                                        \
    }

READDIR(readdir, dirent, plain)
READDIR(readdir64, dirent64, large)

EXPORT void rewinddir(DIR *dir)
{
    struct listing *listing = find(dir);

    if (listing) {
        listing->at = 0;
        listing->kernel_done = false;
    }
    real.rewinddir(dir);
}

EXPORT int closedir(DIR *dir)
{
    struct listing *listing = find(dir);

    if (listing) forget(listing);
    return real.closedir(dir);
}

/* ---- links ---- */

static bool link_read(int dir, const char *path, char *out, size_t size, bool first, ssize_t *result)
{
    long got;

    if (first ? likely(!procfs_may_be(path))
              : likely(*result >= 0) || errno != ENOENT || path[0] == '/' || !path[0])
        return false;
    got = procfs_readlink(dir, path, out, size);
    if (got == PROCFS_FOREIGN) return false;
    *result = edge(got);
    return true;
}

EXPORT ssize_t readlink(const char *path, char *out, size_t size)
{
    ssize_t result = 0;

    if (link_read(AT_FDCWD, path, out, size, true, &result)) return result;
    result = real.readlink(path, out, size);
    link_read(AT_FDCWD, path, out, size, false, &result);
    return result;
}

EXPORT ssize_t readlinkat(int dir, const char *path, char *out, size_t size)
{
    ssize_t result = 0;

    if (link_read(dir, path, out, size, true, &result)) return result;
    result = real.readlinkat(dir, path, out, size);
    link_read(dir, path, out, size, false, &result);
    return result;
}

ssize_t __readlink_chk(const char *path, char *out, size_t size, size_t room);
EXPORT ssize_t __readlink_chk(const char *path, char *out, size_t size, size_t room)
{
    if (size > room) real_overflow();
    return readlink(path, out, size);
}

ssize_t __readlinkat_chk(int dir, const char *path, char *out, size_t size, size_t room);
EXPORT ssize_t __readlinkat_chk(int dir, const char *path, char *out, size_t size, size_t room)
{
    if (size > room) real_overflow();
    return readlinkat(dir, path, out, size);
}

/* ---- the current directory ---- */

EXPORT int chdir(const char *path)
{
    int saved = errno, result = real.chdir(path), fd;

    if (likely(result == 0) || errno != ENOENT || !path[0]) return result;
    if (path[0] == '/' && !procfs_may_be(path)) return result;
    fd = procfs_open(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd == PROCFS_FOREIGN) return result;
    if (fd < 0) return (int)edge(fd);
    result = (int)edge(sys_call(SYS_fchdir, fd));
    sys_call(SYS_close, fd);
    if (!result) errno = saved;
    return result;
}

/* A stand-in has a longer name than what it stands for. */
static char *translated(char *path)
{
    if (path) procdir_translate(path, strlen(path));
    return path;
}

EXPORT char *getcwd(char *out, size_t size)
{
    char whole[PATH_MAX], *result = translated(real.getcwd(out, size));

    if (result || errno != ERANGE || !out || !real.getcwd(whole, sizeof(whole))) return result;
    translated(whole);
    if (strlen(whole) >= size) return errno = ERANGE, NULL;
    return memcpy(out, whole, strlen(whole) + 1);
}

char *__getcwd_chk(char *out, size_t size, size_t room);
EXPORT char *__getcwd_chk(char *out, size_t size, size_t room)
{
    if (size > room) real_overflow();
    return getcwd(out, size);
}

EXPORT char *get_current_dir_name(void) { return translated(real.get_current_dir_name()); }
