/* daemon/loop.h - the worker's epoll set. A source is embedded in whatever owns the descriptor. */
#ifndef DAEMON_LOOP_H
#define DAEMON_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop_source {
    int fd;
    void (*ready)(struct loop_source *source, uint32_t events); /* EPOLL* */
};

#define loop_owner(source, type, member) ((type *)(void *)((char *)(source)-offsetof(type, member)))

int loop_open(void);
int loop_add(struct loop_source *source, uint32_t events);
int loop_change(struct loop_source *source, uint32_t events);

/* Takes the source out of the set, also out of the turn that is going on; the caller closes the
 * descriptor. */
void loop_remove(struct loop_source *source);

/* Waits for events, or looks whether there are any, and hands them out. Returns how many, or -errno. */
int loop_turn(bool wait);

#endif
