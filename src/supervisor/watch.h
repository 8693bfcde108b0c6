/* supervisor/watch.h - the descriptors that the door waits for. A watch is embedded in whatever owns the descriptor. */
#ifndef SUPERVISOR_WATCH_H
#define SUPERVISOR_WATCH_H

#include <stdint.h>

struct watch {
    int fd;
    uint32_t events;
    void (*ready)(struct watch *watch, uint32_t events); /* EPOLL* */
};

#define watch_owner(watch, type, member) ((type *)(void *)((char *)(watch)-offsetof(type, member)))

int watch_open(void);
/* Waits for these events (0: for none but EPOLLHUP and EPOLLERR) from now on. */
int watch_for(struct watch *watch, uint32_t events);
/* Also out of the turn that is going on; the caller closes the descriptor. */
void watch_end(struct watch *watch);
/* free(3), once no event for a watch in there can be under way. */
void watch_free(void *owner);
/* The next events, or none within this time (-1: for ever). watch_wait() may be called without the lock that guards watches, watch_act() not. */
void watch_wait(int milliseconds);
void watch_act(void);

#endif
