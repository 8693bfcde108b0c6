/* base/timers.h - many timers, of which somebody waits for the first. Pure: `now` is given.
 *
 * A timer is embedded in what it belongs to and costs no allocation. Times are nanoseconds of whatever clock the owner uses;
 * TIMERS_NEVER is none of them. Timers that are due at the same time expire in the order in which they were set. */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_NEVER UINT64_MAX

struct timer {
    uint64_t at; /* when it expires; valid while it is set */
    void (*expire)(struct timer *timer,
                   uint64_t now);       /* it is no longer set when this is called; may set it again */
    uint64_t turn;                      /* order among equals */
    struct timer *child, *next, **link; /* link: what points to it; NULL: not set */
};

struct timers {
    struct timer *first;
    uint64_t turns;
};

#define timer_owner(timer, type, member) ((type *)(void *)((char *)(timer)-offsetof(type, member)))

static inline bool timer_is_set(const struct timer *timer) { return timer->link; }

/* Sets a timer, or sets it anew. `expire` has to be there. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t at);
/* Does nothing to one that is not set. */
void timers_cancel(struct timers *timers, struct timer *timer);

/* When the first one expires, or TIMERS_NEVER. */
static inline uint64_t timers_next(const struct timers *timers)
{
    return timers->first ? timers->first->at : TIMERS_NEVER;
}

/* Lets the first one expire if it is due. Returns whether it was. */
bool timers_expire(struct timers *timers, uint64_t now);

#endif
