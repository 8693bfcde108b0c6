/* daemon/ctlparse.c - the outer form of requests: header, version, operation, size of the payload. What is
 * inside a netlink message is the link server's business. */
/* prefix: ctl_ */
#include "daemon/ctlparse.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#define PAYLOAD_MAX (CTL_PACKET_MAX - sizeof(struct ctl_request))

static const struct {
    size_t least, most; /* bytes of payload; 0, 0 also marks a known operation, by `known` */
    int known;
    int any_version; /* an instance must be endable by every version of the command */
} shapes[] = {
    [CTL_HELLO] = { .known = 1 },
    [CTL_NETLINK] = { sizeof(struct ctl_netlink) + sizeof(struct nlmsghdr), PAYLOAD_MAX, .known = 1 },
    [CTL_IOCTL] = { sizeof(struct ctl_ioctl), sizeof(struct ctl_ioctl), .known = 1 },
    [CTL_WATCH] = { sizeof(uint32_t), sizeof(uint32_t), .known = 1 },
    [CTL_STATUS] = { .known = 1 },
    [CTL_SOCKET] = { sizeof(struct ctl_socket), sizeof(struct ctl_socket), .known = 1 },
    [CTL_BUS] = { 2, PAYLOAD_MAX, .known = 1 },
    [CTL_SHOW] = { 2, 1 + CTL_SHOW_PATH_MAX, .known = 1 },
    [CTL_SHUTDOWN] = { .known = 1, .any_version = 1 },
};

int ctl_parse(const void *packet, size_t size, struct ctl_view *out)
{
    struct ctl_request head;

    if (size < sizeof(head) || size > CTL_PACKET_MAX) return -EBADMSG;
    memcpy(&head, packet, sizeof(head));
    if (head.magic != CTL_MAGIC || head.size != size - sizeof(head)) return -EBADMSG;
    if (head.op >= sizeof(shapes) / sizeof(shapes[0]) || !shapes[head.op].known)
        return head.version == CTL_VERSION ? -EOPNOTSUPP : -EPROTO;
    if (head.version != CTL_VERSION && !shapes[head.op].any_version) return -EPROTO;
    if (head.size < shapes[head.op].least || head.size > shapes[head.op].most) return -EINVAL;
    out->op = (enum ctl_op)head.op;
    out->payload = (const char *)packet + sizeof(head);
    out->size = head.size;
    return 0;
}
