/* base/sys.h - the operating system as everything that runs inside other programs sees it: system calls that return -errno.
 *
 * Raw system calls where libc would come back to our own wrappers, would be a cancellation point, or would set errno.
 * The preload library is linked without libc; nothing here needs one. */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

/* A system call with up to six arguments, result or -errno. */
long sys_call6(long nr, long a, long b, long c, long d, long e, long f);

#define sys_call(nr, ...)                  SYS_PICK(__VA_ARGS__, 6, 5, 4, 3, 2, 1)(nr, __VA_ARGS__)
#define SYS_PICK(a, b, c, d, e, f, n, ...) SYS_CALL##n
#define SYS_CALL1(nr, a)                   sys_call6(nr, (long)(a), 0, 0, 0, 0, 0)
#define SYS_CALL2(nr, a, b)                sys_call6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define SYS_CALL3(nr, a, b, c)             sys_call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define SYS_CALL4(nr, a, b, c, d)          sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define SYS_CALL5(nr, a, b, c, d, e)       sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define SYS_CALL6(nr, a, b, c, d, e, f)                                                                      \
    sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

_Static_assert(sizeof(time_t) == sizeof(long), "struct timespec is what system calls take");

/* mmap(2): an address, or one for which sys_is_error() holds (its value is -errno). */
static inline void *sys_mmap(void *at, size_t size, int protection, int flags, int fd, int64_t offset)
{
#ifdef SYS_mmap2
    return (void *)sys_call(SYS_mmap2, at, size, protection, flags, fd, offset / 4096);
#else
    return (void *)sys_call(SYS_mmap, at, size, protection, flags, fd, offset);
#endif
}
/* ftruncate(2), for sizes beyond what a 32-bit process can address: 0 or -errno. There a 64-bit argument is two
 * registers, on Arm an even one and the next. */
static inline long sys_ftruncate(int fd, uint64_t size)
{
#if defined(SYS_ftruncate64) && defined(__arm__)
    return sys_call(SYS_ftruncate64, fd, 0, size, size >> 32);
#elif defined(SYS_ftruncate64)
    return sys_call(SYS_ftruncate64, fd, size, size >> 32);
#else
    return sys_call(SYS_ftruncate, fd, size);
#endif
}
static inline bool sys_is_error(const void *address) { return (unsigned long)address >= -4095ul; }

#endif
