/* sockets/options.c - setsockopt(2) and getsockopt(2) on CAN_RAW sockets, as tables.
 *
 * Most options are an integer that is kept in the slot and given back. A row says which, how a new value is checked or changed
 * on its way in, and what follows from it. Here are the two calls and the rows of SOL_CAN_RAW. Time-outs, and whatever of
 * SOL_SOCKET has no row and does no harm, are the real socket's. */
#include "sockets/options.h"
#include "sockets/raw.h"
#include "base/sys.h"
#include "bus/slot.h"
#include "sockets/process.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <linux/capability.h>

/* prefix: options_ raw_ */

#define LAST_OPTION 75 /* of SOL_SOCKET in Linux 6.1, SO_RCVMARK; the kernel we run on may know more */

#ifndef CAN_RAW_XL_FRAMES
#define CAN_RAW_XL_FRAMES 7
#endif

static int asker; /* 0: ourselves */

void options_ask_for(int thread) { asker = thread; }

bool options_capable(int capability)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, asker };
    struct __user_cap_data_struct data[2] = { { 0 } };

    return sys_call(SYS_capget, &head, data) == 0 &&
           (data[capability / 32].effective & 1u << capability % 32);
}

/* ---- SOL_CAN_RAW ---- */

void options_update_flags(const struct option_call *call, int value)
{
    (void)value;
    slot_update_rx_flags(call->bus, call->number);
}

/* CAN XL includes CAN FD: what is refused becomes what CAN_RAW_XL_FRAMES is. */
static int fd_frames_in(const struct option_call *call, int *value)
{
    uint32_t xl = load_relaxed(&call->slot->option[OPT_XL]);

    if (*value || !xl) return 0;
    store_relaxed(&call->slot->option[OPT_FD], xl);
    options_update_flags(call, (int)xl);
    return -EINVAL;
}

static int xl_frames_in(const struct option_call *call, int *value)
{
    (void)call;
    return *value && process_need_ext() ? -ENOMEM : 0;
}

static void xl_frames_after(const struct option_call *call, int value)
{
    if (value) store_relaxed(&call->slot->option[OPT_FD], (uint32_t)value);
    options_update_flags(call, value);
}

static int err_filter_out(const struct option_call *call, int *value)
{
    *value = (int)load_relaxed(&call->slot->err_mask);
    return 0;
}

static void err_filter_after(const struct option_call *call, int value)
{
    slot_set_err_mask(call->bus, call->number, (uint32_t)value & CAN_ERR_MASK);
}

static int filter_set(const struct option_call *call, const void *user, socklen_t size)
{
    struct can_filter filters[FILTERS_MAX];

    if (size % sizeof(*filters) || size > sizeof(filters)) return -EINVAL;
    if (usermem_read(filters, user, size)) return -EFAULT;
    slot_set_filters(call->bus, call->number, filters, size / sizeof(*filters));
    return 0;
}

static int filter_get(const struct option_call *call, void *user, socklen_t *size)
{
    struct can_filter filters[FILTERS_MAX];
    socklen_t need = (socklen_t)(slot_get_filters(call->bus, call->number, filters) * sizeof(*filters)),
              room = *size;

    *size = need;
    if (room < need) return -ERANGE;
    return usermem_write(user, filters, need);
}

#define RAW(name, keep, ...)                                                                                 \
    {                                                                                                        \
        name, keep, 1, __VA_ARGS__                                                                           \
    }

static const struct option options_raw[] = {
    RAW(CAN_RAW_FILTER, -1, .set = filter_set, .get = filter_get),
    RAW(CAN_RAW_ERR_FILTER, -1, .after = err_filter_after, .out = err_filter_out),
    RAW(CAN_RAW_LOOPBACK, OPT_LOOPBACK),
    RAW(CAN_RAW_RECV_OWN_MSGS, OPT_RECV_OWN, .after = options_update_flags),
    RAW(CAN_RAW_FD_FRAMES, OPT_FD, .in = fd_frames_in, .after = options_update_flags),
    RAW(CAN_RAW_JOIN_FILTERS, OPT_JOIN, .after = options_update_flags),
    RAW(CAN_RAW_XL_FRAMES, OPT_XL, .in = xl_frames_in, .after = xl_frames_after),
};

/* ---- finding a row ---- */

int options_refused(const struct option_call *call, int *value)
{
    (void)call;
    (void)value;
    return -ENOPROTOOPT;
}

int options_native_set(const struct option_call *call, const void *user, socklen_t size)
{
    return (int)sys_call(SYS_setsockopt, call->fd, SOL_SOCKET, call->name, user, size);
}

int options_native_get(const struct option_call *call, void *user, socklen_t *size)
{
    return (int)sys_call(SYS_getsockopt, call->fd, SOL_SOCKET, call->name, user, size);
}

int options_copy_out(const void *value, size_t have, void *user, socklen_t *size)
{
    if (*size > have) *size = (socklen_t)have;
    return usermem_write(user, value, *size);
}

/* A name that Linux 6.1 does not know. */
static const struct option unknown = { 0, -1, 0, .in = options_refused, .out = options_refused };
static const struct option native = { 0, -1, 0, .set = options_native_set, .get = options_native_get };

static const struct option *find_in(const struct option *table, unsigned count, int name)
{
    for (unsigned i = 0; i < count; i++)
        if (table[i].name == name) return &table[i];
    return NULL;
}

/* The row of an option, or NULL. */
static const struct option *find_option(int level, int name)
{
    const struct option *found = NULL;

    if (level == SOL_CAN_RAW) return find_in(options_raw, sizeof(options_raw) / sizeof(*options_raw), name);
    if (level != SOL_SOCKET) return NULL;
    found = find_in(options_socket, options_socket_count, name);
    if (!found) found = find_in(options_stamp, options_stamp_count, name);
    return found ? found : name < 0 || name > LAST_OPTION ? &unknown : &native;
}

/* ---- the calls ---- */

/* Linux copies SOL_CAN_RAW options straight into place, and a copy that fails leaves zeros. */
static int after_efault(const struct option_call *call)
{
    if (call->option->exact && call->option->keep >= 0) {
        store_relaxed(&call->slot->option[call->option->keep], 0);
        slot_update_rx_flags(call->bus, call->number);
    }
    return -EFAULT;
}

int raw_setsockopt(const struct bus *bus, uint32_t number, int fd, int level, int name, const void *user,
                   socklen_t size)
{
    struct option_call call = { bus, &bus->data->slot[number], number, fd, name, NULL };
    int error = 0, value;

    if ((int)size < 0) return -EINVAL;
    call.option = find_option(level, name);
    if (!call.option) return level == SOL_CAN_RAW ? -ENOPROTOOPT : -EINVAL;
    if (level == SOL_SOCKET && name != SO_BINDTODEVICE) { /* before anything else Linux reads an int */
        if (size < sizeof(value)) return -EINVAL;
        if (usermem_read(&value, user, sizeof(value))) return -EFAULT;
    }
    if (call.option->set) return call.option->set(&call, user, size);
    if (call.option->exact ? size != sizeof(value) : size < sizeof(value)) return -EINVAL;
    if (usermem_read(&value, user, sizeof(value))) return after_efault(&call);
    if (call.option->in) error = call.option->in(&call, &value);
    if (error) return error;
    if (call.option->keep >= 0) store_relaxed(&call.slot->option[call.option->keep], (uint32_t)value);
    if (call.option->after) call.option->after(&call, value);
    return 0;
}

int raw_getsockopt(const struct bus *bus, uint32_t number, int fd, int level, int name, void *user,
                   socklen_t *user_size)
{
    struct option_call call = { bus, &bus->data->slot[number], number, fd, name, NULL };
    socklen_t size;
    int error = 0, value = 0, result;

    if (usermem_read(&size, user_size, sizeof(size))) return -EFAULT;
    if ((int)size < 0) return -EINVAL;
    call.option = find_option(level, name);
    if (!call.option) return level == SOL_CAN_RAW ? -ENOPROTOOPT : -EINVAL;
    if (call.option->get == options_native_get) return options_native_get(&call, user, user_size);
    if (call.option->get) {
        result = call.option->get(&call, user, &size);
    } else {
        if (call.option->keep >= 0) value = (int)load_relaxed(&call.slot->option[call.option->keep]);
        error = call.option->out ? call.option->out(&call, &value) : 0;
        result = error ? error : options_copy_out(&value, sizeof(value), user, &size);
        if (result == -EFAULT && call.option->exact && usermem_write(user_size, &size, sizeof(size)) == 0)
            return result; /* CAN_RAW tells the size first */
    }
    if (result && result != -ERANGE) return result;
    return usermem_write(user_size, &size, sizeof(size)) ? -EFAULT : result;
}
