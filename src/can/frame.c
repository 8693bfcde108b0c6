/* can/frame.c - classification of frames; owns no state. */
#include "can/frame.h"

static uint32_t byte_at(const void *frame, unsigned offset) { return ((const uint8_t *)frame)[offset]; }

static bool is_xl(const void *frame, size_t size)
{
    uint16_t len;
    if (size < FRAME_XL_MIN || size > FRAME_XL_MAX || !(byte_at(frame, 4) & FRAME_XL_FLAG)) return false;
    __builtin_memcpy(&len, (const uint8_t *)frame + 6, sizeof(len));
    return len >= 1 && len <= 2048 && size == FRAME_XL_HEAD + (size_t)len;
}

enum frame_kind frame_classify(const void *frame, size_t size)
{
    if (size == FRAME_CC_SIZE && byte_at(frame, 4) <= 8) return FRAME_CC;
    if (size == FRAME_FD_SIZE && byte_at(frame, 4) <= 64) return FRAME_FD;
    return is_xl(frame, size) ? FRAME_XL : FRAME_NONE;
}

uint32_t frame_payload(const void *frame, enum frame_kind kind)
{
    uint16_t len;
    if (kind == FRAME_XL) {
        __builtin_memcpy(&len, (const uint8_t *)frame + 6, sizeof(len));
        return len;
    }
    return kind == FRAME_CC && (frame_id(frame) & CAN_RTR_FLAG) ? 0 : byte_at(frame, 4);
}

uint32_t frame_charge(uint32_t size)
{
    enum { SHARED_INFO = 320, PRIVATE = 16, SKB = 256, SMALLEST = 512 };
    uint32_t need = size + SHARED_INFO + PRIVATE, bucket = SMALLEST;
    while (bucket < need)
        bucket *= 2;
    return bucket + SKB;
}
