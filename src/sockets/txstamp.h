/* sockets/txstamp.h - transmit time stamps (SO_TIMESTAMPING) and the error queue they are read from (spec A.7). */
#ifndef SOCKETS_TXSTAMP_H
#define SOCKETS_TXSTAMP_H

#include <linux/net_tstamp.h>
#include "sockets/raw.h"

/* Does a frame sent with these SOF_TIMESTAMPING_* flags need txstamp_record()? */
static inline bool txstamp_is_wanted(uint32_t flags) { return flags & SOF_TIMESTAMPING_TX_RECORD_MASK; }

/* A frame is about to go out on an interface in `state`, or to be refused by it (0): queues the messages that `flags` ask for, or has the frame
 * ask the worker for them. */
void txstamp_record(const struct bus *bus, uint32_t slot, int fd, uint32_t flags, uint64_t state,
                    struct bus_frame *frame);

/* recvmsg(MSG_ERRQUEUE): takes the oldest message; never waits. Returns bytes of the frame copied, -EAGAIN when there is none. */
ssize_t txstamp_receive(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message);

#endif
