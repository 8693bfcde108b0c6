/* cli/capture.c - see capture.h.
 *
 * This is a third way into the socket layer: what the preload library does for programs, the command does for itself. Sockets of here are not
 * in anybody's table of descriptors, so inside an instance, too, the library takes them for foreign ones and leaves them alone. */
#include "cli/capture.h"

#include <errno.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/wake.h"
#include "daemon/start.h"
#include "sockets/family.h"
#include "sockets/process.h"

#ifndef CAN_RAW_XL_FRAMES
#define CAN_RAW_XL_FRAMES 7
#endif

/* prefix: capture_ */

/* ---- sources ---- */

const struct bus *capture_attach(struct instance *instance, const char *dir)
{
    const struct bus *bus = NULL;
    int fds[2];
    int error = dir ? instance_name(instance, dir) : instance_locate(instance);

    if (!error) error = instance_enter(instance, false);
    if (!error) error = daemon_hello(instance, fds);
    if (!error) {
        close(fds[0]);
        close(fds[1]);
        process_set_dir(instance->dir, true);
        bus = process_bus();
        if (!bus) instance_fail(instance, -EPROTO, "cannot attach to %s", instance->dir);
    }
    if (!bus) fprintf(stderr, "pocketcan: %s\n", instance->why);
    return bus;
}

static int set(const struct bus *bus, const struct capture_source *source, int level, int name,
               uint32_t value)
{
    return family_setsockopt(bus, source->slot, source->fd, level, name, &value, sizeof(value));
}

static int set_up(const struct bus *bus, struct capture_source *source, const struct capture_filter *filter)
{
    const struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)source->ifindex };
    int error = raw_identify(bus, source->fd);

    if (error < 0) return error;
    source->slot = (uint32_t)error;
    error = set(bus, source, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (!error) error = set(bus, source, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (!error) error = set(bus, source, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, 1);
    if (!error) (void)set(bus, source, SOL_CAN_RAW, CAN_RAW_XL_FRAMES, 1); /* for want of memory: without */
    if (!error) error = set(bus, source, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, filter->errors);
    if (!error) error = set(bus, source, SOL_CAN_RAW, CAN_RAW_JOIN_FILTERS, filter->join);
    if (!error && filter->count)
        error = family_setsockopt(bus, source->slot, source->fd, SOL_CAN_RAW, CAN_RAW_FILTER, filter->list,
                                  (socklen_t)(filter->count * sizeof(filter->list[0])));
    if (!error) error = family_bind(bus, source->slot, source->fd, &address, sizeof(address));
    return error;
}

/* How much of "INTERFACE,FILTER..." is the interface. Its name may have commas: the longest that there is counts. */
static size_t size_of_name(const struct bus *bus, const char *word)
{
    struct link_view link;
    size_t size = strcspn(word, ","), found = size;

    while (size < IFNAMSIZ) {
        if (links_by_name(bus->control, word, size, &link) == 0) found = size;
        if (!word[size]) break;
        size += 1 + strcspn(word + size + 1, ",");
    }
    return found;
}

int capture_open(const struct bus *bus, const char *word, struct capture_source *source)
{
    static struct capture_filter filter;
    size_t size = size_of_name(bus, word);
    const char *comma = word[size] ? word + size : NULL;
    struct link_view link = { .ifindex = 0 };
    int error = 0;

    *source = (struct capture_source){ .fd = -1 };
    if (!capture_filter_parse(comma ? comma + 1 : "", &filter)) {
        fprintf(stderr, "pocketcan: %s: no filters as candump has them, such as 123:7FF,#1FFFFFFF\n", word);
        return -EINVAL;
    }
    if (size == 0 || size >= sizeof(source->name)) error = -ENODEV;
    if (!error && !(size == 3 && memcmp(word, "any", 3) == 0))
        error = links_by_name(bus->control, word, size, &link);
    if (error) {
        fprintf(stderr, "pocketcan: the instance in %s has no interface %.*s: see `pocketcan status`\n",
                bus->dir, (int)size, word);
        return error;
    }
    memcpy(source->name, word, size);
    source->ifindex = (uint32_t)link.ifindex;
    source->fd = family_socket(bus, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);
    error = source->fd < 0 ? source->fd : set_up(bus, source, &filter);
    if (error) {
        fprintf(stderr, "pocketcan: %s: %s\n", source->name, strerror(-error));
        capture_close(source);
    }
    return error;
}

void capture_close(struct capture_source *source)
{
    if (source->fd >= 0) sys_call(SYS_close, source->fd);
    source->fd = -1;
}

static void read_control(struct capture_source *source, struct capture_frame *frame, void *control,
                         size_t size)
{
    struct msghdr message = { .msg_control = control, .msg_controllen = size };
    uint32_t drops = source->drops;
    struct timespec time;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
        if (at->cmsg_level != SOL_SOCKET) continue;
        if (at->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&time, CMSG_DATA(at), sizeof(time));
            frame->time_ns = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
        } else if (at->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&drops, CMSG_DATA(at), sizeof(drops));
        }
    }
    frame->dropped = drops - source->drops;
    source->drops = drops;
}

bool capture_has(const struct bus *bus, const struct capture_source *source)
{
    return source->fd >= 0 && wake_readable(bus, source->slot);
}

bool capture_settle(const struct bus *bus, const struct capture_source *source)
{
    return source->fd < 0 || wake_settle(bus, source->slot, source->fd);
}

uint32_t capture_lost(const struct bus *bus, const struct capture_source *source)
{
    return source->fd < 0 ? 0 : load_relaxed(&bus->data->slot[source->slot].drops) - source->drops;
}

int capture_take(const struct bus *bus, struct capture_source *source, struct capture_frame *out)
{
    /* In one place, because the socket layer asks about pages that it does not know. */
    static _Alignas(8) uint8_t bytes[CAPTURE_FRAME_MAX], control[128];
    struct sockaddr_can from = { .can_ifindex = 0 };
    const struct iovec iov = { bytes, sizeof(bytes) };
    struct raw_receive message = { .iov = &iov,
                                   .iov_count = 1,
                                   .name = &from,
                                   .name_size = sizeof(from),
                                   .control = control,
                                   .control_size = sizeof(control) };
    ssize_t size = family_receive(bus, source->slot, source->fd, &message, MSG_DONTWAIT);

    if (size == -EAGAIN) return 0;
    if (size < 0) return (int)size;
    memcpy(out->bytes, bytes, (size_t)size);
    out->size = (uint32_t)size;
    out->time_ns = 0;
    out->ifindex = (uint32_t)from.can_ifindex;
    out->outbound = message.flags & MSG_DONTROUTE;
    read_control(source, out, control, message.control_size);
    return 1;
}

int capture_send(const struct bus *bus, const struct capture_source *source, const void *frame, size_t size)
{
    ssize_t sent = raw_write(bus, source->slot, source->fd, frame, size, MSG_DONTWAIT);
    return sent < 0 ? (int)sent : 0;
}

/* ---- waiting ---- */

#define LINGER_NS  100000u
#define SLEEPS_MAX 64u

bool capture_linger(struct capture_patience *patience, bool (*has)(void *context), void *context)
{
    uint64_t start_ns = clock_mono_ns();

    if (patience->sleeps) {
        patience->sleeps--;
        return false;
    }
    do {
        if (has(context)) {
            patience->last = 0;
            return true;
        }
        sched_yield();
    } while (clock_mono_ns() - start_ns < LINGER_NS);
    patience->last = patience->last < SLEEPS_MAX / 2 ? 2 * patience->last + 1 : SLEEPS_MAX;
    patience->sleeps = patience->last;
    return false;
}

/* ---- word of changes ---- */

#define GROUP_LINK 1u /* RTNLGRP_LINK, as struct sockaddr_nl has it */

void capture_watch_close(struct capture_watch *watch)
{
    if (watch->fd >= 0) close(watch->fd);
    if (watch->netlink_fd >= 0) sys_call(SYS_close, watch->netlink_fd);
    watch->fd = watch->netlink_fd = -1;
}

static int supervisor_of(const char *dir)
{
    struct ctl_status status = { 0 };
    int error = ctl_call(dir, CTL_STATUS, NULL, 0, -1, &status, sizeof(status), NULL, NULL, 0);
    return error ? error : status.supervisor_pid;
}

int capture_watch_open(const char *dir, struct capture_watch *watch)
{
    *watch = (struct capture_watch){ -1, -1, supervisor_of(dir) };
    if (watch->supervisor_pid < 0) return watch->supervisor_pid;
    watch->netlink_fd = (int)sys_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (watch->netlink_fd < 0) return watch->netlink_fd;
    int fd = ctl_watch(dir, watch->netlink_fd, GROUP_LINK);
    if (fd < 0) capture_watch_close(watch);
    watch->fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

/* Reads all there is. 1 when there was something, 0 at the end of the connection or when there was nothing: *ended says which. */
static int drain(int fd, bool *ended)
{
    char packet[CTL_PACKET_MAX];
    int any = 0;
    long size;

    while ((size = sys_call(SYS_recvfrom, fd, packet, sizeof(packet), MSG_DONTWAIT, NULL, NULL)) > 0)
        any = 1;
    *ended = size == 0 || (size < 0 && size != -EAGAIN && size != -EINTR && size != -ENOBUFS);
    return any;
}

int capture_watch_read(const char *dir, struct capture_watch *watch)
{
    int before = watch->supervisor_pid, any;
    bool ended, ignored;

    drain(watch->netlink_fd, &ignored);
    any = drain(watch->fd, &ended);
    if (!ended) return any;
    capture_watch_close(watch); /* the worker or the whole instance: ask the next worker */
    if (capture_watch_open(dir, watch) || watch->supervisor_pid != before) return -ENOENT;
    return 1;
}

/* ---- being told to end ---- */

static volatile sig_atomic_t stopped;
static int stop_fd = -1;

static void stop(int signal)
{
    const uint64_t one = 1;

    (void)signal;
    stopped = 1;
    if (write(stop_fd, &one, sizeof(one)) < 0) stopped = 1;
}

int capture_stop_fd(void)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = stop, .sa_flags = (int)SA_RESETHAND };

    if (stop_fd >= 0) return stop_fd;
    stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction before;
        sigaction(signals[i], &action, &before);
        if (signals[i] == SIGHUP && before.sa_handler == SIG_IGN) signal(SIGHUP, SIG_IGN); /* nohup */
    }
    signal(SIGPIPE, SIG_IGN); /* NOLINT(bugprone-signal-handler): nothing is handled */
    return stop_fd;
}

bool capture_is_stopped(void) { return stopped; }
