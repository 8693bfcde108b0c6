/* tests/unit/errqueue.c - the error queue of a socket: order, limits, the largest frames, and words that nobody ever wrote. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "bus/errqueue.h"
#include "unit/busmem.h"

static struct busmem mem;
static struct busmem_socket at;
static struct bus_slot *slot;
static struct errqueue_item out;
static uint8_t frame[RING_EXT_SIZE];

static int set_up(void **state)
{
    (void)state;
    busmem_open(&mem);
    at = busmem_socket(&mem.bus);
    slot = &mem.bus.data->slot[at.slot];
    for (size_t i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)(i * 7);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    busmem_socket_close(&mem.bus, &at);
    busmem_close(&mem);
    return 0;
}

static void push(uint32_t id, uint32_t size)
{
    struct errqueue_item item = { .time_ns = 1000 + id, .info = id % 2, .id = id, .size = size };
    errqueue_push(&mem.bus, at.slot, at.fd, &item, frame);
}

static bool pop(void) { return errqueue_pop(&mem.bus, at.slot, &out); }

static unsigned pop_all(void)
{
    unsigned count = 0;

    while (pop())
        count++;
    return count;
}

static void errqueue_gives_back_what_was_put_in_order(void **state)
{
    static const uint32_t sizes[] = { 16, 72, 0, 13, 2060, 1 };
    (void)state;

    for (unsigned round = 0; round < 200; round++) { /* often around the ring */
        for (uint32_t i = 0; i < 6; i++)
            push(round + i, sizes[i]);
        for (uint32_t i = 0; i < 6; i++) {
            assert_true(pop());
            assert_int_equal(out.id, round + i);
            assert_int_equal(out.info, (round + i) % 2);
            assert_int_equal(out.time_ns, 1000 + round + i);
            assert_int_equal(out.size, sizes[i]);
            assert_memory_equal(out.frame, frame, sizes[i]);
        }
        assert_true(errqueue_empty(&mem.bus, at.slot));
        assert_false(pop());
    }
}

static void errqueue_drops_what_has_no_room(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2000; i++)
        push(i, 16);
    for (uint32_t i = 0; i < ERRQUEUE_WORDS / 5; i++) {
        assert_true(pop());
        assert_int_equal(out.id, i);
    }
    assert_false(pop());
    for (uint32_t i = 0; i < 100; i++)
        push(i, 2060);
    assert_int_equal(pop_all(), ERRQUEUE_WORDS / (3 + 258));
}

static void errqueue_obeys_so_rcvbuf(void **state)
{
    (void)state;
    store_relaxed(&slot->rx_limit, 5000);
    for (uint32_t i = 0; i < 100; i++)
        push(i, 16);
    assert_int_equal(pop_all(), 6); /* 768 bytes each, below the limit with the last */
    push(1, 16);
    assert_int_equal(pop_all(), 1);
}

static void errqueue_makes_the_descriptor_readable(void **state)
{
    char token;
    (void)state;

    assert_true(wake_settle(&mem.bus, at.slot, at.fd));
    assert_int_equal(recv(at.fd, &token, 1, MSG_DONTWAIT | MSG_PEEK), -1);
    push(1, 16);
    assert_int_equal(recv(at.fd, &token, 1, MSG_DONTWAIT | MSG_PEEK), 1);
    assert_true(wake_pending(&mem.bus, at.slot));
    assert_false(wake_readable(&mem.bus, at.slot));
    assert_true(
        wake_settle_reader(&mem.bus, at.slot, at.fd)); /* a reader may sleep, and takes the token along */
    assert_int_equal(recv(at.fd, &token, 1, MSG_DONTWAIT | MSG_PEEK), -1);
}

static void errqueue_is_empty_in_a_new_socket(void **state)
{
    uint32_t before = at.slot;
    (void)state;
    push(1, 16);
    busmem_socket_close(&mem.bus, &at);
    at = busmem_socket(&mem.bus);
    assert_int_equal(at.slot, before);
    assert_true(errqueue_empty(&mem.bus, at.slot));
    assert_false(pop());
}

static void errqueue_survives_scribbling(void **state)
{
    static const uint64_t sizes[] = { 2061, UINT32_MAX, UINT64_MAX, 2060 };
    (void)state;

    for (unsigned i = 0; i < 4; i++) {
        push(1, 16);
        store_relaxed(&mem.bus.data->errqueue[at.slot].word[(slot->errqueue_tail + 2) % ERRQUEUE_WORDS],
                      sizes[i]);
        assert_false(pop());
        assert_true(errqueue_empty(&mem.bus, at.slot));
    }
    store_relaxed(&slot->errqueue_head, slot->errqueue_tail + 2);
    assert_false(pop());
    store_relaxed(&slot->errqueue_tail, slot->errqueue_head + 1); /* more than there is room for */
    push(1, 16);
    assert_true(pop_all() < ERRQUEUE_WORDS * 1000);
    store_relaxed(&slot->errqueue_charge, UINT32_MAX);
    push(1, 16);
    pop_all();
    assert_true(errqueue_empty(&mem.bus, at.slot));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(errqueue_gives_back_what_was_put_in_order),
        TEST(errqueue_drops_what_has_no_room),
        TEST(errqueue_obeys_so_rcvbuf),
        TEST(errqueue_makes_the_descriptor_readable),
        TEST(errqueue_is_empty_in_a_new_socket),
        TEST(errqueue_survives_scribbling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
