/* tests/unit/frame.c - which bytes are a frame, what they carry, what they cost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "can/frame.h"

static uint8_t bytes[FRAME_XL_MAX + 100];

static enum frame_kind classify(size_t size, uint8_t at4, uint16_t at6)
{
    memset(bytes, 0, sizeof(bytes));
    bytes[4] = at4;
    memcpy(bytes + 6, &at6, 2);
    return frame_classify(bytes, size);
}

static void frame_kind_follows_size_and_length(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(bytes); size++) {
        for (unsigned at4 = 0; at4 < 256; at4 += size == 16 || size == 72 ? 1 : 51) {
            uint16_t lengths[] = {
                0, 1, (uint16_t)(size - FRAME_XL_HEAD), (uint16_t)(size - FRAME_XL_HEAD + 1), 2048, 2049
            };
            for (unsigned i = 0; i < 6; i++) {
                enum frame_kind wanted = FRAME_NONE;
                if (size == 16 && at4 <= 8)
                    wanted = FRAME_CC;
                else if (size == 72 && at4 <= 64)
                    wanted = FRAME_FD;
                else if ((at4 & 0x80) && size >= 13 && size <= 2060 && lengths[i] == size - 12)
                    wanted = FRAME_XL;
                assert_int_equal(classify(size, (uint8_t)at4, lengths[i]), wanted);
            }
        }
    }
}

static void frame_payload_counts_data(void **state)
{
    uint32_t remote = 0x123 | CAN_RTR_FLAG;

    (void)state;
    assert_int_equal(frame_payload(bytes, classify(16, 5, 0)), 5);
    assert_int_equal(frame_payload(bytes, classify(72, 64, 0)), 64);
    assert_int_equal(frame_payload(bytes, classify(512, 0x80, 500)), 500);
    classify(16, 5, 0);
    memcpy(bytes, &remote, 4);
    assert_int_equal(frame_payload(bytes, FRAME_CC), 0);
}

/* spec A.6: 768 bytes for frames up to 176 bytes or so, then in powers of two. */
static void frame_charge_grows_as_the_kernels_does(void **state)
{
    uint32_t last = 0;

    (void)state;
    assert_int_equal(frame_charge(16), 768);
    assert_int_equal(frame_charge(72), 768);
    for (uint32_t size = 0; size < 5000; size++) {
        uint32_t charge = frame_charge(size);
        assert_true(charge >= size + 256 && charge >= last);
        last = charge;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_kind_follows_size_and_length),
        cmocka_unit_test(frame_payload_counts_data),
        cmocka_unit_test(frame_charge_grows_as_the_kernels_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
