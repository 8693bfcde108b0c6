/* drivers/device.c - the list of kinds, and what their drivers share; see device.h. */
#include "drivers/device.h"

#include <errno.h>
#include <string.h>
#include <linux/can.h>
#include <linux/if.h>
#include "drivers/can.h"
#include "drivers/vcan.h"
#include "drivers/vxcan.h"

#define CANXL_FRAME_MIN 76u   /* CANXL_MIN_MTU: header and 64 bytes */
#define CANXL_FRAME_MAX 2060u /* CANXL_MAX_MTU */

static const struct device_ops *const kinds[] = { &vcan_ops, &vxcan_ops, &can_ops };

const struct device_ops *device_find_kind(const char *kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i]->kind, kind) == 0) return kinds[i];
    return NULL;
}

const struct device_ops *device_find_number(enum device_kind number)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i]->number == number) return kinds[i];
    return NULL;
}

void device_set_carrier(struct device *dev, bool carrier)
{
    if (dev->carrier == carrier) return;
    dev->carrier = carrier;
    dev->carrier_event = true;
    if (carrier)
        dev->carrier_up_count++;
    else
        dev->carrier_down_count++;
}

void device_update_operstate(struct device *dev)
{
    if (!dev->carrier)
        dev->operstate = dev->ops->paired ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN;
    else
        dev->operstate = dev->linkmode == IF_LINK_MODE_DORMANT ? IF_OPER_DORMANT : IF_OPER_UP;
}

uint32_t device_visible_flags(const struct device *dev)
{
    uint32_t flags = dev->flags;
    if (!(flags & IFF_UP)) return flags;
    if (dev->operstate == IF_OPER_UP || dev->operstate == IF_OPER_UNKNOWN) flags |= IFF_RUNNING;
    if (dev->carrier) flags |= IFF_LOWER_UP;
    return flags;
}

uint8_t device_visible_operstate(const struct device *dev)
{
    return dev->flags & IFF_UP ? dev->operstate : IF_OPER_DOWN;
}

int device_check_virtual_mtu(const struct device *dev, uint32_t mtu)
{
    if (dev->flags & IFF_UP) return -EBUSY;
    bool known = mtu == CAN_MTU || mtu == CANFD_MTU || (mtu >= CANXL_FRAME_MIN && mtu <= CANXL_FRAME_MAX);
    return known ? 0 : -EINVAL;
}
