/* preload/sock.c - socket, bind, names, options, ioctl and the calls that CAN sockets do not have. */
#include "preload/epoll.h"
#include "preload/fds.h"
#include "preload/real.h"
#include "base/sys.h"
#include "sockets/door.h"
#include "sockets/family.h"
#include "sockets/fdtab.h"
#include "sockets/ioctl.h"
#include "sockets/nlfd.h"
#include "sockets/packet.h"
#include "sockets/process.h"
#include "sockets/usermem.h"
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <sys/ioctl.h>

/* prefix: socket bind connect listen accept shutdown get set ioctl __connect */

#define AF_CAN_ 29

static inline bool is_raw(int fd) { return fd_kind(fdtab_get(fd)) == FD_RAW; }

/* A fresh CAN socket goes into the table, or is none: outside it would be a bare AF_UNIX socket. */
static int entered(int fd)
{
    fds_adopt(fd);
    if (is_raw(fd) || fdtab_is_borrowed()) return fd;
    real.close(fd);
    return -EMFILE;
}

/* The kernel's, unless it is one of CAN, or the kernel refuses. */
static int packet(int type, int protocol)
{
    int fd = -1;

    if (!packet_is_ours(type, protocol, false) || !process_bus()) {
        fd = (int)edge(sys_call(SYS_socket, AF_PACKET, type, protocol, 0, 0, DOOR_COOKIE));
        if (fd >= 0 || (errno != EPERM && errno != EAFNOSUPPORT)) return fd;
        if (!packet_is_ours(type, protocol, true) || !process_has_instance() || !process_bus()) return fd;
    }
    fd = packet_socket(process_bus(), type, protocol);
    return (int)edge(fd < 0 ? fd : entered(fd));
}

EXPORT int socket(int domain, int type, int protocol)
{
    const struct bus *bus;
    int fd;

    if (domain == AF_CAN_ && (bus = process_bus())) {
        fd = family_socket(bus, type, protocol);
        return (int)edge(fd < 0 ? fd : entered(fd));
    }
    if (unlikely(domain == AF_PACKET)) return packet(type, protocol);
    if (unlikely(domain == AF_NETLINK && (protocol == NETLINK_ROUTE || protocol == NETLINK_GENERIC) &&
                 process_has_instance())) {
        fd = (int)edge(sys_call(SYS_socket, domain, type, protocol, 0, 0, DOOR_COOKIE));
        if (fd >= 0) fds_add_netlink(fd);
        return fd;
    }
    return real.socket(domain, type, protocol);
}

EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
    const struct bus *bus = domain == AF_CAN_ ? process_bus() : NULL;
    int fd;

    if (!bus) return real.socketpair(domain, type, protocol, fds);
    fd = family_socket(bus, type, protocol);
    if (fd < 0) return (int)edge(fd);
    fds_adopt(fd);
    close(fd);
    return (int)edge(-EOPNOTSUPP);
}

/* The kernel's packet socket is to be bound to an interface of ours. */
static int bind_packet(int fd, const struct sockaddr *name, socklen_t size, int result)
{
    int saved = errno, error = -ENOTSOCK;
    struct epoll_places places;
    const struct bus *bus;

    if (!process_has_instance() || !(bus = process_bus())) return result;
    if (!fdtab_has_room(fd)) return (int)edge(-EMFILE);
    epoll_take_out(fd, &places);
    error = packet_adopt(bus, fd, name, size);
    if (!error && entered(fd) < 0) return (int)edge(-EMFILE);
    epoll_put_back(fd, &places);
    errno = saved;
    if (error == -ENOTSOCK) return result;
    return error ? (int)edge(error) : bind(fd, name, size);
}

EXPORT int bind(int fd, const struct sockaddr *name, socklen_t size)
{
    uint32_t entry = fdtab_get(fd);
    int result;

    if (fd_kind(entry) == FD_RAW)
        return (int)edge(family_bind(process_bus_attached(), fd_number(entry), fd, name, size));
    result = real.bind(fd, name, size);
    if (result == 0 && fd_kind(entry) == FD_NETLINK) nlfd_groups_changed(fds_netlink(entry), fd);
    if (unlikely(packet_may_bind(name, size, result ? errno : 0))) return bind_packet(fd, name, size, result);
    return result;
}

EXPORT int connect(int fd, const struct sockaddr *name, socklen_t size)
{
    uint32_t entry = fdtab_get(fd);

    if (fd_kind(entry) != FD_RAW) return real.connect(fd, name, size);
    return (int)edge(family_connect(process_bus_attached(), fd_number(entry), fd, name, size));
}

int __connect(int fd, const struct sockaddr *name, socklen_t size);
EXPORT int __connect(int fd, const struct sockaddr *name, socklen_t size) { return connect(fd, name, size); }

EXPORT int listen(int fd, int backlog)
{
    return is_raw(fd) ? (int)edge(-EOPNOTSUPP) : real.listen(fd, backlog);
}

EXPORT int accept(int fd, struct sockaddr *name, socklen_t *size)
{
    return is_raw(fd) ? (int)edge(-EOPNOTSUPP) : real.accept(fd, name, size);
}

EXPORT int accept4(int fd, struct sockaddr *name, socklen_t *size, int flags)
{
    if (!is_raw(fd)) return real.accept4(fd, name, size, flags);
    return (int)edge(flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : -EOPNOTSUPP);
}

EXPORT int shutdown(int fd, int how) { return is_raw(fd) ? (int)edge(-EOPNOTSUPP) : real.shutdown(fd, how); }

EXPORT int getpeername(int fd, struct sockaddr *name, socklen_t *size)
{
    return is_raw(fd) ? (int)edge(-EOPNOTSUPP) : real.getpeername(fd, name, size);
}

EXPORT int getsockname(int fd, struct sockaddr *name, socklen_t *size)
{
    uint32_t entry = fdtab_get(fd);

    if (fd_kind(entry) != FD_RAW) return real.getsockname(fd, name, size);
    return (int)edge(family_getsockname(process_bus_attached(), fd_number(entry), name, size));
}

EXPORT int getsockopt(int fd, int level, int option, void *value, socklen_t *size)
{
    uint32_t entry = fdtab_get(fd);

    if (fd_kind(entry) != FD_RAW) return real.getsockopt(fd, level, option, value, size);
    return (int)edge(
        family_getsockopt(process_bus_attached(), fd_number(entry), fd, level, option, value, size));
}

EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    uint32_t entry = fdtab_get(fd);
    int result;

    if (fd_kind(entry) == FD_RAW)
        return (int)edge(
            family_setsockopt(process_bus_attached(), fd_number(entry), fd, level, option, value, size));
    result = real.setsockopt(fd, level, option, value, size);
    if (result == 0 && fd_kind(entry) == FD_NETLINK && level == SOL_NETLINK)
        nlfd_groups_changed(fds_netlink(entry), fd);
    if (unlikely(result < 0 && level == SOL_PACKET && option == PACKET_ADD_MEMBERSHIP && errno == ENODEV) &&
        process_has_instance() && process_bus() && packet_has_member(process_bus(), value, size))
        result = 0;
    return result;
}

/* Is it a socket at all? Interface requests on anything else are the kernel's to refuse. */
static bool is_socket(int fd)
{
    int type;
    socklen_t size = sizeof(type);
    return sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
}

/* To a packet socket the kernel's interface is meant, if it has one of that name: a mirror of ours (cli/mirror.c). Rights are looked at before names,
 * so it is asked for no more than the number of that name. */
static bool asks_kernel(int fd, unsigned long request, void *argument, long *result)
{
    struct ifreq named;
    int domain = 0;
    socklen_t size = sizeof(domain);

    if (sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_PACKET)
        return false;
    if (request != SIOCGIFNAME &&
        (usermem_read(&named, argument, sizeof(named)) || sys_call(SYS_ioctl, fd, SIOCGIFINDEX, &named) != 0))
        return false;
    *result = sys_call(SYS_ioctl, fd, request, argument);
    return *result != -ENODEV;
}

static int set_async(int fd, uint32_t entry, unsigned long request, int *on)
{
    int result = real.ioctl(fd, request, on);

    if (result == 0) raw_set_async(process_bus_attached(), fd_number(entry), fd, *on);
    return result;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    uint32_t entry = fdtab_get(fd);
    const struct bus *bus;
    long result = -ENOIOCTLCMD;
    va_list list;
    void *argument;

    va_start(list, request);
    argument = va_arg(list, void *);
    va_end(list);
    if (unlikely(fd_kind(entry) == FD_RAW && request == FIOASYNC))
        return set_async(fd, entry, request, argument);
    if (fd_kind(entry) == FD_RAW)
        result = raw_ioctl(process_bus_attached(), fd_number(entry), request, argument);
    else if (unlikely(ioctl_is_interface(request)) && process_has_instance() && is_socket(fd) &&
             !asks_kernel(fd, request, argument, &result) && (bus = process_bus()))
        result = ioctl_interface(bus, request, argument);
    if (result != -ENOIOCTLCMD) return (int)edge(result);
    if (unlikely(!real.ioctl)) real_resolve();
    return real.ioctl(fd, request, argument);
}
