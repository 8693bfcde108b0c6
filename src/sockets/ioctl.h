/* sockets/ioctl.h - ioctl(2) about our interfaces, on a socket of any family. */
#ifndef SOCKETS_IOCTL_H
#define SOCKETS_IOCTL_H

#include "bus/bus.h"

/* Might this request be about an interface of ours? Cheap: decides whether to attach at all. */
bool ioctl_is_interface(unsigned long number);

/* Answers struct ifreq requests on one of our interfaces. Returns 0 or -errno; -ENOIOCTLCMD when it is not ours. */
int ioctl_interface(const struct bus *bus, unsigned long number, void *user_request);

#endif
