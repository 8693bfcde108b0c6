/* daemon/engine.c - the host of the protocol machines: their sockets, their frames, their time.
 *
 * A socket is the other end of a program's descriptor (sockets/service.h). It lives until that end is closed; its slot is in shared memory, and nothing
 * of what programs write there is believed. Frames come through the inbox, also those that the machines send themselves:
 * so every machine sees the frames of a bus in the order in which raw sockets see them, and a machine never runs inside another.
 *
 * Time: one timerfd, absolute, set to the first timer of all. The process's timer slack is 1 ns. */
#include "daemon/engine.h"

#include <errno.h>
#include <sched.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "base/clock.h"
#include "bus/attach.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "bus/wake.h"

#define FRAMES_A_CLOCK  8     /* frames that count as simultaneous */
#define TIMERS_APART_NS 40000 /* less than the gap between two frames of ISO-TP, and of a 1-Mbit/s bus */
#define WATCH_NS        60000
#define RESTRAINT_MAX   63
#define IMMINENT_NS     100000
#define EXPIRE_MAX      4096 /* timers in one go, before other events have their turn */

uint8_t engine_payload[SERVICE_PAYLOAD_MAX];

static struct engine *the_engine; /* one per worker: engine_take_own() finds it here */

static uint64_t origin_of(uint32_t slot, uint32_t gen) { return (uint64_t)gen << 32 | (slot + 1); }

/* ---- what machines ask of their host ---- */

static struct engine *engine_of(struct can_host *host) { return (struct engine *)(void *)host; }
_Static_assert(offsetof(struct engine, host) == 0, "a host is found by its first member");

static int host_send(struct can_host *host, uint64_t origin, uint32_t ifindex, const void *frame,
                     uint32_t size)
{
    struct engine *engine = engine_of(host);
    struct bus_frame out = { .frame = frame,
                             .size = size,
                             .origin = (uint32_t)origin - 1,
                             .origin_gen = (uint32_t)(origin >> 32),
                             .owner = RING_OWNER_DAEMON,
                             .time_ns = engine->now + engine->real_offset,
                             .token_fd = engine->token_fd,
                             .loopback = true };

    return bus_transmit(engine->bus, ifindex, &out);
}

static int host_subscribe(struct can_host *host, struct subscription *subscription)
{
    struct engine *engine = engine_of(host);
    uint32_t ifindex = subscription->ifindex;
    int error;

    subscription->place = ifindex ? links_find(engine->bus->control, ifindex) : IMAP_ANY;
    if (ifindex && subscription->place >= LINKS_MAX) return -ENODEV;
    error = inbox_want(&engine->inbox, subscription->place, subscription->id);
    if (!error) subscriptions_add(&engine->subscriptions, subscription);
    return error;
}

static void host_unsubscribe(struct can_host *host, struct subscription *subscription)
{
    struct engine *engine = engine_of(host);

    if (!subscription->link) return;
    subscriptions_remove(&engine->subscriptions, subscription);
    inbox_unwant(&engine->inbox, subscription->place, subscription->id);
}

static void *host_allocate(struct can_host *host, size_t size)
{
    (void)host;
    return malloc(size);
}

static void host_release(struct can_host *host, void *memory)
{
    (void)host;
    free(memory);
}

/* ---- frames and time ---- */

/* ---- staying awake ----
 *
 * Who got a frame from a machine often answers at once, and falling asleep and being woken take longer than that. So after a frame the worker looks for more
 * for a while, letting others run, and senders need wake nobody. When nothing came, it looks at one time in three, seven ... up to
 * RESTRAINT_MAX that frames come after sleep. */

/* A frame is served. */
static void watch_again(struct engine *engine)
{
    engine->watch.since = engine->now;
    if (!engine->watch.on) return;
    engine->watch.on = false;
    engine->watch.restraint = 0;
}

static bool is_watching(struct engine *engine)
{
    if (engine->watch.off || engine->now - engine->watch.since > WATCH_NS) return false;
    engine->watch.on = true;
    sched_yield();
    return true;
}

static void watch_no_more(struct engine *engine)
{
    if (engine->watch.on) {
        engine->watch.restraint = engine->watch.restraint * 2 + 1;
        if (engine->watch.restraint > RESTRAINT_MAX) engine->watch.restraint = RESTRAINT_MAX;
        engine->watch.left = engine->watch.restraint;
    }
    engine->watch.on = false;
    engine->watch.off = engine->watch.left > 0;
    if (engine->watch.left && engine->watch.since > engine->watch.slept) engine->watch.left--;
    engine->watch.slept = engine->now;
}

void engine_take_own(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
                     const struct ring_meta *meta)
{
    (void)bus;
    if (slot == the_engine->inbox.slot) inbox_put(&the_engine->inbox, frame, meta);
}

static bool on_frame(struct inbox *inbox, const struct ring_item *item)
{
    struct engine *engine = timer_owner(inbox, struct engine, inbox);
    struct can_event event = { .frame = item->frame,
                               .kind = frame_classify(item->frame, item->size),
                               .ifindex = item->ifindex,
                               .scope = item->record_flags & RECORD_BOUND ? CAN_SCOPE_LINK : CAN_SCOPE_ANY,
                               .origin = item->origin == SOCKET_NONE
                                             ? 0
                                             : origin_of(item->origin, item->origin_gen),
                               .stamp_ns = item->time_ns };

    if (engine->frames++ % FRAMES_A_CLOCK == 0) engine->now = clock_mono_ns();
    event.now = engine->now;
    watch_again(engine);
    if (event.kind == FRAME_CC || event.kind == FRAME_FD) subscriptions_serve(&engine->subscriptions, &event);
    return true;
}

/* Edge-triggered: nothing has to be read, and engine_turn() does the work. */
static void on_clock(struct loop_source *source, uint32_t events) { (void)source, (void)events; }

/* Sets the clock to the first timer, but not so that we wake for each of many: those of TIMERS_APART_NS are served together. */
static void set_clock(struct engine *engine)
{
    uint64_t at = timers_next(&engine->timers);
    struct itimerspec spec = { 0 };

    if (at < engine->expired_at + TIMERS_APART_NS) at = engine->expired_at + TIMERS_APART_NS;
    if (at == engine->clock_at) return;
    engine->clock_at = at;
    if (at != TIMERS_NEVER) {
        spec.it_value.tv_sec = (time_t)(at / 1000000000u);
        spec.it_value.tv_nsec = (long)(at % 1000000000u);
    }
    timerfd_settime(engine->clock.fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* True when there are more than can have their turn now. */
static bool expire(struct engine *engine)
{
    for (unsigned i = 0; i < EXPIRE_MAX; i++) {
        if (!timers_expire(&engine->timers, engine->now)) return false;
        engine->expired_at = engine->now;
        engine->now = clock_mono_ns(); /* what was begun by this one is not early */
    }
    return true;
}

/* A frame that is due in less time than it takes to fall asleep and wake up: stays awake, and lets others run. */
static bool is_imminent(const struct engine *engine)
{
    uint64_t at = engine->host.exact_at;

    if (at <= engine->now || at - engine->now > IMMINENT_NS) return false;
    sched_yield();
    return true;
}

bool engine_turn(struct engine *engine)
{
    bool more;

    if (!engine->sockets) return false;
    engine->now = clock_mono_ns();
    if (engine->watch.asleep) engine->real_offset = clock_real_ns() - engine->now;
    engine->watch.asleep = false;
    more = expire(engine);
    engine->frames = 1; /* of this clock */
    if (engine->inbox.own_count || !ring_empty(engine->bus, engine->inbox.slot))
        more |= inbox_serve(&engine->inbox);
    engine->frames = 0;
    if (more || is_imminent(engine) || is_watching(engine) || !inbox_settle(&engine->inbox)) return true;
    watch_no_more(engine);
    engine->watch.asleep = true;
    set_clock(engine);
    return false;
}

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
                  (off_t)(DATA_EXT_OFFSET + socket->slot * WINDOW_SIZE), WINDOW_SIZE);
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
    engine->host = (struct can_host){ .timers = &engine->timers,
                                      .send = host_send,
                                      .subscribe = host_subscribe,
                                      .unsubscribe = host_unsubscribe,
                                      .allocate = host_allocate,
                                      .release = host_release };
    the_engine = engine;
    engine->inbox.bus = engine->bus;
    engine->inbox.frame = on_frame;
    engine->inbox.stays_awake = true;
    engine->inbox.source.fd = -1;
    engine->clock_at = TIMERS_NEVER;
    engine->watch.asleep = true;
    engine->clock =
        (struct loop_source){ timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), on_clock };
    if (engine->clock.fd < 0) return -errno;
    prctl(PR_SET_TIMERSLACK, 1);
    orphan_sockets(engine->bus);
    return loop_add(&engine->clock, EPOLLIN | EPOLLET);
}

void engine_stop(struct engine *engine)
{
    for (struct engine_socket *socket = engine->sockets, *next; socket; socket = next) {
        next = socket->next;
        end(socket);
    }
}
