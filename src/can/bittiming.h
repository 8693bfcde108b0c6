/* can/bittiming.h - from the bit rate that a user wants to the time segments that a controller can have, and back (spec E.3). Pure.
 *
 * The structs are those of IFLA_CAN_BITTIMING and IFLA_CAN_BITTIMING_CONST. A bit is SYNC_SEG (one time quantum) + tseg1 (prop_seg + phase_seg1)
 * + tseg2 (phase_seg2); a quantum is brp clock cycles. */
#ifndef CAN_BITTIMING_H
#define CAN_BITTIMING_H

#include <stdint.h>
#include <linux/can/netlink.h>

/* Fills in what the user left out: with tq 0 everything from bitrate (and sample_point, 0: the usual one), with bitrate 0 bitrate,
 * sample_point and brp from tq and the segments. Returns 0; -EINVAL when both or neither are given, or for a tq that no prescaler makes; -EDOM for a bit
 * rate that no setting comes within 5 % of; -ERANGE for segments beyond the limits. On failure *bt is unchanged. */
int bittiming_complete(struct can_bittiming *bt, const struct can_bittiming_const *limits, uint32_t clock_hz);

/* Time quanta of a bit. */
static inline uint32_t bittiming_quanta(const struct can_bittiming *bt)
{
    return 1 + bt->prop_seg + bt->phase_seg1 + bt->phase_seg2;
}

#endif
