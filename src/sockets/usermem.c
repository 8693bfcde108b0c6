/* sockets/usermem.c - is a page of this process there?
 *
 * Reading: rt_sigprocmask() with an impossible `how` reads the set first and says EFAULT or EINVAL.
 * Writing: FUTEX_WAKE_OP adds 0 to a word: a write that changes nothing. */
#include "sockets/usermem.h"
#include "base/sys.h"
#include <errno.h>
#include <linux/futex.h>
#include <string.h>

_Atomic uintptr_t usermem_known[2][USERMEM_KNOWN];

static long probe_read(const void *page) { return sys_call(SYS_rt_sigprocmask, -1, page, NULL, 8); }

static long probe_write(const void *page)
{
    static uint32_t nobody_waits;
    return sys_call(SYS_futex, &nobody_waits, FUTEX_WAKE_OP_PRIVATE, 0, 0, page,
                    FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_LT, -2048));
}

OFF_PATH bool usermem_probe(uintptr_t page, enum usermem_access access)
{
    const void *start =
        (const void *)(page * USERMEM_PAGE); /* NOLINT(performance-no-int-to-ptr): a page number */
    long result = page == 0 ? -EFAULT : access == USERMEM_READ ? probe_read(start) : probe_write(start);

    if (result == -EFAULT) return false;
    store_relaxed(&usermem_known[access][page % USERMEM_KNOWN], page + 1);
    return true;
}

int usermem_string(char *to, const char *user, size_t room)
{
    while (room > 0) {
        size_t part = USERMEM_PAGE - (uintptr_t)user % USERMEM_PAGE;
        const char *end;
        if (part > room) part = room;
        if (!usermem_ok(user, part, USERMEM_READ)) return -EFAULT;
        end = memchr(user, 0, part);
        if (end) part = (size_t)(end - user) + 1;
        memcpy(to, user, part);
        if (end) return 0;
        to += part;
        user += part;
        room -= part;
    }
    return -ENAMETOOLONG;
}
