/* can/simbus_fault.c - when faults happen; see simbus.h. What they do is in simbus_frame.c.
 *
 * Each fault has a generator of its own (splitmix64), which only moves when a frame meets every other condition: so its choices do not depend
 * on what else is going on. */
/* prefix: simnode_, simfault_ */
#include "can/simbus_parts.h"

static uint64_t draw(struct simfault *fault)
{
    uint64_t z = fault->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint32_t simfault_number(struct simfault *fault, uint32_t below)
{
    return (uint32_t)((draw(fault) >> 32) * below >> 32);
}

static bool is_lasting(const struct simfault *fault)
{
    return fault->kind == SIMFAULT_BABBLE || fault->kind == SIMFAULT_DOMINANT;
}

bool simfault_strikes(struct simfault *fault, unsigned direction, const void *frame, uint64_t now)
{
    if (!(fault->directions & direction) || is_lasting(fault) || fault->spent) return false;
    if (now < fault->from || now >= fault->until || ((frame_id(frame) ^ fault->id) & fault->mask))
        return false;
    if (fault->chance && (uint32_t)(draw(fault) >> 32) >= fault->chance) return false;
    fault->hits++;
    if (fault->left && --fault->left == 0) fault->spent = true;
    return true;
}

struct simfault *simfault_lasting(const struct simnode *node, enum simfault_kind kind, uint64_t now)
{
    struct simfault *first = NULL;

    for (struct simfault *fault = node->faults; fault; fault = fault->next)
        if (fault->kind == kind && now < fault->until && (!first || fault->from < first->from)) first = fault;
    return first;
}

void simnode_add_fault(struct simnode *node, struct simfault *fault)
{
    struct simfault **link = &node->faults;

    while (*link)
        link = &(*link)->next;
    *link = fault;
    fault->next = NULL;
    if (node->bus && is_lasting(fault)) node->bus->lasting++;
}

void simnode_remove_fault(struct simnode *node, struct simfault *fault)
{
    for (struct simfault **link = &node->faults; *link; link = &(*link)->next) {
        if (*link != fault) continue;
        *link = fault->next;
        if (!node->bus || !is_lasting(fault)) return;
        node->bus->lasting--;
        if (node->bus->phase == SIMBUS_STUCK) node->bus->ends = node->bus->now; /* who else holds it? */
        return;
    }
}
