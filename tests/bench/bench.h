/*
 * What the files of the benchmark share. The program knows libc and <linux/can*.h> only, so that the same binary measures
 * pocketcan and a real kernel.
 *
 * A measurement runs slices of a fraction of a millisecond, and in every slice each of the things that are compared, one after
 * the other: a busy neighbour hits them all. The value of a repetition is the median of its slices, and all
 * repetitions are printed.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <linux/can.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REPETITIONS_MAX 50u
#define SAMPLES_MAX     4096u /* of one repetition; more are not kept */

/* How to measure: set by main() before any measurement, constant afterwards. */
struct settings {
    const char *link;       /* interface, up, MTU >= 72 */
    unsigned repetitions;   /* 1..REPETITIONS_MAX */
    uint64_t repetition_ns; /* how long slices are run for each */
    unsigned depth;         /* frames that an unread socket holds (at most DEPTH_WANTED) */
};
extern struct settings settings;
#define DEPTH_WANTED 1000u

/* ---- bench.c ---- */

/* Says on stderr which call failed, with errno, and exits with 1. */
void die(const char *what) __attribute__((noreturn));
/* The same for a result that is no error of a call. */
void die_because(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* ---- series.c ---- */

/* One figure over time. */
struct series {
    char name[32], unit[16];
    unsigned sample_count, value_count;
    double sample[SAMPLES_MAX];    /* of the repetition under way */
    double value[REPETITIONS_MAX]; /* median of the samples of each finished one */
};

uint64_t now_ns(void); /* CLOCK_MONOTONIC */
/* `count` empty series; named by series_name(). Never freed: a program measures a few things and ends. */
struct series *series_new(unsigned count);
void series_name(struct series *series, const char *unit, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void series_add(struct series *series, double sample);
/* Runs slices - one to warm up, then as many as fit each repetition, at least one - and prints a JSON line per series:
 * {"name": "classic.write", "unit": "ns", "samples": N, "values": [one per repetition]} */
void measure(struct series *series, unsigned count, void (*slice)(struct series *series, void *context),
             void *context);

/* ---- can.c ---- */

int can_new(void);     /* a CAN_RAW socket, unbound */
void can_bind(int fd); /* to settings.link */
int can_open(void);    /* both */
/* Receives CAN FD frames too. */
void can_enable_fd(int fd);
/* Receives only this id. */
void can_filter_id(int fd, canid_t id);
void can_filter_all(int fd);
void can_filter_none(int fd);
/* A connected pair of AF_UNIX datagram sockets. */
void unix_open(int fd[2]);
struct can_frame can_example(void);     /* 8 bytes */
struct canfd_frame canfd_example(void); /* 64 bytes */
/* How many classic frames an unread socket holds, looking no further than DEPTH_WANTED. */
unsigned can_depth(void);
/* The frames that are written before any is read: 200, or less where sockets hold less. */
unsigned can_batch(void);

/* Writes or reads `count` times `size` bytes; ns per call. Anything but success ends the program. */
double write_each_ns(int fd, const void *data, size_t size, unsigned count);
double read_each_ns(int fd, size_t size, unsigned count);

/* ---- peers.c: other processes ---- */

/* A child that runs `body` and never returns from it; it dies with its parent. */
pid_t peer_start(void (*body)(void *context), void *context);
void peer_end(pid_t pid);
/* Zeroed memory that children share. */
void *peer_memory(size_t size);

/* Where the two processes of a measurement run. The scheduler would choose one or the other, now this way, now that, and a sleeping
 * CPU takes long to wake: so both are measured. Peers are pinned to one CPU; the parent moves. */
enum placement { TOGETHER, APART, PLACEMENTS };
extern const char *const placement_name[PLACEMENTS];
unsigned placement_count(void);             /* on one CPU only TOGETHER */
void placement_peer(void);                  /* called by a peer: it runs there from now on */
void placement_enter(enum placement where); /* called by the parent */
void placement_leave(void);                 /* it runs anywhere again */

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* ---- the measurements: each runs in a process of its own and leaves it with its sockets open ---- */

void bench_frames(void);    /* frames.c: writing and reading, against AF_UNIX */
void bench_waiting(void);   /* waiting.c: loops of poll or epoll and read */
void bench_stream(void);    /* stream.c: frames a second between two processes */
void bench_roundtrip(void); /* roundtrip.c: ping-pong of two blocking processes */
void bench_fanout(void);    /* receivers.c: 1 to 64 receivers of each frame */
void bench_filters(void);   /* receivers.c: 1000 sockets that want other frames */
void bench_isotp(void);     /* isotp.c: PDUs, and single frames back and forth */
void bench_jobs(void);      /* jobs.c: a thousand cyclic jobs of CAN_BCM */
void bench_buses(void);     /* buses.c: simulated buses */
void bench_calls(void);     /* program.c: what an ordinary fd pays for the library */
void bench_start(void);     /* program.c: what the start of a program pays for it */

/* program.c: a process whose calls bench_calls() times, commanded over stdin and stdout. */
void calls_worker(void);
/* hold.c: opens bound sockets for somebody else to look at, commanded over stdin and stdout. */
void hold_sockets(void);
/* offer.c: sends frames at a rate, commanded over stdin and stdout. */
void offer_frames(void);

#endif
