/*
 * Random lives of CAN_BCM jobs, told as text: "bcm --helper lives FIRST COUNT" prints what happens for each of these seeds. The same seeds have to give the same
 * text on a real kernel and on pocketcan; bcm.test compares them.
 *
 * Nothing depends on time: intervals are hours, so that timers are set, hold back, are claimed and flushed, but never expire. After each
 * step a frame that every socket hears, sent twice, tells when all that the step caused has come.
 */
#include "lives.h"

#include <linux/can/bcm.h>
#include <stdbool.h>

#define STEPS    120
#define SENTINEL 0x7e0
#define HOUR     3600

struct bcm_message {
    struct {
        uint32_t opcode, flags, count;
        struct bcm_timeval ival1, ival2;
        canid_t can_id;
        uint32_t nframes;
    } head;
    struct canfd_frame frames[8]; /* or smaller ones, one behind the other */
};

static const canid_t ids[] = { 0x101, 0x102, 0x80000101, 0x40000101 };
static int links[2], sockets[3], raw[2];
static const char *link_word(int index)
{
    return index == 0 ? "any" : index == links[0] ? "a" : index == links[1] ? "b" : "?";
}

static size_t random_frame(void *to, canid_t id, bool fd)
{
    struct canfd_frame f;

    memset(&f, 0, sizeof(f));
    f.can_id = id;
    f.len = any_of(20) ? any_of(4) : any_of(4) ? 8 : 9;
    if (fd && !any_of(4)) f.len = any_of(3) ? 9 + any_of(8) : any_of(3) ? 64 : 65;
    f.flags = any_of(6) ? 0 : any_of(256);
    for (int i = 0; i < f.len && i < 64; i++)
        f.data[i] = any_of(4) ? any_of(3) : 0xff;
    if (!any_of(8)) f.data[6] = 1; /* behind the end */
    memcpy(to, &f, fd ? 72 : 16);
    return fd ? 72 : 16;
}

static struct bcm_timeval random_time(void)
{
    static const struct bcm_timeval odd[] = { { -1, 0 }, { 0, 1000000 }, { 0, -1 }, { 34560001, 0 } };

    if (!any_of(40)) return odd[any_of(4)];
    return any_of(2) ? (struct bcm_timeval){ 0, 0 } : (struct bcm_timeval){ HOUR, any_of(2) };
}

/* A request, most of which make sense; returns its size. */
static size_t random_request(struct bcm_message *m)
{
    static const uint32_t opcodes[] = { TX_SETUP, TX_SETUP, RX_SETUP, RX_SETUP,  RX_SETUP, RX_SETUP,
                                        TX_READ,  RX_READ,  TX_SEND,  TX_DELETE, RX_DELETE };
    uint32_t frames = any_of(5) ? any_of(4) : any_of(8);
    size_t size = 56, frame_size;

    memset(m, 0, sizeof(*m));
    m->head.opcode = any_of(40) ? opcodes[any_of(11)] : any_of(16);
    m->head.flags = any_of(1 << 12);
    m->head.flags &= any_of(1 << 12);
    if (any_of(8)) m->head.flags &= ~CAN_FD_FRAME;
    if (any_of(3)) m->head.flags &= ~(RX_FILTER_ID | RX_RTR_FRAME);
    m->head.can_id = ids[any_of(4)];
    m->head.count = any_of(4);
    m->head.ival1 = random_time();
    m->head.ival2 = random_time();
    m->head.nframes = frames;
    if (m->head.opcode == TX_SEND && any_of(4)) m->head.nframes = frames = 1;
    if (!any_of(30)) m->head.nframes = any_of(3) ? any_of(8) : 200 + any_of(100);
    frame_size = m->head.flags & CAN_FD_FRAME ? 72 : 16;
    for (uint32_t i = 0; i < frames; i++) /* never a remote frame: it could be answered for ever */
        size += random_frame((char *)m->frames + i * frame_size,
                             any_of(3) ? m->head.can_id & ~CAN_RTR_FLAG : ids[any_of(3)], frame_size == 72);
    if (m->head.opcode == RX_SETUP && frames && !any_of(3)) memcpy(m->frames, &m->head.can_id, 4);
    return any_of(40) ? size : any_of((uint32_t)size + 1);
}

static void step_request(void)
{
    int which = any_of(3), to = any_of(3);
    struct sockaddr_can address = can_addr(to == 2 ? any_of(4) ? 0 : 9999 : links[to]);
    struct bcm_message m;
    size_t size = random_request(&m);
    ssize_t result = any_of(3)
                         ? sendto(sockets[which], &m, size, 0, (struct sockaddr *)&address, sizeof(address))
                         : send(sockets[which], &m, size, 0);

    printf("s%d op %u id %x flags %x frames %u size %zu = %zd %s\n", which, m.head.opcode, m.head.can_id,
           m.head.flags, m.head.nframes, size, result, result < 0 ? strerrorname_np(errno) : "");
}

static void step_frame(void)
{
    struct canfd_frame f;
    size_t size = random_frame(&f, ids[any_of(4)], !any_of(5));
    int on = any_of(2);
    ssize_t result = write(raw[on], &f, size);

    printf("frame %s", on ? "b" : "a");
    print_frame(stdout, &f, size);
    printf(" = %zd\n", result);
}

/* Writes down the messages of a socket up to the sentinel's. */
static void print_messages(FILE *out, int which)
{
    struct bcm_message m;
    struct sockaddr_can from;

    for (;;) {
        socklen_t len = sizeof(from);
        ssize_t n;
        size_t size;

        await_in(sockets[which], __FILE__, __LINE__);
        n = OK(recvfrom(sockets[which], &m, sizeof(m), 0, (struct sockaddr *)&from, &len));
        if (m.head.can_id == SENTINEL) return;
        size = m.head.flags & CAN_FD_FRAME ? 72 : 16;
        fprintf(out, "  s%d %zd: %u %x count %u %ld.%ld %ld.%ld id %x from %s", which, n, m.head.opcode,
                m.head.flags, m.head.count, m.head.ival1.tv_sec, m.head.ival1.tv_usec, m.head.ival2.tv_sec,
                m.head.ival2.tv_usec, m.head.can_id, link_word(from.can_ifindex));
        for (uint32_t i = 0; i < m.head.nframes && i < 8; i++)
            print_frame(out, (char *)m.frames + i * size, size);
        fprintf(out, "\n");
    }
}

static void settle(void)
{
    struct can_frame sentinel = frame_of(SENTINEL, 0);
    struct canfd_frame f;
    char *text[3];
    size_t size;
    FILE *out[3];
    ssize_t n;

    for (int i = 0; i < 3; i++)
        out[i] = open_memstream(&text[i], &size);
    for (int round = 0; round < 2; round++) {
        /* "any" hears the one on a only: see open_all() */
        for (int i = 0; i < 2; i++)
            CHECK_EQ(write(raw[i], &sentinel, sizeof(sentinel)), 16);
        for (int i = 0; i < 3; i++)
            print_messages(out[i], i);
    }
    for (int i = 0; i < 3; i++) {
        fclose(out[i]);
        fputs(text[i], stdout);
        free(text[i]);
    }
    for (int i = 0; i < 2; i++)
        while ((n = recv(raw[i], &f, sizeof(f), MSG_DONTWAIT)) > 0) {
            if (f.can_id == SENTINEL) continue;
            printf("  %s", i ? "b" : "a");
            print_frame(stdout, &f, (size_t)n);
            printf("\n");
        }
}

static void open_all(void)
{
    struct bcm_message m = { .head = { .opcode = RX_SETUP, .can_id = SENTINEL } };

    for (int i = 0; i < 2; i++) {
        raw[i] = raw_bound(links[i]);
        raw_set(raw[i], CAN_RAW_FD_FRAMES, 1);
        filter1(raw[i], SENTINEL | CAN_INV_FILTER, CAN_SFF_MASK);
    }
    for (int i = 0; i < 3; i++) {
        struct sockaddr_can to = can_addr(i == 2 ? 0 : links[i]), a = can_addr(links[0]);

        sockets[i] = OK(socket(PF_CAN, SOCK_DGRAM | SOCK_NONBLOCK, CAN_BCM));
        OK(connect(sockets[i], (struct sockaddr *)&to, sizeof(to)));
        CHECK_EQ(sendto(sockets[i], &m, 56, 0, (struct sockaddr *)&a, sizeof(a)), 56);
    }
}

static void live(uint64_t seed)
{
    lives_dice = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    open_all();
    for (int step = 0; step < STEPS; step++) {
        if (any_of(5) < 2)
            step_request();
        else
            step_frame();
        settle();
    }
    for (int i = 0; i < 3; i++)
        close(sockets[i]);
    close(raw[0]);
    close(raw[1]);
}

HELPER(lives)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
             count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    links[0] = index_of(if_a());
    links[1] = index_of(if_b());
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (uint64_t seed = first; seed < first + count; seed++)
        live(seed);
    printf("done\n");
    return 0;
}
