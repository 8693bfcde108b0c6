/* tests/stress/killsteps.h - what the scenarios of killsteps share. */
#ifndef TESTS_KILLSTEPS_H
#define TESTS_KILLSTEPS_H

#include <errno.h>
#include <linux/can.h>
#include <poll.h>
#include <signal.h>
#include "bus/errqueue.h"
#include "bus/imap.h"
#include "bus/program.h"
#include "bus/ring.h"
#include "stress/steps.h"
#include "unit/busmem.h"

struct scenario {
    const char *name;
    bool own_process;        /* begin runs in the child: the socket dies with it */
    void (*begin)(void);     /* before the act */
    void (*act)(void);       /* struck at the n-th step */
    void (*own_check)(void); /* in the child when it got through */
    void (*while_stopped)(void);
    void (*continued)(void);  /* the stopped one went on and is done */
    void (*after)(bool done); /* it was killed, or was done at once */
    void (*finish)(void);     /* everything of it is gone */
    bool childs; /* begin made shared->sock for the child, which is to be the only one that holds it */
};
/* Up to one without a name. */
extern const struct scenario frame_scenarios[], socket_scenarios[], option_scenarios[];

extern struct busmem mem;
extern struct bus *const bus;
extern uint32_t ifindex[2];

/* Shared with the child. */
struct shared {
    volatile int done;         /* the act is over */
    volatile int go;           /* the child may check its own side and leave */
    volatile int wrong;        /* bits that a scenario keeps while the child is stopped */
    struct busmem_socket sock; /* the child's */
};
extern struct shared *shared;

/* Sockets of the parent. any and first have no filter; witness has ids 5 and 6; all but any are bound to interface 0. */
extern struct busmem_socket sender, any, first, witness, newcomer;

void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A socket with filters for id_from .. id_to (none: the default filter), bound to interface `map` or IMAP_ANY. */
struct busmem_socket bound_socket(uint32_t map, uint32_t id_from, uint32_t id_to);
void send_from(const struct busmem_socket *sock, uint32_t id, uint32_t number);
/* The number of the next frame in the ring, or -1; a torn one is a failure. */
int next_number(uint32_t slot, uint32_t *id);
bool wait_readable(int fd);
void drain(uint32_t slot);

/* Sends ids 1..10 and looks whether the socket gets those from `from` to `to`, each once. */
void check_gets_exactly(const struct busmem_socket *sock, const char *who, uint32_t from, uint32_t to);
/* Every record of the ring can be used. */
void check_whole(const struct busmem_socket *sock, const char *who);

/* Ends a scenario about shared->sock: its slot comes back, and whoever has it next gets what he asked for and nothing else. */
void change_finish(void);
void witness_check(void);

/* What the daemon does each second, until everything dead is gone. */
void janitor(void);
unsigned life_of(uint32_t slot);
void check_freed(uint32_t slot);

#endif
