/* can/isotp_frame.c - the bytes of ISO 15765-2: single, first, consecutive and flow control frames. Owns no state.
 *
 * With extended and mixed addressing the first byte of a frame's payload is an address and the PCI follows it; isotp_at() says where.
 * The struct of FD frames serves for classic ones, too: they have the same fields at the same places. */
/* prefix: isotp_ */
#include "can/isotp_parts.h"

#include <string.h>

#define FF_DL_12_MAX 4095u

_Static_assert(offsetof(struct can_frame, data) == offsetof(struct canfd_frame, data), "one layout");

uint32_t isotp_frame_round(uint32_t length)
{
    static const uint8_t lengths[] = { 8, 12, 16, 20, 24, 32, 48 };

    for (unsigned i = 0; i < sizeof(lengths); i++)
        if (length <= lengths[i]) return lengths[i];
    return CANFD_MAX_DLEN;
}

/* A frame with its address byte, and `head` bytes of address and PCI to come before its data. */
static uint8_t *begin(const struct isotp_options *options, uint32_t tx_id, struct canfd_frame *frame)
{
    uint32_t at = isotp_at(options);

    *frame = (struct canfd_frame){ .can_id = tx_id, .flags = options->ll.tx_flags };
    if (options->ll.mtu == CANFD_MTU) frame->flags |= CANFD_FDF;
    if (at) frame->data[0] = options->opts.ext_address;
    return frame->data + at;
}

/* Puts data behind the first `head` bytes, and padding behind it: what the options say, or what an FD frame cannot do without. */
static void finish(const struct isotp_options *options, struct canfd_frame *frame, uint32_t head,
                   const void *bytes, uint32_t size)
{
    bool padding = isotp_flag(options, CAN_ISOTP_TX_PADDING);
    uint32_t used = head + size, length = used;

    if (size) memcpy(frame->data + head, bytes, size);
    if (padding || used > CAN_MAX_DLEN) length = isotp_frame_round(used);
    memset(frame->data + used, padding ? options->opts.txpad_content : CAN_ISOTP_DEFAULT_PAD_CONTENT,
           length - used);
    frame->len = (uint8_t)length;
}

/* In frames of more than 8 bytes the length has a byte of its own. */
uint32_t isotp_frame_single_max(const struct isotp_options *options)
{
    return options->ll.tx_dl - isotp_at(options) - (options->ll.tx_dl > CAN_MAX_DLEN ? 2u : 1u);
}

uint32_t isotp_single_frame(const struct isotp_options *options, uint32_t tx_id, const void *pdu, size_t size,
                            struct canfd_frame *frame)
{
    uint32_t head = isotp_at(options) + 1;
    uint8_t *pci;

    if (!size || size > isotp_frame_single_max(options)) return 0;
    pci = begin(options, tx_id, frame);
    if (size <= CAN_MAX_DLEN - head) {
        pci[0] = (uint8_t)(ISOTP_SF | size);
    } else {
        pci[0] = ISOTP_SF;
        pci[1] = (uint8_t)size;
        head++;
    }
    finish(options, frame, head, pdu, (uint32_t)size);
    return options->ll.mtu;
}

uint32_t isotp_frame_first(const struct isotp_options *options, uint32_t tx_id, const void *pdu,
                           uint32_t size, struct canfd_frame *frame)
{
    uint8_t *pci = begin(options, tx_id, frame);
    uint32_t head = isotp_at(options) + 2;

    if (size <= FF_DL_12_MAX) {
        pci[0] = (uint8_t)(ISOTP_FF | size >> 8);
        pci[1] = (uint8_t)size;
    } else {
        pci[0] = ISOTP_FF;
        for (uint32_t i = 0; i < 4; i++)
            pci[2 + i] = (uint8_t)(size >> (24 - 8 * i));
        head += 4;
    }
    finish(options, frame, head, pdu, options->ll.tx_dl - head);
    return options->ll.tx_dl - head;
}

uint32_t isotp_frame_consecutive(const struct isotp_options *options, uint32_t tx_id, uint8_t sn,
                                 const void *rest, uint32_t size, struct canfd_frame *frame)
{
    uint32_t head = isotp_at(options) + 1, room = options->ll.tx_dl - head;

    if (size > room) size = room;
    begin(options, tx_id, frame)[0] = ISOTP_CF | (sn & 0xf);
    finish(options, frame, head, rest, size);
    return size;
}

void isotp_frame_flow(const struct isotp_options *options, uint32_t tx_id, uint8_t status,
                      struct canfd_frame *frame)
{
    uint8_t *pci = begin(options, tx_id, frame);

    pci[0] = ISOTP_FC | status;
    pci[1] = options->fc.bs;
    pci[2] = options->fc.stmin;
    finish(options, frame, isotp_at(options) + 3, NULL, 0);
}

/* Without CAN_ISOTP_RX_PADDING there is no content to expect: CHK_PAD_LEN wants the shortest frame then, CHK_PAD_DATA fails always. */
bool isotp_frame_is_padded(const struct isotp_options *options, const struct canfd_frame *frame,
                           uint32_t used)
{
    bool length = isotp_flag(options, CAN_ISOTP_CHK_PAD_LEN),
         data = isotp_flag(options, CAN_ISOTP_CHK_PAD_DATA);

    if (!length && !data) return true;
    if (!isotp_flag(options, CAN_ISOTP_RX_PADDING))
        return length && frame->len == (frame->len <= CAN_MAX_DLEN ? used : isotp_frame_round(used));
    if (length && frame->len != isotp_frame_round(frame->len)) return false;
    for (uint32_t i = used; data && i < frame->len; i++)
        if (frame->data[i] != options->opts.rxpad_content) return false;
    return true;
}
