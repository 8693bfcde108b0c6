/*
 * Random lives of CAN_ISOTP sockets, told as text: "isotp --helper lives FIRST COUNT" prints what happens for each of these seeds. The same seeds have to give
 * the same text on a real kernel and on pocketcan; isotp.test compares them.
 *
 * A life is a socket with random options and a CAN_RAW peer that says random frames to it, most of which make sense. The protocol's clocks of
 * a second must not run out within it, or a busy machine would tell something else: a life that took too long says so, and does
 * not count. What a step causes has come when nothing came for a while; gaps between frames are shorter than that.
 */
#include "lives.h"

#include <linux/can/isotp.h>
#include <stdbool.h>

#define STEPS             24
#define TX_ID             0x7e0
#define RX_ID             0x7e8
#define STILL_MS          12
#define LIFE_MS           800
#define PDU_ROOM          66000
#define TXTIME_OF_NOTHING 0xffffffffu

#ifndef CAN_ISOTP_SF_BROADCAST
#define CAN_ISOTP_SF_BROADCAST 0x0800
#endif
#ifndef CAN_ISOTP_CF_BROADCAST
#define CAN_ISOTP_CF_BROADCAST 0x1000
#endif

static int socket_, peer;
static struct can_isotp_options options;
static bool is_fd;    /* the link layer's */
static unsigned next; /* the sequence number of the peer's next consecutive frame */

/* ---- options ---- */

static void told(const char *what, long result)
{
    printf("%s = %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

static void set(const char *what, int name, const void *value, socklen_t size)
{
    told(what, setsockopt(socket_, SOL_CAN_ISOTP, name, value, size));
}

/* Without those that wait for the end of a PDU, or drop frames that come too early. */
static void set_options(void)
{
    static const uint32_t flags[] = { CAN_ISOTP_LISTEN_MODE,  CAN_ISOTP_EXTEND_ADDR,   CAN_ISOTP_TX_PADDING,
                                      CAN_ISOTP_RX_PADDING,   CAN_ISOTP_CHK_PAD_LEN,   CAN_ISOTP_CHK_PAD_DATA,
                                      CAN_ISOTP_HALF_DUPLEX,  CAN_ISOTP_FORCE_TXSTMIN, CAN_ISOTP_RX_EXT_ADDR,
                                      CAN_ISOTP_SF_BROADCAST, CAN_ISOTP_CF_BROADCAST };
    uint32_t stmin = 100000 * any_of(4);

    memset(&options, 0, sizeof(options));
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (!any_of(i < 1 || i > 8 ? 12 : 4)) options.flags |= flags[i];
    options.frame_txtime = any_of(3) ? 0 : any_of(2) ? TXTIME_OF_NOTHING : 70000;
    options.ext_address = (uint8_t)(0x20 + any_of(2));
    options.rx_ext_address = (uint8_t)(0x20 + any_of(2));
    options.txpad_content = any_of(2) ? 0xcc : 0x55;
    options.rxpad_content = any_of(2) ? 0xcc : 0x55;
    printf("flags %x\n", options.flags);
    set("options", CAN_ISOTP_OPTS, &options, sizeof(options));
    if (any_of(2)) {
        struct can_isotp_fc_options fc = { (uint8_t)any_of(4), (uint8_t)(any_of(2) ? 0 : 0xf1), 0 };
        set("flow control", CAN_ISOTP_RECV_FC, &fc, sizeof(fc));
    }
    if (!any_of(3)) {
        static const uint8_t sizes[] = { 8, 12, 16, 20, 24, 32, 48, 64, 8, 64, 9, 0 };
        struct can_isotp_ll_options ll = { any_of(8) ? 72 : 16, sizes[any_of(12)],
                                           any_of(2) ? CANFD_BRS : 0 };
        int result = setsockopt(socket_, SOL_CAN_ISOTP, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll));

        told("link layer", result);
        is_fd = result == 0 && ll.mtu == 72;
    }
    set("gap", CAN_ISOTP_TX_STMIN, &stmin, sizeof(stmin));
}

static void open_all(void)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));

    is_fd = false;
    next = 1;
    peer = raw_bound(a.can_ifindex);
    raw_set(peer, CAN_RAW_FD_FRAMES, 1);
    socket_ = OK(socket(PF_CAN, SOCK_DGRAM | SOCK_NONBLOCK, CAN_ISOTP));
    set_options();
    a.can_addr.tp.tx_id = TX_ID;
    a.can_addr.tp.rx_id = RX_ID;
    told("bind", bind(socket_, (struct sockaddr *)&a, sizeof(a)));
}

/* ---- steps ---- */

static void step_send(void)
{
    static uint8_t pdu[400];
    size_t size = any_of(3) ? any_of(40) : any_of(6) ? any_of(90) : any_of(400);

    for (size_t i = 0; i < size; i++)
        pdu[i] = (uint8_t)(i + 1);
    printf("send %zu", size);
    told("", write(socket_, pdu, size));
}

/* Where the protocol's bytes begin in what the peer says; the address before them is right nearly always. */
static unsigned put_address(uint8_t *data)
{
    uint8_t address = options.flags & CAN_ISOTP_RX_EXT_ADDR ? options.rx_ext_address : options.ext_address;

    if (!(options.flags & CAN_ISOTP_EXTEND_ADDR)) return 0;
    data[0] = any_of(15) ? address : (uint8_t)any_of(256);
    return 1;
}

static unsigned put_single(uint8_t *data, unsigned at, unsigned room)
{
    unsigned size = any_of(10) ? 1 + any_of(room - at - 1) : any_of(16);

    if (is_fd && any_of(3)) {
        data[at++] = 0;
        data[at++] = (uint8_t)size;
    } else {
        data[at++] = (uint8_t)(size & 0xf);
    }
    return at + size;
}

static unsigned put_first(uint8_t *data, unsigned at, unsigned room)
{
    unsigned size = any_of(10) ? 8 + any_of(70) : any_of(16);

    next = 1;
    if (!any_of(10)) { /* 32 bits */
        memset(data + at, 0, 6);
        data[at] = 0x10;
        data[at + 5] = (uint8_t)size;
    } else {
        data[at] = 0x10;
        data[at + 1] = (uint8_t)size;
    }
    return any_of(12) ? room : any_of(room + 1);
}

static unsigned put_consecutive(uint8_t *data, unsigned at, unsigned room)
{
    data[at] = (uint8_t)(0x20 | ((any_of(15) ? next++ : any_of(16)) & 0xf));
    return any_of(6) ? room : any_of(room + 1);
}

static unsigned put_flow(uint8_t *data, unsigned at, unsigned room)
{
    static const uint8_t gaps[] = { 0, 0, 0xf1, 0xf3 };

    data[at] = (uint8_t)(0x30 | (any_of(8) ? 0 : any_of(5)));
    data[at + 1] = any_of(3) ? 0 : (uint8_t)any_of(4);
    data[at + 2] = gaps[any_of(4)];
    return any_of(8) ? (any_of(3) ? at + 3 : room) : any_of(room + 1);
}

/* A length that a frame of CAN FD can have. */
static unsigned fd_length(unsigned length)
{
    static const uint8_t lengths[] = { 8, 12, 16, 20, 24, 32, 48, 64 };
    size_t i = 0;

    if (length <= 8 || length > 64 || !any_of(20)) return length;
    while (lengths[i] < length)
        i++;
    return lengths[i];
}

static void step_frame(void)
{
    static unsigned (*const put[])(uint8_t *, unsigned,
                                   unsigned) = { put_single,      put_first, put_consecutive, put_consecutive,
                                                 put_consecutive, put_flow,  put_flow,        put_flow };
    bool fd = any_of(25) ? is_fd : !is_fd;
    unsigned room = fd ? 64 : 8, length;
    struct canfd_frame f = { .can_id = any_of(30) ? RX_ID : any_of(2) ? TX_ID : RX_ID | CAN_EFF_FLAG };
    size_t size = fd ? sizeof(f) : sizeof(struct can_frame);

    if (fd && any_of(3)) room = 8 << any_of(4);
    for (unsigned i = 0; i < 64; i++)
        f.data[i] = any_of(20) ? options.rxpad_content : (uint8_t)any_of(256);
    length = put[any_of(sizeof(put) / sizeof(*put))](f.data, put_address(f.data), room);
    if (any_of(2) && length < room) length = room;
    f.len = (uint8_t)(fd ? fd_length(length > 64 ? 64 : length) : length > 8 ? 8 : length);
    printf("say");
    print_frame(stdout, &f, size);
    told("", write(peer, &f, size));
}

/* ---- what came of it ---- */

static bool print_bus(void)
{
    struct canfd_frame f;
    ssize_t n = recv(peer, &f, sizeof(f), MSG_DONTWAIT);

    if (n <= 0) return false;
    printf("  bus");
    print_frame(stdout, &f, (size_t)n);
    printf("\n");
    return true;
}

static bool print_pdu(void)
{
    static uint8_t pdu[PDU_ROOM];
    ssize_t n = read(socket_, pdu, sizeof(pdu));

    if (n < 0 && errno == EAGAIN) return false;
    printf("  pdu %zd %s ", n, n < 0 ? strerrorname_np(errno) : "");
    for (ssize_t i = 0; i < n; i++)
        printf("%02x", pdu[i]);
    printf("\n");
    return n >= 0 || errno != EADDRNOTAVAIL;
}

/* Frames first: they and PDUs come in an order that nobody promises. */
static void settle(void)
{
    int mask;

    while (polled(peer, POLLIN, STILL_MS) & POLLIN)
        while (print_bus())
            ;
    mask = polled(socket_, POLLIN | POLLOUT | POLLERR, 0);
    while (print_pdu())
        ;
    printf("  mask %x\n", (unsigned)mask);
}

/* In a process of its own, which kills itself: whoever closes a socket waits for its PDU. */
static void live(uint64_t seed)
{
    long long start = tap_now_ms();
    pid_t child = OK(fork());
    int status;

    if (child) {
        CHECK_EQ(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status)) printf("failed with %d\n", WEXITSTATUS(status));
        return;
    }
    lives_dice = seed;
    printf("seed %llu\n", (unsigned long long)seed);
    open_all();
    for (int step = 0; step < STEPS; step++) {
        if (any_of(4))
            step_frame();
        else
            step_send();
        settle();
    }
    if (tap_now_ms() - start > LIFE_MS) printf("took too long\n");
    fflush(stdout);
    kill(getpid(), SIGKILL);
}

HELPER(lives)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1,
             count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    setvbuf(stdout, NULL, _IOFBF, 1 << 20); /* a life is told at once */
    for (uint64_t seed = first; seed < first + count; seed++) {
        fflush(stdout);
        live(seed);
    }
    printf("done\n");
    return 0;
}
