/* coverage/flush.c - in coverage builds only: a process's counters are written when it ends by _exit() or becomes another program.
 *
 * gcov writes them when exit() runs destructors. The daemon's processes and most children of fork() end without that, and `pocketcan run`
 * becomes its command. This file is linked into the command, the unit tests and libpocketcan.so, which then exports these names, too. Who is
 * killed, or ends by a bare system call, loses what it counted. After fork() a child has its parent's counters and adds them a second time:
 * whether a line ran is what counts here.
 *
 * They are written once in a process, for setting them back to 0 in the middle of functions makes numbers below 0 of some. So an exec that is
 * going to fail writes nothing, nor does a child of vfork(), whose counters are its parent's. */
#include <dlfcn.h>
#include <gcov.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT  __attribute__((visibility("default")))
#define OURS    EXPORT __attribute__((weak)) /* where the library has none of its own */
#define REAL(f) ((__typeof__(f) *)(uintptr_t)dlsym(RTLD_NEXT, #f))

/* Whose counters these are. A child of vfork() finds its parent's number here. */
static pid_t owner;

static void own(void) { owner = getpid(); }

int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
                      void *library); /* glibc */

__attribute__((constructor)) static void start(void)
{
    own();
    __register_atfork(NULL, NULL, own, NULL);
}

/* Files can be opened even by who may open no more. */
static void flush(void)
{
    struct rlimit before, most;

    if (owner != getpid() || getrlimit(RLIMIT_NOFILE, &before)) return;
    most = before;
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    __gcov_dump();
    setrlimit(RLIMIT_NOFILE, &before);
}

/* Will exec find it? */
static bool is_there(const char *file)
{
    char path[4096];
    const char *at = getenv("PATH");

    if (strchr(file, '/')) return access(file, X_OK) == 0;
    for (; at && *at; at += strcspn(at, ":"), at += *at == ':') {
        snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(at, ":"), at, file);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}

EXPORT void _exit(int status)
{
    flush();
    for (;;)
        syscall(SYS_exit_group, status);
}

void _Exit(int status) __attribute__((alias("_exit"))) EXPORT;

OURS int execve(const char *path, char *const argv[], char *const envp[])
{
    if (access(path, X_OK) == 0) flush();
    return (int)syscall(SYS_execve, path, argv, envp);
}

OURS int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

OURS int execvp(const char *file, char *const argv[])
{
    if (is_there(file)) flush();
    return REAL(execvp)(file, argv);
}

OURS int execvpe(const char *file, char *const argv[], char *const envp[])
{
    if (is_there(file)) flush();
    return REAL(execvpe)(file, argv, envp);
}
