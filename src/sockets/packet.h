/* sockets/packet.h - AF_PACKET sockets on our interfaces (spec I). All return -errno.
 *
 * Such a socket has a slot and a ring as a CAN_RAW socket has; the calls on it are family.h's. What the kernel's own packet sockets do not know, they become
 * one of ours for, under their own descriptor: see packet_adopt(). */
#ifndef SOCKETS_PACKET_H
#define SOCKETS_PACKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include "bus/bus.h"

/* Is socket(AF_PACKET, type, protocol) ours from the beginning: of a protocol of CAN? `refused`: the kernel will not make it; then any is. */
bool packet_is_ours(int type, int protocol, bool refused);

/* socket(2): a descriptor, or -errno. Receives from all our interfaces, if `protocol` is not 0. */
int packet_socket(const struct bus *bus, int type, int protocol);

/* What bind(2) of the kernel made of a packet socket's address (user memory, which it has read), error 0 or ENODEV: may it mean one of our interfaces,
 * or all for a protocol of CAN? Cheap. */
bool packet_may_bind(const void *user_name, socklen_t size, int error);

/* Puts one of our sockets in the place of the kernel's packet socket `fd`, with its type, protocol, flags and options, if `user_name` says so. Other descriptors
 * of the kernel's socket stay its. 0, or -errno: it stays as it was; -ENOTSOCK: it is none, or this is not for us. */
int packet_adopt(const struct bus *bus, int fd, const void *user_name, socklen_t size);

/* The kernel knows no interface that a frame was to be sent to through its own packet socket `fd`: if we do, sends it. Bytes, or -ENXIO. */
struct raw_send;
ssize_t packet_send_for(const struct bus *bus, int fd, const struct raw_send *message);

/* PACKET_ADD_MEMBERSHIP (user memory), which the kernel refused with ENODEV: does it name an interface of ours? */
bool packet_has_member(const struct bus *bus, const void *user_value, socklen_t size);

/* Receiving in two steps, as raw_hand_out(): after raw_take_frame(). */
struct ring_item;
struct raw_receive;
ssize_t packet_hand_out(const struct bus *bus, uint32_t slot, const struct ring_item *item,
                        struct raw_receive *message, int flags);

/* ioctl(2) beside interface requests; -ENOIOCTLCMD: ioctl.c's. */
int packet_ioctl(const struct bus *bus, uint32_t slot, unsigned long request, void *user_argument);

#endif
