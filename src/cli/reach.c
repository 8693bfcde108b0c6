/* cli/reach.c - through which door can a program come? (declared in cli/child.h)
 *
 * The preload library, which the dynamic linker loads, is the first; the supervisor, which sees the system calls of what the linker does not load, the second. Neither
 * reaches a program that gains privileges by being executed, or one for another machine. Only the file tells; that it may start such a program later cannot be seen from here. */
/* prefix: child_ */
#include "cli/child.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/program.h"
#include "cli/environment.h"
#include "supervisor/filter.h"

static bool is_shim(const char *name)
{
    char path[CLI_PATH_SIZE];
    if (strchr(name, '/') || environment_shims(path) < 0) return false;
    size_t size = strlen(path);
    snprintf(path + size, sizeof(path) - size, "/%s", name);
    return access(path, X_OK) == 0;
}

/* Why the preload library cannot get into it; NULL: it can. */
static const char *obstacle(enum program_kind kind)
{
    switch (kind) {
    case PROGRAM_STATIC: return "is statically linked";
    case PROGRAM_GO: return "is written in Go, which makes system calls without libc";
    case PROGRAM_NARROW:
        return environment_serves_narrow() ? NULL
                                           : "is a program for another word size than the preload library's";
    case PROGRAM_X32: return "is an x32 program, whose system calls are not served";
    case PROGRAM_FOREIGN: return "is a program for another word size than the preload library's";
    case PROGRAM_SETUID: return "is set-user-ID or set-group-ID";
    case PROGRAM_CAPABILITIES: return "has file capabilities";
    default: return NULL;
    }
}

static enum program_kind look_for(const char *name, char path[CLI_PATH_SIZE])
{
    return is_shim(name) || environment_find(name, path) != 0 ? PROGRAM_UNKNOWN : program_look(path);
}

static bool is_served(enum program_kind kind) { return kind == PROGRAM_STATIC || kind == PROGRAM_GO; }

bool child_needs_supervisor(const char *name)
{
    char path[CLI_PATH_SIZE];
    enum program_kind kind = look_for(name, path);

    return is_served(kind) ||
           (kind == PROGRAM_NARROW && filter_serves_narrow() && !environment_serves_narrow());
}

void child_warn_unreachable(const char *name, bool supervised)
{
    char path[CLI_PATH_SIZE];
    enum program_kind kind = look_for(name, path);
    const char *what = obstacle(kind);

    if (!what || (supervised && (is_served(kind) || (kind == PROGRAM_NARROW && filter_serves_narrow()))))
        return;
    fprintf(stderr,
            "pocketcan: warning: %s %s: the preload library cannot reach it, it will see the kernel's "
            "CAN only\n",
            path, what);
}
