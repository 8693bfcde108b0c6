/* supervisor/filter.h - the seccomp filter of the second door: which system calls of a program come to us. */
#ifndef SUPERVISOR_FILTER_H
#define SUPERVISOR_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

/* The descriptor numbers that our sockets get: [first, served) CAN_RAW, [served, netlink) protocols of the daemon, whose reads are trapped as well,
 * because they tell of errors again and again; [netlink, end) netlink. [folders, first): directories of /proc and /sys, so that paths which begin
 * elsewhere need not be looked at; none: no path is. */
#define FILTER_INHERITED_MAX 8u
struct filter_range {
    int32_t folders, first, served, netlink, end;
    uint32_t
        inherited_count; /* and of those that were there before the filter, whose reads are trapped as well */
    int32_t inherited[FILTER_INHERITED_MAX];
};

/* socketpair(AF_CAN, FILTER_PROBE, 0, NULL) is answered with the supervisor's process ID behind our filter, and refused elsewhere. */
#define FILTER_PROBE 0x70634e00

/* Of a call for which like is this, the first argument says what it does (socketcall). */
#define LIKE_MANY (-2)

/* The calls that fill what libc has as struct stat64; 32-bit machines have older ones, too. */
#ifdef SYS_fstatat64
#define FILES_FSTATAT SYS_fstatat64
#define FILES_FSTAT   SYS_fstat64
#define FILES_STAT    SYS_stat64
#define FILES_LSTAT   SYS_lstat64
#else
#define FILES_FSTATAT SYS_newfstatat
#define FILES_FSTAT   SYS_fstat
#define FILES_STAT    SYS_stat
#define FILES_LSTAT   SYS_lstat
#endif

struct seccomp_data;

/* Does the filter see programs whose words are narrower than ours? */
bool filter_serves_narrow(void);
/* Has the program that makes a call of this architecture narrower words than we have? */
bool filter_is_narrow(uint32_t arch);
/* The number on this machine of what the call does; -1: it has none, or is not trapped. */
int filter_like(uint32_t arch, int number);
/* Would the filter send this call, of this machine, to us? */
bool filter_wants(const struct filter_range *range, const struct seccomp_data *data);

/* Below RLIMIT_NOFILE, and below what select(2) can express. */
void filter_range_now(struct filter_range *out);

/* Puts the filter before this thread and what it becomes. Returns the listener, or -EBUSY (there is one already), -EINVAL, -ENOSYS
 * (this kernel has none), -EACCES. *exact: calls are neither lost nor doubled by signals (Linux 5.19). */
int filter_install(const struct filter_range *range, bool *exact);

/* The supervisor whose filter this thread is behind; 0: none. */
int filter_supervisor(void);

#endif
