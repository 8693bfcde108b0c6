/* tests/stress/services_worker.c - what CAN_BCM and CAN_ISOTP sockets see when the daemon's worker, who serves them, is killed or stopped.
 *
 * usage: services_worker WHAT INTERFACE NUMBER
 * Each WHAT (see the table at the end) exits with 0, or says what is wrong. NUMBER is the worker's process id, or SECONDS for `load`. */
#include <sys/epoll.h>
#include <sys/select.h>
#include "stress/services.h"

#define PROMPT_S 2.0 /* the new worker is there after some 10 ms; nobody may sleep until a timer of its own */
#define LOST_S   30  /* a process that hangs is ended by SIGALRM */

static const char *interface;
static int number;

/* ---- orphans: all that can wait for something is told, in time and clearly ---- */

static int not_reset(const char *what, ssize_t result)
{
    if (result < 0 && errno == ECONNRESET) return 0;
    if (result >= 0) errno = 0;
    return wrong(what);
}

/* Also when it is asked again. */
static int reset_twice(int fd)
{
    char bytes[100];
    int failed = not_reset("recv", recv(fd, bytes, sizeof(bytes), 0));
    return failed + not_reset("recv again", recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT));
}

static int has_error(const char *what, unsigned events)
{
    if (events & POLLERR && !(events & (POLLNVAL | POLLHUP))) return 0;
    printf("# %s: events %#x\n", what, events);
    return 1;
}

static int bcm(void)
{
    int fd = bcm_open(interface);
    MUST(fd >= 0 && bcm_subscribe(fd, 0x510));
    return fd;
}

static int bcm_reader(void) { return reset_twice(bcm()); }

static int bcm_impatient_reader(void)
{
    char bytes[100];
    int fd = bcm();

    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) < 0 && errno == EAGAIN)
        nap(0.002);
    return not_reset("recv", -1);
}

static int bcm_timed_reader(void)
{
    struct timeval limit = { 20, 0 };
    int fd = bcm();

    MUST(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    return reset_twice(fd);
}

static int poller_for(short events)
{
    struct pollfd pfd = { .fd = bcm(), .events = events };
    int count = poll(&pfd, 1, -1);

    return (count != 1 && wrong("poll")) + has_error("poll", (unsigned)pfd.revents) + reset_twice(pfd.fd);
}

static int bcm_poller(void) { return poller_for(POLLIN); }
static int bcm_error_poller(void) { return poller_for(0); }

static int bcm_selector(void)
{
    int fd = bcm();
    fd_set in;

    FD_ZERO(&in);
    FD_SET(fd, &in);
    return (select(fd + 1, &in, NULL, NULL, NULL) != 1 && wrong("select")) + reset_twice(fd);
}

static int epoller_for(uint32_t events)
{
    int set = epoll_create1(0), fd = bcm();
    struct epoll_event event = { .events = events };

    MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    return (epoll_wait(set, &event, 1, -1) != 1 && wrong("epoll_wait")) +
           has_error("epoll_wait", event.events) + reset_twice(fd);
}

static int bcm_epoller(void) { return epoller_for(EPOLLIN); }
static int bcm_edge_epoller(void) { return epoller_for(EPOLLIN | EPOLLET); }

static int bcm_writer(void)
{
    int fd = bcm();

    while (bcm_write_one(fd, TX_READ, 0, 0x511, 0) || errno == EINVAL)
        nap(0.001);
    return errno == ECONNRESET || errno == ENOTCONN ? reset_twice(fd) : wrong("write");
}

static int sender(uint32_t id, uint32_t flags)
{
    int fd = isotp_open(interface, id, id + 1, 0, 0, flags);
    MUST(fd >= 0);
    return fd;
}

static ssize_t send_100(int fd)
{
    static const uint8_t pdu[100];
    return write(fd, pdu, sizeof(pdu));
}

/* Something that answers first frames and lets a second pass between the others. */
static void add_receiver(uint32_t id) { MUST(isotp_open(interface, id + 1, id, 0, 127, 0) >= 0); }

static int isotp_reader(void) { return reset_twice(sender(0x520, 0)); }

static int isotp_waiting_writer(void)
{
    add_receiver(0x522);
    return not_reset("write", send_100(sender(0x522, CAN_ISOTP_WAIT_TX_DONE)));
}

/* Another PDU has its turn. */
static int isotp_second_writer(void)
{
    int fd;

    add_receiver(0x524);
    fd = sender(0x524, 0);
    MUST(send_100(fd) == 100);
    if (send_100(fd) >= 0) return wrong("write succeeds");
    if (errno != ECONNRESET && errno != EADDRNOTAVAIL) return wrong("write");
    return reset_twice(fd);
}

static int isotp_poller(void)
{
    struct pollfd pfd = { .events = POLLOUT };

    add_receiver(0x526);
    pfd.fd = sender(0x526, 0);
    MUST(send_100(pfd.fd) == 100);
    while (poll(&pfd, 1, -1) == 1 && !(pfd.revents & POLLERR))
        nap(0.001);
    return has_error("poll", (unsigned)pfd.revents) + reset_twice(pfd.fd);
}

static int isotp_closer(void)
{
    int fd;

    add_receiver(0x528);
    fd = sender(0x528, 0);
    MUST(send_100(fd) == 100);
    return close(fd) != 0;
}

static int raw_traffic(void)
{
    int tx = client_open(interface, 0, 1), rx = client_open(interface, 0x530, 1), failed = 0;
    double end = now() + 1;
    uint64_t got, sent = 0;

    while (now() < end && !failed) {
        MUST(client_send(tx, 0x530, ++sent));
        if (client_receive(rx, &got) != 1 || got != sent) failed += wrong("raw");
        nap(0.0005);
    }
    return failed;
}

static int (*const orphan[])(void) = {
    bcm_reader,           bcm_impatient_reader, bcm_timed_reader, bcm_poller,   bcm_error_poller,
    bcm_selector,         bcm_epoller,          bcm_edge_epoller, bcm_writer,   isotp_reader,
    isotp_waiting_writer, isotp_second_writer,  isotp_poller,     isotp_closer, raw_traffic,
};
#define ORPHANS (sizeof(orphan) / sizeof(*orphan))

static int orphans(void)
{
    pid_t pid[ORPHANS];
    double begin;
    int failed = 0, status;

    fflush(stdout);
    for (unsigned i = 0; i < ORPHANS; i++) {
        pid[i] = fork();
        MUST(pid[i] >= 0);
        if (pid[i]) continue;
        alarm(LOST_S);
        status = orphan[i]();
        fflush(stdout);
        _exit(status != 0);
    }
    nap(0.5); /* all of them wait by now */
    MUST(kill(number, SIGKILL) == 0);
    begin = now();
    for (unsigned i = 0; i < ORPHANS; i++) {
        MUST(waitpid(pid[i], &status, 0) == pid[i]);
        if (status == 0 && now() - begin < PROMPT_S) continue;
        printf("# orphan %u: status %#x, %.1f s\n", i, (unsigned)status, now() - begin);
        failed++;
    }
    return failed;
}

/* ---- anew: new sockets work ---- */

static int anew(void)
{
    int watch = watch_open(interface, 0x540), fd = bcm_open(interface),
        rx = isotp_open(interface, 0x542, 0x541, 8, 0, 0),
        tx = isotp_open(interface, 0x541, 0x542, 0, 0, CAN_ISOTP_WAIT_TX_DONE), failed = 0;
    uint8_t pdu[4095];
    unsigned count;

    MUST(fd >= 0 && rx >= 0 && tx >= 0 && bcm_cycle(fd, 0x540, 0.01));
    count = watch_count(watch, 0.2);
    if (count < 2 || count > 22) /* a busy machine leaves some out */
        printf("# %u frames in 200 ms\n", count), failed++;
    pdu_fill(pdu, sizeof(pdu), 1);
    if (write(tx, pdu, sizeof(pdu)) != sizeof(pdu)) failed += wrong("write");
    if (read(rx, pdu, sizeof(pdu)) != sizeof(pdu) || pdu_check(pdu, sizeof(pdu)) != 1)
        failed += wrong("read");
    return failed;
}

/* ---- load: programs that open, use and close sockets, and put up with any error, but not with silence or with bytes that are not theirs ---- */

static int use_bcm(unsigned who)
{
    int fd = bcm_open(interface), failed = 0;
    char bytes[100];

    if (fd < 0) return 0;
    for (unsigned i = 0; i < 4; i++)
        bcm_cycle(fd, 0x600 + 4 * who + i, 0.001 * (1 + rand() % 5));
    bcm_subscribe(fd, 0x600 + 4 * who);
    for (unsigned i = 0; i < 50 && !failed; i++) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), rand() % 2 ? MSG_DONTWAIT : 0);
        if (got < 0 && errno == ECONNRESET) break;
        if (got >= 0 && got != 72) printf("# %zd bytes\n", got), failed++;
    }
    close(fd);
    return failed;
}

static int use_isotp(unsigned who)
{
    uint32_t id = 0x680 + 2 * who;
    int rx = isotp_open(interface, id + 1, id, (uint8_t)(rand() % 10), 0, 0),
        tx = isotp_open(interface, id, id + 1, 0, 0, 0);
    struct timeval limit = { 3, 0 };
    uint8_t pdu[4095];
    int failed = 0;

    if (rx >= 0) setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    for (uint32_t i = 0; i < 20 && rx >= 0 && tx >= 0 && !failed; i++) {
        size_t size = 4 + (size_t)rand() % (sizeof(pdu) - 4);
        ssize_t got;
        pdu_fill(pdu, size, i);
        if (write(tx, pdu, size) < 0) break;
        got = read(rx, pdu, sizeof(pdu));
        if (got < 0) break;
        if (got != (ssize_t)size || pdu_check(pdu, size) != i)
            printf("# %zd bytes of %zu\n", got, size), failed++;
    }
    if (tx >= 0) close(tx);
    if (rx >= 0) close(rx);
    return failed;
}

static int load(void)
{
    double end = now() + number;
    int failed = 0, status;

    fflush(stdout);
    for (unsigned who = 0; who < 8; who++) {
        if (fork()) continue;
        srand(who + (unsigned)getpid());
        while (now() < end && !failed) {
            alarm(LOST_S);
            failed = rand() % 2 ? use_bcm(who) : use_isotp(who);
        }
        fflush(stdout);
        _exit(failed);
    }
    for (unsigned who = 0; who < 8; who++) {
        MUST(wait(&status) > 0);
        if (status) printf("# status %#x\n", (unsigned)status), failed++;
    }
    return failed;
}

/* ---- flood: the worker is stopped for a second while four processes send what it wants to have ---- */

#define SLOWEST_S 0.6 /* one frame: 0.1 s that a sender gives the worker, and what a busy machine adds */

static void flooder(double until)
{
    int fd = client_open(interface, 0, 1);
    double slowest = 0, before;
    unsigned long count = 0;

    while ((before = now()) < until) {
        MUST(client_send(fd, 0x550 + count % 2, count));
        if (now() - before > slowest) slowest = now() - before;
        count++;
    }
    printf("# %lu frames, the slowest took %.1f ms\n", count, slowest * 1e3);
    fflush(stdout);
    _exit(slowest > SLOWEST_S);
}

static int flood(void)
{
    int fd = bcm_open(interface), rx = isotp_open(interface, 0x552, 0x551, 0, 0, 0), failed = 0, status;
    char bytes[100];

    MUST(fd >= 0 && rx >= 0 && bcm_subscribe(fd, 0x550));
    fflush(stdout);
    for (unsigned i = 0; i < 4; i++)
        if (fork() == 0) flooder(now() + 1.5);
    nap(0.1);
    MUST(kill(number, SIGSTOP) == 0);
    nap(1);
    MUST(kill(number, SIGCONT) == 0);
    for (unsigned i = 0; i < 4; i++) {
        MUST(wait(&status) > 0);
        if (status) printf("# status %#x\n", (unsigned)status), failed++;
    }
    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) == 72)
        ;
    if (errno != EAGAIN) failed += wrong("recv");
    MUST(bcm_write_one(fd, TX_SEND, 0, 0x550, 0));
    if (read(fd, bytes, sizeof(bytes)) != 72) failed += wrong("read");
    return failed;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    int (*run)(void);
} table[] = { { "orphans", orphans }, { "anew", anew }, { "load", load }, { "flood", flood } };

int main(int argc, char *argv[])
{
    MUST(argc == 4);
    interface = argv[2];
    number = atoi(argv[3]);
    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(argv[1], table[i].name)) return table[i].run() != 0;
    return 2;
}
