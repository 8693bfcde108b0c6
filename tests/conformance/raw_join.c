/* CAN_RAW_JOIN_FILTERS: a frame has to match all filters; and what that does to error frames. */
#include "can.h"

#define EXACT (CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG)
#define INV   CAN_INV_FILTER

static int joined(void)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_JOIN_FILTERS, 1);
    return fd;
}

TEST(join_two_inverted_exclude_both)
{
    int fd = joined(), a = raw_a();

    filter2(fd, INV | 5, CAN_SFF_MASK, INV | 6, CAN_SFF_MASK);
    for (int id = 4; id < 8; id++)
        put(a, id);
    CHECK_GETS(fd, 4);
    CHECK_GETS(fd, 7);
    CHECK_QUIET(fd);
}

TEST(join_range_without_one)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 0x100, 0x7F0, INV | 0x105, CAN_SFF_MASK);
    put(a, 0x104);
    put(a, 0x105);
    put(a, 0x106);
    put(a, 0x110);
    CHECK_GETS(fd, 0x104);
    CHECK_GETS(fd, 0x106);
    CHECK_QUIET(fd);
}

TEST(join_two_different_ids_match_nothing)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 5, EXACT, 6, EXACT);
    put(a, 5);
    put(a, 6);
    CHECK_QUIET(fd);
}

TEST(join_one_filter_is_as_without)
{
    int fd = joined(), a = raw_a();

    filter1(fd, 5, EXACT);
    put(a, 4);
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(join_default_filter_receives_all)
{
    int fd = joined(), a = raw_a();

    put(a, 4);
    CHECK_GETS(fd, 4);
}

TEST(join_no_filter_receives_no_data)
{
    int fd = joined(), a = raw_a();

    filter0(fd);
    put(a, 4);
    CHECK_QUIET(fd);
}

TEST(join_no_filter_passes_errors_of_the_error_mask)
{
    int fd = joined(), a = raw_a();

    filter0(fd);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, 4);
    put(a, CAN_ERR_FLAG | 4);
    CHECK_GETS(fd, CAN_ERR_FLAG | 4);
    CHECK_QUIET(fd);
}

TEST(join_equal_filters_count_each)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 5, EXACT, 5, EXACT);
    put(a, 5);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(join_all_lists_count_together)
{
    struct can_filter f[4] = { { 0, 0 }, { 5, CAN_SFF_MASK }, { INV | 6, CAN_SFF_MASK }, { 5, EXACT } };
    int fd = joined(), a = raw_a();

    OK(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, f, sizeof(f)));
    put(a, 4);
    put(a, 5);
    put(a, 6);
    CHECK_GETS(fd, 5);
    CHECK_QUIET(fd);
}

TEST(join_counts_restart_with_each_frame)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 5, EXACT, 0x800, CAN_SFF_MASK | 0x800);
    put(a, 5);
    put(a, 5);
    put(a, 5);
    CHECK_QUIET(fd);
}

TEST(join_on_any_counts_over_all_devices)
{
    int fd = raw_any(), a = raw_a(), b = raw_b();

    raw_set(fd, CAN_RAW_JOIN_FILTERS, 1);
    filter2(fd, INV | 5, CAN_SFF_MASK, INV | 6, CAN_SFF_MASK);
    put(a, 5);
    put(b, 6);
    put(b, 7);
    CHECK_GETS(fd, 7);
    CHECK_QUIET(fd);
}

TEST(join_can_be_switched_off_again)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 5, EXACT, 6, EXACT);
    put(a, 5);
    raw_set(fd, CAN_RAW_JOIN_FILTERS, 0);
    put(a, 6);
    CHECK_GETS(fd, 6);
    CHECK_QUIET(fd);
}

TEST(join_with_two_data_filters_suppresses_errors)
{
    int fd = joined(), a = raw_a();

    filter2(fd, INV | 5, CAN_SFF_MASK, INV | 6, CAN_SFF_MASK);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, CAN_ERR_FLAG | 4);
    put(a, 7);
    CHECK_GETS(fd, 7);
    CHECK_QUIET(fd);
}

TEST(join_with_one_data_filter_passes_errors)
{
    int fd = joined(), a = raw_a();

    filter1(fd, 5, EXACT);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, CAN_ERR_FLAG | 4);
    CHECK_GETS(fd, CAN_ERR_FLAG | 4);
    CHECK_QUIET(fd);
}

TEST(join_with_an_error_filter_and_the_error_mask_gives_two_copies)
{
    int fd = joined(), a = raw_a();

    filter1(fd, 0, CAN_ERR_FLAG | CAN_ERR_MASK);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, CAN_ERR_FLAG | 4);
    CHECK_GETS(fd, CAN_ERR_FLAG | 4);
    CHECK_GETS(fd, CAN_ERR_FLAG | 4);
    CHECK_QUIET(fd);
}

TEST(join_with_a_data_and_an_error_filter_and_the_error_mask_gives_one_copy)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 0, CAN_ERR_FLAG | CAN_ERR_MASK, 5, EXACT);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, CAN_ERR_FLAG | 4);
    put(a, 5);
    CHECK_GETS(fd, CAN_ERR_FLAG | 4);
    CHECK_QUIET(fd);
}

TEST(join_survives_a_change_of_filters)
{
    int fd = joined(), a = raw_a();

    filter2(fd, 5, EXACT, 6, EXACT);
    filter2(fd, INV | 5, CAN_SFF_MASK, INV | 6, CAN_SFF_MASK);
    put(a, 5);
    put(a, 7);
    CHECK_GETS(fd, 7);
    CHECK_QUIET(fd);
}

TEST(join_with_own_messages_counts_own_frames)
{
    int fd = joined();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    filter2(fd, INV | 5, CAN_SFF_MASK, INV | 6, CAN_SFF_MASK);
    put(fd, 5);
    put(fd, 7);
    CHECK_GETS(fd, 7);
    CHECK_QUIET(fd);
}
