/* cli/mirror_device.h - an interface of the kernel's that looks like a CAN interface: a TUN device of link type CAN. */
#ifndef CLI_MIRROR_DEVICE_H
#define CLI_MIRROR_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MIRROR_FRAME_MAX 2060u

struct mirror_device {
    int fd;      /* readable: somebody sent on it; polls POLLERR when somebody else removed it */
    int control; /* for ioctls */
    char name[16];
};

/* Makes it, down. -ENODEV: /dev/net/tun is not there. -EACCES: it may not be opened. -EPERM: no right to make interfaces. -EBUSY: there is an
 * interface of that name. Other -errno. */
int mirror_device_open(struct mirror_device *device, const char *name);
/* Removes it. */
void mirror_device_close(struct mirror_device *device);

/* Makes it what the interface of ours is: an MTU of 16, which the kernel refuses, becomes that of CAN FD. 0 or -errno. */
int mirror_device_set(const struct mirror_device *device, uint32_t mtu, bool up);

/* Shows a frame to those who look at the interface. 0 or -errno: -EIO when it is down. */
int mirror_device_show(const struct mirror_device *device, const void *frame, size_t size);

/* Takes what somebody sent there, without waiting: the bytes of a frame, 0 for what is none (IPv6 tries all interfaces), -EAGAIN. */
ssize_t mirror_device_take(const struct mirror_device *device, void *frame, size_t room);

/* May this process make interfaces? 0; -ENODEV, -EACCES and -EPERM as above. Makes none. */
int mirror_device_allowed(void);

/* Makes a network namespace of our own, in which this process and its children may make interfaces and look at them: 0 or -errno. Only for
 * processes with one thread. */
int mirror_device_unshare(void);

#endif
