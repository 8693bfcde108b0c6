/* bus/program.c - attaching programs to sockets, and running them in the sender.
 *
 * slot_program.current says which of the two programs counts. A change fills the other one and then publishes it; a sender that
 * was running meanwhile sees another version and runs again, so that no frame is judged by a mixture. */
#include "bus/program.h"
#include "base/sys.h"
#include "bus/far.h"
#include "bus/slot.h"
#include "can/cbpf.h"
#include <errno.h>

#define RUN_TRIES 4

int program_attach(const struct bus *bus, uint32_t number, const struct sock_filter *insns, uint32_t count)
{
    struct slot_program *program = far_program(bus, number);
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t current, next;

    if (unlikely(!program)) return -ENOMEM;
    uint32_t held = slot_lock(slot);
    current = load_relaxed(&program->current);
    next = (current & 1) ^ 1;
    atomic_thread_fence(
        memory_order_release); /* who sees a word of this sees that the version before it went */
    for (uint32_t i = 0; i < count; i++)
        store_relaxed(&program->insn[next][i], cbpf_pack(insns[i]));
    store_relaxed(&program->count[next], count);
    cas32(&program->current, current,
          ((current >> 1) + 1) << 1 | next); /* pairs with program_run; fails if we lost the lock */
    store_relaxed(&slot->option[OPT_BPF], 1);
    slot_update_rx_flags_locked(bus, number);
    slot_unlock(slot, held);
    return 0;
}

bool program_detach(const struct bus *bus, uint32_t number)
{
    struct bus_slot *slot = &bus->data->slot[number];
    bool attached;

    uint32_t held = slot_lock(slot);
    attached = load_relaxed(&slot->option[OPT_BPF]);
    store_relaxed(&slot->option[OPT_BPF], 0);
    slot_update_rx_flags_locked(bus, number);
    slot_unlock(slot, held);
    return attached;
}

/* The program in force, clamped. */
static uint32_t find(const struct slot_program *program, uint32_t current, const atomic_u64 **insns)
{
    uint32_t count = load_relaxed(&program->count[current & 1]);

    *insns = program->insn[current & 1];
    return count < PROGRAM_MAX ? count : PROGRAM_MAX;
}

uint32_t program_get(const struct bus *bus, uint32_t number, struct sock_filter *out)
{
    const struct slot_program *program = far_program(bus, number);
    struct bus_slot *slot = &bus->data->slot[number];
    const atomic_u64 *insns;
    uint32_t count = 0;

    if (unlikely(!program)) return 0;
    uint32_t held = slot_lock(slot);
    if (load_relaxed(&slot->option[OPT_BPF])) count = find(program, load_relaxed(&program->current), &insns);
    for (uint32_t i = 0; i < count; i++)
        out[i] = cbpf_unpack(load_relaxed(&insns[i]));
    slot_unlock(slot, held);
    return count;
}

/* What a program asks that is not in the frame. */
static uint32_t ask(uint32_t what)
{
    uint32_t value = 0;

    if (what == SKF_AD_CPU)
        sys_call(SYS_getcpu, &value, NULL, NULL);
    else
        sys_call(SYS_getrandom, &value, sizeof(value), 0);
    return value;
}

uint32_t program_run(const struct bus *bus, uint32_t number, const struct bus_frame *frame,
                     const struct program_context *context)
{
    const struct slot_program *program = far_program(bus, number);
    struct cbpf_frame view = { .bytes = frame->frame,
                               .size = frame->size,
                               .ifindex = context->ifindex,
                               .protocol = context->protocol,
                               .outgoing = context->outgoing,
                               .mark = frame->mark,
                               .ask = ask };
    uint32_t current, count, verdict = 0;
    const atomic_u64 *insns;

    if (unlikely(!program)) return 0;
    for (unsigned tries = 0; tries < RUN_TRIES; tries++) {
        current = load_acquire(&program->current);
        count = find(program, current, &insns);
        verdict = cbpf_run(insns, count, &view);
        atomic_thread_fence(memory_order_acquire);
        if (likely(load_relaxed(&program->current) == current)) break;
    }
    return verdict < frame->size ? verdict : frame->size;
}
