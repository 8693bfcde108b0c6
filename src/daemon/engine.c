/* daemon/engine.c - the sockets of the protocols that the worker runs: their connections, their slots, their ends.
 *
 * A socket is the other end of a program's descriptor (sockets/service.h). It lives until that end is closed; its slot is in shared memory, and nothing
 * of what programs write there is believed. */
#include "daemon/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "bus/attach.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "bus/wake.h"

uint8_t engine_payload[SERVICE_PAYLOAD_MAX];

/* ---- what protocols do to their sockets ---- */

struct bus_slot *engine_slot(const struct engine_socket *socket)
{
    const struct bus *bus = socket->engine->bus;

    if (load_acquire(&bus->data->life[socket->slot]) != (socket->gen << 2 | SLOT_OPEN)) return NULL;
    return &bus->data->slot[socket->slot];
}

void engine_error(struct engine_socket *socket, int error)
{
    struct bus_slot *slot = engine_slot(socket);

    if (!slot || socket->source.fd < 0) return;
    store_seq(&slot->error, (uint32_t)error);
    wake_notify_connected(socket->engine->bus, socket->slot, socket->source.fd);
}

int engine_bind(struct engine_socket *socket, uint32_t ifindex, bool tell_down)
{
    const struct bus *bus = socket->engine->bus;
    uint32_t index = ifindex ? links_find(bus->control, ifindex) : IMAP_ANY;

    if (!engine_slot(socket) || (ifindex && index >= LINKS_MAX)) return -ENODEV;
    slot_bind(bus, socket->slot, index, ifindex);
    if (tell_down && ifindex && !(load_acquire(&bus->control->links[index].state) & LINK_UP))
        engine_error(socket, ENETDOWN);
    return 0;
}

bool engine_put(struct engine_socket *socket, const struct mqueue_message *message, const struct iovec *parts,
                unsigned count)
{
    struct bus_slot *slot = engine_slot(socket);
    const struct bus *bus = socket->engine->bus;

    if (!slot || socket->source.fd < 0) return false;
    if (mqueue_put(bus, socket->slot, socket->engine->window[socket->slot], &socket->writer, message, parts,
                   count, frame_charge(message->size), load_relaxed(&slot->option[OPT_RCVBUF])) != 0) {
        add_relaxed(&bus->data->slot[socket->slot].drops, 1);
        return false;
    }
    wake_notify_connected(bus, socket->slot, socket->source.fd);
    return true;
}

void engine_answer(int reply, int result)
{
    struct service_answer answer = { result };

    send(reply, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void engine_nudge(struct engine *engine, uint32_t slot)
{
    struct engine_socket *socket = engine->of_slot[slot];

    if (socket && socket->source.fd >= 0)
        send(socket->source.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (socket && timer_is_set(&socket->last)) /* its last holder has something to say */
        timers_set(&engine->timers, &socket->last, engine->now);
}

/* ---- life of a socket ---- */

static int open_inbox(struct engine *engine)
{
    int error = inbox_open(&engine->inbox);

    if (!error) store_seq(&engine->bus->data->inbox, engine->inbox.slot + 1);
    return error;
}

static void close_inbox(struct engine *engine)
{
    store_seq(&engine->bus->data->inbox, 0);
    inbox_close(&engine->inbox);
}

static void hang_up(struct engine_socket *socket)
{
    if (socket->source.fd < 0) return;
    loop_remove(&socket->source);
    close(socket->source.fd);
    socket->source.fd = -1;
}

/* The memory that its messages took. While the slot is still ours: its next owner may have CAN XL frames there. */
static void give_back(const struct engine_socket *socket)
{
    if (socket->writer.head && engine_slot(socket))
        fallocate(socket->engine->data_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)WINDOW_OFFSET(socket->slot), WINDOW_SIZE);
}

static void end(struct engine_socket *socket)
{
    struct engine *engine = socket->engine;

    timers_cancel(&engine->timers, &socket->last);
    socket->protocol->end(socket);
    hang_up(socket);
    give_back(socket);
    slot_end(engine->bus, socket->slot, socket->gen);
    if (engine->of_slot[socket->slot] == socket) engine->of_slot[socket->slot] = NULL;
    *socket->link = socket->next;
    if (socket->next) socket->next->link = socket->link;
    free(socket);
    if (!engine->sockets) close_inbox(engine);
}

static void on_last(struct timer *timer, uint64_t now)
{
    (void)now;
    end(timer_owner(timer, struct engine_socket, last));
}

void engine_forget(struct engine_socket *socket)
{
    socket->last.expire = on_last;
    timers_set(&socket->engine->timers, &socket->last, socket->engine->now);
}

static void on_hang_up(struct engine_socket *socket)
{
    bool finishing = socket->protocol->hung_up(socket);

    hang_up(socket);
    if (!finishing) end(socket);
}

/* Takes the descriptor out of a request; *reply stays -1 when there is none. */
static void take_reply(struct msghdr *msg, int *reply)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) continue;
        for (size_t at = 0; at + sizeof(int) <= cmsg->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof(fd));
            if (*reply < 0)
                *reply = fd;
            else
                close(fd);
        }
    }
}

/* A request; it stays unread when it is the kind with ballast. Returns its bytes, 0 at the end, or -errno. */
static ssize_t receive(struct engine_socket *socket, struct service_request *request, int *reply)
{
    static char ballast[SERVICE_BALLAST];
    struct iovec iov[2] = { { request, sizeof(*request) }, { ballast, sizeof(ballast) } };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct msghdr msg = {
        .msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t size =
        recvmsg(socket->source.fd, &msg,
                MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (socket->protocol->leaves_requests ? MSG_PEEK : 0));

    if (size < 0) return -errno;
    take_reply(&msg, reply);
    return size;
}

/* The payload lies on the pair already. */
static int receive_payload(int reply, uint32_t size)
{
    if (size == 0) return 0;
    if (size > sizeof(engine_payload)) return -EMSGSIZE;
    return recv(reply, engine_payload, size, MSG_DONTWAIT) == (ssize_t)size ? 0 : -EBADMSG;
}

void engine_take_request(struct engine_socket *socket)
{
    char head;

    recv(socket->source.fd, &head, sizeof(head), MSG_DONTWAIT); /* the rest goes with it */
}

/* In Linux frames are received while they are sent: what is asked after them finds that done. */
void engine_catch_up(struct engine *engine)
{
    if (engine->sockets) inbox_catch_up(&engine->inbox);
    engine->now = clock_mono_ns();
}

static void serve(struct engine_socket *socket, const struct service_request *request, int *reply)
{
    int result = receive_payload(*reply, request->size);

    socket->engine->now = clock_mono_ns();
    engine_catch_up(socket->engine);
    if (!result)
        result = socket->protocol->request(socket, request, reply);
    else if (socket->protocol->leaves_requests)
        engine_take_request(socket);
    if (*reply >= 0) engine_answer(*reply, result);
}

/* A request, a token, garbage, or the end. */
static void on_request(struct loop_source *source, uint32_t events)
{
    struct engine_socket *socket = loop_owner(source, struct engine_socket, source);
    struct engine *engine = socket->engine;
    struct service_request request;
    int reply = -1;
    ssize_t size;

    size = events & EPOLLIN ? receive(socket, &request, &reply) : -EAGAIN;
    if (size == 0 || (size < 0 && (events & (EPOLLHUP | EPOLLERR)))) {
        engine->now = clock_mono_ns();
        on_hang_up(socket);
    } else if (size >= (ssize_t)sizeof(request) && reply >= 0) {
        serve(socket, &request, &reply);
    } else if (size > 0) {
        if (socket->protocol->leaves_requests) engine_take_request(socket);
        inbox_serve(&engine->inbox);
    }
    if (reply >= 0) close(reply);
}

/* ---- opening ---- */

static const struct engine_protocol *find_protocol(uint32_t number)
{
    return number == CAN_BCM ? &engine_bcm : number == CAN_ISOTP ? &engine_isotp : NULL;
}

/* Maps the slot's window, once for all sockets that ever have this slot. */
static int need_window(struct engine *engine, uint32_t slot)
{
    return engine->window[slot] ? 0 : attach_map_window(engine->data_fd, slot, &engine->window[slot]);
}

/* Whoever claims a slot that is served already, or is ours, lies, and would end it for its owner when he goes. */
static bool is_taken(const struct engine *engine, const struct ctl_socket *request)
{
    const struct engine_socket *socket = engine->of_slot[request->slot];

    return (socket && socket->gen == request->gen) ||
           (engine->sockets && request->slot == engine->inbox.slot);
}

int engine_adopt(struct engine *engine, int fd, const struct ctl_socket *request)
{
    const struct engine_protocol *protocol = find_protocol(request->protocol);
    struct engine_socket *socket;
    int error;

    if (!protocol || request->slot >= SOCKETS_MAX || is_taken(engine, request)) return -EINVAL;
    error = need_window(engine, request->slot);
    if (!error && !engine->sockets) error = open_inbox(engine);
    if (error) return error;
    socket = calloc(1, sizeof(*socket));
    error = socket ? 0 : -ENOMEM;
    if (!error) {
        *socket = (struct engine_socket){ .source = { fd, on_request },
                                          .engine = engine,
                                          .protocol = protocol,
                                          .slot = request->slot,
                                          .gen = request->gen };
        if (!engine_slot(socket)) error = -EINVAL;
        if (!error) error = loop_add(&socket->source, EPOLLIN);
    }
    if (error) {
        free(socket);
        if (!engine->sockets) close_inbox(engine);
        return error;
    }
    mqueue_reset(engine->bus, socket->slot, &socket->writer);
    protocol->start(socket);
    socket->next = engine->sockets;
    socket->link = &engine->sockets;
    if (socket->next) socket->next->link = &socket->next;
    engine->sockets = socket;
    engine->of_slot[socket->slot] = socket;
    return 0;
}

void engine_link_gone(struct engine *engine, uint32_t ifindex)
{
    engine_catch_up(engine);
    for (struct engine_socket *socket = engine->sockets, *next; socket; socket = next) {
        next = socket->next;
        socket->protocol->link_gone(socket, ifindex);
    }
}

/* The connections of sockets went with the worker that served them, and so did its inbox. */
static void orphan_sockets(const struct bus *bus)
{
    uint32_t high = load_acquire(&bus->data->slots_high);

    for (uint32_t number = 0; number < high && number < SOCKETS_MAX; number++) {
        struct bus_slot *slot = &bus->data->slot[number];
        uint32_t life = load_acquire(&bus->data->life[number]);
        if ((life & 3) != SLOT_OPEN) continue;
        if (load_relaxed(&slot->bound) == BOUND_EVERYWHERE) {
            slot_end(bus, number, life >> 2);
        } else if (load_relaxed(&slot->protocol) > CAN_RAW) {
            store_relaxed(&slot->busy, 0);
            wake_hung_up(bus, number);
        }
    }
}

int engine_start(struct engine *engine)
{
    orphan_sockets(engine->bus);
    return engine_host_start(engine);
}

void engine_stop(struct engine *engine)
{
    for (struct engine_socket *socket = engine->sockets, *next; socket; socket = next) {
        next = socket->next;
        end(socket);
    }
}
