/* supervisor/supervisor.c - the threads that serve the second door: one loop over sockets and who wants in, and for each listener one that does nothing
 * but wait for its calls and serve them: who asks an epoll set first makes one switch of process more.
 *
 * All state is under one lock, which is held but while a thread waits. supervisor_finish() ends the listeners' threads before it forks, so that no call
 * is lost that one of them has received; the child goes on with the state, which then is whole, and threads of its own. */
/* prefix: supervisor_ door_ */
#include "supervisor/supervisor.h"
#include "base/clock.h"
#include "base/passing.h"
#include "sockets/door.h"
#include "sockets/process.h"
#include "supervisor/guard.h"
#include "supervisor/held.h"
#include "supervisor/layout.h"
#include "supervisor/pump.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1ul
#define BACKLOG      64
#define RETRY_MS     1
#define STACK_SIZE   262144
#define NAP_NS       500000
#define PATIENCE_NS  3000000000u
#define FILES_WANTED 16384

struct listener {
    struct listener *next;
    struct watch watch; /* for its end; without a thread, for its calls */
    struct filter_range range;
    bool threaded;
    pthread_t thread;
    atomic_u32 ends, ended; /* it is to end; it has */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watch entrance = { .fd = -1 }, bell = { .fd = -1 }; /* an eventfd */
static int loop_pause;                                            /* of the loop, in milliseconds */
static char entrance_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static struct listener *listeners;
static pthread_t loop;
static bool started, finishing;
static int id;

/* Who serves programs never waits in the funnel, every call says MSG_DONTWAIT; others in this process may (cli/capture.c). */
int door_wait(int fd)
{
    char token;
    return recv(fd, &token, 1, MSG_PEEK) < 0 ? -errno : 0;
}

int supervisor_id(void) { return id; }

/* ---- calls ---- */

static bool receive(const struct listener *from, struct call *call)
{
    memset(call, 0, sizeof(*call));
    call->listener = from->watch.fd;
    call->range = from->range;
    if (ioctl(from->watch.fd, SECCOMP_IOCTL_NOTIF_RECV, &call->notif) < 0) return false;
    layout_begin(call);
    return true;
}

/* Under the lock. */
static void act(struct call *call)
{
    sock_look();
    held_serve(call);
    if (held_pause() >= 0) held_retry(false); /* it may have sent what others wait for */
}

/* ---- listeners' threads ---- */

static int end_signal(void) { return SIGRTMIN + 3; }
static void on_end(int number) { (void)number; }

/* Of two pauses in milliseconds; -1: for ever. */
static int sooner(int one, int other) { return one < 0 || (other >= 0 && other < one) ? other : one; }

/* The loop's next look is due sooner than it thinks. */
static void hurry(void)
{
    int pause = sooner(held_pause(), sooner(pump_waits() ? RETRY_MS : -1, sock_pause()));
    uint64_t one = 1;

    if (sooner(pause, loop_pause) == loop_pause) return;
    loop_pause = 0;
    if (write(bell.fd, &one, sizeof(one)) < 0) return; /* it rings already */
}

static void bell_rang(struct watch *watch, uint32_t events)
{
    uint64_t rings;

    (void)events;
    if (read(watch->fd, &rings, sizeof(rings)) < 0) return;
}

static bool hung_up(int fd)
{
    struct pollfd poll_fd = { .fd = fd };
    return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLHUP;
}

static void *listen_to(void *argument)
{
    struct listener *listener = argument;
    struct call call;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, end_signal());
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    while (!load_acquire(&listener->ends)) {
        if (!receive(listener, &call)) {
            if (hung_up(listener->watch.fd)) break;
            continue; /* a signal, or the program was killed just now */
        }
        pthread_mutex_lock(&lock);
        act(&call);
        hurry();
        pthread_mutex_unlock(&lock);
    }
    store_release(&listener->ended, 1);
    return NULL;
}

static void start_thread(struct listener *listener)
{
    struct sigaction action = { .sa_handler = on_end };
    pthread_attr_t attributes;

    sigaction(end_signal(), &action, NULL);
    store_relaxed(&listener->ends, 0);
    store_relaxed(&listener->ended, 0);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    listener->threaded = pthread_create(&listener->thread, &attributes, listen_to, listener) == 0;
    pthread_attr_destroy(&attributes);
}

/* Without the lock: it may be serving. A signal that comes before it waits ends nothing, so it is sent until one has. */
static void end_thread(struct listener *listener)
{
    struct timespec nap = { 0, NAP_NS };

    if (!listener->threaded) return;
    store_release(&listener->ends, 1);
    while (!load_acquire(&listener->ended)) {
        pthread_kill(listener->thread, end_signal());
        nanosleep(&nap, NULL);
    }
    pthread_join(listener->thread, NULL);
    listener->threaded = false;
}

/* Under the lock, which is free meanwhile. */
static void end_threads(void)
{
    for (struct listener *listener = listeners; listener; listener = listener->next) {
        pthread_mutex_unlock(&lock);
        end_thread(listener);
        pthread_mutex_lock(&lock);
    }
}

/* ---- listeners ---- */

static void listener_ready(struct watch *watch, uint32_t events)
{
    struct listener *listener = watch_owner(watch, struct listener, watch), **at;
    struct call call;

    if (events & EPOLLIN && receive(listener, &call)) act(&call);
    if (!(events & EPOLLHUP)) return; /* nobody is left behind it */
    pthread_mutex_unlock(&lock);
    end_thread(listener);
    pthread_mutex_lock(&lock);
    for (at = &listeners; *at != listener;)
        at = &(*at)->next;
    *at = listener->next;
    watch_end(watch);
    held_drop(watch->fd);
    close(watch->fd);
    watch_free(listener);
}

/* Its answers should wake the program on our processor: it has nothing else to do there. */
static bool add_listener(int fd, const struct filter_range *range)
{
    struct listener *listener = calloc(1, sizeof(*listener));

    if (!sock_bus) sock_bus = process_bus();
    guard_start();
    if (!listener || !sock_bus) {
        free(listener);
        return false;
    }
    listener->watch = (struct watch){ .fd = fd, .ready = listener_ready };
    listener->range = *range;
    ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP);
    start_thread(listener);
    if (watch_for(&listener->watch, listener->threaded ? 0 : EPOLLIN)) {
        end_thread(listener);
        free(listener);
        return false;
    }
    listener->next = listeners;
    listeners = listener;
    return true;
}

/* ---- who wants in ---- */

/* What may come: a listener, with the numbers that it knows, or a CAN socket with the number that it has there. */
union arrival {
    struct filter_range range;
    int number;
};

/* Other descriptors would never say that nobody is left behind them. */
static bool is_listener(int fd)
{
    uint64_t call = 0;
    return ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &call) == 0 || errno == ENOENT;
}

/* Whoever can reach the door is let in by the directory's mode already; this also holds when somebody opened that. */
static bool is_allowed(int fd, struct ucred *peer)
{
    socklen_t size = sizeof(*peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0 &&
           (peer->uid == geteuid() || peer->uid == 0);
}

static void answer_with(int fd, int passed_fd)
{
    const struct iovec iov = { (void *)(uintptr_t) "", 1 };

    if (passing_send(fd, &iov, 1, passed_fd) < 0) sock_look_soon();
}

static void adopt(int fd, int came, int number, pid_t process)
{
    int flags = fcntl(came, F_GETFL), program_fd;
    struct sock *sock;

    if (!sock_bus) sock_bus = process_bus();
    if (!sock_bus || flags < 0) {
        close(came);
        return;
    }
    if (sock_adopt(came, process, &sock, &program_fd)) return;
    fcntl(program_fd, F_SETFL, O_RDWR | (flags & (O_NONBLOCK | O_ASYNC)));
    answer_with(fd, program_fd);
    control_settle_end(sock, program_fd, process, number);
}

/* A program that is on its way in: who comes here does nothing else until it is answered. */
struct comer {
    struct comer *unused; /* for watch_free() */
    struct watch watch;
};

static void comer_ready(struct watch *watch, uint32_t events)
{
    int fd = watch->fd, came = -1;
    union arrival arrival;
    struct ucred peer;
    long size = 0;

    (void)events;
    if (is_allowed(fd, &peer)) size = passing_receive(fd, &arrival, sizeof(arrival), &came);
    if (came >= 0 && size == sizeof(arrival.number))
        adopt(fd, came, arrival.number, peer.pid);
    else if (came >= 0 && size == sizeof(arrival.range) &&
             arrival.range.inherited_count <= FILTER_INHERITED_MAX && is_listener(came) &&
             add_listener(came, &arrival.range))
        send(fd, "", 1, MSG_NOSIGNAL);
    else if (came >= 0)
        close(came);
    watch_end(watch);
    close(fd);
    watch_free(watch_owner(watch, struct comer, watch));
}

static void entrance_ready(struct watch *watch, uint32_t events)
{
    // cppcheck-suppress nullPointer ; this is libc's, which takes NULL
    int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct comer *comer = fd < 0 ? NULL : calloc(1, sizeof(*comer));
    struct timespec nap = { 0, NAP_NS };

    (void)events;
    if (fd < 0) { /* no descriptor left: they stay in the queue, and epoll would tell of them at once */
        pthread_mutex_unlock(&lock);
        nanosleep(&nap, NULL);
        pthread_mutex_lock(&lock);
    }
    if (comer) {
        comer->watch = (struct watch){ .fd = fd, .ready = comer_ready };
        if (watch_for(&comer->watch, EPOLLIN) == 0) return;
    }
    free(comer);
    if (fd >= 0) close(fd);
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
    bell = (struct watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = bell_rang };
    if (bell.fd < 0 || watch_for(&bell, EPOLLIN)) return -errno;
    entrance.ready = entrance_ready;
    memcpy(entrance_path, address.sun_path, sizeof(entrance_path));
    memcpy(path, address.sun_path, (size_t)length + 1);
    return watch_for(&entrance, EPOLLIN);
}

/* ---- the loop ---- */

static void turn(void)
{
    int pause;

    loop_pause = sooner(pump_retry() ? RETRY_MS : -1, sock_sweep());
    pause = loop_pause = sooner(loop_pause, held_pause());
    pthread_mutex_unlock(&lock);
    watch_wait(pause);
    pthread_mutex_lock(&lock);
    if (finishing) return;
    watch_act();
    if (held_pause() >= 0) held_retry(true);
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

/* Each socket takes two descriptors of ours. The command is there already, with the limit that the user wants. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED) return;
    limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int supervisor_start(void)
{
    sigset_t all, before;
    int error;

    raise_file_limit();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&loop, NULL, serve, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) return -error;
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
    finishing = false;
    job_allow(true);
    remote_forget();
    guard_start();
    pthread_mutex_lock(&lock);
    for (struct listener *listener = listeners; listener; listener = listener->next) {
        start_thread(listener);
        if (!listener->threaded) watch_for(&listener->watch, EPOLLIN);
    }
    while (listeners)
        turn();
    if (entrance_path[0]) unlink(entrance_path);
}

/* Without the lock: meanwhile all are served. */
static void end_jobs(void)
{
    struct timespec nap = { 0, NAP_NS };
    uint64_t limit_ns = clock_mono_ns() + PATIENCE_NS;

    pthread_mutex_lock(&lock);
    job_allow(false);
    while (job_count() && clock_mono_ns() < limit_ns) {
        pthread_mutex_unlock(&lock);
        nanosleep(&nap, NULL);
        pthread_mutex_lock(&lock);
    }
    held_end_jobs();
    pthread_mutex_unlock(&lock);
}

void supervisor_finish(bool lets_run)
{
    uint64_t one = 1;
    pid_t child = -1;

    if (!started) return;
    if (lets_run) end_jobs();
    pthread_mutex_lock(&lock);
    finishing = true;
    pthread_mutex_unlock(&lock);
    while (write(bell.fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(loop, NULL);
    pthread_mutex_lock(&lock);
    if (lets_run || !listeners) guard_end();
    if (lets_run && listeners) {
        end_threads();
        child = fork();
    }
    if (child == 0) {
        serve_the_rest();
        _exit(0);
    }
    if (child < 0 && entrance_path[0]) unlink(entrance_path);
    pthread_mutex_unlock(&lock);
}
