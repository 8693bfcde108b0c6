/* tests/unit/mqueue.c - message queues: order, limits, wrapping; readers in competition; readers that are killed; scribbled positions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include "bus/mqueue.h"
#include "busmem.h"

#define SLOT 3
#define MANY 40000u

static struct busmem mem;
static struct mqueue_writer writer;
static uint8_t bytes[70000], got[70000];

static void *window(void) { return &mem.bus.ext->window[SLOT]; }

static int open_memory(void **state)
{
    (void)state;
    busmem_open(&mem);
    mqueue_reset(&mem.bus, SLOT, &writer);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    return 0;
}

static int close_memory(void **state)
{
    (void)state;
    busmem_close(&mem);
    return 0;
}

static int put(uint32_t size, uint32_t number, uint32_t limit)
{
    struct mqueue_message message = { size, number, number * 10ull };
    struct iovec parts[2] = { { bytes, size / 3 }, { bytes + size / 3, size - size / 3 } };

    return mqueue_put(&mem.bus, SLOT, window(), &writer, &message, parts, 2, 100, limit);
}

static int to_got(void *context, uint32_t at, const void *part, uint32_t size)
{
    memcpy((uint8_t *)context + at, part, size);
    return 0;
}

static int take(bool peek, struct mqueue_message *message)
{
    return mqueue_take(&mem.bus, SLOT, window(), peek, message, to_got, got);
}

static void expect(uint32_t size, uint32_t number)
{
    struct mqueue_message message;

    for (int peek = 1; peek >= 0; peek--) {
        memset(got, 0, sizeof(got));
        assert_int_equal(take(peek, &message), 1);
        assert_int_equal(message.size, size);
        assert_int_equal(message.ifindex, number);
        assert_int_equal(message.time_ns, number * 10ull);
        assert_memory_equal(got, bytes, size);
    }
}

static void sizes_and_wrapping(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 31, 32, 33, 72, 512, 513, 4095, 18560, 66000 };
    struct mqueue_message message;

    (void)state;
    assert_true(mqueue_empty(&mem.bus, SLOT));
    assert_int_equal(take(false, &message), 0);
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t size = sizes[i % 11], next = sizes[(i * 5 + 2) % 11];
        assert_int_equal(put(size, i, 1000), 0);
        assert_int_equal(put(next, i + 1, 1000), 0);
        assert_false(mqueue_empty(&mem.bus, SLOT));
        expect(size, i);
        expect(next, i + 1);
        assert_true(mqueue_empty(&mem.bus, SLOT));
    }
    assert_true(load_relaxed(&mem.bus.data->slot[SLOT].queue_head) % (2 << 20) <
                300000); /* stays near the begin */
}

static void limits(void **state)
{
    struct mqueue_message message;
    uint32_t count = 0;

    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(put(10, i, 250), 0);
    assert_int_equal(put(10, 3, 250), -ENOBUFS); /* 300 charged */
    assert_int_equal(take(false, &message), 1);
    assert_int_equal(put(10, 3, 250), 0);
    while (put(66000, 9, UINT32_MAX) == 0) /* the window itself */
        count++;
    assert_in_range(count, 25, 32);
    for (uint32_t i = 0; i < 3 + count; i++)
        assert_int_equal(take(false, &message), 1);
    assert_int_equal(take(false, &message), 0);
}

static int refuse(void *context, uint32_t at, const void *part, uint32_t size)
{
    (void)context, (void)at, (void)part, (void)size;
    return -EFAULT;
}

static void bad_memory_of_the_reader(void **state)
{
    struct mqueue_message message;

    (void)state;
    put(10, 1, 1000);
    assert_int_equal(mqueue_take(&mem.bus, SLOT, window(), true, &message, refuse, NULL), -EFAULT);
    assert_int_equal(mqueue_take(&mem.bus, SLOT, window(), false, &message, refuse, NULL), -EFAULT);
    assert_true(mqueue_empty(&mem.bus, SLOT));
}

/* Whatever stands there: no crash, nothing beyond the window, and the queue works again when it is empty. */
static void scribbled(void **state)
{
    static const uint64_t positions[] = { 1, 31, 1ull << 63, UINT64_MAX, 3 << 20, 2 << 20, 64 };
    struct mqueue_message message;

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        for (unsigned j = 0; j < 7; j++) {
            memset(window(), (int)(i * 37 + j), WINDOW_SIZE);
            store_seq(&mem.bus.data->slot[SLOT].queue_tail, positions[i]);
            store_seq(&mem.bus.data->slot[SLOT].queue_head, positions[j]);
            mqueue_take(&mem.bus, SLOT, window(), true, &message, refuse, NULL);
            mqueue_take(&mem.bus, SLOT, window(), false, &message, refuse, NULL);
            put(66000, 1, 1000);
        }
    }
    mqueue_reset(&mem.bus, SLOT, &writer);
    assert_int_equal(put(5, 7, 1000), 0);
    expect(5, 7);
}

/* ---- competition ---- */

/* seen[n]: how often message n was taken; shared with processes. */
static atomic_u32 *seen, *wrong, *done;

static int compare(void *context, uint32_t at, const void *part, uint32_t size)
{
    uint8_t *copy = context;

    if (at + size <= 4096) memcpy(copy + at, part, size);
    return 0;
}

static void read_all(void)
{
    struct mqueue_message message;
    uint8_t copy[4096];

    while (!load_acquire(done) || !mqueue_empty(&mem.bus, SLOT)) {
        if (mqueue_take(&mem.bus, SLOT, window(), false, &message, compare, copy) != 1) continue;
        if (message.ifindex >= MANY || message.size != message.ifindex % 3000 ||
            memcmp(copy, bytes, message.size))
            add_relaxed(wrong, 1);
        else
            add_relaxed(&seen[message.ifindex], 1);
    }
}

static void *reader(void *unused)
{
    (void)unused;
    read_all();
    return NULL;
}

static void write_all(void)
{
    for (uint32_t i = 0; i < MANY; i++)
        while (put(i % 3000, i, UINT32_MAX) != 0)
            ;
    store_release(done, 1);
}

static void prepare(void)
{
    seen = mmap(NULL, (MANY + 2) * sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(seen, MAP_FAILED);
    wrong = seen + MANY;
    done = wrong + 1;
}

static uint32_t count_missing(void)
{
    uint32_t missing = 0;

    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(seen[i] <= 1);
        missing += seen[i] == 0;
    }
    assert_int_equal(*wrong, 0);
    munmap(seen, (MANY + 2) * sizeof(*seen));
    return missing;
}

static void readers_compete(void **state)
{
    pthread_t threads[3];

    (void)state;
    prepare();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
    write_all();
    for (unsigned i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count_missing(), 0);
}

static pid_t fork_reader(void)
{
    pid_t pid = fork();

    if (pid) return pid;
    read_all();
    _exit(0);
}

/* A killed reader may have taken a message that it did not count: one each. */
static void readers_are_killed(void **state)
{
    pid_t pids[2], writing;
    uint32_t kills = 0;

    (void)state;
    prepare();
    writing = fork();
    if (writing == 0) {
        write_all();
        _exit(0);
    }
    for (unsigned i = 0; i < 2; i++)
        pids[i] = fork_reader();
    while (!load_acquire(done)) {
        unsigned i = kills % 2;
        usleep(500);
        if (kills < 300) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
            pids[i] = fork_reader();
            kills++;
        }
    }
    for (unsigned i = 0; i < 2; i++)
        waitpid(pids[i], NULL, 0);
    waitpid(writing, NULL, 0);
    assert_true(kills > 3);
    assert_in_range(count_missing(), 0, kills);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sizes_and_wrapping, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(limits, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(bad_memory_of_the_reader, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(scribbled, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(readers_compete, open_memory, close_memory),
        cmocka_unit_test_setup_teardown(readers_are_killed, open_memory, close_memory),
    };
    return cmocka_run_group_tests_name("mqueue", tests, NULL, NULL);
}
