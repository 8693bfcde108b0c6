/* preload/real.c - resolving libc's functions with dlsym(RTLD_NEXT): once, by whichever call comes first. */
#include "preload/real.h"
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
    errno = saved;
}
