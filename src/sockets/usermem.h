/* sockets/usermem.h - memory of the program that called us, which may not be there.
 *
 * Linux answers a bad pointer with EFAULT; so do we, without a system call on the data path: pages found good are remembered.
 * (A page that was good and has been unmapped since is not noticed: then the program gets its SIGSEGV.) */
#ifndef SOCKETS_USERMEM_H
#define SOCKETS_USERMEM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/atomics.h"

#define USERMEM_PAGE  4096u
#define USERMEM_KNOWN 64u

enum usermem_access { USERMEM_READ, USERMEM_WRITE };

/* Asks the kernel, and remembers a page that is good. */
bool usermem_probe(uintptr_t page, enum usermem_access access);

/* Page numbers + 1; 0 knows nothing. */
extern _Atomic uintptr_t usermem_known[2][USERMEM_KNOWN];

static inline bool usermem_page_ok(uintptr_t page, enum usermem_access access)
{
    return likely(load_relaxed(&usermem_known[access][page % USERMEM_KNOWN]) == page + 1) ||
           usermem_probe(page, access);
}

/* May `size` bytes at `user` be read or written? Size 0 always may. */
static inline bool usermem_ok(const void *user, size_t size, enum usermem_access access)
{
    uintptr_t first = (uintptr_t)user / USERMEM_PAGE, last;

    if (size == 0) return true;
    if ((uintptr_t)user + (size - 1) < (uintptr_t)user) return false;
    last = ((uintptr_t)user + size - 1) / USERMEM_PAGE;
    for (; first <= last; first++)
        if (!usermem_page_ok(first, access)) return false;
    return true;
}

/* Copies; 0 or -EFAULT. */
static inline int usermem_read(void *to, const void *user, size_t size)
{
    if (unlikely(!usermem_ok(user, size, USERMEM_READ))) return -EFAULT;
    __builtin_memcpy(to, user, size); /* NOLINT(clang-analyzer-unix.cstring.NullArg): page 0 is never ok */
    return 0;
}

/* Copies a string with its 0: 0, -EFAULT, or -ENAMETOOLONG: no room. */
int usermem_string(char *to, const char *user, size_t room);

static inline int usermem_write(void *user, const void *from, size_t size)
{
    if (unlikely(!usermem_ok(user, size, USERMEM_WRITE))) return -EFAULT;
    __builtin_memcpy(user, from, size);
    return 0;
}

#endif
