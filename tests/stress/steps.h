/* tests/stress/steps.h - included before each file of src/bus: step() is called before each store, swap and system call, so that a
 * test can kill, stop or delay a process between any two of them. Loads are no steps: nobody sees them. */
#ifndef TESTS_STEPS_H
#define TESTS_STEPS_H

#include "base/atomics.h"
#include "base/sys.h"

void step(void);

static inline bool step_cas32(atomic_u32 *p, uint32_t old, uint32_t new)
{
    step();
    return cas32(p, old, new);
}

static inline bool step_cas64(atomic_u64 *p, uint64_t old, uint64_t new)
{
    step();
    return cas64(p, old, new);
}

static inline long step_sys_call6(long nr, long a, long b, long c, long d, long e, long f)
{
    step();
    return sys_call6(nr, a, b, c, d, e, f);
}

#define cas32     step_cas32
#define cas64     step_cas64
#define sys_call6 step_sys_call6
#undef store_relaxed
#undef store_release
#undef store_seq
#undef add_relaxed
#undef atomic_fetch_add
#undef atomic_fetch_or
#undef atomic_fetch_and
#undef atomic_fetch_sub
#define store_relaxed(p, v)    (step(), atomic_store_explicit((p), (v), memory_order_relaxed))
#define store_release(p, v)    (step(), atomic_store_explicit((p), (v), memory_order_release))
#define store_seq(p, v)        (step(), atomic_store_explicit((p), (v), memory_order_seq_cst))
#define add_relaxed(p, v)      (step(), atomic_fetch_add_explicit((p), (v), memory_order_relaxed))
#define atomic_fetch_add(p, v) (step(), atomic_fetch_add_explicit((p), (v), memory_order_seq_cst))
#define atomic_fetch_or(p, v)  (step(), atomic_fetch_or_explicit((p), (v), memory_order_seq_cst))
#define atomic_fetch_and(p, v) (step(), atomic_fetch_and_explicit((p), (v), memory_order_seq_cst))
#define atomic_fetch_sub(p, v) (step(), atomic_fetch_sub_explicit((p), (v), memory_order_seq_cst))

/* Whoever needs one of these gives it a step first. */
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_xor
#undef atomic_compare_exchange_weak
#pragma GCC poison atomic_store atomic_exchange atomic_fetch_xor atomic_compare_exchange_weak                \
    __atomic_store_n __sync_fetch_and_add

#endif
