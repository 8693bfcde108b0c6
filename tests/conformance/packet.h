/* What tests of packet sockets need. */
#ifndef CONFORMANCE_PACKET_H
#define CONFORMANCE_PACKET_H

#include "link.h"

#include <linux/filter.h>
#include <net/if.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>

enum { PROTOCOL_CAN = 0x000c, PROTOCOL_CANFD = 0x000d, PROTOCOL_CANXL = 0x000e, PROTOCOL_ALL = 0x0003 };

static inline int packet_new(int type, int protocol)
{
    int fd = socket(AF_PACKET, type | SOCK_NONBLOCK, htons(protocol));

    if (fd < 0 && errno == EPERM) SKIP("may not open packet sockets");
    return OK(fd);
}

static inline struct sockaddr_ll packet_addr(int index, int protocol)
{
    return (
        struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = index };
}

static inline int packet_bind(int fd, int index, int protocol)
{
    struct sockaddr_ll a = packet_addr(index, protocol);
    return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

/* Bound as most programs do it: not before it is bound does a protocol say what for. */
static inline int packet_on(int index, int protocol)
{
    int fd = packet_new(SOCK_RAW, 0);

    OK(packet_bind(fd, index, protocol));
    return fd;
}

static inline int packet_send(int fd, int index, int protocol, const void *bytes, size_t size)
{
    struct sockaddr_ll to = packet_addr(index, protocol);
    return sendto(fd, bytes, size, 0, (struct sockaddr *)&to, sizeof(to));
}

/* The next frame of any size; its address. */
struct packet {
    unsigned char bytes[2100];
    int size;
    struct sockaddr_ll from;
    socklen_t from_size;
};

static inline struct packet packet_get(int fd)
{
    struct packet p = { .from_size = sizeof(p.from) };

    await_in(fd, __FILE__, __LINE__);
    p.size = OK(recvfrom(fd, p.bytes, sizeof(p.bytes), 0, (struct sockaddr *)&p.from, &p.from_size));
    return p;
}

static inline int packet_set(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value));
}

static inline int packet_value(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);

    OK(getsockopt(fd, SOL_PACKET, option, &value, &size));
    return value;
}

#endif
