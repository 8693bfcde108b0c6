/* sockets/options_socket.c - the rows of SOL_SOCKET (spec A.6), but for time stamps.
 *
 * Many have no effect on a CAN socket; they are kept and given back as Linux does. */
#include "sockets/options.h"
#include "base/sys.h"
#include "bus/charge.h"
#include "bus/links.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "can/cbpf.h"
#include "sockets/bpf.h"
#include "sockets/raw.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>

/* prefix: options_ */

#define BUFFER_MAX 212992u /* net.core.[rw]mem_max */
#define RCVBUF_MIN 2304u
#define SNDBUF_MIN 4608u

/* Numbers that not every libc names. */
enum {
    OPT_SO_TXTIME = 61,
    OPT_SO_BINDTOIFINDEX = 62,
    OPT_SO_DETACH_REUSEPORT_BPF = 68,
    OPT_SO_BUF_LOCK = 72,
    OPT_SO_TXREHASH = 74,
    OPT_SO_RCVMARK = 75
};

static int as_bool(const struct option_call *call, int *value)
{
    (void)call;
    *value = *value != 0;
    return 0;
}

/* What the kernel would make of this request: a socket of its own is asked, so that its limits count. */
static int buffer_size(int name, int *value)
{
    socklen_t size = sizeof(*value);
    long fd = sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

    if (fd < 0) return (int)fd;
    error = sys_call(SYS_setsockopt, fd, SOL_SOCKET, name, value, sizeof(*value));
    name = name == SO_RCVBUFFORCE ? SO_RCVBUF : name == SO_SNDBUFFORCE ? SO_SNDBUF : name;
    if (!error) error = sys_call(SYS_getsockopt, fd, SOL_SOCKET, name, value, &size);
    sys_call(SYS_close, fd);
    return (int)error;
}

static int buffer_in(const struct option_call *call, int *value) { return buffer_size(call->name, value); }

static int buffer_force_in(const struct option_call *call, int *value)
{
    return options_capable(OPTIONS_CAP_NET_ADMIN) ? buffer_size(call->name, value) : -EPERM;
}

/* A size that was set is one that the kernel may not change by itself. */
static void lock_size(const struct option_call *call, uint32_t which)
{
    store_relaxed(&call->slot->option[OPT_BUF_LOCK], load_relaxed(&call->slot->option[OPT_BUF_LOCK]) | which);
}

static void rcvbuf_after(const struct option_call *call, int value)
{
    store_seq(&call->slot->rx_limit, (uint32_t)value);
    slot_update_rx_flags(call->bus, call->number);
    lock_size(call, SOCK_RCVBUF_LOCK);
}

static void sndbuf_after(const struct option_call *call, int value)
{
    (void)value;
    lock_size(call, SOCK_SNDBUF_LOCK);
}

static int buf_lock_in(const struct option_call *call, int *value)
{
    (void)call;
    return *value & ~(SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK) ? -EINVAL : 0;
}

static int need_net_admin(const struct option_call *call, int *value)
{
    (void)call;
    (void)value;
    return options_capable(OPTIONS_CAP_NET_ADMIN) ? 0 : -EPERM;
}

static int mark_in(const struct option_call *call, int *value)
{
    return options_capable(OPTIONS_CAP_NET_RAW) ? 0 : need_net_admin(call, value);
}

static int priority_in(const struct option_call *call, int *value)
{
    return *value >= 0 && *value <= 6 ? 0 : need_net_admin(call, value);
}

static int debug_in(const struct option_call *call, int *value)
{
    as_bool(call, value);
    return *value && need_net_admin(call, value) ? -EACCES : 0;
}

static int busy_poll_in(const struct option_call *call, int *value)
{
    if ((uint32_t)*value > load_relaxed(&call->slot->option[OPT_BUSY_POLL]) && need_net_admin(call, value))
        return -EPERM;
    return *value < 0 ? -EINVAL : 0;
}

static int rcvlowat_in(const struct option_call *call, int *value)
{
    (void)call;
    *value = *value < 0 ? INT32_MAX : *value ? *value : 1;
    return 0;
}

static int lock_filter_in(const struct option_call *call, int *value)
{
    *value = *value != 0;
    return load_relaxed(&call->slot->option[OPT_LOCK_FILTER]) && !*value ? -EPERM : 0;
}

/* Any index will do, there need not be such an interface. */
static int bindtoifindex_in(const struct option_call *call, int *value)
{
    (void)call;
    return *value < 0 ? -EINVAL : 0;
}

/* SOCK_TXREHASH_DEFAULT (-1) becomes what net.core.txrehash says, which is 1. */
static int txrehash_in(const struct option_call *call, int *value)
{
    (void)call;
    if (*value < -1 || *value > 1) return -EINVAL;
    *value = *value != 0;
    return 0;
}

static int reuseport_in(const struct option_call *call, int *value)
{
    (void)call;
    return *value ? -EOPNOTSUPP : 0;
}

static int error_out(const struct option_call *call, int *value)
{
    *value = -raw_take_error(call->slot);
    return 0;
}

static int domain_out(const struct option_call *call, int *value)
{
    *value = load_relaxed(&call->slot->protocol) == PROTOCOL_PACKET ? AF_PACKET : AF_CAN;
    return 0;
}

static int type_out(const struct option_call *call, int *value)
{
    uint32_t protocol = load_relaxed(&call->slot->protocol);

    *value = protocol > CAN_RAW ? SOCK_DGRAM : SOCK_RAW;
    if (protocol == PROTOCOL_PACKET) *value = (int)load_relaxed(&call->slot->setting[PACKET_TYPE]);
    return 0;
}

static int zero_out(const struct option_call *call, int *value)
{
    (void)call;
    *value = 0;
    return 0;
}

static int sndlowat_out(const struct option_call *call, int *value)
{
    (void)call;
    *value = 1;
    return 0;
}

static int not_supported(const struct option_call *call, int *value)
{
    (void)call;
    (void)value;
    return -EOPNOTSUPP;
}

/* An interface of the real kernel will do as well: it has no effect either. */
static int kernel_index(int fd, const char *name, int32_t *ifindex)
{
    struct ifreq request = { 0 };

    memcpy(request.ifr_name, name, LINK_NAME_SIZE);
    if (sys_call(SYS_ioctl, fd, SIOCGIFINDEX, &request) != 0) return -ENODEV;
    *ifindex = request.ifr_ifindex;
    return 0;
}

static int kernel_name(int fd, uint32_t ifindex, char *name)
{
    struct ifreq request = { .ifr_ifindex = (int)ifindex };

    if (sys_call(SYS_ioctl, fd, SIOCGIFNAME, &request) != 0) return -ENODEV;
    memcpy(name, request.ifr_name, LINK_NAME_SIZE);
    return 0;
}

static int bindtodevice_set(const struct option_call *call, const void *user, socklen_t size)
{
    struct link_view view;
    char name[LINK_NAME_SIZE] = { 0 };

    if (load_relaxed(&call->slot->option[OPT_BINDTOIFINDEX]) && !options_capable(OPTIONS_CAP_NET_RAW))
        return -EPERM;
    if ((int)size < 0) return -EINVAL;
    if (usermem_read(name, user, size < sizeof(name) - 1 ? size : sizeof(name) - 1)) return -EFAULT;
    if (!name[0])
        view.ifindex = 0;
    else if (links_by_name(call->bus->control, name, sizeof(name), &view) &&
             kernel_index(call->fd, name, &view.ifindex))
        return -ENODEV;
    store_relaxed(&call->slot->option[OPT_BINDTOIFINDEX], (uint32_t)view.ifindex);
    return 0;
}

static int bindtodevice_get(const struct option_call *call, void *user, socklen_t *size)
{
    uint32_t ifindex = load_relaxed(&call->slot->option[OPT_BINDTOIFINDEX]);
    struct link_view view;

    if (!ifindex) {
        *size = 0;
        return 0;
    }
    if (*size < LINK_NAME_SIZE) return -EINVAL;
    if (links_by_ifindex(call->bus->control, ifindex, &view) && kernel_name(call->fd, ifindex, view.name))
        return -ENODEV;
    *size = (socklen_t)strlen(view.name) + 1;
    return usermem_write(user, view.name, *size);
}

static int linger_set(const struct option_call *call, const void *user, socklen_t size)
{
    int value[2];

    if (size < sizeof(value)) return -EINVAL;
    if (usermem_read(value, user, sizeof(value))) return -EFAULT;
    store_relaxed(&call->slot->option[OPT_LINGER_ONOFF], value[0] != 0);
    store_relaxed(&call->slot->option[OPT_LINGER_SECONDS], (uint32_t)value[1]);
    return 0;
}

static int linger_get(const struct option_call *call, void *user, socklen_t *size)
{
    int value[2] = { (int)load_relaxed(&call->slot->option[OPT_LINGER_ONOFF]),
                     (int)load_relaxed(&call->slot->option[OPT_LINGER_SECONDS]) };
    return options_copy_out(value, sizeof(value), user, size);
}

/* struct sock_txtime { clockid, flags }: only whether it was ever set matters here. */
static int txtime_set(const struct option_call *call, const void *user, socklen_t size)
{
    uint32_t value[2];

    if (size != sizeof(value)) return -EINVAL;
    if (usermem_read(value, user, sizeof(value))) return -EFAULT;
    if (value[1] & ~3u) return -EINVAL;
    store_relaxed(&call->slot->option[OPT_TXTIME], 1);
    return 0;
}

static int peercred_get(const struct option_call *call, void *user, socklen_t *size)
{
    struct ucred nobody = { 0, (uid_t)-1, (gid_t)-1 };
    (void)call;
    return options_copy_out(&nobody, sizeof(nobody), user, size);
}

/* The descriptor of a served socket has a peer: our daemon, which is nobody's business. */
static int peername_get(const struct option_call *call, void *user, socklen_t *size)
{
    (void)call;
    (void)user;
    (void)size;
    return -ENOTCONN;
}

static int peergroups_get(const struct option_call *call, void *user, socklen_t *size)
{
    (void)call;
    (void)user;
    (void)size;
    return -ENODATA;
}

static int meminfo_get(const struct option_call *call, void *user, socklen_t *size)
{
    uint32_t info[9] = { ring_charge(call->bus, call->number) + load_relaxed(&call->slot->errqueue_charge),
                         load_relaxed(&call->slot->option[OPT_RCVBUF]),
                         charge_counted(call->bus, call->number),
                         load_relaxed(&call->slot->option[OPT_SNDBUF]),
                         0,
                         0,
                         0,
                         0,
                         load_relaxed(&call->bus->data->slot[call->number].drops) };
    return options_copy_out(info, sizeof(info), user, size);
}

static int attach_filter_set(const struct option_call *call, const void *user, socklen_t size)
{
    return size < sizeof(int) ? -EINVAL : bpf_attach(call->bus, call->number, user, size);
}

static int attach_filter_get(const struct option_call *call, void *user, socklen_t *size)
{
    return bpf_get(call->bus, call->number, user, size);
}

static int detach_filter_in(const struct option_call *call, int *value)
{
    (void)value;
    return bpf_detach(call->bus, call->number);
}

/* Frames know what was dropped before them if the option was on when they were queued. */
static void rxq_ovfl_after(const struct option_call *call, int value)
{
    store_relaxed(&call->slot->drops_told, value ? load_relaxed(&call->slot->drops) : 0);
}

static int attach_bpf_set(const struct option_call *call, const void *user, socklen_t size)
{
    return bpf_attach_extended(call->bus, call->number, user, size);
}

/* CAN sockets have no SO_REUSEPORT, so nothing to attach a choice among them to. */
static int attach_reuseport_set(const struct option_call *call, const void *user, socklen_t size)
{
    int fd;

    if (size != sizeof(fd)) return -EINVAL;
    if (usermem_read(&fd, user, sizeof(fd))) return -EFAULT;
    if (load_relaxed(&call->slot->option[OPT_LOCK_FILTER])) return -EPERM;
    return fd < 0 || sys_call(SYS_fcntl, fd, F_GETFD, 0) < 0 ? -EBADF : -EINVAL;
}

static int attach_reuseport_program_set(const struct option_call *call, const void *user, socklen_t size)
{
    struct sock_fprog given;

    if (size != sizeof(given)) return -EINVAL;
    if (usermem_read(&given, user, sizeof(given))) return -EFAULT;
    if (load_relaxed(&call->slot->option[OPT_LOCK_FILTER])) return -EPERM;
    if (!given.filter || given.len == 0 || given.len > CBPF_KERNEL_MAX) return -EINVAL;
    return usermem_ok(given.filter, given.len * sizeof(*given.filter), USERMEM_READ) ? -EINVAL : -EFAULT;
}

static int invalid(const struct option_call *call, int *value)
{
    (void)call;
    (void)value;
    return -EINVAL;
}

#define SO(name, keep, ...)                                                                                  \
    {                                                                                                        \
        name, keep, 0, __VA_ARGS__                                                                           \
    }

const struct option options_socket[] = {
    SO(SO_DEBUG, OPT_DEBUG, .in = debug_in),
    SO(SO_REUSEADDR, OPT_REUSEADDR, .in = as_bool),
    SO(SO_TYPE, -1, .in = options_refused, .out = type_out),
    SO(SO_ERROR, -1, .in = options_refused, .out = error_out),
    SO(SO_DONTROUTE, OPT_DONTROUTE, .in = as_bool),
    SO(SO_BROADCAST, OPT_BROADCAST, .in = as_bool),
    SO(SO_SNDBUF, OPT_SNDBUF, .in = buffer_in, .after = sndbuf_after),
    SO(SO_RCVBUF, OPT_RCVBUF, .in = buffer_in, .after = rcvbuf_after),
    SO(SO_SNDBUFFORCE, OPT_SNDBUF, .in = buffer_force_in, .after = sndbuf_after, .out = options_refused),
    SO(SO_RCVBUFFORCE, OPT_RCVBUF, .in = buffer_force_in, .after = rcvbuf_after, .out = options_refused),
    SO(SO_KEEPALIVE, OPT_KEEPALIVE, .in = as_bool),
    SO(SO_OOBINLINE, OPT_OOBINLINE, .in = as_bool),
    SO(SO_NO_CHECK, OPT_NO_CHECK, .in = as_bool),
    SO(SO_PRIORITY, OPT_PRIORITY, .in = priority_in),
    SO(SO_LINGER, -1, .set = linger_set, .get = linger_get),
    SO(SO_REUSEPORT, -1, .in = reuseport_in, .out = zero_out),
    SO(SO_PASSCRED, OPT_PASSCRED, .in = as_bool),
    SO(SO_PEERCRED, -1, .in = options_refused, .get = peercred_get),
    SO(SO_PEERNAME, -1, .in = options_refused, .get = peername_get),
    SO(SO_PEERGROUPS, -1, .in = options_refused, .get = peergroups_get),
    SO(SO_RCVLOWAT, OPT_RCVLOWAT, .in = rcvlowat_in),
    SO(SO_SNDLOWAT, -1, .in = options_refused, .out = sndlowat_out),
    SO(SO_BINDTODEVICE, -1, .set = bindtodevice_set, .get = bindtodevice_get),
    SO(SO_ATTACH_FILTER, -1, .set = attach_filter_set, .get = attach_filter_get),
    SO(SO_ATTACH_BPF, -1, .set = attach_bpf_set, .out = options_refused),
    SO(SO_ATTACH_REUSEPORT_CBPF, -1, .set = attach_reuseport_program_set, .out = options_refused),
    SO(SO_ATTACH_REUSEPORT_EBPF, -1, .set = attach_reuseport_set, .out = options_refused),
    SO(OPT_SO_DETACH_REUSEPORT_BPF, -1, .in = invalid, .out = options_refused),
    SO(SO_DETACH_FILTER, -1, .in = detach_filter_in, .out = options_refused),
    SO(SO_ACCEPTCONN, -1, .in = options_refused, .out = zero_out),
    SO(SO_MARK, OPT_MARK, .in = mark_in),
    SO(SO_PROTOCOL, -1, .in = options_refused, .out = zero_out),
    SO(SO_DOMAIN, -1, .in = options_refused, .out = domain_out),
    SO(SO_RXQ_OVFL, OPT_RXQ_OVFL, .in = as_bool, .after = rxq_ovfl_after),
    SO(SO_PEEK_OFF, -1, .in = not_supported, .out = not_supported),
    SO(SO_LOCK_FILTER, OPT_LOCK_FILTER, .in = lock_filter_in),
    SO(SO_SELECT_ERR_QUEUE, OPT_SELECT_ERR_QUEUE, .in = as_bool),
    SO(SO_BUSY_POLL, OPT_BUSY_POLL, .in = busy_poll_in),
    SO(SO_INCOMING_CPU, OPT_INCOMING_CPU),
    SO(SO_MEMINFO, -1, .in = options_refused, .get = meminfo_get),
    SO(SO_ZEROCOPY, -1, .in = not_supported, .out = zero_out),
    SO(OPT_SO_TXTIME, -1, .set = txtime_set, .get = options_native_get),
    SO(OPT_SO_BINDTOIFINDEX, OPT_BINDTOIFINDEX, .in = bindtoifindex_in),
    SO(OPT_SO_BUF_LOCK, OPT_BUF_LOCK, .in = buf_lock_in),
    SO(OPT_SO_TXREHASH, OPT_TXREHASH, .in = txrehash_in),
    SO(OPT_SO_RCVMARK, OPT_RCVMARK, .in = as_bool),
};
const unsigned options_socket_count = sizeof(options_socket) / sizeof(*options_socket);
