/* preload/epoll.c - epoll on CAN sockets.
 *
 * The kernel waits on the real descriptors. Before a wait all sockets of the process are settled, so that readable means
 * readable, in nested sets too. After it, events that belong to CAN sockets are made what they are on Linux: a pending error is
 * EPOLLERR, not EPOLLIN. Which event belongs to which socket is known from the epoll_ctl that registered its data; that table
 * holds REGISTRATIONS_MAX entries, and what does not fit keeps the kernel's answer, as does an event of which it is not known whose it
 * is, because sockets of the same set share their data. */
#include "preload/epoll.h"
#include "preload/real.h"
#include "sockets/fdtab.h"
#include "sockets/process.h"
#include "sockets/ready.h"
#include "sockets/usermem.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* prefix: epoll_ */

#define REGISTRATIONS_MAX 1024

/* key 0: free; else epoll descriptor << 32 | slot + 1, written last. */
static struct registration {
    atomic_u64 key;
    atomic_u64 data;
    atomic_u32 events;
    atomic_u32 gen;     /* of the slot: when it is another by now, the socket is gone and the entry is void */
    _Atomic int target; /* descriptor that was registered */
    atomic_u32 withheld; /* registered without EPOLLOUT for now */
    atomic_u32 told;     /* there was an event, after which EPOLLONESHOT is silent */
} registrations[REGISTRATIONS_MAX];
static atomic_u32 registrations_high;

static uint64_t key_of(int fd, uint32_t slot) { return (uint64_t)(uint32_t)fd << 32 | (slot + 1); }

/* The entry of this descriptor, or one to put it in, or NULL. */
static struct registration *find(uint64_t key, int target, bool add)
{
    for (uint32_t i = 0; i < load_acquire(&registrations_high); i++)
        if (load_acquire(&registrations[i].key) == key && load_relaxed(&registrations[i].target) == target)
            return &registrations[i];
    for (uint32_t i = 0; add && i < REGISTRATIONS_MAX; i++) {
        uint32_t high = load_relaxed(&registrations_high);
        if (load_relaxed(&registrations[i].key) != 0) continue;
        if (i >= high) cas32(&registrations_high, high, i + 1);
        return &registrations[i];
    }
    return NULL;
}

static uint32_t generation(const struct bus *bus, uint32_t slot)
{
    return load_acquire(&bus->data->slot[slot].gen);
}

static void remember(int fd, int operation, int target, uint32_t slot, const struct epoll_event *event)
{
    uint64_t key = key_of(fd, slot);
    struct registration *entry = find(key, target, operation != EPOLL_CTL_DEL);

    if (!entry) return;
    store_release(&entry->key, 0);
    if (operation == EPOLL_CTL_DEL) return;
    store_relaxed(&entry->data, event->data.u64);
    store_relaxed(&entry->events, event->events);
    store_relaxed(&entry->target, target);
    store_relaxed(&entry->withheld, 0);
    store_relaxed(&entry->told, 0);
    store_relaxed(&entry->gen, generation(process_bus_attached(), slot));
    store_release(&entry->key, key);
    if (event->events & EPOLLET) ready_want_edges(slot);
}

/* These data mean something else in this set from now on. */
static void forget(int fd, uint64_t data)
{
    for (uint32_t i = 0; i < load_acquire(&registrations_high); i++) {
        uint64_t key = load_acquire(&registrations[i].key);
        if (key && key >> 32 == (uint32_t)fd && load_relaxed(&registrations[i].data) == data)
            cas64(&registrations[i].key, key, 0);
    }
}

EXPORT int epoll_ctl(int fd, int operation, int target, struct epoll_event *event)
{
    uint32_t entry = fdtab_get(target);
    int result = real.epoll_ctl(fd, operation, target, event);

    if (unlikely(fd_kind(entry) == FD_RAW) && result == 0 && (event || operation == EPOLL_CTL_DEL))
        remember(fd, operation, target, fd_number(entry), event);
    else if (unlikely(load_relaxed(&registrations_high)) && result == 0 && operation != EPOLL_CTL_DEL &&
             event)
        forget(fd, event->data.u64);
    return result;
}

static inline void settle(void)
{
    const struct bus *bus = process_bus_attached();
    if (unlikely(bus != NULL)) ready_settle_all(bus);
}

/* What is true of the socket of this entry, of what was asked; 0 when the entry has nothing to do with such an event. */
static uint32_t events_of(const struct bus *bus, struct registration *entry, int fd,
                          const struct epoll_event *event)
{
    uint64_t key = load_acquire(&entry->key), data = event->data.u64;
    int target = load_relaxed(&entry->target);

    if (!key || key >> 32 != (uint32_t)fd || load_relaxed(&entry->data) != data) return 0;
    store_relaxed(&entry->told, 1);
    if (generation(bus, (uint32_t)key - 1) != load_relaxed(&entry->gen)) {
        cas64(&entry->key, key, 0); /* closed without EPOLL_CTL_DEL */
        return 0;
    }
    if (unlikely(event->events & EPOLLHUP) && fdtab_get(target) == fd_entry(FD_RAW, (uint32_t)key - 1))
        ready_verify(bus, (uint32_t)key - 1, target); /* a connection that has ended; now it is known */
    return (uint32_t)ready_mask(bus, (uint32_t)key - 1) & (load_relaxed(&entry->events) | EPOLLERR);
}

/* Unless it is not known whose event it is. */
static void correct(const struct bus *bus, int fd, struct epoll_event *event)
{
    uint32_t found = 0, events;

    for (uint32_t i = 0; i < load_acquire(&registrations_high); i++) {
        events = events_of(bus, &registrations[i], fd, event);
        if (events && found && events != found) return;
        if (events) found = events;
    }
    if (found) event->events = found;
}

/* ---- send buffers (sockets/sendbuf.h) ----
 *
 * The kernel takes a CAN socket for writable at all times. While a buffer is full, its registration is without EPOLLOUT, and waits look again
 * every few ms; when there is room, it is registered as it was, which also brings the edge that EPOLLET asks for. */

#define ROOM_MS 2

static bool is_of(const struct registration *entry, uint64_t key, int fd)
{
    return key && key >> 32 == (uint32_t)fd && (load_relaxed(&entry->events) & EPOLLOUT) &&
           fdtab_get(load_relaxed(&entry->target)) == fd_entry(FD_RAW, (uint32_t)key - 1) &&
           !((load_relaxed(&entry->events) & EPOLLONESHOT) && load_relaxed(&entry->told));
}

static void withhold(struct registration *entry, int fd, bool on)
{
    struct epoll_event event = { .events = load_relaxed(&entry->events) & ~(on ? EPOLLOUT : 0u) };

    event.data.u64 = load_relaxed(&entry->data);
    store_relaxed(&entry->withheld, on);
    real.epoll_ctl(fd, EPOLL_CTL_MOD, load_relaxed(&entry->target), &event);
}

/* Before a wait on set `fd`. Returns whether room in some buffer is waited for. */
static bool waits_for_room(const struct bus *bus, int fd)
{
    bool any = false;

    for (uint32_t i = 0; i < load_acquire(&registrations_high); i++) {
        struct registration *entry = &registrations[i];
        uint64_t key = load_acquire(&entry->key);
        uint32_t slot = (uint32_t)key - 1;
        if (!is_of(entry, key, fd)) continue;
        if (ready_lacks_room(bus, slot)) {
            any = true;
            if (!load_relaxed(&entry->withheld)) withhold(entry, fd, true);
        } else if (load_relaxed(&entry->withheld) ||
                   (sendbuf_was_full(slot) && (load_relaxed(&entry->events) & EPOLLET))) {
            withhold(entry, fd, false);
            sendbuf_forget(slot);
        }
    }
    return any;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* epoll_pwait() for a process of which a send buffer was full once. */
static int wait_for_room(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    uint64_t end = timeout > 0 ? now_ms() + (unsigned)timeout : 0, now;
    int left = timeout, slice, result;

    for (;;) {
        const struct bus *bus = process_bus_attached();
        bool sliced = bus && waits_for_room(bus, fd) && (left < 0 || left > ROOM_MS);
        slice = sliced ? ROOM_MS : left;
        result = real.epoll_pwait(fd, events, count, slice, mask);
        if (result || !sliced) return result;
        now = now_ms();
        if (timeout > 0) left = end > now ? (int)(end - now) : 0;
        settle();
    }
}

static int corrected(int fd, struct epoll_event *events, int count)
{
    const struct bus *bus = process_bus_attached();

    if (likely(!bus || !load_relaxed(&registrations_high))) return count;
    for (int i = 0; i < count; i++)
        correct(bus, fd, &events[i]);
    return count;
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    settle();
    if (unlikely(sendbuf_matters()))
        return corrected(fd, events, wait_for_room(fd, events, count, timeout, NULL));
    return corrected(fd, events, real.epoll_wait(fd, events, count, timeout));
}

EXPORT int epoll_pwait(int fd, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    settle();
    if (unlikely(sendbuf_matters()))
        return corrected(fd, events, wait_for_room(fd, events, count, timeout, mask));
    return corrected(fd, events, real.epoll_pwait(fd, events, count, timeout, mask));
}

/* Of those times that epoll_pwait() can be given. */
static bool is_whole(const struct timespec *time)
{
    return !time || (usermem_ok(time, sizeof(*time), USERMEM_READ) && time->tv_sec >= 0 &&
                     time->tv_sec < 1000000 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000);
}

static int in_ms(const struct timespec *time)
{
    return time ? (int)(time->tv_sec * 1000 + (time->tv_nsec + 999999) / 1000000) : -1;
}

EXPORT int epoll_pwait2(int fd, struct epoll_event *events, int count, const struct timespec *timeout,
                        const sigset_t *mask)
{
    settle();
    if (unlikely(sendbuf_matters()) && is_whole(timeout))
        return corrected(fd, events, wait_for_room(fd, events, count, in_ms(timeout), mask));
    return corrected(fd, events, real.epoll_pwait2(fd, events, count, timeout, mask));
}

/* ---- where a descriptor is registered: the kernel tells, line by line ---- */

/* "tfd: 5 events: 19 data: 5 pos:0 ino:3039 sdev:8". The number alone may be that of a file that was closed. */
static void look_into(int set, int fd, uint64_t inode, struct epoll_places *out)
{
    char line[256];
    FILE *file;

    snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", set);
    file = real.fopen(line, "re");
    while (file && fgets(line, sizeof(line), file)) {
        const char *events = strstr(line, " events:"), *data = strstr(line, " data:"),
                   *ino = strstr(line, " ino:");
        struct epoll_event event = { 0 };
        if (strncmp(line, "tfd:", 4) || !events || !data || !ino || strtol(line + 4, NULL, 10) != fd ||
            strtoull(ino + 5, NULL, 16) != inode || out->count == EPOLL_PLACES)
            continue;
        event.events = (uint32_t)strtoul(events + 8, NULL, 16);
        event.data.u64 = strtoull(data + 6, NULL, 16);
        out->place[out->count].set = set;
        out->place[out->count++].event = event;
    }
    if (file) fclose(file);
}

void epoll_take_out(int fd, struct epoll_places *places)
{
    DIR *dir = real.opendir("/proc/self/fd");
    char path[32], link[32] = "";
    struct dirent *entry;
    struct stat about;

    places->count = 0;
    while (dir && fstat(fd, &about) == 0 && (entry = real.readdir(dir))) {
        int set = (int)strtol(entry->d_name, NULL, 10);
        ssize_t size;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", set);
        size = real.readlink(path, link, sizeof(link) - 1);
        link[size > 0 ? size : 0] = 0;
        if (!strcmp(link, "anon_inode:[eventpoll]")) look_into(set, fd, about.st_ino, places);
    }
    if (dir) real.closedir(dir);
    for (unsigned i = 0; i < places->count; i++)
        real.epoll_ctl(places->place[i].set, EPOLL_CTL_DEL, fd, NULL);
}

void epoll_put_back(int fd, const struct epoll_places *places)
{
    for (unsigned i = 0; i < places->count; i++) {
        struct epoll_event event = places->place[i].event;
        epoll_ctl(places->place[i].set, EPOLL_CTL_ADD, fd, &event);
    }
}
