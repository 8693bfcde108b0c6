/* daemon/simulator.h - simulated buses and the controllers on them: brings can/simbus.c together with interfaces, frames and time.
 *
 * A bus is called a "wire" here, since struct bus is the shared memory. The worker's one thread runs all of it. */
#ifndef DAEMON_SIMULATOR_H
#define DAEMON_SIMULATOR_H

#include "can/simbus.h"
#include "daemon/inbox.h"
#include "daemon/linkserver.h"

#define WIRE_NAME_SIZE 16u
#define WIRE_SPEED_MAX 1000000u

struct sim_wire {
    char name[WIRE_NAME_SIZE]; /* "": not there */
    uint32_t speed;            /* so many times as fast as real time; 0: as fast as it can */
    struct simbus bus;
    unsigned cuts;                  /* faults of kind "cut" */
    uint64_t bus_start, mono_start; /* times that belong together, ... */
    uint64_t real_start;            /* ... and what the frames' time stamps count from */
    uint64_t rests_until;           /* speed 0, and nothing gets through: CLOCK_MONOTONIC; 0: it goes on */
};

#define SIM_CUT                                                                                              \
    SIMFAULT_KINDS /* a kind of fault that is not the bus's but the wire's: the interface is cut off */

/* Lies in struct control, so that the next worker goes on with it: with what is left of it, too. */
struct sim_fault {
    struct simfault fault; /* kind may be SIM_CUT */
    atomic_u32 number;     /* 0: unused; stored last */
    uint32_t index;        /* of the port */
    struct sim_port *port;
    struct sim_fault *next;
};

/* An interface of kind "can". */
struct sim_port {
    struct simnode node; /* first */
    struct simulator *simulator;
    struct sim_wire *wire; /* NULL: no such interface */
    uint32_t index, ifindex;
    struct inbox queue; /* txqueuelen: frames that wait for the controller */
    /* The frame that the controller has: whose it is. */
    uint32_t origin, origin_gen, mark, size;
    bool echoes, charged;
    uint8_t tell; /* RECORD_TELL_* */
    uint32_t tell_id;
    struct canfd_frame frame;
    /* While it is cut off, it is alone on a bus of its own. In bus time; SIMBUS_NEVER: never. */
    struct simbus alone;
    bool is_cut;
    uint64_t cut_from, cut_until;
    bool off;            /* went bus off: to be dealt with when the wire's event is over */
    uint64_t restart_at; /* bus time; SIMBUS_NEVER */
    uint64_t aborted;    /* frames that were with the controller when it stopped */
};

struct simulator {
    const struct bus *bus;
    struct linkserver *links;
    int token_fd;
    struct loop_source clock;
    uint64_t clock_at;
    uint64_t calm_until; /* CLOCK_MONOTONIC: something has just happened; the next look is due then */
    unsigned port_count, next_fault;
    struct sim_wire wire[WIRES_MAX];
    struct sim_port port[LINKS_MAX];
    struct sim_fault *faults;
};

/* bus, links and token_fd are set. Takes over what an earlier worker had. Returns 0 or -errno. */
int simulator_start(struct simulator *simulator);
/* Each turn of the loop. Returns whether there is more to do at once. */
bool simulator_turn(struct simulator *simulator);
void simulator_stop(struct simulator *simulator);

/* Return 0, -EEXIST, -ENODEV, -EINVAL (name), -ENOSPC, -EBUSY (a bus that has interfaces). */
int simulator_add_wire(struct simulator *simulator, const char *name, uint32_t speed);
int simulator_remove_wire(struct simulator *simulator, const char *name);
int simulator_set_speed(struct simulator *simulator, const char *name, uint32_t speed);
int simulator_add_link(struct simulator *simulator, const char *name, const char *wire);
int simulator_remove_link(struct simulator *simulator, const char *name);

struct sim_wire *simulator_find_wire(struct simulator *simulator, const char *name);
struct sim_port *simulator_find_port(struct simulator *simulator, const char *name);
uint64_t simulator_now(const struct sim_wire *wire);
/* Copies `fault`; -ENOSPC, -EBUSY (a second cut). Returns its number. Removal: -ENOENT. */
int simulator_add_fault(struct simulator *simulator, struct sim_port *port, const struct simfault *fault);
int simulator_remove_fault(struct simulator *simulator, unsigned number);

/* simulator_request.c: CTL_BUS. A request and its answer as JSON text; returns the answer's bytes or -errno. */
long simulator_request(struct simulator *simulator, const char *text, size_t size, char *reply, size_t cap);

#endif
