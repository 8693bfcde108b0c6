/* daemon/system.h - the system-wide instance: one user's, which root's programs join (docs/decisions/0010). */
#ifndef DAEMON_SYSTEM_H
#define DAEMON_SYSTEM_H

#include <stdbool.h>
#include "daemon/instance.h"

/* Written by `pocketcan install --system`: "user NAME". Its presence says that pocketcan is installed system-wide. */
#define SYSTEM_CONF "/etc/pocketcan.conf"

bool system_is_installed(void);

/* Is this the directory of the system-wide instance? Root may start the daemon there, which then is its owner's. */
bool system_owns(const char *dir);

/* For root: makes the directory if it is missing, and it belongs to the user of SYSTEM_CONF. Returns 0 or -errno with `why`. */
int system_make(struct instance *instance);

#endif
