/* daemon/linkserver_weak.c - stands in until the link server is there. */
#include "daemon/linkserver.h"
#include <errno.h>
__attribute__((weak)) void linkserver_start(struct linkserver *server) { (void)server; }
__attribute__((weak)) long linkserver_netlink(struct linkserver *server, const struct ctl_netlink *caller,
                                              const void *message, size_t size, void *reply, size_t cap)
{
    (void)server, (void)caller, (void)message, (void)size, (void)reply, (void)cap;
    return -EOPNOTSUPP;
}
__attribute__((weak)) int linkserver_ioctl(struct linkserver *server, struct ctl_ioctl *request)
{
    (void)server, (void)request;
    return -EOPNOTSUPP;
}
