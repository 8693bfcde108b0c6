/* can/frame.h - what makes bytes a CAN frame: Classical CAN, CAN FD, CAN XL (ISO 11898-1; layouts of <linux/can.h>). Pure. */
#ifndef CAN_FRAME_H
#define CAN_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/can.h>

#ifndef CANFD_FDF
#define CANFD_FDF 0x04
#endif

/* Sizes of CAN XL, which Debian 12's headers know but older ones do not. */
enum { FRAME_CC_SIZE = 16, FRAME_FD_SIZE = 72, FRAME_XL_HEAD = 12, FRAME_XL_MIN = 13, FRAME_XL_MAX = 2060 };
#define FRAME_XL_FLAG 0x80u /* CANXL_XLF in the byte where the other kinds keep their length */

enum frame_kind { FRAME_NONE, FRAME_CC, FRAME_FD, FRAME_XL };

/* Classifies `size` bytes; FRAME_NONE when they are no frame. `frame` needs no alignment. */
enum frame_kind frame_classify(const void *frame, size_t size);

/* Payload bytes that interface statistics count: the data length, 0 for remote frames. */
uint32_t frame_payload(const void *frame, enum frame_kind kind);

/* Bytes that the kernel charges to a socket buffer for a queued frame of this size (skb truesize, x86-64 6.1). */
uint32_t frame_charge(uint32_t size);

/* Identifier word with its flag bits (the priority field of CAN XL frames). */
static inline uint32_t frame_id(const void *frame)
{
    uint32_t id;
    __builtin_memcpy(&id, frame, sizeof(id));
    return id;
}

#endif
