/* drivers/device.h - what the link server needs to know of a kind of interface, and a driver of one interface.
 *
 * A struct device is the link server's working copy of one entry of the interface table: read before an operation,
 * written back after it. Drivers change it and return; they know no table, no message and no process. Which
 * messages go out, and when, is the link server's business (daemon/linkserver.c). */
#ifndef DRIVERS_DEVICE_H
#define DRIVERS_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICE_NAME_SIZE    16u
#define DEVICE_ALTNAME_SIZE 128u
#define DEVICE_ALTNAMES_MAX 8u
#define DEVICE_ALIAS_SIZE   256u

/* Same numbers as enum link_kind of the interface table (asserted in daemon/linktable.c). */
enum device_kind { DEVICE_NONE, DEVICE_VCAN, DEVICE_VXCAN, DEVICE_CAN };

struct device_ops;
struct can_config;

struct device {
    const struct device_ops *ops;
    uint32_t index; /* entry of the interface table */
    int32_t ifindex, peer_ifindex;
    char name[DEVICE_NAME_SIZE];
    uint32_t
        flags; /* IFF_* as they were set: without RUNNING, LOWER_UP and DORMANT, which follow from the rest */
    uint32_t mtu, txqlen, group, promiscuity, allmulti;
    uint32_t carrier_up_count, carrier_down_count;
    uint8_t operstate; /* IF_OPER_* that it has while it is up */
    uint8_t linkmode;  /* IF_LINK_MODE_* */
    bool carrier, proto_down, been_up;
    bool carrier_event;     /* the carrier changed: operstate is to follow, once the operation is over */
    struct can_config *can; /* kind "can": what its controller is set to, not a copy; else NULL */
    char alias[DEVICE_ALIAS_SIZE];
    char altname[DEVICE_ALTNAMES_MAX][DEVICE_ALTNAME_SIZE];
};

struct device_ops {
    const char *kind; /* IFLA_INFO_KIND */
    enum device_kind number;
    bool can_create; /* `ip link add type KIND`; otherwise its driver makes it */
    bool can_delete; /* `ip link del`; otherwise that succeeds and does nothing, as for hardware */
    bool paired;     /* comes as two ends */

    /* Puts defaults into a zeroed device. */
    void (*setup)(struct device *dev);
    /* Going up and down. `peer` is the other end or NULL. Return 0 or -errno; on failure nothing changed. */
    int (*open)(struct device *dev, struct device *peer);
    void (*stop)(struct device *dev, struct device *peer);
    /* Is this mtu allowed? Does not set it, but may set what goes with it. Not asked at creation, nor about the present value. */
    int (*check_mtu)(const struct device *dev, uint32_t mtu);
};

/* The kind called `kind`, or NULL. */
const struct device_ops *device_find_kind(const char *kind);
const struct device_ops *device_find_number(enum device_kind number);

/* ---- what drivers share ---------------------------------------------------------------------------------------- */

/* Switches the carrier and counts it. */
void device_set_carrier(struct device *dev, bool carrier);

/* Derives operstate from carrier and link mode (RFC 2863), as the kernel does after a carrier change. */
void device_update_operstate(struct device *dev);

/* The flags and the state as programs see them. */
uint32_t device_visible_flags(const struct device *dev);
uint8_t device_visible_operstate(const struct device *dev);

/* The mtu rule of vcan and vxcan: -EBUSY while up, -EINVAL when no CAN frame format has it. */
int device_check_virtual_mtu(const struct device *dev, uint32_t mtu);

#endif
