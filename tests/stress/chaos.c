/* tests/stress/chaos.c - two programs that must not notice what happens to the others.
 *
 * usage: chaos INTERFACE SECONDS SEED none|kill|stop
 * One process sends numbered frames of id 0x700 all the time, another reads them with blocking reads: none may be missing, doubled or late. Around them
 * VICTIMS processes open, bind, filter, send, read, copy and close; they are killed with SIGKILL, or stopped for a while, at
 * random moments. Exits with 0 when the two had no trouble; else says what it was. */
#include "stress/client.h"

#define VICTIMS   6
#define PAIR_ID   0x700u
#define LATE_S    5
#define AHEAD_MAX 200

static const char *interface;
static unsigned seed;
static struct shared {
    volatile int stop; /* the sender sends its last frame */
    volatile uint64_t
        received; /* how far the receiver is: nobody is to lose frames because the machine is busy */
} * shared;

/* ---- the two ---- */

static void sender(void)
{
    int fd = client_open(interface, 0, LATE_S);
    uint64_t number = 0;

    MUST(fd >= 0);
    while (!shared->stop) {
        while (number - shared->received > AHEAD_MAX && !shared->stop)
            usleep(100);
        MUST(client_send(fd, PAIR_ID, ++number));
        if (number % 16 == 0) usleep(500);
    }
    MUST(client_send(fd, PAIR_ID, UINT64_MAX));
    _exit(0);
}

static void receiver(int ready)
{
    int fd = client_open(interface, PAIR_ID, LATE_S);
    uint64_t number = 0, last = 0;

    MUST(fd >= 0 && write(ready, "", 1) == 1);
    for (;;) {
        int result = client_receive(fd, &number);
        if (result != 1) {
            printf("# frame %llu does not come: %d\n", (unsigned long long)last + 1, result);
            fflush(stdout);
            _exit(1);
        }
        if (number == UINT64_MAX) break;
        if (number != last + 1) {
            printf("# frame %llu after %llu\n", (unsigned long long)number, (unsigned long long)last);
            fflush(stdout);
            _exit(1);
        }
        last = shared->received = number;
    }
    printf("# %llu frames\n", (unsigned long long)last);
    fflush(stdout);
    _exit(0);
}

/* ---- the others ---- */

static void change_filters(int fd)
{
    struct can_filter filters[40];
    unsigned count = (unsigned)rand() % 40;
    int on = rand() % 2;

    for (unsigned i = 0; i < count; i++)
        filters[i] = (struct can_filter){ (uint32_t)rand() & 0x7ff,
                                          rand() % 2 ? CAN_SFF_MASK : CAN_SFF_MASK | CAN_EFF_FLAG };
    setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters, (socklen_t)(count * sizeof(*filters)));
    setsockopt(fd, SOL_CAN_RAW, CAN_RAW_RECV_OWN_MSGS, &on, sizeof(on));
}

static void victim(unsigned number)
{
    int fd[8];
    struct can_frame frame;

    srand(seed * 100000 + number);
    for (unsigned i = 0; i < 8; i++)
        fd[i] = -1;
    for (;;) {
        int *at = &fd[rand() % 8];
        struct pollfd pfd = { .fd = *at, .events = POLLIN };
        if (*at < 0) {
            *at = client_open(interface, rand() % 2 ? CAN_INV_FILTER : (uint32_t)rand() & 0x6ff, 1);
            continue;
        }
        switch (rand() % 7) {
        case 0:
            close(*at);
            *at = -1;
            break;
        case 1: change_filters(*at); break;
        case 2:
            for (int i = rand() % 20; i > 0; i--)
                client_send(*at, (uint32_t)rand() & 0x6ff, (uint64_t)i);
            break;
        case 3:
            while (recv(*at, &frame, sizeof(frame), MSG_DONTWAIT) > 0)
                ;
            break;
        case 4: poll(&pfd, 1, 1); break;
        case 5:
            close(fd[7]);
            fd[7] = dup(*at);
            break;
        default: break;
        }
    }
}

static pid_t start_victim(unsigned place)
{
    static unsigned number;
    pid_t pid = fork();

    (void)place;
    number++;
    if (pid == 0) {
        alarm(300);
        victim(number);
    }
    MUST(pid > 0);
    return pid;
}

/* ---- all of them ---- */

static unsigned strikes;

static void trouble(double seconds, const char *mode)
{
    pid_t pid[VICTIMS];
    double end = now() + seconds;
    bool kills = !strcmp(mode, "kill");

    for (unsigned i = 0; i < VICTIMS; i++)
        pid[i] = start_victim(i);
    while (now() < end) {
        unsigned i = (unsigned)rand() % VICTIMS;
        usleep((unsigned)rand() % 4000);
        if (!strcmp(mode, "none")) continue;
        strikes++;
        kill(pid[i], kills ? SIGKILL : SIGSTOP);
        if (kills) {
            waitpid(pid[i], NULL, 0);
            pid[i] = start_victim(i);
        } else {
            usleep((unsigned)rand() % 20000);
            kill(pid[i], SIGCONT);
        }
    }
    for (unsigned i = 0; i < VICTIMS; i++) {
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
}

int main(int argc, char *argv[])
{
    int pipe_fds[2], status[2];
    char byte;
    pid_t pair[2];

    MUST(argc == 5 && pipe(pipe_fds) == 0);
    interface = argv[1];
    seed = (unsigned)atoi(argv[3]);
    srand(seed);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(stdout);
    pair[0] = fork();
    if (pair[0] == 0) receiver(pipe_fds[1]);
    MUST(read(pipe_fds[0], &byte, 1) == 1);
    pair[1] = fork();
    if (pair[1] == 0) sender();
    trouble(atof(argv[2]), argv[4]);
    shared->stop = 1;
    for (unsigned i = 0; i < 2; i++)
        MUST(waitpid(pair[i], &status[i], 0) == pair[i]);
    printf("# %u times %s; seed %u; receiver %#x, sender %#x\n", strikes, argv[4], seed, (unsigned)status[0],
           (unsigned)status[1]);
    return status[0] != 0 || status[1] != 0;
}
