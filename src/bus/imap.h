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

/* Walks the slots that have a bit in a row that the frame may interest: start, then call next until it gives SOCKET_NONE. From
 * the highest down: slots are given out from the lowest up, so the newest socket is served first, as in Linux. */
struct imap_walk {
    const atomic_u64 *row[IMAP_ROWS_PER_FRAME]; /* rows that have any bit */
    unsigned count;
    uint32_t groups; /* still to visit */
    uint32_t word;   /* the word that `bits` are of; goes down to */
    uint32_t word_end;
    uint64_t bits; /* left of it */
};
void imap_walk_start(struct imap_walk *walk, const struct imap *map, uint32_t frame_id);
uint32_t imap_walk_more(struct imap_walk *walk); /* for imap_walk_next */

static inline uint32_t imap_walk_next(struct imap_walk *walk)
{
    uint32_t bit;

    if (!walk->bits)
        return walk->count ? imap_walk_more(walk) : SOCKET_NONE;
    bit = 63 - (uint32_t)__builtin_clzll(walk->bits);
    walk->bits &= ~(1ull << bit);
    return walk->word * 64 + bit;
}

#endif
