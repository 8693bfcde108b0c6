/* daemon/loop.c - one epoll set for the one thread of the worker.
 *
 * Events of a turn are fetched in one go; a source that is removed by an earlier event of the same turn is
 * struck out. */
#include "daemon/loop.h"

#include <errno.h>
#include <sys/epoll.h>

#define EVENTS_MAX 32

static int epoll_fd = -1;
static struct epoll_event turn[EVENTS_MAX];
static int turn_count;

int loop_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return epoll_fd < 0 ? -errno : 0;
}

static int control(int operation, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    return epoll_ctl(epoll_fd, operation, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add(struct loop_source *source, uint32_t events) { return control(EPOLL_CTL_ADD, source, events); }

int loop_change(struct loop_source *source, uint32_t events)
{
    return control(EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop_source *source)
{
    control(EPOLL_CTL_DEL, source, 0);
    for (int i = 0; i < turn_count; i++)
        if (turn[i].data.ptr == source) turn[i].data.ptr = NULL;
}

int loop_turn(bool wait)
{
    int count = epoll_wait(epoll_fd, turn, EVENTS_MAX, wait ? -1 : 0);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    turn_count = count;
    for (int i = 0; i < count; i++) {
        struct loop_source *source = turn[i].data.ptr;
        if (source) source->ready(source, turn[i].events);
    }
    turn_count = 0;
    return count;
}
