/* tests/unit/ring.c - the receive ring in one thread: order, limits, sizes, holes, and words that nobody ever wrote. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "bus/ring.h"
#include "unit/busmem.h"

enum { FREE, BUSY, READY, QUARANTINED }; /* ring.c */

static struct busmem mem;
static struct busmem_socket reader, writer, dead;
static struct ring *ring;
static struct bus_slot *at;

static int set_up(void **state)
{
    (void)state;
    busmem_open(&mem);
    reader = busmem_socket(&mem.bus);
    writer = busmem_socket(&mem.bus);
    dead = busmem_socket(&mem.bus);
    close(dead.fd);
    ring = &mem.bus.data->ring[reader.slot];
    at = &mem.bus.data->slot[reader.slot];
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

/* Frames are counted: the number fills every byte that matters. */
static int push_sized(uint32_t number, uint32_t size, uint32_t limit, uint32_t owner)
{
    _Alignas(8) uint8_t bytes[RING_EXT_SIZE];
    struct ring_meta meta = {
        .gen = reader.gen, .time_ns = number, .ifindex = 7, .record_flags = RECORD_LOCAL, .limit = limit
    };
    struct bus_frame frame = {
        .frame = bytes, .size = size, .origin = 3, .origin_gen = 4, .owner = owner, .mark = number
    };

    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number + i);
    return ring_push(&mem.bus, reader.slot, &frame, &meta);
}

static int push(uint32_t number) { return push_sized(number, 16, RING_SLOTS, writer.slot); }

static void assert_item(const struct ring_item *item, uint32_t number, uint32_t size)
{
    assert_int_equal(item->size, size);
    assert_int_equal(item->time_ns, number);
    assert_int_equal(item->mark, number);
    assert_int_equal(item->ifindex, 7);
    assert_int_equal(item->origin, 3);
    assert_int_equal(item->origin_gen, 4);
    assert_int_equal(item->record_flags, RECORD_LOCAL);
    for (uint32_t i = 0; i < size; i++)
        assert_int_equal(item->frame[i], (uint8_t)(number + i));
}

static void assert_pops(uint32_t number)
{
    struct ring_item item;

    assert_false(ring_empty(&mem.bus, reader.slot));
    assert_true(ring_peek(&mem.bus, reader.slot, &item));
    assert_item(&item, number, 16);
    assert_true(ring_pop(&mem.bus, reader.slot, &item));
    assert_item(&item, number, 16);
}

static void assert_empty(void)
{
    struct ring_item item;

    assert_false(ring_peek(&mem.bus, reader.slot, &item));
    assert_false(ring_pop(&mem.bus, reader.slot, &item));
    assert_true(ring_empty(&mem.bus, reader.slot));
}

/* Whatever happened to it: the ring takes RING_SLOTS frames, and gives them back. */
static void assert_whole(void)
{
    for (uint32_t i = 0; i < RING_SLOTS; i++)
        assert_int_equal(push(i), 0);
    assert_int_equal(push(0), -ENOBUFS);
    assert_int_equal(ring_count(&mem.bus, reader.slot), RING_SLOTS);
    for (uint32_t i = 0; i < RING_SLOTS; i++)
        assert_pops(i);
    assert_empty();
}

static uint64_t word(uint64_t ticket, uint32_t owner, unsigned state)
{
    return ticket << 16 | (uint64_t)owner << 2 | state;
}

/* A writer claims the next record and goes no further. */
static uint64_t claim(uint32_t owner)
{
    uint64_t head = load_relaxed(&at->head);

    store_relaxed(&ring_record_of(&mem.bus, mem.bus.data, reader.slot, head)->word, word(head, owner, BUSY));
    store_relaxed(&at->head, head + 1);
    return head;
}

/* ---- tests ---- */

static void ring_gives_back_what_was_put_in(void **state)
{
    (void)state;
    assert_empty();
    for (uint32_t lap = 0; lap < 3; lap++)
        assert_whole();
}

static void ring_counts_what_it_refuses(void **state)
{
    struct ring_item item;

    (void)state;
    store_relaxed(&at->option[OPT_RXQ_OVFL], 1);
    for (uint32_t i = 0; i < RING_SLOTS; i++)
        push(i);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(push(i), -ENOBUFS);
    assert_int_equal(load_relaxed(&at->drops), 5);
    assert_true(ring_pop(&mem.bus, reader.slot, &item));
    assert_int_equal(item.drops, 0);
    assert_int_equal(push(99), 0);
    for (uint32_t i = 1; i < RING_SLOTS; i++)
        assert_pops(i);
    assert_true(ring_pop(&mem.bus, reader.slot, &item));
    assert_item(&item, 99, 16);
    assert_int_equal(item.drops, 5);
}

static void ring_records_tell_no_drops_unless_asked(void **state)
{
    struct ring_item item;

    (void)state;
    for (uint32_t i = 0; i <= RING_SLOTS; i++)
        push(i);
    assert_int_equal(load_relaxed(&at->drops), 1);
    assert_pops(0);
    assert_int_equal(push(99), 0);
    for (uint32_t i = 1; i < RING_SLOTS; i++)
        assert_pops(i);
    assert_true(ring_pop(&mem.bus, reader.slot, &item));
    assert_int_equal(item.drops, 0);
}

static void ring_limit_is_exact(void **state)
{
    static const uint32_t limits[] = { 1, 2, 7, 278, RING_SLOTS - 1, RING_SLOTS };

    (void)state;
    for (unsigned l = 0; l < sizeof(limits) / sizeof(*limits); l++) {
        for (uint32_t i = 0; i < limits[l]; i++)
            assert_int_equal(push_sized(i, 16, limits[l], writer.slot), 0);
        assert_int_equal(push_sized(0, 16, limits[l], writer.slot), -ENOBUFS);
        assert_pops(0);
        assert_int_equal(push_sized(77, 16, limits[l], writer.slot), 0);
        assert_int_equal(push_sized(0, 16, limits[l], writer.slot), -ENOBUFS);
        for (uint32_t i = 1; i < limits[l]; i++)
            assert_pops(i);
        assert_pops(77);
        assert_empty();
    }
}

static void ring_keeps_every_size(void **state)
{
    struct ring_item item;

    (void)state;
    for (uint32_t size = 13; size <= XL_SIZE_MAX; size++) {
        assert_int_equal(push_sized(size, size, RING_SLOTS, writer.slot), 0);
        assert_true(ring_peek(&mem.bus, reader.slot, &item));
        assert_item(&item, size, size);
        assert_true(ring_pop(&mem.bus, reader.slot, &item));
        assert_item(&item, size, size);
    }
}

static void ring_without_the_extension_refuses_large_frames(void **state)
{
    struct bus plain = mem.bus;
    struct ring_item item;
    struct ring_meta meta = { .gen = reader.gen, .limit = RING_SLOTS };
    _Alignas(8) uint8_t bytes[XL_SIZE_MAX] = { 0 };
    struct bus_frame frame = { .frame = bytes, .size = 100, .owner = writer.slot };

    (void)state;
    plain.ext = NULL;
    assert_int_equal(ring_push(&plain, reader.slot, &frame, &meta), -ENOBUFS);
    push_sized(1, 100, RING_SLOTS, writer.slot);
    push(2);
    assert_true(ring_peek(&plain, reader.slot, &item)); /* and does not hang */
    assert_item(&item, 2, 16);
    push_sized(1, 100, RING_SLOTS, writer.slot);
    assert_true(ring_pop(&plain, reader.slot, &item));
    assert_item(&item, 2, 16);
    assert_false(ring_pop(&plain, reader.slot, &item));
    assert_empty();
}

static void ring_of_a_slot_with_a_new_owner_drops_what_was_not_for_him(void **state)
{
    (void)state;
    push(1);
    store_relaxed(&mem.bus.data->slot[reader.slot].gen, reader.gen + 1);
    reader.gen++;
    push(2);
    assert_pops(2);
    assert_empty();
    reader.gen--;
}

static void ring_waits_for_a_writer_with_nothing_behind_it(void **state)
{
    (void)state;
    claim(writer.slot);
    assert_empty();
}

static void ring_passes_a_dead_writer(void **state)
{
    (void)state;
    push(1);
    claim(dead.slot);
    claim(dead.slot);
    push(2);
    assert_pops(1);
    assert_pops(2);
    assert_empty();
    assert_whole();
}

/* Nothing fits behind it, so no reader would look. */
static void ring_of_one_is_not_blocked_by_a_dead_writer(void **state)
{
    (void)state;
    claim(dead.slot);
    assert_int_equal(push_sized(5, 16, 1, writer.slot), 0);
    assert_pops(5);
    assert_empty();
    assert_whole();
}

/* Whoever claims and dies before it moved the head. */
static void ring_helps_a_dead_writer_with_the_head(void **state)
{
    (void)state;
    store_relaxed(&ring_record_of(&mem.bus, mem.bus.data, reader.slot, 0)->word, word(0, dead.slot, BUSY));
    push(1);
    assert_pops(1);
    assert_empty();
    assert_whole();
}

static void ring_goes_around_a_stopped_writer(void **state)
{
    uint64_t ticket = claim(writer.slot);

    (void)state;
    for (uint32_t lap = 0; lap < 3; lap++) {
        for (uint32_t i = 0; i < RING_SLOTS - 1; i++) /* a hole less */
            assert_int_equal(push_sized(i, 16, RING_SLOTS, SOCKETS_MAX - 1), 0);
        for (uint32_t i = 0; i < RING_SLOTS - 1; i++)
            assert_pops(i);
        assert_empty();
        assert_int_equal(load_relaxed(&ring_record_of(&mem.bus, mem.bus.data, reader.slot, ticket)->word) & 3,
                         QUARANTINED);
    }
    close(writer.fd); /* it dies: its record comes back */
    for (uint32_t i = 0; i < 3 * RING_SLOTS; i++) {
        assert_int_equal(push(i), 0);
        assert_pops(i);
    }
    assert_whole();
}

/* Of two consumers the slower one set the tail back, a whole lap and more. */
static void ring_finds_a_tail_that_was_set_back(void **state)
{
    static const uint32_t laps[] = { 1, 300, RING_SLOTS, RING_SLOTS + 300, 5 * RING_SLOTS };

    (void)state;
    for (unsigned l = 0; l < sizeof(laps) / sizeof(*laps); l++) {
        uint64_t old = load_relaxed(&at->tail);
        for (uint32_t i = 0; i < laps[l]; i++) {
            push(i);
            assert_pops(i);
        }
        store_relaxed(&at->tail, old);
        assert_int_equal(push(1), 0); /* not full */
        store_relaxed(&at->tail, old);
        assert_pops(1);
        store_relaxed(&at->tail, old);
        for (uint32_t i = 0; i < RING_SLOTS; i++) {
            assert_int_equal(push_sized(i, 16, RING_SLOTS, writer.slot), 0);
            store_relaxed(&at->tail, old);
        }
        assert_int_equal(push(0), -ENOBUFS);
        for (uint32_t i = 0; i < RING_SLOTS; i++)
            assert_pops(i);
        assert_empty();
    }
}

/* Random words, heads and tails: every call returns, and once the scribbling is over the ring serves again after some calls. */
static void ring_survives_scribbling(void **state)
{
    struct ring_item item;
    unsigned seed = 1, served = 0;

    (void)state;
    srand(seed);
    for (unsigned round = 0; round < 3000; round++) {
        for (unsigned i = 0; i < 4; i++) {
            uint64_t value =
                (uint64_t)rand() << 33 ^ (uint64_t)rand() << 16 ^ (uint64_t)rand() >> (rand() % 31);
            unsigned place = (unsigned)rand() % 6;
            if (place == 0)
                store_relaxed(&at->head, value);
            else if (place == 1)
                store_relaxed(&at->tail, value);
            else
                store_relaxed(&ring->record[(unsigned)rand() % RING_SLOTS].word, value);
        }
        push_sized(round, 16, RING_SLOTS, writer.slot);
        if (ring_pop(&mem.bus, reader.slot, &item)) {
            served++;
            assert_true(item.size <= XL_SIZE_MAX);
        }
        ring_peek(&mem.bus, reader.slot, &item);
        assert_true(ring_count(&mem.bus, reader.slot) <= RING_SLOTS);
        ring_charge(&mem.bus, reader.slot);
    }
    for (unsigned i = 0; i < 8 * RING_SLOTS && !(ring_empty(&mem.bus, reader.slot) && i > 4 * RING_SLOTS);
         i++) {
        push(i);
        ring_pop(&mem.bus, reader.slot, &item);
    }
    while (ring_pop(&mem.bus, reader.slot, &item))
        ;
    push(5);
    assert_pops(5);
    assert_true(served > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ring_gives_back_what_was_put_in),
        TEST(ring_counts_what_it_refuses),
        TEST(ring_records_tell_no_drops_unless_asked),
        TEST(ring_limit_is_exact),
        TEST(ring_keeps_every_size),
        TEST(ring_without_the_extension_refuses_large_frames),
        TEST(ring_of_a_slot_with_a_new_owner_drops_what_was_not_for_him),
        TEST(ring_waits_for_a_writer_with_nothing_behind_it),
        TEST(ring_passes_a_dead_writer),
        TEST(ring_of_one_is_not_blocked_by_a_dead_writer),
        TEST(ring_helps_a_dead_writer_with_the_head),
        TEST(ring_goes_around_a_stopped_writer),
        TEST(ring_finds_a_tail_that_was_set_back),
        TEST(ring_survives_scribbling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
