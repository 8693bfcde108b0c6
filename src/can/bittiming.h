/* can/bittiming.h - from the bit rate that a user wants to the time segments that a controller can have, and back (spec E.3). Pure.
 *
 * The structs are those of IFLA_CAN_BITTIMING and IFLA_CAN_BITTIMING_CONST. A bit is SYNC_SEG (one time quantum) + tseg1 (prop_seg + phase_seg1)
 * + tseg2 (phase_seg2); a quantum is brp clock cycles. */
#ifndef CAN_BITTIMING_H
#define CAN_BITTIMING_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/can/netlink.h>

/* Fills in what the user left out: with tq 0 everything from bitrate (and sample_point, 0: the usual one), with bitrate 0 bitrate,
 * sample_point and brp from tq and the segments. Returns 0; -EINVAL when both or neither are given, or for a tq that no prescaler makes; -EDOM for a bit
 * rate that no setting comes within 5 % of; -ERANGE for segments beyond the limits. On failure *bt is unchanged. */
int bittiming_complete(struct can_bittiming *bt, const struct can_bittiming_const *limits, uint32_t clock_hz);

/* Transmitter delay compensation (TDC), in clock cycles: how long a bit takes from the controller's output back to its input, where behind that the
 * second sample point is, and how wide the window of the search is. The limits of a controller: tdcf_max 0 for one that has no window. */
struct bittiming_tdc {
    uint32_t value, offset, filter;
};
struct bittiming_tdc_limits {
    struct bittiming_tdc min, max;
};

/* The offset for a data phase whose delay the controller measures itself, as Linux computes it: up to the ordinary sample point. False, and all 0: that
 * data phase needs none. */
bool bittiming_tdc_auto(struct bittiming_tdc *tdc, const struct can_bittiming *data,
                        const struct bittiming_tdc_limits *limits);

/* Time quanta of a bit. */
static inline uint32_t bittiming_quanta(const struct can_bittiming *bt)
{
    return 1 + bt->prop_seg + bt->phase_seg1 + bt->phase_seg2;
}

#endif
