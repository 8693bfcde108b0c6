/* can/wire.h - frames as bits on a bus (ISO 11898-1): what is sent, how long it takes, who wins arbitration. Pure.
 *
 * Classical CAN and CAN FD. A frame is what <linux/can.h> lays out, struct can_frame or canfd_frame by its kind. */
#ifndef CAN_WIRE_H
#define CAN_WIRE_H

#include "can/frame.h"

#define WIRE_BITS_MAX     800u /* of any frame, stuff bits included */
#define WIRE_INTERMISSION 3u   /* recessive bits between two frames; not part of a frame here */
#define WIRE_EOF          7u

/* How the sender was configured. */
enum {
    WIRE_NON_ISO = 1,  /* CAN FD as it was before ISO 11898-1:2015: no stuff count */
    WIRE_ESI = 2,      /* it is error passive: its CAN FD frames say so */
    WIRE_LEN8_DLC = 4, /* CAN_CTRLMODE_CC_LEN8_DLC */
};

/* One bit of a frame: bit 0 its level (1: recessive), WIRE_STUFF, bits 2-6 where it is (CAN_ERR_PROT_LOC_* of <linux/can/error.h>),
 * WIRE_FAST when it is sent at the data bit rate. */
enum { WIRE_LEVEL = 1, WIRE_STUFF = 2, WIRE_FAST = 128 };
static inline uint8_t wire_location(uint8_t bit) { return bit >> 2 & 31; }

/* Writes the bits from start of frame to the end of EOF (without an acknowledgement: that is its receivers'), and returns how many they
 * are. The bit rate changes in the middle of two bits; as what BRS loses the CRC delimiter gains, BRS counts as slow here and the
 * delimiter as fast. */
uint32_t wire_encode(const void *frame, enum frame_kind kind, unsigned options, uint8_t bits[WIRE_BITS_MAX]);

struct wire_length {
    uint32_t slow, fast; /* bits at the nominal and at the data bit rate; slow + fast are the whole frame */
    uint32_t stuff;      /* how many of them are stuff bits, the fixed ones of CAN FD included */
};

/* The same without the bits. */
struct wire_length wire_measure(const void *frame, enum frame_kind kind, unsigned options);

/* The bits that arbitrate, as a number: of all that are pending, the lowest wins. Of two frames with the same identifier, data comes before
 * remote and Classical CAN before CAN FD; a standard identifier before an extended one that begins with it. */
uint64_t wire_priority(const void *frame, enum frame_kind kind);

/* Where, of these bits, `loser` first sent a recessive bit and saw a dominant one: 0 the first of the identifier, 11 SRR or RTR, 12 IDE ... 31 */
unsigned wire_lost_at(uint64_t loser, uint64_t winner);

/* The DLC that a frame is sent with, and the bytes that it then carries (CAN FD pads). */
uint8_t wire_dlc(const void *frame, enum frame_kind kind, unsigned options);
uint8_t wire_size(uint8_t dlc, enum frame_kind kind);

/* One bit into a CRC of `width` bits. */
static inline uint32_t wire_crc(uint32_t crc, uint32_t bit, unsigned width, uint32_t polynomial)
{
    uint32_t feedback = (crc >> (width - 1) ^ bit) & 1;
    return (crc << 1 ^ ((0u - feedback) & polynomial)) & ((1u << width) - 1);
}
enum {
    WIRE_CRC15 = 0x4599,
    WIRE_CRC17 = 0x1685b,
    WIRE_CRC21 = 0x102899
}; /* polynomials, without their highest bit */

#endif
