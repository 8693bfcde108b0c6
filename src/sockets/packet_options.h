/* sockets/packet_options.h - setsockopt(2) and getsockopt(2) of packet sockets, for levels other than SOL_SOCKET. All return -errno. */
#ifndef SOCKETS_PACKET_OPTIONS_H
#define SOCKETS_PACKET_OPTIONS_H

#include <sys/socket.h>
#include "bus/bus.h"

int packet_setsockopt(const struct bus *bus, uint32_t slot, int level, int name, const void *user,
                      socklen_t size);
int packet_getsockopt(const struct bus *bus, uint32_t slot, int level, int name, void *user,
                      socklen_t *user_size);

/* Options of SOL_PACKET that can be set and read back, as one integer: [0, *count). */
const int *packet_kept_options(unsigned *count);

#endif
