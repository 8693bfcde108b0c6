/* sockets/process.c - attaching to the instance: once per process, by whoever needs it first, without locks.
 *
 * state goes NONE -> ATTACHING -> READY; a failure goes back to NONE, so that a program started before its instance finds it
 * later. Threads that meet ATTACHING wait for it; a thread that was killed inside takes the process with it. */
#include "sockets/process.h"
#include "base/sys.h"
#include "bus/attach.h"
#include "sockets/ctl.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>

enum { NONE, ATTACHING, READY };

#define DIR_SIZE 90

static char instance_dir[DIR_SIZE];
static bool dir_chosen;
static struct bus instance;
static atomic_u32 state;
static _Atomic int last_error = -ENOENT;

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
    int fds[2], error;

    if (!instance.dir) return -ENOENT;
    error = check_dir();
    if (error) return error;
    error = hello(fds);
    if (!error) error = attach_map(&instance, fds[0], fds[1], false);
    close_both(fds);
    return error;
}

const struct bus *process_bus_attached(void)
{
    return likely(load_acquire(&state) == READY) ? &instance : NULL;
}

const struct bus *process_bus(void)
{
    uint32_t now;

    while ((now = load_acquire(&state)) != READY) {
        if (now == ATTACHING) {
            sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
            continue;
        }
        if (!cas32(&state, NONE, ATTACHING)) continue;
        last_error = attach();
        store_release(&state, last_error ? NONE : READY);
        if (last_error) return NULL;
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

int process_need_ext(void)
{
    int fds[2], error;

    if (instance.ext) return 0;
    error = hello(fds);
    if (!error) error = attach_map_ext(&instance, fds[1]); /* two threads at once map it twice: harmless */
    close_both(fds);
    return error;
}

int process_attach_error(void) { return last_error; }
