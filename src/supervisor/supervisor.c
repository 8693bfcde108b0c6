/* supervisor/supervisor.c - the thread that serves the second door: one loop over listeners, sockets and who wants in.
 *
 * All state is this thread's. The lock is held but while it waits, so that supervisor_finish() can fork at a moment when the state is whole: the child goes on with it. */
/* prefix: supervisor_ door_ */
#include "supervisor/supervisor.h"
#include "base/clock.h"
#include "sockets/door.h"
#include "sockets/process.h"
#include "supervisor/held.h"
#include "supervisor/pump.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1ul
#define BACKLOG      64
#define SWEEP_MS     200

struct listener {
    struct listener *next;
    struct watch watch;
    struct filter_range range;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watch entrance = { .fd = -1 };
static char entrance_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static struct listener *listeners;
static bool started, finishing;
static int id;

/* Who serves programs never waits in the funnel, every call says MSG_DONTWAIT; others in this process may (cli/capture.c). */
int door_wait(int fd)
{
    char token;
    return recv(fd, &token, 1, MSG_PEEK) < 0 ? -errno : 0;
}

int supervisor_id(void) { return id; }

/* ---- listeners ---- */

static void receive(struct listener *from)
{
    struct call call;

    memset(&call, 0, sizeof(call));
    if (ioctl(from->watch.fd, SECCOMP_IOCTL_NOTIF_RECV, &call.notif) < 0) return;
    call.listener = from->watch.fd;
    call.range = from->range;
    held_serve(&call);
}

static void listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = watch_owner(watch, struct listener, watch), **at;

    if (events & EPOLLIN) receive(listener);
    if (!(events & EPOLLHUP)) return; /* nobody is left behind it */
    for (at = &listeners; *at != listener;)
        at = &(*at)->next;
    *at = listener->next;
    watch_end(watch);
    held_drop(watch->fd);
    close(watch->fd);
    free(listener);
}

/* Its answers should wake the program on our processor: it has nothing else to do there. */
static bool add_listener(int fd, const struct filter_range *range)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    if (!sock_bus) sock_bus = process_bus();
    if (!listener || !sock_bus) {
        free(listener);
        return false;
    }
    listener->watch = (struct watch){ .fd = fd, .ready = listener_ready };
    listener->range = *range;
    ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP);
    if (watch_for(&listener->watch, EPOLLIN)) {
        free(listener);
        return false;
    }
    listener->next = listeners;
    listeners = listener;
    return true;
}

/* ---- who wants in ---- */

static int receive_listener(int fd, struct filter_range *range)
{
    struct iovec iov = { range, sizeof(*range) };
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    ssize_t size = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    int listener;

    if (size < 0 || msg.msg_controllen < CMSG_LEN(sizeof(int)) || control.head.cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&listener, CMSG_DATA(&control.head), sizeof(listener));
    if (size == (ssize_t)sizeof(*range)) return listener;
    close(listener);
    return -1;
}

/* Other descriptors would never say that nobody is left behind them. */
static bool is_listener(int fd)
{
    uint64_t call = 0;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &call) == 0 || errno == ENOENT;
}

/* Whoever can reach the door is let in by the directory's mode already; this also holds when somebody opened that. */
static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

/* A program: who comes here does nothing else until it is answered. */
static void entrance_ready(struct watch *watch, uint32_t events)
{
    static const struct timeval soon = { 1, 0 };
    // cppcheck-suppress nullPointer ; this is libc's, which takes NULL
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC), listener;
    struct filter_range range;

    (void)events;
    if (fd < 0) return;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
    listener = is_allowed(fd) ? receive_listener(fd, &range) : -1;
    if (listener >= 0 && is_listener(listener) && add_listener(listener, &range))
        send(fd, "", 1, MSG_NOSIGNAL);
    else if (listener >= 0)
        close(listener);
    close(fd);
}

int supervisor_open(const char *dir, char *path, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/s/door.%d", dir, getpid()), error;

    if (length >= (int)sizeof(address.sun_path) || length >= (int)size) return -ENAMETOOLONG;
    process_set_dir(dir, true);
    id = getpid();
    error = watch_open();
    if (error) return error;
    entrance.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (entrance.fd < 0) return -errno;
    unlink(address.sun_path);
    if (bind(entrance.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(entrance.fd, BACKLOG) < 0)
        return -errno;
    entrance.ready = entrance_ready;
    memcpy(entrance_path, address.sun_path, sizeof(entrance_path));
    memcpy(path, address.sun_path, (size_t)length + 1);
    return watch_for(&entrance, EPOLLIN);
}

/* ---- the loop ---- */

static void turn(void)
{
    int pause = held_pause();

    if (pump_retry() && pause < 0) pause = 1;
    if (sock_sweep() && pause < 0) pause = SWEEP_MS;
    pthread_mutex_unlock(&lock);
    watch_wait(pause);
    pthread_mutex_lock(&lock);
    if (finishing) return;
    watch_act();
    if (held_pause() >= 0) held_retry();
}

static void *serve(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&lock);
    while (!finishing)
        turn();
    pthread_mutex_unlock(&lock);
    return NULL;
}

int supervisor_start(void)
{
    sigset_t all, before;
    pthread_t thread;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) return -error;
    pthread_detach(thread);
    started = true;
    return 0;
}

/* A process of its own, for programs that outlive the command that they came from. */
static void serve_the_rest(void)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    setsid();
    for (int fd = 0; fd < 3; fd++)
        dup2(null_fd, fd);
    if (chdir("/") < 0) return;
    signal(SIGPIPE, SIG_IGN);
    pthread_mutex_init(&lock, NULL);
    remote_forget();
    pthread_mutex_lock(&lock);
    while (listeners)
        turn();
    if (entrance_path[0]) unlink(entrance_path);
}

void supervisor_finish(bool lets_run)
{
    pid_t child = -1;

    if (!started) return;
    pthread_mutex_lock(&lock);
    if (lets_run && listeners) child = fork();
    if (child == 0) {
        serve_the_rest();
        _exit(0);
    }
    finishing = true;
    if (child < 0 && entrance_path[0]) unlink(entrance_path);
    pthread_mutex_unlock(&lock);
}
