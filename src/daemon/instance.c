/* daemon/instance.c - the instance directory.
 *
 * What lies in it, all made by the daemon and removed by it:
 *   ctl            socket of the daemon (sockets/ctl.h)
 *   lock           flock()ed while any process of the daemon lives: when it is free, the rest is stale
 *   s/             addresses of the CAN sockets, SLOT.GEN
 *   made           the directory did not exist before: it goes with the instance
 *   version        what made this: read to say clearly that two versions do not mix
 *   modprobe.conf  lets kmod's own modprobe succeed for the CAN modules, see cli/shim_modprobe.c
 *
 * The directory is a boundary of trust: whoever can enter it can join the bus. So it has to be a real
 * directory (no symbolic link somebody may have put into /tmp), owned by us and closed to others. Root may
 * use what belongs to another: it can anyway. */
#include "daemon/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <linux/magic.h>
#include <unistd.h>
#include "bus/layout.h"
#include "config.h"
#include "daemon/system.h"
#include "sockets/ctl.h"
#include "sockets/process.h"

int instance_fail(struct instance *instance, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(instance->why, sizeof(instance->why), format, args);
    va_end(args);
    return error;
}

/* ---- where
 * ---------------------------------------------------------------------------------------------------- */

int instance_name(struct instance *instance, const char *dir)
{
    char path[4096];
    int length;

    if (dir[0] == '/') {
        length = snprintf(path, sizeof(path), "%s", dir);
    } else {
        char cwd[2048];
        if (!getcwd(cwd, sizeof(cwd)))
            return instance_fail(instance, -errno,
                                 "POCKETCAN_DIR=%.100s is relative and the working directory is gone: "
                                 "give an absolute path",
                                 dir);
        length = snprintf(path, sizeof(path), "%s/%s", cwd, dir);
    }
    while (length > 1 && length < (int)sizeof(path) && path[length - 1] == '/')
        path[--length] = 0;
    if (length > (int)INSTANCE_DIR_MAX)
        return instance_fail(instance, -ENAMETOOLONG,
                             "the instance directory %.60s... is %d bytes long, socket names leave room "
                             "for %d: set POCKETCAN_DIR to a shorter path",
                             path, length, (int)INSTANCE_DIR_MAX);
    if (length == 1)
        return instance_fail(instance, -EINVAL,
                             "POCKETCAN_DIR=%.100s is no directory of its own: choose another", dir);
    memcpy(instance->dir, path, (size_t)length + 1);
    return 0;
}

/* $XDG_RUNTIME_DIR when it can be used: sudo and su leave that of another user in the environment. */
static const char *runtime_dir(size_t suffix_size)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    struct stat st;

    if (!dir || dir[0] != '/' || strlen(dir) + suffix_size > INSTANCE_DIR_MAX) return NULL;
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || access(dir, W_OK) < 0)
        return NULL;
    return dir;
}

/* The system-wide instance if we may use it: root may make it, too. */
static const char *system_dir(void)
{
    return process_system_dir() || (geteuid() == 0 && system_is_installed()) ? PROCESS_SYSTEM_DIR : NULL;
}

int instance_locate(struct instance *instance)
{
    const char *dir = getenv("POCKETCAN_DIR");
    char path[INSTANCE_DIR_MAX + 32];

    if (dir && !strcmp(dir, "-"))
        return instance_fail(instance, -EINVAL, "POCKETCAN_DIR=- means no instance: unset it to use one");
    if (dir && dir[0]) return instance_name(instance, dir);
    dir = system_dir();
    if (dir) return instance_name(instance, dir);
    dir = runtime_dir(sizeof("/pocketcan"));
    if (dir)
        snprintf(path, sizeof(path), "%s/pocketcan", dir);
    else
        snprintf(path, sizeof(path), "/tmp/pocketcan-%u", (unsigned)geteuid());
    return instance_name(instance, path);
}

/* ---- whose
 * ---------------------------------------------------------------------------------------------------- */

/* The one who made the directory says so in it: many may start at once, and it is not always that one who
 * starts the daemon. */
static void mark_made(const struct instance *instance)
{
    char path[INSTANCE_DIR_MAX + 16];
    snprintf(path, sizeof(path), "%s/made", instance->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

/* Does the file begin with this text? 1 or 0; -1 when it is not there. */
static int begins_with(const char *path, const char *text)
{
    char have[16] = "";
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0) return errno == ENOENT ? -1 : 0;
    ssize_t size = read(fd, have, sizeof(have));
    close(fd);
    return size >= (ssize_t)strlen(text) && !memcmp(have, text, strlen(text));
}

static bool is_our_name(const char *name)
{
    static const char *const ours[] = { ".", "..",  "lock",          "made", "version",
                                        "s", "ctl", "modprobe.conf", "new",  "d" };

    for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (!strcmp(name, ours[i])) return true;
    return false;
}

/* Is it an instance's directory, or may it become one? What lies in it is removed at the end, so it must not be anybody's data: it
 * has our version file, or is empty, or one that was killed while it filled the directory left it so, with its lock. The lock is the
 * first file of an instance: whatever else of it the scan saw, the lock was there before, so it is looked for after the scan. */
static bool looks_like_instance(const char *path)
{
    char file[INSTANCE_DIR_MAX + 16];
    unsigned ours = 0, others = 0;
    int version;

    snprintf(file, sizeof(file), "%s/version", path);
    version = begins_with(file, "pocketcan");
    if (version >= 0) return version;
    DIR *dir = opendir(path);
    if (!dir) return errno == ENOENT; /* it went meanwhile: not for this reason */
    for (struct dirent *entry; (entry = readdir(dir));)
        *(is_our_name(entry->d_name) ? &ours : &others) += 1;
    closedir(dir);
    snprintf(file, sizeof(file), "%s/lock", path);
    return !others && (ours <= 3 || access(file, F_OK) == 0); /* ".", "..", and `made` */
}

/* An instance that ends takes its lock away last: a second look finds nothing of it. */
static bool is_instance(const char *path)
{
    for (int looks = 0; looks < 2; looks++)
        if (looks_like_instance(path)) return true;
    return false;
}

int instance_enter(struct instance *instance, bool make)
{
    struct stat st;

    if (make && mkdir(instance->dir, 0700) == 0) {
        if (chmod(instance->dir, 0700) < 0) /* an umask that takes our own bits */
            return instance_fail(instance, -errno, "%s: %s", instance->dir, strerror(errno));
        mark_made(instance);
    } else if (make && errno != EEXIST) {
        return instance_fail(instance, -errno,
                             "cannot make %s: %s: set POCKETCAN_DIR to a directory you can write to",
                             instance->dir, strerror(errno));
    }
    if (lstat(instance->dir, &st) < 0 && errno == ENOENT)
        return instance_fail(instance, -ENOENT, "no instance runs in %s: start it with `pocketcan up`",
                             instance->dir);
    if (lstat(instance->dir, &st) < 0)
        return instance_fail(instance, -errno, "%s: %s: set POCKETCAN_DIR to a directory of your own",
                             instance->dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return instance_fail(instance, -ENOTDIR, "%s is %s, not a directory: remove it or set POCKETCAN_DIR",
                             instance->dir, S_ISLNK(st.st_mode) ? "a symbolic link" : "a file");
    if (st.st_uid != geteuid() && (geteuid() != 0 || (make && !system_owns(instance->dir))))
        return instance_fail(instance, -EACCES,
                             "%s belongs to uid %u, not to you: set POCKETCAN_DIR to a directory of your own",
                             instance->dir, (unsigned)st.st_uid);
    if (!is_instance(instance->dir))
        return instance_fail(
            instance, -ENOTEMPTY,
            "%s is not empty and no pocketcan instance: set POCKETCAN_DIR to a directory of its own",
            instance->dir);
    if (st.st_mode & 077)
        return instance_fail(instance, -EACCES,
                             "%s is open to others (mode %04o): run `chmod 700 %s` or set POCKETCAN_DIR",
                             instance->dir, (unsigned)st.st_mode & 07777, instance->dir);
    return 0;
}

/* /dev/shm where it is what it is meant to be: making a socket's name in memory takes a tenth of the time it takes on a disk. */
static const char *shm_dir(void)
{
    struct statfs fs;

    return statfs("/dev/shm", &fs) == 0 && fs.f_type == TMPFS_MAGIC && access("/dev/shm", W_OK) == 0
               ? "/dev/shm"
               : NULL;
}

int instance_make_private(struct instance *instance)
{
    static const char suffix[] = "/pocketcan-XXXXXX";
    const char *dirs[] = { runtime_dir(sizeof(suffix)), getenv("TMPDIR"), shm_dir(), "/tmp" };
    int error = ENOENT;

    for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        if (!dirs[i] || dirs[i][0] != '/' || strlen(dirs[i]) + sizeof(suffix) > INSTANCE_DIR_MAX) continue;
        snprintf(instance->dir, sizeof(instance->dir), "%s%s", dirs[i], suffix);
        if (mkdtemp(instance->dir)) {
            mark_made(instance);
            return 0;
        }
        error = errno;
    }
    return instance_fail(
        instance, -error,
        "cannot make a private instance below $XDG_RUNTIME_DIR, $TMPDIR, /dev/shm or /tmp: %s: "
        "set TMPDIR to a directory you can write to",
        strerror(error));
}

/* ---- what lies in it
 * ------------------------------------------------------------------------------------------ */

/* Writes a small file so that a reader sees all of it or the old one. */
static int write_file(int dir_fd, const char *name, const char *text)
{
    int fd = openat(dir_fd, "new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    ssize_t size = (ssize_t)strlen(text);
    int error = write(fd, text, (size_t)size) == size ? 0 : -EIO;
    close(fd);
    if (!error && renameat(dir_fd, "new", dir_fd, name) < 0) error = -errno;
    return error;
}

static void version_text(char *out, size_t size)
{
    snprintf(out, size, "pocketcan %s layout %u ctl %u\n", POCKETCAN_VERSION, LAYOUT_VERSION, CTL_VERSION);
}

int instance_check_version(struct instance *instance)
{
    char path[INSTANCE_DIR_MAX + 16], have[128] = "", want[128];
    snprintf(path, sizeof(path), "%s/version", instance->dir);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return 0;
    ssize_t size = read(fd, have, sizeof(have) - 1);
    close(fd);
    version_text(want, sizeof(want));
    if (size == (ssize_t)strlen(want) && !memcmp(have, want, (size_t)size)) return 0;
    for (ssize_t i = 0; i < size; i++)
        if (have[i] < ' ' || have[i] > '~') have[i] = 0;
    want[strlen(want) - 1] = 0;
    return instance_fail(
        instance, -EPROTO,
        "%s runs another version (\"%.60s\", this is \"%s\"): restart it with `pocketcan down`",
        instance->dir, have, want);
}

const char *const instance_modules[] = { "can",     "can_raw", "can_bcm", "can_gw", "can_isotp", "can_j1939",
                                         "can_dev", "vcan",    "vxcan",   "slcan",  NULL };

/* modprobe.conf: what kmod's modprobe is told by MODPROBE_OPTIONS. */
static void modprobe_conf(char *text, size_t room)
{
    int used = snprintf(
        text, room, "# Inside a pocketcan instance the CAN modules are always there. See pocketcan(1).\n");

    for (unsigned i = 0; instance_modules[i]; i++)
        used += snprintf(text + used, room - (size_t)used, "install %s /bin/true\nremove %s /bin/true\n",
                         instance_modules[i], instance_modules[i]);
}

static int open_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return -errno;
    return fd;
}

/* Removes the entries of directory `name` below dir_fd, and it. Never follows a link. */
static void remove_tree(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir) {
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && unlinkat(fd, entry->d_name, 0) < 0)
            remove_tree(fd, entry->d_name);
    closedir(dir);
    unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static void remove_files(int dir_fd)
{
    static const char *const names[] = { "ctl", "version", "modprobe.conf", "new" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlinkat(dir_fd, names[i], 0);
    remove_tree(dir_fd, "s");
    remove_tree(dir_fd, "d");
}

int instance_fill(struct instance *instance)
{
    char version[128], conf[1024];
    int dir_fd = open_dir(instance->dir), error = 0;

    if (dir_fd < 0) return instance_fail(instance, dir_fd, "%s: %s", instance->dir, strerror(-dir_fd));
    remove_files(dir_fd);
    version_text(version, sizeof(version));
    modprobe_conf(conf, sizeof(conf));
    if (mkdirat(dir_fd, "s", 0700) < 0 || mkdirat(dir_fd, "d", 0700) < 0) error = -errno;
    if (!error) error = write_file(dir_fd, "modprobe.conf", conf);
    if (!error) error = write_file(dir_fd, "version", version);
    close(dir_fd);
    return error ? instance_fail(instance, error,
                                 "cannot write to %s: %s: set POCKETCAN_DIR to another directory",
                                 instance->dir, strerror(-error))
                 : 0;
}

void instance_remove(const struct instance *instance)
{
    int dir_fd = open_dir(instance->dir);
    if (dir_fd < 0) return;
    /* A client may be opening a socket just now: then there is one more name to remove. */
    for (int tries = 0; tries < 100; tries++) {
        remove_files(dir_fd);
        if (faccessat(dir_fd, "s", F_OK, AT_SYMLINK_NOFOLLOW) < 0) break;
    }
    bool made = unlinkat(dir_fd, "made", 0) == 0;
    unlinkat(dir_fd, "lock", 0);
    close(dir_fd);
    if (made) rmdir(instance->dir);
}
