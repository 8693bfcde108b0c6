/* bus/tap.c - see tap.h. Reads of a packet socket one line of its slot and its settings; trusts nothing of it beyond this one decision. */
#include "bus/tap.h"
#include "base/clock.h"
#include "bus/program.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "can/frame.h"
#include <errno.h>
#include <linux/if_ether.h>

#ifndef ETH_P_CANXL
#define ETH_P_CANXL 0x000E
#endif

/* A frame that passes: the constants of the loops. */
struct passing {
    const struct bus *bus;
    const struct bus_frame *frame;
    uint32_t ifindex, record_flags, protocol;
    uint64_t time_ns;
};

uint32_t tap_protocol(const void *frame, uint32_t size)
{
    switch (frame_classify(frame, size)) {
    case FRAME_CC: return ETH_P_CAN;
    case FRAME_FD: return ETH_P_CANFD;
    case FRAME_XL: return ETH_P_CANXL;
    case FRAME_NONE: break;
    }
    return 0;
}

/* Nobody sees what he sends himself. */
static bool is_for(const struct passing *p, uint32_t number, const struct bus_slot *slot)
{
    uint32_t wanted = load_relaxed(&slot->setting[PACKET_PROTOCOL]);

    if (!(p->record_flags & RECORD_OUTGOING)) return wanted == ETH_P_ALL || (wanted && wanted == p->protocol);
    return wanted == ETH_P_ALL && number != p->frame->origin &&
           !(load_relaxed(&slot->setting[PACKET_FLAGS]) & PACKET_HAS_IGNORE_OUTGOING);
}

static void show(struct passing *p, uint32_t number, uint32_t bound_to)
{
    const struct bus *bus = p->bus;
    struct bus_slot *slot = &bus->data->slot[number];
    uint32_t flags = load_acquire(&slot->rx_flags), gen;
    struct bus_frame frame = *p->frame;
    struct ring_meta meta = { .ifindex = p->ifindex,
                              .record_flags = p->record_flags,
                              .gen = flags >> RX_GEN_SHIFT };
    const struct program_context context = { p->ifindex, p->protocol, p->record_flags & RECORD_OUTGOING };

    if (!(flags & RX_OPEN) || load_relaxed(&slot->protocol) != PROTOCOL_PACKET ||
        load_relaxed(&slot->ifindex) != bound_to || !is_for(p, number, slot))
        return;
    if ((flags & RX_TIME) && !p->time_ns) p->time_ns = clock_real_ns();
    meta.time_ns = p->time_ns;
    if (flags & RX_BPF) frame.size = program_run(bus, number, &frame, &context);
    if (!frame.size) return;
    frame.mark = slot_packet_mark(p->protocol, p->frame->size);
    meta.limit = bus_depth_limit(bus, number, flags, p->frame->size);
    if (ring_push(bus, number, &frame, &meta))
        bus_look_after(bus, number);
    else if ((wake_is_wanted(bus, number) || (flags & RX_ASYNC)) &&
             wake_notify(bus, number, frame.token_fd, &gen) == -ECONNREFUSED)
        slot_end(bus, number, gen);
}

void tap_frame(const struct bus *bus, uint32_t index, uint32_t ifindex, const struct bus_frame *frame,
               uint32_t record_flags, uint32_t protocol)
{
    static const uint32_t row = IMAP_ROW_TAP;
    struct passing p = { bus,
                         frame,
                         ifindex,
                         record_flags,
                         protocol == TAP_ITS_OWN ? tap_protocol(frame->frame, frame->size) : protocol,
                         frame->time_ns };
    uint32_t group, groups, count, word;

    for (uint32_t at = IMAP_ANY, bound_to = 0;; at = index, bound_to = ifindex) {
        const struct imap *map = &bus->data->map[at];
        for (groups = imap_groups(map, &row, 1); groups; groups &= groups - 1) {
            group = (uint32_t)__builtin_ctz(groups);
            for (word = imap_group(group, &count); count; count--, word++)
                for (uint64_t bits = imap_bits(map, &row, 1, group, word); bits; bits &= bits - 1)
                    show(&p, word * 64 + 63 - (uint32_t)__builtin_ctzll(bits), bound_to);
        }
        if (at == index) return;
    }
}
