/* sockets/process.h - the instance that this process belongs to. */
#ifndef SOCKETS_PROCESS_H
#define SOCKETS_PROCESS_H

#include "bus/bus.h"

/* Names the instance directory, once, at start: $POCKETCAN_DIR or the default. NULL or too long: none. It has to belong to us;
 * `chosen`, by the user that is, lets root use the instance of another user. */
void process_set_dir(const char *dir, bool chosen);

/* Is it a directory that we would take an instance from without being told to? A descriptor from elsewhere may name any. */
bool process_trusts_dir(const char *dir);

/* From now on this process has no instance, whatever is set: one that runs with more rights than who started it, or the daemon. */
void process_disable(void);

/* The directory of the system-wide instance (`pocketcan install --system`), when there is one and it is ours or we are root; else
 * NULL. Who has not chosen a directory uses it before his own. Only root can have laid it there. */
#define PROCESS_SYSTEM_DIR "/run/pocketcan"
const char *process_system_dir(void);

/* The instance, attached when first asked for; NULL when there is none (not running, another version, not ours). */
const struct bus *process_bus(void);

/* The instance if it is attached already: for hot paths and for questions that are not worth attaching. */
const struct bus *process_bus_attached(void);

/* True when an instance directory is named and has a control socket: cheap, attaches nothing. */
bool process_has_instance(void);

/* The instance directory and its length, or NULL: none is named. */
const char *process_dir(size_t *size);

/* Maps the CAN XL area, which a narrow process does piece by piece when it comes to it. Returns 0 or -errno. */
int process_need_ext(void);

/* The slot's window (layout.h), mapped when first asked for; NULL: it cannot be. */
const void *process_window(uint32_t slot);

#endif
