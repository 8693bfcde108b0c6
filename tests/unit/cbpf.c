/* Unit tests of can/cbpf.c: what is a valid program, and what each instruction does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>
#include "can/cbpf.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define CHECKED(...)                                                                                         \
    cbpf_check((const struct sock_filter[]){ __VA_ARGS__ },                                                  \
               COUNT(((const struct sock_filter[]){ __VA_ARGS__ })))
#define RUN(...)                                                                                             \
    run((const struct sock_filter[]){ __VA_ARGS__ }, COUNT(((const struct sock_filter[]){ __VA_ARGS__ })))
#define RETURN(k)          BPF_STMT(BPF_RET | BPF_K, k)
#define RETURN_A           BPF_STMT(BPF_RET | BPF_A, 0)
#define LOAD(k)            BPF_STMT(BPF_LD | BPF_IMM, k)
#define LOAD_X(k)          BPF_STMT(BPF_LDX | BPF_IMM, k)
#define BYTE(at)           BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define WORD(at)           BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define ALU(op, source, k) BPF_STMT(BPF_ALU | (op) | (source), k)

/* id 0x123, 3 bytes */
static const uint8_t classical[16] = { 0x23, 1, 0, 0, 3, 0, 0, 0, 0xaa, 0xbb, 0xcc };

static uint32_t ask(uint32_t what) { return what == SKF_AD_CPU ? 7 : 4711; }

static uint32_t run_on(const uint8_t *bytes, uint32_t size, const struct sock_filter *program, uint32_t count)
{
    struct cbpf_frame frame = { bytes, size, 10001, 99, ask, 0, false };
    atomic_u64 words[64];

    assert_true(count <= COUNT(words));
    for (uint32_t i = 0; i < count; i++)
        words[i] = cbpf_pack(program[i]);
    return cbpf_run(words, count, &frame);
}

static uint32_t run(const struct sock_filter *program, uint32_t count)
{
    assert_true(cbpf_check(program, count));
    return run_on(classical, sizeof(classical), program, count);
}

/* ---- checking ---- */

static void check_wants_a_return_at_the_end(void **state)
{
    (void)state;
    assert_true(CHECKED(RETURN(0)));
    assert_true(CHECKED(RETURN_A));
    assert_false(CHECKED(LOAD(1)));
    assert_false(CHECKED(RETURN(0), LOAD(1)));
    assert_false(CHECKED(BPF_STMT(BPF_RET | BPF_X, 0)));
}

static void check_limits_the_length(void **state)
{
    static struct sock_filter program[CBPF_KERNEL_MAX + 1];
    (void)state;

    for (unsigned i = 0; i < COUNT(program); i++)
        program[i] = (struct sock_filter)RETURN(0);
    assert_false(cbpf_check(program, 0));
    assert_true(cbpf_check(program, CBPF_KERNEL_MAX));
    assert_false(cbpf_check(program, CBPF_KERNEL_MAX + 1));
}

static void check_knows_49_instructions(void **state)
{
    unsigned known = 0;
    (void)state;

    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool reads_memory = code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM);
        struct sock_filter program[] = {
            BPF_STMT(BPF_ST, 1), { (uint16_t)code, 0, 0, 1 }, RETURN(0), RETURN(0), RETURN(0)
        };
        known += cbpf_check(program + !reads_memory, COUNT(program) - !reads_memory);
    }
    assert_int_equal(known, 49);
}

static void check_refuses_constants_out_of_range(void **state)
{
    (void)state;
    assert_false(CHECKED(ALU(BPF_DIV, BPF_K, 0), RETURN(0)));
    assert_false(CHECKED(ALU(BPF_MOD, BPF_K, 0), RETURN(0)));
    assert_true(CHECKED(ALU(BPF_DIV, BPF_X, 0), RETURN(0)));
    assert_true(CHECKED(ALU(BPF_LSH, BPF_K, 31), RETURN(0)));
    assert_false(CHECKED(ALU(BPF_LSH, BPF_K, 32), RETURN(0)));
    assert_false(CHECKED(ALU(BPF_RSH, BPF_K, 32), RETURN(0)));
    assert_true(CHECKED(BPF_STMT(BPF_ST, 15), RETURN(0)));
    assert_false(CHECKED(BPF_STMT(BPF_ST, 16), RETURN(0)));
    assert_false(CHECKED(BPF_STMT(BPF_STX, 16), RETURN(0)));
}

static void check_knows_the_ancillary_words(void **state)
{
    (void)state;
    for (unsigned at = 0; at <= 64; at++)
        assert_int_equal(CHECKED(WORD(SKF_AD_OFF + at), RETURN(0)), at < SKF_AD_MAX && at % 4 == 0);
    assert_false(CHECKED(WORD(UINT32_MAX), RETURN(0)));
    assert_true(CHECKED(WORD(SKF_AD_OFF - 1), RETURN(0)));
    assert_true(CHECKED(WORD(SKF_NET_OFF), RETURN(0)));
}

static void check_refuses_jumps_out_of_the_program(void **state)
{
    (void)state;
    assert_true(CHECKED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), RETURN(0), RETURN(1)));
    assert_false(CHECKED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0), RETURN(0), RETURN(1)));
    assert_false(CHECKED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), RETURN(0), RETURN(1)));
    assert_true(CHECKED(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(0), RETURN(1)));
    assert_false(CHECKED(BPF_STMT(BPF_JMP | BPF_JA, 2), RETURN(0), RETURN(1)));
    assert_false(CHECKED(BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN(0), RETURN(1)));
}

static void check_refuses_scratch_words_that_a_path_did_not_write(void **state)
{
    (void)state;
    assert_false(CHECKED(BPF_STMT(BPF_LD | BPF_MEM, 3), RETURN(0)));
    assert_false(CHECKED(BPF_STMT(BPF_ST, 2), BPF_STMT(BPF_LDX | BPF_MEM, 3), RETURN(0)));
    assert_true(CHECKED(BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), RETURN(0)));
    assert_false(CHECKED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_ST, 3),
                         BPF_STMT(BPF_LD | BPF_MEM, 3), RETURN(0)));
    assert_true(CHECKED(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2), BPF_STMT(BPF_ST, 3),
                        BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_STX, 3), BPF_STMT(BPF_LD | BPF_MEM, 3),
                        RETURN(0)));
}

/* ---- running ---- */

static void run_loads_big_endian(void **state)
{
    (void)state;
    assert_int_equal(RUN(WORD(0), RETURN_A), 0x23010000);
    assert_int_equal(RUN(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 8), RETURN_A), 0xaabb);
    assert_int_equal(RUN(BYTE(10), RETURN_A), 0xcc);
    assert_int_equal(RUN(LOAD_X(6), BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2), RETURN_A), 0xaabb);
    assert_int_equal(RUN(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 4), BPF_STMT(BPF_MISC | BPF_TXA, 0), RETURN_A),
                     12);
    assert_int_equal(RUN(BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RETURN_A), 16);
    assert_int_equal(RUN(WORD(SKF_NET_OFF), RETURN_A), 0x23010000);
    assert_int_equal(RUN(BYTE(SKF_LL_OFF + 8), RETURN_A), 0xaa);
}

static void run_drops_on_loads_outside_the_frame(void **state)
{
    (void)state;
    assert_int_equal(RUN(BYTE(15), RETURN(5)), 5);
    assert_int_equal(RUN(BYTE(16), RETURN(5)), 0);
    assert_int_equal(RUN(WORD(12), RETURN(5)), 5);
    assert_int_equal(RUN(WORD(13), RETURN(5)), 0);
    assert_int_equal(RUN(WORD(0x7fffffff), RETURN(5)), 0);
    assert_int_equal(RUN(WORD(SKF_NET_OFF + 13), RETURN(5)), 0);
    assert_int_equal(RUN(WORD(SKF_LL_OFF - 4), RETURN(5)), 0);
    assert_int_equal(RUN(LOAD_X(UINT32_MAX), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), RETURN(5)), 0);
    assert_int_equal(RUN(LOAD_X(UINT32_MAX), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 1), RETURN(5)), 5);
    assert_int_equal(RUN(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 16), RETURN(5)), 0);
}

static void run_calculates(void **state)
{
    static const struct {
        uint16_t op;
        uint32_t a, b, result;
    } table[] = {
        { BPF_ADD, UINT32_MAX, 2, 1 },  { BPF_SUB, 1, 2, UINT32_MAX }, { BPF_MUL, 0x10001, 0x10000, 0x10000 },
        { BPF_DIV, 17, 5, 3 },          { BPF_MOD, 17, 5, 2 },         { BPF_AND, 0xf0, 0x3c, 0x30 },
        { BPF_OR, 0xf0, 0x3c, 0xfc },   { BPF_XOR, 0xf0, 0x3c, 0xcc }, { BPF_LSH, 3, 31, 0x80000000 },
        { BPF_RSH, 0x80000000, 31, 1 },
    };
    (void)state;

    for (unsigned i = 0; i < COUNT(table); i++) {
        assert_int_equal(RUN(LOAD(table[i].a), ALU(table[i].op, BPF_K, table[i].b), RETURN_A),
                         table[i].result);
        assert_int_equal(RUN(LOAD(table[i].a), LOAD_X(table[i].b), ALU(table[i].op, BPF_X, 0), RETURN_A),
                         table[i].result);
    }
    assert_int_equal(RUN(LOAD(5), ALU(BPF_NEG, BPF_K, 0), RETURN_A), (uint32_t)-5);
    assert_int_equal(RUN(LOAD(1), LOAD_X(33), ALU(BPF_LSH, BPF_X, 0), RETURN_A), 2);
}

static void run_drops_on_division_by_zero(void **state)
{
    (void)state;
    assert_int_equal(RUN(LOAD(5), ALU(BPF_DIV, BPF_X, 0), RETURN(9)), 0);
    assert_int_equal(RUN(LOAD(5), ALU(BPF_MOD, BPF_X, 0), RETURN(9)), 0);
}

static uint32_t taken(uint16_t condition, uint32_t a, uint32_t b)
{
    uint32_t by_k = RUN(LOAD(a), BPF_JUMP(BPF_JMP | condition | BPF_K, b, 0, 1), RETURN(1), RETURN(2));
    uint32_t by_x =
        RUN(LOAD(a), LOAD_X(b), BPF_JUMP(BPF_JMP | condition | BPF_X, 0, 0, 1), RETURN(1), RETURN(2));

    assert_int_equal(by_k, by_x);
    return by_k == 1;
}

static void run_jumps(void **state)
{
    (void)state;
    assert_true(taken(BPF_JEQ, 5, 5));
    assert_false(taken(BPF_JEQ, 5, 6));
    assert_true(taken(BPF_JGT, UINT32_MAX, 5));
    assert_false(taken(BPF_JGT, 5, 5));
    assert_true(taken(BPF_JGE, 5, 5));
    assert_false(taken(BPF_JGE, 4, 5));
    assert_true(taken(BPF_JSET, 6, 3));
    assert_false(taken(BPF_JSET, 4, 3));
    assert_int_equal(RUN(BPF_STMT(BPF_JMP | BPF_JA, 1), RETURN(1), RETURN(2)), 2);
}

static void run_keeps_scratch_words_and_index(void **state)
{
    (void)state;
    assert_int_equal(RUN(LOAD(8), BPF_STMT(BPF_ST, 15), LOAD(0), BPF_STMT(BPF_LD | BPF_MEM, 15), RETURN_A),
                     8);
    assert_int_equal(RUN(LOAD_X(8), BPF_STMT(BPF_STX, 0), BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN_A), 8);
    assert_int_equal(
        RUN(LOAD(8), BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD(0), BPF_STMT(BPF_MISC | BPF_TXA, 0), RETURN_A), 8);
    assert_int_equal(RUN(BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0), RETURN_A),
                     16);
}

static uint32_t word_of(uint32_t what) { return RUN(LOAD(6), LOAD_X(3), WORD(SKF_AD_OFF + what), RETURN_A); }

static void run_knows_what_is_around_the_frame(void **state)
{
    (void)state;
    assert_int_equal(word_of(SKF_AD_PROTOCOL), 0x000c);
    assert_int_equal(word_of(SKF_AD_PKTTYPE), 1);
    assert_int_equal(word_of(SKF_AD_IFINDEX), 10001);
    assert_int_equal(word_of(SKF_AD_MARK), 99);
    assert_int_equal(word_of(SKF_AD_HATYPE), 280);
    assert_int_equal(word_of(SKF_AD_CPU), 7);
    assert_int_equal(word_of(SKF_AD_RANDOM), 4711);
    assert_int_equal(word_of(SKF_AD_ALU_XOR_X), 5);
    assert_int_equal(word_of(SKF_AD_QUEUE), 0);
    assert_int_equal(word_of(SKF_AD_VLAN_TAG_PRESENT), 0);
    assert_int_equal(word_of(SKF_AD_PAY_OFFSET), 0);
}

static void run_knows_the_protocol_by_the_frame(void **state)
{
    static const struct sock_filter program[] = { WORD(SKF_AD_OFF + SKF_AD_PROTOCOL), RETURN_A };
    uint8_t fd[72] = { 1, 0, 0, 0, 64 }, xl[13] = { 1, 0, 0, 0, 0x80, 0, 1, 0 };
    (void)state;

    assert_int_equal(run_on(fd, sizeof(fd), program, COUNT(program)), 0x000d);
    assert_int_equal(run_on(xl, sizeof(xl), program, COUNT(program)), 0x000e);
}

static void run_finds_netlink_attributes(void **state)
{
    /* at 0: type 9, 5 bytes; at 8: type 3, 8 bytes, in which lies type 9, 4 bytes */
    static const uint8_t bytes[16] = { 5, 0, 9, 0, 1, 0, 0, 0, 8, 0, 3, 0, 4, 0, 9, 0 };
    static const struct {
        uint32_t what, a, x, result;
    } table[] = {
        { SKF_AD_NLATTR, 0, 3, 8 },      { SKF_AD_NLATTR, 8, 3, 8 },       { SKF_AD_NLATTR, 0, 4, 0 },
        { SKF_AD_NLATTR, 13, 3, 0 },     { SKF_AD_NLATTR, 4000, 3, 0 },    { SKF_AD_NLATTR_NEST, 8, 9, 12 },
        { SKF_AD_NLATTR_NEST, 8, 3, 0 }, { SKF_AD_NLATTR_NEST, 13, 9, 0 },
    };
    (void)state;

    for (unsigned i = 0; i < COUNT(table); i++) {
        struct sock_filter program[] = { LOAD(table[i].a), LOAD_X(table[i].x),
                                         WORD(SKF_AD_OFF + table[i].what), RETURN_A };
        assert_int_equal(run_on(bytes, sizeof(bytes), program, COUNT(program)), table[i].result);
    }
}

/* What lies in shared memory may have been scribbled over since it was checked. */
static void run_survives_programs_that_were_never_checked(void **state)
{
    static const struct sock_filter programs[][2] = {
        { BPF_STMT(BPF_JMP | BPF_JA, UINT32_MAX), RETURN(1) }, { BPF_STMT(BPF_ST, UINT32_MAX), RETURN(1) },
        { BPF_STMT(BPF_LD | BPF_MEM, 4096), RETURN(1) },       { BPF_STMT(0xffff, 0), RETURN(1) },
        { BPF_STMT(BPF_LD | 0x18 | BPF_ABS, 0), RETURN(1) },   { LOAD(1), LOAD(2) },
    };
    (void)state;

    for (unsigned i = 0; i < COUNT(programs); i++)
        run_on(classical, sizeof(classical), programs[i], 2);
    assert_int_equal(run_on(classical, sizeof(classical), programs[0], 2), 0);
    assert_int_equal(run_on(classical, sizeof(classical), programs[5], 2), 0);
    assert_int_equal(run_on(classical, sizeof(classical), programs[0], 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_wants_a_return_at_the_end),
        cmocka_unit_test(check_limits_the_length),
        cmocka_unit_test(check_knows_49_instructions),
        cmocka_unit_test(check_refuses_constants_out_of_range),
        cmocka_unit_test(check_knows_the_ancillary_words),
        cmocka_unit_test(check_refuses_jumps_out_of_the_program),
        cmocka_unit_test(check_refuses_scratch_words_that_a_path_did_not_write),
        cmocka_unit_test(run_loads_big_endian),
        cmocka_unit_test(run_drops_on_loads_outside_the_frame),
        cmocka_unit_test(run_calculates),
        cmocka_unit_test(run_drops_on_division_by_zero),
        cmocka_unit_test(run_jumps),
        cmocka_unit_test(run_keeps_scratch_words_and_index),
        cmocka_unit_test(run_knows_what_is_around_the_frame),
        cmocka_unit_test(run_knows_the_protocol_by_the_frame),
        cmocka_unit_test(run_finds_netlink_attributes),
        cmocka_unit_test(run_survives_programs_that_were_never_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
