/* sockets/bcm_head.h - the head of BCM messages in 32-bit programs, whose times are `long`: 40 bytes instead of 56.
 *
 * The worker speaks 64-bit heads (can/bcm.h). What a narrow program writes is handed on with another head, and what it reads arrives with one
 * that is put aside. On Linux a 32-bit program gets nowhere with BCM unless the kernel is as narrow as it is. */
#ifndef SOCKETS_BCM_HEAD_H
#define SOCKETS_BCM_HEAD_H

#include "can/bcm.h"
#include "sockets/raw.h"

#define BCM_HEAD_OURS   sizeof(struct bcm_msg_head)
#define BCM_HEAD_WIRE   sizeof(struct bcm_head)
#define BCM_HEAD_SAME   (BCM_HEAD_OURS == BCM_HEAD_WIRE)
#define BCM_HEAD_PIECES 1025 /* UIO_MAXIOV, and the head */

static inline struct bcm_head bcm_head_widen(const struct bcm_msg_head *head)
{
    return (struct bcm_head){ .opcode = head->opcode,
                              .flags = head->flags,
                              .count = head->count,
                              .ival1 = { head->ival1.tv_sec, head->ival1.tv_usec },
                              .ival2 = { head->ival2.tv_sec, head->ival2.tv_usec },
                              .can_id = head->can_id,
                              .nframes = head->nframes };
}

static inline void bcm_head_narrow(struct bcm_msg_head *out, const struct bcm_head *head)
{
    out->opcode = head->opcode;
    out->flags = head->flags;
    out->count = head->count;
    out->ival1 = (struct bcm_timeval){ (long)head->ival1.tv_sec, (long)head->ival1.tv_usec };
    out->ival2 = (struct bcm_timeval){ (long)head->ival2.tv_sec, (long)head->ival2.tv_usec };
    out->can_id = head->can_id;
    out->nframes = head->nframes;
}

/* What the worker counted in its own bytes. */
static inline ssize_t bcm_head_result(ssize_t result)
{
    return result >= (ssize_t)BCM_HEAD_WIRE ? result - (ssize_t)(BCM_HEAD_WIRE - BCM_HEAD_OURS) : result;
}

/* Pieces of a message: `head` instead of its first BCM_HEAD_OURS bytes, then the rest where it is. Returns how many, or -EMSGSIZE. */
int bcm_head_replace(struct iovec *out, struct bcm_head *head, const struct iovec *iov, size_t count);

#endif
