/* bus/mqueue.c - message queues: a ring of bytes in the socket's window, one writer, many readers.
 *
 * Positions count bytes for ever; position p lies at p mod MQUEUE_SIZE. A record is a head of HEAD bytes and the message, both a multiple of it, so
 * that heads never wrap. The writer (the worker) fills a record, then stores queue_head; a reader that sees the new queue_head
 * sees the record. A reader copies the message out and then swaps queue_tail from the position that it read: whoever wins the
 * swap has the message, and the swap proves the copy, because the writer writes nothing between queue_tail and queue_head. The loser
 * copies again. So a reader that is killed or stopped anywhere costs nothing.
 *
 * While the queue is empty nobody but the writer moves queue_tail: when it is far from the window's begin, it goes on from there (first both
 * positions are the same again, so that an empty queue stays on few pages).
 *
 * Readers believe nothing: sizes are clamped by what is between the positions. The writer believes queue_tail only if it lies
 * where it can; else the queue counts as full. */
#include "bus/mqueue.h"
#include <errno.h>
#include <string.h>

#define MQUEUE_SIZE (2u * 1024 * 1024)
#define HEAD        32u
#define NEAR        (128u * 1024) /* as much of the window as may stay in use when the queue is empty */
#define CHUNK       512u
#define TAKE_TRIES  64

_Static_assert(MQUEUE_SIZE <= WINDOW_SIZE, "the queue lies in the window");

union record_head {
    struct {
        uint32_t size, ifindex;
        uint64_t time_ns;
        uint64_t charged; /* by all messages before this one */
    };
    uint64_t word[HEAD / 8];
};

static uint64_t record_size(uint32_t size)
{
    return HEAD + (((uint64_t)size + HEAD - 1) & ~(uint64_t)(HEAD - 1));
}

/* ---- words of the window: atomic, because a reader that is too slow reads what is being written, and throws it away ---- */

static void put_words(void *window, uint64_t position, const uint64_t *words, uint32_t size)
{
    atomic_u64 *ring = window;

    for (uint32_t i = 0; i < size; i += 8)
        store_relaxed(&ring[(position + i) % MQUEUE_SIZE / 8], words[i / 8]);
}

static void get_words(const void *window, uint64_t position, uint64_t *words, uint32_t size)
{
    const atomic_u64 *ring = window;

    for (uint32_t i = 0; i < size; i += 8)
        words[i / 8] = load_relaxed(&ring[(position + i) % MQUEUE_SIZE / 8]);
}

/* ---- writer ---- */

void mqueue_reset(const struct bus *bus, uint32_t slot, struct mqueue_writer *writer)
{
    *writer = (struct mqueue_writer){ 0 };
    store_seq(&bus->data->slot[slot].queue_head, 0);
    store_seq(&bus->data->slot[slot].queue_tail, 0);
}

/* What is queued counts this much. */
static uint64_t charged_now(const void *window, const struct mqueue_writer *writer, uint64_t tail)
{
    union record_head oldest;

    if (tail == writer->head) return 0;
    get_words(window, tail, oldest.word, HEAD);
    return writer->charged - oldest.charged;
}

/* Nothing is queued: goes on at the window's begin if that is far. */
static void go_near(struct bus_slot *slot, struct mqueue_writer *writer)
{
    uint64_t begin = (writer->head + MQUEUE_SIZE - 1) / MQUEUE_SIZE * MQUEUE_SIZE;

    if (writer->head % MQUEUE_SIZE < NEAR || !cas64(&slot->queue_tail, writer->head, begin)) return;
    writer->head = begin;
    store_seq(&slot->queue_head, begin);
}

/* A message, whose parts need not be whole words. */
static void put_parts(void *window, uint64_t position, const struct iovec *parts, unsigned count)
{
    uint64_t chunk[CHUNK / 8] = { 0 };
    uint32_t used = 0;

    for (unsigned i = 0; i < count; i++) {
        const uint8_t *from = parts[i].iov_base;
        for (size_t left = parts[i].iov_len; left > 0;) {
            uint32_t piece = left < CHUNK - used ? (uint32_t)left : CHUNK - used;
            memcpy((uint8_t *)chunk + used, from, piece);
            used += piece;
            from += piece;
            left -= piece;
            if (used < CHUNK) continue;
            put_words(window, position, chunk, CHUNK);
            position += CHUNK;
            used = 0;
        }
    }
    put_words(window, position, chunk, used);
}

int mqueue_put(const struct bus *bus, uint32_t number, void *window, struct mqueue_writer *writer,
               const struct mqueue_message *message, const struct iovec *parts, unsigned count,
               uint32_t charge, uint32_t limit)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint64_t tail = load_acquire(&slot->queue_tail);
    union record_head head = { { message->size, message->ifindex, message->time_ns, writer->charged } };

    if (tail > writer->head || writer->head - tail > MQUEUE_SIZE) return -ENOBUFS;
    if (tail == writer->head) {
        go_near(slot, writer);
        tail = writer->head;
    }
    if (charged_now(window, writer, tail) >= limit) return -ENOBUFS;
    if (record_size(message->size) > MQUEUE_SIZE - (writer->head - tail)) return -ENOBUFS;
    put_words(window, writer->head, head.word, HEAD);
    put_parts(window, writer->head + HEAD, parts, count);
    writer->head += record_size(message->size);
    writer->charged += charge;
    store_seq(&slot->queue_head, writer->head);
    return 0;
}

/* ---- readers ---- */

static int copy_out(const void *window, uint64_t position, uint32_t size, mqueue_copy *copy, void *context)
{
    uint64_t chunk[CHUNK / 8];
    int error = 0;

    for (uint32_t at = 0; at < size && !error; at += CHUNK) {
        uint32_t part = size - at < CHUNK ? size - at : CHUNK;
        get_words(window, position + at, chunk, part);
        error = copy(context, at, chunk, part);
    }
    return error;
}

int mqueue_take(const struct bus *bus, uint32_t number, const void *window, bool peek,
                struct mqueue_message *out, mqueue_copy *copy, void *context)
{
    struct bus_slot *slot = &bus->data->slot[number];

    for (unsigned tries = 0; tries < TAKE_TRIES; tries++) {
        uint64_t tail = load_seq(&slot->queue_tail), queued = load_seq(&slot->queue_head) - tail;
        union record_head head;
        int error;
        if (queued < HEAD || queued > MQUEUE_SIZE) {
            if (load_seq(&slot->queue_tail) == tail) return 0;
            continue;
        }
        get_words(window, tail, head.word, HEAD);
        if (head.size > queued - HEAD) head.size = (uint32_t)queued - HEAD;
        *out = (struct mqueue_message){ head.size, head.ifindex, head.time_ns };
        error = copy_out(window, tail + HEAD, head.size, copy, context);
        atomic_thread_fence(memory_order_acquire);
        if (peek ? load_seq(&slot->queue_tail) == tail
                 : cas64(&slot->queue_tail, tail, tail + record_size(head.size)))
            return error ? error : 1;
    }
    return 0;
}
