/* daemon/ctlserver.h - the daemon's side of sockets/ctl.h: connections, requests, watchers. */
#ifndef DAEMON_CTLSERVER_H
#define DAEMON_CTLSERVER_H

#include <stdbool.h>
#include "daemon/linkserver.h"
#include "daemon/loop.h"
#include "sockets/ctl.h"

/* Connections at one time. Most live for one request; the watchers, which stay, may have three quarters of
 * them. */
#define CTL_CONNECTIONS_MAX 512u
#define CTL_WATCHERS_MAX    384u

struct ctl_connection {
    struct loop_source source; /* fd -1: free */
    int watch_fd;              /* the watcher's netlink socket, -1: no watcher */
    unsigned idle_ticks;       /* since the last sign of life */
    unsigned char
        *out; /* what the socket did not take yet, in packets as they are to be sent; NULL: nothing */
    size_t out_size, out_sent;
};

struct ctlserver {
    struct linkserver *links;
    int memory_fds[2];
    struct ctl_status status;
    void (*on_client)(void *context); /* somebody connected */
    /* CTL_SOCKET: takes the connection over, or returns -errno. */
    int (*adopt)(void *context, int fd, const struct ctl_socket *request);
    long (*simulate)(void *context, const char *text, size_t size, char *reply, size_t cap); /* CTL_BUS */
    long (*show)(void *context, const char *path, size_t size, char *text, size_t room);     /* CTL_SHOW */
    void *context;
    bool shutdown; /* CTL_SHUTDOWN was answered */

    struct loop_source listener;
    struct ctl_connection connection[CTL_CONNECTIONS_MAX];
    unsigned watchers;
    size_t out_total; /* bytes in all `out` */
};

int ctlserver_start(struct ctlserver *server, int listen_fd);

/* Once a second: drops who is too slow. Returns true while there are connections to look after. */
bool ctlserver_tick(struct ctlserver *server);

/* linkserver_event: tells every watcher. `context` is the server. */
void ctlserver_link_event(void *context, const void *message, size_t size);

#endif
