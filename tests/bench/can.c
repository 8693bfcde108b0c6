/* Short words for sockets, and the two loops that everything is made of. */
#include "bench.h"
#include <errno.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH_WANTED 200u

int can_new(void)
{
    int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);

    if (fd < 0) die("socket(PF_CAN)");
    return fd;
}

void can_bind(int fd)
{
    struct sockaddr_can address;

    memset(&address, 0, sizeof(address));
    address.can_family = AF_CAN;
    address.can_ifindex = (int)if_nametoindex(settings.link);
    if (!address.can_ifindex) die(settings.link);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address))) die("bind");
}

int can_open(void)
{
    int fd = can_new();

    can_bind(fd);
    return fd;
}

void can_enable_fd(int fd)
{
    int on = 1;

    if (setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof(on))) die("CAN_RAW_FD_FRAMES");
}

static void set_filters(int fd, const struct can_filter *filters, socklen_t size)
{
    if (setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters, size)) die("CAN_RAW_FILTER");
}

void can_filter_id(int fd, canid_t id)
{
    struct can_filter filter = { id, CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG };

    set_filters(fd, &filter, sizeof(filter));
}

void can_filter_all(int fd)
{
    struct can_filter filter = { 0, 0 };

    set_filters(fd, &filter, sizeof(filter));
}

void can_filter_none(int fd) { set_filters(fd, NULL, 0); }

void unix_open(int fd[2])
{
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, fd)) die("socketpair");
}

struct can_frame can_example(void)
{
    struct can_frame frame = { .can_id = 0x123, .len = 8, .data = { 1, 2, 3, 4, 5, 6, 7, 8 } };

    return frame;
}

struct canfd_frame canfd_example(void)
{
    struct canfd_frame frame = { .can_id = 0x123, .len = 64, .flags = CANFD_FDF, .data = { 1, 2, 3, 4 } };

    return frame;
}

unsigned can_depth(void)
{
    struct can_frame frame = can_example();
    int from = can_open(), to = can_open();
    unsigned depth = 0;

    write_each_ns(from, &frame, sizeof(frame), DEPTH_WANTED);
    while (recv(to, &frame, sizeof(frame), MSG_DONTWAIT) == (ssize_t)sizeof(frame))
        depth++;
    if (errno != EAGAIN) die("recv");
    if (depth < 16) die_because("%s holds only %u frames for a socket", settings.link, depth);
    close(from);
    close(to);
    return depth;
}

unsigned can_batch(void)
{
    unsigned fits = settings.depth * 3 / 4;

    return fits < BATCH_WANTED ? fits : BATCH_WANTED;
}

double write_each_ns(int fd, const void *data, size_t size, unsigned count)
{
    uint64_t start = now_ns();

    for (unsigned i = 0; i < count; i++)
        if (write(fd, data, size) != (ssize_t)size) die("write");
    return (double)(now_ns() - start) / count;
}

double read_each_ns(int fd, size_t size, unsigned count)
{
    char data[CANFD_MTU];
    uint64_t start = now_ns();

    for (unsigned i = 0; i < count; i++)
        if (read(fd, data, size) != (ssize_t)size) die("read");
    return (double)(now_ns() - start) / count;
}
