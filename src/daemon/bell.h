/* daemon/bell.h - how a program reaches the worker that cannot reach anything else. */
#ifndef DAEMON_BELL_H
#define DAEMON_BELL_H

#include "bus/layout.h"

/* Opens the bell and writes its name and a new secret into `control`. Returns a descriptor that does not block, or -errno. */
int bell_open(struct control *control);

/* Takes one ring. Returns the slot it is about, BELL_SILENT when there is none, BELL_STRANGER when it is not to be believed. */
enum { BELL_SILENT = -1, BELL_STRANGER = -2 };
int bell_take(const struct control *control, int fd);

#endif
