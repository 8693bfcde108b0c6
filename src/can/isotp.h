/* can/isotp.h - ISO-TP (ISO 15765-2), CAN_ISOTP: one PDU at a time each way between two identifiers (kernel's <linux/can/isotp.h>). Pure.
 *
 * One struct isotp is one bound socket. Linux 6.1.192 is what it does exactly; the names are those of ISO 15765-2: PCI, SF, FF, CF, FC, BS, STmin. */
#ifndef CAN_ISOTP_H
#define CAN_ISOTP_H

#include <linux/can/isotp.h>
#include "can/host.h"

#define ISOTP_PDU_MAX 66000u

/* All options of a socket, as set. */
struct isotp_options {
    struct can_isotp_options opts;
    struct can_isotp_fc_options fc;
    struct can_isotp_ll_options ll;
    uint32_t tx_stmin_ns, rx_stmin_ns;
    uint32_t frame_txtime_ns; /* in force: opts.frame_txtime may say "unchanged" */
};
void isotp_default(struct isotp_options *options);
/* setsockopt and getsockopt of level SOL_CAN_ISOTP, on values in our own memory. set: 0, -EINVAL, -ENOPROTOOPT. get: the value's
 * size, at most room, or -ENOPROTOOPT. A socket that is bound refuses to set with -EISCONN: its owner's business. */
int isotp_set(struct isotp_options *options, int name, const void *value, size_t size);
int isotp_get(const struct isotp_options *options, int name, void *value, size_t room);

/* bind(2)'s checks of the identifiers: 0, -EINVAL. -EADDRNOTAVAIL (equal ones) comes later in its order: isotp_check_pair. */
int isotp_check_ids(const struct isotp_options *options, uint32_t tx_id, uint32_t rx_id);
int isotp_check_pair(const struct isotp_options *options, uint32_t tx_id, uint32_t rx_id);

/* write(2)'s checks of a size: 0, -EINVAL. */
int isotp_check_size(const struct isotp_options *options, size_t size);
/* Builds the single frame of a PDU that fits one. Returns the frame's size in memory (16 or 72), or 0 when it needs more frames. */
uint32_t isotp_single_frame(const struct isotp_options *options, uint32_t tx_id, const void *pdu, size_t size,
                            struct canfd_frame *frame);

struct isotp {
    struct can_host *host;
    /* A PDU was received; it is the callee's until it returns. */
    void (*deliver)(struct isotp *isotp, const void *pdu, size_t size, uint64_t stamp_ns);
    /* Reception failed: EBADMSG, EILSEQ, ETIMEDOUT. */
    void (*error)(struct isotp *isotp, int error);
    /* The PDU given to isotp_send is done with: 0, or -ECOMM, -EMSGSIZE, -EBADMSG. Idle again; may send the next. */
    void (*sent)(struct isotp *isotp, int result);
    /* May be NULL. Asked when flow control lets a transfer go on; false gives it up, and sent() is not called. */
    bool (*wanted)(struct isotp *isotp);
    uint64_t origin;
    uint32_t ifindex, tx_id, rx_id;
    struct isotp_options options;
    struct { /* isotp_tx.c */
        int state;
        const uint8_t *pdu;
        uint32_t size, at;     /* at: bytes that were sent */
        uint8_t sn, bs, block; /* block: CFs sent of this block */
        uint64_t gap_ns;
        struct timer timer;
        struct canfd_frame last; /* whose echo is awaited */
    } tx;
    struct {          /* isotp_rx.c */
        uint8_t *pdu; /* NULL: nothing is being received */
        uint32_t size, at, frame_len;
        uint8_t sn, block;
        uint64_t last_stamp_ns;
        struct timer timer;
    } rx;
    struct subscription rx_frames, echoes;
};

/* Subscribes; host, callbacks, origin, ifindex, ids and options are set by the caller, the rest is zero (or as isotp_unbind
 * left it). 0, -ENODEV: nothing is subscribed. */
int isotp_bind(struct isotp *isotp, uint64_t now);
/* Begins to send a PDU, which must stay where it is until sent() is called. 0; or -errno of the first frame (then sent() is not called).
 * Only when idle. */
int isotp_send(struct isotp *isotp, const void *pdu, size_t size, uint64_t now);
bool isotp_is_sending(const struct isotp *isotp);
/* Gives up what is being sent (a signal, a killed owner); sent() is not called. */
void isotp_abort(struct isotp *isotp);
/* Unsubscribes, forgets both directions: sent() is not called. Does nothing to one that is not bound. */
void isotp_unbind(struct isotp *isotp);

#endif
