/* sockets/service.c - the program's side of service.h: opening, asking, receiving. Keeps no state; only raw system calls, as ctl.c. */
#include "sockets/service.h"
#include "base/clock.h"
#include "base/passing.h"
#include "base/sys.h"
#include "bus/mqueue.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "sockets/ctl.h"
#include "sockets/message.h"
#include "sockets/process.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define CATCH_UP_NS 20000000
#define AMPLE       4096u /* bytes of messages; the default buffer has room for 20 KB of the smallest ones */
#define PIECES      1024  /* UIO_MAXIOV */
#define ROOM_NS     10000000 /* between two attempts: the kernel calls a socket writable late */
#define LEAST_BUFFER                                                                                         \
    0 /* SO_SNDBUF: the kernel makes it the least it can, so that one SERVICE_BALLAST fills it */

/* For whoever asks what /proc has to say of the socket (daemon/show.c). */
static void note_inode(const struct bus *bus, uint32_t slot, int fd)
{
    struct statx about;

    if (sys_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_INO, &about) == 0)
        store_relaxed(&bus->data->slot[slot].inode, about.stx_ino);
}

int service_open(const struct bus *bus, int flags, uint32_t protocol, void (*prepare)(struct bus_slot *slot))
{
    struct ctl_socket request = { .protocol = protocol };
    int fd = raw_open(bus, SOCK_SEQPACKET | (flags & SOCK_CLOEXEC), &request.slot, &request.gen),
        least = LEAST_BUFFER;
    long error;

    if (fd < 0) return fd;
    slot_set_protocol(bus, request.slot, protocol);
    if (prepare) prepare(&bus->data->slot[request.slot]);
    sys_call(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
    note_inode(bus, request.slot, fd);
    error = process_window(request.slot) ? ctl_hand_over(bus->dir, fd, &request)
                                         : -ENOMEM; /* now, so that no read waits for it */
    if (!error && (flags & SOCK_NONBLOCK)) error = sys_call(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
    if (!error) return fd;
    sys_call(SYS_close, fd);
    slot_end(bus, request.slot, request.gen);
    return error == -ENOENT || error == -ECONNREFUSED ? -EPROTONOSUPPORT
                                                      : (int)error; /* no daemon: no protocol */
}

/* ---- requests ---- */

/* The worker is gone, or never knew this socket. */
static int as_reset(long error)
{
    return error == -EPIPE || error == -ENOTCONN || error == -ECONNREFUSED ? -ECONNRESET : (int)error;
}

/* The connection is full of requests of other threads. O_NONBLOCK does not mean the worker's part of a call: on Linux there is none. */
static bool waits_for_room(int fd)
{
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    struct timespec limit = { 0, ROOM_NS };
    long ready = sys_call(SYS_ppoll, &writable, 1, &limit, NULL, 0);

    return ready >= 0 || ready == -EINTR;
}

static int send_request(int fd, const struct service_request *request, int passed_fd)
{
    static const char ballast[SERVICE_BALLAST];
    struct iovec iov[2] = { { (void *)(uintptr_t)request, sizeof(*request) },
                            { (void *)(uintptr_t)ballast,
                              request->op == SERVICE_SEND ? sizeof(ballast) : 0 } };
    long sent;

    do
        sent = passing_send(fd, iov, 2, passed_fd);
    while (sent == -EINTR || (sent == -EAGAIN && request->op != SERVICE_SEND && waits_for_room(fd)));
    return sent < 0 ? as_reset(sent) : 0;
}

static int receive_answer(int fd, bool withdraws)
{
    struct service_answer answer;
    long got;

    do
        got = sys_call(SYS_recvfrom, fd, &answer, sizeof(answer), 0, NULL, NULL);
    while (got == -EINTR && !withdraws);
    if (got < 0) return as_reset(got);
    return got == sizeof(answer) ? answer.result : -ECONNRESET;
}

/* The payload goes onto the pair before the request that tells of it. One system call for what is in one piece, and for all of it: it is one packet. */
static long send_payload(int fd, const struct raw_send *payload, size_t size)
{
    struct iovec iov[PIECES];
    struct msghdr msg = { .msg_iov = iov };

    for (; msg.msg_iovlen < payload->iov_count && size > 0; msg.msg_iovlen++) {
        if (msg.msg_iovlen == PIECES) return -EMSGSIZE;
        iov[msg.msg_iovlen] = payload->iov[msg.msg_iovlen];
        if (iov[msg.msg_iovlen].iov_len > size) iov[msg.msg_iovlen].iov_len = size;
        size -= iov[msg.msg_iovlen].iov_len;
    }
    return sys_call(SYS_sendmsg, fd, &msg, MSG_NOSIGNAL);
}

int service_call(int fd, const struct service_request *request, const struct raw_send *payload)
{
    int pair[2];
    long error = sys_call(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);

    if (error) return (int)error;
    if (request->size) error = send_payload(pair[0], payload, request->size);
    if (error >= 0) error = send_request(fd, request, pair[1]);
    sys_call(SYS_close, pair[1]);
    if (!error) error = receive_answer(pair[0], request->flags & SERVICE_WAIT);
    if (error == -EINTR)
        sys_call(SYS_shutdown, pair[0], SHUT_RDWR); /* a child may have been forked meanwhile */
    sys_call(SYS_close, pair[0]);
    return (int)error;
}

/* ---- receiving ---- */

/* Copies a piece of a message to where the program wants it. */
static int scatter(void *context, uint32_t at, const void *bytes, uint32_t size)
{
    const struct raw_receive *message = context;
    const uint8_t *from = bytes;
    size_t skip = at;

    for (size_t i = 0; i < message->iov_count && size > 0; i++) {
        size_t room = message->iov[i].iov_len, part;
        if (skip >= room) {
            skip -= room;
            continue;
        }
        part = room - skip < size ? room - skip : size;
        if (usermem_write((char *)message->iov[i].iov_base + skip, from, part)) return -EFAULT;
        from += part;
        size -= (uint32_t)part;
        skip = 0;
    }
    return 0;
}

static size_t room_of(const struct raw_receive *message)
{
    size_t room = 0;

    for (size_t i = 0; i < message->iov_count; i++)
        room += message->iov[i].iov_len;
    return room;
}

void service_catch_up(const struct bus *bus)
{
    uint32_t inbox = load_acquire(&bus->data->inbox) - 1;
    uint64_t head, start;

    if (inbox >= SOCKETS_MAX) return;
    head = ring_head(bus, inbox);
    if (load_acquire(&bus->data->slot[inbox].queue_head) >= head) return;
    start = clock_mono_ns();
    do
        sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    while (load_acquire(&bus->data->slot[inbox].queue_head) < head && clock_mono_ns() - start < CATCH_UP_NS);
}

/* In Linux, frames that were sent before us are in the queue by now, or were dropped because it was full. That matters when it may be nearly full: then who takes a
 * message must not make room for one of them. */
static void wait_before_making_room(const struct bus *bus, const struct bus_slot *slot)
{
    uint64_t waiting = load_relaxed(&slot->queue_head) - load_relaxed(&slot->queue_tail);

    if (waiting > AMPLE || (waiting && load_relaxed(&slot->rx_limit))) service_catch_up(bus);
}

/* One message: 1, or -errno. */
static int take(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message, int flags,
                struct mqueue_message *out)
{
    struct bus_slot *slot = &bus->data->slot[number];
    const void *window = process_window(number);
    struct raw_waiting waiting = { 0 };
    bool caught_up = false;
    int result;

    if (!window) return -ENOMEM;
    for (;;) {
        wait_before_making_room(bus, slot);
        result = raw_take_error(slot);
        if (!result) result = mqueue_take(bus, number, window, flags & MSG_PEEK, out, scatter, message);
        if (result) break;
        result = raw_wait(bus, number, fd, flags, &waiting);
        if (result == -EAGAIN && !caught_up) {
            service_catch_up(bus);
            caught_up = true;
        } else if (result) {
            return result;
        }
    }
    if (!(flags & MSG_PEEK)) raw_taken(bus, number, fd);
    return result;
}

ssize_t service_receive(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message,
                        int flags, uint32_t *ifindex, uint32_t *size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct message_control control = { message, 0 };
    struct mqueue_message taken = { 0 };
    size_t room = room_of(message);
    int error = take(bus, number, fd, message, flags, &taken);

    if (error < 0) return error;
    if (taken.time_ns) raw_remember_time(slot, taken.time_ns);
    message_put_times(&control, slot, taken.time_ns, 0);
    message->control_size = control.used;
    *ifindex = taken.ifindex;
    *size = taken.size;
    if (taken.size > room) message->flags |= MSG_TRUNC;
    return (ssize_t)(taken.size < room ? taken.size : room);
}
