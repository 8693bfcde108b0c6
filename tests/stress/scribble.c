/* tests/stress/scribble.c - writes random bytes over the shared data of an instance, where it is in use.
 *
 * usage: scribble SECONDS SEED
 * The instance is that of $POCKETCAN_DIR. What a client may write, this may: everything of `data`. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "bus/attach.h"
#include "bus/ring.h"
#include "sockets/ctl.h"
#include "unit/busmem.h"

#define SLOTS_HIT 24u /* the first ones: those in use, and some free ones */

static struct bus bus;
static uint64_t luck;

static uint64_t roll(void)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return luck;
}

/* Bytes that make most sense: small numbers, all ones, pieces of what is there already. */
static uint64_t value(uint64_t old)
{
    switch (roll() % 6) {
    case 0: return roll();
    case 1: return roll() % 4096;
    case 2: return UINT64_MAX >> roll() % 64;
    case 3: return old ^ 1ull << roll() % 64;
    case 4: return old + (roll() % 5 - 2) * (1ull << 16);
    default: return old & roll();
    }
}

static void hit(void *start, size_t size)
{
    volatile uint64_t *words = start;
    size_t at = roll() % (size / 8);

    words[at] = value(words[at]);
}

static void scribble(void)
{
    uint32_t slot = (uint32_t)(roll() % SLOTS_HIT);
    struct bus_slot *at = &bus.data->slot[slot];
    struct ring *ring = &bus.data->ring[slot];

    switch (roll() % 12) {
    case 0: hit(bus.data->life, 4 * SLOTS_HIT); break;
    case 1: hit(bus.data, offsetof(struct data, life)); break;
    case 2: hit(at, sizeof(*at)); break;
    case 3: hit(&bus.data->filters[slot][roll() % 2], 128); break;
    case 4: hit(&at->head, 128); break;
    case 5: hit(&ring->record[roll() % 16], sizeof(struct ring_record)); break;
    case 6:
        hit(ring_record_of(&bus, bus.data, slot, load_relaxed(&at->tail)), sizeof(struct ring_record));
        break;
    case 7:
        hit(ring_record_of(&bus, bus.data, slot, load_relaxed(&at->head)), sizeof(struct ring_record));
        break;
    case 8: hit(bus.data->map[0].head, sizeof(bus.data->map[0].head)); break;
    case 9: hit(bus.data->map[0].word[roll() % IMAP_ROW_STD], 8 * IMAP_WORDS); break;
    case 10: hit(&bus.data->program[slot], 256); break;
    default: hit(&bus.data->counters[0][0], sizeof(struct bus_counters)); break;
    }
}

int main(int argc, char *argv[])
{
    struct ctl_hello hello;
    struct timespec ts;
    unsigned long count = 0;
    size_t size;
    time_t end;
    int fds[2] = { -1, -1 };

    BUSMEM_MUST(argc == 3 && getenv("POCKETCAN_DIR"));
    luck = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252ull;
    BUSMEM_MUST(
        ctl_call(getenv("POCKETCAN_DIR"), CTL_HELLO, NULL, 0, -1, &hello, sizeof(hello), &size, fds, 2) == 0);
    BUSMEM_MUST(attach_map(&bus, fds[0], fds[1], false) == 0);
    BUSMEM_MUST(mprotect((void *)(uintptr_t)bus.control, sizeof(struct control), PROT_READ | PROT_WRITE) !=
                0); /* that is the daemon's */
    clock_gettime(CLOCK_MONOTONIC, &ts);
    end = ts.tv_sec + atoi(argv[1]);
    while (ts.tv_sec < end) {
        for (unsigned i = 0; i < 64; i++)
            scribble();
        count += 64;
        if (roll() % 16 == 0) usleep(roll() % 300); /* others are to come some way between two hits */
        clock_gettime(CLOCK_MONOTONIC, &ts);
    }
    printf("# %lu hits; seed %s\n", count, argv[2]);
    return 0;
}
