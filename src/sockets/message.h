/* sockets/message.h - filling in what recvmsg(2) hands out: data, control messages (spec A.6, A.7). For receive.c and txstamp.c. */
#ifndef SOCKETS_MESSAGE_H
#define SOCKETS_MESSAGE_H

#include "sockets/raw.h"

/* Control messages on their way into user memory; `used` counts bytes of message->control. */
struct message_control {
    struct raw_receive *message;
    size_t used;
};

/* What has no room is cut off or left out, with MSG_CTRUNC in message->flags; what cannot be written is left out. */
void message_put(struct message_control *control, int level, int type, const void *data, size_t size);
/* The time stamps that the socket's options ask for, in the kernel's order. time_ns: when; 0: unknown, which SO_TIMESTAMP takes for
 * now and SO_TIMESTAMPING for no stamp. */
void message_put_times(struct message_control *control, const struct bus_slot *slot, uint64_t time_ns,
                       uint64_t hardware_ns);

/* Copies the first bytes of a frame to the program's buffers. Returns how many; fewer than `size`: MSG_TRUNC is in message->flags. */
ssize_t message_put_data(struct raw_receive *message, const uint8_t *frame, size_t size);

#endif
