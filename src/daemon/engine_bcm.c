/* daemon/engine_bcm.c - CAN_BCM sockets in the worker: requests and messages. The rules are can/bcm's. */
#include "daemon/engine.h"

#include <errno.h>

static void on_message(struct bcm *bcm, const struct bcm_head *head, const void *frames, size_t frames_size,
                       uint32_t ifindex, uint64_t stamp_ns)
{
    struct engine_socket *socket = timer_owner(bcm, struct engine_socket, bcm);
    struct mqueue_message message = { (uint32_t)(sizeof(*head) + frames_size), ifindex, stamp_ns };
    struct iovec parts[2] = { { (void *)(uintptr_t)head, sizeof(*head) },
                              { (void *)(uintptr_t)frames, frames_size } };

    engine_put(socket, &message, parts, frames_size ? 2 : 1);
}

static void start(struct engine_socket *socket)
{
    socket->bcm = (struct bcm){ .host = &socket->engine->host,
                                .message = on_message,
                                .origin = (uint64_t)socket->gen << 32 | (socket->slot + 1) };
}

static int connect_to(struct engine_socket *socket, uint32_t ifindex)
{
    struct bus_slot *slot = engine_slot(socket);
    int error = slot && load_relaxed(&slot->bound) ? -EISCONN : engine_bind(socket, ifindex, false);

    if (!error) socket->bcm.ifindex = ifindex;
    return error;
}

static int on_request(struct engine_socket *socket, const struct service_request *request, int *reply)
{
    (void)reply;
    switch (request->op) {
    case SERVICE_CONNECT: return connect_to(socket, request->ifindex);
    case SERVICE_WRITE:
        return (int)bcm_write(&socket->bcm, engine_payload, request->size, request->ifindex,
                              socket->engine->now);
    default: return -EOPNOTSUPP;
    }
}

static void link_gone(struct engine_socket *socket, uint32_t ifindex)
{
    bcm_link_gone(&socket->bcm, ifindex);
    if (socket->bcm.ifindex == ifindex) socket->bcm.ifindex = 0;
}

static bool hung_up(struct engine_socket *socket)
{
    (void)socket;
    return false;
}

static void end(struct engine_socket *socket) { bcm_close(&socket->bcm); }

const struct engine_protocol engine_bcm = { .number = CAN_BCM,
                                            .start = start,
                                            .request = on_request,
                                            .link_gone = link_gone,
                                            .hung_up = hung_up,
                                            .end = end };
