/* can/cbpf.h - classic BPF: checking a program, and running it over a CAN frame. Pure.
 *
 * Sources: the BPF paper and Linux's documentation of SO_ATTACH_FILTER for the machine; spec A.6 for what a CAN frame looks
 * like to it. Loads are big-endian and count from the start of struct can_frame, canfd_frame or canxl_frame.
 *
 * cbpf_check is what an owner asks before a program is used. cbpf_run trusts nothing all the same, because programs lie in
 * memory that others can write: whatever the words say, it reads no memory but the frame and ends after at most `count` steps,
 * since every jump goes forward. */
#ifndef CAN_CBPF_H
#define CAN_CBPF_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/filter.h>
#include "base/atomics.h"

#define CBPF_KERNEL_MAX BPF_MAXINSNS /* longer programs are invalid */

/* What a program may ask of a frame besides its bytes. */
struct cbpf_frame {
    const uint8_t *bytes;
    uint32_t size;
    uint32_t ifindex;
    uint32_t mark;
    /* SKF_AD_CPU and SKF_AD_RANDOM: not in a frame, so asked of the caller. NULL: 0. */
    uint32_t (*ask)(uint32_t what);
    uint32_t protocol; /* ETH_P_*; 0: what the bytes say */
    bool outgoing;     /* on its way to the interface, as packet sockets see it */
};

/* An instruction in one word, so that it can be read and written whole. */
static inline uint64_t cbpf_pack(struct sock_filter insn)
{
    return insn.code | (uint64_t)insn.jt << 16 | (uint64_t)insn.jf << 24 | (uint64_t)insn.k << 32;
}
static inline struct sock_filter cbpf_unpack(uint64_t word)
{
    return (struct sock_filter){ (uint16_t)word, (uint8_t)(word >> 16), (uint8_t)(word >> 24),
                                 (uint32_t)(word >> 32) };
}

/* Is it a valid program: 1..CBPF_KERNEL_MAX known instructions, jumps that stay inside, no scratch word read before it was
 * written, a return at the end? */
bool cbpf_check(const struct sock_filter *program, uint32_t count);

/* Runs a program. Returns how many bytes of the frame it lets through: 0 none, more than there are: all. */
uint32_t cbpf_run(const atomic_u64 *program, uint32_t count, const struct cbpf_frame *frame);

#endif
