/* can/bcm.c - the broadcast manager: messages of the program, its list of jobs, and what sending and receiving jobs have in common.
 *
 * A socket has two lists of jobs, the newest first. A message is checked wholly before anything is changed, so that one that is
 * refused changes nothing. What jobs do: bcm_tx.c, bcm_rx.c. A job never goes away while it is served: the host does not call
 * back into a machine, and neither may `message`. */
#include "can/bcm.h"
#include <errno.h>
#include <string.h>
#include "can/bcm_op.h"

#define FLAGS_BYTE 5
#define FLAGS_TOLD                                                                                           \
    0x3f /* of the flags byte of a single frame: the kernel has a use of its own for the others */

static struct can_host *host_of(const struct bcm_op *op) { return op->bcm->host; }

/* ---- Jobs ---- */

struct bcm_op *bcm_op_new(struct bcm *bcm, const struct bcm_request *request, uint32_t stores)
{
    size_t frames_size = (size_t)request->nframes * request->frame_size;
    size_t stores_size = (size_t)stores * request->frame_size;
    size_t size = sizeof(struct bcm_op) + frames_size + stores_size + stores;
    struct bcm_op *op = bcm->host->allocate(bcm->host, size);

    if (!op) return NULL;
    memset(op, 0, size);
    op->bcm = bcm;
    op->can_id = request->can_id;
    op->ifindex = request->to;
    op->flags = request->flags;
    op->nframes = request->nframes;
    op->frame_size = request->frame_size;
    op->stores = op->frames + frames_size;
    op->store_states = op->stores + stores_size;
    return op;
}

void bcm_op_free(struct bcm_op *op)
{
    struct can_host *host = host_of(op);

    timers_cancel(host->timers, &op->timer);
    timers_cancel(host->timers, &op->throttle);
    if (op->subscription.link) host->unsubscribe(host, &op->subscription);
    host->release(host, op);
}

static struct bcm_op **place_of(struct bcm_op **list, const struct bcm_request *r)
{
    struct bcm_op *op;

    for (; (op = *list); list = &op->next)
        if (op->can_id == r->can_id && op->ifindex == r->to && !((op->flags ^ r->flags) & BCM_TYPE_FLAGS))
            break;
    return list;
}

struct bcm_op *bcm_op_find(struct bcm_op *list, const struct bcm_request *request)
{
    return *place_of(&list, request);
}

void bcm_op_tell(struct bcm_op *op, uint32_t opcode, uint32_t nframes, const void *frames, uint64_t stamp_ns)
{
    struct bcm_head head;
    struct canfd_frame single;

    memset(&head, 0, sizeof(head)); /* its padding, too, is read by others */
    head.opcode = opcode;
    head.flags = op->flags;
    head.count = op->count;
    head.ival1 = op->ival1;
    head.ival2 = op->ival2;
    head.can_id = op->can_id;
    head.nframes = nframes;
    if (nframes == 1) {
        memcpy(&single, frames, op->frame_size);
        ((uint8_t *)&single)[FLAGS_BYTE] &= FLAGS_TOLD;
        frames = &single;
    }
    op->bcm->message(op->bcm, &head, frames, (size_t)nframes * op->frame_size, op->source, stamp_ns);
}

void bcm_op_send(struct bcm_op *op)
{
    struct can_host *host = host_of(op);
    int result;

    if (!op->ifindex) return;
    result = host->send(host, op->bcm->origin, op->ifindex, op->frames + (size_t)op->at * op->frame_size,
                        op->frame_size);
    if (result == -ENODEV) return;
    if (!result) op->frames_seen++;
    if (op->count) op->count--;
    if (++op->at >= op->nframes) op->at = 0;
}

/* ---- Requests ---- */

static bool is_time(const struct bcm_time *t)
{
    return t->tv_sec >= 0 && t->tv_sec <= BCM_SECONDS_MAX && t->tv_usec >= 0 && t->tv_usec < 1000000;
}

static uint64_t nanoseconds(const struct bcm_time *t)
{
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

int bcm_op_check_times(const struct bcm_request *request)
{
    if (!(request->flags & SETTIMER)) return 0;
    return is_time(&request->ival1) && is_time(&request->ival2) ? 0 : -EINVAL;
}

void bcm_op_set_times(struct bcm_op *op, const struct bcm_request *request)
{
    op->ival1 = request->ival1;
    op->ival2 = request->ival2;
    op->ival1_ns = nanoseconds(&op->ival1);
    op->ival2_ns = nanoseconds(&op->ival2);
}

static ssize_t take_apart(struct bcm_request *request, const void *message, size_t size)
{
    struct bcm_head head;
    size_t rest;

    if (size < BCM_HEAD_SIZE) return -EINVAL;
    memcpy(&head, message, BCM_HEAD_SIZE);
    request->opcode = head.opcode;
    request->flags = head.flags;
    request->count = head.count;
    request->ival1 = head.ival1;
    request->ival2 = head.ival2;
    request->can_id = head.can_id;
    request->nframes = head.nframes;
    request->frame_size = bcm_frame_size(head.flags);
    rest = size - BCM_HEAD_SIZE;
    if (rest % request->frame_size) return -EINVAL;
    request->frames = (const uint8_t *)message + BCM_HEAD_SIZE;
    request->supplied =
        rest / request->frame_size > UINT32_MAX ? UINT32_MAX : (uint32_t)(rest / request->frame_size);
    return 0;
}

static ssize_t delete_op(struct bcm_op **list, const struct bcm_request *request)
{
    struct bcm_op **place = place_of(list, request), *op = *place;

    if (!op) return -EINVAL;
    *place = op->next;
    bcm_op_free(op);
    return BCM_HEAD_SIZE;
}

static ssize_t read_op(struct bcm_op *list, const struct bcm_request *request, uint32_t answer)
{
    struct bcm_op *op = bcm_op_find(list, request);

    if (!op) return -EINVAL;
    bcm_op_tell(op, answer, op->nframes, op->frames, 0);
    return BCM_HEAD_SIZE;
}

static ssize_t send_now(struct bcm *bcm, const struct bcm_request *request)
{
    struct canfd_frame frame;
    int result;

    if (request->nframes != 1 || request->supplied != 1) return -EINVAL;
    if (!request->to) return -ENODEV;
    memcpy(&frame, request->frames, request->frame_size);
    result = bcm->host->send(bcm->host, bcm->origin, request->to, &frame, request->frame_size);
    return result ? result : (ssize_t)(BCM_HEAD_SIZE + request->frame_size);
}

ssize_t bcm_write(struct bcm *bcm, const void *message, size_t size, uint32_t to, uint64_t now)
{
    struct bcm_request request = { .to = to, .now = now };
    ssize_t result = take_apart(&request, message, size);

    if (result) return result;
    switch (request.opcode) {
    case TX_SETUP: return bcm_tx_setup(bcm, &request);
    case RX_SETUP: return bcm_rx_setup(bcm, &request);
    case TX_DELETE: return delete_op(&bcm->tx, &request);
    case RX_DELETE: return delete_op(&bcm->rx, &request);
    case TX_READ: return read_op(bcm->tx, &request, TX_STATUS);
    case RX_READ: return read_op(bcm->rx, &request, RX_STATUS);
    case TX_SEND: return send_now(bcm, &request);
    default: return -EINVAL;
    }
}

ssize_t bcm_check_send(const void *message, size_t size, struct canfd_frame *frame, uint32_t *frame_size)
{
    struct bcm_request request = { .to = 0 };
    ssize_t result = take_apart(&request, message, size);

    if (result) return result;
    if (request.opcode != TX_SEND) return 0;
    if (request.nframes != 1 || request.supplied != 1) return -EINVAL;
    memcpy(frame, request.frames, request.frame_size);
    *frame_size = request.frame_size;
    return (ssize_t)(BCM_HEAD_SIZE + request.frame_size);
}

/* ---- The end of interfaces and sockets ---- */

void bcm_link_gone(struct bcm *bcm, uint32_t ifindex)
{
    for (struct bcm_op *op = bcm->tx; op; op = op->next)
        if (op->ifindex == ifindex) timers_cancel(bcm->host->timers, &op->timer);
    for (struct bcm_op *op = bcm->rx; op; op = op->next)
        bcm_rx_link_gone(op, ifindex);
}

static void free_all(struct bcm_op **list)
{
    for (struct bcm_op *op; (op = *list);) {
        *list = op->next;
        bcm_op_free(op);
    }
}

void bcm_close(struct bcm *bcm)
{
    free_all(&bcm->tx);
    free_all(&bcm->rx);
}
