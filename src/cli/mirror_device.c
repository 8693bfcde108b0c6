/* cli/mirror_device.c - see mirror_device.h.
 *
 * What is written to the descriptor of a TUN device comes in on its interface, what is sent on the interface can be read. Before each packet
 * stands struct tun_pi with its protocol. Frames are as the kernel's own CAN interfaces have them: structures in the machine's byte order,
 * which libpcap turns round when the interface's link type is CAN. The interface goes with the descriptor.
 *
 * System calls are raw ones: inside an instance the preload library would take the name for our own interface. */
#include "cli/mirror_device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include "base/sys.h"

#define TUN_PATH "/dev/net/tun"
#ifndef ETH_P_CANXL
#define ETH_P_CANXL 0x000e
#endif
#ifndef IFF_TUN_EXCL
#define IFF_TUN_EXCL 0x8000
#endif

#define QUEUE_FRAMES 4096
#define SIZE_FD      72u
#define XL_FLAG      0x80u /* in byte 4 */

static int open_tun(void)
{
    int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0) return fd;
    return errno == ENOENT || errno == ENXIO ? -ENODEV : errno == EPERM ? -EACCES : -errno;
}

/* What is sent faster than it is taken is lost, and 500 frames is what a TUN device has room for. */
static void make_room(const struct mirror_device *device)
{
    struct ifreq request = { .ifr_qlen = QUEUE_FRAMES };

    memcpy(request.ifr_name, device->name, sizeof(device->name));
    sys_call(SYS_ioctl, device->control, SIOCSIFTXQLEN, &request);
}

int mirror_device_open(struct mirror_device *device, const char *name)
{
    struct ifreq request = { .ifr_flags = (short)(IFF_TUN | IFF_TUN_EXCL) };
    long error;

    *device = (struct mirror_device){ .fd = open_tun(), .control = -1 };
    if (device->fd < 0) return device->fd;
    snprintf(device->name, sizeof(device->name), "%s", name);
    memcpy(request.ifr_name, device->name, sizeof(device->name));
    error = sys_call(SYS_ioctl, device->fd, TUNSETIFF, &request);
    memcpy(device->name, request.ifr_name, sizeof(device->name)); /* of "can%d" the kernel makes can0 */
    if (!error) error = sys_call(SYS_ioctl, device->fd, TUNSETLINK, ARPHRD_CAN);
    if (!error) {
        device->control = (int)sys_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        error = device->control < 0 ? device->control : 0;
    }
    if (error)
        mirror_device_close(device);
    else
        make_room(device);
    return (int)error;
}

int mirror_device_allowed(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[2] = { { 0 } };
    int fd = open_tun();

    if (fd < 0) return fd;
    close(fd);
    long error = sys_call(SYS_capget, &head, sets);
    if (error) return (int)error;
    return sets[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN) ? 0 : -EPERM;
}

void mirror_device_close(struct mirror_device *device)
{
    if (device->fd >= 0) close(device->fd);
    if (device->control >= 0) sys_call(SYS_close, device->control);
    device->fd = device->control = -1;
}

/* Otherwise the kernel sends IPv6 of its own on an interface that is long enough, which those who look would see. */
static void keep_ipv6_away(const struct mirror_device *device)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", device->name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, "1", 1) < 0) errno = 0; /* a read-only /proc: then they see it */
    close(fd);
}

int mirror_device_set(const struct mirror_device *device, uint32_t mtu, bool up)
{
    struct ifreq request = { .ifr_mtu = (int)(mtu < SIZE_FD ? SIZE_FD : mtu) };
    long error;

    memcpy(request.ifr_name, device->name, sizeof(device->name));
    error = sys_call(SYS_ioctl, device->control, SIOCSIFMTU, &request);
    keep_ipv6_away(device);
    if (!error) error = sys_call(SYS_ioctl, device->control, SIOCGIFFLAGS, &request);
    if (error) return (int)error;
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    return (int)sys_call(SYS_ioctl, device->control, SIOCSIFFLAGS, &request);
}

static uint16_t protocol_of(const uint8_t *frame, size_t size)
{
    if (size > 4 && (frame[4] & XL_FLAG)) return ETH_P_CANXL;
    return size == SIZE_FD ? ETH_P_CANFD : ETH_P_CAN;
}

int mirror_device_show(const struct mirror_device *device, const void *frame, size_t size)
{
    struct tun_pi head = { .proto = htons(protocol_of(frame, size)) };
    uint8_t packet[sizeof(head) + MIRROR_FRAME_MAX];

    if (size > MIRROR_FRAME_MAX) return -EMSGSIZE;
    memcpy(packet, &head, sizeof(head));
    memcpy(packet + sizeof(head), frame, size);
    return write(device->fd, packet, sizeof(head) + size) < 0 ? -errno : 0;
}

ssize_t mirror_device_take(const struct mirror_device *device, void *frame, size_t room)
{
    struct tun_pi head;
    const struct iovec parts[2] = { { &head, sizeof(head) }, { frame, room } };
    ssize_t size = readv(device->fd, parts, 2);

    if (size < 0) return -errno;
    /* Programs that send by AF_PACKET name many protocols, ETH_P_ALL and none among them: the frame tells itself what it is. */
    if (size <= (ssize_t)sizeof(head) || (head.flags & TUN_PKT_STRIP) || head.proto == htons(ETH_P_IP) ||
        head.proto == htons(ETH_P_IPV6))
        return 0;
    return size - (ssize_t)sizeof(head);
}

/* ---- a namespace of our own ---- */

static int write_to(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0) return -errno;
    int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

/* What the namespace's maker may, the programs that it runs may not unless they are root: capabilities in the ambient set stay with them. */
static int keep_capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[2] = { { 0 } };
    static const int kept[] = { CAP_NET_ADMIN, CAP_NET_RAW };
    long error = sys_call(SYS_capget, &head, sets);

    for (unsigned i = 0; i < 2; i++)
        sets[i].inheritable = sets[i].permitted;
    if (!error) error = sys_call(SYS_capset, &head, sets);
    for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]) && !error; i++)
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0) < 0) error = -errno;
    return (int)error;
}

/* Root is somebody else in there, because tcpdump wants to become another user when root starts it, and here there is but one. */
#define NOBODY 65534u

int mirror_device_unshare(void)
{
    unsigned uid = geteuid(), gid = getegid();
    char map[64];

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) return -errno;
    snprintf(map, sizeof(map), "%u %u 1", uid ? uid : NOBODY, uid);
    int error = write_to("/proc/self/uid_map", map);
    if (!error) error = write_to("/proc/self/setgroups", "deny");
    snprintf(map, sizeof(map), "%u %u 1", gid ? gid : NOBODY, gid);
    if (!error) error = write_to("/proc/self/gid_map", map);
    return error ? error : keep_capabilities();
}
