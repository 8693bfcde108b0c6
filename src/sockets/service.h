/* sockets/service.h - sockets whose protocol the worker runs (CAN_BCM, CAN_ISOTP): their connection, and what is said on it.
 *
 * Such a descriptor is an AF_UNIX SOCK_SEQPACKET socket, bound to DIR/s/SLOT.GEN as every CAN socket, and connected to the worker (CTL_SOCKET). The
 * worker learns from its end when the last holder is gone. On it travel
 *   to the program: tokens only (bus/wake.h). What there is to read lies in the slot's message queue (bus/mqueue.h);
 *   to the worker: single bytes, tokens for its inbox (daemon/inbox.h), and requests, each with one end of a socket pair. On that pair lies the request's payload, and there comes the answer.
 * The worker leaves a request with SERVICE_BALLAST unread until what it asked for is done: so long the kernel calls the
 * descriptor not writable, which is what ISO-TP sockets are that send. */
#ifndef SOCKETS_SERVICE_H
#define SOCKETS_SERVICE_H

#include "can/isotp.h"
#include "sockets/raw.h"

enum service_op {
    SERVICE_CONNECT = 1, /* ifindex, 0: any. CAN_BCM */
    SERVICE_WRITE,       /* payload: a BCM message; ifindex: where to. Answer: as bcm_write() */
    SERVICE_BIND,        /* ifindex; payload: struct service_isotp. CAN_ISOTP */
    SERVICE_SEND, /* payload: a PDU. Answer: 0 or -errno; with SERVICE_WAIT when it has been sent. Comes with ballast */
};
enum { SERVICE_WAIT = 1 };

struct service_request {
    uint32_t op, flags, ifindex;
    uint32_t size; /* of the payload */
};
#define SERVICE_BALLAST 2048u /* bytes of a request that is to make the socket unwritable */

struct service_isotp {
    uint32_t tx_id, rx_id;
    struct isotp_options options;
};

/* bus_slot.busy of CAN_ISOTP: 0, or whose turn it is to send. A program claims it with the time, in ms << SERVICE_BUSY_SHIFT, for a single frame
 * or until its request is served; a claim that is older than SERVICE_CLAIM_MS was its holder's last. Who waits in close(2) for the end of
 * a PDU puts the time there as long as it waits: when it is killed there, or a signal ends the wait, the PDU is given up. */
enum {
    SERVICE_BUSY_WORKER = SLOT_BUSY, /* a PDU is being sent */
    SERVICE_BUSY_DRAIN = 2, /* and is to be sent to its end although nobody holds the socket any more */
    SERVICE_BUSY_SHIFT = 2,
};
#define SERVICE_CLAIM_MS 200u

static inline uint32_t service_busy_time(uint64_t now_ns)
{
    return (uint32_t)(now_ns / 1000000u) << SERVICE_BUSY_SHIFT;
}
static inline bool service_busy_is_old(uint32_t busy, uint64_t now_ns)
{
    return (int32_t)(service_busy_time(now_ns) - busy) > (int32_t)(SERVICE_CLAIM_MS << SERVICE_BUSY_SHIFT);
}

struct service_answer {
    int32_t result;
};

/* A payload can be this long: the largest of them. */
#define SERVICE_PAYLOAD_MAX 66000u

/* socket(2): opens a slot of this protocol, which `prepare` (may be NULL) fills, and connects it. A descriptor or -errno. */
int service_open(const struct bus *bus, int flags, uint32_t protocol, void (*prepare)(struct bus_slot *slot));

/* Asks. `payload` (NULL: none) is user memory, checked by the kernel (-EFAULT): the first request->size bytes of it are sent. Returns the answer's result, -ECONNRESET when the
 * worker is gone, or -EINTR: then the request has been withdrawn (only with SERVICE_WAIT). */
int service_call(int fd, const struct service_request *request, const struct raw_send *payload);

/* Receives one message: waits unless MSG_DONTWAIT or O_NONBLOCK; MSG_PEEK leaves it. Fills iov, control and *ifindex; message->flags gets MSG_TRUNC when
 * it did not fit. *size: of the message. Returns the bytes copied, or -errno - a pending error first. */
ssize_t service_receive(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message, int flags,
                        uint32_t *ifindex, uint32_t *size);

/* Linux has done with a frame what BCM and ISO-TP do with it before send(2) returns; the worker does it a moment later. Gives it that moment, for
 * those who look at once whether something has come of it: until it has served the frames that were sent until now, 20 ms at most. */
void service_catch_up(const struct bus *bus);

#endif
