/* sockets/fdtab.c - the table behind fdtab.h: pages made when first needed, never freed.
 *
 * A child of vfork() runs in our memory, and CPython closes descriptors there: the table belongs to the process whose number
 * stands in `owner`. fork() copies the table; the child's first act is fdtab_own(). For a fork that we do not see (raw clone),
 * `owner` lives on a page that the kernel wipes in the child. */
#include "sockets/fdtab.h"
#include "base/sys.h"
#include <stddef.h>
#include <sys/mman.h>

/* The first page is always there: most programs need no other, and none of theirs sees a mapping come up under it. */
static atomic_u32 first_page[FDTAB_PAGE];
_Atomic(atomic_u32 *) fdtab_page[FDTAB_PAGES] = { first_page };

static atomic_u32 fallback_owner;
static _Atomic(atomic_u32 *) owner_page; /* MADV_WIPEONFORK */

static void *map_page(void)
{
    return sys_mmap(NULL, FDTAB_PAGE * sizeof(atomic_u32), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static uint32_t my_pid(void) { return (uint32_t)sys_call6(SYS_getpid, 0, 0, 0, 0, 0, 0); }

static atomic_u32 *owner_word(void)
{
    atomic_u32 *page = load_acquire(&owner_page), *none = NULL;

    if (page) return page;
    page = map_page();
    if (sys_is_error(page) || sys_call(SYS_madvise, page, 4096, MADV_WIPEONFORK) != 0) page = &fallback_owner;
    if (!atomic_compare_exchange_strong(&owner_page, &none,
                                        page)) /* another thread was first: a page is wasted, once */
        page = none;
    return page;
}

void fdtab_own(void) { store_relaxed(owner_word(), my_pid()); }

bool fdtab_is_borrowed(void)
{
    uint32_t owner = load_relaxed(owner_word());

    if (owner == 0) {
        fdtab_own();
        return false;
    }
    return owner != my_pid();
}

static atomic_u32 *page_for(int fd)
{
    _Atomic(atomic_u32 *) *place = &fdtab_page[(unsigned)fd / FDTAB_PAGE];
    atomic_u32 *page = load_acquire(place), *none = NULL;

    if (page) return page;
    page = map_page();
    if (sys_is_error(page)) return NULL;
    if (!atomic_compare_exchange_strong(place, &none, page)) {
        sys_call(SYS_munmap, page, FDTAB_PAGE * sizeof(atomic_u32));
        page = none;
    }
    return page;
}

uint32_t fdtab_set(int fd, uint32_t entry)
{
    atomic_u32 *page;

    if ((unsigned)fd >= FDTAB_MAX || fdtab_get(fd) == entry || fdtab_is_borrowed()) return 0;
    page = page_for(fd);
    return page ? atomic_exchange(&page[(unsigned)fd % FDTAB_PAGE], entry) : 0;
}

bool fdtab_has_room(int fd) { return (unsigned)fd < FDTAB_MAX && !fdtab_is_borrowed() && page_for(fd); }

void fdtab_each(unsigned first, unsigned last, void (*visit)(int fd, uint32_t entry, void *context),
                void *context)
{
    if (last >= FDTAB_MAX) last = FDTAB_MAX - 1;
    for (unsigned fd = first; fd <= last; fd++) {
        atomic_u32 *page = load_acquire(&fdtab_page[fd / FDTAB_PAGE]);
        uint32_t entry;
        if (!page) {
            fd |= FDTAB_PAGE - 1; /* the loop steps to the next page */
            continue;
        }
        entry = load_relaxed(&page[fd % FDTAB_PAGE]);
        if (entry) visit((int)fd, entry, context);
    }
}

struct search {
    uint32_t entry;
    int fd;
};

static void compare(int fd, uint32_t entry, void *context)
{
    struct search *search = context;
    if (entry == search->entry) search->fd = fd;
}

int fdtab_find(uint32_t entry)
{
    struct search search = { entry, -1 };
    fdtab_each(0, FDTAB_MAX - 1, compare, &search);
    return search.fd;
}
