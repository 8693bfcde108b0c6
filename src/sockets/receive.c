/* sockets/receive.c - receiving on CAN_RAW sockets: read(2), recv(2), recvfrom(2), recvmsg(2).
 *
 * A pending error comes first, once; then the oldest frame; then waiting. What the frame came with (flags, sender's address, time
 * stamps, drop count, mark) is made from its record and from the options as they are now (spec C.5, A.6). */
/* prefix: raw_ */

#include "sockets/raw.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/errqueue.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "can/frame.h"
#include "sockets/door.h"
#include "sockets/message.h"
#include "sockets/nap.h"
#include "sockets/process.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/can.h>
#include <linux/net_tstamp.h>
#include <string.h>
#include <time.h>

#define ADDRESS_SIZE 8
#define ROUNDS_MAX                                                                                           \
    64 /* looks at a ring that is not empty and has nothing to give: other readers were faster, or somebody scribbles */
#define YIELDS 2 /* looks before going to sleep: a factor of 30 when receivers outnumber processors */

enum { CMSG_MARK = 36, CMSG_RXQ_OVFL = 40 };

static void put_control(const struct bus_slot *slot, const struct ring_item *item,
                        struct raw_receive *message)
{
    struct message_control control = { message, 0 };

    message_put_times(&control, slot, item->time_ns,
                      item->record_flags & RECORD_HARDWARE ? item->time_ns : 0);
    if (load_relaxed(&slot->option[OPT_RXQ_OVFL]) && item->drops)
        message_put(&control, SOL_SOCKET, CMSG_RXQ_OVFL, &item->drops, sizeof(item->drops));
    if (load_relaxed(&slot->option[OPT_RCVMARK]))
        message_put(&control, SOL_SOCKET, CMSG_MARK, &item->mark, sizeof(item->mark));
    message->control_size = control.used;
}

/* ---- one frame ---- */

/* Asleep in the kernel. */
static int sleep_on(struct bus_slot *slot, int fd)
{
    int result;

    atomic_fetch_add(&slot->waiters, 1);
    result = door_wait(fd);
    atomic_fetch_sub(&slot->waiters, 1);
    return result;
}

/* ---- waiting ---- */

/* How long a reader watches its ring, having given way to others in vain, before it goes to sleep. To be woken takes 20 to 100 us, so two
 * programs that answer each other from two processors are ten times as fast when they need not be. But who watches in vain, because
 * little happens on the bus, soon does so in one wait of 64 only. */
#define WATCH_NS      100000u
#define WATCH_LOOKS   32u /* between two looks at the clock */
#define RESTRAINT_MAX 64u

/* Per socket: waits without watching still to come << 8 | how many there were after the last failure. */
static atomic_u32 restraint[SOCKETS_MAX];

static bool sees_something(const struct bus *bus, uint32_t number)
{
    bool gives_way =
        load_relaxed(&bus->data->slot[number].protocol) > CAN_RAW; /* the worker needs a processor, too */
    uint64_t start = clock_mono_ns();

    do {
        for (unsigned i = 0; i < WATCH_LOOKS; i++) {
            if (wake_readable(bus, number)) return true;
            cpu_relax();
        }
        if (gives_way) sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    } while (clock_mono_ns() - start < WATCH_NS);
    return false;
}

/* Returns whether there is something now. */
static bool watch(const struct bus *bus, uint32_t number)
{
    uint32_t state = load_relaxed(&restraint[number]), waits = (state & 0xff) * 2 + 1;
    bool seen;

    if (state >> 8) {
        store_relaxed(&restraint[number], state - (1u << 8));
        return false;
    }
    seen = sees_something(bus, number);
    if (waits > RESTRAINT_MAX) waits = RESTRAINT_MAX;
    store_relaxed(&restraint[number], seen ? 0 : waits << 8 | waits);
    return seen;
}

/* What a call that does not wait says of an empty ring. */
static int refuse(const struct bus *bus, uint32_t number, int fd, unsigned round)
{
    bool armed = (load_seq(&bus->data->slot[number].armed) & 3) == WAKE_ARMED;

    if (armed && !wake_readable(bus, number) && round == 0) return -EAGAIN;
    if (unlikely(!errqueue_empty(bus, number)) && !wake_readable(bus, number))
        return -EAGAIN; /* the token is the error queue's, and stays */
    return wake_settle(bus, number, fd) || round >= ROUNDS_MAX ? -EAGAIN : 0;
}

/* With O_ASYNC each frame's token brought a SIGIO, unless there were too many of them. What is there now must neither stay without one nor
 * get another. */
static bool signals_are_right(const struct bus *bus, uint32_t number)
{
    atomic_u32 *owed = &bus->data->slot[number].signals_owed;
    uint32_t count = load_relaxed(owed);

    if (!wake_pending(bus, number)) {
        store_relaxed(owed, 0);
        return false; /* the tokens are to go, or no more fit soon */
    }
    return !(count && cas32(owed, count, count - 1));
}

/* After taking something: the token stays, unless somebody waits for the next one. The kernel wakes one sleeper for a token, so
 * whoever takes a frame while others sleep sees to them; also while one is being sent, because that may be what woke it. */
OFF_PATH void raw_taken(const struct bus *bus, uint32_t number, int fd)
{
    struct bus_slot *slot = &bus->data->slot[number];
    bool async = load_relaxed(&slot->async), waiters = load_seq(&slot->waiters);

    if (likely(!async && !waiters)) return;
    if (async && !waiters && signals_are_right(bus, number)) return;
    if (async || (load_seq(&slot->armed) & 3) != WAKE_ARMED)
        wake_settle(bus, number, fd);
    else if (load_relaxed(&slot->protocol) > CAN_RAW && wake_pending(bus, number))
        wake_notify(bus, number, fd, NULL);
}

/* SO_RCVTIMEO is the real socket's, which starts it anew for each sleep. */
static bool timed_out(int fd, uint64_t since_ns)
{
    uint64_t limit_ns = nap_limit_ns(fd, SO_RCVTIMEO);
    return limit_ns && clock_mono_ns() - since_ns >= limit_ns;
}

int raw_wait(const struct bus *bus, uint32_t number, int fd, int flags, struct raw_waiting *waiting)
{
    unsigned round = waiting->round++;
    bool armed;

    if (round == 0) waiting->refuses = raw_is_nonblocking(fd, flags);
    if (waiting->refuses) return refuse(bus, number, fd, round);
    if (round < YIELDS) {
        sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
        return 0;
    }
    if (round == YIELDS && watch(bus, number)) return 0;
    armed = !waiting->since_ns && (load_seq(&bus->data->slot[number].armed) & 3) == WAKE_ARMED;
    if (waiting->since_ns && timed_out(fd, waiting->since_ns)) return -EAGAIN;
    if (!waiting->since_ns) waiting->since_ns = clock_mono_ns();
    if ((armed ? wake_readable(bus, number) : !wake_settle_reader(bus, number, fd)) && round < ROUNDS_MAX)
        return 0;
    return sleep_on(&bus->data->slot[number], fd);
}

/* Nothing when its time comes as a control message. */
static void keep_stamp(struct bus_slot *slot, uint64_t frame_ns)
{
    uint32_t stamping = load_relaxed(&slot->option[OPT_TIMESTAMPING]);
    uint64_t time_ns = frame_ns ? frame_ns : STAMP_OF_READING;
    bool reports = (stamping & (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RAW_HARDWARE)) ||
                   load_relaxed(&slot->option[OPT_RXQ_OVFL]) || load_relaxed(&slot->option[OPT_RCVMARK]);

    if (load_relaxed(&slot->option[OPT_TIMESTAMP])) return;
    if (reports &&
        ((stamping & SOF_TIMESTAMPING_RX_SOFTWARE) || (frame_ns && (stamping & SOF_TIMESTAMPING_SOFTWARE))))
        return;
    if (reports || load_relaxed(&slot->stamp_on))
        store_relaxed(&slot->stamp_ns, time_ns);
    else if (!load_relaxed(&slot->stamp_ns))
        store_relaxed(&slot->stamp_ns, STAMP_OF_READING);
}

/* After its data was copied: who could not have it does not learn its time. */
void raw_remember_time(struct bus_slot *slot, uint64_t time_ns)
{
    if (unlikely(load_relaxed(&slot->rx_flags) & RX_TIME))
        keep_stamp(slot, time_ns);
    else if (unlikely(!load_relaxed(&slot->stamp_ns)))
        store_relaxed(&slot->stamp_ns, STAMP_OF_READING);
}

/* Nothing of a frame whose controller's time comes as a control message. */
static void remember_time_of(struct bus_slot *slot, const struct ring_item *item)
{
    if (unlikely(item->record_flags & RECORD_HARDWARE) &&
        (load_relaxed(&slot->option[OPT_TIMESTAMPING]) & SOF_TIMESTAMPING_RAW_HARDWARE))
        return;
    raw_remember_time(slot, item->time_ns);
}

static int take_frame(const struct bus *bus, uint32_t number, int fd, int flags, struct ring_item *item)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct raw_waiting waiting = { 0 };
    int error;

    if (unlikely((load_relaxed(&slot->rx_flags) & RX_XL) && !bus->ext))
        process_need_ext(); /* inherited, or passed to us */
    for (;;) {
        error = raw_take_error(slot);
        if (unlikely(error)) break;
        if (likely(flags & MSG_PEEK ? ring_peek(bus, number, item) : ring_pop(bus, number, item))) break;
        error = raw_wait(bus, number, fd, flags, &waiting);
        if (error) return error;
    }
    if (!(flags & MSG_PEEK)) raw_taken(bus, number, fd);
    if (error) return error;
    if (!(flags & MSG_PEEK)) store_relaxed(&slot->rx_frames, load_relaxed(&slot->rx_frames) + 1);
    return 0;
}

int raw_take(const struct bus *bus, uint32_t number, int fd, int flags, struct ring_item *item)
{
    return take_frame(bus, number, fd, flags, item);
}

static int flags_of(const struct bus_slot *slot, uint32_t number, const struct ring_item *item)
{
    int flags = item->record_flags & RECORD_LOCAL ? MSG_DONTROUTE : 0;

    if (item->origin == number && item->origin_gen == load_relaxed(&slot->gen)) flags |= MSG_CONFIRM;
    return flags;
}

void raw_set_async(const struct bus *bus, uint32_t number, int fd, bool on)
{
    store_seq(&bus->data->slot[number].async, on);
    slot_update_rx_flags(bus, number);
    if (on && (load_seq(&bus->data->slot[number].armed) & 3) != WAKE_ARMED && !wake_pending(bus, number))
        wake_settle(bus, number, fd);
}

ssize_t raw_hand_out(const struct bus *bus, uint32_t number, const struct ring_item *item,
                     struct raw_receive *message)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct sockaddr_can address = { .can_family = AF_CAN };
    ssize_t size;
    int error = 0;

    message->flags = flags_of(slot, number, item);
    size = message_put_data(message, item->frame, item->size);
    if (size < 0) return size;
    remember_time_of(slot, item);
    put_control(slot, item, message);
    if (message->name) {
        address.can_ifindex = (int)item->ifindex;
        error = usermem_write(message->name, &address,
                              message->name_size < ADDRESS_SIZE ? message->name_size : ADDRESS_SIZE);
        message->name_size = ADDRESS_SIZE;
    }
    return error ? error : size;
}

/* What there is to report stays, because it is no frame: the next event sends a token all the same. */
static void await_event(const struct bus *bus, uint32_t number, int fd)
{
    char token;

    while (sys_call(SYS_recvfrom, fd, &token, 1, MSG_DONTWAIT, NULL, NULL) > 0)
        ;
    wake_rearm(bus, number);
}

int raw_take_frame(const struct bus *bus, uint32_t number, int fd, struct ring_item *item)
{
    struct raw_waiting waiting = { 0 };
    struct bus_slot *slot = &bus->data->slot[number];
    bool awaits = false;

    if (unlikely((load_relaxed(&slot->rx_flags) & RX_XL) && !bus->ext)) process_need_ext();
    while (!ring_pop(bus, number, item)) {
        if (awaits) return -EAGAIN;
        awaits = wake_pending(bus, number) && !wake_has_data(bus, number);
        if (awaits)
            await_event(bus, number, fd);
        else if (raw_wait(bus, number, fd, MSG_DONTWAIT, &waiting))
            return -EAGAIN;
    }
    store_relaxed(&slot->rx_frames, load_relaxed(&slot->rx_frames) + 1);
    return 0;
}

ssize_t raw_receive(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message, int flags)
{
    struct ring_item item;
    int error = take_frame(bus, number, fd, flags, &item);

    return error ? error : raw_hand_out(bus, number, &item, message);
}

static OFF_PATH ssize_t read_any(const struct bus *bus, uint32_t number, int fd, void *user_buffer,
                                 size_t size, int flags)
{
    struct ring_item item;
    int error = take_frame(bus, number, fd, flags, &item);

    if (unlikely(error)) return error;
    if (size > item.size) size = item.size;
    if (unlikely(usermem_write(user_buffer, item.frame, size))) return -EFAULT;
    remember_time_of(&bus->data->slot[number], &item);
    return (ssize_t)size;
}

/* What take_frame() does when there is a frame, and nothing else to see to. */
ssize_t raw_read(const struct bus *bus, uint32_t number, int fd, void *user_buffer, size_t size, int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint64_t frame[RING_DATA_SIZE / 8];
    uint32_t taken = 0;

    if (likely(!load_relaxed(&slot->error) && load_relaxed(&slot->stamp_ns) && !(flags & MSG_PEEK) &&
               !(load_relaxed(&slot->rx_flags) & (RX_TIME | RX_ASYNC | RX_XL))))
        taken = ring_try_pop(bus, number, frame);
    if (unlikely(!taken)) return read_any(bus, number, fd, user_buffer, size, flags);
    if (unlikely(load_seq(&slot->waiters))) raw_taken(bus, number, fd);
    store_relaxed(&slot->rx_frames, load_relaxed(&slot->rx_frames) + 1);
    if (unlikely(size > taken)) size = taken;
    if (likely(size == FRAME_CC_SIZE)) /* the copy is two moves */
        return unlikely(usermem_write(user_buffer, frame, FRAME_CC_SIZE)) ? -EFAULT : FRAME_CC_SIZE;
    return unlikely(usermem_write(user_buffer, frame, size)) ? -EFAULT : (ssize_t)size;
}
