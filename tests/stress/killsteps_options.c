/* tests/stress/killsteps_options.c - struck while programs are attached and detached, and error queues written and read. */
#include "stress/killsteps.h"
#include <linux/filter.h>

/* ---- scenarios: a socket with ids 1 to 10 has a program for 1 to 6, and gets one for 6 to 10, or none ---- */

/* Lets through what is above `id`, or what is not. The id's lowest byte comes first. */
static void attach(uint32_t id, bool above)
{
    const struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, id, above, !above),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
    };
    program_attach(bus, shared->sock.slot, code, 4);
}

static void program_begin(void)
{
    shared->sock = bound_socket(0, 1, 10);
    attach(6, false);
}

static void attach_act(void) { attach(5, true); }
static void attach_own(void) { check_gets_exactly(&shared->sock, "the socket", 6, 10); }
static void detach_act(void) { program_detach(bus, shared->sock.slot); }
static void detach_own(void) { check_gets_exactly(&shared->sock, "the socket", 1, 10); }

/* Either the program before or what comes after it, no mixture. */
static void check_range(uint32_t from, uint32_t to)
{
    uint32_t id, low = 0, high = 0, count = 0;

    drain(shared->sock.slot);
    for (id = 1; id <= 10; id++)
        send_from(&sender, id, id);
    while (next_number(shared->sock.slot, &id) >= 0) {
        if (!count++) low = id;
        high = id;
    }
    if (count != high - low + 1 || !((low == 1 && high == 6) || (low == from && high == to)))
        fail("the programs let %u frames from %u to %u through", count, low, high);
    witness_check();
}

static void attach_while_stopped(void) { check_range(6, 10); }
static void detach_while_stopped(void) { check_range(1, 10); }
static void option_after(bool done)
{
    (void)done;
    witness_check();
}

/* ---- scenarios: one puts messages into an error queue, or takes them; another, who has the socket too, takes them ---- */

static unsigned seen[3]; /* how often who shares the queue took the message of this number */

static void push(uint32_t id)
{
    struct errqueue_item item = { .time_ns = 1000 + id, .info = id, .id = id, .size = 16 };
    uint8_t frame[16];

    memset(frame, (int)id, sizeof(frame));
    errqueue_push(bus, shared->sock.slot, shared->sock.fd, &item, frame);
}

static void take_all(void)
{
    struct errqueue_item item;

    for (unsigned i = 0; i < 10 && errqueue_pop(bus, shared->sock.slot, &item); i++) {
        bool whole = item.id >= 1 && item.id <= 2 && item.info == item.id && item.time_ns == 1000 + item.id &&
                     item.size == 16;
        for (unsigned at = 0; whole && at < 16; at++)
            whole = item.frame[at] == item.id;
        if (whole)
            seen[item.id]++;
        else
            fail("a torn message");
    }
}

static void queue_begin(void)
{
    shared->sock = bound_socket(0, 1, 10);
    push(1);
}

static void put_act(void) { push(2); }

static void queue_while_stopped(void)
{
    memset(seen, 0, sizeof(seen));
    take_all();
}

static void put_continued(void)
{
    take_all();
    if (seen[1] != 1 || seen[2] != 1) fail("the messages came %u and %u times", seen[1], seen[2]);
}

static void take_begin(void)
{
    queue_begin();
    push(2);
}

/* The stopped one is in the middle of taking the first. */
static void take_act(void)
{
    struct errqueue_item item;

    if (errqueue_pop(bus, shared->sock.slot, &item) && item.id == 1) shared->wrong |= 1;
}

static void take_continued(void)
{
    take_all();
    if (seen[1] + (shared->wrong & 1) != 1 || seen[2] != 1)
        fail("the messages came %u + %u and %u times", seen[1], shared->wrong & 1, seen[2]);
}

const struct scenario option_scenarios[] = {
    { "program", true, program_begin, attach_act, attach_own, attach_while_stopped, attach_while_stopped,
      option_after, change_finish },
    { "program detached", true, program_begin, detach_act, detach_own, detach_while_stopped,
      detach_while_stopped, option_after, change_finish },
    { "error queue", true, queue_begin, put_act, NULL, queue_while_stopped, put_continued, option_after,
      change_finish },
    { "error queue read", true, take_begin, take_act, NULL, queue_while_stopped, take_continued, option_after,
      change_finish },
    { NULL },
};
