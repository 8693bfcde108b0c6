/* bus/counters.h - statistics of interfaces, counted by senders (struct bus_counters of layout.h). */
#ifndef BUS_COUNTERS_H
#define BUS_COUNTERS_H

#include "bus/layout.h"

/* What happened to a frame on one interface. */
enum {
    COUNT_LOOPED /* sent and received back */,
    COUNT_SENT /* sent only */,
    COUNT_RECEIVED /* received only */
};

/* The sums, as struct rtnl_link_stats64 names them. Bytes are payload bytes. */
struct link_counts {
    uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes, tx_dropped, rx_dropped;
    uint64_t offered;   /* to sockets: received from others, or looped back */
    uint64_t unmatched; /* of these: no receive list entry wanted them */
};

static inline void counters_add(struct bus_counters *shard, unsigned what, uint32_t bytes)
{
    if (likely(bytes < COUNTER_LENGTHS)) {
        add_relaxed(&shard->frames[what][bytes], 1);
        return;
    }
    add_relaxed(&shard->xl_frames[what], 1);
    add_relaxed(&shard->xl_bytes[what], bytes);
}

/* Of interface links[index]. */
struct link_counts counters_sum(const struct data *data, uint32_t index);
/* Of all interfaces, those that are gone included: tx_packets, offered, unmatched; the rest is 0. */
struct link_counts counters_total(const struct control *control, const struct data *data);
void counters_clear(struct data *data, uint32_t index);

#endif
