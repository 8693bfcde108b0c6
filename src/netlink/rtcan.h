/* netlink/rtcan.h - IFLA_INFO_DATA and IFLA_INFO_XSTATS of kind "can" (IFLA_CAN_* of <linux/can/netlink.h>), from bytes and to bytes. Pure. */
#ifndef NETLINK_RTCAN_H
#define NETLINK_RTCAN_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/can/netlink.h>

/* IFLA_CAN_TDC: tdcv, tdco and tdcf, in this order. */
enum { RTCAN_TDCV, RTCAN_TDCO, RTCAN_TDCF, RTCAN_TDC_VALUES };

/* Bits of rtcan_request.has. */
enum {
    RTCAN_BITTIMING = 1,
    RTCAN_MODES = 2,
    RTCAN_RESTART_MS = 4,
    RTCAN_RESTART = 8,
    RTCAN_DATA_BITTIMING = 16,
    RTCAN_TERMINATION = 32,
    RTCAN_TDC = 64,
};
struct rtcan_request {
    uint32_t has;
    struct can_bittiming nominal, data;
    struct can_ctrlmode modes;
    uint32_t restart_ms;
    uint16_t termination;
    /* RTCAN_TDC: which of them are there, and whether the nest is in order (0, or -EINVAL: Linux looks at it late, but closely). */
    unsigned tdc_has; /* 1 << RTCAN_TDCV ... */
    uint32_t tdc[RTCAN_TDC_VALUES];
    int tdc_error;
};

/* Reads the attributes in data[0..size): 0, or -ERANGE when one is too short. Unknown ones are skipped. */
int rtcan_parse(const void *data, size_t size, struct rtcan_request *out);

/* What a link message shows of a controller. */
struct rtcan_info {
    struct can_bittiming nominal, data; /* bitrate 0: not shown */
    const struct can_bittiming_const *nominal_limits, *data_limits;
    uint32_t clock_hz, state, modes, supported_modes, restart_ms;
    uint16_t tec, rec;
    uint16_t termination;
    const uint16_t *terminations;
    unsigned terminations_count;
    uint32_t tdc[RTCAN_TDC_VALUES], tdc_min[RTCAN_TDC_VALUES], tdc_max[RTCAN_TDC_VALUES];
    struct can_device_stats stats;
};

struct nlmsghdr;
/* Appends IFLA_INFO_XSTATS and IFLA_INFO_DATA. */
void rtcan_build(struct nlmsghdr *message, const struct rtcan_info *info);

#endif
