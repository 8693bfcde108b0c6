/* drivers/can.c - the rules for settings of a controller; see can.h. The controller itself is daemon/simulator.c and can/simbus.c. */
#include "drivers/can.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/if.h>
#include "can/bittiming.h"

#define TXQLEN 10u

const struct can_bittiming_const can_nominal_limits = {
    .name = "pocketcan",
    .tseg1_min = 1,
    .tseg1_max = 256,
    .tseg2_min = 1,
    .tseg2_max = 128,
    .sjw_max = 128,
    .brp_min = 1,
    .brp_max = 512,
    .brp_inc = 1,
};
const struct can_bittiming_const can_data_limits = {
    .name = "pocketcan",
    .tseg1_min = 1,
    .tseg1_max = 32,
    .tseg2_min = 1,
    .tseg2_max = 16,
    .sjw_max = 16,
    .brp_min = 1,
    .brp_max = 32,
    .brp_inc = 1,
};
const struct bittiming_tdc_limits can_tdc_limits = { .max = { 127, 127, 127 } };
const uint16_t can_terminations[CAN_TERMINATIONS] = { 0, 120 };

static bool is_up(const struct device *dev) { return dev->flags & IFF_UP; }

/* ---- the interface ------------------------------------------------------------------------------------------------- */

static void can_setup(struct device *dev)
{
    dev->mtu = CAN_MTU;
    dev->txqlen = TXQLEN;
    dev->flags = IFF_NOARP | IFF_ECHO;
    dev->operstate = IF_OPER_DOWN;
}

static int can_open(struct device *dev, struct device *peer)
{
    const struct can_config *config = dev->can;

    (void)peer;
    if (!config->nominal.bitrate) return -EINVAL;
    if ((config->modes & CAN_CTRLMODE_FD) && config->data.bitrate < config->nominal.bitrate) return -EINVAL;
    device_set_carrier(dev, true);
    return 0;
}

static void can_stop(struct device *dev, struct device *peer)
{
    (void)dev;
    (void)peer;
}

/* The mtu says whether CAN FD is on, and the other way round. */
static int can_check_mtu(const struct device *dev, uint32_t mtu)
{
    if (is_up(dev)) return -EBUSY;
    if (mtu == CAN_MTU)
        dev->can->modes &= ~(uint32_t)CAN_CTRLMODE_FD;
    else if (mtu == CANFD_MTU)
        dev->can->modes |= CAN_CTRLMODE_FD;
    else
        return -EINVAL;
    return 0;
}

const struct device_ops can_ops = {
    .kind = "can",
    .number = DEVICE_CAN,
    .setup = can_setup,
    .open = can_open,
    .stop = can_stop,
    .check_mtu = can_check_mtu,
};

/* ---- requests ------------------------------------------------------------------------------------------------------ */

/* tdcv belongs to the manual mode, tdco to both. The mask of the modes does not matter here. */
static int check_tdc(const struct can_wish *wish)
{
    uint32_t on = wish->modes.flags & CAN_TDC_MODES;

    if (on == CAN_TDC_MODES || !on != !(wish->has & CAN_WISH_TDC)) return -EOPNOTSUPP;
    if (!on) return 0;
    if (wish->tdc_error) return wish->tdc_error;
    return wish->has_tdcv == (on == CAN_CTRLMODE_TDC_MANUAL) && wish->has_tdco ? 0 : -EOPNOTSUPP;
}

int can_check_wish(const struct can_wish *wish)
{
    const uint32_t both = CAN_WISH_BITTIMING | CAN_WISH_DATA_BITTIMING;
    uint32_t on = wish->has & CAN_WISH_MODES ? wish->modes.flags & wish->modes.mask : 0;
    int error = wish->has & CAN_WISH_MODES ? check_tdc(wish) : 0;

    if (error) return error;
    if ((on & CAN_CTRLMODE_FD) && (wish->has & both) != both) return -EOPNOTSUPP;
    if ((wish->has & (CAN_WISH_DATA_BITTIMING | CAN_WISH_TDC)) && !(on & CAN_CTRLMODE_FD)) return -EOPNOTSUPP;
    return 0;
}

static int apply_bittiming(struct device *dev, const struct can_wish *wish)
{
    struct can_bittiming timing = wish->nominal;
    if (is_up(dev)) return -EBUSY;
    int error = bittiming_complete(&timing, &can_nominal_limits, CAN_CLOCK_HZ);
    if (!error) dev->can->nominal = timing;
    return error;
}

static int apply_modes(struct device *dev, const struct can_wish *wish)
{
    struct can_config *config = dev->can;
    uint32_t on = wish->modes.flags & wish->modes.mask;

    if (is_up(dev)) return -EBUSY;
    if (on & ~(uint32_t)CAN_SUPPORTED_MODES) return -EOPNOTSUPP;
    config->modes = (config->modes & ~wish->modes.mask) | on;
    dev->mtu = config->modes & CAN_CTRLMODE_FD ? CANFD_MTU : CAN_MTU;
    if (!(config->modes & CAN_CTRLMODE_FD)) {
        config->data = (struct can_bittiming){ 0 };
        config->tdc = (struct bittiming_tdc){ 0 };
        config->modes &= ~(uint32_t)CAN_TDC_MODES;
    }
    if (wish->modes.mask & CAN_TDC_MODES) /* one of them goes when the other one comes */
        config->modes &= wish->modes.flags | ~(uint32_t)CAN_TDC_MODES;
    return 0;
}

static int apply_restart_ms(struct device *dev, const struct can_wish *wish)
{
    if (is_up(dev)) return -EBUSY;
    dev->can->restart_ms = wish->restart_ms;
    return 0;
}

static bool is_within(const struct bittiming_tdc *tdc, const struct bittiming_tdc_limits *limits)
{
    return tdc->value >= limits->min.value && tdc->value <= limits->max.value &&
           tdc->offset >= limits->min.offset && tdc->offset <= limits->max.offset &&
           tdc->filter >= limits->min.filter && tdc->filter <= limits->max.filter;
}

/* With a new data phase, what compensated for the delay of the last one goes: what is wished comes, or what is computed, unless `tdc-mode off` was said. */
static int apply_tdc(struct can_config *config, const struct can_wish *wish, const struct can_bittiming *data)
{
    config->tdc = (struct bittiming_tdc){ 0 };
    if (wish->has & CAN_WISH_TDC) {
        bool on = config->modes & CAN_TDC_MODES;
        if (on && is_within(&wish->tdc, &can_tdc_limits)) {
            config->tdc = wish->tdc;
            return 0;
        }
        config->modes &= ~(uint32_t)CAN_TDC_MODES;
        return on ? -EINVAL : -EOPNOTSUPP;
    }
    if ((wish->has & CAN_WISH_MODES) && (wish->modes.mask & CAN_TDC_MODES)) return 0;
    config->modes &= ~(uint32_t)CAN_TDC_MODES;
    if (bittiming_tdc_auto(&config->tdc, data, &can_tdc_limits)) config->modes |= CAN_CTRLMODE_TDC_AUTO;
    return 0;
}

static int apply_data_bittiming(struct device *dev, const struct can_wish *wish)
{
    struct can_bittiming timing = wish->data;
    if (is_up(dev)) return -EBUSY;
    int error = bittiming_complete(&timing, &can_data_limits, CAN_CLOCK_HZ);
    if (!error) error = apply_tdc(dev->can, wish, &timing);
    if (!error) dev->can->data = timing;
    return error;
}

static int apply_termination(struct device *dev, const struct can_wish *wish)
{
    for (unsigned i = 0; i < CAN_TERMINATIONS; i++)
        if (can_terminations[i] == wish->termination) {
            dev->can->termination = wish->termination;
            return 0;
        }
    return -EINVAL;
}

static int check_restart(const struct device *dev, bool bus_off)
{
    if (!is_up(dev) || dev->can->restart_ms) return -EINVAL;
    return bus_off ? 0 : -EBUSY;
}

int can_apply_wish(struct device *dev, const struct can_wish *wish, bool bus_off, bool *restart)
{
    int error = 0;

    *restart = false;
    if (wish->has & CAN_WISH_BITTIMING) error = apply_bittiming(dev, wish);
    if (!error && (wish->has & CAN_WISH_MODES)) error = apply_modes(dev, wish);
    if (!error && (wish->has & CAN_WISH_RESTART_MS)) error = apply_restart_ms(dev, wish);
    if (!error && (wish->has & CAN_WISH_RESTART)) {
        error = check_restart(dev, bus_off);
        *restart = !error;
    }
    if (!error && (wish->has & CAN_WISH_DATA_BITTIMING)) error = apply_data_bittiming(dev, wish);
    if (!error && (wish->has & CAN_WISH_TERMINATION)) error = apply_termination(dev, wish);
    return error;
}
