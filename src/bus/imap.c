/* bus/imap.c - interest maps.
 *
 * A sender reads a few head words, one bit for 256 slots, and visits only groups that have a bit; so a thousand sockets with
 * other identifiers cost it nothing. Each socket sets and clears only its own column.
 *
 * The head is the delicate part: a group's bit may go only when no word under it has a bit, while others set theirs. Every
 * set adds one to the count in the head's upper half *after* setting the word's bit; a clear reads the head, looks at the
 * words, and swaps the head only if that count has not moved. So a bit that is set after the look makes the swap fail, and
 * one set before it is seen. Death at any step leaves at most a head bit too many, which only costs a look. */
#include "bus/imap.h"

#define HEAD_COUNT_ONE (1ull << 32)

uint32_t imap_row(struct filter_entry entry)
{
    switch (entry.list) {
    case FILTER_ALL: return IMAP_ROW_ALL;
    case FILTER_INVERTED: return IMAP_ROW_INVERTED;
    case FILTER_SFF: return IMAP_ROW_STD + (entry.id & CAN_SFF_MASK);
    case FILTER_EFF: return IMAP_ROW_EXT + filter_hash(entry.id, IMAP_EXT_ROWS);
    case FILTER_ERROR: return IMAP_ROW_ERROR;
    case FILTER_MASKED: break;
    }
    return IMAP_ROW_MASKED;
}

static uint32_t group_of(uint32_t slot)
{
    uint32_t word = slot / 64;
    return word < IMAP_SMALL_GROUPS ? word
                                    : IMAP_SMALL_GROUPS + (word - IMAP_SMALL_GROUPS) / IMAP_LARGE_WORDS;
}

void imap_set(struct imap *map, uint32_t row, uint32_t slot)
{
    atomic_u64 *head = &map->head[row];
    uint64_t old, new;

    atomic_fetch_or(&map->word[row][slot / 64], imap_bit(slot));
    do {
        old = load_seq(head);
        new = (old | 1ull << group_of(slot)) + HEAD_COUNT_ONE;
    } while (!cas64(head, old, new));
}

static bool group_is_empty(const struct imap *map, uint32_t row, uint32_t group)
{
    uint32_t count;

    for (uint32_t word = imap_group(group, &count), end = word + count; word < end; word++)
        if (load_seq(&map->word[row][word])) return false;
    return true;
}

void imap_clear(struct imap *map, uint32_t row, uint32_t slot)
{
    uint32_t group = group_of(slot);
    uint64_t head;

    if (!(atomic_fetch_and(&map->word[row][slot / 64], ~imap_bit(slot)) & imap_bit(slot))) return;
    do {
        head = load_seq(&map->head[row]);
        if (!group_is_empty(map, row, group)) return;
    } while (!cas64(&map->head[row], head, head & ~(1ull << group)));
}
