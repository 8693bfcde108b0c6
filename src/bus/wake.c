/* bus/wake.c - tokens: how a descriptor becomes readable.
 *
 * ring.armed has three states, with a generation that each arming changes:
 *   ARMED(g)   the ring was seen empty and no token is under way; the next event must send one. Set by a reader.
 *   SENDING(g) a producer took that duty and is sending. It goes on to SENT(g).
 *   SENT(g)    a token is in the socket's queue (or was just read by a reader that is about to arm).
 * A producer that dies between ARMED and the sending leaves SENDING(g): the next producer that meets it waits a little and then
 * sends in its place; a reader that meets it takes whatever token there is, arms anew and looks again. So a token may be one
 * too many, never one too few. What nobody meets any more (the last sender was killed between its frame and its token, a reader
 * between waking and seeing to the other sleepers) the daemon's slot_nudge finds.
 *
 * Pairing (all sequentially consistent): producer stores READY into the record, then loads armed; reader stores ARMED, then
 * loads the record. One of them sees the other. */
#include "bus/wake.h"
#include "bus/errqueue.h"
#include "bus/mqueue.h"
#include "bus/ring.h"
#include "base/sys.h"
#include <errno.h>
#include <linux/can.h>
#include <stddef.h>

#define SENDING_SPINS 300

static unsigned decimal(char *out, uint32_t value)
{
    char digits[10];
    unsigned count = 0, i;

    do
        digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    for (i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

int wake_address(const struct bus *bus, uint32_t slot, uint32_t gen, struct sockaddr_un *out)
{
    char *at = out->sun_path;

    if (bus->dir_size + sizeof("/s/8191.4294967295") > sizeof(out->sun_path)) return -ENAMETOOLONG;
    out->sun_family = AF_UNIX;
    __builtin_memcpy(at, bus->dir, bus->dir_size);
    at += bus->dir_size;
    __builtin_memcpy(at, "/s/", 3);
    at += 3;
    at += decimal(at, slot);
    *at++ = '.';
    at += decimal(at, gen);
    *at++ = 0;
    return (int)(at - (char *)out);
}

static long send_from(int fd, const struct sockaddr_un *address, int size)
{
    return sys_call(SYS_sendto, fd, "w", 1, MSG_DONTWAIT | MSG_NOSIGNAL, address, size);
}

int wake_socket(void) { return (int)sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

/* From a socket of its own, which owes nothing to receivers that have not taken their tokens. */
static long send_from_fresh(const struct sockaddr_un *address, int size)
{
    long fd = wake_socket(), sent;

    if (fd < 0) return fd;
    sent = send_from((int)fd, address, size);
    sys_call(SYS_close, fd);
    return sent;
}

static int bell_address(const struct bus *bus, struct sockaddr_un *out)
{
    uint64_t name = load_acquire(&bus->control->bell_name);
    int size = 0;

    if (!name) return -ENOENT;
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    __builtin_memcpy(out->sun_path + 1, &name, sizeof(name));
    while (size < (int)sizeof(name) && out->sun_path[1 + size])
        size++;
    return (int)offsetof(struct sockaddr_un, sun_path) + 1 + size;
}

/* We cannot reach the socket by its name - since setuid() or chroot() - but the daemon can. */
static long ask_daemon(const struct bus *bus, uint32_t slot)
{
    struct wake_bell bell = { load_acquire(&bus->control->bell_secret), slot, 0 };
    struct sockaddr_un address;
    int size = bell_address(bus, &address), fd = size < 0 ? size : wake_socket();
    long sent;

    if (fd < 0) return fd;
    sent = sys_call(SYS_sendto, fd, &bell, sizeof(bell), MSG_DONTWAIT | MSG_NOSIGNAL, &address, size);
    sys_call(SYS_close, fd);
    return sent;
}

/* Returns 0 when the socket has a token now, -ECONNREFUSED when nobody holds it, or why it could not be sent. */
static int send_token(const struct bus *bus, uint32_t slot, uint32_t gen, int fd)
{
    struct sockaddr_un address;
    int size = wake_address(bus, slot, gen, &address);
    long sent;

    if (load_relaxed(&bus->data->slot[slot].protocol) > CAN_RAW) /* a connection: only its other end can */
        return ask_daemon(bus, slot) > 0 ? 0 : -EAGAIN;
    if (size < 0) return size;
    sent = send_from(fd, &address, size);
    if (likely(sent > 0) || sent == -ECONNREFUSED) return sent > 0 ? 0 : (int)sent;
    if (sent == -EACCES || sent == -ENOENT) return ask_daemon(bus, slot) > 0 ? 0 : (int)sent;
    sent = send_from_fresh(&address, size); /* ours was closed by another thread, or is full of tokens */
    return sent > 0 || sent == -EAGAIN ? 0 : (int)sent; /* a full queue holds tokens enough */
}

static long nudge(const struct bus *bus, uint32_t slot, uint32_t gen)
{
    struct sockaddr_un address;
    int size = wake_address(bus, slot, gen, &address);

    if (load_relaxed(&bus->data->slot[slot].protocol) > CAN_RAW) return ask_daemon(bus, slot);
    return size > 0 ? send_from_fresh(&address, size) : size;
}

void wake_nudge(const struct bus *bus, uint32_t slot, uint32_t gen) { nudge(bus, slot, gen); }

/* There is a token already, yet each event is to bring its SIGIO. When no more tokens fit, the reader makes up for it. */
static void signal_once_more(const struct bus *bus, uint32_t slot)
{
    struct bus_slot *s = &bus->data->slot[slot];

    if (nudge(bus, slot, load_acquire(&s->gen)) == -EAGAIN) atomic_fetch_add(&s->signals_owed, 1);
}

/* Takes over the duty to send: the SENDING word, or 0 when it is not ours. */
static uint32_t take_duty(atomic_u32 *armed)
{
    uint32_t word = load_seq(armed), sending = (word & ~3u) | WAKE_SENDING;

    if (likely((word & 3) == WAKE_SENT)) return 0;
    if ((word & 3) == WAKE_ARMED)
        return cas32(armed, word, sending) ? sending : 0; /* else somebody else sends */
    for (unsigned i = 0; i < SENDING_SPINS; i++) {
        if (load_seq(armed) != word) return 0;
        cpu_relax();
    }
    return sending; /* its sender died or is stopped: a token too many does no harm */
}

int wake_notify(const struct bus *bus, uint32_t slot, int fd, uint32_t *gen)
{
    atomic_u32 *armed = &bus->data->slot[slot].armed, *current = &bus->data->slot[slot].gen;
    uint32_t sending, addressed;
    int result;

    if (unlikely(!wake_is_wanted(bus, slot) && load_relaxed(&bus->data->slot[slot].async)))
        signal_once_more(bus, slot);
    while (unlikely((sending = take_duty(armed)) != 0)) {
        addressed = load_acquire(current);
        result = send_token(bus, slot, addressed, fd);
        if (likely(result != -ECONNREFUSED)) {
            cas32(armed, sending, (sending & ~3u) | WAKE_SENT); /* or we cannot send: slot_nudge() will */
            return 0;
        }
        cas32(armed, sending,
              (sending & ~3u) | WAKE_ARMED); /* if the slot has a new owner, he is still to be told */
        if (addressed != load_seq(current)) continue;
        if (gen) *gen = addressed;
        return -ECONNREFUSED;
    }
    return 0;
}

bool wake_notify_connected(const struct bus *bus, uint32_t slot, int fd)
{
    atomic_u32 *armed = &bus->data->slot[slot].armed;
    uint32_t sending = take_duty(armed);
    long sent;

    if (!sending && !load_relaxed(&bus->data->slot[slot].async)) return true;
    sent = sys_call(SYS_sendto, fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
    if (sending) cas32(armed, sending, (sending & ~3u) | WAKE_SENT);
    return sent > 0;
}

bool wake_has_data(const struct bus *bus, uint32_t slot)
{
    const struct bus_slot *at = &bus->data->slot[slot];
    uint32_t protocol = load_relaxed(&at->protocol);

    if (unlikely(protocol > CAN_RAW)) return !mqueue_empty(bus, slot);
    return !ring_empty(bus, slot) ||
           (unlikely(protocol == PROTOCOL_PACKET) && load_relaxed(&at->setting[PACKET_HELD]));
}

bool wake_readable(const struct bus *bus, uint32_t slot)
{
    return load_seq(&bus->data->slot[slot].error) || wake_has_data(bus, slot);
}

bool wake_pending(const struct bus *bus, uint32_t slot)
{
    return wake_readable(bus, slot) || !errqueue_empty(bus, slot);
}

void wake_hung_up(const struct bus *bus, uint32_t slot)
{
    struct bus_slot *at = &bus->data->slot[slot];

    if (load_relaxed(&at->protocol) <= CAN_RAW) return;
    store_seq(&at->bound, 0);
    store_seq(&at->error, ECONNRESET);
}

/* Takes the tokens off. True when there were any. */
static bool take_tokens(const struct bus *bus, uint32_t slot, int fd)
{
    char tokens[8];
    bool any = false;
    long got;

    while ((got = sys_call(SYS_recvfrom, fd, tokens, sizeof(tokens), MSG_DONTWAIT, NULL, NULL)) > 0)
        any = true;
    if (unlikely(got == 0)) wake_hung_up(bus, slot);
    return any;
}

/* Waits a little for a token that is being sent: else it comes when there is nothing to report any more. */
static void await_token(const atomic_u32 *armed)
{
    for (unsigned i = 0; i < SENDING_SPINS && (load_seq(armed) & 3) == WAKE_SENDING; i++)
        cpu_relax();
}

static bool settle(const struct bus *bus, uint32_t slot, int fd,
                   bool (*is_pending)(const struct bus *, uint32_t))
{
    atomic_u32 *armed = &bus->data->slot[slot].armed;
    uint32_t word = load_seq(armed), fresh;

    /* Who was woken by the token finds it here, while its sender still returns from sending it. */
    if (!take_tokens(bus, slot, fd) && (word & 3) == WAKE_SENDING) {
        await_token(armed);
        word = load_seq(armed);
        take_tokens(bus, slot, fd);
    }
    for (;;) {
        fresh = ((word & ~3u) + 4) | WAKE_ARMED;
        if (cas32(armed, word, fresh)) break;
        word = load_seq(armed);
        take_tokens(bus, slot, fd);
    }
    if (!is_pending(bus, slot)) return true;
    if (is_pending == wake_readable && load_relaxed(&bus->data->slot[slot].protocol) > CAN_RAW)
        return false; /* the reader takes it now; a token would have to come from the worker (wake.h) */
    if (cas32(armed, fresh, (fresh & ~3u) | WAKE_SENDING)) {
        send_token(bus, slot, load_acquire(&bus->data->slot[slot].gen), fd);
        cas32(armed, (fresh & ~3u) | WAKE_SENDING, (fresh & ~3u) | WAKE_SENT);
    }
    return false;
}

bool wake_settle(const struct bus *bus, uint32_t slot, int fd) { return settle(bus, slot, fd, wake_pending); }
bool wake_settle_reader(const struct bus *bus, uint32_t slot, int fd)
{
    return settle(bus, slot, fd, wake_readable);
}

void wake_rearm(const struct bus *bus, uint32_t slot)
{
    atomic_u32 *armed = &bus->data->slot[slot].armed;
    uint32_t word = load_seq(armed);

    if ((word & 3) == WAKE_SENT) cas32(armed, word, ((word & ~3u) + 4) | WAKE_ARMED);
}

enum wake_life wake_probe(const struct bus *bus, uint32_t slot, uint32_t gen)
{
    struct sockaddr_un address;
    int size = wake_address(bus, slot, gen, &address);
    long fd, result;

    if (size < 0) return WAKE_UNKNOWN;
    fd = sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return WAKE_UNKNOWN;
    result = sys_call(SYS_connect, fd, &address, size);
    sys_call(SYS_close, fd);
    switch (result) {
    case -ECONNREFUSED: return WAKE_DEAD;
    case -ENOENT: return WAKE_NAMELESS;
    default: return WAKE_ALIVE;
    }
}
