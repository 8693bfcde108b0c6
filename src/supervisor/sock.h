/* supervisor/sock.h - the CAN sockets of the programs that come through this door.
 *
 * A program holds one end of a pair of datagram sockets (pair.h); we hold the other end, and the real socket. The pump (pump.h) takes frames out of the real
 * one's ring and puts each into the pair as a packet of its own: read, poll, select, epoll, time-outs, O_NONBLOCK, dup, fork, exec and passing are
 * the kernel's business. What a packet does not say (time, interface, flags) waits in `notes` for those who call recvmsg(2).
 *
 * A socket is found by the inode of the program's end, whoever holds it, under whatever number. It ends soon after nobody does. */
#ifndef SUPERVISOR_SOCK_H
#define SUPERVISOR_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "bus/ring.h"
#include "sockets/family.h"
#include "supervisor/pair.h"
#include "supervisor/watch.h"

#define SOCK_NOTES       512u
#define SOCK_PACKET_MAX  262144u /* of one frame, message or PDU */
#define SOCK_CONTROL_MAX 256u
#define SOCK_ABOUT       offsetof(struct ring_item, frame)
#define SOCK_START       16u

/* What the funnel told of a message of the daemon's protocols. */
struct sock_told {
    int flags;
    uint32_t name_size, control_size;
    struct sockaddr_can name;
    uint8_t control[SOCK_CONTROL_MAX];
};

/* What a packet in the pair does not say, and what to know it by. */
struct sock_note {
    uint32_t charge; /* what the kernel counts for the packet */
    uint32_t size;
    bool is_copy; /* of the first message of the socket's queue, which goes when this goes */
    uint8_t start[SOCK_START];
    union {
        _Alignas(8) uint8_t item[SOCK_ABOUT]; /* struct ring_item but for the frame */
        struct sock_told told;
    };
};

struct sock {
    struct sock *next;            /* of the same bucket */
    struct sock *after, **before; /* of all */
    struct watch ring, pair;      /* the real socket; our end of the pair */
    struct pair ends;
    uint64_t inode; /* of the program's end */
    uint32_t slot;
    bool is_raw;    /* CAN_RAW: its reads are the kernel's */
    bool has_items; /* that, or AF_PACKET: what it receives is a ring_item */
    int kept_fd;    /* the program's end, where we may not borrow it; else -1 */

    uint32_t moved; /* how often something came to the program's end */
    bool full;      /* waits until the program has taken something */
    bool has_next;  /* a frame has been taken from the ring, and waits for room */
    bool refuses;   /* what was written past us waits for room on the bus */
    bool blocked;   /* the program's end is not writable */
    bool is_copied; /* it may be written past us */

    /* errors.c: */
    uint32_t error;      /* what the program's end shows, and it has not been told */
    bool brought;        /* it is in the slot, for a call that may tell it */
    bool shows_queue;    /* it shows that the error queue has messages, too */
    uint32_t queue_seen; /* its head, then */

    uint8_t *next_bytes;
    struct sock_note next_note;

    struct sock_note *notes;
    uint32_t first, count; /* notes[] of packets in the pair */
    uint32_t charge;       /* their sum, as the kernel counts them for the pair */
    uint32_t can_charge;   /* and as it would count them for a CAN socket */
    bool took;             /* one was taken out since SIOCGSTAMP was asked last ... */
    uint64_t last_ns;      /* ... and came at this time; 0: not known */
};

extern const struct bus *sock_bus;

/* socket(2): *program_fd is the end to hand over; the caller closes it. 0 or -errno. */
int sock_open(int domain, int type, int protocol, pid_t process, struct sock **out, int *program_fd);
/* The same for a socket of the funnel's that is there already; it is taken over, also if it fails. */
int sock_adopt(int fd, pid_t process, struct sock **out, int *program_fd);
struct sock *sock_find(uint64_t inode);
/* Nobody holds it any more. */
void sock_end(struct sock *sock);
/* May end the one it is given. */
void sock_each(void (*act)(struct sock *));
bool sock_any(void);

/* Keeps the program's end, because it cannot be borrowed. */
void sock_keep(struct sock *sock, int fd);
/* Ends those that nobody holds: looks now and then, and soon after calls that may have closed one. Returns in how many milliseconds it wants to look
 * again; -1: there are none. */
int sock_sweep(void);
int sock_pause(void);
/* A descriptor of ours may be about to be closed. */
void sock_look_soon(void);
/* Looks if so: before a call that could see that it is still there. */
void sock_look(void);

/* A packet went into the pair: notes it. `note` but for its charge. */
void sock_remember(struct sock *sock, const struct sock_note *note);
/* Forgets the notes of packets that have been taken out. */
void sock_catch_up(struct sock *sock);
/* The note of a packet that we just took out, or peeked at; NULL: none fits. */
const struct sock_note *sock_recall(struct sock *sock, const void *bytes, size_t size, bool peek);

#endif
