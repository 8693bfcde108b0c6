/* base/atomics.h - short names for the C11 atomics this project uses.
 *
 * The order is part of the name, so that a reader sees at each access what it pairs with. Every call is
 * lock-free for 32- and 64-bit words on the machines we build for (asserted below). */
#ifndef BASE_ATOMICS_H
#define BASE_ATOMICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "shared memory needs lock-free atomics");

typedef _Atomic uint32_t atomic_u32;
typedef _Atomic uint64_t atomic_u64 __attribute__((aligned(8))); /* a plain one has 4 on i386 */

#define load_relaxed(p)     atomic_load_explicit((p), memory_order_relaxed)
#define load_acquire(p)     atomic_load_explicit((p), memory_order_acquire)
#define load_seq(p)         atomic_load_explicit((p), memory_order_seq_cst)
#define store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define store_seq(p, v)     atomic_store_explicit((p), (v), memory_order_seq_cst)
#define add_relaxed(p, v)   atomic_fetch_add_explicit((p), (v), memory_order_relaxed)

/* Compare and swap; sequentially consistent, because every use orders against another process. */
static inline bool cas32(atomic_u32 *p, uint32_t old, uint32_t new)
{
    return atomic_compare_exchange_strong_explicit(p, &old, new, memory_order_seq_cst, memory_order_relaxed);
}

static inline bool cas64(atomic_u64 *p, uint64_t old, uint64_t new)
{
    return atomic_compare_exchange_strong_explicit(p, &old, new, memory_order_seq_cst, memory_order_relaxed);
}

/* One step of a bounded busy wait: tells the CPU, not the scheduler. */
static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Two paths, writing and reading a frame, are one function each, into which everything is inlined but what is marked as off the
 * path: a call costs as much as a fifth of the rest there. */
#define HOT_PATH __attribute__((flatten, hot))
#define OFF_PATH __attribute__((noinline, cold))

#endif
