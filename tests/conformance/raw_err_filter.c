/* CAN_RAW_ERR_FILTER and error frames. */
#include "link.h"

#define ERROR(class) (CAN_ERR_FLAG | (class))

TEST(err_filter_is_off_by_default)
{
    int fd = raw_a(), a = raw_a();

    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 0);
    put(a, ERROR(CAN_ERR_BUSOFF));
    CHECK_QUIET(fd);
}

TEST(err_filter_selects_classes)
{
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_BUSOFF | CAN_ERR_CRTL);
    put(a, ERROR(CAN_ERR_ACK));
    put(a, ERROR(CAN_ERR_CRTL));
    put(a, ERROR(CAN_ERR_BUSOFF | CAN_ERR_ACK));
    CHECK_GETS(fd, ERROR(CAN_ERR_CRTL));
    CHECK_GETS(fd, ERROR(CAN_ERR_BUSOFF | CAN_ERR_ACK));
    CHECK_QUIET(fd);
}

TEST(err_filter_of_every_single_class)
{
    int fd = raw_a(), a = raw_a();

    for (int bit = 0; bit < 29; bit++) {
        raw_set(fd, CAN_RAW_ERR_FILTER, 1 << bit);
        put(a, ERROR(CAN_ERR_MASK & ~(1U << bit)));
        put(a, ERROR(1U << bit));
        CHECK_GETS(fd, ERROR(1U << bit));
        CHECK_QUIET(fd);
    }
}

TEST(err_filter_frame_without_class_reaches_nobody)
{
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, ERROR(0));
    CHECK_QUIET(fd);
}

TEST(err_filter_stores_29_bits)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, -1);
    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 0x1fffffff);
    raw_set(fd, CAN_RAW_ERR_FILTER, (int)0xe0000001);
    CHECK_EQ(raw_get(fd, CAN_RAW_ERR_FILTER), 1);
}

TEST(err_filter_can_be_changed_and_cleared)
{
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, 1);
    raw_set(fd, CAN_RAW_ERR_FILTER, 2);
    put(a, ERROR(1));
    put(a, ERROR(2));
    raw_set(fd, CAN_RAW_ERR_FILTER, 0);
    put(a, ERROR(2));
    CHECK_GETS(fd, ERROR(2));
    CHECK_QUIET(fd);
}

TEST(err_filter_keeps_data_frames_coming)
{
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, 5);
    put(a, ERROR(1));
    put(a, 6);
    CHECK_GETS(fd, 5);
    CHECK_GETS(fd, ERROR(1));
    CHECK_GETS(fd, 6);
}

TEST(err_filter_alone_with_no_data_filter)
{
    int fd = raw_a(), a = raw_a();

    filter0(fd);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, 5);
    put(a, ERROR(1));
    CHECK_GETS(fd, ERROR(1));
    CHECK_QUIET(fd);
}

TEST(err_filter_and_error_entries_give_one_copy)
{
    int fd = raw_a(), a = raw_a();

    filter2(fd, 0, CAN_ERR_FLAG | CAN_ERR_MASK, 0, CAN_ERR_FLAG | 1);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(a, ERROR(1));
    CHECK_GETS(fd, ERROR(1));
    CHECK_QUIET(fd);
}

TEST(err_filter_survives_a_change_of_data_filters)
{
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    filter1(fd, 5, CAN_SFF_MASK);
    put(a, ERROR(1));
    CHECK_GETS(fd, ERROR(1));
}

TEST(err_filter_set_before_bind)
{
    int fd = raw_new(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    OK(bind_index(fd, index_of(if_a())));
    put(a, ERROR(1));
    CHECK_GETS(fd, ERROR(1));
}

TEST(err_filter_on_any)
{
    int fd = raw_any(), b = raw_b();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(b, ERROR(1));
    CHECK_GETS(fd, ERROR(1));
}

TEST(err_frame_content_travels_unchanged)
{
    struct can_frame f = frame_of(ERROR(CAN_ERR_CRTL | CAN_EFF_FLAG), 8), g;
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    f.data[1] = CAN_ERR_CRTL_RX_OVERFLOW;
    CHECK_EQ(write(a, &f, sizeof(f)), 16);
    g = GET(fd);
    CHECK(!memcmp(&f, &g, sizeof(f)));
}

TEST(err_frame_own_copy_needs_own_messages)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    put(fd, ERROR(1));
    CHECK_QUIET(fd);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, ERROR(1));
    CHECK_GETS(fd, ERROR(1));
}

TEST(err_frame_of_fd_size_reaches_fd_sockets_with_the_mask)
{
    struct canfd_frame f = fd_frame_of(ERROR(1), 12);
    int fd = raw_a(), plain = raw_a(), a = raw_a();
    struct message m;

    raw_set(a, CAN_RAW_FD_FRAMES, 1);
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    raw_set(fd, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    raw_set(plain, CAN_RAW_ERR_FILTER, CAN_ERR_MASK);
    CHECK_EQ(write(a, &f, sizeof(f)), 72);
    RECEIVE(fd, &m);
    CHECK_EQ(m.size, 72);
    CHECK_EQ(m.fd.can_id, ERROR(1));
    CHECK_QUIET(plain);
}
