/* drivers/vcan.h - the virtual local CAN interface: what is sent comes back to the local sockets. */
#ifndef DRIVERS_VCAN_H
#define DRIVERS_VCAN_H

#include "drivers/device.h"

extern const struct device_ops vcan_ops;

#endif
