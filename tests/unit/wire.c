/* tests/unit/wire.c - frames as bits: read back by a decoder written from the standard's receiver side; CRCs by long division; who wins. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/can/error.h>
#include "can/wire.h"

static uint8_t bits[WIRE_BITS_MAX];
static uint32_t count;

/* ---- a receiver ---- */

static uint8_t seen[WIRE_BITS_MAX]; /* what the CRC covers */
static uint32_t at, seen_count, run, last, stuff_found;
static bool cover_stuff;

static void start_reading(bool fd)
{
    at = seen_count = run = stuff_found = 0;
    last = 1;
    cover_stuff = fd;
}

static uint32_t level(void) { return bits[at++] & WIRE_LEVEL; }

/* The next bit, without the stuff bit before it. */
static uint32_t read_bit(void)
{
    uint32_t bit;

    if (run == 5) {
        assert_true(bits[at] & WIRE_STUFF);
        bit = level();
        assert_int_not_equal(bit, last);
        if (cover_stuff) seen[seen_count++] = (uint8_t)bit;
        last = bit;
        run = 1;
        stuff_found++;
    }
    assert_false(bits[at] & WIRE_STUFF);
    bit = level();
    run = bit == last ? run + 1 : 1;
    last = bit;
    seen[seen_count++] = (uint8_t)bit;
    return bit;
}

static uint32_t read_bits(unsigned width)
{
    uint32_t value = 0;
    while (width--)
        value = value << 1 | read_bit();
    return value;
}

static uint32_t read_fixed(unsigned width)
{
    uint32_t value = 0, before = bits[at - 1] & WIRE_LEVEL;

    assert_true(bits[at] & WIRE_STUFF);
    assert_int_not_equal(level(), before);
    while (width--)
        value = value << 1 | level();
    return value;
}

/* The remainder of seen[] * x^width, with `initial` added to its first bits: long division. */
static uint32_t divide(uint64_t polynomial, unsigned width, uint32_t initial)
{
    uint8_t rest[WIRE_BITS_MAX + 32] = { 0 };
    uint32_t value = 0;

    memcpy(rest, seen, seen_count);
    for (unsigned i = 0; i < width; i++)
        rest[i] ^= initial >> (width - 1 - i) & 1;
    for (uint32_t i = 0; i < seen_count; i++)
        for (unsigned k = 0; rest[i] && k <= width; k++)
            if (k) rest[i + k] ^= polynomial >> (width - k) & 1;
    for (unsigned i = 0; i < width; i++)
        value = value << 1 | rest[seen_count + i];
    return value;
}

static void read_tail(void)
{
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(level(), 1);
    assert_int_equal(at, count);
}

static uint32_t read_arbitration(bool *remote)
{
    assert_int_equal(read_bit(), 0);
    uint32_t id = read_bits(11);
    *remote = read_bit();
    if (!read_bit()) return id;
    assert_true(*remote); /* SRR */
    id = id << 18 | read_bits(18) | CAN_EFF_FLAG;
    *remote = read_bit();
    return id;
}

static void check_classical(const struct can_frame *frame, unsigned options)
{
    uint8_t dlc, raw = options & WIRE_LEN8_DLC && frame->len == 8 && frame->len8_dlc > 8 ? frame->len8_dlc
                                                                                         : frame->len;
    bool remote;

    count = wire_encode(frame, FRAME_CC, options, bits);
    start_reading(false);
    uint32_t id = read_arbitration(&remote);
    assert_int_equal(id | (remote ? CAN_RTR_FLAG : 0), frame->can_id);
    assert_int_equal(read_bits(id & CAN_EFF_FLAG ? 2 : 1), 0);
    dlc = (uint8_t)read_bits(4);
    assert_int_equal(dlc, raw);
    for (unsigned i = 0; !remote && i < frame->len; i++)
        assert_int_equal(read_bits(8), frame->data[i]);
    uint32_t crc = divide(0xc599, 15, 0);
    assert_int_equal(read_bits(15), crc);
    if (run == 5) assert_int_not_equal(level(), last);
    read_tail();
}

static void check_stuff_count(void)
{
    static const uint8_t gray[8] = { 0, 1, 3, 2, 6, 7, 5, 4 };
    uint32_t value = read_fixed(4);

    assert_int_equal(value >> 1, gray[stuff_found % 8]);
    assert_int_equal(__builtin_popcount(value) % 2, 0);
    for (int i = 3; i >= 0; i--)
        seen[seen_count++] = value >> i & 1;
}

static void check_fd(const struct canfd_frame *frame, unsigned options)
{
    static const uint8_t sizes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64 };
    bool remote, iso = !(options & WIRE_NON_ISO);

    count = wire_encode(frame, FRAME_FD, options, bits);
    start_reading(true);
    assert_int_equal(read_arbitration(&remote), frame->can_id);
    assert_false(remote);
    assert_int_equal(read_bits(2), 2);
    assert_int_equal(read_bit(), !!(frame->flags & CANFD_BRS));
    assert_int_equal(read_bit(), !!(options & WIRE_ESI));
    unsigned size = sizes[read_bits(4)];
    assert_true(size >= frame->len);
    for (unsigned i = 0; i < size; i++)
        assert_int_equal(read_bits(8), i < frame->len ? frame->data[i] : 0);
    if (iso) check_stuff_count();
    unsigned width = size > 16 ? 21 : 17;
    uint32_t got = 0, wanted = divide(size > 16 ? 0x302899 : 0x3685b, width, iso ? 1u << (width - 1) : 0);
    for (unsigned left = width; left;) {
        unsigned part = left < 4 ? left : 4;
        got = got << part | read_fixed(part);
        left -= part;
    }
    assert_int_equal(got, wanted);
    read_tail();
}

static uint32_t random_id(void)
{
    uint32_t id = (uint32_t)rand() & CAN_EFF_MASK;
    if (rand() % 4 == 0) id = 0;
    if (rand() % 4 == 0) id = CAN_EFF_MASK;
    return rand() % 2 ? id | CAN_EFF_FLAG : id & CAN_SFF_MASK;
}

static void random_bytes(uint8_t *data, unsigned size)
{
    static const uint8_t fills[] = { 0x00, 0xff, 0xf8, 0x1f, 0x0f };
    int how = rand() % 8;
    for (unsigned i = 0; i < size; i++)
        data[i] = how < 5 ? fills[how] : (uint8_t)rand();
}

static void classical_frames_can_be_read_back(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 100000; i++) {
        struct can_frame frame = { .can_id = random_id(), .len = (uint8_t)(rand() % 9) };
        if (rand() % 5 == 0) frame.can_id |= CAN_RTR_FLAG;
        frame.len8_dlc = (uint8_t)(rand() % 16);
        random_bytes(frame.data, 8);
        check_classical(&frame, rand() % 2 ? WIRE_LEN8_DLC : 0);
    }
}

static void fd_frames_can_be_read_back(void **state)
{
    (void)state;
    srand(2);
    for (unsigned i = 0; i < 50000; i++) {
        struct canfd_frame frame = { .can_id = random_id(), .len = (uint8_t)(rand() % 65) };
        frame.flags = rand() % 2 ? CANFD_BRS : 0;
        random_bytes(frame.data, 64);
        check_fd(&frame, (rand() % 2 ? WIRE_ESI : 0) | (rand() % 2 ? WIRE_NON_ISO : 0));
    }
}

/* ---- CRCs as the catalogues have them: of the text "123456789" ---- */

static void crcs_are_the_published_ones(void **state)
{
    static const struct {
        unsigned width;
        uint32_t polynomial, check;
    } crcs[] = { { 15, WIRE_CRC15, 0x059e }, { 17, WIRE_CRC17, 0x04f03 }, { 21, WIRE_CRC21, 0x0ed841 } };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t crc = 0;
        for (const char *text = "123456789"; *text; text++)
            for (int bit = 7; bit >= 0; bit--)
                crc = wire_crc(crc, (uint32_t)*text >> bit, crcs[i].width, crcs[i].polynomial);
        assert_int_equal(crc, crcs[i].check);
    }
}

/* ---- lengths ---- */

static uint32_t total(struct wire_length length) { return length.slow + length.fast; }

/* Data with many stuff bits, and some close to each other. */
static void long_runs(uint8_t *bytes, unsigned size)
{
    static const uint8_t some[] = { 0x00, 0xff, 0x0f, 0xf0, 0x07, 0xf8, 0x83, 0x7c, 0xc1, 0x3e };

    for (unsigned i = 0; i < size; i++)
        bytes[i] = some[(unsigned)rand() % sizeof(some)];
}

static void lengths_are_those_of_the_bits(void **state)
{
    (void)state;
    srand(3);
    for (unsigned i = 0; i < 50000; i++) {
        struct canfd_frame frame = { .can_id = random_id(), .flags = rand() % 2 ? CANFD_BRS : 0 };
        enum frame_kind kind = rand() % 2 ? FRAME_CC : FRAME_FD;
        frame.len = (uint8_t)(rand() % (kind == FRAME_CC ? 9 : 65));
        random_bytes(frame.data, 64);
        if (i % 2) long_runs(frame.data, 64);
        if (kind == FRAME_CC && i % 8 == 0) frame.can_id |= CAN_RTR_FLAG;
        uint32_t fast = 0, stuff = 0;
        count = wire_encode(&frame, kind, 0, bits);
        for (uint32_t k = 0; k < count; k++) {
            fast += !!(bits[k] & WIRE_FAST);
            stuff += !!(bits[k] & WIRE_STUFF);
        }
        struct wire_length length = wire_measure(&frame, kind, 0);
        assert_int_equal(length.slow, count - fast);
        assert_int_equal(length.fast, fast);
        assert_int_equal(length.stuff, stuff);
        assert_true(kind == FRAME_FD || fast == 0);
    }
}

/* 44 + 8n bits of a standard frame, 64 + 8n of an extended one, and at most one stuff bit for each four. */
static void classical_lengths_stay_within_their_bounds(void **state)
{
    uint32_t most[2][9] = { 0 };

    (void)state;
    srand(4);
    for (unsigned i = 0; i < 200000; i++) {
        struct can_frame frame = { .can_id = random_id(), .len = (uint8_t)(rand() % 9) };
        bool extended = frame.can_id & CAN_EFF_FLAG;
        random_bytes(frame.data, 8);
        struct wire_length length = wire_measure(&frame, FRAME_CC, 0);
        uint32_t stuffable = (extended ? 54u : 34u) + 8u * frame.len;
        assert_int_equal(total(length) - length.stuff, stuffable + 10);
        assert_true(length.stuff <= (stuffable - 1) / 4);
        if (length.stuff > most[extended][frame.len]) most[extended][frame.len] = length.stuff;
    }
    assert_true(most[0][8] >= 15);
}

static void a_frame_done_by_hand(void **state)
{
    struct can_frame frame = { .can_id = 0x555 };
    struct wire_length length = wire_measure(&frame, FRAME_CC, 0);
    static const char *const start =
        "01010101010100000100"; /* behind RTR IDE r0 and two bits of the DLC, a stuff bit */

    (void)state;
    count = wire_encode(&frame, FRAME_CC, 0, bits);
    for (unsigned i = 0; start[i]; i++)
        assert_int_equal(bits[i] & WIRE_LEVEL, start[i] - '0');
    assert_true(bits[17] & WIRE_STUFF);
    assert_int_equal(total(length), count);
}

static void locations_are_those_of_error_frames(void **state)
{
    struct can_frame frame = { .can_id = 0x15555555 | CAN_EFF_FLAG, .len = 1, .data = { 0x55 } };
    static const uint8_t order[] = {
        CAN_ERR_PROT_LOC_SOF,     CAN_ERR_PROT_LOC_ID28_21, CAN_ERR_PROT_LOC_ID20_18,
        CAN_ERR_PROT_LOC_SRTR,    CAN_ERR_PROT_LOC_IDE,     CAN_ERR_PROT_LOC_ID17_13,
        CAN_ERR_PROT_LOC_ID12_05, CAN_ERR_PROT_LOC_ID04_00, CAN_ERR_PROT_LOC_RTR,
        CAN_ERR_PROT_LOC_RES1,    CAN_ERR_PROT_LOC_RES0,    CAN_ERR_PROT_LOC_DLC,
        CAN_ERR_PROT_LOC_DATA,    CAN_ERR_PROT_LOC_CRC_SEQ, CAN_ERR_PROT_LOC_CRC_DEL,
        CAN_ERR_PROT_LOC_ACK,     CAN_ERR_PROT_LOC_ACK_DEL, CAN_ERR_PROT_LOC_EOF
    };
    unsigned next = 0;

    (void)state;
    count = wire_encode(&frame, FRAME_CC, 0, bits);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || wire_location(bits[i]) != wire_location(bits[i - 1]))
            assert_int_equal(wire_location(bits[i]), order[next++]);
    assert_int_equal(next, sizeof order);
}

/* ---- arbitration ---- */

/* Which of two frames is alone at the end of the arbitration field, found bit by bit; 0: none of them. */
static int winner(const uint8_t *a, const uint8_t *b, unsigned *at_bit)
{
    unsigned unstuffed = 0;
    for (unsigned i = 0; i < WIRE_BITS_MAX; i++) {
        uint8_t where = wire_location(a[i]);
        if ((a[i] ^ b[i]) & WIRE_LEVEL) {
            *at_bit = unstuffed - 1;
            return a[i] & WIRE_LEVEL ? 2 : 1;
        }
        unstuffed += !(a[i] & WIRE_STUFF);
        if (where == CAN_ERR_PROT_LOC_DLC) break;
    }
    return 0;
}

static void priority_is_what_the_bits_say(void **state)
{
    static uint8_t one[WIRE_BITS_MAX], two[WIRE_BITS_MAX];
    unsigned decided = 0;

    (void)state;
    srand(5);
    for (unsigned i = 0; i < 200000; i++) {
        struct canfd_frame frame[2] = { 0 };
        enum frame_kind kind[2];
        uint32_t base = (uint32_t)rand() & CAN_EFF_MASK;
        for (unsigned k = 0; k < 2; k++) {
            uint32_t id = rand() % 3 ? base : base ^ 1u << (rand() % 29);
            frame[k].can_id = rand() % 2 ? id | CAN_EFF_FLAG : id >> 18;
            kind[k] = rand() % 3 ? FRAME_CC : FRAME_FD;
            if (kind[k] == FRAME_CC && rand() % 3 == 0) frame[k].can_id |= CAN_RTR_FLAG;
        }
        unsigned at_bit = 0;
        uint64_t first = wire_priority(&frame[0], kind[0]), second = wire_priority(&frame[1], kind[1]);
        wire_encode(&frame[0], kind[0], 0, one);
        wire_encode(&frame[1], kind[1], 0, two);
        int who = winner(one, two, &at_bit);
        if (first == second) continue;
        decided++;
        assert_int_equal(who, first < second ? 1 : 2);
        if (at_bit < 31) assert_int_equal(at_bit, wire_lost_at(first, second));
    }
    assert_true(decided > 50000);
}

static void priorities_of_equal_identifiers(void **state)
{
    struct canfd_frame std = { .can_id = 0x123 }, ext = { .can_id = (0x123u << 18) | CAN_EFF_FLAG };
    struct canfd_frame rtr = { .can_id = 0x123 | CAN_RTR_FLAG };

    (void)state;
    assert_true(wire_priority(&std, FRAME_CC) < wire_priority(&ext, FRAME_CC));
    assert_true(wire_priority(&std, FRAME_CC) < wire_priority(&rtr, FRAME_CC));
    assert_true(wire_priority(&std, FRAME_CC) < wire_priority(&std, FRAME_FD));
    assert_true(wire_priority(&std, FRAME_FD) < wire_priority(&rtr, FRAME_CC));
    assert_true(wire_priority(&rtr, FRAME_CC) < wire_priority(&ext, FRAME_CC));
    assert_int_equal(wire_lost_at(wire_priority(&ext, FRAME_CC), wire_priority(&std, FRAME_CC)), 11);
    assert_int_equal(wire_lost_at(wire_priority(&ext, FRAME_CC), wire_priority(&rtr, FRAME_CC)), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classical_frames_can_be_read_back),
        cmocka_unit_test(fd_frames_can_be_read_back),
        cmocka_unit_test(crcs_are_the_published_ones),
        cmocka_unit_test(lengths_are_those_of_the_bits),
        cmocka_unit_test(classical_lengths_stay_within_their_bounds),
        cmocka_unit_test(a_frame_done_by_hand),
        cmocka_unit_test(locations_are_those_of_error_frames),
        cmocka_unit_test(priority_is_what_the_bits_say),
        cmocka_unit_test(priorities_of_equal_identifiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
