/* sockets/txstamp.c - transmit time stamps; the queue is bus/errqueue.
 *
 * A frame can be stamped three times: when it is handed to the queue of the device (TX_SCHED), when the driver takes it (TX_SOFTWARE), and by a controller
 * when it was sent (TX_HARDWARE). The first happens in the sender's call, and on virtual interfaces, which have no hardware, so does the second.
 * With controllers the worker does the others (daemon/simulator_stamp.c), for which the frame is marked. */
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

static void ask_worker(struct bus_slot *slot, uint32_t flags, uint32_t id, struct bus_frame *frame)
{
    frame->tell = (uint8_t)((flags & SOF_TIMESTAMPING_TX_SOFTWARE ? RECORD_TELL_TAKEN : 0) |
                            (flags & SOF_TIMESTAMPING_TX_HARDWARE ? RECORD_TELL_SENT : 0));
    frame->tell_id = id;
    if (frame->tell) store_relaxed(&slot->tx_told, 1);
}

void txstamp_record(const struct bus *bus, uint32_t number, int fd, uint32_t flags, uint64_t state,
                    struct bus_frame *frame)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct errqueue_item item;

    item.id = flags & SOF_TIMESTAMPING_OPT_ID ? atomic_fetch_add(&slot->tx_id, 1) : 0;
    item.size = flags & SOF_TIMESTAMPING_OPT_TSONLY ? 0 : frame->size;
    item.hardware = false;
    if (!(state & LINK_UP)) return;
    if (flags & SOF_TIMESTAMPING_TX_SCHED) {
        item.info = SCM_TSTAMP_SCHED;
        item.time_ns = clock_real_ns();
        errqueue_push(bus, number, fd, &item, frame->frame);
    }
    if (link_state_kind(state) == LINK_KIND_CAN) {
        ask_worker(slot, flags, item.id, frame);
    } else if ((flags & SOF_TIMESTAMPING_TX_SOFTWARE) && reaches_driver(state)) {
        item.info = SCM_TSTAMP_SND;
        item.time_ns = clock_real_ns();
        errqueue_push(bus, number, fd, &item, frame->frame);
    }
}

/* A time that no control message tells is what SIOCGSTAMP tells. */
static void keep_stamp(struct bus_slot *slot, uint64_t time_ns)
{
    uint32_t stamping = load_relaxed(&slot->option[OPT_TIMESTAMPING]);

    if (!load_relaxed(&slot->option[OPT_TIMESTAMP]) &&
        !(stamping & (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE)))
        store_relaxed(&slot->stamp_ns, time_ns ? time_ns : STAMP_OF_READING);
}

ssize_t txstamp_receive(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message)
{
    struct sock_extended_err report = { .ee_errno = ENOMSG, .ee_origin = SO_EE_ORIGIN_TIMESTAMPING };
    struct message_control control = { message, 0 };
    struct bus_slot *slot = &bus->data->slot[number];
    uint64_t software_ns = 0;
    struct errqueue_item item;
    ssize_t size;

    if (!errqueue_pop(bus, number, &item)) return -EAGAIN;
    if (unlikely(load_relaxed(&slot->async)) && !errqueue_empty(bus, number))
        wake_notify(bus, number, fd, NULL); /* Linux brings a SIGIO for what is left */
    message->flags = 0;
    message->name_size = 0;
    size = message_put_data(message, item.frame, item.size);
    if (size < 0) return size;
    if (!item.hardware) software_ns = item.time_ns;
    if (!item.hardware || !(load_relaxed(&slot->option[OPT_TIMESTAMPING]) & SOF_TIMESTAMPING_RAW_HARDWARE))
        keep_stamp(slot, software_ns);
    report.ee_info = item.info;
    report.ee_data = item.id;
    message_put_times(&control, slot, software_ns, item.hardware ? item.time_ns : 0);
    message_put(&control, SOL_CAN_RAW, ERROR_QUEUE_TYPE, &report, sizeof(report));
    message->control_size = control.used;
    message->flags |= MSG_ERRQUEUE;
    return size;
}
