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
static bool dir_chosen, disabled;
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
    if (size == 0 || size >= DIR_SIZE || dir[0] != '/' || disabled) return;
    memcpy(instance_dir, dir, size);
    instance_dir[size] = 0;
    instance.dir = instance_dir;
    instance.dir_size = size;
    dir_chosen = chosen;
}

void process_disable(void)
{
    disabled = true;
    instance.dir = NULL;
}

static uint32_t my_uid(void) { return (uint32_t)sys_call6(SYS_geteuid, 0, 0, 0, 0, 0, 0); }

/* A directory, its owner and what others may do to it; 0 or -errno. */
static int look_at(const char *dir, uint32_t *owner, unsigned *others)
{
    struct statx about;
    long error = sys_call(SYS_statx, AT_FDCWD, dir, AT_SYMLINK_NOFOLLOW, STATX_UID | STATX_MODE, &about);

    if (error) return (int)error;
    *owner = about.stx_uid;
    *others = about.stx_mode & 022;
    return 0;
}

const char *process_system_dir(void)
{
    uint32_t above = 1, owner = 0, uid = my_uid();
    unsigned others = 0, others_above = 0;

    if (look_at(PROCESS_SYSTEM_DIR, &owner, &others) || look_at("/run", &above, &others_above)) return NULL;
    return above == 0 && !others_above && !others && (owner == uid || uid == 0) ? PROCESS_SYSTEM_DIR : NULL;
}

/* A directory that somebody else laid where ours would be leads to memory that he shares. */
static int check_dir(const char *dir, bool chosen)
{
    uint32_t owner = 0, uid = my_uid();
    unsigned others = 0;
    int error = look_at(dir, &owner, &others);

    if (error) return error;
    return others || (owner != uid && !(uid == 0 && chosen)) ? -EPERM : 0;
}

bool process_trusts_dir(const char *dir) { return check_dir(dir, false) == 0; }

static int hello(const char *dir, int fds[2])
{
    struct ctl_hello answer;
    size_t size = 0;
    int error;

    fds[0] = fds[1] = -1;
    if (!dir) return -ENOENT;
    error = ctl_call(dir, CTL_HELLO, NULL, 0, -1, &answer, sizeof(answer), &size, fds, 2);
    if (!error && (size < sizeof(answer) || answer.layout_version != LAYOUT_VERSION)) error = -EPROTO;
    return error;
}

static void close_both(const int fds[2])
{
    for (unsigned i = 0; i < 2; i++)
        if (fds[i] >= 0) sys_call(SYS_close, fds[i]);
}

static int attach_to(const char *dir, size_t size, bool chosen)
{
    struct bus fresh = { .dir = dir, .dir_size = size };
    int fds[2] = { -1, -1 }, error;

    error = check_dir(dir, chosen);
    if (!error) error = hello(dir, fds);
    if (!error) error = attach_map(&fresh, fds[0], fds[1], false);
    close_both(fds);
    if (error) return error;
    instance.dir = fresh.dir;
    instance.dir_size = fresh.dir_size;
    instance.control = fresh.control;
    instance.data = fresh.data;
    return 0;
}

/* The system-wide instance may have come after this program. */
static int attach(void)
{
    const char *system = dir_chosen || disabled ? NULL : process_system_dir();

    if (system && !attach_to(system, sizeof(PROCESS_SYSTEM_DIR) - 1, true)) return 0;
    return instance.dir ? attach_to(instance_dir, instance.dir_size, dir_chosen) : -ENOENT;
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

static bool has_ctl(const char *dir)
{
    char path[DIR_SIZE + 4];
    size_t size = strlen(dir);

    memcpy(path, dir, size);
    memcpy(path + size, "/ctl", 5);
    return sys_call(SYS_faccessat, AT_FDCWD, path, 0) == 0;
}

/* Where our instance is, or would be: the system-wide one, if it runs, or that of the user. NULL: none. */
static const char *expected_dir(void)
{
    if (load_acquire(&state) == READY || dir_chosen || disabled) return instance.dir;
    return has_ctl(PROCESS_SYSTEM_DIR) && process_system_dir() ? PROCESS_SYSTEM_DIR : instance.dir;
}

bool process_has_instance(void)
{
    const char *dir;

    if (load_acquire(&state) == READY) return true;
    dir = expected_dir();
    return dir && has_ctl(dir);
}

const char *process_dir(size_t *size)
{
    const char *dir = expected_dir();

    *size = dir ? strlen(dir) : 0;
    return dir;
}

#if DATA_IS_NARROW
static void *map_piece(const struct bus *bus, uint64_t offset, size_t size)
{
    void *piece = NULL;
    int fds[2];

    (void)bus;
    if (!hello(instance.dir, fds) && attach_map_piece(fds[1], offset, size, &piece)) piece = NULL;
    close_both(fds);
    return piece;
}

int process_need_ext(void) { return 0; }
#else
int process_need_ext(void)
{
    int fds[2], error;

    if (instance.ext) return 0;
    error = hello(instance.dir, fds);
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
    if (!hello(instance.dir, fds) && !attach_map_window(fds[1], slot, &window))
        store_release(&windows[slot], window); /* as above */
    close_both(fds);
    return window;
}
