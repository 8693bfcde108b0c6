/* bus/imap.h - interest maps: which sockets may want a frame (struct imap of layout.h). */
#ifndef BUS_IMAP_H
#define BUS_IMAP_H

#include "bus/layout.h"
#include "can/filter.h"

/* Row in which a filter entry announces itself. */
uint32_t imap_row(struct filter_entry entry);

/* Its bit in word slot / 64 of a row: the highest slot of a word is the lowest bit, because the newest socket is served first. */
static inline uint64_t imap_bit(uint32_t slot) { return 1ull << (~slot & 63); }

void imap_set(struct imap *map, uint32_t row, uint32_t slot);
void imap_clear(struct imap *map, uint32_t row, uint32_t slot);

/* The rows that a frame with this identifier word may interest. Always as many; one may be there twice. */
enum { IMAP_ROWS_PER_FRAME = 4 };
static inline void imap_rows_of_frame(uint32_t frame_id, uint32_t rows[IMAP_ROWS_PER_FRAME])
{
    rows[0] = IMAP_ROW_ALL;
    rows[1] = IMAP_ROW_MASKED;
    rows[2] = IMAP_ROW_INVERTED;
    rows[3] = likely(!(frame_id & CAN_EFF_FLAG)) ? IMAP_ROW_STD + (frame_id & CAN_SFF_MASK)
                                                 : IMAP_ROW_EXT + filter_hash(frame_id, IMAP_EXT_ROWS);
    if (unlikely(frame_id & CAN_RTR_FLAG)) rows[3] = IMAP_ROW_ALL;
    if (unlikely(frame_id & CAN_ERR_FLAG)) rows[0] = rows[1] = rows[2] = rows[3] = IMAP_ROW_ERROR;
}

/* The words of a group: the first, and *count of them. */
static inline uint32_t imap_group(uint32_t group, uint32_t *count)
{
    if (likely(group < IMAP_SMALL_GROUPS)) {
        *count = 1;
        return group;
    }
    *count = IMAP_LARGE_WORDS;
    return IMAP_SMALL_GROUPS + (group - IMAP_SMALL_GROUPS) * IMAP_LARGE_WORDS;
}

/* Groups in which any of these rows has a bit. */
static inline uint32_t imap_groups(const struct imap *map, const uint32_t *rows, unsigned count)
{
    uint64_t groups = 0;

#pragma GCC unroll 4
    for (unsigned i = 0; i < count; i++)
        groups |= load_acquire(&map->head[rows[i]]);
    return (uint32_t)groups;
}

/* Slots of one word of a group in which any of these rows has a bit. Rows that have none in the group are not touched: most of a map is
 * memory that nobody has used yet. */
static inline uint64_t imap_bits(const struct imap *map, const uint32_t *rows, unsigned count, uint32_t group,
                                 uint32_t word)
{
    uint64_t bits = 0;

#pragma GCC unroll 4
    for (unsigned i = 0; i < count; i++)
        if (load_acquire(&map->head[rows[i]]) & 1u << group) bits |= load_acquire(&map->word[rows[i]][word]);
    return bits;
}

#endif
