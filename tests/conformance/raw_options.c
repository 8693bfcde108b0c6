/* The options of level SOL_CAN_RAW, except the filter list. */
#include "link.h"

static int set_len(int fd, int option, const void *value, socklen_t len)
{
    return setsockopt(fd, SOL_CAN_RAW, option, value, len);
}

static const int options[] = { CAN_RAW_ERR_FILTER, CAN_RAW_LOOPBACK,     CAN_RAW_RECV_OWN_MSGS,
                               CAN_RAW_FD_FRAMES,  CAN_RAW_JOIN_FILTERS, CAN_RAW_XL_FRAMES };

#define OPTIONS (int)(sizeof(options) / sizeof(options[0]))

TEST(options_have_their_defaults)
{
    int fd = raw_new();

    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_LOOPBACK), 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_RECV_OWN_MSGS), 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_JOIN_FILTERS), 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_XL_FRAMES), 0);
}

TEST(options_read_back)
{
    for (int i = 0; i < OPTIONS; i++) {
        int fd = raw_new();

        raw_set(fd, options[i], 1);
        CHECK_EQ(raw_get(fd, options[i]), 1);
        raw_set(fd, options[i], 0);
        CHECK_EQ(raw_get(fd, options[i]), 0);
    }
}

TEST(options_are_stored_verbatim)
{
    for (int i = 0; i < OPTIONS; i++) {
        int fd = raw_new();

        raw_set(fd, options[i], 7);
        CHECK_EQ(raw_get(fd, options[i]), 7);
        raw_set(fd, options[i], 0x10000);
        CHECK_EQ(raw_get(fd, options[i]), 0x10000);
        if (options[i] == CAN_RAW_ERR_FILTER) continue;
        raw_set(fd, options[i], -1);
        CHECK_EQ(raw_get(fd, options[i]), -1);
    }
}

TEST(options_of_another_length_are_einval)
{
    static const int lengths[] = { 0, 1, 2, 3, 5, 7, 8, 16, 4096, -1, INT32_MIN };
    int big[1024] = { 1, 1 };

    for (int i = 0; i < OPTIONS; i++) {
        int fd = raw_new(), before = raw_get(fd, options[i]);

        for (int j = 0; j < 11; j++)
            CHECK_ERRNO(set_len(fd, options[i], big, lengths[j]), EINVAL);
        CHECK_EQ(raw_get(fd, options[i]), before);
    }
}

TEST(options_with_bad_pointer_are_efault)
{
    for (int i = 0; i < OPTIONS; i++) {
        int fd = raw_new();

        CHECK_ERRNO(set_len(fd, options[i], NULL, 4), EFAULT);
        CHECK_ERRNO(set_len(fd, options[i], bad_pointer, 4), EFAULT);
        CHECK_ERRNO(set_len(fd, options[i], page_with(PROT_NONE), 4), EFAULT);
        CHECK_ERRNO(set_len(fd, options[i], page_gone(), 4), EFAULT);
    }
}

static int value_after_efault(int option)
{
    int fd = raw_new();

    raw_set(fd, option, 7);
    CHECK_ERRNO(set_len(fd, option, bad_pointer, 4), EFAULT);
    return raw_get(fd, option);
}

/* Linux copies straight into the option, and a copy that fails leaves zeros. */
TEST(options_become_0_after_efault)
{
    CHECK_EQ(value_after_efault(CAN_RAW_LOOPBACK), 0);
    CHECK_EQ(value_after_efault(CAN_RAW_RECV_OWN_MSGS), 0);
    CHECK_EQ(value_after_efault(CAN_RAW_FD_FRAMES), 0);
    CHECK_EQ(value_after_efault(CAN_RAW_JOIN_FILTERS), 0);
    CHECK_EQ(value_after_efault(CAN_RAW_XL_FRAMES), 0);
}

TEST(options_err_filter_keeps_its_value_after_efault) { CHECK_EQ(value_after_efault(CAN_RAW_ERR_FILTER), 7); }

TEST(options_check_length_before_pointer)
{
    for (int i = 0; i < OPTIONS; i++) {
        CHECK_ERRNO(set_len(raw_new(), options[i], NULL, 3), EINVAL);
        CHECK_ERRNO(set_len(raw_new(), options[i], bad_pointer, 8), EINVAL);
    }
}

TEST(options_get_less_than_4_bytes_gives_the_low_ones)
{
    for (int i = 0; i < OPTIONS; i++) {
        int fd = raw_new();

        raw_set(fd, options[i], 0x04030201);
        for (socklen_t room = 0; room <= 4; room++) {
            uint8_t b[8];
            socklen_t len = room;

            memset(b, 0xee, sizeof(b));
            OK(getsockopt(fd, SOL_CAN_RAW, options[i], b, &len));
            CHECK_EQ(len, room);
            for (socklen_t j = 0; j < room; j++)
                CHECK_EQ(b[j], j + 1);
            CHECK_EQ(b[room], 0xee);
        }
    }
}

TEST(options_get_more_than_4_bytes_gives_4)
{
    for (int i = 0; i < OPTIONS; i++) {
        uint8_t b[64];
        socklen_t len = sizeof(b);

        memset(b, 0xee, sizeof(b));
        OK(getsockopt(raw_new(), SOL_CAN_RAW, options[i], b, &len));
        CHECK_EQ(len, 4);
        CHECK_EQ(b[4], 0xee);
    }
}

TEST(options_get_with_negative_length_is_einval)
{
    int value;

    for (int i = 0; i < OPTIONS; i++) {
        socklen_t len = -1;

        CHECK_ERRNO(getsockopt(raw_new(), SOL_CAN_RAW, options[i], &value, &len), EINVAL);
    }
}

TEST(options_get_with_bad_pointers_is_efault)
{
    for (int i = 0; i < OPTIONS; i++) {
        socklen_t len = 4;
        int value;

        CHECK_ERRNO(getsockopt(raw_new(), SOL_CAN_RAW, options[i], NULL, &len), EFAULT);
        CHECK_ERRNO(getsockopt(raw_new(), SOL_CAN_RAW, options[i], page_with(PROT_READ), &len), EFAULT);
        CHECK_ERRNO(getsockopt(raw_new(), SOL_CAN_RAW, options[i], &value, NULL), EFAULT);
        CHECK_ERRNO(getsockopt(raw_new(), SOL_CAN_RAW, options[i], &value, bad_pointer), EFAULT);
    }
}

TEST(options_get_of_no_bytes_needs_no_buffer)
{
    socklen_t len = 0;

    OK(getsockopt(raw_new(), SOL_CAN_RAW, CAN_RAW_LOOPBACK, NULL, &len));
    CHECK_EQ(len, 0);
}

TEST(options_unknown_are_enoprotoopt)
{
    static const int unknown[] = { 0, 8, 9, 100, -1 };

    for (int i = 0; i < 5; i++) {
        int value = 0;
        socklen_t len = 4;

        CHECK_ERRNO(set_len(raw_new(), unknown[i], &value, 4), ENOPROTOOPT);
        CHECK_ERRNO(getsockopt(raw_new(), SOL_CAN_RAW, unknown[i], &value, &len), ENOPROTOOPT);
    }
}

TEST(options_unknown_come_before_length_and_pointer)
{
    CHECK_ERRNO(set_len(raw_new(), 8, NULL, 3), ENOPROTOOPT);
    CHECK_ERRNO(set_len(raw_new(), 8, bad_pointer, 4), ENOPROTOOPT);
}

TEST(options_of_another_level_are_einval)
{
    static const int levels[] = { 0, 6, 17, SOL_CAN_BASE, 102, 106, 107, 200, -1 };

    for (int i = 0; i < 9; i++) {
        int value = 0;
        socklen_t len = 4;

        CHECK_ERRNO(setsockopt(raw_new(), levels[i], CAN_RAW_LOOPBACK, &value, 4), EINVAL);
        CHECK_ERRNO(getsockopt(raw_new(), levels[i], CAN_RAW_LOOPBACK, &value, &len), EINVAL);
    }
}

TEST(options_can_be_set_unbound_bound_and_down)
{
    int fd = raw_new(), index = VCAN_DOWN();

    raw_set(fd, CAN_RAW_ERR_FILTER, 1);
    OK(bind_index(fd, index));
    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    raw_set(fd, CAN_RAW_ERR_FILTER, 2);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    filter1(fd, 1, 1);
    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 2);
}

TEST(options_xl_frames_copies_its_value_to_fd_frames)
{
    int fd = raw_new();

    raw_set(fd, CAN_RAW_XL_FRAMES, 5);
    CHECK_EQ(raw_get(fd, CAN_RAW_XL_FRAMES), 5);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 5);
}

TEST(options_xl_frames_off_leaves_fd_frames_on)
{
    int fd = raw_new();

    raw_set(fd, CAN_RAW_XL_FRAMES, 1);
    raw_set(fd, CAN_RAW_XL_FRAMES, 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 1);
}

TEST(options_xl_frames_off_leaves_fd_frames_alone)
{
    int fd = raw_new();

    raw_set(fd, CAN_RAW_FD_FRAMES, 3);
    raw_set(fd, CAN_RAW_XL_FRAMES, 0);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 3);
}

TEST(options_fd_frames_off_while_xl_is_on_is_einval)
{
    int fd = raw_new(), off = 0;

    raw_set(fd, CAN_RAW_XL_FRAMES, 1);
    CHECK_ERRNO(set_len(fd, CAN_RAW_FD_FRAMES, &off, 4), EINVAL);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 1);
    raw_set(fd, CAN_RAW_FD_FRAMES, 2);
    CHECK_EQ(raw_get(fd, CAN_RAW_FD_FRAMES), 2);
    CHECK_EQ(raw_get(fd, CAN_RAW_XL_FRAMES), 1);
}

TEST(options_are_per_socket)
{
    int one = raw_new(), two = raw_new();

    raw_set(one, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(raw_get(two, CAN_RAW_FD_FRAMES), 0);
}
