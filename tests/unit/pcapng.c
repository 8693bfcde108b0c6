/* tests/unit/pcapng.c - blocks of capture files, byte by byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <endian.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <string.h>
#include "cli/pcapng.h"

static uint8_t block[PCAPNG_BLOCK_MAX];

static uint32_t word(size_t at)
{
    uint32_t value;
    memcpy(&value, block + at, sizeof(value));
    return value;
}

static uint16_t half(size_t at)
{
    uint16_t value;
    memcpy(&value, block + at, sizeof(value));
    return value;
}

/* Both lengths are there, and are right. */
static void assert_framed(size_t size, uint32_t type)
{
    assert_true(size % 4 == 0 && size <= sizeof(block));
    assert_int_equal(word(0), type);
    assert_int_equal(word(4), size);
    assert_int_equal(word(size - 4), size);
}

/* The value of option `code` among those from `at` on; NULL: it is not there. Fails unless they end where the block does. */
static const uint8_t *option(size_t at, size_t size, uint16_t code, uint16_t *length)
{
    const uint8_t *found = NULL;

    while (half(at)) {
        if (half(at) == code) {
            found = block + at + 4;
            *length = half(at + 2);
        }
        at += 4 + (half(at + 2) + 3u) / 4 * 4;
        assert_true(at < size);
    }
    assert_int_equal(at + 4, size - 4);
    return found;
}

static void section_tells_byte_order_and_program(void **state)
{
    size_t size = pcapng_section(block, "pocketcan", NULL);
    uint16_t length = 0;
    (void)state;

    assert_framed(size, 0x0a0d0d0a);
    assert_int_equal(word(8), 0x1a2b3c4d);
    assert_int_equal(half(12), 1);
    assert_int_equal(half(14), 0);
    assert_int_equal(word(16), UINT32_MAX);
    assert_int_equal(word(20), UINT32_MAX);
    assert_memory_equal(option(24, size, 4, &length), "pocketcan", 9);
    assert_int_equal(length, 9);
    assert_null(option(24, size, 3, &length));
}

static void interface_has_link_type_name_and_nanoseconds(void **state)
{
    size_t size = pcapng_interface(block, "vcan0", "a bus");
    uint16_t length = 0;
    (void)state;

    assert_framed(size, 1);
    assert_int_equal(half(8), 227);
    assert_true(word(12) >= 2060);
    assert_memory_equal(option(16, size, 2, &length), "vcan0", 5);
    assert_int_equal(length, 5);
    assert_memory_equal(option(16, size, 3, &length), "a bus", 5);
    assert_int_equal(*option(16, size, 9, &length), 9);
    assert_int_equal(length, 1);
}

static void texts_of_any_length_fit(void **state)
{
    char text[600];
    uint16_t length = 0;
    (void)state;

    memset(text, 'x', sizeof(text));
    for (size_t size = 0; size < sizeof(text); size++) {
        text[size] = 0;
        size_t total = pcapng_interface(block, text, text);
        assert_framed(total, 1);
        assert_non_null(option(16, total, 2, &length));
        assert_int_equal(length, size < PCAPNG_TEXT_MAX ? size : PCAPNG_TEXT_MAX);
        total = pcapng_section(block, text, text);
        assert_framed(total, 0x0a0d0d0a);
        text[size] = 'x';
    }
}

static size_t packet_of(const void *frame, uint32_t size)
{
    const struct pcapng_packet packet = { .interface = 3,
                                          .time_ns = 0x123456789abcdef0,
                                          .frame = frame,
                                          .size = size,
                                          .direction = PCAPNG_OUTBOUND };
    return pcapng_packet(block, &packet);
}

static void packet_has_interface_time_and_direction(void **state)
{
    struct can_frame frame = { .can_id = 0x123, .can_dlc = 2, .data = { 0x11, 0x22 } };
    size_t size = packet_of(&frame, sizeof(frame));
    uint16_t length = 0;
    (void)state;

    assert_framed(size, 6);
    assert_int_equal(word(8), 3);
    assert_int_equal(word(12), 0x12345678);
    assert_int_equal(word(16), 0x9abcdef0);
    assert_int_equal(word(20), 16);
    assert_int_equal(word(24), 16);
    assert_memory_equal(block + 28, "\0\0\x01\x23\x02\0\0\0\x11\x22\0\0\0\0\0\0", 16);
    assert_int_equal(*(const uint32_t *)(const void *)option(44, size, 2, &length), 2);
    assert_int_equal(length, 4);
    assert_null(option(44, size, 4, &length));
}

static void packet_without_direction_and_loss_has_no_options(void **state)
{
    struct can_frame frame = { .can_id = 1 };
    const struct pcapng_packet packet = { .frame = &frame, .size = sizeof(frame) };
    size_t size = pcapng_packet(block, &packet);
    (void)state;

    assert_framed(size, 6);
    assert_int_equal(size, 28 + 16 + 4);
}

static void packet_tells_what_was_lost_before_it(void **state)
{
    struct can_frame frame = { .can_id = 1 };
    const struct pcapng_packet packet = { .frame = &frame, .size = sizeof(frame), .dropped = 70000 };
    size_t size = pcapng_packet(block, &packet);
    uint16_t length = 0;
    (void)state;

    assert_framed(size, 6);
    assert_int_equal(*(const uint32_t *)(const void *)option(44, size, 4, &length), 70000);
    assert_int_equal(length, 8);
}

static void flags_of_identifiers_lead_the_packet(void **state)
{
    const struct {
        uint32_t id;
        const char *bytes;
    } cases[] = {
        { 0x12345678 | CAN_EFF_FLAG, "\x92\x34\x56\x78" },
        { 0x7ff | CAN_RTR_FLAG, "\x40\0\x07\xff" },
        { CAN_ERR_FLAG | CAN_ERR_BUSOFF, "\x20\0\0\x40" },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct can_frame frame = { .can_id = cases[i].id, .can_dlc = 8 };
        packet_of(&frame, sizeof(frame));
        assert_memory_equal(block + 28, cases[i].bytes, 4);
        assert_int_equal(block[32], 8);
    }
}

static void only_fd_frames_have_the_flag_of_fd(void **state)
{
    struct canfd_frame fd = { .can_id = 1, .len = 8, .flags = CANFD_BRS };
    struct can_frame classic = { .can_id = 1, .can_dlc = 8 };
    uint8_t *padding = (uint8_t *)&classic + 5, *len8_dlc = (uint8_t *)&classic + 7;
    (void)state;

    packet_of(&fd, sizeof(fd));
    assert_int_equal(block[28 + 5], 0x04 | CANFD_BRS);
    fd.flags = 0x04;
    packet_of(&fd, sizeof(fd));
    assert_int_equal(block[28 + 5], 0x04);
    assert_int_equal(word(20), 72);
    *padding = 0xff; /* what a sender left there */
    *len8_dlc = 12;
    packet_of(&classic, sizeof(classic));
    assert_int_equal(block[28 + 5], 0);
    assert_int_equal(block[28 + 7], 12);
}

/* Priority in network byte order, the others in little-endian order. */
static void xl_frames_have_their_byte_orders(void **state)
{
    uint8_t frame[2060] = { 0 };
    const uint32_t priority = 0x00ab0123, acceptance = 0x11223344;
    (void)state;

    for (uint32_t length = 1; length <= 2048; length = length == 4 ? 2048 : length + 1) {
        const uint16_t length16 = (uint16_t)length;
        memcpy(frame, &priority, 4);
        frame[4] = 0x81;
        frame[5] = 0x03;
        memcpy(frame + 6, &length16, 2);
        memcpy(frame + 8, &acceptance, 4);
        memset(frame + 12, 0x5a, length);
        size_t size = packet_of(frame, 12 + length);
        assert_framed(size, 6);
        assert_int_equal(word(20), 12 + length);
        assert_memory_equal(block + 28, "\0\xab\x01\x23\x81\x03", 6);
        assert_int_equal(block[34] | block[35] << 8, length);
        assert_memory_equal(block + 36, "\x44\x33\x22\x11", 4);
        assert_int_equal(block[40], 0x5a);
        assert_int_equal(block[39 + length], 0x5a);
    }
}

static void statistics_tell_times_and_losses(void **state)
{
    const struct pcapng_statistics statistics = { 2, 0x100000002, 0x300000004, 10, 4 };
    size_t size = pcapng_statistics(block, &statistics);
    uint16_t length = 0;
    const uint64_t ten = 10, four = 4;
    const uint32_t start[2] = { 1, 2 }, end[2] = { 3, 4 };
    (void)state;

    assert_framed(size, 5);
    assert_int_equal(word(8), 2);
    assert_int_equal(word(12), 3);
    assert_int_equal(word(16), 4);
    assert_memory_equal(option(20, size, 2, &length), start, 8);
    assert_memory_equal(option(20, size, 3, &length), end, 8);
    assert_memory_equal(option(20, size, 4, &length), &ten, 8);
    assert_memory_equal(option(20, size, 5, &length), &four, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(section_tells_byte_order_and_program),
        cmocka_unit_test(interface_has_link_type_name_and_nanoseconds),
        cmocka_unit_test(texts_of_any_length_fit),
        cmocka_unit_test(packet_has_interface_time_and_direction),
        cmocka_unit_test(packet_without_direction_and_loss_has_no_options),
        cmocka_unit_test(packet_tells_what_was_lost_before_it),
        cmocka_unit_test(flags_of_identifiers_lead_the_packet),
        cmocka_unit_test(only_fd_frames_have_the_flag_of_fd),
        cmocka_unit_test(xl_frames_have_their_byte_orders),
        cmocka_unit_test(statistics_tell_times_and_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
