/* can/isotp_options.c - the options of an ISO-TP socket as a table, and the checks of bind(2) and write(2). Owns no state. */
/* prefix: isotp_ */
#include "can/isotp_parts.h"

#include <errno.h>
#include <string.h>

#define BROADCAST (CAN_ISOTP_SF_BROADCAST | CAN_ISOTP_CF_BROADCAST)

void isotp_default(struct isotp_options *options)
{
    *options = (struct isotp_options){
        .opts = { .flags = CAN_ISOTP_DEFAULT_FLAGS,
                  .frame_txtime = CAN_ISOTP_DEFAULT_FRAME_TXTIME,
                  .ext_address = CAN_ISOTP_DEFAULT_EXT_ADDRESS,
                  .txpad_content = CAN_ISOTP_DEFAULT_PAD_CONTENT,
                  .rxpad_content = CAN_ISOTP_DEFAULT_PAD_CONTENT,
                  .rx_ext_address = CAN_ISOTP_DEFAULT_EXT_ADDRESS },
        .fc = { .bs = CAN_ISOTP_DEFAULT_RECV_BS,
                .stmin = CAN_ISOTP_DEFAULT_RECV_STMIN,
                .wftmax = CAN_ISOTP_DEFAULT_RECV_WFTMAX },
        .ll = { .mtu = CAN_ISOTP_DEFAULT_LL_MTU,
                .tx_dl = CAN_ISOTP_DEFAULT_LL_TX_DL,
                .tx_flags = CAN_ISOTP_DEFAULT_LL_TX_FLAGS },
        .frame_txtime_ns = CAN_ISOTP_DEFAULT_FRAME_TXTIME,
    };
}

/* What is refused (both broadcast modes at once) is stored all the same, as far as it makes sense: so does Linux. */
static int set_opts(struct isotp_options *options, const void *value)
{
    struct can_isotp_options *opts = &options->opts;
    int result = 0;

    memcpy(opts, value, sizeof(*opts));
    if (!(opts->flags & CAN_ISOTP_RX_EXT_ADDR)) opts->rx_ext_address = opts->ext_address;
    if ((opts->flags & BROADCAST) == BROADCAST) {
        opts->flags &= ~(uint32_t)CAN_ISOTP_CF_BROADCAST;
        result = -EINVAL;
    }
    if (opts->frame_txtime == CAN_ISOTP_FRAME_TXTIME_ZERO)
        options->frame_txtime_ns = 0;
    else if (opts->frame_txtime)
        options->frame_txtime_ns = opts->frame_txtime;
    return result;
}

static int set_ll(struct isotp_options *options, const void *value)
{
    struct can_isotp_ll_options ll;

    memcpy(&ll, value, sizeof(ll));
    if (ll.tx_dl != isotp_frame_round(ll.tx_dl)) return -EINVAL;
    if (ll.mtu != CAN_MTU && ll.mtu != CANFD_MTU) return -EINVAL;
    if (ll.mtu == CAN_MTU && (ll.tx_dl > CAN_MAX_DLEN || ll.tx_flags)) return -EINVAL;
    options->ll = ll;
    return 0;
}

/* By name: where the values are, which are read as they are. (No functions in it: a table of pointers would be a variable.) */
static const struct option {
    size_t offset, size;
} table[] = {
#define FIELD(field)                                                                                         \
    {                                                                                                        \
        offsetof(struct isotp_options, field), sizeof(((struct isotp_options *)NULL)->field)                 \
    }
    [CAN_ISOTP_OPTS] = FIELD(opts),
    [CAN_ISOTP_RECV_FC] = FIELD(fc),
    [CAN_ISOTP_TX_STMIN] = FIELD(tx_stmin_ns),
    [CAN_ISOTP_RX_STMIN] = FIELD(rx_stmin_ns),
    [CAN_ISOTP_LL_OPTS] = FIELD(ll),
#undef FIELD
};

static const struct option *find(int name)
{
    if (name < 0 || (size_t)name >= sizeof(table) / sizeof(table[0]) || !table[name].size) return NULL;
    return &table[name];
}

int isotp_set(struct isotp_options *options, int name, const void *value, size_t size)
{
    const struct option *option = find(name);

    if (!option) return -ENOPROTOOPT;
    if (size != option->size) return -EINVAL;
    if (name == CAN_ISOTP_OPTS) return set_opts(options, value);
    if (name == CAN_ISOTP_LL_OPTS) return set_ll(options, value);
    memcpy((char *)options + option->offset, value, size);
    return 0;
}

int isotp_get(const struct isotp_options *options, int name, void *value, size_t room)
{
    const struct option *option = find(name);

    if (!option) return -ENOPROTOOPT;
    if (room > option->size) room = option->size;
    if (room) memcpy(value, (const char *)options + option->offset, room);
    return (int)room;
}

static bool is_id(uint32_t id)
{
    return !(id & ~(id & CAN_EFF_FLAG ? CAN_EFF_FLAG | CAN_EFF_MASK : CAN_SFF_MASK));
}

int isotp_check_ids(const struct isotp_options *options, uint32_t tx_id, uint32_t rx_id)
{
    return is_id(tx_id) && (!isotp_receives(options) || is_id(rx_id)) ? 0 : -EINVAL;
}

int isotp_check_pair(const struct isotp_options *options, uint32_t tx_id, uint32_t rx_id)
{
    return isotp_receives(options) && tx_id == rx_id ? -EADDRNOTAVAIL : 0;
}

int isotp_check_size(const struct isotp_options *options, size_t size)
{
    if (!size || size > ISOTP_PDU_MAX) return -EINVAL;
    if (isotp_flag(options, CAN_ISOTP_SF_BROADCAST) && size > isotp_frame_single_max(options)) return -EINVAL;
    return 0;
}
