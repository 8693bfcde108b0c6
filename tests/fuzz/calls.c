/*
 * Fuzz target: what programs hand to CAN_RAW sockets - addresses, control messages, option values, frames - and the room they give for what
 * comes back. Input: calls one after the other, each a byte that picks it, two bytes of parameters, and length bytes with what
 * they announce. Everything is given in memory of its exact size; what the sanitizers see is the verdict, and that no call returns
 * more than there was room for.
 */
#include "sockets/raw.h"
#include "sockets/door.h"
#include "sockets/txstamp.h"

#include <errno.h>
#include <linux/can/raw.h>
#include "../unit/busmem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the library sleeps: nothing here waits. */
int door_wait(int fd)
{
    (void)fd;
    abort();
}

static struct busmem mem;
static uint32_t ifindex;

/* The rest of the input. */
static const uint8_t *at;
static size_t left;

static uint8_t byte(void)
{
    if (!left) return 0;
    left--;
    return *at++;
}

/* The next bytes, up to `limit`, in memory of their own; *out is to be freed. */
static size_t bytes(uint8_t **out, size_t limit)
{
    size_t size = byte();

    if (size > limit) size = limit;
    if (size > left) size = left;
    *out = malloc(size ? size : 1);
    BUSMEM_MUST(*out);
    memcpy(*out, at, size);
    at += size;
    left -= size;
    return size;
}

static void send_one(const struct busmem_socket *from, uint8_t how)
{
    uint8_t *name, *control, *frame;
    size_t name_size = bytes(&name, 255), control_size = bytes(&control, 255), size = bytes(&frame, 255);
    struct iovec iov[2] = { { frame, size / 2 }, { frame + size / 2, size - size / 2 } };
    struct raw_send message = { .iov = iov,
                                .iov_count = 2,
                                .name = how & 1 ? name : NULL,
                                .name_size = (socklen_t)name_size,
                                .control = control,
                                .control_size = control_size };
    ssize_t sent;

    if ((how & 2) && name_size >= 8) memcpy(name + 4, &ifindex, sizeof(ifindex));
    sent = how & 4 ? raw_write(&mem.bus, from->slot, from->fd, frame, size, MSG_DONTWAIT)
                   : raw_send(&mem.bus, from->slot, from->fd, &message, MSG_DONTWAIT);
    BUSMEM_MUST(sent < 0 || (size_t)sent == size);
    free(name);
    free(control);
    free(frame);
}

static void receive_one(const struct busmem_socket *to, uint8_t how)
{
    size_t room = byte(), control_room = byte();
    uint8_t *data = malloc(room + 1), *control = malloc(control_room + 1), *name = malloc(8);
    struct iovec iov[2] = { { data, room / 3 }, { data + room / 3, room - room / 3 } };
    struct raw_receive message = { .iov = iov,
                                   .iov_count = 2,
                                   .name = how & 1 ? name : NULL,
                                   .name_size = how >> 4,
                                   .control = control,
                                   .control_size = control_room };
    ssize_t got;

    BUSMEM_MUST(data && control && name);
    if (message.name_size > 8) message.name_size = 8;
    got = how & 2
              ? txstamp_receive(&mem.bus, to->slot, to->fd, &message)
              : raw_receive(&mem.bus, to->slot, to->fd, &message, MSG_DONTWAIT | (how & 4 ? MSG_PEEK : 0));
    BUSMEM_MUST(got < 0 || ((size_t)got <= room && message.control_size <= control_room));
    free(data);
    free(control);
    free(name);
}

static int level_of(uint8_t how) { return how & 1 ? SOL_CAN_RAW : how & 2 ? how : SOL_SOCKET; }

static void set_one(const struct busmem_socket *sock, uint8_t how)
{
    uint8_t *value;
    int name = byte();
    size_t size = bytes(&value, 255);

    raw_setsockopt(&mem.bus, sock->slot, sock->fd, level_of(how), name, value, (socklen_t)size);
    free(value);
}

static void get_one(const struct busmem_socket *sock, uint8_t how)
{
    int name = byte();
    socklen_t room = byte(), size = room;
    uint8_t *value = malloc(room ? room : 1);

    BUSMEM_MUST(value);
    if (!raw_getsockopt(&mem.bus, sock->slot, sock->fd, level_of(how), name, value, &size) &&
        name != SO_ATTACH_FILTER)
        BUSMEM_MUST(size <= room); /* there it counts instructions */
    free(value);
}

static void bind_one(const struct busmem_socket *sock, uint8_t how)
{
    uint8_t *name;
    size_t size = bytes(&name, 255);

    if ((how & 1) && size >= 8) memcpy(name + 4, &ifindex, sizeof(ifindex));
    raw_bind(&mem.bus, sock->slot, sock->fd, name, (socklen_t)size);
    free(name);
}

static void finish(void) { busmem_close(&mem); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const calls[])(const struct busmem_socket *, uint8_t) = { send_one, receive_one, set_one,
                                                                            get_one, bind_one };
    struct busmem_socket sock[2];

    if (!mem.dir[0]) {
        busmem_open(&mem);
        ifindex = busmem_link(&mem, 0);
        atexit(finish);
    }
    at = data;
    left = size;
    for (unsigned i = 0; i < 2; i++) {
        sock[i] = busmem_socket(&mem.bus);
        slot_bind(&mem.bus, sock[i].slot, 0, ifindex);
    }
    while (left > 2) {
        uint8_t call = byte();
        calls[call % 5](&sock[call >> 7], byte());
    }
    for (unsigned i = 0; i < 2; i++)
        busmem_socket_close(&mem.bus, &sock[i]);
    return 0;
}
