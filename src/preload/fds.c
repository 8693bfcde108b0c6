/* preload/fds.c - which descriptors are ours: entered at socket(), exec and SCM_RIGHTS; copied by dup; dropped by close.
 *
 * Owns the pool that gives netlink sockets a number for the descriptor table. The pool only ever grows into free places by
 * compare-and-swap; a place is freed when the last descriptor of its socket goes. */
#include "preload/fds.h"
#include "preload/real.h"
#include "base/sys.h"
#include "sockets/family.h"
#include "sockets/fdtab.h"
#include "sockets/nlfd.h"
#include "sockets/process.h"
#include "sockets/ready.h"
#include <linux/netlink.h>

#define NETLINKS 256

static _Atomic(struct nlfd *) netlinks[NETLINKS];

static ssize_t real_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    int saved = errno;
    ssize_t result = real.sendmsg(fd, msg, flags);

    if (result < 0) result = -errno;
    errno = saved;
    return result;
}

static ssize_t real_recvmsg(int fd, struct msghdr *msg, int flags)
{
    int saved = errno;
    ssize_t result = real.recvmsg(fd, msg, flags);

    if (result < 0) result = -errno;
    errno = saved;
    return result;
}

struct nlfd *fds_netlink(uint32_t entry) { return load_acquire(&netlinks[fd_number(entry) % NETLINKS]); }

ssize_t fds_netlink_sendmsg(uint32_t entry, int fd, const struct msghdr *msg, int flags)
{
    struct nlfd *nl = fds_netlink(entry);
    return nl ? nlfd_sendmsg(nl, fd, msg, flags) : real_sendmsg(fd, msg, flags);
}

ssize_t fds_netlink_recvmsg(uint32_t entry, int fd, struct msghdr *msg, int flags)
{
    struct nlfd *nl = fds_netlink(entry);
    return nl ? nlfd_recvmsg(nl, fd, msg, flags) : real_recvmsg(fd, msg, flags);
}

void fds_add_netlink(int fd)
{
    static const struct nlfd_ops ops = { real_sendmsg, real_recvmsg };
    const struct bus *bus = process_bus();
    struct nlfd *nl = bus && !fdtab_is_borrowed() ? nlfd_open(bus, fd, &ops) : NULL;

    for (uint32_t i = 0; nl && i < NETLINKS; i++) {
        struct nlfd *none = NULL;
        if (atomic_compare_exchange_strong(&netlinks[i], &none, nl)) {
            fdtab_set(fd, fd_entry(FD_NETLINK, i));
            return;
        }
    }
    if (nl) nlfd_close(nl);
}

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return sys_call(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

void fds_adopt(int fd)
{
    const struct bus *bus;
    char dir[128];
    int domain = option_of(fd, SO_DOMAIN), protocol = domain == AF_NETLINK ? option_of(fd, SO_PROTOCOL) : -1,
        slot;

    if ((protocol == NETLINK_ROUTE || protocol == NETLINK_GENERIC) && process_has_instance())
        fds_add_netlink(fd);
    if (domain != AF_UNIX || raw_identify_dir(fd, dir, sizeof(dir)) != 0) return;
    if (!process_has_instance() && process_trusts_dir(dir)) process_set_dir(dir, false);
    bus = process_bus();
    slot = bus ? raw_identify(bus, fd) : -1;
    if (slot < 0) return;
    fdtab_set(fd, fd_entry(FD_RAW, (uint32_t)slot));
    ready_track((uint32_t)slot, fd);
}

void fds_copied(int to, uint32_t entry)
{
    uint32_t before = fdtab_set(to, entry);

    if (fd_kind(entry) == FD_RAW) ready_track(fd_number(entry), to);
    if (fd_kind(entry) == FD_NETLINK && fdtab_get(to) == entry && fds_netlink(entry))
        nlfd_ref(fds_netlink(entry));
    if (before) fds_closed(before);
}

void fds_closed(uint32_t entry)
{
    const struct bus *bus = process_bus_attached();
    struct nlfd *nl;

    if (fd_kind(entry) == FD_RAW && bus) {
        family_closed(bus, fd_number(entry));
    } else if (fd_kind(entry) == FD_NETLINK) {
        nl = fds_netlink(entry);
        if (fdtab_find(entry) < 0) atomic_store(&netlinks[fd_number(entry) % NETLINKS], NULL);
        if (nl) nlfd_close(nl);
    }
}

static void finish(int fd, uint32_t entry, void *context)
{
    if (fd_kind(entry) == FD_RAW && family_is_sending(context, fd_number(entry))) close(fd);
}

void fds_finish(void)
{
    const struct bus *bus = process_bus_attached();
    if (bus && !fdtab_is_borrowed()) fdtab_each(0, FDTAB_MAX - 1, finish, (void *)(uintptr_t)bus);
}
