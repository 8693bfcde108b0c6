/* supervisor/netlink.c - NETLINK_ROUTE sockets of the programs that come through this door.
 *
 * A program gets a netlink socket that we made, and every call that sends, receives or joins groups comes to us: the funnel (sockets/nlfd.h) runs on it
 * with a copy of the descriptor that we borrow for the call. The state of a socket is found by its inode; /proc/net/netlink says which of them are gone. */
#include "supervisor/layout.h"
#include "supervisor/remote.h"
#include "sockets/nlfd.h"
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOCKETS 256u /* as nlfd.c has state for */
#define PIECES  64u

static struct netlink {
    uint64_t inode;
    struct nlfd *state;
    int kept_fd;
} sockets[SOCKETS];

static uint8_t bytes[CALL_BYTES];
static struct iovec pieces[PIECES];

static ssize_t real_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    ssize_t result = sendmsg(fd, msg, flags | MSG_NOSIGNAL);
    return result < 0 ? -errno : result;
}

static ssize_t real_recvmsg(int fd, struct msghdr *msg, int flags)
{
    ssize_t result = recvmsg(fd, msg, flags | MSG_DONTWAIT);
    return result < 0 ? -errno : result;
}

static const struct nlfd_ops ops = { real_sendmsg, real_recvmsg };

/* ---- which is which ---- */

static struct netlink *find(const struct call *call)
{
    uint64_t inode = call_socket(call);

    for (unsigned i = 0; inode && i < SOCKETS; i++)
        if (sockets[i].inode == inode) return &sockets[i];
    return NULL;
}

static void forget(struct netlink *netlink)
{
    nlfd_close(netlink->state);
    if (netlink->kept_fd >= 0) close(netlink->kept_fd);
    memset(netlink, 0, sizeof(*netlink));
}

/* Frees the state of sockets that nobody holds. */
static void sweep(void)
{
    bool lives[SOCKETS] = { false };
    char line[256];
    FILE *file = fopen("/proc/net/netlink", "re");

    if (!file) return;
    while (fgets(line, sizeof(line), file)) {
        const char *last;
        size_t size = strlen(line);
        while (size && (line[size - 1] == '\n' || line[size - 1] == ' '))
            line[--size] = 0;
        last = strrchr(line, ' ');
        for (unsigned i = 0; last && i < SOCKETS; i++)
            if (sockets[i].inode == strtoull(last, NULL, 10)) lives[i] = true;
    }
    fclose(file);
    for (unsigned i = 0; i < SOCKETS; i++)
        if (sockets[i].inode && !lives[i]) forget(&sockets[i]);
}

static struct netlink *find_free(void)
{
    for (unsigned i = 0; i < SOCKETS; i++)
        if (!sockets[i].inode) return &sockets[i];
    return NULL;
}

long netlink_socket(struct call *call)
{
    int type = (int)call_arg(call, 1), fd;
    struct netlink *netlink = find_free();
    struct stat about;
    long number;

    if (!netlink) {
        sweep();
        netlink = find_free();
    }
    fd = netlink ? socket(AF_NETLINK, type | SOCK_CLOEXEC, NETLINK_ROUTE) : -1;
    if (fd < 0) return CALL_CONTINUE;
    fstat(fd, &about);
    *netlink = (struct netlink){ .inode = about.st_ino, .kept_fd = -1 };
    netlink->state = nlfd_open(sock_bus, fd, &ops);
    number = netlink->state
                 ? call_install(call, fd, call->range.netlink, call->range.end, type & SOCK_CLOEXEC)
                 : CALL_CONTINUE;
    if (number < 0 && netlink->state) forget(netlink);
    if (!netlink->state) netlink->inode = 0;
    if (number >= 0) {
        int borrowed = remote_borrow(call_tid(call), (int)number);
        if (borrowed == -EPERM || borrowed == -ENOSYS) netlink->kept_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (borrowed >= 0) close(borrowed);
    }
    close(fd);
    return number;
}

/* Its descriptor, for the time of one call: -errno. */
static int borrow(const struct call *call, const struct netlink *netlink)
{
    return netlink->kept_fd >= 0 ? fcntl(netlink->kept_fd, F_DUPFD_CLOEXEC, 0)
                                 : remote_borrow(call_tid(call), call_fd(call));
}

/* ---- sending ---- */

static long send_bytes(struct call *call, size_t size, uint64_t to, uint32_t to_size, int flags)
{
    struct netlink *netlink = find(call);
    struct sockaddr_nl address;
    struct iovec iov = { bytes, size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    long result;
    int fd;

    if (!netlink) return CALL_CONTINUE;
    if (to && to_size) {
        if (to_size < sizeof(address) || !remote_read(call_tid(call), &address, to, sizeof(address)))
            return CALL_CONTINUE;
        msg.msg_name = &address;
        msg.msg_namelen = sizeof(address);
    }
    fd = borrow(call, netlink);
    result = fd < 0 ? CALL_CONTINUE : nlfd_sendmsg(netlink->state, fd, &msg, flags | MSG_DONTWAIT);
    if (fd >= 0) close(fd);
    return result;
}

static long send_one(struct call *call, uint64_t from, size_t size, uint64_t to, uint32_t to_size, int flags)
{
    if (size > sizeof(bytes) || !remote_read(call_tid(call), bytes, from, size)) return CALL_CONTINUE;
    return send_bytes(call, size, to, to_size, flags);
}

/* The sum of the sizes of its buffers; -1: the kernel may look at that. */
static ssize_t copy_pieces(const struct call *call, uint64_t from, size_t count)
{
    size_t total = 0;

    if (count > PIECES || !layout_read_pieces(call, pieces, from, count)) return -1;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].iov_len > INT32_MAX) return -1;
        total += pieces[i].iov_len;
    }
    return (ssize_t)total;
}

static long send_pieces(struct call *call, uint64_t from, size_t count, uint64_t to, uint32_t to_size,
                        int flags)
{
    ssize_t total = copy_pieces(call, from, count);

    if (total < 0 || (size_t)total > sizeof(bytes) ||
        remote_gather(call_tid(call), bytes, pieces, count, (size_t)total) != (size_t)total)
        return CALL_CONTINUE;
    return send_bytes(call, (size_t)total, to, to_size, flags);
}

long netlink_write(struct call *call)
{
    return send_one(call, call_arg(call, 1), call_arg(call, 2), 0, 0, 0);
}

long netlink_writev(struct call *call)
{
    return send_pieces(call, call_arg(call, 1), call_arg(call, 2), 0, 0, 0);
}

long netlink_sendto(struct call *call)
{
    return send_one(call, call_arg(call, 1), call_arg(call, 2), call_arg(call, 4),
                    (uint32_t)call_arg(call, 5), (int)call_arg(call, 3));
}

long netlink_sendmsg(struct call *call)
{
    struct msghdr msg;

    if (!layout_read_message(call, &msg, call_arg(call, 1)) || msg.msg_controllen) return CALL_CONTINUE;
    return send_pieces(call, (uint64_t)(uintptr_t)msg.msg_iov, msg.msg_iovlen,
                       (uint64_t)(uintptr_t)msg.msg_name, msg.msg_namelen, (int)call_arg(call, 2));
}

/* ---- receiving ---- */

/* Into `bytes`, at most `room`. What the program's buffers do not hold is not copied, whatever the result says. */
static long receive(struct call *call, size_t room, int flags, struct sockaddr_nl *from, struct msghdr *out)
{
    struct netlink *netlink = find(call);
    struct iovec iov = { bytes, room < sizeof(bytes) ? room : sizeof(bytes) };
    long result;
    int fd;

    if (!netlink) return CALL_CONTINUE;
    *out =
        (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_name = from, .msg_namelen = sizeof(*from) };
    fd = borrow(call, netlink);
    if (fd < 0) return CALL_CONTINUE;
    result = nlfd_recvmsg(netlink->state, fd, out, flags | MSG_DONTWAIT);
    if (result == -EAGAIN) result = call_wait(call, fd, flags, SO_RCVTIMEO);
    close(fd);
    return result;
}

static size_t bounded(long size, size_t most) { return (size_t)size < most ? (size_t)size : most; }

static long receive_one(struct call *call, uint64_t to, size_t room, int flags, uint64_t name,
                        uint64_t name_size)
{
    struct sockaddr_nl from;
    struct msghdr out;
    uint32_t name_room = 0;
    long size = receive(call, room, flags, &from, &out);
    pid_t tid = call_tid(call);

    if (size < 0) return size;
    if (!remote_write(tid, to, bytes, bounded(size, room < sizeof(bytes) ? room : sizeof(bytes))))
        return -EFAULT;
    if (!name) return size;
    if (!remote_read(tid, &name_room, name_size, sizeof(name_room)) || (int)name_room < 0) return -EFAULT;
    return remote_write(tid, name, &from, bounded((long)name_room, out.msg_namelen)) &&
                   remote_write(tid, name_size, &out.msg_namelen, sizeof(out.msg_namelen))
               ? size
               : -EFAULT;
}

long netlink_read(struct call *call)
{
    return receive_one(call, call_arg(call, 1), call_arg(call, 2), 0, 0, 0);
}

long netlink_recvfrom(struct call *call)
{
    return receive_one(call, call_arg(call, 1), call_arg(call, 2), (int)call_arg(call, 3), call_arg(call, 4),
                       call_arg(call, 5));
}

long netlink_recvmsg(struct call *call)
{
    struct sockaddr_nl from;
    struct msghdr user, out;
    pid_t tid = call_tid(call);
    ssize_t room;
    long size;

    if (!layout_read_message(call, &user, call_arg(call, 1))) return -EFAULT;
    room = copy_pieces(call, (uint64_t)(uintptr_t)user.msg_iov, user.msg_iovlen);
    if (room < 0) return -EMSGSIZE;
    size = receive(call, (size_t)room, (int)call_arg(call, 2), &from, &out);
    if (size < 0) return size;
    if (!remote_scatter(tid, pieces, user.msg_iovlen, bytes,
                        bounded(size, (size_t)room < sizeof(bytes) ? (size_t)room : sizeof(bytes))))
        return -EFAULT;
    if (user.msg_name && !remote_write(tid, (uint64_t)(uintptr_t)user.msg_name, &from,
                                       bounded((long)user.msg_namelen, out.msg_namelen)))
        return -EFAULT;
    if (user.msg_name) user.msg_namelen = out.msg_namelen;
    user.msg_controllen = 0;
    user.msg_flags = out.msg_flags;
    return layout_write_message(call, call_arg(call, 1), &user) ? size : -EFAULT;
}

long netlink_readv(struct call *call)
{
    ssize_t room = copy_pieces(call, call_arg(call, 1), call_arg(call, 2));
    struct sockaddr_nl from;
    struct msghdr out;
    long size = room < 0 ? CALL_CONTINUE : receive(call, (size_t)room, 0, &from, &out);

    if (size < 0) return size;
    return remote_scatter(call_tid(call), pieces, call_arg(call, 2), bytes, bounded(size, sizeof(bytes)))
               ? size
               : -EFAULT;
}

/* ---- groups ---- */

/* The kernel does it, to our copy; then we see what changed. */
static long apply(struct call *call, struct netlink *netlink, long number, uint64_t at, socklen_t size,
                  bool options)
{
    int fd = borrow(call, netlink);
    long result;

    if (fd < 0 || size > sizeof(bytes)) return CALL_CONTINUE;
    if (!remote_read(call_tid(call), bytes, at, size)) {
        close(fd);
        return -EFAULT;
    }
    result = options ? setsockopt(fd, (int)call_arg(call, 1), (int)number, bytes, size)
                     : bind(fd, (const struct sockaddr *)bytes, size);
    if (result < 0) result = -errno;
    if (result == 0) nlfd_groups_changed(netlink->state, fd);
    close(fd);
    return result;
}

long netlink_bind(struct call *call)
{
    struct netlink *netlink = find(call);
    return netlink ? apply(call, netlink, 0, call_arg(call, 1), (socklen_t)call_arg(call, 2), false)
                   : CALL_CONTINUE;
}

long netlink_setsockopt(struct call *call)
{
    struct netlink *netlink = call_arg(call, 1) == SOL_NETLINK ? find(call) : NULL;
    return netlink ? apply(call, netlink, (long)call_arg(call, 2), call_arg(call, 3),
                           (socklen_t)call_arg(call, 4), true)
                   : CALL_CONTINUE;
}
