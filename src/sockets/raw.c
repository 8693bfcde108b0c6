/* sockets/raw.c - CAN_RAW sockets: making, naming, binding and ending them.
 *
 * A socket is an AF_UNIX datagram socket bound to DIR/s/SLOT.GEN. That name is all that leads from a descriptor to its slot; it
 * survives exec, dup and passing. State is in the slot; this file keeps none. */
#include "sockets/raw.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "bus/wake.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <string.h>

#define ADDRESS_SIZE 8 /* what CAN_RAW needs and gives of struct sockaddr_can */

/* Binds fd to the slot's name; a name left by a dead process makes way. */
static int take_name(const struct bus *bus, uint32_t slot, uint32_t gen, int fd)
{
    struct sockaddr_un address;
    int size = wake_address(bus, slot, gen, &address);
    long error;

    if (size < 0) return size;
    error = sys_call(SYS_bind, fd, &address, size);
    if (error == -EADDRINUSE) {
        sys_call(SYS_unlinkat, AT_FDCWD, address.sun_path, 0);
        error = sys_call(SYS_bind, fd, &address, size);
    }
    if (!error) /* the directory guards it; sudo's root and its user must reach each other's sockets */
        sys_call(SYS_fchmodat, AT_FDCWD, address.sun_path, 0777);
    return (int)error;
}

static int open_slot(const struct bus *bus, int type, uint32_t *number, uint32_t *gen)
{
    int slot = slot_claim(bus, gen), error;
    long fd;

    if (slot < 0) return slot;
    *number = (uint32_t)slot;
    fd = sys_call(SYS_socket, AF_UNIX, type, 0);
    error = fd < 0 ? (int)fd : take_name(bus, *number, *gen, (int)fd);
    if (!error) error = slot_open(bus, *number, *gen);
    if (!error) return (int)fd;
    if (fd >= 0) sys_call(SYS_close, fd);
    slot_end(bus, *number, *gen);
    return error == -ENOENT ? -ENOBUFS : error; /* ENOENT: the instance is being removed */
}

int raw_open(const struct bus *bus, int type, uint32_t *slot, uint32_t *gen)
{
    int fd;

    do
        fd = open_slot(bus, type, slot, gen);
    while (fd == -ESTALE); /* we were stopped for seconds; the next claim is fresh */
    return fd;
}

int raw_socket(const struct bus *bus, int flags)
{
    uint32_t slot, gen;
    return raw_open(bus, SOCK_DGRAM | flags, &slot, &gen);
}

void raw_closed(const struct bus *bus, uint32_t slot)
{
    uint32_t gen = load_acquire(&bus->data->slot[slot].gen);

    if (wake_probe(bus, slot, gen) == WAKE_DEAD) slot_end(bus, slot, gen);
}

/* ---- from descriptor to slot ---- */

/* The bound name of an AF_UNIX socket, terminated; its length, or 0. */
static size_t name_of(int fd, struct sockaddr_un *address)
{
    socklen_t size = sizeof(*address) - 1;
    size_t head = offsetof(struct sockaddr_un, sun_path);

    memset(address, 0, sizeof(*address));
    if (sys_call(SYS_getsockname, fd, address, &size) != 0 || address->sun_family != AF_UNIX || size <= head)
        return 0;
    return strlen(address->sun_path);
}

/* "SLOT.GEN" -> slot and generation. */
static bool parse_name(const char *text, uint32_t *slot, uint32_t *gen)
{
    uint64_t value[2] = { 0, 0 };
    unsigned part = 0, digits = 0;

    for (; *text; text++) {
        if (*text == '.' && part == 0 && digits) {
            part = 1;
            digits = 0;
        } else if (*text >= '0' && *text <= '9' && digits < 10) {
            value[part] = value[part] * 10 + (uint64_t)(*text - '0');
            digits++;
        } else {
            return false;
        }
    }
    *slot = (uint32_t)value[0];
    *gen = (uint32_t)value[1];
    return part == 1 && digits && value[0] < SOCKETS_MAX && value[1] <= UINT32_MAX;
}

int raw_identify(const struct bus *bus, int fd)
{
    struct sockaddr_un address;
    uint32_t slot, gen;
    size_t size = name_of(fd, &address);
    const char *tail = address.sun_path + bus->dir_size;

    if (size <= bus->dir_size + 3 || memcmp(address.sun_path, bus->dir, bus->dir_size) != 0 ||
        memcmp(tail, "/s/", 3) != 0)
        return -ENOTSOCK;
    if (!parse_name(tail + 3, &slot, &gen) || load_acquire(&bus->data->slot[slot].gen) != gen)
        return -ENOTSOCK;
    return (int)slot;
}

int raw_identify_dir(int fd, char *dir, size_t size)
{
    struct sockaddr_un address;
    size_t length = name_of(fd, &address), at;
    uint32_t slot, gen;

    for (at = length; at > 0 && address.sun_path[at - 1] != '/'; at--)
        ;
    if (at < 4 || memcmp(address.sun_path + at - 3, "/s/", 3) != 0 ||
        !parse_name(address.sun_path + at, &slot, &gen) || at - 3 >= size)
        return -ENOTSOCK;
    memcpy(dir, address.sun_path, at - 3);
    dir[at - 3] = 0;
    return 0;
}

/* ---- bind and names ---- */

void raw_keep_error(const struct bus *bus, uint32_t slot, int fd, int error)
{
    store_seq(&bus->data->slot[slot].error, (uint32_t)error);
    wake_notify(bus, slot, fd, NULL);
}

static int bind_to_link(const struct bus *bus, uint32_t number, int fd, uint32_t ifindex)
{
    uint32_t index = links_find(bus->control, ifindex);
    uint64_t state;

    if (index >= LINKS_MAX) return -ENODEV;
    slot_bind(bus, number, index, ifindex);
    state = load_acquire(&bus->control->links[index].state);
    if (!(state & LINK_PRESENT) || load_acquire(&bus->control->links[index].ifindex) != ifindex) {
        slot_link_down(bus, index, ifindex, true, fd); /* it went while we bound */
    } else if (!(state & LINK_UP)) {
        raw_keep_error(bus, number, fd, ENETDOWN);
    }
    return 0;
}

int raw_bind(const struct bus *bus, uint32_t number, int fd, const void *user_address, socklen_t size)
{
    struct bus_slot *slot = &bus->data->slot[number];
    struct sockaddr_can address;
    uint32_t ifindex;

    if (size > sizeof(struct sockaddr_storage)) return -EINVAL;
    if (!usermem_ok(user_address, size, USERMEM_READ) ||
        usermem_read(&address, user_address, size < ADDRESS_SIZE ? size : ADDRESS_SIZE))
        return -EFAULT;
    if (size < ADDRESS_SIZE || address.can_family != AF_CAN) return -EINVAL;
    ifindex = (uint32_t)address.can_ifindex;
    if (load_relaxed(&slot->bound) && load_relaxed(&slot->ifindex) == ifindex) return 0;
    if (ifindex) return bind_to_link(bus, number, fd, ifindex);
    slot_bind(bus, number, IMAP_ANY, 0);
    return 0;
}

int raw_getsockname(const struct bus *bus, uint32_t slot, void *user_address, socklen_t *user_size)
{
    struct sockaddr_can address = { .can_family = AF_CAN,
                                    .can_ifindex = (int)load_relaxed(&bus->data->slot[slot].ifindex) };
    int room;

    if (usermem_read(&room, user_size, sizeof(room))) return -EFAULT;
    if (room < 0) return -EINVAL;
    if (usermem_write(user_address, &address, room < ADDRESS_SIZE ? (size_t)room : ADDRESS_SIZE))
        return -EFAULT;
    room = ADDRESS_SIZE;
    return usermem_write(user_size, &room, sizeof(room));
}
