/* preload/wait.c - poll and select.
 *
 * The kernel waits on the real descriptors. Before: sockets whose last frame was taken are settled, so that readable means
 * readable. After (poll and select): a stray token is not reported, and the result bits of CAN sockets are made what they are on
 * Linux (an error is POLLERR alone, not POLLIN). epoll.c does the same for epoll. */
#include "preload/deadline.h"
#include "preload/real.h"
#include "sockets/fdtab.h"
#include "sockets/process.h"
#include "sockets/ready.h"
#include "sockets/usermem.h"
#include <signal.h>
#include <time.h>

/* prefix: poll ppoll select pselect __ */

#define IN_BITS  (POLLIN | POLLRDNORM)
#define OUT_BITS (POLLOUT | POLLWRNORM | POLLWRBAND)

/* ---- time ---- */

static bool is_valid(const struct timespec *time)
{
    return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000;
}

/* ---- poll ---- */

/* The sockets of the process, when what is waited for does not name them: an epoll descriptor may be among it. */
static void settle_process(void)
{
    const struct bus *bus = process_bus_attached();
    if (bus) ready_settle_all(bus);
}

/* Is this an array of descriptors at all? The kernel refuses more than RLIMIT_NOFILE. */
static bool is_array(const struct pollfd *fds, nfds_t count)
{
    return count <= FDTAB_MAX && usermem_ok(fds, count * sizeof(*fds), USERMEM_WRITE);
}

static bool any_raw(const struct pollfd *fds, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++)
        if (fd_kind(fdtab_get(fds[i].fd)) == FD_RAW) return true;
    return false;
}

static void settle_polled(const struct bus *bus, const struct pollfd *fds, nfds_t count)
{
    bool all = false;

    for (nfds_t i = 0; i < count; i++) {
        uint32_t entry = fdtab_get(fds[i].fd);
        if (fd_kind(entry) == FD_RAW)
            ready_settle(bus, fd_number(entry), fds[i].fd);
        else
            all |= fds[i].fd >= 0; /* which may be an epoll descriptor with any of them in it */
    }
    if (all) ready_settle_all(bus);
}

#define ASKED_MAX 256 /* descriptors of one poll of which the kernel is asked more than the program asks */
#define BLIND_NS  20000000 /* how long to look away from what the kernel cannot tell us */
#define ROOM_NS   2000000  /* the same of room in a send buffer */

/* Errors are waited for without being asked, and the kernel tells of them by readability: copies `fds` to `asked` with that
 * in it. The kernel may not tell because frames are queued that the program does not want to hear of, because a thread
 * that sleeps in read takes the token of the error queue, or for want of room. Sockets whose send buffer is full are not asked for
 * POLLOUT. Returns how long the kernel can be relied on in ns, or 0: for ever. */
static long ask_errors(const struct bus *bus, struct pollfd *asked, const struct pollfd *fds, nfds_t count)
{
    bool told = true, full = false;

    for (nfds_t i = 0; i < count; i++) {
        uint32_t entry = fdtab_get(fds[i].fd);
        if (count <= ASKED_MAX) asked[i] = fds[i];
        if (fd_kind(entry) != FD_RAW) continue;
        if (ready_uses_error_queue(bus, fd_number(entry))) told = false;
        if ((fds[i].events & OUT_BITS) && ready_lacks_room(bus, fd_number(entry))) {
            full = true;
            if (count <= ASKED_MAX) asked[i].events &= ~OUT_BITS;
        }
        if (fds[i].events & IN_BITS) continue;
        if (count > ASKED_MAX || (ready_mask(bus, fd_number(entry)) & POLLIN))
            told = false;
        else
            asked[i].events |= POLLIN;
    }
    return full ? ROOM_NS : told ? 0 : BLIND_NS;
}

/* Makes revents of CAN sockets true; the kernel's are in `asked`. Returns how many descriptors have any. */
static int correct_polled(const struct bus *bus, struct pollfd *fds, const struct pollfd *asked, nfds_t count)
{
    int ready = 0;

    for (nfds_t i = 0; i < count; i++) {
        uint32_t entry = fdtab_get(fds[i].fd);
        fds[i].revents = asked[i].revents;
        if (fd_kind(entry) == FD_RAW && !(fds[i].revents & POLLNVAL)) {
            if (fds[i].revents & IN_BITS) ready_verify(bus, fd_number(entry), fds[i].fd);
            fds[i].revents = (short)(ready_mask(bus, fd_number(entry)) & (fds[i].events | POLLERR));
        }
        ready += fds[i].revents != 0;
    }
    return ready;
}

static void nap(long ns)
{
    struct timespec time = { 0, ns };
    nanosleep(&time, NULL);
}

static bool is_longer(const struct timespec *time, long ns) { return time->tv_sec > 0 || time->tv_nsec > ns; }

static int poll_ours(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    const struct bus *bus = process_bus_attached();
    struct timespec deadline = { 0, 0 }, left = { 0, 0 };
    struct pollfd copy[ASKED_MAX], *asked = count <= ASKED_MAX ? copy : fds;

    if (timeout && is_valid(timeout)) {
        deadline = deadline_of(timeout);
        left = *timeout;
    } else if (timeout) {
        return real.ppoll(fds, count, timeout, mask);
    }
    for (;;) {
        settle_polled(bus, fds, count);
        long blind_ns = ask_errors(bus, asked, fds, count);
        bool blind = blind_ns && (!timeout || is_longer(&left, blind_ns));
        if (blind) left = (struct timespec){ 0, blind_ns };
        int result = real.ppoll(asked, count, timeout || blind ? &left : NULL, mask);
        if (result < 0) return result;
        int ready = correct_polled(bus, fds, asked, count);
        if (ready || (result == 0 && !blind)) return ready;
        if (blind_ns == ROOM_NS && asked == fds) nap(ROOM_NS); /* it says so each time */
        if (timeout) left = deadline_left(&deadline);
    }
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    struct timespec time = { timeout / 1000, timeout % 1000 * 1000000L };

    if (likely(!process_bus_attached()) || !is_array(fds, count) || !any_raw(fds, count)) {
        settle_process();
        return real.poll(fds, count, timeout);
    }
    return poll_ours(fds, count, timeout < 0 ? NULL : &time, NULL);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    if (likely(!process_bus_attached()) || !is_array(fds, count) || !any_raw(fds, count)) {
        settle_process();
        return real.ppoll(fds, count, timeout, mask);
    }
    return poll_ours(fds, count, timeout, mask);
}

int __poll(struct pollfd *fds, nfds_t count, int timeout);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                size_t room);

EXPORT int __poll(struct pollfd *fds, nfds_t count, int timeout) { return poll(fds, count, timeout); }

EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
    if (room / sizeof(*fds) < count) real_overflow();
    return poll(fds, count, timeout);
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                       size_t room)
{
    if (room / sizeof(*fds) < count) real_overflow();
    return ppoll(fds, count, timeout, mask);
}

/* ---- select ---- */

/* The bits of descriptor `fd` in a set of any size: programs may pass more than FD_SETSIZE. */
static bool has_bit(const fd_set *set, int fd)
{
    return set && ((const unsigned long *)set)[(unsigned)fd / (8 * sizeof(long))] &
                      1ul << (unsigned)fd % (8 * sizeof(long));
}

static void clear_bit(fd_set *set, int fd)
{
    ((unsigned long *)set)[(unsigned)fd / (8 * sizeof(long))] &= ~(1ul << (unsigned)fd % (8 * sizeof(long)));
}

#define SELECT_MAX          4096 /* descriptors that we re-check; beyond, the kernel's answer stands */
#define SELECT_BYTES(count) (((size_t)(count) + 8 * sizeof(long) - 1) / (8 * sizeof(long)) * sizeof(long))

/* The sets as they were asked, to ask again after a stray token. */
struct asked {
    unsigned long set[3][SELECT_MAX / (8 * sizeof(long))];
};

static void copy_sets(struct asked *asked, fd_set *sets[3], int count, bool back)
{
    for (int i = 0; i < 3; i++)
        for (size_t word = 0; sets[i] && word < SELECT_BYTES(count) / sizeof(long); word++) {
            if (back)
                ((unsigned long *)sets[i])[word] = asked->set[i][word];
            else
                asked->set[i][word] = ((unsigned long *)sets[i])[word];
        }
}

/* Takes stray tokens out of the result. Returns how many bits went. */
static int correct_selected(const struct bus *bus, int count, fd_set *in)
{
    int gone = 0;

    for (int fd = 0; in && fd < count; fd++) {
        uint32_t entry = has_bit(in, fd) ? fdtab_get(fd) : 0;
        if (fd_kind(entry) == FD_RAW && !ready_verify(bus, fd_number(entry), fd)) {
            clear_bit(in, fd);
            gone++;
        }
    }
    return gone;
}

/* A message in the error queue is exceptional for sockets with SO_SELECT_ERR_QUEUE, of which the kernel knows nothing: puts
 * their bits into `except` and returns how many. *blind: some may get one while the kernel waits. */
static int add_exceptional(const struct bus *bus, int count, const struct asked *asked, fd_set *except,
                           bool *blind)
{
    int added = 0;

    *blind = false;
    for (int fd = 0; except && fd < count; fd++) {
        uint32_t entry = has_bit((const fd_set *)asked->set[2], fd) ? fdtab_get(fd) : 0;
        if (fd_kind(entry) != FD_RAW || !ready_has_exceptions(bus, fd_number(entry))) continue;
        *blind = true;
        if (ready_mask(bus, fd_number(entry)) & POLLPRI) {
            ((unsigned long *)except)[(unsigned)fd / (8 * sizeof(long))] |=
                1ul << (unsigned)fd % (8 * sizeof(long));
            added++;
        }
    }
    return added;
}

/* The kernel takes sockets whose send buffer is full for writable: does not ask for them. Returns whether there are any. */
static bool leave_out_full(const struct bus *bus, int count, fd_set *out)
{
    bool any = false;

    for (int fd = 0; out && fd < count; fd++) {
        uint32_t entry = has_bit(out, fd) ? fdtab_get(fd) : 0;
        if (fd_kind(entry) != FD_RAW || !ready_lacks_room(bus, fd_number(entry))) continue;
        clear_bit(out, fd);
        any = true;
    }
    return any;
}

static int select_ours(int count, fd_set *sets[3], const struct timespec *timeout, const sigset_t *mask)
{
    const struct bus *bus = process_bus_attached();
    struct timespec deadline = timeout ? deadline_of(timeout) : (struct timespec){ 0, 0 };
    struct timespec left = timeout ? *timeout : deadline;
    struct asked asked = { 0 };
    int result, exceptional;
    long blind_ns;
    bool blind;

    copy_sets(&asked, sets, count, false);
    for (;;) {
        ready_settle_all(bus);
        exceptional = add_exceptional(bus, count, &asked, sets[2], &blind);
        blind_ns = leave_out_full(bus, count, sets[1]) ? ROOM_NS : blind ? BLIND_NS : 0;
        blind = exceptional || (blind_ns && (!timeout || is_longer(&left, blind_ns)));
        if (blind) left = (struct timespec){ 0, exceptional ? 0 : blind_ns };
        result = real.pselect(count, sets[0], sets[1], sets[2], timeout || blind ? &left : NULL, mask);
        if (result < 0 || (result == 0 && !blind)) return result;
        result -= correct_selected(bus, count, sets[0]);
        result += add_exceptional(bus, count, &asked, sets[2], &blind);
        if (result > 0) return result;
        copy_sets(&asked, sets, count, true);
        if (timeout) left = deadline_left(&deadline);
    }
}

static bool is_ours(int count, fd_set *const sets[3])
{
    if (likely(!process_bus_attached()) || count <= 0 || count > SELECT_MAX) return false;
    for (int i = 0; i < 3; i++)
        if (sets[i] && !usermem_ok(sets[i], SELECT_BYTES(count), USERMEM_WRITE)) return false;
    return true;
}

EXPORT int select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    fd_set *sets[3] = { in, out, except };
    struct timespec time, deadline;
    int result;

    if (!is_ours(count, sets) || (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0))) {
        settle_process();
        return real.select(count, in, out, except, timeout);
    }
    if (!timeout) return select_ours(count, sets, NULL, NULL);
    time =
        (struct timespec){ timeout->tv_sec + timeout->tv_usec / 1000000, timeout->tv_usec % 1000000 * 1000 };
    deadline = deadline_of(&time);
    result = select_ours(count, sets, &time, NULL);
    time = deadline_left(&deadline);
    *timeout = (struct timeval){ time.tv_sec, time.tv_nsec / 1000 };
    return result;
}

int __select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout);
EXPORT int __select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    return select(count, in, out, except, timeout);
}

EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                   const sigset_t *mask)
{
    fd_set *sets[3] = { in, out, except };

    if (!is_ours(count, sets) || (timeout && !is_valid(timeout))) {
        settle_process();
        return real.pselect(count, in, out, except, timeout, mask);
    }
    return select_ours(count, sets, timeout, mask);
}
