/* preload/epoll.c - epoll on CAN sockets.
 *
 * The kernel waits on the real descriptors. Before a wait all sockets of the process are settled, so that readable means
 * readable, in nested sets too. After it, events that belong to CAN sockets are made what they are on Linux: a pending error is
 * EPOLLERR, not EPOLLIN. Which event belongs to which socket is known from the epoll_ctl that registered its data; that table
 * holds REGISTRATIONS_MAX entries, and what does not fit keeps the kernel's answer. An entry whose data another descriptor of
 * the same set shares would be ambiguous, so a correction is only made where the event is EPOLLIN and the socket has an error and
 * no frame. */
#include "preload/real.h"
#include "sockets/fdtab.h"
#include "sockets/process.h"
#include "sockets/ready.h"
#include "sockets/usermem.h"

/* prefix: epoll_ */

#define REGISTRATIONS_MAX 1024

/* key 0: free; else epoll descriptor << 32 | slot + 1, written last. */
static struct registration {
    atomic_u64 key;
    atomic_u64 data;
    atomic_u32 events;
    _Atomic int
        target; /* descriptor that was registered: when it is something else by now, the entry is void */
} registrations[REGISTRATIONS_MAX];
static atomic_u32 registrations_high;

static uint64_t key_of(int fd, uint32_t slot) { return (uint64_t)(uint32_t)fd << 32 | (slot + 1); }

/* The entry with this key, or one to put it in, or NULL. */
static struct registration *find(uint64_t key, bool add)
{
    for (uint32_t i = 0; i < load_acquire(&registrations_high); i++)
        if (load_acquire(&registrations[i].key) == key) return &registrations[i];
    for (uint32_t i = 0; add && i < REGISTRATIONS_MAX; i++) {
        uint32_t high = load_relaxed(&registrations_high);
        if (load_relaxed(&registrations[i].key) != 0) continue;
        if (i >= high) cas32(&registrations_high, high, i + 1);
        return &registrations[i];
    }
    return NULL;
}

static void remember(int fd, int operation, int target, uint32_t slot, const struct epoll_event *event)
{
    uint64_t key = key_of(fd, slot);
    struct registration *entry = find(key, operation != EPOLL_CTL_DEL);

    if (!entry) return;
    store_release(&entry->key, 0);
    if (operation == EPOLL_CTL_DEL) return;
    store_relaxed(&entry->data, event->data.u64);
    store_relaxed(&entry->events, event->events);
    store_relaxed(&entry->target, target);
    store_release(&entry->key, key);
    if (event->events & EPOLLET) ready_want_edges(slot);
}

EXPORT int epoll_ctl(int fd, int operation, int target, struct epoll_event *event)
{
    uint32_t entry = fdtab_get(target);
    int result = real.epoll_ctl(fd, operation, target, event);

    if (unlikely(fd_kind(entry) == FD_RAW) && result == 0 && (event || operation == EPOLL_CTL_DEL))
        remember(fd, operation, target, fd_number(entry), event);
    return result;
}

static inline void settle(void)
{
    const struct bus *bus = process_bus_attached();
    if (unlikely(bus != NULL)) ready_settle_all(bus);
}

/* What is true of the socket, of what was asked. */
static void correct(const struct bus *bus, int fd, struct epoll_event *event)
{
    for (uint32_t i = 0; i < load_acquire(&registrations_high); i++) {
        struct registration *entry = &registrations[i];
        uint64_t key = load_acquire(&entry->key);
        if (key && fdtab_get(load_relaxed(&entry->target)) != fd_entry(FD_RAW, (uint32_t)key - 1)) {
            cas64(&entry->key, key, 0); /* closed without EPOLL_CTL_DEL */
            continue;
        }
        if (!key || key >> 32 != (uint32_t)fd || load_relaxed(&entry->data) != event->data.u64) continue;
        short mask = ready_mask(bus, (uint32_t)key - 1);
        if ((mask & (POLLERR | POLLIN)) == POLLERR)
            event->events = (uint32_t)mask & (load_relaxed(&entry->events) | EPOLLERR);
        return;
    }
}

static int corrected(int fd, struct epoll_event *events, int count)
{
    const struct bus *bus = process_bus_attached();

    if (likely(!bus || !load_relaxed(&registrations_high))) return count;
    for (int i = 0; i < count; i++)
        if (events[i].events & EPOLLIN) correct(bus, fd, &events[i]);
    return count;
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    settle();
    return corrected(fd, events, real.epoll_wait(fd, events, count, timeout));
}

EXPORT int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    settle();
    return corrected(fd, events, real.epoll_pwait(fd, events, count, timeout, mask));
}

EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout,
                        const sigset_t *mask)
{
    settle();
    if (!real.epoll_pwait2) return (int)edge(-ENOSYS);
    return corrected(fd, events, real.epoll_pwait2(fd, events, count, timeout, mask));
}
