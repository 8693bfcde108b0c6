/* sockets/bcm_head.c - messages with a head of another width; see bcm_head.h. Keeps no state. */
#include "sockets/bcm_head.h"
#include <errno.h>

int bcm_head_replace(struct iovec *out, struct bcm_head *head, const struct iovec *iov, size_t count)
{
    size_t skip = BCM_HEAD_OURS;
    int used = 0;

    out[used++] = (struct iovec){ head, BCM_HEAD_WIRE };
    for (size_t i = 0; i < count; i++) {
        size_t part = iov[i].iov_len < skip ? iov[i].iov_len : skip;
        skip -= part;
        if (part == iov[i].iov_len) continue;
        if (used == BCM_HEAD_PIECES) return -EMSGSIZE;
        out[used++] = (struct iovec){ (char *)iov[i].iov_base + part, iov[i].iov_len - part };
    }
    return used;
}
