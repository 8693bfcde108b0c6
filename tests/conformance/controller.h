/*
 * The interfaces of kind "can" that some programs need: two controllers on one bus, can0 and can1 (CAN_CONTROLLER0, CAN_CONTROLLER1). On a
 * kernel they are cards that QEMU emulates; they stamp no frames, and nothing ever goes wrong with them.
 */
#ifndef CONFORMANCE_CONTROLLER_H
#define CONFORMANCE_CONTROLLER_H

#include "link.h"

#include <stdbool.h>
#include <linux/can/netlink.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

static inline const char *controller_name(int number)
{
    const char *name = getenv(number ? "CAN_CONTROLLER1" : "CAN_CONTROLLER0");

    return name ? name : number ? "can1" : "can0";
}

static inline int controller_index(int number)
{
    int index = if_nametoindex(controller_name(number));

    if (!index) SKIP("no controllers here");
    return index;
}

/* Down, configured (500 kbit/s and these modes), and up again. */
static inline int CONTROLLER_UP(int number, uint32_t modes)
{
    int index = controller_index(number), info, data, error;
    struct link_request r = link_request(RTM_NEWLINK, 0, index);
    const struct can_bittiming timing = { .bitrate = 500000 };
    const struct can_ctrlmode mode = { .mask = CAN_CTRLMODE_LISTENONLY, .flags = modes };

    info = link_attribute(&r, IFLA_LINKINFO, NULL, 0);
    link_string(&r, IFLA_INFO_KIND, "can");
    data = link_attribute(&r, IFLA_INFO_DATA, NULL, 0);
    link_attribute(&r, IFLA_CAN_BITTIMING, &timing, sizeof(timing));
    link_attribute(&r, IFLA_CAN_CTRLMODE, &mode, sizeof(mode));
    link_close(&r, data);
    link_close(&r, info);
    error = link_flags(index, 0, IFF_UP);
    if (error == -EPERM) SKIP("may not configure links");
    CHECK_EQ(error, 0);
    CHECK_EQ(link_talk(&r), 0);
    LINK_UP(index);
    LINK_AWAIT(index, OPER_UP);
    return index;
}

static inline struct ifreq controller_request(void *data)
{
    struct ifreq request;

    memset(&request, 0, sizeof(request));
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", controller_name(0));
    request.ifr_data = data;
    return request;
}

/* Does it stamp frames itself? */
static inline bool controller_stamps(void)
{
    struct hwtstamp_config config;
    struct ifreq request = controller_request(&config);

    return ioctl(raw_new(), SIOCGHWTSTAMP, &request) == 0;
}

#endif
