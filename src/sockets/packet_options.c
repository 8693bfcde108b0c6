/* sockets/packet_options.c - SOL_PACKET, as a table. Most options are an integer that is kept and given back; what an interface of CAN has no use for has no
 * effect. */
#include "sockets/packet_options.h"
#include "bus/links.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "sockets/packet.h"
#include "sockets/packet_ring.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>

/* prefix: packet_ */

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { NOT_KEPT = -1 };

/* What setting an option asks of its value; then how it is kept: as a word, or as one of the bits of PACKET_FLAGS. */
static const struct kept {
    int name;
    int8_t word;   /* PACKET_*; NOT_KEPT: cannot be read */
    uint32_t bit;  /* of PACKET_FLAGS; 0: a word */
    int64_t most;  /* largest value; of bits: -1, any number is taken as yes or no */
    uint8_t exact; /* needs exactly 4 bytes */
    bool shapes;   /* a ring, which must not be there yet */
} kept[] = {
    { PACKET_COPY_THRESH, NOT_KEPT, 0, -1, 0 },
    { PACKET_AUXDATA, PACKET_FLAGS, PACKET_HAS_AUXDATA, -1, 0 },
    { PACKET_ORIGDEV, PACKET_FLAGS, 4, -1, 0 },
    { PACKET_VERSION, PACKET_VERSION_, 0, TPACKET_V3, 1, true },
    { PACKET_RESERVE, PACKET_RESERVED, 0, INT32_MAX, 1, true },
    { PACKET_LOSS, PACKET_FLAGS, 8, -1, 1 },
    { PACKET_VNET_HDR, PACKET_FLAGS, 16, -1, 0 },
    { PACKET_TIMESTAMP, PACKET_STAMP, 0, -1, 1 },
    { PACKET_TX_HAS_OFF, PACKET_FLAGS, 32, -1, 1 },
    { PACKET_QDISC_BYPASS, PACKET_FLAGS, 64, -1, 1 },
    { PACKET_IGNORE_OUTGOING, PACKET_FLAGS, PACKET_HAS_IGNORE_OUTGOING, 1, 1 },
};
#define KEPT (sizeof(kept) / sizeof(*kept))

static const struct kept *find_kept(int name)
{
    for (size_t i = 0; i < KEPT; i++)
        if (kept[i].name == name) return &kept[i];
    return NULL;
}

const int *packet_kept_options(unsigned *count)
{
    /* Not PACKET_VNET_HDR: with it the kernel's own frames look another way. */
    static const int names[] = {
        PACKET_AUXDATA, PACKET_ORIGDEV,   PACKET_VERSION,         PACKET_RESERVE,
        PACKET_LOSS,    PACKET_TIMESTAMP, PACKET_IGNORE_OUTGOING, PACKET_TX_HAS_OFF
    };
    *count = sizeof(names) / sizeof(*names);
    return names;
}

/* Several processes may set options of one socket. */
static void keep_bit(atomic_u32 *flags, uint32_t bit, bool on)
{
    if (on)
        atomic_fetch_or(flags, bit);
    else
        atomic_fetch_and(flags, ~bit);
}

static int keep(const struct bus *bus, uint32_t number, const struct kept *option, const void *user,
                socklen_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    int32_t value;

    if (option->exact ? size != sizeof(value) : size < sizeof(value)) return -EINVAL;
    if (usermem_read(&value, user, sizeof(value))) return -EFAULT;
    if (option->most >= 0 && (value < 0 || value > option->most)) return -EINVAL;
    if (option->shapes && packet_ring_exists(bus, number)) return -EBUSY;
    if (option->bit)
        keep_bit(&slot->setting[PACKET_FLAGS], option->bit, value);
    else if (option->word != NOT_KEPT)
        store_relaxed(&slot->setting[option->word], (uint32_t)value);
    return 0;
}

/* PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP: a bus has no groups, and hears everything. To drop what was not added is no error. */
static int change_membership(const struct bus *bus, int name, const void *user, socklen_t size)
{
    struct packet_mreq request;

    if (size < sizeof(request)) return -EINVAL;
    if (usermem_read(&request, user, sizeof(request))) return -EFAULT;
    if (size < offsetof(struct packet_mreq, mr_address) + request.mr_alen) return -EINVAL;
    if (name == PACKET_DROP_MEMBERSHIP) return 0;
    if (links_find(bus->control, (uint32_t)request.mr_ifindex) >= LINKS_MAX) return -ENODEV;
    return request.mr_alen ? -EINVAL : 0;
}

bool packet_has_member(const struct bus *bus, const void *user, socklen_t size)
{
    return change_membership(bus, PACKET_ADD_MEMBERSHIP, user, size) == 0;
}

int packet_setsockopt(const struct bus *bus, uint32_t number, int level, int name, const void *user,
                      socklen_t size)
{
    const struct kept *option = find_kept(name);

    if (level != SOL_PACKET) return -ENOPROTOOPT;
    if (option) return keep(bus, number, option, user, size);
    switch (name) {
    case PACKET_ADD_MEMBERSHIP:
    case PACKET_DROP_MEMBERSHIP: return change_membership(bus, name, user, size);
    case PACKET_RX_RING: return packet_ring_set(bus, number, user, size);
    case PACKET_TX_RING: return size < sizeof(struct tpacket_req) ? -EINVAL : -EOPNOTSUPP;
    case PACKET_FANOUT: return size != sizeof(int) ? -EINVAL : -EOPNOTSUPP;
    case PACKET_FANOUT_DATA: return -EINVAL;
    default: return -ENOPROTOOPT;
    }
}

/* ---- getsockopt ---- */

/* Frames that came, those that were lost included; since this was asked last. */
static void statistics(const struct bus *bus, uint32_t number, struct tpacket_stats_v3 *out)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t head = (uint32_t)ring_head(bus, number), drops = load_relaxed(&slot->drops);

    memset(out, 0, sizeof(*out));
    out->tp_drops = drops - atomic_exchange(&slot->setting[PACKET_LOST], drops);
    out->tp_packets = head - atomic_exchange(&slot->setting[PACKET_SEEN], head) + out->tp_drops;
}

/* Of a version, which is the value that comes. */
static int header_size(const void *user, socklen_t size, int32_t *value)
{
    if (size < sizeof(*value)) return -EINVAL;
    if (usermem_read(value, user, sizeof(*value))) return -EFAULT;
    switch (*value) {
    case TPACKET_V1: *value = (int32_t)sizeof(struct tpacket_hdr); return 0;
    case TPACKET_V2: *value = (int32_t)sizeof(struct tpacket2_hdr); return 0;
    case TPACKET_V3: *value = (int32_t)sizeof(struct tpacket3_hdr); return 0;
    default: return -EINVAL;
    }
}

/* The value of an option: its size, or -errno. */
static int value_of(const struct bus *bus, uint32_t number, int name, const void *user, socklen_t size,
                    struct tpacket_stats_v3 *out)
{
    struct bus_slot *slot = &bus->data->slot[number];
    const struct kept *option = find_kept(name);
    int32_t value = 0;
    int error = 0;

    if (name == PACKET_STATISTICS) {
        statistics(bus, number, out);
        return load_relaxed(&slot->setting[PACKET_VERSION_]) == TPACKET_V3
                   ? (int)sizeof(struct tpacket_stats_v3)
                   : (int)sizeof(struct tpacket_stats);
    }
    if (name == PACKET_HDRLEN)
        error = header_size(user, size, &value);
    else if (name == PACKET_ROLLOVER_STATS)
        error = -EINVAL; /* of no fanout */
    else if (option && option->word != NOT_KEPT)
        value = (int32_t)load_relaxed(&slot->setting[option->word]);
    else if (name != PACKET_FANOUT)
        error = -ENOPROTOOPT;
    if (option && option->bit) value = ((uint32_t)value & option->bit) != 0;
    memcpy(out, &value, sizeof(value));
    return error ? error : (int)sizeof(value);
}

int packet_getsockopt(const struct bus *bus, uint32_t number, int level, int name, void *user,
                      socklen_t *user_size)
{
    struct tpacket_stats_v3 value;
    socklen_t size;
    int have;

    if (level != SOL_PACKET) return -ENOPROTOOPT;
    if (usermem_read(&size, user_size, sizeof(size))) return -EFAULT;
    if ((int)size < 0) return -EINVAL;
    have = value_of(bus, number, name, user, size, &value);
    if (have < 0) return have;
    if (size > (socklen_t)have) size = (socklen_t)have;
    if (usermem_write(user_size, &size, sizeof(size))) return -EFAULT;
    return usermem_write(user, &value, size);
}
