/* sockets/raw.h - CAN_RAW sockets: the socket calls, once, on plain arguments (spec A, B, C). All return -errno.
 *
 * A socket is named by its slot; `fd` is the descriptor it was called through, used only for waiting, for wake-ups and for what
 * the kernel keeps (O_NONBLOCK, time-outs). Pointers marked "user" belong to the program and may be bad: -EFAULT. */
#ifndef SOCKETS_RAW_H
#define SOCKETS_RAW_H

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include "base/sys.h"
#include "bus/bus.h"

/* socket(PF_CAN, SOCK_RAW | flags, CAN_RAW): a descriptor, or -EMFILE, -ENFILE ... */
int raw_socket(const struct bus *bus, int flags);

/* The last reference of this process to a socket may be gone: ends the slot if nobody else holds it. */
void raw_closed(const struct bus *bus, uint32_t slot);

/* The slot that an inherited or received descriptor belongs to, or -ENOTSOCK when it is none of this instance. */
int raw_identify(const struct bus *bus, int fd);
/* The instance directory of any instance's socket: writes it to dir[0..size), returns 0 or -ENOTSOCK. */
int raw_identify_dir(int fd, char *dir, size_t size);

int raw_bind(const struct bus *bus, uint32_t slot, int fd, const void *user_address, socklen_t size);
int raw_getsockname(const struct bus *bus, uint32_t slot, void *user_address, socklen_t *user_size);

/* One frame in user memory. */
struct raw_send {
    const struct iovec *iov; /* private copy; bases are user */
    size_t iov_count;
    const void *name; /* user; NULL: none */
    socklen_t name_size;
    const void *control; /* user */
    size_t control_size;
    bool padded; /* cmsg_len in there has 32 bits, and padding that may hold anything: musl's */
};
ssize_t raw_send(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message, int flags);
/* write(2) and send(2): one buffer. */
ssize_t raw_write(const struct bus *bus, uint32_t slot, int fd, const void *user_frame, size_t size,
                  int flags);

struct raw_receive {
    const struct iovec *iov; /* private copy; bases are user */
    size_t iov_count;
    void *name;          /* user; NULL: not wanted */
    socklen_t name_size; /* in: room; out: 8 */
    void *control;       /* user */
    size_t control_size; /* in: room; out: used */
    int flags;           /* out: msg_flags */
};
/* Takes (or peeks at) one frame; waits unless MSG_DONTWAIT or O_NONBLOCK. Returns bytes copied. */
ssize_t raw_receive(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message, int flags);
/* The same in two steps, for a door that hands frames on. The first never waits, and leaves a pending error where it is: 0, or -EAGAIN, after which the next
 * event makes `fd` readable anew. The second may come later: what it tells is as the socket's options are then. */
struct ring_item;
int raw_take_frame(const struct bus *bus, uint32_t slot, int fd, struct ring_item *out);
ssize_t raw_hand_out(const struct bus *bus, uint32_t slot, const struct ring_item *item,
                     struct raw_receive *message);
/* read(2) and recv(2). */
ssize_t raw_read(const struct bus *bus, uint32_t slot, int fd, void *user_buffer, size_t size, int flags);

int raw_setsockopt(const struct bus *bus, uint32_t slot, int fd, int level, int name, const void *user_value,
                   socklen_t size);
int raw_getsockopt(const struct bus *bus, uint32_t slot, int fd, int level, int name, void *user_value,
                   socklen_t *user_size);

/* Does the real kernel know an interface with this index? `fd`: any socket. */
bool raw_kernel_has_ifindex(int fd, uint32_t ifindex);

/* Makes an errno the socket's pending error. */
void raw_keep_error(const struct bus *bus, uint32_t slot, int fd, int error);

/* O_ASYNC of the socket was switched. */
void raw_set_async(const struct bus *bus, uint32_t slot, int fd, bool on);

/* ioctl(2) on a CAN socket. -ENOIOCTLCMD when the real descriptor must answer. */
#ifndef ENOIOCTLCMD
#define ENOIOCTLCMD 515
#endif
int raw_ioctl(const struct bus *bus, uint32_t slot, unsigned long request, void *user_argument);

/* ---- what sockets of the daemon's protocols have in common with these (service.c) ---- */

/* An AF_UNIX socket of this type (SOCK_CLOEXEC ... included) with a slot and its name, or -errno. */
int raw_open(const struct bus *bus, int type, uint32_t *slot, uint32_t *gen);

/* Nothing is there to read. Waits until something may be: 0, or why not: -EAGAIN, -EINTR. `waiting` belongs to the calls for one
 * receive; zero at first. */
struct raw_waiting {
    uint64_t since_ns; /* when it first went to sleep */
    unsigned round;
    bool refuses; /* to wait at all */
};
int raw_wait(const struct bus *bus, uint32_t slot, int fd, int flags, struct raw_waiting *waiting);
/* Takes (or, with MSG_PEEK, looks at) the oldest record of the ring, waiting unless MSG_DONTWAIT or O_NONBLOCK: 0, the pending error, -EAGAIN, -EINTR. */
struct ring_item;
int raw_take(const struct bus *bus, uint32_t slot, int fd, int flags, struct ring_item *item);
/* Something was taken. */
void raw_taken(const struct bus *bus, uint32_t slot, int fd);
/* What SIOCGSTAMP will tell of a frame of this time. After its data was copied: who could not have it does not learn its time. */
void raw_remember_time(struct bus_slot *slot, uint64_t time_ns);

/* Linux copies all control messages before the socket sees any of the call: 0, -ENOBUFS, -EFAULT. */
int raw_check_control(const struct raw_send *message);

/* O_NONBLOCK, or MSG_DONTWAIT in flags. */
static inline bool raw_is_nonblocking(int fd, int flags)
{
    return (flags & MSG_DONTWAIT) || (sys_call(SYS_fcntl, fd, F_GETFL, 0) & O_NONBLOCK);
}

/* Takes the pending error: 0 or -errno. For send and receive. ECONNRESET is wake_hung_up()'s, and stays. */
static inline int raw_take_error(struct bus_slot *slot)
{
    uint32_t error = load_relaxed(&slot->error);

    if (likely(!error)) return 0;
    return error == ECONNRESET ? -ECONNRESET : -(int)(atomic_exchange(&slot->error, 0) & 0xfff);
}

#endif
