/* sockets/isotp.c - CAN_ISOTP: the socket calls (spec protocols 3). Options live in the slot until bind(2), when the worker takes them.
 *
 * Sending: one PDU at a time and socket, which bus_slot.busy decides (service.h). A PDU that fits a single frame goes out from the program's own
 * thread, if the interface is one whose frames are sent at once; the worker does the others. */
/* prefix: family_ */
#include "base/clock.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "sockets/family.h"
#include "sockets/service.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define ADDRESS_SIZE 16
#define WAIT_NS      20000000 /* between two looks at who is sending, should its end not wake us */
#define NAP_NS       20000

_Static_assert(sizeof(struct isotp_options) <= SLOT_SETTINGS * sizeof(uint32_t), "options fit the slot");

/* ---- options ---- */

static void load_options(const struct bus_slot *slot, struct isotp_options *out)
{
    uint32_t words[SLOT_SETTINGS];

    for (unsigned i = 0; i < SLOT_SETTINGS; i++)
        words[i] = load_relaxed(&slot->setting[i]);
    memcpy(out, words, sizeof(*out));
}

static void store_options(struct bus_slot *slot, const struct isotp_options *options)
{
    uint32_t words[SLOT_SETTINGS] = { 0 };

    memcpy(words, options, sizeof(*options));
    for (unsigned i = 0; i < SLOT_SETTINGS; i++)
        store_relaxed(&slot->setting[i], words[i]);
}

static void open_slot(struct bus_slot *slot)
{
    struct isotp_options options;

    memset(&options, 0, sizeof(options));
    isotp_default(&options);
    store_options(slot, &options);
}

static int set_option(const struct bus *bus, uint32_t number, int level, int name, const void *user,
                      socklen_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct isotp_options options;
    uint8_t value[sizeof(options)];
    uint32_t held;
    int error;

    if (level != SOL_CAN_ISOTP) return -EINVAL;
    if (load_relaxed(&slot->bound)) return -EISCONN;
    load_options(slot, &options);
    error = isotp_get(&options, name, value,
                      sizeof(value)); /* the value's size, or that there is no such option */
    if (error != (int)size) return error < 0 ? error : -EINVAL;
    if (usermem_read(value, user, size)) return -EFAULT;
    held = slot_lock(slot);
    load_options(slot, &options);
    error = isotp_set(&options, name, value, size);
    store_options(slot, &options); /* also after an error: what it left is there on Linux, too */
    slot_unlock(slot, held);
    return error;
}

static int get_option(const struct bus *bus, uint32_t number, int level, int name, void *user,
                      socklen_t *user_size)
{
    struct isotp_options options;
    uint8_t value[sizeof(options)];
    int room, size;

    if (level != SOL_CAN_ISOTP) return -EINVAL;
    if (usermem_read(&room, user_size, sizeof(room))) return -EFAULT;
    if (room < 0) return -EINVAL;
    load_options(&bus->data->slot[number], &options);
    size = isotp_get(&options, name, value, sizeof(value));
    if (size < 0) return size;
    if (room < size) size = room;
    if (usermem_write(user_size, &size, sizeof(size))) return -EFAULT;
    return usermem_write(user, value, (size_t)size);
}

/* ---- names ---- */

static int bind_to(const struct bus *bus, uint32_t number, int fd, const struct sockaddr_can *address,
                   socklen_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct service_isotp given;
    struct service_request request = { .op = SERVICE_BIND,
                                       .ifindex = (uint32_t)address->can_ifindex,
                                       .size = sizeof(given) };
    struct iovec iov = { &given, sizeof(given) };
    struct raw_send payload = { .iov = &iov, .iov_count = 1 };
    int error;

    if (size < ADDRESS_SIZE || address->can_family != AF_CAN) return -EINVAL;
    memset(&given, 0, sizeof(given));
    given.tx_id = address->can_addr.tp.tx_id;
    given.rx_id = address->can_addr.tp.rx_id;
    load_options(slot, &given.options);
    error = isotp_check_ids(&given.options, given.tx_id, given.rx_id);
    if (error) return error;
    if (!request.ifindex) return -ENODEV;
    if (load_relaxed(&slot->bound)) return -EINVAL;
    return service_call(fd, &request, &payload);
}

static int getsockname_of(const struct bus *bus, uint32_t number, struct sockaddr_can *out)
{
    const struct bus_slot *slot = &bus->data->slot[number];

    out->can_family = AF_CAN;
    out->can_ifindex = (int)load_relaxed(&slot->ifindex);
    out->can_addr.tp.rx_id = load_relaxed(&slot->rx_address);
    out->can_addr.tp.tx_id = load_relaxed(&slot->tx_address);
    return ADDRESS_SIZE;
}

/* ---- whose turn it is to send ---- */

/* Somebody else sends. Waits until that may be over: 0, -EINTR. */
static int wait_for_turn(const struct bus *bus, uint32_t number, int fd, uint32_t claim)
{
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    struct timespec limit = { 0, claim & SERVICE_BUSY_WORKER ? WAIT_NS : NAP_NS };
    long ready = claim & SERVICE_BUSY_WORKER
                     ? sys_call(SYS_ppoll, &writable, 1, &limit, NULL, 0)
                     : sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &limit, NULL);

    if (ready > 0 && (writable.revents & POLLHUP)) wake_hung_up(bus, number);
    if (ready > 0 && (load_acquire(&bus->data->slot[number].busy) &
                      SERVICE_BUSY_WORKER)) /* about to be unwritable, or writable */
        sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    return ready == -EINTR ? -EINTR : 0;
}

/* Claims the socket for sending: *claim is for release(). */
static int take_turn(const struct bus *bus, uint32_t number, int fd, int flags, uint32_t *claim)
{
    struct bus_slot *slot = &bus->data->slot[number];

    for (;;) {
        uint32_t word = load_acquire(&slot->busy);
        uint64_t now_ns = clock_mono_ns();
        int error;
        if (!load_relaxed(&slot->bound)) return -EADDRNOTAVAIL;
        *claim = service_busy_time(now_ns) ? service_busy_time(now_ns) : 1u << SERVICE_BUSY_SHIFT;
        if ((!word || (!(word & SERVICE_BUSY_WORKER) && service_busy_is_old(word, now_ns))) &&
            cas32(&slot->busy, word, *claim))
            return 0;
        if ((word & SERVICE_BUSY_WORKER) && raw_is_nonblocking(fd, flags)) return -EAGAIN;
        error = word ? wait_for_turn(bus, number, fd, word) : 0;
        if (error) return error;
    }
}

static void release(struct bus_slot *slot, uint32_t claim) { cas32(&slot->busy, claim, 0); }

/* ---- sending ---- */

/* Frames of these interfaces are on the bus when they have been sent. */
static bool sends_at_once(const struct bus *bus, const struct bus_slot *slot)
{
    uint32_t index = load_relaxed(&slot->link), kind;

    if (index >= LINKS_MAX) return false;
    kind = link_state_kind(load_acquire(&bus->control->links[index].state));
    return kind == LINK_KIND_VCAN || kind == LINK_KIND_VXCAN;
}

/* A PDU that fits one frame; `handled` says whether it does. */
static int send_single(const struct bus *bus, uint32_t number, int fd, const struct isotp_options *options,
                       const struct raw_send *message, size_t size, bool *handled)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint8_t pdu[sizeof(((struct canfd_frame *)0)->data)] = { 0 };
    struct canfd_frame frame;
    uint32_t frame_size = 0;
    int error = 0;

    *handled = false;
    if (size > sizeof(pdu) || !sends_at_once(bus, slot)) return 0;
    if (family_gather(pdu, message, size)) error = -EFAULT;
    if (!error) frame_size = isotp_single_frame(options, load_relaxed(&slot->tx_address), pdu, size, &frame);
    if (!error && !frame_size) return 0;
    *handled = true;
    if (!error) error = family_transmit(bus, number, fd, load_relaxed(&slot->ifindex), &frame, frame_size);
    return error == -ENODEV ? -ENXIO : error;
}

static int send_pdu(const struct bus *bus, uint32_t number, int fd, const struct raw_send *message,
                    size_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct service_request request = { .op = SERVICE_SEND, .size = (uint32_t)size };
    struct isotp_options options;
    bool handled;
    int error;

    load_options(slot, &options);
    error = isotp_check_size(&options, size);
    if (!error) error = raw_take_error(slot);
    if (!error) error = send_single(bus, number, fd, &options, message, size, &handled);
    if (error) return error;
    if (options.opts.flags & CAN_ISOTP_WAIT_TX_DONE) request.flags = SERVICE_WAIT;
    if (!handled) error = service_call(fd, &request, message);
    if (request.flags) raw_take_error(slot); /* whatever it is */
    return error;
}

static ssize_t send_message(const struct bus *bus, uint32_t number, int fd, const struct raw_send *message,
                            int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    ssize_t size = family_total(message);
    uint32_t claim;
    int error;

    if (!load_relaxed(&slot->bound)) return -EADDRNOTAVAIL;
    error = take_turn(bus, number, fd, flags, &claim);
    if (error) return error;
    error = size < 0 ? -EINVAL : send_pdu(bus, number, fd, message, (size_t)size);
    release(slot, claim); /* no longer ours when the worker has it */
    return error ? error : size;
}

/* ---- receiving ---- */

static bool send_waits(const struct bus_slot *slot)
{
    struct isotp_options options;

    load_options(slot, &options);
    return options.opts.flags & CAN_ISOTP_WAIT_TX_DONE;
}

static int check_receive(const struct bus_slot *slot, int flags)
{
    if (flags & ~(MSG_DONTWAIT | MSG_TRUNC | MSG_PEEK)) return -EINVAL;
    return !load_relaxed(&slot->bound) && load_relaxed(&slot->error) != ECONNRESET ? -EADDRNOTAVAIL : 0;
}

static ssize_t receive_message(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message,
                               int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct sockaddr_can address = { .can_family = AF_CAN };
    uint32_t ifindex, size;
    ssize_t result;

    result = check_receive(slot, flags);
    if (result) return result;
    result = service_receive(bus, number, fd, message, flags, &ifindex, &size);
    if (result < 0) return result;
    if (message->name) {
        address.can_ifindex = (int)ifindex;
        if (usermem_write(message->name, &address,
                          message->name_size < ADDRESS_SIZE ? message->name_size : ADDRESS_SIZE))
            return -EFAULT;
        message->name_size = ADDRESS_SIZE;
    }
    return flags & MSG_TRUNC ? (ssize_t)size : result;
}

const struct family_protocol family_isotp = { .open = open_slot,
                                              .bind = bind_to,
                                              .getsockname = getsockname_of,
                                              .setsockopt = set_option,
                                              .getsockopt = get_option,
                                              .send = send_message,
                                              .send_waits = send_waits,
                                              .check_receive = check_receive,
                                              .receive = receive_message };
