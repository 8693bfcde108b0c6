/* sockets/bcm.c - CAN_BCM: the socket calls (spec protocols 2). The worker keeps the jobs; a TX_SEND goes out from the program's own thread. */
/* prefix: family_ */
#include "base/sys.h"
#include "bus/links.h"
#include "can/bcm.h"
#include "sockets/family.h"
#include "sockets/service.h"
#include "sockets/usermem.h"
#include <errno.h>

#define ADDRESS_SIZE 8
#define FRAMES_MAX   257 /* more than that are never used */

static int connect_to(const struct bus *bus, uint32_t slot, int fd, const struct sockaddr_can *address,
                      socklen_t size)
{
    struct service_request request = { .op = SERVICE_CONNECT, .ifindex = (uint32_t)address->can_ifindex };

    if (size < ADDRESS_SIZE) return -EINVAL;
    if (load_relaxed(&bus->data->slot[slot].bound)) return -EISCONN;
    return service_call(fd, &request, NULL);
}

/* sendto's address counts only for a socket that is connected to any interface. */
static int find_target(const struct bus *bus, const struct raw_send *message, uint32_t *ifindex)
{
    struct sockaddr_can address;

    if (*ifindex || !message->name) return 0;
    if (message->name_size < ADDRESS_SIZE) return -EINVAL;
    if (usermem_read(&address, message->name, ADDRESS_SIZE)) return -EFAULT;
    if (address.can_family != AF_CAN) return -EINVAL;
    *ifindex = (uint32_t)address.can_ifindex;
    return *ifindex && links_find(bus->control, *ifindex) >= LINKS_MAX ? -ENODEV : 0;
}

/* TX_SEND. */
static ssize_t send_once(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message,
                         size_t size, uint32_t ifindex)
{
    _Alignas(8) uint8_t bytes[sizeof(struct bcm_msg_head) + sizeof(struct canfd_frame)];
    struct canfd_frame frame;
    uint32_t frame_size;
    ssize_t result;
    int error = family_gather(bytes, message, size < sizeof(bytes) ? size : sizeof(bytes));

    if (error) return error;
    result = bcm_check_send(bytes, size, &frame, &frame_size);
    if (result <= 0) return result ? result : -EINVAL; /* 0: changed since it was looked at */
    error = ifindex ? family_transmit(bus, slot, fd, ifindex, &frame, frame_size) : -ENODEV;
    return error ? error : result;
}

/* Only what is used is read: programs may pass more, even where there is nothing. */
static uint32_t used_size(const struct bcm_msg_head *head, size_t supplied, size_t frame_size)
{
    bool has_frames = head->opcode == TX_SETUP || (head->opcode == RX_SETUP && !(head->flags & RX_FILTER_ID));
    size_t count = has_frames ? head->nframes : 0;

    if (count > supplied) count = supplied;
    if (count > FRAMES_MAX) count = FRAMES_MAX;
    return (uint32_t)(sizeof(*head) + count * frame_size);
}

static ssize_t send_message(const struct bus *bus, uint32_t slot, int fd, const struct raw_send *message,
                            int flags)
{
    uint32_t ifindex = load_relaxed(&bus->data->slot[slot].ifindex);
    struct service_request request = { .op = SERVICE_WRITE };
    struct bcm_msg_head head;
    ssize_t size = family_total(message), result;
    size_t frame_size;

    (void)flags;
    if (!load_relaxed(&bus->data->slot[slot].bound)) return -ENOTCONN;
    if (size < 0) return size;
    if ((size_t)size < sizeof(head)) return -EINVAL;
    if (family_gather(&head, message, sizeof(head))) return -EFAULT;
    frame_size = head.flags & CAN_FD_FRAME ? sizeof(struct canfd_frame) : sizeof(struct can_frame);
    if (((size_t)size - sizeof(head)) % frame_size) return -EINVAL;
    result = find_target(bus, message, &ifindex);
    if (result) return result;
    if (head.opcode == TX_SEND) return send_once(bus, slot, fd, message, (size_t)size, ifindex);
    request.ifindex = ifindex;
    request.size = used_size(&head, ((size_t)size - sizeof(head)) / frame_size, frame_size);
    return service_call(fd, &request, message);
}

static ssize_t receive_message(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message,
                               int flags)
{
    struct sockaddr_can address = { .can_family = AF_CAN };
    uint32_t ifindex, size;
    ssize_t result = service_receive(bus, slot, fd, message, flags, &ifindex, &size);

    if (result < 0) return result;
    message->flags &= ~MSG_TRUNC; /* cut off without a word */
    if (!message->name) return result;
    address.can_ifindex = (int)ifindex;
    if (usermem_write(message->name, &address,
                      message->name_size < ADDRESS_SIZE ? message->name_size : ADDRESS_SIZE))
        return -EFAULT;
    message->name_size = ADDRESS_SIZE;
    return result;
}

const struct family_protocol family_bcm = { .connect = connect_to,
                                            .send = send_message,
                                            .receive = receive_message };
