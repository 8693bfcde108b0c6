/* daemon/worker.c - the daemon's event loop: requests, and the janitor.
 *
 * One thread, one epoll set, nothing that blocks. Everything that must survive a crash lies in the shared
 * memories; what this process holds itself (connections, watchers) is what its clients can set up again.
 *
 * The tick, once a second, exists only while there is something to look after: connections that may be too
 * slow, sockets that may have died without anybody noticing. Clients open sockets without telling us, so
 * when there is none the janitor looks less and less often, and once a second again as soon as somebody
 * connects. */
#include "daemon/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <stdio.h>
#include <sched.h>
#include <sys/un.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "bus/attach.h"
#include "bus/far.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "daemon/bell.h"
#include "daemon/ctlserver.h"
#include "daemon/engine.h"
#include "daemon/linkserver.h"
#include "daemon/loop.h"
#include "daemon/show.h"
#include "daemon/simulator.h"

#define TICK_S          1
#define SLICE_NS        100000 /* the shortest that Linux gives */
#define BELL_TURN       64     /* rings of the bell before others have their turn */
#define IDLE_TICK_MAX_S 4      /* an attached program opens sockets without telling us */

struct worker {
    struct bus bus;
    struct linkserver links;
    struct ctlserver ctl;
    struct engine engine;
    struct simulator simulator;
    struct show show;
    struct loop_source timer;
    struct loop_source end;        /* WORKER_END_SIGNAL */
    struct loop_source bell;       /* bell_open() */
    unsigned tick_s;               /* seconds until the next tick; 0: none set */
    uint32_t stale[SOCKETS_MAX];   /* slot_sweep()'s memory */
    uint64_t waiting[SOCKETS_MAX]; /* slot_nudge()'s memory */
};

static struct worker worker;

static void set_tick(unsigned seconds)
{
    struct itimerspec spec = { .it_value.tv_sec = seconds };
    if (worker.tick_s == seconds) return;
    worker.tick_s = seconds;
    timerfd_settime(worker.timer.fd, 0, &spec, NULL);
}

static bool sockets_exist(void)
{
    const struct data *data = worker.bus.data;
    uint32_t high = load_relaxed(&data->slots_high);

    for (uint32_t slot = 0; slot < high && slot < SOCKETS_MAX; slot++)
        if ((load_relaxed(&data->life[slot]) & 3) != SLOT_FREE) return true;
    return false;
}

/* Looking after many sockets touches a few pages of each. They are shared and stay; only this process forgets them. */
static void forget_pages(void) { madvise(worker.bus.data, DATA_NEAR_SIZE, MADV_DONTNEED); }

/* Somebody removed the directory: nobody will find us any more. */
static bool is_lost(void)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

    snprintf(path, sizeof(path), "%s/ctl", worker.bus.dir);
    return access(path, F_OK) < 0 && errno == ENOENT;
}

static void on_tick(struct loop_source *source, uint32_t events)
{
    uint64_t ticks;
    unsigned last = worker.tick_s;

    (void)events;
    if (read(source->fd, &ticks, sizeof(ticks)) < 0) return;
    worker.tick_s = 0;
    bool busy = show_tick(&worker.show);
    if (load_relaxed(&worker.bus.data->slots_high)) {
        slot_sweep(&worker.bus, worker.stale);
        slot_nudge(&worker.bus, worker.waiting);
        forget_pages();
    }
    if (is_lost()) worker.ctl.shutdown = true;
    busy |= ctlserver_tick(&worker.ctl);
    if (busy || sockets_exist())
        set_tick(TICK_S);
    else
        set_tick(last * 2 > IDLE_TICK_MAX_S ? IDLE_TICK_MAX_S : last * 2);
}

static void on_bell(struct loop_source *source, uint32_t events)
{
    int slot = 0;

    (void)events;
    for (unsigned i = 0; i < BELL_TURN && (slot = bell_take(worker.bus.control, source->fd)) != BELL_SILENT;
         i++) {
        if (slot < 0) continue;
        if (load_relaxed(&worker.bus.data->slot[slot].protocol) > CAN_RAW)
            engine_nudge(&worker.engine, (uint32_t)slot);
        else if (wake_pending(&worker.bus, (uint32_t)slot))
            wake_nudge(&worker.bus, (uint32_t)slot, load_relaxed(&worker.bus.data->slot[slot].gen));
    }
}

/* Without it (the machine knows no abstract names) such programs are woken at the next tick. */
static void start_bell(struct control *control)
{
    worker.bell = (struct loop_source){ bell_open(control), on_bell };
    if (worker.bell.fd >= 0 && loop_add(&worker.bell, EPOLLIN) < 0) close(worker.bell.fd);
}

/* The supervisor says so, or its death does. */
static void on_end(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
    worker.ctl.shutdown = true;
}

static int watch_end(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, WORKER_END_SIGNAL);
    sigprocmask(SIG_BLOCK, &set, NULL);
    worker.end = (struct loop_source){ signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), on_end };
    return worker.end.fd < 0 ? -errno : loop_add(&worker.end, EPOLLIN);
}

/* Somebody connected, so somebody may be about to open sockets. */
static void on_client(void *context)
{
    (void)context;
    set_tick(TICK_S);
}

static int on_socket(void *context, int fd, const struct ctl_socket *request)
{
    (void)context;
    return engine_adopt(&worker.engine, fd, request);
}

static void on_link_gone(void *context, uint32_t ifindex)
{
    (void)context;
    engine_link_gone(&worker.engine, ifindex);
}

static long on_simulate(void *context, const char *text, size_t size, char *reply, size_t cap)
{
    (void)context;
    return simulator_request(&worker.simulator, text, size, reply, cap);
}

static long on_show(void *context, const char *path, size_t size, char *text, size_t room)
{
    (void)context;
    return show_answer(&worker.show, path, size, text, room);
}

static void start_show(void)
{
    worker.show.bus = &worker.bus;
    worker.show.engine = &worker.engine;
    worker.show.links = &worker.links;
    worker.ctl.show = on_show;
    show_start(&worker.show);
}

static int start_simulator(void)
{
    worker.simulator.bus = &worker.bus;
    worker.simulator.links = &worker.links;
    worker.simulator.token_fd = worker.links.token_fd;
    worker.ctl.simulate = on_simulate;
    return simulator_start(&worker.simulator);
}

static int start_engine(void)
{
    worker.engine.bus = &worker.bus;
    worker.bus.to_self = engine_take_own;
    worker.engine.token_fd = worker.links.token_fd;
    worker.links.gone = on_link_gone;
    worker.ctl.adopt = on_socket;
    return engine_start(&worker.engine);
}

#if DATA_IS_NARROW
static void *map_piece(const struct bus *bus, uint64_t offset, size_t size)
{
    void *piece = NULL;

    (void)bus;
    return attach_map_piece(worker.engine.data_fd, offset, size, &piece) ? NULL : piece;
}

static void attach_pieces(struct bus *bus)
{
    static struct far far;

    bus->far = &far;
    bus->map_piece = map_piece;
}
#else
static void attach_pieces(struct bus *bus) { (void)bus; }
#endif

static int start(const struct worker_config *config)
{
    int error = loop_open();
    if (!error) error = attach_map(&worker.bus, config->memory_fds[0], config->memory_fds[1], false);
    if (error) return error;
    worker.engine.data_fd = config->memory_fds[1];
    attach_pieces(&worker.bus);
    worker.bus.dir = config->dir;
    worker.bus.dir_size = strlen(config->dir);
    worker.links.bus = &worker.bus;
    worker.links.control = config->control;
    worker.links.token_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    worker.links.event = ctlserver_link_event;
    worker.links.context = &worker.ctl;
    worker.timer =
        (struct loop_source){ timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), on_tick };
    if (worker.links.token_fd < 0 || worker.timer.fd < 0) return -errno;
    error = loop_add(&worker.timer, EPOLLIN);
    if (error) return error;
    error = watch_end();
    if (error) return error;
    start_bell(config->control);
    error = start_engine();
    if (error) return error;
    linkserver_start(&worker.links);
    error = start_simulator();
    if (error) return error;
    start_show();
    worker.ctl.links = &worker.links;
    worker.ctl.on_client = on_client;
    memcpy(worker.ctl.memory_fds, config->memory_fds, sizeof(config->memory_fds));
    worker.ctl.status = (struct ctl_status){ .supervisor_pid = config->supervisor_pid,
                                             .worker_pid = getpid(),
                                             .worker_restarts = config->restarts,
                                             .started_ns = config->started_ns };
    set_tick(TICK_S);
    return ctlserver_start(&worker.ctl, config->listen_fd);
}

/* Programs wait for what we do, and it is done in microseconds: time slices that short, and we need not wait for the end of other
 * processes' (Linux 6.12 and later; before, the number is ignored). */
static void prefer_short_slices(void)
{
    struct { /* struct sched_attr of the kernel; its header and libc's <sched.h> exclude each other */
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = { .size = sizeof(attributes) };

    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0 ||
        attributes.policy != SCHED_OTHER)
        return;
    attributes.runtime = SLICE_NS;
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int worker_main(const struct worker_config *config)
{
    signal(SIGPIPE, SIG_IGN);
    prefer_short_slices();
    if (start(config) < 0) return 1;
    while (!worker.ctl.shutdown) {
        bool busy = engine_turn(&worker.engine);
        busy |= simulator_turn(&worker.simulator);
        if (loop_turn(!busy) < 0) return 1;
    }
    linkserver_stop(&worker.links);
    simulator_stop(&worker.simulator);
    engine_stop(&worker.engine);
    return 0;
}
