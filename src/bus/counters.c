/* bus/counters.c - one atomic addition counts a frame: there is a counter for each payload length, and packets and bytes
 * are only added up when somebody asks. */
#include "bus/counters.h"

static void sum_shard(const struct bus_counters *shard, uint64_t packets[COUNTER_KINDS],
                      uint64_t bytes[COUNTER_KINDS])
{
    for (unsigned what = 0; what < COUNTER_KINDS; what++) {
        for (uint32_t length = 0; length < COUNTER_LENGTHS; length++) {
            uint64_t frames = load_relaxed(&shard->frames[what][length]);
            packets[what] += frames;
            bytes[what] += frames * length;
        }
        packets[what] += load_relaxed(&shard->xl_frames[what]);
        bytes[what] += load_relaxed(&shard->xl_bytes[what]);
    }
}

struct link_counts counters_sum(const struct data *data, uint32_t index)
{
    uint64_t packets[COUNTER_KINDS] = { 0 }, bytes[COUNTER_KINDS] = { 0 };
    struct link_counts sum = { 0 };

    for (unsigned i = 0; i < COUNTER_SHARDS; i++) {
        const struct bus_counters *shard = &data->counters[index][i];
        sum_shard(shard, packets, bytes);
        sum.tx_dropped += load_relaxed(&shard->tx_dropped);
        sum.rx_dropped += load_relaxed(&shard->rx_dropped);
        sum.offered += load_relaxed(&shard->offered);
        sum.unmatched += load_relaxed(&shard->unmatched);
    }
    sum.offered += packets[COUNT_LOOPED];
    sum.tx_packets = packets[COUNT_LOOPED] + packets[COUNT_SENT];
    sum.tx_bytes = bytes[COUNT_LOOPED] + bytes[COUNT_SENT];
    sum.rx_packets = packets[COUNT_LOOPED] + packets[COUNT_RECEIVED];
    sum.rx_bytes = bytes[COUNT_LOOPED] + bytes[COUNT_RECEIVED];
    return sum;
}

struct link_counts counters_total(const struct control *control, const struct data *data)
{
    struct link_counts total = { .tx_packets = load_relaxed(&data->gone_sent),
                                 .offered = load_relaxed(&data->gone_offered),
                                 .unmatched = load_relaxed(&data->gone_unmatched) };

    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        if (!load_acquire(&control->links[index].ifindex)) continue; /* untouched memory stays untouched */
        struct link_counts sum = counters_sum(data, index);
        total.tx_packets += sum.tx_packets;
        total.offered += sum.offered;
        total.unmatched += sum.unmatched;
    }
    return total;
}

void counters_clear(struct data *data, uint32_t index)
{
    struct link_counts last = counters_sum(data, index);

    add_relaxed(&data->gone_sent, last.tx_packets);
    add_relaxed(&data->gone_offered, last.offered);
    add_relaxed(&data->gone_unmatched, last.unmatched);
    for (unsigned i = 0; i < COUNTER_SHARDS; i++) {
        struct bus_counters *shard = &data->counters[index][i];
        for (unsigned what = 0; what < COUNTER_KINDS; what++) {
            for (uint32_t length = 0; length < COUNTER_LENGTHS; length++)
                if (load_relaxed(&shard->frames[what][length])) /* untouched memory stays untouched */
                    store_relaxed(&shard->frames[what][length], 0);
            store_relaxed(&shard->xl_frames[what], 0);
            store_relaxed(&shard->xl_bytes[what], 0);
        }
        store_relaxed(&shard->tx_dropped, 0);
        store_relaxed(&shard->rx_dropped, 0);
        store_relaxed(&shard->offered, 0);
        store_relaxed(&shard->unmatched, 0);
    }
}
