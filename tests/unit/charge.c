/* tests/unit/charge.c - what send buffers are charged with: counting, other generations, counts that cannot be true. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "bus/charge.h"
#include "bus/ring.h"
#include "can/frame.h"
#include "unit/busmem.h"

static struct busmem mem;
static struct busmem_socket sender, queue;
static struct bus_slot *slot;
static uint32_t one; /* charge of a CAN frame */

/* Interface 0 is a controller whose queue is a socket's ring. */
static int set_up(void **state)
{
    struct bus_link *link;
    (void)state;

    busmem_open(&mem);
    sender = busmem_socket(&mem.bus);
    queue = busmem_socket(&mem.bus);
    slot = &mem.bus.data->slot[sender.slot];
    one = frame_charge(FRAME_CC_SIZE);
    link = &mem.control->links[0];
    store_relaxed(&link->ifindex, LINK_IFINDEX_FIRST);
    store_relaxed(&link->tx_slot, (uint64_t)queue.gen << 32 | queue.slot);
    store_relaxed(&link->tx_limit, 1000);
    store_release(&link->state,
                  link_state_pack(LINK_PRESENT | LINK_UP | LINK_CARRIER, LINK_KIND_CAN, 72, 0, 1));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    busmem_socket_close(&mem.bus, &sender);
    busmem_socket_close(&mem.bus, &queue);
    busmem_close(&mem);
    return 0;
}

static int send_frame(bool charge)
{
    static const struct can_frame frame = { .can_id = 1 };
    const struct bus_frame out = { .frame = &frame,
                                   .size = FRAME_CC_SIZE,
                                   .origin = sender.slot,
                                   .origin_gen = sender.gen,
                                   .owner = sender.slot,
                                   .token_fd = sender.fd,
                                   .charge = charge };

    return bus_send(&mem.bus, 0, load_relaxed(&mem.control->links[0].state), &out);
}

static bool take_frame(bool *charged)
{
    struct ring_item item;

    if (!ring_pop(&mem.bus, queue.slot, &item)) return false;
    *charged = item.record_flags & RECORD_CHARGED;
    if (*charged) charge_drop(&mem.bus, item.origin, item.origin_gen, item.size);
    return true;
}

static uint32_t counted(void) { return charge_counted(&mem.bus, sender.slot); }
static uint32_t checked(void) { return charge_checked(&mem.bus, sender.slot); }

static void charge_follows_frames_through_the_queue(void **state)
{
    bool charged;
    (void)state;

    for (unsigned i = 1; i <= 300; i++) {
        assert_int_equal(send_frame(true), 0);
        assert_int_equal(counted(), i * one);
    }
    assert_int_equal(checked(), 300 * one);
    for (unsigned i = 300; i-- > 0;) {
        assert_true(take_frame(&charged) && charged);
        assert_int_equal(counted(), i * one);
    }
}

static void charge_is_only_for_those_who_ask(void **state)
{
    bool charged;
    (void)state;

    assert_int_equal(send_frame(false), 0);
    assert_int_equal(counted(), 0);
    assert_true(take_frame(&charged) && !charged);
}

static void charge_is_not_made_for_a_frame_that_is_refused(void **state)
{
    (void)state;
    store_relaxed(&mem.control->links[0].tx_limit, 2);
    assert_int_equal(send_frame(true), 0);
    assert_int_equal(send_frame(true), 0);
    assert_int_equal(send_frame(true), -ENOBUFS);
    assert_int_equal(counted(), 2 * one);
}

static void charge_of_another_generation_is_none(void **state)
{
    (void)state;
    store_relaxed(&slot->tx_charge, (uint64_t)(sender.gen - 1) << 32 | 5000);
    assert_int_equal(counted(), 0);
    assert_int_equal(checked(), 0);
    charge_add(&mem.bus, sender.slot, sender.gen, FRAME_CC_SIZE);
    assert_int_equal(counted(), one);
    charge_drop(&mem.bus, sender.slot, sender.gen - 1, FRAME_CC_SIZE);
    assert_int_equal(counted(), one);
    charge_drop(&mem.bus, SOCKET_NONE, sender.gen, FRAME_CC_SIZE);
    charge_drop(&mem.bus, sender.slot, sender.gen, FRAME_CC_SIZE);
    charge_drop(&mem.bus, sender.slot, sender.gen, FRAME_CC_SIZE);
    assert_int_equal(counted(), 0);
}

/* Bytes left behind by the killed, or scribbled. */
static void charge_that_cannot_be_is_mended(void **state)
{
    static const uint32_t wrong[] = { 1, 5000, 1u << 30, UINT32_MAX };
    (void)state;

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        store_relaxed(&slot->tx_charge, (uint64_t)sender.gen << 32 | wrong[i]);
        assert_int_equal(checked(), 0);
        assert_int_equal(counted(), 0);
    }
    for (unsigned i = 0; i < 5; i++)
        send_frame(true);
    store_relaxed(&slot->tx_charge, (uint64_t)sender.gen << 32 | UINT32_MAX);
    assert_int_equal(checked(), 5 * one);
    assert_int_equal(counted(), 5 * one);
    store_relaxed(&slot->tx_charge, (uint64_t)sender.gen << 32 | UINT32_MAX);
    charge_add(&mem.bus, sender.slot, sender.gen, FRAME_CC_SIZE);
    assert_true(counted() < 1u << 31);
}

/* One frame more than is queued is what the controller has. */
static void charge_of_the_frame_in_the_controller_counts(void **state)
{
    struct ring_item item;
    (void)state;

    for (unsigned i = 0; i < 5; i++)
        send_frame(true);
    assert_true(ring_pop(&mem.bus, queue.slot, &item));
    assert_int_equal(checked(), 5 * one);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void charge_believes_in_no_queue_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(send_frame(true), 0);
    assert_int_equal(charge_checked(&mem.bus, sender.slot), one);
    store_relaxed(&mem.control->links[0].tx_slot, 1ull << 32 | SOCKETS_MAX);
    assert_int_equal(charge_checked(&mem.bus, sender.slot), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(charge_follows_frames_through_the_queue),
        TEST(charge_is_only_for_those_who_ask),
        TEST(charge_is_not_made_for_a_frame_that_is_refused),
        TEST(charge_of_another_generation_is_none),
        TEST(charge_that_cannot_be_is_mended),
        TEST(charge_of_the_frame_in_the_controller_counts),
        TEST(charge_believes_in_no_queue_that_cannot_be),
    };
    return cmocka_run_group_tests_name("charge", tests, NULL, NULL);
}
