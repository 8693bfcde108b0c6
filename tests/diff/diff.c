/*
 * usage: diff [--fence PROCESSOR] trace|hash|sum FILE    does every job of the file
 *        diff steps SEED COUNT                 prints the steps of a seed
 *
 * A job is a line:  SEED COUNT [KEEP]   a generated sequence; KEEP says which steps to do, as 0-4,7
 *                   FIRST-LAST COUNT    the same for every seed of a range
 *                   @PATH               the steps in a file; results and comments in it are skipped
 *
 * trace prints steps and results; hash four hex digits a step, each a checksum of its result; sum one checksum a
 * sequence. --fence is for a real kernel: everything runs on one processor, and after a step that sends, all that
 * is on its way through the loopback queue of that processor is waited for. All frames get a time stamp then: a
 * kernel begins to stamp some time after the first socket asked for it.
 */
#include "diff.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANG_MS 10000

struct diff_world *world;
static int fence = -1;
static enum { TRACE, HASH, SUM } mode;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

/* ---- what a step did ---- */

void out(const char *format, ...)
{
    size_t room = sizeof(world->trace) - world->used;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(world->trace + world->used, room, format, args);
    va_end(args);
    if (n > 0) world->used += (size_t)n < room ? (size_t)n : room - 1;
}

void out_result(long long result)
{
    int error = errno;

    if (result == -1)
        out(" = -%s", strerrorname_np(error) ? strerrorname_np(error) : "?");
    else
        out(" = %lld", result);
}

static uint64_t checksum(uint64_t sum, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    while (size--)
        sum = (sum ^ *at++) * 0x100000001b3ull;
    return sum;
}

#define CHECKSUM_START 0xcbf29ce484222325ull

void out_bytes(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size && i < 24; i++)
        out("%02x", at[i]);
    if (size > 24) out("..%zu#%08x", size, (unsigned)checksum(CHECKSUM_START, bytes, size));
}

/* ---- the processes ---- */

static void serve(int number) __attribute__((noreturn));

static void enter(int number) __attribute__((noreturn));
static void enter(int number)
{
    signal(SIGCHLD, SIG_IGN); /* nobody waits for grandchildren */
    calls_catch_signals();
    serve(number);
}

static void fork_into(const struct step *step)
{
    int number = step_word(step, 0)[1] - '0';
    const struct diff_process parent =
        world->process[step->process]; /* which goes on before the child has begun */
    pid_t pid;

    world->process[number] = parent;
    world->shared = true;
    for (int i = 0; i < EPOLLS; i++)
        world->process[number].epoll[i] = -1;
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < EPOLLS; i++)
            close(parent.epoll[i]);
        enter(number);
    }
    world->process[number].pid = pid;
    out_result(pid < 0 ? -1 : 0);
}

static void exec_again(const struct step *step)
{
    char memory[16], number[16];

    snprintf(memory, sizeof(memory), "%d", world->memory);
    snprintf(number, sizeof(number), "%d", step->process);
    execl("/proc/self/exe", "diff", "--process", memory, number, (char *)NULL);
    out_result(-1);
}

static void run(const struct step *step)
{
    if (!strcmp(step->operation, "fork"))
        fork_into(step);
    else if (!strcmp(step->operation, "exec"))
        exec_again(step);
    else if (!calls_run(step) && !files_run(step) && !frames_run(step) && !links_run(step) &&
             !names_run(step))
        out(" = unknown step");
}

static void serve(int number)
{
    static struct step step;
    char byte;

    while (read(world->command[number][0], &byte, 1) == 1) {
        if (byte == 'x') _exit(0);
        if (!step_parse(&step, world->step)) _exit(3);
        run(&step);
        if (write(world->done[1], "", 1) != 1) _exit(3);
    }
    _exit(0);
}

/* After exec: what was to be closed is closed. */
static void continue_process(int memory, int number)
{
    struct diff_process *p;

    calls_catch_signals();
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (world == MAP_FAILED) die("mmap");
    p = &world->process[number];
    for (int i = 0; i < SLOTS; i++)
        if (p->fd[i] >= 0 && fcntl(p->fd[i], F_GETFD) < 0) p->fd[i] = -1;
    for (int i = 0; i < EPOLLS; i++)
        if (p->epoll[i] >= 0 && fcntl(p->epoll[i], F_GETFD) < 0) p->epoll[i] = -1;
    out(" = 0");
    if (write(world->done[1], "", 1) != 1) _exit(3);
    enter(number);
}

static void watch(int number)
{
    world->process[number].pidfd = (int)syscall(SYS_pidfd_open, world->process[number].pid, 0);
    if (world->process[number].pidfd < 0) world->process[number].pid = 0;
}

static void start(int number)
{
    pid_t pid;

    memset(&world->process[number], 0xff, sizeof(world->process[number]));
    pid = fork();
    if (pid == 0) enter(number);
    if (pid < 0) die("fork");
    world->process[number].pid = pid;
    watch(number);
}

static void await_end(int number)
{
    struct diff_process *p = &world->process[number];
    struct pollfd ended = { .fd = p->pidfd, .events = POLLIN };

    if (poll(&ended, 1, HANG_MS) == 0) {
        out(" (does not end)");
        kill(p->pid, SIGKILL);
    }
    close(p->pidfd);
    p->pid = 0;
}

static void tell(int number, char what)
{
    if (write(world->command[number][1], &what, 1) != 1) die("write");
}

/* Lets a process do the step; false if it does not come back. */
static bool let(int number)
{
    struct pollfd p[2] = { { .fd = world->done[0], .events = POLLIN },
                           { .fd = world->process[number].pidfd, .events = POLLIN } };
    char byte;

    tell(number, 's');
    if (poll(p, 2, HANG_MS) == 0) {
        out(" = hangs");
        return false;
    }
    if (!p[0].revents) {
        out(" = the process died");
        return false;
    }
    return read(world->done[0], &byte, 1) == 1;
}

/* ---- a sequence ---- */

/* Steps by which frames get on their way. */
static bool sends(const struct step *step)
{
    static const char *const operations[] = { "send", "splice", "sendfile", "stream", "vector" };

    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
        if (!strcmp(step->operation, operations[i])) return true;
    return false;
}

/* A packet to ourselves by way of the same queue that frames take. */
static void pass_fence(void)
{
    char byte = 0;

    if (fence >= 0 && (send(fence, &byte, 1, 0) != 1 || recv(fence, &byte, 1, 0) != 1)) die("fence");
}

/* Returns false when the sequence cannot go on. */
static bool do_step(const char *line)
{
    static struct step step;
    struct diff_process *p;
    int other;

    world->used = 0;
    world->trace[0] = 0;
    snprintf(world->step, sizeof(world->step), "%s", line);
    if (!step_parse(&step, line)) {
        out(" = not a step");
        return true;
    }
    p = &world->process[step.process];
    if (p->pid <= 0) {
        out(" = no process");
        return true;
    }
    if (!strcmp(step.operation, "exit") || !strcmp(step.operation, "kill")) {
        if (step.operation[0] == 'e')
            tell(step.process, 'x');
        else
            kill(p->pid, SIGKILL);
        await_end(step.process);
        return true;
    }
    if (!strcmp(step.operation, "fork")) {
        other = step_word(&step, 0)[1] - '0';
        if (other < 0 || other >= PROCESSES || world->process[other].pid > 0) {
            out(" = busy");
            return true;
        }
        if (!let(step.process)) return false;
        watch(other);
        return true;
    }
    if (!let(step.process)) return false;
    if (sends(&step)) pass_fence();
    return true;
}

static void remove_old_links(void)
{
    for (int i = 0; i < LINKS; i++)
        for (int k = 0; k < 2; k++) {
            world->link[i].renamed = k;
            world->link[i].index = (int)if_nametoindex(step_name((char[]){ 'i', (char)('0' + i), 0 }));
            if (world->link[i].index) links_forget();
        }
}

static void begin(void)
{
    remove_old_links();
    memset(world->link, 0, sizeof(world->link));
    for (int i = 0; i < LINKS; i++)
        world->link[i].peer = -1;
    world->known_count = 0;
    world->shared = false;
    if (pipe(world->done) || socketpair(AF_UNIX, SOCK_DGRAM, 0, world->transfer)) die("pipe");
    for (int i = 0; i < PROCESSES; i++) {
        if (pipe(world->command[i])) die("pipe");
        memset(&world->process[i], 0, sizeof(world->process[i]));
    }
    for (int i = 0; i < STARTED; i++)
        start(i);
}

static void end(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        if (world->process[i].pid > 0) {
            kill(world->process[i].pid, SIGKILL);
            await_end(i);
        }
        close(world->command[i][0]);
        close(world->command[i][1]);
    }
    for (int i = 0; i < 2; i++) {
        close(world->done[i]);
        close(world->transfer[i]);
    }
    links_forget();
}

static bool is_kept(const char *keep, long number)
{
    char *at;

    if (!*keep || *keep == '-') return true;
    while (*keep) {
        long from = strtol(keep, &at, 10), to = from;

        if (*at == '-') to = strtol(at + 1, &at, 10);
        if (number >= from && number <= to) return true;
        if (at == keep || *at != ',') return false;
        keep = at + 1;
    }
    return false;
}

static void report(const char *line, uint64_t *sum)
{
    uint64_t one = checksum(CHECKSUM_START, world->trace, world->used);

    *sum = checksum(*sum, &one, sizeof(one));
    if (mode == TRACE) printf("%s%s\n", line, world->trace);
    if (mode == HASH) printf("%04x", (unsigned)(one ^ one >> 16 ^ one >> 32 ^ one >> 48) & 0xffff);
}

static void do_sequence(char *steps, const char *keep, const char *name)
{
    uint64_t sum = CHECKSUM_START;
    char *save = NULL;
    long number = 0, done = 0;
    bool more = true;

    if (mode == TRACE) printf("# %s\n", name);
    if (mode == HASH) printf("H ");
    begin();
    for (char *line = strtok_r(steps, "\n", &save); line && more; line = strtok_r(NULL, "\n", &save)) {
        char *results = strstr(line, " = "); /* of a corpus file */

        if (results) *results = 0;
        if (line[0] == '#' || !line[strspn(line, " ")] || !is_kept(keep, number++)) continue;
        more = do_step(line);
        report(line, &sum);
        done++;
    }
    end();
    if (mode == HASH) printf("\n");
    if (mode == SUM) printf("S %s %016llx %ld\n", name, (unsigned long long)sum, done);
    fflush(stdout);
}

/* ---- jobs ---- */

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 22);

    if (!file || !text) die(path);
    if (!fread(text, 1, (1 << 22) - 1, file)) *text = 0;
    fclose(file);
    return text;
}

static void do_job(const char *job)
{
    unsigned long long first, last;
    char keep[8192] = "", name[32], *steps;
    int count;

    if (job[0] == '@') {
        steps = read_file(job + 1);
        do_sequence(steps, "", job + 1);
        free(steps);
        return;
    }
    if (sscanf(job, "%llu-%llu %d", &first, &last, &count) != 3) {
        if (sscanf(job, "%llu %d %8191s", &first, &count, keep) < 2) die("a job");
        last = first;
    }
    for (; first <= last; first++) {
        steps = generate(first, count);
        snprintf(name, sizeof(name), "%llu", first);
        do_sequence(steps, keep, name);
        free(steps);
    }
}

static void set_fence(int processor)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    socklen_t size = sizeof(a);
    cpu_set_t one;
    int on = 1;

    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    if (sched_setaffinity(0, sizeof(one), &one)) die("sched_setaffinity");
    fence = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fence < 0 || ioctl(fence, SIOCSIFFLAGS, &r) || bind(fence, (struct sockaddr *)&a, sizeof(a)) ||
        getsockname(fence, (struct sockaddr *)&a, &size) || connect(fence, (struct sockaddr *)&a, size) ||
        setsockopt(fence, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)))
        die("fence");
}

int main(int argc, char **argv)
{
    char *text, *save = NULL;
    int memory;

    if (argc == 4 && !strcmp(argv[1], "--process")) continue_process(atoi(argv[2]), atoi(argv[3]));
    if (argc == 4 && !strcmp(argv[1], "steps")) {
        fputs(generate(strtoull(argv[2], NULL, 0), atoi(argv[3])), stdout);
        return 0;
    }
    memory = memfd_create("diff", 0);
    if (memory < 0 || ftruncate(memory, sizeof(*world))) die("memfd");
    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (world == MAP_FAILED) die("mmap");
    world->memory = memory;
    signal(SIGCHLD, SIG_IGN);
    if (argc > 2 && !strcmp(argv[1], "--fence")) {
        set_fence(atoi(argv[2]));
        argv += 2;
        argc -= 2;
    }
    if (argc != 3) return 2;
    mode = !strcmp(argv[1], "trace") ? TRACE : !strcmp(argv[1], "hash") ? HASH : SUM;
    text = read_file(argv[2]);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        do_job(line);
    return 0;
}
