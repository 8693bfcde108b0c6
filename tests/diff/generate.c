/*
 * From a seed to steps. A rough idea of what exists (who has which socket, which links there are) makes most steps
 * mean something; results are never looked at.
 *
 * What is avoided, because pocketcan differs there by choice or the kernel itself is not deterministic:
 *   - queues stay short: all is read every few dozen sends. A default ring holds more frames than a default buffer.
 *   - protocols other than CAN_RAW are only asked for where CAN has none: what BCM, ISO-TP and J1939 do is a matter of time.
 *   - values that name a machine: SO_COOKIE, SO_NETNS_COOKIE, SO_INCOMING_CPU, SO_INCOMING_NAPI_ID; descriptors are
 *     printed as slots, indexes as links, times as given or not.
 *   - the order of events in one epoll_wait: they are sorted. An epoll descriptor is not kept across exec or shared with a child:
 *     a process only knows of what it registered itself, and errors are reported as readability elsewhere. EPOLLERR without
 *     EPOLLIN or EPOLLOUT is not waited for: nothing of the real descriptor tells of it.
 *   - edge-triggered events (EPOLLET): the descriptor behind a socket has edges of its own. Five of 200000 operations differed: EPOLLOUT once
 *     too often, and, once, an epoll descriptor in a select() that was not readable again.
 *   - buffers beyond net.core.rmem_max, which pocketcan asks the machine it runs on.
 *   - dumps of a kind of link that the machine may not know: a kernel then lists all.
 *   - network namespaces; other users.
 */
#include "diff.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a)    (sizeof(a) / sizeof(*(a)))
#define ONE_OF(...) ONE_OF_(((const long[]){ __VA_ARGS__ }))
#define ONE_OF_(a)  ((a)[random_below(COUNT(a))])
#define WORD_OF(...)                                                                                         \
    (((const char *const[]){ __VA_ARGS__ })[random_below(COUNT(((const char *const[]){ __VA_ARGS__ })))])
#define DRAIN_AFTER 40 /* sends */
#define DRAIN_ASYNC_AFTER                                                                                    \
    3 /* the socket behind a socket of pocketcan holds eleven tokens, each of which brings a SIGIO */

static struct {
    uint64_t state;
    char *text;
    size_t used, room;
    int steps, wanted;
    int links, sends, tag;
    bool async; /* SIGIO is asked for */
    bool alive[PROCESSES], has[PROCESSES][SLOTS], epoll[PROCESSES][EPOLLS], link[LINKS], paired[LINKS];
    int weight[16];
} g;

static uint64_t random_next(void)
{
    uint64_t z = (g.state += 0x9e3779b97f4a7c15ull);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static unsigned random_below(size_t n) { return (unsigned)(random_next() >> 16) % (unsigned)n; }

static bool chance(unsigned percent) { return random_below(100) < percent; }

/* Adds to the line that is being written. */
static void add(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void add(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g.used += (size_t)vsnprintf(g.text + g.used, g.room - g.used, format, args);
    va_end(args);
    if (g.room - g.used < 8192) {
        g.room *= 2;
        g.text = realloc(g.text, g.room);
        if (!g.text) abort();
    }
}

/* Some through syscall(2), where that makes a difference to nobody. */
static void add_way(void)
{
    if (chance(4)) add(" sys=1");
}

static void done(void)
{
    add("\n");
    g.steps++;
}

/* ---- picking ---- */

static int process(void)
{
    int p = (int)random_below(PROCESSES);

    return g.alive[p] ? p : g.alive[1] && chance(40) ? 1 : 0;
}

/* One that has a socket, if it is not to make one. */
static int owner(void)
{
    int p = 0;

    for (int tries = 0; tries < 8; tries++) {
        p = process();
        for (int s = 0; s < SLOTS; s++)
            if (g.has[p][s]) return p;
    }
    return p;
}

static int slot_of(int p, bool used)
{
    int start = (int)random_below(SLOTS);

    for (int i = 0; i < SLOTS; i++)
        if (g.has[p][(start + i) % SLOTS] == used) return (start + i) % SLOTS;
    return start;
}

static int socket_of(int p) { return chance(1) ? (int)random_below(SLOTS) : slot_of(p, true); }

static int link_number(void) { return (int)random_below((size_t)g.links); }

/* An interface for bind and sendto. */
static void add_target(void)
{
    unsigned kind = random_below(100);

    if (kind < 84)
        add(" i%d", link_number());
    else
        add(" %s", kind < 94 ? "any" : kind < 96 ? "none" : kind < 98 ? "lo" : "neg");
}

static unsigned long frame_id(void)
{
    static const unsigned long ids[] = { 0x123,      0x123,      0x124,      0x456,      0x7ff,
                                         0,          0x80000123, 0x92345678, 0x81000123, 0x40000123,
                                         0xc0000123, 0x1123,     0x123,      0x80000123, 0x20000004,
                                         0x20000000, 0x20000088, 0xa0000123, 0x60000044, 0x80000000 };

    return chance(5) ? (unsigned long)random_next() & 0xffffffff : ids[random_below(COUNT(ids))];
}

static void add_filter(void)
{
    unsigned long id = frame_id(),
                  mask = (unsigned long)ONE_OF(0x7ff, 0x800007ff, 0xc00007ff, 0x1fffffff, 0x9fffffff,
                                               0xdfffffff, 0, 0x80000000, 0x40000000, 0x20000004, 0x20000000,
                                               0x2000ffff, 0x123, 0xffffffff, 0xc00007ff, 0xdfffffff);

    if (chance(20)) id ^= 0x20000000;
    if (chance(4)) mask = (unsigned long)random_next() & 0xffffffff;
    add(" %lx/%lx", id, mask);
}

static void add_frame(void)
{
    unsigned kind = random_below(100);

    g.tag = (g.tag + 1) & 0xff;
    if (kind < 55)
        add(" cc:%lx:%x:%x", frame_id(), chance(92) ? random_below(9) : random_below(256), g.tag);
    else if (kind < 80)
        add(" fd:%lx:%x:%lx:%x", frame_id(), chance(92) ? random_below(65) : random_below(256),
            ONE_OF(0, 0, 1, 2, 3, 4, 5, 0xfb, 0xff), g.tag);
    else
        add(" xl:%lx:%lx:%lx:%x", chance(70) ? random_below(0x800) : frame_id(),
            chance(90) ? ONE_OF(1, 4, 8, 60, 64, 64, 100, 32) : ONE_OF(0, 2048, 2049, 500, 1000, 65535),
            ONE_OF(0x80, 0x80, 0x80, 0x81, 0xff, 0, 1), g.tag);
    if (chance(5)) add("/%ld", ONE_OF(0, 1, 8, 12, 13, 15, 16, 17, 40, 71, 72, 73, 76, 77, 2060, 2061, 4000));
}

/* ---- steps ---- */

static void step_socket(void)
{
    int p = process(), s = slot_of(p, false);

    if (chance(4)) {
        /* 2, 6 and 7 are left out, see above */
        add("p%d socket s%d %ld %ld", p, s, ONE_OF(0, 1, 2, 3, 4, 5, 10, 11, 15, 0x13, 0x100003),
            ONE_OF(0, 1, 3, 4, 5, 8, 255, 257, -1));
        done();
        add("p%d close s%d", p, s);
        g.has[p][s] = false;
        done();
        return;
    }
    add("p%d socket s%d %ld 1", p, s, ONE_OF(3, 3, 3, 3, 0x80003));
    done();
    g.has[p][s] = true;
    if (chance(90)) {
        add("p%d bind s%d", p, s);
        add_target();
        done();
    }
    if (chance(40)) {
        add("p%d set s%d raw 5 1", p, s);
        done();
    }
    if (chance(25)) {
        add("p%d set s%d raw 7 1", p, s);
        done();
    }
    if (chance(25)) {
        add("p%d set s%d raw 2 %ld", p, s, ONE_OF(-1, 4, 0x88, 0x1fffffff));
        done();
    }
    if (chance(25)) {
        add("p%d set s%d raw 4 1", p, s);
        done();
    }
}

static void add_vector(void)
{
    if (chance(2)) add(" iovptr=%s", WORD_OF("null", "bad"));
    if (chance(2)) add(" iovs=%ld", ONE_OF(0, -1, 1024, 1025));
}

static void step_send(void)
{
    int p = owner();
    const char *call =
        WORD_OF("write", "write", "send", "sendto", "sendto", "sendmsg", "sendmsg", "writev", "sendmmsg");
    bool message = !strcmp(call, "sendmsg") || !strcmp(call, "sendmmsg");

    add("p%d send s%d", p, socket_of(p));
    add_frame();
    add(" call=%s", call);
    if ((message || !strcmp(call, "sendto")) && chance(60)) {
        add(" to=");
        if (chance(88))
            add("i%d", link_number());
        else
            add("%s", WORD_OF("any", "none", "lo", "neg"));
        if (chance(6)) add(" tolen=%ld", ONE_OF(0, 1, 2, 7, 8, 16, 24, 128, 129, -1));
        if (chance(2)) add(" tofam=%ld", ONE_OF(0, 1, 2, 28, 30, 255));
        if (chance(2)) add(" toptr=%s", WORD_OF("null", "bad"));
    }
    if (strncmp(call, "write", 5) && chance(15))
        add(" fl=0x%lx",
            ONE_OF(1, 2, 4, 0x20, 0x40, 0x80, 0x800, 0x2000, 0x4000, 0x8000, 0x4000000, 0x10000, 0x100));
    if ((message || !strcmp(call, "writev")) && chance(30)) add(" iov=%d", 1 + (int)random_below(4));
    if (message && chance(25)) {
        add(" c=");
        for (int i = 0, n = 1 + (int)random_below(3); i < n; i++) {
            long level = ONE_OF(1, 1, 1, 1, 1, 0, 101, 41),
                 type = ONE_OF(36, 37, 37, 61, 1, 2, 12, 65, 99, 25);

            add("%s%ld:%ld:%ld:%ld", i ? "+" : "", level, type, ONE_OF(4, 4, 4, 8, 0, 3, 16),
                ONE_OF(0, 1, 2, 5, 0x100, 0x300, 0x3, 0x203, 0x7fffffff, 8));
            if (chance(5)) add(":%ld", ONE_OF(0, 1, 15, 16, 17, 20, 24, 4000, -1));
        }
        if (chance(4)) add(" cptr=%s", WORD_OF("null", "bad"));
        if (chance(4)) add(" cmore=%ld", ONE_OF(-1, 1, 8, 15, 16));
        if (chance(1)) add(" mptr=%s", WORD_OF("null", "bad"));
    }
    if (!strcmp(call, "sendmmsg") && chance(15)) add(" %s=%u", WORD_OF("vlen", "second"), random_below(2));
    if (message || !strcmp(call, "writev")) add_vector();
    if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    g.sends++;
    add_way();
    done();
    if (g.async && chance(40)) {
        add("p%d signals", process());
        done();
    }
}

static void step_recv(void)
{
    int p = owner();
    const char *call =
        WORD_OF("read", "read", "recv", "recvfrom", "recvmsg", "recvmsg", "recvmsg", "readv", "recvmmsg");
    bool message = !strcmp(call, "recvmsg") || !strcmp(call, "recvmmsg");

    add("p%d recv s%d call=%s", p, socket_of(p), call);
    if (chance(60)) add(" len=%ld", ONE_OF(16, 16, 72, 2060, 2100, 0, 1, 3, 4, 8, 15, 17, 71, 12, 40));
    if (strncmp(call, "read", 4) && chance(45))
        add(" fl=0x%lx", ONE_OF(2, 2, 2, 0x20, 0x22, 0x2000, 0x2000, 0x2002, 0x2020, 0x40, 1, 0x100,
                                0x40000000, 4, 0x800, 0x10000));
    if ((message || !strcmp(call, "recvfrom")) && chance(40))
        add(" namelen=%ld", ONE_OF(0, 1, 2, 4, 7, 8, 9, 16, 24, 64));
    if (message && chance(40))
        add(" ctl=%ld", ONE_OF(0, 0, 1, 15, 16, 17, 20, 24, 32, 40, 64, 65, 100, 128, 512));
    if ((message || !strcmp(call, "readv")) && chance(30)) add(" iov=%d", 1 + (int)random_below(4));
    if (!strcmp(call, "recvmmsg")) {
        if (chance(30)) add(" vlen=%u", random_below(3));
        if (chance(20)) add(" time=%ld", ONE_OF(0, 1, -1));
        if (chance(2)) add(" timeptr=bad");
    }
    if (message || !strcmp(call, "readv")) add_vector();
    if (message && chance(3)) add(" cptr=%s", WORD_OF("null", "bad"));
    if (message && chance(1)) add(" mptr=%s", WORD_OF("null", "bad"));
    if ((message || !strcmp(call, "recvfrom")) && chance(3)) add(" nptr=%s", WORD_OF("null", "bad"));
    if (!strcmp(call, "recvfrom") && chance(2)) add(" lenptr=%s", WORD_OF("null", "bad"));
    if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    if (chance(1)) add(" block=8");
    add_way();
    done();
}

static void drain_all(void)
{
    g.sends = 0;
    for (int p = 0; p < PROCESSES; p++)
        for (int s = 0; s < SLOTS; s++)
            if (g.alive[p] && g.has[p][s]) {
                add("p%d drain s%d", p, s);
                done();
                if (chance(30)) {
                    add("p%d drain s%d fl=0x2040", p, s);
                    done();
                }
            }
}

static void step_filter(void)
{
    int p = owner(), s = socket_of(p), count = (int)ONE_OF(0, 1, 1, 1, 1, 2, 2, 2, 3, 4, 8);

    if (chance(15)) {
        add("p%d get s%d raw 1 len=%ld", p, s, ONE_OF(0, 7, 8, 16, 24, 64, 4096, 8000, -1));
        done();
        return;
    }
    add("p%d filter s%d", p, s);
    for (int i = 0; i < count; i++)
        add_filter();
    if (count && chance(4)) add(" times=%ld", ONE_OF(2, 50, 64, 100, 511, 512, 513));
    if (chance(4)) add(" len=%ld", ONE_OF(-1, 0, 1, 7, 8, 9, 12, 4096, 4104, 4160));
    if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    done();
}

static void step_raw_option(void)
{
    int p = owner(), s = socket_of(p);
    long option = ONE_OF(1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 0, 99, -1);

    if (chance(25)) {
        add("p%d get s%d raw %ld", p, s, option);
        if (chance(40)) add(" len=%ld", ONE_OF(0, 1, 2, 3, 4, 5, 8, 16, -1));
    } else {
        if (option == 1) option = 6;
        add("p%d set s%d raw %ld %ld", p, s, option, ONE_OF(0, 0, 1, 1, 1, 1, 2, 7, -1, 0x88, 256));
        if (chance(8)) add(" len=%ld", ONE_OF(0, 1, 3, 4, 5, 8, -1));
    }
    if (chance(3)) add(" ptr=%s", WORD_OF("null", "bad"));
    done();
}

/* Options of SOL_SOCKET; those that name a machine are left out, see above. */
static const short socket_options[] = {
    1,  2,  3,  4,  4,  4,  5,  6,  7,  8,  8,  8,  9,  10, 11, 12, 13, 14,  15, 16, 17,
    18, 19, 20, 21, 25, 26, 27, 28, 29, 29, 30, 31, 32, 33, 34, 35, 35, 36,  36, 37, 37,
    37, 38, 39, 40, 40, 41, 42, 43, 44, 45, 46, 47, 48, 50, 51, 52, 53, 55,  59, 60, 61,
    62, 63, 64, 65, 65, 66, 67, 68, 69, 70, 72, 73, 74, 75, 75, 76, 77, 999, -1, 0,
};

static void add_socket_value(long option)
{
    if (option == 25 || option == 62) {
        add(" 0");
        if (chance(70)) add(option == 25 ? " dev=%s" : " if=%s", WORD_OF("i0", "i1", "lo", "none", "any"));
    } else if (option == 20 || option == 21 || option == 66 || option == 67) {
        add(" 0 tv=%ld:%ld", ONE_OF(0, 0, 1, 5, -1, 100000),
            ONE_OF(0, 0, 1, 1000, 4000, 500000, 999999, 1000000, -1));
    } else if (option == 37 || option == 65) {
        /* Reported stamps are asked for, too: other sockets' are a matter of who else runs. */
        long flags = ONE_OF(0, 0x12, 0x10, 0x2, 0x1a, 0x92, 0x192, 0x892, 0x8, 0x18, 0x1, 0x10092, 0x7fff,
                            0x410, 0x100, 0x112, 0x882, 0xffff, 0x4092, 0x1092);

        add(" 0x%lx", flags & 0x10 ? flags | 8 : flags);
    } else if (option == 7 || option == 8 || option == 32 || option == 33) {
        add(" %ld", ONE_OF(0, 1, 1, 1500, 2000, 3000, 5000, 4608, 100000, 212992));
    } else if (option == 12) {
        add(" %ld", ONE_OF(0, 1, 5, 6, 7, -1, 100));
    } else {
        add(" %ld", ONE_OF(0, 1, 1, 1, 2, 5, -1, 100));
    }
}

/* An instruction of classic BPF that is `left` from the end: mostly a valid one. What names a machine or is random is not asked for. */
static void add_instruction(unsigned left)
{
    static const unsigned char codes[] = {
        0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x80, 0x00, 0x60, 0x81, 0xb1, 0x01, 0x61, 0x02, 0x03,
        0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x94, 0x9c, 0x44, 0x4c, 0x54, 0x5c, 0xa4,
        0xac, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x05, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d,
        0x06, 0x16, 0x07, 0x87, 0x20, 0x28, 0x30, 0x15, 0x25, 0x45, 0x30, 0x28, 0x20,
    };
    static const unsigned char words[] = { 0, 4, 12, 16, 20, 24, 28, 44, 48, 52, 60 };
    unsigned code = chance(97) ? codes[random_below(COUNT(codes))] : random_below(0x200), class = code & 7,
             jump = left > 1 ? left - 1 : 1;
    unsigned long k = (unsigned long)ONE_OF(0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 70, 71, 72, 0x7ff,
                                            0xffff, 0x80000000, 0xffffffff, 0x23010000, 0x123);

    if ((code & ~0x18u) == 0x20 || (code & ~0x18u) == 0x40) { /* loads of the frame */
        if (chance(70)) k = random_below(24);
        if (chance(12)) k = 0xfffff000 + words[random_below(COUNT(words))];
        if (chance(8)) k = (chance(50) ? 0xfff00000 : 0xffe00000) + random_below(80);
    } else if (code == 0x60 || code == 0x61 || class == 2 || class == 3) {
        k = random_below(chance(97) ? 16 : 18);
    } else if ((code & 0xf7) == 0x64 || (code & 0xf7) == 0x74) {
        k = random_below(chance(97) ? 32 : 34);
    } else if (code == 0x05) {
        k = random_below(chance(98) ? jump : jump + 2);
    }
    if (class == 5 && code != 0x05)
        add(" %x:%x:%x:%lx", code, random_below(chance(98) ? jump : jump + 2), random_below(jump), k);
    else
        add(" %x:0:0:%lx", code, k);
}

static void step_program(int p, int s)
{
    unsigned count = 1 + random_below(chance(30) ? 28 : 8);

    add("p%d program s%d", p, s);
    /* A and X start as something that a frame says, or all comes to nothing */
    if (chance(70)) add(" %lx:0:0:%x", ONE_OF(0x20, 0x28, 0x30), random_below(12));
    for (unsigned left = count; left > 1; left--)
        add_instruction(left);
    if (chance(97))
        add(" %lx:0:0:%lx", ONE_OF(6, 6, 0x16), ONE_OF(0xffff, 16, 72, 8, 4, 0));
    else
        add_instruction(1);
    done();
}

static void step_socket_option(void)
{
    int p = owner(), s = socket_of(p);
    long option = socket_options[random_below(COUNT(socket_options))];

    if (option == 26 && chance(60)) {
        step_program(p, s);
        return;
    }
    if (option == 26 && chance(60)) {
        add("p%d bpf s%d %u", p, s, random_below(15));
        if (chance(4)) add(" count=%ld", ONE_OF(0, 1, 4097, 65535));
        if (chance(4)) add(" len=%ld", ONE_OF(0, 1, 8, 15, 17, 24));
    } else if (chance(35)) {
        add("p%d get s%d sol %ld", p, s, option);
        if (option == 26)
            add(" len=%ld", ONE_OF(0, 1, 2, 4, 8, 30, 40));
        else if (chance(40))
            add(" len=%ld", ONE_OF(0, 1, 2, 3, 4, 5, 8, 16, 36, 48, -1));
        if (chance(2)) add(" lenptr=%s", WORD_OF("null", "bad"));
        add_way();
    } else {
        if (option == 44 && chance(80)) option = 40;
        add("p%d set s%d sol %ld", p, s, option);
        add_socket_value(option);
        add_way();
        if (chance(6)) add(" len=%ld", ONE_OF(0, 1, 3, 4, 5, 8, 15, 16, 17, -1));
    }
    if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    done();
}

static void step_other_level(void)
{
    int p = owner(), s = socket_of(p);
    long level = ONE_OF(0, 100, 102, 103, 6, 17, 255, -1, 41);

    if (chance(50))
        add("p%d get s%d %ld %ld", p, s, level, ONE_OF(0, 1, 2, 3, 5));
    else
        add("p%d set s%d %ld %ld 1", p, s, level, ONE_OF(0, 1, 2, 3, 5));
    done();
}

static void step_bind(void)
{
    int p = owner(), s = socket_of(p);
    unsigned kind = random_below(100);

    if (kind < 65) {
        add("p%d bind s%d", p, s);
        add_target();
        if (chance(8)) add(" len=%ld", ONE_OF(0, 4, 7, 8, 9, 16, 24, 128, 129, -1));
        if (chance(3)) add(" family=%ld", ONE_OF(0, 1, 2, 28, 30));
        if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    } else if (kind < 90) {
        add("p%d name s%d", p, s);
        if (chance(4)) add(" lenptr=%s", WORD_OF("null", "bad"));
        if (chance(30)) add(" len=%ld", ONE_OF(0, 1, 4, 7, 8, 16, 24, -1));
        if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    } else if (kind < 94) {
        add("p%d peer s%d", p, s);
    } else {
        add("p%d connect s%d", p, s);
        add_target();
        if (chance(30)) add(" len=%ld", ONE_OF(0, 1, 8, 24, 129));
    }
    add_way();
    done();
}

static void step_ready(void)
{
    int p = owner(), e = (int)random_below(EPOLLS), s = socket_of(p);
    unsigned kind = random_below(100);

    if (kind < 40) {
        bool polls = chance(65);

        add("p%d %s", p, polls ? "poll" : "select");
        for (int i = 0; i < SLOTS; i++)
            if (g.has[p][i] && chance(60)) add(" s%d", i);
        if (chance(20) && g.epoll[p][e]) add(" e%d", e);
        if (chance(20)) add(" ev=0x%lx sets=%u", ONE_OF(0, 1, 2, 4, 5, 0x2000, 0x400, 0x43), random_below(8));
        if (chance(10)) add(" how=%s mask=%u", polls ? "ppoll" : "pselect", random_below(2));
        if (chance(2)) add(" wait=3");
        add_way();
    } else if (!g.epoll[p][e] || kind < 43) {
        add("p%d epoll e%d new", p, e);
        g.epoll[p][e] = true;
    } else if (kind < 75) {
        add("p%d epoll e%d %s s%d 0x%lx", p, e, WORD_OF("add", "add", "add", "mod", "del"), s,
            ONE_OF(1, 5, 4, 5, 7, 0x3df, 0x3df, 0x40000001, 0x40000005, 0x2001, 9, 0x10000001));
    } else {
        add("p%d wait e%d", p, e);
        if (chance(20)) add(" how=%s mask=%u", WORD_OF("pwait", "pwait2"), random_below(2));
        if (chance(2)) add(" wait=3");
        if (chance(2)) add(" max=%ld", ONE_OF(0, -1));
        add_way();
    }
    done();
}

static void step_ioctl(void)
{
    static const int numbers[] = { 0x541b, 0x5411, 0x894b, 0x8905, 0x8906, 0x8907, 0x8910, 0x8933,
                                   0x8913, 0x8921, 0x8942, 0x891d, 0x8970, 0x8927, 0x8915, 0x891b,
                                   0x8919, 0x8917, 0x5421, 0x89f0, 0x89ff, 0x8999, 0x5401, 0x8946,
                                   0x89b0, 0x89b1, 0x8924, 0x8916, 0x89e0, 0x8903, 0x8904, 0x8931,
                                   0x8932, 0x8901, 0x8902, 0x5460, 0x8935, 0x8911, 0x8936, 0x5450,
                                   0x5451, 0x8937, 0x8971, 0x891e, 0x891f, 0x8929, 0x8930, 0x8947,
                                   0x8948, 0x8949, 0x8990, 0x894a, 0x8920, 0x8925, 0x8934, 0x8970 };
    int p = owner(), number = numbers[random_below(COUNT(numbers))];

    add("p%d ioctl s%d 0x%x", p, socket_of(p), number);
    /* FIONBIO: on, or a step could block. Owners of sockets are processes, whose numbers differ; 0 is nobody. */
    if (number == 0x5421)
        add(" v=1");
    else if (number >> 8 == 0x89 && number > 0x8907)
        add(" if=%s", chance(80) ? (const char *const[]){ "i0", "i1", "i2", "i3" }[link_number()]
                                 : WORD_OF("lo", "none", "any"));
    if (chance(2)) add(" ptr=%s", WORD_OF("null", "bad"));
    if (number == 0x8946) /* neither drvinfo, which names the kernel, nor features, see docs/features.md */
        add(" data=%lx:0", ONE_OF(0xa, 0x41, 1, 2, 5, 7, 9, 0x1b, 0x1d, 0x48, 0x4c, 0xff));
    else if ((number == 0x89b0 || number == 0x89b1) && chance(80))
        add(" data=%lx:%lx:%lx", ONE_OF(0, 0, 1, 2, 4), ONE_OF(0, 1, 2, 3, 4, 5),
            ONE_OF(0, 1, 12, 15, 16, 17));
    add_way();
    done();
}

/* What files have: streams, pipes, ranges of descriptors. */
static void step_file(int p, int s)
{
    int q = (int)random_below(PROCESSES), t = slot_of(p, false), from;

    switch (random_below(6)) {
    case 0:
        add("p%d splice s%d %s", p, s, chance(50) ? "in" : "out");
        if (chance(30)) add(" size=%ld", ONE_OF(1, 15, 17, 32, 64, 72, 0, 4096));
        if (chance(5)) add(" offset=1");
        if (chance(5)) add(" fl=%ld", ONE_OF(1, 4, 8, 16));
        break;
    case 1:
        add("p%d sendfile s%d %ld %ld own=%u", p, s, ONE_OF(0, 0, 16, 112, 128, 200, 8),
            ONE_OF(16, 16, 16, 72, 32, 0, 1, 128), random_below(2));
        break;
    case 2:
        if (chance(50))
            add("p%d stream s%d r %ld plain=%u", p, s, ONE_OF(16, 16, 32, 72, 5, 4000), random_below(2));
        else
            add("p%d stream s%d w %ld plain=%u", p, s, ONE_OF(16, 16, 72, 5, 0), random_below(2));
        break;
    case 3:
        add("p%d vector s%d %s %ld", p, s, chance(50) ? "read" : "write",
            ONE_OF(0, 0, 0, 8, 1, 2, 4, 16, 64));
        if (chance(15)) add(" offset=%ld", ONE_OF(0, 1, -2));
        break;
    case 4:
        add("p%d range s%d %ld", p, s, ONE_OF(0, 0, 4, 2, 1));
        g.has[p][s] = false; /* or perhaps not: then nobody uses it any more */
        break;
    default:
        if (!g.alive[q] || q == p || g.has[p][t]) return;
        from = slot_of(q, true);
        add("p%d steal s%d p%d s%d", p, t, q, from);
        g.has[p][t] = g.has[q][from];
        break;
    }
    add_way();
    done();
}

static void step_descriptor(void)
{
    int p = owner(), s = socket_of(p), t = slot_of(p, false), q = (int)random_below(PROCESSES);
    unsigned kind = random_below(100);

    if (kind < 30) {
        add("p%d close s%d", p, s);
        g.has[p][s] = false;
    } else if (kind < 50) {
        if (chance(30)) t = (int)random_below(SLOTS);
        add("p%d dup s%d s%d how=%s", p, s, t, WORD_OF("dup", "dup2", "dup3", "fcntl", "cloexec"));
        if (t != s && g.has[p][s]) g.has[p][t] = true;
    } else if (kind < 62) {
        add("p%d give s%d", p, s);
        done();
        if (g.alive[q]) {
            t = slot_of(q, false);
            add("p%d take s%d", q, t);
            g.has[q][t] = g.has[p][s];
        } else {
            add("p%d take s%d", p, t);
            g.has[p][t] = g.has[p][s];
        }
    } else if (kind < 64 && g.async) {
        if (chance(70))
            add("p%d async s%d %d ioctl=%d", p, s, chance(80), chance(30));
        else
            add("p%d signals", p);
    } else if (kind < 70) {
        step_file(p, s);
        return;
    } else if (kind < 72) {
        add("p%d misc s%d %s", p, s,
            WORD_OF("fstat", "lseek", "pread", "pwrite", "fsync", "ftruncate", "mmap", "listen", "accept",
                    "accept fl=1", "shutdown how=0", "shutdown how=1", "shutdown", "shutdown how=7"));
    } else if (kind < 80) {
        add("p%d fcntl s%d %ld %ld", p, s, ONE_OF(1, 2, 3, 4, 9, 11, 1033, 1034, 1024, 1031),
            ONE_OF(0, 1, 0x400, 0x800));
    } else if (kind < 90) {
        if (g.alive[q]) {
            if (!q) q = 1;
            if (!g.alive[q]) return;
            add("p%d %s", q, chance(60) ? "exit" : "kill");
            g.alive[q] = false;
            memset(g.has[q], 0, sizeof(g.has[q]));
            memset(g.epoll[q], 0, sizeof(g.epoll[q]));
        } else {
            add("p%d fork p%d", p, q);
            g.alive[q] = true;
            memcpy(g.has[q], g.has[p], sizeof(g.has[q]));
        }
    } else if (chance(50)) {
        add("p%d exec", p);
    } else {
        add("p%d fork p%d", p, 2);
        if (!g.alive[2]) {
            memcpy(g.has[2], g.has[p], sizeof(g.has[2]));
        }
        g.alive[2] = true;
    }
    done();
}

static void create_link(int i)
{
    int peer = (i + 1) % LINKS;

    if (g.links > 1 && peer < g.links && !g.link[peer] && chance(40)) {
        add("p%d vxcan i%d i%d", process(), i, peer);
        g.paired[i] = g.paired[peer] = g.link[peer] = true;
    } else {
        add("p%d vcan i%d", process(), i);
        if (chance(50)) add(" mtu=%ld", ONE_OF(72, 16, 72, 2060, 76, 2060, 2060, 8, 17, 5000, 112));
        g.paired[i] = false;
    }
    g.link[i] = true;
    done();
    if (chance(93)) {
        add("p%d up i%d", process(), i);
        done();
    }
    if (g.paired[i] && chance(93)) {
        add("p%d up i%d", process(), peer);
        done();
    }
}

static void step_look(void)
{
    add("p%d %s", process(), WORD_OF("names", "addresses", "lookup", "dump", "dump"));
    if (g.text[g.used - 1] == 'p' && g.text[g.used - 2] == 'u')
        add(" %s", chance(90) ? (const char *const[]){ "i0", "i1", "i2", "i3" }[link_number()]
                              : WORD_OF("lo", "none", "any"));
    else if (g.text[g.used - 1] == 'p') {
        if (chance(30)) add(" kind=%s", WORD_OF("vcan", "vxcan"));
        if (chance(20)) add(" name=i%d", link_number());
        if (chance(15))
            add(" index=%s", chance(80) ? (const char *const[]){ "i0", "i1", "i2", "i3" }[link_number()]
                                        : WORD_OF("none", "any", "neg"));
        if (chance(30)) add(" mask=%ld", ONE_OF(1, 8, 9));
        if (chance(30)) add(" peek=1");
    }
    done();
}

/* Deleting a link takes a kernel a hundred times longer than anything else: rarely. */
static void step_link(void)
{
    int i = link_number();
    unsigned kind = random_below(100);

    if (chance(20)) {
        step_look();
        return;
    }
    if (!g.link[i] || kind < 1) {
        create_link(i);
        return;
    }
    if (kind < 30) {
        add("p%d down i%d", process(), i);
        done();
        if (chance(60)) step_recv();
        if (chance(40)) return;
        if (chance(50))
            add("p%d mtu i%d %ld\n", process(), i, ONE_OF(16, 72, 2060, 76, 15, 2061, 17, 0, -1, 100)),
                g.steps++;
        if (chance(20)) add("p%d rename i%d\n", process(), i), g.steps++;
        add("p%d up i%d", process(), i);
    } else if (kind < 55) {
        add("p%d up i%d", process(), i);
    } else if (kind < 65) {
        add("p%d mtu i%d %ld", process(), i, ONE_OF(16, 72, 2060, 76, 15, 17, 0));
    } else if (kind < 70) {
        add("p%d rename i%d", process(), i);
        if (chance(20)) add(" as=%s", WORD_OF("df0", "dg1", "lo", "toolonganame_of_link", "bad/name", "."));
    } else if (kind < 73) {
        add("p%d txqlen i%d %ld", process(), i, ONE_OF(0, 10, 1000));
    } else if (kind < 88) {
        add("p%d link i%d", process(), i);
    } else if (kind < 91) {
        int p = owner();

        add("p%d ioctl s%d %s if=i%d v=%ld\n", p, socket_of(p),
            WORD_OF("0x8914", "0x8914", "0x8922", "0x8943"), i, ONE_OF(0, 1, 0x81, 72, 16, -1));
        add("p%d look", process());
        g.steps++;
    } else {
        add("p%d delete i%d", process(), i);
        g.link[i] = false;
        if (g.paired[i]) /* and its peer, whichever side that is */
            for (int k = 0; k < LINKS; k++)
                if (g.paired[k] && (k == (i + 1) % LINKS || i == (k + 1) % LINKS)) g.link[k] = false;
    }
    done();
}

static const struct {
    void (*run)(void);
    int weight;
} kinds[] = {
    { step_socket, 5 },     { step_send, 28 },         { step_recv, 26 },       { step_filter, 6 },
    { step_raw_option, 6 }, { step_socket_option, 8 }, { step_other_level, 1 }, { step_bind, 4 },
    { step_ready, 7 },      { step_ioctl, 3 },         { step_descriptor, 4 },  { step_link, 3 },
};

static void one_step(void)
{
    int total = 0, at;

    for (size_t i = 0; i < COUNT(kinds); i++)
        total += g.weight[i];
    at = (int)random_below((size_t)total);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        at -= g.weight[i];
        if (at < 0) {
            kinds[i].run();
            return;
        }
    }
}

char *generate(uint64_t seed, int count)
{
    memset(&g, 0, sizeof(g));
    g.state = seed * 0x2545f4914f6cdd1dull;
    g.room = 1 << 16;
    g.text = calloc(1, g.room);
    if (!g.text) abort();
    g.links = 1 + (int)random_below(LINKS);
    g.async = chance(15);
    for (int i = 0; i < STARTED; i++)
        g.alive[i] = true;
    /* Every seed likes some kinds of steps more than others. */
    for (size_t i = 0; i < COUNT(kinds); i++)
        g.weight[i] = kinds[i].weight * (int)ONE_OF(1, 2, 2, 2, 3, 6);
    if (chance(60)) g.weight[COUNT(kinds) - 1] = 1;
    for (int i = 0; i < g.links; i++)
        if (!g.link[i]) create_link(i);
    for (int i = 0; i < 4; i++)
        step_socket();
    while (g.steps < count) {
        one_step();
        if (g.sends >= (g.async ? DRAIN_ASYNC_AFTER : DRAIN_AFTER)) drain_all();
    }
    drain_all();
    return g.text;
}
