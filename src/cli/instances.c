/* cli/instances.c - see instances.h.
 *
 * An instance is where somebody listens on DIR/ctl, and all names that sockets are bound to stand in /proc/net/unix: of this network
 * namespace, as an instance can be used from another one too, and so cannot be found everywhere. The kernel makes that file piece by piece, and
 * may leave out a name when others go between two pieces: it is read more than once. */
#include "cli/instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bus/attach.h"
#include "daemon/start.h"

#define DIRS_MAX 256u
#define LOOKS    3u

struct dirs {
    char *dir[DIRS_MAX];
    unsigned count;
};

/* Is it one, and ours? Asks nobody. */
static bool looks_right(const char *dir)
{
    char path[INSTANCE_DIR_MAX + 16];
    struct stat st;

    if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) return false;
    snprintf(path, sizeof(path), "%s/version", dir);
    return access(path, R_OK) == 0;
}

/* The directory of an instance whose socket is `path`, or NULL; cuts it out of the line. */
static char *directory_of(char *path)
{
    static const char socket[] = "/ctl";
    size_t size;

    path[strcspn(path, "\n")] = 0;
    size = strlen(path);
    if (path[0] != '/' || size <= sizeof(socket) || size - (sizeof(socket) - 1) > INSTANCE_DIR_MAX)
        return NULL;
    path += size - (sizeof(socket) - 1);
    if (strcmp(path, socket) != 0) return NULL;
    *path = 0;
    return path - (size - (sizeof(socket) - 1));
}

static void add(struct dirs *dirs, const char *dir)
{
    for (unsigned i = 0; i < dirs->count; i++)
        if (strcmp(dirs->dir[i], dir) == 0) return;
    if (dirs->count == DIRS_MAX || !looks_right(dir)) return;
    dirs->dir[dirs->count] = strdup(dir);
    if (dirs->dir[dirs->count]) dirs->count++;
}

static void collect(struct dirs *dirs)
{
    FILE *file = fopen("/proc/net/unix", "re");
    char *line = NULL;
    size_t room = 0;

    while (file && getline(&line, &room, file) > 0) {
        char *path = strchr(line, '/'), *dir = path ? directory_of(path) : NULL;
        if (dir) add(dirs, dir);
    }
    free(line);
    if (file) fclose(file);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Maps what it has. */
static bool attach(struct instance *instance, struct bus *bus)
{
    int fds[2];

    *bus = (struct bus){ .dir = instance->dir, .dir_size = strlen(instance->dir) };
    if (instance_enter(instance, false) || daemon_hello(instance, fds)) return false;
    int error = attach_map(bus, fds[0], fds[1], false);
    close(fds[0]);
    close(fds[1]);
    return error == 0;
}

void instances_each(void (*visit)(const struct instance *instance, const struct bus *bus, bool is_default,
                                  void *context),
                    void *context)
{
    struct dirs dirs = { .count = 0 };
    struct instance first, other;
    struct bus bus;

    if (instance_locate(&first) == 0 && attach(&first, &bus))
        visit(&first, &bus, true, context);
    else
        first.dir[0] = 0;
    for (unsigned i = 0; i < LOOKS; i++)
        collect(&dirs);
    qsort(dirs.dir, dirs.count, sizeof(dirs.dir[0]), by_name);
    for (unsigned i = 0; i < dirs.count; i++) {
        if (strcmp(dirs.dir[i], first.dir) != 0 && instance_name(&other, dirs.dir[i]) == 0 &&
            attach(&other, &bus))
            visit(&other, &bus, false, context);
    }
    for (unsigned i = 0; i < dirs.count; i++)
        free(dirs.dir[i]);
}
