/* tests/unit/bcm.c - messages to the broadcast manager: sizes, opcodes, limits, what is read back, the text of /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "unit/bcmhost.h"

static int open_a(void **state)
{
    (void)state;
    host_open(IF_A);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    return host_close() ? 0 : -1;
}

#define CHECK(log) assert_string_equal(happened(), log)

struct trial {
    struct ask ask;
    long result;
};

static void check_trials(const struct trial *trials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        long result = ask(trials[i].ask);

        if (result != trials[i].result) fail_msg("trial %zu: %ld, not %ld", i, result, trials[i].result);
    }
}

#define CHECK_TRIALS(...)                                                                                    \
    do {                                                                                                     \
        static const struct trial trials[] = { __VA_ARGS__ };                                                \
        check_trials(trials, sizeof(trials) / sizeof(*trials));                                              \
    } while (0)

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(bcm_write(&host.bcm, "", 0, IF_A, 0), -EINVAL);
    CHECK_TRIALS(
        { { TX_SETUP, 0, 1, .frames = "01", .size = 1 }, -EINVAL },
        { { TX_SETUP, 0, 1, .frames = "01", .size = 55 }, -EINVAL },
        { { TX_SETUP, 0, 1, .frames = "01", .size = 56 }, -EFAULT },
        { { TX_SETUP, 0, 1, .frames = "01", .size = 56 + 15 }, -EINVAL },
        { { TX_SETUP, 0, 1, .frames = "01", .size = 56 + 17 }, -EINVAL },
        { { TX_SETUP, CAN_FD_FRAME, 1, .frames = "01", .size = 56 + 71 }, -EINVAL },
        { { TX_SETUP, CAN_FD_FRAME, 1, .frames = "01", .size = 56 + 16 }, -EINVAL },
        { { 99, .size = 57 }, -EINVAL }, { { RX_SETUP, 0, 1, .frames = "01", .nframes = 2 }, -EFAULT },
        { { TX_SETUP, 0, 1, .frames = "01", .nframes = 2 }, -EFAULT },
        { { TX_SETUP, 0, 1, .frames = "01+9", .nframes = 2 }, -EINVAL }, /* looked at one by one */
        { { TX_SETUP, 0, 1, .frames = "01 02", .nframes = 1 }, 72 }, /* what was used, not what was passed */
        { { RX_SETUP, RX_FILTER_ID, 1, .frames = "01" }, 56 }, { { TX_DELETE, 0, 1, .frames = "01" }, 56 },
        { { RX_DELETE, 0, 1 }, 56 });
}

static void opcodes(void **state)
{
    (void)state;
    CHECK_TRIALS({ { 0 }, -EINVAL }, { { TX_STATUS }, -EINVAL }, { { TX_EXPIRED }, -EINVAL },
                 { { RX_STATUS }, -EINVAL }, { { RX_TIMEOUT }, -EINVAL }, { { RX_CHANGED }, -EINVAL },
                 { { 13 }, -EINVAL }, { { 0xffffffff }, -EINVAL }, { { TX_DELETE, 0, 1 }, -EINVAL },
                 { { RX_DELETE, 0, 1 }, -EINVAL }, { { TX_READ, 0, 1 }, -EINVAL },
                 { { RX_READ, 0, 1 }, -EINVAL });
    CHECK("");
}

static void numbers_of_frames(void **state)
{
    char frames[300 * 3 + 1] = "";

    (void)state;
    for (unsigned i = 0; i < 258; i++)
        strcat(frames, "01 ");
    struct trial trials[] = {
        { { TX_SETUP, 0, 1, .nframes = -1, .frames = frames }, -EINVAL },
        { { TX_SETUP, 0, 1, .nframes = 256, .frames = frames }, 56 + 256 * 16 },
        { { TX_SETUP, 0, 2, .nframes = 257, .frames = frames }, -EINVAL },
        { { TX_SETUP, 0, 2, .nframes = 0x10000001, .frames = frames }, -EINVAL },
        { { RX_SETUP, 0, 1, .nframes = 257, .frames = frames }, 56 + 257 * 16 },
        { { RX_SETUP, 0, 2, .nframes = 258, .frames = frames }, -EINVAL },
        { { RX_SETUP, CAN_FD_FRAME, 1, .nframes = 257, .frames = frames }, 56 + 257 * 72 },
    };
    check_trials(trials, sizeof(trials) / sizeof(*trials));
    ASK(TX_READ, .id = 1);
    ASK(RX_READ, CAN_FD_FRAME, 1);
    assert_int_equal(host.messages, 2);
}

static void times(void **state)
{
    static const struct {
        struct bcm_timeval time;
        bool ok;
    } values[] = {
        { { 0, 999999 }, true },    { { 0, 1000000 }, false },  { { 0, -1 }, false },
        { { -1, 0 }, false },       { { 34560000, 0 }, true },  { { 34560001, 0 }, false },
        { { 1L << 62, 0 }, false }, { { 0, 1L << 62 }, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        long tx = values[i].ok ? 72 : -EINVAL, rx = values[i].ok ? 56 : -EINVAL;

        assert_int_equal(ASK(TX_SETUP, SETTIMER, 1, .frames = "01", .ival1 = values[i].time), tx);
        assert_int_equal(ASK(TX_SETUP, SETTIMER, 1, .frames = "01", .ival2 = values[i].time), tx);
        assert_int_equal(ASK(RX_SETUP, SETTIMER, 1, .ival1 = values[i].time), rx);
        assert_int_equal(ASK(RX_SETUP, SETTIMER, 1, .ival2 = values[i].time), rx);
        assert_int_equal(ASK(TX_SETUP, 0, 1, .frames = "01", .ival1 = values[i].time), 72);
        assert_int_equal(ASK(RX_SETUP, 0, 1, .ival2 = values[i].time), 56);
    }
}

static void any_cannot_send(void **state)
{
    (void)state;
    host.bcm.ifindex = ANY;
    assert_int_equal(ASK(TX_SETUP, 0, 1, .frames = "01", .nframes = 999), -ENODEV);
    assert_int_equal(ASK(TX_SEND, .frames = "01"), -ENODEV);
    assert_int_equal(ASK(TX_SEND, .frames = "01 02"), -EINVAL);
    assert_int_equal(ASK(TX_SETUP, 0, 1, .to = IF_B, .frames = "01"), 72);
    assert_int_equal(ASK(TX_DELETE, 0, 1), -EINVAL);
    assert_int_equal(ASK(TX_DELETE, 0, 1, .to = IF_B), 56);
}

static void sending(void **state)
{
    (void)state;
    CHECK_TRIALS({ { TX_SEND, 0, 9, .frames = "1#0102" }, 72 },
                 { { TX_SEND, CAN_FD_FRAME, 9, .frames = "1#0102" }, 128 },
                 { { TX_SEND, 0, 9, .frames = "01", .nframes = -1 }, -EINVAL },
                 { { TX_SEND, 0, 9, .frames = "01", .nframes = 2 }, -EINVAL },
                 { { TX_SEND, 0, 9, .frames = "01 02", .nframes = 1 }, -EINVAL },
                 { { TX_SEND, 0, 9, .nframes = 1 }, -EINVAL },
                 { { TX_SEND, 0, 9, .frames = "01+9" }, -EINVAL },
                 { { TX_SEND, 0, 9, .to = DOWN, .frames = "01" }, -ENETDOWN },
                 { { TX_SEND, 0, 9, .to = GONE, .frames = "01" }, -ENODEV });
    CHECK("0 tx 1 1#0102\n0 tx 1 1##0102\n");
}

static void checking_what_is_to_be_sent(void **state)
{
    static const struct trial trials[] = {
        { { TX_SEND, 0, 9, .frames = "1#0102" }, 72 },
        { { TX_SEND, CAN_FD_FRAME, 9, .frames = "1#0102" }, 128 },
        { { TX_SEND, 0, 9, .frames = "01", .nframes = 2 }, -EINVAL },
        { { TX_SEND, 0, 9, .frames = "01 02", .nframes = 1 }, -EINVAL },
        { { TX_SEND, 0, 9, .frames = "01", .size = 71 }, -EINVAL },
        { { TX_SEND, 0, 9, .size = 55 }, -EINVAL },
        { { TX_SETUP, 0, 9, .size = 55 }, -EINVAL },
        { { TX_SETUP, 0, 9, .frames = "01" }, 0 },
        { { 99 }, 0 },
    };
    static char message[REQUEST_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(trials) / sizeof(*trials); i++) {
        struct canfd_frame frame = { .can_id = 77 };
        uint32_t frame_size = 0;
        size_t size = ask_build(&trials[i].ask, message);

        assert_int_equal(bcm_check_send(message, size, &frame, &frame_size), trials[i].result);
        assert_int_equal(frame_size, trials[i].result > 0 ? trials[i].result - 56 : 0);
        assert_int_equal(frame.can_id, trials[i].result > 0 ? 1 : 77);
    }
}

static void reading_back(void **state)
{
    (void)state;
    ASK(TX_SETUP, SETTIMER | 0x70000000, 1, .count = 7, .ival1_us = 1500000, .ival2_us = 2,
        .frames = "2#01!FF");
    ASK(TX_READ, .id = 1);
    CHECK("0 tx_status 0 1 flags 70000001 count 7 ival 1.500000 0.000002 2#01!3F\n");
    ASK(TX_SETUP, SETTIMER, 2, .frames = "2#01!FF 3#02!C0");
    ASK(TX_READ, .id = 2);
    CHECK("0 tx_status 0 2 flags 1 count 0 ival 0.000000 0.000000 2#01!FF 3#02!C0\n");
    ASK(RX_SETUP, SETTIMER, 1, .count = 7, .ival1_us = 1500000, .ival2_us = 2, .frames = "2#01!FF");
    put(IF_A, "1#77");
    happened();
    ASK(RX_READ, .id = 1);
    CHECK("0 rx_status 1 1 flags 1 count 0 ival 1.500000 0.000002 2#01!3F\n");
}

static void jobs_are_told_apart(void **state)
{
    (void)state;
    CHECK_TRIALS(
        { { TX_SETUP, 0, 1, .frames = "01" }, 72 }, { { TX_SETUP, CAN_FD_FRAME, 1, .frames = "02" }, 128 },
        { { TX_SETUP, 0, 0x80000001, .frames = "03" }, 72 },
        { { TX_SETUP, 0, 1, .to = IF_B, .frames = "04" }, 72 }, { { RX_SETUP, 0, 1, .frames = "05" }, 72 },
        { { TX_READ, 0, 1 }, 56 }, { { TX_READ, CAN_FD_FRAME, 1 }, 56 }, { { TX_READ, 0, 0x80000001 }, 56 },
        { { TX_READ, 0, 1, .to = IF_B }, 56 }, { { RX_READ, 0, 1 }, 56 },
        { { TX_READ, 0, 1, .to = 3 }, -EINVAL }, { { RX_READ, CAN_FD_FRAME, 1 }, -EINVAL });
    CHECK("0 tx_status 0 1 flags 0 count 0 ival 0.000000 0.000000 1#01\n"
          "0 tx_status 0 1 flags 800 count 0 ival 0.000000 0.000000 1##02\n"
          "0 tx_status 0 80000001 flags 0 count 0 ival 0.000000 0.000000 80000001#03\n"
          "0 tx_status 0 1 flags 0 count 0 ival 0.000000 0.000000 1#04\n"
          "0 rx_status 1 1 flags 0 count 0 ival 0.000000 0.000000 1#05\n");
}

static const char *shown(size_t room)
{
    static char text[1000];
    size_t size;

    memset(text, '~', sizeof(text));
    size = bcm_show(&host.bcm, text, room, host_name, NULL);
    for (size_t i = size < room ? size : room; i < sizeof(text); i++)
        assert_int_equal(text[i], '~'); /* nothing behind the end */
    text[size < room ? size : room] = 0;
    return text;
}

static void the_text_of_proc(void **state)
{
    (void)state;
    assert_string_equal(shown(500), "\n");
    ASK(RX_SETUP, RX_CHECK_DLC, 0x12, .frames = "FF FF");
    assert_string_equal(shown(500), "\n"); /* has seen nothing */
    ASK(RX_SETUP, SETTIMER | CAN_FD_FRAME, 0x80012345, .ival1_us = 2000000, .ival2_us = 20, .frames = "FF");
    ASK(RX_SETUP, 0, 0x1, .to = IF_B);
    put(IF_A, "12#01");
    for (unsigned i = 0; i < 1000; i++)
        put(IF_A, "80012345##-");
    put(IF_B, "1#01");
    put(IF_B, "1#01");
    ASK(TX_SETUP, SETTIMER | TX_ANNOUNCE, 0x7, .ival1_us = 10, .ival2_us = 34560000ull * 1000000,
        .frames = "01");
    ASK(TX_SETUP, CAN_FD_FRAME | TX_ANNOUNCE, 0x8, .to = DOWN, .frames = "01 02 03");
    assert_string_equal(
        shown(500),
        "rx_op: 001 c1    [0]  # recv 2 (2) => reduction: 0%\n"
        "rx_op: 80012345 vcan0 (1)  timeo=2000000 thr=20 # recv 1 (1000) => reduction: near 100%\n"
        "rx_op: 012 vcan0 [2]d # recv 0 (1) => reduction: near 100%\n"
        "tx_op: 008 c1 (3) # sent 0\n"
        "tx_op: 007 vcan0 [1] t1=10 t2=34560000000000 # sent 1\n\n");
    assert_string_equal(shown(10), "rx_op: 001");
    assert_string_equal(shown(0), "");
}

static void closing_gives_everything_back(void **state)
{
    (void)state;
    ASK(TX_SETUP, SETTIMER | STARTTIMER, 1, .ival2_us = 10, .frames = "01");
    ASK(TX_SETUP, SETTIMER | STARTTIMER, 2, .ival2_us = 10, .frames = "01");
    ASK(RX_SETUP, SETTIMER | STARTTIMER, 3, .ival1_us = 10, .ival2_us = 1000000);
    put(IF_A, "3#01");
    put(IF_A, "3#01");
    ASK(RX_SETUP, 0, 4, .to = IF_B);
    assert_int_equal(host.allocated, 4);
    assert_int_equal(host.subscribed, 2);
    assert_true(host_close());
    happened();
    until(5000);
    put(IF_A, "3#01");
    CHECK("");
}

int main(void)
{
#define WITH_HOST(name) cmocka_unit_test_setup_teardown(name, open_a, close_all)
    const struct CMUnitTest tests[] = {
        WITH_HOST(sizes),
        WITH_HOST(opcodes),
        WITH_HOST(numbers_of_frames),
        WITH_HOST(times),
        WITH_HOST(any_cannot_send),
        WITH_HOST(sending),
        WITH_HOST(checking_what_is_to_be_sent),
        WITH_HOST(reading_back),
        WITH_HOST(jobs_are_told_apart),
        WITH_HOST(the_text_of_proc),
        WITH_HOST(closing_gives_everything_back),
    };
    return cmocka_run_group_tests_name("bcm", tests, NULL, NULL);
}
