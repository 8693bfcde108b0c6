/*
 * bench [-i LINK] [-r REPETITIONS] [-s SECONDS] [MEASUREMENT]...
 *
 * Measures SocketCAN on an interface (default vcan0) and prints a JSON line for every figure. tests/bench/run makes a table of
 * them; docs/performance.md says what they mean.
 */
#include "bench.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define WATCHDOG_SECONDS 300 /* a measurement takes seconds, under emulation some more; this bounds a hang */

struct settings settings = { .link = "vcan0", .repetitions = 7 };

static const struct measurement {
    const char *name, *what;
    void (*run)(void);
    bool on_request; /* not part of "all" */
    bool no_can;
} measurements[] = {
    { "frames", "write and read, CAN and CAN FD, against AF_UNIX", bench_frames, false, false },
    { "waiting", "loops of poll or epoll and read", bench_waiting, false, false },
    { "stream", "frames a second between two processes", bench_stream, false, false },
    { "roundtrip", "two blocking processes", bench_roundtrip, false, false },
    { "fanout", "the sender's cost for 1 to 64 receivers", bench_fanout, false, false },
    { "filters", "the sender's cost with 1000 sockets that want other frames", bench_filters, false, false },
    { "isotp", "ISO-TP: PDUs of 4095 bytes, single frames back and forth", bench_isotp, false, false },
    { "jobs", "how late the frames of a thousand BCM jobs, each a sequence of 64, are", bench_jobs, false,
      false },
    { "buses", "simulated buses: how late frames are, what they cost, how fast they can go", bench_buses,
      false, false },
    { "calls", "read, write and poll of an ordinary fd with and without LD_PRELOAD", bench_calls, false,
      true },
    { "start", "start of a program with and without LD_PRELOAD", bench_start, false, true },
    { "offer", "sends N frames, R a second, for every line \"N R\" of stdin", offer_frames, true, true },
    { "hold", "opens N sockets for every line \"N\" of stdin, and answers it", hold_sockets, true, true },
    { "calls-worker", "what \"calls\" starts", calls_worker, true, true },
};
#define MEASUREMENT_COUNT (sizeof(measurements) / sizeof(*measurements))

void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void die_because(const char *format, ...)
{
    va_list arguments;

    fputs("bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static void usage(void)
{
    fputs("usage: bench [-i LINK] [-r REPETITIONS] [-s SECONDS] [MEASUREMENT]...\n"
          "  -i LINK         the interface (vcan0): up, MTU 72 or more\n"
          "  -r REPETITIONS  how often each measurement is made (7)\n"
          "  -s SECONDS      how long each takes (2.8)\n"
          "Without a MEASUREMENT, or with \"all\": all but the last three of\n",
          stderr);
    for (unsigned i = 0; i < MEASUREMENT_COUNT; i++)
        fprintf(stderr, "  %-14s %s\n", measurements[i].name, measurements[i].what);
    exit(2);
}

static double positive_number(const char *text, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (*end || end == text || !(value > 0) || value > max) usage();
    return value;
}

static void run_here(void *context)
{
    const struct measurement *m = context;

    alarm(WATCHDOG_SECONDS);
    m->run();
    fflush(stdout);
    _exit(0);
}

/* In a process of its own, which takes its sockets with it: one left open would receive what the next measurement sends. */
static void run(const struct measurement *m)
{
    int status;

    if (!m->no_can && !settings.depth) settings.depth = can_depth();
    if (m->on_request) {
        m->run();
        return;
    }
    if (waitpid(peer_start(run_here, (void *)m), &status, 0) < 0) die("waitpid");
    if (status) die_because("%s failed with wait status %#x", m->name, (unsigned)status);
}

static void run_all(void)
{
    for (unsigned i = 0; i < MEASUREMENT_COUNT; i++)
        if (!measurements[i].on_request) run(&measurements[i]);
}

static void run_named(const char *name)
{
    if (!strcmp(name, "all")) {
        run_all();
        return;
    }
    for (unsigned i = 0; i < MEASUREMENT_COUNT; i++)
        if (!strcmp(measurements[i].name, name)) {
            run(&measurements[i]);
            return;
        }
    usage();
}

/* "filters" opens a thousand sockets. */
static void raise_fd_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");
}

int main(int argc, char **argv)
{
    double seconds = 2.8;
    int option;

    while ((option = getopt(argc, argv, "i:r:s:")) != -1) {
        switch (option) {
        case 'i': settings.link = optarg; break;
        case 'r': settings.repetitions = (unsigned)positive_number(optarg, REPETITIONS_MAX); break;
        case 's': seconds = positive_number(optarg, 1000); break;
        default: usage();
        }
    }
    if (!settings.repetitions) usage();
    settings.repetition_ns = (uint64_t)(seconds * 1e9 / settings.repetitions);
    raise_fd_limit();
    if (optind == argc) run_all();
    for (; optind < argc; optind++)
        run_named(argv[optind]);
    return 0;
}
