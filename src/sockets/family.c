/* sockets/family.c - PF_CAN: which protocol a socket is of, and what its protocols have in common. */
#include "sockets/family.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/bus.h"
#include "bus/wake.h"
#include "can/isotp.h"
#include "sockets/service.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define WAIT_NS          500000
#define GIVE_UP_NS       200000
#define GIVE_UP_LOOKS    100
#define PROTOCOLS        CAN_NPROTO
#define SOCKET_TYPES     11 /* SOCK_MAX */
#define SOCKET_TYPE_MASK 0xf

/* For what somebody scribbled over. */
static ssize_t no_send(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message,
                       int flags)
{
    (void)bus, (void)slot, (void)fd, (void)message, (void)flags;
    return -EOPNOTSUPP;
}

static ssize_t no_receive(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message,
                          int flags)
{
    (void)bus, (void)slot, (void)fd, (void)message, (void)flags;
    return -EOPNOTSUPP;
}

static const struct family_protocol *protocol_of(const struct bus *bus, uint32_t slot)
{
    static const struct family_protocol none = { .send = no_send, .receive = no_receive };

    switch (load_relaxed(&bus->data->slot[slot].protocol)) {
    case CAN_BCM: return &family_bcm;
    case CAN_ISOTP: return &family_isotp;
    case PROTOCOL_PACKET: return &family_packet;
    default: return &none;
    }
}

/* ---- socket ---- */

static int check_type(int type, int protocol)
{
    if (type & ~SOCKET_TYPE_MASK & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) return -EINVAL;
    if ((type & SOCKET_TYPE_MASK) >= SOCKET_TYPES || protocol < 0 || protocol >= PROTOCOLS) return -EINVAL;
    if (protocol != CAN_RAW && protocol != CAN_BCM && protocol != CAN_ISOTP) return -EPROTONOSUPPORT;
    return (type & SOCKET_TYPE_MASK) == (protocol == CAN_RAW ? SOCK_RAW : SOCK_DGRAM) ? 0 : -EPROTOTYPE;
}

int family_socket(const struct bus *bus, int type, int protocol)
{
    int error = check_type(type, protocol), flags = type & (SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (error) return error;
    return protocol == CAN_RAW ? raw_socket(bus, flags)
                               : service_open(bus, flags, (uint32_t)protocol,
                                              protocol == CAN_ISOTP ? family_isotp.open : NULL);
}

/* ---- names ---- */

/* Copies an address as the kernel does before it asks the protocol. */
static int copy_address(struct sockaddr_can *to, const void *user, socklen_t size)
{
    if (size > sizeof(struct sockaddr_storage)) return -EINVAL;
    memset(to, 0, sizeof(*to));
    if (!usermem_ok(user, size, USERMEM_READ)) return -EFAULT;
    return usermem_read(to, user, size < sizeof(*to) ? size : sizeof(*to));
}

int family_bind(const struct bus *bus, uint32_t slot, int fd, const void *user, socklen_t size)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);
    struct sockaddr_can address;
    int error;

    if (family_is_raw(bus, slot)) return raw_bind(bus, slot, fd, user, size);
    error = copy_address(&address, user, size);
    if (error) return error;
    return protocol->bind ? protocol->bind(bus, slot, fd, &address, size) : -EOPNOTSUPP;
}

int family_connect(const struct bus *bus, uint32_t slot, int fd, const void *user, socklen_t size)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);
    struct sockaddr_can address;
    int error = copy_address(&address, user, size);

    if (error) return error;
    return protocol->connect ? protocol->connect(bus, slot, fd, &address, size) : -EOPNOTSUPP;
}

int family_getsockname(const struct bus *bus, uint32_t slot, void *user, socklen_t *user_size)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);
    struct sockaddr_can address = { 0 };
    int room, size;

    if (family_is_raw(bus, slot)) return raw_getsockname(bus, slot, user, user_size);
    if (!protocol->getsockname) return -EOPNOTSUPP;
    size = protocol->getsockname(bus, slot, &address);
    if (usermem_read(&room, user_size, sizeof(room))) return -EFAULT;
    if (room < 0) return -EINVAL;
    if (usermem_write(user, &address, (size_t)(room < size ? room : size))) return -EFAULT;
    return usermem_write(user_size, &size, sizeof(size));
}

/* ---- options ---- */

int family_setsockopt(const struct bus *bus, uint32_t slot, int fd, int level, int name, const void *user,
                      socklen_t size)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);

    if (family_is_raw(bus, slot) || level == SOL_SOCKET)
        return raw_setsockopt(bus, slot, fd, level, name, user, size);
    if ((int)size < 0) return -EINVAL;
    return protocol->setsockopt ? protocol->setsockopt(bus, slot, level, name, user, size) : -EOPNOTSUPP;
}

int family_getsockopt(const struct bus *bus, uint32_t slot, int fd, int level, int name, void *user,
                      socklen_t *user_size)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);

    if (family_is_raw(bus, slot) || level == SOL_SOCKET)
        return raw_getsockopt(bus, slot, fd, level, name, user, user_size);
    return protocol->getsockopt ? protocol->getsockopt(bus, slot, level, name, user, user_size) : -EOPNOTSUPP;
}

/* ---- data ---- */

ssize_t family_total(const struct raw_send *message)
{
    size_t total = 0;

    for (size_t i = 0; i < message->iov_count; i++) {
        total += message->iov[i].iov_len;
        if (total > INT32_MAX) return -EMSGSIZE;
    }
    return (ssize_t)total;
}

int family_gather(void *to, const struct raw_send *message, size_t size)
{
    uint8_t *at = to;

    for (size_t i = 0; i < message->iov_count && size > 0; i++) {
        size_t part = message->iov[i].iov_len < size ? message->iov[i].iov_len : size;
        if (usermem_read(at, message->iov[i].iov_base, part)) return -EFAULT;
        at += part;
        size -= part;
    }
    return 0;
}

int family_transmit(const struct bus *bus, uint32_t slot, int fd, uint32_t ifindex, void *frame,
                    uint32_t size)
{
    struct bus_slot *at = &bus->data->slot[slot];
    struct bus_frame out = { .frame = frame,
                             .size = size,
                             .origin = slot,
                             .origin_gen = load_relaxed(&at->gen),
                             .owner = slot,
                             .mark = load_relaxed(&at->option[OPT_MARK]),
                             .token_fd = -1, /* a connection cannot send tokens to others than the worker */
                             .worker_fd = fd + 1,
                             .loopback = true };
    int error;

    error = bus_transmit(bus, ifindex, &out);
    if (!error) store_relaxed(&at->tx_frames, load_relaxed(&at->tx_frames) + 1);
    return error;
}

/* Its connection to the worker is gone, and its binding: this says more than that there is no binding. */
static bool is_lost(const struct bus *bus, uint32_t slot)
{
    return unlikely(load_relaxed(&bus->data->slot[slot].error) == ECONNRESET);
}

ssize_t family_send_other(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message,
                          int flags)
{
    int error = message->control_size ? raw_check_control(message) : 0;

    if (message->name && message->name_size > sizeof(struct sockaddr_storage)) return -EINVAL;
    if (message->name && !usermem_ok(message->name, message->name_size, USERMEM_READ)) return -EFAULT;
    if (error || is_lost(bus, slot)) return error ? error : -ECONNRESET;
    return protocol_of(bus, slot)->send(bus, slot, fd, message, flags);
}

ssize_t family_write_other(const struct bus *bus, uint32_t slot, int fd, const void *user, size_t size,
                           int flags)
{
    struct iovec iov = { (void *)(uintptr_t)user, size };
    struct raw_send message = { .iov = &iov, .iov_count = 1 };

    return is_lost(bus, slot) ? -ECONNRESET : protocol_of(bus, slot)->send(bus, slot, fd, &message, flags);
}

ssize_t family_receive_other(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message,
                             int flags)
{
    ssize_t result = protocol_of(bus, slot)->receive(bus, slot, fd, message, flags);

    if (result >= 0 && !(flags & MSG_PEEK))
        store_relaxed(&bus->data->slot[slot].rx_frames, load_relaxed(&bus->data->slot[slot].rx_frames) + 1);
    return result;
}

int family_check_receive(const struct bus *bus, uint32_t slot, int flags)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);
    return protocol->check_receive ? protocol->check_receive(&bus->data->slot[slot], flags) : 0;
}

bool family_send_waits(const struct bus *bus, uint32_t slot)
{
    const struct family_protocol *protocol = protocol_of(bus, slot);
    return protocol->send_waits && protocol->send_waits(&bus->data->slot[slot]);
}

ssize_t family_read_other(const struct bus *bus, uint32_t slot, int fd, void *user, size_t size, int flags)
{
    struct iovec iov = { user, size };
    struct raw_receive message = { .iov = &iov, .iov_count = 1 };

    return family_receive_other(bus, slot, fd, &message, flags);
}

/* ---- close ---- */

bool family_is_sending(const struct bus *bus, uint32_t slot)
{
    return family_is_served(bus, slot) && (load_acquire(&bus->data->slot[slot].busy) & SERVICE_BUSY_WORKER);
}

void family_closing(const struct bus *bus, uint32_t slot)
{
    atomic_u32 *busy = &bus->data->slot[slot].busy;
    uint32_t word = load_relaxed(busy);

    if (family_is_served(bus, slot) && (word & SERVICE_BUSY_WORKER))
        cas32(busy, word, service_busy_time(clock_mono_ns()) | SERVICE_BUSY_WORKER | SERVICE_BUSY_DRAIN);
}

/* A signal: the PDU ends as if we had been killed. The worker is told, and has the time to hear it. */
static void give_up(const struct bus *bus, uint32_t slot, uint32_t life, uint32_t word)
{
    atomic_u32 *busy = &bus->data->slot[slot].busy;
    struct timespec moment = { 0, GIVE_UP_NS };

    if (!cas32(busy, word, SERVICE_BUSY_WORKER)) return;
    wake_nudge(bus, slot, life >> 2);
    for (unsigned i = 0; i < GIVE_UP_LOOKS && load_acquire(&bus->data->life[slot]) == life &&
                         load_acquire(busy) == SERVICE_BUSY_WORKER;
         i++)
        sys_call(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &moment, NULL);
}

/* Until the PDU has been sent. Signals come while we sleep only, so that none is missed; each sleep says that we still wait. */
static void wait_until_sent(const struct bus *bus, uint32_t slot, uint32_t life)
{
    atomic_u32 *busy = &bus->data->slot[slot].busy;
    uint64_t all = UINT64_MAX, mask = 0;
    uint32_t word;

    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
    while (load_acquire(&bus->data->life[slot]) == life &&
           ((word = load_acquire(busy)) & SERVICE_BUSY_DRAIN)) {
        struct timespec moment = { 0, WAIT_NS };
        if (sys_call(SYS_ppoll, NULL, 0, &moment, &mask, sizeof(mask)) != 0) {
            give_up(bus, slot, life, word);
            break;
        }
        cas32(busy, word, service_busy_time(clock_mono_ns()) | (word & ~(UINT32_MAX << SERVICE_BUSY_SHIFT)));
    }
    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

void family_closed(const struct bus *bus, uint32_t slot)
{
    uint32_t life = load_acquire(&bus->data->life[slot]);

    if (!family_is_served(bus, slot))
        raw_closed(bus, slot);
    else if ((load_relaxed(&bus->data->slot[slot].busy) & SERVICE_BUSY_DRAIN) &&
             wake_probe(bus, slot, life >> 2) == WAKE_DEAD)
        wait_until_sent(bus, slot, life);
}
