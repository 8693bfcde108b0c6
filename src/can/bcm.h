/* can/bcm.h - the broadcast manager, CAN_BCM: cyclic transmission and content filters (kernel's <linux/can/bcm.h>). Pure.
 *
 * One struct bcm is one socket. It owns its jobs ("ops"), each with its frames, timers and, when it receives, its subscription. */
#ifndef CAN_BCM_H
#define CAN_BCM_H

#include <linux/can/bcm.h>
#include <sys/types.h>
#include "can/host.h"

/* What messages begin with here: struct bcm_msg_head as 64-bit programs lay it out, whatever we are. That of 32-bit ones has narrower
 * times (sockets/bcm_head.h). */
struct bcm_time {
    int64_t tv_sec, tv_usec;
};
struct bcm_head {
    uint32_t opcode, flags, count, pad;
    struct bcm_time ival1, ival2;
    uint32_t can_id, nframes;
};
_Static_assert(sizeof(struct bcm_head) == 56, "struct bcm_msg_head of a 64-bit program");

struct bcm_op;
struct bcm {
    struct can_host *host;
    /* May not call back into the machine. A message for the program: a head, and head->nframes frames of frames_size bytes in all. `ifindex` is its source address; stamp_ns that
     * of the frame it is about, 0: none. */
    void (*message)(struct bcm *bcm, const struct bcm_head *head, const void *frames, size_t frames_size,
                    uint32_t ifindex, uint64_t stamp_ns);
    uint64_t origin;  /* what its frames are sent as */
    uint32_t ifindex; /* connected to; 0: any */
    struct bcm_op *tx, *rx;
};

/* What a program wrote, connected as bcm->ifindex says. `to` is where to: bcm->ifindex, or, when that is 0, the interface of
 * sendto's address (0: any). Returns what send(2) returns - the size of the head and of the frames that were used - or -EINVAL,
 * -ENODEV, -E2BIG, -EFAULT (fewer frames than nframes), -ENOMEM; a TX_SEND also what host->send refuses with. One that is
 * refused changes nothing. */
ssize_t bcm_write(struct bcm *bcm, const void *message, size_t size, uint32_t to, uint64_t now);

/* The same checks for a TX_SEND, which needs no socket: writes the frame to send and its size, and returns as bcm_write does. For
 * messages of other opcodes, 0: they are bcm_write's. -EINVAL also when `message` is no message at all. Whoever sends
 * the frame has yet to see, in this order, whether there is an interface (-ENODEV) and whether its length is one (-EINVAL). */
ssize_t bcm_check_send(const void *message, size_t size, struct canfd_frame *frame, uint32_t *frame_size);

/* An interface is gone: jobs on it neither send nor hear any more. bcm->ifindex is the owner's to change. */
void bcm_link_gone(struct bcm *bcm, uint32_t ifindex);

/* Ends all jobs. */
void bcm_close(struct bcm *bcm);

/* Calls `each` with the subscription of every RX job; one that hears nothing any more has no link. */
void bcm_each(const struct bcm *bcm, void (*each)(void *context, const struct subscription *subscription),
              void *context);

/* The lines of /proc/net/can-bcm/INODE behind the first one: this socket's jobs and an empty line. `name` gives an interface's name ("any"
 * for 0, "???" for one that is gone). Writes at most room bytes and no NUL, returns how many there are. */
size_t bcm_show(const struct bcm *bcm, char *text, size_t room,
                const char *(*name)(void *context, uint32_t ifindex), void *context);

#endif
