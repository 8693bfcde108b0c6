/* tests/stress/services_owners.c - jobs of CAN_BCM and transfers of CAN_ISOTP live as long as somebody holds their socket.
 *
 * usage: services_owners WHAT INTERFACE [COUNT]
 * Each WHAT (see the table at the end) exits with 0, or says what is wrong. */
#include <fcntl.h>
#include <pthread.h>
#include "stress/services.h"

#define SLACK_S                                                                                              \
    0.01         /* between the death of a process and the end of its jobs: the worker must get a processor */
#define PDU 400u /* bytes: a first frame and 57 more */

static const char *interface;
static const char *self;
static unsigned wanted;

static void start_child(pid_t *pid)
{
    fflush(stdout);
    *pid = fork();
    MUST(*pid >= 0);
    if (*pid == 0) alarm(60);
}

/* ---- kill_bcm: `wanted` times, the owner of eight jobs is killed ---- */

static void own_jobs(int ready)
{
    int fd = bcm_open(interface);

    MUST(fd >= 0);
    for (unsigned i = 0; i < 8; i++)
        MUST(bcm_cycle(fd, 0x300 + i, 0.02 * (i + 1)));
    MUST(write(ready, "", 1) == 1);
    for (;;)
        pause();
}

static int kill_bcm(void)
{
    int ready[2], watch = watch_open(interface, CAN_INV_FILTER), failed = 0;
    double died, stamp, latest = -1;
    struct can_frame frame;
    pid_t pid;
    char byte;

    MUST(pipe(ready) == 0);
    for (unsigned round = 0; round < wanted; round++) {
        start_child(&pid);
        if (pid == 0) own_jobs(ready[1]);
        MUST(read(ready[0], &byte, 1) == 1);
        nap(0.1 + 0.001 * (rand() % 40));
        MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
        died = wall();
        while (watch_next(watch, 0.2, &frame, &stamp)) {
            if (stamp - died > latest) latest = stamp - died;
            if (stamp - died < SLACK_S) continue;
            printf("# %03x %.1f ms after its owner died\n", frame.can_id, (stamp - died) * 1e3);
            failed++;
        }
    }
    printf("# the last frame came %.2f ms after its owner's death\n", latest * 1e3);
    return failed;
}

/* ---- kill_isotp: `wanted` times, a sender is killed in the middle ---- */

static void send_slowly(int ready)
{
    uint8_t pdu[PDU];
    int fd = isotp_open(interface, 0x401, 0x402, 0, 0, 0);

    MUST(fd >= 0);
    pdu_fill(pdu, PDU, 1);
    MUST(write(fd, pdu, PDU) == PDU && write(ready, "", 1) == 1);
    for (;;)
        pause();
}

static int kill_isotp(void)
{
    int ready[2], watch = watch_open(interface, 0x401), failed = 0;
    double died, stamp;
    struct can_frame frame;
    uint8_t pdu[PDU];
    pid_t pid;
    char byte;

    MUST(pipe(ready) == 0);
    for (unsigned round = 0; round < wanted; round++) {
        int rx = isotp_open(interface, 0x402, 0x401, 0, 20, 0), tx;
        MUST(rx >= 0);
        start_child(&pid);
        if (pid == 0) send_slowly(ready[1]);
        MUST(read(ready[0], &byte, 1) == 1);
        nap(0.1);
        MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
        died = wall();
        while (watch_next(watch, 0.2, &frame, &stamp))
            if (stamp - died > SLACK_S) printf("# a frame of the dead\n"), failed++;
        if (read(rx, pdu, PDU) != -1 || errno != ETIMEDOUT) failed += wrong("receiver");
        tx = isotp_open(interface, 0x401, 0x402, 0, 0, 0);
        pdu_fill(pdu, 20, round);
        MUST(tx >= 0 && write(tx, pdu, 20) == 20);
        if (read(rx, pdu, PDU) != 20 || pdu_check(pdu, 20) != round) failed += wrong("the next");
        close(tx);
        close(rx);
        watch_drain(watch);
    }
    return failed;
}

/* ---- close: close() and exit() wait for the PDU; a signal ends the wait ---- */

static void on_alarm(int signal) { (void)signal; }

/* A sender whose receiver asks for 10 ms between frames: 100 bytes take 140 ms. */
static int begin_transfer(void)
{
    uint8_t pdu[100];
    int fd = isotp_open(interface, 0x411, 0x412, 0, 0, 0);

    pdu_fill(pdu, sizeof(pdu), 7);
    MUST(fd >= 0 && write(fd, pdu, sizeof(pdu)) == sizeof(pdu));
    return fd;
}

static int expect(int rx, bool whole, const char *when)
{
    struct timeval limit = { 3, 0 };
    uint8_t pdu[200];
    ssize_t got;

    MUST(setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    got = read(rx, pdu, sizeof(pdu));
    if (whole && got == 100 && pdu_check(pdu, 100) == 7) return 0;
    if (!whole && got < 0 && errno == ETIMEDOUT) return 0;
    printf("# %s: %zd bytes: %s\n", when, got, got < 0 ? strerror(errno) : "");
    return 1;
}

static int closing(void)
{
    struct sigaction act = { .sa_handler = on_alarm };
    struct itimerval soon = { .it_value.tv_usec = 50000 };
    int rx = isotp_open(interface, 0x412, 0x411, 0, 10, 0), fd, failed = 0, status;
    double begin;
    pid_t pid;

    MUST(rx >= 0);
    fd = begin_transfer();
    begin = now();
    MUST(close(fd) == 0);
    if (now() - begin < 0.1) printf("# close took %.3f s only\n", now() - begin), failed++;
    failed += expect(rx, true, "after close");
    for (unsigned how = 0; how < 2; how++) {
        begin = now();
        start_child(&pid);
        if (pid == 0) {
            close(rx);
            begin_transfer();
            if (how) kill(getpid(), SIGKILL);
            exit(0); /* NOLINT(concurrency-mt-unsafe) */
        }
        MUST(waitpid(pid, &status, 0) == pid);
        if (!how && now() - begin < 0.1) printf("# exit took %.3f s only\n", now() - begin), failed++;
        failed += expect(rx, !how, how ? "after SIGKILL" : "after exit");
    }
    MUST(sigaction(SIGALRM, &act, NULL) == 0);
    fd = begin_transfer();
    MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    begin = now();
    MUST(close(fd) == 0);
    if (now() - begin > 0.1) printf("# close took %.3f s in spite of a signal\n", now() - begin), failed++;
    return failed + expect(rx, false, "after a signal");
}

/* ---- withdraw: a signal ends a write that waits for its PDU, and the PDU, although a child that was forked meanwhile has all descriptors ---- */

static void *fork_soon(void *argument)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    nap(0.05);
    *(pid_t *)argument = fork();
    while (*(pid_t *)argument == 0)
        pause();
    return NULL;
}

static int forked_into_write(void)
{
    struct sigaction act = { .sa_handler = on_alarm };
    struct itimerval soon = { .it_value.tv_usec = 100000 };
    int rx = isotp_open(interface, 0x432, 0x431, 0, 20, 0), failed = 0;
    int tx = isotp_open(interface, 0x431, 0x432, 0, 0, CAN_ISOTP_WAIT_TX_DONE);
    pthread_t thread;
    uint8_t pdu[100];
    pid_t pid = 0;

    MUST(rx >= 0 && tx >= 0 && sigaction(SIGALRM, &act, NULL) == 0);
    pdu_fill(pdu, sizeof(pdu), 7);
    MUST(pthread_create(&thread, NULL, fork_soon, &pid) == 0);
    MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    if (write(tx, pdu, sizeof(pdu)) != -1 || errno != EINTR) failed += wrong("write");
    pthread_join(thread, NULL);
    failed += expect(rx, false, "withdrawn");
    MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    return failed;
}

/* ---- holders: a job goes on while anybody holds its socket: a child, a program, a message ---- */

static unsigned pace(int watch)
{
    watch_drain(watch);
    return watch_count(watch, 0.1);
}

static int is_running(int watch, bool wants, const char *when)
{
    unsigned count = (nap(0.02), pace(watch));

    if (wants ? count >= 5 : count == 0) return 0;
    printf("# %s: %u frames in 100 ms\n", when, count);
    return 1;
}

static int job(void)
{
    int fd = bcm_open(interface);
    MUST(fd >= 0 && bcm_cycle(fd, 0x420, 0.005));
    return fd;
}

static int held_by_child(int watch)
{
    int fd = job(), failed = 0, go[2];
    pid_t pid;
    char byte;

    MUST(pipe(go) == 0);
    start_child(&pid);
    if (pid == 0) {
        close(go[1]);
        _exit(read(go[0], &byte, 1) != 0 || !bcm_write_one(fd, TX_DELETE, 0, 0x420, 0));
    }
    close(fd);
    close(go[0]);
    failed += is_running(watch, true, "held by a child");
    close(go[1]);
    MUST(waitpid(pid, &failed, 0) == pid);
    if (failed) printf("# the child cannot delete the job\n");
    return failed + is_running(watch, false, "the child has gone");
}

static int held_by_program(int watch)
{
    int fd = job(), failed = 0, status;
    char number[12];
    pid_t pid;

    start_child(&pid);
    if (pid == 0) {
        snprintf(number, sizeof(number), "%d", fd);
        execl(self, self, "hold", interface, number, (char *)NULL);
        _exit(98);
    }
    close(fd);
    nap(0.1);
    failed += is_running(watch, true, "held across exec");
    MUST(kill(pid, SIGTERM) == 0 && waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status)) printf("# the program ended: %#x\n", (unsigned)status), failed++;
    return failed + is_running(watch, false, "the program has gone");
}

/* What held_by_program() executes: the socket is as good here. */
static int hold(void)
{
    struct bcm_msg_head head;
    int fd = (int)wanted;

    if (!bcm_write_one(fd, TX_READ, 0, 0x420, 0) || read(fd, &head, sizeof(head)) != sizeof(head) ||
        head.opcode != TX_STATUS)
        return 1;
    for (;;)
        pause();
}

static ssize_t pass(int to, int fd)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
    char byte = 0;
    struct iovec iov = { &byte, 1 };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };

    memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    return sendmsg(to, &msg, 0);
}

static int take_passed(int from)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
    };
    int fd;

    MUST(recvmsg(from, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
    return fd;
}

static int held_by_message(int watch)
{
    int fd = job(), pair[2], failed = 0;

    MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    MUST(pass(pair[0], fd) == 1 && close(fd) == 0);
    failed += is_running(watch, true, "in a message");
    fd = take_passed(pair[1]);
    failed += is_running(watch, true, "received");
    if (!bcm_cycle(fd, 0x420, 0.002)) failed += wrong("it cannot be changed");
    MUST(pass(pair[0], fd) == 1 && close(fd) == 0);
    close(pair[0]);
    close(pair[1]);
    return failed + is_running(watch, false, "thrown away with the message");
}

static int holders(void)
{
    int watch = watch_open(interface, 0x420);
    return held_by_child(watch) + held_by_program(watch) + held_by_message(watch);
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    int (*run)(void);
} table[] = {
    { "kill_bcm", kill_bcm },          { "kill_isotp", kill_isotp }, { "close", closing },
    { "withdraw", forked_into_write }, { "holders", holders },       { "hold", hold },
};

int main(int argc, char *argv[])
{
    MUST(argc >= 3);
    self = argv[0];
    interface = argv[2];
    wanted = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(argv[1], table[i].name)) return table[i].run() != 0;
    return 2;
}
