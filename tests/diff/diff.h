/*
 * The differential fuzzer: random sequences of socket calls, whose results are written down as text, one line a
 * step. The same steps have to give the same lines on a real kernel and on pocketcan; run-diff compares them.
 *
 * A step is a line of words: a process, an operation, its operands, and options as key=value:
 *
 *     p0 send s3 cc:123:8:41 call=sendto to=i1
 *
 * p0..p2 are processes, s0..s11 and e0..e1 the sockets and epoll descriptors that a process holds, i0..i3 links.
 * A coordinator lets one process do one step at a time, so a sequence has one outcome only. Steps are generated
 * without looking at results: any of them may be left out and the rest still means something, which is what makes
 * shrinking simple.
 *
 * Plain SocketCAN, libc only: the same binary runs on both sides.
 */
#ifndef DIFF_H
#define DIFF_H

#include <linux/can.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PROCESSES  3
#define STARTED    2 /* processes there are from the start; the others come by fork */
#define SLOTS      12
#define EPOLLS     2
#define LINKS      4
#define STEP_SIZE  4096
#define TRACE_SIZE 32768
#define INDEXES    256

struct diff_process {
    pid_t pid;
    int pidfd;         /* the coordinator's */
    int fd[SLOTS];     /* -1: none */
    int epoll[EPOLLS]; /* likewise */
};

struct diff_link {
    int index; /* 0: there is none now */
    int peer;  /* link at the other end, or -1 */
    bool renamed, up;
};

/* Shared by all processes; only the one whose turn it is touches it. */
struct diff_world {
    struct diff_process process[PROCESSES];
    struct diff_link link[LINKS];
    struct {
        int index, link, serial;
    } known[INDEXES]; /* every index that a link of this sequence ever had */
    int known_count;
    uint32_t registrations;                          /* with epoll descriptors */
    int command[PROCESSES][2], done[2], transfer[2]; /* pipes; a pair of AF_UNIX sockets */
    bool shared;                                     /* sockets were, with other processes */
    int memory;                                      /* the descriptor behind this memory */
    char step[STEP_SIZE];
    char trace[TRACE_SIZE];
    size_t used;
};

extern struct diff_world *world;

/* ---- diff.c: what a step did, in words ---- */
void out(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "= N", or "= -ENAME" for -1 and errno */
void out_result(long long result);
/* bytes in hex; of long ones the first, and a checksum of all */
void out_bytes(const void *bytes, size_t size);

/* ---- step.c: the words of a step ---- */
struct step {
    char text[STEP_SIZE];
    char *word[32]; /* operands */
    int words;
    char *option[24]; /* key=value */
    int options;
    int process;
    const char *operation;
};

bool step_parse(struct step *step, const char *line);
const char *step_text(const struct step *step, const char *key, const char *otherwise);
long long step_number(const struct step *step, const char *key, long long otherwise);
const char *step_word(const struct step *step, int at);
long long step_value(const struct step *step, int at);
/* The index and the name of a link's word: i0..i3, any, none, neg, lo. */
int step_index(const char *word);
const char *step_name(const char *word);
/* The descriptor of "s3" or "e0" in the process of the step, or -1. */
int *step_slot(const struct step *step, int at);
int step_fd(const struct step *step, int at);
/* The word of an index: "i0.2" is what i0 was after it was created for the third time. */
const char *step_index_word(int index);
/* A frame's word in bytes; returns how many. */
size_t step_frame(const char *word, uint8_t *bytes, size_t room);

/* A call by its function, or with sys=1 through syscall(2). */
#define STEP_CALL(step, name, ...)                                                                           \
    (step_number(step, "sys", 0) ? syscall(SYS_##name, __VA_ARGS__) : name(__VA_ARGS__))

/* ---- calls.c, files.c, frames.c, links.c, names.c: what steps do; each returns whether it knows the operation ---- */
void calls_catch_signals(void);
/* Before a descriptor is closed, see calls.c. */
void calls_unregister(int fd);
bool calls_run(const struct step *step);
bool files_run(const struct step *step);
bool frames_run(const struct step *step);
bool links_run(const struct step *step);
bool names_run(const struct step *step);
/* Deletes every link of the sequence. */
void links_forget(void);

/* ---- generate.c ---- */
/* The steps of a seed, a line each; allocated. */
char *generate(uint64_t seed, int count);

#endif
