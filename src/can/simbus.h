/* can/simbus.h - a bus with controllers on it, simulated: bit times, arbitration, acknowledgements, errors, faults on demand. Pure.
 *
 * Whoever runs it owns the structs. Time is in ns of the bus's own clock and only goes on in simbus_run(). What happens is told through
 * struct simnode_ops, with the time at which it happened on the bus; these functions may call simnode_send(), and nothing else here. The same calls at the
 * same times have the same results, in the same order. */
#ifndef CAN_SIMBUS_H
#define CAN_SIMBUS_H

#include <linux/can/netlink.h>
#include "can/confinement.h"
#include "can/frame.h"

#define SIMBUS_NEVER UINT64_MAX

struct simnode;
struct simfault;

/* ---- controllers ------------------------------------------------------------------------------------------------- */

struct simnode_ops {
    /* A frame was received: `frame` is a struct can_frame or canfd_frame by `kind`, valid during the call. */
    void (*received)(struct simnode *node, const void *frame, enum frame_kind kind, uint64_t at);
    /* What simnode_send() was given is on the bus (`sent`) or was given up: one-shot mode, bus off. Another may be sent now. */
    void (*done)(struct simnode *node, bool sent, uint64_t at);
    /* An error message frame. The state may have changed: node->state. */
    void (*error)(struct simnode *node, const struct can_frame *frame, uint64_t at);
};

struct simnode_settings {
    uint32_t clock_hz;
    struct can_bittiming nominal, data; /* data.bitrate 0: none */
    uint32_t modes;                     /* CAN_CTRLMODE_* */
};

struct simnode_counts {
    uint64_t tx_frames, rx_frames;
    uint64_t tx_errors, rx_errors;        /* attempts that failed; frames that were received wrong */
    uint64_t latency_ns, latency_most_ns; /* from simnode_send() to the end of the frame: sum and most */
    uint64_t busy_ns;                     /* bus time that its frames took, failed ones included */
    uint64_t overruns;
    /* as struct can_device_stats */
    uint32_t bus_error, error_warning, error_passive, bus_off, arbitration_lost;
};

/* What a controller is doing. */
enum simnode_phase {
    SIMNODE_OFF,
    SIMNODE_JOINING, /* waits for recessive bits: 11 after start, 128 times 11 after bus off */
    SIMNODE_ON,
    SIMNODE_BUS_OFF, /* waits for simnode_restart() */
};

struct simnode {
    const struct simnode_ops *ops;
    struct simnode_settings settings;
    struct simnode_counts counts;
    struct confinement errors;
    enum can_state state; /* as last told */
    enum simnode_phase phase;
    struct simfault *faults; /* in the order in which they were made */

    /* private: see simbus_parts.h */
    struct simbus *bus;
    struct simnode *next;
    uint64_t slow_ps, fast_ps; /* of a bit */
    uint32_t joins_after;      /* JOINING: times 11 recessive bits */
    uint64_t recessive_since;
    bool pending, pause; /* has a frame; sent the last one and is error passive, so that others come first */
    enum frame_kind kind;
    struct canfd_frame frame;
    uint64_t priority, given_at, ready_at;
    uint64_t offer; /* the priority that it contended with */
    bool babbles;   /* what it sends is no frame that it was given */
    uint8_t role, own_type, own_location;
    uint8_t lost_at;         /* 0: did not lose arbitration; else one more than the bit */
    uint16_t flipped;        /* 0: none; else one more than the bit of the data that it receives wrong */
    struct can_frame report; /* error frame in the making */
};

/* Gives the controller a frame to send; it has room for one, and is to be off or on. -EBUSY: it has one. A CAN FD frame needs CAN_CTRLMODE_FD. */
int simnode_send(struct simnode *node, const void *frame, enum frame_kind kind, uint64_t now);
/* Takes part in the bus from now on: after 11 recessive bits. settings have to be complete. Counters of errors begin anew. */
void simnode_start(struct simnode *node, uint64_t now);
/* No longer. What it had to send is dropped without a word. */
void simnode_stop(struct simnode *node, uint64_t now);
/* After bus off: takes part again after 128 times 11 recessive bits. */
void simnode_restart(struct simnode *node, uint64_t now);

/* ---- faults ------------------------------------------------------------------------------------------------------- */

enum simfault_kind {
    /* Errors. Sending: every receiver sees them (SIMFAULT_BIT and SIMFAULT_ACK: the sender does). Receiving: this controller alone. */
    SIMFAULT_BIT,
    SIMFAULT_STUFF,
    SIMFAULT_FORM,
    SIMFAULT_CRC,
    SIMFAULT_ACK,
    /* Without any error. */
    SIMFAULT_LOST,    /* sending: the frame arrives nowhere; receiving: not here */
    SIMFAULT_CORRUPT, /* one bit of the data is another one */
    SIMFAULT_OVERRUN, /* receiving: the controller had no room */
    SIMFAULT_DELAY,   /* sending: the frame waits extra_ns before it takes part in arbitration */
    /* Of the controller, not of a frame; as long as the time window lasts. */
    SIMFAULT_BABBLE,   /* sends a frame with identifier `id` whenever it can */
    SIMFAULT_DOMINANT, /* holds the bus dominant */
    SIMFAULT_KINDS
};
enum { SIMFAULT_TX = 1, SIMFAULT_RX = 2 };

struct simfault {
    enum simfault_kind kind;
    unsigned directions;  /* SIMFAULT_TX, SIMFAULT_RX */
    uint32_t id, mask;    /* as struct can_filter: frames with (id ^ fault id) & mask == 0 */
    uint64_t from, until; /* bus time */
    uint32_t chance;      /* that it happens to a frame, times 2^32; 0: it always does */
    uint64_t random;      /* state of the generator: the seed */
    uint64_t left;        /* so many times; 0: any number */
    uint64_t extra_ns;
    uint64_t hits;
    bool spent;
    struct simfault *next;
};

void simnode_add_fault(struct simnode *node, struct simfault *fault);
void simnode_remove_fault(struct simnode *node, struct simfault *fault);

/* ---- the bus ------------------------------------------------------------------------------------------------------ */

struct simbus_counts {
    uint64_t frames, errors; /* that ended well; error frames on the bus */
    uint64_t busy_ns;        /* not idle: from start of frame to the end of the intermission */
    uint64_t lost_arbitration;
};

enum simbus_phase { SIMBUS_IDLE, SIMBUS_FRAME, SIMBUS_STUCK };

struct simbus {
    uint64_t now; /* of the last event */
    struct simbus_counts counts;

    /* private */
    struct simnode *nodes; /* in the order in which they were attached */
    enum simbus_phase phase;
    uint64_t began, ends; /* what is under way */
    uint64_t next_at;     /* no start of frame before that */
    uint64_t bit_ps;      /* of the sender, at its nominal rate */
    unsigned lasting;     /* faults that are no frame's: BABBLE, DOMINANT */
    uint8_t noticed;      /* NOTICED_*: how the frame fails */
    bool sender_passive;
    uint8_t tx_type, tx_location, rx_type, rx_location; /* and what senders and receivers see of that */
    enum frame_kind kind;
    struct canfd_frame frame; /* as it arrives */
    bool gone;                /* it arrives nowhere */
};

void simbus_attach(struct simbus *bus, struct simnode *node);
/* Stops it first. */
void simbus_detach(struct simnode *node, uint64_t now);

/* Takes a controller from its bus to another one, as when a line is cut or mended: what it was sending breaks off and is sent again there. */
void simbus_move(struct simnode *node, struct simbus *to, uint64_t now);

/* When something will happen, if nothing is asked for until then; SIMBUS_NEVER. */
uint64_t simbus_next(const struct simbus *bus);
/* Lets everything happen that is due at `until`. */
void simbus_run(struct simbus *bus, uint64_t until);

#endif
