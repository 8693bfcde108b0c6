/* can/wire.c - frames as bits; see wire.h.
 *
 * One function per part of a frame puts fields into a sink, which adds stuff bits and keeps the CRC. A stuff bit is put before the bit that follows
 * five equal ones: so the rule's two ends come out by themselves - Classical CAN stuffs after the last bit of the CRC (end_stuffing()), CAN FD
 * does not after the last bit of the data, where a fixed stuff bit comes anyway. */
#include "can/wire.h"

#include <linux/can/error.h>

#define STUFF_RUN     5u
#define DATA_AT       8u /* of struct can_frame and canfd_frame */
#define FLAGS_AT      5u /* canfd_frame.flags */
#define LEN8_DLC_AT   7u
#define KEY_BITS      33u
#define KEY_ID_SHIFT  22 /* in wire_priority(): the 11 bits of the base identifier */
#define KEY_SRR_SHIFT 21
#define KEY_IDE_SHIFT 20

struct sink {
    uint8_t *bits;
    uint32_t count, stuffed;
    uint32_t crc, polynomial;
    unsigned width;
    bool crc_of_stuff; /* CAN FD: stuff bits are covered by the CRC */
    uint8_t mark;      /* WIRE_FAST or 0 */
    uint8_t last;      /* level of the bit before */
    uint8_t run;       /* how many of these in a row */
};

static void put_bit(struct sink *sink, uint8_t level, uint8_t location, uint8_t mark)
{
    sink->bits[sink->count++] = (uint8_t)(level | location << 2 | mark | sink->mark);
}

static void put_stuff(struct sink *sink, uint8_t location)
{
    sink->last ^= 1;
    sink->run = 1;
    sink->stuffed++;
    put_bit(sink, sink->last, location, WIRE_STUFF);
    if (sink->crc_of_stuff) sink->crc = wire_crc(sink->crc, sink->last, sink->width, sink->polynomial);
}

/* The lowest `count` bits of value, highest first, with stuff bits. */
static void put(struct sink *sink, uint32_t value, unsigned count, uint8_t location)
{
    while (count--) {
        uint8_t level = value >> count & 1;
        if (sink->run == STUFF_RUN) put_stuff(sink, location);
        sink->run = level == sink->last ? sink->run + 1 : 1;
        sink->last = level;
        put_bit(sink, level, location, 0);
        sink->crc = wire_crc(sink->crc, level, sink->width, sink->polynomial);
    }
}

static void end_stuffing(struct sink *sink, uint8_t location)
{
    if (sink->run == STUFF_RUN) put_stuff(sink, location);
}

/* CRC delimiter, ACK and end of frame. */
static void put_tail(struct sink *sink)
{
    put_bit(sink, 1, CAN_ERR_PROT_LOC_CRC_DEL, 0);
    sink->mark = 0;
    put_bit(sink, 1, CAN_ERR_PROT_LOC_ACK, 0);
    put_bit(sink, 1, CAN_ERR_PROT_LOC_ACK_DEL, 0);
    for (unsigned i = 0; i < WIRE_EOF; i++)
        put_bit(sink, 1, CAN_ERR_PROT_LOC_EOF, 0);
}

/* Start of frame, the identifier, and up to the bit before FDF (or r1 or r0, which are where FDF is). */
static void put_arbitration(struct sink *sink, uint32_t id, bool remote)
{
    bool extended = id & CAN_EFF_FLAG;
    uint32_t base = extended ? id >> 18 & CAN_SFF_MASK : id & CAN_SFF_MASK;

    put(sink, 0, 1, CAN_ERR_PROT_LOC_SOF);
    put(sink, base >> 3, 8, CAN_ERR_PROT_LOC_ID28_21);
    put(sink, base, 3, CAN_ERR_PROT_LOC_ID20_18);
    put(sink, extended || remote, 1, CAN_ERR_PROT_LOC_SRTR);
    put(sink, extended, 1, CAN_ERR_PROT_LOC_IDE);
    if (!extended) return;
    put(sink, id >> 13, 5, CAN_ERR_PROT_LOC_ID17_13);
    put(sink, id >> 5, 8, CAN_ERR_PROT_LOC_ID12_05);
    put(sink, id, 5, CAN_ERR_PROT_LOC_ID04_00);
    put(sink, remote, 1, CAN_ERR_PROT_LOC_RTR);
}

static void put_data(struct sink *sink, const uint8_t *bytes, unsigned size, unsigned padded)
{
    for (unsigned i = 0; i < padded; i++)
        put(sink, i < size ? bytes[DATA_AT + i] : 0, 8, CAN_ERR_PROT_LOC_DATA);
}

static void put_classical(struct sink *sink, const uint8_t *bytes, uint32_t id, uint8_t dlc)
{
    bool remote = id & CAN_RTR_FLAG;
    unsigned size = remote ? 0 : wire_size(dlc, FRAME_CC);

    put_arbitration(sink, id, remote);
    if (id & CAN_EFF_FLAG) put(sink, 0, 1, CAN_ERR_PROT_LOC_RES1);
    put(sink, 0, 1, CAN_ERR_PROT_LOC_RES0);
    put(sink, dlc, 4, CAN_ERR_PROT_LOC_DLC);
    put_data(sink, bytes, size, size);
    put(sink, sink->crc, 15, CAN_ERR_PROT_LOC_CRC_SEQ);
    end_stuffing(sink, CAN_ERR_PROT_LOC_CRC_SEQ);
    put_tail(sink);
}

/* `count` bits behind a fixed stuff bit. */
static void put_fixed(struct sink *sink, uint32_t value, unsigned count)
{
    sink->last ^= 1;
    sink->stuffed++;
    put_bit(sink, sink->last, CAN_ERR_PROT_LOC_CRC_SEQ, WIRE_STUFF);
    while (count--) {
        sink->last = value >> count & 1;
        put_bit(sink, sink->last, CAN_ERR_PROT_LOC_CRC_SEQ, 0);
    }
}

/* How many stuff bits there were, modulo 8, as a Gray code with even parity. */
static void put_stuff_count(struct sink *sink)
{
    uint32_t gray = (sink->stuffed & 7) ^ (sink->stuffed & 7) >> 1;
    uint32_t value = gray << 1 | (uint32_t)__builtin_parity(gray);

    put_fixed(sink, value, 4);
    for (int i = 3; i >= 0; i--)
        sink->crc = wire_crc(sink->crc, value >> i, sink->width, sink->polynomial);
}

static void put_fd(struct sink *sink, const uint8_t *bytes, uint32_t id, uint8_t dlc, unsigned options)
{
    bool fast = bytes[FLAGS_AT] & CANFD_BRS;
    unsigned left = sink->width;

    put_arbitration(sink, id, false); /* there are no remote frames */
    put(sink, 1, 1, id & CAN_EFF_FLAG ? CAN_ERR_PROT_LOC_RES1 : CAN_ERR_PROT_LOC_RES0); /* FDF */
    put(sink, 0, 1, CAN_ERR_PROT_LOC_RES0);
    put(sink, fast, 1, CAN_ERR_PROT_LOC_RES0);
    if (fast) sink->mark = WIRE_FAST;
    put(sink, !!(options & WIRE_ESI), 1, CAN_ERR_PROT_LOC_RES0);
    put(sink, dlc, 4, CAN_ERR_PROT_LOC_DLC);
    put_data(sink, bytes, bytes[4], wire_size(dlc, FRAME_FD));
    if (!(options & WIRE_NON_ISO)) put_stuff_count(sink);
    while (left) {
        unsigned count = left < 4 ? left : 4;
        left -= count;
        put_fixed(sink, sink->crc >> left, count);
    }
    put_tail(sink);
}

uint8_t wire_dlc(const void *frame, enum frame_kind kind, unsigned options)
{
    static const uint8_t sizes[] = { 8, 12, 16, 20, 24, 32, 48, 64 };
    const uint8_t *bytes = frame;
    uint8_t size = bytes[4], dlc = 8;

    if (kind == FRAME_CC) {
        uint8_t raw = bytes[LEN8_DLC_AT];
        return size < 8 ? size : (options & WIRE_LEN8_DLC) && raw > 8 && raw <= 15 ? raw : 8;
    }
    if (size < 8) return size;
    while (dlc < 15 && sizes[dlc - 8] < size)
        dlc++;
    return dlc;
}

uint8_t wire_size(uint8_t dlc, enum frame_kind kind)
{
    static const uint8_t sizes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64 };
    return kind == FRAME_CC && dlc > 8 ? 8 : sizes[dlc & 15];
}

static void encode(struct sink *sink, const void *frame, enum frame_kind kind, unsigned options)
{
    uint8_t dlc = wire_dlc(frame, kind, options);

    sink->last = 1;
    if (kind == FRAME_CC) {
        sink->width = 15;
        sink->polynomial = WIRE_CRC15;
        put_classical(sink, frame, frame_id(frame), dlc);
        return;
    }
    bool wide = wire_size(dlc, FRAME_FD) > 16;
    sink->width = wide ? 21 : 17;
    sink->polynomial = wide ? WIRE_CRC21 : WIRE_CRC17;
    if (!(options & WIRE_NON_ISO)) sink->crc = 1u << (sink->width - 1);
    sink->crc_of_stuff = true;
    put_fd(sink, frame, frame_id(frame), dlc, options);
}

uint32_t wire_encode(const void *frame, enum frame_kind kind, unsigned options, uint8_t bits[WIRE_BITS_MAX])
{
    struct sink sink = { .bits = bits };

    encode(&sink, frame, kind, options);
    return sink.count;
}

struct wire_length wire_measure(const void *frame, enum frame_kind kind, unsigned options)
{
    uint8_t bits[WIRE_BITS_MAX];
    struct sink sink = { .bits = bits };
    struct wire_length length = { 0 };

    encode(&sink, frame, kind, options);
    if (kind == FRAME_FD)
        for (uint32_t i = 0; i < sink.count; i++)
            length.fast += bits[i] >> 7;
    length.slow = sink.count - length.fast;
    length.stuff = sink.stuffed;
    return length;
}

uint64_t wire_priority(const void *frame, enum frame_kind kind)
{
    uint64_t id = frame_id(frame);
    uint64_t remote = kind == FRAME_CC && (id & CAN_RTR_FLAG), fd = kind == FRAME_FD;

    if (!(id & CAN_EFF_FLAG))
        return (id & CAN_SFF_MASK) << KEY_ID_SHIFT | remote << KEY_SRR_SHIFT | fd << (KEY_IDE_SHIFT - 1);
    return (id & CAN_EFF_MASK) >> 18 << KEY_ID_SHIFT | 3ull << KEY_IDE_SHIFT | (id & 0x3ffff) << 2 |
           remote << 1 | fd;
}

unsigned wire_lost_at(uint64_t loser, uint64_t winner)
{
    uint64_t differ = loser ^ winner;
    unsigned at = differ ? KEY_BITS - 64 + (unsigned)__builtin_clzll(differ) : KEY_BITS;
    return at > 31 ? 31 : at;
}
