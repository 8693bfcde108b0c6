/* drivers/vxcan.c - kind "vxcan"; spec section D.
 *
 * Both ends have a carrier while both are up. An end starts without one (which counts as one carrier change), and
 * cannot go up before it has a peer. */
#include "drivers/vxcan.h"

#include <errno.h>
#include <linux/can.h>
#include <linux/if.h>

static void vxcan_setup(struct device *dev)
{
    dev->mtu = CANFD_MTU;
    dev->txqlen = 1000;
    dev->flags = IFF_NOARP;
    dev->operstate = IF_OPER_LOWERLAYERDOWN;
    dev->carrier_down_count = 1;
}

static int vxcan_open(struct device *dev, struct device *peer)
{
    if (!peer) return -ENOTCONN;
    if (peer->flags & IFF_UP) {
        device_set_carrier(dev, true);
        device_set_carrier(peer, true);
    }
    return 0;
}

static void vxcan_stop(struct device *dev, struct device *peer)
{
    device_set_carrier(dev, false);
    if (peer) device_set_carrier(peer, false);
}

const struct device_ops vxcan_ops = {
    .kind = "vxcan",
    .number = DEVICE_VXCAN,
    .can_create = true,
    .can_delete = true,
    .paired = true,
    .setup = vxcan_setup,
    .open = vxcan_open,
    .stop = vxcan_stop,
    .check_mtu = device_check_virtual_mtu,
};
