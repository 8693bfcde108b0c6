/* bus/wake.h - making a socket's file descriptor readable exactly while it has something to report.
 *
 * Each CAN fd is an AF_UNIX datagram socket bound to DIR/s/SLOT.GEN. A "token" is a one-byte datagram sent to it. */
#ifndef BUS_WAKE_H
#define BUS_WAKE_H

#include <sys/un.h>
#include "bus/bus.h"

/* States of ring.armed, low two bits; the rest is a generation. */
enum { WAKE_SENT, WAKE_ARMED, WAKE_SENDING };

/* The address of socket slot.gen of this instance. Returns the length of the address, or -ENAMETOOLONG. */
int wake_address(const struct bus *bus, uint32_t slot, uint32_t gen, struct sockaddr_un *out);

/* After publishing something to `slot`: sends the token if the reader armed. `fd`: any datagram socket of the caller.
 * Returns 0, or -ECONNREFUSED when nobody holds that socket any more, whose generation is then in *gen (unless gen is NULL). Never blocks. */
int wake_notify(const struct bus *bus, uint32_t slot, int fd, uint32_t *gen);

/* The same from one end of a connection between a socket of the daemon's protocols and the worker: from the worker's to that socket, or from
 * that socket's to the worker's inbox. False: the connection is gone, or full - to the program: of tokens. */
bool wake_notify_connected(const struct bus *bus, uint32_t slot, int fd);

/* The socket's connection to the worker has ended, and with it all that the worker did for it: an error each time it is looked at,
 * because the kernel will call the descriptor readable from now on. */
void wake_hung_up(const struct bus *bus, uint32_t slot);

/* After publishing: is a token to be sent at all? Cheap. */
static inline bool wake_is_wanted(const struct bus *bus, uint32_t slot)
{
    return (load_seq(&bus->data->slot[slot].armed) & 3) != WAKE_SENT;
}

/* One token more for slot.gen, whatever the state; for slot_nudge. */
void wake_nudge(const struct bus *bus, uint32_t slot, uint32_t gen);

/* What rings the daemon's bell (daemon/bell.c): a program that cannot reach a socket by its name any more, since setuid() or
 * chroot(), sends this to control.bell_name, and the daemon sends the token. */
struct wake_bell {
    uint64_t secret; /* control.bell_secret */
    uint32_t slot, pad;
};

/* A datagram socket to send tokens from, or -errno; the caller closes it. */
int wake_socket(void);

/* Reader, ring looks empty: takes tokens off `fd` (the socket itself), arms, and looks again.
 * Returns true when there is nothing to report, and the next event will send a token. */
bool wake_settle(const struct bus *bus, uint32_t slot, int fd);

/* The same for a reader about to sleep, to whom the error queue is nothing to wake up for: its token goes, and ready_settle()
 * brings it back for those who wait for it. A socket of the daemon's protocols stays armed although there is something, because its tokens
 * come from the worker: the reader takes what there is, and raw_taken() and ready_settle() see to others. */
bool wake_settle_reader(const struct bus *bus, uint32_t slot, int fd);

/* Asks for one more token at the next event although the ring is not empty: for edge-triggered waits. */
void wake_rearm(const struct bus *bus, uint32_t slot);

/* True when a frame or a message is there to be read. */
bool wake_has_data(const struct bus *bus, uint32_t slot);
/* True when the socket has something to report: a record, an error, or a message in its error queue. */
bool wake_pending(const struct bus *bus, uint32_t slot);
/* True when it has something to read: a record or an error. */
bool wake_readable(const struct bus *bus, uint32_t slot);

/* Does any process hold the socket slot.gen open? Needs no fd of its own. NAMELESS: its name is not there - never was, is gone, or
 * cannot be seen from here (chroot). UNKNOWN: could not ask. */
enum wake_life { WAKE_ALIVE, WAKE_DEAD, WAKE_NAMELESS, WAKE_UNKNOWN };
enum wake_life wake_probe(const struct bus *bus, uint32_t slot, uint32_t gen);

#endif
