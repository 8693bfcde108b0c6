/* drivers/can.h - kind "can": an interface with a controller, on a simulated bus. What it is set to, and which settings are allowed (spec E). */
#ifndef DRIVERS_CAN_H
#define DRIVERS_CAN_H

#include <linux/can/netlink.h>
#include "can/bittiming.h"
#include "drivers/device.h"

#define CAN_WIRE_NAME_SIZE 16u

/* What a `can` interface is set to. Lies in struct control, so that a new worker finds it. */
struct can_config {
    struct can_bittiming nominal, data; /* bitrate 0: not set */
    uint32_t modes;                     /* CAN_CTRLMODE_* */
    uint32_t restart_ms;
    uint32_t termination; /* ohm */
    uint32_t restarts;
    char wire[CAN_WIRE_NAME_SIZE]; /* name of the bus that it is on */
    struct bittiming_tdc tdc;
};

/* What a request wants changed. */
enum {
    CAN_WISH_BITTIMING = 1,
    CAN_WISH_MODES = 2,
    CAN_WISH_RESTART_MS = 4,
    CAN_WISH_RESTART = 8,
    CAN_WISH_DATA_BITTIMING = 16,
    CAN_WISH_TERMINATION = 32,
    CAN_WISH_TDC = 64,
};
struct can_wish {
    uint32_t has;
    struct can_bittiming nominal, data;
    struct can_ctrlmode modes;
    uint32_t restart_ms;
    uint16_t termination;
    bool has_tdcv, has_tdco;
    struct bittiming_tdc tdc;
    int tdc_error; /* how CAN_WISH_TDC is malformed: 0 or -errno */
};

/* The controller: what its hardware could do. */
#define CAN_CLOCK_HZ 80000000u
extern const struct can_bittiming_const can_nominal_limits, can_data_limits;
extern const struct bittiming_tdc_limits can_tdc_limits;
#define CAN_TDC_MODES (CAN_CTRLMODE_TDC_AUTO | CAN_CTRLMODE_TDC_MANUAL)
#define CAN_SUPPORTED_MODES                                                                                  \
    (CAN_CTRLMODE_LOOPBACK | CAN_CTRLMODE_LISTENONLY | CAN_CTRLMODE_3_SAMPLES | CAN_CTRLMODE_ONE_SHOT |      \
     CAN_CTRLMODE_BERR_REPORTING | CAN_CTRLMODE_FD | CAN_CTRLMODE_PRESUME_ACK | CAN_CTRLMODE_FD_NON_ISO |    \
     CAN_CTRLMODE_CC_LEN8_DLC | CAN_TDC_MODES)
#define CAN_TERMINATIONS 2u
extern const uint16_t can_terminations[CAN_TERMINATIONS];

extern const struct device_ops can_ops;

/* What a request says has to fit together, whatever interface it is for: 0, -EOPNOTSUPP, or -EINVAL (a malformed one). */
int can_check_wish(const struct can_wish *wish);

/* Changes dev->can (and dev->mtu) one thing after the other, in Linux's order, up to the first that is refused. A CAN_WISH_RESTART that is in order sets
 * *restart. `bus_off`: the state of its controller. Returns 0 or -errno. */
int can_apply_wish(struct device *dev, const struct can_wish *wish, bool bus_off, bool *restart);

#endif
