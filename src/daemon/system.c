/* daemon/system.c - where the system-wide instance lies, and whose it is.
 *
 * Its directory, PROCESS_SYSTEM_DIR, can be made by root only; programs believe its owner (sockets/process.c). It is made by whoever
 * starts the instance as root - `modprobe vcan` does - because /run may be empty when a container starts. */
#include "daemon/system.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "sockets/process.h"

#define LINE_SIZE 256

bool system_is_installed(void) { return access(SYSTEM_CONF, R_OK) == 0; }

bool system_owns(const char *dir) { return !strcmp(dir, PROCESS_SYSTEM_DIR) && process_system_dir(); }

/* The user that SYSTEM_CONF names, root when it names none. NULL: there is no such user. */
static const struct passwd *read_user(void)
{
    char line[LINE_SIZE], name[LINE_SIZE] = "root";
    FILE *file = fopen(SYSTEM_CONF, "re");

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, " user %255s", name) == 1) break; /* bounded by LINE_SIZE */
    if (file) fclose(file);
    // cppcheck-suppress getpwnamCalled ; there is one thread
    return getpwnam(name);
}

int system_make(struct instance *instance)
{
    const struct passwd *user = read_user();

    if (!user)
        return instance_fail(
            instance, -ENOENT,
            SYSTEM_CONF " names a user that does not exist: run `pocketcan install --system --user NAME`");
    if (mkdir(PROCESS_SYSTEM_DIR, 0700) < 0)
        return errno == EEXIST ? 0
                               : instance_fail(instance, -errno, "cannot make " PROCESS_SYSTEM_DIR ": %s",
                                               strerror(errno));
    if (chown(PROCESS_SYSTEM_DIR, user->pw_uid, user->pw_gid) < 0 || chmod(PROCESS_SYSTEM_DIR, 0700) < 0)
        return instance_fail(instance, -errno, PROCESS_SYSTEM_DIR ": %s", strerror(errno));
    return 0;
}
