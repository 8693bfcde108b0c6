/* sockets/message.c - control messages and scattered data; keeps no state.
 *
 * A time stamp comes in two kinds: SO_TIMESTAMP or SO_TIMESTAMPNS (one time), and SO_TIMESTAMPING (software, nothing, hardware). Both have
 * an old and a _NEW type, which differ for 32-bit programs; the option set last decides which type both come as. */
#include "sockets/message.h"
#include "base/clock.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/net_tstamp.h>
#include <time.h>

enum {
    TIMESTAMP = 29,
    TIMESTAMPNS = 35,
    TIMESTAMPING = 37,
    TIMESTAMP_NEW = 63,
    TIMESTAMPNS_NEW = 64,
    TIMESTAMPING_NEW = 65
};

#define SECOND_NS 1000000000u

void message_put(struct message_control *control, int level, int type, const void *data, size_t size)
{
    struct cmsghdr head = { .cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type };
    size_t room = control->message->control_size - control->used;
    uint8_t *at = control->message->control;

    if (!at || room < sizeof(head)) {
        control->message->flags |= MSG_CTRUNC;
        return;
    }
    if (room < head.cmsg_len) {
        control->message->flags |= MSG_CTRUNC;
        head.cmsg_len = room;
    }
    at += control->used;
    if (usermem_write(at, &head, sizeof(head)) ||
        usermem_write(at + CMSG_LEN(0), data, head.cmsg_len - CMSG_LEN(0)))
        return;
    control->used += CMSG_SPACE(size) < room ? CMSG_SPACE(size) : room;
}

/* `count` pairs of seconds and a fraction, as wide as the type wants them. */
static void put_pairs(struct message_control *control, int type, const int64_t *values, unsigned count,
                      bool wide)
{
    long native[6];

    if (wide) {
        message_put(control, SOL_SOCKET, type, values, count * 2 * sizeof(*values));
        return;
    }
    for (unsigned i = 0; i < count * 2; i++)
        native[i] = (long)values[i];
    message_put(control, SOL_SOCKET, type, native, count * 2 * sizeof(*native));
}

void message_put_times(struct message_control *control, const struct bus_slot *slot, uint64_t time_ns,
                       uint64_t hardware_ns)
{
    uint32_t stamp = load_relaxed(&slot->option[OPT_TIMESTAMP]),
             stamping = load_relaxed(&slot->option[OPT_TIMESTAMPING]);
    bool wide = load_relaxed(&slot->option[OPT_STAMP_NEW]);
    int64_t times[6] = { 0 };

    if (stamp && !time_ns) time_ns = clock_real_ns();
    times[0] = (int64_t)(time_ns / SECOND_NS);
    times[1] = (int64_t)(time_ns % SECOND_NS);
    if (stamp == TIMESTAMPNS) {
        put_pairs(control, wide ? TIMESTAMPNS_NEW : TIMESTAMPNS, times, 1, wide);
    } else if (stamp) {
        int64_t microseconds[2] = { times[0], times[1] / 1000 };
        put_pairs(control, wide ? TIMESTAMP_NEW : TIMESTAMP, microseconds, 1, wide);
    }
    if (!(stamping & SOF_TIMESTAMPING_SOFTWARE)) time_ns = times[0] = times[1] = 0;
    if (!(stamping & SOF_TIMESTAMPING_RAW_HARDWARE)) hardware_ns = 0;
    times[4] = (int64_t)(hardware_ns / SECOND_NS);
    times[5] = (int64_t)(hardware_ns % SECOND_NS);
    if (time_ns || hardware_ns) put_pairs(control, wide ? TIMESTAMPING_NEW : TIMESTAMPING, times, 3, wide);
}

ssize_t message_put_data(struct raw_receive *message, const uint8_t *frame, size_t size)
{
    size_t done = 0;

    for (size_t i = 0; i < message->iov_count && done < size; i++) {
        size_t part = message->iov[i].iov_len < size - done ? message->iov[i].iov_len : size - done;
        if (usermem_write(message->iov[i].iov_base, frame + done, part)) return -EFAULT;
        done += part;
    }
    if (done < size) message->flags |= MSG_TRUNC;
    return (ssize_t)done;
}
