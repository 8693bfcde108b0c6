/* sockets/family.h - PF_CAN, and AF_PACKET of our interfaces: the socket calls, whatever the protocol. CAN_RAW's are raw.h's; the others', by table, those of
 * bcm.c and isotp.c. All return -errno; pointers marked user may be bad. */
#ifndef SOCKETS_FAMILY_H
#define SOCKETS_FAMILY_H

#include <linux/can.h>
#include "sockets/raw.h"

/* socket(PF_CAN, type, protocol): a descriptor, or -EINVAL, -EPROTONOSUPPORT, -EPROTOTYPE, -EMFILE, -ENFILE ... */
int family_socket(const struct bus *bus, int type, int protocol);

int family_bind(const struct bus *bus, uint32_t slot, int fd, const void *user_address, socklen_t size);
int family_connect(const struct bus *bus, uint32_t slot, int fd, const void *user_address, socklen_t size);
int family_getsockname(const struct bus *bus, uint32_t slot, void *user_address, socklen_t *user_size);
int family_setsockopt(const struct bus *bus, uint32_t slot, int fd, int level, int name,
                      const void *user_value, socklen_t size);
int family_getsockopt(const struct bus *bus, uint32_t slot, int fd, int level, int name, void *user_value,
                      socklen_t *user_size);

/* close(2) in two steps: before the kernel closes the descriptor, and after. ISO-TP waits in `closed` until its PDU has been sent, if nobody
 * else holds the socket; a signal ends the wait. */
void family_closing(const struct bus *bus, uint32_t slot);
void family_closed(const struct bus *bus, uint32_t slot);

/* True while a PDU of this socket is being sent. */
bool family_is_sending(const struct bus *bus, uint32_t slot);

/* ---- data: the way of CAN_RAW is short ---- */

ssize_t family_send_other(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message,
                          int flags);
ssize_t family_write_other(const struct bus *bus, uint32_t slot, int fd, const void *user, size_t size,
                           int flags);
ssize_t family_receive_other(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message,
                             int flags);
ssize_t family_read_other(const struct bus *bus, uint32_t slot, int fd, void *user, size_t size, int flags);

/* What receiving with these flags says before it looks whether there is anything: 0 or -errno. For a door that has taken it already. */
int family_check_receive(const struct bus *bus, uint32_t slot, int flags);

/* Does sending wait for the end of the transfer, whatever MSG_DONTWAIT says? */
bool family_send_waits(const struct bus *bus, uint32_t slot);

static inline bool family_is_raw(const struct bus *bus, uint32_t slot)
{
    return likely(load_relaxed(&bus->data->slot[slot].protocol) == CAN_RAW);
}

/* Does the worker serve it? What others have to read lies in their ring. */
static inline bool family_is_served(const struct bus *bus, uint32_t slot)
{
    return unlikely(load_relaxed(&bus->data->slot[slot].protocol) > CAN_RAW);
}

static inline ssize_t family_send(const struct bus *bus, uint32_t slot, int fd,
                                  const struct raw_send *message, int flags)
{
    return family_is_raw(bus, slot) ? raw_send(bus, slot, fd, message, flags)
                                    : family_send_other(bus, slot, fd, message, flags);
}

static inline ssize_t family_write(const struct bus *bus, uint32_t slot, int fd, const void *user,
                                   size_t size, int flags)
{
    return family_is_raw(bus, slot) ? raw_write(bus, slot, fd, user, size, flags)
                                    : family_write_other(bus, slot, fd, user, size, flags);
}

static inline ssize_t family_receive(const struct bus *bus, uint32_t slot, int fd,
                                     struct raw_receive *message, int flags)
{
    return family_is_raw(bus, slot) ? raw_receive(bus, slot, fd, message, flags)
                                    : family_receive_other(bus, slot, fd, message, flags);
}

static inline ssize_t family_read(const struct bus *bus, uint32_t slot, int fd, void *user, size_t size,
                                  int flags)
{
    return family_is_raw(bus, slot) ? raw_read(bus, slot, fd, user, size, flags)
                                    : family_read_other(bus, slot, fd, user, size, flags);
}

/* ---- for bcm.c, isotp.c and packet.c ---- */

/* A protocol other than CAN_RAW: one that the worker runs, or AF_PACKET. A call that is NULL does not exist (-EOPNOTSUPP). Addresses are private copies, `size` as the program gave it. */
struct family_protocol {
    void (*open)(struct bus_slot *slot); /* a new socket's options */
    int (*bind)(const struct bus *bus, uint32_t slot, int fd, const struct sockaddr_can *address,
                socklen_t size);
    int (*connect)(const struct bus *bus, uint32_t slot, int fd, const struct sockaddr_can *address,
                   socklen_t size);
    int (*getsockname)(const struct bus *bus, uint32_t slot, struct sockaddr_can *out); /* returns the size */
    /* Levels other than SOL_SOCKET; user memory. */
    int (*setsockopt)(const struct bus *bus, uint32_t slot, int level, int name, const void *user,
                      socklen_t size);
    int (*getsockopt)(const struct bus *bus, uint32_t slot, int level, int name, void *user,
                      socklen_t *user_size);
    ssize_t (*send)(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message, int flags);
    /* Does a send wait until all has been sent? NULL: it does not. */
    bool (*send_waits)(const struct bus_slot *slot);
    /* What refuses to receive before it looks whether there is anything; NULL: nothing does. */
    int (*check_receive)(const struct bus_slot *slot, int flags);
    ssize_t (*receive)(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message, int flags);
};
extern const struct family_protocol family_bcm, family_isotp, family_packet;

/* A frame in our own memory onto an interface, from the program's thread: 0 or -errno (spec protocols 1.4). */
int family_transmit(const struct bus *bus, uint32_t slot, int fd, uint32_t ifindex, void *frame,
                    uint32_t size);

/* Bytes of a message's data; -EMSGSIZE beyond INT32_MAX. */
ssize_t family_total(const struct raw_send *message);
/* Copies `size` bytes of it, which are there, from user memory: 0 or -EFAULT. */
int family_gather(void *to, const struct raw_send *message, size_t size);

#endif
