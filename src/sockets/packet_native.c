/* sockets/packet_native.c - the kernel's packet sockets, as far as they meet our interfaces: see packet.h. Keeps no state.
 *
 * A program opens a packet socket before it says what for. Unless its protocol is one of CAN the kernel makes it, and when it is bound to an interface that the
 * kernel does not know, ours takes its place: its descriptor then leads to a slot, and options that were set before are set again. */
#include "sockets/packet.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "sockets/bpf.h"
#include "sockets/family.h"
#include "sockets/packet_options.h"
#include "sockets/raw.h"
#include "sockets/usermem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/time.h>

/* prefix: packet_ */

#define FILTER_MAX 512 /* instructions of a program that is taken along */

static bool read_address(const void *user, socklen_t size, struct sockaddr_ll *out)
{
    return size >= sizeof(*out) && user && !usermem_read(out, user, sizeof(*out)) &&
           out->sll_family == AF_PACKET;
}

bool packet_may_bind(const void *user, socklen_t size, int error)
{
    struct sockaddr_ll to;

    if (error && error != ENODEV) return false;
    if (!read_address(user, size, &to)) return false;
    return error ? to.sll_ifindex >= LINK_IFINDEX_FIRST
                 : !to.sll_ifindex && packet_is_ours(SOCK_RAW, to.sll_protocol, false);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    return sys_call(SYS_getsockopt, fd, level, name, &value, &size) == 0 ? value : -1;
}

/* ---- what goes along ---- */

/* Options of SOL_SOCKET that count on a packet socket, each an integer; 0 and what a new socket has need not be set. */
static void copy_integers(const struct bus *bus, uint32_t slot, int from, int to)
{
    static const int names[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING, SO_RXQ_OVFL, SO_PRIORITY };
    unsigned count;
    const int *kept = packet_kept_options(&count);
    int size = option_of(from, SOL_SOCKET, SO_RCVBUF), half = size / 2, value;

    if (size > 0 && size != option_of(to, SOL_SOCKET, SO_RCVBUF)) {
        family_setsockopt(bus, slot, to, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        value = option_of(from, SOL_SOCKET, names[i]);
        if (value > 0) family_setsockopt(bus, slot, to, SOL_SOCKET, names[i], &value, sizeof(value));
    }
    for (unsigned i = 0; i < count; i++) {
        value = option_of(from, SOL_PACKET, kept[i]);
        if (value > 0) family_setsockopt(bus, slot, to, SOL_PACKET, kept[i], &value, sizeof(value));
    }
}

static void copy_timeouts(int from, int to)
{
    static const int names[] = { SO_RCVTIMEO, SO_SNDTIMEO };
    struct timeval value;
    socklen_t size;

    for (size_t i = 0; i < 2; i++) {
        size = sizeof(value);
        if (sys_call(SYS_getsockopt, from, SOL_SOCKET, names[i], &value, &size) == 0)
            sys_call(SYS_setsockopt, to, SOL_SOCKET, names[i], &value, size);
    }
}

static void copy_filter(const struct bus *bus, uint32_t slot, int from)
{
    struct sock_filter program[FILTER_MAX];
    socklen_t count = FILTER_MAX; /* instructions, not bytes */
    struct sock_fprog filter = { .filter = program };

    if (sys_call(SYS_getsockopt, from, SOL_SOCKET, SO_GET_FILTER, program, &count) != 0 || !count) return;
    filter.len = (unsigned short)count;
    bpf_attach(bus, slot, &filter, sizeof(filter));
}

static void copy_flags(int from, int to)
{
    long flags = sys_call(SYS_fcntl, from, F_GETFL, 0);

    if (flags > 0) sys_call(SYS_fcntl, to, F_SETFL, flags & (O_NONBLOCK | O_ASYNC));
}

/* ---- taking its place ---- */

static int protocol_of(int fd)
{
    struct sockaddr_ll name = { 0 };
    socklen_t size = sizeof(name);

    return sys_call(SYS_getsockname, fd, &name, &size) == 0 ? name.sll_protocol : 0;
}

static int replace(const struct bus *bus, int fd, int type)
{
    long cloexec = sys_call(SYS_fcntl, fd, F_GETFD, 0), error;
    int own = packet_socket(bus, type | SOCK_CLOEXEC, protocol_of(fd)), slot;

    if (own < 0) return own;
    slot = raw_identify(bus, own);
    if (slot >= 0) {
        copy_integers(bus, (uint32_t)slot, fd, own);
        copy_timeouts(fd, own);
        copy_filter(bus, (uint32_t)slot, fd);
        copy_flags(fd, own);
    }
    error = slot < 0 ? slot : sys_call(SYS_dup3, own, fd, cloexec & FD_CLOEXEC ? O_CLOEXEC : 0);
    sys_call(SYS_close, own);
    if (error < 0 && slot >= 0) raw_closed(bus, (uint32_t)slot);
    return error < 0 ? (int)error : 0;
}

int packet_adopt(const struct bus *bus, int fd, const void *user, socklen_t size)
{
    struct sockaddr_ll to;
    int type = option_of(fd, SOL_SOCKET, SO_TYPE);

    if (option_of(fd, SOL_SOCKET, SO_DOMAIN) != AF_PACKET || !read_address(user, size, &to)) return -ENOTSOCK;
    if (to.sll_ifindex && links_find(bus->control, (uint32_t)to.sll_ifindex) >= LINKS_MAX) return -ENOTSOCK;
    if (type != SOCK_RAW && type != SOCK_DGRAM) return -ENOTSOCK;
    return replace(bus, fd, type);
}
