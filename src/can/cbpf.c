/* can/cbpf.c - the checker and the machine of classic BPF; owns no state.
 *
 * The machine: accumulator A, index X, sixteen scratch words. An instruction's class is in its low three bits; loads add a width
 * and a way of addressing, the others an operation and a source (BPF_K: the instruction's own k, BPF_X: X).
 * A load outside the frame, a division by zero and anything unknown end the program with 0: the frame is dropped. */
#include "can/cbpf.h"
#include "can/frame.h"

#define HARDWARE_TYPE    280u /* ARPHRD_CAN */
#define PACKET_BROADCAST 1u   /* what each received CAN frame is */
#define PACKET_OUTGOING  4u   /* what goes to the interface is */

struct machine {
    const struct cbpf_frame *frame;
    uint32_t a, x;
    uint32_t memory[BPF_MEMWORDS];
};

/* ---- checking ---- */

/* Every instruction there is. */
static const uint16_t known_codes[] = {
    BPF_LD | BPF_W | BPF_ABS,
    BPF_LD | BPF_H | BPF_ABS,
    BPF_LD | BPF_B | BPF_ABS,
    BPF_LD | BPF_W | BPF_IND,
    BPF_LD | BPF_H | BPF_IND,
    BPF_LD | BPF_B | BPF_IND,
    BPF_LD | BPF_W | BPF_LEN,
    BPF_LD | BPF_IMM,
    BPF_LD | BPF_MEM,
    BPF_LDX | BPF_W | BPF_LEN,
    BPF_LDX | BPF_B | BPF_MSH,
    BPF_LDX | BPF_IMM,
    BPF_LDX | BPF_MEM,
    BPF_ST,
    BPF_STX,
    BPF_ALU | BPF_ADD | BPF_K, /* NOLINT(misc-redundant-expression): both are 0 */
    BPF_ALU | BPF_ADD | BPF_X,
    BPF_ALU | BPF_SUB | BPF_K,
    BPF_ALU | BPF_SUB | BPF_X,
    BPF_ALU | BPF_MUL | BPF_K,
    BPF_ALU | BPF_MUL | BPF_X,
    BPF_ALU | BPF_DIV | BPF_K,
    BPF_ALU | BPF_DIV | BPF_X,
    BPF_ALU | BPF_MOD | BPF_K,
    BPF_ALU | BPF_MOD | BPF_X,
    BPF_ALU | BPF_OR | BPF_K,
    BPF_ALU | BPF_OR | BPF_X,
    BPF_ALU | BPF_AND | BPF_K,
    BPF_ALU | BPF_AND | BPF_X,
    BPF_ALU | BPF_XOR | BPF_K,
    BPF_ALU | BPF_XOR | BPF_X,
    BPF_ALU | BPF_LSH | BPF_K,
    BPF_ALU | BPF_LSH | BPF_X,
    BPF_ALU | BPF_RSH | BPF_K,
    BPF_ALU | BPF_RSH | BPF_X,
    BPF_ALU | BPF_NEG,
    BPF_JMP | BPF_JA,
    BPF_JMP | BPF_JEQ | BPF_K,
    BPF_JMP | BPF_JEQ | BPF_X,
    BPF_JMP | BPF_JGT | BPF_K,
    BPF_JMP | BPF_JGT | BPF_X,
    BPF_JMP | BPF_JGE | BPF_K,
    BPF_JMP | BPF_JGE | BPF_X,
    BPF_JMP | BPF_JSET | BPF_K,
    BPF_JMP | BPF_JSET | BPF_X,
    BPF_RET | BPF_K,
    BPF_RET | BPF_A,
    BPF_MISC | BPF_TAX,
    BPF_MISC | BPF_TXA,
};

static bool is_known(uint16_t code)
{
    for (unsigned i = 0; i < sizeof(known_codes) / sizeof(*known_codes); i++)
        if (known_codes[i] == code) return true;
    return false;
}

static bool is_return(uint16_t code) { return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A); }
static bool is_store(uint16_t code) { return code == BPF_ST || code == BPF_STX; }
static bool is_memory_load(uint16_t code)
{
    return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM);
}
static bool is_absolute_load(uint16_t code) { return BPF_CLASS(code) == BPF_LD && BPF_MODE(code) == BPF_ABS; }

/* An instruction's own k, as a divisor, shift, scratch word or ancillary word. */
static bool has_valid_k(struct sock_filter insn)
{
    switch (insn.code) {
    case BPF_ALU | BPF_DIV | BPF_K:
    case BPF_ALU | BPF_MOD | BPF_K: return insn.k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K: return insn.k < 32;
    default: break;
    }
    if (is_store(insn.code) || is_memory_load(insn.code)) return insn.k < BPF_MEMWORDS;
    if (is_absolute_load(insn.code) && insn.k >= (uint32_t)SKF_AD_OFF)
        return insn.k - (uint32_t)SKF_AD_OFF < SKF_AD_MAX && insn.k % 4 == 0;
    return true;
}

/* Of the `left` instructions behind this one, does it jump to one? */
static bool has_valid_target(struct sock_filter insn, uint32_t left)
{
    if (BPF_CLASS(insn.code) != BPF_JMP) return true;
    if (BPF_OP(insn.code) == BPF_JA) return insn.k < left;
    return insn.jt < left && insn.jf < left;
}

/* No path may read a scratch word that it did not write. written[i]: the words written on every way to i. */
static bool reads_only_written(const struct sock_filter *program, uint32_t count)
{
    uint16_t written[CBPF_KERNEL_MAX], now = 0;

    for (uint32_t i = 0; i < count; i++)
        written[i] = UINT16_MAX;
    for (uint32_t i = 0; i < count; i++) {
        struct sock_filter insn = program[i];
        now &= written[i];
        if (is_store(insn.code)) now |= (uint16_t)(1u << insn.k);
        if (is_memory_load(insn.code) && !(now & 1u << insn.k)) return false;
        if (BPF_CLASS(insn.code) != BPF_JMP) continue;
        if (BPF_OP(insn.code) == BPF_JA) {
            written[i + 1 + insn.k] &= now;
        } else {
            written[i + 1 + insn.jt] &= now;
            written[i + 1 + insn.jf] &= now;
        }
        now = UINT16_MAX; /* the next one is reached by jumps, whose words are in written[] */
    }
    return true;
}

bool cbpf_check(const struct sock_filter *program, uint32_t count)
{
    if (count == 0 || count > CBPF_KERNEL_MAX) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!is_known(program[i].code) || !has_valid_k(program[i]) ||
            !has_valid_target(program[i], count - i - 1))
            return false;
    return is_return(program[count - 1].code) && reads_only_written(program, count);
}

/* ---- loads ---- */

static bool load(const struct machine *m, uint32_t at, uint32_t width, uint32_t *out)
{
    uint32_t value = 0;

    if (at >= (uint32_t)SKF_NET_OFF) /* network and link layer both begin where the frame does */
        at -= (uint32_t)SKF_NET_OFF;
    else if (at >= (uint32_t)SKF_LL_OFF)
        at -= (uint32_t)SKF_LL_OFF;
    if (at > m->frame->size || m->frame->size - at < width) return false;
    for (uint32_t i = 0; i < width; i++)
        value = value << 8 | m->frame->bytes[at + i];
    *out = value;
    return true;
}

static uint32_t protocol_of(const struct cbpf_frame *frame)
{
    switch (frame_classify(frame->bytes, frame->size)) {
    case FRAME_FD: return 0x000d; /* ETH_P_CANFD */
    case FRAME_XL: return 0x000e; /* ETH_P_CANXL */
    default: return 0x000c;       /* ETH_P_CAN */
    }
}

/* SKF_AD_NLATTR: where from offset A on the netlink attribute of type X is; `end` is where the list ends. 0: nowhere. */
static uint32_t find_attribute(const struct machine *m, uint32_t at, uint32_t end)
{
    uint16_t head[2]; /* nla_len, nla_type */

    while (at <= end && end - at >= sizeof(head)) {
        __builtin_memcpy(head, m->frame->bytes + at, sizeof(head));
        if (head[0] < sizeof(head) || head[0] > end - at) return 0;
        if ((head[1] & 0x3fff) == m->x) return at;
        at += (head[0] + 3u) & ~3u;
    }
    return 0;
}

/* SKF_AD_NLATTR_NEST: the same inside the attribute at A. */
static uint32_t find_nested(const struct machine *m)
{
    uint32_t size = m->frame->size;
    uint16_t length;

    if (size < 4 || m->a > size - 4) return 0;
    __builtin_memcpy(&length, m->frame->bytes + m->a, sizeof(length));
    return length < 4 || length > size - m->a ? 0 : find_attribute(m, m->a + 4, m->a + length);
}

/* What is known of a frame besides its bytes. What CAN frames do not have (queue, hash, VLAN, payload offset) is 0. */
static uint32_t ancillary(const struct machine *m, uint32_t what)
{
    switch (what) {
    case SKF_AD_PROTOCOL: return m->frame->protocol ? m->frame->protocol : protocol_of(m->frame);
    case SKF_AD_PKTTYPE: return m->frame->outgoing ? PACKET_OUTGOING : PACKET_BROADCAST;
    case SKF_AD_IFINDEX: return m->frame->ifindex;
    case SKF_AD_NLATTR: return find_attribute(m, m->a, m->frame->size);
    case SKF_AD_NLATTR_NEST: return find_nested(m);
    case SKF_AD_MARK: return m->frame->mark;
    case SKF_AD_HATYPE: return HARDWARE_TYPE;
    case SKF_AD_ALU_XOR_X: return m->a ^ m->x;
    case SKF_AD_CPU:
    case SKF_AD_RANDOM: return m->frame->ask ? m->frame->ask(what) : 0;
    default: return 0;
    }
}

static bool load_a(struct machine *m, struct sock_filter insn)
{
    static const uint8_t widths[4] = { 4, 2, 1, 0 }; /* BPF_W, BPF_H, BPF_B */

    switch (BPF_MODE(insn.code)) {
    case BPF_IMM: m->a = insn.k; return true;
    case BPF_LEN: m->a = m->frame->size; return true;
    case BPF_MEM: m->a = m->memory[insn.k % BPF_MEMWORDS]; return true;
    case BPF_IND: insn.k += m->x; break;
    case BPF_ABS:
        if (insn.k < (uint32_t)SKF_AD_OFF) break;
        m->a = ancillary(m, insn.k - (uint32_t)SKF_AD_OFF);
        return true;
    default: return false;
    }
    return load(m, insn.k, widths[BPF_SIZE(insn.code) >> 3], &m->a);
}

static bool load_x(struct machine *m, struct sock_filter insn)
{
    switch (BPF_MODE(insn.code)) {
    case BPF_IMM: m->x = insn.k; return true;
    case BPF_LEN: m->x = m->frame->size; return true;
    case BPF_MEM: m->x = m->memory[insn.k % BPF_MEMWORDS]; return true;
    case BPF_MSH:
        if (!load(m, insn.k, 1, &m->x)) return false;
        m->x = (m->x & 0xf) << 2;
        return true;
    default: return false;
    }
}

/* ---- everything else ---- */

static bool calculate(struct machine *m, uint16_t code, uint32_t operand)
{
    switch (BPF_OP(code)) {
    case BPF_ADD: m->a += operand; return true;
    case BPF_SUB: m->a -= operand; return true;
    case BPF_MUL: m->a *= operand; return true;
    case BPF_OR: m->a |= operand; return true;
    case BPF_AND: m->a &= operand; return true;
    case BPF_XOR: m->a ^= operand; return true;
    case BPF_LSH: m->a <<= operand & 31; return true;
    case BPF_RSH: m->a >>= operand & 31; return true;
    case BPF_NEG: m->a = -m->a; return true;
    case BPF_DIV:
        if (operand) m->a /= operand;
        return operand != 0;
    case BPF_MOD:
        if (operand) m->a %= operand;
        return operand != 0;
    default: return false;
    }
}

/* How many instructions a jump skips. */
static uint32_t jump(const struct machine *m, struct sock_filter insn, uint32_t operand)
{
    bool taken;

    switch (BPF_OP(insn.code)) {
    case BPF_JEQ: taken = m->a == operand; break;
    case BPF_JGT: taken = m->a > operand; break;
    case BPF_JGE: taken = m->a >= operand; break;
    case BPF_JSET: taken = m->a & operand; break;
    default: return insn.k; /* BPF_JA */
    }
    return taken ? insn.jt : insn.jf;
}

uint32_t cbpf_run(const atomic_u64 *program, uint32_t count, const struct cbpf_frame *frame)
{
    struct machine m = { .frame = frame };
    bool going = true;

    for (uint64_t at = 0; going && at < count; at++) {
        struct sock_filter insn = cbpf_unpack(load_relaxed(&program[at]));
        uint32_t operand = BPF_SRC(insn.code) == BPF_X ? m.x : insn.k;

        switch (BPF_CLASS(insn.code)) {
        case BPF_LD: going = load_a(&m, insn); break;
        case BPF_LDX: going = load_x(&m, insn); break;
        case BPF_ST: m.memory[insn.k % BPF_MEMWORDS] = m.a; break;
        case BPF_STX: m.memory[insn.k % BPF_MEMWORDS] = m.x; break;
        case BPF_ALU: going = calculate(&m, insn.code, operand); break;
        case BPF_JMP: at += jump(&m, insn, operand); break;
        case BPF_MISC:
            *(BPF_MISCOP(insn.code) == BPF_TXA ? &m.a : &m.x) = BPF_MISCOP(insn.code) == BPF_TXA ? m.x : m.a;
            break;
        default: return BPF_RVAL(insn.code) == BPF_A ? m.a : insn.k; /* BPF_RET */
        }
    }
    return 0;
}
