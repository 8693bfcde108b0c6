/* supervisor/supervisor.h - the second door: serves programs that the preload library cannot get into, by a seccomp listener.
 *
 * `pocketcan run` is the supervisor, because it stays the parent of what it starts. Programs come to it over a socket (enter.h), each with a listener of
 * its own; what they start comes with them. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the socket at which programs enter, in the instance directory: its name to path[0..size). 0 or -errno. */
int supervisor_open(const char *dir, char *path, size_t size);
/* Starts the thread that serves; all signals are blocked in it. 0 or -errno. */
int supervisor_start(void);
/* The command is over: no more programs may enter. Those that still run are served by a child of ours if `lets_run`. */
void supervisor_finish(bool lets_run);

/* The number in its socket's name: our process ID, or that of the process which we go on for. */
int supervisor_id(void);

#endif
