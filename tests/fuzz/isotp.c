/*
 * Fuzz target: an ISO-TP machine (can/isotp.h). Input: the options as they are set - 12, 3, 4, 4 and 3 bytes - and then what happens to
 * the machine, each beginning with a byte whose low three bits say what:
 *
 *   0   a frame of its peer: a byte of length (its highest bit: of the other kind than the options say), that many bytes
 *   1   the same, as one of its own frames that comes back
 *   2   time passes: two bytes, in units of 100 us
 *   3   a PDU is to be sent: two bytes of size, times four
 *   4   the oldest frame it sent comes back (5: is lost)
 *   6   the rest of the byte: bit 3 it cannot send, bit 4 there is no memory
 *   7   it gives up what it sends; with bit 3, it is bound anew
 */
#include "unit/isotp_world.h"

#include <errno.h>

#define SELF 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct isotp isotp;
static uint8_t pdu[4 * 65536];

static struct input {
    const uint8_t *next;
    size_t left;
} input;

static void must(bool condition)
{
    if (!condition) abort();
}

static unsigned byte(void)
{
    if (!input.left) return 0;
    input.left--;
    return *input.next++;
}

static unsigned two_bytes(void)
{
    unsigned low = byte();

    return low | byte() << 8;
}

static void on_deliver(struct isotp *machine, const void *bytes, size_t size, uint64_t stamp_ns)
{
    static volatile uint8_t sum;

    (void)machine;
    must(size > 0 && size <= ISOTP_PDU_MAX && stamp_ns > world.now);
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
}

static void on_error(struct isotp *machine, int error)
{
    must(machine == &isotp && (error == EBADMSG || error == EILSEQ || error == ETIMEDOUT));
}

static void on_sent(struct isotp *machine, int result)
{
    must(!isotp_is_sending(machine));
    must(result == 0 || result == -ECOMM || result == -EMSGSIZE || result == -EBADMSG);
}

static void set_options(void)
{
    static const uint8_t sizes[] = { 0, 12, 3, 4, 4, 3 };
    uint8_t value[12];

    for (int name = 1; name <= 5; name++) {
        for (unsigned i = 0; i < sizes[name]; i++)
            value[i] = (uint8_t)byte();
        isotp_set(&isotp.options, name, value, sizes[name]);
    }
}

static void start(void)
{
    isotp_unbind(&isotp);
    must(world.memory == 0 && world.subscribed == 0 && timers_next(&world.timers) == TIMERS_NEVER);
    must(isotp_bind(&isotp, world.now) == 0);
}

static void bring_frame(uint32_t id, uint64_t origin)
{
    struct world_frame frame = { .frame.can_id = id, .origin = origin, .size = isotp.options.ll.mtu };
    unsigned len = byte();

    if (len & 0x80) frame.size = CAN_MTU + CANFD_MTU - frame.size;
    frame.frame.len = (uint8_t)(len & 0x7f);
    for (unsigned i = 0; i < frame.frame.len && i < 64; i++)
        frame.frame.data[i] = (uint8_t)byte();
    world_serve(&world, &frame);
}

static void pass_time(uint64_t ns)
{
    uint64_t until = world.now + ns;

    while (timers_next(&world.timers) <= until) {
        must(timers_next(&world.timers) >= world.now);
        world.now = timers_next(&world.timers);
        timers_expire(&world.timers, world.now);
    }
    world.now = until;
}

static void write_pdu(size_t size)
{
    int result;

    if (isotp_is_sending(&isotp) || isotp_check_size(&isotp.options, size) != 0) return;
    result = isotp_send(&isotp, pdu, size, world.now);
    must(result == 0 || result == world.send_error || result == -ENOBUFS);
    must(isotp_is_sending(&isotp) == (result == 0));
}

static void happen(unsigned what)
{
    const struct world_frame *frame;

    switch (what & 7) {
    case 0: bring_frame(isotp.rx_id, 0); break;
    case 1: bring_frame(isotp.tx_id, SELF); break;
    case 2: pass_time(two_bytes() * 100000ull); break;
    case 3: write_pdu(two_bytes() * 4ull); break;
    case 4:
    case 5:
        frame = world_take(&world);
        if (frame && !(what & 1)) world_serve(&world, frame);
        break;
    case 6:
        world.send_error = what & 8 ? -ENETDOWN : 0;
        world.no_memory = what & 16;
        break;
    default: what & 8 ? start() : isotp_abort(&isotp);
    }
    must(world.memory <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = (struct input){ data, size };
    if (!world.host.send) world_begin(&world);
    world.sent = world.taken = 0;
    world.send_error = 0;
    world.no_memory = false;
    memset(&isotp, 0, sizeof(isotp));
    isotp_default(&isotp.options);
    isotp.host = &world.host;
    isotp.deliver = on_deliver;
    isotp.error = on_error;
    isotp.sent = on_sent;
    isotp.origin = SELF;
    isotp.ifindex = 1;
    isotp.tx_id = 0x123;
    isotp.rx_id = 0x321;
    set_options();
    start();
    while (input.left)
        happen(byte());
    pass_time(4000000000000);
    must(!isotp_is_sending(&isotp) || isotp.tx.gap_ns); /* a slow one may take an hour, but has its timer */
    isotp_unbind(&isotp);
    must(world.memory == 0 && world.subscribed == 0 && timers_next(&world.timers) == TIMERS_NEVER);
    return 0;
}
