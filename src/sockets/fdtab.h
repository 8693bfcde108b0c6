/* sockets/fdtab.h - what this process's file descriptors are to us: nothing, a CAN socket, or a netlink socket.
 *
 * Only an index over kernel state: rebuilt after exec from the sockets' bound names, so losing it loses nothing. Looking up costs
 * two loads. Descriptors from FDTAB_MAX on are never ours. */
#ifndef SOCKETS_FDTAB_H
#define SOCKETS_FDTAB_H

#include <stdint.h>
#include "base/atomics.h"

#define FDTAB_PAGE  1024u
#define FDTAB_PAGES 1024u
#define FDTAB_MAX   (FDTAB_PAGE * FDTAB_PAGES)

/* An entry: kind << 24 | number. */
enum fd_kind { FD_FOREIGN, FD_RAW /* number: slot */, FD_NETLINK /* number: in door's pool */ };
static inline enum fd_kind fd_kind(uint32_t entry) { return (enum fd_kind)(entry >> 24); }
static inline uint32_t fd_number(uint32_t entry) { return entry & 0xffffff; }
static inline uint32_t fd_entry(enum fd_kind kind, uint32_t number) { return (uint32_t)kind << 24 | number; }

extern _Atomic(atomic_u32 *) fdtab_page[FDTAB_PAGES];

static inline uint32_t fdtab_get(int fd)
{
    atomic_u32 *page;

    if (unlikely((unsigned)fd >= FDTAB_MAX)) return 0;
    page = load_acquire(&fdtab_page[(unsigned)fd / FDTAB_PAGE]);
    return likely(!page) ? 0 : load_relaxed(&page[(unsigned)fd % FDTAB_PAGE]);
}

/* Sets an entry and returns what was there. Does nothing in a child of vfork(), which shares our memory but not our
 * descriptors. */
uint32_t fdtab_set(int fd, uint32_t entry);

/* Would fdtab_set() keep an entry of this descriptor? */
bool fdtab_has_room(int fd);

/* Calls visit for each descriptor of first..last that is ours. */
void fdtab_each(unsigned first, unsigned last, void (*visit)(int fd, uint32_t entry, void *context),
                void *context);

/* A descriptor of this process with this entry, or -1. */
int fdtab_find(uint32_t entry);

/* True in a child of vfork(). */
bool fdtab_is_borrowed(void);

/* To be called at start and in the child of fork(): this process owns the table now. */
void fdtab_own(void);

#endif
