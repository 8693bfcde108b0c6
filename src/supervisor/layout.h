/* supervisor/layout.h - what programs lay out in their own way: 32-bit ones, whose words are narrower than ours.
 *
 * The handlers see each call as this machine has it: with its number, its arguments, its structs. These functions bring it into that form, and answers
 * back into the program's. Structs that are the same for both (addresses, most options, frames) are not mentioned. */
#ifndef SUPERVISOR_LAYOUT_H
#define SUPERVISOR_LAYOUT_H

#include <net/if.h>
#include <sys/socket.h>
#include <time.h>
#include "supervisor/call.h"

/* Once for each call, at first: number and arguments. What turns out not to be for us gets a number that nobody handles. */
void layout_begin(struct call *call);

/* All of these: false when it is not there. */
bool layout_read_pieces(const struct call *call, struct iovec *to, uint64_t from, size_t count);
bool layout_read_message(const struct call *call, struct msghdr *to, uint64_t from);
/* What recvmsg(2) gives back of it; `msg` is what was read. */
bool layout_write_message(const struct call *call, uint64_t to, const struct msghdr *msg);
bool layout_read_time(const struct call *call, struct timespec *to, uint64_t from);
bool layout_write_time(const struct call *call, uint64_t to, const struct timespec *time);
bool layout_read_ifreq(const struct call *call, struct ifreq *to, uint64_t from);
bool layout_write_ifreq(const struct call *call, uint64_t to, const struct ifreq *from);

/* The `index`th struct mmsghdr of an array; *length_at: its msg_len. */
uint64_t layout_message_at(const struct call *call, uint64_t array, uint32_t index, uint64_t *length_at);

/* Control messages that the program sends lie at bytes[0..size), of `room`: returns their size in our form, or -EINVAL. */
ssize_t layout_control_in(const struct call *call, uint8_t *bytes, size_t size, size_t room);
/* Those that it receives, for which it has `room` bytes: returns their size in its form. *flags: MSG_CTRUNC. */
size_t layout_control_out(const struct call *call, uint8_t *bytes, size_t size, size_t room, int *flags);

/* A value of setsockopt(2), in bytes[0..*size) of a larger buffer. */
void layout_option_in(const struct call *call, int level, int name, void *bytes, socklen_t *size);
/* The room that getsockopt(2) needs for an option, and its value in the program's form: returns its size. */
socklen_t layout_option_room(const struct call *call, int level, int name, socklen_t room);
socklen_t layout_option_out(const struct call *call, int level, int name, void *bytes, socklen_t size,
                            socklen_t room);

/* The size of the answer to SIOCGSTAMP and its like, which becomes one in the program's form. */
size_t layout_stamp_out(const struct call *call, uint32_t request, void *bytes);

/* The head of messages on a CAN_BCM socket: what ours is longer by; 0: the socket is none, or the program's head is ours. */
size_t layout_bcm_excess(const struct call *call, const struct sock *sock);
/* The head of a message to be sent, which then begins as many bytes before. Of one that was received, what fits into `room`. */
void layout_bcm_in(uint8_t *bytes);
ssize_t layout_bcm_out(uint8_t *bytes, size_t size, size_t room);

#endif
