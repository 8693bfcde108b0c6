/* Frames between programs of different widths: one sends, the other receives and checks every byte.
 *
 *   exchange IFNAME receive SOCKETS COUNT    opens so many sockets, says "ready", reads COUNT frames from each
 *   exchange IFNAME send COUNT               classic, CAN FD and CAN XL frames in turn
 * What the n-th frame must be follows from n. */
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/can.h>
#include <linux/can/raw.h>

#define XL_FRAMES  7 /* CAN_RAW_XL_FRAMES */
#define XL_HEAD    12
#define XL_MAX     2060
#define WAIT_MS    20000
#define SOCKET_MAX 300

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* The n-th frame; returns its size. */
static size_t compose(unsigned n, unsigned char bytes[XL_MAX])
{
    struct canfd_frame head = { .can_id = n & CAN_SFF_MASK };
    size_t data = n % 3 == 0 ? n % 9 : n % 3 == 1 ? 64 : 1 + n * 37 % 2048;

    memset(bytes, 0, XL_MAX);
    if (n % 3 == 2) { /* priority, flags, SDT, length, acceptance field */
        uint16_t length = (uint16_t)data;
        uint32_t acceptance = n * 0x01010101u;
        memcpy(bytes, &head.can_id, 4);
        bytes[4] = 0x80;
        memcpy(bytes + 6, &length, 2);
        memcpy(bytes + 8, &acceptance, 4);
    } else {
        head.len = (unsigned char)data;
        memcpy(bytes, &head, 8);
        if (n % 3 == 1) bytes[5] = 4; /* CANFD_FDF, as it comes back */
    }
    for (size_t i = 0; i < data; i++)
        bytes[(n % 3 == 2 ? XL_HEAD : 8) + i] = (unsigned char)(n + i * 7);
    return n % 3 == 0 ? 16 : n % 3 == 1 ? 72 : XL_HEAD + data;
}

static int open_socket(const char *name)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(name) };
    int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW), on = 1;

    if (fd < 0 || setsockopt(fd, SOL_CAN_RAW, XL_FRAMES, &on, sizeof(on)) ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)))
        return -1;
    return fd;
}

static int check(int fd, unsigned n)
{
    unsigned char want[XL_MAX], got[XL_MAX];
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    size_t size = compose(n, want);

    if (poll(&readable, 1, WAIT_MS) != 1) return fail("poll");
    if (read(fd, got, sizeof(got)) != (ssize_t)size) return fail("read");
    if (memcmp(got, want, size) != 0) {
        fprintf(stderr, "frame %u differs\n", n);
        return 1;
    }
    return 0;
}

static int receive(const char *name, unsigned sockets, unsigned count)
{
    int fds[SOCKET_MAX];

    for (unsigned i = 0; i < sockets && i < SOCKET_MAX; i++)
        if ((fds[i] = open_socket(name)) < 0) return fail("socket");
    puts("ready");
    fflush(stdout);
    for (unsigned i = 0; i < sockets && i < SOCKET_MAX; i++)
        for (unsigned n = 0; n < count; n++)
            if (check(fds[i], n)) return 1;
    return 0;
}

static int send_all(const char *name, unsigned count)
{
    unsigned char bytes[XL_MAX];
    int fd = open_socket(name);

    if (fd < 0) return fail("socket");
    for (unsigned n = 0; n < count; n++) {
        ssize_t size = (ssize_t)compose(n, bytes);
        if (write(fd, bytes, (size_t)size) != size) return fail("write");
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && !strcmp(argv[2], "receive"))
        return receive(argv[1], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]));
    if (argc == 4 && !strcmp(argv[2], "send")) return send_all(argv[1], (unsigned)atoi(argv[3]));
    fprintf(stderr, "usage: exchange IFNAME receive SOCKETS COUNT | send COUNT\n");
    return 2;
}
