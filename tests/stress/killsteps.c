/* tests/stress/killsteps.c - kills, or stops, a process at every store of what it does to the shared memory; the others must
 * not notice.
 *
 * usage: killsteps [SCENARIO]
 * For each scenario and each of SIGKILL and SIGSTOP: a child does the scenario's act and is struck at its n-th step (steps.h), for
 * n = 1, 2, 3 ... until it gets through. The scenario checks after each stroke; a stopped child goes on and is checked again.
 * Prints TAP. */
#include <errno.h>
#include <linux/can.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include "bus/imap.h"
#include "bus/ring.h"
#include "tests/stress/steps.h"
#include "tests/unit/busmem.h"

#define WAIT_MS   2000
#define STEPS_MAX 3000

static struct busmem mem;
static struct bus *const bus = &mem.bus;
static uint32_t ifindex[2];

/* Shared with the child. */
static struct shared {
    volatile int done;         /* the act is over */
    volatile int go;           /* the child may check its own side and leave */
    volatile int wrong;        /* the child found something */
    struct busmem_socket sock; /* made by the child */
} * shared;

static unsigned strike_at; /* in the child: steps left */
static int strike_with;
static unsigned stroke; /* for messages */
static const char *scenario_name;
static unsigned failures, strokes;

void step(void)
{
    if (strike_at && --strike_at == 0) raise(strike_with);
}

static void fail(const char *format, ...)
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

static struct busmem_socket sender, any, first, witness, newcomer;

static struct busmem_socket bound_socket(uint32_t map, uint32_t id_from, uint32_t id_to)
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

static void send_from(const struct busmem_socket *sock, uint32_t id, uint32_t number)
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
static int next_number(uint32_t slot, uint32_t *id)
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

static bool wait_readable(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    return poll(&pfd, 1, WAIT_MS) == 1;
}

static void drain(uint32_t slot)
{
    struct ring_item item;
    while (ring_pop(bus, slot, &item))
        ;
}

/* Sends ids 1..10 and looks whether the socket gets those from `from` to `to`, each once. */
static void check_gets_exactly(const struct busmem_socket *sock, const char *who, uint32_t from, uint32_t to)
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
static void check_whole(const struct busmem_socket *sock, const char *who)
{
    unsigned count = 0;
    uint32_t id;

    drain(sock->slot);
    for (unsigned lap = 0; lap < 2; lap++) { /* one to meet what was left behind, one to count */
        uint32_t drops = load_relaxed(&bus->data->ring[sock->slot].drops);
        for (uint32_t i = 0; i < RING_SLOTS; i++)
            send_from(&sender, 1, i);
        for (count = 0; next_number(sock->slot, &id) >= 0;)
            count++;
        drops = load_relaxed(&bus->data->ring[sock->slot].drops) - drops;
        if (count + drops != RING_SLOTS)
            fail("%s got %u frames and %u drops of %u", who, count, drops, RING_SLOTS);
    }
    if (count != RING_SLOTS) fail("the ring of %s holds only %u", who, count);
}

/* What the daemon does each second, until everything dead is gone. */
static void janitor(void)
{
    static uint32_t stale[SOCKETS_MAX];
    static uint64_t waiting[SOCKETS_MAX];

    for (unsigned tick = 0; tick < 3; tick++) {
        slot_sweep(bus, stale);
        slot_nudge(bus, waiting, sender.fd);
    }
}

static unsigned life_of(uint32_t slot) { return load_relaxed(&bus->data->life[slot]) & 3; }

static void check_freed(uint32_t slot)
{
    if (life_of(slot) != SLOT_FREE) fail("slot %u is not free: %u", slot, life_of(slot));
}

/* ---- scenario: a frame to two receivers, who sleep ---- */

static void settle_receivers(void)
{
    drain(any.slot);
    drain(first.slot);
    wake_settle(bus, any.slot, any.fd);
    wake_settle(bus, first.slot, first.fd);
}

static void send_prepare(void)
{
    shared->sock = busmem_socket(bus);
    settle_receivers();
}

static void send_act(void) { send_from(&shared->sock, 1, 100); }

static void send_check_one(const struct busmem_socket *sock, const char *who, bool done)
{
    int number, theirs = 0;
    uint32_t id;

    if (done && !wait_readable(sock->fd)) fail("%s is not woken by the frame", who);
    send_from(&sender, 1, 200);
    if (!wait_readable(sock->fd)) fail("%s is not woken by the next sender", who);
    while ((number = next_number(sock->slot, &id)) == 100)
        theirs++;
    if (number != 200) fail("%s misses the next sender's frame: %d", who, number);
    if (theirs > 1 || (done && theirs != 1)) fail("%s got the frame %d times", who, theirs);
    while ((number = next_number(sock->slot, &id)) == 200)
        ; /* those that were sent for the other receiver */
    if (number != -1) fail("%s got %d at the end", who, number);
}

static void send_after(bool done)
{
    send_check_one(&first, "the bound receiver", done);
    send_check_one(&any, "the receiver of any interface", done);
    settle_receivers();
}

static void send_while_stopped(void)
{
    for (uint32_t lap = 0; lap < 3; lap++) { /* the rings go around it */
        send_from(&sender, 1, 300);
        if (!wait_readable(first.fd) || !wait_readable(any.fd))
            fail("nobody is woken while a sender is stopped");
        for (uint32_t i = 1; i < RING_SLOTS - 1; i++)
            send_from(&sender, 1, 300);
        for (unsigned r = 0; r < 2; r++) {
            const struct busmem_socket *sock = r ? &any : &first;
            unsigned own = 0;
            uint32_t id;
            int number;
            while ((number = next_number(sock->slot, &id)) >= 0)
                if (number == 300)
                    own++;
                else
                    shared->wrong |=
                        2 << r; /* the stopped one had published already: so it must not come again */
            if (own != RING_SLOTS - 1)
                fail("only %u of %u frames arrive while a sender is stopped", own, RING_SLOTS - 1);
        }
        settle_receivers();
    }
}

static void send_continued(void)
{
    for (unsigned r = 0; r < 2; r++) {
        const struct busmem_socket *sock = r ? &any : &first;
        unsigned count = shared->wrong >> (r + 1) & 1;
        uint32_t id;
        if (!count && !wait_readable(sock->fd)) fail("the frame of a stopped sender wakes nobody");
        while (next_number(sock->slot, &id) == 100)
            count++;
        if (count != 1) fail("the frame of a stopped sender arrives %u times", count);
    }
    shared->wrong = 0;
}

static void send_finish(void)
{
    close(shared->sock.fd);
    janitor();
    check_freed(shared->sock.slot);
    check_whole(&first, "the bound receiver");
    check_whole(&any, "the receiver of any interface");
}

/* ---- scenarios: a socket changes; `witness` has ids 5 and 6 of the same interface ---- */

static void set_filters(uint32_t from, uint32_t to)
{
    struct can_filter filters[16];
    uint32_t count = 0;

    for (uint32_t id = from; id <= to; id++)
        filters[count++] = (struct can_filter){ id, CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG };
    slot_set_filters(bus, shared->sock.slot, filters, count);
}

/* Whatever it is changing from and to: what both let through arrives, once. */
static void check_gets_what_stays(void)
{
    unsigned count = 0;
    uint32_t id;

    drain(shared->sock.slot);
    send_from(&sender, 6, 6);
    while (next_number(shared->sock.slot, &id) >= 0)
        count++;
    if (count != 1) fail("the socket gets a frame %u times that it wants before and after", count);
    check_gets_exactly(&witness, "a witness", 5, 6);
}

static void filters_begin(void) { shared->sock = bound_socket(0, 1, 6); }
static void filters_act(void) { set_filters(6, 10); }
static void filters_own(void) { check_gets_exactly(&shared->sock, "the socket", 6, 10); }
static void everything_begin(void) { shared->sock = bound_socket(0, 1, 0); }
static void error_begin(void) { shared->sock = bound_socket(0, 6, 10); }
static void error_act(void) { slot_set_err_mask(bus, shared->sock.slot, 4); }
static void bind_begin(void)
{
    shared->sock = busmem_socket(bus);
    set_filters(6, 10);
}
static void bind_act(void) { slot_bind(bus, shared->sock.slot, 0, ifindex[0]); }
static void rebind_begin(void) { shared->sock = bound_socket(1, 6, 10); }
static void rebind_any_act(void) { slot_bind(bus, shared->sock.slot, IMAP_ANY, 0); }

static void change_check(bool done)
{
    (void)done;
    check_gets_exactly(&witness, "a witness", 5, 6);
}

static void witness_check(void) { check_gets_exactly(&witness, "a witness", 5, 6); }

/* The slot comes back, and whoever has it next gets what he asked for and nothing else. */
static void change_finish(void)
{
    janitor();
    check_freed(shared->sock.slot);
    newcomer = bound_socket(0, 3, 4);
    if (newcomer.slot > shared->sock.slot) fail("slot %u is not given out again", shared->sock.slot);
    check_gets_exactly(&newcomer, "the next owner of the slot", 3, 4);
    check_gets_exactly(&witness, "a witness", 5, 6);
    busmem_socket_close(bus, &newcomer);
}

/* ---- scenario: a socket is opened ---- */

/* The number that whoever opens a socket gets. */
static uint32_t lowest_free(void)
{
    uint32_t slot = 0;

    while (life_of(slot) != SLOT_FREE)
        slot++;
    return slot;
}

static void open_begin(void) { shared->sock.slot = lowest_free(); }

static void open_act(void)
{
    struct busmem_socket sock = { 0 };
    struct sockaddr_un address;
    int slot;

    do {
        slot = slot_claim(bus, &sock.gen);
        shared->sock.slot = sock.slot = (uint32_t)slot;
        sock.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int size = wake_address(bus, sock.slot, sock.gen, &address);
        step();
        BUSMEM_MUST(bind(sock.fd, (struct sockaddr *)&address, (socklen_t)size) == 0);
    } while (slot_open(bus, sock.slot, sock.gen) != 0);
    shared->sock = sock;
    set_filters(6, 10);
    slot_bind(bus, sock.slot, 0, ifindex[0]);
}

static void open_while_stopped(void)
{
    janitor();
    newcomer = bound_socket(0, 3, 4);
    check_gets_exactly(&newcomer, "a newcomer", 3, 4);
}

static void open_continued(void)
{
    if (newcomer.slot == shared->sock.slot) fail("two sockets have slot %u", newcomer.slot);
    check_gets_exactly(&newcomer, "a newcomer", 3, 4);
    busmem_socket_close(bus, &newcomer);
}

/* ---- scenario: a socket is ended ---- */

static void end_begin(void) { shared->sock = bound_socket(0, 1, 10); }

static void end_act(void)
{
    close(shared->sock.fd);
    slot_end(bus, shared->sock.slot, shared->sock.gen);
}

/* Somebody else finishes, and the slot has a new owner when the child goes on. */
static void end_while_stopped(void)
{
    janitor();
    check_freed(shared->sock.slot);
    newcomer = bound_socket(0, 3, 4);
    if (newcomer.slot != shared->sock.slot) fail("slot %u is not given out again", shared->sock.slot);
}

static void end_continued(void)
{
    check_gets_exactly(&newcomer, "the next owner of the slot", 3, 4);
    if (life_of(newcomer.slot) != SLOT_OPEN) fail("the next owner's slot is ended");
    busmem_socket_close(bus, &newcomer);
}

/* ---- scenarios: somebody who shares a receiver reads, or arms ---- */

static void read_prepare(void)
{
    settle_receivers();
    for (uint32_t i = 1; i <= 3; i++)
        send_from(&sender, 1, i);
}

static void read_act(void)
{
    uint32_t id;
    next_number(first.slot, &id);
}

/* The slower of two readers; then it sets the tail back. */
static void read_while_stopped(void)
{
    uint32_t id;

    while (next_number(first.slot, &id) >= 0)
        ;
    for (uint32_t i = 0; i < 3 * RING_SLOTS; i++) {
        send_from(&sender, 1, i);
        if (next_number(first.slot, &id) != (int)i)
            fail("frame %u is lost while another reader is stopped", i);
    }
    drain(any.slot);
}

static void read_after(bool done)
{
    uint32_t id, last = done ? 1 : 0;
    int number;

    send_from(&sender, 1, 4);
    while ((number = next_number(first.slot, &id)) >= 0) {
        if ((uint32_t)number <= last || (uint32_t)number > last + (last ? 1u : 2u))
            fail("read %d after %u", number, last);
        last = (uint32_t)number;
    }
    if (last != 4) fail("the last frame is lost");
}

static void shared_finish(void)
{
    check_whole(&first, "the shared receiver");
    check_whole(&any, "the receiver of any interface");
}

static void arm_act(void)
{
    drain(first.slot);
    wake_settle(bus, first.slot, first.fd);
}

/* The other one sleeps in poll all the time. */
static void arm_after(bool done)
{
    (void)done;
    send_from(&sender, 1, 4);
    janitor();
    if (!wait_readable(first.fd)) fail("who shares the socket is not woken");
    settle_receivers();
}

static void arm_while_stopped(void) { arm_after(false); }

/* ---- scenario: a receiver is closed, and another socket has its slot, while a frame is on its way to it ---- */

static struct busmem_socket leaver;

static void reuse_begin(void)
{
    shared->sock = busmem_socket(bus);
    leaver = bound_socket(0, 1, 0);
}

static void reuse_while_stopped(void)
{
    busmem_socket_close(bus, &leaver);
    newcomer = bound_socket(0, 3, 4);
    if (newcomer.slot != leaver.slot) fail("slot %u is not given out again", leaver.slot);
}

static void reuse_continued(void)
{
    uint32_t id;

    if (next_number(newcomer.slot, &id) >= 0) fail("the next owner of the slot gets a frame with id %u", id);
    check_gets_exactly(&newcomer, "the next owner of the slot", 3, 4);
    busmem_socket_close(bus, &newcomer);
}

static void reuse_after(bool done)
{
    (void)done;
    reuse_while_stopped();
    reuse_continued();
}

static void reuse_finish(void)
{
    close(shared->sock.fd);
    janitor();
    check_freed(shared->sock.slot);
    check_whole(&first, "the bound receiver");
}

/* ---- scenario: the interface of a socket goes; what the worker does before it is killed, the next worker does again ---- */

static void gone_begin(void) { shared->sock = bound_socket(1, 1, 10); }
static void gone_act(void) { slot_link_down(bus, 1, ifindex[1], true, sender.fd); }

static void gone_after(bool done)
{
    (void)done;
    slot_link_down(bus, 1, ifindex[1], true, sender.fd);
    if (load_relaxed(&bus->data->slot[shared->sock.slot].error) != ENODEV) fail("the socket is not told");
    if (load_relaxed(&bus->data->slot[shared->sock.slot].bound)) fail("the socket is still bound");
    witness_check();
}

static void gone_finish(void)
{
    close(shared->sock.fd);
    change_finish();
}

/* ---- the engine ---- */

static const struct scenario {
    const char *name;
    bool own_process;        /* begin runs in the child: the socket dies with it */
    void (*begin)(void);     /* before the act */
    void (*act)(void);       /* struck at the n-th step */
    void (*own_check)(void); /* in the child when it got through */
    void (*while_stopped)(void);
    void (*continued)(void);  /* the stopped one went on and is done */
    void (*after)(bool done); /* it was killed, or was done at once */
    void (*finish)(void);     /* everything of it is gone */
} scenarios[] = {
    { "send", false, send_prepare, send_act, NULL, send_while_stopped, send_continued, send_after,
      send_finish },
    { "filters", true, filters_begin, filters_act, filters_own, check_gets_what_stays, witness_check,
      change_check, change_finish },
    { "everything", true, everything_begin, filters_act, filters_own, check_gets_what_stays, witness_check,
      change_check, change_finish },
    { "error filter", true, error_begin, error_act, filters_own, check_gets_what_stays, witness_check,
      change_check, change_finish },
    { "bind", true, bind_begin, bind_act, filters_own, witness_check, witness_check, change_check,
      change_finish },
    { "rebind", true, rebind_begin, bind_act, filters_own, witness_check, witness_check, change_check,
      change_finish },
    { "rebind any", true, rebind_begin, rebind_any_act, filters_own, witness_check, witness_check,
      change_check, change_finish },
    { "open", true, open_begin, open_act, filters_own, open_while_stopped, open_continued, change_check,
      change_finish },
    { "end", true, end_begin, end_act, NULL, end_while_stopped, end_continued, change_check, change_finish },
    { "read", false, read_prepare, read_act, NULL, read_while_stopped, NULL, read_after, shared_finish },
    { "arm", false, read_prepare, arm_act, NULL, arm_while_stopped, NULL, arm_after, shared_finish },
    { "reuse", false, reuse_begin, send_act, NULL, reuse_while_stopped, reuse_continued, reuse_after,
      reuse_finish },
    { "link gone", false, gone_begin, gone_act, NULL, NULL, NULL, gone_after, gone_finish },
};

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
    if (!scenario->own_process) { /* only who is to die holds it now */
        if (scenario->act == send_act) close(shared->sock.fd);
    }
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
    for (unsigned i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
        if (argc > 1 && strcmp(argv[1], scenarios[i].name) != 0) continue;
        run(&scenarios[i], SIGKILL, &count);
        run(&scenarios[i], SIGSTOP, &count);
    }
    printf("# %u strokes\n1..%u\n", strokes, count);
    busmem_close(&mem);
    return failures != 0;
}
