/* supervisor/watch.c - one epoll set. Events of a turn are fetched in one go, without the lock; a watch that has ended since then stays where it is
 * until the turn is over, and says so. */
#include "supervisor/watch.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define EVENTS_MAX 64
#define NEVER      UINT32_MAX

static int epoll_fd = -1;
static struct epoll_event turn[EVENTS_MAX];
static int turn_count;

int watch_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? -errno : 0;
}

int watch_for(struct watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    int operation = watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (watch->events == (events ? events : NEVER)) return 0;
    if (epoll_ctl(epoll_fd, operation, watch->fd, &event) < 0) return -errno;
    watch->events = events ? events : NEVER;
    return 0;
}

void watch_end(struct watch *watch)
{
    if (watch->events) epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->events = 0;
}

/* A list, through the first word of each. */
static void *to_free;

void watch_free(void *owner)
{
    *(void **)owner = to_free;
    to_free = owner;
}

void watch_wait(int milliseconds)
{
    int count = epoll_wait(epoll_fd, turn, EVENTS_MAX, milliseconds);
    turn_count = count > 0 ? count : 0;
}

void watch_act(void)
{
    for (int i = 0; i < turn_count; i++) {
        struct watch *watch = turn[i].data.ptr;
        if (watch->events) watch->ready(watch, turn[i].events);
    }
    turn_count = 0;
    while (to_free) {
        void *owner = to_free;
        to_free = *(void **)owner;
        free(owner);
    }
}
