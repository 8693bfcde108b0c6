/* daemon/supervisor.c - holds what an instance must not lose, and nothing that could crash.
 *
 * It owns the two memfds, the writable mapping of `control`, the listening socket DIR/ctl and the lock.
 * The worker (daemon/worker.c) is its child, forked so that it inherits all of that; the supervisor itself
 * never reads a byte that a client wrote. When the worker dies of anything but an order to end, another is
 * started on the same memory: at once the first time, then after a pause that doubles, until one has lived
 * for a while. Requests meanwhile wait in the queue of the listening socket.
 *
 *   worker exits 0      CTL_SHUTDOWN          -> end
 *   SIGTERM, SIGINT                           -> kill the worker, end
 *   LIFE_FD at its end  the private command is gone -> the same
 *   worker died                               -> start another
 * To end is to remove the files. SIGKILL of the supervisor ends the worker, too (PR_SET_PDEATHSIG); the
 * files are then left for the next starter, who sees that the lock is free. */
#include "daemon/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bus/attach.h"
#include "daemon/instance.h"
#include "daemon/privileges.h"
#include "daemon/worker.h"

#define BACKOFF_FIRST_MS 10
#define BACKOFF_LAST_MS  2000
#define END_PATIENCE_MS  500
#define LIVED_LONG_MS    10000 /* a worker that lived this long did not die of its start */
#define FILES_WANTED                                                                                         \
    16384 /* RLIMIT_NOFILE: a connection for each BCM and ISO-TP socket, see engine.c, and ctlserver.c's */
#define LISTEN_BACKLOG 512

struct supervisor {
    struct instance instance;
    struct worker_config config;     /* what each worker inherits */
    int lock_fd, signal_fd, life_fd; /* life_fd -1: not private */
    pid_t worker;                    /* 0: none, start one at restart_ms */
    int64_t worker_start_ms, restart_ms;
    int backoff_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- setting up
 * ----------------------------------------------------------------------------------------------- */

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED) return;
    limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Listens on DIR/ctl. The directory keeps others out, so the mode of the socket need not. */
static int open_listener(struct instance *instance)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/ctl", instance->dir);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, LISTEN_BACKLOG) < 0)
        return instance_fail(
            instance, -errno,
            "cannot listen on %s: %s: set POCKETCAN_DIR to a directory on a local file system",
            address.sun_path, strerror(errno));
    return fd;
}

static int take_lock(struct supervisor *super)
{
    struct instance *instance = &super->instance;
    char text[32];

    super->lock_fd = instance_lock_daemon(instance, INSTANCE_WAIT_MS, true);
    if (super->lock_fd < 0)
        return instance_fail(instance, super->lock_fd,
                             "cannot lock %s/lock: %s: another daemon holds it, `pocketcan down` ends it",
                             instance->dir, strerror(-super->lock_fd));
    int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(super->lock_fd, 0) < 0 || write(super->lock_fd, text, (size_t)size) != size)
        return instance_fail(instance, -EIO, "cannot write %s/lock: %s", instance->dir, strerror(errno));
    return 0;
}

static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int set_up(struct supervisor *super)
{
    struct instance *instance = &super->instance;
    struct worker_config *config = &super->config;
    struct timespec now;

    int error = super->life_fd >= 0 ? instance_make_private(instance) : 0;
    if (!error && access(instance->dir, R_OK | W_OK | X_OK) < 0)
        return instance_fail(instance, -errno,
                             "%s: %s: the daemon of root has no privileges of root: set POCKETCAN_DIR to a "
                             "directory that root's own files may lie in",
                             instance->dir, strerror(errno));
    if (!error) error = take_lock(super);
    if (!error) error = instance_fill(instance);
    if (error) return error;
    error = attach_create(config->memory_fds, &config->control);
    if (error)
        return instance_fail(
            instance, error,
            "cannot make sealed shared memory (memfd_create): %s: `pocketcan doctor` says more",
            strerror(-error));
    config->listen_fd = open_listener(instance);
    if (config->listen_fd < 0) return config->listen_fd;
    super->signal_fd = open_signals();
    if (super->signal_fd < 0)
        return instance_fail(instance, -errno, "cannot watch signals: %s", strerror(errno));
    clock_gettime(CLOCK_REALTIME, &now);
    config->dir = instance->dir;
    config->supervisor_pid = getpid();
    config->started_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return 0;
}

/* ---- the worker
 * ----------------------------------------------------------------------------------------------- */

_Noreturn static void become_worker(struct supervisor *super)
{
    sigset_t blocked;

    prctl(PR_SET_PDEATHSIG, WORKER_END_SIGNAL);
    if (getppid() != super->config.supervisor_pid) _exit(1);
    prctl(PR_SET_NAME, "pocketcan-work");
    close(super->signal_fd);
    if (super->life_fd >= 0) close(super->life_fd);
    sigemptyset(&blocked);
    sigaddset(&blocked, WORKER_END_SIGNAL); /* read as a descriptor */
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    _exit(worker_main(&super->config));
}

static void start_worker(struct supervisor *super)
{
    super->worker_start_ms = now_ms();
    pid_t pid = fork();
    if (pid == 0) become_worker(super);
    if (pid > 0)
        super->worker = pid;
    else /* out of processes or memory: as if it had died at once */
        super->restart_ms = super->worker_start_ms + BACKOFF_LAST_MS;
}

/* Takes note of the worker's death. Returns true when it was told to end. */
static bool reap_worker(struct supervisor *super)
{
    int status;

    if (!super->worker || waitpid(super->worker, &status, WNOHANG) != super->worker) return false;
    super->worker = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    int64_t now = now_ms();
    if (now - super->worker_start_ms > LIVED_LONG_MS) super->backoff_ms = 0;
    super->config.restarts++;
    super->restart_ms = now + super->backoff_ms;
    super->backoff_ms = super->backoff_ms ? super->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (super->backoff_ms > BACKOFF_LAST_MS) super->backoff_ms = BACKOFF_LAST_MS;
    return false;
}

/* Reads the signals that came. Returns true when the instance is to end. */
static bool take_signals(struct supervisor *super)
{
    struct signalfd_siginfo info;
    bool end = false;

    while (read(super->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo != SIGCHLD) end = true;
    return reap_worker(super) || end;
}

static void supervise(struct supervisor *super)
{
    struct pollfd fds[2] = { { .fd = super->signal_fd, .events = POLLIN },
                             { .fd = super->life_fd, .events = POLLIN } };

    for (;;) {
        int64_t wait = -1;
        if (!super->worker) {
            wait = super->restart_ms - now_ms();
            if (wait <= 0) {
                start_worker(super);
                wait = -1;
                if (!super->worker) continue;
            }
        }
        if (poll(fds, 2, (int)wait) < 0 && errno != EINTR) return;
        if (fds[1].revents || (fds[0].revents && take_signals(super))) return;
    }
}

/* ---- the whole
 * ------------------------------------------------------------------------------------------------ */

static bool ended_within(pid_t worker, int64_t patience_ms)
{
    int64_t until = now_ms() + patience_ms;

    while (waitpid(worker, NULL, WNOHANG) == 0) {
        if (now_ms() >= until) return false;
        poll(NULL, 0, 1);
    }
    return true;
}

static void end_instance(struct supervisor *super)
{
    if (super->worker) {
        kill(super->worker, WORKER_END_SIGNAL);
        if (!ended_within(super->worker, END_PATIENCE_MS)) { /* it is stopped */
            kill(super->worker, SIGKILL);
            waitpid(super->worker, NULL, 0);
        }
    }
    instance_remove(&super->instance);
}

int supervisor_main(int argc, char *argv[])
{
    struct supervisor super = { .life_fd = -1 };
    struct instance *instance = &super.instance;
    bool private = argc > 1 && !strcmp(argv[1], "--private");
    int error;

    if (argc < 2 || fcntl(NOTIFY_FD, F_SETFD, FD_CLOEXEC) < 0) {
        fprintf(stderr, "pocketcan: daemon: only started by `pocketcan up` and `pocketcan run`\n");
        return 2;
    }
    prctl(PR_SET_NAME, SUPERVISOR_COMM);
    umask(0077);
    raise_file_limit();
    privileges_drop();
    if (private && fcntl(LIFE_FD, F_SETFD, FD_CLOEXEC) == 0) super.life_fd = LIFE_FD;
    error = private ? 0 : instance_name(instance, argv[1]);
    if (!error && chdir("/") == 0) error = set_up(&super);
    if (error) {
        dprintf(NOTIFY_FD, "%s", instance->why);
        if (super.lock_fd > 0 || private) instance_remove(instance);
        return 1;
    }
    dprintf(NOTIFY_FD, "+%s", instance->dir);
    close(NOTIFY_FD);
    supervise(&super);
    end_instance(&super);
    return 0;
}
