/* daemon/engine.h - runs the protocol machines of src/can (BCM, ISO-TP) for the sockets that programs have: frames, timers, connections.
 *
 * The worker's one thread runs all of it. See sockets/service.h for the other side. */
#ifndef DAEMON_ENGINE_H
#define DAEMON_ENGINE_H

#include "bus/mqueue.h"
#include "can/bcm.h"
#include "can/isotp.h"
#include "daemon/inbox.h"
#include "sockets/ctl.h"
#include "sockets/service.h"

struct engine {
    struct can_host host; /* what the machines see of us */
    struct timers timers;
    struct subscriptions subscriptions;
    struct inbox inbox; /* open while there is a socket */
    const struct bus *bus;
    int data_fd;  /* the memfd `data`, for windows */
    int token_fd; /* datagram socket for wake-ups */
    struct loop_source clock;
    uint64_t clock_at;   /* when it rings; TIMERS_NEVER: not */
    uint64_t expired_at; /* when timers had their turn last */
    struct engine_socket *sockets;
    uint64_t now;                 /* of the event that is being handled */
    uint64_t real_offset;         /* CLOCK_REALTIME - CLOCK_MONOTONIC */
    unsigned frames;              /* served since the clock was read */
    struct {                      /* for frames that follow soon: engine_host.c */
        uint64_t since;           /* when the last frame was served */
        bool on, off;             /* it watches; it sleeps as soon as it can */
        bool asleep;              /* it was, until this turn */
        unsigned restraint, left; /* sleeps without watching: after the last failure, and still to come */
        uint64_t slept;           /* when it fell asleep last */
    } watch;
    struct engine_socket *of_slot[SOCKETS_MAX];
    void *window[SOCKETS_MAX];
};

/* For bus->to_self. */
void engine_take_own(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
                     const struct ring_meta *meta);

/* bus, data_fd and token_fd are set. Sockets of an earlier worker are told that they are lost. Returns 0 or -errno. */
int engine_start(struct engine *engine);

/* CTL_SOCKET: takes over a connection. Returns 0, or -errno: then it stays the caller's. */
int engine_adopt(struct engine *engine, int fd, const struct ctl_socket *request);

/* Each turn of the loop: lets timers expire, hands out what the machines sent, and sets the clock for the next. Returns whether there is more to do
 * at once. */
bool engine_turn(struct engine *engine);

/* Before what a program asks is answered: what was sent before it is seen by the machines. */
void engine_catch_up(struct engine *engine);

/* An interface is gone; its sockets have their errors already. */
void engine_link_gone(struct engine *engine, uint32_t ifindex);

/* One token for a socket of ours; one whose holders are gone is looked at. */
void engine_nudge(struct engine *engine, uint32_t slot);

/* The worker ends. */
void engine_stop(struct engine *engine);

/* engine_host.c's part of engine_start(). */
int engine_host_start(struct engine *engine);

/* ---- for the protocols: engine_bcm.c, engine_isotp.c ---- */

struct engine_protocol;
struct engine_socket {
    struct loop_source
        source; /* the connection; fd -1: its holders are gone, and it finishes what it has begun */
    struct engine *engine;
    const struct engine_protocol *protocol;
    struct engine_socket *next, **link;
    uint32_t slot, gen;
    struct mqueue_writer writer;
    struct timer last; /* engine_forget() */
    union {
        struct bcm bcm;
        struct {
            struct isotp isotp;
            void *pdu;                /* being sent */
            struct loop_source reply; /* who waits for its end, fd -1: nobody */
            bool ballast;             /* its request lies unread in the connection */
        };
    };
};

struct engine_protocol {
    uint32_t number;      /* CAN_BCM, CAN_ISOTP */
    bool leaves_requests; /* they are looked at, and taken when the protocol says so: engine_take_request() */
    void (*start)(struct engine_socket *socket);
    /* A request, with its payload in engine_payload. *reply is the pair's end: the callee's if it sets -1, else answered with what is
     * returned. */
    int (*request)(struct engine_socket *socket, const struct service_request *request, int *reply);
    void (*link_gone)(struct engine_socket *socket, uint32_t ifindex);
    /* Nobody holds it any more. Returns true when it still has to finish something: engine_forget() then ends it. */
    bool (*hung_up)(struct engine_socket *socket);
    void (*end)(struct engine_socket *socket);
};
extern const struct engine_protocol engine_bcm, engine_isotp;

/* The payload of the request that is being served. */
extern uint8_t engine_payload[SERVICE_PAYLOAD_MAX];

/* The slot; NULL when it belongs to somebody else by now. */
struct bus_slot *engine_slot(const struct engine_socket *socket);
/* connect(2), bind(2): 0 or -ENODEV. 0: any. A pending ENETDOWN when it is down. */
int engine_bind(struct engine_socket *socket, uint32_t ifindex, bool tell_down);
/* Queues a message for the program and wakes it. False: no room. */
bool engine_put(struct engine_socket *socket, const struct mqueue_message *message, const struct iovec *parts,
                unsigned count);
/* Sets the pending error and wakes the program. */
void engine_error(struct engine_socket *socket, int error);
void engine_answer(int reply, int result);
/* Takes the request that was left unread. */
void engine_take_request(struct engine_socket *socket);
/* A socket whose holders are gone has finished: it goes when this event is over. */
void engine_forget(struct engine_socket *socket);

#endif
