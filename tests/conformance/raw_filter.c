/* CAN_RAW_FILTER: the option and how several filters go together. The truth table is in raw_truth_table.c. */
#include "link.h"

static int set_filter(int fd, const void *filters, socklen_t len)
{
    return setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters, len);
}

static socklen_t filter_bytes(int fd)
{
    struct can_filter f[512];
    socklen_t len = sizeof(f);

    OK(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, f, &len));
    return len;
}

TEST(raw_filter_default_is_one_that_passes_all)
{
    struct can_filter f[4] = { { 7, 7 }, { 7, 7 } };
    socklen_t len = sizeof(f);
    int fd = raw_new();

    OK(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, f, &len));
    CHECK_EQ(len, 8);
    CHECK_EQ(f[0].can_id, 0);
    CHECK_EQ(f[0].can_mask, 0);
}

TEST(raw_filter_accepts_0_to_512_entries)
{
    static struct can_filter f[512];
    int fd = raw_a();

    for (int n = 0; n <= 512; n += n < 16 ? 1 : 31) {
        OK(set_filter(fd, f, n * 8));
        CHECK_EQ(filter_bytes(fd), n * 8);
    }
    OK(set_filter(fd, f, 4096));
    CHECK_EQ(filter_bytes(fd), 4096);
}

TEST(raw_filter_more_than_512_entries_is_einval)
{
    static struct can_filter f[600];
    int fd = raw_a();

    CHECK_ERRNO(set_filter(fd, f, 513 * 8), EINVAL);
    CHECK_ERRNO(set_filter(fd, f, 600 * 8), EINVAL);
    CHECK_EQ(filter_bytes(fd), 8);
}

TEST(raw_filter_odd_sizes_are_einval)
{
    static const int sizes[] = { 1, 4, 7, 9, 12, 15, 4095, 4097, -1, -8 };
    static struct can_filter f[600];
    int fd = raw_a();

    for (int i = 0; i < 10; i++)
        CHECK_ERRNO(set_filter(fd, f, sizes[i]), EINVAL);
    CHECK_EQ(filter_bytes(fd), 8);
}

TEST(raw_filter_bad_pointer_is_efault)
{
    int fd = raw_a();

    CHECK_ERRNO(set_filter(fd, NULL, 8), EFAULT);
    CHECK_ERRNO(set_filter(fd, NULL, 16), EFAULT);
    CHECK_ERRNO(set_filter(fd, bad_pointer, 8), EFAULT);
    CHECK_ERRNO(set_filter(fd, page_gone(), 80), EFAULT);
    CHECK_EQ(filter_bytes(fd), 8);
}

TEST(raw_filter_that_fails_keeps_the_old_ones)
{
    int fd = raw_a(), a = raw_a();

    filter1(fd, 5, CAN_SFF_MASK);
    CHECK_ERRNO(set_filter(fd, NULL, 8), EFAULT);
    CHECK_ERRNO(set_filter(fd, NULL, 4), EINVAL);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
}

TEST(raw_filter_null_of_no_length_receives_nothing)
{
    int fd = raw_a(), a = raw_a();

    filter0(fd);
    CHECK_EQ(filter_bytes(fd), 0);
    put(a, 1);
    CHECK_QUIET(fd);
}

TEST(raw_filter_none_can_be_undone)
{
    int fd = raw_a(), a = raw_a();

    filter0(fd);
    put(a, 1);
    filter1(fd, 0, 0);
    put(a, 2);
    CHECK_GETS(fd, 2);
}

TEST(raw_filter_reads_back_as_set)
{
    struct can_filter f[3] = { { 0xa0000123, 0xffffffff }, { 0x456, 0x123 }, { 0x20000000, 0 } }, g[4];
    socklen_t len = sizeof(g);
    int fd = raw_a();

    OK(set_filter(fd, f, sizeof(f)));
    OK(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, g, &len));
    CHECK_EQ(len, sizeof(f));
    CHECK(!memcmp(f, g, sizeof(f)));
}

TEST(raw_filter_get_into_a_small_buffer_is_erange_and_tells_the_size)
{
    static struct can_filter f[3];
    int fd = raw_a();

    OK(set_filter(fd, f, sizeof(f)));
    for (int room = 0; room < 24; room++) {
        uint8_t g[24];
        socklen_t len = room;

        memset(g, 0xee, sizeof(g));
        CHECK_ERRNO(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, g, &len), ERANGE);
        CHECK_EQ(len, 24);
        CHECK_EQ(g[0], 0xee);
    }
}

TEST(raw_filter_get_of_none_has_length_0)
{
    uint8_t g[8] = { 0xee };
    socklen_t len = sizeof(g);
    int fd = raw_a();

    filter0(fd);
    OK(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, g, &len));
    CHECK_EQ(len, 0);
    CHECK_EQ(g[0], 0xee);
}

TEST(raw_filter_get_with_bad_arguments)
{
    struct can_filter f;
    socklen_t len = -1;
    int fd = raw_a();

    CHECK_ERRNO(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, &f, &len), EINVAL);
    CHECK_ERRNO(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, &f, NULL), EFAULT);
    len = sizeof(f);
    CHECK_ERRNO(getsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, NULL, &len), EFAULT);
}

TEST(raw_filter_set_before_bind_applies_after)
{
    int fd = raw_new(), a = raw_a();

    filter1(fd, 5, CAN_SFF_MASK);
    OK(bind_index(fd, index_of(if_a())));
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
}

TEST(raw_filter_set_on_any_applies_to_all_devices)
{
    int fd = raw_any(), a = raw_a(), b = raw_b();

    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 4);
    put(b, 4);
    put(a, 5);
    put(b, 5);
    CHECK_GETS(fd, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(raw_filter_set_while_the_device_is_down)
{
    int index = VCAN_DOWN(), fd = raw_bound(index), a;

    CHECK_EQ(sol_get(fd, SO_ERROR), ENETDOWN);
    filter1(fd, 5, CAN_SFF_MASK);
    LINK_UP(index);
    a = raw_bound(index);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
}

TEST(raw_filters_are_alternatives)
{
    int fd = raw_a(), a = raw_a();

    filter2(fd, 5, CAN_SFF_MASK, 7, CAN_SFF_MASK);
    for (int id = 0; id < 10; id++)
        put(a, id);
    CHECK_GETS(fd, 5);
    CHECK_GETS(fd, 7);
    CHECK_QUIET(fd);
}

TEST(raw_filters_that_overlap_give_one_copy)
{
    struct can_filter f[4] = {
        { 5, CAN_SFF_MASK }, { 5, CAN_SFF_MASK }, { 0, 0 }, { CAN_INV_FILTER | 6, CAN_SFF_MASK }
    };
    int fd = raw_a(), a = raw_a();

    OK(set_filter(fd, f, sizeof(f)));
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(raw_filters_that_overlap_give_one_copy_on_any)
{
    int fd = raw_any(), a = raw_a();

    filter2(fd, 5, CAN_SFF_MASK, 0, 0);
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(raw_filter_equal_frames_sent_twice_arrive_twice)
{
    int fd = raw_a(), a = raw_a();

    filter2(fd, 5, CAN_SFF_MASK, 0, 0);
    put(a, 5);
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(raw_filter_change_keeps_queued_frames)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 2);
    put(a, 5);
    CHECK_GETS(fd, 1);
    CHECK_GETS(fd, 5);
}

TEST(raw_filter_inverted_skips_own_id)
{
    int fd = raw_a(), a = raw_a();

    filter1(fd, CAN_INV_FILTER | 5, CAN_SFF_MASK);
    put(a, 5);
    put(a, 6);
    CHECK_GETS(fd, 6);
}

TEST(raw_filters_two_inverted_pass_everything)
{
    int fd = raw_a(), a = raw_a();

    filter2(fd, CAN_INV_FILTER | 5, CAN_SFF_MASK, CAN_INV_FILTER | 6, CAN_SFF_MASK);
    put(a, 5);
    put(a, 6);
    CHECK_GETS(fd, 5);
    CHECK_GETS(fd, 6);
}

TEST(raw_filter_id_is_reduced_to_its_mask)
{
    int fd = raw_a(), a = raw_a();

    filter1(fd, 0x456, 0x123);
    put(a, 0x123);
    put(a, 0x456);
    put(a, 0x002);
    CHECK_GETS(fd, 0x456);
    CHECK_GETS(fd, 0x002);
}

TEST(raw_filter_of_one_socket_leaves_others_alone)
{
    int fd = raw_a(), other = raw_a(), a = raw_a();

    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 4);
    CHECK_GETS(other, 4);
    CHECK_QUIET(fd);
}

TEST(raw_filter_512_single_ids)
{
    struct can_filter f[512];
    int fd = raw_a(), a = raw_a();

    for (int i = 0; i < 512; i++)
        f[i] = (struct can_filter){ 2 * i, CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG };
    OK(set_filter(fd, f, sizeof(f)));
    for (int id = 0; id < 1024; id += 37) {
        put(a, id);
        if (id % 2 == 0) CHECK_GETS(fd, id);
    }
    CHECK_QUIET(fd);
}

TEST(raw_filter_512_single_extended_ids)
{
    struct can_filter f[512];
    int fd = raw_a(), a = raw_a();

    for (int i = 0; i < 512; i++)
        f[i] =
            (struct can_filter){ CAN_EFF_FLAG | (2 * i * 1024), CAN_EFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG };
    OK(set_filter(fd, f, sizeof(f)));
    for (int i = 0; i < 1024; i += 37) {
        put(a, CAN_EFF_FLAG | (i * 1024));
        if (i % 2 == 0) CHECK_GETS(fd, CAN_EFF_FLAG | (i * 1024));
    }
    CHECK_QUIET(fd);
}

TEST(raw_filter_change_has_no_gap)
{
    int fd = raw_a(), a = raw_a();
    pid_t child = OK(fork());

    if (!child)
        for (int i = 0; i < 300; i++)
            filter2(fd, 5, CAN_SFF_MASK, 100 + i, CAN_SFF_MASK);
    if (!child) _exit(0);
    filter1(fd, 5, CAN_SFF_MASK);
    for (int i = 0; i < 300; i++) {
        put(a, 5);
        CHECK_GETS(fd, 5);
    }
    CHECK_QUIET(fd);
    CHECK_EQ(tap_join(child), 0);
}
