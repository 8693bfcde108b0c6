/* tests/stress/ringstress.c - many producers, one or two consumers, one ring; and something kills, stops and delays them all.
 *
 * usage: ringstress SECONDS SEED PRODUCERS CONSUMERS DEPTH threads|stop|kill
 *
 * Producers push numbered frames, note each that was accepted, and wake the consumers, who sleep in poll. Between any two stores
 * (steps.h) a process gives way at times; with `stop` it also stops itself at times, with `kill` it also dies and another takes its place.
 * With `threads` all are threads of one process, which is for sanitizers. Checked: nothing that was accepted is lost, doubled, torn or out of its
 * producer's order; no consumer sleeps while there is something to read; the ring holds everything again at the end.
 * Frames have 64 bytes, and every eighth is a CAN XL frame. Prints TAP. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "bus/ring.h"
#include "stress/steps.h"
#include "unit/busmem.h"

#define PRODUCERS_MAX 16u
#define NUMBERS_MAX   (1u << 24) /* frames of one producer */
#define STALL_MS      1000
#define XL_SIZE       300u

enum mode { THREADS, STOP, KILL };

static struct busmem mem;
static struct busmem_socket receiver;
static unsigned producers, consumers, depth, seed;
static enum mode mode;

/* Shared by all processes. A number's bits: 1 accepted, 2 received, 4 received again. */
static struct shared {
    atomic_u32 end;                 /* 1: producers stop, 2: consumers stop when nothing is left */
    atomic_u32 next[PRODUCERS_MAX]; /* the first number not used yet */
    atomic_u64 accepted, refused, received, torn, reordered, stalls, kills, stops;
    atomic_u32 mark[PRODUCERS_MAX][NUMBERS_MAX / 10 + 1]; /* 3 bits each */
} * shared;

/* ---- trouble ---- */

static _Thread_local uint64_t luck;
static _Thread_local bool may_be_struck;

static uint32_t roll(void)
{
    luck ^= luck << 13;
    luck ^= luck >> 7;
    luck ^= luck << 17;
    return (uint32_t)(luck >> 16);
}

static void start_luck(uint32_t who)
{
    luck = seed * 2654435761u + who * 40503u + 88172645463325252ull;
    for (unsigned i = 0; i < 8; i++)
        roll();
}

void step(void)
{
    uint32_t rolled;

    if (!may_be_struck) return;
    rolled = roll() & 0xfffff;
    if (rolled < 1500)
        sched_yield();
    else if (rolled < 1530)
        usleep(rolled % 300);
    else if (rolled < 1550 && mode >= STOP) {
        atomic_fetch_add_explicit(&shared->stops, 1, memory_order_relaxed);
        raise(SIGSTOP);
    } else if (rolled < 1570 && mode == KILL) {
        atomic_fetch_add_explicit(&shared->kills, 1, memory_order_relaxed);
        raise(SIGKILL);
    }
}

/* ---- frames ---- */

static uint32_t mix(uint32_t value) { return (value ^ value >> 15) * 2246822519u; }

static uint32_t size_of(uint32_t number) { return number % 8 ? 72 : XL_SIZE; }

static void fill(uint8_t *bytes, uint32_t producer, uint32_t number)
{
    uint32_t words[XL_SIZE / 4] = { producer, number };

    for (uint32_t i = 2; i < size_of(number) / 4; i++)
        words[i] = mix(producer << 24 ^ number ^ i << 16);
    memcpy(bytes, words, size_of(number));
}

static bool is_whole(const struct ring_item *item, uint32_t *producer, uint32_t *number)
{
    uint8_t wanted[XL_SIZE];

    memcpy(producer, item->frame, 4);
    memcpy(number, item->frame + 4, 4);
    if (*producer >= PRODUCERS_MAX || *number >= NUMBERS_MAX || item->size != size_of(*number)) return false;
    fill(wanted, *producer, *number);
    return memcmp(wanted, item->frame, item->size) == 0 && item->mark == mix(*number) &&
           item->ifindex == *producer + 1;
}

static uint32_t mark(uint32_t producer, uint32_t number, uint32_t bit)
{
    return atomic_fetch_or_explicit(&shared->mark[producer][number / 10], bit << number % 10 * 3,
                                    memory_order_seq_cst) >>
               number % 10 * 3 &
           7;
}

/* ---- the two sides ---- */

static void *produce(void *argument)
{
    uint32_t me = (uint32_t)(uintptr_t)argument;
    struct busmem_socket sock = busmem_socket(&mem.bus);
    _Alignas(8) uint8_t bytes[RING_EXT_SIZE];

    start_luck(me * 1000 + load_relaxed(&shared->next[me]));
    while (!load_relaxed(&shared->end)) {
        uint32_t number = atomic_fetch_add_explicit(&shared->next[me], 1, memory_order_relaxed);
        struct ring_meta meta = { .gen = receiver.gen, .ifindex = me + 1, .limit = depth };
        struct bus_frame frame = {
            .frame = bytes, .size = size_of(number), .owner = sock.slot, .mark = mix(number)
        };
        if (number >= NUMBERS_MAX - 1) break;
        fill(bytes, me, number);
        may_be_struck = true;
        int result = ring_push(&mem.bus, receiver.slot, &frame, &meta);
        may_be_struck = false;
        if (result == 0) mark(me, number, 1);
        atomic_fetch_add_explicit(result ? &shared->refused : &shared->accepted, 1, memory_order_relaxed);
        may_be_struck = true;
        wake_notify(&mem.bus, receiver.slot, sock.fd, NULL);
        may_be_struck = false;
        if (result || roll() % 512 == 0) sched_yield();
    }
    busmem_socket_close(&mem.bus, &sock);
    return NULL;
}

static void take(const struct ring_item *item, uint32_t last[PRODUCERS_MAX])
{
    uint32_t producer, number;

    atomic_fetch_add_explicit(&shared->received, 1, memory_order_relaxed);
    if (!is_whole(item, &producer, &number)) {
        atomic_fetch_add_explicit(&shared->torn, 1, memory_order_relaxed);
        return;
    }
    if (number + 1 <= last[producer]) atomic_fetch_add_explicit(&shared->reordered, 1, memory_order_relaxed);
    last[producer] = number + 1;
    if (mark(producer, number, 2) & 2) mark(producer, number, 4);
}

/* Consumers may be stopped and delayed, too; one that dies takes a frame along, so they do not. */
static void *consume(void *argument)
{
    struct pollfd pfd = { .fd = receiver.fd, .events = POLLIN };
    uint32_t last[PRODUCERS_MAX] = { 0 };
    struct ring_item item;
    enum mode real = mode;

    start_luck((uint32_t)(uintptr_t)argument + 77);
    for (;;) {
        bool end = load_seq(&shared->end) == 2, got;
        if (mode == KILL && real == KILL) mode = STOP;
        may_be_struck = consumers > 1;
        got = ring_pop(&mem.bus, receiver.slot, &item);
        may_be_struck = false;
        if (got) {
            take(&item, last);
            continue;
        }
        if (end) break;
        may_be_struck = consumers > 1;
        got = !wake_settle(&mem.bus, receiver.slot, receiver.fd);
        may_be_struck = false;
        if (!got && poll(&pfd, 1, STALL_MS) == 0 && !ring_empty(&mem.bus, receiver.slot) &&
            !load_relaxed(&shared->end))
            atomic_fetch_add_explicit(&shared->stalls, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---- running them ---- */

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void run_threads(double seconds)
{
    pthread_t thread[PRODUCERS_MAX + 4];

    for (uintptr_t i = 0; i < producers; i++)
        pthread_create(&thread[i], NULL, produce, (void *)i); /* NOLINT(performance-no-int-to-ptr) */
    for (uintptr_t i = 0; i < consumers; i++)
        pthread_create(&thread[producers + i], NULL, consume,
                       (void *)i); /* NOLINT(performance-no-int-to-ptr) */
    for (double end = now() + seconds; now() < end;)
        usleep(10000);
    store_seq(&shared->end, 1);
    for (unsigned i = 0; i < producers; i++)
        pthread_join(thread[i], NULL);
    store_seq(&shared->end, 2);
    for (unsigned i = 0; i < consumers; i++)
        pthread_join(thread[producers + i], NULL);
}

static pid_t start(void *(*run)(void *), unsigned number)
{
    pid_t pid = fork();

    BUSMEM_MUST(pid >= 0);
    if (pid == 0) {
        alarm(600);
        run((void *)(uintptr_t)number); /* NOLINT(performance-no-int-to-ptr) */
        _exit(0);
    }
    return pid;
}

/* Lets stopped children go on after a while, and replaces killed ones. Returns how many run. */
static unsigned look_after(pid_t *pid, unsigned count, bool replace)
{
    unsigned alive = 0;

    for (unsigned i = 0; i < count; i++) {
        int status;
        if (!pid[i]) continue;
        if (waitpid(pid[i], &status, WNOHANG | WUNTRACED) == pid[i]) {
            if (WIFSTOPPED(status)) {
                if (rand() % 3) usleep((unsigned)rand() % 3000);
                kill(pid[i], SIGCONT);
            } else {
                pid[i] = replace && i < producers ? start(produce, i) : 0;
            }
        }
        alive += pid[i] != 0;
    }
    return alive;
}

static void run_processes(double seconds)
{
    pid_t pid[PRODUCERS_MAX + 4];
    double end = now() + seconds;

    for (unsigned i = 0; i < producers + consumers; i++)
        pid[i] = i < producers ? start(produce, i) : start(consume, i);
    while (now() < end) {
        look_after(pid, producers + consumers, true);
        if (mode >= STOP && rand() % 40 == 0) { /* from outside, too */
            unsigned victim = (unsigned)rand() % producers;
            if (mode == KILL && rand() % 2)
                atomic_fetch_add_explicit(&shared->kills, 1, memory_order_relaxed),
                    kill(pid[victim], SIGKILL);
            else
                atomic_fetch_add_explicit(&shared->stops, 1, memory_order_relaxed),
                    kill(pid[victim], SIGSTOP);
        }
        usleep(200);
    }
    store_seq(&shared->end, 1);
    for (end = now() + 20; look_after(pid, producers, false) && now() < end;)
        usleep(200);
    store_seq(&shared->end, 2);
    for (end = now() + 20; look_after(pid, producers + consumers, false) && now() < end;)
        usleep(200);
    for (unsigned i = 0; i < producers + consumers; i++)
        if (pid[i]) {
            printf("# process %u hangs\n", i);
            kill(pid[i], SIGKILL);
            waitpid(pid[i], NULL, 0);
            atomic_fetch_add_explicit(&shared->stalls, 1, memory_order_relaxed);
        }
}

/* ---- the judgement ---- */

static unsigned results, failures;

static void judge(const char *what, uint64_t count)
{
    printf("%s %u - %s\n", count ? "not ok" : "ok", ++results, what);
    if (!count) return;
    printf("# %llu; seed %u\n", (unsigned long long)count, seed);
    failures++;
}

static uint64_t count_marks(uint32_t mask, uint32_t value)
{
    uint64_t count = 0;

    for (unsigned p = 0; p < producers; p++)
        for (uint32_t number = 0; number < load_relaxed(&shared->next[p]) && number < NUMBERS_MAX; number++)
            count += (load_relaxed(&shared->mark[p][number / 10]) >> number % 10 * 3 & mask) == value;
    return count;
}

/* How many frames the ring takes, everything that was left behind being out of the way after a lap. */
static unsigned capacity(void)
{
    _Alignas(8) uint8_t bytes[RING_EXT_SIZE] = { 0 };
    struct ring_meta meta = { .gen = receiver.gen, .limit = RING_SLOTS };
    struct bus_frame frame = { .frame = bytes, .size = 16, .owner = RING_OWNER_DAEMON };
    struct ring_item item;
    unsigned count = 0;

    for (unsigned i = 0; i < 3 * RING_SLOTS; i++) {
        ring_push(&mem.bus, receiver.slot, &frame, &meta);
        ring_pop(&mem.bus, receiver.slot, &item);
    }
    while (ring_pop(&mem.bus, receiver.slot, &item))
        ;
    while (ring_push(&mem.bus, receiver.slot, &frame, &meta) == 0)
        count++;
    return count;
}

int main(int argc, char *argv[])
{
    double seconds = argc > 1 ? atof(argv[1]) : 2;

    setvbuf(stdout, NULL, _IOLBF, 0);
    seed = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    producers = argc > 3 ? (unsigned)atoi(argv[3]) : 4;
    consumers = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    depth = argc > 5 ? (unsigned)atoi(argv[5]) : RING_SLOTS;
    mode = argc > 6 && !strcmp(argv[6], "kill")   ? KILL
           : argc > 6 && !strcmp(argv[6], "stop") ? STOP
                                                  : THREADS;
    BUSMEM_MUST(producers <= PRODUCERS_MAX && consumers <= 4);
    srand(seed);
    busmem_open(&mem);
    receiver = busmem_socket(&mem.bus);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    BUSMEM_MUST(shared != MAP_FAILED);
    if (mode == THREADS)
        run_threads(seconds);
    else
        run_processes(seconds);
    printf("# %llu accepted, %llu refused, %llu received, %llu kills, %llu stops\n",
           (unsigned long long)shared->accepted, (unsigned long long)shared->refused,
           (unsigned long long)shared->received, (unsigned long long)shared->kills,
           (unsigned long long)shared->stops);
    judge("something happens", shared->received < 1000);
    judge("nothing accepted is lost", count_marks(3, 1));
    judge("nothing is doubled", count_marks(4, 4));
    judge("nothing is torn", shared->torn);
    judge("nothing is reordered", shared->reordered);
    judge("nobody sleeps while there is something to read", shared->stalls);
    judge("every record of the ring can be used again", RING_SLOTS - capacity());
    printf("1..%u\n", results);
    busmem_close(&mem);
    return failures != 0;
}
