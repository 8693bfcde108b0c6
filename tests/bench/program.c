/*
 * What programs pay that have nothing to do with CAN: their reads and writes ("calls") and their start ("start"), with the LD_PRELOAD
 * of the environment and without. Nothing is measured where there is none.
 */
#include "bench.h"
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PLAIN, PRELOAD, KINDS };
static const char *const kind_name[] = { "plain", "preload" };

static char **environment[KINDS];

static bool is_preloaded(const char *measurement)
{
    size_t count = 0, kept = 0;

    if (!getenv("LD_PRELOAD")) {
        printf("{\"name\": \"%s\", \"skipped\": \"LD_PRELOAD is not set\"}\n", measurement);
        return false;
    }
    while (environ[count])
        count++;
    environment[PRELOAD] = environ;
    environment[PLAIN] = calloc(count + 1, sizeof(char *));
    if (!environment[PLAIN]) die("calloc");
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "LD_PRELOAD=", 11) != 0) environment[PLAIN][kept++] = environ[i];
    return true;
}

/* ---- calls ---- */

#define CALLS 1000u

enum { READ, WRITE, EVENTFD, POLL, CALL_KINDS };
static const char *const call_name[] = { "read", "write", "eventfd", "poll" };

static double eventfd_each_ns(int fd)
{
    uint64_t start = now_ns(), value = 1;

    for (unsigned i = 0; i < CALLS / 2; i++)
        if (write(fd, &value, sizeof(value)) != sizeof(value) ||
            read(fd, &value, sizeof(value)) != sizeof(value))
            die("eventfd");
    return (double)(now_ns() - start) / CALLS;
}

static double poll_each_ns(int fd)
{
    struct pollfd item = { .fd = fd, .events = POLLIN };
    uint64_t start = now_ns();

    for (unsigned i = 0; i < CALLS; i++)
        if (poll(&item, 1, 0) != 1) die("poll");
    return (double)(now_ns() - start) / CALLS;
}

void calls_worker(void)
{
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int event = eventfd(0, EFD_CLOEXEC);
    double ns[CALL_KINDS];
    char go;

    if (zero < 0 || null < 0 || event < 0) die("open");
    while (read(STDIN_FILENO, &go, 1) == 1) {
        ns[READ] = read_each_ns(zero, 1, CALLS);
        ns[WRITE] = write_each_ns(null, &go, 1, CALLS);
        ns[EVENTFD] = eventfd_each_ns(event);
        ns[POLL] = poll_each_ns(zero);
        if (write(STDOUT_FILENO, ns, sizeof(ns)) != (ssize_t)sizeof(ns)) break;
    }
}

struct worker {
    pid_t pid;
    int command, answer;
};

static struct worker worker_start(unsigned kind)
{
    char name[] = "bench", measurement[] = "calls-worker", *arguments[] = { name, measurement, NULL };
    posix_spawn_file_actions_t actions;
    struct worker worker;
    int command[2], answer[2];

    if (pipe2(command, O_CLOEXEC) || pipe2(answer, O_CLOEXEC)) die("pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, command[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, answer[1], STDOUT_FILENO);
    if (posix_spawn(&worker.pid, "/proc/self/exe", &actions, NULL, arguments, environment[kind]))
        die("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(command[0]);
    close(answer[1]);
    worker.command = command[1];
    worker.answer = answer[0];
    return worker;
}

static void calls_slice(struct series *series, void *context)
{
    const struct worker *worker = context;
    double ns[CALL_KINDS];

    for (unsigned kind = 0; kind < KINDS; kind++) {
        if (write(worker[kind].command, "g", 1) != 1) die("write to worker");
        if (read(worker[kind].answer, ns, sizeof(ns)) != (ssize_t)sizeof(ns)) die("read from worker");
        for (unsigned call = 0; call < CALL_KINDS; call++)
            series_add(&series[call * KINDS + kind], ns[call]);
    }
}

void bench_calls(void)
{
    struct series *series = series_new(CALL_KINDS * KINDS);
    struct worker worker[KINDS];

    if (!is_preloaded("calls")) return;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        worker[kind] = worker_start(kind);
        for (unsigned call = 0; call < CALL_KINDS; call++)
            series_name(&series[call * KINDS + kind], "ns", "calls.%s.%s", call_name[call], kind_name[kind]);
    }
    measure(series, CALL_KINDS * KINDS, calls_slice, worker);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        close(worker[kind].command);
        close(worker[kind].answer);
        waitpid(worker[kind].pid, NULL, 0);
    }
}

/* ---- start ---- */

static void start_slice(struct series *series, void *context)
{
    char name[] = "true", *arguments[] = { name, NULL };

    (void)context;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        uint64_t start = now_ns();
        pid_t pid;
        int status;
        if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environment[kind])) die("posix_spawn");
        if (waitpid(pid, &status, 0) != pid || status) die_because("/bin/true failed");
        series_add(&series[kind], (double)(now_ns() - start) / 1e6);
    }
}

void bench_start(void)
{
    struct series *series = series_new(KINDS);

    if (!is_preloaded("start")) return;
    for (unsigned kind = 0; kind < KINDS; kind++)
        series_name(&series[kind], "ms", "start.%s", kind_name[kind]);
    placement_enter(TOGETHER); /* else one sees whether a CPU had to be woken for the child */
    measure(series, KINDS, start_slice, NULL);
    placement_leave();
}
