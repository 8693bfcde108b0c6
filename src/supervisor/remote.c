/* supervisor/remote.c - reads and writes another process by process_vm_readv(2) and /proc.
 *
 * For each thread we remember its directory of descriptors, its process and a pidfd of that. A thread's number may be another's later: then what we hold is
 * dead, which every use of it finds out, and opens anew. */
#include "supervisor/remote.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FULL_NS  10000000u
#define KNOWN    64u
#define KNOWN_NS 1000000u
#define THREADS  64u /* remembered at a time */

static struct thread {
    pid_t tid, process;
    int dir_fd, pidfd;
} threads[THREADS];

/* ---- memory ---- */

bool remote_read(pid_t tid, void *to, uint64_t from, size_t size)
{
    struct iovec local = { to, size }, remote = { (void *)(uintptr_t)from, size };
    return size == 0 || process_vm_readv(tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

bool remote_write(pid_t tid, uint64_t to, const void *from, size_t size)
{
    struct iovec local = { (void *)(uintptr_t)from, size }, remote = { (void *)(uintptr_t)to, size };
    return size == 0 || process_vm_writev(tid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

size_t remote_gather(pid_t tid, void *to, const struct iovec *from, size_t count, size_t size)
{
    struct iovec local = { to, size };
    ssize_t got = size ? process_vm_readv(tid, &local, 1, from, count, 0) : 0;
    return got > 0 ? (size_t)got : 0;
}

bool remote_scatter(pid_t tid, const struct iovec *to, size_t count, const void *from, size_t size)
{
    struct iovec local = { (void *)(uintptr_t)from, size };
    return size == 0 || process_vm_writev(tid, &local, 1, to, count, 0) == (ssize_t)size;
}

/* ---- what we remember ---- */

static void drop(struct thread *thread)
{
    if (!thread->tid) return;
    if (thread->dir_fd >= 0) close(thread->dir_fd);
    if (thread->pidfd >= 0) close(thread->pidfd);
    thread->tid = 0;
}

void remote_forget(void)
{
    for (unsigned i = 0; i < THREADS; i++)
        drop(&threads[i]);
}

static struct thread *recall(pid_t tid, bool anew)
{
    struct thread *thread = &threads[(unsigned)tid % THREADS];
    char path[32];

    if (thread->tid == tid && !anew) return thread;
    drop(thread);
    snprintf(path, sizeof(path), "/proc/%d/fd", tid);
    thread->tid = tid;
    thread->process = 0;
    thread->pidfd = -1;
    thread->dir_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return thread;
}

/* The number after `key` in its /proc/TID/status, in this base; 0: it is not there. */
static uint64_t find_value(const char *text, const char *key, int base)
{
    const char *found = strstr(text, key);
    return found ? strtoull(found + strlen(key), NULL, base) : 0;
}

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0) close(fd);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

static bool read_status(pid_t tid, char *text, size_t size)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/%d/status", tid);
    return read_text(path, text, size);
}

bool remote_closes_on_exec(pid_t tid, int fd)
{
    char path[48], text[256];

    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
    return read_text(path, text, sizeof(text)) && find_value(text, "\nflags:", 8) & O_CLOEXEC;
}

pid_t remote_process(pid_t tid)
{
    struct thread *thread = recall(tid, false);
    char status[4096];

    if (!thread->process && read_status(tid, status, sizeof(status)))
        thread->process = (pid_t)find_value(status, "\nTgid:", 10);
    return thread->process;
}

uid_t remote_user(pid_t tid)
{
    char status[4096], *end;
    const char *line = read_status(tid, status, sizeof(status)) ? strstr(status, "\nUid:") : NULL;

    if (!line) return (uid_t)-1;
    strtoul(line + sizeof("\nUid:") - 1, &end, 10); /* real, effective ... */
    return (uid_t)strtoul(end, NULL, 10);
}

/* ---- descriptors ---- */

static ssize_t read_link(pid_t tid, int fd, char *text, size_t size)
{
    struct thread *thread = recall(tid, false);
    char name[12];
    ssize_t length;

    snprintf(name, sizeof(name), "%d", fd);
    length = readlinkat(thread->dir_fd, name, text, size - 1);
    if (length < 0 && (errno != ENOENT || faccessat(thread->dir_fd, ".", F_OK, 0))) {
        thread = recall(tid, true);
        length = readlinkat(thread->dir_fd, name, text, size - 1);
    }
    text[length > 0 ? length : 0] = 0;
    return length;
}

ssize_t remote_name(pid_t tid, int fd, char *out, size_t size)
{
    char path[48];

    if (fd == AT_FDCWD)
        snprintf(path, sizeof(path), "/proc/%d/cwd", tid);
    else
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", tid, fd);
    return readlink(path, out, size);
}

/* ---- which socket a descriptor is ---- */

/* To ask takes as long as half of the rest of a call, so an answer counts for KNOWN_NS, if it is about a number of whose closing we are told: that ends
 * it at once. */
static struct known {
    pid_t process;
    int fd;
    uint64_t inode, since_ns;
} known[KNOWN];

static struct known *known_of(pid_t process, int fd)
{
    return &known[((unsigned)process * 31 + (unsigned)fd) % KNOWN];
}

void remote_closed(pid_t tid, int fd)
{
    struct known *entry = known_of(remote_process(tid), fd);
    if (entry->fd == fd) entry->since_ns = 0;
}

void remote_changed(pid_t tid)
{
    pid_t process = remote_process(tid);

    for (unsigned i = 0; i < KNOWN; i++)
        if (known[i].process == process) known[i].since_ns = 0;
}

/* 0: it is none. */
static uint64_t ask_inode(pid_t tid, int fd)
{
    struct thread *thread = recall(tid, false);
    struct statx about;
    char name[12];

    snprintf(name, sizeof(name), "%d", fd);
    if (statx(thread->dir_fd, name, AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &about) < 0) {
        thread = recall(tid, true);
        if (statx(thread->dir_fd, name, AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &about) < 0) return 0;
    }
    return S_ISSOCK(about.stx_mode) ? about.stx_ino : 0;
}

uint64_t remote_socket(pid_t tid, int fd, bool told)
{
    uint64_t now_ns;
    struct known *entry;
    pid_t process;

    if (fd < 0) return 0;
    if (!told) return ask_inode(tid, fd);
    now_ns = clock_mono_ns();
    process = remote_process(tid);
    entry = known_of(process, fd);
    if (process && entry->process == process && entry->fd == fd && entry->since_ns &&
        now_ns - entry->since_ns < KNOWN_NS)
        return entry->inode;
    *entry = (struct known){ .fd = fd, .inode = ask_inode(tid, fd), .since_ns = now_ns };
    entry->process = remote_process(tid);
    return entry->inode;
}

/* How many of a process's descriptors have this link. */
static unsigned count_links(int proc, const char *process, const char *wanted)
{
    char path[64], text[64];
    struct dirent *entry;
    unsigned count = 0;
    DIR *dir;
    int fd;

    snprintf(path, sizeof(path), "%.20s/fd", process);
    fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) return 0;
    while ((entry = readdir(dir))) {
        ssize_t size = readlinkat(fd, entry->d_name, text, sizeof(text) - 1);
        text[size > 0 ? size : 0] = 0;
        if (!strcmp(text, wanted)) count++;
    }
    closedir(dir);
    return count;
}

static char ignored[16];

void remote_ignore(pid_t process) { snprintf(ignored, sizeof(ignored), "%d", process); }

unsigned remote_holders(uint64_t inode)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    unsigned count = 0;
    char wanted[64];

    if (!proc) return 3;
    snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)inode);
    while (count < 3 && (entry = readdir(proc)))
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && strcmp(entry->d_name, ignored) != 0)
            count += count_links(dirfd(proc), entry->d_name, wanted);
    closedir(proc);
    return count;
}

bool remote_holds(pid_t tid, uint64_t inode)
{
    char wanted[64], process[16];
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool found;

    snprintf(wanted, sizeof(wanted), "socket:[%llu]", (unsigned long long)inode);
    snprintf(process, sizeof(process), "%d", remote_process(tid));
    found = proc >= 0 && count_links(proc, process, wanted) > 0;
    if (proc >= 0) close(proc);
    return found;
}

int remote_free_number(pid_t tid, int first, int end)
{
    static pid_t full_process;
    static int full_first;
    static uint64_t full_until_ns; /* so that who opens thousands does not wait for as many searches */
    char text[16];

    if (full_process == remote_process(tid) && full_first == first && clock_mono_ns() < full_until_ns)
        return -1;
    for (int number = first; number < end; number++)
        if (read_link(tid, number, text, sizeof(text)) < 0) return number;
    full_process = remote_process(tid);
    full_first = first;
    full_until_ns = clock_mono_ns() + FULL_NS;
    return -1;
}

int remote_borrow(pid_t tid, int fd)
{
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        struct thread *thread = recall(tid, attempt > 0);
        pid_t process = remote_process(tid);
        long borrowed;
        if (thread->pidfd < 0) thread->pidfd = (int)syscall(SYS_pidfd_open, process, 0);
        if (thread->pidfd < 0) continue;
        borrowed = syscall(SYS_pidfd_getfd, thread->pidfd, fd, 0);
        if (borrowed >= 0 || errno != ESRCH) return borrowed < 0 ? -errno : (int)borrowed;
    }
    return -ESRCH;
}

/* ---- signals ---- */

bool remote_is_interrupted(pid_t tid)
{
    uint64_t pending,
        stops = 1ull << (SIGSTOP - 1) | 1ull << (SIGTSTP - 1) | 1ull << (SIGTTIN - 1) | 1ull << (SIGTTOU - 1);
    char status[4096];

    if (!read_status(tid, status, sizeof(status))) return false;
    pending = find_value(status, "\nSigPnd:", 16) | find_value(status, "\nShdPnd:", 16);
    pending &= ~find_value(status, "\nSigBlk:", 16) & ~find_value(status, "\nSigIgn:", 16);
    return pending & (find_value(status, "\nSigCgt:", 16) | stops);
}
