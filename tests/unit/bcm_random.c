/*
 * tests/unit/bcm_random.c - long random lives of a broadcast manager against a model that is as plain as possible: jobs in fixed arrays, each
 * with its next times as numbers, all of which are looked through at every step.
 *
 * Nothing happens at the same time as anything else, so that the order is given: what job j does lies 10 us * j behind a full millisecond,
 * frames of others come at 900 us, and the times of receiving jobs end in odd microseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "unit/bcmhost.h"

#define US      1000ull
#define LIVES   400
#define STEPS   200
#define FRAMES  4
#define IDS     3
#define NEVER   UINT64_MAX
#define LOG_MAX sizeof(host.log)

struct content {
    unsigned len; /* 0 to 2 */
    uint8_t data[2];
};

struct model_tx {
    bool live;
    uint32_t flags, frames, at, count;
    uint64_t ival1, ival2, due;
    struct content content[FRAMES];
};

struct model_rx {
    bool live;
    uint32_t flags, frames, source, claimed;
    uint64_t ival1, ival2, timeout, window_end, told_at, stamp; /* NEVER: none */
    struct content filter[FRAMES], store[FRAMES];
    bool stored[FRAMES], held[FRAMES];
};

/* Interfaces: for TX 1 and 2; for RX also 0, any. */
static struct model_tx tx[IDS][3];
static struct model_rx rx[IDS][3];
static char model_log[LOG_MAX];
static unsigned seed;

static uint32_t any_of(uint32_t count)
{
    seed = seed * 1103515245u + 12345u;
    return seed / 65536u % count;
}

/* ---- the model ---- */

__attribute__((format(printf, 2, 3))) static void note(uint64_t now, const char *format, ...)
{
    size_t at = strlen(model_log);
    va_list args;

    at += (size_t)snprintf(model_log + at, LOG_MAX - at, "%llu", (unsigned long long)(now / MS));
    if (now % MS)
        at += (size_t)snprintf(model_log + at, LOG_MAX - at, ".%06llu", (unsigned long long)(now % MS));
    va_start(args, format);
    vsnprintf(model_log + at, LOG_MAX - at, format, args);
    va_end(args);
}

static const char *hex(const struct content *c)
{
    static char text[2][8];
    static unsigned turn;
    char *at = text[turn++ % 2];

    snprintf(at, 8, c->len == 0 ? "" : c->len == 1 ? "%02X" : "%02X%02X", c->data[0], c->data[1]);
    return at;
}

static void model_told(struct model_rx *op, uint32_t id, uint32_t i, uint64_t now)
{
    char stamp[32] = "";

    if (op->stamp != now) snprintf(stamp, sizeof(stamp), " stamp %llu", (unsigned long long)(op->stamp / MS));
    note(now, " changed %u %X#%s%s\n", op->source, id, hex(&op->store[i]), stamp);
    op->held[i] = false;
}

static void model_change(struct model_rx *op, uint32_t id, uint32_t i, const struct content *c, uint64_t now)
{
    op->store[i] = *c;
    op->stored[i] = op->held[i] = true;
    if (!op->ival2) {
        model_told(op, id, i, now);
    } else if (op->window_end != NEVER) {
        /* waits */
    } else if (op->told_at != NEVER && now < op->told_at + op->ival2) {
        op->window_end = op->told_at + op->ival2;
    } else {
        model_told(op, id, i, now);
        op->told_at = now;
    }
}

static bool model_differs(const struct model_rx *op, uint32_t i, const struct content *c)
{
    const uint8_t *mask = op->filter[i].data, *old = op->store[i].data;

    if (!op->stored[i]) return true;
    if (c->len && (((c->data[0] ^ old[0]) & mask[0]) || ((c->data[1] ^ old[1]) & mask[1]))) return true;
    return (op->flags & RX_CHECK_DLC) && c->len != op->store[i].len;
}

static void model_receive(struct model_rx *op, uint32_t id, uint32_t own, uint32_t ifindex,
                          const struct content *c, uint64_t now)
{
    if (!op->live || (own && own != ifindex)) return;
    if (!own && (op->ival1 || op->ival2)) {
        if (!op->claimed) op->claimed = ifindex;
        if (op->claimed != ifindex) return;
    }
    op->source = ifindex;
    op->stamp = now;
    op->timeout = NEVER;
    if (op->frames == 0) {
        model_change(op, id, 0, c, now);
    } else if (op->frames == 1) {
        if (model_differs(op, 0, c)) model_change(op, id, 0, c, now);
    } else {
        for (uint32_t i = 1; i < op->frames; i++) {
            if (((op->filter[i].data[0] ^ c->data[0]) & op->filter[0].data[0]) ||
                ((op->filter[i].data[1] ^ c->data[1]) & op->filter[0].data[1]))
                continue;
            if (model_differs(op, i, c)) model_change(op, id, i, c, now);
            break;
        }
    }
    if (op->ival1 && !(op->flags & RX_NO_AUTOTIMER)) op->timeout = now + op->ival1;
}

static void model_frame(uint32_t id, uint32_t ifindex, const struct content *c, uint64_t now)
{
    for (uint32_t own = 0; own < 3; own++)
        model_receive(&rx[id][own], id, own, ifindex, c, now);
}

static void model_send(struct model_tx *op, uint32_t id, uint32_t ifindex, uint64_t now)
{
    struct content c = op->content[op->at];

    note(now, " tx %u %X#%s\n", ifindex, id, hex(&c));
    if (op->count) op->count--;
    op->at = (op->at + 1) % op->frames;
    model_frame(id, ifindex, &c, now);
}

static void model_next(struct model_tx *op)
{
    uint64_t period = op->ival1 && op->count ? op->ival1 : op->ival2;

    op->due = period ? op->due + period : NEVER;
}

static void model_tx_expires(struct model_tx *op, uint32_t id, uint32_t ifindex)
{
    bool counts = op->ival1 && op->count;
    uint64_t now = op->due;

    if (counts || op->ival2) model_send(op, id, ifindex, now);
    if (counts && !op->count && (op->flags & TX_COUNTEVT)) note(now, " expired 0 %X\n", id);
    model_next(op);
}

static bool model_flush(struct model_rx *op, uint32_t id, uint64_t now)
{
    bool any = false;

    for (uint32_t i = op->frames > 1; i < (op->frames > 1 ? op->frames : 1); i++)
        if (op->held[i]) {
            model_told(op, id, i, now);
            any = true;
        }
    return any;
}

static void model_rx_expires(struct model_rx *op, uint32_t id, uint64_t now)
{
    if (op->timeout == now) {
        op->timeout = NEVER;
        if (op->flags & RX_ANNOUNCE_RESUME)
            for (uint32_t i = 0; i < op->frames; i++)
                op->stored[i] = op->held[i] = false;
        note(now, " timeout %u %X\n", op->source, id);
    } else {
        op->window_end = model_flush(op, id, now) ? now + op->ival2 : NEVER;
        if (op->window_end == NEVER) op->told_at = NEVER;
    }
}

/* The first of all times; what happens then. */
static bool model_step(uint64_t end)
{
    uint64_t first = NEVER;

    for (uint32_t i = 0; i < IDS * 3; i++) {
        const struct model_tx *t = &tx[i / 3][i % 3];
        const struct model_rx *r = &rx[i / 3][i % 3];

        if (t->live && t->due < first) first = t->due;
        if (r->live && r->timeout < first) first = r->timeout;
        if (r->live && r->window_end < first) first = r->window_end;
    }
    if (first > end) return false;
    for (uint32_t i = 0; i < IDS * 3; i++) {
        struct model_tx *t = &tx[i / 3][i % 3];
        struct model_rx *r = &rx[i / 3][i % 3];

        if (t->live && t->due == first) model_tx_expires(t, i / 3, i % 3);
        if (r->live && (r->timeout == first || r->window_end == first)) model_rx_expires(r, i / 3, first);
    }
    return true;
}

/* ---- both at once ---- */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Lines of the same time may come in another order: receivers of one frame. */
static void sort_lines(char *log, char *out)
{
    static char *line[LOG_MAX];
    size_t count = 0, at = 0;

    for (char *next = strtok(log, "\n"); next; next = strtok(NULL, "\n"))
        line[count++] = next;
    qsort(line, count, sizeof(*line), compare_lines);
    *out = 0;
    for (size_t i = 0; i < count; i++)
        at += (size_t)sprintf(out + at, "%s\n", line[i]);
}

static void check_logs(unsigned life, unsigned step)
{
    static char got[LOG_MAX], want[LOG_MAX];

    assert_true(strlen(host.log) < LOG_MAX - 1);
    sort_lines(host.log, got);
    sort_lines(model_log, want);
    host.log[0] = model_log[0] = 0;
    if (strcmp(got, want)) fail_msg("life %u, step %u: got\n%swant\n%s", life, step, got, want);
}

static void go_to(uint64_t end)
{
    while (timers_next(&host.timers) <= end) {
        host.now = timers_next(&host.timers);
        timers_expire(&host.timers, host.now);
        host_echo();
    }
    host.now = end;
    while (model_step(end))
        ;
}

static void random_content(struct content *c, uint32_t count, char *words)
{
    *words = 0;
    for (uint32_t i = 0; i < count; i++) {
        memset(&c[i], 0, sizeof(*c));
        c[i].len = any_of(8) ? 2 : any_of(2);
        for (unsigned k = 0; k < c[i].len; k++)
            c[i].data[k] = (uint8_t)any_of(3);
        sprintf(words + strlen(words), "%s%s ", hex(&c[i]), c[i].len ? "" : "-");
    }
}

static uint32_t some_of(uint32_t flags) { return flags & (any_of(1u << 12) | (any_of(4) ? 0 : flags)); }

static void tx_setup(uint32_t id, uint32_t ifindex)
{
    struct model_tx *op = &tx[id][ifindex];
    struct content content[FRAMES];
    char words[64];
    uint32_t flags = some_of(SETTIMER | STARTTIMER | TX_COUNTEVT | TX_ANNOUNCE | TX_RESET_MULTI_IDX);
    uint32_t frames = any_of(FRAMES) + 1, count = any_of(5);
    uint64_t ival1 = any_of(4) * 3 * MS, ival2 = any_of(4) * 5 * MS;
    long result;

    random_content(content, frames, words);
    result = ASK(TX_SETUP, flags, id, count, ifindex, ival1 / US, ival2 / US, .frames = words);
    if (op->live && frames > op->frames) {
        assert_int_equal(result, -E2BIG);
        return;
    }
    assert_int_equal(result, 56 + 16 * frames);
    if (!op->live) *op = (struct model_tx){ .live = true, .due = NEVER };
    if (op->frames != frames || (flags & TX_RESET_MULTI_IDX)) op->at = 0;
    op->frames = frames;
    op->flags = flags | (flags & STARTTIMER ? TX_ANNOUNCE : 0);
    memcpy(op->content, content, sizeof(content));
    if (flags & SETTIMER) {
        op->count = count;
        op->ival1 = ival1;
        op->ival2 = ival2;
        if (!ival1 && !ival2) op->due = NEVER;
    }
    if (op->flags & TX_ANNOUNCE) model_send(op, id, ifindex, host.now);
    if (flags & STARTTIMER) {
        op->due = host.now;
        model_next(op);
    }
}

static void rx_setup(uint32_t id, uint32_t ifindex)
{
    struct model_rx *op = &rx[id][ifindex];
    struct content filter[FRAMES];
    char words[64];
    uint32_t flags = some_of(SETTIMER | STARTTIMER | RX_CHECK_DLC | RX_NO_AUTOTIMER | RX_ANNOUNCE_RESUME);
    uint32_t frames = any_of(FRAMES + 1);
    uint64_t ival1 = any_of(2) * (any_of(20) * 1000 + 311) * US,
             ival2 = any_of(2) * (any_of(20) * 1000 + 617) * US;
    long result;

    random_content(filter, frames, words);
    result = ASK(RX_SETUP, flags, id, 0, ifindex, ival1 / US, ival2 / US, .frames = words);
    if (op->live && frames > op->frames) {
        assert_int_equal(result, -E2BIG);
        return;
    }
    assert_int_equal(result, 56 + 16 * frames);
    if (!op->live)
        *op = (struct model_rx){
            .live = true, .source = ifindex, .timeout = NEVER, .window_end = NEVER, .told_at = NEVER
        };
    op->frames = frames;
    op->flags = flags;
    for (uint32_t i = 0; i < frames; i++) {
        op->filter[i] = filter[i];
        op->stored[i] = op->held[i] = false;
    }
    if (flags & SETTIMER) {
        op->ival1 = ival1;
        op->ival2 = ival2;
        if (!ival1) op->timeout = NEVER;
        op->window_end = op->told_at = NEVER;
        op->claimed = 0;
        model_flush(op, id, host.now);
    }
    if ((flags & STARTTIMER) && op->ival1) op->timeout = host.now + op->ival1;
}

static void delete_any(uint32_t id, uint32_t ifindex)
{
    bool is_tx = any_of(2) && ifindex, *live = is_tx ? &tx[id][ifindex].live : &rx[id][ifindex].live;

    assert_int_equal(ASK(is_tx ? TX_DELETE : RX_DELETE, .id = id, .to = ifindex), *live ? 56 : -EINVAL);
    *live = false;
}

static void foreign_frame(uint32_t id, uint32_t ifindex)
{
    struct content c;
    struct canfd_frame frame;
    char words[16];

    random_content(&c, 1, words);
    frame_read(words, id, &frame);
    host_serve(&frame, FRAME_CC_SIZE, ifindex, 0);
    model_frame(id, ifindex, &c, host.now);
}

/* One thing, at its own fraction of a millisecond. */
static void act(uint64_t *ms)
{
    uint32_t id = any_of(IDS), ifindex = any_of(3), what = any_of(10);
    uint64_t fraction = what < 3 ? (id * 3 + ifindex) * 10 * US : what < 6 ? 900 * US : 950 * US;

    *ms += any_of(any_of(3) ? 4 : 40) + 1;
    go_to(*ms * MS + fraction);
    if (what < 3 && ifindex)
        tx_setup(id, ifindex);
    else if (what < 6)
        foreign_frame(id, what == 5 ? IF_B : IF_A);
    else if (what < 9)
        rx_setup(id, ifindex);
    else
        delete_any(id, ifindex);
}

static void check_bookkeeping(void)
{
    unsigned jobs = 0, receivers = 0;

    for (uint32_t i = 0; i < IDS * 3; i++) {
        jobs += tx[i / 3][i % 3].live + rx[i / 3][i % 3].live;
        receivers += rx[i / 3][i % 3].live;
    }
    assert_int_equal(host.allocated, jobs);
    assert_int_equal(host.subscribed, receivers);
}

static void lives(void **state)
{
    unsigned told = 0, sent = 0;

    (void)state;
    for (unsigned life = 0; life < LIVES; life++) {
        uint64_t ms = 0;

        seed = life;
        memset(tx, 0, sizeof(tx));
        memset(rx, 0, sizeof(rx));
        host_open(ANY);
        for (unsigned step = 0; step < STEPS; step++) {
            act(&ms);
            check_logs(life, step);
            check_bookkeeping();
        }
        told += host.messages;
        sent += host.sent;
        assert_true(host_close());
    }
    assert_true(told > LIVES * STEPS / 4 && sent > LIVES * STEPS / 4); /* it was not for nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(lives) };
    return cmocka_run_group_tests_name("bcm_random", tests, NULL, NULL);
}
