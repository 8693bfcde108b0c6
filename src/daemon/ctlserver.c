/* daemon/ctlserver.c - serves DIR/ctl.
 *
 * A connection is: open -> (request -> answer)* -> closed by the client, by garbage, or by the tick when
 * it stays silent. After CTL_WATCH it is a watcher: it says nothing more and stays until the client goes.
 *
 * No client can hold the loop: all sockets are non-blocking; an answer that the client does not read is
 * kept, within limits for one and for all, and no further request of it is read meanwhile; when all
 * connections are taken, the one that was silent longest makes room. The socket buffer bounds what a
 * watcher can be behind: events beyond it are lost for it, as for a slow netlink listener. */
#include "daemon/ctlserver.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/ctlparse.h"

#define IDLE_TICKS_MAX 5u
#define ACCEPT_TURN    16            /* connections taken before others have their turn */
#define REPLY_MAX      (512u * 1024) /* a dump of LINKS_MAX interfaces with every name they can have */
#define OUT_TOTAL_MAX  (4u * 1024 * 1024)
#define FDS_MAX        4u
#define CHUNK_MAX      (CTL_PACKET_MAX - sizeof(struct ctl_reply))

static struct ctlserver *the_server; /* one per worker: callbacks of the loop find it here */
static _Alignas(8) unsigned char request_buffer[CTL_PACKET_MAX + 1];
static _Alignas(8) unsigned char reply_buffer[REPLY_MAX];

/* ---- connections
 * ---------------------------------------------------------------------------------------------- */

static void drop_out(struct ctlserver *server, struct ctl_connection *conn)
{
    server->out_total -= conn->out_size;
    free(conn->out);
    conn->out = NULL;
    conn->out_size = conn->out_sent = 0;
}

static void drop(struct ctlserver *server, struct ctl_connection *conn)
{
    loop_remove(&conn->source);
    close(conn->source.fd);
    conn->source.fd = -1;
    if (conn->watch_fd >= 0) {
        close(conn->watch_fd);
        conn->watch_fd = -1;
        server->watchers--;
    }
    drop_out(server, conn);
}

static struct ctl_connection *find_free(struct ctlserver *server)
{
    for (unsigned i = 0; i < CTL_CONNECTIONS_MAX; i++)
        if (server->connection[i].source.fd < 0) return &server->connection[i];
    return NULL;
}

/* Drops the connection that was silent longest, but no watcher. Returns what is free now, or NULL. */
static struct ctl_connection *make_room(struct ctlserver *server)
{
    struct ctl_connection *oldest = NULL;

    for (unsigned i = 0; i < CTL_CONNECTIONS_MAX; i++) {
        struct ctl_connection *conn = &server->connection[i];
        if (conn->source.fd >= 0 && conn->watch_fd < 0 && (!oldest || conn->idle_ticks > oldest->idle_ticks))
            oldest = conn;
    }
    if (oldest) drop(server, oldest);
    return oldest;
}

/* ---- answers
 * -------------------------------------------------------------------------------------------------- */

/* Sends one packet. fds[0..2) go along when fds is not NULL. Returns 0 or -errno. */
static int send_packet(int fd, const struct ctl_reply *head, const void *payload, const int *fds)
{
    struct iovec iov[2] = { { (void *)(uintptr_t)head, sizeof(*head) },
                            { (void *)(uintptr_t)payload, head->size } };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = { 0 };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = head->size ? 2 : 1 };

    if (fds) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_LEN(2 * sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(&control.head), fds, 2 * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Sends payload[from..size) in packets. Returns how far it got; *error says why it stopped (0, -EAGAIN,
 * ...). */
static size_t send_packets(int fd, const unsigned char *payload, size_t from, size_t size, const int *fds,
                           int *error)
{
    do {
        size_t chunk = size - from > CHUNK_MAX ? CHUNK_MAX : size - from;
        struct ctl_reply head = { .flags = from + chunk < size ? CTL_MORE : 0, .size = (uint32_t)chunk };
        *error = send_packet(fd, &head, payload + from, fds);
        if (*error) return from;
        from += chunk;
        fds = NULL;
    } while (from < size);
    return from;
}

/* Keeps what the socket did not take. Returns 0, or -ENOBUFS when that is too much. */
static int keep_rest(struct ctlserver *server, struct ctl_connection *conn, const void *rest, size_t size)
{
    if (!rest || !size || server->out_total + size > OUT_TOTAL_MAX) return -ENOBUFS;
    conn->out = malloc(size);
    if (!conn->out) return -ENOBUFS;
    memcpy(conn->out, rest, size);
    conn->out_size = size;
    conn->out_sent = 0;
    server->out_total += size;
    return loop_change(&conn->source, EPOLLOUT);
}

static int answer(struct ctlserver *server, struct ctl_connection *conn, const void *payload, size_t size,
                  const int *fds)
{
    int error;
    size_t sent = send_packets(conn->source.fd, payload, 0, size, fds, &error);
    if (error == -EAGAIN) error = keep_rest(server, conn, (const char *)payload + sent, size - sent);
    return error;
}

static int answer_error(struct ctl_connection *conn, int error)
{
    struct ctl_reply head = { .error = error };
    return send_packet(conn->source.fd, &head, NULL, NULL);
}

/* ---- operations: each answers and returns 0, or -errno: that is the answer then
 * -------------------------------- */

struct request {
    struct ctl_view view;
    int fd; /* the descriptor that came along, -1: none. The operation that keeps it sets -1 */
};

static int op_hello(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    struct ctl_hello hello = { .layout_version = LAYOUT_VERSION,
                               .control_size = sizeof(struct control),
                               .data_size = DATA_SIZE };
    (void)request;
    return answer(server, conn, &hello, sizeof(hello), server->memory_fds);
}

static int op_netlink(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    struct ctl_netlink caller;
    memcpy(&caller, request->view.payload, sizeof(caller));
    const char *message = (const char *)request->view.payload + sizeof(caller);
    long size = linkserver_netlink(server->links, &caller, message, request->view.size - sizeof(caller),
                                   reply_buffer, sizeof(reply_buffer));
    return size < 0 ? (int)size : answer(server, conn, reply_buffer, (size_t)size, NULL);
}

static int op_ioctl(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    struct ctl_ioctl ioctl;
    memcpy(&ioctl, request->view.payload, sizeof(ioctl));
    int error = linkserver_ioctl(server->links, &ioctl);
    return error ? error : answer(server, conn, &ioctl, sizeof(ioctl), NULL);
}

static bool is_route_socket(int fd)
{
    int domain = -1, protocol = -1;
    socklen_t size = sizeof(int);
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK) return false;
    size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == NETLINK_ROUTE;
}

static int op_watch(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    uint32_t groups;
    memcpy(&groups, request->view.payload, sizeof(groups));
    if (request->fd < 0 || !is_route_socket(request->fd)) return -EBADF;
    if (!(groups & RTMGRP_LINK) || conn->watch_fd >= 0) return -EINVAL;
    if (server->watchers >= CTL_WATCHERS_MAX) return -ENOBUFS;
    conn->watch_fd = request->fd;
    request->fd = -1;
    server->watchers++;
    return answer(server, conn, NULL, 0, NULL);
}

static int op_status(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    (void)request;
    return answer(server, conn, &server->status, sizeof(server->status), NULL);
}

static int op_shutdown(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    (void)request;
    server->shutdown = true;
    return answer(server, conn, NULL, 0, NULL);
}

/* The socket answers for itself from now on: this has to be answered before. */
static int op_socket(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    struct ctl_socket socket;
    int fd = conn->source.fd;

    memcpy(&socket, request->view.payload, sizeof(socket));
    if (conn->watch_fd >= 0 || !server->adopt) return -EINVAL;
    loop_remove(&conn->source);
    int error = server->adopt(server->context, fd, &socket);
    if (error) return loop_add(&conn->source, EPOLLIN) < 0 ? -EIO : error;
    conn->source.fd = -1;
    send_packet(fd, &(struct ctl_reply){ 0 }, NULL, NULL);
    return 0;
}

static int op_bus(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    if (!server->simulate) return -EOPNOTSUPP;
    long size = server->simulate(server->context, request->view.payload, request->view.size,
                                 (char *)reply_buffer, sizeof(reply_buffer));
    return size < 0 ? (int)size : answer(server, conn, reply_buffer, (size_t)size, NULL);
}

static int op_show(struct ctlserver *server, struct ctl_connection *conn, struct request *request)
{
    if (!server->show) return -EOPNOTSUPP;
    long size = server->show(server->context, request->view.payload, request->view.size, (char *)reply_buffer,
                             sizeof(reply_buffer));
    return size < 0 ? (int)size : answer(server, conn, reply_buffer, (size_t)size, NULL);
}

static int (*const operations[])(struct ctlserver *, struct ctl_connection *, struct request *) = {
    [CTL_HELLO] = op_hello,   [CTL_NETLINK] = op_netlink, [CTL_IOCTL] = op_ioctl,
    [CTL_WATCH] = op_watch,   [CTL_STATUS] = op_status,   [CTL_SHUTDOWN] = op_shutdown,
    [CTL_SOCKET] = op_socket, [CTL_BUS] = op_bus,         [CTL_SHOW] = op_show,
};

/* ---- requests
 * ------------------------------------------------------------------------------------------------- */

/* Takes the descriptors out of a packet: the first is returned, others are closed. */
static int take_fd(struct msghdr *msg)
{
    int kept = -1;

    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
            if (kept < 0)
                kept = fd;
            else
                close(fd);
        }
    }
    return kept;
}

/* Receives a packet into request_buffer. Returns its size, 0 at the end, or -errno. */
static ssize_t receive(int fd, int *passed_fd)
{
    struct iovec iov = { request_buffer, sizeof(request_buffer) };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
    } control;
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };

    ssize_t size = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) return -errno;
    *passed_fd = take_fd(&msg);
    return size;
}

/* Answers one packet. Returns 0, or -errno when the connection is of no more use. */
static int serve(struct ctlserver *server, struct ctl_connection *conn, size_t size, int passed_fd)
{
    struct request request = { .fd = passed_fd };
    int error = ctl_parse(request_buffer, size, &request.view);
    bool garbage = error == -EBADMSG;

    if (!error) error = operations[request.view.op](server, conn, &request);
    if (request.fd >= 0) close(request.fd);
    if (error) error = answer_error(conn, error);
    return garbage ? -EBADMSG : error;
}

static void on_request(struct loop_source *source, uint32_t events)
{
    struct ctlserver *server = the_server;
    struct ctl_connection *conn = loop_owner(source, struct ctl_connection, source);
    int passed_fd = -1;

    conn->idle_ticks = 0;
    if (conn->out) {
        int error = 0;
        conn->out_sent = send_packets(source->fd, conn->out, conn->out_sent, conn->out_size, NULL, &error);
        if (!error) {
            drop_out(server, conn);
            error = loop_change(source, EPOLLIN);
        }
        if (error && error != -EAGAIN) drop(server, conn);
        return;
    }
    ssize_t size = receive(source->fd, &passed_fd);
    if (size == -EAGAIN && !(events & (EPOLLHUP | EPOLLERR))) return;
    /* A packet of no bytes looks like the end, and may be treated as that. A watcher has nothing to say. */
    if (size <= 0 || conn->watch_fd >= 0) {
        if (passed_fd >= 0) close(passed_fd);
        drop(server, conn);
        return;
    }
    if (serve(server, conn, (size_t)size, passed_fd)) drop(server, conn);
}

/* Whoever can reach DIR/ctl is let in by the directory's mode already; this also holds when somebody
 * opened that. */
static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static void adopt(struct ctlserver *server, struct ctl_connection *conn, int fd)
{
    *conn = (struct ctl_connection){ .source = { fd, on_request }, .watch_fd = -1 };
    if (loop_add(&conn->source, EPOLLIN) < 0) {
        conn->source.fd = -1;
        close(fd);
    }
    if (server->on_client) server->on_client(server->context);
}

/* Takes one connection. Returns false when there is none waiting. */
static bool accept_one(struct ctlserver *server)
{
    // cppcheck-suppress nullPointer ; the address is not wanted
    int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        if (make_room(server)) return true;
        loop_change(&server->listener, 0); /* until the next tick */
        return false;
    }
    if (fd < 0) return false;
    struct ctl_connection *conn = NULL;
    int error = is_allowed(fd) ? 0 : -EACCES;
    if (!error) {
        conn = find_free(server);
        if (!conn) conn = make_room(server);
    }
    if (conn) {
        adopt(server, conn, fd);
        return true;
    }
    struct ctl_reply head = { .error = error ? error : -EBUSY };
    send_packet(fd, &head, NULL, NULL);
    close(fd);
    return true;
}

static void on_accept(struct loop_source *source, uint32_t events)
{
    (void)source, (void)events;
    for (int i = 0; i < ACCEPT_TURN && accept_one(the_server); i++)
        ;
}

/* ---- the server
 * ----------------------------------------------------------------------------------------------- */

int ctlserver_start(struct ctlserver *server, int listen_fd)
{
    the_server = server;
    server->listener = (struct loop_source){ listen_fd, on_accept };
    for (unsigned i = 0; i < CTL_CONNECTIONS_MAX; i++)
        server->connection[i] = (struct ctl_connection){ .source.fd = -1, .watch_fd = -1 };
    return loop_add(&server->listener, EPOLLIN);
}

bool ctlserver_tick(struct ctlserver *server)
{
    bool busy = false;

    loop_change(&server->listener, EPOLLIN);
    for (unsigned i = 0; i < CTL_CONNECTIONS_MAX; i++) {
        struct ctl_connection *conn = &server->connection[i];
        if (conn->source.fd < 0 || conn->watch_fd >= 0) continue;
        if (++conn->idle_ticks > IDLE_TICKS_MAX)
            drop(server, conn);
        else
            busy = true;
    }
    return busy;
}

/* Makes the watcher's netlink socket readable: the kernel acknowledges this on it. */
static void poke(int netlink_fd)
{
    struct nlmsghdr noop = { .nlmsg_len = sizeof(noop),
                             .nlmsg_type = NLMSG_NOOP,
                             .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                             .nlmsg_seq = CTL_WATCH_SEQ };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    sendto(netlink_fd, &noop, sizeof(noop), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&kernel,
           sizeof(kernel));
}

void ctlserver_link_event(void *context, const void *message, size_t size)
{
    struct ctlserver *server = context;
    struct ctl_reply head = { .size = (uint32_t)size };

    if (size > CHUNK_MAX) return;
    for (unsigned i = 0; i < CTL_CONNECTIONS_MAX; i++) {
        struct ctl_connection *conn = &server->connection[i];
        if (conn->watch_fd >= 0 && !conn->out && send_packet(conn->source.fd, &head, message, NULL) == 0)
            poke(conn->watch_fd);
    }
}
