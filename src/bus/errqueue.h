/* bus/errqueue.h - a socket's error queue: the time stamps of frames it sent (spec A.7), in its slot (struct slot_errqueue). */
#ifndef BUS_ERRQUEUE_H
#define BUS_ERRQUEUE_H

#include "bus/bus.h"

/* A message: what recvmsg(MSG_ERRQUEUE) tells. */
struct errqueue_item {
    uint64_t time_ns;
    uint16_t info; /* SCM_TSTAMP_SND or SCM_TSTAMP_SCHED */
    bool hardware; /* the time is the controller's */
    uint32_t id;   /* ee_data */
    uint32_t size; /* bytes of frame[] that count; 0: the frame was not asked for */
    _Alignas(8) uint8_t frame[RING_EXT_SIZE];
};

/* Queues a message with `size` bytes of `frame` and wakes whoever waits for it; `fd` is the socket. When there is no room it is
 * dropped, as on Linux. */
void errqueue_push(const struct bus *bus, uint32_t slot, int fd, const struct errqueue_item *item,
                   const void *frame);

/* Takes the oldest message; false when there is none. */
bool errqueue_pop(const struct bus *bus, uint32_t slot, struct errqueue_item *out);

static inline bool errqueue_empty(const struct bus *bus, uint32_t slot)
{
    return load_seq(&bus->data->slot[slot].errqueue_head) == load_seq(&bus->data->slot[slot].errqueue_tail);
}

#endif
