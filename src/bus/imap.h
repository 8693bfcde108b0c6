/* bus/imap.h - interest maps: which sockets may want a frame (struct imap of layout.h). */
#ifndef BUS_IMAP_H
#define BUS_IMAP_H

#include "bus/layout.h"
#include "can/filter.h"

/* Row in which a filter entry announces itself. */
uint32_t imap_row(struct filter_entry entry);

void imap_set(struct imap *map, uint32_t row, uint32_t slot);
void imap_clear(struct imap *map, uint32_t row, uint32_t slot);

/* The rows that a frame with this identifier word may interest: writes up to IMAP_ROWS_PER_FRAME, returns how many. */
enum { IMAP_ROWS_PER_FRAME = 4 };
unsigned imap_rows_of_frame(uint32_t frame_id, uint32_t rows[IMAP_ROWS_PER_FRAME]);

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

    for (unsigned i = 0; i < count; i++)
        groups |= load_acquire(&map->head[rows[i]]);
    return (uint32_t)groups;
}

/* Slots of one word in which any of these rows has a bit. */
static inline uint64_t imap_bits(const struct imap *map, const uint32_t *rows, unsigned count, uint32_t word)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < count; i++)
        bits |= load_acquire(&map->word[rows[i]][word]);
    return bits;
}

#endif
