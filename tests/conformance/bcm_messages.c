/* CAN_BCM: what send() says to messages - sizes, opcodes, limits, addresses - and TX_SEND. */
#include "bcm.h"

TEST(size_below_the_head_is_einval)
{
    int fd = bcm_a();

    CHECK_ERRNO(write(fd, "", 0), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = "01", .size = 1), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = "01", .size = HEAD - 1), EINVAL);
    CHECK_ERRNO(write(fd, bad_pointer, HEAD - 1), EINVAL);
}

TEST(size_of_no_whole_frames_is_einval)
{
    int fd = bcm_a();

    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = "01", .size = HEAD + 15), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = "01", .size = HEAD + 17), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, CAN_FD_FRAME, 1, "01", .size = HEAD + 16), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, CAN_FD_FRAME, 1, "01", .size = HEAD + 71), EINVAL);
}

TEST(size_of_fewer_frames_than_nframes_is_efault)
{
    int fd = bcm_a();

    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = "01", .size = HEAD), EFAULT);
    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = "01", .nframes = 2), EFAULT);
    CHECK_ERRNO(ASK(fd, RX_SETUP, .id = 1, .frames = "01", .nframes = 2), EFAULT);
    CHECK_ERRNO(ASK(fd, RX_SETUP, .id = 1, .nframes = 1), EFAULT);
    CHECK_ERRNO(ASK(fd, TX_READ, .id = 1), EINVAL); /* there are no halves of jobs */
    CHECK_ERRNO(ASK(fd, RX_READ, .id = 1), EINVAL);
}

TEST(bad_pointers_are_efault)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
         *end = pages + 4096;
    int fd = bcm_a();
    struct bcm_message m;

    CHECK(pages != MAP_FAILED);
    OK(mprotect(end, 4096, PROT_NONE));
    bcm_compose(&(struct bcm_request){ TX_SETUP, .id = 1, .frames = "01" }, &m);
    memcpy(end - HEAD, &m, HEAD);
    CHECK_ERRNO(write(fd, bad_pointer, HEAD + 16), EFAULT);
    CHECK_ERRNO(write(fd, page_gone(), HEAD), EFAULT);
    CHECK_ERRNO(write(fd, bad_pointer, HEAD + 15), EFAULT);
    CHECK_ERRNO(write(fd, end - HEAD, HEAD + 1), EINVAL);
    CHECK_ERRNO(write(fd, end - HEAD, HEAD + 16), EFAULT);
    memcpy(end - (HEAD + 16), &m, HEAD + 16);
    CHECK_EQ(write(fd, end - (HEAD + 16), HEAD + 16), HEAD + 16);
    memcpy(end - (HEAD + 16), &m, HEAD + 16);
    CHECK_EQ(write(fd, end - (HEAD + 16), HEAD + 32), HEAD + 16); /* what is not used is not read */
}

TEST(result_is_the_size_of_what_was_used)
{
    int fd = bcm_a();

    CHECK_EQ(ASK(fd, TX_SETUP, .id = 1, .frames = "01 02", .nframes = 1), HEAD + 16);
    CHECK_EQ(ASK(fd, TX_SETUP, .id = 2, .frames = "01 02"), HEAD + 32);
    CHECK_EQ(ASK(fd, TX_SETUP, CAN_FD_FRAME, 2, "01 02"), HEAD + 144);
    CHECK_EQ(ASK(fd, RX_SETUP, RX_FILTER_ID, 1, "01"), HEAD);
    CHECK_EQ(ASK(fd, RX_SETUP, .id = 1), HEAD);
    CHECK_EQ(ASK(fd, RX_SETUP, .id = 2, .frames = "01 02 03"), HEAD + 48);
    CHECK_EQ(ASK(fd, TX_READ, .id = 1, .frames = "01"), HEAD);
    CHECK_EQ(ASK(fd, TX_DELETE, .id = 1, .frames = "01"), HEAD);
    CHECK_EQ(ASK(fd, RX_READ, .id = 2), HEAD);
    CHECK_EQ(ASK(fd, RX_DELETE, .id = 2), HEAD);
}

TEST(nframes_limits)
{
    static char frames[258 * 3 + 1];
    int fd = bcm_a();

    for (int i = 0; i < 258; i++)
        strcat(frames, "01 ");
    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .nframes = -1), EINVAL);
    CHECK_EQ(ASK(fd, TX_SETUP, .id = 1, .frames = frames, .nframes = 256), HEAD + 4096);
    CHECK_ERRNO(ASK(fd, TX_SETUP, .id = 1, .frames = frames, .nframes = 257), EINVAL);
    CHECK_EQ(ASK(fd, RX_SETUP, .id = 1, .frames = frames, .nframes = 257), HEAD + 4112);
    CHECK_ERRNO(ASK(fd, RX_SETUP, .id = 1, .frames = frames, .nframes = 258), EINVAL);
    CHECK_EQ(ASK(fd, RX_SETUP, CAN_FD_FRAME, 1, frames, .nframes = 257), HEAD + 257 * 72);
    CHECK_ERRNO(ASK(fd, RX_SETUP, .id = 2, .frames = "01", .nframes = 0x7fffffff), EINVAL);
}

TEST(read_of_the_most_frames)
{
    static char frames[256 * 3 + 1];
    struct bcm_event *e;
    int fd = bcm_a();

    for (int i = 0; i < 256; i++)
        sprintf(frames + i * 3, "%02X ", i);
    SETUP(fd, TX_SETUP, CAN_FD_FRAME, 1, frames);
    SETUP(fd, TX_READ, CAN_FD_FRAME, 1);
    e = EXPECT(fd, TX_STATUS, 1);
    CHECK_EQ(e->size, HEAD + 256 * 72);
    for (int i = 0; i < 256; i++)
        CHECK_EQ(e->m.fd[i].data[0], i);
}

TEST(opcodes_that_are_none_are_einval)
{
    static const int opcodes[] = { 0, TX_STATUS, TX_EXPIRED, RX_STATUS, RX_TIMEOUT, RX_CHANGED, 13, -1 };
    int fd = bcm_a();

    for (int i = 0; i < 8; i++)
        CHECK_ERRNO(ASK(fd, opcodes[i], .id = 1, .frames = "01"), EINVAL);
}

TEST(delete_and_read_of_no_job_are_einval)
{
    static const int opcodes[] = { TX_DELETE, TX_READ, RX_DELETE, RX_READ };
    int fd = bcm_a();

    SETUP(fd, TX_SETUP, .id = 2, .frames = "01");
    SETUP(fd, RX_SETUP, .id = 2, .frames = "01");
    for (int i = 0; i < 4; i++) {
        CHECK_ERRNO(ASK(fd, opcodes[i], .id = 1), EINVAL);
        CHECK_ERRNO(ASK(fd, opcodes[i], CAN_FD_FRAME, 2), EINVAL);
    }
    SETUP(fd, TX_DELETE, .id = 2);
    CHECK_ERRNO(ASK(fd, TX_DELETE, .id = 2), EINVAL);
    SETUP(fd, RX_DELETE, .id = 2);
    CHECK_ERRNO(ASK(fd, RX_DELETE, .id = 2), EINVAL);
}

TEST(times_out_of_range_are_einval_with_settimer_only)
{
    static const struct bcm_timeval bad[] = { { 0, 1000000 }, { 0, -1 }, { -1, 0 }, { 34560001, 0 } };
    int fd = bcm_a();

    for (int i = 0; i < 4; i++) {
        CHECK_ERRNO(ASK(fd, TX_SETUP, SETTIMER, 1, "01", .ival1 = bad[i]), EINVAL);
        CHECK_ERRNO(ASK(fd, TX_SETUP, SETTIMER, 1, "01", .ival2 = bad[i]), EINVAL);
        CHECK_ERRNO(ASK(fd, RX_SETUP, SETTIMER, 1, "01", .ival1 = bad[i]), EINVAL);
        CHECK_ERRNO(ASK(fd, RX_SETUP, SETTIMER, 1, .ival2 = bad[i]), EINVAL);
        CHECK_EQ(ASK(fd, TX_SETUP, 0, 2, "01", .ival1 = bad[i]), HEAD + 16);
        CHECK_EQ(ASK(fd, RX_SETUP, 0, 2, "01", .ival2 = bad[i]), HEAD + 16);
    }
    CHECK_EQ(ASK(fd, TX_SETUP, START, 1, "01", .ival2 = { 34560000, 999999 }), HEAD + 16);
    SETUP(fd, TX_READ, .id = 1);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 1)->m.head.ival2.tv_usec, 999999);
}

TEST(checks_have_an_order)
{
    int fd = bcm_a(), any = bcm_on(0);

    SETUP(fd, TX_SETUP, .id = 1, .frames = "01");
    SETUP(fd, RX_SETUP, .id = 1, .frames = "01");
    /* number of frames, times, room, then frame by frame */
    CHECK_ERRNO(ASK(any, TX_SETUP, SETTIMER, 1, .nframes = 999, .ival1 = { -1, 0 }), ENODEV);
    CHECK_ERRNO(ASK(fd, TX_SETUP, SETTIMER, 1, .nframes = 2, .ival1 = { -1, 0 }), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 1, .nframes = 2), E2BIG);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 1, "010203040506070809", .nframes = 2), E2BIG);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 2, "010203040506070809", .nframes = 2), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 2, "01 010203040506070809", .nframes = 3), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 2, "01", .nframes = 2), EFAULT);
    CHECK_ERRNO(ASK(fd, RX_SETUP, 0, 1, .nframes = 2), E2BIG);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x40000002, "010203040506070809 01"), EINVAL);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x40000002, .nframes = 1), EFAULT);
}

TEST(frames_that_are_too_long_are_einval)
{
    static const char nine[] = "010203040506070809";
    int fd = bcm_a();
    struct bcm_message m;
    int size = bcm_compose(&(struct bcm_request){ TX_SETUP, CAN_FD_FRAME, 1, "01" }, &m);

    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 1, nine), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, nine), EINVAL);
    CHECK_EQ(ASK(fd, RX_SETUP, 0, 1, nine), HEAD + 16); /* a mask has no length */
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x40000001, nine), EINVAL);
    CHECK_EQ(ASK(fd, TX_SETUP, CAN_FD_FRAME, 1, nine), HEAD + 72);
    m.fd[0].len = 65;
    CHECK_ERRNO(write(fd, &m, size), EINVAL);
    m.head.opcode = TX_SEND;
    CHECK_ERRNO(write(fd, &m, size), EINVAL);
}

TEST(send_puts_the_frame_on_the_bus)
{
    int fd = bcm_a(), o = observer_a(0x201);

    CHECK_EQ(ASK(fd, TX_SEND, .id = 0x999, .frames = "201:0102"), HEAD + 16);
    CHECK_FRAME(o, 0x201, "0102");
    CHECK_EQ(ASK(fd, TX_SEND, TX_CP_CAN_ID, 0x999, "201:"), HEAD + 16); /* a job's flag is none of its */
    CHECK_FRAME(o, 0x201, "");
    CHECK_ERRNO(ASK(fd, TX_READ, .id = 0x999), EINVAL);
}

TEST(send_of_an_fd_frame)
{
    int fd = bcm_a(), o = observer_a(0x202);
    struct message m;

    raw_set(o, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(ASK(fd, TX_SEND, CAN_FD_FRAME, 1, "202:000102030405060708"), HEAD + 72);
    RECEIVE(o, &m);
    CHECK_EQ(m.size, 72);
    CHECK_EQ(m.fd.len, 9);
    CHECK_EQ(m.fd.flags, 4);
}

TEST(send_needs_exactly_one_frame)
{
    int fd = bcm_a();

    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01", .nframes = -1), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01", .nframes = 2), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01 02"), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01 02", .nframes = 1), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, .nframes = 1), EINVAL);
}

TEST(send_tells_what_the_interface_says)
{
    int down = bcm_on(VCAN_DOWN()), small = bcm_on(VCAN_UP_MTU(16));

    CHECK_ERRNO(ASK(down, TX_SEND, 0, 1, "01"), ENETDOWN);
    CHECK_ERRNO(ASK(down, TX_SEND, 0, 1, "010203040506070809"), EINVAL);
    CHECK_ERRNO(ASK(small, TX_SEND, CAN_FD_FRAME, 1, "01"), EMSGSIZE);
    CHECK_EQ(ASK(small, TX_SEND, 0, 1, "01"), HEAD + 16);
    CHECK_EQ(ASK(down, TX_SETUP, START, 1, "01", .ival2_ms = 1), HEAD + 16);
    CHECK_EQ(ASK(small, TX_SETUP, TX_ANNOUNCE | CAN_FD_FRAME, 1, "01"), HEAD + 72);
    CHECK_EQ(sol_get(down, SO_ERROR), 0);
}

TEST(send_from_many_threads_of_control)
{
    int fd = bcm_a(), o = observer_a(0x203);
    pid_t child = OK(fork());

    for (int i = 0; i < 100; i++)
        SETUP(fd, TX_SEND, 0, 1, child ? "203:01" : "203:02");
    if (!child) _exit(0);
    CHECK_EQ(tap_join(child), 0);
    for (int i = 0; i < 200; i++)
        GET(o);
    CHECK_QUIET(o);
}

TEST(send_is_seen_in_order_with_other_messages)
{
    int fd = bcm_a(), o = observer_a(0x204);

    SETUP(fd, TX_SEND, 0, 1, "204:01");
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x204, "02");
    SETUP(fd, TX_SEND, 0, 1, "204:03");
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x204, "04");
    CHECK_FRAME(o, 0x204, "01");
    CHECK_FRAME(o, 0x204, "02");
    CHECK_FRAME(o, 0x204, "03");
    CHECK_FRAME(o, 0x204, "04");
}

TEST(any_needs_an_address_to_send)
{
    struct sockaddr_can a = can_addr(index_of(if_a())), none = can_addr(0);
    int fd = bcm_on(0), o = observer_a(0x205);

    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "205:01"), ENODEV);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "205:01", .to = &none), ENODEV);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "010203040506070809"), ENODEV);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01 02"), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 0x205, "01"), ENODEV);
    CHECK_ERRNO(ASK(fd, TX_SETUP, 0, 0x205, "01", .to = &none), ENODEV);
    CHECK_EQ(ASK(fd, TX_SEND, 0, 1, "205:02", .to = &a), HEAD + 16);
    CHECK_EQ(ASK(fd, TX_SETUP, TX_ANNOUNCE, 0x205, "03", .to = &a), HEAD + 16);
    CHECK_FRAME(o, 0x205, "02");
    CHECK_FRAME(o, 0x205, "03");
}

TEST(any_checks_the_address)
{
    struct sockaddr_can a = can_addr(index_of(if_a())), wrong = a;
    int fd = bcm_on(0);

    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01", .to = &a, .to_len = 7), EINVAL);
    CHECK_EQ(ASK(fd, TX_SEND, 0, 1, "01", .to = &a, .to_len = 8), HEAD + 16);
    wrong.can_family = AF_INET;
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01", .to = &wrong), EINVAL);
    wrong = can_addr(9999);
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01", .to = &wrong), ENODEV);
    CHECK_ERRNO(ASK(fd, 99, .to = &wrong), ENODEV);
    CHECK_ERRNO(ASK(fd, 99, .to = &wrong, .size = HEAD - 1), EINVAL);
    wrong = can_addr(if_nametoindex("lo"));
    CHECK_ERRNO(ASK(fd, TX_SEND, 0, 1, "01", .to = &wrong), ENODEV);
    CHECK_ERRNO(ASK(fd, RX_SETUP, 0, 1, .to = &wrong), ENODEV);
}

TEST(address_is_ignored_when_connected_to_an_interface)
{
    struct sockaddr_can b = can_addr(index_of(if_b())), wrong = can_addr(9999);
    int fd = bcm_a(), o = observer_a(0x206);

    CHECK_EQ(ASK(fd, TX_SEND, 0, 1, "206:01", .to = &b), HEAD + 16);
    CHECK_EQ(ASK(fd, TX_SEND, 0, 1, "206:02", .to = &wrong), HEAD + 16);
    CHECK_EQ(ASK(fd, TX_SEND, 0, 1, "206:03", .to = &wrong, .to_len = 1), HEAD + 16);
    CHECK_FRAME(o, 0x206, "01");
    CHECK_FRAME(o, 0x206, "02");
    CHECK_FRAME(o, 0x206, "03");
}

TEST(jobs_are_told_apart)
{
    struct sockaddr_can a = can_addr(index_of(if_a())), b = can_addr(index_of(if_b()));
    int fd = bcm_on(0), other = bcm_on(0);

    SETUP(fd, TX_SETUP, 0, 1, "01", .to = &a);
    SETUP(fd, TX_SETUP, 0, 1, "02", .to = &b);
    SETUP(fd, TX_SETUP, CAN_FD_FRAME, 1, "03", .to = &a);
    SETUP(fd, TX_SETUP, 0, 0x80000001, "04", .to = &a);
    SETUP(fd, TX_SETUP, 0, 0x40000001, "05", .to = &a);
    SETUP(fd, RX_SETUP, 0, 1, "06", .to = &a);
    SETUP(fd, RX_SETUP, 0, 1, "07");
    SETUP(other, TX_SETUP, 0, 1, "08", .to = &a);
    SETUP(fd, TX_READ, 0, 1, .to = &a);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 1)->m.can[0].data[0], 1);
    SETUP(fd, TX_READ, 0, 1, .to = &b);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 1)->m.can[0].data[0], 2);
    SETUP(fd, TX_READ, CAN_FD_FRAME, 1, .to = &a);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 1)->m.fd[0].data[0], 3);
    SETUP(fd, TX_READ, 0, 0x80000001, .to = &a);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 0x80000001)->m.can[0].data[0], 4);
    SETUP(fd, TX_READ, 0, 0x40000001, .to = &a);
    CHECK_EQ(EXPECT(fd, TX_STATUS, 0x40000001)->m.can[0].data[0], 5);
    SETUP(fd, RX_READ, 0, 1, .to = &a);
    CHECK_EQ(EXPECT(fd, RX_STATUS, 1)->m.can[0].data[0], 6);
    SETUP(fd, RX_READ, 0, 1);
    CHECK_EQ(EXPECT(fd, RX_STATUS, 1)->m.can[0].data[0], 7);
    SETUP(fd, TX_DELETE, 0, 1, .to = &a);
    CHECK_ERRNO(ASK(fd, TX_DELETE, 0, 1, .to = &a), EINVAL);
    SETUP(fd, TX_DELETE, 0, 1, .to = &b);
    SETUP(other, TX_DELETE, 0, 1, .to = &a);
}

TEST(a_refused_update_changes_nothing)
{
    int fd = bcm_a();
    struct bcm_event *e;

    SETUP(fd, TX_SETUP, SETTIMER, 1, "11 22", .count = 5, .ival1_ms = 1000);
    CHECK_ERRNO(ASK(fd, TX_SETUP, TX_CP_CAN_ID, 1, "44 010203040506070809"), EINVAL);
    CHECK_ERRNO(ASK(fd, TX_SETUP, TX_CP_CAN_ID, 1, "44", .nframes = 2), EFAULT);
    SETUP(fd, TX_READ, 0, 1);
    e = EXPECT(fd, TX_STATUS, 1);
    CHECK_EQ(e->m.head.flags, SETTIMER);
    CHECK_EQ(e->m.head.count, 5);
    CHECK_EQ(e->m.can[0].data[0], 0x11);
    CHECK_EQ(e->m.can[1].data[0], 0x22);
    SETUP(fd, RX_SETUP, SETTIMER, 1, "11 22", .ival1_ms = 1000);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_CHECK_DLC, 1, "44", .nframes = 2), EFAULT);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 1, "44"), EINVAL);
    SETUP(fd, RX_READ, 0, 1);
    e = EXPECT(fd, RX_STATUS, 1);
    CHECK_EQ(e->m.head.flags, SETTIMER);
    CHECK_EQ(e->m.can[0].data[0], 0x11);
}
