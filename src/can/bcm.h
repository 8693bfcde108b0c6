/* can/bcm.h - the broadcast manager, CAN_BCM: cyclic transmission and content filters (kernel's <linux/can/bcm.h>). Pure.
 *
 * One struct bcm is one socket. It owns its jobs ("ops"), each with its frames, timers and, when it receives, its subscription. */
#ifndef CAN_BCM_H
#define CAN_BCM_H

#include <linux/can/bcm.h>
#include <sys/types.h>
#include "can/host.h"

struct bcm_op;
struct bcm {
    struct can_host *host;
    /* A message for the program: a head, and head->nframes frames of frames_size bytes in all. `ifindex` is its source address; stamp_ns that
     * of the frame it is about, 0: none. */
    void (*message)(struct bcm *bcm, const struct bcm_msg_head *head, const void *frames, size_t frames_size,
                    uint32_t ifindex, uint64_t stamp_ns);
    uint64_t origin;  /* what its frames are sent as */
    uint32_t ifindex; /* connected to; 0: any */
    struct bcm_op *tx, *rx;
};

/* What a program wrote, connected as bcm->ifindex says: any opcode but TX_SEND. `to` is where to: bcm->ifindex, or, when that is 0, the
 * interface of sendto's address (0: any). Returns what send(2) returns - the size of the head and of the frames that were
 * used - or -EINVAL, -ENODEV, -E2BIG, -EFAULT (fewer frames than nframes), -ENOMEM. */
ssize_t bcm_write(struct bcm *bcm, const void *message, size_t size, uint32_t to, uint64_t now);

/* The same checks for a TX_SEND, which needs no socket: writes the frame to send and its size, and returns as bcm_write does. For
 * messages of other opcodes, 0: they are bcm_write's. -EINVAL also when `message` is no message at all. */
ssize_t bcm_check_send(const void *message, size_t size, struct canfd_frame *frame, uint32_t *frame_size);

/* An interface is gone: ends what happened on it (spec 2.8). */
void bcm_link_gone(struct bcm *bcm, uint32_t ifindex);

/* Ends all jobs. */
void bcm_close(struct bcm *bcm);

/* The lines of /proc/net/can-bcm/INODE for this socket's jobs, behind the first one; `name` gives an interface's name ("any" for 0). Writes at most room
 * bytes, returns how many there are. */
size_t bcm_show(const struct bcm *bcm, char *text, size_t room,
                const char *(*name)(void *context, uint32_t ifindex), void *context);

#endif
