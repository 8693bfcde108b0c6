/* preload/io.c - read, write, send, receive and their relatives.
 *
 * Each call looks its descriptor up once. Foreign: the real call, unchanged. CAN: sockets/raw. Netlink: sockets/nlfd. All the
 * forms of one direction end in one function for CAN sockets and one for netlink sockets. Their other names are in io_names.c. */
#include "preload/deadline.h"
#include "preload/fds.h"
#include "preload/packets.h"
#include "preload/real.h"
#include "sockets/fdtab.h"
#include "sockets/nlfd.h"
#include "sockets/process.h"
#include "sockets/family.h"
#include "sockets/txstamp.h"
#include "sockets/usermem.h"
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

extern void pthread_testcancel(void) __attribute__((weak)); /* old libcs have it in another library */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* prefix: read write recv send preadv2 pwritev2 pthread_cancel */

#define IOV_FEW  8
#define IOV_MOST 1024 /* UIO_MAXIOV */

static inline const struct bus *bus(void) { return process_bus_attached(); }
static inline bool is_raw(uint32_t entry) { return fd_kind(entry) == FD_RAW; }

/* Somebody has called pthread_cancel(): until then, asking whether we are cancelled is not worth the call. */
static atomic_u32 cancelling;

EXPORT int pthread_cancel(pthread_t thread)
{
    store_seq(&cancelling, 1);
    return real.pthread_cancel(thread);
}

/* Calls that make no system call are cancellation points all the same. */
static inline void cancel_point(void)
{
    if (unlikely(load_relaxed(&cancelling)) && pthread_testcancel) pthread_testcancel();
}

/* The lengths in musl's struct msghdr and cmsghdr have 32 bits also where the kernel's, and glibc's, have 64. The rest is padding, which
 * musl's own calls clear in a copy. */
static inline bool is_padded(void) { return sizeof(size_t) == 8 && unlikely(!gnu_get_libc_version); }

static int read_msg(struct msghdr *msg, const struct msghdr *user)
{
    if (usermem_read(msg, user, sizeof(*msg))) return -EFAULT;
    if (is_padded()) {
        msg->msg_iovlen = (uint32_t)msg->msg_iovlen;
        msg->msg_controllen = (uint32_t)msg->msg_controllen;
    }
    return 0;
}

/* ---- receiving ---- */

static OFF_PATH ssize_t netlink_read(int fd, uint32_t entry, void *buf, size_t size, int flags, void *name,
                                     socklen_t *name_size)
{
    struct iovec iov = { buf, size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_name = name };
    ssize_t result;

    if (name && usermem_read(&msg.msg_namelen, name_size, sizeof(msg.msg_namelen))) return -EFAULT;
    result = fds_netlink_recvmsg(entry, fd, &msg, flags);
    if (result >= 0 && name && usermem_write(name_size, &msg.msg_namelen, sizeof(msg.msg_namelen)))
        return -EFAULT;
    return result;
}

static ssize_t raw_or_error(int fd, uint32_t entry, struct raw_receive *message, int flags)
{
    if ((flags & MSG_ERRQUEUE) && family_is_raw(bus(), fd_number(entry)))
        return txstamp_receive(bus(), fd_number(entry), fd, message);
    return family_receive(bus(), fd_number(entry), fd, message, flags);
}

static ssize_t our_read(int fd, uint32_t entry, void *buf, size_t size, int flags)
{
    struct iovec iov = { buf, size };
    struct raw_receive message = { .iov = &iov, .iov_count = 1 };

    cancel_point();
    if (!is_raw(entry)) return netlink_read(fd, entry, buf, size, flags, NULL, NULL);
    if (unlikely(flags & MSG_ERRQUEUE)) return raw_or_error(fd, entry, &message, flags);
    return family_read(bus(), fd_number(entry), fd, buf, size, flags);
}

static ssize_t our_recvfrom(int fd, uint32_t entry, void *buf, size_t size, int flags, void *name,
                            socklen_t *name_size)
{
    struct iovec iov = { buf, size };
    struct sockaddr_can address;
    struct raw_receive message = {
        .iov = &iov, .iov_count = 1, .name = &address, .name_size = sizeof(address)
    };
    int room;
    ssize_t result;

    if (!name) return our_read(fd, entry, buf, size, flags);
    if (!is_raw(entry)) return netlink_read(fd, entry, buf, size, flags, name, name_size);
    result = raw_or_error(fd, entry, &message, flags);
    if (result < 0) return result;
    if (usermem_read(&room, name_size, sizeof(room))) return -EFAULT;
    if (room < 0) return -EINVAL;
    if (usermem_write(name, &address,
                      (socklen_t)room < message.name_size ? (socklen_t)room : message.name_size) ||
        usermem_write(name_size, &message.name_size, sizeof(message.name_size)))
        return -EFAULT;
    return result;
}

/* Copies an iovec array that the program gave us. */
static int copy_iov(struct iovec *to, size_t room, const struct iovec *user, size_t count)
{
    if (count > room) return -EMSGSIZE;
    if (usermem_read(to, user, count * sizeof(*user))) return -EFAULT;
    for (size_t i = 0; i < count; i++)
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all of them were copied */
        if ((ssize_t)to[i].iov_len < 0) return -EINVAL;
    return 0;
}

static ssize_t receive_into(int fd, uint32_t entry, struct msghdr *user, const struct msghdr *msg,
                            const struct iovec *iov, int flags)
{
    struct raw_receive message = {
        .iov = iov,
        .iov_count = msg->msg_iovlen,
        .name = msg->msg_name,
        .name_size = msg->msg_namelen,
        .control = msg->msg_control,
        .control_size = msg->msg_controllen,
    };
    ssize_t result = raw_or_error(fd, entry, &message, flags);

    if (result < 0) return result;
    if (msg->msg_name) user->msg_namelen = message.name_size;
    user->msg_controllen = message.control_size;
    user->msg_flags = message.flags | (flags & MSG_CMSG_CLOEXEC);
    return result;
}

static __attribute__((noinline)) ssize_t receive_many(int fd, uint32_t entry, struct msghdr *user,
                                                      const struct msghdr *msg, int flags)
{
    struct iovec iov[IOV_MOST];
    int error = copy_iov(iov, IOV_MOST, msg->msg_iov, msg->msg_iovlen);

    return error ? error : receive_into(fd, entry, user, msg, iov, flags);
}

static ssize_t netlink_receive(int fd, uint32_t entry, struct msghdr *user, struct msghdr *msg, int flags)
{
    ssize_t result = fds_netlink_recvmsg(entry, fd, msg, flags);

    if (result < 0) return result;
    user->msg_namelen = msg->msg_namelen;
    user->msg_controllen = msg->msg_controllen;
    user->msg_flags = msg->msg_flags;
    return result;
}

static ssize_t our_recvmsg(int fd, uint32_t entry, struct msghdr *user, int flags)
{
    struct iovec iov[IOV_FEW];
    struct msghdr msg;
    int error;

    cancel_point();
    if (read_msg(&msg, user) || !usermem_ok(user, sizeof(msg), USERMEM_WRITE)) return -EFAULT;
    if (!is_raw(entry)) return netlink_receive(fd, entry, user, &msg, flags);
    if ((int)msg.msg_namelen < 0) return -EINVAL;
    if (msg.msg_iovlen > IOV_FEW) return receive_many(fd, entry, user, &msg, flags);
    error = copy_iov(iov, IOV_FEW, msg.msg_iov, msg.msg_iovlen);
    return error ? error : receive_into(fd, entry, user, &msg, iov, flags);
}

/* Is there any byte in readv()'s and writev()'s array? 0 or 1, or -errno. */
static int has_bytes(const struct iovec *user, int count)
{
    size_t size = 0;

    if (count < 0 || count > IOV_MOST) return -EINVAL;
    if (!usermem_ok(user, (size_t)count * sizeof(*user), USERMEM_READ)) return -EFAULT;
    for (int i = 0; i < count; i++)
        size |= user[i].iov_len;
    return size != 0;
}

/* preadv2() and pwritev2() on a socket: can it be done so? */
static int check_flags(const struct iovec *user, int count, int flags)
{
    bool refused = (flags & RWF_NOWAIT) || (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_APPEND));

    return refused && has_bytes(user, count) > 0 ? -EOPNOTSUPP : 0;
}

static ssize_t our_readv(int fd, uint32_t entry, const struct iovec *user, int count)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)user, .msg_iovlen = (size_t)count };
    int bytes = has_bytes(user, count);

    return bytes > 0 ? our_recvmsg(fd, entry, &msg, 0) : bytes;
}

HOT_PATH EXPORT ssize_t read(int fd, void *buf, size_t size)
{
    uint32_t entry = fdtab_get(fd);

    if (likely(!entry)) return real.read(fd, buf, size);
    if (likely(is_raw(entry) && size)) {
        cancel_point();
        return edge(family_read(bus(), fd_number(entry), fd, buf, size, 0));
    }
    return is_raw(entry) ? 0 : edge(netlink_read(fd, entry, buf, size, 0, NULL, NULL));
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int count)
{
    uint32_t entry = fdtab_get(fd);
    return likely(!entry) ? real.readv(fd, iov, count) : edge(our_readv(fd, entry, iov, count));
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    uint32_t entry = fdtab_get(fd);
    int error;

    if (likely(!entry || offset != -1)) return real.preadv2(fd, iov, count, offset, flags);
    error = check_flags(iov, count, flags);
    return edge(error ? error : our_readv(fd, entry, iov, count));
}

EXPORT ssize_t recv(int fd, void *buf, size_t size, int flags)
{
    uint32_t entry = fdtab_get(fd);
    return likely(!entry) ? real.recv(fd, buf, size, flags) : edge(our_read(fd, entry, buf, size, flags));
}

EXPORT ssize_t recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *name,
                        socklen_t *name_size)
{
    uint32_t entry = fdtab_get(fd);

    if (likely(!entry)) return real.recvfrom(fd, buf, size, flags, name, name_size);
    return edge(our_recvfrom(fd, entry, buf, size, flags, name, name_size));
}

/* Descriptors that arrive over another socket may be CAN sockets. */
static void adopt_passed(struct msghdr *msg)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head; head = CMSG_NXTHDR(msg, head)) {
        size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(fd));
            fds_adopt(fd);
        }
    }
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    uint32_t entry = fdtab_get(fd);
    ssize_t result;

    if (unlikely(entry)) return edge(our_recvmsg(fd, entry, msg, flags));
    result = real.recvmsg(fd, msg, flags);
    if (result >= 0 && msg->msg_control && msg->msg_controllen >= sizeof(struct cmsghdr)) adopt_passed(msg);
    return result;
}

/* A pending error comes before the first message; one that ends a call which has some is pending for the next. The time-out is looked
 * at after each message, as in the kernel. *left: what remains of it. */
static ssize_t receive_each(int fd, uint32_t entry, struct mmsghdr *msgs, unsigned count, int flags,
                            struct timespec *left)
{
    struct timespec deadline = left ? deadline_of(left) : (struct timespec){ 0, 0 };
    unsigned done = 0;
    ssize_t result = 0;

    if (is_raw(entry) && !(flags & MSG_ERRQUEUE))
        result = raw_take_error(&bus()->data->slot[fd_number(entry)]);
    if (!count && (flags & MSG_ERRQUEUE)) result = -EBADF; /* so says Linux */
    while (!result && done < count) {
        if (!usermem_ok(&msgs[done], sizeof(*msgs), USERMEM_WRITE)) {
            result = -EFAULT;
            break;
        }
        result = our_recvmsg(fd, entry, &msgs[done].msg_hdr, flags & ~MSG_WAITFORONE);
        if (result < 0) break;
        msgs[done++].msg_len = (unsigned)result;
        result = 0;
        if (flags & MSG_WAITFORONE) flags |= MSG_DONTWAIT;
        if (!left) continue;
        *left = deadline_left(&deadline);
        if (!left->tv_sec && !left->tv_nsec) break;
    }
    if (done && result && result != -EAGAIN && result != -EINTR && is_raw(entry))
        raw_keep_error(bus(), fd_number(entry), fd, (int)-result);
    return done ? (ssize_t)done : result;
}

static ssize_t our_recvmmsg(int fd, uint32_t entry, struct mmsghdr *msgs, unsigned count, int flags,
                            struct timespec *timeout)
{
    struct timespec left;
    ssize_t result;

    if (!timeout) return receive_each(fd, entry, msgs, count, flags, NULL);
    if (usermem_read(&left, timeout, sizeof(left))) return -EFAULT;
    if (left.tv_sec < 0 || left.tv_nsec < 0 || left.tv_nsec > 999999999) return -EINVAL;
    result = receive_each(fd, entry, msgs, count, flags, &left);
    return result > 0 && usermem_write(timeout, &left, sizeof(left)) ? -EFAULT : result;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout)
{
    uint32_t entry = fdtab_get(fd);
    int result;

    if (unlikely(entry)) return (int)edge(our_recvmmsg(fd, entry, msgs, count, flags, timeout));
    result = real.recvmmsg(fd, msgs, count, flags, timeout);
    for (int i = 0; i < result; i++)
        if (msgs[i].msg_hdr.msg_control && msgs[i].msg_hdr.msg_controllen >= sizeof(struct cmsghdr))
            adopt_passed(&msgs[i].msg_hdr);
    return result;
}

/* ---- sending ---- */

static OFF_PATH ssize_t netlink_write(int fd, uint32_t entry, const void *buf, size_t size, int flags,
                                      const void *name, socklen_t name_size)
{
    struct iovec iov = { (void *)buf, size };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_name = (void *)name, .msg_namelen = name_size
    };

    return fds_netlink_sendmsg(entry, fd, &msg, flags);
}

static ssize_t our_sendto(int fd, uint32_t entry, const void *buf, size_t size, int flags, const void *name,
                          socklen_t name_size)
{
    struct iovec iov = { (void *)buf, size };
    struct raw_send message = { .iov = &iov, .iov_count = 1, .name = name, .name_size = name_size };

    cancel_point();
    if (!is_raw(entry)) return netlink_write(fd, entry, buf, size, flags, name, name_size);
    return name ? family_send(bus(), fd_number(entry), fd, &message, flags)
                : family_write(bus(), fd_number(entry), fd, buf, size, flags);
}

/* Unlike sendto(), it takes an address without length for none. */
static ssize_t send_from(int fd, uint32_t entry, const struct msghdr *msg, const struct iovec *iov, int flags)
{
    struct raw_send message = {
        .iov = iov,
        .iov_count = msg->msg_iovlen,
        .name = msg->msg_namelen ? msg->msg_name : NULL,
        .name_size = msg->msg_namelen,
        .control = msg->msg_control,
        .control_size = msg->msg_controllen,
        .padded = is_padded(),
    };
    return family_send(bus(), fd_number(entry), fd, &message, flags);
}

static __attribute__((noinline)) ssize_t send_many(int fd, uint32_t entry, const struct msghdr *msg,
                                                   int flags)
{
    struct iovec iov[IOV_MOST];
    int error = copy_iov(iov, IOV_MOST, msg->msg_iov, msg->msg_iovlen);

    return error ? error : send_from(fd, entry, msg, iov, flags);
}

static ssize_t our_sendmsg(int fd, uint32_t entry, const struct msghdr *user, int flags)
{
    struct iovec iov[IOV_FEW];
    struct msghdr msg;
    int error;

    cancel_point();
    if (read_msg(&msg, user)) return -EFAULT;
    if (!is_raw(entry)) return fds_netlink_sendmsg(entry, fd, &msg, flags);
    if (msg.msg_name && (int)msg.msg_namelen < 0) return -EINVAL;
    if (msg.msg_namelen > sizeof(struct sockaddr_storage)) msg.msg_namelen = sizeof(struct sockaddr_storage);
    if (msg.msg_name && !usermem_ok(msg.msg_name, msg.msg_namelen, USERMEM_READ)) return -EFAULT;
    if (msg.msg_iovlen > IOV_FEW) return send_many(fd, entry, &msg, flags);
    error = copy_iov(iov, IOV_FEW, msg.msg_iov, msg.msg_iovlen);
    return error ? error : send_from(fd, entry, &msg, iov, flags);
}

static ssize_t our_writev(int fd, uint32_t entry, const struct iovec *user, int count)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)user, .msg_iovlen = (size_t)count };
    int bytes = has_bytes(user, count);

    return bytes > 0 || (bytes == 0 && !is_raw(entry)) ? our_sendmsg(fd, entry, &msg, 0) : bytes;
}

HOT_PATH EXPORT ssize_t write(int fd, const void *buf, size_t size)
{
    uint32_t entry = fdtab_get(fd);

    if (likely(!entry)) return real.write(fd, buf, size);
    if (likely(is_raw(entry))) {
        cancel_point();
        return edge(family_write(bus(), fd_number(entry), fd, buf, size, 0));
    }
    return edge(netlink_write(fd, entry, buf, size, 0, NULL, 0));
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int count)
{
    uint32_t entry = fdtab_get(fd);
    return likely(!entry) ? real.writev(fd, iov, count) : edge(our_writev(fd, entry, iov, count));
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    uint32_t entry = fdtab_get(fd);
    int error;

    if (likely(!entry || offset != -1)) return real.pwritev2(fd, iov, count, offset, flags);
    error = check_flags(iov, count, flags);
    return edge(error ? error : our_writev(fd, entry, iov, count));
}

EXPORT ssize_t send(int fd, const void *buf, size_t size, int flags)
{
    uint32_t entry = fdtab_get(fd);
    return likely(!entry) ? real.send(fd, buf, size, flags)
                          : edge(our_sendto(fd, entry, buf, size, flags, NULL, 0));
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *name,
                      socklen_t name_size)
{
    uint32_t entry = fdtab_get(fd);

    if (likely(!entry)) return packets_sendto(fd, buf, size, flags, name, name_size);
    return edge(our_sendto(fd, entry, buf, size, flags, name, name_size));
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    uint32_t entry = fdtab_get(fd);
    return likely(!entry) ? packets_sendmsg(fd, msg, flags) : edge(our_sendmsg(fd, entry, msg, flags));
}

EXPORT int sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    uint32_t entry = fdtab_get(fd);
    unsigned done = 0;
    ssize_t result = 0;

    if (likely(!entry)) return real.sendmmsg(fd, msgs, count, flags);
    if (count > IOV_MOST) count = IOV_MOST;
    while (done < count) {
        result = usermem_ok(&msgs[done], sizeof(*msgs), USERMEM_WRITE)
                     ? our_sendmsg(fd, entry, &msgs[done].msg_hdr, flags)
                     : -EFAULT;
        if (result < 0) break;
        msgs[done++].msg_len = (unsigned)result;
    }
    return (int)edge(done ? (ssize_t)done : result);
}
