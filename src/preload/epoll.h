/* preload/epoll.h - sets of epoll(7) in which a descriptor is while another file takes the place of its own. */
#ifndef PRELOAD_EPOLL_H
#define PRELOAD_EPOLL_H

#include <sys/epoll.h>

#define EPOLL_PLACES 16 /* sets of this process; from more of them it is lost, as from those of others */

struct epoll_places {
    unsigned count;
    struct {
        int set;
        struct epoll_event event;
    } place[EPOLL_PLACES];
};

/* Finds them, and takes it out; puts it back with what it was registered for. */
void epoll_take_out(int fd, struct epoll_places *places);
void epoll_put_back(int fd, const struct epoll_places *places);

#endif
