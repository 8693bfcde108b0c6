/* sockets/sendbuf.h - the send buffer of CAN_RAW sockets (SO_SNDBUF), which frames fill that wait for a controller. */
#ifndef SOCKETS_SENDBUF_H
#define SOCKETS_SENDBUF_H

#include "bus/charge.h"

/* Before a frame goes to an interface of kind "can": waits for room. 0, or why there is none: -EAGAIN (O_NONBLOCK, MSG_DONTWAIT,
 * SO_SNDTIMEO), -EINTR, or the socket's pending error. */
int sendbuf_wait(const struct bus *bus, uint32_t slot, int fd, int flags);

/* POLLOUT: less than half of it is taken. */
bool sendbuf_looks_full(const struct bus *bus, uint32_t slot);
static inline bool sendbuf_is_writable(const struct bus *bus, uint32_t slot)
{
    return likely(!charge_counted(bus, slot)) || !sendbuf_looks_full(bus, slot);
}

/* Some socket of this process was close to a full buffer, once. */
bool sendbuf_matters(void);
/* A send was refused or had to wait since the last sendbuf_forget(). */
bool sendbuf_was_full(uint32_t slot);
void sendbuf_forget(uint32_t slot);

#endif
