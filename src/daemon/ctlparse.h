/* daemon/ctlparse.h - what a client sent, checked: the only place that trusts nothing of a request's outer
 * form. Pure. */
#ifndef DAEMON_CTLPARSE_H
#define DAEMON_CTLPARSE_H

#include <stddef.h>
#include <stdint.h>
#include "sockets/ctl.h"

struct ctl_view {
    enum ctl_op op;
    const void *payload; /* inside the packet; 4-byte aligned when the packet is */
    size_t size;
};

/* Checks one packet. Returns 0, -EBADMSG for what is no request of this protocol, -EPROTO for another
 * version, -EOPNOTSUPP for an unknown operation, -EINVAL when the payload has not the size that the
 * operation needs. */
int ctl_parse(const void *packet, size_t size, struct ctl_view *out);

#endif
