/* preload/walks.c - functions of libc that read directories by themselves: scandir, glob, realpath; nftw is in trees.c. What libc does inside does not come by our opendir(),
 * so for paths of /proc and /sys these files do it, on top of opendir(), readlink() and stat() as the other files have them. They keep no state.
 *
 * Not here: fts_open() and its relatives. */
#include "preload/walks.h"
#include "preload/narrow.h"
#include "preload/real.h"
#include "base/atomics.h"
#include "base/sys.h"
#include "sockets/procdir.h"
#include "sockets/procfs.h"
#include "sockets/process.h"
#include <dirent.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* prefix: walks_ scandir glob __glob realpath __realpath canonicalize */

#define LINKS_FOLLOWED 40

static bool begins_with(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return !strncmp(path, folder, size) && (!path[size] || path[size] == '/');
}

bool walks_are_near(int dir, const char *path)
{
    char copy[PROCDIR_PATH], whole[PROCDIR_PATH];
    const char *at = copy;

    if (usermem_ok(path, 1, USERMEM_READ) && path[0] == '/' && likely(!procfs_may_be(path))) return false;
    if (usermem_string(copy, path, sizeof(copy)) || !copy[0]) return false;
    if (copy[0] != '/' && procdir_resolve(dir, copy, whole)) return false;
    if (copy[0] != '/') at = whole;
    return (begins_with(at, "/proc") || begins_with(at, "/sys")) && process_has_instance();
}

/* ---- scandir ---- */

static DIR *open_at(int dir, const char *path)
{
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), saved;
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);

    if (stream || fd < 0) return stream;
    saved = errno;
    close(fd);
    errno = saved;
    return NULL;
}

/* struct dirent and struct dirent64 differ in 32-bit programs; `wide` is the latter. */
struct scan {
    bool wide;
    void *wants, *compare;
    void **list;
    size_t count, room;
};

static bool is_wanted(const struct scan *scan, const void *entry)
{
    if (!scan->wants) return true;
    return scan->wide ? ((int (*)(const struct dirent64 *))scan->wants)(entry)
                      : ((int (*)(const struct dirent *))scan->wants)(entry);
}

static bool has_room(struct scan *scan)
{
    void **more;

    if (scan->count < scan->room) return true;
    more = realloc(scan->list, (scan->room * 2 + 8) * sizeof(*more));
    if (!more) return false;
    scan->list = more;
    scan->room = scan->room * 2 + 8;
    return true;
}

static bool add(struct scan *scan, const void *entry, size_t size)
{
    if (!has_room(scan)) return false;
    scan->list[scan->count] = malloc(size);
    if (!scan->list[scan->count]) return false;
    memcpy(scan->list[scan->count++], entry, size);
    return true;
}

/* An entry, and how much of it counts; NULL: that was the last, or it cannot be read: then errno is not 0. */
static const void *next(DIR *dir, bool wide, size_t *size)
{
    const struct dirent64 *large;
    const struct dirent *plain;

    errno = 0; /* whatever is_wanted() left there */
    large = wide ? readdir64(dir) : NULL;
    plain = wide ? NULL : readdir(dir);
    if (large) *size = offsetof(struct dirent64, d_name) + strlen(large->d_name) + 1;
    if (plain) *size = offsetof(struct dirent, d_name) + strlen(plain->d_name) + 1;
    return wide ? (const void *)large : plain;
}

static int scan_all(DIR *dir, struct scan scan, void *out)
{
    const void *entry;
    size_t size = 0;
    int saved = errno, error;

    if (!dir) return -1;
    error = has_room(&scan) ? 0 : ENOMEM;
    while (!error && (entry = next(dir, scan.wide, &size)))
        if (is_wanted(&scan, entry) && !add(&scan, entry, size)) error = ENOMEM;
    if (!error) error = errno;
    closedir(dir);
    errno = saved;
    if (!error) {
        if (scan.compare)
            qsort(scan.list, scan.count, sizeof(*scan.list),
                  (int (*)(const void *, const void *))scan.compare);
        memcpy(out, &scan.list, sizeof(scan.list));
        return (int)scan.count;
    }
    while (scan.count)
        free(scan.list[--scan.count]);
    free(scan.list);
    return (int)edge(-error);
}

EXPORT int scandir(const char *path, struct dirent ***list, int (*wants)(const struct dirent *),
                   int (*compare)(const struct dirent **, const struct dirent **))
{
    const struct scan scan = { false, (void *)wants, (void *)compare, NULL, 0, 0 };
    return walks_are_near(AT_FDCWD, path) ? scan_all(opendir(path), scan, list)
                                          : real.scandir(path, list, wants, compare);
}

EXPORT int scandir64(const char *path, struct dirent64 ***list, int (*wants)(const struct dirent64 *),
                     int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    const struct scan scan = { true, (void *)wants, (void *)compare, NULL, 0, 0 };
    return walks_are_near(AT_FDCWD, path) ? scan_all(opendir(path), scan, list)
                                          : real.scandir64(path, list, wants, compare);
}

EXPORT int scandirat(int dir, const char *path, struct dirent ***list, int (*wants)(const struct dirent *),
                     int (*compare)(const struct dirent **, const struct dirent **))
{
    const struct scan scan = { false, (void *)wants, (void *)compare, NULL, 0, 0 };
    return walks_are_near(dir, path) ? scan_all(open_at(dir, path), scan, list)
                                     : real.scandirat(dir, path, list, wants, compare);
}

EXPORT int scandirat64(int dir, const char *path, struct dirent64 ***list,
                       int (*wants)(const struct dirent64 *),
                       int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    const struct scan scan = { true, (void *)wants, (void *)compare, NULL, 0, 0 };
    return walks_are_near(dir, path) ? scan_all(open_at(dir, path), scan, list)
                                     : real.scandirat64(dir, path, list, wants, compare);
}

/* ---- glob: libc lets one say how directories are read, wherever they are ---- */

/* A pattern may stand for /proc or /sys, too. */
static bool may_be_near(const char *pattern)
{
    char whole[PROCDIR_PATH];

    if ((uintptr_t)pattern < 4096 || !pattern[0]) return false;
    if (pattern[0] == '/' ? likely(!procfs_may_be(pattern)) : procdir_resolve(AT_FDCWD, pattern, whole))
        return false;
    return process_has_instance();
}

static void *glob_opendir(const char *path) { return opendir(path); }
static void glob_closedir(void *dir) { closedir(dir); }
static struct dirent *glob_readdir(void *dir) { return readdir(dir); }
static struct dirent64 *glob_readdir64(void *dir) { return readdir64(dir); }

#define GLOB(name, type, reader, looks, looks_at_links)                                                      \
    EXPORT int name(const char *pattern, int flags, int (*failed)(const char *, int), type *out)             \
    {                                                                                                        \
        if ((flags & GLOB_ALTDIRFUNC) || !may_be_near(pattern))                                              \
            return real.name(pattern, flags, failed, out);                                                   \
        out->gl_opendir = glob_opendir;                                                                      \
        out->gl_closedir = glob_closedir;                                                                    \
        out->gl_readdir = reader;                                                                            \
        out->gl_stat = (void *)looks;                                                                        \
        out->gl_lstat = (void *)looks_at_links;                                                              \
        return real.name(pattern, flags | GLOB_ALTDIRFUNC, failed, out);                                     \
    }

GLOB(glob, glob_t, glob_readdir, stat, lstat)
GLOB(glob64, glob64_t, glob_readdir64, stat64, lstat64)
#if __SIZEOF_LONG__ == 4
int __glob64_time64(const char *pattern, int flags, int (*failed)(const char *, int), glob64_t *out);
GLOB(__glob64_time64, glob64_t, glob_readdir64, __stat64_time64, __lstat64_time64)
#endif

/* ---- realpath ---- */

/* Appends the first part of *rest to the path out[0..used); returns the new size, 0: there was none; or -errno. */
static long append_part(char out[PATH_MAX], size_t used, const char **rest)
{
    size_t size;

    while (**rest == '/')
        (*rest)++;
    size = strcspn(*rest, "/");
    if (!size) return 0;
    if (size == 2 && !memcmp(*rest, "..", 2)) {
        while (used > 1 && out[--used] != '/')
            ;
    } else if (size != 1 || **rest != '.') {
        if (used + size + 2 > PATH_MAX) return -ENAMETOOLONG;
        if (used > 1) out[used++] = '/';
        memcpy(out + used, *rest, size);
        used += size;
    }
    out[used ? used : (used = 1)] = 0;
    *rest += size;
    return (long)used;
}

/* The path that is left when out, a link, is replaced by where it leads: 0, or -errno. out is then the directory that this begins at. */
static int follow(char out[PATH_MAX], char rest[PATH_MAX], const char *behind, const char *link, size_t size)
{
    size_t left = strlen(behind);
    char *end = strrchr(out, '/');

    if (size + left + 1 > PATH_MAX) return -ENAMETOOLONG;
    memmove(rest + size, behind, left + 1);
    memcpy(rest, link, size);
    end = link[0] == '/' || end == out ? out + 1 : end;
    *end = 0;
    return 0;
}

/* An absolute path without links. */
static int resolve(const char *path, char out[PATH_MAX])
{
    char rest[PATH_MAX], link[PATH_MAX];
    const char *at = rest;
    unsigned links = 0;
    int error = 0;

    if (strlen(path) >= sizeof(rest)) return -ENAMETOOLONG;
    memcpy(rest, path, strlen(path) + 1);
    memcpy(out, "/", 2);
    while (!error) {
        long used = append_part(out, strlen(out), &at), size;
        if (used <= 0) return (int)used;
        size = readlink(out, link, sizeof(link));
        if (size < 0 && errno != EINVAL) return -errno;
        if (size < 0) continue;
        if (++links > LINKS_FOLLOWED) return -ELOOP;
        error = follow(out, rest, at, link, (size_t)size);
        at = rest;
    }
    return error;
}

static char *real_path(const char *path, char *out)
{
    char whole[PATH_MAX], result[PATH_MAX];
    int saved = errno, error;
    struct stat about;

    /* ".." leads out of where a link leads to: it is not taken off before links are followed. */
    if (path[0] != '/') {
        size_t used, size = strlen(path);
        if (!getcwd(whole, sizeof(whole))) return NULL;
        used = strlen(whole);
        if (used + size + 2 > sizeof(whole)) return errno = ENAMETOOLONG, NULL;
        whole[used] = '/';
        memcpy(whole + used + 1, path, size + 1);
        path = whole;
    }
    error = resolve(path, result);
    if (!error && path[strlen(path) - 1] == '/' && stat(result, &about) == 0 && !S_ISDIR(about.st_mode))
        error = -ENOTDIR;
    if (error) return errno = -error, NULL;
    if (!out) out = malloc(strlen(result) + 1);
    if (!out) return NULL;
    errno = saved;
    return memcpy(out, result, strlen(result) + 1);
}

EXPORT char *realpath(const char *path, char *out)
{
    return walks_are_near(AT_FDCWD, path) ? real_path(path, out) : real.realpath(path, out);
}

char *__realpath_chk(const char *path, char *out, size_t room);
EXPORT char *__realpath_chk(const char *path, char *out, size_t room)
{
    if (room < PATH_MAX) real_overflow();
    return realpath(path, out);
}

EXPORT char *canonicalize_file_name(const char *path) { return realpath(path, NULL); }
