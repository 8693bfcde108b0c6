/* visitor.c - a statically linked program that uses CAN, for door.test. Knows nothing of pocketcan.
 *
 *   visitor talk                two sockets: one sends, the other reads, selects, polls, asks for what came with the frame
 *   visitor storm COUNT MICROS  writes COUNT numbered frames while SIGALRM comes every MICROS, and reads them: none twice, none lost
 *   visitor copies              duplicates with low and high numbers, a child, a thread, another program: all the same socket
 *   visitor errors              an interface that goes down and up: poll, epoll, read and recvmsg say so once; a sending ISO-TP socket is not writable
 *   visitor reuse               a number that was a CAN socket's and is another's
 *   visitor abandon             waits for the end of a transfer that nobody lets go on; says what it came to
 *   visitor crowd COUNT         so many threads wait in recvmsg, each gets a frame
 *   visitor many COUNT          holds so many sockets
 *   visitor fifo                a fifo that nobody writes to, found from a directory of /proc: others go on
 *   visitor sniff               a packet socket that is bound after it was opened: what passes vcan0, with addresses; counts; no mapped ring
 *   visitor inherit FD          uses a socket on vcan0 that it was given: sends 1, reads 2 with its sender, sees vcan0 go down
 *   visitor give CMD ...        becomes CMD, with a socket on vcan0 as descriptor 100 and another one as $FD
 *   visitor time COUNT          the median of a write(2), in nanoseconds
 *   visitor wait                reads a frame; says what it got
 *   visitor hold SECONDS        holds a socket
 *   visitor send ID             sends one frame
 *   visitor sandbox CMD ...     becomes CMD behind a seccomp listener
 *   visitor container CMD ...   becomes CMD where pidfd_getfd(2) is forbidden */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <linux/can/isotp.h>
#include <linux/can/raw.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("visitor.c:%d: %s: %s\n", __LINE__, #condition, strerror(errno));                         \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static int open_socket(void)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex("vcan0") };
    int fd = socket(PF_CAN, SOCK_RAW, CAN_RAW);

    CHECK(fd >= 0 && address.can_ifindex);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void put(int fd, uint32_t id)
{
    struct can_frame frame = { .can_id = id | CAN_EFF_FLAG, .can_dlc = 1 };
    while (write(fd, &frame, sizeof(frame)) < 0)
        CHECK(errno == EINTR);
}

static uint32_t get(int fd)
{
    struct can_frame frame;
    CHECK(read(fd, &frame, sizeof(frame)) == sizeof(frame));
    return frame.can_id & CAN_EFF_MASK;
}

static void talk(void)
{
    int out = open_socket(), in = open_socket(), on = 1;
    struct can_frame frame;
    struct sockaddr_can from;
    char control[256];
    struct iovec iov = { &frame, sizeof(frame) };
    struct msghdr msg = { &from, sizeof(from), &iov, 1, control, sizeof(control), 0 };
    struct timeval none = { 0, 0 }, second = { 1, 0 };
    fd_set set;

    CHECK(in < FD_SETSIZE && out < FD_SETSIZE);
    FD_ZERO(&set);
    FD_SET(in, &set);
    CHECK(select(in + 1, &set, NULL, NULL, &none) == 0);
    put(out, 1);
    FD_SET(in, &set);
    CHECK(select(in + 1, &set, NULL, NULL, &second) == 1);
    CHECK(get(in) == 1);
    CHECK(recv(in, &frame, sizeof(frame), MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(setsockopt(in, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)) == 0);
    put(out, 2);
    CHECK(recvmsg(in, &msg, 0) == sizeof(frame) && (frame.can_id & CAN_EFF_MASK) == 2);
    CHECK(from.can_family == AF_CAN && from.can_ifindex == (int)if_nametoindex("vcan0"));
    CHECK(msg.msg_flags == MSG_DONTROUTE && msg.msg_controllen &&
          CMSG_FIRSTHDR(&msg)->cmsg_type == SO_TIMESTAMP);
    frame.can_dlc = 9;
    CHECK(write(out, &frame, sizeof(frame)) == -1 && errno == EINVAL);
    CHECK(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0, 20000 }, sizeof(struct timeval)) ==
          0);
    CHECK(recvmsg(in, &msg, 0) == -1 && errno == EAGAIN);
}

static volatile sig_atomic_t alarms;
static void on_alarm(int number)
{
    (void)number;
    alarms++;
}

/* Reads what there is; it has to go on from *next. */
static void read_all(int fd, uint32_t *next)
{
    struct can_frame frame;

    while (recv(fd, &frame, sizeof(frame), MSG_DONTWAIT) > 0) {
        CHECK((frame.can_id & CAN_EFF_MASK) == *next);
        ++*next;
    }
}

static void storm(uint32_t count, int micros)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval timer = { { 0, micros }, { 0, micros } };
    int out = open_socket(), in = open_socket();
    uint32_t next = 0;

    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
    for (uint32_t i = 0; i < count; i++) {
        put(out, i);
        read_all(in, &next);
    }
    CHECK(next == count && alarms > 0);
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    alarms = 0; /* and one that ends a wait */
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 20000 } }, NULL);
    CHECK(recvfrom(in, &count, sizeof(count), 0, NULL, NULL) == -1 && errno == EINTR && alarms == 1);
    setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 20000 } }, NULL);
    struct sockaddr_can from;
    CHECK(recvfrom(in, &count, sizeof(count), 0, (struct sockaddr *)&from, &(socklen_t){ sizeof(from) }) ==
              -1 &&
          errno == EINTR && alarms == 2);
}

static void *send_five(void *fd)
{
    put(*(int *)fd, 5);
    return NULL;
}

static void copies(const char *self)
{
    int out = open_socket(), in = open_socket(), high = dup(out), low = dup2(out, 100), index;
    struct sockaddr_can name;
    socklen_t size = sizeof(name);
    pthread_t thread;
    char number[12];

    CHECK(high >= 0 && low == 100);
    put(high, 1);
    put(low, 2);
    CHECK(getsockname(low, (struct sockaddr *)&name, &size) == 0 && name.can_family == AF_CAN);
    index = name.can_ifindex;
    close(out);
    if (fork() == 0) {
        put(high, 3);
        _exit(0);
    }
    wait(NULL);
    snprintf(number, sizeof(number), "%d", high);
    if (fork() == 0) {
        execl(self, "visitor", "put", number, "4", NULL);
        _exit(1);
    }
    wait(NULL);
    pthread_create(&thread, NULL, send_five, &high);
    pthread_join(thread, NULL);
    for (uint32_t id = 1; id <= 5; id++)
        CHECK(get(in) == id);
    CHECK(index == (int)if_nametoindex("vcan0"));
}

/* ip link set vcan0 STATE */
static void set_link(const char *state)
{
    int status;

    if (fork() == 0) {
        execlp("ip", "ip", "link", "set", "vcan0", state, NULL);
        _exit(1);
    }
    CHECK(wait(&status) > 0 && status == 0);
}

static short events_of(int fd, int milliseconds)
{
    struct pollfd one = { fd, POLLIN | POLLOUT, 0 };
    poll(&one, 1, milliseconds);
    return one.revents;
}

static void errors(void)
{
    int in = open_socket(), epoll = epoll_create1(0), error = -1;
    struct epoll_event event = { .events = EPOLLIN };
    struct iovec iov = { &error, sizeof(error) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    socklen_t size = sizeof(error);
    ssize_t got;

    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, in, &event) == 0);
    CHECK(events_of(in, 0) == POLLOUT && epoll_wait(epoll, &event, 1, 0) == 0);
    set_link("down");
    CHECK(epoll_wait(epoll, &event, 1, 1000) == 1 && event.events == EPOLLERR);
    CHECK(events_of(in, 0) == (POLLOUT | POLLERR));
    CHECK(recvmsg(in, &msg, MSG_DONTWAIT) == -1 && errno == ENETDOWN);
    CHECK(events_of(in, 0) == POLLOUT);
    for (int i = 0; i < 2; i++) { /* of whatever errno, as often as it happens */
        set_link("up");
        set_link("down");
        got = recv(in, &error, sizeof(error), MSG_DONTWAIT);
        CHECK(got == -1 && errno != EAGAIN);
        got = recv(in, &error, sizeof(error), MSG_DONTWAIT);
        CHECK(got == -1 && errno == EAGAIN);
        CHECK(getsockopt(in, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
    }
    set_link("up");
}

static int open_isotp(int type)
{
    struct sockaddr_can address = { .can_family = AF_CAN,
                                    .can_ifindex = (int)if_nametoindex("vcan0"),
                                    .can_addr.tp = { .tx_id = 0x700, .rx_id = 0x708 } };
    struct can_isotp_options options = { .flags = type & SOCK_NONBLOCK ? 0 : CAN_ISOTP_WAIT_TX_DONE };
    int fd = socket(PF_CAN, type, CAN_ISOTP);

    CHECK(fd >= 0 && setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &options, sizeof(options)) == 0);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void transfer(void)
{
    int fd = open_isotp(SOCK_DGRAM | SOCK_NONBLOCK);
    char pdu[100] = { 0 };

    CHECK(events_of(fd, 0) == POLLOUT);
    CHECK(write(fd, pdu, sizeof(pdu)) == sizeof(pdu)); /* nobody lets it go on */
    CHECK(events_of(fd, 0) == 0 && write(fd, pdu, sizeof(pdu)) == -1 && errno == EAGAIN);
    CHECK(events_of(fd, 5000) & POLLERR);
    CHECK(read(fd, pdu, sizeof(pdu)) == -1 && errno == ECOMM);
    CHECK(events_of(fd, 1000) == POLLOUT);
}

static void inherit(int fd)
{
    struct can_frame frame;
    struct sockaddr_can name;
    socklen_t size = sizeof(name);

    CHECK(getsockname(fd, (struct sockaddr *)&name, &size) == 0 && name.can_family == AF_CAN);
    CHECK(name.can_ifindex == (int)if_nametoindex("vcan0"));
    CHECK(events_of(fd, 0) == (POLLIN | POLLOUT) && get(fd) == 0); /* it came before us */
    put(fd, 1);
    CHECK(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, 5000) == 1);
    CHECK(recvfrom(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&name, &size) == sizeof(frame));
    CHECK((frame.can_id & CAN_EFF_MASK) == 2 && name.can_ifindex == (int)if_nametoindex("vcan0"));
    frame.can_dlc = 9;
    CHECK(write(fd, &frame, sizeof(frame)) == -1 && errno == EINVAL);
    set_link("down");
    CHECK(events_of(fd, 1000) == (POLLOUT | POLLERR));
    CHECK(read(fd, &frame, sizeof(frame)) == -1 && errno == ENETDOWN);
    set_link("up");
}

static void give(char *const argv[])
{
    int one = open_socket(), other = open_socket();
    char number[12];

    CHECK(dup2(one, 100) == 100);
    snprintf(number, sizeof(number), "%d", other);
    setenv("FD", number, 1);
    execvp(argv[0], argv);
    CHECK(false);
}

static void sniff(void)
{
    int index = (int)if_nametoindex("vcan0"), fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)),
        out = open_socket();
    struct sockaddr_ll address = { .sll_family = AF_PACKET,
                                   .sll_ifindex = index,
                                   .sll_protocol = htons(ETH_P_ALL) },
                       from;
    struct tpacket_req3 ring = { 4096, 1, 2048, 2, 0, 0, 0 };
    struct packet_mreq all = { .mr_ifindex = index, .mr_type = PACKET_MR_PROMISC };
    struct tpacket_stats stats;
    struct can_frame frame = { .can_id = 0x123, .can_dlc = 1 };
    socklen_t size = sizeof(from);

    CHECK(fd >= 0);
    CHECK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(events_of(fd, 0) == POLLOUT);
    put(out, 7);
    for (int pass = 0; pass < 2; pass++) { /* as it goes, and as it comes */
        CHECK(events_of(fd, 1000) == (POLLIN | POLLOUT));
        CHECK(recvfrom(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&from, &size) == sizeof(frame));
        CHECK((frame.can_id & CAN_EFF_MASK) == 7 && from.sll_ifindex == index &&
              from.sll_protocol == htons(ETH_P_CAN));
        CHECK(from.sll_pkttype == (pass ? PACKET_BROADCAST : PACKET_OUTGOING) && from.sll_hatype == 280);
    }
    size = sizeof(stats);
    CHECK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0);
    CHECK(stats.tp_packets == 2 && stats.tp_drops == 0);
    CHECK(read(fd, &frame, 0) == 0 && recv(fd, &frame, sizeof(frame), MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) == -1 && errno == ENOPROTOOPT);
    set_link("down");
    CHECK(events_of(fd, 1000) == (POLLOUT | POLLERR));
    CHECK(read(fd, &frame, sizeof(frame)) == -1 && errno == ENETDOWN);
    set_link("up");
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void measure(int count)
{
    int64_t *took = calloc((size_t)count, sizeof(*took));
    int fd = open_socket();

    CHECK(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, NULL, 0) == 0);
    for (int i = 0; i < count; i++) {
        int64_t start = now_ns();
        put(fd, 1);
        took[i] = now_ns() - start;
    }
    qsort(took, (size_t)count, sizeof(*took), compare);
    printf("%lld\n", (long long)took[count / 2]);
    free(took);
}

static void enter_sandbox(char *const argv[])
{
    struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
    struct sock_fprog program = { 1, code };

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    CHECK(listener >= 0);
    fcntl((int)listener, F_SETFD, 0);
    execvp(argv[0], argv);
    CHECK(false);
}

/* As in a container whose profile does not let descriptors be borrowed. */
static void enter_container(char *const argv[])
{
    struct sock_filter code[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                                  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
    struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
    execvp(argv[0], argv);
    CHECK(false);
}

static void reuse(void)
{
    int can = open_socket(), other = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);

    for (unsigned i = 0; i < 20; i++)
        for (unsigned which = 0; which < 2; which++) {
            CHECK(dup2(which ? other : can, 20) == 20);
            CHECK(getsockname(20, (struct sockaddr *)&name, &size) == 0);
            CHECK(name.ss_family == (which ? AF_INET : AF_CAN));
            if (!which) CHECK(close(20) == 0 && fcntl(other, F_DUPFD, 20) == 20);
            size = sizeof(name);
            CHECK(getsockname(20, (struct sockaddr *)&name, &size) == 0 && name.ss_family == AF_INET);
        }
}

static int crowded;

static void *wait_for_one(void *unused)
{
    struct can_frame frame;
    struct iovec iov = { &frame, sizeof(frame) };

    CHECK(!unused && recvmsg(crowded, &(struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 }, 0) == CAN_MTU);
    return NULL;
}

static void crowd(unsigned count)
{
    int sender = open_socket();
    pthread_t threads[1000];

    crowded = open_socket();
    for (unsigned i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_for_one, NULL) == 0);
    usleep(300000);
    for (unsigned i = 0; i < count; i++)
        put(sender, i + 1);
    for (unsigned i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void fifo(void)
{
    char name[] = "/tmp/visitor-XXXXXX", path[64];
    int net = open("/proc/net", O_RDONLY | O_DIRECTORY), fd;

    CHECK(mkdtemp(name) && chdir(name) == 0 && mkfifo("fifo", 0600) == 0);
    fd = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK(net >= 0 && fd >= 0 && unlink("fifo") == 0 && rmdir(name) == 0);
    snprintf(path, sizeof(path), "../%d/fd/%d", getpid(), fd);
    (void)openat(net, path, O_RDONLY);
    put(open_socket(), 1);
}

int main(int argc, char *argv[])
{
    const char *what = argc > 1 ? argv[1] : "";

    if (!strcmp(what, "talk"))
        talk();
    else if (!strcmp(what, "storm") && argc > 3)
        storm((uint32_t)atoi(argv[2]), atoi(argv[3]));
    else if (!strcmp(what, "copies"))
        copies("/proc/self/exe");
    else if (!strcmp(what, "put") && argc > 3)
        put(atoi(argv[2]), (uint32_t)atoi(argv[3]));
    else if (!strcmp(what, "errors"))
        errors(), transfer();
    else if (!strcmp(what, "inherit") && argc > 2)
        inherit(atoi(argv[2]));
    else if (!strcmp(what, "give") && argc > 2)
        give(argv + 2);
    else if (!strcmp(what, "reuse"))
        reuse();
    else if (!strcmp(what, "abandon"))
        printf("%s\n", write(open_isotp(SOCK_DGRAM), &(char[100]){ 0 }, 100) < 0 ? strerror(errno) : "sent");
    else if (!strcmp(what, "crowd") && argc > 2)
        crowd((unsigned)atoi(argv[2]));
    else if (!strcmp(what, "many") && argc > 2)
        for (int i = 0; i < atoi(argv[2]); i++)
            open_socket();
    else if (!strcmp(what, "fifo"))
        fifo();
    else if (!strcmp(what, "sniff"))
        sniff();
    else if (!strcmp(what, "time") && argc > 2)
        measure(atoi(argv[2]));
    else if (!strcmp(what, "hold") && argc > 2)
        open_socket(), sleep((unsigned)atoi(argv[2]));
    else if (!strcmp(what, "wait"))
        printf("%s\n",
               read(open_socket(), &(struct can_frame){ 0 }, CAN_MTU) < 0 ? strerror(errno) : "a frame");
    else if (!strcmp(what, "send") && argc > 2)
        put(open_socket(), (uint32_t)strtoul(argv[2], NULL, 16));
    else if (!strcmp(what, "sandbox") && argc > 2)
        enter_sandbox(argv + 2);
    else if (!strcmp(what, "container") && argc > 2)
        enter_container(argv + 2);
    else
        return 2;
    return 0;
}
