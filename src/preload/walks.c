/* preload/walks.c - functions of libc that read directories by themselves: scandir, glob, realpath, nftw. What libc does inside does not come by our opendir(),
 * so for paths of /proc and /sys this file does it, on top of opendir(), readlink() and stat() as the other files have them. Keeps no state.
 *
 * Not here: fts_open() and its relatives. */
#include "preload/real.h"
#include "base/atomics.h"
#include "base/sys.h"
#include "sockets/procdir.h"
#include "sockets/procfs.h"
#include "sockets/process.h"
#include <dirent.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* prefix: scandir glob realpath __realpath canonicalize nftw ftw */

#define LINKS_FOLLOWED 40

static bool begins_with(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return !strncmp(path, folder, size) && (!path[size] || path[size] == '/');
}

/* Does the path, relative to `dir`, begin in /proc or /sys? Not in /projects: what is not ours is libc's to walk. */
static bool is_near(int dir, const char *path)
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
    return is_near(AT_FDCWD, path) ? scan_all(opendir(path), scan, list)
                                   : real.scandir(path, list, wants, compare);
}

EXPORT int scandir64(const char *path, struct dirent64 ***list, int (*wants)(const struct dirent64 *),
                     int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    const struct scan scan = { true, (void *)wants, (void *)compare, NULL, 0, 0 };
    return is_near(AT_FDCWD, path) ? scan_all(opendir(path), scan, list)
                                   : real.scandir64(path, list, wants, compare);
}

EXPORT int scandirat(int dir, const char *path, struct dirent ***list, int (*wants)(const struct dirent *),
                     int (*compare)(const struct dirent **, const struct dirent **))
{
    const struct scan scan = { false, (void *)wants, (void *)compare, NULL, 0, 0 };
    return is_near(dir, path) ? scan_all(open_at(dir, path), scan, list)
                              : real.scandirat(dir, path, list, wants, compare);
}

EXPORT int scandirat64(int dir, const char *path, struct dirent64 ***list,
                       int (*wants)(const struct dirent64 *),
                       int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    const struct scan scan = { true, (void *)wants, (void *)compare, NULL, 0, 0 };
    return is_near(dir, path) ? scan_all(open_at(dir, path), scan, list)
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
        out->gl_stat = looks;                                                                                \
        out->gl_lstat = looks_at_links;                                                                      \
        return real.name(pattern, flags | GLOB_ALTDIRFUNC, failed, out);                                     \
    }

GLOB(glob, glob_t, glob_readdir, stat, lstat)
GLOB(glob64, glob64_t, glob_readdir64, stat64, lstat64)

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
    return is_near(AT_FDCWD, path) ? real_path(path, out) : real.realpath(path, out);
}

char *__realpath_chk(const char *path, char *out, size_t room);
EXPORT char *__realpath_chk(const char *path, char *out, size_t room)
{
    if (room < PATH_MAX) real_overflow();
    return realpath(path, out);
}

EXPORT char *canonicalize_file_name(const char *path) { return realpath(path, NULL); }

/* ---- nftw ---- */

typedef int (*visit_function)(const char *, const struct stat *, int, struct FTW *);
typedef int (*visit_function64)(const char *, const struct stat64 *, int, struct FTW *);

/* As above: struct stat64 is `wide`. */
struct walk {
    bool wide;
    void *visit;
    int flags;
    dev_t device; /* where it began */
    void *seen;   /* directories, when links are followed: a tree of struct place */
    size_t size;  /* of path */
    char path[PATH_MAX];
};

union about {
    struct stat plain;
    struct stat64 large;
};

struct place {
    dev_t device;
    uint64_t inode;
};
#define WALK_FLAGS (FTW_PHYS | FTW_MOUNT | FTW_DEPTH | FTW_ACTIONRETVAL) /* FTW_CHDIR is libc's */

static int look(const struct walk *walk, bool at_link, union about *out)
{
    if (walk->wide) return (at_link ? lstat64 : stat64)(walk->path, &out->large);
    return (at_link ? lstat : stat)(walk->path, &out->plain);
}

static int visit(const struct walk *walk, const union about *about, int type, struct FTW *place)
{
    return walk->wide ? ((visit_function64)walk->visit)(walk->path, &about->large, type, place)
                      : ((visit_function)walk->visit)(walk->path, &about->plain, type, place);
}

static bool asks(const struct walk *walk, int result, int action)
{
    return (walk->flags & FTW_ACTIONRETVAL) && result == action;
}

static struct place place_of(const struct walk *walk, const union about *about)
{
    return walk->wide ? (struct place){ about->large.st_dev, about->large.st_ino }
                      : (struct place){ about->plain.st_dev, about->plain.st_ino };
}

static int compare_places(const void *a, const void *b)
{
    const struct place *one = a, *other = b;

    if (one->device != other->device) return one->device < other->device ? -1 : 1;
    return one->inode == other->inode ? 0 : one->inode < other->inode ? -1 : 1;
}

/* Links of /sys lead in circles: who follows them is shown each directory once, as libc has it. 1: this is the first time; 0; or -1. */
static int is_first(struct walk *walk, const union about *about)
{
    struct place *fresh, **found;

    if (walk->flags & FTW_PHYS) return 1;
    fresh = malloc(sizeof(*fresh));
    if (!fresh) return -1;
    *fresh = place_of(walk, about);
    found = tsearch(fresh, &walk->seen, compare_places);
    if (found && *found == fresh) return 1;
    free(fresh);
    return found ? 0 : -1;
}

/* FTW_MOUNT: is it in another file system? What the kernel has not is ours, and in none. */
static bool is_elsewhere(const struct walk *walk, const union about *about)
{
    return (walk->flags & FTW_MOUNT) && place_of(walk, about).device != walk->device &&
           sys_call(SYS_faccessat, AT_FDCWD, walk->path, 0) == 0;
}

static int walk_one(struct walk *walk, int base, int level);

static int walk_inside(struct walk *walk, DIR *dir, int level)
{
    size_t size = walk->size, length;
    struct dirent64 *entry;
    int result = 0;

    while (!result && (entry = readdir64(dir))) {
        length = strlen(entry->d_name);
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (size + length + 2 > PATH_MAX) break;
        walk->path[size] = '/';
        memcpy(walk->path + size + 1, entry->d_name, length + 1);
        walk->size = size + 1 + length;
        result = walk_one(walk, (int)size + 1, level + 1);
        if (asks(walk, result, FTW_SKIP_SUBTREE)) result = 0;
    }
    walk->size = size;
    walk->path[size] = 0;
    return asks(walk, result, FTW_SKIP_SIBLINGS) ? 0 : result;
}

static int walk_one(struct walk *walk, int base, int level)
{
    struct FTW place = { base, level };
    bool physical = walk->flags & FTW_PHYS, late = walk->flags & FTW_DEPTH;
    union about about = { 0 };
    DIR *dir;
    int result = 0, first;
    unsigned mode;

    if (look(walk, physical, &about) < 0)
        return visit(walk, &about, !physical && look(walk, true, &about) == 0 ? FTW_SLN : FTW_NS, &place);
    if (is_elsewhere(walk, &about)) return 0;
    mode = walk->wide ? about.large.st_mode : about.plain.st_mode;
    if (!S_ISDIR(mode)) return visit(walk, &about, S_ISLNK(mode) ? FTW_SL : FTW_F, &place);
    first = is_first(walk, &about);
    if (first <= 0) return first;
    dir = opendir(walk->path);
    if (!dir) return visit(walk, &about, FTW_DNR, &place);
    if (!late) result = visit(walk, &about, FTW_D, &place);
    if (!result) result = walk_inside(walk, dir, level);
    closedir(dir);
    return late && !result ? visit(walk, &about, FTW_DP, &place) : result;
}

/* From `path` on: what the walk's function returned last. */
static int walk_all(struct walk *walk, const char *path)
{
    union about about;
    const char *base;
    int result;

    walk->size = strlen(path);
    if (walk->size >= PATH_MAX) return (int)edge(-ENAMETOOLONG);
    memcpy(walk->path, path, walk->size + 1);
    while (walk->size > 1 && walk->path[walk->size - 1] == '/')
        walk->path[--walk->size] = 0;
    if (look(walk, walk->flags & FTW_PHYS, &about) < 0 && look(walk, true, &about) < 0) return -1;
    walk->device = place_of(walk, &about).device;
    base = strrchr(walk->path, '/');
    result = walk_one(walk, base ? (int)(base - walk->path) + 1 : 0, 0);
    tdestroy(walk->seen, free);
    return asks(walk, result, FTW_SKIP_SUBTREE) || asks(walk, result, FTW_SKIP_SIBLINGS) ? 0 : result;
}

EXPORT int nftw(const char *path, visit_function function, int fds, int flags)
{
    struct walk walk = { .visit = (void *)function, .flags = flags };

    if (!is_near(AT_FDCWD, path) || (flags & ~WALK_FLAGS)) return real.nftw(path, function, fds, flags);
    return walk_all(&walk, path);
}

EXPORT int nftw64(const char *path, visit_function64 function, int fds, int flags)
{
    struct walk walk = { .wide = true, .visit = (void *)function, .flags = flags };

    if (!is_near(AT_FDCWD, path) || (flags & ~WALK_FLAGS)) return real.nftw64(path, function, fds, flags);
    return walk_all(&walk, path);
}
