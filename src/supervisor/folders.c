/* supervisor/folders.c - see folders.h. Two supervisors of an instance may work on the same directory: what one has made or removed the other finds so. */
/* prefix: folder_ */
#include "supervisor/folders.h"
#include "sockets/procdir.h"
#include "sockets/procfs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 4096u /* in a directory; of more, the first are seen */

/* What is to be seen. */
static struct name {
    char text[NAME_MAX + 1];
    mode_t type; /* S_IFMT; 0: ours, and not asked yet */
    bool kept;   /* it is there already */
} names[NAMES_MAX];
static size_t names_count;

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void add(const char *text, size_t size, mode_t type)
{
    struct name *name = &names[names_count];

    if (names_count == NAMES_MAX || !size || size > NAME_MAX) return;
    memcpy(name->text, text, size);
    name->text[size] = 0;
    name->type = type;
    name->kept = false;
    names_count++;
}

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

/* The kernel's come first, for those that it has, too. */
static void gather(const char *path, const char *kernels)
{
    DIR *dir = kernels ? opendir(kernels) : NULL;
    struct procfs_names ours;
    struct dirent *entry;

    names_count = 0;
    while (dir && (entry = readdir(dir)))
        if (!is_dots(entry->d_name)) add(entry->d_name, strlen(entry->d_name), DTTOIF(entry->d_type));
    if (dir) closedir(dir);
    if (procfs_list(AT_FDCWD, path, &ours)) return;
    for (const char *at = ours.text, *end = at + ours.size, *line; at < end; at = line + 1) {
        line = memchr(at, '\n', (size_t)(end - at));
        if (!line) line = end;
        add(at, (size_t)(line - at), 0);
    }
    procfs_unlist(&ours);
}

/* Marks what is there, and removes what is to be seen no more. */
static void compare_with(int fd)
{
    DIR *dir = fdopendir(dup(fd));
    struct dirent *entry;
    struct name wanted, *found;

    if (!dir) return;
    rewinddir(dir);
    while ((entry = readdir(dir))) {
        if (is_dots(entry->d_name)) continue;
        memcpy(wanted.text, entry->d_name, strlen(entry->d_name) + 1);
        found = bsearch(&wanted, names, names_count, sizeof(*names), compare);
        if (found)
            found->kept = true;
        else if (unlinkat(fd, entry->d_name, 0) < 0)
            unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

static void make(int fd, const char *path, const struct name *name)
{
    char whole[PATH_MAX], known[PROCFS_PATH];
    struct procfs_stat about;
    mode_t type = name->type;
    int made;

    snprintf(whole, sizeof(whole), "%s/%s", path, name->text);
    if (!type && procfs_look(AT_FDCWD, whole, false, &about, known) == 0) type = about.mode & S_IFMT;
    if (type == S_IFDIR) {
        mkdirat(fd, name->text, 0755);
    } else if (type == S_IFLNK) { // nobody follows it: paths come to us
        if (symlinkat(whole, fd, name->text) < 0) return;
    } else {
        made = openat(fd, name->text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (made >= 0) close(made);
    }
}

static void fill(int fd, const char *path, const char *kernels)
{
    gather(path, kernels);
    qsort(names, names_count, sizeof(*names), compare);
    compare_with(fd);
    for (size_t i = 0; i < names_count; i++)
        if (!names[i].kept) make(fd, path, &names[i]);
}

/* The stand-in, made if need be: a descriptor or -errno. */
static int reach(const char *path)
{
    char name[PROCDIR_NAME];
    int fd;

    if (!procdir_full_name(path, name)) return -ENAMETOOLONG;
    if (mkdir(name, 0755) < 0 && errno != EEXIST) return -errno;
    fd = open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    return fd;
}

int folder_open(const char *path, const char *kernels, int flags)
{
    const int kept = O_NONBLOCK | O_PATH;
    int fd = reach(path), opened;

    if (fd < 0) return fd;
    fill(fd, path, kernels);
    opened = openat(fd, ".", (flags & kept) | O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) opened = -errno;
    close(fd);
    return opened;
}
