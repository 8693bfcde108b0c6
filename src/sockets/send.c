/* sockets/send.c - sending on CAN_RAW sockets: the checks of write(2), sendto(2), sendmsg(2) in the kernel's order.
 *
 * The order matters to programs that provoke several errors at once: length, address, device, pending error, memory, frame
 * kind, control messages, size, device type, device state (spec B.2). The frame is copied once and then only the copy counts. */
/* prefix: raw_ */

#include "sockets/raw.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/ring.h"
#include "can/frame.h"
#include "sockets/process.h"
#include "sockets/options.h"
#include "sockets/sendbuf.h"
#include "sockets/txstamp.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define ADDRESS_SIZE 8
#define CONTROL_MAX  20480u /* net.core.optmem_max */

#ifndef SCM_TXTIME
#define SCM_TXTIME 61
#endif
#define SO_TIMESTAMPING_OLD_ 37
#define SO_TIMESTAMPING_NEW_ 65

/* Where a frame goes. foreign: an interface of the real kernel, which is no CAN device. */
struct target {
    uint32_t index;
    uint64_t state;
    bool foreign;
};

bool raw_kernel_has_ifindex(int fd, uint32_t ifindex)
{
    struct ifreq request = { .ifr_ifindex = (int)ifindex };
    return sys_call(SYS_ioctl, fd, 0x8910 /* SIOCGIFNAME */, &request) == 0;
}

static OFF_PATH int search_target(const struct bus *bus, int fd, uint32_t ifindex, struct target *out)
{
    out->index = links_find(bus->control, ifindex);
    if (likely(out->index < LINKS_MAX)) {
        out->state = load_acquire(&bus->control->links[out->index].state);
        return 0;
    }
    out->foreign = raw_kernel_has_ifindex(fd, ifindex);
    out->state = 0;
    return out->foreign ? 0 : -ENXIO;
}

static inline int find_target(const struct bus *bus, struct bus_slot *slot, int fd, uint32_t ifindex,
                              struct target *out)
{
    out->index = load_relaxed(&slot->link);
    out->foreign = false;
    if (!ifindex) return -ENXIO;
    if (unlikely(out->index >= LINKS_MAX ||
                 load_relaxed(&bus->control->links[out->index].ifindex) != ifindex))
        return search_target(bus, fd, ifindex, out);
    out->state = load_acquire(&bus->control->links[out->index].state);
    return 0;
}

static bool is_fd_mtu(uint32_t mtu) { return mtu == FRAME_FD_SIZE || (mtu >= 76 && mtu <= FRAME_XL_MAX); }
static bool is_xl_mtu(uint32_t mtu) { return mtu >= 76 && mtu <= FRAME_XL_MAX; }

/* May this socket send this frame on a device with this mtu? Spec C.4. */
static int check_kind(const struct bus_slot *slot, const struct target *target, const void *frame,
                      size_t size)
{
    uint32_t mtu = target->foreign ? FRAME_CC_SIZE : link_state_mtu(target->state);

    switch (frame_classify(frame, size)) {
    case FRAME_CC: return 0;
    case FRAME_FD: return load_relaxed(&slot->option[OPT_FD]) && is_fd_mtu(mtu) ? 0 : -EINVAL;
    case FRAME_XL:
        if (!load_relaxed(&slot->option[OPT_XL]) || !is_xl_mtu(mtu)) return -EINVAL;
        return process_need_ext() ? -ENOBUFS : 0; /* a socket that was inherited or passed to us */
    case FRAME_NONE: break;
    }
    return -EINVAL;
}

/* ---- control messages ---- */

/* One SOL_SOCKET control message. A mark is checked, but the socket's own is what counts in Linux 6.1. */
static int check_cmsg(const struct bus_slot *slot, const struct cmsghdr *head, const void *user_data,
                      uint32_t *stamps)
{
    uint32_t value = 0;
    size_t data_size = head->cmsg_len - CMSG_LEN(0);

    if (data_size >= sizeof(value) && usermem_read(&value, user_data, sizeof(value))) return -EFAULT;
    switch (head->cmsg_type) {
    case SO_MARK:
        if (!options_capable(OPTIONS_CAP_NET_RAW) && !options_capable(OPTIONS_CAP_NET_ADMIN)) return -EPERM;
        return data_size == sizeof(value) ? 0 : -EINVAL;
    case SO_TIMESTAMPING_OLD_:
    case SO_TIMESTAMPING_NEW_:
        if (data_size != sizeof(value) || (value & ~(uint32_t)SOF_TIMESTAMPING_TX_RECORD_MASK))
            return -EINVAL;
        *stamps = (*stamps & ~(uint32_t)SOF_TIMESTAMPING_TX_RECORD_MASK) | value;
        return 0;
    case SCM_TXTIME: return load_relaxed(&slot->option[OPT_TXTIME]) && data_size == 8 ? 0 : -EINVAL;
    case SCM_RIGHTS:
    case SCM_CREDENTIALS: return 0;
    default: return -EINVAL;
    }
}

int raw_check_control(const struct raw_send *message)
{
    if (message->control_size > CONTROL_MAX) return -ENOBUFS;
    return usermem_ok(message->control, message->control_size, USERMEM_READ) ? 0 : -EFAULT;
}

/* stamps: the SOF_TIMESTAMPING_* flags of the socket, which a control message changes for this frame. */
static int check_control(const struct bus_slot *slot, const struct raw_send *message, uint32_t *stamps)
{
    const uint8_t *at = message->control;
    size_t left = message->control_size;
    int error = 0;

    while (!error && left >= sizeof(struct cmsghdr)) {
        struct cmsghdr head;
        size_t step;
        if (usermem_read(&head, at, sizeof(head))) return -EFAULT;
        if (unlikely(message->padded)) head.cmsg_len = (uint32_t)head.cmsg_len;
        if (head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > left) return -EINVAL;
        if (head.cmsg_level == SOL_SOCKET) error = check_cmsg(slot, &head, at + CMSG_LEN(0), stamps);
        step = CMSG_ALIGN(head.cmsg_len);
        if (step > left) step = left;
        at += step;
        left -= step;
    }
    return error;
}

/* ---- the call ---- */

static int gather(uint8_t *to, const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (usermem_read(to, iov[i].iov_base, iov[i].iov_len)) return -EFAULT;
        to += iov[i].iov_len;
    }
    return 0;
}

/* The pending error, and room for the frame, which it takes only on its way to a controller. */
static inline int take_room(const struct bus *bus, uint32_t number, int fd, struct target *target, int flags)
{
    int error = raw_take_error(&bus->data->slot[number]);

    if (likely(error || link_state_kind(target->state) != LINK_KIND_CAN)) return error;
    error = sendbuf_wait(bus, number, fd, flags);
    target->state = load_acquire(&bus->control->links[target->index].state); /* it may have gone down */
    return error;
}

/* The frame is copied and its target known: the rest of the checks, and off. */
static ssize_t transmit(const struct bus *bus, uint32_t number, int fd, const struct target *target,
                        uint8_t *bytes, size_t size, uint32_t stamps)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct bus_frame frame = {
        .frame = bytes,
        .size = (uint32_t)size,
        .origin = number,
        .origin_gen = load_relaxed(&slot->gen),
        .owner = number,
        .mark = load_relaxed(&slot->option[OPT_MARK]),
        .token_fd = fd,
        .loopback = load_relaxed(&slot->option[OPT_LOOPBACK]),
        .charge = true,
    };
    int error;

    if (unlikely(target->foreign || size > link_state_mtu(target->state))) {
        if (txstamp_is_wanted(stamps)) txstamp_record(bus, number, fd, stamps, 0, &frame);
        return target->foreign ? -EPERM : -EMSGSIZE;
    }
    /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): all `size` bytes were copied */
    if (size == FRAME_FD_SIZE && !(bytes[4] & FRAME_XL_FLAG)) bytes[5] |= CANFD_FDF;
    if (unlikely(txstamp_is_wanted(stamps))) txstamp_record(bus, number, fd, stamps, target->state, &frame);
    error = bus_send(bus, target->index, target->state, &frame);
    if (unlikely(error)) return error;
    store_relaxed(&slot->tx_frames, load_relaxed(&slot->tx_frames) + 1);
    return (ssize_t)size;
}

/* bytes: room for the frame. */
static inline ssize_t write_frame(const struct bus *bus, uint32_t number, int fd, const void *user_frame,
                                  size_t size, uint8_t *bytes, int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct target target;
    int error = find_target(bus, slot, fd, load_relaxed(&slot->ifindex), &target);

    if (!error) error = take_room(bus, number, fd, &target, flags);
    if (!error)
        error = likely(size == FRAME_CC_SIZE)
                    ? usermem_read(bytes, user_frame, FRAME_CC_SIZE) /* the copy is two moves */
                    : usermem_read(bytes, user_frame, size);
    if (!error) error = check_kind(slot, &target, bytes, size);
    return unlikely(error) ? error
                           : transmit(bus, number, fd, &target, bytes, size,
                                      load_relaxed(&slot->option[OPT_TIMESTAMPING]));
}

static OFF_PATH ssize_t write_large(const struct bus *bus, uint32_t number, int fd, const void *user_frame,
                                    size_t size, int flags)
{
    _Alignas(8) uint8_t bytes[RING_EXT_SIZE];

    return size > FRAME_XL_MAX ? -EINVAL : write_frame(bus, number, fd, user_frame, size, bytes, flags);
}

ssize_t raw_write(const struct bus *bus, uint32_t number, int fd, const void *user_frame, size_t size,
                  int flags)
{
    _Alignas(8) uint8_t bytes[FRAME_FD_SIZE];

    if (unlikely(size < FRAME_XL_MIN)) return -EINVAL;
    if (unlikely(size > FRAME_FD_SIZE)) return write_large(bus, number, fd, user_frame, size, flags);
    return write_frame(bus, number, fd, user_frame, size, bytes, flags);
}

static int copy_address(const struct raw_send *message, struct sockaddr_can *address)
{
    if (message->name_size > sizeof(struct sockaddr_storage)) return -EINVAL;
    return usermem_read(address, message->name,
                        message->name_size < ADDRESS_SIZE ? message->name_size : ADDRESS_SIZE);
}

/* The interface that an explicit address names. */
static int check_address(const struct raw_send *message, const struct sockaddr_can *address,
                         uint32_t *ifindex)
{
    *ifindex = (uint32_t)address->can_ifindex;
    return message->name_size < ADDRESS_SIZE || address->can_family != AF_CAN ? -EINVAL : 0;
}

static int total_size(const struct raw_send *message, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < message->iov_count; i++) {
        if (message->iov[i].iov_len > FRAME_XL_MAX - *size) return -EINVAL;
        *size += message->iov[i].iov_len;
    }
    return *size < FRAME_XL_MIN ? -EINVAL : 0;
}

ssize_t raw_send(const struct bus *bus, uint32_t number, int fd, const struct raw_send *message, int flags)
{
    struct bus_slot *slot = &bus->data->slot[number];
    _Alignas(8) uint8_t bytes[RING_EXT_SIZE];
    uint32_t ifindex = load_relaxed(&slot->ifindex), stamps = load_relaxed(&slot->option[OPT_TIMESTAMPING]);
    struct sockaddr_can address = { 0 };
    struct target target;
    size_t size = 0;
    int error = message->name ? copy_address(message, &address) : 0;

    if (!error && message->control_size) error = raw_check_control(message);
    if (!error) error = total_size(message, &size);
    if (!error && message->name) error = check_address(message, &address, &ifindex);
    if (!error) error = find_target(bus, slot, fd, ifindex, &target);
    if (!error) error = take_room(bus, number, fd, &target, flags);
    if (!error) error = gather(bytes, message->iov, message->iov_count);
    if (!error) error = check_kind(slot, &target, bytes, size);
    if (!error && message->control_size) error = check_control(slot, message, &stamps);
    return error ? error : transmit(bus, number, fd, &target, bytes, size, stamps);
}
