/* netlink/rtcan.c - see rtcan.h. The order of what is built is that of Linux 6.1. */
#include "netlink/rtcan.h"

#include <errno.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>

/* An attribute that a request may set: how long it is at least, and where it goes (offset 0 with no size: only noted). */
static const struct row {
    uint16_t type, size;
    uint32_t has;
    uint16_t offset;
} rows[] = {
    { IFLA_CAN_BITTIMING, sizeof(struct can_bittiming), RTCAN_BITTIMING,
      offsetof(struct rtcan_request, nominal) },
    { IFLA_CAN_BITTIMING_CONST, sizeof(struct can_bittiming_const), 0, 0 },
    { IFLA_CAN_CLOCK, sizeof(struct can_clock), 0, 0 },
    { IFLA_CAN_STATE, 4, 0, 0 },
    { IFLA_CAN_CTRLMODE, sizeof(struct can_ctrlmode), RTCAN_MODES, offsetof(struct rtcan_request, modes) },
    { IFLA_CAN_RESTART_MS, 4, RTCAN_RESTART_MS, offsetof(struct rtcan_request, restart_ms) },
    { IFLA_CAN_RESTART, 4, RTCAN_RESTART, 0 },
    { IFLA_CAN_BERR_COUNTER, sizeof(struct can_berr_counter), 0, 0 },
    { IFLA_CAN_DATA_BITTIMING, sizeof(struct can_bittiming), RTCAN_DATA_BITTIMING,
      offsetof(struct rtcan_request, data) },
    { IFLA_CAN_DATA_BITTIMING_CONST, sizeof(struct can_bittiming_const), 0, 0 },
    { IFLA_CAN_TERMINATION, 2, RTCAN_TERMINATION, offsetof(struct rtcan_request, termination) },
    { IFLA_CAN_TDC, 0, RTCAN_TDC, 0 },
};

/* A value for each attribute of IFLA_CAN_TDC that a request may set: the only nest that Linux checks strictly. */
static int take_tdc_value(const struct nlattr *attr, struct rtcan_request *out)
{
    uint16_t type = mnl_attr_get_type(attr);

    if (type == 0 || type > IFLA_CAN_TDC_TDCF || mnl_attr_get_payload_len(attr) != 4) return -EINVAL;
    if (type < IFLA_CAN_TDC_TDCV) return 0;
    out->tdc[type - IFLA_CAN_TDC_TDCV] = mnl_attr_get_u32(attr);
    out->tdc_has |= 1u << (type - IFLA_CAN_TDC_TDCV);
    return 0;
}

static int take_tdc(const struct nlattr *nest, struct rtcan_request *out)
{
    const struct nlattr *attr = mnl_attr_get_payload(nest);
    size_t left = mnl_attr_get_payload_len(nest), step;

    out->tdc_has = 0;
    if (!(nest->nla_type & NLA_F_NESTED)) return -EINVAL;
    for (; left; left -= step, attr = mnl_attr_next(attr)) {
        int error = mnl_attr_ok(attr, (int)left) ? take_tdc_value(attr, out) : -EINVAL;
        if (error) return error;
        step = MNL_ALIGN(attr->nla_len);
        if (step > left) break;
    }
    return 0;
}

static int take(const struct row *row, const struct nlattr *attr, struct rtcan_request *out)
{
    if (mnl_attr_get_payload_len(attr) < row->size) return -ERANGE;
    out->has |= row->has;
    if (row->offset) memcpy((char *)out + row->offset, mnl_attr_get_payload(attr), row->size);
    if (row->has == RTCAN_TDC) out->tdc_error = take_tdc(attr, out);
    return 0;
}

int rtcan_parse(const void *data, size_t size, struct rtcan_request *out)
{
    const struct nlattr *attr = data;

    memset(out, 0, sizeof *out);
    while (mnl_attr_ok(attr, (int)size)) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            int error = rows[i].type == mnl_attr_get_type(attr) ? take(&rows[i], attr, out) : 0;
            if (error) return error;
        }
        size_t step = MNL_ALIGN(attr->nla_len);
        if (step >= size) break;
        size -= step;
        attr = mnl_attr_next(attr);
    }
    return 0;
}

static void put_timings(struct nlmsghdr *message, const struct rtcan_info *info)
{
    const struct can_clock clock = { info->clock_hz };
    const struct can_ctrlmode modes = { .flags = info->modes };
    const struct can_berr_counter counters = { info->tec, info->rec };

    if (info->nominal.bitrate)
        mnl_attr_put(message, IFLA_CAN_BITTIMING, sizeof info->nominal, &info->nominal);
    mnl_attr_put(message, IFLA_CAN_BITTIMING_CONST, sizeof *info->nominal_limits, info->nominal_limits);
    mnl_attr_put(message, IFLA_CAN_CLOCK, sizeof clock, &clock);
    mnl_attr_put_u32(message, IFLA_CAN_STATE, info->state);
    mnl_attr_put(message, IFLA_CAN_CTRLMODE, sizeof modes, &modes);
    mnl_attr_put_u32(message, IFLA_CAN_RESTART_MS, info->restart_ms);
    mnl_attr_put(message, IFLA_CAN_BERR_COUNTER, sizeof counters, &counters);
    if (info->data.bitrate) mnl_attr_put(message, IFLA_CAN_DATA_BITTIMING, sizeof info->data, &info->data);
    mnl_attr_put(message, IFLA_CAN_DATA_BITTIMING_CONST, sizeof *info->data_limits, info->data_limits);
}

/* What can be set, and what is. The values in effect are shown while compensation is on; tdcv where it is not the controller's own measurement. */
static void put_tdc(struct nlmsghdr *message, const struct rtcan_info *info)
{
    const uint32_t both = CAN_CTRLMODE_TDC_AUTO | CAN_CTRLMODE_TDC_MANUAL;
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_CAN_TDC);

    for (unsigned i = 0; i < RTCAN_TDC_VALUES; i++) {
        mnl_attr_put_u32(message, (uint16_t)(IFLA_CAN_TDC_TDCV_MIN + 2 * i), info->tdc_min[i]);
        mnl_attr_put_u32(message, (uint16_t)(IFLA_CAN_TDC_TDCV_MAX + 2 * i), info->tdc_max[i]);
    }
    for (unsigned i = info->modes & CAN_CTRLMODE_TDC_MANUAL ? RTCAN_TDCV : RTCAN_TDCO;
         (info->modes & both) && i < RTCAN_TDC_VALUES; i++)
        mnl_attr_put_u32(message, (uint16_t)(IFLA_CAN_TDC_TDCV + i), info->tdc[i]);
    mnl_attr_nest_end(message, nest);
}

static void put_supported(struct nlmsghdr *message, uint32_t modes)
{
    struct nlattr *nest =
        mnl_attr_nest_start(message, IFLA_CAN_CTRLMODE_EXT); /* flagged as a nest, as in Linux */
    mnl_attr_put_u32(message, IFLA_CAN_CTRLMODE_SUPPORTED, modes);
    mnl_attr_nest_end(message, nest);
}

void rtcan_build(struct nlmsghdr *message, const struct rtcan_info *info)
{
    mnl_attr_put(message, IFLA_INFO_XSTATS, sizeof info->stats, &info->stats);
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    nest->nla_type = IFLA_INFO_DATA; /* the kernel does not flag this one */
    put_timings(message, info);
    mnl_attr_put_u16(message, IFLA_CAN_TERMINATION, info->termination);
    mnl_attr_put(message, IFLA_CAN_TERMINATION_CONST, info->terminations_count * sizeof *info->terminations,
                 info->terminations);
    mnl_attr_put_u32(message, IFLA_CAN_BITRATE_MAX, 0);
    put_tdc(message, info);
    put_supported(message, info->supported_modes);
    mnl_attr_nest_end(message, nest);
}
