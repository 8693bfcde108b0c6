/*
 * What programs that tell random lives have in common (bcm.c, isotp.c): a seed's dice, and how a frame is told.
 */
#ifndef DIFF_LIVES_H
#define DIFF_LIVES_H

#include "../conformance/can.h"

static uint64_t lives_dice;

static inline uint32_t any_of(uint32_t count)
{
    lives_dice = lives_dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(lives_dice >> 33) % count;
}

static inline void print_frame(FILE *out, const void *frame, size_t size)
{
    const struct canfd_frame *f = frame;

    fprintf(out, " %x%s%d.%02x.", f->can_id, size == 72 ? "##" : "#", f->len, f->flags);
    for (int i = 0; i < f->len && i < (int)size - 8; i++)
        fprintf(out, "%02x", f->data[i]);
}

#endif
