/* sockets/process.c - attaching to the instance: once per process, by whoever needs it first, without locks.
 *
 * state is NONE, READY, or pid << 32 | tid of the thread that is attaching. Others wait for it, asleep. A failure goes back to
 * NONE, so that a program started before its instance finds it later. A child of fork() that inherits somebody else's attempt
 * begins anew; a signal handler inside the attempt of its own thread goes without. */
#include "sockets/process.h"
#include "base/sys.h"
#include "bus/attach.h"
#include "bus/far.h"
#include "sockets/ctl.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <time.h>

enum { NONE, READY };

#define DIR_SIZE     90
#define WAIT_STEP_NS 200000

static char instance_dir[DIR_SIZE];
static bool dir_chosen;
static _Atomic(void *) windows[SOCKETS_MAX];
#if DATA_IS_NARROW
static void *map_piece(const struct bus *bus, uint64_t offset, size_t size);
static struct far far;
static struct bus instance = { .far = &far, .map_piece = map_piece };
#else
static struct bus instance; /* control and data are set before state is READY */
#endif
static atomic_u64 state;

void process_set_dir(const char *dir, bool chosen)
{
    size_t size = dir ? strlen(dir) : 0;

    while (size > 1 && dir[size - 1] == '/')
        size--;
    if (size == 0 || size >= DIR_SIZE || dir[0] != '/') return;
    memcpy(instance_dir, dir, size);
    instance_dir[size] = 0;
    instance.dir = instance_dir;
    instance.dir_size = size;
    dir_chosen = chosen;
}

/* A directory that somebody else laid where ours would be leads to memory that he shares. */
static int check_dir(void)
{
    struct statx about;
    uint32_t uid = (uint32_t)sys_call6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
    long error =
        sys_call(SYS_statx, AT_FDCWD, instance.dir, AT_SYMLINK_NOFOLLOW, STATX_UID | STATX_MODE, &about);

    if (error) return (int)error;
    if (about.stx_uid != uid && !(uid == 0 && dir_chosen)) return -EPERM;
    return about.stx_mode & 022 ? -EPERM : 0;
}

static int hello(int fds[2])
{
    struct ctl_hello answer;
    size_t size = 0;
    int error;

    fds[0] = fds[1] = -1;
    error = ctl_call(instance_dir, CTL_HELLO, NULL, 0, -1, &answer, sizeof(answer), &size, fds, 2);
    if (!error && (size < sizeof(answer) || answer.layout_version != LAYOUT_VERSION)) error = -EPROTO;
    return error;
}

static void close_both(const int fds[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (fds[i] >= 0) sys_call(SYS_close, fds[i]);
}

static int attach(void)
{
    struct bus fresh = { .dir = instance.dir, .dir_size = instance.dir_size };
    int fds[2], error;

    if (!instance.dir) return -ENOENT;
    error = check_dir();
    if (error) return error;
    error = hello(fds);
    if (!error) error = attach_map(&fresh, fds[0], fds[1], false);
    close_both(fds);
    if (error) return error;
    instance.control = fresh.control;
    instance.data = fresh.data;
    return 0;
}

const struct bus *process_bus_attached(void)
{
    return likely(load_acquire(&state) == READY) ? &instance : NULL;
}

static uint64_t my_attempt(void)
{
    return (uint64_t)sys_call6(SYS_getpid, 0, 0, 0, 0, 0, 0) << 32 |
           (uint32_t)sys_call6(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/* Somebody is at it: false when it is ourselves. */
static bool wait_for(uint64_t attempt, uint64_t mine)
{
    struct timespec moment = { 0, WAIT_STEP_NS };

    if (attempt == mine) return false;
    if (attempt >> 32 != mine >> 32)
        cas64(&state, attempt, NONE); /* inherited: it ended with the fork */
    else
        sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &moment, NULL);
    return true;
}

const struct bus *process_bus(void)
{
    uint64_t now, mine = 0;
    int error;

    while (unlikely((now = load_acquire(&state)) != READY)) {
        if (!mine) mine = my_attempt();
        if (now != NONE) {
            if (!wait_for(now, mine)) return NULL;
            continue;
        }
        if (!cas64(&state, NONE, mine)) continue;
        error = attach();
        store_release(&state, error ? NONE : READY);
        if (error) return NULL;
    }
    return &instance;
}

bool process_has_instance(void)
{
    char path[DIR_SIZE + 4];

    if (load_acquire(&state) == READY) return true;
    if (!instance.dir) return false;
    memcpy(path, instance.dir, instance.dir_size);
    memcpy(path + instance.dir_size, "/ctl", 5);
    return sys_call(SYS_faccessat, AT_FDCWD, path, 0) == 0;
}

const char *process_dir(size_t *size)
{
    *size = instance.dir_size;
    return instance.dir;
}

#if DATA_IS_NARROW
static void *map_piece(const struct bus *bus, uint64_t offset, size_t size)
{
    void *piece = NULL;
    int fds[2];

    (void)bus;
    if (!hello(fds) && attach_map_piece(fds[1], offset, size, &piece)) piece = NULL;
    close_both(fds);
    return piece;
}

int process_need_ext(void) { return 0; }
#else
int process_need_ext(void)
{
    int fds[2], error;

    if (instance.ext) return 0;
    error = hello(fds);
    if (!error) error = attach_map_ext(&instance, fds[1]); /* two threads at once map it twice: harmless */
    close_both(fds);
    return error;
}
#endif

const void *process_window(uint32_t slot)
{
    void *window = load_acquire(&windows[slot]);
    int fds[2];

    if (window) return window;
    if (!hello(fds) && !attach_map_window(fds[1], slot, &window))
        store_release(&windows[slot], window); /* as above */
    close_both(fds);
    return window;
}
