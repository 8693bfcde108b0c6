/* cli/reach.c - can the preload library get into a program? (declared in cli/child.h)
 *
 * The dynamic linker loads it. So not into a program without one (static; most of Go), not into one of
 * another architecture, and not into one that gains privileges by being executed, where the linker
 * refuses. Only the file tells; that it may start such a program later cannot be seen from here. */
/* prefix: child_ */
#include "cli/child.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "cli/environment.h"

#define HEADERS_MAX 64u /* program headers looked at */

/* The type of program header `index`, or PT_NULL. Both classes have it first. */
static uint32_t header_type(int fd, const unsigned char *ident, uint64_t offset, unsigned size,
                            unsigned index)
{
    uint32_t type = PT_NULL;
    (void)ident;
    if (pread(fd, &type, sizeof(type), (off_t)(offset + (uint64_t)size * index)) != (ssize_t)sizeof(type))
        return PT_NULL;
    return type;
}

static bool has_interpreter(int fd, const unsigned char *bytes)
{
    Elf64_Ehdr wide;
    Elf32_Ehdr narrow;
    memcpy(&wide, bytes, sizeof(wide));
    memcpy(&narrow, bytes, sizeof(narrow));
    bool is_wide = bytes[EI_CLASS] == ELFCLASS64;
    uint64_t offset = is_wide ? wide.e_phoff : narrow.e_phoff;
    unsigned count = is_wide ? wide.e_phnum : narrow.e_phnum;
    unsigned size = is_wide ? wide.e_phentsize : narrow.e_phentsize;

    for (unsigned i = 0; i < count && i < HEADERS_MAX; i++)
        if (header_type(fd, bytes, offset, size, i) == PT_INTERP) return true;
    return false;
}

static const char *elf_obstacle(int fd, const unsigned char *bytes)
{
    bool is_wide = bytes[EI_CLASS] == ELFCLASS64;

    if (is_wide != (sizeof(void *) == 8) && (is_wide || !environment_serves_narrow()))
        return "is a program for another word size than the preload library's";
    return has_interpreter(fd, bytes) ? NULL : "is statically linked";
}

/* The interpreter of a script into `path`. Returns false when there is none. */
static bool script_interpreter(const unsigned char *bytes, size_t size, char path[CLI_PATH_SIZE])
{
    size_t from = 2, length = 0;

    if (size < 3 || bytes[0] != '#' || bytes[1] != '!') return false;
    while (from < size && (bytes[from] == ' ' || bytes[from] == '\t'))
        from++;
    while (from + length < size && !strchr(" \t\n", bytes[from + length]))
        length++;
    snprintf(path, CLI_PATH_SIZE, "%.*s", (int)length, (const char *)bytes + from);
    return length > 0;
}

static const char *obstacle(char path[CLI_PATH_SIZE], bool follow)
{
    unsigned char bytes[256] = { 0 };
    const char *found = NULL;
    struct stat st;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return NULL;
    ssize_t size = read(fd, bytes, sizeof(bytes) - 1);
    if (fstat(fd, &st) == 0 && (((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
                                ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) && st.st_gid != getegid())))
        found = "is set-user-ID or set-group-ID";
    else if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        found = "has file capabilities";
    else if (size > (ssize_t)sizeof(Elf32_Ehdr) && !memcmp(bytes, ELFMAG, SELFMAG))
        found = elf_obstacle(fd, bytes);
    else if (size > 0 && follow && script_interpreter(bytes, (size_t)size, path))
        found = obstacle(path, false);
    close(fd);
    return found;
}

static bool is_shim(const char *name)
{
    char path[CLI_PATH_SIZE];
    if (strchr(name, '/') || environment_shims(path) < 0) return false;
    size_t size = strlen(path);
    snprintf(path + size, sizeof(path) - size, "/%s", name);
    return access(path, X_OK) == 0;
}

void child_warn_unreachable(const char *name)
{
    char path[CLI_PATH_SIZE];

    if (is_shim(name) || environment_find(name, path) != 0) return;
    const char *what = obstacle(path, true);
    if (what)
        fprintf(stderr,
                "pocketcan: warning: %s %s: the preload library cannot reach it, it will see the kernel's "
                "CAN only\n",
                path, what);
}
