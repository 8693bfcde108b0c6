/* base/clock.h - the two clocks, in nanoseconds. libc's clock_gettime() makes no system call where the machine allows. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* The bus's time: what time stamps show. */
static inline uint64_t clock_real_ns(void) { return clock_ns(CLOCK_REALTIME); }
/* For measuring how long something took. */
static inline uint64_t clock_mono_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

#endif
