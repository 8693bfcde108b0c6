/* tests/unit/simbus_bench.h - a simulated bus with controllers that have queues and remember what they were told. */
#ifndef TESTS_UNIT_SIMBUS_BENCH_H
#define TESTS_UNIT_SIMBUS_BENCH_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <linux/can/error.h>
#include "can/bittiming.h"
#include "can/simbus.h"
#include "can/wire.h"

#define NODES  8
#define QUEUE  64
#define ERRORS 4096
#define CLOCK  80000000u
#define SECOND 1000000000ull

struct item {
    enum frame_kind kind;
    struct canfd_frame frame;
};

struct station {
    struct simnode node;
    struct item queue[QUEUE];
    unsigned queued, taken;
    unsigned received, sent, given_up, errors;
    uint64_t received_at, done_at;
    struct canfd_frame last;
    enum frame_kind last_kind;
    struct can_frame error[ERRORS];
};

static struct simbus bus;
static struct station station[NODES];
static void (*on_done)(struct station *station, bool sent, uint64_t at);

static struct station *of(struct simnode *node) { return (struct station *)(void *)node; }

static void feed(struct station *s, uint64_t now)
{
    if (s->taken == s->queued) return;
    struct item *item = &s->queue[s->taken % QUEUE];
    if (simnode_send(&s->node, &item->frame, item->kind, now) == 0) s->taken++;
}

static void note_received(struct simnode *node, const void *frame, enum frame_kind kind, uint64_t at)
{
    struct station *s = of(node);
    s->received++;
    s->received_at = at;
    s->last_kind = kind;
    memset(&s->last, 0, sizeof(s->last));
    memcpy(&s->last, frame, kind == FRAME_FD ? sizeof(struct canfd_frame) : sizeof(struct can_frame));
}

static void note_done(struct simnode *node, bool sent, uint64_t at)
{
    struct station *s = of(node);
    s->sent += sent;
    s->given_up += !sent;
    s->done_at = at;
    if (on_done) on_done(s, sent, at);
    feed(s, at);
}

static void note_error(struct simnode *node, const struct can_frame *frame, uint64_t at)
{
    struct station *s = of(node);
    (void)at;
    if (s->errors < ERRORS) s->error[s->errors] = *frame;
    s->errors++;
}

static const struct simnode_ops notes = { note_received, note_done, note_error };

static const struct can_bittiming_const slow_limits = {
    .tseg1_min = 1,
    .tseg1_max = 256,
    .tseg2_min = 1,
    .tseg2_max = 128,
    .sjw_max = 128,
    .brp_min = 1,
    .brp_max = 512,
    .brp_inc = 1,
};
static const struct can_bittiming_const fast_limits = {
    .tseg1_min = 1,
    .tseg1_max = 32,
    .tseg2_min = 1,
    .tseg2_max = 16,
    .sjw_max = 16,
    .brp_min = 1,
    .brp_max = 32,
    .brp_inc = 1,
};

static void configure(unsigned i, uint32_t bitrate, uint32_t data_bitrate, uint32_t modes)
{
    struct simnode_settings *settings = &station[i].node.settings;
    *settings = (struct simnode_settings){ .clock_hz = CLOCK, .modes = modes, .nominal.bitrate = bitrate };
    assert_int_equal(bittiming_complete(&settings->nominal, &slow_limits, CLOCK), 0);
    if (!data_bitrate) return;
    settings->modes |= CAN_CTRLMODE_FD;
    settings->data.bitrate = data_bitrate;
    assert_int_equal(bittiming_complete(&settings->data, &fast_limits, CLOCK), 0);
}

/* A bus with so many controllers of one bit rate, all of which take part. */
static void set_up(unsigned count, uint32_t bitrate, uint32_t data_bitrate, uint32_t modes)
{
    memset(&bus, 0, sizeof(bus));
    memset(station, 0, sizeof(station));
    on_done = NULL;
    for (unsigned i = 0; i < count; i++) {
        station[i].node.ops = &notes;
        simbus_attach(&bus, &station[i].node);
        configure(i, bitrate, data_bitrate, modes);
        simnode_start(&station[i].node, 0);
    }
    simbus_run(&bus, SECOND);
}

static void put(unsigned i, enum frame_kind kind, const void *frame)
{
    struct station *s = &station[i];
    struct item *item = &s->queue[s->queued++ % QUEUE];
    assert_true(s->queued - s->taken <= QUEUE);
    memset(item, 0, sizeof(*item));
    item->kind = kind;
    memcpy(&item->frame, frame, kind == FRAME_FD ? sizeof(struct canfd_frame) : sizeof(struct can_frame));
    if (!s->node.pending) feed(s, bus.now);
}

static inline void put_id(unsigned i, uint32_t id)
{
    struct can_frame frame = { .can_id = id, .len = 8, .data = { 1, 2, 3, 4, 5, 6, 7, 8 } };
    put(i, FRAME_CC, &frame);
}

static inline void run_bits(uint64_t bits, uint32_t bitrate)
{
    simbus_run(&bus, bus.now + bits * SECOND / bitrate);
}

/* Until nobody has anything to send, or for so long. */
static inline void run_dry(uint64_t at_most)
{
    uint64_t end = bus.now + at_most;
    while (simbus_next(&bus) <= end)
        simbus_run(&bus, simbus_next(&bus));
}

#endif
