/* daemon/instance.h - the directory that is an instance: where it is, who may use it, what lies in it.
 *
 * Used by the command and the daemon; the preload library only ever reads $POCKETCAN_DIR. */
#ifndef DAEMON_INSTANCE_H
#define DAEMON_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every socket of the instance is bound to DIR/s/SLOT.GEN, which must fit struct sockaddr_un with its NUL. */
#define INSTANCE_NAME_ROOM (sizeof("/s/8191.4294967295") - 1)
#define INSTANCE_DIR_MAX   (108u - 1 - INSTANCE_NAME_ROOM)
#define INSTANCE_WHY_SIZE  384u

/* How long anything waits for a daemon: to start, to answer, to end. */
#define INSTANCE_WAIT_MS 5000

struct instance {
    char dir[INSTANCE_DIR_MAX + 1]; /* absolute, no trailing slash */
    char why[INSTANCE_WHY_SIZE];    /* after a failure: one line that says what is wrong and what to do */
};

/* Says what went wrong, in instance->why, and returns `error`. */
__attribute__((format(printf, 3, 4))) int instance_fail(struct instance *instance, int error,
                                                        const char *format, ...);

/* Finds the directory by the environment: $POCKETCAN_DIR, else that of the system-wide instance when it is
 * ours or we are root, else $XDG_RUNTIME_DIR/pocketcan, else /tmp/pocketcan-UID. Touches nothing. Returns 0, or -EINVAL / -ENAMETOOLONG with `why`. */
int instance_locate(struct instance *instance);

/* As instance_locate() with the directory given. A relative one is taken from the working directory. */
int instance_name(struct instance *instance, const char *dir);

/* Checks that the directory is one, ours (or that we are root) and closed to others; with `make` makes it
 * when it is missing. Returns 0, -ENOENT when it is missing (and not `make`), or another -errno; `why` is
 * set. */
int instance_enter(struct instance *instance, bool make);

/* Makes a directory of its own for a private instance, mode 0700. Returns 0 or -errno with `why`. */
int instance_make_private(struct instance *instance);

/* Fills the entered directory of a daemon that is about to start: s/, d/, version, modprobe.conf. Removes what
 * an earlier daemon that was killed left behind. The caller holds the lock. Returns 0 or -errno with
 * `why`. */
int instance_fill(struct instance *instance);

/* Compares DIR/version with this program. Returns 0 when it is the same or missing, -EPROTO with `why`
 * when it is another. */
int instance_check_version(struct instance *instance);

/* Removes everything the daemon made; the directory itself too when we made it. Errors are ignored:
 * another may have been faster. */
void instance_remove(const struct instance *instance);

/* Locks. DIR/lock is held by the daemon as long as any process of it lives; the directory itself is locked
 * by whoever starts one. Both wait until `wait_ms` is over (0: do not wait). Return a file descriptor to
 * close, -EWOULDBLOCK / -ETIMEDOUT when somebody else holds it, or -errno. `create` makes DIR/lock when it
 * is missing, else -ENOENT. */
int instance_lock_daemon(const struct instance *instance, int wait_ms, bool create);
int instance_lock_start(const struct instance *instance, int wait_ms);

/* Kernel modules that are always there inside an instance, with underscores; ends with NULL. */
extern const char *const instance_modules[];

#endif
