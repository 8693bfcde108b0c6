/* tests/unit/wake.c - tokens: every state that a sender or a reader can leave behind, and what the next one makes of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include "bus/ring.h"
#include "unit/busmem.h"

static struct busmem mem;
static struct busmem_socket reader, writer;
static atomic_u32 *armed;

static int set_up(void **state)
{
    (void)state;
    busmem_open(&mem);
    reader = busmem_socket(&mem.bus);
    writer = busmem_socket(&mem.bus);
    armed = &mem.bus.data->slot[reader.slot].armed;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    busmem_socket_close(&mem.bus, &reader);
    busmem_socket_close(&mem.bus, &writer);
    busmem_close(&mem);
    return 0;
}

static unsigned state_of(void) { return load_relaxed(armed) & 3; }

static bool is_readable(void)
{
    struct pollfd pfd = { .fd = reader.fd, .events = POLLIN };
    return poll(&pfd, 1, 0) == 1;
}

static unsigned tokens(void)
{
    unsigned count = 0;
    char byte;

    while (recv(reader.fd, &byte, 1, MSG_DONTWAIT) == 1)
        count++;
    return count;
}

static void push(void)
{
    _Alignas(8) uint8_t bytes[16] = { 0 };
    struct ring_meta meta = { .gen = reader.gen, .limit = RING_SLOTS };
    struct bus_frame frame = { .frame = bytes, .size = 16, .owner = writer.slot };
    assert_int_equal(ring_push(&mem.bus, reader.slot, &frame, &meta), 0);
}

static int notify(int fd) { return wake_notify(&mem.bus, reader.slot, fd, NULL); }
static bool settle(void) { return wake_settle(&mem.bus, reader.slot, reader.fd); }

static void pop(void)
{
    struct ring_item item;
    assert_true(ring_pop(&mem.bus, reader.slot, &item));
}

static void wake_sends_one_token_for_many_frames(void **state)
{
    (void)state;
    assert_true(settle());
    assert_int_equal(state_of(), WAKE_ARMED);
    for (unsigned i = 0; i < 5; i++) {
        push();
        assert_int_equal(notify(writer.fd), 0);
    }
    assert_int_equal(state_of(), WAKE_SENT);
    assert_int_equal(tokens(), 1);
}

static void wake_settle_leaves_a_token_for_what_is_there(void **state)
{
    (void)state;
    push();
    assert_false(settle());
    assert_true(is_readable());
    pop();
    assert_true(settle());
    assert_false(is_readable());
    assert_int_equal(state_of(), WAKE_ARMED);
}

/* A sender died between taking the duty and doing it: the very next one does it, though it sends but once. */
static void wake_next_sender_does_the_duty_of_a_dead_one(void **state)
{
    (void)state;
    assert_true(settle());
    push();
    store_relaxed(armed, (load_relaxed(armed) & ~3u) | WAKE_SENDING);
    assert_false(is_readable());
    push();
    notify(writer.fd);
    assert_true(is_readable());
}

static void wake_settle_does_the_duty_of_a_dead_sender(void **state)
{
    (void)state;
    push();
    store_relaxed(armed, (load_relaxed(armed) & ~3u) | WAKE_SENDING);
    assert_false(settle());
    assert_true(is_readable());
    pop();
    store_relaxed(armed, (load_relaxed(armed) & ~3u) | WAKE_SENDING);
    assert_true(settle());
    assert_int_equal(state_of(), WAKE_ARMED);
}

static void wake_needs_no_descriptor_of_the_sender(void **state)
{
    int closed = dup(writer.fd);

    (void)state;
    close(closed);
    assert_true(settle());
    push();
    notify(closed); /* another thread closed it meanwhile */
    assert_true(is_readable());
}

/* The kernel lets a socket have so many unread datagrams under way and no more. */
static void wake_reaches_a_reader_behind_many_that_do_not_read(void **state)
{
    enum { MANY = 400 };
    struct busmem_socket lazy[MANY];

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        lazy[i] = busmem_socket(&mem.bus);
        assert_int_equal(wake_notify(&mem.bus, lazy[i].slot, writer.fd, NULL), 0);
    }
    assert_true(settle());
    push();
    notify(writer.fd);
    assert_true(is_readable());
    for (unsigned i = 0; i < MANY; i++)
        busmem_socket_close(&mem.bus, &lazy[i]);
}

static void wake_full_queue_is_no_error(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        store_relaxed(armed, i << 2 | WAKE_ARMED);
        assert_int_equal(notify(writer.fd), 0);
    }
    assert_true(tokens() >= 5);
}

static void wake_tells_the_dead(void **state)
{
    uint32_t gen = 0;

    (void)state;
    assert_int_equal(wake_probe(&mem.bus, reader.slot, reader.gen), WAKE_ALIVE);
    assert_int_equal(wake_probe(&mem.bus, reader.slot, reader.gen + 1), WAKE_NAMELESS);
    close(reader.fd);
    assert_int_equal(wake_probe(&mem.bus, reader.slot, reader.gen), WAKE_DEAD);
    store_relaxed(armed, WAKE_ARMED);
    assert_int_equal(wake_notify(&mem.bus, reader.slot, writer.fd, &gen), -ECONNREFUSED);
    assert_int_equal(gen, reader.gen);
}

static void wake_address_has_a_limit(void **state)
{
    static char path[120];
    struct bus bus = mem.bus;
    struct sockaddr_un address;

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    bus.dir = path;
    for (bus.dir_size = 1; bus.dir_size < sizeof(path); bus.dir_size++) {
        int size = wake_address(&bus, 8191, UINT32_MAX, &address);
        if (size < 0) break;
        assert_true((size_t)size <= sizeof(address));
        assert_int_equal(((char *)&address)[size - 1], 0);
    }
    assert_in_range(bus.dir_size, 85, 95);
}

/* ---- threads: a reader that polls, and two senders ---- */

#define FRAMES 30000u

static void *send_many(void *argument)
{
    struct busmem_socket own = busmem_socket(&mem.bus);
    _Alignas(8) uint8_t bytes[16] = { 0 };
    struct ring_meta meta = { .gen = reader.gen, .limit = RING_SLOTS };
    struct bus_frame frame = { .frame = bytes, .size = 16, .owner = own.slot };

    for (unsigned i = 0; i < FRAMES; i++) {
        while (ring_push(&mem.bus, reader.slot, &frame, &meta) != 0)
            sched_yield();
        wake_notify(&mem.bus, reader.slot, own.fd, NULL);
        if (i % 64 == 0) sched_yield();
    }
    busmem_socket_close(&mem.bus, &own);
    return argument;
}

static void wake_never_leaves_a_reader_asleep(void **state)
{
    struct pollfd pfd = { .fd = reader.fd, .events = POLLIN };
    pthread_t thread[2];
    struct ring_item item;

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&thread[i], NULL, send_many, NULL);
    for (unsigned got = 0; got < 2 * FRAMES;) {
        if (ring_pop(&mem.bus, reader.slot, &item))
            got++;
        else if (settle())
            assert_int_equal(poll(&pfd, 1, 20000), 1);
    }
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(wake_sends_one_token_for_many_frames),
        TEST(wake_settle_leaves_a_token_for_what_is_there),
        TEST(wake_next_sender_does_the_duty_of_a_dead_one),
        TEST(wake_settle_does_the_duty_of_a_dead_sender),
        TEST(wake_needs_no_descriptor_of_the_sender),
        TEST(wake_reaches_a_reader_behind_many_that_do_not_read),
        TEST(wake_full_queue_is_no_error),
        TEST(wake_tells_the_dead),
        TEST(wake_address_has_a_limit),
        TEST(wake_never_leaves_a_reader_asleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
