/* tests/unit/counters.c - interface statistics, counted by many threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include "bus/counters.h"
#include "unit/busmem.h"

static struct busmem mem;

static int set_up(void **state)
{
    (void)state;
    busmem_open(&mem);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    busmem_close(&mem);
    return 0;
}

static void counters_add_up(void **state)
{
    struct link_counts sum;

    (void)state;
    for (unsigned shard = 0; shard < COUNTER_SHARDS; shard++) {
        counters_add(&mem.bus.data->counters[3][shard], COUNT_LOOPED, 8);
        counters_add(&mem.bus.data->counters[3][shard], COUNT_SENT, 64);
        counters_add(&mem.bus.data->counters[3][shard], COUNT_RECEIVED, 2048);
        counters_add(&mem.bus.data->counters[3][shard], COUNT_SENT, 0);
    }
    sum = counters_sum(mem.bus.data, 3);
    assert_int_equal(sum.tx_packets, 3 * COUNTER_SHARDS);
    assert_int_equal(sum.tx_bytes, 72 * COUNTER_SHARDS);
    assert_int_equal(sum.rx_packets, 2 * COUNTER_SHARDS);
    assert_int_equal(sum.rx_bytes, 2056 * COUNTER_SHARDS);
    assert_int_equal(counters_sum(mem.bus.data, 2).tx_packets, 0);
    counters_clear(mem.bus.data, 3);
    sum = counters_sum(mem.bus.data, 3);
    assert_int_equal(
        sum.tx_packets + sum.tx_bytes + sum.rx_packets + sum.rx_bytes + sum.tx_dropped + sum.rx_dropped, 0);
}

#define THREADS   4u
#define ADDITIONS 100000u

static void *add_many(void *argument)
{
    for (unsigned i = 0; i < ADDITIONS; i++)
        counters_add(argument, COUNT_LOOPED, i % 100);
    return NULL;
}

static void counters_lose_nothing_to_each_other(void **state)
{
    pthread_t thread[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, add_many, &mem.bus.data->counters[0][0]);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(counters_sum(mem.bus.data, 0).rx_packets, THREADS * ADDITIONS);
    assert_int_equal(counters_sum(mem.bus.data, 0).rx_bytes, THREADS * (ADDITIONS / 100) * 4950ull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counters_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counters_lose_nothing_to_each_other, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
