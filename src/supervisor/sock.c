/* supervisor/sock.c - making, finding and ending sockets; the notes of the packets that lie in their pairs.
 *
 * How many packets a program has taken out nobody tells us: SIOCOUTQ on our end says how many bytes are still there, as the kernel charges them, and we know
 * what it charges for a packet of each size because we tried. */
#include "supervisor/sock.h"
#include "base/clock.h"
#include "base/sys.h"
#include "sockets/packet.h"
#include "sockets/process.h"
#include "sockets/raw.h"
#include "supervisor/pump.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <linux/can.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUCKETS  256u
#define SWEEP_MS 200
#define SOON_MS  1
#define MS_NS    1000000u

const struct bus *sock_bus;
static struct sock *buckets[BUCKETS], *all;

/* ---- finding ---- */

struct sock *sock_find(uint64_t inode)
{
    struct sock *sock = buckets[inode % BUCKETS];

    while (sock && sock->inode != inode)
        sock = sock->next;
    return inode ? sock : NULL;
}

void sock_each(void (*act)(struct sock *))
{
    for (struct sock *sock = all, *after; sock; sock = after) {
        after = sock->after;
        act(sock);
    }
}

bool sock_any(void) { return all; }

/* ---- life ---- */

static void watch_process(pid_t process);

static int make_pair(struct sock *sock, int *program_fd)
{
    int error = pair_open(&sock->ends, program_fd);
    struct stat about;

    if (error) return error;
    fstat(*program_fd, &about);
    sock->inode = about.st_ino;
    sock->pair = (struct watch){ .fd = sock->ends.fd, .ready = pump_pair_ready };
    return 0;
}

static int make_parts(struct sock *sock, int fd, int *program_fd)
{
    uint32_t protocol;

    sock->ring = (struct watch){ .fd = fd, .ready = pump_ring_ready };
    sock->slot = (uint32_t)raw_identify(sock_bus, fd);
    if (sock->slot >= SOCKETS_MAX) return -ENOMEM;
    protocol = load_relaxed(&sock_bus->data->slot[sock->slot].protocol);
    sock->is_raw = protocol == CAN_RAW;
    sock->has_items = protocol == CAN_RAW || protocol == PROTOCOL_PACKET;
    sock->notes = malloc(SOCK_NOTES * sizeof(*sock->notes));
    sock->next_bytes = malloc(sock->has_items ? sizeof(struct ring_item) : SOCK_PACKET_MAX);
    return sock->notes && sock->next_bytes ? make_pair(sock, program_fd) : -ENOMEM;
}

int sock_open(int domain, int type, int protocol, pid_t process, struct sock **out, int *program_fd)
{
    int flags = (type & ~SOCK_NONBLOCK) | SOCK_CLOEXEC;
    int fd = domain == AF_PACKET ? packet_socket(sock_bus, flags, protocol)
                                 : family_socket(sock_bus, flags, protocol);

    return fd < 0 ? fd : sock_adopt(fd, process, out, program_fd);
}

int sock_adopt(int fd, pid_t process, struct sock **out, int *program_fd)
{
    struct sock *sock = calloc(1, sizeof(*sock)), **bucket;
    int error = sock ? make_parts(sock, fd, program_fd) : -ENOMEM;

    if (error) {
        close(fd);
        if (sock) {
            free(sock->notes);
            free(sock->next_bytes);
        }
        free(sock);
        return error;
    }
    sock->kept_fd = -1;
    store_relaxed(&sock_bus->data->slot[sock->slot].owner_pid, (uint32_t)process);
    store_relaxed(&sock_bus->data->slot[sock->slot].door, SLOT_DOOR_SUPERVISOR);
    store_relaxed(&sock_bus->data->slot[sock->slot].inode, sock->inode); /* which the program sees */
    bucket = &buckets[sock->inode % BUCKETS];
    sock->next = *bucket;
    *bucket = sock;
    sock->after = all;
    if (all) all->before = &sock->after;
    sock->before = &all;
    all = sock;
    watch_process(process);
    pump_begin(sock);
    pump_run(sock); /* one that is taken over may have frames */
    *out = sock;
    return 0;
}

void sock_end(struct sock *sock)
{
    struct sock **at = &buckets[sock->inode % BUCKETS];

    while (*at != sock)
        at = &(*at)->next;
    *at = sock->next;
    *sock->before = sock->after;
    if (sock->after) sock->after->before = sock->before;
    watch_end(&sock->ring);
    watch_end(&sock->pair);
    close(sock->ring.fd);
    close(sock->pair.fd);
    if (sock->kept_fd >= 0) close(sock->kept_fd);
    family_closed(
        sock_bus,
        sock->slot); /* who closed or ended in peace has waited for what was being sent (control.c) */
    free(sock->notes);
    free(sock->next_bytes);
    watch_free(sock);
}

void sock_keep(struct sock *sock, int fd) { sock->kept_fd = fd; }

/* Where we have to keep the program's end, our own descriptor is one of those that are found. */
static void end_if_unheld(struct sock *sock)
{
    bool held = sock->kept_fd < 0 ? pair_is_held(&sock->ends) : remote_holders(sock->inode) > 1;
    if (held)
        pump_run(sock); /* who read past us did not say that there is room */
    else
        sock_end(sock);
}

static void end_if_plainly_unheld(struct sock *sock)
{
    if (sock->kept_fd < 0) end_if_unheld(sock);
}

static bool look_soon;

void sock_look_soon(void) { look_soon = true; }

void sock_look(void)
{
    if (look_soon) sock_each(end_if_plainly_unheld);
}

int sock_pause(void) { return !sock_any() ? -1 : look_soon ? SOON_MS : SWEEP_MS; }

int sock_sweep(void)
{
    static uint64_t last_ns, soon_ns;
    uint64_t now_ns = clock_mono_ns();

    if (!sock_any()) return -1;
    if (now_ns - last_ns >= SWEEP_MS * MS_NS) {
        last_ns = now_ns;
        sock_each(end_if_unheld);
        return SWEEP_MS;
    }
    if (look_soon && !soon_ns) soon_ns = now_ns + SOON_MS * MS_NS;
    if (!look_soon) return SWEEP_MS;
    sock_each(end_if_plainly_unheld);
    look_soon = now_ns < soon_ns;
    if (!look_soon) soon_ns = 0;
    return look_soon ? SOON_MS : SWEEP_MS;
}

/* ---- whose they are ---- */

/* A process that opened sockets: when it ends, some may be nobody's. */
static struct owner {
    struct owner *next;
    struct watch watch; /* a pidfd */
    pid_t process;
} * owners;

static void owner_ended(struct watch *watch, uint32_t events)
{
    struct owner *owner = watch_owner(watch, struct owner, watch), **at = &owners;

    (void)events;
    while (*at != owner)
        at = &(*at)->next;
    *at = owner->next;
    watch_end(watch);
    close(watch->fd);
    watch_free(owner);
    sock_each(end_if_plainly_unheld);
}

static void watch_process(pid_t process)
{
    struct owner *owner = owners;

    while (owner && owner->process != process)
        owner = owner->next;
    if (owner || !process) return;
    owner = calloc(1, sizeof(*owner));
    if (!owner) return;
    owner->process = process;
    owner->watch = (struct watch){ .fd = (int)syscall(SYS_pidfd_open, process, 0), .ready = owner_ended };
    if (owner->watch.fd < 0 || watch_for(&owner->watch, EPOLLIN)) {
        if (owner->watch.fd >= 0) close(owner->watch.fd);
        free(owner);
        return;
    }
    owner->next = owners;
    owners = owner;
}

/* ---- notes ---- */

/* What the kernel counts for a packet of this size. */
static uint32_t charge_of(uint32_t size)
{
    static uint32_t known[SOCK_PACKET_MAX + 1];
    static int pair[2] = { -1, -1 };
    static const uint8_t zeros[SOCK_PACKET_MAX];
    char byte;
    int queued = 0;

    if (known[size]) return known[size];
    if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return 1;
    if (send(pair[0], zeros, size, MSG_DONTWAIT) < 0) return 1;
    ioctl(pair[0], SIOCOUTQ, &queued);
    recv(pair[1], &byte, 1, MSG_DONTWAIT);
    return known[size] = (uint32_t)queued;
}

void sock_remember(struct sock *sock, const struct sock_note *note)
{
    struct sock_note *kept = &sock->notes[(sock->first + sock->count++) % SOCK_NOTES];

    *kept = *note;
    kept->charge = charge_of(note->size);
    sock->charge += kept->charge;
    sock->can_charge += frame_charge(note->size);
}

static uint64_t time_of(const struct sock *sock, const struct sock_note *note)
{
    struct ring_item item;

    if (!sock->has_items) return 0;
    memcpy(&item, note->item, SOCK_ABOUT);
    return item.time_ns;
}

static void drop_first(const struct sock *sock)
{
    struct raw_receive message = { .iov = NULL };

    family_receive(sock_bus, sock->slot, sock->ring.fd, &message, MSG_DONTWAIT);
}

static void forget_first(struct sock *sock)
{
    const struct sock_note *note = &sock->notes[sock->first];

    if (note->is_copy) drop_first(sock);
    sock->took = true;
    sock->last_ns = time_of(sock, note);
    sock->charge -= note->charge;
    sock->can_charge -= frame_charge(note->size);
    sock->first = (sock->first + 1) % SOCK_NOTES;
    sock->count--;
}

static uint32_t bytes_queued(const struct sock *sock)
{
    int bytes = 0;

    return ioctl(sock->pair.fd, SIOCOUTQ, &bytes) < 0 ? 0 : (uint32_t)bytes;
}

void sock_catch_up(struct sock *sock)
{
    uint32_t queued = sock->count ? bytes_queued(sock) : 0;

    while (sock->count && sock->charge > queued)
        forget_first(sock);
}

static const struct sock_note *note_at(const struct sock *sock, uint32_t index)
{
    return &sock->notes[(sock->first + index) % SOCK_NOTES];
}

static bool fits(const struct sock_note *note, const void *bytes, size_t size)
{
    return note->size == size && !memcmp(note->start, bytes, size < SOCK_START ? size : SOCK_START);
}

const struct sock_note *sock_recall(struct sock *sock, const void *bytes, size_t size, bool peek)
{
    uint32_t queued = bytes_queued(sock), rest = sock->charge, index = 0;

    while (index < sock->count && rest > queued)
        rest -= note_at(sock, index++)->charge;
    if (!peek && index) index--; /* the last one that is gone is ours, unless another reader was faster */
    for (uint32_t i = index + 1; i-- > 0;)
        if (i < sock->count && fits(note_at(sock, i), bytes, size)) return note_at(sock, i);
    for (uint32_t i = index + 1; i < sock->count; i++)
        if (fits(note_at(sock, i), bytes, size)) return note_at(sock, i);
    return NULL;
}
