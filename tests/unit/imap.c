/* tests/unit/imap.c - interest maps against a model: a plain set of (row, slot), changed and walked at random; and with threads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "bus/imap.h"

#define SEED 20240u

static struct imap *map;

static int set_up(void **state)
{
    (void)state;
    map = mmap(NULL, sizeof(*map), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(map != MAP_FAILED);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(map, sizeof(*map));
}

/* ---- walking, as a sender does ---- */

struct walk {
    uint32_t rows[IMAP_ROWS_PER_FRAME], groups, group, words, word;
    uint64_t bits;
};

static void walk_start(struct walk *walk, uint32_t frame)
{
    *walk = (struct walk){ 0 };
    imap_rows_of_frame(frame, walk->rows);
    walk->groups = imap_groups(map, walk->rows, IMAP_ROWS_PER_FRAME);
}

static uint32_t walk_next(struct walk *walk)
{
    while (!walk->bits) {
        if (!walk->words) {
            if (!walk->groups) return SOCKET_NONE;
            walk->group = 31 - (uint32_t)__builtin_clz(walk->groups);
            walk->groups &= ~(1u << walk->group);
            walk->word = imap_group(walk->group, &walk->words) + walk->words;
        }
        walk->words--;
        walk->bits = imap_bits(map, walk->rows, IMAP_ROWS_PER_FRAME, walk->group, --walk->word);
    }
    uint32_t bit = (uint32_t)__builtin_ctzll(walk->bits);
    walk->bits &= walk->bits - 1;
    return walk->word * 64 + 63 - bit;
}

/* ---- rows ---- */

static void imap_rows_of_entries_and_frames_meet(void **state)
{
    (void)state;
    srand(SEED);
    for (unsigned i = 0; i < 2000000; i++) {
        static const uint32_t bits[] = { 0, CAN_EFF_FLAG, CAN_RTR_FLAG, CAN_ERR_FLAG,
                                         CAN_EFF_FLAG | CAN_RTR_FLAG };
        static const uint32_t masks[] = { 0,          CAN_SFF_MASK, 0xC00007FF, 0xDFFFFFFF, CAN_EFF_MASK,
                                          0x800007FF, 0x20000004,   0x80000000 };
        uint32_t id = (uint32_t)rand() & (rand() & 1 ? 3u : 0x7fu),
                 frame = (uint32_t)rand() & (rand() & 1 ? 3u : 0x7fu);
        uint32_t rows[IMAP_ROWS_PER_FRAME], row;
        bool found = false;
        if (rand() & 1) id |= (uint32_t)(rand() & 0x3ff) << 18, frame |= rand() & 1 ? id & CAN_EFF_MASK : 0;
        id |= bits[rand() % 5] | (rand() % 4 ? 0 : CAN_INV_FILTER);
        frame |= bits[rand() % 5];
        struct filter_entry entry = filter_normalise(id, masks[rand() % 8]);
        if (!filter_matches(entry, frame)) continue;
        row = imap_row(entry);
        assert_true(row < IMAP_ROWS);
        imap_rows_of_frame(frame, rows);
        for (unsigned r = 0; r < IMAP_ROWS_PER_FRAME; r++)
            found |= rows[r] == row;
        assert_true(found);
    }
}

/* ---- a model ---- */

#define MODEL_ROWS 6u
static const uint32_t model_row[MODEL_ROWS] = { IMAP_ROW_ALL,   IMAP_ROW_MASKED,      IMAP_ROW_INVERTED,
                                                IMAP_ROW_ERROR, IMAP_ROW_STD + 0x123, IMAP_ROW_STD + 0x124 };
static uint8_t model[MODEL_ROWS][SOCKETS_MAX];

static void walk_and_compare(uint32_t frame)
{
    uint32_t rows[IMAP_ROWS_PER_FRAME], last = SOCKET_NONE, slot;
    unsigned seen = 0, wanted = 0;
    struct walk walk;

    imap_rows_of_frame(frame, rows);
    walk_start(&walk, frame);
    while ((slot = walk_next(&walk)) != SOCKET_NONE) {
        bool expected = false;
        assert_true(slot < last); /* the newest first, none twice */
        last = slot;
        for (unsigned m = 0; m < MODEL_ROWS; m++)
            for (unsigned r = 0; r < IMAP_ROWS_PER_FRAME; r++)
                expected |= rows[r] == model_row[m] && model[m][slot];
        assert_true(expected);
        seen++;
    }
    for (slot = 0; slot < SOCKETS_MAX; slot++) {
        bool expected = false;
        for (unsigned m = 0; m < MODEL_ROWS; m++)
            for (unsigned r = 0; r < IMAP_ROWS_PER_FRAME; r++)
                expected |= rows[r] == model_row[m] && model[m][slot];
        wanted += expected;
    }
    assert_int_equal(seen, wanted);
}

static void imap_walk_gives_what_a_model_gives(void **state)
{
    static const uint32_t frames[] = {
        0x123, 0x124, 0x125, CAN_ERR_FLAG | 4, CAN_RTR_FLAG | 0x123, CAN_EFF_FLAG | 0x123
    };

    (void)state;
    srand(SEED);
    memset(model, 0, sizeof(model));
    for (unsigned round = 0; round < 600; round++) {
        uint32_t range = round % 3 == 0 ? SOCKETS_MAX : round % 3 == 1 ? 300 : 3;
        for (unsigned i = 0; i < 20; i++) {
            uint32_t m = (uint32_t)rand() % MODEL_ROWS, slot = (uint32_t)rand() % range;
            bool on = round < 300 ? rand() % 3 : !(rand() % 3);
            if (on)
                imap_set(map, model_row[m], slot);
            else
                imap_clear(map, model_row[m], slot);
            model[m][slot] = on;
        }
        walk_and_compare(frames[round % 6]);
    }
}

static void imap_groups_cover_every_word_once(void **state)
{
    uint32_t next = 0, count;

    (void)state;
    for (uint32_t group = 0; group < 32; group++) {
        assert_int_equal(imap_group(group, &count), next);
        next += count;
    }
    assert_int_equal(next, IMAP_WORDS);
}

static void imap_of_nobody_has_empty_heads(void **state)
{
    (void)state;
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot += 5)
        imap_set(map, IMAP_ROW_ALL, slot);
    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot += 5)
        imap_clear(map, IMAP_ROW_ALL, slot);
    assert_int_equal((uint32_t)load_relaxed(&map->head[IMAP_ROW_ALL]), 0);
}

/* ---- threads: each sets and clears its own column; whoever is set must be found ---- */

#define THREADS 4u
#define CHANGES 60000u

static bool finds(uint32_t frame, uint32_t wanted)
{
    struct walk walk;
    uint32_t slot;

    walk_start(&walk, frame);
    while ((slot = walk_next(&walk)) != SOCKET_NONE)
        if (slot == wanted) return true;
    return false;
}

static void *change(void *argument)
{
    uint32_t slot = (uint32_t)(uintptr_t)argument;
    uintptr_t lost = 0;

    for (unsigned i = 0; i < CHANGES; i++) {
        imap_set(map, IMAP_ROW_STD + 5, slot);
        lost += !finds(5, slot);
        imap_clear(map, IMAP_ROW_STD + 5, slot);
        lost += finds(5, slot);
    }
    return (void *)lost; /* NOLINT(performance-no-int-to-ptr): a number */
}

static void imap_set_is_found_whatever_others_do(void **state)
{
    pthread_t thread[THREADS];

    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++) /* most under one bit of the head */
        assert_int_equal(pthread_create(&thread[i], NULL, change, (void *)(SOCKETS_MAX - 1 - i * 70)),
                         0); /* NOLINT */
    for (unsigned i = 0; i < THREADS; i++) {
        void *lost;
        pthread_join(thread[i], &lost);
        assert_null(lost);
    }
    assert_int_equal((uint32_t)load_relaxed(&map->head[IMAP_ROW_STD + 5]), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(imap_rows_of_entries_and_frames_meet), TEST(imap_walk_gives_what_a_model_gives),
        TEST(imap_groups_cover_every_word_once),    TEST(imap_of_nobody_has_empty_heads),
        TEST(imap_set_is_found_whatever_others_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
