/* daemon/engine_host.c - what the protocol machines see of the world: frames, time, memory (struct can_host); and when the worker sleeps.
 *
 * Frames come through the inbox, also those that the machines send themselves: so every machine sees the frames of a bus in the order in
 * which raw sockets see them, and a machine never runs inside another.
 *
 * Time: one timerfd, absolute, set to the first timer of all. The process's timer slack is 1 ns. */
#include "daemon/engine.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include "base/clock.h"
#include "bus/links.h"

#define FRAMES_A_CLOCK  8     /* frames that count as simultaneous */
#define TIMERS_APART_NS 40000 /* less than the gap between two frames of ISO-TP, and of a 1-Mbit/s bus */
#define WATCH_NS        60000
#define RESTRAINT_MAX   63
#define IMMINENT_NS     100000
#define EXPIRE_MAX      4096 /* timers in one go, before other events have their turn */

static struct engine *the_engine; /* one per worker: engine_take_own() finds it here */

static uint64_t origin_of(uint32_t slot, uint32_t gen) { return (uint64_t)gen << 32 | (slot + 1); }

/* ---- what machines ask of their host ---- */

static struct engine *engine_of(struct can_host *host) { return (struct engine *)(void *)host; }
_Static_assert(offsetof(struct engine, host) == 0, "a host is found by its first member");

static int host_send(struct can_host *host, uint64_t origin, uint32_t ifindex, const void *frame,
                     uint32_t size)
{
    struct engine *engine = engine_of(host);
    struct bus_frame out = { .frame = frame,
                             .size = size,
                             .origin = (uint32_t)origin - 1,
                             .origin_gen = (uint32_t)(origin >> 32),
                             .owner = RING_OWNER_DAEMON,
                             .time_ns = engine->now + engine->real_offset,
                             .token_fd = engine->token_fd,
                             .loopback = true };

    return bus_transmit(engine->bus, ifindex, &out);
}

static int host_subscribe(struct can_host *host, struct subscription *subscription)
{
    struct engine *engine = engine_of(host);
    uint32_t ifindex = subscription->ifindex;
    int error;

    subscription->place = ifindex ? links_find(engine->bus->control, ifindex) : IMAP_ANY;
    if (ifindex && subscription->place >= LINKS_MAX) return -ENODEV;
    error = inbox_want(&engine->inbox, subscription->place, subscription->id);
    if (!error) subscriptions_add(&engine->subscriptions, subscription);
    return error;
}

static void host_unsubscribe(struct can_host *host, struct subscription *subscription)
{
    struct engine *engine = engine_of(host);

    if (!subscription->link) return;
    subscriptions_remove(&engine->subscriptions, subscription);
    inbox_unwant(&engine->inbox, subscription->place, subscription->id);
}

static void *host_allocate(struct can_host *host, size_t size)
{
    (void)host;
    return malloc(size);
}

static void host_release(struct can_host *host, void *memory)
{
    (void)host;
    free(memory);
}

/* ---- staying awake ----
 *
 * Who got a frame from a machine often answers at once, and falling asleep and being woken take longer than that. So after a frame the worker looks for more
 * for a while, letting others run, and senders need wake nobody. When nothing came, it looks at one time in three, seven ... up to
 * RESTRAINT_MAX that frames come after sleep. */

/* A frame is served. */
static void watch_again(struct engine *engine)
{
    engine->watch.since = engine->now;
    if (!engine->watch.on) return;
    engine->watch.on = false;
    engine->watch.restraint = 0;
}

static bool is_watching(struct engine *engine)
{
    if (engine->watch.off || engine->now - engine->watch.since > WATCH_NS) return false;
    engine->watch.on = true;
    sched_yield();
    return true;
}

static void watch_no_more(struct engine *engine)
{
    if (engine->watch.on) {
        engine->watch.restraint = engine->watch.restraint * 2 + 1;
        if (engine->watch.restraint > RESTRAINT_MAX) engine->watch.restraint = RESTRAINT_MAX;
        engine->watch.left = engine->watch.restraint;
    }
    engine->watch.on = false;
    engine->watch.off = engine->watch.left > 0;
    if (engine->watch.left && engine->watch.since > engine->watch.slept) engine->watch.left--;
    engine->watch.slept = engine->now;
}

/* ---- frames and time ---- */

void engine_take_own(const struct bus *bus, uint32_t slot, const struct bus_frame *frame,
                     const struct ring_meta *meta)
{
    (void)bus;
    if (slot == the_engine->inbox.slot) inbox_put(&the_engine->inbox, frame, meta);
}

static bool on_frame(struct inbox *inbox, const struct ring_item *item)
{
    struct engine *engine = timer_owner(inbox, struct engine, inbox);
    struct can_event event = { .frame = item->frame,
                               .kind = frame_classify(item->frame, item->size),
                               .ifindex = item->ifindex,
                               .scope = item->record_flags & RECORD_BOUND ? CAN_SCOPE_LINK : CAN_SCOPE_ANY,
                               .origin = item->origin == SOCKET_NONE
                                             ? 0
                                             : origin_of(item->origin, item->origin_gen),
                               .stamp_ns = item->time_ns };

    if (engine->frames++ % FRAMES_A_CLOCK == 0) engine->now = clock_mono_ns();
    event.now = engine->now;
    watch_again(engine);
    if (event.kind == FRAME_CC || event.kind == FRAME_FD) subscriptions_serve(&engine->subscriptions, &event);
    return true;
}

/* Edge-triggered: nothing has to be read, and engine_turn() does the work. */
static void on_clock(struct loop_source *source, uint32_t events) { (void)source, (void)events; }

/* Sets the clock to the first timer, but not so that we wake for each of many: those of TIMERS_APART_NS are served together. */
static void set_clock(struct engine *engine)
{
    uint64_t at = timers_next(&engine->timers);
    struct itimerspec spec = { 0 };

    if (at < engine->expired_at + TIMERS_APART_NS) at = engine->expired_at + TIMERS_APART_NS;
    if (at == engine->clock_at) return;
    engine->clock_at = at;
    if (at != TIMERS_NEVER) {
        spec.it_value.tv_sec = (time_t)(at / 1000000000u);
        spec.it_value.tv_nsec = (long)(at % 1000000000u);
    }
    timerfd_settime(engine->clock.fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* True when there are more than can have their turn now. */
static bool expire(struct engine *engine)
{
    for (unsigned i = 0; i < EXPIRE_MAX; i++) {
        if (!timers_expire(&engine->timers, engine->now)) return false;
        engine->expired_at = engine->now;
        engine->now = clock_mono_ns(); /* what was begun by this one is not early */
    }
    return true;
}

/* A frame that is due in less time than it takes to fall asleep and wake up: stays awake, and lets others run. */
static bool is_imminent(const struct engine *engine)
{
    uint64_t at = engine->host.exact_at;

    if (at <= engine->now || at - engine->now > IMMINENT_NS) return false;
    sched_yield();
    return true;
}

bool engine_turn(struct engine *engine)
{
    bool more;

    if (!engine->sockets) return false;
    engine->now = clock_mono_ns();
    if (engine->watch.asleep) engine->real_offset = clock_real_ns() - engine->now;
    engine->watch.asleep = false;
    more = expire(engine);
    engine->frames = 1; /* of this clock */
    if (engine->inbox.own_count || !ring_empty(engine->bus, engine->inbox.slot))
        more |= inbox_serve(&engine->inbox);
    engine->frames = 0;
    if (more || is_imminent(engine) || is_watching(engine) || !inbox_settle(&engine->inbox)) return true;
    watch_no_more(engine);
    engine->watch.asleep = true;
    set_clock(engine);
    return false;
}

int engine_host_start(struct engine *engine)
{
    engine->host = (struct can_host){ .timers = &engine->timers,
                                      .send = host_send,
                                      .subscribe = host_subscribe,
                                      .unsubscribe = host_unsubscribe,
                                      .allocate = host_allocate,
                                      .release = host_release };
    the_engine = engine;
    engine->inbox.bus = engine->bus;
    engine->inbox.frame = on_frame;
    engine->inbox.stays_awake = true;
    engine->inbox.source.fd = -1;
    engine->clock_at = TIMERS_NEVER;
    engine->watch.asleep = true;
    engine->clock =
        (struct loop_source){ timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), on_clock };
    if (engine->clock.fd < 0) return -errno;
    prctl(PR_SET_TIMERSLACK, 1);
    return loop_add(&engine->clock, EPOLLIN | EPOLLET);
}
