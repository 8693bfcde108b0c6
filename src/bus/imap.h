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

/* Walks the slots that have a bit in one of rows[0..count): start with *position = 0 and call until it gives SOCKET_NONE. */
struct imap_walk {
    const struct imap *map;
    uint32_t rows[IMAP_ROWS_PER_FRAME];
    unsigned count;
    uint32_t groups;   /* still to visit */
    uint32_t word;     /* index of the next word of the current group */
    uint32_t word_end;
    uint64_t bits;     /* left of word - 1 */
};
void imap_walk_start(struct imap_walk *walk, const struct imap *map, uint32_t frame_id);
uint32_t imap_walk_next(struct imap_walk *walk);

#endif
