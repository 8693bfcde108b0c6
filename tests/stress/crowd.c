/* tests/stress/crowd.c - many processes, threads and sockets at once.
 *
 * usage: crowd WHAT INTERFACE COUNT
 * Each WHAT (see the table at the end) exits with 0, or says what is wrong. */
#include <pthread.h>
#include <spawn.h>
#include "stress/client.h"

#define PROCESSES 8
#define WAIT_S    10
#define PROMPT_S                                                                                             \
    4.0 /* five rounds of waking everybody, which take a tenth of a second: the daemon's nudges would take longer */

extern char **environ;

static const char *interface;
static const char *self;
static unsigned wanted;

/* Waits for children. Returns how many failed. */
static unsigned reap(unsigned count)
{
    unsigned failed = 0;

    while (count--) {
        int status;
        MUST(wait(&status) > 0);
        failed += status != 0;
    }
    return failed;
}

/* ---- sockets: `wanted` sockets are open at once in PROCESSES processes; three times ---- */

static void open_many(unsigned count)
{
    int *fd = calloc(count, sizeof(*fd));

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < count; i++)
            MUST((fd[i] = client_open(interface, i & 0x7ff, 1)) >= 0);
        for (unsigned i = 0; i < count; i++)
            MUST(close(fd[i]) == 0);
    }
    free(fd);
    _exit(0);
}

static int sockets(void)
{
    for (unsigned i = 0; i < PROCESSES; i++)
        if (fork() == 0) open_many(wanted / PROCESSES);
    return (int)reap(PROCESSES);
}

/* ---- storm: `wanted` processes that send one frame each; all arrive ---- */

static void send_one(unsigned number)
{
    int fd = client_open(interface, 0x7ff, 1);

    MUST(fd >= 0 && client_send(fd, 0x321, number));
    _exit(0);
}

static unsigned count_arrivals(int fd, unsigned count)
{
    unsigned got = 0;
    uint64_t number;

    while (got < count && client_receive(fd, &number) == 1)
        got++;
    return got;
}

static int storm(void)
{
    int fd = client_open(interface, 0x321, WAIT_S), status;
    unsigned running = 0;
    pid_t counter;

    MUST(fd >= 0);
    counter = fork();
    if (counter == 0) {
        unsigned got = count_arrivals(fd, wanted);
        printf("# %u of %u arrive\n", got, wanted);
        fflush(stdout);
        _exit(got != wanted);
    }
    for (unsigned i = 0; i < wanted; i++) {
        if (running == 32) {
            MUST(wait(&status) > 0);
            MUST(status == 0);
            running--;
        }
        if (fork() == 0) send_one(i);
        running++;
    }
    return (int)reap(running + 1);
}

/* ---- threads, forks: `wanted` readers asleep on one socket; as many frames wake them all ---- */

static void *read_one(void *argument)
{
    uint64_t number = 0;
    int result = client_receive((int)(intptr_t)argument, &number);

    return (void *)(intptr_t)(result == 1 ? 0 : 1); /* NOLINT(performance-no-int-to-ptr) */
}

static void send_to_sleepers(uint32_t id)
{
    int fd = client_open(interface, 0, 1);

    usleep(20000); /* most of them are asleep by now; if not, that is a case, too */
    for (unsigned i = 0; i < wanted; i++)
        MUST(client_send(fd, id, i));
    close(fd);
}

static int threads(void)
{
    pthread_t thread[256];
    int fd = client_open(interface, 0x322, WAIT_S), failed = 0;
    double begin = now();

    MUST(fd >= 0 && wanted <= 256);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < wanted; i++)
            MUST(pthread_create(&thread[i], NULL, read_one, (void *)(intptr_t)fd) == 0); /* NOLINT */
        send_to_sleepers(0x322);
        for (unsigned i = 0; i < wanted; i++) {
            void *result;
            pthread_join(thread[i], &result);
            failed += result != NULL;
        }
    }
    if (now() - begin > PROMPT_S) printf("# %.1f s\n", now() - begin), failed++;
    return failed;
}

static int forks(void)
{
    int fd = client_open(interface, 0x323, WAIT_S), failed = 0;
    double begin = now();

    MUST(fd >= 0);
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < wanted; i++)
            if (fork() == 0)
                _exit(read_one((void *)(intptr_t)fd) != NULL); /* NOLINT(performance-no-int-to-ptr) */
        send_to_sleepers(0x323);
        failed += (int)reap(wanted);
    }
    if (now() - begin > PROMPT_S) printf("# %.1f s\n", now() - begin), failed++;
    return failed;
}

/* ---- widows: readers share a socket, and are killed while frames come; the last one still gets the last frame ---- */

static void read_all(int fd)
{
    uint64_t number;

    while (client_receive(fd, &number) == 1 && number != UINT64_MAX)
        ;
    _exit(number != UINT64_MAX);
}

static int widows(void)
{
    int failed = 0;

    for (unsigned round = 0; round < wanted; round++) {
        int fd = client_open(interface, 0x324, WAIT_S), tx = client_open(interface, 0, 1), status;
        pid_t pid[3];
        MUST(fd >= 0 && tx >= 0);
        for (unsigned i = 0; i < 3; i++)
            if ((pid[i] = fork()) == 0) read_all(fd);
        for (unsigned i = 0; i < 200; i++) {
            MUST(client_send(tx, 0x324, i));
            if (i % 4 == 0) usleep((unsigned)rand() % 60);
            if (i == 100) kill(pid[0], SIGKILL);
            if (i == 197) kill(pid[1], SIGKILL);
        }
        MUST(client_send(tx, 0x324, UINT64_MAX));
        for (unsigned i = 0; i < 3; i++)
            MUST(waitpid(pid[i], &status, 0) == pid[i]);
        failed += status != 0;
        close(fd);
        close(tx);
    }
    return failed;
}

/* ---- lazy: `wanted` sockets that are not read; one that waits behind them is woken ---- */

static int lazy(void)
{
    struct pollfd pfd = { .events = POLLIN };
    int fd;

    pfd.fd = client_open(interface, 0x325, WAIT_S);
    if (fork() == 0) {
        for (unsigned i = 0; i < wanted; i++)
            MUST(client_open(interface, 0x325, 1) >= 0);
        fd = client_open(interface, 0, 1);
        usleep(50000);
        MUST(client_send(fd, 0x325, 1));
        _exit(0);
    }
    if (poll(&pfd, 1, WAIT_S * 1000) != 1 || !(pfd.revents & POLLIN))
        printf("# poll: %#x\n", (unsigned)pfd.revents);
    return (int)reap(1) + !(pfd.revents & POLLIN);
}

/* ---- spawn: vfork, posix_spawn and exec, with sockets that are inherited, under traffic of a thread ---- */

static volatile bool spawning = true;

static void *keep_sending(void *argument)
{
    int fd = client_open(interface, 0x7ff, 1);

    for (uint64_t i = 0; spawning; i++)
        client_send(fd, 0x326, i);
    close(fd);
    return argument;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static pid_t start_inheritor(unsigned number, char *const argv[], int other)
{
    pid_t pid = -1;

    if (number % 3 == 0) {
        MUST(posix_spawn(&pid, self, NULL, NULL, argv, environ) == 0);
        return pid;
    }
    pid = number % 3 == 1 ? vfork() : fork(); /* NOLINT: what this is about */
    if (pid == 0) {
        close(other);
        execv(self, argv);
        _exit(98);
    }
    return pid;
}
#pragma GCC diagnostic pop

static int spawn(void)
{
    int fd = client_open(interface, 0x326, WAIT_S), other = client_open(interface, 0x7ff, 1);
    char text[16];
    char *argv[] = { (char *)(uintptr_t)self, (char *)(uintptr_t) "inherited", text, (char *)(uintptr_t) "1",
                     NULL };
    uint64_t number;
    pthread_t thread;
    unsigned failed = 0;

    MUST(fd >= 0 && other >= 0);
    snprintf(text, sizeof(text), "%d", fd);
    pthread_create(&thread, NULL, keep_sending, NULL);
    for (unsigned i = 0; i < wanted; i++) {
        int status;
        pid_t pid = start_inheritor(i, argv, other);
        MUST(waitpid(pid, &status, 0) == pid);
        failed += status != 0;
    }
    spawning = false;
    pthread_join(thread, NULL);
    MUST(client_send(other, 0x326, 1)); /* a child of vfork() closed only its own */
    MUST(client_receive(fd, &number) == 1);
    return (int)failed;
}

/* What a child does with the descriptor it inherited: its number is in place of the interface. */
static int inherited(void)
{
    uint64_t number;
    return client_receive(atoi(interface), &number) != 1;
}

/* ---- large: CAN XL frames on a socket that is inherited by exec ---- */

#define XL_FRAMES 7 /* CAN_RAW_XL_FRAMES */
#define XL_BYTES  512

/* The child: `interface` is the descriptor again. */
static int read_large(void)
{
    uint8_t bytes[2100] = { 0 };
    ssize_t size = read(atoi(interface), bytes, sizeof(bytes));

    if (size != XL_BYTES || bytes[XL_BYTES - 1] != 0x77) printf("# %zd bytes\n", size);
    return size != XL_BYTES || bytes[XL_BYTES - 1] != 0x77;
}

static int large(void)
{
    int fd = client_open(interface, CAN_INV_FILTER, WAIT_S), tx = client_open(interface, 0, 1), on = 1,
        status;
    uint8_t bytes[XL_BYTES] = { 0x23, 1, 0, 0, 0x80, 0, (XL_BYTES - 12) & 0xff, (XL_BYTES - 12) >> 8 };
    char text[16];

    bytes[XL_BYTES - 1] = 0x77;
    MUST(setsockopt(fd, SOL_CAN_RAW, XL_FRAMES, &on, sizeof(on)) == 0);
    MUST(setsockopt(tx, SOL_CAN_RAW, XL_FRAMES, &on, sizeof(on)) == 0);
    snprintf(text, sizeof(text), "%d", fd);
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, self, "read-large", text, "1", (char *)NULL);
        _exit(98);
    }
    for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
        MUST(i < WAIT_S * 100);
        MUST(write(tx, bytes, sizeof(bytes)) == sizeof(bytes));
        usleep(10000);
    }
    return status != 0;
}

/* ---- closing: a socket is closed while other threads read and write it ---- */

static volatile int closing_fd;

static void *use_until_closed(void *argument)
{
    struct can_frame frame = { .can_id = 0x327, .can_dlc = 8 };
    bool writes = argument != NULL;

    for (unsigned i = 0; i < 1000; i++) {
        ssize_t result = writes ? write(closing_fd, &frame, sizeof(frame))
                                : recv(closing_fd, &frame, sizeof(frame), MSG_DONTWAIT);
        if (result < 0 && errno == EBADF) break;
    }
    return NULL;
}

static int closing(void)
{
    int witness = client_open(interface, 0x328, WAIT_S), fd = client_open(interface, 0, 1);
    uint64_t number;
    pthread_t thread[2];

    MUST(witness >= 0 && fd >= 0);
    for (unsigned i = 0; i < wanted; i++) {
        closing_fd = client_open(interface, 0x327, 1);
        for (uintptr_t t = 0; t < 2; t++)
            pthread_create(&thread[t], NULL, use_until_closed,
                           (void *)t); /* NOLINT(performance-no-int-to-ptr) */
        for (int spins = rand() % 20000; spins > 0; spins--)
            __asm__ volatile("" ::: "memory");
        close(closing_fd);
        for (unsigned t = 0; t < 2; t++)
            pthread_join(thread[t], NULL);
        MUST(client_send(fd, 0x328, i));
        MUST(client_receive(witness, &number) == 1 && number == i);
    }
    return 0;
}

/* ---- full: a reader is stopped; another one gets everything, and the drops of the first are counted ---- */

static void count_drops(int fd)
{
    uint32_t drops = 0;
    char control[64];
    struct can_frame frame;
    struct iovec iov = { &frame, sizeof(frame) };
    unsigned got = 0;

    raise(SIGSTOP);
    for (;;) {
        struct msghdr msg = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
        };
        if (recvmsg(fd, &msg, 0) != sizeof(frame)) break;
        if (CMSG_FIRSTHDR(&msg)) memcpy(&drops, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(drops));
        if (frame.data[0] == 0xff) break;
        got++;
    }
    printf("# %u read, %u dropped\n", got, drops);
    fflush(stdout);
    _exit(got + drops != wanted || drops == 0);
}

static int full(void)
{
    int slow = client_open(interface, 0x329, WAIT_S), fast = client_open(interface, 0x329, WAIT_S);
    int fd = client_open(interface, 0, 1), on = 1, status;
    uint64_t number;
    pid_t pid;

    MUST(slow >= 0 && fast >= 0 && fd >= 0);
    MUST(setsockopt(slow, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on)) == 0);
    pid = fork();
    if (pid == 0) count_drops(slow);
    MUST(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    for (uint64_t i = 0; i < wanted; i++) {
        MUST(client_send(fd, 0x329, (i << 8) & 0xffffff00));
        MUST(client_receive(fast, &number) == 1 && number == ((i << 8) & 0xffffff00));
    }
    kill(pid, SIGCONT);
    for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
        MUST(i < WAIT_S * 100);
        usleep(10000);
        client_send(fd, 0x329, 0xff); /* until there is room for one */
    }
    return status != 0;
}

static const struct {
    const char *name;
    int (*run)(void);
} actions[] = {
    { "sockets", sockets }, { "storm", storm }, { "threads", threads }, { "forks", forks },
    { "widows", widows },   { "lazy", lazy },   { "spawn", spawn },     { "inherited", inherited },
    { "closing", closing }, { "full", full },   { "large", large },     { "read-large", read_large },
};

int main(int argc, char *argv[])
{
    MUST(argc == 4);
    alarm(120);
    self = argv[0];
    interface = argv[2];
    wanted = (unsigned)atoi(argv[3]);
    for (unsigned i = 0; i < sizeof(actions) / sizeof(*actions); i++)
        if (!strcmp(argv[1], actions[i].name)) {
            int failed = actions[i].run();
            if (failed) printf("# %s: %d failed\n", argv[1], failed);
            return failed != 0;
        }
    return 2;
}
