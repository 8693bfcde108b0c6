/* sockets/bpf.h - SO_ATTACH_FILTER and its relatives on CAN sockets: classic BPF programs, which senders run (can/cbpf.h).
 *
 * Each returns 0 or -errno as the kernel does, -EPERM when SO_LOCK_FILTER is on. One limit is ours: a program of more than PROGRAM_MAX
 * instructions is -ENOMEM, which the kernel says of programs too large for its option memory. */
#ifndef SOCKETS_BPF_H
#define SOCKETS_BPF_H

#include <sys/socket.h>
#include "bus/bus.h"

/* user: struct sock_fprog. */
int bpf_attach(const struct bus *bus, uint32_t slot, const void *user, socklen_t size);
int bpf_detach(const struct bus *bus, uint32_t slot);
/* getsockopt(SO_GET_FILTER): *size counts instructions, both ways; 0 asks how many there are. */
int bpf_get(const struct bus *bus, uint32_t slot, void *user, socklen_t *size);
/* SO_ATTACH_BPF, user: a descriptor of an extended BPF program. Never succeeds: as on a kernel without them, -EOPNOTSUPP. */
int bpf_attach_extended(const struct bus *bus, uint32_t slot, const void *user, socklen_t size);

#endif
