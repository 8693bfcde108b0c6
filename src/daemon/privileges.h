/* daemon/privileges.h - what the daemon may do on this machine: as little as its owner's ordinary programs. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <sys/types.h>

/* Gives up every capability, and the ways to get one: from then on we are an ordinary process of our user, also when that is
 * root, which no program that we might execute changes, and into which nobody can look who could not trace root's processes. */
void privileges_drop(void);

/* For root: becomes the user for good, with the groups that he has. Returns 0 or -errno. */
int privileges_become(uid_t user, gid_t group);

#endif
