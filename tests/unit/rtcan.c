/* tests/unit/rtcan.c - IFLA_INFO_DATA of kind "can": what a request may say, and what an answer has, in which order. The rules for settings (drivers/can.c)
 * are shown by tests/interop/simulator.test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include "netlink/rtcan.h"

static _Alignas(8) unsigned char buffer[4096];

static struct nlmsghdr *begin(void)
{
    memset(buffer, 0, sizeof buffer);
    return mnl_nlmsg_put_header(buffer);
}

static int parse(const struct nlmsghdr *message, struct rtcan_request *out)
{
    return rtcan_parse(mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message), out);
}

static void requests_are_read(void **state)
{
    const struct can_bittiming nominal = { .bitrate = 500000 }, data = { .bitrate = 2000000 };
    const struct can_ctrlmode modes = { CAN_CTRLMODE_FD, CAN_CTRLMODE_FD };
    struct nlmsghdr *message = begin();
    struct rtcan_request request;

    (void)state;
    mnl_attr_put(message, IFLA_CAN_BITTIMING, sizeof nominal, &nominal);
    mnl_attr_put(message, IFLA_CAN_CTRLMODE, sizeof modes, &modes);
    mnl_attr_put_u32(message, IFLA_CAN_RESTART_MS, 100);
    mnl_attr_put_u32(message, IFLA_CAN_RESTART, 1);
    mnl_attr_put(message, IFLA_CAN_DATA_BITTIMING, sizeof data, &data);
    mnl_attr_put_u16(message, IFLA_CAN_TERMINATION, 120);
    mnl_attr_put_u32(message, 99, 4711);
    assert_int_equal(parse(message, &request), 0);
    assert_int_equal(request.has, RTCAN_BITTIMING | RTCAN_MODES | RTCAN_RESTART_MS | RTCAN_RESTART |
                                      RTCAN_DATA_BITTIMING | RTCAN_TERMINATION);
    assert_int_equal(request.nominal.bitrate, 500000);
    assert_int_equal(request.data.bitrate, 2000000);
    assert_int_equal(request.modes.mask, CAN_CTRLMODE_FD);
    assert_int_equal(request.restart_ms, 100);
    assert_int_equal(request.termination, 120);
    assert_int_equal(parse(begin(), &request), 0);
    assert_int_equal(request.has, 0);
}

/* Each attribute that has a size: one byte less is too short. */
static void short_attributes_are_refused(void **state)
{
    static const struct {
        uint16_t type, size;
    } rows[] = {
        { IFLA_CAN_BITTIMING, 32 },
        { IFLA_CAN_BITTIMING_CONST, 48 },
        { IFLA_CAN_CLOCK, 4 },
        { IFLA_CAN_STATE, 4 },
        { IFLA_CAN_CTRLMODE, 8 },
        { IFLA_CAN_RESTART_MS, 4 },
        { IFLA_CAN_RESTART, 4 },
        { IFLA_CAN_BERR_COUNTER, 4 },
        { IFLA_CAN_DATA_BITTIMING, 32 },
        { IFLA_CAN_TERMINATION, 2 },
        { IFLA_CAN_DATA_BITTIMING_CONST, 48 },
    };
    static const char zeros[64];
    struct rtcan_request request;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nlmsghdr *message = begin();
        mnl_attr_put(message, rows[i].type, rows[i].size - 1u, zeros);
        assert_int_equal(parse(message, &request), -ERANGE);
        message = begin();
        mnl_attr_put(message, rows[i].type, rows[i].size + 1u, zeros);
        assert_int_equal(parse(message, &request), 0);
    }
}

static const struct can_bittiming_const limits = { .name = "x", .tseg1_min = 1 };
static const uint16_t terminations[] = { 0, 120 };

static struct rtcan_info some_info(void)
{
    return (struct rtcan_info){ .nominal_limits = &limits,
                                .data_limits = &limits,
                                .clock_hz = 80000000,
                                .state = CAN_STATE_BUS_OFF,
                                .modes = CAN_CTRLMODE_LOOPBACK,
                                .supported_modes = CAN_CTRLMODE_LOOPBACK | CAN_CTRLMODE_FD,
                                .restart_ms = 5,
                                .tec = 256,
                                .rec = 7,
                                .termination = 120,
                                .terminations = terminations,
                                .terminations_count = 2,
                                .stats = { .bus_error = 1, .restarts = 2 } };
}

/* The types inside IFLA_INFO_DATA. */
static unsigned types_of(const struct nlmsghdr *message, uint16_t *types)
{
    const struct nlattr *attr, *inner;
    unsigned count = 0;

    mnl_attr_for_each(attr, message, 0)
    {
        if (attr->nla_type != IFLA_INFO_DATA) continue;
        mnl_attr_for_each_nested(inner, attr) types[count++] = inner->nla_type;
    }
    return count;
}

static void answers_have_the_order_of_linux(void **state)
{
    static const uint16_t short_list[] = {
        2, 3, 4, 5, 6, 8, 10, 11, 12, 15, 16 | NLA_F_NESTED, 17 | NLA_F_NESTED
    };
    static const uint16_t long_list[] = {
        1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 15, 16 | NLA_F_NESTED, 17 | NLA_F_NESTED
    };
    struct rtcan_info info = some_info();
    struct nlmsghdr *message = begin();
    uint16_t types[32];

    (void)state;
    rtcan_build(message, &info);
    assert_int_equal(types_of(message, types), 12);
    assert_memory_equal(types, short_list, sizeof short_list);
    info.nominal.bitrate = 500000;
    info.data.bitrate = 2000000;
    message = begin();
    rtcan_build(message, &info);
    assert_int_equal(types_of(message, types), 14);
    assert_memory_equal(types, long_list, sizeof long_list);
}

/* How Linux 6.1 judged such nests (of a request with CAN_CTRLMODE_TDC_AUTO and CAN FD). */
static void delay_compensation_is_checked_closely(void **state)
{
    static const struct {
        uint16_t flag, type, size;
        int error;
    } rows[] = {
        { NLA_F_NESTED, IFLA_CAN_TDC_TDCO, 4, 0 },
        { 0, IFLA_CAN_TDC_TDCO, 4, -EINVAL },
        { NLA_F_NESTED, IFLA_CAN_TDC_TDCO, 3, -EINVAL },
        { NLA_F_NESTED, IFLA_CAN_TDC_TDCO, 8, -EINVAL },
        { NLA_F_NESTED, IFLA_CAN_TDC_TDCV_MIN, 4, 0 },
        { NLA_F_NESTED, IFLA_CAN_TDC_TDCV_MIN, 2, -EINVAL },
        { NLA_F_NESTED, 10, 4, -EINVAL },
        { NLA_F_NESTED, 0, 4, -EINVAL },
    };
    static const uint32_t value[2] = { 7, 0 };
    struct rtcan_request request;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct nlmsghdr *message = begin();
        struct nlattr *nest = mnl_attr_nest_start(message, IFLA_CAN_TDC);
        nest->nla_type = (uint16_t)(IFLA_CAN_TDC | rows[i].flag);
        mnl_attr_put(message, rows[i].type, rows[i].size, value);
        mnl_attr_nest_end(message, nest);
        assert_int_equal(parse(message, &request), 0);
        assert_int_equal(request.has, RTCAN_TDC);
        assert_int_equal(request.tdc_error, rows[i].error);
        if (i == 0) assert_int_equal(request.tdc[RTCAN_TDCO], 7);
        if (i == 0) assert_int_equal(request.tdc_has, 1u << RTCAN_TDCO);
    }
}

/* What the nest of an answer has in these modes. */
static void check_tdc(uint32_t modes, const uint16_t *types, unsigned count)
{
    struct rtcan_info info = some_info();
    struct nlmsghdr *message = begin();
    const struct nlattr *attr, *inner, *value;
    unsigned at = 0;

    info.modes = modes;
    info.tdc[RTCAN_TDCO] = 7;
    info.tdc_max[RTCAN_TDCF] = 127;
    rtcan_build(message, &info);
    mnl_attr_for_each(attr, message, 0)
    {
        if (attr->nla_type != IFLA_INFO_DATA) continue;
        mnl_attr_for_each_nested(inner, attr)
        {
            if (mnl_attr_get_type(inner) != IFLA_CAN_TDC) continue;
            mnl_attr_for_each_nested(value, inner)
            {
                assert_true(at < count);
                assert_int_equal(mnl_attr_get_type(value), types[at++]);
                if (types[at - 1] == IFLA_CAN_TDC_TDCO) assert_int_equal(mnl_attr_get_u32(value), 7);
                if (types[at - 1] == IFLA_CAN_TDC_TDCF_MAX) assert_int_equal(mnl_attr_get_u32(value), 127);
            }
        }
    }
    assert_int_equal(at, count);
}

static void delay_compensation_is_shown_while_it_is_on(void **state)
{
    static const uint16_t off[] = { 1, 2, 3, 4, 5, 6 };
    static const uint16_t measured[] = { 1, 2, 3, 4, 5, 6, 8, 9 };
    static const uint16_t manual[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

    (void)state;
    check_tdc(CAN_CTRLMODE_FD, off, 6);
    check_tdc(CAN_CTRLMODE_FD | CAN_CTRLMODE_TDC_AUTO, measured, 8);
    check_tdc(CAN_CTRLMODE_FD | CAN_CTRLMODE_TDC_MANUAL, manual, 9);
}

static void statistics_come_before_settings(void **state)
{
    struct rtcan_info info = some_info();
    struct nlmsghdr *message = begin();
    const struct can_device_stats *stats;

    (void)state;
    rtcan_build(message, &info);
    const struct nlattr *first = mnl_nlmsg_get_payload(message);
    assert_int_equal(first->nla_type, IFLA_INFO_XSTATS);
    assert_int_equal(mnl_attr_get_payload_len(first), 24);
    stats = mnl_attr_get_payload(first);
    assert_int_equal(stats->bus_error, 1);
    assert_int_equal(stats->restarts, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(short_attributes_are_refused),
        cmocka_unit_test(answers_have_the_order_of_linux),
        cmocka_unit_test(delay_compensation_is_checked_closely),
        cmocka_unit_test(delay_compensation_is_shown_while_it_is_on),
        cmocka_unit_test(statistics_come_before_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
