/*
 * tests/unit/isotp_random.c - a million PDUs between machines with random options, over a bus that delays, loses and doubles frames,
 * under a clock of its own.
 *
 * Two peers send to each other, often both at once; a third node listens to the first. Each has a host of its own, so that what
 * one of them gets another may miss; but a bus keeps order. Kinds of scenarios, and what is asked of all PDUs in them:
 *
 *   GOOD      delays only              every one is sent, delivered once, unaltered, in order; gaps are kept
 *   LOSSY     delays and losses        none altered, none twice, none out of order; sent, or ECOMM
 *   DOUBLING  delays and doubled ones  the same, but a doubled single frame is a PDU that comes twice
 *   WILD      all of it, and options that do not fit each other, poor hosts, links that are down: every send ends, with an error
 *             that there is. (That nothing is altered is more than ISO-TP can promise when frames are both lost and doubled.)
 *
 * At the end nothing is left: no timer, no send that did not end, no memory but that of a reception without a clock, and after unbinding
 * not even that. ISOTP_SEED and ISOTP_PDUS change the seed and the number of PDUs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include "unit/isotp_world.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PDUS 100000u
#else
#define PDUS 1000000u
#endif

#define NODES     3u
#define LISTENER  2u
#define QUEUE_MAX 32768u /* more than the frames of two long PDUs */
#define SENDS_MAX 8u
#define MS        1000000ull

enum kind { GOOD, LOSSY, DOUBLING, WILD, KINDS };

struct delivery {
    uint64_t at;
    struct world_frame frame;
};

struct node {
    struct world world;
    struct isotp isotp;
    struct delivery queue[QUEUE_MAX];
    uint32_t put, taken;
    uint64_t last_at; /* of the queue: a bus keeps order */
    struct {
        uint32_t size, seed;
        int result;
    } sends[SENDS_MAX];
    unsigned send_count, ended_count, wanted_count;
    int next_from[NODES]; /* of whose sends the next PDU has to be, at least */
    unsigned got_count;
    uint64_t gap_ns, echo_at;
    bool is_free; /* the next CF follows flow control */
    uint8_t pdu[ISOTP_PDU_MAX];
};

static struct node nodes[NODES];
static uint64_t now, seed, scenario;
static enum kind kind;
static bool is_broadcast;       /* the first peer needs no flow control, and the other one does not send */
static unsigned loss, doubling; /* of 256 */
static uint64_t delay_max;
static unsigned long totals[KINDS][4]; /* sends, good ones, delivered, frames */

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            print_error("scenario %llu, kind %d: %s\n", (unsigned long long)scenario, kind, #condition);     \
            fail();                                                                                          \
        }                                                                                                    \
    } while (0)

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 32) * below >> 32);
}

static bool chance(unsigned of_256) { return any(256) < of_256; }

/* ---- PDUs: their bytes follow from a seed and a position ---- */

static uint8_t byte_of(uint32_t from, uint32_t at) { return (uint8_t)((from + at) * 2654435761u >> 23); }

static uint32_t any_size(void)
{
    uint32_t what = any(1024);

    if (what < 400) return 1 + any(12);
    if (what < 960) return 1 + any(80);
    if (what < 1020) return 1 + any(600);
    if (what < 1023) return 4080 + any(40);
    return any(16) ? 5000 : ISOTP_PDU_MAX - any(2);
}

static void send_next(struct node *node)
{
    unsigned i = node->send_count;
    int result;

    if (i >= node->wanted_count || isotp_is_sending(&node->isotp)) return;
    do {
        node->sends[i].size = any_size();
    } while (isotp_check_size(&node->isotp.options, node->sends[i].size) != 0);
    node->sends[i].seed = any(UINT32_MAX);
    node->sends[i].result = 1;
    for (uint32_t k = 0; k < node->sends[i].size; k++)
        node->pdu[k] = byte_of(node->sends[i].seed, k);
    node->send_count++;
    totals[kind][0]++;
    result = isotp_send(&node->isotp, node->pdu, node->sends[i].size, now);
    if (result < 0) {
        MUST(result == node->world.send_error || result == -ENOBUFS);
        MUST(!isotp_is_sending(&node->isotp));
        node->sends[i].result = result;
        node->ended_count++;
    }
}

static void on_sent(struct isotp *isotp, int result)
{
    struct node *node = timer_owner(isotp, struct node, isotp);

    MUST(node->ended_count + 1 == node->send_count);
    node->sends[node->ended_count++].result = result;
    totals[kind][1] += result == 0;
    if (kind == GOOD) MUST(result == 0);
    if (kind != WILD) MUST(result == 0 || result == -ECOMM);
    MUST(result == 0 || result == -ECOMM || result == -EMSGSIZE || result == -EBADMSG);
    if (chance(64)) send_next(node);
}

static bool is_same(const struct node *from, unsigned i, const uint8_t *pdu, size_t size)
{
    if (from->sends[i].size != size) return false;
    for (uint32_t k = 0; k < size; k++)
        if (pdu[k] != byte_of(from->sends[i].seed, k)) return false;
    return true;
}

static void on_deliver(struct isotp *isotp, const void *pdu, size_t size, uint64_t stamp_ns)
{
    struct node *node = timer_owner(isotp, struct node, isotp);
    unsigned sender = node == &nodes[0] ? 1 : 0;
    const struct node *from = &nodes[sender];
    int i = node->next_from[sender];

    (void)stamp_ns;
    node->got_count++;
    totals[kind][2]++;
    if (kind == WILD || (node == &nodes[LISTENER] && kind != GOOD)) return;
    if (kind == DOUBLING && i > 0 && size <= 62 && is_same(from, (unsigned)i - 1, pdu, size)) return;
    while (i < (int)from->send_count && !is_same(from, (unsigned)i, pdu, size))
        i++;
    MUST(i < (int)from->send_count);
    if (kind == GOOD) MUST(i == node->next_from[sender]);
    node->next_from[sender] = i + 1;
}

static void on_error(struct isotp *isotp, int error)
{
    bool is_listener = isotp == &nodes[LISTENER].isotp;

    MUST(kind != GOOD);
    MUST(error == EILSEQ || error == ETIMEDOUT || (error == EBADMSG && (kind == WILD || is_listener)));
}

/* ---- The bus ---- */

static void put_in_queue(struct node *node, const struct world_frame *frame)
{
    struct delivery *delivery = &node->queue[node->put % QUEUE_MAX];

    MUST(node->put - node->taken < QUEUE_MAX);
    if (delay_max && chance(128)) delivery->at = now + any((uint32_t)delay_max);
    if (delivery->at < now) delivery->at = now;
    if (delivery->at < node->last_at) delivery->at = node->last_at;
    node->last_at = delivery->at;
    delivery->frame = *frame;
    node->put++;
}

static uint8_t pci_of(const struct node *node, const struct canfd_frame *frame)
{
    return frame->data[node->isotp.options.opts.flags & CAN_ISOTP_EXTEND_ADDR ? 1 : 0] & 0xf0;
}

static void check_gap(struct node *node, const struct canfd_frame *frame)
{
    if (pci_of(node, frame) != 0x20) return;
    MUST(node->is_free || now >= node->echo_at + node->gap_ns);
    node->is_free = false;
}

static void on_frame(struct world *world, const struct world_frame *frame)
{
    struct node *node = timer_owner(world, struct node, world);
    unsigned times = 1 + chance(doubling);

    if (kind == GOOD) check_gap(node, &frame->frame);
    totals[kind][3]++;
    for (; times; times--)
        for (unsigned i = 0; i < NODES; i++)
            if (!chance(loss)) put_in_queue(&nodes[i], frame);
    world_take(world);
}

static void bring(struct node *node)
{
    struct delivery *delivery = &node->queue[node->taken++ % QUEUE_MAX];
    struct world_frame frame = delivery->frame;

    delivery->at = 0;
    if (frame.origin == node->isotp.origin)
        node->echo_at = pci_of(node, &frame.frame) == 0x30 ? node->echo_at : now;
    else if (pci_of(node, &frame.frame) == 0x30)
        node->is_free = !is_broadcast;
    world_serve(&node->world, &frame);
}

/* Does the next thing that is due until a time. */
static bool step(uint64_t until)
{
    struct node *first = NULL;
    uint64_t at = until;
    bool is_frame = false;

    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &nodes[i];
        if (node->put != node->taken && node->queue[node->taken % QUEUE_MAX].at <= at) {
            at = node->queue[node->taken % QUEUE_MAX].at;
            first = node;
            is_frame = true;
        }
        if (timers_next(&node->world.timers) < at) {
            at = timers_next(&node->world.timers);
            first = node;
            is_frame = false;
        }
    }
    if (!first) return false;
    now = at;
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].world.now = now;
    if (is_frame)
        bring(first);
    else
        MUST(timers_expire(&first->world.timers, now));
    return true;
}

/* ---- Scenarios ---- */

static void set(struct node *node, int name, const void *value, size_t size)
{
    int result = isotp_set(&node->isotp.options, name, value, size);

    MUST(result == 0 || (kind == WILD && name == CAN_ISOTP_OPTS));
}

static uint32_t any_txtime(void)
{
    static const uint32_t times[] = { 0, 1, 1000, 700000, 5000000, 0xffffffff, 0xffffffff, 0xffffffff };

    return times[any(8)];
}

/* Options of a peer that go with those of the other, whose frames are padded or not, addressed or not. */
static void set_options(unsigned self, bool ext, bool fd, const bool *padding)
{
    static const uint8_t lengths[] = { 8, 12, 16, 20, 24, 32, 48, 64 };
    static const uint8_t stmins[] = { 0, 0, 0, 1, 20, 0xf1, 0xf9, 0x83 };
    struct node *node = &nodes[self];
    unsigned other = self == 0 ? 1 : 0;
    struct can_isotp_options opts = { .txpad_content = (uint8_t)self, .rxpad_content = (uint8_t)other };
    struct can_isotp_fc_options fc = { (uint8_t)(chance(128) ? 0 : 1 + any(8)), stmins[any(8)], 0 };
    struct can_isotp_ll_options ll = { CAN_MTU, 8, 0 };
    uint32_t stmin = any(3) * 400000;

    opts.frame_txtime = any_txtime();
    opts.ext_address = (uint8_t)(0x10 + self);
    opts.rx_ext_address = (uint8_t)(0x10 + other);
    if (ext) opts.flags |= CAN_ISOTP_EXTEND_ADDR | CAN_ISOTP_RX_EXT_ADDR;
    if (padding[self]) opts.flags |= CAN_ISOTP_TX_PADDING;
    if (padding[other]) opts.flags |= CAN_ISOTP_RX_PADDING | (any(4) * CAN_ISOTP_CHK_PAD_LEN);
    if (!padding[other] && chance(128)) opts.flags |= CAN_ISOTP_CHK_PAD_LEN;
    if (chance(64)) opts.flags |= CAN_ISOTP_FORCE_TXSTMIN;
    if (self == LISTENER) opts.flags |= CAN_ISOTP_LISTEN_MODE;
    if (is_broadcast && self == 0) opts.flags |= CAN_ISOTP_CF_BROADCAST;
    if (fd) ll = (struct can_isotp_ll_options){ CANFD_MTU, lengths[any(8)], (uint8_t)any(2) };
    if (kind == WILD && chance(128)) {
        opts.flags = any(0x4000);
        if (chance(200)) opts.flags &= ~0x1800u;
        if (chance(64)) ll = (struct can_isotp_ll_options){ CANFD_MTU, lengths[any(8)], 0 };
    }
    set(node, CAN_ISOTP_OPTS, &opts, sizeof(opts));
    set(node, CAN_ISOTP_RECV_FC, &fc, sizeof(fc));
    set(node, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));
    set(node, CAN_ISOTP_TX_STMIN, &stmin, sizeof(stmin));
    set(node, CAN_ISOTP_RX_STMIN, &stmin, sizeof(stmin));
}

/* The gap that a sender has to keep, from the standard and the options of both. */
static uint64_t gap_of(const struct isotp_options *own, const struct isotp_options *other)
{
    uint8_t stmin = other->fc.stmin;

    if (is_broadcast && own->opts.flags & CAN_ISOTP_FORCE_TXSTMIN) return own->tx_stmin_ns;
    if (is_broadcast) return own->frame_txtime_ns;
    if (own->opts.flags & CAN_ISOTP_FORCE_TXSTMIN) return own->frame_txtime_ns + (uint64_t)own->tx_stmin_ns;
    if (stmin >= 0xf1 && stmin <= 0xf9) return own->frame_txtime_ns + (stmin & 0xf) * 100000ull;
    return own->frame_txtime_ns + (stmin > 0x7f ? 127 : stmin) * MS;
}

static void begin(void)
{
    bool ext = chance(64), fd = chance(100), padding[NODES] = { chance(128), chance(128) };

    kind = any(KINDS);
    is_broadcast = kind == GOOD && chance(32);
    loss = kind == LOSSY || kind == WILD ? 1 + any(chance(200) ? 8 : 100) : 0;
    doubling = kind == DOUBLING || (kind == WILD && chance(128)) ? 1 + any(60) : 0;
    delay_max = chance(128) ? 0 : chance(128) ? 200000 : 100 * MS;
    if (kind == WILD && chance(64)) delay_max = 2500 * MS;
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &nodes[i];
        memset(&node->isotp, 0, sizeof(node->isotp));
        isotp_default(&node->isotp.options);
        set_options(i, ext, fd, padding);
        node->isotp.host = &node->world.host;
        node->isotp.deliver = on_deliver;
        node->isotp.error = on_error;
        node->isotp.sent = on_sent;
        node->isotp.origin = i + 1;
        node->isotp.ifindex = 1;
        node->isotp.tx_id = i == 0 ? 0x701 : i == 1 ? 0x702 : 0x703;
        node->isotp.rx_id = i == 0 ? 0x702 : 0x701;
        node->send_count = node->ended_count = node->got_count = 0;
        memset(node->next_from, 0, sizeof(node->next_from));
        node->last_at = 0;
        node->wanted_count = i == LISTENER || (i == 1 && is_broadcast) ? 0 : any(SENDS_MAX + 1);
        node->world.no_memory = kind == WILD && chance(16);
        node->world.send_error = kind == WILD && chance(16) ? -ENETDOWN : 0;
        MUST(isotp_bind(&node->isotp, now) == 0);
    }
    for (unsigned i = 0; i < 2; i++)
        nodes[i].gap_ns = gap_of(&nodes[i].isotp.options, &nodes[!i].isotp.options);
}

/* Lets both send until each has sent all, starting new ones at moments of the bus's choosing. */
static void run(void)
{
    for (;;) {
        bool stepped;

        for (unsigned i = 0; i < 2; i++)
            if (chance(64)) send_next(&nodes[i]);
        if (kind == WILD && chance(1)) nodes[any(2)].world.send_error = chance(128) ? -ENETDOWN : 0;
        stepped = step(TIMERS_NEVER - 1);
        if (!stepped && nodes[0].send_count == nodes[0].wanted_count &&
            nodes[1].send_count == nodes[1].wanted_count)
            return;
        if (!stepped && chance(128)) now += any(3000) * MS;
    }
}

static void end(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &nodes[i];
        MUST(node->ended_count == node->send_count);
        MUST(!isotp_is_sending(&node->isotp));
        MUST(timers_next(&node->world.timers) == TIMERS_NEVER);
        MUST(node->world.memory <= (kind == GOOD ? 0 : 1));
        if (kind == GOOD) MUST(node->got_count == nodes[i == 0 ? 1 : 0].send_count);
        isotp_unbind(&node->isotp);
        MUST(node->world.memory == 0);
        MUST(node->world.subscribed == 0);
    }
    now += 3000 * MS;
}

static void pdus_between_random_peers(void **state)
{
    const char *given = getenv("ISOTP_PDUS");
    unsigned long wanted = given ? strtoul(given, NULL, 0) : PDUS, done = 0;

    (void)state;
    given = getenv("ISOTP_SEED");
    seed = given ? strtoull(given, NULL, 0) : 88172645463325252;
    for (unsigned i = 0; i < NODES; i++) {
        world_begin(&nodes[i].world);
        nodes[i].world.watch = on_frame;
    }
    now = nodes[0].world.now;
    for (scenario = 0; done < wanted; scenario++) {
        begin();
        run();
        end();
        done += nodes[0].send_count + nodes[1].send_count;
    }
    for (unsigned k = 0; k < KINDS; k++)
        print_message("kind %u: %lu PDUs, %lu sent, %lu delivered, %lu frames\n", k, totals[k][0],
                      totals[k][1], totals[k][2], totals[k][3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pdus_between_random_peers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
