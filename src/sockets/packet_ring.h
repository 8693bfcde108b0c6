/* sockets/packet_ring.h - mapped receive rings of packet sockets (PACKET_RX_RING), of version TPACKET_V3: what libpcap reads.
 *
 * The kernel fills such a ring when frames come. Here the frames come into the socket's own ring, and whoever waits for the socket - poll, select, epoll - moves
 * them into the mapped one first: its programs look there after a wait. A program that only watches the mapped memory sees nothing. */
#ifndef SOCKETS_PACKET_RING_H
#define SOCKETS_PACKET_RING_H

#include <sys/socket.h>
#include "bus/bus.h"

/* setsockopt(PACKET_RX_RING): struct tpacket_req3 in user memory; of no blocks: the ring goes. 0 or -errno. */
int packet_ring_set(const struct bus *bus, uint32_t slot, const void *user, socklen_t size);

/* Is it a socket that can have one? */
static inline bool packet_ring_may_be(const struct bus *bus, uint32_t slot)
{
    return load_relaxed(&bus->data->slot[slot].protocol) == PROTOCOL_PACKET;
}
bool packet_ring_exists(const struct bus *bus, uint32_t slot);

/* In the child of fork(), which has none of the threads that were in a ring. */
void packet_ring_forked(void);

/* mmap(2) of the socket: an address, or one for which sys_is_error() holds. */
void *packet_ring_map(const struct bus *bus, uint32_t slot, size_t size, int flags, int64_t offset);

/* Before and after waits: what was read is free again, and what has come is put there. */
extern atomic_u32 packet_rings; /* how many rings this process has */
void packet_ring_do_turn(const struct bus *bus, uint32_t slot);
static inline void packet_ring_turn(const struct bus *bus, uint32_t slot)
{
    if (unlikely(load_relaxed(&packet_rings))) packet_ring_do_turn(bus, slot);
}

#endif
