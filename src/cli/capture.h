/* cli/capture.h - reading what happens on interfaces of an instance: CAN_RAW sockets that want every frame, opened through the socket layer
 * without the preload library, and word of changes. One instance a process. */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include <linux/can.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bus/bus.h"
#include "daemon/instance.h"

#define CAPTURE_FRAME_MAX   2060u
#define CAPTURE_FILTERS_MAX 512u

/* ---- what is wanted ---- */

struct capture_filter {
    struct can_filter list[CAPTURE_FILTERS_MAX];
    unsigned count;
    uint32_t errors; /* classes of error frames */
    bool join;       /* all filters have to match */
};

/* Reads filters as candump takes them after the interface's name: "123:7FF,12345678~DFFFFFFF,#1FFFFFFF,j". With none, nothing is left
 * out. Returns false when they are none. */
bool capture_filter_parse(const char *text, struct capture_filter *out);

/* ---- where it comes from ---- */

struct capture_source {
    char name[LINK_NAME_SIZE]; /* "any": of all interfaces */
    uint32_t ifindex;          /* 0: of all interfaces */
    uint32_t slot;
    uint32_t drops; /* as of the last frame */
    int fd;         /* -1: it has come to its end */
};

struct capture_frame {
    uint64_t time_ns; /* since 1970 */
    uint32_t ifindex;
    uint32_t size;
    uint32_t dropped; /* how many were lost since the last one */
    bool outbound;    /* a program of the instance sent it on this interface */
    _Alignas(8) uint8_t bytes[CAPTURE_FRAME_MAX];
};

/* Finds the instance by the environment, or by `dir` if that is not NULL, and attaches to it. NULL after printing one line. */
const struct bus *capture_attach(struct instance *instance, const char *dir);

/* Opens "INTERFACE[,FILTER...]" or "any[,FILTER...]". Returns 0, or -errno after printing one line. */
int capture_open(const struct bus *bus, const char *word, struct capture_source *source);
void capture_close(struct capture_source *source);

/* Is there anything to take? Cheap. */
bool capture_has(const struct bus *bus, const struct capture_source *source);
/* Takes a frame without waiting: 1; 0 when none is there. -ENETDOWN, once, when the interface went down; -ENODEV when it is no more. */
int capture_take(const struct bus *bus, struct capture_source *source, struct capture_frame *out);
/* Before `fd` is polled: false when there is something to take; else `fd` polls readable as soon as there is. */
bool capture_settle(const struct bus *bus, const struct capture_source *source);
/* Frames that were lost after the last one that was taken. */
uint32_t capture_lost(const struct bus *bus, const struct capture_source *source);

/* Sends a frame on the source's interface; the source does not get it back. 0 or -errno, -EAGAIN and -ENOBUFS for "later". */
int capture_send(const struct bus *bus, const struct capture_source *source, const void *frame, size_t size);

/* Before sleeping: looks a moment longer whether has(context), because to be woken takes long enough for a thousand frames, which is all
 * that a socket holds. Who looks in vain, because little happens, soon does so seldom. `patience` is zero at first. */
struct capture_patience {
    unsigned sleeps,
        last; /* how often to sleep at once from now on; how often it was after the last time in vain */
};
bool capture_linger(struct capture_patience *patience, bool (*has)(void *context), void *context);

/* ---- word of changes ---- */

struct capture_watch {
    int fd;         /* readable: call capture_watch_read() */
    int netlink_fd; /* the same */
    int supervisor_pid;
};

/* 0 or -errno. */
int capture_watch_open(const char *dir, struct capture_watch *watch);
/* 0; 1 when some interface has changed; -ENOENT when the instance has ended. */
int capture_watch_read(const char *dir, struct capture_watch *watch);
void capture_watch_close(struct capture_watch *watch);

/* ---- being told to end ---- */

/* From now on SIGINT, SIGTERM and SIGHUP make this descriptor readable, the second of a kind ends the process; SIGPIPE does nothing. */
int capture_stop_fd(void);
bool capture_is_stopped(void);

#endif
