/* daemon/system.c - where the system-wide instance lies, and whose it is.
 *
 * Its directory, PROCESS_SYSTEM_DIR, can be made by root only; programs believe its owner (sockets/process.c). It is made by whoever
 * starts the instance as root - `modprobe vcan` does - because /run may be empty when a container starts. It comes into being
 * with its owner: who starts the instance at the same time would take it for root's. */
#include "daemon/system.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
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
    char fresh[] = PROCESS_SYSTEM_DIR "-XXXXXX";
    if (!mkdtemp(fresh))
        return instance_fail(instance, -errno, "cannot make " PROCESS_SYSTEM_DIR ": %s", strerror(errno));
    if (chown(fresh, user->pw_uid, user->pw_gid) < 0 || chmod(fresh, 0700) < 0 ||
        renameat2(AT_FDCWD, fresh, AT_FDCWD, PROCESS_SYSTEM_DIR, RENAME_NOREPLACE) < 0) {
        int error = -errno;
        rmdir(fresh);
        return error == -EEXIST ? 0
                                : instance_fail(instance, error, PROCESS_SYSTEM_DIR ": %s", strerror(-error));
    }
    return 0;
}
