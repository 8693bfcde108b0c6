/* supervisor/filter.h - the seccomp filter of the second door: which system calls of a program come to us. */
#ifndef SUPERVISOR_FILTER_H
#define SUPERVISOR_FILTER_H

#include <stdbool.h>
#include <stdint.h>

/* The descriptor numbers that our sockets get: [first, served) CAN_RAW, [served, netlink) protocols of the daemon, whose reads are trapped as well, because they tell of
 * errors again and again; [netlink, end) netlink. */
struct filter_range {
    int32_t first, served, netlink, end;
};

/* socketpair(AF_CAN, FILTER_PROBE, 0, NULL) is answered with the supervisor's process ID behind our filter, and refused elsewhere. */
#define FILTER_PROBE 0x70634e00

/* Below RLIMIT_NOFILE, and below what select(2) can express. */
void filter_range_now(struct filter_range *out);

/* Puts the filter before this thread and what it becomes. Returns the listener, or -EBUSY (there is one already), -EINVAL, -ENOSYS
 * (this kernel has none), -EACCES. *exact: calls are neither lost nor doubled by signals (Linux 5.19). */
int filter_install(const struct filter_range *range, bool *exact);

/* The supervisor whose filter this thread is behind; 0: none. */
int filter_supervisor(void);

#endif
