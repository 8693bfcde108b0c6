/* daemon/worker.h - the process that does the daemon's work; the supervisor starts it, and another when it
 * dies. */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <stdint.h>
#include <sys/types.h>
#include "bus/layout.h"

/* What a worker inherits from the supervisor. */
/* Tells a worker to end in order: every socket is told. Also sent by the kernel when the supervisor dies. */
#define WORKER_END_SIGNAL SIGUSR1

struct worker_config {
    const char *dir;
    struct control *control; /* the only writable mapping there is */
    int memory_fds[2];       /* control, data */
    int listen_fd;
    pid_t supervisor_pid;
    uint32_t restarts;
    uint64_t started_ns; /* CLOCK_REALTIME, of the instance */
};

/* Returns the exit status: 0 when it was told to end the instance. */
int worker_main(const struct worker_config *config);

#endif
