/* tests/stress/killsteps.c - kills, or stops, a process at every store of what it does to the shared memory; the others must
 * not notice.
 *
 * usage: killsteps [SCENARIO]
 * For each scenario and each of SIGKILL and SIGSTOP: a child does the scenario's act and is struck at its n-th step (steps.h), for
 * n = 1, 2, 3 ... until it gets through. The scenario checks after each stroke; a stopped child goes on and is checked again.
 * Prints TAP. */
#include "stress/killsteps.h"
#include <stdarg.h>
#include <sys/wait.h>

#define WAIT_MS   2000
#define STEPS_MAX 3000

struct busmem mem;
struct bus *const bus = &mem.bus;
uint32_t ifindex[2];
struct shared *shared;
struct busmem_socket sender, any, first, witness, newcomer;

static unsigned strike_at; /* in the child: steps left */
static int strike_with;
static unsigned stroke; /* for messages */
static const char *scenario_name;
static unsigned failures, strokes;

void step(void)
{
    if (strike_at && --strike_at == 0) raise(strike_with);
}

void fail(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    printf("# %s, %s at step %u: ", scenario_name, strike_with == SIGKILL ? "killed" : "stopped", stroke);
    vprintf(format, list);
    printf("\n");
    va_end(list);
    failures++;
}

/* ---- sockets of the parent ---- */

struct busmem_socket bound_socket(uint32_t map, uint32_t id_from, uint32_t id_to)
{
    struct busmem_socket sock = busmem_socket(bus);
    struct can_filter filters[16];
    uint32_t count = 0;

    for (uint32_t id = id_from; id <= id_to; id++)
        filters[count++] = (struct can_filter){ id, CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG };
    if (count) slot_set_filters(bus, sock.slot, filters, count);
    slot_bind(bus, sock.slot, map, map == IMAP_ANY ? 0 : ifindex[map]);
    return sock;
}

void send_from(const struct busmem_socket *sock, uint32_t id, uint32_t number)
{
    _Alignas(8) struct can_frame can = { .can_id = id, .can_dlc = 8 };
    struct bus_frame frame = { .frame = &can,
                               .size = 16,
                               .origin = sock->slot,
                               .owner = sock->slot,
                               .token_fd = sock->fd,
                               .loopback = true };

    memcpy(can.data, &number, 4);
    number = ~number;
    memcpy(can.data + 4, &number, 4);
    bus_send(bus, 0, load_relaxed(&mem.control->links[0].state), &frame);
}

/* The number of the next frame in the ring, or -1; a torn one is a failure. */
int next_number(uint32_t slot, uint32_t *id)
{
    struct ring_item item;
    uint32_t number, check;

    if (!ring_pop(bus, slot, &item)) return -1;
    memcpy(&number, item.frame + 8, 4);
    memcpy(&check, item.frame + 12, 4);
    memcpy(id, item.frame, 4);
    if (item.size != 16 || item.ifindex != ifindex[0] || check != ~number) fail("a torn frame");
    return (int)number;
}

bool wait_readable(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    return poll(&pfd, 1, WAIT_MS) == 1;
}

void drain(uint32_t slot)
{
    struct ring_item item;
    while (ring_pop(bus, slot, &item))
        ;
}

/* Sends ids 1..10 and looks whether the socket gets those from `from` to `to`, each once. */
void check_gets_exactly(const struct busmem_socket *sock, const char *who, uint32_t from, uint32_t to)
{
    uint32_t wanted = from, id;

    drain(sock->slot);
    for (id = 1; id <= 10; id++)
        send_from(&sender, id, id);
    while (next_number(sock->slot, &id) >= 0) {
        if (id != wanted) {
            fail("%s got %u instead of %u", who, id, wanted);
            return;
        }
        wanted++;
    }
    if (wanted != to + 1) fail("%s got the ids up to %u instead of %u", who, wanted - 1, to);
}

/* Every record of the ring can be used. */
void check_whole(const struct busmem_socket *sock, const char *who)
{
    unsigned count = 0;
    uint32_t id;

    drain(sock->slot);
    for (unsigned lap = 0; lap < 2; lap++) { /* one to meet what was left behind, one to count */
        uint32_t drops = load_relaxed(&bus->data->slot[sock->slot].drops);
        for (uint32_t i = 0; i < RING_SLOTS; i++)
            send_from(&sender, 1, i);
        for (count = 0; next_number(sock->slot, &id) >= 0;)
            count++;
        drops = load_relaxed(&bus->data->slot[sock->slot].drops) - drops;
        if (count + drops != RING_SLOTS)
            fail("%s got %u frames and %u drops of %u", who, count, drops, RING_SLOTS);
    }
    if (count != RING_SLOTS) fail("the ring of %s holds only %u", who, count);
}

/* What the daemon does each second, until everything dead is gone. */
void janitor(void)
{
    static uint32_t stale[SOCKETS_MAX];
    static uint64_t waiting[SOCKETS_MAX];

    for (unsigned tick = 0; tick < 3; tick++) {
        slot_sweep(bus, stale);
        slot_nudge(bus, waiting);
    }
}

unsigned life_of(uint32_t slot) { return load_relaxed(&bus->data->life[slot]) & 3; }

void check_freed(uint32_t slot)
{
    if (life_of(slot) != SLOT_FREE) fail("slot %u is not free: %u", slot, life_of(slot));
}

/* ---- the engine ---- */

static void child(const struct scenario *scenario, unsigned at, int with)
{
    alarm(60);
    failures = 0;
    strike_with = with;
    if (scenario->own_process && scenario->begin) scenario->begin();
    strike_at = at;
    scenario->act();
    strike_at = 0;
    shared->done = 1;
    while (!shared->go)
        usleep(100);
    if (scenario->own_check) scenario->own_check();
    _exit(failures != 0);
}

/* Waits until the child is dead, stopped or done. Returns 0 when it is done, else what happened. */
static int wait_for(pid_t pid)
{
    int status = 0;

    for (;;) {
        pid_t got = waitpid(pid, &status, WUNTRACED | WNOHANG);
        if (got == pid) return WIFSTOPPED(status) ? SIGSTOP : WIFSIGNALED(status) ? WTERMSIG(status) : -1;
        if (shared->done) return 0;
        usleep(50);
    }
}

/* Returns true when the child got through unstruck. */
static bool strike(const struct scenario *scenario, unsigned at, int with)
{
    int status, what;
    pid_t pid;

    *shared = (struct shared){ 0 };
    if (!scenario->own_process && scenario->begin) scenario->begin();
    fflush(stdout);
    pid = fork();
    if (pid == 0) child(scenario, at, with);
    if (scenario->childs) close(shared->sock.fd);
    what = wait_for(pid);
    if (what && what != with) fail("it ended with %d", what);
    if (what == SIGSTOP) {
        if (scenario->while_stopped) scenario->while_stopped();
        kill(pid, SIGCONT);
        if (wait_for(pid) != 0) fail("it did not go on");
        if (scenario->continued) scenario->continued();
    } else {
        scenario->after(what == 0);
    }
    shared->go = 1;
    if (what != SIGKILL && (waitpid(pid, &status, 0) != pid || status != 0))
        fail("its own check fails: %#x", status);
    scenario->finish();
    strokes += what != 0;
    return what == 0;
}

static void run(const struct scenario *scenario, int with, unsigned *count)
{
    unsigned before = failures;

    scenario_name = scenario->name;
    strike_with = with;
    for (stroke = 1; stroke < STEPS_MAX && failures - before < 5; stroke++)
        if (strike(scenario, stroke, with)) break;
    printf("%s %u - %s: %s at each of %u steps\n", failures == before ? "ok" : "not ok", ++*count,
           scenario->name, with == SIGKILL ? "killed" : "stopped", stroke - 1);
    fflush(stdout);
}

static void run_all(const struct scenario *scenario, const char *only, unsigned *count)
{
    for (; scenario->name; scenario++) {
        if (only && strcmp(only, scenario->name) != 0) continue;
        run(scenario, SIGKILL, count);
        run(scenario, SIGSTOP, count);
    }
}

int main(int argc, char *argv[])
{
    unsigned count = 0;

    alarm(300);
    busmem_open(&mem);
    ifindex[0] = busmem_link(&mem, 0);
    ifindex[1] = busmem_link(&mem, 1);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sender = busmem_socket(bus);
    any = bound_socket(IMAP_ANY, 1, 0);
    first = bound_socket(0, 1, 0);
    witness = bound_socket(0, 5, 6);
    run_all(frame_scenarios, argc > 1 ? argv[1] : NULL, &count);
    run_all(socket_scenarios, argc > 1 ? argv[1] : NULL, &count);
    run_all(option_scenarios, argc > 1 ? argv[1] : NULL, &count);
    printf("# %u strokes\n1..%u\n", strokes, count);
    busmem_close(&mem);
    return failures != 0;
}
