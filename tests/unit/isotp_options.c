/* tests/unit/isotp_options.c - options, and what bind(2) and write(2) check (spec 3.1 to 3.3). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "can/isotp.h"

#define EFF CAN_EFF_FLAG

static struct isotp_options options;

static int start(void **state)
{
    (void)state;
    memset(&options, 0xee, sizeof(options));
    isotp_default(&options);
    return 0;
}

static void check_bytes(int name, const char *want, size_t size)
{
    uint8_t value[16];

    assert_int_equal(isotp_get(&options, name, value, sizeof(value)), size);
    assert_memory_equal(value, want, size);
}

static int set_flags(uint32_t flags)
{
    struct can_isotp_options opts = options.opts;

    opts.flags = flags;
    return isotp_set(&options, CAN_ISOTP_OPTS, &opts, sizeof(opts));
}

static int set_ll(unsigned mtu, unsigned tx_dl, unsigned flags)
{
    struct can_isotp_ll_options ll = { (uint8_t)mtu, (uint8_t)tx_dl, (uint8_t)flags };

    return isotp_set(&options, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));
}

static void set_txtime(uint32_t ns)
{
    struct can_isotp_options opts = options.opts;

    opts.frame_txtime = ns;
    assert_int_equal(isotp_set(&options, CAN_ISOTP_OPTS, &opts, sizeof(opts)), 0);
}

static void defaults(void **state)
{
    (void)state;
    check_bytes(CAN_ISOTP_OPTS, "\0\0\0\0\x50\xc3\0\0\0\xcc\xcc\0", 12);
    check_bytes(CAN_ISOTP_RECV_FC, "\0\0\0", 3);
    check_bytes(CAN_ISOTP_TX_STMIN, "\0\0\0\0", 4);
    check_bytes(CAN_ISOTP_RX_STMIN, "\0\0\0\0", 4);
    check_bytes(CAN_ISOTP_LL_OPTS, "\x10\x08\0", 3);
    assert_int_equal(options.frame_txtime_ns, 50000);
}

static void only_the_size_of_an_option_is_taken(void **state)
{
    static const size_t size[6] = { 0, 12, 3, 4, 4, 3 };
    struct isotp_options before = options;
    uint8_t value[16] = { 16, 8 };

    (void)state;
    for (int name = 1; name <= 5; name++)
        for (size_t n = 0; n <= 16; n++)
            if (n != size[name]) assert_int_equal(isotp_set(&options, name, value, n), -EINVAL);
    assert_memory_equal(&before, &options, sizeof(options));
    for (int name = 5; name >= 1; name--)
        assert_int_equal(isotp_set(&options, name, value, size[name]), 0);
}

static void unknown_options(void **state)
{
    static const int names[] = { 0, 6, 7, -1, 1000, INT32_MAX, INT32_MIN };
    uint8_t value[16] = { 0 };

    (void)state;
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(isotp_set(&options, names[i], value, 4), -ENOPROTOOPT);
        assert_int_equal(isotp_get(&options, names[i], value, 4), -ENOPROTOOPT);
    }
}

static void reading_is_cut_to_the_room(void **state)
{
    uint8_t value[4] = { 1, 2, 3, 4 };

    (void)state;
    assert_int_equal(isotp_get(&options, CAN_ISOTP_LL_OPTS, value, 2), 2);
    assert_memory_equal(value, "\x10\x08\3\4", 4);
    assert_int_equal(isotp_get(&options, CAN_ISOTP_LL_OPTS, NULL, 0), 0);
}

static void values_are_read_back(void **state)
{
    uint32_t tx = 30000000, rx = 0xfffffffe;

    (void)state;
    assert_int_equal(isotp_set(&options, CAN_ISOTP_TX_STMIN, &tx, 4), 0);
    assert_int_equal(isotp_set(&options, CAN_ISOTP_RX_STMIN, &rx, 4), 0);
    assert_int_equal(isotp_set(&options, CAN_ISOTP_RECV_FC, "\x0f\xfb\x07", 3), 0);
    check_bytes(CAN_ISOTP_TX_STMIN, "\x80\xc3\xc9\x01", 4);
    check_bytes(CAN_ISOTP_RX_STMIN, "\xfe\xff\xff\xff", 4);
    check_bytes(CAN_ISOTP_RECV_FC, "\x0f\xfb\x07", 3);
}

static void frame_txtime_of_zero_changes_nothing(void **state)
{
    (void)state;
    set_txtime(7);
    set_txtime(0);
    assert_int_equal(options.frame_txtime_ns, 7);
    assert_int_equal(options.opts.frame_txtime, 0);
    set_txtime(0xffffffff);
    assert_int_equal(options.frame_txtime_ns, 0);
    assert_int_equal(options.opts.frame_txtime, 0xffffffff);
    set_txtime(0);
    assert_int_equal(options.frame_txtime_ns, 0);
    set_txtime(0xfffffffe);
    assert_int_equal(options.frame_txtime_ns, 0xfffffffe);
}

static void rx_ext_address_is_the_other_one_unless_it_is_said(void **state)
{
    struct can_isotp_options opts = { .ext_address = 0xaa, .rx_ext_address = 0xbb };

    (void)state;
    assert_int_equal(isotp_set(&options, CAN_ISOTP_OPTS, &opts, sizeof(opts)), 0);
    assert_int_equal(options.opts.rx_ext_address, 0xaa);
    opts.flags = CAN_ISOTP_RX_EXT_ADDR;
    assert_int_equal(isotp_set(&options, CAN_ISOTP_OPTS, &opts, sizeof(opts)), 0);
    assert_int_equal(options.opts.rx_ext_address, 0xbb);
}

static void flags_nobody_knows_are_kept(void **state)
{
    (void)state;
    assert_int_equal(set_flags(0xffffe000), 0);
    assert_int_equal(options.opts.flags, 0xffffe000);
}

static void both_broadcast_flags_are_refused_and_stored_as_one(void **state)
{
    struct can_isotp_options opts = { 0x1800, 1234, 1, 2, 3, 4 };

    (void)state;
    assert_int_equal(isotp_set(&options, CAN_ISOTP_OPTS, &opts, sizeof(opts)), -EINVAL);
    check_bytes(CAN_ISOTP_OPTS, "\0\x08\0\0\xd2\x04\0\0\1\2\3\1", 12);
    assert_int_equal(options.frame_txtime_ns, 1234);
}

static void link_layer_options(void **state)
{
    static const uint8_t lengths[] = { 8, 12, 16, 20, 24, 32, 48, 64 };

    (void)state;
    for (unsigned mtu = 0; mtu < 256; mtu++)
        for (unsigned tx_dl = 0; tx_dl < 256; tx_dl++) {
            bool good =
                (mtu == 72 && memchr(lengths, (int)tx_dl, sizeof(lengths))) || (mtu == 16 && tx_dl == 8);
            assert_int_equal(set_ll(mtu, tx_dl, 0), good ? 0 : -EINVAL);
        }
    assert_int_equal(set_ll(16, 8, 1), -EINVAL);
    assert_int_equal(set_ll(72, 12, 0xff), 0);
    assert_int_equal(set_ll(72, 9, 0), -EINVAL);
    check_bytes(CAN_ISOTP_LL_OPTS, "\x48\x0c\xff", 3);
}

static void identifiers(void **state)
{
    static const struct {
        uint32_t id;
        int result;
    } ids[] = { { 0, 0 },
                { 0x7ff, 0 },
                { 0x800, -EINVAL },
                { EFF, 0 },
                { EFF | 0x800, 0 },
                { 0x9fffffff, 0 },
                { 0xbfffffff, -EINVAL },
                { 0x40000001, -EINVAL },
                { 0x20000001, -EINVAL },
                { EFF | 0x40000001, -EINVAL } };

    (void)state;
    for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        set_flags(0);
        assert_int_equal(isotp_check_ids(&options, ids[i].id, 1), ids[i].result);
        assert_int_equal(isotp_check_ids(&options, 1, ids[i].id), ids[i].result);
        set_flags(CAN_ISOTP_SF_BROADCAST);
        assert_int_equal(isotp_check_ids(&options, ids[i].id, 1), ids[i].result);
        assert_int_equal(isotp_check_ids(&options, 1, ids[i].id), 0);
        set_flags(CAN_ISOTP_CF_BROADCAST);
        assert_int_equal(isotp_check_ids(&options, 1, ids[i].id), 0);
    }
}

static void equal_identifiers(void **state)
{
    (void)state;
    assert_int_equal(isotp_check_pair(&options, 5, 5), -EADDRNOTAVAIL);
    assert_int_equal(isotp_check_pair(&options, 5, 6), 0);
    assert_int_equal(isotp_check_pair(&options, 5, 5 | EFF), 0);
    set_flags(CAN_ISOTP_SF_BROADCAST);
    assert_int_equal(isotp_check_pair(&options, 5, 5), 0);
    set_flags(CAN_ISOTP_CF_BROADCAST);
    assert_int_equal(isotp_check_pair(&options, 5, 5), 0);
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(isotp_check_size(&options, 0), -EINVAL);
    assert_int_equal(isotp_check_size(&options, 1), 0);
    assert_int_equal(isotp_check_size(&options, 66000), 0);
    assert_int_equal(isotp_check_size(&options, 66001), -EINVAL);
    assert_int_equal(isotp_check_size(&options, (size_t)1 << 32 | 1), -EINVAL);
    set_flags(CAN_ISOTP_CF_BROADCAST);
    assert_int_equal(isotp_check_size(&options, 66000), 0);
}

static void sizes_of_broadcast_single_frames(void **state)
{
    (void)state;
    set_flags(CAN_ISOTP_SF_BROADCAST);
    assert_int_equal(isotp_check_size(&options, 7), 0);
    assert_int_equal(isotp_check_size(&options, 8), -EINVAL);
    set_flags(CAN_ISOTP_SF_BROADCAST | CAN_ISOTP_EXTEND_ADDR);
    assert_int_equal(isotp_check_size(&options, 6), 0);
    assert_int_equal(isotp_check_size(&options, 7), -EINVAL);
    assert_int_equal(set_ll(72, 64, 0), 0);
    assert_int_equal(isotp_check_size(&options, 61), 0);
    assert_int_equal(isotp_check_size(&options, 62), -EINVAL);
    assert_int_equal(set_ll(72, 8, 0), 0);
    assert_int_equal(isotp_check_size(&options, 6), 0);
    assert_int_equal(isotp_check_size(&options, 7), -EINVAL);
}

static void single_frames(void **state)
{
    struct canfd_frame frame = { 0 };

    (void)state;
    assert_int_equal(isotp_single_frame(&options, 0x123, "abcdefg", 7, &frame), 16);
    assert_memory_equal(&frame,
                        "\x23\x01\0\0\x08\0\0\0\x07"
                        "abcdefg",
                        16);
    assert_int_equal(isotp_single_frame(&options, 0x123, "abcdefgh", 8, &frame), 0);
    assert_int_equal(isotp_single_frame(&options, 0x123, "", 0, &frame), 0);
    assert_int_equal(set_ll(72, 64, 1), 0);
    assert_int_equal(isotp_single_frame(&options, EFF | 0x123, "abcdefgh", 8, &frame), 72);
    assert_memory_equal(&frame,
                        "\x23\x01\0\x80\x0c\x05\0\0\0\x08"
                        "abcdefgh\xcc\xcc",
                        20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(defaults, start),
        cmocka_unit_test_setup(only_the_size_of_an_option_is_taken, start),
        cmocka_unit_test_setup(unknown_options, start),
        cmocka_unit_test_setup(reading_is_cut_to_the_room, start),
        cmocka_unit_test_setup(values_are_read_back, start),
        cmocka_unit_test_setup(frame_txtime_of_zero_changes_nothing, start),
        cmocka_unit_test_setup(rx_ext_address_is_the_other_one_unless_it_is_said, start),
        cmocka_unit_test_setup(flags_nobody_knows_are_kept, start),
        cmocka_unit_test_setup(both_broadcast_flags_are_refused_and_stored_as_one, start),
        cmocka_unit_test_setup(link_layer_options, start),
        cmocka_unit_test_setup(identifiers, start),
        cmocka_unit_test_setup(equal_identifiers, start),
        cmocka_unit_test_setup(sizes, start),
        cmocka_unit_test_setup(sizes_of_broadcast_single_frames, start),
        cmocka_unit_test_setup(single_frames, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
