/* supervisor/data.c - sending, and receiving more than bytes, on CAN sockets.
 *
 * No call waits in here: what would block is held (held.h), and asked again. */
#include "supervisor/layout.h"
#include "supervisor/errors.h"
#include "supervisor/pump.h"
#include "supervisor/remote.h"
#include "sockets/bcm_head.h"
#include "sockets/packet.h"
#include "sockets/raw.h"
#include "sockets/txstamp.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define CONTROL_MOST 20480u /* net.core.optmem_max */
#define PIECES       1024u  /* UIO_MAXIOV */
#define PAGE         4096u
#define SECOND_NS    1000000000u

/* Behind the first there is nothing, as behind a program's own memory that ends; before it there is room for a longer head. */
static uint8_t *bytes;
static uint8_t out[CALL_BYTES];
static _Alignas(8) uint8_t control[2 * CONTROL_MOST];
static struct iovec pieces[PIECES];
static struct sockaddr_storage name;
static uint32_t name_size;

static int need_bytes(void)
{
    uint8_t *area;

    if (bytes) return 0;
    area = mmap(NULL, PAGE + CALL_BYTES + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) return -ENOMEM;
    mprotect(area + PAGE + CALL_BYTES, PAGE, PROT_NONE);
    bytes = area + PAGE;
    return 0;
}

/* ---- sending ---- */

/* Copies what is to be sent: returns where it is. If a part is not there, there is nothing behind the rest here either. */
static void *bring(const struct call *call, const struct iovec *from, size_t count, size_t size)
{
    size_t got;

    if (size > CALL_BYTES) size = CALL_BYTES;
    got = remote_gather(call_tid(call), bytes, from, count, size);
    if (got == size) return bytes;
    return memmove(bytes + CALL_BYTES - got, bytes, got);
}

/* The funnel would wait for the end of the transfer: that is a thread's business. Memory that ends early is not there for the funnel, which says so at once. */
static bool is_for_a_job(const struct sock *sock, const struct raw_send *message)
{
    const struct iovec *iov = message->iov;

    return !sock->is_raw && !message->name && !message->control && iov->iov_base == bytes &&
           iov->iov_len <= CALL_BYTES && family_send_waits(sock_bus, sock->slot);
}

static long start_job(struct call *call, struct sock *sock, const struct raw_send *message, int flags)
{
    int fd;

    if (!job_is_allowed()) return CALL_HOLD;
    fd = call_borrow(call, sock);
    if (fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK) flags |= MSG_DONTWAIT;
    call_give_back(sock, fd);
    call->job = job_start(sock, message, flags);
    return call->job ? CALL_HOLD : -ENOBUFS;
}

static ssize_t ask_to_send(struct sock *sock, const struct raw_send *message, int flags)
{
    return message->name || message->control
               ? family_send(sock_bus, sock->slot, sock->ring.fd, message, flags | MSG_DONTWAIT)
               : family_write(sock_bus, sock->slot, sock->ring.fd, message->iov->iov_base,
                              message->iov->iov_len, flags | MSG_DONTWAIT);
}

/* The head of its message is shorter than ours. */
static ssize_t send_narrow_bcm(struct call *call, struct sock *sock, const struct raw_send *message,
                               int flags)
{
    size_t excess = layout_bcm_excess(call, sock);
    struct iovec iov = *message->iov;
    struct raw_send wide = *message;
    uint8_t *at = iov.iov_base;
    ssize_t result;

    if (iov.iov_len < BCM_HEAD_WIRE - excess) return ask_to_send(sock, message, flags);
    iov.iov_len += excess;
    if (at >= bytes && bytes + CALL_BYTES - at >= (ssize_t)(BCM_HEAD_WIRE - excess)) {
        layout_bcm_in(at); /* else it is not all there, which the funnel sees */
        iov.iov_base = at - excess;
    }
    wide.iov = &iov;
    result = ask_to_send(sock, &wide, flags);
    return result < 0 ? result : result - (ssize_t)excess;
}

/* Hands it to the funnel; the program's own iov was gathered into `bytes`. */
static long send_it(struct call *call, struct sock *sock, const struct raw_send *message, int flags)
{
    ssize_t result;
    int fd;

    if (is_for_a_job(sock, message)) return start_job(call, sock, message, flags);
    result = layout_bcm_excess(call, sock) ? send_narrow_bcm(call, sock, message, flags)
                                           : ask_to_send(sock, message, flags);
    if (result != -EAGAIN) return result;
    fd = call_borrow(call, sock);
    result = call_wait(call, fd, flags, SO_SNDTIMEO);
    call_give_back(sock, fd);
    return result;
}

static long send_buffer(struct call *call, struct sock *sock, uint64_t from, size_t size, int flags,
                        uint64_t to, uint32_t to_size)
{
    struct iovec iov = { (void *)(uintptr_t)from, size };
    struct raw_send message = { .iov = &iov, .iov_count = 1, .name_size = to_size };

    if (need_bytes()) return -ENOMEM;
    iov.iov_base = bring(call, &iov, 1, size);
    if (to) message.name = call_copy(call, &name, to, to_size < sizeof(name) ? to_size : sizeof(name));
    return send_it(call, sock, &message, flags);
}

long data_write(struct call *call)
{
    struct sock *sock = call_sock(call);
    return sock ? send_buffer(call, sock, call_arg(call, 1), call_arg(call, 2), 0, 0, 0) : CALL_CONTINUE;
}

long data_sendto(struct call *call)
{
    struct sock *sock = call_sock(call);
    return sock ? send_buffer(call, sock, call_arg(call, 1), call_arg(call, 2), (int)call_arg(call, 3),
                              call_arg(call, 4), (uint32_t)call_arg(call, 5))
                : packets_send(call, call_arg(call, 1), call_arg(call, 2), call_arg(call, 4),
                               (uint32_t)call_arg(call, 5));
}

/* Copies an array of buffers' addresses. Returns the sum of their sizes, or -errno. */
static ssize_t copy_pieces(const struct call *call, uint64_t from, size_t count)
{
    size_t total = 0;

    if (count > PIECES) return -EMSGSIZE;
    if (!layout_read_pieces(call, pieces, from, count)) return -EFAULT;
    for (size_t i = 0; i < count; i++) {
        if ((ssize_t)pieces[i].iov_len < 0) return -EINVAL;
        if (pieces[i].iov_len > INT_MAX - total) pieces[i].iov_len = INT_MAX - total;
        total += pieces[i].iov_len;
    }
    return (ssize_t)total;
}

static long send_message(struct call *call, struct sock *sock, const struct msghdr *msg, int flags)
{
    ssize_t total = copy_pieces(call, (uint64_t)(uintptr_t)msg->msg_iov, msg->msg_iovlen);
    struct iovec iov = { NULL, (size_t)total };
    struct raw_send message = { .iov = &iov, .iov_count = 1, .control_size = msg->msg_controllen };
    uint32_t size = msg->msg_namelen;

    if (msg->msg_name && (int)size < 0) return -EINVAL;
    if (total < 0 || need_bytes()) return total < 0 ? total : -ENOMEM;
    if (size > sizeof(name)) size = sizeof(name);
    iov.iov_base = bring(call, pieces, msg->msg_iovlen, (size_t)total);
    message.name_size = size;
    if (size && msg->msg_name) {
        if (!remote_read(call_tid(call), &name, (uint64_t)(uintptr_t)msg->msg_name, size)) return -EFAULT;
        message.name = &name;
    }
    if (message.control_size)
        message.control =
            call_copy(call, control, (uint64_t)(uintptr_t)msg->msg_control,
                      message.control_size < CONTROL_MOST ? message.control_size : CONTROL_MOST);
    if (message.control == control) {
        ssize_t control_size = layout_control_in(call, control, message.control_size, sizeof(control));
        if (control_size < 0) return control_size;
        message.control_size = (size_t)control_size;
    }
    return send_it(call, sock, &message, flags);
}

long data_sendmsg(struct call *call)
{
    struct sock *sock = call_sock(call);
    struct msghdr msg;

    if (!sock) return packets_sendmsg(call);
    if (!layout_read_message(call, &msg, call_arg(call, 1))) return -EFAULT;
    return send_message(call, sock, &msg, (int)call_arg(call, 2));
}

long data_writev(struct call *call)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)call_arg(call, 1),
                          .msg_iovlen = call_arg(call, 2) };
    struct sock *sock = call_sock(call);
    ssize_t total;

    if (!sock) return CALL_CONTINUE;
    if (msg.msg_iovlen > PIECES) return -EINVAL;
    total = copy_pieces(call, call_arg(call, 1), msg.msg_iovlen);
    return total <= 0 ? total : send_message(call, sock, &msg, 0);
}

/* With an offset it cannot be done to a socket, which the kernel says; flags that sockets do not know are its business, too. */
long data_pwritev2(struct call *call)
{
    return call_arg(call, 3) == UINT64_MAX && !call_arg(call, 5) ? data_writev(call) : CALL_CONTINUE;
}

long data_sendmmsg(struct call *call)
{
    uint32_t count = (uint32_t)call_arg(call, 2);
    struct sock *sock = call_sock(call);
    long result = 0;

    if (!sock) return CALL_CONTINUE;
    for (count = count < PIECES ? count : PIECES; call->done < count; call->done++) {
        uint64_t length_at, at = layout_message_at(call, call_arg(call, 1), call->done, &length_at);
        struct msghdr each;
        uint32_t length;
        if (!layout_read_message(call, &each, at)) result = -EFAULT;
        if (result >= 0) result = send_message(call, sock, &each, (int)call_arg(call, 3));
        if (result < 0) break;
        length = (uint32_t)result;
        remote_write(call_tid(call), length_at, &length, sizeof(length));
    }
    if (result == CALL_HOLD) return result;
    return call->done ? (long)call->done : result;
}

/* ---- receiving ---- */

static size_t bounded(size_t size, size_t most) { return size < most ? size : most; }

/* recv(2) on the program's end, where any error is one that errors.c has made: the one that it stands for, or none, if it stands for the error queue. */
static ssize_t take_some(struct sock *sock, int fd, int flags)
{
    ssize_t size = recv(fd, bytes, CALL_BYTES, flags);
    uint32_t error;

    if (size >= 0 || errno != ECONNRESET) return size < 0 ? -errno : size;
    error = errors_told(sock);
    if (error) return -(ssize_t)error;
    size = recv(fd, bytes, CALL_BYTES, flags);
    return size < 0 ? -errno : size;
}

/* A packet from the program's end: its size, or -errno. */
static ssize_t take_packet(struct call *call, struct sock *sock, int flags)
{
    int fd = call_borrow(call, sock), how = MSG_DONTWAIT | (flags & MSG_PEEK);
    ssize_t size = fd < 0 ? -EBADF : take_some(sock, fd, how);

    if (size == -EAGAIN) {
        pump_run(sock);
        size = take_some(sock, fd, how);
    }
    if (size == -EAGAIN) size = call_wait(call, fd, flags, SO_RCVTIMEO);
    call_give_back(sock, fd);
    return size;
}

/* What the funnel says of it, now or then. */
static ssize_t tell(struct sock *sock, const struct sock_note *note, size_t size, int flags,
                    struct raw_receive *message)
{
    static struct ring_item item;
    size_t room = message->iov->iov_len, least = size < room ? size : room;

    if (sock->has_items) {
        memset(&item, 0, SOCK_ABOUT);
        if (note) memcpy(&item, note->item, SOCK_ABOUT);
        item.size = (uint32_t)(size < sizeof(item.frame) ? size : sizeof(item.frame));
        memcpy(item.frame, bytes, item.size);
        return sock->is_raw ? raw_hand_out(sock_bus, sock->slot, &item, message)
                            : packet_hand_out(sock_bus, sock->slot, &item, message, flags);
    }
    if (!note) return -EAGAIN;
    memcpy(message->iov->iov_base, bytes, least);
    message->flags = note->told.flags;
    if (size > room && load_relaxed(&sock_bus->data->slot[sock->slot].protocol) == CAN_ISOTP)
        message->flags |= MSG_TRUNC;
    if (message->control_size > note->told.control_size) message->control_size = note->told.control_size;
    memcpy(message->control, note->told.control, message->control_size);
    if (message->name) memcpy(message->name, &note->told.name, sizeof(note->told.name));
    message->name_size = note->told.name_size;
    if (flags & MSG_TRUNC && message->flags & MSG_TRUNC) return (ssize_t)size;
    return (ssize_t)least;
}

/* There has to be room for the whole of our head to make one of the program's from. */
static ssize_t tell_narrow_bcm(const struct call *call, struct sock *sock, const struct sock_note *note,
                               size_t size, int flags, struct raw_receive *message)
{
    size_t excess = layout_bcm_excess(call, sock), room = message->iov->iov_len;
    size_t least = BCM_HEAD_WIRE, wanted = room + excess > least ? room + excess : least;
    struct iovec iov = { out, bounded(wanted, sizeof(out)) };
    struct raw_receive wide = *message;
    ssize_t result;

    wide.iov = &iov;
    result = tell(sock, note, size, flags, &wide);
    wide.iov = message->iov;
    *message = wide;
    return result < 0 ? result : layout_bcm_out(out, (size_t)result, room);
}

/* One message into our own buffers, as `message` has them. */
static ssize_t receive(struct call *call, struct sock *sock, int flags, struct raw_receive *message)
{
    const struct sock_note *note;
    ssize_t size;
    int error;

    if (flags & MSG_ERRQUEUE && sock->is_raw)
        return txstamp_receive(sock_bus, sock->slot, sock->ring.fd, message);
    if (need_bytes()) return -ENOMEM;
    error = call->asked_limit ? 0 : family_check_receive(sock_bus, sock->slot, flags);
    if (!error) error = raw_take_error(&sock_bus->data->slot[sock->slot]);
    if (error) return error;
    size = take_packet(call, sock, flags);
    if (size < 0) return size;
    note = sock_recall(sock, bytes, (size_t)size, flags & MSG_PEEK);
    return layout_bcm_excess(call, sock) ? tell_narrow_bcm(call, sock, note, (size_t)size, flags, message)
                                         : tell(sock, note, (size_t)size, flags, message);
}

static long receive_message(struct call *call, struct sock *sock, uint64_t at, int flags)
{
    struct iovec iov = { .iov_base = out };
    struct raw_receive message = { .iov = &iov, .iov_count = 1 };
    struct msghdr msg;
    size_t control_room;
    ssize_t total, size;
    pid_t tid = call_tid(call);

    if (!layout_read_message(call, &msg, at)) return -EFAULT;
    if ((int)msg.msg_namelen < 0) return -EINVAL;
    total = copy_pieces(call, (uint64_t)(uintptr_t)msg.msg_iov, msg.msg_iovlen);
    if (total < 0) return total;
    control_room = bounded(msg.msg_controllen, sizeof(control));
    iov.iov_len = bounded((size_t)total, sizeof(out));
    message.name = msg.msg_name ? &name : NULL;
    message.name_size = (socklen_t)bounded(msg.msg_namelen, sizeof(name));
    message.control = control;
    message.control_size = !msg.msg_control ? 0 : call->narrow ? sizeof(control) : control_room;
    size = receive(call, sock, flags, &message);
    if (size < 0) return size;
    message.control_size =
        layout_control_out(call, control, message.control_size, control_room, &message.flags);
    if (!remote_scatter(tid, pieces, msg.msg_iovlen, out, bounded((size_t)size, iov.iov_len))) return -EFAULT;
    if (msg.msg_name && !remote_write(tid, (uint64_t)(uintptr_t)msg.msg_name, &name,
                                      bounded(msg.msg_namelen, message.name_size)))
        return -EFAULT;
    if (message.control_size)
        remote_write(tid, (uint64_t)(uintptr_t)msg.msg_control, control, message.control_size);
    if (msg.msg_name) msg.msg_namelen = message.name_size;
    msg.msg_controllen = message.control_size;
    msg.msg_flags = message.flags | (flags & MSG_CMSG_CLOEXEC);
    return layout_write_message(call, at, &msg) ? size : -EFAULT;
}

long data_recvmsg(struct call *call)
{
    struct sock *sock = call_sock(call);
    return sock ? receive_message(call, sock, call_arg(call, 1), (int)call_arg(call, 2)) : CALL_CONTINUE;
}

/* Into `count` buffers of the program; the sender to `name`. */
static long receive_plain(struct call *call, const struct iovec *to, size_t count, size_t total, int flags)
{
    struct iovec iov = { out, bounded(total, sizeof(out)) };
    struct raw_receive message = { .iov = &iov, .iov_count = 1, .name = &name, .name_size = sizeof(name) };
    ssize_t size;

    message.control = control;
    size = receive(call, call->sock, flags, &message);
    if (size < 0) return size;
    name_size = message.name_size;
    return remote_scatter(call_tid(call), to, count, out, bounded((size_t)size, iov.iov_len)) ? size
                                                                                              : -EFAULT;
}

long data_read(struct call *call)
{
    struct iovec to = { (void *)(uintptr_t)call_arg(call, 1), call_arg(call, 2) };

    if (!call_sock(call)) return CALL_CONTINUE;
    return to.iov_len ? receive_plain(call, &to, 1, to.iov_len, 0) : 0;
}

long data_readv(struct call *call)
{
    size_t count = call_arg(call, 2);
    ssize_t total;

    if (!call_sock(call)) return CALL_CONTINUE;
    if (count > PIECES) return -EINVAL;
    total = copy_pieces(call, call_arg(call, 1), count);
    return total <= 0 ? total : receive_plain(call, pieces, count, (size_t)total, 0);
}

long data_recvfrom(struct call *call)
{
    struct iovec to = { (void *)(uintptr_t)call_arg(call, 1), call_arg(call, 2) };
    pid_t tid = call_tid(call);
    long size;
    int room;

    if (!call_sock(call)) return CALL_CONTINUE;
    size = receive_plain(call, &to, 1, to.iov_len, (int)call_arg(call, 3));
    if (size < 0 || !call_arg(call, 4)) return size;
    if (!remote_read(tid, &room, call_arg(call, 5), sizeof(room))) return -EFAULT;
    if (room < 0) return -EINVAL;
    return remote_write(tid, call_arg(call, 4), &name, bounded((size_t)room, name_size)) &&
                   remote_write(tid, call_arg(call, 5), &name_size, sizeof(name_size))
               ? size
               : -EFAULT;
}

/* The time-out of recvmmsg(2): read at first, looked at after each message, and what remains written back at last, as in the kernel. */
static int read_timeout(struct call *call)
{
    struct timespec limit;

    if (call->timeout_ns || !call_arg(call, 4)) return 0;
    call->start_ns = clock_mono_ns();
    if (!layout_read_time(call, &limit, call_arg(call, 4))) return -EFAULT;
    if (limit.tv_sec < 0 || limit.tv_nsec < 0 || limit.tv_nsec >= (long)SECOND_NS) return -EINVAL;
    call->timeout_ns = (uint64_t)limit.tv_sec * SECOND_NS + (uint64_t)limit.tv_nsec + 1;
    return 0;
}

static uint64_t time_left(const struct call *call)
{
    uint64_t passed = clock_mono_ns() - call->start_ns;
    return passed + 1 < call->timeout_ns ? call->timeout_ns - 1 - passed : 0;
}

static void write_timeout(struct call *call)
{
    uint64_t left = time_left(call);
    struct timespec limit = { (time_t)(left / SECOND_NS), (long)(left % SECOND_NS) };

    if (call->timeout_ns) layout_write_time(call, call_arg(call, 4), &limit);
}

long data_recvmmsg(struct call *call)
{
    uint32_t count = (uint32_t)call_arg(call, 2);
    int flags = (int)call_arg(call, 3);
    struct sock *sock = call_sock(call);
    long result = 0;

    if (!sock) return CALL_CONTINUE;
    result = read_timeout(call);
    while (!result && call->done < count) {
        uint64_t length_at, at = layout_message_at(call, call_arg(call, 1), call->done, &length_at);
        uint32_t length;
        bool waits = !(call->done && flags & MSG_WAITFORONE);
        result = receive_message(call, sock, at, (flags & ~MSG_WAITFORONE) | (waits ? 0 : MSG_DONTWAIT));
        if (result < 0) break;
        length = (uint32_t)result;
        result = 0;
        remote_write(call_tid(call), length_at, &length, sizeof(length));
        call->done++;
        if (call->timeout_ns && !time_left(call)) break;
    }
    if (result == CALL_HOLD) return result;
    if (call->done) write_timeout(call);
    if (call->done && result && result != -EAGAIN)
        raw_keep_error(sock_bus, sock->slot, sock->ring.fd, (int)-result); /* for the next call */
    return call->done ? (long)call->done : result;
}
