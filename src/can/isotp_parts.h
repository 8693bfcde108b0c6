/* can/isotp_parts.h - what the files of the ISO-TP machine know of each other. Nobody else includes it.
 *
 *   isotp_options.c   options and the checks of bind(2) and write(2)
 *   isotp_frame.c     bytes: the frames that are sent, the padding of those that come
 *   isotp_tx.c        sends one PDU at a time
 *   isotp_rx.c        receives one PDU at a time
 *   isotp.c           subscribes, and gives each frame to the one whom it concerns */
#ifndef CAN_ISOTP_PARTS_H
#define CAN_ISOTP_PARTS_H

#include "can/isotp.h"

#define ISOTP_SECOND_NS 1000000000ull
#define ISOTP_N_BS_NS   ISOTP_SECOND_NS       /* for a flow control frame to come */
#define ISOTP_N_CR_NS   ISOTP_SECOND_NS       /* for a consecutive frame to come */
#define ISOTP_ECHO_NS   (2 * ISOTP_SECOND_NS) /* for our own frame to be on the bus */

/* The high nibble of the PCI byte. */
enum { ISOTP_SF = 0x00, ISOTP_FF = 0x10, ISOTP_CF = 0x20, ISOTP_FC = 0x30 };
/* The low nibble in flow control frames. */
enum { ISOTP_CTS = 0, ISOTP_WT = 1, ISOTP_OVFLW = 2 };

static inline bool isotp_flag(const struct isotp_options *options, uint32_t flag)
{
    return options->opts.flags & flag;
}

/* Where the PCI byte is: behind the address byte, if there is one. */
static inline uint32_t isotp_at(const struct isotp_options *options)
{
    return isotp_flag(options, CAN_ISOTP_EXTEND_ADDR) ? 1 : 0;
}

/* Both broadcast modes only send. */
static inline bool isotp_receives(const struct isotp_options *options)
{
    return !isotp_flag(options, CAN_ISOTP_SF_BROADCAST | CAN_ISOTP_CF_BROADCAST);
}

/* How much a single frame holds at most. */
uint32_t isotp_frame_single_max(const struct isotp_options *options);

/* The next length that a frame can have, at least 8. */
uint32_t isotp_frame_round(uint32_t length);

/* Build frames; first and consecutive return how many bytes of the PDU are in it. */
uint32_t isotp_frame_first(const struct isotp_options *options, uint32_t tx_id, const void *pdu,
                           uint32_t size, struct canfd_frame *frame);
uint32_t isotp_frame_consecutive(const struct isotp_options *options, uint32_t tx_id, uint8_t sn,
                                 const void *rest, uint32_t size, struct canfd_frame *frame);
void isotp_frame_flow(const struct isotp_options *options, uint32_t tx_id, uint8_t status,
                      struct canfd_frame *frame);

/* Whether the options accept what follows the first `used` bytes of a frame that came. */
bool isotp_frame_is_padded(const struct isotp_options *options, const struct canfd_frame *frame,
                           uint32_t used);

/* A flow control frame came. */
void isotp_tx_flow(struct isotp *isotp, const struct canfd_frame *frame, uint64_t now);
/* A frame of ours was on the bus. */
void isotp_tx_echo(struct isotp *isotp, const struct canfd_frame *frame, uint64_t now);

/* A frame with data came. */
void isotp_rx_data(struct isotp *isotp, const struct canfd_frame *frame, const struct can_event *event);
bool isotp_rx_is_receiving(const struct isotp *isotp);
void isotp_rx_reset(struct isotp *isotp);

#endif
