/* CAN_BCM: RX_SETUP - which frames bring a message. Sending ends with a frame that does, so that one that must not is seen to be missing. */
#include "bcm.h"

/* Sends frames of one id; those with a "!" before them have to be told of. */
static void check_told(int fd, int raw, canid_t id, const char *frames)
{
    static const char blank[] = " ";
    char words[256], *save;

    snprintf(words, sizeof(words), "%s", frames);
    for (char *w = strtok_r(words, blank, &save); w; w = strtok_r(NULL, blank, &save))
        send_frame(raw, id, *w == '!' ? w + 1 : w);
    snprintf(words, sizeof(words), "%s", frames);
    for (char *w = strtok_r(words, blank, &save); w; w = strtok_r(NULL, blank, &save))
        if (*w == '!') CHANGED(fd, id, w[1] == '-' ? "" : w + 1);
}

TEST(filter_id_tells_every_frame)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, RX_FILTER_ID, 0x501);
    check_told(fd, raw, 0x501, "!01 !01 !-");
}

TEST(changed_message_has_its_parts)
{
    int fd = bcm_a(), raw = raw_a();
    struct bcm_event *e;

    sol_set(fd, SO_TIMESTAMPNS, 1);
    sol_set(raw, SO_TIMESTAMPNS, 1);
    SETUP(fd, RX_SETUP, SETTIMER | RX_CHECK_DLC, 0x502, "FF", .count = 7, .ival1_ms = 50000);
    send_frame(raw, 0x502, "0102");
    e = CHANGED(fd, 0x502, "0102");
    CHECK_EQ(e->size, HEAD + 16);
    CHECK_EQ(e->flags & ~NEWER_FLAGS, 0);
    CHECK_EQ(e->namelen, 8);
    CHECK_EQ(e->from.can_family, AF_CAN);
    CHECK_EQ(e->from.can_ifindex, index_of(if_a()));
    CHECK_EQ(e->m.head.flags, SETTIMER | RX_CHECK_DLC);
    CHECK_EQ(e->m.head.count, 0);
    CHECK_EQ(e->m.head.ival1.tv_sec, 50);
    CHECK_EQ(e->m.head.nframes, 1);
    CHECK_EQ(e->m.can[0].can_id, 0x502);
    CHECK(e->stamp.tv_sec > 0);
}

TEST(stamp_is_that_of_the_frame)
{
    int fd = bcm_a(), raw = raw_a(), o = observer_a(0x503);
    struct timespec t;
    struct message m;
    struct bcm_event *e;

    sol_set(fd, SO_TIMESTAMPNS, 1);
    SETUP(fd, RX_SETUP, 0, 0x503);
    poll(
        NULL, 0,
        200); /* Linux begins to stamp frames some time after it was asked; before, each reader has its own time */
    send_frame(raw, 0x503, "01");
    RECEIVE(o, &m);
    memcpy(&t, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(t));
    e = CHANGED(fd, 0x503, "01");
    CHECK_EQ(e->stamp.tv_sec, t.tv_sec);
    CHECK_EQ(e->stamp.tv_nsec, t.tv_nsec);
}

TEST(identifiers_are_compared_with_all_flags)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x504);
    SETUP(fd, RX_SETUP, 0, 0x80000504);
    SETUP(fd, RX_SETUP, 0, 0x40000504);
    send_frame(raw, 0x505, "01");
    send_frame(raw, 0xc0000504, "");
    send_frame(raw, 0x80000504, "02");
    send_frame(raw, 0x40000504, "");
    send_frame(raw, 0x504, "03");
    CHANGED(fd, 0x80000504, "02");
    CHANGED(fd, 0x40000504, "");
    CHANGED(fd, 0x504, "03");
}

TEST(no_frames_is_filter_id)
{
    int fd = bcm_a();
    struct bcm_event *e;

    SETUP(fd, RX_SETUP, 0, 0x506);
    SETUP(fd, RX_READ, 0, 0x506);
    e = EXPECT(fd, RX_STATUS, 0x506);
    CHECK_EQ(e->m.head.flags, RX_FILTER_ID);
    CHECK_EQ(e->m.head.nframes, 0);
    CHECK_EQ(e->from.can_ifindex, index_of(if_a()));
    SETUP(fd, RX_SETUP, RX_FILTER_ID, 0x507, "FF 01");
    SETUP(fd, RX_READ, 0, 0x507);
    e = EXPECT(fd, RX_STATUS, 0x507);
    CHECK_EQ(e->m.head.nframes, 0);
    CHECK_EQ(e->size, HEAD);
}

TEST(status_tells_masks)
{
    int fd = bcm_a(), raw = raw_a();
    struct bcm_event *e;

    SETUP(fd, RX_SETUP, SETTIMER, 0x508, "FF 01FF", .count = 7, .ival1_ms = 60000, .ival2_ms = 70000);
    send_frame(raw, 0x508, "01");
    CHANGED(fd, 0x508, "01");
    SETUP(fd, RX_READ, 0, 0x508);
    e = EXPECT(fd, RX_STATUS, 0x508);
    CHECK_EQ(e->m.head.flags, SETTIMER);
    CHECK_EQ(e->m.head.count, 0);
    CHECK_EQ(e->m.head.nframes, 2);
    CHECK_EQ(e->m.head.ival1.tv_sec, 60);
    CHECK_EQ(e->m.head.ival2.tv_sec, 70);
    CHECK_EQ(e->m.can[0].data[0], 0xff);
    CHECK_EQ(e->m.can[1].data[1], 0xff);
}

TEST(content_is_compared_under_the_mask)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x509, "FF");
    check_told(fd, raw, 0x509, "!0102 0103 !0203 020304 - !05");
}

TEST(content_that_was_not_told_is_not_kept)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x50a, "FF");
    check_told(fd, raw, 0x50a, "!01 - 01 !02 0277 !01 - !02");
}

TEST(content_is_compared_in_whole_chunks)
{
    int fd = bcm_a(), raw = raw_a();
    struct can_frame f = bcm_frame(0x50b, "0102030405060708");

    SETUP(fd, RX_SETUP, 0, 0x50b, "FFFFFFFFFFFFFFFF");
    check_told(fd, raw, 0x50b, "!0102030405060708");
    f.len = 1; /* with the rest behind its end */
    CHECK_EQ(write(raw, &f, sizeof(f)), 16);
    check_told(fd, raw, 0x50b, "!01 0100 !02");
}

TEST(length_is_compared_when_asked)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, RX_CHECK_DLC, 0x50c, "FF");
    check_told(fd, raw, 0x50c, "!0102 0103 !0203 !020304 !- - !05");
}

TEST(length_of_filter_id_does_not_matter)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, RX_CHECK_DLC | RX_FILTER_ID, 0x50d, "FF");
    check_told(fd, raw, 0x50d, "!01 !01 !02");
}

TEST(multiplex)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x50e, "FF 01FF 020F");
    check_told(fd, raw, 0x50e, "!0110 0110 !0111 !0210 0220 !0221 0321 !0112");
}

TEST(multiplex_goes_by_the_first_that_fits)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x50f, "F0 10FF 11FF");
    check_told(fd, raw, 0x50f, "!1100 1000 !1101 2000 !1102");
}

TEST(multiplex_of_one_frame_behind_the_mask)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x510, "FF 01FF");
    check_told(fd, raw, 0x510, "!0100 0200 !0101");
}

TEST(classic_jobs_ignore_fd_frames_and_the_other_way_round)
{
    int fd = bcm_a(), raw = raw_a();
    struct canfd_frame f = fd_frame_of(0x511, 64);
    struct bcm_event *e;

    raw_set(raw, CAN_RAW_FD_FRAMES, 1);
    SETUP(fd, RX_SETUP, 0, 0x511);
    CHECK_EQ(write(raw, &f, sizeof(f)), 72);
    send_frame(raw, 0x511, "01");
    CHANGED(fd, 0x511, "01");
    SETUP(fd, RX_DELETE, 0, 0x511);
    SETUP(fd, RX_SETUP, CAN_FD_FRAME, 0x511);
    send_frame(raw, 0x511, "02");
    f.flags = CANFD_BRS | CANFD_ESI;
    CHECK_EQ(write(raw, &f, sizeof(f)), 72);
    e = EXPECT(fd, RX_CHANGED, 0x511);
    CHECK_EQ(e->size, HEAD + 72);
    CHECK_EQ(e->m.fd[0].len, 64);
    CHECK_EQ(e->m.fd[0].flags, CANFD_BRS | CANFD_ESI | 4);
    CHECK_EQ(e->m.fd[0].data[63], 64);
}

TEST(fd_content_is_compared_to_its_end)
{
    int fd = bcm_a(), raw = raw_a(), size;
    struct canfd_frame f = fd_frame_of(0x512, 64);
    struct bcm_message m;

    raw_set(raw, CAN_RAW_FD_FRAMES, 1);
    size = bcm_compose(&(struct bcm_request){ RX_SETUP, CAN_FD_FRAME, 0x512, "00" }, &m);
    m.fd[0].data[60] = 0xff;
    CHECK_EQ(write(fd, &m, size), HEAD + 72);
    CHECK_EQ(write(raw, &f, sizeof(f)), 72);
    f.data[59]++;
    CHECK_EQ(write(raw, &f, sizeof(f)), 72);
    f.data[60]++;
    f.len = 56; /* does not reach that byte */
    CHECK_EQ(write(raw, &f, sizeof(f)), 72);
    f.len = 57; /* its chunk does */
    CHECK_EQ(write(raw, &f, sizeof(f)), 72);
    CHECK_EQ(EXPECT(fd, RX_CHANGED, 0x512)->m.fd[0].len, 64);
    CHECK_EQ(EXPECT(fd, RX_CHANGED, 0x512)->m.fd[0].len, 57);
}

TEST(bytes_beside_the_data_are_told)
{
    int fd = bcm_a(), raw = raw_a();
    struct can_frame f = bcm_frame(0x513, "01");
    uint8_t *bytes = (uint8_t *)&f;
    struct bcm_event *e;

    bytes[5] = 0xff;
    bytes[6] = 0x77;
    bytes[7] = 0x0d;
    SETUP(fd, RX_SETUP, 0, 0x513);
    CHECK_EQ(write(raw, &f, sizeof(f)), 16);
    e = EXPECT(fd, RX_CHANGED, 0x513);
    CHECK_TOLD(e->m.bytes[5]);
    CHECK_EQ(e->m.bytes[6], 0x77);
    CHECK_EQ(e->m.bytes[7], 0x0d);
}

TEST(flags_byte_does_not_disturb_comparing)
{
    int fd = bcm_a(), raw = raw_a();
    struct can_frame f = bcm_frame(0x514, "01");

    SETUP(fd, RX_SETUP, 0, 0x514, "FF");
    for (int i = 0; i < 256; i += 64) {
        ((uint8_t *)&f)[5] = i;
        CHECK_EQ(write(raw, &f, sizeof(f)), 16);
    }
    CHANGED(fd, 0x514, "01");
    check_told(fd, raw, 0x514, "!02");
}

TEST(update_forgets_content)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x515, "FF");
    check_told(fd, raw, 0x515, "!01 01 !02 02");
    SETUP(fd, RX_SETUP, 0, 0x515, "FF");
    check_told(fd, raw, 0x515, "!02 02 !03");
}

TEST(frames_can_become_fewer_but_not_more)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x516, "FF 01FF 02FF");
    CHECK_ERRNO(ASK(fd, RX_SETUP, 0, 0x516, "FF 01FF 02FF 03FF"), E2BIG);
    SETUP(fd, RX_SETUP, 0, 0x516, "FF 03FF");
    check_told(fd, raw, 0x516, "0100 !0300");
    CHECK_ERRNO(ASK(fd, RX_SETUP, 0, 0x516, "FF 01FF 02FF"), E2BIG);
    SETUP(fd, RX_SETUP, 0, 0x516);
    check_told(fd, raw, 0x516, "!0100 !0100");
    CHECK_ERRNO(ASK(fd, RX_SETUP, 0, 0x516, "FF"), E2BIG);
    SETUP(fd, RX_DELETE, 0, 0x516);
    SETUP(fd, RX_SETUP, 0, 0x516, "FF");
    check_told(fd, raw, 0x516, "!0100 0101 !0200");
}

TEST(own_frames_are_heard)
{
    int fd = bcm_a();

    SETUP(fd, RX_SETUP, 0, 0x517, "FF");
    SETUP(fd, TX_SEND, 0, 0, "517:01");
    CHANGED(fd, 0x517, "01");
    SETUP(fd, TX_SETUP, START, 0x517, "02", .count = 2, .ival1_ms = 5);
    CHANGED(fd, 0x517, "02");
}

TEST(any_hears_all_interfaces)
{
    int fd = bcm_on(0), a = raw_a(), b = raw_b();

    SETUP(fd, RX_SETUP, 0, 0x518);
    send_frame(a, 0x518, "01");
    CHECK_EQ(CHANGED(fd, 0x518, "01")->from.can_ifindex, index_of(if_a()));
    send_frame(b, 0x518, "02");
    CHECK_EQ(CHANGED(fd, 0x518, "02")->from.can_ifindex, index_of(if_b()));
    SETUP(fd, RX_READ, 0, 0x518);
    CHECK_EQ(EXPECT(fd, RX_STATUS, 0x518)->from.can_ifindex, index_of(if_b()));
}

TEST(any_compares_content_of_all_interfaces_with_one_store)
{
    int fd = bcm_on(0), a = raw_a(), b = raw_b();

    SETUP(fd, RX_SETUP, 0, 0x519, "FF");
    send_frame(a, 0x519, "01");
    CHANGED(fd, 0x519, "01");
    send_frame(b, 0x519, "01");
    send_frame(a, 0x519, "02");
    CHANGED(fd, 0x519, "02");
}

TEST(any_with_timers_stays_with_the_first_interface)
{
    int fd = bcm_on(0), a = raw_a(), b = raw_b();

    for (int timer = 1; timer <= 2; timer++) {
        SETUP(fd, RX_SETUP, SETTIMER, 0x51a, .ival1_ms = timer == 1 ? 60000 : 0, .ival2 = { 0, timer == 2 });
        send_frame(a, 0x51a, "01");
        CHANGED(fd, 0x51a, "01");
        send_frame(b, 0x51a, "02");
        poll(NULL, 0, 3);
        send_frame(a, 0x51a, "03");
        CHANGED(fd, 0x51a, "03");
        SETUP(fd, RX_SETUP, 0, 0x51a); /* no new time: the claim stays */
        send_frame(b, 0x51a, "04");
        poll(NULL, 0, 3);
        send_frame(a, 0x51a, "05");
        CHANGED(fd, 0x51a, "05");
        SETUP(fd, RX_SETUP, SETTIMER, 0x51a, .ival1_ms = 60000);
        send_frame(b, 0x51a, "06");
        CHANGED(fd, 0x51a, "06");
        send_frame(a, 0x51a, "07");
        send_frame(b, 0x51a, "08");
        CHANGED(fd, 0x51a, "08");
    }
    SETUP(fd, RX_SETUP, SETTIMER, 0x51a);
    send_frame(a, 0x51a, "09");
    CHANGED(fd, 0x51a, "09");
    send_frame(b, 0x51a, "0A");
    CHANGED(fd, 0x51a, "0A");
}

TEST(any_stays_with_the_first_frame_of_its_type)
{
    int fd = bcm_on(0), a = raw_a(), b = raw_b();
    struct canfd_frame f = fd_frame_of(0x51b, 1);

    raw_set(a, CAN_RAW_FD_FRAMES, 1);
    SETUP(fd, RX_SETUP, SETTIMER, 0x51b, .ival1_ms = 60000);
    CHECK_EQ(write(a, &f, sizeof(f)), 72); /* of no interest: no claim */
    send_frame(b, 0x51b, "01");
    CHANGED(fd, 0x51b, "01");
}

TEST(any_and_one_interface_are_two_jobs)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = bcm_on(0), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x51c);
    SETUP(fd, RX_SETUP, RX_CHECK_DLC, 0x51c, .to = &a);
    send_frame(raw, 0x51c, "01");
    CHECK_EQ(CHANGED(fd, 0x51c, "01")->m.head.flags, RX_FILTER_ID); /* those of all interfaces come first */
    CHECK_EQ(CHANGED(fd, 0x51c, "01")->m.head.flags, RX_FILTER_ID | RX_CHECK_DLC);
}

TEST(jobs_of_other_sockets_are_told_too)
{
    int one = bcm_a(), two = bcm_a(), raw = raw_a();

    SETUP(one, RX_SETUP, 0, 0x51d);
    SETUP(two, RX_SETUP, 0, 0x51d);
    send_frame(raw, 0x51d, "01");
    CHANGED(one, 0x51d, "01");
    CHANGED(two, 0x51d, "01");
}

TEST(frames_sent_before_a_request_come_before_it)
{
    int fence = fence_on(index_of(if_a())), fd = bcm_a(), raw = raw_a();

    for (int round = 0; round < 50; round++) {
        SETUP(fd, RX_SETUP, 0, 0x526);
        send_frame(raw, 0x526, "01");
        send_frame(raw, 0x526, "02");
        fence_pass(fence, 2);
        SETUP(fd, RX_DELETE, 0, 0x526);
        send_frame(raw, 0x526, "03");
        fence_pass(fence, 1);
        CHANGED(fd, 0x526, "01");
        CHANGED(fd, 0x526, "02");
    }
}

TEST(deleted_jobs_are_silent)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x51e);
    SETUP(fd, RX_SETUP, 0, 0x51f);
    SETUP(fd, RX_DELETE, 0, 0x51e);
    send_frame(raw, 0x51e, "01");
    send_frame(raw, 0x51f, "01");
    CHANGED(fd, 0x51f, "01");
}

TEST(error_frames_are_not_heard)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x20000004);
    SETUP(fd, RX_SETUP, 0, 4);
    send_frame(raw, 0x20000004, "0000000000000000");
    send_frame(raw, 4, "01");
    CHANGED(fd, 4, "01");
}

TEST(rtr_is_answered)
{
    int fd = bcm_a(), raw = raw_a(), o = raw_a();

    filter1(o, 0x520, 0x7f0 | CAN_RTR_FLAG);
    CHECK_EQ(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x40000520, "0102"), HEAD + 16);
    send_frame(raw, 0x40000520, "");
    CHECK_FRAME(o, 0x520, "0102"); /* the id was that of the job */
    SETUP(fd, RX_SETUP, RX_RTR_FRAME, 0x40000520, "521:03");
    send_frame(raw, 0x40000520, "");
    CHECK_FRAME(o, 0x521, "03");
    SETUP(fd, RX_SETUP, RX_RTR_FRAME | TX_CP_CAN_ID, 0x40000520, "521:04");
    send_frame(raw, 0x40000520, "");
    CHECK_FRAME(o, 0x520, "04");
    CHECK_EQ(recv_errno(fd), EAGAIN); /* no messages */
}

TEST(rtr_answer_is_seen_in_status)
{
    int fd = bcm_a();
    struct bcm_event *e;

    SETUP(fd, RX_SETUP, RX_RTR_FRAME | SETTIMER, 0x40000522, "01", .ival1_ms = 5, .count = 4);
    SETUP(fd, RX_READ, 0, 0x40000522);
    e = EXPECT(fd, RX_STATUS, 0x40000522);
    CHECK_EQ(e->m.can[0].can_id, 0x522);
    CHECK_EQ(e->m.head.flags, RX_RTR_FRAME | SETTIMER);
    CHECK_EQ(e->m.head.ival1.tv_usec, 0);
    CHECK_EQ(e->m.head.count, 0);
}

TEST(rtr_misuse_is_einval)
{
    int fd = bcm_a();

    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x523, "01"), EINVAL);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x40000523), EINVAL);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME, 0x40000523, "01 02"), EINVAL);
    CHECK_ERRNO(ASK(fd, RX_SETUP, RX_RTR_FRAME | RX_FILTER_ID, 0x40000523, "01"), EINVAL);
}

TEST(rtr_on_any_is_not_answered)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = bcm_on(0), other = bcm_on(0), raw = raw_a(), o = observer_a(0x524);

    SETUP(fd, RX_SETUP, RX_RTR_FRAME, 0x40000524, "01");
    SETUP(other, RX_SETUP, 0, 0x40000524);
    send_frame(raw, 0x40000524, "");
    CHANGED(other, 0x40000524, "");
    SETUP(fd, RX_READ, 0, 0x40000524);
    CHECK_EQ(EXPECT(fd, RX_STATUS, 0x40000524)->from.can_ifindex, 0); /* nor named */
    SETUP(fd, RX_SETUP, RX_RTR_FRAME, 0x40000524, "02", .to = &a);
    send_frame(raw, 0x40000524, "");
    CHECK_FRAME(o, 0x524, "02");
    CHECK_QUIET(o);
}

TEST(rtr_frames_can_be_heard_as_others)
{
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, 0, 0x40000525);
    send_frame(raw, 0x40000525, "");
    CHECK_EQ(CHANGED(fd, 0x40000525, "")->m.can[0].can_id, 0x40000525);
}
