/* supervisor/pump.c - see pump.h.
 *
 * A frame is taken by the funnel, as by any reader, and sent into the pair; when there is no room it waits in `next`, and further ones in the ring, where
 * they are dropped and counted as ever. A pending error is shown by the program's end (errors.h), and whether one can write.
 *
 * What a program writes to its end without our being asked (a copy of the descriptor below our numbers, splice, io_uring) comes out of the
 * pair here, and is sent. */
#include "supervisor/pump.h"
#include "bus/wake.h"
#include "sockets/sendbuf.h"
#include "supervisor/errors.h"
#include <errno.h>
#include <linux/can.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static bool some_wait;

/* A program that has set SO_RCVBUF wants that kept, and frames that lie in the pair count as well as those in the ring. */
static bool drops_next(struct sock *sock)
{
    struct bus_slot *slot = &sock_bus->data->slot[sock->slot];
    uint32_t limit = load_relaxed(&slot->rx_limit);

    if (!limit || !sock->has_items || sock->can_charge < limit) return false;
    add_relaxed(&slot->drops, 1);
    if (load_relaxed(&slot->option[OPT_RXQ_OVFL]))
        store_relaxed(&slot->drops_told, load_relaxed(&slot->drops));
    if (!sock->is_raw)
        add_relaxed(&slot->setting[PACKET_SEEN], 1); /* else it would count as one that came, too */
    sock->has_next = false;
    return true;
}

/* ---- from the ring ---- */

static int take_raw(struct sock *sock, struct sock_note *note)
{
    struct ring_item *item = (struct ring_item *)(void *)sock->next_bytes;
    int error = raw_take_frame(sock_bus, sock->slot, sock->ring.fd, item);

    if (error) return error;
    note->size = item->size;
    memcpy(note->item, item, SOCK_ABOUT);
    memcpy(note->start, item->frame, item->size < SOCK_START ? item->size : SOCK_START);
    return 0;
}

/* The worker counts what waits in its queue against a limit that the program has set. So there it stays, and the program has a copy of the first one
 * until it has read it. */
static bool is_counted(const struct sock *sock)
{
    return !sock->has_items && load_relaxed(&sock_bus->data->slot[sock->slot].rx_limit);
}

static bool leaves_it(struct sock *sock)
{
    if (!is_counted(sock)) return false;
    sock_catch_up(sock);
    return sock->count > 0;
}

static int take_other(struct sock *sock, struct sock_note *note)
{
    struct iovec iov = { sock->next_bytes, SOCK_PACKET_MAX };
    struct raw_receive message = { .iov = &iov,
                                   .iov_count = 1,
                                   .name = &note->told.name,
                                   .name_size = sizeof(note->told.name),
                                   .control = note->told.control,
                                   .control_size = sizeof(note->told.control) };
    atomic_u32 *error = &sock_bus->data->slot[sock->slot].error;
    ssize_t size;

    if (load_relaxed(error)) return -EAGAIN; /* it would take that */
    note->is_copy = is_counted(sock);
    size = family_receive(sock_bus, sock->slot, sock->ring.fd, &message,
                          MSG_DONTWAIT | (note->is_copy ? MSG_PEEK : 0));
    if (size == -EAGAIN || size == -EADDRNOTAVAIL) return (int)size;
    if (size < 0) { /* it came just now, and was taken: back with it */
        cas32(error, 0, (uint32_t)-size);
        errors_show(sock);
        return -EAGAIN;
    }
    note->size = (uint32_t)size;
    note->told.flags = message.flags;
    note->told.name_size = message.name_size;
    note->told.control_size = (uint32_t)message.control_size;
    memcpy(note->start, sock->next_bytes, (size_t)size < SOCK_START ? (size_t)size : SOCK_START);
    return 0;
}

/* False: there is nothing, or will be nothing. */
static bool take_next(struct sock *sock)
{
    struct sock_note *note = &sock->next_note;
    int error;

    errors_show(sock);
    if (leaves_it(sock)) return false;
    memset(note, 0, sizeof(*note));
    error = sock->has_items ? take_raw(sock, note) : take_other(sock, note);
    sock->has_next = !error;
    return !error;
}

/* ---- into the pair ---- */

static bool put_next(struct sock *sock)
{
    const uint8_t *bytes = sock->next_bytes + (sock->has_items ? SOCK_ABOUT : 0);

    sock_catch_up(sock);
    if (drops_next(sock)) return true;
    if (sock->count >= SOCK_NOTES ||
        send(sock->pair.fd, bytes, sock->next_note.size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return false;
    sock_remember(sock, &sock->next_note);
    sock->moved++;
    sock->has_next = false;
    return true;
}

static void watch_both(struct sock *sock)
{
    watch_for(&sock->ring, (sock->full ? 0 : EPOLLIN | EPOLLET) |
                               (sock->blocked && !sock->is_raw ? EPOLLOUT | EPOLLET : 0));
    watch_for(&sock->pair,
              (sock->refuses || sock->blocked ? 0 : EPOLLIN) | (sock->full ? EPOLLOUT | EPOLLET : 0));
}

/* Nothing has come since it was found empty. */
static bool is_idle(const struct sock *sock)
{
    return !sock->has_next && (load_seq(&sock_bus->data->slot[sock->slot].armed) & 3) == WAKE_ARMED &&
           !wake_pending(sock_bus, sock->slot);
}

void pump_run(struct sock *sock)
{
    bool full = false;

    if (is_idle(sock) && !sock->full) return;

    while (!full && (sock->has_next || take_next(sock)))
        full = !put_next(sock);
    if (full == sock->full) return;
    sock->full = full;
    watch_both(sock);
    if (full && put_next(sock)) pump_run(sock); /* there was room by the time we began to wait for it */
}

void pump_begin(struct sock *sock) { watch_both(sock); }

void pump_all(void) { sock_each(pump_run); }

static void unblock(struct sock *sock);

void pump_ring_ready(struct watch *watch, uint32_t events)
{
    struct sock *sock = watch_owner(watch, struct sock, ring);

    pump_run(sock);
    if (events & EPOLLOUT) unblock(sock);
    if (!(events & (EPOLLHUP | EPOLLERR)) || sock->has_items) return;
    watch_end(&sock->ring); /* the worker is gone: the error that says so is in the pair */
}

/* ---- the program's end: can one write, and what was written past us ---- */

static bool is_busy(const struct sock *sock)
{
    return sock->is_raw ? !sendbuf_is_writable(sock_bus, sock->slot)
                        : family_is_sending(sock_bus, sock->slot);
}

static void pass_on(struct sock *sock)
{
    static uint8_t bytes[SOCK_PACKET_MAX];
    ssize_t size, result;

    while (!sock->blocked &&
           (size = recv(sock->pair.fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK)) >= 0) {
        result = pair_is_block(bytes, (size_t)size)
                     ? 0
                     : family_write(sock_bus, sock->slot, sock->ring.fd, bytes, (size_t)size, MSG_DONTWAIT);
        sock->refuses = result == -EAGAIN;
        if (sock->refuses) some_wait = true;
        if (sock->refuses) break;
        recv(sock->pair.fd, bytes, 1, MSG_DONTWAIT);
    }
    watch_both(sock);
}

static void unblock(struct sock *sock)
{
    if (!sock->blocked) return;
    sock->blocked = false;
    pass_on(sock);
}

bool pump_wants_block(const struct sock *sock) { return !sock->blocked && is_busy(sock); }

void pump_block(struct sock *sock, int program_fd)
{
    pair_block(program_fd);
    sock->blocked = some_wait = true;
    watch_both(sock);
}

void pump_pass_on(struct sock *sock)
{
    if (!sock->refuses) pass_on(sock);
}

static void retry(struct sock *sock)
{
    if (sock->blocked && !is_busy(sock)) unblock(sock);
    if (sock->refuses) pass_on(sock);
    if (sock->blocked || sock->refuses) some_wait = true;
}

bool pump_waits(void) { return some_wait; }

bool pump_retry(void)
{
    bool had = some_wait;

    some_wait = false;
    if (had) sock_each(retry);
    return some_wait;
}

void pump_pair_ready(struct watch *watch, uint32_t events)
{
    struct sock *sock = watch_owner(watch, struct sock, pair);

    if (events & EPOLLIN) {
        sock->is_copied = true;
        pass_on(sock);
    }
    if (events & EPOLLOUT) pump_run(sock);
    if (events & EPOLLIN) pump_all();
}
