/* preload/real.c - resolving libc's functions with dlsym(RTLD_NEXT): once, by whichever call comes first. Of what an older libc or musl
 * lacks, and programs therefore number themselves (syscalls.c), the system call takes the place. */
#include "preload/real.h"
#include "base/sys.h"
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>

/* prefix: real */

#define X(result, name, parameters, arguments)                                                               \
    static result first_##name parameters                                                                    \
    {                                                                                                        \
        real_resolve();                                                                                      \
        return real.name arguments;                                                                          \
    }
#define V(result, name, parameters)
#define N(name)
#include "preload/symbols.def"
#undef X
#undef V
#undef N

struct real real = {
#define X(result, name, parameters, arguments) .name = first_##name,
#define V(result, name, parameters)
#define N(name)
#include "preload/symbols.def"
#undef X
#undef V
#undef N
};

void __chk_fail(void) __attribute__((weak, noreturn)); /* glibc's; musl has none */

void real_overflow(void)
{
    if (__chk_fail) __chk_fail();
    abort();
}

static void *find(const char *name) { return dlsym(RTLD_NEXT, name); }

/* ---- system calls in place of functions ---- */

static int call_close_range(unsigned first, unsigned last, int flags)
{
    return (int)edge(sys_call(SYS_close_range, first, last, flags));
}

static int call_pidfd_getfd(int pidfd, int target, unsigned flags)
{
    return (int)edge(sys_call(SYS_pidfd_getfd, pidfd, target, flags));
}

static int call_epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout,
                             const sigset_t *mask)
{
    if (sizeof(long) < 8) return (int)edge(-ENOSYS); /* its times have 64 bits */
    return (int)edge(sys_call(SYS_epoll_pwait2, fd, events, count, timeout, mask, 8));
}

static ssize_t call_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return edge(sys_call(SYS_preadv2, fd, iov, count, offset, offset < 0 ? -1 : 0, flags));
}

static ssize_t call_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return edge(sys_call(SYS_pwritev2, fd, iov, count, offset, offset < 0 ? -1 : 0, flags));
}

static void replace_missing(void)
{
    if (!real.close_range) real.close_range = call_close_range;
    if (!real.pidfd_getfd) real.pidfd_getfd = call_pidfd_getfd;
    if (!real.epoll_pwait2) real.epoll_pwait2 = call_epoll_pwait2;
    if (!real.preadv2) real.preadv2 = call_preadv2;
    if (!real.pwritev2) real.pwritev2 = call_pwritev2;
}

void real_resolve(void)
{
    int saved = errno;

#define X(result, name, parameters, arguments) *(void **)&real.name = find(#name);
#define V(result, name, parameters)            *(void **)&real.name = find(#name);
#define N(name)
#include "preload/symbols.def"
#undef X
#undef V
#undef N
    if (!real.fcntl64) /* musl */
        real.fcntl64 = real.fcntl;
    if (!real.sendfile64) /* musl, where off_t is that wide */
        *(void **)&real.sendfile64 = find("sendfile");
    if (!real.open64) { /* musl, where they are the same */
        real.open64 = real.open;
        real.openat64 = real.openat;
        real.fopen64 = real.fopen;
        real.freopen64 = real.freopen;
    }
    replace_missing();
    errno = saved;
}
