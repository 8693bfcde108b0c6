/* daemon/engine_isotp.c - CAN_ISOTP sockets in the worker: binding, PDUs on their way out, what came in. The rules are can/isotp's.
 *
 * While a PDU is being sent its request lies unread in the connection, so that the descriptor is not writable, and bus_slot.busy says so to those who
 * look before they wait. Who asked with SERVICE_WAIT keeps its end of the pair open; when it closes that, the PDU is given up. */
#include "daemon/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "bus/links.h"
#include "bus/wake.h"

#define LOOK_NS 5000000u /* between two looks whether a program still waits in close(2) */

static struct engine_socket *socket_of(struct isotp *isotp)
{
    return timer_owner(isotp, struct engine_socket, isotp);
}

/* ---- what the machine tells ---- */

static void on_pdu(struct isotp *isotp, const void *pdu, size_t size, uint64_t stamp_ns)
{
    struct mqueue_message message = { (uint32_t)size, isotp->ifindex, stamp_ns };
    struct iovec part = { (void *)(uintptr_t)pdu, size };

    engine_put(socket_of(isotp), &message, &part, 1);
}

static void on_error(struct isotp *isotp, int error) { engine_error(socket_of(isotp), error); }

static void drop_reply(struct engine_socket *socket)
{
    if (socket->reply.fd < 0) return;
    loop_remove(&socket->reply);
    close(socket->reply.fd);
    socket->reply.fd = -1;
}

/* Whoever waits for its turn may send. */
static void become_idle(struct engine_socket *socket)
{
    struct bus_slot *slot = engine_slot(socket);

    free(socket->pdu);
    socket->pdu = NULL;
    if (slot) store_seq(&slot->busy, 0);
    if (socket->source.fd >= 0 && socket->ballast) {
        engine_take_request(socket);
        loop_change(&socket->source, EPOLLIN);
    }
    socket->ballast = false;
}

static void leave(struct engine_socket *socket)
{
    drop_reply(socket);
    if (socket->source.fd < 0) engine_forget(socket);
}

static void finish(struct engine_socket *socket)
{
    become_idle(socket);
    leave(socket);
}

/* Who is told of the end finds the socket idle; and who finds it idle finds the error. */
static void on_sent(struct isotp *isotp, int result)
{
    struct engine_socket *socket = socket_of(isotp);
    struct bus_slot *slot = engine_slot(socket);
    bool has_error = result && slot && socket->reply.fd < 0 && socket->source.fd >= 0;

    if (has_error) store_seq(&slot->error, (uint32_t)-result);
    become_idle(socket);
    if (has_error) wake_notify_connected(socket->engine->bus, socket->slot, socket->source.fd);
    if (socket->reply.fd >= 0) engine_answer(socket->reply.fd, result);
    leave(socket);
}

/* A program that closes its socket or exits waits for its PDU; one that was killed does not. */
static bool is_awaited(const struct engine_socket *socket, uint64_t now)
{
    struct bus_slot *slot = engine_slot(socket);
    uint32_t busy = slot ? load_relaxed(&slot->busy) : 0;

    return (busy & SERVICE_BUSY_DRAIN) && !service_busy_is_old(busy, now);
}

/* The end of a program that was killed is known to the kernel before it is to us: its parent may have seen it, and then sent this flow
 * control. */
static bool is_wanted(struct isotp *isotp)
{
    struct engine_socket *socket = socket_of(isotp);
    struct pollfd connection = { .fd = socket->source.fd };

    if (socket->source.fd >= 0 && (poll(&connection, 1, 0) <= 0 || !(connection.revents & POLLHUP)))
        return true;
    return is_awaited(socket, socket->engine->now);
}

/* ---- requests ---- */

static void start(struct engine_socket *socket)
{
    socket->reply.fd = -1;
    socket->isotp = (struct isotp){ .host = &socket->engine->host };
}

/* Options as a program can have set them: what came from it is checked once more. */
static int take_options(struct isotp_options *to, const struct isotp_options *from)
{
    int error;

    isotp_default(to);
    error = isotp_set(to, CAN_ISOTP_OPTS, &from->opts, sizeof(from->opts));
    if (!error) error = isotp_set(to, CAN_ISOTP_RECV_FC, &from->fc, sizeof(from->fc));
    if (!error) error = isotp_set(to, CAN_ISOTP_LL_OPTS, &from->ll, sizeof(from->ll));
    if (!error) error = isotp_set(to, CAN_ISOTP_TX_STMIN, &from->tx_stmin_ns, sizeof(from->tx_stmin_ns));
    if (!error) error = isotp_set(to, CAN_ISOTP_RX_STMIN, &from->rx_stmin_ns, sizeof(from->rx_stmin_ns));
    to->frame_txtime_ns = from->frame_txtime_ns;
    return error;
}

static int bind_to(struct engine_socket *socket, uint32_t ifindex, size_t size)
{
    struct engine *engine = socket->engine;
    struct bus_slot *slot = engine_slot(socket);
    struct service_isotp *given = (struct service_isotp *)(void *)engine_payload;
    struct isotp fresh = {
        .host = &engine->host, .deliver = on_pdu, .error = on_error, .sent = on_sent, .wanted = is_wanted
    };
    struct link_view link;
    int error;

    if (size != sizeof(*given) || !slot || load_relaxed(&slot->bound)) return -EINVAL;
    if (isotp_is_sending(&socket->isotp)) return -EAGAIN;
    error = take_options(&fresh.options, &given->options);
    if (!error) error = isotp_check_ids(&given->options, given->tx_id, given->rx_id);
    if (!error) error = isotp_check_pair(&given->options, given->tx_id, given->rx_id);
    if (error) return error;
    if (links_by_ifindex(engine->bus->control, ifindex, &link) != 0) return -ENODEV;
    if (link.mtu < fresh.options.ll.mtu) return -EINVAL;
    fresh.origin = (uint64_t)socket->gen << 32 | (socket->slot + 1);
    fresh.ifindex = ifindex;
    fresh.tx_id = given->tx_id;
    fresh.rx_id = given->rx_id;
    isotp_unbind(&socket->isotp);
    socket->isotp = fresh;
    error = isotp_bind(&socket->isotp, engine->now);
    if (error) return error;
    store_relaxed(&slot->tx_address, given->tx_id);
    store_relaxed(&slot->rx_address, given->rx_id);
    return engine_bind(socket, ifindex, true);
}

/* Who waits for the end of its PDU has gone. */
static void on_reply(struct loop_source *source, uint32_t events)
{
    struct engine_socket *socket = loop_owner(source, struct engine_socket, reply);

    if (!(events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))) return;
    isotp_abort(&socket->isotp);
    finish(socket);
}

static int watch_reply(struct engine_socket *socket, int *reply)
{
    socket->reply = (struct loop_source){ *reply, on_reply };
    if (loop_add(&socket->reply, EPOLLRDHUP) < 0) {
        socket->reply.fd = -1;
        return -ENOMEM;
    }
    *reply = -1;
    return 0;
}

static int send_pdu(struct engine_socket *socket, const struct service_request *request, int *reply)
{
    struct bus_slot *slot = engine_slot(socket);
    int error;

    if (!slot || !socket->isotp.ifindex)
        return -EADDRNOTAVAIL; /* our own word for it: slot->bound is anybody's */
    if (isotp_is_sending(&socket->isotp)) return -EAGAIN;
    error = isotp_check_size(&socket->isotp.options, request->size);
    if (error) return error;
    socket->pdu = malloc(request->size);
    if (!socket->pdu) return -ENOMEM;
    memcpy(socket->pdu, engine_payload, request->size);
    store_seq(&slot->busy, SERVICE_BUSY_WORKER);
    error = isotp_send(&socket->isotp, socket->pdu, request->size, socket->engine->now);
    if (!error && (request->flags & SERVICE_WAIT)) {
        error = watch_reply(socket, reply);
        if (error) isotp_abort(&socket->isotp);
    }
    if (error) {
        finish(socket);
        return error;
    }
    socket->ballast = true;
    loop_change(&socket->source, 0);
    return 0;
}

static int on_request(struct engine_socket *socket, const struct service_request *request, int *reply)
{
    int result = request->op == SERVICE_BIND   ? bind_to(socket, request->ifindex, request->size)
                 : request->op == SERVICE_SEND ? send_pdu(socket, request, reply)
                                               : -EOPNOTSUPP;

    if (!socket->ballast) engine_take_request(socket);
    return result;
}

/* ---- ends ---- */

static void link_gone(struct engine_socket *socket, uint32_t ifindex)
{
    if (socket->isotp.ifindex != ifindex) return;
    isotp_unbind(&socket->isotp);
    socket->isotp = (struct isotp){ .host = &socket->engine->host };
    if (socket->reply.fd >= 0) engine_answer(socket->reply.fd, -ENODEV);
    if (socket->pdu) finish(socket);
}

static void look_again(struct timer *timer, uint64_t now)
{
    struct engine_socket *socket = timer_owner(timer, struct engine_socket, last);

    if (is_awaited(socket, now)) {
        timers_set(&socket->engine->timers, timer, now + LOOK_NS);
    } else {
        isotp_abort(&socket->isotp);
        finish(socket);
    }
}

static bool hung_up(struct engine_socket *socket)
{
    if (!isotp_is_sending(&socket->isotp) || !is_awaited(socket, socket->engine->now)) return false;
    socket->last.expire = look_again;
    timers_set(&socket->engine->timers, &socket->last, socket->engine->now + LOOK_NS);
    return true;
}

static void end(struct engine_socket *socket)
{
    isotp_unbind(&socket->isotp);
    drop_reply(socket);
    free(socket->pdu);
}

const struct engine_protocol engine_isotp = { .number = CAN_ISOTP,
                                              .leaves_requests = true,
                                              .start = start,
                                              .request = on_request,
                                              .link_gone = link_gone,
                                              .hung_up = hung_up,
                                              .end = end };
