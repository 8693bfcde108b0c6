/* preload/exec.c - exec and posix_spawn: a program that cannot be preloaded (static, or written in Go) is executed by way of `pocketcan-enter`, which brings it to the
 * supervisor that $POCKETCAN_DOOR names. All others are executed as ever; the look at the file costs a few system calls.
 *
 * A program that gets an environment of its own (`env -i`, Python's subprocess with env=...) would lose the variables that make it a member of
 * the instance, which it would not lose on Linux: who passes neither LD_PRELOAD nor POCKETCAN_DIR gets those that we were started with. One of
 * them, be it empty, says what the caller wants: `LD_PRELOAD= command` and `env -u LD_PRELOAD command` are the ways out. Nor do they go to who could not
 * come in: `su -` has become another user by then.
 *
 * These run in children of vfork(): they keep no state, and allocate on the stack only. */
#include "preload/exec.h"
#include "preload/real.h"
#include "base/program.h"
#include "base/sys.h"
#include "sockets/usermem.h"
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* prefix: exec posix_spawn */

#define PATH_SIZE      4096u
#define ARGUMENTS_MOST 8192u /* with more than that a program goes without */

extern char **environ;

static char launcher[PATH_SIZE];

/* What makes us a member: "NAME=value". Kept only when all that has to be there is. */
enum { MEMBER_LIBRARY, MEMBER_DIR, MEMBER_DOOR, MEMBER_COUNT };
static const char *const member_name[MEMBER_COUNT] = { "LD_PRELOAD=", "POCKETCAN_DIR=", "POCKETCAN_DOOR=" };
static char member[MEMBER_COUNT][PATH_SIZE];

static void keep(unsigned which, const char *value, size_t size)
{
    size_t head = strlen(member_name[which]);

    if (head + size >= PATH_SIZE) return;
    memcpy(member[which], member_name[which], head);
    memcpy(member[which] + head, value, size);
}

/* Our own entry of LD_PRELOAD; what others put there is theirs to keep. */
static void keep_library(const char *list)
{
    static const char name[] = "/libpocketcan.so";
    size_t size;

    for (; *list; list += size + (list[size] != 0)) {
        size = strcspn(list, ": ");
        if (size >= sizeof(name) && !memcmp(list + size - (sizeof(name) - 1), name, sizeof(name) - 1)) {
            keep(MEMBER_LIBRARY, list, size);
            return;
        }
    }
}

void exec_prepare(void)
{
    const char *door = getenv("POCKETCAN_DOOR"), *colon = door ? strchr(door, ':') : NULL;
    const char *library = getenv("LD_PRELOAD"), *dir = getenv("POCKETCAN_DIR");

    if (colon && strlen(colon + 1) < sizeof(launcher)) memcpy(launcher, colon + 1, strlen(colon + 1) + 1);
    if (!library || !dir || !*dir) return;
    keep_library(library);
    keep(MEMBER_DIR, dir, strlen(dir));
    if (door) keep(MEMBER_DOOR, door, strlen(door));
}

/* Or, of a directory: can we enter it? */
static bool can_execute(const char *path) { return sys_call(SYS_faccessat, AT_FDCWD, path, X_OK) == 0; }

static bool needs_supervisor(const char *path)
{
    enum program_kind kind;

    if (!launcher[0] || !path || !can_execute(path)) return false;
    kind = program_look(path);
    return (kind == PROGRAM_STATIC || kind == PROGRAM_GO) && can_execute(launcher);
}

/* Where execvp() would find `name`, in path[0..PATH_SIZE). */
static bool find(const char *name, char *path)
{
    const char *dirs = getenv("PATH");
    size_t length = strlen(name);

    if (!launcher[0] || !length || strchr(name, '/')) {
        if (length >= PATH_SIZE) return false;
        memcpy(path, name, length + 1);
        return true;
    }
    for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs; dirs += *dirs == ':') {
        size_t size = strcspn(dirs, ":");
        if (size + 1 + length < PATH_SIZE) {
            memcpy(path, size ? dirs : ".", size ? size : 1);
            path[size ? size : 1] = '/';
            memcpy(path + (size ? size : 1) + 1, name, length + 1);
            if (can_execute(path)) return true;
        }
        dirs += size;
    }
    return false;
}

/* Of what cannot be read there are too many: the kernel says what that is. */
static size_t count_of(char *const argv[])
{
    size_t count = 0;

    for (; argv && count <= ARGUMENTS_MOST; count++) {
        if (!usermem_ok(argv + count, sizeof(*argv), USERMEM_READ)) return ARGUMENTS_MOST + 1;
        if (!argv[count]) break;
    }
    return count;
}

/* Does this environment lack what we were started with, so that it needs MEMBER_COUNT entries more? */
static bool is_bare(char *const envp[])
{
    if (!member[MEMBER_LIBRARY][0] || !member[MEMBER_DIR][0] || count_of(envp) > ARGUMENTS_MOST) return false;
    for (; envp && *envp; envp++) {
        if (!usermem_ok(*envp, 1, USERMEM_READ)) return false;
        for (unsigned i = MEMBER_LIBRARY; i <= MEMBER_DIR; i++)
            if (!strncmp(*envp, member_name[i], strlen(member_name[i]))) return false;
    }
    return can_execute(member[MEMBER_DIR] + strlen(member_name[MEMBER_DIR]));
}

/* to = { envp..., ours, NULL } */
static void dress(char *to[], char *const envp[])
{
    for (; envp && *envp; envp++)
        if (strncmp(*envp, member_name[MEMBER_DOOR], strlen(member_name[MEMBER_DOOR]))) *to++ = *envp;
    for (unsigned i = 0; i < MEMBER_COUNT; i++)
        if (member[i][0]) *to++ = member[i];
    *to = NULL;
}

/* Makes `envp` one that keeps the program in the instance, on the caller's stack if that takes a new one. */
#define DRESS(envp)                                                                                          \
    do {                                                                                                     \
        char **dressed_;                                                                                     \
        if (!is_bare(envp)) break;                                                                           \
        dressed_ = __builtin_alloca((count_of(envp) + MEMBER_COUNT + 1) * sizeof(*dressed_));                \
        dress(dressed_, envp);                                                                               \
        (envp) = dressed_;                                                                                   \
    } while (0)

/* to = { launcher, path, argv..., NULL } */
static void wrap(char *to[], const char *path, char *const argv[], size_t count)
{
    to[0] = launcher;
    to[1] = (char *)(uintptr_t)path;
    memcpy(to + 2, argv, count * sizeof(*argv));
    to[count + 2] = NULL;
}

/* Returns, with errno, if it cannot be done. */
static int by_launcher(const char *path, char *const argv[], char *const envp[])
{
    size_t count = count_of(argv);
    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    char **wrapped = __builtin_alloca((count + 3) * sizeof(*wrapped));

    wrap(wrapped, path, argv, count);
    return real.execve(launcher, wrapped, envp);
}

static bool has_few(char *const argv[])
{
    size_t count = count_of(argv);
    return count > 0 && count <= ARGUMENTS_MOST;
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    DRESS(envp);
    if (needs_supervisor(path) && has_few(argv)) by_launcher(path, argv, envp);
    return real.execve(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[]) { return execve(path, argv, environ); }

EXPORT int execvpe(const char *name, char *const argv[], char *const envp[])
{
    char path[PATH_SIZE];

    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    DRESS(envp);
    if (find(name, path) && needs_supervisor(path) && has_few(argv)) by_launcher(path, argv, envp);
    return real.execvpe(name, argv, envp);
}

EXPORT int execvp(const char *name, char *const argv[]) { return execvpe(name, argv, environ); }

/* ---- by descriptor ---- */

/* The path of what `fd` is open for, in path[0..PATH_SIZE); false: it has none, or not any more. */
static bool path_of(int fd, char *path)
{
    char link[32] = "/proc/self/fd/";
    size_t end = strlen(link);
    char digits[12] = "";
    unsigned count = 0;
    long size;

    if (fd < 0) return false;
    do
        digits[count++] = (char)('0' + fd % 10);
    while (fd /= 10);
    while (count)
        link[end++] = digits[--count];
    link[end] = 0;
    size = sys_call(SYS_readlinkat, AT_FDCWD, link, path, PATH_SIZE - 1);
    path[size > 0 ? size : 0] = 0;
    return path[0] == '/';
}

/* Where execveat() looks, in to[0..PATH_SIZE). */
static bool path_at(int dir, const char *path, int flags, char *to)
{
    size_t length = path ? strlen(path) : 0, base;

    if (flags & ~AT_EMPTY_PATH || (!length && !(flags & AT_EMPTY_PATH)) || length >= PATH_SIZE) return false;
    if (length && (*path == '/' || dir == AT_FDCWD)) return memcpy(to, path, length + 1);
    if (!path_of(dir, to)) return false;
    base = strlen(to);
    if (!length) return true;
    if (base + 1 + length >= PATH_SIZE) return false;
    to[base] = '/';
    memcpy(to + base + 1, path, length + 1);
    return true;
}

EXPORT int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
    char whole[PATH_SIZE];

    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    DRESS(envp);
    if (launcher[0] && path_at(dir, path, flags, whole) && needs_supervisor(whole) && has_few(argv))
        by_launcher(whole, argv, envp);
    return (int)edge(sys_call(SYS_execveat, dir, path, argv, envp, flags));
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
    if (fd < 0 || !envp) return (int)edge(-EINVAL); /* so says libc */
    return execveat(fd, "", argv, envp, AT_EMPTY_PATH);
}

/* ---- arguments one by one ---- */

/* The arguments from `first` on, up to NULL, as an array on the caller's stack. */
#define GATHER(list, first, argv)                                                                            \
    do {                                                                                                     \
        size_t count_ = 1;                                                                                   \
        va_start(list, first);                                                                               \
        while (va_arg(list, char *))                                                                         \
            count_++;                                                                                        \
        va_end(list);                                                                                        \
        (argv) = __builtin_alloca((count_ + 1) * sizeof(*(argv)));                                           \
        (argv)[0] = (char *)(uintptr_t)(first);                                                              \
        va_start(list, first);                                                                               \
        for (size_t i_ = 1; i_ <= count_; i_++)                                                              \
            (argv)[i_] = va_arg(list, char *);                                                               \
    } while (0)

EXPORT int execl(const char *path, const char *first, ...)
{
    char **argv;
    va_list list;

    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    GATHER(list, first, argv);
    va_end(list);
    return execve(path, argv, environ);
}

EXPORT int execlp(const char *name, const char *first, ...)
{
    char **argv;
    va_list list;

    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    GATHER(list, first, argv);
    va_end(list);
    return execvp(name, argv);
}

EXPORT int execle(const char *path, const char *first, ...)
{
    char **argv, **envp;
    va_list list;

    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    GATHER(list, first, argv);
    envp = va_arg(list, char **);
    va_end(list);
    return execve(path, argv, envp);
}

/* ---- spawning ---- */

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    size_t count = count_of(argv);
    char **wrapped;

    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    DRESS(envp);
    if (!needs_supervisor(path) || !has_few(argv))
        return real.posix_spawn(pid, path, actions, attributes, argv, envp);
    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    wrapped = __builtin_alloca((count + 3) * sizeof(*wrapped));
    wrap(wrapped, path, argv, count);
    return real.posix_spawn(pid, launcher, actions, attributes, wrapped, envp);
}

EXPORT int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    char path[PATH_SIZE];

    if (find(name, path) && needs_supervisor(path))
        return posix_spawn(pid, path, actions, attributes, argv, envp);
    // cppcheck-suppress allocaCalled ; in a child of vfork() there is nothing but the stack
    DRESS(envp);
    return real.posix_spawnp(pid, name, actions, attributes, argv, envp);
}
