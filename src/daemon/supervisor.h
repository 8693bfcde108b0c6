/* daemon/supervisor.h - the process that is an instance: it lives as long as the instance does. */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

/* Descriptors that the starter hands over (daemon/start.c). */
enum { NOTIFY_FD = 3, LIFE_FD = 4 };

#define SUPERVISOR_COMM "pocketcan-super"

/* `pocketcan daemon DIR` or `pocketcan daemon --private`. Returns the exit status. */
int supervisor_main(int argc, char *argv[]);

#endif
