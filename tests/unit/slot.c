/* tests/unit/slot.c - the life of socket slots: claims, ends, the sweep; filters and bindings as a sender sees them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/can.h>
#include <poll.h>
#include <pthread.h>
#include "bus/ring.h"
#include "unit/busmem.h"

static struct busmem mem;
static uint32_t ifindex[2], stale[SOCKETS_MAX];
static uint64_t waiting[SOCKETS_MAX];
static struct busmem_socket sender;

static int set_up(void **state)
{
    (void)state;
    busmem_open(&mem);
    ifindex[0] = busmem_link(&mem, 0);
    ifindex[1] = busmem_link(&mem, 1);
    memset(stale, 0, sizeof(stale));
    memset(waiting, 0, sizeof(waiting));
    sender = busmem_socket(&mem.bus);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    busmem_socket_close(&mem.bus, &sender);
    busmem_close(&mem);
    return 0;
}

static void send_id(uint32_t index, uint32_t id)
{
    _Alignas(8) struct can_frame can = { .can_id = id, .can_dlc = 1 };
    struct bus_frame frame = {
        .frame = &can,
        .size = 16,
        .origin = sender.slot,
        .owner = sender.slot,
        .token_fd = sender.fd,
        .loopback = true,
    };
    bus_send(&mem.bus, index, load_relaxed(&mem.control->links[index].state), &frame);
}

/* How many frames wait in the socket's ring; takes them. */
static unsigned taken(uint32_t slot)
{
    struct ring_item item;
    unsigned count = 0;

    while (ring_pop(&mem.bus, slot, &item))
        count++;
    return count;
}

static uint32_t state_of(uint32_t slot) { return load_relaxed(&mem.bus.data->life[slot]) & 3; }

/* ---- life ---- */

static void slot_numbers_are_used_again_with_another_generation(void **state)
{
    struct busmem_socket first = busmem_socket(&mem.bus), second;

    (void)state;
    assert_int_equal(state_of(first.slot), SLOT_OPEN);
    busmem_socket_close(&mem.bus, &first);
    assert_int_equal(state_of(first.slot), SLOT_FREE);
    second = busmem_socket(&mem.bus);
    assert_int_equal(second.slot, first.slot);
    assert_int_not_equal(second.gen, first.gen);
    slot_end(&mem.bus, first.slot, first.gen); /* too late: it is somebody else's */
    assert_int_equal(state_of(second.slot), SLOT_OPEN);
    busmem_socket_close(&mem.bus, &second);
}

static void slot_open_refuses_a_claim_that_was_lost(void **state)
{
    uint32_t gen;
    int slot = slot_claim(&mem.bus, &gen);

    (void)state;
    slot_end(&mem.bus, (uint32_t)slot, gen);
    assert_int_equal(slot_open(&mem.bus, (uint32_t)slot, gen), -ESTALE);
}

static void slot_table_can_be_full(void **state)
{
    uint32_t gen;

    (void)state;
    for (uint32_t i = 1; i < SOCKETS_MAX; i++)
        assert_true(slot_claim(&mem.bus, &gen) >= 0);
    assert_int_equal(slot_claim(&mem.bus, &gen), -ENFILE);
    slot_end(&mem.bus, 77, load_relaxed(&mem.bus.data->life[77]) >> 2);
    assert_int_equal(slot_claim(&mem.bus, &gen), 77);
}

/* Nobody closed these: they died, and no sweep has come yet. */
static void slot_table_full_of_the_dead_has_room(void **state)
{
    uint32_t gen, living = 0;

    (void)state;
    for (uint32_t i = 1; i < SOCKETS_MAX; i++)
        close(busmem_socket(&mem.bus).fd);
    assert_true(slot_claim(&mem.bus, &gen) >= 0);
    for (uint32_t number = 0; number < SOCKETS_MAX; number++)
        living += state_of(number) == SLOT_OPEN;
    assert_int_equal(living, 1); /* the sender */
}

static void slot_sweep_frees_the_dead_and_nobody_else(void **state)
{
    struct busmem_socket dead = busmem_socket(&mem.bus), alive = busmem_socket(&mem.bus);
    uint32_t gen;
    int claimed = slot_claim(&mem.bus, &gen);
    struct sockaddr_un address;

    (void)state;
    close(dead.fd);
    assert_int_equal(slot_sweep(&mem.bus, stale), 1);
    assert_int_equal(state_of(dead.slot), SLOT_FREE);
    assert_int_equal(state_of(alive.slot), SLOT_OPEN);
    assert_int_equal(state_of((uint32_t)claimed), SLOT_CLAIMED); /* perhaps it is only slow */
    assert_int_equal(slot_sweep(&mem.bus, stale), 1);
    assert_int_equal(state_of((uint32_t)claimed), SLOT_FREE);
    assert_true(wake_address(&mem.bus, dead.slot, dead.gen, &address) > 0);
    assert_int_not_equal(access(address.sun_path, F_OK), 0);
    store_relaxed(&mem.bus.data->life[alive.slot],
                  alive.gen << 2 | SLOT_ENDING); /* whoever ended it was killed */
    assert_int_equal(slot_sweep(&mem.bus, stale), 0);
    assert_int_equal(slot_sweep(&mem.bus, stale), 1);
    assert_int_equal(state_of(alive.slot), SLOT_FREE);
    close(alive.fd);
}

static void slot_nudge_wakes_who_waits_for_what_is_there(void **state)
{
    struct busmem_socket reader = busmem_socket(&mem.bus);
    struct pollfd pfd = { .fd = reader.fd, .events = POLLIN };

    (void)state;
    slot_bind(&mem.bus, reader.slot, 0, ifindex[0]);
    store_relaxed(&mem.bus.data->slot[reader.slot].armed, WAKE_SENT); /* and nothing was sent */
    send_id(0, 1);
    assert_int_equal(poll(&pfd, 1, 0), 0);
    slot_nudge(&mem.bus, waiting);
    assert_int_equal(poll(&pfd, 1, 0), 0); /* not at once */
    slot_nudge(&mem.bus, waiting);
    assert_int_equal(poll(&pfd, 1, 0), 1);
    busmem_socket_close(&mem.bus, &reader);
}

static void slot_lock_is_taken_from_the_dead(void **state)
{
    struct can_filter filter = { 5, CAN_SFF_MASK };
    struct busmem_socket sock = busmem_socket(&mem.bus);

    (void)state;
    store_relaxed(&mem.bus.data->slot[sock.slot].lock, 12345);
    slot_set_filters(&mem.bus, sock.slot, &filter, 1);
    assert_int_equal(load_relaxed(&mem.bus.data->slot[sock.slot].lock), 0);
    busmem_socket_close(&mem.bus, &sock);
}

/* ---- bindings and filters ---- */

static void slot_receives_from_its_interface_only(void **state)
{
    struct busmem_socket sock = busmem_socket(&mem.bus);

    (void)state;
    send_id(0, 1);
    assert_int_equal(taken(sock.slot), 0);
    slot_bind(&mem.bus, sock.slot, 0, ifindex[0]);
    send_id(0, 1);
    send_id(1, 1);
    assert_int_equal(taken(sock.slot), 1);
    slot_bind(&mem.bus, sock.slot, 1, ifindex[1]);
    send_id(0, 1);
    assert_int_equal(taken(sock.slot), 0);
    slot_bind(&mem.bus, sock.slot, IMAP_ANY, 0);
    send_id(0, 1);
    send_id(1, 1);
    assert_int_equal(taken(sock.slot), 2);
    busmem_socket_close(&mem.bus, &sock);
    send_id(0, 1);
    assert_int_equal(taken(sock.slot), 0);
}

static void slot_filters_are_exact_after_many_changes(void **state)
{
    struct busmem_socket sock = busmem_socket(&mem.bus);
    struct can_filter filters[20], got[FILTERS_MAX];

    (void)state;
    srand(7);
    slot_bind(&mem.bus, sock.slot, 0, ifindex[0]);
    for (unsigned round = 0; round < 300; round++) {
        uint32_t count = (uint32_t)rand() % 20, wanted = 0;
        for (uint32_t i = 0; i < count; i++)
            filters[i] = (struct can_filter){ (uint32_t)rand() % 16, rand() % 2 ? CAN_SFF_MASK : 0xC00007FF };
        slot_set_filters(&mem.bus, sock.slot, filters, count);
        assert_int_equal(slot_get_filters(&mem.bus, sock.slot, got), count);
        assert_memory_equal(got, filters, count * sizeof(*filters));
        for (uint32_t id = 0; id < 16; id++) {
            bool match = false;
            for (uint32_t i = 0; i < count; i++)
                match |= filters[i].can_id == id;
            wanted += match;
            send_id(0, id);
        }
        assert_int_equal(taken(sock.slot), wanted);
    }
    busmem_socket_close(&mem.bus, &sock);
    for (uint32_t row = 0; row < IMAP_ROWS; row++)
        assert_int_equal((uint32_t)load_relaxed(&mem.bus.data->map[0].head[row]), 0);
}

static void slot_of_a_deleted_interface_is_told(void **state)
{
    struct busmem_socket sock = busmem_socket(&mem.bus), other = busmem_socket(&mem.bus);

    (void)state;
    slot_bind(&mem.bus, sock.slot, 0, ifindex[0]);
    slot_bind(&mem.bus, other.slot, 1, ifindex[1]);
    slot_link_down(&mem.bus, 0, ifindex[0], false, sender.fd);
    assert_int_equal(load_relaxed(&mem.bus.data->slot[sock.slot].error), ENETDOWN);
    assert_int_equal(load_relaxed(&mem.bus.data->slot[sock.slot].bound), 1);
    slot_link_down(&mem.bus, 0, ifindex[0], true, sender.fd);
    assert_int_equal(load_relaxed(&mem.bus.data->slot[sock.slot].error), ENODEV);
    assert_int_equal(load_relaxed(&mem.bus.data->slot[sock.slot].bound), 0);
    assert_int_equal(load_relaxed(&mem.bus.data->slot[other.slot].error), 0);
    send_id(0, 1);
    assert_int_equal(taken(sock.slot), 0);
    busmem_socket_close(&mem.bus, &sock);
    busmem_socket_close(&mem.bus, &other);
}

/* ---- threads: open, bind, filter, receive, close, all at once ---- */

#define THREADS 4u
#define LIVES   400u

static void *live(void *argument)
{
    uintptr_t wrong = 0;

    for (unsigned i = 0; i < LIVES; i++) {
        struct busmem_socket sock = busmem_socket(&mem.bus);
        struct can_filter filter = { i & 0x7f, CAN_SFF_MASK };
        slot_set_filters(&mem.bus, sock.slot, &filter, 1);
        slot_bind(&mem.bus, sock.slot, 1, ifindex[1]);
        send_id(1, i & 0x7f);
        wrong += taken(sock.slot) == 0;
        if (i % 2) slot_bind(&mem.bus, sock.slot, IMAP_ANY, 0);
        busmem_socket_close(&mem.bus, &sock);
    }
    (void)argument;
    return (void *)wrong; /* NOLINT(performance-no-int-to-ptr): a number */
}

static void slot_life_of_many_threads(void **state)
{
    pthread_t thread[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, live, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++)
        assert_int_equal(state_of(slot), slot == sender.slot ? SLOT_OPEN : SLOT_FREE);
    for (uint32_t row = 0; row < IMAP_ROWS; row++)
        assert_int_equal((uint32_t)load_relaxed(&mem.bus.data->map[1].head[row]), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(slot_numbers_are_used_again_with_another_generation),
        TEST(slot_open_refuses_a_claim_that_was_lost),
        TEST(slot_table_can_be_full),
        TEST(slot_table_full_of_the_dead_has_room),
        TEST(slot_sweep_frees_the_dead_and_nobody_else),
        TEST(slot_nudge_wakes_who_waits_for_what_is_there),
        TEST(slot_lock_is_taken_from_the_dead),
        TEST(slot_receives_from_its_interface_only),
        TEST(slot_filters_are_exact_after_many_changes),
        TEST(slot_of_a_deleted_interface_is_told),
        TEST(slot_life_of_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
