/* preload/real.h - libc's own functions behind ours. */
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct stat_wide; /* narrow.h */

/* One member per function of symbols.def. Each starts as a stub that resolves all of them and goes on, so that calls before
 * our constructor work and later ones cost one indirect jump. NULL: this libc has no such function. */
struct real {
#define X(result, name, parameters, arguments) result(*name) parameters;
#define V(result, name, parameters)            result(*name) parameters;
#define N(name)
#include "preload/symbols.def"
#undef X
#undef V
#undef N
};
extern struct real real;

/* Finds libc's functions; safe to call again. */
void real_resolve(void);

/* A fortified call would overflow its buffer: ends the program as libc does. */
void real_overflow(void) __attribute__((noreturn));

/* Marks what symbols.map exports. */
#define EXPORT __attribute__((visibility("default")))

/* From the inside's -errno to libc's -1 and errno. Leaves errno alone on success. */
static inline long edge(long result)
{
    if (__builtin_expect(result < 0 && result >= -4095, 0)) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

#endif
