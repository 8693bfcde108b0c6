/* sockets/procfs.c - which paths may be ours, asking the daemon for their text, and the memfd that holds it. Keeps no state. Only raw system
 * calls: it runs inside open(2) of other people's programs. */
#include "sockets/procfs.h"
#include "base/sys.h"
#include "sockets/ctl.h"
#include "sockets/door.h"
#include "sockets/procdir.h"
#include "sockets/process.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_MAJOR 124 /* of no device that the kernel has */
#define PROC_MINOR 160
#define TEXT_MAX   (1024u * 1024) /* what the daemon answers at most, and a file of the kernel's before it */

/* ---- paths ---- */

static bool has_prefix(const char **path, const char *prefix)
{
    size_t size = strlen(prefix);

    if (strncmp(*path, prefix, size)) return false;
    *path += size;
    return true;
}

/* "self", "thread-self" or a number: whose it is makes no difference. */
static bool skip_process(const char **path)
{
    const char *at = *path;

    if (has_prefix(path, "self/") || has_prefix(path, "thread-self/")) return true;
    while (*at >= '0' && *at <= '9')
        at++;
    if (at == *path || *at != '/') return false;
    *path = at + 1;
    return true;
}

/* Several names lead to the same file: finds the one that the daemon knows, without "//" and a '/' at the end. */
static bool canonical(const char *path, char out[CTL_SHOW_PATH_MAX + 1], bool *is_device)
{
    const char *name, *rest = path;
    size_t used;

    if (has_prefix(&rest, "/proc/")) {
        name = "/proc/";
        if (skip_process(&rest) && strncmp(rest, "net", 3)) return false;
        if (strncmp(rest, "net", 3) && strcmp(rest, "modules")) return false;
    } else if ((*is_device = has_prefix(&rest, "/sys/devices/virtual/net")) ||
               has_prefix(&rest, "/sys/class/net")) {
        name = "/sys/class/net";
    } else if (has_prefix(&rest, "/sys/module")) {
        name = "/sys/module";
    } else {
        return false;
    }
    used = strlen(name);
    memcpy(out, name, used);
    for (; *rest; rest++) {
        if (rest[0] == '/' && (rest[1] == '/' || !rest[1])) continue;
        if (used == CTL_SHOW_PATH_MAX) return false;
        out[used++] = *rest;
    }
    out[used] = 0;
    return true;
}

/* ---- text ---- */

struct text {
    char *memory; /* TEXT_MAX bytes; NULL: none */
    size_t size;
    enum ctl_show_kind kind;
    char path[CTL_SHOW_PATH_MAX + 1];
    bool is_device; /* it was asked for below /sys/devices, where the links of /sys/class/net lead to */
};

static void release(struct text *text)
{
    if (text->memory) sys_call(SYS_munmap, text->memory, TEXT_MAX);
    text->memory = NULL;
}

/* Does its last part say that it is a directory: "", "." or ".."? */
static bool ends_as_directory(const char *path)
{
    const char *last = path + strlen(path);

    while (last > path && last[-1] != '/')
        last--;
    return !last[strspn(last, ".")] && strlen(last) <= 2;
}

/* Absolute, and without "." and ".." if it has any. */
static bool is_resolved(int dir, const char *path, char whole[PROCDIR_PATH])
{
    char root[PROCDIR_NAME] = "";

    if (path[0] == '/') return procdir_join(root, 0, path, whole) == 0;
    return procdir_resolve(dir, path, whole) == 0;
}

/* Asks; the answer's text lies behind its kind, at memory + 1. 0; PROCFS_FOREIGN; what read(2) says of an attribute that has no value: -EINVAL, -EOPNOTSUPP. */
static int fetch(int dir, const char *path, enum ctl_show_request what, struct text *text)
{
    char request[1 + CTL_SHOW_PATH_MAX + 1] = { (char)what }, copy[PROCDIR_PATH], whole[PROCDIR_PATH];
    const struct bus *bus;
    bool is_folder;
    int error;

    text->memory = NULL;
    text->is_device = false;
    if (usermem_string(copy, path, sizeof(copy))) return PROCFS_FOREIGN;
    path = copy;
    is_folder = ends_as_directory(path);
    if (path[0] != '/' || strstr(path, "/.")) {
        if (!is_resolved(dir, path, whole)) return PROCFS_FOREIGN;
        path = whole;
    }
    if (!canonical(path, text->path, &text->is_device) || !process_has_instance()) return PROCFS_FOREIGN;
    bus = process_bus();
    if (!bus) return PROCFS_FOREIGN;
    memcpy(request + 1, text->path, sizeof(text->path));
    text->memory =
        sys_mmap(NULL, TEXT_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (sys_is_error(text->memory)) {
        text->memory = NULL;
        return -ENOMEM;
    }
    error = ctl_call(bus->dir, CTL_SHOW, request, 1 + strlen(text->path), -1, text->memory, TEXT_MAX,
                     &text->size, NULL, 0);
    if (!error && text->size) {
        text->kind = (enum ctl_show_kind)text->memory[0];
        if (text->kind == CTL_SHOW_LINK &&
            (is_folder || (text->is_device && !strchr(text->path + strlen("/sys/class/net/"), '/'))))
            text->kind = CTL_SHOW_DIR;
        return 0;
    }
    release(text);
    return error == -EINVAL || error == -EOPNOTSUPP ? error : PROCFS_FOREIGN;
}

/* ---- open(2) ---- */

static long write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        long done = sys_call(SYS_write, fd, bytes, size);
        if (done == -EINTR) continue;
        if (done < 0) return done;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* What the kernel has in that file; nothing is no error. */
static long copy_kernels(int fd, const char *path)
{
    char bytes[4096];
    long from = door_past(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), got, error = 0;

    if (from < 0) return 0;
    while (!error && ((got = sys_call(SYS_read, from, bytes, sizeof(bytes))) > 0 || got == -EINTR))
        if (got > 0) error = write_all(fd, bytes, (size_t)got);
    sys_call(SYS_close, from);
    return error;
}

/* The same file, but for reading only: fd keeps its number. Where there is no /proc it stays writable, which its seals forbid. */
static void make_readonly(int fd, int flags)
{
    char path[] = "/proc/self/fd/0123456789";
    int at = 14, digits = 1;
    long opened;

    for (int rest = fd; rest >= 10; rest /= 10)
        digits++;
    path[at + digits] = 0;
    for (int rest = fd; digits > 0; rest /= 10)
        path[at + --digits] = (char)('0' + rest % 10);
    opened = door_past(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | (flags & O_NONBLOCK), 0);
    if (opened < 0) {
        sys_call(SYS_lseek, fd, 0, SEEK_SET);
        if (!(flags & O_CLOEXEC)) sys_call(SYS_fcntl, fd, F_SETFD, 0);
        return;
    }
    sys_call(SYS_dup3, opened, fd, flags & O_CLOEXEC);
    sys_call(SYS_close, opened);
}

static int as_file(const struct text *text, int flags)
{
    int fd = (int)sys_call(SYS_memfd_create, "pocketcan-proc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    long error;

    if (fd < 0) return fd;
    error = text->kind == CTL_SHOW_MORE ? copy_kernels(fd, text->path) : 0;
    if (!error) error = write_all(fd, text->memory + 1, text->size - 1);
    if (error) {
        sys_call(SYS_close, fd);
        return (int)error;
    }
    sys_call(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    make_readonly(fd, flags);
    return fd;
}

static int check_flags(const struct text *text, int flags)
{
    bool is_link = text->kind == CTL_SHOW_LINK, is_directory = is_link || text->kind == CTL_SHOW_DIR;

    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return -EEXIST;
    if (is_link && (flags & O_NOFOLLOW)) return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC)) return is_directory ? -EISDIR : -EACCES;
    if (is_directory) return flags & O_CREAT ? -EISDIR : 0;
    return flags & O_DIRECTORY ? -ENOTDIR : 0;
}

int procfs_open(int dir, const char *path, int flags)
{
    bool reads = (flags & O_ACCMODE) == O_RDONLY && !(flags & O_PATH);
    struct text text;
    int result = fetch(dir, path, reads ? CTL_SHOW_READ : CTL_SHOW_LOOK, &text);

    if (!result) result = check_flags(&text, flags);
    if (!result && (text.kind == CTL_SHOW_DIR || text.kind == CTL_SHOW_LINK))
        result = procdir_open(text.path, flags);
    else if (!result)
        result = as_file(&text, flags);
    release(&text);
    return result;
}

/* ---- directories and links ---- */

_Static_assert(PROCFS_PATH > CTL_SHOW_PATH_MAX, "a canonical path");

int procfs_list(int dir, const char *path, struct procfs_names *out)
{
    struct text text;

    if (!path[0] && procdir_is_full(dir)) return PROCFS_FOREIGN;
    if (fetch(dir, path, CTL_SHOW_LIST, &text)) return PROCFS_FOREIGN;
    if (text.kind != CTL_SHOW_DIR) {
        release(&text);
        return PROCFS_FOREIGN;
    }
    out->text = text.memory + 1;
    out->size = text.size - 1;
    out->memory = text.memory;
    memcpy(out->path, text.path, sizeof(text.path));
    return 0;
}

void procfs_unlist(struct procfs_names *names) { sys_call(SYS_munmap, names->memory, TEXT_MAX); }

long procfs_readlink(int dir, const char *path, char *out, size_t size)
{
    struct text text;
    int error = fetch(dir, path, CTL_SHOW_LOOK, &text);
    long result = -EINVAL;

    if (error) return error;
    if (text.kind == CTL_SHOW_LINK && (int)size > 0) {
        result = (long)(text.size - 1 < size ? text.size - 1 : size);
        if (usermem_write(out, text.memory + 1, (size_t)result)) result = -EFAULT;
    }
    if (text.kind == CTL_SHOW_MORE) result = PROCFS_FOREIGN;
    release(&text);
    return result;
}

/* ---- access(2), stat(2) ---- */

/* FNV-1a: a number for each name, far from those that the kernel gives out. */
static uint64_t inode_of(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325ull;

    for (; *path; path++)
        hash = (hash ^ (unsigned char)*path) * 0x100000001b3ull;
    return hash >> 1 | 1ull << 62;
}

/* The kernel does not find what lies behind ".." when it begins in a directory that only we have. */
static int look_back(int dir, const char *path, struct procfs_stat *out, char canonical_path[PROCFS_PATH])
{
    char copy[PROCDIR_PATH], whole[PROCDIR_PATH];
    struct statx about;

    if (usermem_string(copy, path, sizeof(copy)) || !strstr(copy, "..") ||
        door_past(SYS_faccessat, dir, copy, 0, 0) == 0 || !is_resolved(dir, copy, whole) ||
        strlen(whole) >= PROCFS_PATH ||
        sys_call6(SYS_statx, AT_FDCWD, (long)whole, 0, STATX_BASIC_STATS, (long)&about, DOOR_COOKIE))
        return PROCFS_FOREIGN;
    *out = (struct procfs_stat){ .mode = about.stx_mode,
                                 .links = about.stx_nlink,
                                 .device_major = about.stx_dev_major,
                                 .device_minor = about.stx_dev_minor,
                                 .inode = about.stx_ino,
                                 .size = (uint32_t)about.stx_size };
    memcpy(canonical_path, whole, strlen(whole) + 1);
    return 0;
}

int procfs_look(int dir, const char *path, bool follow, struct procfs_stat *out,
                char canonical_path[PROCFS_PATH])
{
    struct text text;
    int error = fetch(dir, path, CTL_SHOW_LOOK, &text);
    uint32_t mode = S_IFREG | 0444;

    if (error && error != -EINVAL && error != -EOPNOTSUPP) return look_back(dir, path, out, canonical_path);
    if (!error && text.kind == CTL_SHOW_MORE && door_past(SYS_faccessat, AT_FDCWD, text.path, 0, 0) == 0) {
        release(&text);
        return PROCFS_FOREIGN;
    }
    if (!error && text.kind == CTL_SHOW_LINK && !follow)
        mode = S_IFLNK | 0777;
    else if (!error && (text.kind == CTL_SHOW_DIR || text.kind == CTL_SHOW_LINK))
        mode = S_IFDIR | (strncmp(text.path, "/sys/", 5) ? 0555 : 0755);
    out->mode = mode;
    out->links =
        1; /* of a directory it means "not counted"; with 2 find(1) would not look for more below it */
    out->size = strncmp(text.path, "/sys/", 5) ? 0 : S_ISREG(mode) ? 4096 : 0;
    out->device_major = PROC_MAJOR;
    out->device_minor = PROC_MINOR;
    out->inode = inode_of(text.path);
    memcpy(canonical_path, text.path, sizeof(text.path));
    release(&text);
    return 0;
}

/* A directory is what its stand-in is, so that who opens it finds the one he looked at. */
int procfs_stat(int dir, const char *path, bool follow, struct procfs_stat *out)
{
    struct procdir_identity stand_in;
    char name[PROCFS_PATH];
    int error = procfs_look(dir, path, follow, out, name);

    if (error || !S_ISDIR(out->mode) || out->device_major != PROC_MAJOR || procdir_identify(name, &stand_in))
        return error;
    out->device_major = stand_in.device_major;
    out->device_minor = stand_in.device_minor;
    out->inode = stand_in.inode;
    return 0;
}

int procfs_access(int dir, const char *path, int mode)
{
    char name[PROCFS_PATH];
    struct procfs_stat about;
    int error = procfs_look(dir, path, true, &about, name);

    if (error) return error;
    if ((mode & W_OK) || ((mode & X_OK) && !S_ISDIR(about.mode))) return -EACCES;
    return 0;
}
