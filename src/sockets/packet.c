/* sockets/packet.c - packet sockets: binding, sending, receiving. State is in the slot; this file keeps none.
 *
 * What is received comes into the ring by bus/tap.c. A frame that is sent goes to the interface past the CAN sockets of its own side, as Linux has it: only an
 * interface with a controller echoes it. No privilege is needed, as for links. */
/* prefix: packet_ family_ */
#include "sockets/packet.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/counters.h"
#include "bus/links.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/tap.h"
#include "can/frame.h"
#include "sockets/family.h"
#include "sockets/message.h"
#include "sockets/nap.h"
#include "sockets/packet_options.h"
#include "sockets/process.h"
#include "sockets/raw.h"
#include "sockets/usermem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#define HARDWARE_TYPE 280 /* ARPHRD_CAN */
#define ADDRESS_SIZE  20  /* sizeof(struct sockaddr_ll) */
#define NAME_SIZE     12  /* ... without the hardware address, of which CAN has none */
#define VLAN_TAG      4   /* what Linux has room for beyond the MTU when it looks first */
#define RECEIVE_FLAGS (MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE)
#define CMSG_RXQ_OVFL 40
#define NAP_NS        10000000

_Static_assert(sizeof(struct sockaddr_ll) == ADDRESS_SIZE && ADDRESS_SIZE <= sizeof(struct sockaddr_can),
               "family.h's copy of an address has room for one of AF_PACKET");

static void set(struct bus_slot *slot, unsigned which, uint32_t value)
{
    store_relaxed(&slot->setting[which], value);
}

/* ---- socket, bind, name ---- */

static bool is_can(uint32_t protocol) { return protocol >= ETH_P_CAN && protocol <= ETH_P_CAN + 2; }

bool packet_is_ours(int type, int protocol, bool refused)
{
    int plain = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);

    return (plain == SOCK_RAW || plain == SOCK_DGRAM) && (refused || is_can(ntohs((uint16_t)protocol)));
}

int packet_socket(const struct bus *bus, int type, int protocol)
{
    uint32_t slot, gen;
    int fd = raw_open(bus, SOCK_DGRAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)), &slot, &gen);

    if (fd < 0) return fd;
    process_need_ext(); /* it gets CAN XL, without asking; without that memory, all but these */
    slot_set_packet(bus, slot, (uint32_t)type & 0xf, ntohs((uint16_t)protocol));
    slot_bind(bus, slot, IMAP_ANY, 0);
    return fd;
}

/* An interface of the kernel is for its own packet sockets, which we would be if we were allowed. */
static int bind_to_link(const struct bus *bus, uint32_t number, int fd, uint32_t ifindex, uint32_t protocol)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t index = links_find(bus->control, ifindex);
    uint64_t state;

    if (index >= LINKS_MAX) return raw_kernel_has_ifindex(fd, ifindex) ? -EPERM : -ENODEV;
    set(slot, PACKET_PROTOCOL, 0); /* nothing comes from the one while the other counts */
    slot_bind(bus, number, index, ifindex);
    set(slot, PACKET_PROTOCOL, protocol);
    state = load_acquire(&bus->control->links[index].state);
    if (!(state & LINK_PRESENT) || load_acquire(&bus->control->links[index].ifindex) != ifindex)
        slot_link_down(bus, index, ifindex, true, fd); /* it went while we bound */
    else if (!(state & LINK_UP) && protocol)
        raw_keep_error(bus, number, fd, ENETDOWN);
    return 0;
}

static int packet_bind(const struct bus *bus, uint32_t number, int fd, const struct sockaddr_can *address,
                       socklen_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct sockaddr_ll to;
    uint32_t protocol;

    memcpy(&to, address, sizeof(to));
    if (size < ADDRESS_SIZE || to.sll_family != AF_PACKET) return -EINVAL;
    protocol = to.sll_protocol ? ntohs(to.sll_protocol) : load_relaxed(&slot->setting[PACKET_PROTOCOL]);
    if (to.sll_ifindex) return bind_to_link(bus, number, fd, (uint32_t)to.sll_ifindex, protocol);
    slot_bind(bus, number, IMAP_ANY, 0);
    set(slot, PACKET_PROTOCOL, protocol);
    return 0;
}

static int packet_getsockname(const struct bus *bus, uint32_t number, struct sockaddr_can *out)
{
    const struct bus_slot *slot = &bus->data->slot[number];
    struct sockaddr_ll name = { .sll_family = AF_PACKET, .sll_ifindex = (int)load_relaxed(&slot->ifindex) };

    name.sll_protocol = htons((uint16_t)load_relaxed(&slot->setting[PACKET_PROTOCOL]));
    if (name.sll_ifindex) name.sll_hatype = HARDWARE_TYPE;
    memcpy(out, &name, sizeof(name));
    return NAME_SIZE;
}

/* ---- sending ---- */

struct target {
    uint32_t ifindex, index, protocol;
    uint64_t state;
};

/* Where to, in what protocol: what the message says, or the socket. */
static int find_target(const struct bus *bus, const struct bus_slot *slot, const struct raw_send *message,
                       struct target *out)
{
    struct sockaddr_ll to;

    out->ifindex = slot ? load_relaxed(&slot->ifindex) : 0;
    out->protocol = slot ? load_relaxed(&slot->setting[PACKET_PROTOCOL]) : 0;
    if (message->name) {
        if (message->name_size < ADDRESS_SIZE) return -EINVAL;
        if (usermem_read(&to, message->name, sizeof(to))) return -EFAULT;
        if (message->name_size < (socklen_t)NAME_SIZE + to.sll_halen) return -EINVAL;
        out->ifindex = (uint32_t)to.sll_ifindex;
        out->protocol = ntohs(to.sll_protocol);
    }
    out->index = out->ifindex ? links_find(bus->control, out->ifindex) : LINKS_MAX;
    if (out->index >= LINKS_MAX) return -ENXIO;
    out->state = load_acquire(&bus->control->links[out->index].state);
    return out->state & LINK_UP ? 0 : -ENETDOWN;
}

/* What the driver takes for a frame of this protocol, and marks it as such. */
static bool is_frame(uint8_t *bytes, uint32_t size, uint32_t protocol)
{
    if (tap_protocol(bytes, size) != protocol || !protocol) return false;
    if (size == FRAME_CC_SIZE && protocol == ETH_P_CAN) return bytes[4] <= CAN_MAX_DLEN;
    if (protocol != ETH_P_CAN + 1) return true;
    if (bytes[4] > CANFD_MAX_DLEN) return false;
    bytes[5] |= CANFD_FDF;
    return true;
}

/* `number`: of the socket, whose frames it does not see itself. */
static int transmit(const struct bus *bus, uint32_t number, int fd, const struct target *target,
                    uint8_t *bytes, uint32_t size)
{
    struct bus_frame frame = {
        .frame = bytes,
        .size = size,
        .origin = number,
        .origin_gen = load_relaxed(&bus->data->slot[number].gen),
        .owner = number,
        .token_fd = fd,
        .loopback = link_state_kind(target->state) == LINK_KIND_CAN, /* which echoes what it has sent */
    };
    uint32_t protocol = target->protocol;

    if (is_frame(bytes, size, protocol)) return bus_send(bus, target->index, target->state, &frame);
    if (tap_is_wanted(bus, target->index))
        tap_frame(bus, target->index, target->ifindex, &frame, TAP_OUTGOING, protocol);
    add_relaxed(&bus->data->counters[target->index][number % COUNTER_SHARDS].tx_dropped, 1);
    return 0;
}

static ssize_t packet_send(const struct bus *bus, uint32_t number, int fd, const struct raw_send *message,
                           int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    _Alignas(8) uint8_t bytes[RING_EXT_SIZE] = { 0 };
    ssize_t size = family_total(message);
    struct target target = { 0 };
    int error = size < 0 ? (int)size : find_target(bus, slot, message, &target);
    uint32_t mtu;

    (void)flags;
    if (error) return error;
    mtu = link_state_mtu(target.state);
    if (mtu > FRAME_XL_MAX) mtu = FRAME_XL_MAX;
    if ((size_t)size > mtu + VLAN_TAG) return -EMSGSIZE;
    error = raw_take_error(slot);
    if (!error) error = family_gather(bytes, message, (size_t)size);
    if (!error && !size) error = -EINVAL;
    if (!error && (size_t)size > mtu) error = -EMSGSIZE;
    if (!error && (size_t)size > RING_DATA_SIZE && process_need_ext()) error = -ENOBUFS;
    if (!error && target.protocol == ETH_P_ALL && load_relaxed(&slot->setting[PACKET_TYPE]) == SOCK_RAW)
        target.protocol = 0; /* the frame was to say it, which one of CAN does not */
    if (!error) error = transmit(bus, number, fd, &target, bytes, (uint32_t)size);
    if (error) return error;
    store_relaxed(&slot->tx_frames, load_relaxed(&slot->tx_frames) + 1);
    return size;
}

ssize_t packet_send_for(const struct bus *bus, int fd, const struct raw_send *message)
{
    struct target target;
    int type, domain = 0, own, error;
    socklen_t size = sizeof(type);
    ssize_t result;

    if (sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET)
        return -ENXIO; /* whatever else says so means something else */
    error = find_target(bus, NULL, message, &target);
    if (error == -ENXIO || sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0)
        return -ENXIO;
    own = packet_socket(bus, type | SOCK_CLOEXEC, 0);
    if (own < 0) return own;
    error = raw_identify(bus, own);
    result = error < 0 ? error : packet_send(bus, (uint32_t)error, own, message, 0);
    sys_call(SYS_close, own);
    if (error >= 0) raw_closed(bus, (uint32_t)error);
    return result;
}

/* ---- receiving ---- */

static void put_control(const struct bus_slot *slot, const struct ring_item *item,
                        struct raw_receive *message)
{
    struct message_control control = { message, 0 };
    struct tpacket_auxdata about = {
        .tp_status = TP_STATUS_USER | (item->record_flags & RECORD_OUTGOING ? 0 : TP_STATUS_CSUM_VALID),
        .tp_len = item->mark >> 16,
        .tp_snaplen = item->size,
    };

    message_put_times(&control, slot, item->time_ns,
                      item->record_flags & RECORD_HARDWARE ? item->time_ns : 0);
    if (load_relaxed(&slot->option[OPT_RXQ_OVFL]) && item->drops)
        message_put(&control, SOL_SOCKET, CMSG_RXQ_OVFL, &item->drops, sizeof(item->drops));
    if (load_relaxed(&slot->setting[PACKET_FLAGS]) & PACKET_HAS_AUXDATA)
        message_put(&control, SOL_PACKET, PACKET_AUXDATA, &about, sizeof(about));
    message->control_size = control.used;
}

static int put_name(const struct ring_item *item, struct raw_receive *message)
{
    struct sockaddr_ll from = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons((uint16_t)item->mark),
        .sll_ifindex = (int)item->ifindex,
        .sll_hatype = HARDWARE_TYPE,
        .sll_pkttype = item->record_flags & RECORD_OUTGOING ? PACKET_OUTGOING : PACKET_BROADCAST,
    };
    size_t room = message->name_size < ADDRESS_SIZE ? message->name_size : ADDRESS_SIZE;

    message->name_size = ADDRESS_SIZE;
    return usermem_write(message->name, &from, room);
}

static int check_receive(const struct bus_slot *slot, int flags)
{
    (void)slot;
    if (flags & ~RECEIVE_FLAGS) return -EINVAL;
    return flags & MSG_ERRQUEUE ? -EAGAIN : 0;
}

ssize_t packet_hand_out(const struct bus *bus, uint32_t number, const struct ring_item *item,
                        struct raw_receive *message, int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    ssize_t size;
    int error;

    message->flags = 0;
    size = message_put_data(message, item->frame, item->size);
    if (size < 0) return size;
    raw_remember_time(slot, item->time_ns);
    put_control(slot, item, message);
    error = message->name ? put_name(item, message) : 0;
    if (error) return error;
    return flags & MSG_TRUNC ? (ssize_t)item->size : size;
}

/* Frames come into the mapped ring only: who reads the socket itself hears of errors. */
static int await_error(struct bus_slot *slot, int fd, int flags)
{
    uint64_t since_ns, limit_ns, mask;
    int error = raw_take_error(slot);

    if (error || likely(!load_relaxed(&slot->setting[PACKET_MAPPED]))) return error;
    if (raw_is_nonblocking(fd, flags)) return -EAGAIN;
    since_ns = clock_mono_ns();
    limit_ns = nap_limit_ns(fd, SO_RCVTIMEO);
    mask = nap_begin();
    while (!error && load_relaxed(&slot->setting[PACKET_MAPPED])) {
        error = nap_take(NAP_NS, mask, !limit_ns);
        if (!error) error = raw_take_error(slot);
        if (!error && limit_ns && clock_mono_ns() - since_ns >= limit_ns) error = -EAGAIN;
    }
    nap_end(mask);
    return error;
}

static ssize_t packet_receive(const struct bus *bus, uint32_t number, int fd, struct raw_receive *message,
                              int flags)
{
    struct ring_item item;
    int error = check_receive(&bus->data->slot[number], flags);

    if (!error) error = await_error(&bus->data->slot[number], fd, flags);
    if (!error) error = raw_take(bus, number, fd, flags, &item);
    return error ? error : packet_hand_out(bus, number, &item, message, flags);
}

/* ---- ioctl ---- */

int packet_ioctl(const struct bus *bus, uint32_t number, unsigned long request, void *user)
{
    struct ring_item item;
    int value = 0;

    if (request == FIONREAD && ring_peek(bus, number, &item)) value = (int)item.size;
    if (request != FIONREAD && request != TIOCOUTQ) return -ENOIOCTLCMD;
    return usermem_write(user, &value, sizeof(value));
}

const struct family_protocol family_packet = {
    .bind = packet_bind,
    .getsockname = packet_getsockname,
    .setsockopt = packet_setsockopt,
    .getsockopt = packet_getsockopt,
    .send = packet_send,
    .check_receive = check_receive,
    .receive = packet_receive,
};
