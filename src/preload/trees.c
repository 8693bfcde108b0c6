/* preload/trees.c - nftw and ftw on /proc and /sys; see walks.c. Keeps no state. */
#include "preload/narrow.h"
#include "preload/real.h"
#include "preload/walks.h"
#include "base/sys.h"
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* prefix: nftw ftw __nftw __ftw */

/* Which struct stat the program has; all of them are one in 64-bit programs. */
enum about_kind { PLAIN, LARGE, LONG };

struct walk {
    enum about_kind kind;
    bool is_old; /* ftw(): its function takes three arguments */
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
    struct stat_wide long_time;
};

struct place {
    dev_t device;
    uint64_t inode;
};
#define WALK_FLAGS (FTW_PHYS | FTW_MOUNT | FTW_DEPTH | FTW_ACTIONRETVAL) /* FTW_CHDIR is libc's */

static int look(const struct walk *walk, bool at_link, union about *out)
{
#if __SIZEOF_LONG__ == 4
    if (walk->kind == LONG)
        return (at_link ? __lstat64_time64 : __stat64_time64)(walk->path, &out->long_time);
#endif
    if (walk->kind == LARGE) return (at_link ? lstat64 : stat64)(walk->path, &out->large);
    return (at_link ? lstat : stat)(walk->path, &out->plain);
}

/* The function never looks at what it is given but by its own type. ftw() knows neither links that lead nowhere nor directories after what is in them. */
static int visit(const struct walk *walk, const union about *about, int type, struct FTW *place)
{
    if (walk->is_old) {
        if (type == FTW_SLN) type = FTW_NS;
        return ((int (*)(const char *, const void *, int))walk->visit)(walk->path, about, type);
    }
    return ((int (*)(const char *, const void *, int, struct FTW *))walk->visit)(walk->path, about, type,
                                                                                 place);
}

static bool asks(const struct walk *walk, int result, int action)
{
    return (walk->flags & FTW_ACTIONRETVAL) && result == action;
}

static struct place place_of(const struct walk *walk, const union about *about)
{
    if (walk->kind == LONG) return (struct place){ about->long_time.st_dev, about->long_time.st_ino };
    return walk->kind == LARGE ? (struct place){ about->large.st_dev, about->large.st_ino }
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
    mode = walk->kind == LONG    ? about.long_time.st_mode
           : walk->kind == LARGE ? about.large.st_mode
                                 : about.plain.st_mode;
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

#define NFTW(name, type, about_kind)                                                                         \
    EXPORT int name(const char *path, int (*function)(const char *, const struct type *, int, struct FTW *), \
                    int fds, int flags)                                                                      \
    {                                                                                                        \
        struct walk walk = { .kind = about_kind, .visit = (void *)function, .flags = flags };                \
                                                                                                             \
        if (!walks_are_near(AT_FDCWD, path) || (flags & ~WALK_FLAGS))                                        \
            return real.name(path, function, fds, flags);                                                    \
        return walk_all(&walk, path);                                                                        \
    }

/* The older one follows links, and each directory comes before what is in it. */
#define FTW(name, type, about_kind)                                                                          \
    EXPORT int name(const char *path, int (*function)(const char *, const struct type *, int), int fds)      \
    {                                                                                                        \
        struct walk walk = { .kind = about_kind, .is_old = true, .visit = (void *)function };                \
                                                                                                             \
        return walks_are_near(AT_FDCWD, path) ? walk_all(&walk, path) : real.name(path, function, fds);      \
    }

NFTW(nftw, stat, PLAIN)
NFTW(nftw64, stat64, LARGE)
FTW(ftw, stat, PLAIN)
FTW(ftw64, stat64, LARGE)
#if __SIZEOF_LONG__ == 4
int __nftw64_time64(const char *path,
                    int (*function)(const char *, const struct stat_wide *, int, struct FTW *), int fds,
                    int flags);
int __ftw64_time64(const char *path, int (*function)(const char *, const struct stat_wide *, int), int fds);
NFTW(__nftw64_time64, stat_wide, LONG)
FTW(__ftw64_time64, stat_wide, LONG)
#endif
