/*
 * tests/unit/isotp.c - the ISO-TP machine under a clock of its own, told as stories. One socket, tx_id 7E0, rx_id 7E8; each row of
 * `stories` is a test of that name. Lines of a story:
 *
 *   flags NAME...        options, see set_flags()      ext TX [RX] | pad TX RX | txtime NS | fc BS STMIN | ll MTU DL FLAGS | stmin TX RX
 *   bind                 comes before all below; is implied by the first of them
 *   write N              a PDU with the bytes 01 02 03 ...; "write N: ERRNO": it is refused
 *   < BYTES              a frame with rx_id; "<4 BYTES": that is in a frame of the other kind
 *   wait TIME            lets time pass: 20ms 50us 1s 1ns
 *   down, up             sending fails with ENETDOWN; does not
 *   silent, echoes       frames of ours do not come back, and do. "late": they come back at the next line that says "echo"
 *   poor, rich           memory
 *   abort, unbind
 *   busy, idle           what isotp_is_sending() says
 *
 * and what has to come of the lines above it, in this order, and nothing else:
 *
 *   > BYTES              a frame is sent with tx_id
 *   sent RESULT          the PDU is done with: 0 or an errno
 *   got N [BYTES]        a PDU of N bytes 01 02 03 ..., or of these bytes
 *   error ERRNO
 *
 * BYTES are hexadecimal; 01..06 is a range, cc*3 repeats.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include "unit/isotp_world.h"

#define TX_ID 0x7e0u
#define RX_ID 0x7e8u
#define SELF  77u

struct said {
    enum { SAID_FRAME, SAID_SENT, SAID_GOT, SAID_ERROR } what;
    int result;
    uint32_t size;
    uint8_t bytes[ISOTP_PDU_MAX];
};

static struct world world;
static struct isotp socket_, *machine;
static struct said said[64];
static unsigned said_count, said_read;
static bool is_bound, is_silent, is_late, is_unwanted;
static uint8_t pdu[ISOTP_PDU_MAX + 1];
static char line[256]; /* of the story, for messages */

#define WRONG(...)                                                                                           \
    do {                                                                                                     \
        print_error("in \"%s\": ", line);                                                                    \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

static void say(int what, int result, const void *bytes, size_t size)
{
    struct said *s = &said[said_count++ % 64];

    if (said_count - said_read > 64) WRONG("too much happens");
    s->what = what;
    s->result = result;
    s->size = (uint32_t)size;
    memcpy(s->bytes, bytes, size);
}

static void on_deliver(struct isotp *isotp, const void *bytes, size_t size, uint64_t stamp_ns)
{
    (void)isotp;
    assert_true(stamp_ns > 1600000000000000000);
    say(SAID_GOT, 0, bytes, size);
}

static void on_error(struct isotp *isotp, int error)
{
    (void)isotp;
    say(SAID_ERROR, error, "", 0);
}

static void on_sent(struct isotp *isotp, int result)
{
    assert_false(isotp_is_sending(isotp));
    say(SAID_SENT, -result, "", 0);
}

static void on_frame(struct world *w, const struct world_frame *frame)
{
    (void)w;
    assert_int_equal(frame->frame.can_id, TX_ID);
    assert_int_equal(frame->origin, SELF);
    assert_int_equal(frame->size, machine->options.ll.mtu);
    assert_int_equal(frame->frame.flags,
                     frame->size == CAN_MTU ? 0 : machine->options.ll.tx_flags | CANFD_FDF);
    for (unsigned i = frame->frame.len; i < 64; i++)
        assert_int_equal(frame->frame.data[i], 0);
    say(SAID_FRAME, 0, frame->frame.data, frame->frame.len);
}

/* ---- Words of a story ---- */

static int error_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } names[] = {
        { "0", 0 },           { "ECOMM", ECOMM },         { "EMSGSIZE", EMSGSIZE }, { "EBADMSG", EBADMSG },
        { "EILSEQ", EILSEQ }, { "ETIMEDOUT", ETIMEDOUT }, { "ENETDOWN", ENETDOWN }
    };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i].name, name)) return names[i].number;
    WRONG("no errno %s", name);
    return -1;
}

static uint64_t duration(const char *text)
{
    char *unit;
    double value = strtod(text, &unit);

    if (!strcmp(unit, "s")) return (uint64_t)(value * 1e9);
    if (!strcmp(unit, "ms")) return (uint64_t)(value * 1e6);
    if (!strcmp(unit, "us")) return (uint64_t)(value * 1e3);
    if (!strcmp(unit, "ns")) return (uint64_t)value;
    WRONG("no time %s", text);
    return 0;
}

static size_t hex_bytes(const char *text, uint8_t *bytes)
{
    size_t count = 0;
    char *rest;

    for (;; text = rest) {
        unsigned long byte = strtoul(text, &rest, 16), last = byte, times = 1;
        if (rest == text) break;
        if (!strncmp(rest, "..", 2)) last = strtoul(rest + 2, &rest, 16);
        if (*rest == '*') times = strtoul(rest + 1, &rest, 10);
        for (; times; times--)
            for (unsigned long b = byte; b <= last; b++)
                bytes[count++] = (uint8_t)b;
    }
    while (isspace((unsigned char)*text))
        text++;
    if (*text) WRONG("no byte: %s", text);
    return count;
}

static void set(int name, const void *value, size_t size)
{
    assert_int_equal(isotp_set(&machine->options, name, value, size), 0);
}

static void set_flags(const char *words)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = { { "listen", CAN_ISOTP_LISTEN_MODE },        { "ext", CAN_ISOTP_EXTEND_ADDR },
                  { "tx_padding", CAN_ISOTP_TX_PADDING },     { "rx_padding", CAN_ISOTP_RX_PADDING },
                  { "pad_len", CAN_ISOTP_CHK_PAD_LEN },       { "pad_data", CAN_ISOTP_CHK_PAD_DATA },
                  { "half", CAN_ISOTP_HALF_DUPLEX },          { "force_tx", CAN_ISOTP_FORCE_TXSTMIN },
                  { "force_rx", CAN_ISOTP_FORCE_RXSTMIN },    { "rx_ext", CAN_ISOTP_RX_EXT_ADDR },
                  { "sf_broadcast", CAN_ISOTP_SF_BROADCAST }, { "cf_broadcast", CAN_ISOTP_CF_BROADCAST } };
    struct can_isotp_options opts = machine->options.opts;
    char word[32];
    int used;

    for (opts.flags = 0; sscanf(words, "%31s%n", word, &used) == 1; words += used) {
        unsigned i = 0;
        while (i < sizeof(flags) / sizeof(flags[0]) && strcmp(flags[i].name, word))
            i++;
        if (i == sizeof(flags) / sizeof(flags[0])) WRONG("no flag %s", word);
        opts.flags |= flags[i].flag;
    }
    set(CAN_ISOTP_OPTS, &opts, sizeof(opts));
}

/* Up to three numbers; returns how many there are. */
static int numbers(const char *text, uint32_t *number)
{
    char *rest;
    int count = 0;

    for (; count < 3; text = rest) {
        unsigned long value = strtoul(text, &rest, 0);
        if (rest == text) break;
        number[count++] = (uint32_t)value;
    }
    return count;
}

static bool set_option(const char *word, const char *rest)
{
    struct can_isotp_options opts = machine->options.opts;
    struct can_isotp_ll_options ll;
    struct can_isotp_fc_options fc = { 0 };
    uint32_t number[3] = { 0 };
    int count = numbers(rest, number);

    if (!strcmp(word, "flags")) {
        set_flags(rest);
        return true;
    }
    if (!strcmp(word, "fc")) {
        fc.bs = (uint8_t)number[0];
        fc.stmin = (uint8_t)number[1];
        set(CAN_ISOTP_RECV_FC, &fc, sizeof(fc));
        return true;
    }
    if (!strcmp(word, "ll")) {
        ll = (struct can_isotp_ll_options){ (uint8_t)number[0], (uint8_t)number[1], (uint8_t)number[2] };
        set(CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));
        return true;
    }
    if (!strcmp(word, "stmin")) {
        set(CAN_ISOTP_TX_STMIN, &number[0], 4);
        set(CAN_ISOTP_RX_STMIN, &number[1], 4);
        return true;
    }
    if (!strcmp(word, "ext")) {
        opts.ext_address = (uint8_t)number[0];
        opts.rx_ext_address = (uint8_t)number[1];
        opts.flags |= CAN_ISOTP_EXTEND_ADDR | (count > 1 ? CAN_ISOTP_RX_EXT_ADDR : 0);
    } else if (!strcmp(word, "pad")) {
        opts.txpad_content = (uint8_t)number[0];
        opts.rxpad_content = (uint8_t)number[1];
    } else if (!strcmp(word, "txtime")) {
        opts.frame_txtime = number[0];
    } else {
        return false;
    }
    set(CAN_ISOTP_OPTS, &opts, sizeof(opts));
    return true;
}

static void bind_once(void)
{
    if (is_bound) return;
    assert_int_equal(isotp_bind(machine, world.now), 0);
    is_bound = true;
}

/* ---- What happens ---- */

static void bring_echoes(void)
{
    const struct world_frame *frame;

    while ((frame = world_take(&world)))
        if (!is_silent) world_serve(&world, frame);
}

static void settle(void)
{
    if (!is_late) bring_echoes();
}

static void pass_time(uint64_t ns)
{
    uint64_t until = world.now + ns;

    while (timers_next(&world.timers) <= until) {
        world.now = timers_next(&world.timers);
        timers_expire(&world.timers, world.now);
        settle();
    }
    world.now = until;
}

static void write_pdu(const char *rest)
{
    char refused[32] = "0";
    unsigned size;
    int result;

    sscanf(rest, "%u: %31s", &size, refused);
    result = isotp_send(machine, pdu, size, world.now);
    assert_int_equal(-result, error_number(refused));
    assert_int_equal(isotp_is_sending(machine), result == 0);
}

static void bring_frame(const char *rest)
{
    struct world_frame frame = { .frame.can_id = RX_ID, .size = machine->options.ll.mtu };

    if (*rest == '4') {
        frame.size = CAN_MTU + CANFD_MTU - frame.size;
        rest++;
    }
    frame.frame.len = (uint8_t)hex_bytes(rest, frame.frame.data);
    world_serve(&world, &frame);
}

static bool do_word(const char *word, const char *rest)
{
    if (!strcmp(word, "write")) {
        write_pdu(rest);
    } else if (*word == '<') {
        bring_frame(word[1] ? line + 1 : rest);
    } else if (!strcmp(word, "wait")) {
        pass_time(duration(rest));
    } else if (!strcmp(word, "down") || !strcmp(word, "up")) {
        world.send_error = *word == 'd' ? -ENETDOWN : 0;
    } else if (!strcmp(word, "poor") || !strcmp(word, "rich")) {
        world.no_memory = *word == 'p';
    } else if (!strcmp(word, "silent") || !strcmp(word, "echoes")) {
        is_silent = *word == 's';
    } else if (!strcmp(word, "late")) {
        is_late = true;
    } else if (!strcmp(word, "unwanted")) {
        is_unwanted = true;
    } else if (!strcmp(word, "echo")) {
        bring_echoes();
    } else if (!strcmp(word, "abort")) {
        isotp_abort(machine);
    } else if (!strcmp(word, "busy") || !strcmp(word, "idle")) {
        assert_int_equal(isotp_is_sending(machine), *word == 'b');
    } else {
        return !strcmp(word, "bind");
    }
    return true;
}

/* ---- What has to happen ---- */

static const struct said *next_said(int what, const char *name)
{
    if (said_read == said_count) WRONG("nothing happens, not \"%s\"", name);
    if (said[said_read % 64].what != (unsigned)what)
        WRONG("something else happens: %d, result %d", (int)said[said_read % 64].what,
              said[said_read % 64].result);
    return &said[said_read++ % 64];
}

static bool expect_word(const char *word, const char *rest)
{
    static uint8_t bytes[ISOTP_PDU_MAX];
    const struct said *s;
    unsigned long size;
    char *behind;

    if (!strcmp(word, ">")) {
        s = next_said(SAID_FRAME, word);
        size = hex_bytes(rest, bytes);
    } else if (!strcmp(word, "got")) {
        s = next_said(SAID_GOT, word);
        size = strtoul(rest, &behind, 10);
        memcpy(bytes, pdu, size);
        if (*behind) assert_int_equal(hex_bytes(behind, bytes), size);
    } else if (!strcmp(word, "sent") || !strcmp(word, "error")) {
        s = next_said(*word == 's' ? SAID_SENT : SAID_ERROR, word);
        if (s->result != error_number(rest)) WRONG("errno is %d", s->result);
        return true;
    } else {
        return false;
    }
    if (s->size != size) WRONG("%u bytes, want %lu", s->size, size);
    assert_memory_equal(s->bytes, bytes, size);
    return true;
}

static void tell_line(void)
{
    char word[32];
    int used = 0;

    sscanf(line, "%31s %n", word, &used);
    if (set_option(word, line + used)) return;
    bind_once();
    if (expect_word(word, line + used)) return;
    settle();
    if (said_read != said_count) WRONG("something happened before: %d", (int)said[said_read % 64].what);
    if (!do_word(word, line + used)) WRONG("what is that?");
    if (!is_late) settle();
}

static bool on_wanted(struct isotp *isotp)
{
    (void)isotp;
    return !is_unwanted;
}

static void begin(void)
{
    world_begin(&world);
    world.watch = on_frame;
    machine = &socket_;
    memset(machine, 0, sizeof(*machine));
    isotp_default(&machine->options);
    machine->host = &world.host;
    machine->deliver = on_deliver;
    machine->error = on_error;
    machine->sent = on_sent;
    machine->wanted = on_wanted;
    machine->origin = SELF;
    machine->ifindex = 1;
    machine->tx_id = TX_ID;
    machine->rx_id = RX_ID;
    said_count = said_read = 0;
    is_bound = is_silent = is_late = is_unwanted = false;
    for (unsigned i = 0; i < sizeof(pdu); i++)
        pdu[i] = (uint8_t)(i + 1);
}

static void tell_lines(const char *story)
{
    const char *end;

    for (; *story; story = *end ? end + 1 : end) {
        while (isspace((unsigned char)*story))
            story++;
        end = strchr(story, '\n');
        if (!end) end = story + strlen(story);
        snprintf(line, sizeof(line), "%.*s", (int)(end - story), story);
        if (*line) tell_line();
    }
}

static void tell(void **state)
{
    begin();
    tell_lines(*state);
    snprintf(line, sizeof(line), "the end");
    settle();
    if (said_read != said_count) WRONG("something happened before: %d", (int)said[said_read % 64].what);
    bind_once();
    isotp_unbind(machine);
    assert_int_equal(world.memory, 0);
    assert_int_equal(world.subscribed, 0);
    assert_true(timers_next(&world.timers) == TIMERS_NEVER);
}

#include "unit/isotp_stories.h"

/* ---- What no story can tell ---- */

/* Refuses the second of two subscriptions. */
static int subscribe_once(struct can_host *host, struct subscription *subscription)
{
    return world.subscribed ? -ENODEV : world_subscribe(host, subscription);
}

static void bind_that_fails_leaves_nothing(void **state)
{
    (void)state;
    begin();
    world.no_subscription = true;
    assert_int_equal(isotp_bind(&socket_, world.now), -ENODEV);
    isotp_unbind(&socket_);
    world.no_subscription = false;
    world.host.subscribe = subscribe_once;
    assert_int_equal(isotp_bind(&socket_, world.now), -ENODEV);
    assert_int_equal(world.subscribed, 0);
    isotp_unbind(&socket_);
    world.host.subscribe = world_subscribe;
    assert_int_equal(isotp_bind(&socket_, world.now), 0);
    assert_int_equal(world.subscribed, 2);
    isotp_unbind(&socket_);
    isotp_unbind(&socket_);
    assert_int_equal(world.subscribed, 0);
}

static void broadcast_subscribes_to_its_echoes_only(void **state)
{
    (void)state;
    begin();
    set_flags("sf_broadcast");
    assert_int_equal(isotp_bind(&socket_, world.now), 0);
    assert_int_equal(world.subscribed, 1);
    isotp_unbind(&socket_);
    assert_int_equal(world.subscribed, 0);
}

/* Callbacks after which there is no machine any more: a sanitizer sees who looks at it again. */
static struct isotp *doomed;

static void doom(void)
{
    isotp_unbind(doomed);
    free(doomed);
    doomed = NULL;
    machine = &socket_;
}

static void doom_deliver(struct isotp *isotp, const void *bytes, size_t size, uint64_t stamp_ns)
{
    on_deliver(isotp, bytes, size, stamp_ns);
    doom();
}

static void doom_error(struct isotp *isotp, int error)
{
    on_error(isotp, error);
    doom();
}

static void doom_sent(struct isotp *isotp, int result)
{
    on_sent(isotp, result);
    doom();
}

static void machine_may_end_in_every_callback(void **state)
{
    static const char *const acts[] = {
        "write 1\n > 01 01\n sent 0",
        "write 20\n > 10 14 01..06\n < 32 00 00\n sent EMSGSIZE",
        "write 20\n > 10 14 01..06\n < 33 00 00\n sent EBADMSG",
        "write 20\n > 10 14 01..06\n < 33\n sent EBADMSG",
        "write 20\n > 10 14 01..06\n wait 1s\n sent ECOMM",
        "< 01 01\n got 1",
        FF20 "< 21 07..0d\n < 22 0e..14\n got 20",
        FF20 "< 22 07..0d\n error EILSEQ",
        FF20 "wait 1s\n error ETIMEDOUT",
        "flags pad_data\n < 01 01\n error EBADMSG",
        "flags pad_data\n < 10 08 01..06\n > 30 00 00\n < 21 07 08\n error EBADMSG",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        begin();
        machine = doomed = malloc(sizeof(*doomed));
        assert_non_null(doomed);
        *doomed = socket_;
        doomed->deliver = doom_deliver;
        doomed->error = doom_error;
        doomed->sent = doom_sent;
        tell_lines(acts[i]);
        assert_null(doomed);
        assert_int_equal(world.memory, 0);
        assert_int_equal(world.subscribed, 0);
        assert_true(timers_next(&world.timers) == TIMERS_NEVER);
    }
}

int main(void)
{
    enum { STORIES = sizeof(stories) / sizeof(stories[0]) };
    struct CMUnitTest tests[STORIES + 3] = {
        [STORIES] = cmocka_unit_test(bind_that_fails_leaves_nothing),
        [STORIES + 1] = cmocka_unit_test(broadcast_subscribes_to_its_echoes_only),
        [STORIES + 2] = cmocka_unit_test(machine_may_end_in_every_callback),
    };

    for (unsigned i = 0; i < STORIES; i++)
        tests[i] = (struct CMUnitTest){ .name = stories[i].name,
                                        .test_func = tell,
                                        .initial_state = (void *)(uintptr_t)stories[i].story };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
