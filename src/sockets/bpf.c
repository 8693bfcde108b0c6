/* sockets/bpf.c - placeholder state until classic BPF lands: refuses programs. */
#include "sockets/bpf.h"
#include <errno.h>

int bpf_attach(const struct bus *bus, uint32_t slot, const void *user, socklen_t size)
{
    (void)bus, (void)slot, (void)user, (void)size;
    return -EOPNOTSUPP;
}
int bpf_detach(const struct bus *bus, uint32_t slot)
{
    (void)bus, (void)slot;
    return -ENOENT;
}
int bpf_get(const struct bus *bus, uint32_t slot, void *user, socklen_t *size)
{
    (void)bus, (void)slot, (void)user;
    *size = 0;
    return 0;
}
