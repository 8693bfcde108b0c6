/* preload/packets.c - what packet sockets have and CAN sockets have not: mmap, and the kernel's own that send to interfaces of ours.
 *
 * Whatever mmap() is not of a packet socket is the kernel's, and asked without libc: what allocates memory may call this before libc is found. */
#include "preload/packets.h"
#include "preload/real.h"
#include "base/sys.h"
#include "sockets/fdtab.h"
#include "sockets/packet.h"
#include "sockets/packet_ring.h"
#include "sockets/process.h"
#include "sockets/raw.h"
#include <sys/mman.h>

/* prefix: packets_ mmap */

/* After a call that returned `result`: the kernel may know no interface of that number, and we do. */
static ssize_t sent(int fd, const struct raw_send *message, ssize_t result)
{
    if (errno != ENXIO || !message->name || !process_has_instance() || !process_bus()) return result;
    result = packet_send_for(process_bus(), fd, message);
    return result == -ENXIO ? -1 : edge(result);
}

ssize_t packets_sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *name,
                       socklen_t name_size)
{
    ssize_t result = real.sendto(fd, buf, size, flags, name, name_size);
    struct iovec iov = { (void *)(uintptr_t)buf, size };
    struct raw_send message = { &iov, 1, name, name_size, NULL, 0 };

    return likely(result >= 0) ? result : sent(fd, &message, result);
}

ssize_t packets_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    ssize_t result = real.sendmsg(fd, msg, flags);
    struct raw_send message;

    if (likely(result >= 0) || errno != ENXIO) return result;
    message = (struct raw_send){ msg->msg_iov, msg->msg_iovlen, msg->msg_name, msg->msg_namelen, NULL, 0 };
    return sent(fd, &message, result);
}

/* ---- mmap ---- */

#define PAGE_MASK 4095
#define PAGE_BITS 12

static void *mapped(void *at, size_t size, int protection, int flags, int fd, int64_t offset)
{
    uint32_t entry = flags & MAP_ANONYMOUS ? 0 : fdtab_get(fd);
    const struct bus *bus = process_bus_attached();
    void *result = (void *)-EINVAL;

    if (unlikely(fd_kind(entry) == FD_RAW && bus) && packet_ring_may_be(bus, fd_number(entry)))
        result = packet_ring_map(bus, fd_number(entry), size, flags, offset);
    else if (!(offset & PAGE_MASK) && (sizeof(long) == 8 || !((uint64_t)offset >> (32 + PAGE_BITS))))
        result = sys_mmap(at, size, protection, flags, fd, offset);
    return sys_is_error(result) ? (errno = (int)-(long)result, MAP_FAILED) : result;
}

EXPORT void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    /* Files have no negative offsets: in 32 bits, they are those from 2 GB on. */
    return mapped(at, size, protection, flags, fd,
                  sizeof(offset) < 8 ? (off64_t)(uint32_t)offset : (off64_t)offset);
}

EXPORT void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return mapped(at, size, protection, flags, fd, offset);
}
