/* daemon/start.h - the starter's side of an instance: attach to the daemon that runs, or start one. */
#ifndef DAEMON_START_H
#define DAEMON_START_H

#include "daemon/instance.h"
#include "sockets/ctl.h"

/* Makes sure that the daemon of the located instance answers. Of several starters at once, one starts it
 * and the others use it. *started (if not NULL) says whether we did. Returns 0 or -errno with `why`. */
int daemon_start(struct instance *instance, bool *started);

/* Starts an instance of its own, which ends when *life_fd is closed - that is, however this process ends,
 * when no other has a copy. instance->dir receives its directory. Returns 0 or -errno with `why`. */
int daemon_start_private(struct instance *instance, int *life_fd);

/* Closes life_fd and waits until the private instance is gone; removes its files when its daemon was
 * killed. */
void daemon_end_private(const struct instance *instance, int life_fd);

/* Asks the running daemon of the located instance. fds receives the memfds control and data (NULL: not
 * wanted). Returns 0, -ENOENT when none runs, -EPROTO when it is another version, or another -errno; with
 * `why`. */
int daemon_hello(struct instance *instance, int fds[2]);

/* Ends the daemon of the entered instance and waits until it is gone. Returns 0, -ENOENT when none runs,
 * or -errno, with `why`. */
int daemon_stop(struct instance *instance);

#endif
