/* CAN_ISOTP: socket options. */
#include "isotp.h"

static void check_option(int fd, int name, const char *want)
{
    uint8_t value[16], bytes[16];
    socklen_t len = sizeof(value);
    int size = isotp_bytes(want, bytes);

    OK(getsockopt(fd, SOL_CAN_ISOTP, name, value, &len));
    CHECK_EQ(len, size);
    CHECK(!memcmp(value, bytes, size));
}

static int set_bytes(int fd, int name, const char *text)
{
    uint8_t value[16];

    return isotp_set(fd, name, value, isotp_bytes(text, value));
}

TEST(isotp_option_defaults)
{
    int fd = isotp_new();

    check_option(fd, CAN_ISOTP_OPTS, "00 00 00 00 50 c3 00 00 00 cc cc 00");
    check_option(fd, CAN_ISOTP_RECV_FC, "00 00 00");
    check_option(fd, CAN_ISOTP_TX_STMIN, "00 00 00 00");
    check_option(fd, CAN_ISOTP_RX_STMIN, "00 00 00 00");
    check_option(fd, CAN_ISOTP_LL_OPTS, "10 08 00");
}

TEST(isotp_options_are_read_back)
{
    int fd = isotp_new();

    OK(set_bytes(fd, CAN_ISOTP_OPTS, "02 02 00 00 01 02 03 00 aa 55 66 bb"));
    check_option(fd, CAN_ISOTP_OPTS, "02 02 00 00 01 02 03 00 aa 55 66 bb");
    OK(set_bytes(fd, CAN_ISOTP_RECV_FC, "0f fb 07"));
    check_option(fd, CAN_ISOTP_RECV_FC, "0f fb 07");
    OK(set_bytes(fd, CAN_ISOTP_TX_STMIN, "80 c3 c9 01"));
    check_option(fd, CAN_ISOTP_TX_STMIN, "80 c3 c9 01");
    OK(set_bytes(fd, CAN_ISOTP_RX_STMIN, "ff ff ff ff"));
    check_option(fd, CAN_ISOTP_RX_STMIN, "ff ff ff ff");
    OK(set_bytes(fd, CAN_ISOTP_LL_OPTS, "48 40 01"));
    check_option(fd, CAN_ISOTP_LL_OPTS, "48 40 01");
}

TEST(isotp_option_sizes_are_exact)
{
    static const int sizes[] = { 0, 12, 3, 4, 4, 3 };
    uint8_t value[16] = { 16, 8 };
    int fd = isotp_new();

    for (int name = 1; name <= 5; name++)
        for (int size = 0; size <= 16; size++)
            if (size != sizes[name]) CHECK_ERRNO(isotp_set(fd, name, value, size), EINVAL);
}

TEST(isotp_unknown_options_are_enoprotoopt)
{
    static const int names[] = { 0, 6, 7, 99, -1 };
    int fd = isotp_new(), value = 0;
    socklen_t len = sizeof(value);

    for (int i = 0; i < 5; i++) {
        CHECK_ERRNO(isotp_set(fd, names[i], &value, sizeof(value)), ENOPROTOOPT);
        CHECK_ERRNO(getsockopt(fd, SOL_CAN_ISOTP, names[i], &value, &len), ENOPROTOOPT);
    }
}

TEST(isotp_option_bad_pointer_is_efault)
{
    int fd = isotp_new();
    socklen_t len = 12;

    CHECK_ERRNO(isotp_set(fd, CAN_ISOTP_OPTS, bad_pointer, 12), EFAULT);
    CHECK_ERRNO(isotp_set(fd, CAN_ISOTP_OPTS, bad_pointer, 11), EINVAL);
    CHECK_ERRNO(getsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, bad_pointer, &len), EFAULT);
}

TEST(isotp_options_of_a_bound_socket_are_eisconn)
{
    int fd = isotp_a(0), value = 0;

    for (int name = 0; name <= 6; name++)
        CHECK_ERRNO(isotp_set(fd, name, bad_pointer, 1), EISCONN);
    CHECK_ERRNO(setsockopt(fd, SOL_CAN_RAW, 1, &value, sizeof(value)), EINVAL);
    check_option(fd, CAN_ISOTP_LL_OPTS, "10 08 00");
}

TEST(isotp_option_is_cut_to_the_room)
{
    uint8_t value[4] = { 1, 2, 3, 4 };
    int fd = isotp_new();
    socklen_t len = 2;

    OK(getsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, value, &len));
    CHECK_EQ(len, 2);
    CHECK(!memcmp(value, "\x10\x08\3\4", 4));
    len = 0;
    OK(getsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, value, &len));
    CHECK_EQ(len, 0);
    len = -1;
    CHECK_ERRNO(getsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, value, &len), EINVAL);
}

TEST(isotp_rx_ext_address_is_ext_address_without_its_flag)
{
    int fd = isotp_new();

    OK(set_bytes(fd, CAN_ISOTP_OPTS, "02 00 00 00 50 c3 00 00 aa cc cc bb"));
    check_option(fd, CAN_ISOTP_OPTS, "02 00 00 00 50 c3 00 00 aa cc cc aa");
}

TEST(isotp_frame_txtime_of_zero_is_read_back)
{
    int fd = isotp_new();

    OK(set_bytes(fd, CAN_ISOTP_OPTS, "00 00 00 00 00 00 00 00 00 cc cc 00"));
    check_option(fd, CAN_ISOTP_OPTS, "00 00 00 00 00 00 00 00 00 cc cc 00");
    OK(set_bytes(fd, CAN_ISOTP_OPTS, "00 00 00 00 ff ff ff ff 00 cc cc 00"));
    check_option(fd, CAN_ISOTP_OPTS, "00 00 00 00 ff ff ff ff 00 cc cc 00");
}

TEST(isotp_unknown_flags_are_kept)
{
    int fd = isotp_new();

    OK(set_bytes(fd, CAN_ISOTP_OPTS, "00 c0 ff ff 50 c3 00 00 00 cc cc 00"));
    check_option(fd, CAN_ISOTP_OPTS, "00 c0 ff ff 50 c3 00 00 00 cc cc 00");
}

TEST(isotp_both_broadcast_flags_are_einval_and_stored_as_one)
{
    int fd = isotp_new();

    CHECK_ERRNO(set_bytes(fd, CAN_ISOTP_OPTS, "00 18 00 00 01 00 00 00 aa 01 02 bb"), EINVAL);
    check_option(fd, CAN_ISOTP_OPTS, "00 08 00 00 01 00 00 00 aa 01 02 aa");
}

TEST(isotp_link_layer_options_that_are_refused)
{
    static const char *const refused[] = { "10 0c 00", "10 40 00", "10 08 01", "48 00 00",
                                           "48 07 00", "48 09 00", "48 3f 00", "48 41 00",
                                           "00 08 00", "0f 08 00", "47 08 00", "ff ff ff" };
    static const char *const accepted[] = { "48 08 00", "48 0c 00", "48 10 00", "48 14 00", "48 18 00",
                                            "48 20 00", "48 30 00", "48 40 ff", "10 08 00" };
    int fd = isotp_new();

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        CHECK_ERRNO(set_bytes(fd, CAN_ISOTP_LL_OPTS, refused[i]), EINVAL);
    check_option(fd, CAN_ISOTP_LL_OPTS, "10 08 00");
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        OK(set_bytes(fd, CAN_ISOTP_LL_OPTS, accepted[i]));
        check_option(fd, CAN_ISOTP_LL_OPTS, accepted[i]);
    }
}
