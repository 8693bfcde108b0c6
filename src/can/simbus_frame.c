/* can/simbus_frame.c - one frame: who sends it, and how it will end; see simbus.h.
 *
 * All that can go wrong with a frame is known when it begins: which receivers cannot understand it, which faults strike, whether anybody will
 * acknowledge. Each is a bit at which somebody notices; the first one counts, and the rest of the frame is an error frame. An error that only a controller sees
 * which is error passive or only listens stays its own: role MISSED. */
/* prefix: simbus_ */
#include "can/simbus_parts.h"

#define TOLERANCE_PERCENT                                                                                    \
    1u /* bit rates that differ by more do not understand each other; oscillators may differ by 1.58 % */
#define NO_BIT UINT32_MAX

struct attempt {
    struct simbus *bus;
    struct simnode *sender; /* the first of them */
    unsigned options;       /* WIRE_* */
    uint32_t fails_at;      /* bit */
    uint8_t noticed, type, location;
    struct simnode *first; /* who noticed: NOTICED_RECEIVER */
    bool answered, any_active, encoded;
    uint32_t count;
    uint8_t bits[WIRE_BITS_MAX]; /* once `encoded` */
};

static void encode(struct attempt *attempt)
{
    if (attempt->encoded) return;
    attempt->encoded = true;
    attempt->count = wire_encode(&attempt->bus->frame, attempt->bus->kind, attempt->options, attempt->bits);
}

static uint32_t find(struct attempt *attempt, uint8_t location)
{
    encode(attempt);
    for (uint32_t i = 0; i < attempt->count; i++)
        if (wire_location(attempt->bits[i]) == location) return i;
    return NO_BIT;
}

static bool fails(struct attempt *attempt, uint32_t at, uint8_t noticed, uint8_t type, uint8_t location)
{
    if (at >= attempt->fails_at) return false;
    encode(attempt);
    attempt->fails_at = at;
    attempt->noticed = noticed;
    attempt->type = type;
    attempt->location = location;
    return true;
}

/* ---- who sends ----------------------------------------------------------------------------------------------------- */

static struct can_frame babble(const struct simfault *fault)
{
    return (struct can_frame){ .can_id = fault->id & ~CAN_ERR_FLAG, .len = 8 };
}

/* The priority that it contends with, if it does. */
static bool contends(struct simnode *node, uint64_t at)
{
    const struct simfault *fault = NULL;

    if (simnode_contends_at(node) > at) return false;
    if (node->bus->lasting) fault = simfault_lasting(node, SIMFAULT_BABBLE, at);
    node->babbles = fault && fault->from <= at;
    node->offer = node->priority;
    if (!node->babbles) return true;
    struct can_frame frame = babble(fault);
    node->offer = wire_priority(&frame, FRAME_CC);
    return true;
}

/* The one with the lowest priority, the first if several have it. */
static struct simnode *arbitrate(struct simbus *bus, uint64_t at)
{
    struct simnode *best = NULL;

    for (struct simnode *node = bus->nodes; node; node = node->next) {
        node->role = node->phase == SIMNODE_ON ? ROLE_RECEIVER : ROLE_NONE;
        node->lost_at = 0;
        node->flipped = 0;
        simnode_bus_begins(node, at);
        if (!contends(node, at)) continue;
        node->role = ROLE_CONTENDER;
        if (!best || node->offer < best->offer) best = node;
    }
    if (!best) return NULL;
    for (struct simnode *node = best; node; node = node->next)
        if (node->role == ROLE_CONTENDER && node->offer == best->offer) node->role = ROLE_SENDER;
    for (struct simnode *node = bus->nodes; node; node = node->next) {
        if (node->role != ROLE_CONTENDER) continue;
        node->role = ROLE_RECEIVER;
        node->lost_at = (uint8_t)(1 + wire_lost_at(node->offer, best->offer));
    }
    return best;
}

static void fetch(const struct simnode *sender, uint64_t at, struct canfd_frame *frame, enum frame_kind *kind)
{
    *frame = sender->frame;
    *kind = sender->kind;
    if (!sender->babbles) return;
    struct can_frame plain = babble(simfault_lasting(sender, SIMFAULT_BABBLE, at));
    *frame = (struct canfd_frame){ 0 };
    *kind = FRAME_CC;
    __builtin_memcpy(frame, &plain, sizeof(plain));
}

static unsigned wire_options(const struct simnode *sender)
{
    return (simnode_has(sender, CAN_CTRLMODE_FD_NON_ISO) ? WIRE_NON_ISO : 0u) |
           (simnode_is_passive(sender) ? WIRE_ESI : 0u) |
           (simnode_has(sender, CAN_CTRLMODE_CC_LEN8_DLC) ? WIRE_LEN8_DLC : 0u);
}

/* The frame as it arrives: what was sent, without what does not travel. */
static void take_frame(struct attempt *attempt, uint64_t at)
{
    struct simbus *bus = attempt->bus;
    struct canfd_frame *frame = &bus->frame;
    uint32_t id;

    fetch(attempt->sender, at, frame, &bus->kind);
    uint8_t dlc = wire_dlc(frame, bus->kind, attempt->options);
    uint8_t size = frame->len, travels = wire_size(dlc, bus->kind);
    id = frame->can_id & CAN_EFF_FLAG ? frame->can_id & (CAN_EFF_MASK | CAN_EFF_FLAG)
                                      : frame->can_id & CAN_SFF_MASK;
    if (bus->kind == FRAME_CC && (frame->can_id & CAN_RTR_FLAG)) {
        id |= CAN_RTR_FLAG;
        size = 0;
    }
    frame->can_id = id;
    frame->len = travels;
    frame->flags = bus->kind == FRAME_CC ? 0
                                         : (uint8_t)(CANFD_FDF | (frame->flags & CANFD_BRS) |
                                                     (attempt->options & WIRE_ESI ? CANFD_ESI : 0));
    frame->__res0 = 0;
    frame->__res1 = bus->kind == FRAME_CC && dlc > 8 ? dlc : 0; /* can_frame.len8_dlc */
    if (size < CANFD_MAX_DLEN) __builtin_memset(frame->data + size, 0, CANFD_MAX_DLEN - size);
}

/* Others that send with the same priority: it goes well when all their bits are the same. */
static void compare_senders(struct attempt *attempt, uint64_t at)
{
    uint8_t bits[WIRE_BITS_MAX];
    struct canfd_frame frame;
    enum frame_kind kind;

    for (struct simnode *node = attempt->sender->next; node; node = node->next) {
        if (node->role != ROLE_SENDER) continue;
        encode(attempt);
        fetch(node, at, &frame, &kind);
        uint32_t count = wire_encode(&frame, kind, wire_options(node), bits);
        for (uint32_t i = 0; i < count && i < attempt->count; i++)
            if ((bits[i] ^ attempt->bits[i]) & WIRE_LEVEL) {
                fails(attempt, i, NOTICED_SENDER, CAN_ERR_PROT_BIT1, wire_location(bits[i]));
                break;
            }
    }
}

/* ---- who cannot receive it ------------------------------------------------------------------------------------------ */

static bool differ(uint64_t a, uint64_t b) { return (a > b ? a - b : b - a) * 100 > TOLERANCE_PERCENT * b; }

/* The bit at which a receiver stumbles over how the sender is configured, or NO_BIT. */
static uint32_t misunderstands(struct attempt *attempt, const struct simnode *node, uint8_t *type)
{
    const struct simnode *sender = attempt->sender;
    const struct simbus *bus = attempt->bus;

    *type = CAN_ERR_PROT_STUFF;
    if (differ(node->slow_ps, sender->slow_ps)) return ERROR_FLAG;
    if (bus->kind != FRAME_FD) return NO_BIT;
    if (!simnode_has(node, CAN_CTRLMODE_FD)) {
        *type = CAN_ERR_PROT_FORM;
        return 1 + find(attempt,
                        bus->frame.can_id & CAN_EFF_FLAG ? CAN_ERR_PROT_LOC_RES1 : CAN_ERR_PROT_LOC_RES0);
    }
    if ((bus->frame.flags & CANFD_BRS) && differ(node->fast_ps, sender->fast_ps))
        return ERROR_FLAG + find(attempt, CAN_ERR_PROT_LOC_DLC);
    if (simnode_has(node, CAN_CTRLMODE_FD_NON_ISO) == simnode_has(sender, CAN_CTRLMODE_FD_NON_ISO))
        return NO_BIT;
    *type = CAN_ERR_PROT_UNSPEC;
    return find(attempt, CAN_ERR_PROT_LOC_ACK_DEL);
}

/* A receiver sees an error that others do not see, or (`all`) that all receivers see. */
static void receiver_fails(struct attempt *attempt, struct simnode *node, uint32_t at, uint8_t type,
                           uint8_t location, bool all)
{
    if (simnode_has(node, CAN_CTRLMODE_LISTENONLY) || simnode_is_passive(node)) {
        node->role = ROLE_MISSED;
        node->own_type = type;
        node->own_location = location;
    } else if (fails(attempt, at, all ? NOTICED_ALL : NOTICED_RECEIVER, type, location)) {
        attempt->first = node;
    }
}

/* ---- faults --------------------------------------------------------------------------------------------------------- */

/* Where an error of each kind is noticed, and what it is reported as. */
static const struct {
    uint8_t noticed_at, type, location;
} errors[] = {
    [SIMFAULT_BIT] = { CAN_ERR_PROT_LOC_DATA, CAN_ERR_PROT_BIT, CAN_ERR_PROT_LOC_DATA },
    [SIMFAULT_STUFF] = { CAN_ERR_PROT_LOC_DATA, CAN_ERR_PROT_STUFF, CAN_ERR_PROT_LOC_DATA },
    [SIMFAULT_FORM] = { CAN_ERR_PROT_LOC_CRC_DEL, CAN_ERR_PROT_FORM, CAN_ERR_PROT_LOC_CRC_DEL },
    [SIMFAULT_CRC] = { CAN_ERR_PROT_LOC_ACK_DEL, CAN_ERR_PROT_UNSPEC, CAN_ERR_PROT_LOC_CRC_SEQ },
    [SIMFAULT_ACK] = { CAN_ERR_PROT_LOC_ACK, CAN_ERR_PROT_UNSPEC, CAN_ERR_PROT_LOC_ACK },
};

/* Errors in the data are somewhere in there; without data, in the DLC. */
static uint32_t error_bit(struct attempt *attempt, struct simfault *fault, uint8_t *location)
{
    uint8_t where = errors[fault->kind].noticed_at;
    uint32_t at = find(attempt, where), span = 1;

    *location = errors[fault->kind].location;
    if (where != CAN_ERR_PROT_LOC_DATA) return at;
    if (at == NO_BIT) {
        *location = CAN_ERR_PROT_LOC_DLC;
        return find(attempt, CAN_ERR_PROT_LOC_DLC);
    }
    while (wire_location(attempt->bits[at + span]) == where)
        span++;
    return at + simfault_number(fault, span);
}

static uint16_t data_bit(const struct simbus *bus, struct simfault *fault)
{
    uint32_t count = 8u * frame_payload(&bus->frame, bus->kind);
    return count ? (uint16_t)(1 + simfault_number(fault, count)) : 0;
}

static void strike_sender(struct attempt *attempt, struct simfault *fault)
{
    struct simbus *bus = attempt->bus;
    uint8_t location;

    if (fault->kind == SIMFAULT_LOST) {
        bus->gone = true;
    } else if (fault->kind == SIMFAULT_CORRUPT) {
        uint16_t bit = data_bit(bus, fault);
        for (struct simnode *node = bus->nodes; node; node = node->next)
            node->flipped = bit;
    } else if (fault->kind <= SIMFAULT_ACK) {
        uint32_t at = error_bit(attempt, fault, &location);
        uint8_t type = errors[fault->kind].type;
        if (fault->kind == SIMFAULT_BIT || fault->kind == SIMFAULT_ACK) {
            fails(attempt, at, fault->kind == SIMFAULT_BIT ? NOTICED_SENDER : NOTICED_NO_ACK, type, location);
            return;
        }
        for (struct simnode *node = bus->nodes; node; node = node->next)
            if (node->role == ROLE_RECEIVER) receiver_fails(attempt, node, at, type, location, true);
    }
}

/* Returns whether it still acknowledges. */
static bool strike_receiver(struct attempt *attempt, struct simnode *node, struct simfault *fault)
{
    uint8_t location;

    switch (fault->kind) {
    case SIMFAULT_ACK: return false;
    case SIMFAULT_LOST: node->role = ROLE_DEAF; return true;
    case SIMFAULT_OVERRUN: node->role = ROLE_OVERRUN; return true;
    case SIMFAULT_CORRUPT: node->flipped = data_bit(attempt->bus, fault); return true;
    case SIMFAULT_BIT:
    case SIMFAULT_STUFF:
    case SIMFAULT_FORM:
    case SIMFAULT_CRC: {
        uint32_t at = error_bit(attempt, fault, &location);
        receiver_fails(attempt, node, at, errors[fault->kind].type, location, false);
        return false;
    }
    default: return true;
    }
}

static void ask_receiver(struct attempt *attempt, struct simnode *node)
{
    bool answers = !simnode_has(node, CAN_CTRLMODE_LISTENONLY);
    uint8_t type;
    uint32_t at = misunderstands(attempt, node, &type);

    if (at != NO_BIT) {
        encode(attempt);
        uint8_t location =
            type == CAN_ERR_PROT_UNSPEC ? CAN_ERR_PROT_LOC_CRC_SEQ : wire_location(attempt->bits[at]);
        receiver_fails(attempt, node, at, type, location, false);
        return;
    }
    for (struct simfault *fault = node->faults; fault && node->role == ROLE_RECEIVER; fault = fault->next)
        if (simfault_strikes(fault, SIMFAULT_RX, &attempt->bus->frame, attempt->bus->now))
            answers &= strike_receiver(attempt, node, fault);
    attempt->answered |= answers;
}

/* ---- how it ends ---------------------------------------------------------------------------------------------------- */

static bool is_fixed_form(uint8_t location)
{
    return location == CAN_ERR_PROT_LOC_CRC_DEL || location == CAN_ERR_PROT_LOC_ACK ||
           location == CAN_ERR_PROT_LOC_ACK_DEL || location == CAN_ERR_PROT_LOC_EOF;
}

static uint8_t location_behind(const struct attempt *attempt, uint32_t bits)
{
    uint32_t at = attempt->fails_at + bits;
    return wire_location(attempt->bits[at < attempt->count ? at : attempt->count - 1]);
}

/* Those who did not notice the error themselves notice the error flag: a sender at once, receivers after six equal bits. */
static void settle_reports(struct attempt *attempt)
{
    struct simbus *bus = attempt->bus;
    bool by_sender = attempt->noticed == NOTICED_SENDER || attempt->noticed == NOTICED_NO_ACK;

    bus->tx_type = CAN_ERR_PROT_TX | (by_sender ? attempt->type : CAN_ERR_PROT_BIT);
    bus->tx_location = by_sender ? attempt->location : location_behind(attempt, 1);
    if (!by_sender &&
        bus->tx_location == CAN_ERR_PROT_LOC_ACK) /* there, a dominant bit looks like an answer */
        bus->tx_location = CAN_ERR_PROT_LOC_ACK_DEL;
    bus->rx_location = location_behind(attempt, ERROR_FLAG);
    bus->rx_type = is_fixed_form(bus->rx_location) ? CAN_ERR_PROT_FORM : CAN_ERR_PROT_STUFF;
    if (attempt->noticed == NOTICED_ALL) {
        bus->rx_type = attempt->type;
        bus->rx_location = attempt->location;
    } else if (attempt->noticed == NOTICED_RECEIVER) {
        attempt->first->role = ROLE_FIRST;
        attempt->first->own_type = attempt->type;
        attempt->first->own_location = attempt->location;
    }
}

static uint64_t failed_span(const struct attempt *attempt)
{
    const struct simnode *sender = attempt->sender;
    uint64_t fast = 0, slow = ERROR_FLAG + ERROR_DELIMITER;

    for (uint32_t i = 0; i <= attempt->fails_at; i++)
        fast += attempt->bits[i] >> 7;
    slow += attempt->fails_at + 1 - fast;
    if (attempt->noticed == NOTICED_SENDER || attempt->noticed == NOTICED_RECEIVER) slow += ERROR_FLAG;
    return simbus_span(1, slow * sender->slow_ps + fast * sender->fast_ps);
}

static uint64_t whole_span(const struct attempt *attempt)
{
    const struct simnode *sender = attempt->sender;
    struct wire_length length = wire_measure(&attempt->bus->frame, attempt->bus->kind, attempt->options);

    return simbus_span(1, length.slow * sender->slow_ps + length.fast * sender->fast_ps);
}

static void settle(struct attempt *attempt)
{
    struct simbus *bus = attempt->bus;

    bus->noticed = attempt->noticed;
    if (attempt->noticed) settle_reports(attempt);
    bus->ends = bus->began + (attempt->noticed ? failed_span(attempt) : whole_span(attempt));
}

void simbus_begin_frame(struct simbus *bus, uint64_t at)
{
    struct attempt attempt;

    attempt.bus = bus;
    attempt.sender = arbitrate(bus, at);
    if (!attempt.sender) return;
    attempt.options = wire_options(attempt.sender);
    attempt.fails_at = NO_BIT;
    attempt.noticed = NOTICED_NONE;
    attempt.answered = simnode_has(attempt.sender, CAN_CTRLMODE_LOOPBACK | CAN_CTRLMODE_PRESUME_ACK);
    attempt.encoded = false;
    bus->phase = SIMBUS_FRAME;
    bus->began = at;
    bus->bit_ps = attempt.sender->slow_ps;
    bus->sender_passive = simnode_is_passive(attempt.sender);
    bus->gone = false;
    take_frame(&attempt, at);
    compare_senders(&attempt, at);
    for (struct simfault *fault = attempt.sender->faults; fault; fault = fault->next)
        if (simfault_strikes(fault, SIMFAULT_TX, &bus->frame, at)) strike_sender(&attempt, fault);
    for (struct simnode *node = bus->nodes; node; node = node->next)
        if (node->role == ROLE_RECEIVER) ask_receiver(&attempt, node);
    if (!attempt.answered)
        fails(&attempt, find(&attempt, CAN_ERR_PROT_LOC_ACK), NOTICED_NO_ACK, CAN_ERR_PROT_UNSPEC,
              CAN_ERR_PROT_LOC_ACK);
    settle(&attempt);
}

/* The bus stays recessive where the sender went: the others notice a stuff error. */
void simbus_break_frame(struct simbus *bus, uint64_t at)
{
    if (bus->phase != SIMBUS_FRAME || bus->noticed) return;
    for (const struct simnode *node = bus->nodes; node; node = node->next)
        if (node->role == ROLE_SENDER) return; /* there was another one */
    if (at < bus->now) at = bus->now;
    bus->noticed = NOTICED_ALL;
    bus->rx_type = CAN_ERR_PROT_STUFF;
    bus->rx_location = CAN_ERR_PROT_LOC_DATA;
    bus->ends = at + simbus_span(2 * ERROR_FLAG + ERROR_DELIMITER, bus->bit_ps);
}
