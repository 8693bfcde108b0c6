/* sockets/options_stamp.c - the rows of SOL_SOCKET that ask for time stamps: SO_TIMESTAMP and SO_TIMESTAMPING (spec A.6, A.7).
 *
 * As on Linux, three things are kept: whether SO_TIMESTAMP or SO_TIMESTAMPNS is on (OPT_TIMESTAMP), the flags of SO_TIMESTAMPING, and whether
 * the one set last was a _NEW one, which decides the type of all their control messages. */
#include "sockets/options.h"
#include "base/sys.h"
#include "bus/links.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>

/* prefix: options_ */

/* Numbers that not every libc names. */
enum { STAMP = 29, STAMPNS = 35, STAMPING = 37, STAMP_NEW = 63, STAMPNS_NEW = 64, STAMPING_NEW = 65 };

#define KNOWN_FLAGS 0xffffu /* of Linux 6.1: up to SOF_TIMESTAMPING_BIND_PHC */

static bool is_nanoseconds(int name) { return name == STAMPNS || name == STAMPNS_NEW; }
static bool is_new(int name) { return name >= STAMP_NEW; }

static int timestamp_in(const struct option_call *call, int *value)
{
    if (*value) {
        store_relaxed(&call->slot->option[OPT_STAMP_NEW], is_new(call->name));
        store_relaxed(&call->slot->stamp_on,
                      1); /* frames are stamped from now on, even when it is switched off again */
    }
    *value = !*value ? 0 : is_nanoseconds(call->name) ? STAMPNS : STAMP;
    return 0;
}

/* SO_TIMESTAMP_NEW alone also says yes when nanoseconds were asked for. */
static int timestamp_out(const struct option_call *call, int *value)
{
    uint32_t kept = load_relaxed(&call->slot->option[OPT_TIMESTAMP]);
    bool matches = is_nanoseconds(call->name) ? kept == STAMPNS
                   : call->name == STAMP      ? kept == STAMP
                                              : kept != 0;

    *value = matches && load_relaxed(&call->slot->option[OPT_STAMP_NEW]) == is_new(call->name);
    return 0;
}

/* Whether SO_BINDTODEVICE names an interface that is still there. */
static bool has_device(const struct option_call *call)
{
    struct ifreq request = { .ifr_ifindex = (int)load_relaxed(&call->slot->option[OPT_BINDTOIFINDEX]) };
    struct link_view view;

    return request.ifr_ifindex &&
           (!links_by_ifindex(call->bus->control, (uint32_t)request.ifr_ifindex, &view) ||
            !sys_call(SYS_ioctl, call->fd, SIOCGIFNAME, &request));
}

/* The flags, alone or followed by a clock (struct so_timestamping); CAN interfaces have no clocks to bind to. */
static int timestamping_set(const struct option_call *call, const void *user, socklen_t size)
{
    struct bus_slot *slot = call->slot;
    uint32_t flags;

    if (size < sizeof(flags)) return -EINVAL;
    if (usermem_read(&flags, user, sizeof(flags))) return -EFAULT;
    if ((flags & ~KNOWN_FLAGS) ||
        ((flags & SOF_TIMESTAMPING_OPT_STATS) && !(flags & SOF_TIMESTAMPING_OPT_TSONLY)))
        return -EINVAL;
    if ((flags & SOF_TIMESTAMPING_OPT_ID) &&
        !(load_relaxed(&slot->option[OPT_TIMESTAMPING]) & SOF_TIMESTAMPING_OPT_ID))
        store_relaxed(&slot->tx_id, 0);
    if (flags & SOF_TIMESTAMPING_BIND_PHC) return has_device(call) ? -EINVAL : -EOPNOTSUPP;
    store_relaxed(&slot->option[OPT_TIMESTAMPING], flags);
    store_relaxed(&slot->option[OPT_STAMP_NEW], is_new(call->name));
    options_update_flags(call, (int)flags);
    return 0;
}

static int timestamping_get(const struct option_call *call, void *user, socklen_t *size)
{
    uint32_t value[2] = { load_relaxed(&call->slot->option[OPT_TIMESTAMPING]), 0 };

    if (is_new(call->name) && !load_relaxed(&call->slot->option[OPT_STAMP_NEW])) value[0] = 0;
    return options_copy_out(value, sizeof(value), user, size);
}

#define ONE_TIME(name)                                                                                       \
    {                                                                                                        \
        name, OPT_TIMESTAMP, 0, .in = timestamp_in, .after = options_update_flags, .out = timestamp_out      \
    }
#define ALL_TIMES(name)                                                                                      \
    {                                                                                                        \
        name, -1, 0, .set = timestamping_set, .get = timestamping_get                                        \
    }

const struct option options_stamp[] = {
    ONE_TIME(STAMP),       ONE_TIME(STAMPNS),   ONE_TIME(STAMP_NEW),
    ONE_TIME(STAMPNS_NEW), ALL_TIMES(STAMPING), ALL_TIMES(STAMPING_NEW),
};
const unsigned options_stamp_count = sizeof(options_stamp) / sizeof(*options_stamp);
