/*
 * Simulated buses. Eight of them at 1 Mbit/s, always busy, in real time: how late frames are read after they have ended on the bus, and what the daemon
 * takes of a CPU. And one with four controllers that runs as fast as it can. Buses are made by the command, so this is for pocketcan only.
 */
#include "bench.h"
#include <errno.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUSES    8u
#define NODES    4u /* of the fast bus */
#define LATE_MAX 200000u
#define REAL_NS  1000000000u /* of a slice */
#define FAST_NS  500000000u

struct buses {
    int epoll;
    int32_t late_us[LATE_MAX];
};

static void command(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void command(const char *format, ...)
{
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (system(line)) die_because("failed: %s", line); // NOLINT(cert-env33-c,bugprone-command-processor)
}

/* The number that a command prints. */
static double ask(const char *line)
{
    double number = 0;
    FILE *pipe = popen(line, "r"); // NOLINT(cert-env33-c,bugprone-command-processor)

    if (!pipe || fscanf(pipe, "%lf", &number) != 1)
        die_because("no number from: %s", line); // NOLINT(cert-err34-c)
    pclose(pipe);
    return number;
}

static void add_link(const char *name, const char *bus)
{
    command("pocketcan link add %s bus %s && ip link set %s txqueuelen 250 up type can bitrate 1000000", name,
            bus, name);
}

static int open_on(const char *name)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(name) };
    int fd = can_new();

    if (bind(fd, (struct sockaddr *)&address, sizeof(address))) die("bind");
    return fd;
}

/* Keeps the queues of interfaces full, from one process. */
struct offer {
    const char *format;
    unsigned count;
    long pause_ns; /* between two rounds */
};

static void offer(void *context)
{
    const struct offer *offer = context;
    struct can_frame frame = can_example();
    struct timespec moment = { 0, offer->pause_ns };
    int fd[BUSES];
    char name[16];

    for (unsigned i = 0; i < offer->count; i++) {
        snprintf(name, sizeof(name), offer->format, i); // NOLINT(clang-diagnostic-format-nonliteral)
        fd[i] = open_on(name);
        can_filter_none(fd[i]);
    }
    for (;;) {
        for (unsigned i = 0; i < offer->count; i++) {
            frame.can_id = 0x100 + i;
            while (send(fd[i], &frame, sizeof(frame), MSG_DONTWAIT) == sizeof(frame))
                ;
            if (errno != ENOBUFS) die("send");
        }
        nanosleep(&moment, NULL);
    }
}

/* ---- real time ---- */

static double worker_cpu_ns(void)
{
    char line[96];
    static int pid;

    if (!pid) pid = (int)ask("pocketcan status --json | sed -n 's/.*\"worker_pid\": \\([0-9]*\\).*/\\1/p'");
    snprintf(line, sizeof(line), "awk '{ print ($14 + $15) }' /proc/%d/stat", pid);
    return ask(line) * 1e9 / (double)sysconf(_SC_CLK_TCK);
}

static bool read_late(int fd, int32_t *late_us)
{
    struct can_frame frame;
    struct iovec iov = { &frame, sizeof(frame) };
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct timespec stamp, now;

    if (recvmsg(fd, &msg, MSG_DONTWAIT) != sizeof(frame)) return false;
    clock_gettime(CLOCK_REALTIME, &now);
    memcpy(&stamp, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(stamp));
    *late_us = (int32_t)((now.tv_sec - stamp.tv_sec) * 1000000 + (now.tv_nsec - stamp.tv_nsec) / 1000);
    return true;
}

static int compare(const void *a, const void *b)
{
    return (*(const int32_t *)a > *(const int32_t *)b) - (*(const int32_t *)a < *(const int32_t *)b);
}

static void real_slice(struct series *series, void *context)
{
    struct buses *buses = context;
    double cpu = worker_cpu_ns();
    uint64_t start = now_ns();
    unsigned count = 0;

    while (now_ns() - start < REAL_NS && count < LATE_MAX) {
        struct epoll_event events[BUSES];
        int ready = epoll_wait(buses->epoll, events, BUSES, 1000);
        for (int i = 0; i < ready; i++)
            while (count < LATE_MAX && read_late(events[i].data.fd, &buses->late_us[count]))
                count++;
    }
    if (!count) die_because("no frames");
    double span = (double)(now_ns() - start);
    qsort(buses->late_us, count, sizeof(*buses->late_us), compare);
    const int32_t *half = buses->late_us + count / 2, *most = buses->late_us + (uint64_t)count * 99 / 100;
    series_add(&series[0], *half);
    series_add(&series[1], *most);
    series_add(&series[2], 100 * (worker_cpu_ns() - cpu) / span);
    series_add(&series[3], count * 1e9 / span);
}

static void bench_real(void)
{
    struct series *series = series_new(4);
    struct buses *buses = calloc(1, sizeof(*buses));
    const struct offer busy = { "busy%ua", BUSES, 2000000 };
    int on = 1;
    char name[16], bus[16];

    if (!buses || (buses->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) die("epoll_create1");
    for (unsigned i = 0; i < BUSES; i++) {
        snprintf(bus, sizeof(bus), "busy%u", i);
        command("pocketcan bus add %s", bus);
        snprintf(name, sizeof(name), "busy%ua", i);
        add_link(name, bus);
        snprintf(name, sizeof(name), "busy%ub", i);
        add_link(name, bus);
        struct epoll_event event = { .events = EPOLLIN, .data.fd = open_on(name) };
        if (setsockopt(event.data.fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)))
            die("setsockopt(SO_TIMESTAMPNS)");
        if (epoll_ctl(buses->epoll, EPOLL_CTL_ADD, event.data.fd, &event)) die("epoll_ctl");
    }
    pid_t sender = peer_start(offer, (void *)(uintptr_t)&busy);
    series_name(&series[0], "us", "buses.late.p50");
    series_name(&series[1], "us", "buses.late.p99");
    series_name(&series[2], "%", "buses.cpu");
    series_name(&series[3], "1/s", "buses.frames");
    measure(series, 4, real_slice, buses);
    peer_end(sender);
    for (unsigned i = 0; i < BUSES; i++)
        command("pocketcan link del busy%ua && pocketcan link del busy%ub && pocketcan bus del busy%u", i, i,
                i);
    free(buses);
}

/* ---- as fast as it can ---- */

static double frames_on_fast(void)
{
    return ask("pocketcan bus show fast --json | sed -n 's/.*\"frames\":\\([0-9]*\\).*/\\1/p'");
}

static void fast_slice(struct series *series, void *context)
{
    struct timespec moment = { 0, FAST_NS };
    uint64_t start = now_ns();
    double frames = frames_on_fast(), cpu = worker_cpu_ns();

    (void)context;
    nanosleep(&moment, NULL);
    frames = frames_on_fast() - frames;
    cpu = worker_cpu_ns() - cpu;
    series_add(&series[0], frames * 1e9 / (double)(now_ns() - start) / 1e3);
    if (cpu > 0) series_add(&series[1], frames * 1e9 / cpu / 1e3);
}

static void bench_fast(void)
{
    struct series *series = series_new(2);
    const struct offer busy = { "fast%u", NODES, 50000 };
    char name[16];

    command("pocketcan bus add fast --speed max");
    for (unsigned i = 0; i < NODES; i++) {
        snprintf(name, sizeof(name), "fast%u", i);
        add_link(name, "fast");
    }
    pid_t sender = peer_start(offer, (void *)(uintptr_t)&busy);
    series_name(&series[0], "k/s", "buses.max");
    series_name(&series[1], "k/s", "buses.max.cpu");
    measure(series, 2, fast_slice, NULL);
    peer_end(sender);
    for (unsigned i = 0; i < NODES; i++)
        command("pocketcan link del fast%u", i);
    command("pocketcan bus del fast");
}

void bench_buses(void)
{
    bench_real();
    bench_fast();
}
