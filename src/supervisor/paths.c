/* supervisor/paths.c - see paths.h.
 *
 * Nearly every path that programs open is the kernel's, and their time is what this file is about: an absolute one is told by its first bytes, for one
 * process_vm_readv(2). A relative one needs the current directory. That it is none of ours is remembered for a while of each thread, and forgotten when
 * anybody changes his; that it is one of ours is asked again each time. */
/* prefix: path_ */
#include "supervisor/paths.h"
#include "base/clock.h"
#include "supervisor/remote.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE         4096u
#define ELSEWHERE    64u
#define ELSEWHERE_NS 20000000u
#define SETTLED_NS   5000000u /* by then the kernel has done what path_changed() announced */

/* Threads whose current directory is none of ours. */
static struct {
    pid_t tid;
    uint64_t since_ns;
} elsewhere[ELSEWHERE];
static uint64_t changed_ns;

void path_changed(void)
{
    memset(elsewhere, 0, sizeof(elsewhere));
    changed_ns = clock_mono_ns();
}

static bool is_elsewhere(pid_t tid)
{
    unsigned place = (unsigned)tid % ELSEWHERE;
    return elsewhere[place].tid == tid && clock_mono_ns() - elsewhere[place].since_ns < ELSEWHERE_NS;
}

static void note_elsewhere(pid_t tid)
{
    unsigned place = (unsigned)tid % ELSEWHERE;
    uint64_t now_ns = clock_mono_ns();

    if (now_ns - changed_ns < SETTLED_NS) return;
    elsewhere[place].tid = tid;
    elsewhere[place].since_ns = now_ns;
}

/* ---- which may be ours ---- */

/* path is `folder`, or below it. */
static bool is_below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return !strncmp(path, folder, size) && (!path[size] || path[size] == '/');
}

/* An absolute path, by its first bytes. */
static bool begins_near(const char *path)
{
    while (*path == '/')
        path++;
    return !strncmp(path, "proc", 4) || !strncmp(path, "sys", 3);
}

/* /proc/self/net is /proc/net. */
static const char *skip_process(const char *path)
{
    const char *at = path + strlen("/proc/");

    at += strspn(at, "0123456789");
    if (at == path + strlen("/proc/"))
        at += !strncmp(at, "self", 4) ? 4 : !strncmp(at, "thread-self", 11) ? 11 : 0;
    return at != path + strlen("/proc/") && *at == '/' ? at : path + strlen("/proc");
}

static const char *const folders[] = { "/sys/class/net", "/sys/devices/virtual/net", "/sys/module" };
#define FOLDERS (sizeof(folders) / sizeof(*folders))

bool path_is_way(const char *path)
{
    for (unsigned i = 0; i < FOLDERS; i++)
        if (is_below(folders[i], path) && strcmp(folders[i], path)) return true;
    return !strcmp(path, "/proc");
}

/* Is it a file that may be ours, or a directory on the way there? */
static bool is_near(const char *path)
{
    if (is_below(path, "/proc"))
        return !path[5] || is_below(skip_process(path), "/net") || !strcmp(path, "/proc/modules");
    for (unsigned i = 0; i < FOLDERS; i++)
        if (is_below(path, folders[i]) || is_below(folders[i], path)) return true;
    return false;
}

/* ---- reading and resolving ---- */

/* As far as it may be ours. What follows a page is touched only when the path does not end there. */
static bool read_path(pid_t tid, uint64_t from, char text[PROCDIR_PATH])
{
    size_t room = PAGE - from % PAGE;

    if (room > PROCDIR_PATH) room = PROCDIR_PATH;
    if (from < PAGE || !remote_read(tid, text, from, room)) return false;
    if (memchr(text, 0, room)) return true;
    return room < PROCDIR_PATH && remote_read(tid, text + room, from + room, PROCDIR_PATH - room) &&
           memchr(text, 0, PROCDIR_PATH);
}

static bool is_dots(const char *part) { return !part[strspn(part, ".")] && strlen(part) <= 2; }

/* What the directory stands for; false: nothing in /proc or /sys begins there. */
static bool find_base(const struct call *call, int dir, char name[PROCDIR_NAME], bool *moved)
{
    pid_t tid = call_tid(call);
    ssize_t size;

    if (dir == AT_FDCWD && is_elsewhere(tid)) return false;
    size = remote_name(tid, dir, name, PROCDIR_NAME - 1);
    if (size < 0 || size >= (ssize_t)PROCDIR_NAME - 1) size = 0;
    name[size] = 0;
    *moved = size > 0 && procdir_translate(name, (size_t)size);
    if (*moved || is_below(name, "/proc") || is_below(name, "/sys") || !strcmp(name, "/")) return true;
    if (dir == AT_FDCWD) note_elsewhere(tid);
    return false;
}

/* What it does not find behind "..", because that begins in a directory that only we have, lies elsewhere for it. */
static bool kernel_finds(pid_t tid, const char *base, const char *text)
{
    char path[PROCDIR_NAME + PROCDIR_PATH + 32];

    snprintf(path, sizeof(path), "/proc/%d/root%s/%s", tid, base, text);
    return access(path, F_OK) == 0;
}

bool path_find(const struct call *call, int dir, uint64_t from, struct path *out)
{
    char text[PROCDIR_PATH] = "", name[PROCDIR_NAME] = "";
    const char *last;

    out->moved = false;
    if (from && !read_path(call_tid(call), from, text)) return false;
    if (text[0] == '/' ? !begins_near(text) : !find_base(call, dir, name, &out->moved)) return false;
    if (procdir_join(name, strcmp(name, "/") ? strlen(name) : 0, text, out->whole)) return false;
    if (!out->moved && strstr(text, "..") && is_near(out->whole))
        out->moved = !kernel_finds(call_tid(call), name, text);
    last = strrchr(text, '/');
    out->is_empty = !text[0];
    out->follows = is_dots(last ? last + 1 : text);
    return out->moved || (!out->is_empty && is_near(out->whole));
}
