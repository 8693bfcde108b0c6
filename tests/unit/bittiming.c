/* tests/unit/bittiming.c - bit timings that Linux 6.1 computed for real drivers; the same search compared at random with a running kernel
 * is tests/diff/bittiming.test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "can/bittiming.h"

static const struct can_bittiming_const sja1000 = {
    .tseg1_min = 1,
    .tseg1_max = 16,
    .tseg2_min = 1,
    .tseg2_max = 8,
    .sjw_max = 4,
    .brp_min = 1,
    .brp_max = 64,
    .brp_inc = 1,
};
static const struct can_bittiming_const fd_nominal = {
    .tseg1_min = 1,
    .tseg1_max = 256,
    .tseg2_min = 1,
    .tseg2_max = 128,
    .sjw_max = 128,
    .brp_min = 1,
    .brp_max = 512,
    .brp_inc = 1,
};
static const struct can_bittiming_const fd_data = {
    .tseg1_min = 1,
    .tseg1_max = 32,
    .tseg2_min = 1,
    .tseg2_max = 16,
    .sjw_max = 16,
    .brp_min = 1,
    .brp_max = 32,
    .brp_inc = 1,
};

/* bitrate, sample point, tq, prop_seg, phase_seg1, phase_seg2, sjw, brp */
struct vector {
    const struct can_bittiming_const *limits;
    uint32_t clock_hz;
    struct can_bittiming in, out;
    int result;
};

#define SJA &sja1000, 8000000
#define NOM &fd_nominal, 80000000
#define DAT &fd_data, 80000000

static const struct vector vectors[] = {
    { SJA, { 500000 }, { 500000, 875, 125, 6, 7, 2, 1, 1 }, 0 },
    { SJA, { 1000000 }, { 1000000, 750, 125, 2, 3, 2, 1, 1 }, 0 },
    { SJA, { 800000 }, { 800000, 800, 125, 3, 4, 2, 1, 1 }, 0 },
    { SJA, { 2000000 }, { 2000000, 750, 125, 1, 1, 1, 1, 1 }, 0 },
    { SJA, { 125000 }, { 125000, 875, 500, 6, 7, 2, 1, 4 }, 0 },
    { SJA, { 83333 }, { 83333, 875, 750, 6, 7, 2, 1, 6 }, 0 },
    { SJA, { 10000 }, { 10000, 875, 6250, 6, 7, 2, 1, 50 }, 0 },
    { SJA, { 5000 }, { 5000, 680, 8000, 8, 8, 8, 1, 64 }, 0 },
    { SJA, { 123456 }, { 123076, 846, 625, 5, 5, 2, 1, 5 }, 0 },
    { SJA, { 750000 }, { 727272, 727, 125, 3, 4, 3, 1, 1 }, 0 },
    { SJA, { 900000 }, { 888888, 666, 125, 2, 3, 3, 1, 1 }, 0 },
    { SJA, { 950000 }, { 0 }, -EDOM },
    { SJA, { 1500000 }, { 0 }, -EDOM },
    { SJA, { 1 }, { 0 }, -EDOM },
    { SJA, { 500000, 100 }, { 0 }, -EDOM },
    { SJA, { 500000, 500 }, { 500000, 500, 125, 3, 4, 8, 1, 1 }, 0 },
    { SJA, { 500000, 600 }, { 500000, 562, 125, 4, 4, 7, 1, 1 }, 0 },
    { SJA, { 500000, 800 }, { 500000, 750, 125, 5, 6, 4, 1, 1 }, 0 },
    { SJA, { 500000, 900 }, { 500000, 875, 125, 6, 7, 2, 1, 1 }, 0 },
    { SJA, { 500000, 950 }, { 500000, 937, 125, 7, 7, 1, 1, 1 }, 0 },
    { SJA, { 125000, 0, 0, 0, 0, 0, 3 }, { 125000, 875, 500, 6, 7, 2, 2, 4 }, 0 },
    { SJA, { 125000, 0, 0, 0, 0, 0, 4 }, { 125000, 875, 500, 6, 7, 2, 2, 4 }, 0 },
    { SJA, { 125000, 0, 0, 0, 0, 0, 9 }, { 125000, 875, 500, 6, 7, 2, 2, 4 }, 0 },
    { SJA, { 0, 0, 130, 6, 7, 2 }, { 500000, 875, 130, 6, 7, 2, 1, 1 }, 0 },
    { SJA, { 0, 0, 125, 9, 8, 2 }, { 0 }, -ERANGE },
    { SJA, { 0, 0, 125, 6, 7, 9 }, { 0 }, -ERANGE },
    { SJA, { 0, 0, 125, 6, 7, 2, 5 }, { 0 }, -ERANGE },
    { SJA, { 0, 0, 9000, 6, 7, 2 }, { 0 }, -EINVAL },
    { SJA, { 0, 0, 60, 6, 7, 2 }, { 0 }, -EINVAL },
    { SJA, { 500000, 0, 125, 6, 7, 2 }, { 0 }, -EINVAL },
    { SJA, { 0 }, { 0 }, -EINVAL },
    { NOM, { 500000 }, { 500000, 875, 12, 69, 70, 20, 1, 1 }, 0 },
    { NOM, { 250000 }, { 250000, 875, 25, 69, 70, 20, 1, 2 }, 0 },
    { NOM, { 1000000 }, { 1000000, 750, 12, 29, 30, 20, 1, 1 }, 0 },
    { DAT, { 500000 }, { 500000, 875, 62, 13, 14, 4, 1, 5 }, 0 },
    { DAT, { 2000000 }, { 2000000, 750, 12, 14, 15, 10, 1, 1 }, 0 },
    { DAT, { 4000000 }, { 4000000, 750, 12, 7, 7, 5, 1, 1 }, 0 },
    { DAT, { 5000000 }, { 5000000, 750, 12, 5, 6, 4, 1, 1 }, 0 },
    { DAT, { 8000000 }, { 8000000, 700, 12, 3, 3, 3, 1, 1 }, 0 },
    { DAT, { 10000000 }, { 10000000, 750, 12, 2, 3, 2, 1, 1 }, 0 },
};

static void print(const char *what, const struct can_bittiming *bt)
{
    print_message("%s bitrate %u sp %u tq %u %u/%u/%u sjw %u brp %u\n", what, bt->bitrate, bt->sample_point,
                  bt->tq, bt->prop_seg, bt->phase_seg1, bt->phase_seg2, bt->sjw, bt->brp);
}

static void results_are_those_of_linux(void **state)
{
    unsigned wrong = 0;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        const struct can_bittiming *expected = v->result ? &v->in : &v->out;
        struct can_bittiming bt = v->in;
        int result = bittiming_complete(&bt, v->limits, v->clock_hz);
        if (result == v->result && memcmp(&bt, expected, sizeof bt) == 0) continue;
        wrong++;
        print("asked   ", &v->in);
        print("expected", expected);
        print("got     ", &bt);
        print_message("result %d, expected %d\n", result, v->result);
    }
    assert_int_equal(wrong, 0);
}

static void prescalers_come_in_steps(void **state)
{
    struct can_bittiming_const limits = sja1000;
    struct can_bittiming bt = { .bitrate = 125000 };

    (void)state;
    limits.brp_inc = limits.brp_min = 2;
    assert_int_equal(bittiming_complete(&bt, &limits, 8000000), 0);
    assert_int_equal(bt.brp % 2, 0);
    assert_int_equal(bt.bitrate, 125000);
    bt = (struct can_bittiming){ .tq = 500, .prop_seg = 6, .phase_seg1 = 7, .phase_seg2 = 2 };
    assert_int_equal(bittiming_complete(&bt, &limits, 8000000), 0);
    assert_int_equal(bt.brp, 4);
}

static void delay_compensation_is_for_small_prescalers(void **state)
{
    static const struct {
        uint32_t brp, prop_seg, phase_seg1, most, least, offset;
        bool on;
    } rows[] = {
        { 1, 3, 3, 127, 0, 7, true },     { 2, 13, 14, 127, 0, 56, true }, { 3, 3, 3, 127, 0, 0, false },
        { 2, 40, 40, 127, 0, 127, true }, { 1, 3, 3, 127, 7, 7, true },    { 1, 3, 3, 127, 8, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct can_bittiming data = { .brp = rows[i].brp,
                                      .prop_seg = rows[i].prop_seg,
                                      .phase_seg1 = rows[i].phase_seg1 };
        struct bittiming_tdc_limits limits = { .min.offset = rows[i].least, .max.offset = rows[i].most };
        struct bittiming_tdc tdc = { 1, 2, 3 };
        assert_int_equal(bittiming_tdc_auto(&tdc, &data, &limits), rows[i].on);
        assert_int_equal(tdc.offset, rows[i].offset);
        assert_int_equal(tdc.value, 0);
        assert_int_equal(tdc.filter, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_linux),
        cmocka_unit_test(prescalers_come_in_steps),
        cmocka_unit_test(delay_compensation_is_for_small_prescalers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
