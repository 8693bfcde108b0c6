/* tests/stress/client.h - what the SocketCAN programs of this folder share. They know nothing of pocketcan. */
#ifndef TESTS_STRESS_CLIENT_H
#define TESTS_STRESS_CLIENT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("# %s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));                    \
            fflush(stdout);                                                                                  \
            _exit(99);                                                                                       \
        }                                                                                                    \
    } while (0)

static inline double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A bound socket. filter_id: CAN_INV_FILTER for everything. Blocking calls give up after `seconds`. */
static inline int client_open(const char *name, uint32_t filter_id, int seconds)
{
    struct can_filter filter = { filter_id, CAN_SFF_MASK | CAN_EFF_FLAG };
    struct sockaddr_can address = { .can_family = AF_CAN };
    struct timeval limit = { seconds, 0 };
    int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);

    if (fd < 0) return -1;
    address.can_ifindex = (int)if_nametoindex(name);
    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    if (filter_id != CAN_INV_FILTER)
        MUST(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, &filter, sizeof(filter)) == 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline bool client_send(int fd, uint32_t id, uint64_t number)
{
    struct can_frame frame = { .can_id = id, .can_dlc = 8 };

    memcpy(frame.data, &number, 8);
    return write(fd, &frame, sizeof(frame)) == sizeof(frame);
}

/* Returns 1 with the number of the next frame, 0 when nothing came in time, -1 for anything else. */
static inline int client_receive(int fd, uint64_t *number)
{
    struct can_frame frame;
    ssize_t size = read(fd, &frame, sizeof(frame));

    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (size != sizeof(frame) || frame.can_dlc != 8) return -1;
    memcpy(number, frame.data, 8);
    return 1;
}

#endif
