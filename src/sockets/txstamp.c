/* sockets/txstamp.c - transmit time stamps; the queue is bus/errqueue.
 *
 * A frame can be stamped twice: when it is handed to the queue of the device (TX_SCHED) and when the driver takes it (TX_SOFTWARE).
 * Here both happen in the sender's call. Virtual interfaces have no hardware that stamps, so TX_HARDWARE alone yields nothing. */
#include "sockets/txstamp.h"
#include "base/clock.h"
#include "bus/errqueue.h"
#include "bus/wake.h"
#include "sockets/message.h"
#include <errno.h>
#include <linux/can/raw.h>
#include <linux/errqueue.h>
#include <time.h>

#define ERROR_QUEUE_TYPE 1 /* SCM_CAN_RAW_ERRQUEUE */

/* Does the frame get as far as the driver? A device without carrier loses it before. */
static bool reaches_driver(uint64_t state)
{
    return (state & LINK_CARRIER) || link_state_kind(state) == LINK_KIND_VCAN;
}

void txstamp_record(const struct bus *bus, uint32_t number, int fd, uint32_t flags, uint64_t state,
                    const void *frame, size_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct errqueue_item item;

    item.id = flags & SOF_TIMESTAMPING_OPT_ID ? atomic_fetch_add(&slot->tx_id, 1) : 0;
    item.size = flags & SOF_TIMESTAMPING_OPT_TSONLY ? 0 : (uint32_t)size;
    if (!(state & LINK_UP)) return;
    if (flags & SOF_TIMESTAMPING_TX_SCHED) {
        item.info = SCM_TSTAMP_SCHED;
        item.time_ns = clock_real_ns();
        errqueue_push(bus, number, fd, &item, frame);
    }
    if ((flags & SOF_TIMESTAMPING_TX_SOFTWARE) && reaches_driver(state)) {
        item.info = SCM_TSTAMP_SND;
        item.time_ns = clock_real_ns();
        errqueue_push(bus, number, fd, &item, frame);
    }
}

/* A time that no control message tells is what SIOCGSTAMP tells. */
static void keep_stamp(struct bus_slot *slot, uint64_t time_ns)
{
    uint32_t stamping = load_relaxed(&slot->option[OPT_TIMESTAMPING]);

    if (!load_relaxed(&slot->option[OPT_TIMESTAMP]) &&
        !(stamping & (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE)))
        store_relaxed(&slot->stamp_ns, time_ns);
}

ssize_t txstamp_receive(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message)
{
    struct sock_extended_err report = { .ee_errno = ENOMSG, .ee_origin = SO_EE_ORIGIN_TIMESTAMPING };
    struct message_control control = { message, 0 };
    struct errqueue_item item;
    ssize_t size;

    if (!errqueue_pop(bus, number, &item)) return -EAGAIN;
    if (unlikely(load_relaxed(&bus->data->slot[number].async)) && !errqueue_empty(bus, number))
        wake_notify(bus, number, fd, NULL); /* Linux brings a SIGIO for what is left */
    message->flags = 0;
    message->name_size = 0;
    size = message_put_data(message, item.frame, item.size);
    if (size < 0) return size;
    keep_stamp(&bus->data->slot[number], item.time_ns);
    report.ee_info = item.info;
    report.ee_data = item.id;
    message_put_times(&control, &bus->data->slot[number], item.time_ns);
    message_put(&control, SOL_CAN_RAW, ERROR_QUEUE_TYPE, &report, sizeof(report));
    message->control_size = control.used;
    message->flags |= MSG_ERRQUEUE;
    return size;
}
