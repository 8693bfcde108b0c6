/* tests/stress/services.h - CAN_BCM and CAN_ISOTP sockets for the programs of this folder, which know nothing of pocketcan. */
#ifndef TESTS_STRESS_SERVICES_H
#define TESTS_STRESS_SERVICES_H

#include <linux/can/bcm.h>
#include <linux/can/isotp.h>
#include "stress/client.h"

static inline double wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline void nap(double seconds)
{
    struct timespec left = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
    while (nanosleep(&left, &left) != 0)
        ;
}

/* Says what went wrong, with errno; counts as one. */
static inline int wrong(const char *what)
{
    printf("# %s: %s\n", what, strerror(errno));
    fflush(stdout);
    return 1;
}

/* ---- BCM ---- */

/* -1 with errno when the daemon's worker is just being replaced; any other failure ends the program. */
static inline int bcm_open(const char *name)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(name) };
    int fd = socket(PF_CAN, SOCK_DGRAM, CAN_BCM), error;

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static inline bool bcm_write_one(int fd, uint32_t opcode, uint32_t flags, uint32_t id, double interval_s)
{
    _Alignas(8) uint8_t message[sizeof(struct bcm_msg_head) + sizeof(struct can_frame)] = { 0 };
    struct bcm_msg_head *head = (struct bcm_msg_head *)(void *)message;
    struct can_frame *frame = (struct can_frame *)(void *)(message + sizeof(*head));
    bool has_frame = opcode == TX_SETUP || opcode == TX_SEND;
    ssize_t size = (ssize_t)(sizeof(*head) + (has_frame ? sizeof(*frame) : 0));

    head->opcode = opcode;
    head->flags = flags;
    head->can_id = id;
    head->nframes = has_frame;
    head->ival2.tv_sec = (long)interval_s;
    head->ival2.tv_usec = (long)((interval_s - (double)(long)interval_s) * 1e6);
    frame->can_id = id;
    frame->can_dlc = 8;
    return write(fd, message, (size_t)size) == size;
}

/* A frame of this identifier every interval. */
static inline bool bcm_cycle(int fd, uint32_t id, double interval_s)
{
    return bcm_write_one(fd, TX_SETUP, SETTIMER | STARTTIMER, id, interval_s);
}
static inline bool bcm_subscribe(int fd, uint32_t id)
{
    return bcm_write_one(fd, RX_SETUP, RX_FILTER_ID, id, 0);
}

/* ---- ISO-TP ---- */

/* stmin, blocksize: what the receiver asks of senders. */
static inline int isotp_open(const char *name, uint32_t tx, uint32_t rx, uint8_t blocksize, uint8_t stmin,
                             uint32_t flags)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(name) };
    struct can_isotp_fc_options flow = { blocksize, stmin, 0 };
    struct can_isotp_options options = { .flags = flags, .frame_txtime = CAN_ISOTP_FRAME_TXTIME_ZERO };
    int fd = socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP), error;

    if (fd < 0) return fd;
    address.can_addr.tp.tx_id = tx;
    address.can_addr.tp.rx_id = rx;
    if (setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &options, sizeof(options)) == 0 &&
        setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_RECV_FC, &flow, sizeof(flow)) == 0 &&
        bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A PDU that says whose it is: any two have different bytes everywhere. */
static inline void pdu_fill(uint8_t *pdu, size_t size, uint32_t number)
{
    for (size_t i = 0; i < size; i++)
        pdu[i] = (uint8_t)(number + i * 7 + (number >> 8) * 31);
    if (size >= 4) memcpy(pdu, &number, 4);
}

/* Its number, or -1 when it is not whole. */
static inline int64_t pdu_check(const uint8_t *pdu, size_t size)
{
    static uint8_t wanted[66000];
    uint32_t number;

    if (size < 4 || size > sizeof(wanted)) return -1;
    memcpy(&number, pdu, 4);
    pdu_fill(wanted, size, number);
    return memcmp(pdu, wanted, size) == 0 ? (int64_t)number : -1;
}

/* ---- watching ---- */

/* A raw socket that stamps its frames. */
static inline int watch_open(const char *name, uint32_t id)
{
    int fd = client_open(name, id, 1), on = 1;

    MUST(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == 0);
    return fd;
}

/* The next frame within `seconds`, and when it was on the bus. */
static inline bool watch_next(int fd, double seconds, struct can_frame *frame, double *stamp)
{
    struct iovec iov = { frame, sizeof(*frame) };
    _Alignas(8) char control[64];
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    struct timespec at;

    if (poll(&pfd, 1, (int)(seconds * 1000)) != 1 || recvmsg(fd, &msg, MSG_DONTWAIT) != sizeof(*frame))
        return false;
    MUST(CMSG_FIRSTHDR(&msg));
    memcpy(&at, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(at));
    *stamp = (double)at.tv_sec + (double)at.tv_nsec / 1e9;
    return true;
}

/* Throws away what is queued. */
static inline void watch_drain(int fd)
{
    struct can_frame frame;
    while (recv(fd, &frame, sizeof(frame), MSG_DONTWAIT) > 0)
        ;
}

/* Frames within `seconds`. */
static inline unsigned watch_count(int fd, double seconds)
{
    double end = now() + seconds, stamp;
    struct can_frame frame;
    unsigned count = 0;

    while (now() < end)
        count += watch_next(fd, end - now() > 0 ? end - now() : 0, &frame, &stamp);
    return count;
}

#endif
