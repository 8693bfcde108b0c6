/* Local loopback, own messages and the flags which tell them apart. */
#include "can.h"

#include <pthread.h>

static int flags_of_next(int fd)
{
    struct message m;

    RECEIVE(fd, &m);
    return m.flags;
}

TEST(flags_local_frame_is_dontroute)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE);
}

TEST(flags_own_frame_is_dontroute_and_confirm)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, 1);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(flags_own_frame_by_sendto_on_any_is_confirm)
{
    int fd = raw_any();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    CHECK_EQ(put_to(fd, index_of(if_b()), 1), 16);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(flags_are_per_reader)
{
    int fd = raw_a(), other = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    raw_set(other, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, 1);
    CHECK_EQ(flags_of_next(other), MSG_DONTROUTE);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(flags_with_peek_are_the_same)
{
    struct message m;
    int fd = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, 1);
    await_in(fd, __FILE__, __LINE__);
    receive_with(fd, &m, MSG_PEEK);
    CHECK_EQ(m.size, 16);
    CHECK_EQ(m.flags, MSG_DONTROUTE | MSG_CONFIRM);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(own_messages_are_off_by_default)
{
    int fd = raw_a();

    put(fd, 1);
    CHECK_QUIET(fd);
}

TEST(own_messages_need_a_matching_filter)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    filter1(fd, 5, CAN_SFF_MASK);
    put(fd, 4);
    put(fd, 5);
    CHECK_GETS(fd, 5);
}

TEST(own_messages_need_loopback)
{
    int fd = raw_a(), other = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    CHECK_QUIET(fd);
    CHECK_QUIET(other);
}

TEST(own_messages_of_a_frame_sent_to_another_device)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    CHECK_EQ(put_to(fd, index_of(if_b()), 1), 16);
    CHECK_QUIET(fd);
}

TEST(own_messages_come_in_order_with_others)
{
    int fd = raw_a(), a = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(fd, 1);
    put(a, 2);
    put(fd, 3);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(own_messages_any_non_zero_value_switches_on)
{
    int fd = raw_a();

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, -7);
    put(fd, 1);
    CHECK_GETS(fd, 1);
}

TEST(own_means_the_same_socket_not_the_same_process)
{
    int fd = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        put(fd, 1);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    CHECK_QUIET(fd);
}

TEST(own_message_of_a_child_is_confirmed)
{
    int fd = raw_a();
    pid_t child;

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    child = OK(fork());
    if (!child) {
        put(fd, 1);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(own_message_of_a_duplicate_is_confirmed)
{
    int fd = raw_a(), copy = OK(dup(fd));

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    put(copy, 1);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
    CHECK_QUIET(copy);
}

static void *put_one(void *fd)
{
    put(*(int *)fd, 1);
    return NULL;
}

TEST(own_message_of_another_thread_is_confirmed)
{
    int fd = raw_a();
    pthread_t t;

    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    CHECK_EQ(pthread_create(&t, NULL, put_one, &fd), 0);
    CHECK_EQ(pthread_join(t, NULL), 0);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE | MSG_CONFIRM);
}

TEST(loopback_off_reaches_no_local_reader)
{
    int fd = raw_a(), other = raw_a(), any = raw_any();

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    CHECK_QUIET(other);
    CHECK_QUIET(any);
}

TEST(loopback_can_be_switched_on_again)
{
    int fd = raw_a(), other = raw_a();

    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    raw_set(fd, CAN_RAW_LOOPBACK, 1);
    put(fd, 2);
    CHECK_GETS(other, 2);
}

TEST(loopback_is_an_option_of_the_sender)
{
    int fd = raw_a(), other = raw_a();

    raw_set(other, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    CHECK_GETS(other, 1);
}

TEST(flags_remain_when_the_sender_is_gone)
{
    int fd = raw_a(), a = raw_a();

    put(a, 1);
    close(a);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE);
}

TEST(flags_with_a_new_socket_in_the_senders_place_are_not_confirm)
{
    int fd = raw_a(), a = raw_a(), b;

    put(a, 1);
    close(a);
    b = raw_a();
    CHECK_EQ(b, a);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE);
    CHECK_QUIET(b);
}

TEST(flags_of_another_process_are_dontroute)
{
    int fd = raw_a();
    pid_t child = OK(fork());

    if (!child) {
        put(raw_a(), 1);
        _exit(0);
    }
    CHECK_EQ(tap_join(child), 0);
    CHECK_EQ(flags_of_next(fd), MSG_DONTROUTE);
}
