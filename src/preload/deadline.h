/* preload/deadline.h - waits that are cut into pieces: when they end, and what is left of them. */
#ifndef PRELOAD_DEADLINE_H
#define PRELOAD_DEADLINE_H

#include <time.h>

#define DEADLINE_MAX_S                                                                                       \
    (1 << 30) /* 34 years, for whoever says "for ever" with a number: no time_t overflows */

/* `timeout` is a valid time. */
static inline struct timespec deadline_of(const struct timespec *timeout)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += timeout->tv_sec < DEADLINE_MAX_S ? timeout->tv_sec : DEADLINE_MAX_S;
    at.tv_sec += (at.tv_nsec + timeout->tv_nsec) / 1000000000;
    at.tv_nsec = (at.tv_nsec + timeout->tv_nsec) % 1000000000;
    return at;
}

/* None: {0, 0}. */
static inline struct timespec deadline_left(const struct timespec *deadline)
{
    struct timespec now, left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left = (struct timespec){ deadline->tv_sec - now.tv_sec, deadline->tv_nsec - now.tv_nsec };
    if (left.tv_nsec < 0) {
        left.tv_nsec += 1000000000;
        left.tv_sec--;
    }
    return left.tv_sec < 0 ? (struct timespec){ 0, 0 } : left;
}

#endif
