/* cli/environment.c - finding our own parts, and the environment variables that make a process a member of
 * an instance.
 *
 *   LD_PRELOAD        the library, before what is there already
 *   POCKETCAN_DIR     the instance
 *   PATH              the shims (modprobe, sudo) first
 *   MODPROBE_OPTIONS  -C DIR/modprobe.conf, for the real modprobe under the real sudo, and then what kmod
 * reads otherwise:
 *                     -C replaces its whole configuration */
#include "cli/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bus/layout.h"
#include "config.h"

#define LIBRARY "libpocketcan.so"
/* Libraries for each architecture, in directories called as its $LIB. musl's linker takes that word for a name: it, too, is there. */
#define ANY_LIBRARY    "preload/$LIB/" LIBRARY
#define NARROW_LIBRARY "preload/lib32/" LIBRARY
#define OTHER_SPACE    (64u << 20) /* what an ordinary program takes beside it */

static const char *const modprobe_dirs[] = { "/etc/modprobe.d", "/run/modprobe.d",
                                             "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d",
                                             "/lib/modprobe.d" };

/* ---- our parts
 * ------------------------------------------------------------------------------------------------ */

/* The directory this binary lies in. */
static int own_dir(char path[CLI_PATH_SIZE])
{
    ssize_t size = readlink("/proc/self/exe", path, CLI_PATH_SIZE - 1);
    if (size > 0)
        path[size] = 0;
    else if (!realpath((const char *)getauxval(AT_EXECFN), path))
        return -errno;
    char *slash = strrchr(path, '/');
    if (!slash) return -ENOENT;
    *slash = 0;
    return 0;
}

static bool join(char path[CLI_PATH_SIZE], const char *dir, const char *name)
{
    int size = snprintf(path, CLI_PATH_SIZE, "%s/%s", dir, name);
    return size > 0 && size < (int)CLI_PATH_SIZE;
}

/* `name` beside the binary, or in `installed`. The installed tree may have been moved: then below the
 * binary's own prefix. */
static int find_part(char path[CLI_PATH_SIZE], const char *name, const char *installed)
{
    char dir[CLI_PATH_SIZE];

    if (own_dir(dir) == 0 && join(path, dir, name) && access(path, R_OK) == 0) return 0;
    if (join(path, installed, name) && access(path, R_OK) == 0) return 0;
    fprintf(stderr, "pocketcan: cannot find %s beside the program or in %s: build or install it again\n",
            name, installed);
    return -ENOENT;
}

int environment_library(char path[CLI_PATH_SIZE])
{
    int error = find_part(path, LIBRARY, POCKETCAN_LIBDIR);
    if (!error && strpbrk(path, " :")) {
        fprintf(stderr, "pocketcan: LD_PRELOAD cannot name %s: move it to a path without space and colon\n",
                path);
        error = -EINVAL;
    }
    return error;
}

/* Something beside the library. */
static bool find_beside(char path[CLI_PATH_SIZE], const char *name)
{
    char library[CLI_PATH_SIZE];
    char *slash;

    if (environment_library(library) || !(slash = strrchr(library, '/'))) return false;
    *slash = 0;
    return join(path, library, name) && access(path, R_OK) == 0;
}

int environment_preload(char path[CLI_PATH_SIZE])
{
    return find_beside(path, ANY_LIBRARY) ? 0 : environment_library(path);
}

/* With the directory that has all of them in the place of one library. */
static bool identify(const char *path, struct stat *out, bool *is_any)
{
    char part[CLI_PATH_SIZE];
    const char *any = strstr(path, "/" ANY_LIBRARY);
    size_t size = any ? (size_t)(any - path) + 1 : strlen(path);

    *is_any = any != NULL;
    if (size >= sizeof(part)) return false;
    memcpy(part, path, size);
    part[size] = 0;
    return stat(part, out) == 0;
}

bool environment_is_preload(const char *path)
{
    char ours[CLI_PATH_SIZE];
    struct stat one, other;
    bool one_any, other_any;

    return environment_preload(ours) == 0 && identify(ours, &one, &one_any) &&
           identify(path, &other, &other_any) && one_any == other_any && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

bool environment_serves_narrow(void)
{
    char path[CLI_PATH_SIZE];
    return find_beside(path, NARROW_LIBRARY);
}

int environment_shims(char path[CLI_PATH_SIZE])
{
    char dir[CLI_PATH_SIZE];

    if (own_dir(dir) == 0 && join(path, dir, "shims") && access(path, X_OK) == 0) return 0;
    snprintf(path, CLI_PATH_SIZE, "%s", POCKETCAN_LIBEXECDIR);
    return access(path, X_OK) == 0 ? 0 : -ENOENT;
}

/* ---- variables
 * ------------------------------------------------------------------------------------------------ */

/* Is `item` one of the items of `list`? Nothing is empty but the empty list. */
static bool has_item(const char *list, const char *separators, const char *item)
{
    size_t size = strlen(item);

    while (*list) {
        size_t here = strcspn(list, separators);
        if (here == size && !memcmp(list, item, size)) return true;
        list += here;
        list += *list ? 1 : 0;
    }
    return false;
}

/* Puts `item` before the value of variable `name`, unless it is in there. */
static int prepend(const char *name, const char *separators, const char *item, const char *fallback)
{
    const char *old = getenv(name);
    char *value;

    if (!old) old = fallback;
    if (has_item(old, separators, item)) return 0;
    if (asprintf(&value, "%s%.1s%s", item, *old ? separators : "", old) < 0) return -ENOMEM;
    int error = setenv(name, value, 1) < 0 ? -errno : 0;
    free(value);
    return error;
}

/* The previous value is kept unless it is one of ours, of this or another instance. */
static int set_modprobe_options(const char *dir)
{
    const char *old = getenv("MODPROBE_OPTIONS");
    char value[CLI_PATH_SIZE];
    int size = snprintf(value, sizeof(value), "-C %s/modprobe.conf", dir);

    if (strpbrk(dir, " \t\"'")) /* modprobe would split it */
        return 0;
    for (unsigned i = 0; i < sizeof(modprobe_dirs) / sizeof(modprobe_dirs[0]); i++)
        if (access(modprobe_dirs[i], R_OK) == 0)
            size += snprintf(value + size, sizeof(value) - (size_t)size, " -C %s", modprobe_dirs[i]);
    if (old && !strstr(old, "/modprobe.conf -C "))
        snprintf(value + size, sizeof(value) - (size_t)size, " %.1024s", old);
    return setenv("MODPROBE_OPTIONS", value, 1) < 0 ? -errno : 0;
}

/* A program built with gcc's AddressSanitizer refuses to start when a library is loaded before its runtime, as ours is. */
static int let_sanitizers_be(void)
{
    static const char option[] = "verify_asan_link_order=0";
    const char *old = getenv("ASAN_OPTIONS");
    char value[CLI_PATH_SIZE];

    if (old && strstr(old, "verify_asan_link_order")) return 0;
    if (snprintf(value, sizeof(value), "%s%s%s", option, old ? ":" : "", old ? old : "") >=
        (int)sizeof(value))
        return 0;
    return setenv("ASAN_OPTIONS", value, 1) < 0 ? -errno : 0;
}

int environment_set_door(const char *socket)
{
    char shims[CLI_PATH_SIZE], value[2 * CLI_PATH_SIZE];

    int error = environment_shims(shims);
    if (error) return error;
    snprintf(value, sizeof(value), "%s:%s/" ENVIRONMENT_ENTER, socket, shims);
    return setenv("POCKETCAN_DOOR", value, 1) < 0 ? -errno : 0;
}

int environment_enter(const char *dir, bool preload)
{
    char library[CLI_PATH_SIZE], shims[CLI_PATH_SIZE];

    int error = environment_preload(library);
    if (error) return error;
    if (preload)
        error = prepend("LD_PRELOAD", ": ", library, "");
    else
        environment_leave();
    if (!error && setenv("POCKETCAN_DIR", dir, 1) < 0) error = -errno;
    if (!error && environment_shims(shims) == 0)
        error = prepend("PATH", ":", shims, "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!error) error = set_modprobe_options(dir);
    if (!error) error = let_sanitizers_be();
    if (error) fprintf(stderr, "pocketcan: cannot set the environment: %s\n", strerror(-error));
    return error;
}

/* Copies a list without `item`. */
static void copy_without(char *to, const char *list, const char *separators, const char *item)
{
    const char *start = to;

    while (*list) {
        size_t here = strcspn(list, separators), next = here + (list[here] ? 1 : 0);
        if (here && !(here == strlen(item) && !memcmp(list, item, here))) {
            if (to > start) *to++ = separators[0];
            memcpy(to, list, here);
            to += here;
        }
        list += next;
    }
    *to = 0;
}

void environment_leave(void)
{
    const char *old = getenv("LD_PRELOAD");
    char library[CLI_PATH_SIZE], *rest = old ? strdup(old) : NULL;

    if (rest && environment_preload(library) == 0) {
        copy_without(rest, old, ": ", library);
        if (*rest)
            setenv("LD_PRELOAD", rest, 1);
        else
            unsetenv("LD_PRELOAD");
    }
    free(rest);
}

/* ---- other programs
 * ------------------------------------------------------------------------------------------- */

static bool is_ourselves(const char *path)
{
    struct stat self, other;
    return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 && self.st_ino == other.st_ino &&
           self.st_dev == other.st_dev;
}

/* 0: can be executed. -EACCES: is there, but cannot. -ENOENT: not there, or a shim. */
static int look_at(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0) return errno == EACCES ? -EACCES : -ENOENT;
    if (is_ourselves(path)) return -ENOENT;
    return S_ISREG(st.st_mode) && access(path, X_OK) == 0 ? 0 : -EACCES;
}

static int find_in(const char *dirs, const char *name, char path[CLI_PATH_SIZE])
{
    int error = -ENOENT;

    while (*dirs) {
        int size = (int)strcspn(dirs, ":");
        int length = snprintf(path, CLI_PATH_SIZE, "%.*s/%s", size ? size : 1, size ? dirs : ".", name);
        int found = length < (int)CLI_PATH_SIZE ? look_at(path) : -ENOENT;
        if (found == 0) return 0;
        if (found == -EACCES) error = -EACCES;
        dirs += size;
        dirs += *dirs ? 1 : 0;
    }
    return error;
}

int environment_find(const char *name, char path[CLI_PATH_SIZE])
{
    const char *dirs = getenv("PATH");
    if (strchr(name, '/')) {
        snprintf(path, CLI_PATH_SIZE, "%s", name);
        return look_at(path);
    }
    int error = find_in(dirs ? dirs : "/usr/local/bin:/usr/bin:/bin", name, path);
    return error ? find_in("/usr/local/sbin:/usr/sbin:/sbin", name, path) : 0;
}

unsigned environment_lacks_megabytes(void)
{
    const uint64_t needed = DATA_NEAR_SIZE + sizeof(struct control) + OTHER_SPACE;
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) return 0;
    return (unsigned)(needed >> 20);
}
