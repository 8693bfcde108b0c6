/* sockets/ctl.c - the client side of the daemon's protocol; see ctl.h.
 *
 * It holds no state: a call is connect, send, receive, close, so nothing has to be locked, shared with a fork
 * child or given up when a thread is cancelled. Runs inside other people's programs: only raw system calls
 * (our own wrappers must not see them), no SIGPIPE, every descriptor close-on-exec, and no wait without a
 * limit. The time limit is one struct timespec that ppoll(2) counts down - the kernel writes back what is
 * left, also when a signal interrupts. */
#include "sockets/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "base/sys.h"

#define CTL_TIMEOUT_SECONDS  5
#define CTL_CONNECT_RETRY_NS 1000000 /* the listen queue is full: look again each millisecond */
#define CTL_FDS_MAX          4u      /* descriptors that one reply may carry */

/* What ppoll(2) reads on this architecture: two longs, whatever libc's time_t is. */
struct ctl_limit {
    long seconds, nanoseconds;
};

static void close_fd(int fd) { sys_call(SYS_close, fd); }

/* Waits until `fd` has one of `events`. Returns 0, or -ETIMEDOUT when the limit is used up. */
static int wait_for(int fd, short events, struct ctl_limit *limit)
{
    struct pollfd pfd = { .fd = fd, .events = events };
    for (;;) {
        long ready = sys_call(SYS_ppoll, &pfd, 1, limit, 0, 8);
        if (ready > 0) return 0;
        if (ready == 0) return -ETIMEDOUT;
        if (ready != -EINTR) return (int)ready;
    }
}

/* The server's queue is full: sleeps a little and charges it to the limit. False when that is used up. */
static bool wait_a_little(struct ctl_limit *limit)
{
    struct ctl_limit nap = { 0, CTL_CONNECT_RETRY_NS };
    sys_call(SYS_ppoll, 0, 0, &nap, 0, 8);
    limit->nanoseconds -= CTL_CONNECT_RETRY_NS;
    if (limit->nanoseconds < 0) {
        limit->nanoseconds += 1000000000;
        limit->seconds--;
    }
    return limit->seconds >= 0;
}

/* Connects fd, closed by nobody here. */
static int connect_fd(const char *dir, int fd, struct ctl_limit *limit)
{
    static const char name[] = "/ctl";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = strlen(dir);
    if (size + sizeof name > sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, dir, size);
    memcpy(address.sun_path + size, name, sizeof name);
    for (;;) {
        long result = sys_call(SYS_connect, fd, &address, sizeof address);
        if (result == 0) return 0;
        if (result == -EINTR || (result == -EAGAIN && wait_a_little(limit))) continue;
        if (result == -EACCES) return -EPERM; /* the instance of another user */
        return result == -EAGAIN ? -ETIMEDOUT : (int)result;
    }
}

static int connect_to(const char *dir, struct ctl_limit *limit)
{
    int fd = (int)sys_call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = fd < 0 ? fd : connect_fd(dir, fd, limit);
    if (!error) return fd;
    if (fd >= 0) close_fd(fd);
    return error;
}

static int send_request(int fd, enum ctl_op op, const void *payload, size_t size, int send_fd,
                        struct ctl_limit *limit)
{
    struct ctl_request head = { CTL_MAGIC, CTL_VERSION, (uint16_t)op, (uint32_t)size };
    struct iovec iov[2] = { { &head, sizeof head }, { (void *)(uintptr_t)payload, size } };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = size ? 2 : 1 };
    if (sizeof head + size > CTL_PACKET_MAX) return -EMSGSIZE;
    if (send_fd >= 0) {
        memset(&control, 0, sizeof control);
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_LEN(sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &send_fd, sizeof send_fd);
    }
    for (;;) {
        long sent = sys_call(SYS_sendmsg, fd, &msg, MSG_NOSIGNAL);
        if (sent >= 0) return 0;
        if (sent == -EAGAIN) sent = wait_for(fd, POLLOUT, limit);
        if (sent < 0 && sent != -EINTR) return (int)sent;
    }
}

/* Keeps the descriptors that came with a packet in fds[], closes those nobody asked for. */
static void take_fds(const struct msghdr *msg, int *fds, unsigned nfds)
{
    const struct cmsghdr *cmsg = msg->msg_controllen >= sizeof *cmsg ? msg->msg_control : NULL;
    if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) return;
    size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof fd, sizeof fd);
        if (i < nfds && fds[i] < 0)
            fds[i] = fd;
        else
            close_fd(fd);
    }
}

/* Receives one reply packet into reply[0..cap). Returns 1 when more follow, 0 after the last one, or -errno.
 */
static int receive_packet(int fd, void *reply, size_t cap, size_t *size, int *fds, unsigned nfds,
                          struct ctl_limit *limit)
{
    struct ctl_reply head = { 0 };
    struct iovec iov[2] = { { &head, sizeof head }, { reply, cap } };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(CTL_FDS_MAX * sizeof(int))];
    } control;
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = cap ? 2 : 1 };
    long got;
    do {
        int ready = wait_for(fd, POLLIN, limit);
        if (ready < 0) return ready;
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
        got = sys_call(SYS_recvmsg, fd, &msg, MSG_CMSG_CLOEXEC);
    } while (got == -EINTR || got == -EAGAIN);
    if (got < 0) return (int)got;
    take_fds(&msg, fds, nfds);
    if (got == 0) return -ECONNRESET;
    if ((size_t)got < sizeof head) return -EPROTO;
    if (msg.msg_flags & MSG_TRUNC) return -EMSGSIZE;
    if (head.error) return head.error < 0 ? head.error : -EPROTO;
    if (head.size != (size_t)got - sizeof head) return -EPROTO;
    *size = head.size;
    return head.flags & CTL_MORE ? 1 : 0;
}

static int receive_all(int fd, void *reply, size_t cap, size_t *reply_size, int *fds, unsigned nfds,
                       struct ctl_limit *limit)
{
    size_t used = 0;
    int more;
    do {
        size_t size = 0;
        more = receive_packet(fd, (char *)reply + used, cap - used, &size, fds, nfds, limit);
        used += size;
    } while (more > 0);
    if (more == 0 && reply_size) *reply_size = used;
    return more;
}

int ctl_call(const char *dir, enum ctl_op op, const void *payload, size_t size, int send_fd, void *reply,
             size_t cap, size_t *reply_size, int *fds, unsigned nfds)
{
    struct ctl_limit limit = { CTL_TIMEOUT_SECONDS, 0 };
    int got[CTL_FDS_MAX];
    if (nfds > CTL_FDS_MAX) return -EINVAL;
    for (unsigned i = 0; i < CTL_FDS_MAX; i++)
        got[i] = -1;
    int fd = connect_to(dir, &limit);
    if (fd < 0) return fd;
    int result = send_request(fd, op, payload, size, send_fd, &limit);
    if (result == 0) result = receive_all(fd, reply, cap, reply_size, got, nfds, &limit);
    close_fd(fd);
    for (unsigned i = 0; i < nfds; i++) {
        if (result == 0)
            fds[i] = got[i];
        else if (got[i] >= 0)
            close_fd(got[i]);
    }
    return result;
}

int ctl_watch(const char *dir, int netlink_fd, uint32_t groups)
{
    struct ctl_limit limit = { CTL_TIMEOUT_SECONDS, 0 };
    int fd = connect_to(dir, &limit);
    if (fd < 0) return fd;
    size_t size = 0;
    int result = send_request(fd, CTL_WATCH, &groups, sizeof groups, netlink_fd, &limit);
    if (result == 0) result = receive_packet(fd, NULL, 0, &size, NULL, 0, &limit);
    if (result >= 0) return fd;
    close_fd(fd);
    return result;
}

int ctl_hand_over(const char *dir, int fd, const struct ctl_socket *request)
{
    struct ctl_limit limit = { CTL_TIMEOUT_SECONDS, 0 };
    size_t size = 0;
    int result = connect_fd(dir, fd, &limit);
    if (result == 0) result = send_request(fd, CTL_SOCKET, request, sizeof *request, -1, &limit);
    return result ? result : receive_packet(fd, NULL, 0, &size, NULL, 0, &limit);
}
