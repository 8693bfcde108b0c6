/* walker WHAT PATH: what libc's own walks over directories find there, a line each. Plain C: it knows nothing of pocketcan. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_no_dot(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int print_names(int count, struct dirent **list)
{
    for (int i = 0; i < count; i++) {
        puts(list[i]->d_name);
        free(list[i]);
    }
    if (count >= 0) free(list);
    return count < 0;
}

static int by_scandir(const char *path)
{
    struct dirent **list = NULL;
    int count = scandir(path, &list, is_no_dot, alphasort);
    return print_names(count, list);
}

static int by_scandirat(const char *path)
{
    struct dirent **list = NULL;
    int dir = open("/sys/class", O_RDONLY | O_DIRECTORY),
        count = scandirat(dir, path, &list, is_no_dot, alphasort);
    close(dir);
    return print_names(count, list);
}

static int close_all(const struct dirent *entry)
{
    (void)entry;
    close_range(3, ~0u, 0);
    errno = ENOENT;
    return 1;
}

/* Of a directory that can be read no further. */
static int by_failing(const char *path)
{
    struct dirent **list = NULL;
    int count = scandir(path, &list, close_all, alphasort);

    if (count < 0) puts(strerrorname_np(errno));
    return print_names(count, list);
}

static int by_glob(const char *pattern)
{
    glob_t found;
    int result = glob(pattern, 0, NULL, &found);

    for (size_t i = 0; result == 0 && i < found.gl_pathc; i++)
        puts(found.gl_pathv[i]);
    globfree(&found);
    return result;
}

static int by_realpath(const char *path)
{
    char room[PATH_MAX], *result = realpath(path, room), *again = canonicalize_file_name(path);
    int same = result && again && !strcmp(result, again);

    puts(result ? result : strerrorname_np(errno));
    free(again);
    return !same;
}

static int show(const char *path, const struct stat *about, int type, struct FTW *place)
{
    static const char *const types[] = {
        [FTW_F] = "file",  [FTW_D] = "directory", [FTW_DNR] = "closed",  [FTW_NS] = "nothing",
        [FTW_SL] = "link", [FTW_DP] = "after",    [FTW_SLN] = "dangling"
    };
    printf("%d %s %s%s\n", place->level, types[type], path + place->base,
           S_ISREG(about->st_mode) && type != FTW_F ? "?" : "");
    return 0;
}

static int by_nftw(const char *path) { return nftw(path, show, 8, FTW_PHYS); }

static int by_following(const char *path) { return nftw(path, show, 8, 0); }

static int by_staying(const char *path) { return nftw(path, show, 8, FTW_PHYS | FTW_MOUNT); }

static int show_old(const char *path, const struct stat *about, int type)
{
    printf("%s %s%s\n",
           type == FTW_F   ? "file"
           : type == FTW_D ? "directory"
                           : "nothing",
           path, S_ISREG(about->st_mode) && type != FTW_F ? "?" : "");
    return 0;
}

static int by_ftw(const char *path) { return ftw(path, show_old, 8); }

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        int (*walk)(const char *);
    } table[] = { { "scandir", by_scandir },     { "scandirat", by_scandirat }, { "failing", by_failing },
                  { "glob", by_glob },           { "realpath", by_realpath },   { "nftw", by_nftw },
                  { "following", by_following }, { "staying", by_staying },     { "ftw", by_ftw } };

    for (size_t i = 0; argc == 3 && i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(table[i].name, argv[1])) return table[i].walk(argv[2]);
    return 2;
}
