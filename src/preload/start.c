/* preload/start.c - what happens when the library is loaded, and in the child of fork(). */
#include "preload/exec.h"
#include "preload/fds.h"
#include "preload/loader.h"
#include "preload/real.h"
#include "base/sys.h"
#include "sockets/door.h"
#include "sockets/fdtab.h"
#include "sockets/packet_ring.h"
#include "sockets/process.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

/* prefix: door_ fork __fork pocketcan_library start_mark */

#define POLL_AT_ONCE 256
#define POLLED_MAX   1024

int door_wait(int fd)
{
    char token;
    int saved = errno, result = 0;

    if (real.recv(fd, &token, 1, MSG_PEEK) < 0) result = -errno;
    errno = saved;
    return result;
}

/* Without /proc: descriptors are found with one poll per 256, POLLNVAL says which are not open. */
static void adopt_polled(void)
{
    struct pollfd fds[POLL_AT_ONCE];

    for (int first = 0; first < POLLED_MAX; first += POLL_AT_ONCE) {
        struct timespec now = { 0, 0 };
        for (int i = 0; i < POLL_AT_ONCE; i++)
            fds[i] = (struct pollfd){ .fd = first + i };
        if (sys_call(SYS_ppoll, fds, POLL_AT_ONCE, &now, NULL, 0) < 0) return; /* more than RLIMIT_NOFILE */
        for (int i = 0; i < POLL_AT_ONCE; i++)
            if (!(fds[i].revents & POLLNVAL)) fds_adopt(first + i);
    }
}

/* A name in /proc/self/fd. -1 for "." and "..". */
static int number_of(const char *name)
{
    int number = 0;

    for (; *name; name++) {
        if (*name < '0' || *name > '9') return -1;
        number = number * 10 + (*name - '0');
    }
    return number;
}

/* What exec left open. */
static void adopt_inherited(void)
{
    _Alignas(8) char entries[2048]; /* struct linux_dirent64: 8 inode, 8 offset, 2 length, 1 type, name */
    long dir = sys_call(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), size;
    uint16_t length;

    if (dir < 0) {
        adopt_polled();
        return;
    }
    while ((size = sys_call(SYS_getdents64, dir, entries, sizeof(entries))) > 0)
        for (const char *at = entries; at < entries + size; at += length) {
            memcpy(&length, at + 16, sizeof(length));
            int fd = number_of(at + 19);
            if (fd >= 0 && fd != dir) fds_adopt(fd);
        }
    sys_call(SYS_close, dir);
}

/* path = first + second, if it fits. */
static bool join(char *path, size_t room, const char *first, const char *second)
{
    size_t head = strlen(first), tail = strlen(second);

    if (head + tail >= room) return false;
    memcpy(path, first, head + 1);
    memcpy(path + head, second, tail + 1);
    return true;
}

/* $XDG_RUNTIME_DIR, when it is ours: sudo and su may leave that of another user in the environment. */
static const char *runtime_dir(uint32_t uid)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    struct statx about;

    if (!dir || *dir != '/' || sys_call(SYS_statx, AT_FDCWD, dir, 0, STATX_UID, &about) != 0) return NULL;
    return about.stx_uid == uid ? dir : NULL;
}

/* $POCKETCAN_DIR, else $XDG_RUNTIME_DIR/pocketcan, else /tmp/pocketcan-UID; before these two the system-wide instance (process.c). */
static void name_instance(void)
{
    const char *dir = getenv("POCKETCAN_DIR"), *runtime;
    char path[112], digits[12], *digit = digits + sizeof(digits) - 1;
    uint32_t uid = (uint32_t)sys_call6(SYS_geteuid, 0, 0, 0, 0, 0, 0);

    if (dir && *dir) {
        process_set_dir(dir, true);
        return;
    }
    runtime = runtime_dir(uid);
    *digit = 0;
    do
        *--digit = (char)('0' + uid % 10);
    while (uid /= 10);
    if (runtime ? join(path, sizeof(path), runtime, "/pocketcan")
                : join(path, sizeof(path), "/tmp/pocketcan-", digit))
        process_set_dir(path, false);
}

/* Marks the library: two copies may be loaded, one by LD_PRELOAD and another one by /etc/ld.so.preload. The first one serves. */
EXPORT extern const char pocketcan_library[];
const char pocketcan_library[] = "pocketcan";
extern const char start_mark[sizeof(pocketcan_library)]
    __attribute__((alias("pocketcan_library"), visibility("hidden")));

static bool is_second(void)
{
    const char *first = dlsym(RTLD_DEFAULT, "pocketcan_library");
    return first && first != start_mark;
}

/* POCKETCAN_DIR=- says so; and a program that gains rights by being executed, which only /etc/ld.so.preload lets us into, must not
 * take in what the environment of its caller says, nor share memory with him. */
static bool is_kept_out(void)
{
    const char *dir = getenv("POCKETCAN_DIR");

    return getauxval(AT_SECURE) || (dir && dir[0] == '-' && !dir[1]) || is_second();
}

__attribute__((constructor)) static void start(void)
{
    real_resolve();
    fdtab_own();
    if (is_kept_out()) {
        process_disable();
        return;
    }
    exec_prepare();
    loader_prepare();
    name_instance();
    adopt_inherited();
}

__attribute__((destructor)) static void end(void) { fds_finish(); }

EXPORT pid_t fork(void)
{
    pid_t pid = real.fork();

    if (pid == 0) {
        fdtab_own();
        packet_ring_forked();
    }
    return pid;
}

pid_t __fork(void);
EXPORT pid_t __fork(void) { return fork(); }
