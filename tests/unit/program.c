/* tests/unit/program.c - programs in socket slots: attaching, reading back, being run, and one that changes while it runs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/filter.h>
#include <pthread.h>
#include "bus/program.h"
#include "unit/busmem.h"

static struct busmem mem;
static struct busmem_socket at;
static uint8_t bytes[16];
static const struct bus_frame frame = { .frame = bytes, .size = 16 };

static int set_up(void **state)
{
    (void)state;
    busmem_open(&mem);
    at = busmem_socket(&mem.bus);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    busmem_socket_close(&mem.bus, &at);
    busmem_close(&mem);
    return 0;
}

/* `count` instructions that all say `k`; the last one returns the sum of what the others saw. */
static void attach(uint32_t k, uint32_t count)
{
    struct sock_filter program[PROGRAM_MAX];

    for (uint32_t i = 0; i < count; i++)
        program[i] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, k);
    program[count - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    program_attach(&mem.bus, at.slot, program, count);
}

static uint32_t run(void)
{
    const struct program_context context = { .ifindex = 1 };
    return program_run(&mem.bus, at.slot, &frame, &context);
}
static bool is_flagged(void) { return load_relaxed(&mem.bus.data->slot[at.slot].rx_flags) & RX_BPF; }

static void program_attach_and_detach(void **state)
{
    struct sock_filter back[PROGRAM_MAX];
    (void)state;

    assert_int_equal(program_get(&mem.bus, at.slot, back), 0);
    assert_false(program_detach(&mem.bus, at.slot));
    attach(3, 4);
    assert_true(is_flagged());
    assert_int_equal(run(), 9);
    assert_int_equal(program_get(&mem.bus, at.slot, back), 4);
    assert_int_equal(back[0].code, BPF_ALU | BPF_ADD | BPF_K);
    assert_int_equal(back[2].k, 3);
    slot_update_rx_flags(&mem.bus, at.slot);
    assert_true(is_flagged());
    assert_true(program_detach(&mem.bus, at.slot));
    assert_false(is_flagged());
    assert_int_equal(program_get(&mem.bus, at.slot, back), 0);
}

static void program_is_gone_in_a_new_socket(void **state)
{
    uint32_t before = at.slot;
    struct sock_filter back[PROGRAM_MAX];
    (void)state;

    attach(1, 2);
    busmem_socket_close(&mem.bus, &at);
    at = busmem_socket(&mem.bus);
    assert_int_equal(at.slot, before);
    assert_false(is_flagged());
    assert_int_equal(program_get(&mem.bus, at.slot, back), 0);
}

static void program_verdict_is_at_most_the_frame(void **state)
{
    (void)state;
    attach(100, 3);
    assert_int_equal(run(), 16);
}

static void program_counts_that_make_no_sense_are_clamped(void **state)
{
    struct slot_program *program = &mem.bus.data->program[at.slot];
    struct sock_filter back[PROGRAM_MAX];
    (void)state;

    attach(1, 2);
    store_relaxed(&program->count[load_relaxed(&program->current) & 1], UINT32_MAX);
    assert_int_equal(run(), 1);
    assert_int_equal(program_get(&mem.bus, at.slot, back), PROGRAM_MAX);
}

static atomic_u32 stop;

static void *change(void *unused)
{
    for (uint32_t i = 0; !load_relaxed(&stop); i++)
        attach(i % 2, i % 2 ? 10 : 200); /* says 9, or 0: nothing between */
    return unused;
}

static void program_never_runs_half_replaced(void **state)
{
    pthread_t thread;
    (void)state;

    attach(1, 10);
    store_relaxed(&stop, 0);
    assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t verdict = run();
        if (verdict != 9 && verdict != 0) fail_msg("verdict %u", verdict);
    }
    store_relaxed(&stop, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(program_attach_and_detach),
        TEST(program_is_gone_in_a_new_socket),
        TEST(program_verdict_is_at_most_the_frame),
        TEST(program_counts_that_make_no_sense_are_clamped),
        TEST(program_never_runs_half_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
