/* sockets/bpf.h - SO_ATTACH_FILTER on CAN sockets: classic BPF programs kept in the slot, run by senders (can/cbpf.h). */
#ifndef SOCKETS_BPF_H
#define SOCKETS_BPF_H

#include <sys/socket.h>
#include "bus/bus.h"

/* Each returns 0 or -errno. user: struct sock_fprog. */
int bpf_attach(const struct bus *bus, uint32_t slot, const void *user, socklen_t size);
int bpf_detach(const struct bus *bus, uint32_t slot);
/* getsockopt(SO_GET_FILTER): *size counts instructions on return. */
int bpf_get(const struct bus *bus, uint32_t slot, void *user, socklen_t *size);

#endif
