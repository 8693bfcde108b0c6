/* bus/bus.h - an attached instance, and the way of a frame into every matching socket's ring. */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "bus/layout.h"

struct bus_frame;
struct far;
struct ring_meta;

/* The memories of an instance as this process has them mapped. `token` sends a wake-up to a socket: see wake.h. */
struct bus {
    const struct control *control;
    struct data *data;
    struct data_ext *_Atomic ext; /* NULL until this process uses CAN XL; always NULL in a narrow one */
#if DATA_IS_NARROW
    struct far *far; /* the pieces of `data` that are mapped (far.h) */
    /* Maps another one; its address or NULL. Itself NULL: there is no other one. */
    void *(*map_piece)(const struct bus *bus, uint64_t offset, size_t size);
#endif
    const char *dir; /* instance directory, no trailing slash */
    size_t dir_size; /* strlen(dir) */
    /* The worker: takes what it sends into an inbox of its own, past the ring. NULL in programs. */
    void (*to_self)(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
                    const struct ring_meta *meta);
};

/* A frame on its way. `frame` is a private copy that nobody else can write. */
struct bus_frame {
    const void *frame; /* struct can_frame, canfd_frame or canxl_frame */
    uint32_t size;     /* 16, 72 or 13..2060 bytes */
    uint32_t origin;   /* sending socket's slot, or SOCKET_NONE */
    uint32_t origin_gen;
    uint32_t owner; /* who claims ring records: the sender's slot, or RING_OWNER_DAEMON */
    uint32_t mark;
    uint64_t time_ns; /* CLOCK_REALTIME; 0: read the clock when somebody wants it */
    int token_fd;     /* datagram socket to send wake-ups from */
    int worker_fd;    /* the sender's connection to the worker + 1, to wake that by; 0: none */
    bool loopback;    /* CAN_RAW_LOOPBACK: local sockets receive it too */
    bool charge;      /* the origin's send buffer, as long as the frame waits for a controller */
    uint8_t tell;     /* RECORD_TELL_*: what the origin wants to know of its way through a controller, ... */
    uint32_t tell_id; /* ... and the number by which it knows the frame */
};

/* Sends on interface links[index] as its driver would: vcan loops back, vxcan also hands the frame to its peer.
 * Counts it. The caller has checked kind and mtu. For a controller, queues it: -ENOBUFS
 * when its queue is full. Never blocks. Returns 0, -ENETDOWN or -ENOBUFS. */
int bus_send(const struct bus *bus, uint32_t index, uint64_t state, const struct bus_frame *frame);

/* The same by interface index and with all checks of a frame that no CAN_RAW socket has made: -ENODEV, -EINVAL (its length), -EMSGSIZE (the
 * interface's MTU), -ENETDOWN. Marks FD frames as such (CANFD_FDF). */
int bus_transmit(const struct bus *bus, uint32_t ifindex, const struct bus_frame *frame);

/* Puts a frame into every matching receiver of links[index]; record_flags are RECORD_*. */
void bus_deliver(const struct bus *bus, uint32_t index, uint32_t ifindex, const struct bus_frame *frame,
                 uint32_t record_flags);

/* How many records may be in the ring of slot, which has these rx_flags, when one more frame of `size` bytes is to fit. Linux takes a frame while what is
 * queued, the error queue included, is charged less than the limit. */
uint32_t bus_depth_limit(const struct bus *bus, uint32_t slot, uint32_t flags, uint32_t size);

/* A ring was full: does anybody still read it? */
void bus_look_after(const struct bus *bus, uint32_t slot);

#endif
