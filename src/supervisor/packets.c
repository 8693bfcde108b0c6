/* supervisor/packets.c - packet sockets (AF_PACKET) of the programs that come through this door.
 *
 * A program opens one before it says what for. Is it of a protocol of CAN, or is the user not allowed to have the kernel's, it is one of ours
 * (sockets/packet.h) from the beginning, and served as any. Else it is the kernel's, made by us so that it has a number at which its calls come to us,
 * and when it is bound to an interface of ours, ours takes its place. Nobody gets the kernel's from us who is not our user.
 *
 * There is no mapped ring: mmap(2) would have to put memory of ours into the program. Keeps no state. */
/* prefix: packets_ */
#include "sockets/packet.h"
#include "sockets/options.h"
#include "supervisor/layout.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME_MOST 4096u

/* Others are the business of the preload library, which is in a dynamic program that a static one started. */
static bool came_from_us(const struct call *call)
{
    return call_fd(call) >= call->range.served && call_fd(call) < call->range.netlink && sock_bus;
}

static bool is_ours(const struct call *call) { return remote_user(call_tid(call)) == geteuid(); }

static long open_ours(struct call *call, int type, int protocol)
{
    struct sock *sock;
    int fd, error = sock_open(AF_PACKET, type, protocol, remote_process(call_tid(call)), &sock, &fd);

    return error ? error : control_hand_over(call, sock, fd, type, -1);
}

long packets_socket(struct call *call)
{
    int type = (int)call_arg(call, 1), protocol = (int)call_arg(call, 2), fd;
    long number;

    if (packet_is_ours(type, protocol, false)) return open_ours(call, type, protocol);
    fd = socket(AF_PACKET, type | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return (errno == EPERM || errno == EAFNOSUPPORT) && packet_is_ours(type, protocol, true)
                   ? open_ours(call, type, protocol)
                   : CALL_CONTINUE;
    number = is_ours(call)
                 ? call_install(call, fd, call->range.served, call->range.netlink, type & SOCK_CLOEXEC)
                 : CALL_CONTINUE;
    close(fd);
    return number;
}

/* A copy of its descriptor, if that is a packet socket of the kernel's; else -1. */
static int borrow(const struct call *call)
{
    int fd = call_socket(call) ? remote_borrow(call_tid(call), call_fd(call)) : -1;
    int domain = 0;
    socklen_t size = sizeof(domain);

    if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_PACKET)
        return fd;
    if (fd >= 0) close(fd);
    return -1;
}

static bool read_address(const struct call *call, struct sockaddr_ll *out, uint64_t from, uint32_t size)
{
    return size >= sizeof(*out) && remote_read(call_tid(call), out, from, sizeof(*out)) &&
           out->sll_family == AF_PACKET;
}

struct sock *packets_bind(struct call *call)
{
    int type = 0, fd, program_fd;
    struct sockaddr_ll address;
    struct sock *sock;

    if (!came_from_us(call) ||
        !read_address(call, &address, call_arg(call, 1), (uint32_t)call_arg(call, 2)) ||
        !(packet_may_bind(&address, sizeof(address), ENODEV) ||
          packet_may_bind(&address, sizeof(address), 0)))
        return NULL;
    fd = borrow(call);
    if (fd < 0) return NULL;
    if (packet_adopt(sock_bus, fd, &address, sizeof(address))) {
        close(fd);
        return NULL;
    }
    if (fcntl(fd, F_GETFL) & O_NONBLOCK) type |= SOCK_NONBLOCK;
    if (remote_closes_on_exec(call_tid(call), call_fd(call))) type |= SOCK_CLOEXEC;
    if (sock_adopt(fd, remote_process(call_tid(call)), &sock, &program_fd)) return NULL;
    return control_hand_over(call, sock, program_fd, type, call_fd(call)) < 0 ? NULL : sock;
}

/* What the kernel does not know: an interface of ours. */
long packets_setsockopt(struct call *call)
{
    struct packet_mreq request;

    if (!came_from_us(call) || (int)call_arg(call, 1) != SOL_PACKET ||
        (int)call_arg(call, 2) != PACKET_ADD_MEMBERSHIP || (uint32_t)call_arg(call, 4) < sizeof(request) ||
        !remote_read(call_tid(call), &request, call_arg(call, 3), sizeof(request)))
        return CALL_CONTINUE;
    return packet_has_member(sock_bus, &request, sizeof(request)) ? 0 : CALL_CONTINUE;
}

long packets_send(struct call *call, uint64_t from, size_t size, uint64_t to, uint32_t to_size)
{
    static uint8_t frame[FRAME_MOST];
    struct iovec iov = { frame, size };
    struct sockaddr_ll address;
    struct raw_send message = { .iov = &iov, .iov_count = 1, .name = &address, .name_size = sizeof(address) };
    long result;
    int fd;

    if (!came_from_us(call) || !to || size > sizeof(frame) || !read_address(call, &address, to, to_size) ||
        address.sll_ifindex < LINK_IFINDEX_FIRST)
        return CALL_CONTINUE;
    fd = borrow(call);
    if (fd < 0 || !remote_read(call_tid(call), frame, from, size)) {
        if (fd >= 0) close(fd);
        return CALL_CONTINUE;
    }
    result = packet_send_for(sock_bus, fd, &message);
    close(fd);
    return result == -ENXIO ? CALL_CONTINUE : result;
}

long packets_sendmsg(struct call *call)
{
    struct msghdr msg;
    struct iovec iov;

    if (!layout_read_message(call, &msg, call_arg(call, 1)) || msg.msg_iovlen != 1 ||
        !layout_read_pieces(call, &iov, (uint64_t)(uintptr_t)msg.msg_iov, 1))
        return CALL_CONTINUE;
    return packets_send(call, (uint64_t)(uintptr_t)iov.iov_base, iov.iov_len,
                        (uint64_t)(uintptr_t)msg.msg_name, msg.msg_namelen);
}

bool packets_lacks(int option) { return option == PACKET_RX_RING || option == PACKET_TX_RING; }
