/* CAN sockets used by several threads at once. */
#include "link.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

static pthread_t thread(void *(*run)(void *), void *argument)
{
    pthread_t t;

    CHECK_EQ(pthread_create(&t, NULL, run, argument), 0);
    return t;
}

static void join(pthread_t t) { CHECK_EQ(pthread_join(t, NULL), 0); }

enum { THREADS = 4, EACH = 100 };

struct work {
    int fd;
    int number;
    _Atomic int tid;
    _Atomic int done;
    int got;
    int error;
};

static void *send_each(void *argument)
{
    struct work *w = argument;

    for (int i = 0; i < EACH; i++)
        put(w->fd, w->number << 8 | i);
    w->done = 1;
    return NULL;
}

static void check_from_threads(int fd, int senders)
{
    int next[THREADS] = { 0 };

    for (int i = 0; i < senders * EACH; i++) {
        canid_t id = GET(fd).can_id;

        CHECK(id >> 8 < (unsigned)senders);
        CHECK_EQ(id & 0xff, next[id >> 8]++);
    }
}

static void wide(int fd)
{
    sol_set(fd, SO_RCVBUF, 212992); /* the sum of all frames is more than the default holds */
}

TEST(threads_send_on_one_socket)
{
    int fd = raw_a(), a = raw_a();
    struct work w[THREADS];
    pthread_t t[THREADS];

    wide(fd);
    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct work){ .fd = a, .number = i };
        t[i] = thread(send_each, &w[i]);
    }
    check_from_threads(fd, THREADS);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
    CHECK_QUIET(fd);
}

TEST(threads_send_on_their_own_sockets)
{
    int fd = raw_a();
    struct work w[THREADS];
    pthread_t t[THREADS];

    wide(fd);
    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct work){ .fd = raw_a(), .number = i };
        t[i] = thread(send_each, &w[i]);
    }
    check_from_threads(fd, THREADS);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
}

static void *read_until_end(void *argument)
{
    struct work *w = argument;
    struct can_frame f;

    while (read(w->fd, &f, sizeof(f)) == sizeof(f) && f.can_id != 0x7ff)
        w->got++;
    return NULL;
}

TEST(threads_read_from_one_socket)
{
    int fd = raw_a(), a = raw_a(), total = 0;
    struct work w[THREADS];
    pthread_t t[THREADS];

    block(fd);
    wide(fd);
    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct work){ .fd = fd };
        t[i] = thread(read_until_end, &w[i]);
    }
    for (int i = 0; i < 400; i++)
        put(a, i);
    for (int i = 0; i < THREADS; i++)
        put(a, 0x7ff);
    for (int i = 0; i < THREADS; i++) {
        join(t[i]);
        total += w[i].got;
    }
    CHECK_EQ(total, 400);
}

static void *blocking_read(void *argument)
{
    struct work *w = argument;
    struct can_frame f;

    w->tid = syscall(SYS_gettid);
    w->got = read(w->fd, &f, sizeof(f));
    w->error = errno;
    w->done = 1;
    return NULL;
}

static pthread_t reader_asleep(struct work *w)
{
    pthread_t t = thread(blocking_read, w);

    while (!w->tid)
        sched_yield();
    await_asleep(w->tid);
    return t;
}

TEST(threads_a_frame_wakes_one_blocked_reader)
{
    int fd = raw_a(), a = raw_a();
    struct work w[2] = { { .fd = fd }, { .fd = fd } };
    pthread_t t[2];

    block(fd);
    t[0] = reader_asleep(&w[0]);
    t[1] = reader_asleep(&w[1]);
    put(a, 1);
    while (!w[0].done && !w[1].done)
        sched_yield();
    put(a, 2);
    join(t[0]);
    join(t[1]);
    CHECK_EQ(w[0].got, 16);
    CHECK_EQ(w[1].got, 16);
}

/* A server opens its sockets as root and then becomes somebody else. */
TEST(threads_a_frame_sent_after_setuid_wakes_a_blocked_reader)
{
    int fd = raw_a(), a = raw_a();
    struct timeval limit = { .tv_usec = 700000 };
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    t = reader_asleep(&w);
    if (syscall(SYS_setuid, 65534)) SKIP("may not change the user"); /* this thread only */
    put(a, 1);
    join(t);
    CHECK_EQ(w.got, 16);
}

/* Two sleepers on one socket: the one that only peeks must not leave the other asleep. */
TEST(threads_a_peek_leaves_nobody_asleep)
{
    int fd = raw_a(), a = raw_a();
    struct timeval limit = { .tv_usec = 700000 };
    struct work w = { .fd = fd };
    struct can_frame f;
    pthread_t t;

    block(fd);
    OK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    t = reader_asleep(&w);
    put(a, 1);
    recv(fd, &f, sizeof(f), MSG_PEEK | MSG_DONTWAIT);
    recv(fd, &f, sizeof(f), MSG_DONTWAIT);
    put(a, 2);
    join(t);
    CHECK_EQ(w.got, 16);
}

TEST(threads_down_wakes_a_blocked_reader)
{
    int index = VCAN_UP(), fd = raw_bound(index);
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    t = reader_asleep(&w);
    LINK_DOWN(index);
    join(t);
    CHECK_EQ(w.got, -1);
    CHECK_EQ(w.error, ENETDOWN);
}

TEST(threads_sender_goes_on_while_another_thread_blocks_in_read)
{
    int fd = raw_a(), peer = raw_a();
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    t = reader_asleep(&w);
    for (int i = 0; i < 50; i++) {
        put(fd, i);
        CHECK_GETS(peer, i);
    }
    CHECK(!w.done);
    put(peer, 1);
    join(t);
    CHECK_EQ(w.got, 16);
}

TEST(threads_options_change_while_another_thread_blocks_in_read)
{
    int fd = raw_a(), a = raw_a();
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    t = reader_asleep(&w);
    filter1(fd, 5, CAN_SFF_MASK);
    put(a, 4);
    CHECK(!w.done);
    put(a, 5);
    join(t);
    CHECK_EQ(w.got, 16);
}

TEST(threads_rebind_while_another_thread_blocks_in_read)
{
    int fd = raw_a(), b = raw_b();
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    t = reader_asleep(&w);
    OK(bind_index(fd, index_of(if_b())));
    put(b, 5);
    join(t);
    CHECK_EQ(w.got, 16);
}

TEST(threads_close_of_another_descriptor_of_a_blocked_reader)
{
    int fd = raw_a(), copy = OK(dup(fd)), a = raw_a();
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    t = reader_asleep(&w);
    close(copy);
    put(a, 5);
    join(t);
    CHECK_EQ(w.got, 16);
}

TEST(threads_close_does_not_wake_a_blocked_reader)
{
    int fd = raw_a(), a = raw_a();
    struct work w = { .fd = fd };
    pthread_t t;

    block(fd);
    t = reader_asleep(&w);
    close(fd);
    CHECK(!w.done);
    put(a, 1);
    join(t);
    CHECK_EQ(w.got, 16);
}

static void *open_and_close(void *argument)
{
    struct work *w = argument;

    for (int i = 0; i < 200; i++) {
        int fd = raw_a();

        put(fd, 0x700 + w->number);
        close(fd);
    }
    return NULL;
}

TEST(threads_open_and_close_sockets_at_once)
{
    struct work w[THREADS];
    pthread_t t[THREADS];

    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct work){ .number = i };
        t[i] = thread(open_and_close, &w[i]);
    }
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
    CHECK_EQ(raw_new(), 3);
}

static void *change_filters(void *argument)
{
    struct work *w = argument;

    while (!w->done) {
        filter2(w->fd, 5, CAN_SFF_MASK, 6, CAN_SFF_MASK);
        filter2(w->fd, 5, CAN_SFF_MASK, 7, CAN_SFF_MASK);
    }
    return NULL;
}

TEST(threads_change_filters_while_frames_flow)
{
    int fd = raw_a(), a = raw_a();
    struct work w = { .fd = fd };
    pthread_t t;

    filter1(fd, 5, CAN_SFF_MASK);
    t = thread(change_filters, &w);
    for (int i = 0; i < 500; i++) {
        put(a, 5);
        put(a, 4);
        CHECK_GETS(fd, 5);
    }
    w.done = 1;
    join(t);
    CHECK_QUIET(fd);
}

static void *wait_in_epoll(void *argument)
{
    struct work *w = argument;
    struct epoll_event e;

    w->tid = syscall(SYS_gettid);
    w->got = epoll_wait(w->fd, &e, 1, WAIT_MS);
    return NULL;
}

TEST(threads_add_to_epoll_while_another_waits)
{
    int fd = raw_a(), a = raw_a();
    struct epoll_event e = { .events = EPOLLIN };
    struct work w = { .fd = OK(epoll_create1(0)) };
    pthread_t t = thread(wait_in_epoll, &w);

    while (!w.tid)
        sched_yield();
    await_asleep(w.tid);
    OK(epoll_ctl(w.fd, EPOLL_CTL_ADD, fd, &e));
    put(a, 1);
    join(t);
    CHECK_EQ(w.got, 1);
}

TEST(threads_fork_while_another_thread_sends)
{
    int fd = raw_a(), other = raw_a();
    struct work w = { .fd = raw_a() };
    pthread_t t;

    wide(fd);
    t = thread(send_each, &w);
    for (int i = 0; i < 10; i++) {
        pid_t child = OK(fork());

        if (!child) {
            put(raw_b(), 1);
            _exit(0);
        }
        CHECK_EQ(tap_join(child), 0);
    }
    join(t);
    check_from_threads(fd, 1);
    close(other);
}

TEST(threads_cancelled_in_a_blocking_read)
{
    int fd = raw_a(), a = raw_a();
    struct work w = { .fd = fd };
    void *result;
    pthread_t t;

    if (!dlopen("libgcc_s.so.1", RTLD_NOW)) /* libc wants it for cancellation */
        SKIP("no libgcc_s");
    block(fd);
    t = reader_asleep(&w);
    CHECK_EQ(pthread_cancel(t), 0);
    CHECK_EQ(pthread_join(t, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    put(a, 1);
    CHECK_GETS(fd, 1);
}

static void *send_for_ever(void *argument)
{
    const struct work *w = argument;
    struct can_frame frame = { .can_id = 1 };

    for (;;)
        if (write(w->fd, &frame, sizeof(frame)) != (ssize_t)sizeof(frame)) return NULL;
}

TEST(threads_cancelled_in_a_write_that_does_not_wait)
{
    struct work w = { .fd = raw_a() };
    void *result;
    pthread_t t;

    if (!dlopen("libgcc_s.so.1", RTLD_NOW)) SKIP("no libgcc_s");
    CHECK_EQ(pthread_create(&t, NULL, send_for_ever, &w), 0);
    CHECK_EQ(pthread_cancel(t), 0);
    CHECK_EQ(pthread_join(t, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
}
