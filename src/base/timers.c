/* base/timers.c - a pairing heap: the first timer is the root; setting is one comparison, taking the root away pairs its children.
 *
 * A node's `link` is what points to it (the root pointer, its parent's `child`, or its left sibling's `next`), so that any node can be cut
 * out without a search. Siblings stand in no order. */
/* prefix: timers_ */
#include "base/timers.h"

static bool is_before(const struct timer *a, const struct timer *b)
{
    return a->at != b->at ? a->at < b->at : a->turn < b->turn;
}

static void place(struct timer **link, struct timer *node)
{
    *link = node;
    if (node) node->link = link;
}

/* Makes one heap of two roots, which have no siblings. Either may be NULL. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    struct timer *swap;

    if (!a || !b) return a ? a : b;
    if (is_before(b, a)) {
        swap = a;
        a = b;
        b = swap;
    }
    place(&b->next, a->child);
    place(&a->child, b);
    return a;
}

/* Makes one heap of a list of siblings: pairs from the left, then the pairs from the right. */
static struct timer *meld_all(struct timer *list)
{
    struct timer *pairs = NULL, *heap = NULL, *next;

    while (list) {
        struct timer *a = list, *b = a->next;
        list = b ? b->next : NULL;
        a->next = NULL;
        if (b) b->next = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    for (; pairs; pairs = next) {
        next = pairs->next;
        pairs->next = NULL;
        heap = meld(pairs, heap);
    }
    return heap;
}

static void add(struct timers *timers, struct timer *node)
{
    place(&timers->first, meld(timers->first, node));
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    struct timer *children = timer->child;

    if (!timer->link) return;
    place(timer->link, timer->next);
    timer->link = NULL;
    timer->child = timer->next = NULL;
    if (children) add(timers, meld_all(children));
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t at)
{
    timers_cancel(timers, timer);
    timer->at = at;
    timer->turn = timers->turns++;
    timer->child = timer->next = NULL;
    add(timers, timer);
}

bool timers_expire(struct timers *timers, uint64_t now)
{
    struct timer *first = timers->first;

    if (!first || first->at > now) return false;
    timers_cancel(timers, first);
    first->expire(first, now);
    return true;
}
