/* sockets/options.c - setsockopt(2) and getsockopt(2) on CAN_RAW sockets, as tables.
 *
 * Most options are an integer that is kept in the slot and given back. A row says which, how a new value is checked or changed
 * on its way in, and what follows from it. Time-outs, and whatever has no row and does no harm, are the real socket's. */
#include "sockets/options.h"
#include "sockets/raw.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "sockets/bpf.h"
#include "sockets/process.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <string.h>

#ifndef CAN_RAW_XL_FRAMES
#define CAN_RAW_XL_FRAMES 7
#endif

/* Numbers that not every libc names. */
enum { OPT_SO_TIMESTAMP = 29, OPT_SO_TIMESTAMPNS = 35, OPT_SO_TIMESTAMP_NEW = 63, OPT_SO_TIMESTAMPNS_NEW = 64,
       OPT_SO_TIMESTAMPING = 37, OPT_SO_TIMESTAMPING_NEW = 65, OPT_SO_RCVMARK = 75, OPT_SO_TXTIME = 61, OPT_SO_BINDTOIFINDEX = 62 };

struct call {
    const struct bus *bus;
    struct bus_slot *slot;
    uint32_t number;
    int fd, name;
    const struct option *option;
};

struct option {
    int level, name;
    int8_t keep;    /* enum slot_option it lives in, or -1 */
    uint8_t exact;  /* setting needs exactly 4 bytes (SOL_CAN_RAW), else at least 4 */
    /* Checks and changes a value to be set; NULL: taken as it is. Returns 0 or -errno. */
    int (*in)(const struct call *call, int *value);
    /* What follows when it was stored. */
    void (*after)(const struct call *call, int value);
    /* Value for getsockopt when it is not simply the kept one. */
    int (*out)(const struct call *call, int *value);
    /* Options that are not one integer handle everything themselves. */
    int (*set)(const struct call *call, const void *user, socklen_t size);
    int (*get)(const struct call *call, void *user, socklen_t *size);
};

bool options_capable(int capability)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2] = { { 0 } };

    return sys_call(SYS_capget, &head, data) == 0 && (data[capability / 32].effective & 1u << capability % 32);
}

/* ---- SOL_CAN_RAW ---- */

static void update_flags(const struct call *call, int value)
{
    (void)value;
    slot_update_rx_flags(call->bus, call->number);
}

static int fd_frames_in(const struct call *call, int *value)
{
    return !*value && load_relaxed(&call->slot->option[OPT_XL]) ? -EINVAL : 0;
}

static int xl_frames_in(const struct call *call, int *value)
{
    (void)call;
    return *value && process_need_ext() ? -ENOMEM : 0;
}

static void xl_frames_after(const struct call *call, int value)
{
    if (value)
        store_relaxed(&call->slot->option[OPT_FD], (uint32_t)value);
    update_flags(call, value);
}

static int err_filter_out(const struct call *call, int *value)
{
    *value = (int)load_relaxed(&call->slot->err_mask);
    return 0;
}

static void err_filter_after(const struct call *call, int value)
{
    slot_set_err_mask(call->bus, call->number, (uint32_t)value & CAN_ERR_MASK);
}

static int filter_set(const struct call *call, const void *user, socklen_t size)
{
    struct can_filter filters[FILTERS_MAX];

    if (size % sizeof(*filters) || size > sizeof(filters))
        return -EINVAL;
    if (usermem_read(filters, user, size))
        return -EFAULT;
    slot_set_filters(call->bus, call->number, filters, size / sizeof(*filters));
    return 0;
}

static int filter_get(const struct call *call, void *user, socklen_t *size)
{
    struct can_filter filters[FILTERS_MAX];
    socklen_t need = (socklen_t)(slot_get_filters(call->bus, call->number, filters) * sizeof(*filters)), room = *size;

    *size = need;
    if (room < need)
        return -ERANGE;
    return usermem_write(user, filters, need);
}

/* ---- SOL_SOCKET ---- */

static int as_bool(const struct call *call, int *value)
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

    if (fd < 0)
        return (int)fd;
    error = sys_call(SYS_setsockopt, fd, SOL_SOCKET, name, value, sizeof(*value));
    name = name == SO_RCVBUFFORCE ? SO_RCVBUF : name == SO_SNDBUFFORCE ? SO_SNDBUF : name;
    if (!error)
        error = sys_call(SYS_getsockopt, fd, SOL_SOCKET, name, value, &size);
    sys_call(SYS_close, fd);
    return (int)error;
}

static int buffer_in(const struct call *call, int *value) { return buffer_size(call->name, value); }

static void rcvbuf_after(const struct call *call, int value) { store_seq(&call->slot->rx_limit, (uint32_t)value); }

static int need_net_admin(const struct call *call, int *value)
{
    (void)call;
    (void)value;
    return options_capable(OPTIONS_CAP_NET_ADMIN) ? 0 : -EPERM;
}

static int mark_in(const struct call *call, int *value)
{
    return options_capable(OPTIONS_CAP_NET_RAW) ? 0 : need_net_admin(call, value);
}

static int priority_in(const struct call *call, int *value)
{
    return *value >= 0 && *value <= 6 ? 0 : need_net_admin(call, value);
}

static int debug_in(const struct call *call, int *value)
{
    as_bool(call, value);
    return *value && need_net_admin(call, value) ? -EACCES : 0;
}

static int busy_poll_in(const struct call *call, int *value)
{
    if ((uint32_t)*value > load_relaxed(&call->slot->option[OPT_BUSY_POLL]) && need_net_admin(call, value))
        return -EPERM;
    return *value < 0 ? -EINVAL : 0;
}

static int rcvlowat_in(const struct call *call, int *value)
{
    (void)call;
    *value = *value < 0 ? INT32_MAX : *value ? *value : 1;
    return 0;
}

static int lock_filter_in(const struct call *call, int *value)
{
    *value = *value != 0;
    return load_relaxed(&call->slot->option[OPT_LOCK_FILTER]) && !*value ? -EPERM : 0;
}

/* All four keep one value: the option that is in force. */
static int timestamp_in(const struct call *call, int *value)
{
    *value = *value ? call->name : 0;
    return 0;
}

static int timestamp_out(const struct call *call, int *value)
{
    *value = load_relaxed(&call->slot->option[OPT_TIMESTAMP]) == (uint32_t)call->name;
    return 0;
}

static int timestamping_in(const struct call *call, int *value)
{
    (void)call;
    return *value & ~(int)SOF_TIMESTAMPING_MASK ? -EINVAL : 0;
}

static int bindtoifindex_in(const struct call *call, int *value)
{
    if (*value < 0)
        return -EINVAL;
    return *value && links_find(call->bus->control, (uint32_t)*value) >= LINKS_MAX ? -ENODEV : 0;
}

static int error_out(const struct call *call, int *value)
{
    *value = -raw_take_error(call->slot);
    return 0;
}

static int domain_out(const struct call *call, int *value)
{
    (void)call;
    *value = AF_CAN;
    return 0;
}

static int type_out(const struct call *call, int *value)
{
    (void)call;
    *value = SOCK_RAW;
    return 0;
}

static int zero_out(const struct call *call, int *value)
{
    (void)call;
    *value = 0;
    return 0;
}

static int sndlowat_out(const struct call *call, int *value)
{
    (void)call;
    *value = 1;
    return 0;
}

static int not_an_option(const struct call *call, int *value)
{
    (void)call;
    (void)value;
    return -ENOPROTOOPT;
}

static int not_supported(const struct call *call, int *value)
{
    (void)call;
    (void)value;
    return -EOPNOTSUPP;
}

static int copy_out(const void *value, size_t have, void *user, socklen_t *size)
{
    if (*size > have)
        *size = (socklen_t)have;
    return usermem_write(user, value, *size);
}

static int bindtodevice_set(const struct call *call, const void *user, socklen_t size)
{
    struct link_view view;
    char name[LINK_NAME_SIZE] = { 0 };

    if (load_relaxed(&call->slot->option[OPT_BINDTOIFINDEX]) && !options_capable(OPTIONS_CAP_NET_RAW))
        return -EPERM;
    if ((int)size < 0)
        return -EINVAL;
    if (usermem_read(name, user, size < sizeof(name) - 1 ? size : sizeof(name) - 1))
        return -EFAULT;
    if (!name[0])
        view.ifindex = 0;
    else if (links_by_name(call->bus->control, name, sizeof(name), &view))
        return -ENODEV;
    store_relaxed(&call->slot->option[OPT_BINDTOIFINDEX], (uint32_t)view.ifindex);
    return 0;
}

static int bindtodevice_get(const struct call *call, void *user, socklen_t *size)
{
    struct link_view view;

    if (links_by_ifindex(call->bus->control, load_relaxed(&call->slot->option[OPT_BINDTOIFINDEX]), &view)) {
        *size = 0;
        return 0;
    }
    if (*size < LINK_NAME_SIZE)
        return -EINVAL;
    *size = (socklen_t)strlen(view.name) + 1;
    return usermem_write(user, view.name, *size);
}

static int linger_set(const struct call *call, const void *user, socklen_t size)
{
    int value[2];

    if (size < sizeof(value))
        return -EINVAL;
    if (usermem_read(value, user, sizeof(value)))
        return -EFAULT;
    store_relaxed(&call->slot->option[OPT_LINGER_ONOFF], value[0] != 0);
    store_relaxed(&call->slot->option[OPT_LINGER_SECONDS], (uint32_t)value[1]);
    return 0;
}

static int linger_get(const struct call *call, void *user, socklen_t *size)
{
    int value[2] = { (int)load_relaxed(&call->slot->option[OPT_LINGER_ONOFF]),
                     (int)load_relaxed(&call->slot->option[OPT_LINGER_SECONDS]) };
    return copy_out(value, sizeof(value), user, size);
}

/* struct sock_txtime { clockid, flags }: only whether it was ever set matters here. */
static int txtime_set(const struct call *call, const void *user, socklen_t size)
{
    uint32_t value[2];

    if (size != sizeof(value))
        return -EINVAL;
    if (usermem_read(value, user, sizeof(value)))
        return -EFAULT;
    if (value[1] & ~3u)
        return -EINVAL;
    store_relaxed(&call->slot->option[OPT_TXTIME], 1);
    return 0;
}

static int peercred_get(const struct call *call, void *user, socklen_t *size)
{
    struct ucred nobody = { 0, (uid_t)-1, (gid_t)-1 };
    (void)call;
    return copy_out(&nobody, sizeof(nobody), user, size);
}

static int meminfo_get(const struct call *call, void *user, socklen_t *size)
{
    uint32_t info[9] = { ring_charge(call->bus, call->number),
                         load_relaxed(&call->slot->option[OPT_RCVBUF]),
                         0,
                         load_relaxed(&call->slot->option[OPT_SNDBUF]),
                         0, 0, 0, 0,
                         load_relaxed(&call->bus->data->ring[call->number].drops) };
    return copy_out(info, sizeof(info), user, size);
}

static int attach_filter_set(const struct call *call, const void *user, socklen_t size)
{
    return size < sizeof(int) ? -EINVAL : bpf_attach(call->bus, call->number, user, size);
}

static int attach_filter_get(const struct call *call, void *user, socklen_t *size)
{
    return bpf_get(call->bus, call->number, user, size);
}

static int detach_filter_in(const struct call *call, int *value)
{
    (void)value;
    return bpf_detach(call->bus, call->number);
}

static int attach_bpf_set(const struct call *call, const void *user, socklen_t size)
{
    return bpf_attach_extended(call->bus, call->number, user, size);
}

/* CAN sockets have no SO_REUSEPORT, so nothing to attach a choice among them to. */
static int invalid(const struct call *call, int *value)
{
    (void)call;
    (void)value;
    return -EINVAL;
}

/* The real socket answers: time-outs, cookies and the like. */
static int native_set(const struct call *call, const void *user, socklen_t size)
{
    return (int)sys_call(SYS_setsockopt, call->fd, SOL_SOCKET, call->name, user, size);
}

static int native_get(const struct call *call, void *user, socklen_t *size)
{
    return (int)sys_call(SYS_getsockopt, call->fd, SOL_SOCKET, call->name, user, size);
}

#define RAW(name, keep, ...) { SOL_CAN_RAW, name, keep, 1, __VA_ARGS__ }
#define SO(name, keep, ...) { SOL_SOCKET, name, keep, 0, __VA_ARGS__ }

static const struct option options[] = {
    RAW(CAN_RAW_FILTER, -1, .set = filter_set, .get = filter_get),
    RAW(CAN_RAW_ERR_FILTER, -1, .after = err_filter_after, .out = err_filter_out),
    RAW(CAN_RAW_LOOPBACK, OPT_LOOPBACK),
    RAW(CAN_RAW_RECV_OWN_MSGS, OPT_RECV_OWN, .after = update_flags),
    RAW(CAN_RAW_FD_FRAMES, OPT_FD, .in = fd_frames_in, .after = update_flags),
    RAW(CAN_RAW_JOIN_FILTERS, OPT_JOIN, .after = update_flags),
    RAW(CAN_RAW_XL_FRAMES, OPT_XL, .in = xl_frames_in, .after = xl_frames_after),

    SO(SO_DEBUG, OPT_DEBUG, .in = debug_in),
    SO(SO_REUSEADDR, OPT_REUSEADDR, .in = as_bool),
    SO(SO_TYPE, -1, .in = not_an_option, .out = type_out),
    SO(SO_ERROR, -1, .in = not_an_option, .out = error_out),
    SO(SO_DONTROUTE, OPT_DONTROUTE, .in = as_bool),
    SO(SO_BROADCAST, OPT_BROADCAST, .in = as_bool),
    SO(SO_SNDBUF, OPT_SNDBUF, .in = buffer_in),
    SO(SO_RCVBUF, OPT_RCVBUF, .in = buffer_in, .after = rcvbuf_after),
    SO(SO_SNDBUFFORCE, OPT_SNDBUF, .in = buffer_in, .out = not_an_option),
    SO(SO_RCVBUFFORCE, OPT_RCVBUF, .in = buffer_in, .after = rcvbuf_after, .out = not_an_option),
    SO(SO_KEEPALIVE, OPT_KEEPALIVE, .in = as_bool),
    SO(SO_OOBINLINE, OPT_OOBINLINE, .in = as_bool),
    SO(SO_NO_CHECK, OPT_NO_CHECK, .in = as_bool),
    SO(SO_PRIORITY, OPT_PRIORITY, .in = priority_in),
    SO(SO_LINGER, -1, .set = linger_set, .get = linger_get),
    SO(SO_REUSEPORT, -1, .in = not_supported, .out = zero_out),
    SO(SO_PASSCRED, OPT_PASSCRED, .in = as_bool),
    SO(SO_PEERCRED, -1, .in = not_an_option, .get = peercred_get),
    SO(SO_RCVLOWAT, OPT_RCVLOWAT, .in = rcvlowat_in),
    SO(SO_SNDLOWAT, -1, .in = not_an_option, .out = sndlowat_out),
    SO(SO_BINDTODEVICE, -1, .set = bindtodevice_set, .get = bindtodevice_get),
    SO(SO_ATTACH_FILTER, -1, .set = attach_filter_set, .get = attach_filter_get),
    SO(SO_ATTACH_BPF, -1, .set = attach_bpf_set, .out = not_an_option),
    SO(SO_ATTACH_REUSEPORT_CBPF, -1, .in = invalid, .out = not_an_option),
    SO(SO_ATTACH_REUSEPORT_EBPF, -1, .in = invalid, .out = not_an_option),
    SO(SO_DETACH_REUSEPORT_BPF, -1, .in = invalid, .out = not_an_option),
    SO(SO_DETACH_FILTER, -1, .in = detach_filter_in, .out = not_an_option),
    SO(OPT_SO_TIMESTAMP, OPT_TIMESTAMP, .in = timestamp_in, .after = update_flags, .out = timestamp_out),
    SO(OPT_SO_TIMESTAMPNS, OPT_TIMESTAMP, .in = timestamp_in, .after = update_flags, .out = timestamp_out),
    SO(OPT_SO_TIMESTAMP_NEW, OPT_TIMESTAMP, .in = timestamp_in, .after = update_flags, .out = timestamp_out),
    SO(OPT_SO_TIMESTAMPNS_NEW, OPT_TIMESTAMP, .in = timestamp_in, .after = update_flags, .out = timestamp_out),
    SO(OPT_SO_TIMESTAMPING, OPT_TIMESTAMPING, .in = timestamping_in, .after = update_flags),
    SO(OPT_SO_TIMESTAMPING_NEW, OPT_TIMESTAMPING, .in = timestamping_in, .after = update_flags),
    SO(SO_ACCEPTCONN, -1, .in = not_an_option, .out = zero_out),
    SO(SO_MARK, OPT_MARK, .in = mark_in),
    SO(SO_PROTOCOL, -1, .in = not_an_option, .out = zero_out),
    SO(SO_DOMAIN, -1, .in = not_an_option, .out = domain_out),
    SO(SO_RXQ_OVFL, OPT_RXQ_OVFL, .in = as_bool),
    SO(SO_PEEK_OFF, -1, .in = not_supported, .out = not_supported),
    SO(SO_LOCK_FILTER, OPT_LOCK_FILTER, .in = lock_filter_in),
    SO(SO_SELECT_ERR_QUEUE, OPT_SELECT_ERR_QUEUE, .in = as_bool),
    SO(SO_BUSY_POLL, OPT_BUSY_POLL, .in = busy_poll_in),
    SO(SO_INCOMING_CPU, OPT_INCOMING_CPU),
    SO(SO_MEMINFO, -1, .in = not_an_option, .get = meminfo_get),
    SO(SO_ZEROCOPY, -1, .in = not_supported, .out = zero_out),
    SO(OPT_SO_TXTIME, -1, .set = txtime_set, .get = native_get),
    SO(OPT_SO_BINDTOIFINDEX, OPT_BINDTOIFINDEX, .in = bindtoifindex_in),
    SO(OPT_SO_RCVMARK, OPT_RCVMARK, .in = as_bool),
};

static const struct option native = { SOL_SOCKET, 0, -1, 0, .set = native_set, .get = native_get };

/* The row of an option, or NULL with *error. */
static const struct option *find_option(int level, int name, int *error)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (options[i].level == level && options[i].name == name)
            return &options[i];
    *error = level == SOL_CAN_RAW ? -ENOPROTOOPT : -EINVAL;
    return level == SOL_SOCKET ? &native : NULL;
}

/* Linux copies SOL_CAN_RAW options straight into place, and a copy that fails leaves zeros. */
static int after_efault(const struct call *call)
{
    if (call->option->exact && call->option->keep >= 0) {
        store_relaxed(&call->slot->option[call->option->keep], 0);
        slot_update_rx_flags(call->bus, call->number);
    }
    return -EFAULT;
}

int raw_setsockopt(const struct bus *bus, uint32_t number, int fd, int level, int name, const void *user, socklen_t size)
{
    struct call call = { bus, &bus->data->slot[number], number, fd, name, NULL };
    int error = 0, value;

    if ((int)size < 0)
        return -EINVAL;
    call.option = find_option(level, name, &error);
    if (!call.option)
        return error;
    if (call.option->set)
        return call.option->set(&call, user, size);
    if (call.option->exact ? size != sizeof(value) : size < sizeof(value))
        return -EINVAL;
    if (usermem_read(&value, user, sizeof(value)))
        return after_efault(&call);
    if (call.option->in)
        error = call.option->in(&call, &value);
    if (error)
        return error;
    if (call.option->keep >= 0)
        store_relaxed(&call.slot->option[call.option->keep], (uint32_t)value);
    if (call.option->after)
        call.option->after(&call, value);
    return 0;
}

int raw_getsockopt(const struct bus *bus, uint32_t number, int fd, int level, int name, void *user, socklen_t *user_size)
{
    struct call call = { bus, &bus->data->slot[number], number, fd, name, NULL };
    socklen_t size;
    int error = 0, value = 0, result;

    if (usermem_read(&size, user_size, sizeof(size)))
        return -EFAULT;
    if ((int)size < 0)
        return -EINVAL;
    call.option = find_option(level, name, &error);
    if (!call.option)
        return error;
    if (call.option->get == native_get)
        return native_get(&call, user, user_size);
    if (call.option->get) {
        result = call.option->get(&call, user, &size);
    } else {
        if (call.option->keep >= 0)
            value = (int)load_relaxed(&call.slot->option[call.option->keep]);
        error = call.option->out ? call.option->out(&call, &value) : 0;
        result = error ? error : copy_out(&value, sizeof(value), user, &size);
    }
    if (result && result != -ERANGE)
        return result;
    return usermem_write(user_size, &size, sizeof(size)) ? -EFAULT : result;
}
