/* preload/directories.c - opendir, readdir, readlink where directories of /proc and /sys have entries of ours (sockets/procfs.h).
 *
 * A DIR is libc's. One whose directory has entries of ours is also in `listings`, which readdir() looks at when libc has come to the end; of a directory that
 * the kernel does not have at all, libc's DIR is that of "/" and none of its entries are shown. A place is taken by compare-and-swap; what is in it belongs
 * to the thread that uses the DIR, as a DIR does. With all places taken a directory is shown as the kernel has it. */
#include "preload/real.h"
#include "base/atomics.h"
#include "base/sys.h"
#include "sockets/procfs.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* prefix: opendir readdir closedir rewinddir readlink __readlink */

#define LISTINGS 32

struct listing {
    _Atomic(DIR *) dir; /* NULL: free */
    struct procfs_names names;
    size_t at;        /* in names.text */
    unsigned dots;    /* of "." and "..", which were shown */
    bool kernel_too;  /* the kernel has it */
    bool kernel_done; /* its entries have been shown */
    char path[128];
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

EXPORT DIR *opendir(const char *path)
{
    int saved = errno;
    struct procfs_names names;
    struct listing *listing;
    bool kernel_too = true;
    DIR *dir;

    if (likely(!procfs_may_be(path)) || procfs_list(path, &names)) return real.opendir(path);
    dir = real.opendir(path);
    if (!dir) {
        kernel_too = false;
        dir = real.opendir("/");
    }
    listing = dir && strlen(path) < sizeof(listing->path) ? take(dir) : NULL;
    if (!listing) {
        procfs_unlist(&names);
        if (!dir || kernel_too) return dir;
        real.closedir(dir);
        return errno = ENFILE, NULL;
    }
    listing->names = names;
    listing->at = 0;
    listing->dots = 0;
    listing->kernel_too = kernel_too;
    listing->kernel_done = !kernel_too;
    memcpy(listing->path, path, strlen(path) + 1);
    errno = saved;
    return dir;
}

/* The next name of ours that the kernel has not shown already; its size, or 0. */
static size_t next_name(struct listing *listing, const char **name)
{
    static const char dots[] = "..";
    char path[512];

    if (!listing->kernel_too && listing->dots < 2) {
        *name = dots + (1 - listing->dots);
        return ++listing->dots;
    }
    while (listing->at < listing->names.size) {
        const char *at = listing->names.text + listing->at, *end;
        size_t size;

        end = memchr(at, '\n', listing->names.size - listing->at);
        size = end ? (size_t)(end - at) : listing->names.size - listing->at;
        listing->at += size + 1;
        if (!size || size > NAME_MAX) continue;
        *name = at;
        if (!listing->kernel_too) return size;
        snprintf(path, sizeof(path), "%s/%.*s", listing->path, (int)size, at);
        if (sys_call(SYS_faccessat, AT_FDCWD, path, 0) != 0) return size;
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
            entry = real.function(dir);                                                                      \
            if (entry) return entry;                                                                         \
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
        listing->dots = 0;
        listing->kernel_done = !listing->kernel_too;
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

static bool link_read(const char *path, char *out, size_t size, ssize_t *result)
{
    long got;

    if (likely(!procfs_may_be(path))) return false;
    got = procfs_readlink(path, out, size);
    if (got == PROCFS_FOREIGN) return false;
    *result = edge(got);
    return true;
}

EXPORT ssize_t readlink(const char *path, char *out, size_t size)
{
    ssize_t result;
    return link_read(path, out, size, &result) ? result : real.readlink(path, out, size);
}

EXPORT ssize_t readlinkat(int dir, const char *path, char *out, size_t size)
{
    ssize_t result;
    return link_read(path, out, size, &result) ? result : real.readlinkat(dir, path, out, size);
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
