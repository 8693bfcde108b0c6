/* tests/stress/ctlfuzz.c - a client that speaks nonsense at the daemon's socket, with random descriptors.
 *
 * usage: ctlfuzz SECONDS SEED
 * The instance is that of $POCKETCAN_DIR. Each request begins as one that makes sense, of every operation but the one that ends the
 * instance, and most are then spoiled: bytes changed, cut off, added, sizes and versions that are wrong. They come one by one or
 * many at once, on connections that are read or not, half closed or left open. Descriptors of all kinds go along. Prints what was answered;
 * fails when an operation never succeeded, for then it was not reached, or when the daemon stopped answering. */
#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "sockets/ctl.h"

#define CONNECTIONS 20u
#define PASSED      9u /* descriptors with one packet */
#define OPS         (CTL_SHOW + 1u)

struct packet {
    struct ctl_request head;
    uint8_t payload[CTL_PACKET_MAX];
    size_t size; /* of the payload */
};

struct connection {
    int fd;
    enum ctl_op last; /* what was asked last; 0: nothing that may succeed */
    bool handed_over; /* it may be a socket's now, and owes us no answer */
};

static struct connection connection[CONNECTIONS];
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static unsigned long asked[OPS], done[OPS];
static uint64_t luck;

static uint32_t roll(uint32_t below)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return (uint32_t)(luck >> 20) % below;
}

static void fail(const char *what)
{
    printf("# %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- requests that make sense ---- */

static void put(struct packet *packet, const void *bytes, size_t size)
{
    if (packet->size + size > sizeof(packet->payload)) return;
    if (size) memcpy(packet->payload + packet->size, bytes, size);
    packet->size += size;
}

static const char *name(void)
{
    static const char *const names[] = {
        "vcan0", "vcan1", "vx0", "vx1", "can0", "c1", "lo", "", "a%d", "x/y", "longer-than-names"
    };
    return names[roll(roll(3) ? 5 : sizeof(names) / sizeof(names[0]))];
}

static size_t begin_attribute(struct packet *packet, uint16_t type)
{
    struct nlattr head = { 0, type };
    size_t at = packet->size;

    put(packet, &head, sizeof(head));
    return at;
}

static void end_attribute(struct packet *packet, size_t at)
{
    uint16_t length = (uint16_t)(packet->size - at);

    memcpy(packet->payload + at, &length, sizeof(length));
    put(packet, "\0\0\0", NLA_ALIGN(length) - length);
}

static void attribute(struct packet *packet, uint16_t type, const void *bytes, size_t size)
{
    size_t at = begin_attribute(packet, type);
    put(packet, bytes, size);
    end_attribute(packet, at);
}

static void link_info(struct packet *packet)
{
    static const char *const kinds[] = { "vcan", "vxcan", "can", "dummy" };
    const char *kind = kinds[roll(4)];
    size_t info = begin_attribute(packet, IFLA_LINKINFO), data;
    struct ifinfomsg peer = { 0 };

    attribute(packet, IFLA_INFO_KIND, kind, strlen(kind) + 1);
    data = begin_attribute(packet, IFLA_INFO_DATA);
    if (kind[1] == 'x') {
        size_t at = begin_attribute(packet, 1); /* VXCAN_INFO_PEER */
        put(packet, &peer, sizeof(peer));
        attribute(packet, IFLA_IFNAME, "vx1", 4);
        end_attribute(packet, at);
    } else if (roll(2)) {
        for (uint32_t i = roll(4); i; i--)
            attribute(packet, (uint16_t)roll(20), &luck, roll(9));
    }
    end_attribute(packet, data);
    end_attribute(packet, info);
}

static void make_netlink(struct packet *packet)
{
    static const uint16_t types[] = { RTM_NEWLINK, RTM_NEWLINK, RTM_SETLINK,
                                      RTM_DELLINK, RTM_GETLINK, RTM_NEWLINKPROP };
    static const uint16_t flags[] = { NLM_F_CREATE | NLM_F_EXCL, 0, NLM_F_DUMP, NLM_F_CREATE };
    struct ctl_netlink caller = {
        1, roll(2), roll(2), roll(2), roll(4) ? 0 : roll(20000), roll(4) ? 0 : roll(9000)
    };
    struct nlmsghdr head = { 0, types[roll(6)],
                             (uint16_t)(NLM_F_REQUEST | flags[roll(4)] | roll(2) * NLM_F_ACK), 1, 0 };
    struct ifinfomsg link = { .ifi_index = roll(3) ? 0 : (int)(9998 + roll(8)),
                              .ifi_flags = roll(2),
                              .ifi_change = roll(2) };
    const char *called = name();
    uint32_t mtu = roll(2) ? CANFD_MTU : roll(3000);

    put(packet, &caller, sizeof(caller));
    put(packet, &head, sizeof(head));
    put(packet, &link, sizeof(link));
    if (roll(5)) attribute(packet, IFLA_IFNAME, called, strlen(called) + 1);
    if (!roll(3)) attribute(packet, IFLA_MTU, &mtu, sizeof(mtu));
    if (!roll(8)) attribute(packet, IFLA_IFALIAS, "alias", 5);
    for (uint32_t i = roll(8) ? 0 : roll(5); i; i--)
        attribute(packet, (uint16_t)roll(64), &luck, roll(9));
    if (head.nlmsg_type == RTM_NEWLINK && roll(5)) link_info(packet);
    head.nlmsg_len = (uint32_t)(packet->size - sizeof(caller));
    memcpy(packet->payload + sizeof(caller), &head, sizeof(head));
}

static void make_ioctl(struct packet *packet)
{
    static const uint32_t requests[] = { SIOCSIFFLAGS, SIOCSIFMTU,    SIOCSIFTXQLEN,
                                         SIOCSIFNAME,  SIOCSIFHWADDR, SIOCGIFINDEX };
    struct ctl_ioctl ioctl = { .request = requests[roll(roll(6) ? 2 : 6)] };
    struct ifreq request = { .ifr_flags = (short)roll(2) };

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", name());
    if (ioctl.request == SIOCSIFMTU) request.ifr_mtu = roll(2) ? CAN_MTU : CANFD_MTU;
    memcpy(ioctl.ifreq, &request, sizeof(ioctl.ifreq));
    put(packet, &ioctl, sizeof(ioctl));
}

static void make_watch(struct packet *packet)
{
    uint32_t groups = roll(4) ? RTMGRP_LINK : roll(8);
    put(packet, &groups, sizeof(groups));
}

static void make_socket(struct packet *packet)
{
    struct ctl_socket socket = { roll(12), roll(6), roll(2) ? CAN_BCM : roll(9) };
    put(packet, &socket, sizeof(socket));
}

static void make_bus(struct packet *packet)
{
    static const char *const texts[] = {
        "{\"op\":\"bus-add\",\"bus\":\"b%u\",\"speed\":1}",
        "{\"op\":\"bus-set\",\"bus\":\"b%u\",\"speed\":1000}",
        "{\"op\":\"bus-del\",\"bus\":\"b%u\"}",
        "{\"op\":\"link-add\",\"bus\":\"b%u\",\"link\":\"can0\"}",
        "{\"op\":\"link-del\",\"link\":\"can%u\"}",
        "{\"op\":\"fault-add\",\"link\":\"can0\",\"kind\":\"crc\",\"chance\":0.5,\"count\":%u}",
        "{\"op\":\"fault-del\",\"number\":%u}",
        "{\"op\":\"fault-show\",\"x\":%u}",
        "{\"op\":\"show\",\"x\":[[[[%u]]]]}",
    };
    char text[200];
    int size = snprintf(text, sizeof(text), texts[roll(9)], roll(3));
    put(packet, text, (size_t)size);
}

static void make_show(struct packet *packet)
{
    static const char *const paths[] = { "r/proc/net/can/stats",
                                         "r/proc/net/can/reset_stats",
                                         "d/proc/net/can",
                                         "s/proc/net/can/rcvlist_all",
                                         "r/proc/net/can-bcm/1",
                                         "r/proc/net/dev",
                                         "d/sys/class/net",
                                         "r/sys/class/net/vcan0/mtu",
                                         "s/sys/class/net/vcan0",
                                         "r/sys/class/net/../../etc",
                                         "d/proc/net",
                                         "q/proc/net/dev" };
    const char *path = paths[roll(12)];
    put(packet, path, strlen(path));
}

static void (*const make[OPS])(struct packet *) = {
    [CTL_NETLINK] = make_netlink, [CTL_IOCTL] = make_ioctl, [CTL_WATCH] = make_watch,
    [CTL_SOCKET] = make_socket,   [CTL_BUS] = make_bus,     [CTL_SHOW] = make_show,
};

/* ---- spoiled ---- */

/* Changes the packet's bytes, head included; returns how many of them are sent. */
static size_t spoil(struct packet *packet, size_t size)
{
    uint8_t *bytes = (uint8_t *)packet;

    switch (roll(6)) {
    case 0: return roll((uint32_t)size + 1);
    case 1: packet->head.size = roll(3) ? packet->head.size + roll(5) - 2 : (uint32_t)luck; return size;
    case 2: packet->head.version = (uint16_t)roll(4); return size;
    case 3: packet->head.op = (uint16_t)roll(14); return size;
    case 4:
        for (uint32_t i = 1 + roll(4); i; i--)
            bytes[sizeof(packet->head) + roll((uint32_t)(size - sizeof(packet->head)) + 1)] ^=
                (uint8_t)(1u << roll(8));
        return size;
    default:
        size = roll(2) ? size + roll(400) : sizeof(packet->head) + roll(CTL_PACKET_MAX);
        if (size > CTL_PACKET_MAX) size = CTL_PACKET_MAX;
        if (roll(2)) packet->head.size = (uint32_t)(size - sizeof(packet->head));
        return size;
    }
}

/* ---- descriptors ---- */

/* Of all kinds; none whose closing waits for anything. */
static int any_fd(void)
{
    int pair[2];

    switch (roll(12)) {
    case 0: return open("/dev/null", O_RDWR | O_CLOEXEC);
    case 1: return eventfd(0, EFD_CLOEXEC);
    case 2: return memfd_create("x", MFD_CLOEXEC);
    case 3: return epoll_create1(EPOLL_CLOEXEC);
    case 4: return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    case 5: return open("/", O_PATH | O_CLOEXEC);
    case 6: return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    case 7: return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    case 8: return dup(connection[roll(CONNECTIONS)].fd);
    case 9:
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) return -1;
        close(pair[roll(2)]);
        return fcntl(pair[0], F_GETFD) < 0 ? pair[1] : pair[0];
    default: return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    }
}

static bool send_packet(int fd, const struct packet *packet, size_t size, unsigned count)
{
    int fds[PASSED];
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(fds))];
    } control = { 0 };
    struct iovec iov = { (void *)(uintptr_t)packet, size };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    unsigned have = 0;

    while (have < count && (fds[have] = any_fd()) >= 0)
        have++;
    if (have) {
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_LEN(have * sizeof(int));
        control.head = (struct cmsghdr){ .cmsg_len = msg.msg_controllen,
                                         .cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.head), fds, have * sizeof(int));
    }
    ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (have)
        close(fds[--have]);
    return sent >= 0;
}

/* ---- connections ---- */

static void open_one(struct connection *it)
{
    time_t limit = time(NULL) + 20;

    it->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (it->fd < 0) fail("socket");
    while (connect(it->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        if (errno != EAGAIN || time(NULL) > limit) fail("connect");
        usleep(1000);
    }
    it->last = 0;
    it->handed_over = false;
}

static void close_one(struct connection *it)
{
    if (it->fd >= 0) close(it->fd);
    it->fd = -1;
}

/* Reads what has come; with `wait` until there is something. False at the end. */
static bool read_answers(struct connection *it, bool wait)
{
    static uint8_t bytes[1 << 16];
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control;
    ssize_t got;

    do {
        struct iovec iov = { bytes, sizeof(bytes) };
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct timeval limit = { 20, 0 };
        setsockopt(it->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        got = recvmsg(it->fd, &msg, wait ? 0 : MSG_DONTWAIT);
        if (wait && got < 0 && errno == EAGAIN) fail("no answer in 20 s");
        struct cmsghdr *cmsg = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
        for (size_t i = 0; cmsg && CMSG_LEN((i + 1) * sizeof(int)) <= cmsg->cmsg_len; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
            close(fd);
        }
        struct ctl_reply head;
        if (got >= (ssize_t)sizeof(head)) memcpy(&head, bytes, sizeof(head));
        if (it->last && got >= (ssize_t)sizeof(head) && !head.error) done[it->last]++;
        it->last = 0;
        wait = false;
    } while (got > 0);
    return got < 0 && errno == EAGAIN;
}

static void ask(struct connection *it)
{
    static struct packet packet;
    enum ctl_op op;

    do
        op = 1 + roll(OPS - 1);
    while (op == CTL_SHUTDOWN);
    memset(&packet, 0, sizeof(packet));
    if (make[op]) make[op](&packet);
    packet.head = (struct ctl_request){ CTL_MAGIC, CTL_VERSION, (uint16_t)op, (uint32_t)packet.size };
    size_t size = sizeof(packet.head) + packet.size;
    bool good = roll(3) == 0;
    if (!good) size = spoil(&packet, size);
    if (packet.head.op == CTL_SHUTDOWN) packet.head.op = CTL_STATUS;
    if (packet.head.op == CTL_SOCKET) it->handed_over = true;
    asked[op]++;
    it->last = good ? op : 0;
    if (!send_packet(it->fd, &packet, size,
                     op == CTL_WATCH || !roll(4) ? roll(3) ? 1 : roll(PASSED + 1) : 0)) {
        close_one(it);
        return;
    }
    if (good && !read_answers(it, !it->handed_over)) close_one(it);
}

static void turn(struct connection *it)
{
    if (it->fd < 0) open_one(it);
    switch (roll(12)) {
    case 0: close_one(it); break;
    case 1: shutdown(it->fd, (int)roll(3)); break;
    case 2: send(it->fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT); break;
    case 3:
    case 4:
        if (!read_answers(it, false)) close_one(it);
        break;
    default: ask(it);
    }
}

/* ---- afterwards ---- */

struct link_message {
    struct ctl_netlink caller;
    struct nlmsghdr head;
    struct ifinfomsg link;
    struct nlattr name_head;
    char name[16];
};

static uint8_t answer[1 << 19];

/* Asks about an interface by its number; with `called` also to take it down and to call it so. */
static int ask_link(uint16_t type, uint16_t flags, int ifindex, const char *called, size_t *size)
{
    struct link_message message = { .head = { 0, type, (uint16_t)(NLM_F_REQUEST | flags), 1, 0 },
                                    .link = { .ifi_index = ifindex, .ifi_change = called ? IFF_UP : 0 },
                                    .name_head = { sizeof(message.name_head) + sizeof(message.name),
                                                   IFLA_IFNAME } };
    size_t end = called ? sizeof(message) : offsetof(struct link_message, name_head);

    if (called) snprintf(message.name, sizeof(message.name), "%s", called);
    message.head.nlmsg_len = (uint32_t)(end - offsetof(struct link_message, head));
    return ctl_call(getenv("POCKETCAN_DIR"), CTL_NETLINK, &message, end, -1, answer, sizeof(answer), size,
                    NULL, 0);
}

/* A can interface is the simulator's to remove, by its name, which may have become one that JSON does not bear. */
static void remove_link(int ifindex)
{
    static const char request[] = "{\"op\":\"link-del\",\"link\":\"removed\"}";

    ask_link(RTM_DELLINK, 0, ifindex, NULL, NULL);
    ask_link(RTM_SETLINK, 0, ifindex, "removed", NULL);
    ctl_call(getenv("POCKETCAN_DIR"), CTL_BUS, request, sizeof(request) - 1, -1, answer, sizeof(answer), NULL,
             NULL, 0);
}

/* Removes every interface, whatever it is called. False: one of them stays. */
static bool remove_links(void)
{
    static _Alignas(8) uint8_t dump[sizeof(answer)];
    size_t size = 0;

    for (unsigned tries = 0; tries < 3; tries++) { /* the peer of one that was removed is gone, too */
        if (ask_link(RTM_GETLINK, NLM_F_DUMP, 0, NULL, &size)) return false;
        if (!size) return true;
        memcpy(dump, answer, size);
        struct nlmsghdr *at = (struct nlmsghdr *)(void *)dump;
        for (uint32_t left = (uint32_t)size; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left))
            remove_link(((struct ifinfomsg *)NLMSG_DATA(at))->ifi_index);
    }
    return false;
}

int main(int argc, char *argv[])
{
    const char *dir = getenv("POCKETCAN_DIR");
    time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 5);
    bool reached = true;

    luck = 0x9e3779b97f4a7c15u ^ (uint64_t)(argc > 2 ? atoll(argv[2]) : 1) << 16;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/ctl", dir ? dir : "");
    for (unsigned i = 0; i < CONNECTIONS; i++)
        open_one(&connection[i]);
    while (time(NULL) < end)
        for (int i = 0; i < 100; i++)
            turn(&connection[roll(CONNECTIONS)]);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        close_one(&connection[i]);
    for (unsigned op = 1; op < OPS; op++) {
        printf("# operation %u: asked %lu times, of which %lu were granted\n", op, asked[op], done[op]);
        reached =
            reached && (done[op] || op == CTL_SHUTDOWN || op == CTL_SOCKET); /* that is not waited for */
    }
    bool removed = remove_links();
    printf("# its interfaces can %sbe removed\n", removed ? "" : "not all ");
    return reached && removed ? 0 : 1;
}
