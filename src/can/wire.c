/* can/wire.c - frames as bits; see wire.h.
 *
 * One function per part of a frame puts fields into a sink, which adds stuff bits and keeps the CRC. A stuff bit is put before the bit that follows
 * five equal ones: so the rule's two ends come out by themselves - Classical CAN stuffs after the last bit of the CRC (end_stuffing()), CAN FD
 * does not after the last bit of the data, where a fixed stuff bit comes anyway. */
#include "can/wire.h"

#include <endian.h>
#include <linux/can/error.h>

#define STUFF_RUN     5u
#define DATA_AT       8u /* of struct can_frame and canfd_frame */
#define FLAGS_AT      5u /* canfd_frame.flags */
#define LEN8_DLC_AT   7u
#define TAIL_BITS     (3u + WIRE_EOF) /* put_tail() */
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

/* ---- lengths ------------------------------------------------------------------------------------------------------- */

/* All bits of a Classical CAN frame that can be stuffed, 118 at most. A simulated bus asks for the length of every frame, and this is half of what
 * a frame costs: so they are not made one by one. */
struct wide {
    uint64_t high, low;
};

static inline struct wide shifted(struct wide w, unsigned by) /* 1..127 */
{
    if (by >= 64) return (struct wide){ w.low << (by - 64), 0 };
    return (struct wide){ w.high << by | w.low >> (64 - by), w.low << by };
}

static inline void append(struct wide *w, uint64_t value, unsigned count)
{
    *w = shifted(*w, count);
    w->low |= value;
}

/* Four bits at a time; zeros in front of the first bit change nothing. */
static uint32_t crc15_of(struct wide w, unsigned count)
{
    static const uint16_t step[16] = { 0x0000, 0x4599, 0x4eab, 0x0b32, 0x58cf, 0x1d56, 0x1664, 0x53fd,
                                       0x7407, 0x319e, 0x3aac, 0x7f35, 0x2cc8, 0x6951, 0x6263, 0x27fa };
    uint32_t crc = 0;

    for (unsigned at = (count + 3) / 4 * 4; at;) {
        at -= 4;
        uint64_t four = at >= 64 ? w.high >> (at - 64) : w.low >> at;
        crc = (crc << 4 & 0x7fff) ^ step[(crc >> 11 ^ four) & 15];
    }
    return crc;
}

/* Position, from the first bit and from `from` on, where four bits in a row are 0; 128: nowhere. */
static inline unsigned four_zeros(struct wide w, unsigned from)
{
    struct wide z = { ~w.high, ~w.low }, two = shifted(z, 1), found;

    two = (struct wide){ two.high & z.high, two.low & z.low };
    found = shifted(two, 2);
    found = (struct wide){ found.high & two.high, found.low & two.low };
    found.high &= from < 64 ? UINT64_MAX >> from : 0;
    if (from >= 64) found.low &= UINT64_MAX >> (from - 64);
    if (found.high) return (unsigned)__builtin_clzll(found.high);
    return found.low ? 64 + (unsigned)__builtin_clzll(found.low) : 128;
}

/* Five equal bits are four that do not differ from the one behind them. The stuff bit stands for the fifth from then on: as its opposite, which begins a new run. */
static uint32_t stuff_bits_of(struct wide w, unsigned count)
{
    struct wide next, differs;
    uint32_t stuff = 0;
    unsigned at = 0;

    w = shifted(w, 128 - count);
    next = shifted(w, 1);
    differs = (struct wide){ w.high ^ next.high, w.low ^ next.low };
    differs.high |= count <= 64 ? UINT64_MAX >> (count - 1) : 0;
    differs.low |= count <= 64 ? UINT64_MAX : UINT64_MAX >> (count - 65);
    while ((at = four_zeros(differs, at)) < 128) {
        stuff++;
        at += 4;
        if (at < 64)
            differs.high ^= 1ull << (63 - at);
        else
            differs.low ^= 1ull << (127 - at);
    }
    return stuff;
}

static struct wire_length measure_classical(const uint8_t *bytes, uint32_t id, uint8_t dlc)
{
    unsigned size = id & CAN_RTR_FLAG ? 0 : wire_size(dlc, FRAME_CC), count;
    uint64_t remote = !!(id & CAN_RTR_FLAG), data;
    struct wide w = { 0, 0 };

    if (id & CAN_EFF_FLAG) { /* with SRR and IDE behind the base identifier */
        count = 39;
        w.low =
            (uint64_t)(id >> 18 & CAN_SFF_MASK) << 27 | 3u << 25 | (id & 0x3ffff) << 7 | remote << 6 | dlc;
    } else {
        count = 19;
        w.low = (uint64_t)(id & CAN_SFF_MASK) << 7 | remote << 6 | dlc;
    }
    if (size) {
        __builtin_memcpy(&data, bytes + DATA_AT, sizeof(data));
        append(&w, be64toh(data) >> (64 - 8 * size), 8 * size);
        count += 8 * size;
    }
    append(&w, crc15_of(w, count), 15);
    count += 15;
    uint32_t stuff = stuff_bits_of(w, count);
    return (struct wire_length){ .slow = count + stuff + TAIL_BITS, .stuff = stuff };
}

struct wire_length wire_measure(const void *frame, enum frame_kind kind, unsigned options)
{
    uint8_t bits[WIRE_BITS_MAX];
    struct sink sink = { .bits = bits };
    struct wire_length length = { 0 };

    if (kind == FRAME_CC) return measure_classical(frame, frame_id(frame), wire_dlc(frame, kind, options));
    encode(&sink, frame, kind, options);
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
