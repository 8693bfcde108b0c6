/* drivers/vcan.c - kind "vcan"; spec section D.
 *
 * Nothing can fail: there is always a carrier, so operstate stays UNKNOWN (nobody ever told otherwise). Frames
 * loop back inside bus_send(). */
#include "drivers/vcan.h"

#include <linux/can.h>
#include <linux/if.h>

static void vcan_setup(struct device *dev)
{
    dev->mtu = CANFD_MTU;
    dev->txqlen = 1000;
    dev->flags = IFF_NOARP;
    dev->carrier = true;
    dev->operstate = IF_OPER_UNKNOWN;
}

static int vcan_open(struct device *dev, struct device *peer)
{
    (void)dev;
    (void)peer;
    return 0;
}

static void vcan_stop(struct device *dev, struct device *peer)
{
    (void)dev;
    (void)peer;
}

const struct device_ops vcan_ops = {
    .kind = "vcan",
    .number = DEVICE_VCAN,
    .can_create = true,
    .can_delete = true,
    .setup = vcan_setup,
    .open = vcan_open,
    .stop = vcan_stop,
    .check_mtu = device_check_virtual_mtu,
};
