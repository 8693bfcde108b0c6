/* supervisor/control.c - making, naming and setting up sockets, ioctl(2), copies of descriptors.
 *
 * Most of these are trapped for every descriptor, because a CAN socket may have any number; what is not one of ours goes on to the kernel. */
#include "supervisor/layout.h"
#include "supervisor/pump.h"
#include "supervisor/supervisor.h"
#include "supervisor/remote.h"
#include "sockets/ioctl.h"
#include "sockets/raw.h"
#include <errno.h>
#include <linux/can.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <string.h>
#include <unistd.h>

#define AF_CAN_ 29
#define DUPFD   0
/* What leads nowhere, for whom we answer as for us. */
#define BAD_ADDRESS ((void *)(uintptr_t)8)

#define VALUE_MAX 65536u

static uint8_t value[VALUE_MAX];

/* ---- making ---- */

/* pidfd_getfd(2) is refused in some containers: then we keep the program's end, and see by /proc whether anybody else does. */
void control_settle_end(struct sock *sock, int fd, pid_t tid, int number)
{
    int borrowed = remote_borrow(tid, number);

    if (borrowed >= 0) close(borrowed);
    if (borrowed == -EPERM || borrowed == -ENOSYS)
        sock_keep(sock, fd);
    else
        close(fd);
}

long control_hand_over(struct call *call, struct sock *sock, int fd, int type, int in_place)
{
    int first = sock->is_raw ? call->range.first : call->range.served,
        end = sock->is_raw ? call->range.served : call->range.netlink;
    long number;

    if (type & SOCK_NONBLOCK) fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    number = in_place >= 0 ? call_replace(call, fd, in_place, type & SOCK_CLOEXEC)
                           : call_install(call, fd, first, end, type & SOCK_CLOEXEC);
    if (number >= 0)
        control_settle_end(sock, fd, call_tid(call), (int)number);
    else
        close(fd);
    if (number < 0) sock_end(sock);
    return number;
}

long control_socket(struct call *call)
{
    int type = (int)call_arg(call, 1), fd, error;
    struct sock *sock;

    if ((int)call_arg(call, 0) == AF_NETLINK) return netlink_socket(call);
    if ((int)call_arg(call, 0) == AF_PACKET) return packets_socket(call);
    error = sock_open(AF_CAN_, type, (int)call_arg(call, 2), remote_process(call_tid(call)), &sock, &fd);
    return error ? error : control_hand_over(call, sock, fd, type, -1);
}

long control_socketpair(struct call *call)
{
    struct sock *sock;
    int fd, error;

    if (call_arg(call, 1) == FILTER_PROBE) return supervisor_id();
    error = sock_open(AF_CAN_, (int)call_arg(call, 1), (int)call_arg(call, 2), 0, &sock, &fd);
    if (error) return error;
    close(fd);
    sock_end(sock);
    return -EOPNOTSUPP;
}

/* ---- copies ---- */

/* The lowest number would be one that we are not asked about. */
static long copy_high(struct call *call, int first, bool close_on_exec)
{
    const struct filter_range *range = &call->range;
    struct sock *sock = call_is_netlink(call) ? NULL : call_sock(call);
    int begin = !sock ? range->netlink : sock->is_raw ? range->first : range->served, fd;
    int end = !sock ? range->end : sock->is_raw ? range->served : range->netlink;
    long number;

    if (!call_is_netlink(call) && !sock) return CALL_CONTINUE;
    fd = call_borrow(call, sock);
    if (fd < 0) return CALL_CONTINUE;
    number = call_install(call, fd, first > begin ? first : begin, end, close_on_exec);
    call_give_back(sock, fd);
    return number;
}

long control_dup(struct call *call)
{
    return call_is_folder(call) ? files_dup(call, false) : copy_high(call, 0, false);
}

/* The kernel does it: what we knew of the second number is over. */
long control_dup_to(struct call *call)
{
    struct sock *sock = call_fd(call) >= call->range.first && !call_is_netlink(call) ? call_sock(call) : NULL;

    if (sock) sock->is_copied = true;
    remote_closed(call_tid(call), (int)call_arg(call, 1));
    sock_look_soon();
    return CALL_CONTINUE;
}

/* The last descriptor of an ISO-TP socket waits for the PDU to be sent; a signal ends that. */
static bool waits_for_transfer(struct call *call)
{
    struct sock *sock =
        call_fd(call) >= call->range.served && !call_is_netlink(call) ? call_sock(call) : NULL;

    if (!sock || !family_is_sending(sock_bus, sock->slot)) return false;
    if (!call->asked_limit) {
        call->is_last = remote_holders(sock->inode) < (sock->kept_fd < 0 ? 2 : 3);
        call->asked_limit = true;
    }
    return call->is_last;
}

long control_close(struct call *call)
{
    if (waits_for_transfer(call)) return CALL_HOLD;
    remote_closed(call_tid(call), call_fd(call));
    sock_look_soon();
    return CALL_CONTINUE;
}

/* Any descriptor may become another. */
long control_change(struct call *call)
{
    remote_changed(call_tid(call));
    sock_look_soon();
    return CALL_CONTINUE;
}

static struct sock *sending;

static void find_sending(struct sock *sock)
{
    if (!sock->is_raw && family_is_sending(sock_bus, sock->slot)) sending = sock;
}

/* As if it closed all it has. */
long control_exit(struct call *call)
{
    sending = NULL;
    sock_look_soon();
    if (sock_any()) sock_each(find_sending);
    return sending && remote_holds(call_tid(call), sending->inode) &&
                   remote_holders(sending->inode) == (sending->kept_fd < 0 ? 1 : 2)
               ? CALL_HOLD
               : CALL_CONTINUE;
}

long control_fcntl(struct call *call)
{
    int first = (int)call_arg(call, 2);

    if (first < 0 || first >= call->range.end) return CALL_CONTINUE;
    if (call_is_folder(call)) return files_dup(call, (int)call_arg(call, 1) != DUPFD);
    return copy_high(call, first, (int)call_arg(call, 1) != DUPFD);
}

/* ---- names ---- */

static long with_address(struct call *call,
                         int (*act)(const struct bus *, uint32_t, int, const void *, socklen_t))
{
    struct sock *sock = call_sock(call);
    struct sockaddr_storage address;
    socklen_t size = (socklen_t)call_arg(call, 2);
    const void *at;

    if (!sock && act == family_bind) sock = packets_bind(call);
    if (!sock) return CALL_CONTINUE;
    at = call_copy(call, &address, call_arg(call, 1), size < sizeof(address) ? size : sizeof(address));
    return act(sock_bus, sock->slot, sock->ring.fd, at, size);
}

long control_bind(struct call *call) { return with_address(call, family_bind); }
long control_connect(struct call *call) { return with_address(call, family_connect); }

long control_getsockname(struct call *call)
{
    struct sock *sock = call_sock(call);
    struct sockaddr_can address;
    pid_t tid = call_tid(call);
    socklen_t size, room;
    long error;

    if (!sock) return CALL_CONTINUE;
    if (!remote_read(tid, &room, call_arg(call, 2), sizeof(room))) return -EFAULT;
    size = (int)room > (int)sizeof(address) ? sizeof(address) : room;
    error = family_getsockname(sock_bus, sock->slot, &address, &size);
    if (error) return error;
    return remote_write(tid, call_arg(call, 1), &address, size < room ? size : room) &&
                   remote_write(tid, call_arg(call, 2), &size, sizeof(size))
               ? 0
               : -EFAULT;
}

static long unsupported(struct call *call) { return call_sock(call) ? -EOPNOTSUPP : CALL_CONTINUE; }

long control_getpeername(struct call *call) { return unsupported(call); }
long control_listen(struct call *call) { return unsupported(call); }
long control_accept(struct call *call) { return unsupported(call); }
long control_shutdown(struct call *call) { return unsupported(call); }

long control_accept4(struct call *call)
{
    if (!call_sock(call)) return CALL_CONTINUE;
    return call_arg(call, 3) & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL : -EOPNOTSUPP;
}

/* ---- options ---- */

/* An array of BPF instructions, which the value points to, comes along. */
static void bring_program(struct call *call, void *argument, size_t size)
{
    static struct sock_filter code[UINT16_MAX];
    struct sock_fprog *program = argument;

    if (size < sizeof(*program) || !program->filter) return;
    program->filter = (struct sock_filter *)(uintptr_t)call_copy(
        call, code, (uint64_t)(uintptr_t)program->filter, program->len * sizeof(*code));
}

/* A descriptor of the program, as one of ours; the caller closes it. */
static int bring_descriptor(struct call *call, void *argument)
{
    int *number = argument;
    int borrowed = *number < 0 ? -1 : remote_borrow(call_tid(call), *number);

    if (borrowed >= 0) *number = borrowed;
    return borrowed;
}

long control_setsockopt(struct call *call)
{
    int brought = -1;
    int level = (int)call_arg(call, 1), name = (int)call_arg(call, 2), fd;
    socklen_t size = (socklen_t)call_arg(call, 4);
    size_t bytes = size < sizeof(value) ? size : sizeof(value);
    struct sock *sock = call_sock(call);
    const void *at;
    long result;

    if (!sock) return packets_setsockopt(call);
    if (level == SOL_PACKET && packets_lacks(name)) return -ENOPROTOOPT;
    at = (int)size < 0 ? value : call_copy(call, value, call_arg(call, 3), bytes);
    if (at == value && (int)size >= 0) {
        layout_option_in(call, level, name, value, &size);
        bytes = size < sizeof(value) ? size : sizeof(value);
    }
    if (level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF) && at == value)
        bring_program(call, value, bytes);
    if (level == SOL_SOCKET && (name == SO_ATTACH_BPF || name == SO_ATTACH_REUSEPORT_EBPF) && at == value &&
        size == sizeof(int))
        brought = bring_descriptor(call, value);
    fd = call_borrow(call,
                     sock); /* time-outs and the like are the kernel's, and of the descriptor that is read */
    result = family_setsockopt(sock_bus, sock->slot, fd, level, name, at, size);
    if (result == 0 && level == SOL_SOCKET && name == SO_SELECT_ERR_QUEUE && at == value)
        setsockopt(fd, level, name, value, size); /* what it shows is the kernel's */
    call_give_back(sock, fd);
    if (brought >= 0) close(brought);
    return result;
}

/* Frames in the pair have been received, but not been read. */
static void add_pair(struct sock *sock, void *info, size_t size)
{
    uint32_t charge;

    sock_catch_up(sock);
    if (size < sizeof(charge)) return;
    memcpy(&charge, info, sizeof(charge));
    charge += sock->can_charge;
    memcpy(info, &charge, sizeof(charge));
}

long control_getsockopt(struct call *call)
{
    int level = (int)call_arg(call, 1), name = (int)call_arg(call, 2), fd;
    bool in_words = level == SOL_SOCKET && name == SO_GET_FILTER; /* it counts instructions */
    size_t unit = in_words ? sizeof(struct sock_filter) : 1;
    struct sock *sock = call_sock(call);
    pid_t tid = call_tid(call);
    socklen_t size, room;
    long result;

    if (!sock) return CALL_CONTINUE;
    if (!remote_read(tid, &size, call_arg(call, 4), sizeof(size))) return -EFAULT;
    if ((int)size > (int)(sizeof(value) / unit)) size = (socklen_t)(sizeof(value) / unit);
    room = size;
    size = layout_option_room(call, level, name, room);
    memset(value, 0, (int)size > 0 ? size * unit : 0);
    fd = call_borrow(call, sock);
    result = family_getsockopt(sock_bus, sock->slot, fd, level, name, value, &size);
    call_give_back(sock, fd);
    if (result == 0) size = layout_option_out(call, level, name, value, size, room);
    if (level == SOL_SOCKET && name == SO_MEMINFO) add_pair(sock, value, room < size ? room : size);
    if (result == 0 && (int)room > 0 &&
        !remote_write(tid, call_arg(call, 3), value, (size < room ? size : room) * unit))
        return -EFAULT;
    if (size != room && !remote_write(tid, call_arg(call, 4), &size, sizeof(size))) return -EFAULT;
    return result;
}

/* ---- ioctl ---- */

/* What ifr_data of some requests leads to: bytes that the answer writes. */
static size_t data_size(uint32_t request, uint32_t command)
{
    if (request != SIOCETHTOOL) return request == SIOCSHWTSTAMP || request == SIOCGHWTSTAMP ? 12 : 0;
    return command == ETHTOOL_GDRVINFO      ? sizeof(struct ethtool_drvinfo)
           : command == ETHTOOL_GET_TS_INFO ? sizeof(struct ethtool_ts_info)
                                            : sizeof(uint32_t);
}

static int ask(struct sock *sock, uint32_t request, void *argument)
{
    return sock ? raw_ioctl(sock_bus, sock->slot, request, argument)
                : ioctl_interface(sock_bus, request, argument);
}

/* With a struct ifreq that points to more. */
static long ask_with_data(struct call *call, struct sock *sock, uint32_t request, struct ifreq *ifreq)
{
    uint64_t from = (uint64_t)(uintptr_t)ifreq->ifr_data;
    static _Alignas(8) uint8_t data[256];
    uint32_t command = 0;
    size_t size;
    long result;

    if (call->narrow) from &= UINT32_MAX;
    remote_read(call_tid(call), &command, from, sizeof(command));
    size = data_size(request, command);
    if (!size) return CALL_CONTINUE;
    ifreq->ifr_data = (char *)(uintptr_t)call_copy(call, data, from, size);
    result = ask(sock, request, ifreq);
    return result == 0 && !remote_write(call_tid(call), from, data, size) ? -EFAULT : result;
}

/* SIOCGSTAMP tells the time of what was read last, and that happened without us. */
static void note_time(struct sock *sock)
{
    sock_catch_up(sock);
    if (sock->took) raw_remember_time(&sock_bus->data->slot[sock->slot], sock->last_ns);
    sock->took = false;
}

/* The daemon would take it for ours. */
static bool changes_interface(uint32_t request)
{
    return request == SIOCSIFFLAGS || request == SIOCSIFMTU || request == SIOCSIFTXQLEN ||
           request == SIOCSIFNAME;
}

/* SIOCGSTAMP, SIOCGSTAMPNS, old and new. */
static bool asks_for_time(uint32_t request)
{
    return (request & 0xffff) == 0x8906 || (request & 0xffff) == 0x8907;
}

long control_ioctl(struct call *call)
{
    uint64_t socket = call_socket(call);
    struct sock *sock = sock_find(socket);
    uint32_t request = (uint32_t)call_arg(call, 1);
    struct ifreq argument, before;
    size_t size;
    void *at;
    long result;

    if (!socket || (!sock && !ioctl_is_interface(request))) return CALL_CONTINUE;
    if (sock && !sock->is_raw && sock->has_items && (request == FIONREAD || request == TIOCOUTQ))
        return CALL_CONTINUE;
    if (changes_interface(request) && remote_user(call_tid(call)) != geteuid()) return -EPERM;
    at = layout_read_ifreq(call, &argument, call_arg(call, 2)) ? &argument : BAD_ADDRESS;
    before = argument;
    if (sock && asks_for_time(request)) {
        note_time(sock);
        at = &argument;
    }
    if (at == &argument && data_size(request, 0))
        return (result = ask_with_data(call, sock, request, &argument)) == -ENOIOCTLCMD ? CALL_CONTINUE
                                                                                        : result;
    result = ask(sock, request, at);
    if (result == -ENOIOCTLCMD) return CALL_CONTINUE;
    if (result || !memcmp((const char *)&argument, (const char *)&before, sizeof(before))) return result;
    if (!asks_for_time(request)) return layout_write_ifreq(call, call_arg(call, 2), &argument) ? 0 : -EFAULT;
    size = layout_stamp_out(call, request, &argument);
    return remote_write(call_tid(call), call_arg(call, 2), &argument, size) ? 0 : -EFAULT;
}
