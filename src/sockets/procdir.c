/* sockets/procdir.c - see procdir.h. Only raw system calls: it runs inside open(2) of other people's programs. */
#include "sockets/procdir.h"
#include "base/sys.h"
#include "sockets/door.h"
#include "sockets/process.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>

#define FOLDER      "/d/"
#define FOLDER_SIZE 3
#define SEPARATOR   ':' /* neither names of interfaces nor of files in /proc and /sys have one */
#define FULL        '=' /* before that */

/* DIR/d/:sys:class:net. False: too long. */
static bool name_stand_in(const char *path, bool full, char out[PROCDIR_NAME])
{
    size_t dir_size;
    const char *dir = process_dir(&dir_size);
    size_t at = dir_size + FOLDER_SIZE;

    if (!dir || at + full + strlen(path) >= PROCDIR_NAME) return false;
    memcpy(out, dir, dir_size);
    memcpy(out + dir_size, FOLDER, FOLDER_SIZE);
    if (full) out[at++] = FULL;
    for (; *path; path++)
        out[at++] = *path == '/' ? SEPARATOR : *path;
    out[at] = 0;
    return true;
}

bool procdir_full_name(const char *path, char out[PROCDIR_NAME]) { return name_stand_in(path, true, out); }

/* Makes it and opens it for `flags`. The instance's directory guards it; sudo's root and its user share it. */
static long open_stand_in(const char *path, int flags)
{
    char name[PROCDIR_NAME];
    long fd, error;

    if (!name_stand_in(path, false, name)) return -ENAMETOOLONG;
    fd = door_past(SYS_openat, AT_FDCWD, name, flags, 0);
    if (fd != -ENOENT) return fd;
    error = sys_call(SYS_mkdirat, AT_FDCWD, name, 0555);
    if (error && error != -EEXIST) return error;
    if (!error) sys_call(SYS_fchmodat, AT_FDCWD, name, 0555);
    return door_past(SYS_openat, AT_FDCWD, name, flags, 0);
}

int procdir_open(const char *path, int flags)
{
    const int kept = O_CLOEXEC | O_NONBLOCK | O_PATH | O_NOATIME;
    return (int)open_stand_in(path, (flags & kept) | O_RDONLY | O_DIRECTORY);
}

int procdir_identify(const char *path, struct procdir_identity *out)
{
    long fd = open_stand_in(path, O_PATH | O_DIRECTORY | O_CLOEXEC), error;
    struct statx about;

    if (fd < 0) return (int)fd;
    error = sys_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &about);
    sys_call(SYS_close, fd);
    if (!error) *out = (struct procdir_identity){ about.stx_dev_major, about.stx_dev_minor, about.stx_ino };
    return (int)error;
}

/* How many bytes of this name come before the first SEPARATOR; 0: it is no stand-in's. */
static size_t stand_in_head(const char *path, size_t size)
{
    size_t dir_size, head;
    const char *dir = process_dir(&dir_size);

    if (!dir) return 0;
    head = dir_size + FOLDER_SIZE;
    if (size <= head || memcmp(path, dir, dir_size) || memcmp(path + dir_size, FOLDER, FOLDER_SIZE)) return 0;
    if (path[head] == FULL && size > head + 1) head++;
    return path[head] == SEPARATOR ? head : 0;
}

bool procdir_translate(char *path, size_t size)
{
    size_t head = stand_in_head(path, size);

    if (!head) return false;
    path[size] = 0;
    memmove(path, path + head, size - head + 1);
    for (; *path; path++)
        if (*path == SEPARATOR) *path = '/';
    return true;
}

/* ---- where a directory is ---- */

static void append_number(char *at, unsigned number)
{
    char digits[10];
    unsigned count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *at++ = digits[--count];
    *at = 0;
}

/* The kernel's name of it; its size, or -errno. Without a '/' at the end. */
static long name_of(int dir, char *out, size_t room)
{
    char link[32] = "/proc/self/fd/";
    long size;

    if (dir == AT_FDCWD) {
        size = door_past(SYS_getcwd, out, room - 1, 0, 0) - 1; /* the terminating 0 counts */
    } else {
        append_number(link + strlen(link), (unsigned)dir);
        size = dir < 0 ? -EBADF : door_past(SYS_readlinkat, AT_FDCWD, link, out, room - 1);
    }
    if (size < 0 || size >= (long)room - 1 || out[0] != '/') return -ENOENT;
    if (size == 1) size = 0;
    out[size] = 0;
    return size;
}

/* Appends the parts of `path`; each ".." takes one off. False: no room. */
static bool append(char out[PROCDIR_PATH], size_t used, const char *path)
{
    for (;;) {
        size_t size;
        while (*path == '/')
            path++;
        size = strcspn(path, "/");
        if (!size) break;
        if (size == 2 && path[0] == '.' && path[1] == '.') {
            while (used > 0 && out[--used] != '/')
                ;
        } else if (size != 1 || path[0] != '.') {
            if (used + size + 2 > PROCDIR_PATH) return false;
            out[used++] = '/';
            memcpy(out + used, path, size);
            used += size;
        }
        path += size;
    }
    out[used] = 0;
    return true;
}

int procdir_join(char name[PROCDIR_NAME], size_t size, const char *path, char out[PROCDIR_PATH])
{
    if (procdir_translate(name, size)) size = strlen(name);
    if (size >= PROCDIR_PATH) return -ENOENT;
    memcpy(out, name, size);
    out[size] = 0;
    if (!append(out, size, path)) return -ENOENT;
    return strncmp(out, "/proc", 5) && strncmp(out, "/sys", 4) ? -ENOENT : 0;
}

int procdir_resolve(int dir, const char *path, char out[PROCDIR_PATH])
{
    char name[PROCDIR_NAME];
    long size = name_of(dir, name, sizeof(name));

    return size < 0 ? -ENOENT : procdir_join(name, (size_t)size, path, out);
}

bool procdir_is_full(int dir)
{
    char name[PROCDIR_NAME];
    long size = name_of(dir, name, sizeof(name));
    size_t head = size < 0 ? 0 : stand_in_head(name, (size_t)size);

    return head && name[head - 1] == FULL;
}
