/*
 * Which frames one (id, mask) pair receives, bound to a device and to "any". A second filter on an id of its
 * own tells where the sequence of probes ends, so that nothing has to wait for frames that must not come.
 */
#include "can.h"

#define END_ID    (CAN_EFF_FLAG | 0x1abcde0f)
#define EXACT_EFF (CAN_EFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG)

enum probe {
    S123 = 1 << 0,
    S123R = 1 << 1,
    E123 = 1 << 2,
    E123R = 1 << 3,
    E1000123 = 1 << 4,
    X = 1 << 5, /* an SFF frame with bits above the 11 */
    S124 = 1 << 6,
    E124 = 1 << 7,
    ERR4 = 1 << 8,
    ERR2 = 1 << 9,
    ERR0 = 1 << 10, /* an error frame without a class */
};

#define ALL_SFF  (S123 | S123R | X | S124)
#define ALL_EFF  (E123 | E123R | E1000123 | E124)
#define ALL_DATA (ALL_SFF | ALL_EFF)

static const canid_t probes[] = { 0x123, 0x40000123, 0x80000123, 0xC0000123, 0x81000123, 0x1123,
                                  0x124, 0x80000124, 0x20000004, 0x20000002, 0x20000000 };

#define PROBES (sizeof(probes) / sizeof(probes[0]))

static unsigned received(int fd)
{
    unsigned set = 0;

    for (;;) {
        canid_t id = GET(fd).can_id;
        unsigned bit = 0;

        if (id == END_ID) return set;
        for (size_t i = 0; i < PROBES; i++)
            if (probes[i] == id) bit = 1U << i;
        CHECK(bit);
        CHECK(!(set & bit));
        set |= bit;
    }
}

static void check_row(canid_t id, canid_t mask, unsigned want)
{
    int bound = raw_a(), any = raw_any(), sender = raw_a();

    filter2(bound, id, mask, END_ID, EXACT_EFF);
    filter2(any, id, mask, END_ID, EXACT_EFF);
    for (size_t i = 0; i < PROBES; i++)
        put(sender, probes[i]);
    put(sender, END_ID);
    CHECK_EQ(received(bound), want);
    CHECK_EQ(received(any), want);
    CHECK_QUIET(bound);
    CHECK_QUIET(any);
}

#define ROW(name, id, mask, want)                                                                            \
    TEST(name) { check_row(id, mask, want); }

ROW(filter_sff_mask_matches_low_bits_of_any_format, 0x123, 0x7FF, S123 | S123R | E123 | E123R | E1000123 | X)
ROW(filter_sff_id_with_eff_in_mask_excludes_eff, 0x123, 0x800007FF, S123 | S123R | X)
ROW(filter_single_sff_id_ignores_stray_bits, 0x123, 0xC00007FF, S123 | X)
ROW(filter_eff_mask_without_eff_flag_matches_both_formats, 0x123, 0x1FFFFFFF, S123 | S123R | E123 | E123R)
ROW(filter_sff_id_with_eff_mask_is_cut_to_11_bits, 0x123, 0x9FFFFFFF, S123 | S123R | X)
ROW(filter_sff_id_with_full_mask_is_a_single_id, 0x123, 0xDFFFFFFF, S123 | X)
ROW(filter_eff_id_with_eff_mask, 0x80000123, 0x9FFFFFFF, E123 | E123R)
ROW(filter_single_eff_id, 0x80000123, 0xDFFFFFFF, E123)
ROW(filter_rtr_of_an_sff_id, 0x40000123, 0xC00007FF, S123R)
ROW(filter_rtr_of_an_eff_id, 0xC0000123, 0xDFFFFFFF, E123R)
ROW(filter_empty_mask_matches_all_but_errors, 0, 0, ALL_DATA)
ROW(filter_empty_mask_ignores_the_id, 0x9FFFFFFF, 0, ALL_DATA)
ROW(filter_inverted_empty_mask_matches_nothing, 0x20000000, 0, 0)
ROW(filter_inverted_sff_mask, 0x20000123, 0x7FF, S124 | E124)
ROW(filter_inverted_sff_mask_with_eff_in_mask, 0x20000123, 0x800007FF, ALL_DATA & ~(S123 | S123R | X))
ROW(filter_inverted_single_sff_id, 0x20000123, 0xC00007FF, ALL_DATA & ~(S123 | X))
ROW(filter_inverted_single_eff_id, 0xA0000123, 0xDFFFFFFF, ALL_DATA & ~E123)
ROW(filter_all_sff, 0, 0x80000000, ALL_SFF)
ROW(filter_all_eff, 0x80000000, 0x80000000, ALL_EFF)
ROW(filter_all_rtr, 0x40000000, 0x40000000, S123R | E123R)
ROW(filter_no_rtr, 0, 0x40000000, ALL_DATA & ~(S123R | E123R))
ROW(filter_inverted_rtr, 0x60000000, 0x40000000, ALL_DATA & ~(S123R | E123R))
ROW(filter_id_outside_its_mask, 0x456, 0x123, 0)
ROW(filter_error_bit_in_mask_selects_a_class, 0x20000004, 0x20000004, ERR4)
ROW(filter_error_bit_in_mask_ignores_the_id, 0, 0x20000004, ERR4)
ROW(filter_error_bit_in_mask_ignores_the_inversion, 0x20000000, 0x20000006, ERR4 | ERR2)
ROW(filter_error_bit_in_mask_with_all_classes, 0, 0x3FFFFFFF, ERR4 | ERR2)
ROW(filter_error_bit_in_mask_with_all_bits, 0x80000123, 0xFFFFFFFF, ERR4 | ERR2)
ROW(filter_error_bit_alone_matches_nothing, 0, 0x20000000, 0)
ROW(filter_error_bit_with_flags_only_matches_nothing, 0, 0xE0000000, 0)

static void sends_one(canid_t id, canid_t mask, canid_t probe, int want)
{
    int fd = raw_a(), sender = raw_a();

    filter2(fd, id, mask, END_ID, EXACT_EFF);
    put(sender, probe);
    put(sender, END_ID);
    if (want) CHECK_GETS(fd, probe);
    CHECK_GETS(fd, END_ID);
}

TEST(filter_error_classes_may_carry_the_other_flags)
{
    sends_one(0, 0x20000004, 0x20000004 | CAN_EFF_FLAG, 1);
    sends_one(0, 0x20000004, 0x20000004 | CAN_RTR_FLAG, 1);
    sends_one(0, 0xA0000004, 0x20000000 | CAN_EFF_FLAG, 0);
}

TEST(filter_single_ids_at_the_ends_of_the_range)
{
    sends_one(0, 0xC00007FF, 0, 1);
    sends_one(0x7FF, 0xC00007FF, 0x7FF, 1);
    sends_one(0x80000000, 0xDFFFFFFF, 0x80000000, 1);
    sends_one(0x9FFFFFFF, 0xDFFFFFFF, 0x9FFFFFFF, 1);
    sends_one(0x80000000, 0xDFFFFFFF, 0, 0);
    sends_one(0, 0xC00007FF, 0x80000000, 0);
}

TEST(filter_every_sff_bit_counts)
{
    for (int bit = 0; bit < 11; bit++) {
        sends_one(1U << bit, 0xC00007FF, 1U << bit, 1);
        sends_one(1U << bit, 0xC00007FF, 0x7FF & ~(1U << bit), 0);
        sends_one(1U << bit, 0x7FF, 1U << bit, 1);
    }
}

TEST(filter_every_eff_bit_counts)
{
    for (int bit = 0; bit < 29; bit++) {
        sends_one(CAN_EFF_FLAG | 1U << bit, 0xDFFFFFFF, CAN_EFF_FLAG | 1U << bit, 1);
        sends_one(CAN_EFF_FLAG | 1U << bit, 0xDFFFFFFF, CAN_EFF_FLAG | 1U << (bit + 1) % 29, 0);
        sends_one(CAN_EFF_FLAG | 1U << bit, 0x9FFFFFFF, CAN_EFF_FLAG | 1U << bit, 1);
    }
}

TEST(filter_mask_bits_beyond_the_id_match_stray_bits)
{
    sends_one(0x1123, 0x1FFFFFFF, 0x1123, 1);
    sends_one(0x1123, 0x1FFFFFFF, 0x123, 0);
    sends_one(0x123, 0x1FFFFFFF, 0x1123, 0);
}
