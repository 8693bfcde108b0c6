/* bus/mqueue.h - what a socket of the daemon's protocols has to read: messages of any size, put by the worker, taken by readers. */
#ifndef BUS_MQUEUE_H
#define BUS_MQUEUE_H

#include <sys/types.h>
#include <sys/uio.h>
#include "bus/bus.h"

struct mqueue_message {
    uint32_t size; /* bytes */
    uint32_t ifindex;
    uint64_t time_ns; /* CLOCK_REALTIME of the bus; 0: none */
};

/* The worker's own memory of a queue: it believes nothing that readers could have written. Zero at first, as the queue is. */
struct mqueue_writer {
    uint64_t head, charged;
};

/* The worker, for a socket that is new: nothing is queued. */
void mqueue_reset(const struct bus *bus, uint32_t slot, struct mqueue_writer *writer);

/* Worker: queues a message that is message->size bytes in parts[0..count). `charge` is what it counts against `limit`, SO_RCVBUF: Linux takes a
 * message while what is queued is charged less than that. Returns 0 or -ENOBUFS. Wakes nobody. */
int mqueue_put(const struct bus *bus, uint32_t slot, void *window, struct mqueue_writer *writer,
               const struct mqueue_message *message, const struct iovec *parts, unsigned count,
               uint32_t charge, uint32_t limit);

/* Takes bytes of a message as they come; called again from at = 0 when another reader was faster. 0 or -errno. */
typedef int mqueue_copy(void *context, uint32_t at, const void *bytes, uint32_t size);

/* Takes the oldest message, or looks at it (peek). Returns 1, 0 when there is none, or what `copy` returned: then the message is gone, too. */
int mqueue_take(const struct bus *bus, uint32_t slot, const void *window, bool peek,
                struct mqueue_message *out, mqueue_copy *copy, void *context);

static inline bool mqueue_empty(const struct bus *bus, uint32_t slot)
{
    const struct bus_slot *at = &bus->data->slot[slot];
    return load_seq(&at->queue_head) == load_seq(&at->queue_tail);
}

#endif
