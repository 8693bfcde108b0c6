/* drivers/vxcan.h - a virtual CAN tunnel: two ends, what is sent on one is received on the other. */
#ifndef DRIVERS_VXCAN_H
#define DRIVERS_VXCAN_H

#include "drivers/device.h"

extern const struct device_ops vxcan_ops;

#endif
