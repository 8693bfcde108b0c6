/* sockets/ready.h - keeping descriptors readable exactly while they have something to report.
 *
 * A reader that took the last frame leaves the token in the socket, so that a busy reader makes no system calls. Before the
 * process waits (poll, select, epoll_wait), such sockets are settled: token away, armed again. */
#ifndef SOCKETS_READY_H
#define SOCKETS_READY_H

#include "sockets/sendbuf.h"

/* This process holds slot's socket open as `fd`. */
void ready_track(uint32_t slot, int fd);

/* Somebody asked epoll for edges of this socket (EPOLLET): each new frame must be one, even when others are queued. */
void ready_want_edges(uint32_t slot);

/* Settles one socket before a wait. */
void ready_settle(const struct bus *bus, uint32_t slot, int fd);

/* Settles every socket of this process: before waits that do not name their descriptors. */
void ready_settle_all(const struct bus *bus);

/* poll(2) bits of a CAN socket, all that are true now. */
short ready_mask(const struct bus *bus, uint32_t slot);

/* Its send buffer is full, of which the kernel knows nothing: it would tell at once that one can send. */
static inline bool ready_lacks_room(const struct bus *bus, uint32_t slot)
{
    return !sendbuf_is_writable(bus, slot);
}

/* The error queue has been used, or will be. */
bool ready_uses_error_queue(const struct bus *bus, uint32_t slot);

/* SO_SELECT_ERR_QUEUE is on: the bits may have POLLPRI. */
bool ready_has_exceptions(const struct bus *bus, uint32_t slot);

/* A wait said `fd` is readable: true when it is. When it is not, the stray token is gone after. */
bool ready_verify(const struct bus *bus, uint32_t slot, int fd);

#endif
