/* tests/stress/babble.c - a client that speaks nonsense on its connections to the worker, and scribbles over what it shares with it.
 *
 * usage: babble SECONDS SEED
 * The instance is that of $POCKETCAN_DIR. What is not nonsense is nearly right: requests with wrong sizes, without descriptor, with the wrong
 * one, with too many, whose answer nobody waits for; jobs and transfers begun and abandoned; slots of others claimed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/can/bcm.h>
#include <linux/can/isotp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "bus/attach.h"
#include "bus/links.h"
#include "sockets/ctl.h"
#include "sockets/door.h"
#include "sockets/service.h"
#include "unit/busmem.h"

#define SOCKETS   12u
#define PASSED    6u     /* descriptors with one packet */
#define FASTEST_S 0.005  /* a faster job would be a load, not a fault */
#define PACKET    20000u /* bytes, at most */

struct talker {
    int fd;
    uint32_t slot, gen, protocol;
};

static struct bus bus;
static int data_fd;
static struct talker talker[SOCKETS];
static uint64_t luck;
static uint8_t payload[SERVICE_PAYLOAD_MAX + 4000];

int door_wait(int fd) { return recv(fd, payload, 1, MSG_PEEK) < 0 ? -errno : 0; }

static uint32_t roll(uint32_t below)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return (uint32_t)(luck >> 20) % below;
}

/* Numbers that make most sense. */
static uint32_t number(void)
{
    switch (roll(5)) {
    case 0: return (uint32_t)luck;
    case 1: return roll(16);
    case 2: return UINT32_MAX >> roll(32);
    case 3: return LINK_IFINDEX_FIRST + roll(3);
    default: return 1u << roll(32);
    }
}

/* ---- sockets ---- */

static void open_one(struct talker *it)
{
    static const uint32_t protocols[] = { CAN_BCM, CAN_ISOTP };

    it->protocol = protocols[roll(2)];
    it->fd = service_open(&bus, SOCK_CLOEXEC, it->protocol, NULL);
    if (it->fd < 0) return;
    fcntl(it->fd, F_SETFL, O_NONBLOCK);
    it->slot = (uint32_t)raw_identify(&bus, it->fd);
    BUSMEM_MUST(it->slot < SOCKETS_MAX);
    it->gen = load_relaxed(&bus.data->slot[it->slot].gen);
}

static void close_one(struct talker *it)
{
    if (it->fd >= 0) close(it->fd);
    it->fd = -1;
}

/* Claims that a connection is this slot's socket. */
static void claim(uint32_t slot)
{
    struct ctl_socket request = { slot, load_relaxed(&bus.data->slot[slot % SOCKETS_MAX].gen),
                                  roll(4) ? 2 + 4 * roll(2) : number() };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    BUSMEM_MUST(fd >= 0);
    if (roll(8) == 0) request.gen = number();
    ctl_hand_over(bus.dir, fd, &request);
    if (roll(2)) send(fd, payload, roll(100), MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

/* ---- packets ---- */

/* A descriptor of some kind, never one that the worker could wait for. */
static int any_fd(void)
{
    int pair[2];

    switch (roll(5)) {
    case 0: return open("/dev/null", O_RDWR | O_CLOEXEC);
    case 1: return eventfd(0, EFD_CLOEXEC);
    case 2:
        if (pipe2(pair, O_CLOEXEC) != 0) return -1;
        close(pair[0]);
        return pair[1];
    case 3: return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    default: return talker[roll(SOCKETS)].fd >= 0 ? dup(talker[roll(SOCKETS)].fd) : -1;
    }
}

/* Sends a packet with descriptors, and closes them. */
static void send_packet(int fd, const void *bytes, size_t size, const int *fds, unsigned count)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(PASSED * sizeof(int))];
    } control = { .head = { CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    struct iovec iov = { (void *)(uintptr_t)bytes, size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (count) {
        memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_LEN(count * sizeof(int));
    }
    sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (count--)
        close(fds[count]);
}

static void send_noise(int fd)
{
    static uint8_t bytes[PACKET];
    int fds[PASSED];
    unsigned count = 0;

    for (uint32_t i = roll(PASSED + 1); i > 0; i--)
        if ((fds[count] = any_fd()) >= 0) count++;
    for (unsigned i = 0; i < 64; i++)
        bytes[i] = (uint8_t)roll(256);
    send_packet(fd, bytes, roll(3) ? roll(40) : roll(PACKET), fds, count);
}

/* What a request tells of, nearly right. Returns its size. */
static uint32_t prepare(uint32_t op)
{
    struct bcm_msg_head *head = (struct bcm_msg_head *)(void *)payload;
    struct service_isotp *given = (struct service_isotp *)(void *)payload;

    for (unsigned i = 0; i < 600; i++)
        payload[i] = (uint8_t)(roll(3) ? 0 : roll(256));
    if (op == SERVICE_WRITE) {
        head->opcode = roll(14);
        head->flags = roll(2) ? roll(16) : (uint32_t)luck & 0xfff;
        head->can_id = 0x100 + roll(64);
        head->nframes = roll(4) ? roll(4) : number();
        head->ival1 = (struct bcm_timeval){ roll(20) ? 0 : number(), (long)(FASTEST_S * 1e6) + roll(20000) };
        head->ival2 = (struct bcm_timeval){ roll(20) ? 0 : number(), (long)(FASTEST_S * 1e6) + roll(20000) };
        return (uint32_t)(sizeof(*head) +
                          (roll(3) ? roll(5) : roll(300)) * (head->flags & CAN_FD_FRAME ? 72 : 16));
    }
    if (op != SERVICE_BIND) return roll(2) ? roll(300) : roll(SERVICE_PAYLOAD_MAX);
    memset(given, 0, sizeof(*given));
    isotp_default(&given->options);
    given->tx_id = 0x100 + roll(64);
    given->rx_id = 0x100 + roll(64);
    if (roll(3) == 0) given->options.opts.flags = number();
    if (roll(5) == 0) given->options.ll.tx_dl = (uint8_t)roll(256);
    if (roll(5) == 0) given->options.frame_txtime_ns = number();
    return sizeof(*given);
}

static void send_request(int fd)
{
    struct {
        struct service_request request;
        char ballast[SERVICE_BALLAST];
    } packet = { .request = { .op = 1 + roll(5), .flags = roll(4), .ifindex = LINK_IFINDEX_FIRST } };
    int pair[2], fds[2];
    uint32_t size = prepare(packet.request.op);

    packet.request.size = roll(10) ? size : number();
    if (roll(10) == 0) packet.request.ifindex = number();
    BUSMEM_MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    if (roll(10)) send(pair[0], payload, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (roll(10) == 0) shutdown(pair[0], SHUT_RDWR);
    fds[0] = roll(10) ? pair[1] : any_fd();
    if (fds[0] != pair[1]) close(pair[1]);
    fds[1] = roll(20) ? -1 : any_fd();
    send_packet(fd, &packet,
                sizeof(packet.request) + (packet.request.op == SERVICE_SEND ? SERVICE_BALLAST : 0), fds,
                fds[0] < 0   ? 0
                : fds[1] < 0 ? 1
                             : 2);
    if (roll(2)) usleep(roll(200)); /* sometimes the answer finds nobody */
    close(pair[0]);
}

/* ---- shared memory ---- */

/* The worker ends sockets that talk nonsense; somebody else may have the slot by now. */
static bool is_its_own(const struct talker *it)
{
    return load_acquire(&bus.data->life[it->slot]) == (it->gen << 2 | SLOT_OPEN);
}

static void scribble_on_slot(uint32_t number_of)
{
    struct bus_slot *slot = &bus.data->slot[number_of];

    switch (roll(9)) {
    case 0: store_relaxed(&slot->busy, number()); break;
    case 1: store_relaxed(&slot->queue_head, number()); break;
    case 2: store_relaxed(&slot->queue_tail, roll(2) ? number() : UINT64_MAX - number()); break;
    case 3: store_relaxed(&slot->setting[roll(SLOT_SETTINGS)], number()); break;
    case 4: store_relaxed(&slot->option[OPT_RCVBUF], number()); break;
    case 5: store_relaxed(&slot->bound, roll(2)); break;
    case 6: store_relaxed(&slot->error, number()); break;
    case 7: store_relaxed(&slot->link, number()); break;
    default: store_relaxed(&slot->tx_address, number()); break;
    }
}

static void scribble_on_window(uint32_t slot)
{
    static void *window[SOCKETS_MAX];

    if (!window[slot] && attach_map_window(data_fd, slot, &window[slot]) != 0) return;
    for (unsigned i = 0; i < 64; i++)
        ((volatile uint32_t *)window[slot])[roll(2048)] = number();
}

static void babble(struct talker *it)
{
    uint32_t slot = it->slot;

    if (it->fd < 0 || !is_its_own(it)) {
        close_one(it);
        open_one(it);
        return;
    }
    switch (roll(16)) {
    case 0: close_one(it); break;
    case 1: send_noise(it->fd); break;
    case 2: claim(roll(2) ? slot : roll(SOCKETS + 8)); break;
    case 3: shutdown(it->fd, (int)roll(3)); break;
    case 4:
    case 5: scribble_on_slot(slot); break;
    case 6: scribble_on_window(slot); break;
    default: send_request(it->fd); break;
    }
}

int main(int argc, char *argv[])
{
    struct ctl_hello hello;
    struct timespec ts;
    unsigned long count = 0;
    size_t size;
    time_t end;
    int fds[2] = { -1, -1 };

    BUSMEM_MUST(argc == 3 && getenv("POCKETCAN_DIR"));
    luck = strtoull(argv[2], NULL, 10) * 2654435761u + 88172645463325252ull;
    bus.dir = getenv("POCKETCAN_DIR");
    bus.dir_size = strlen(bus.dir);
    BUSMEM_MUST(ctl_call(bus.dir, CTL_HELLO, NULL, 0, -1, &hello, sizeof(hello), &size, fds, 2) == 0);
    BUSMEM_MUST(attach_map(&bus, fds[0], fds[1], false) == 0);
    data_fd = fds[1];
    for (unsigned i = 0; i < SOCKETS; i++)
        talker[i].fd = -1;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    end = ts.tv_sec + atoi(argv[1]);
    while (ts.tv_sec < end) {
        babble(&talker[roll(SOCKETS)]);
        count++;
        clock_gettime(CLOCK_MONOTONIC, &ts);
    }
    printf("# %lu times; seed %s\n", count, argv[2]);
    return 0;
}
