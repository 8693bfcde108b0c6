/* tests/stress/leftovers.c - looks into the shared data of an instance of which no socket is open: is anything left of those that were?
 *
 * The instance is that of $POCKETCAN_DIR. Exits with 0, or says what is left. */
#include <stdio.h>
#include <stdlib.h>
#include "bus/attach.h"
#include "bus/imap.h"
#include "sockets/ctl.h"
#include "unit/busmem.h"

static struct bus bus;

static unsigned slots_left(void)
{
    unsigned left = 0;

    for (uint32_t slot = 0; slot < SOCKETS_MAX; slot++)
        left += (load_acquire(&bus.data->life[slot]) & 3) != SLOT_FREE;
    return left;
}

static unsigned bits_left(const struct imap *map)
{
    unsigned left = 0;

    for (uint32_t row = 0; row < IMAP_ROWS; row++) {
        if (!(uint32_t)load_acquire(&map->head[row])) continue;
        for (uint32_t word = 0; word < IMAP_WORDS; word++)
            left += (unsigned)__builtin_popcountll(load_acquire(&map->word[row][word]));
    }
    return left;
}

int main(void)
{
    struct ctl_hello hello;
    unsigned slots, bits = 0;
    size_t size;
    int fds[2] = { -1, -1 };

    BUSMEM_MUST(getenv("POCKETCAN_DIR"));
    BUSMEM_MUST(
        ctl_call(getenv("POCKETCAN_DIR"), CTL_HELLO, NULL, 0, -1, &hello, sizeof(hello), &size, fds, 2) == 0);
    BUSMEM_MUST(attach_map(&bus, fds[0], fds[1], false) == 0);
    slots = slots_left();
    for (uint32_t index = 0; index <= LINKS_MAX; index++)
        if (index == IMAP_ANY || load_acquire(&bus.control->links[index].state))
            bits += bits_left(&bus.data->map[index]);
    if (slots || bits) printf("# %u slots, %u bits of interest maps\n", slots, bits);
    return slots || bits;
}
