/* tests/stress/victim.c - does everything with CAN sockets for a while and believes nothing of what it gets.
 *
 * usage: victim INTERFACE SECONDS SEED
 * For instances that somebody spoils: whatever the calls say, each must come back in time, and none may crash. Exits with 0. */
#include <sys/epoll.h>
#include <sys/select.h>
#include "stress/client.h"

#define SOCKETS   4
#define PATIENT_S 4.0 /* a call that may wait at most 1 s */

static int fd[SOCKETS] = { -1, -1, -1, -1 };
static int epoll_fd;

static void do_open(int *at, const char *interface)
{
    struct sockaddr_can address = { .can_family = AF_CAN };
    struct timeval limit = { 1, 0 };
    struct epoll_event event = { .events = EPOLLIN | (rand() % 2 ? EPOLLET : 0) };
    int on = 1;

    if (*at >= 0) close(*at);
    *at = socket(PF_CAN, SOCK_RAW, CAN_RAW);
    if (*at < 0) return;
    setsockopt(*at, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(*at, SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on, sizeof(on));
    if (rand() % 2) setsockopt(*at, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &on, sizeof(on));
    address.can_ifindex = rand() % 3 ? (int)if_nametoindex(interface) : 0;
    if (bind(*at, (struct sockaddr *)&address, sizeof(address)) == 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, *at, &event);
}

static void do_filters(int at)
{
    struct can_filter filters[CAN_RAW_FILTER_MAX];
    socklen_t size = sizeof(filters);
    unsigned count = (unsigned)rand() % 8;

    for (unsigned i = 0; i < count; i++)
        filters[i] = (struct can_filter){ (uint32_t)rand(), (uint32_t)rand() };
    if (rand() % 2) count = 1, filters[0] = (struct can_filter){ 0, 0 };
    setsockopt(at, SOL_CAN_RAW, CAN_RAW_FILTER, filters, (socklen_t)(count * sizeof(*filters)));
    getsockopt(at, SOL_CAN_RAW, CAN_RAW_FILTER, filters, &size);
}

static void do_send(int at)
{
    struct canfd_frame frame = { .can_id = (uint32_t)rand() % 8, .len = 8 };

    for (int i = rand() % 50; i > 0; i--)
        if (write(at, &frame, rand() % 4 ? CAN_MTU : CANFD_MTU) < 0 && errno == EBADF) return;
}

static void do_receive(int at)
{
    uint8_t bytes[2100], control[200];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct sockaddr_can address;
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_name = &address,
                          .msg_namelen = sizeof(address),
                          .msg_control = control };

    for (int i = 0; i < 100; i++) {
        msg.msg_controllen = sizeof(control);
        if (recvmsg(at, &msg, MSG_DONTWAIT | (i % 7 == 0 ? MSG_PEEK : 0)) < 0) return;
    }
}

static void do_wait(int at)
{
    struct pollfd pfd = { .fd = at, .events = POLLIN };
    struct epoll_event events[4];
    struct timeval limit = { 0, 2000 };
    fd_set set;

    if (at < 0) return;
    FD_ZERO(&set);
    FD_SET(at, &set);
    if (rand() % 3 == 0)
        poll(&pfd, 1, 2);
    else if (rand() % 2)
        select(at + 1, &set, NULL, NULL, &limit);
    else
        epoll_wait(epoll_fd, events, 4, 2);
}

int main(int argc, char *argv[])
{
    double end, before, longest = 0;
    uint8_t bytes[100];
    unsigned long count = 0;

    MUST(argc == 4);
    srand((unsigned)atoi(argv[3]));
    epoll_fd = epoll_create1(0);
    end = now() + atof(argv[2]);
    alarm((unsigned)atoi(argv[2]) + 30);
    for (before = now(); before < end; count++) {
        int at = rand() % SOCKETS, what = rand() % 24;
        if (what == 0)
            do_open(&fd[at], argv[1]);
        else if (what < 4)
            do_filters(fd[at]);
        else if (what < 12)
            do_send(fd[at]);
        else if (what < 18)
            do_receive(fd[at]);
        else if (what < 23)
            do_wait(fd[at]);
        else if (rand() % 40 == 0)
            (void)!read(fd[at], bytes, sizeof(bytes)); /* at most a second */
        double after = now();
        if (after - before > longest) longest = after - before;
        if (after - before > PATIENT_S) printf("# call %d took %.1f s\n", what, after - before);
        before = after;
    }
    printf("# %lu calls, the longest %.2f s; seed %s\n", count, longest, argv[3]);
    return longest > PATIENT_S;
}
