/* tests/stress/services_crowd.c - many CAN_BCM and CAN_ISOTP sockets, many users of one, and interfaces that come and go under them.
 *
 * usage: services_crowd WHAT INTERFACE COUNT
 * Each WHAT (see the table at the end) exits with 0, or says what is wrong. */
#include <pthread.h>
#include "stress/services.h"

static const char *interface;
static unsigned wanted;

/* ---- shared: processes with threads send on one ISO-TP socket at once; `wanted` PDUs arrive whole, each once ---- */

#define PROCESSES 4u
#define THREADS   4u
#define PDU_MAX   300u

struct share {
    int fd;
    unsigned first;
};

static size_t size_of(uint32_t number) { return 4 + (number * 37) % (PDU_MAX - 4); }

static void *send_share(void *argument)
{
    const struct share *share = argument;
    uint8_t pdu[PDU_MAX];

    for (unsigned i = share->first; i < wanted; i += PROCESSES * THREADS) {
        pdu_fill(pdu, size_of(i), i);
        MUST(write(share->fd, pdu, size_of(i)) == (ssize_t)size_of(i));
    }
    return NULL;
}

static void share_out(int fd, unsigned process)
{
    pthread_t thread[THREADS];
    struct share share[THREADS];

    alarm(100);
    for (unsigned i = 0; i < THREADS; i++) {
        share[i] = (struct share){ fd, process * THREADS + i };
        MUST(pthread_create(&thread[i], NULL, send_share, &share[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    _exit(0);
}

static int shared(void)
{
    int rx = isotp_open(interface, 0x702, 0x701, 4, 0, 0), tx = isotp_open(interface, 0x701, 0x702, 0, 0, 0),
        room = 212992, failed = 0,
        status; /* doubled, it holds 554 PDUs: none may be lost because the reader has to wait for a processor */
    struct timeval limit = { 5, 0 };
    uint8_t *seen = calloc(wanted, 1), pdu[PDU_MAX + 1];

    MUST(rx >= 0 && tx >= 0 && seen && setsockopt(rx, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    MUST(wanted <= 500 && setsockopt(rx, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) == 0);
    for (unsigned i = 0; i < PROCESSES; i++)
        if (fork() == 0) share_out(tx, i);
    for (unsigned i = 0; i < wanted && !failed; i++) {
        ssize_t got = read(rx, pdu, sizeof(pdu));
        int64_t number = got < 0 ? -1 : pdu_check(pdu, (size_t)got);
        if (number < 0 || number >= wanted || size_of((uint32_t)number) != (size_t)got || seen[number]++) {
            printf("# PDU %u: %zd bytes, number %lld: %s\n", i, got, (long long)number, strerror(errno));
            failed++;
        }
    }
    for (unsigned i = 0; i < PROCESSES; i++) {
        MUST(wait(&status) > 0);
        if (status) printf("# status %#x\n", (unsigned)status), failed++;
    }
    free(seen);
    return failed;
}

/* ---- impatient: threads set up jobs on one non-blocking CAN_BCM socket at once; none is told to come again ---- */

#define IMPATIENT 32u

static void *set_up_jobs(void *argument)
{
    const struct share *share = argument;

    for (unsigned i = 0; i < wanted; i++)
        if (!bcm_write_one(share->fd, TX_SETUP, 0, share->first + i % 8, 0)) return argument;
    return NULL;
}

static int impatient(void)
{
    pthread_t thread[IMPATIENT];
    struct share share[IMPATIENT];
    int fd = bcm_open(interface), failed = 0;

    MUST(fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    for (unsigned i = 0; i < IMPATIENT; i++) {
        share[i] = (struct share){ fd, 0x300 + 8 * i };
        MUST(pthread_create(&thread[i], NULL, set_up_jobs, &share[i]) == 0);
    }
    for (unsigned i = 0; i < IMPATIENT; i++) {
        void *result;
        pthread_join(thread[i], &result);
        if (result) failed += wrong("a thread fails");
    }
    return failed;
}

/* ---- many: `wanted` sockets, BATCH at a time, each with something to do ---- */

#define BATCH 500u

static int open_one(unsigned i)
{
    uint32_t id = (0x18000000u + i) | CAN_EFF_FLAG;
    uint8_t pdu[100] = { 0 };
    int fd;

    if (i % 2) {
        MUST((fd = isotp_open(interface, id, id + 0x1000000u, 0, 0, 0)) >= 0);
        if (i < BATCH && i % 10 == 1) MUST(write(fd, pdu, sizeof(pdu)) == sizeof(pdu)); /* nobody answers */
    } else {
        MUST((fd = bcm_open(interface)) >= 0);
        MUST(bcm_subscribe(fd, i & CAN_SFF_MASK) && bcm_cycle(fd, i & CAN_SFF_MASK, 0.02));
    }
    return fd;
}

static int many(void)
{
    int fd[BATCH];
    double begin = now();
    unsigned done;

    for (done = 0; done < wanted; done += BATCH) {
        for (unsigned i = 0; i < BATCH; i++)
            fd[i] = open_one(done + i);
        for (unsigned i = 0; i < BATCH; i++)
            MUST(close(fd[i]) == 0);
    }
    printf("# %.0f us a socket\n", (now() - begin) / done * 1e6);
    return 0;
}

/* ---- full: messages that nobody reads fill the windows of `wanted` sockets ---- */

static int full(void)
{
    struct timespec moment = { 0, 20000000 };
    int *fd = calloc(wanted, sizeof(*fd)), tx = client_open(interface, 0, 1), most = 1 << 22;

    MUST(fd && tx >= 0);
    for (unsigned i = 0; i < wanted; i++) {
        MUST((fd[i] = bcm_open(interface)) >= 0 && bcm_subscribe(fd[i], 0x720));
        setsockopt(fd[i], SOL_SOCKET, SO_RCVBUFFORCE, &most, sizeof(most));
        setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &most, sizeof(most));
    }
    for (unsigned i = 0; i < 20000; i++) {
        MUST(client_send(tx, 0x720, i));
        if (i % 500 == 0) nanosleep(&moment, NULL);
    }
    printf("# press\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    free(fd);
    return 0;
}

/* ---- links: `wanted` times an interface is made, goes down and up, and goes, while jobs and transfers run on it ---- */

static void ip(const char *what)
{
    char command[100];

    snprintf(command, sizeof(command), "ip link %s", what);
    MUST(system(command) == 0); /* NOLINT(cert-env33-c,concurrency-mt-unsafe) */
}

static int is_error(const char *what, ssize_t result, int one, int other)
{
    if (result < 0 && (errno == one || errno == other)) return 0;
    if (result >= 0) errno = 0;
    return wrong(what);
}

/* The error behind what is queued. */
static ssize_t drain(int fd)
{
    char bytes[4096];
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        ;
    return got;
}

static int has_error(int fd, const char *what)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    for (double end = now() + 2; now() < end; nap(0.002)) {
        if (poll(&pfd, 1, 1000) == 1 && (pfd.revents & POLLERR)) return 0;
        drain(fd);
    }
    return wrong(what);
}

static void use_link(int bcm, int *tx, int *rx)
{
    struct sockaddr_can address = { .can_family = AF_CAN };
    uint8_t pdu[400] = { 0 };

    address.can_ifindex = (int)if_nametoindex("vcan7");
    MUST(connect(bcm, (struct sockaddr *)&address, sizeof(address)) == 0);
    MUST(bcm_cycle(bcm, 0x730, 0.002) && bcm_cycle(bcm, 0x731, 0.005) && bcm_subscribe(bcm, 0x730));
    MUST((*rx = isotp_open("vcan7", 0x733, 0x732, 0, 20, 0)) >= 0);
    MUST((*tx = isotp_open("vcan7", 0x732, 0x733, 0, 0, 0)) >= 0);
    MUST(write(*tx, pdu, sizeof(pdu)) == sizeof(pdu));
}

static int goes_down(int bcm, int tx)
{
    int watch = watch_open("vcan7", 0x730), failed = 0;
    unsigned count;

    MUST(watch_count(watch, 0.1) > 10);
    ip("set vcan7 down");
    failed += has_error(bcm, "BCM, down") + is_error("BCM, down", drain(bcm), ENETDOWN, 0);
    failed += has_error(tx, "ISO-TP, down") + is_error("ISO-TP, down", drain(tx), ENETDOWN, 0);
    watch_drain(watch); /* up to its own error, */
    watch_drain(watch); /* and what is behind that */
    count = watch_count(watch, 0.1);
    if (count) printf("# %u frames while down\n", count), failed++;
    ip("set vcan7 up");
    count = watch_count(watch, 0.2);
    if (count < 20) printf("# %u frames after up\n", count), failed++;
    failed += has_error(tx, "ISO-TP, its transfer") + is_error("ISO-TP, its transfer", drain(tx), ECOMM, 0);
    close(watch);
    return failed;
}

static int goes(int bcm, int tx, int rx)
{
    uint8_t byte[5] = { 0 };
    int failed = 0;

    ip("del vcan7");
    failed += has_error(bcm, "BCM, gone") + is_error("BCM, gone", drain(bcm), ENODEV, ENETDOWN);
    drain(bcm);
    failed += is_error("BCM, send", bcm_write_one(bcm, TX_SEND, 0, 0x730, 0) - 1, ENOTCONN, 0);
    failed += is_error("ISO-TP, send", write(tx, byte, 5), EADDRNOTAVAIL, 0);
    failed += is_error("ISO-TP, recv", recv(rx, byte, 5, MSG_DONTWAIT), EADDRNOTAVAIL, 0);
    return failed;
}

static int links(void)
{
    int failed = 0, bcm = socket(PF_CAN, SOCK_DGRAM, CAN_BCM), tx, rx;

    MUST(bcm >= 0);
    for (unsigned round = 0; round < wanted; round++) {
        ip("add vcan7 type vcan");
        ip("set vcan7 up");
        use_link(bcm, &tx, &rx);
        if (round % 3 == 0) failed += goes_down(bcm, tx);
        failed += goes(bcm, tx, rx);
        close(tx);
        close(rx);
    }
    return failed;
}

/* ---- all of them ---- */

static const struct {
    const char *name;
    int (*run)(void);
} table[] = {
    { "shared", shared }, { "impatient", impatient }, { "many", many }, { "full", full }, { "links", links }
};

int main(int argc, char *argv[])
{
    MUST(argc == 4);
    interface = argv[2];
    wanted = (unsigned)atoi(argv[3]);
    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(argv[1], table[i].name)) return table[i].run() != 0;
    return 2;
}
