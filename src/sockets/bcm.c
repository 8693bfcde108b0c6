/* sockets/bcm.c - CAN_BCM: the socket calls (spec protocols 2). The worker keeps the jobs; a TX_SEND goes out from the program's own thread.
 * Sizes are those of this program; the worker's are another's if it is narrow (bcm_head.h). */
/* prefix: family_ */
#include "base/sys.h"
#include "bus/links.h"
#include "can/bcm.h"
#include "sockets/bcm_head.h"
#include "sockets/family.h"
#include "sockets/message.h"
#include "sockets/service.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <string.h>

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
    uint8_t ours[BCM_HEAD_OURS + sizeof(struct canfd_frame)] = { 0 };
    struct bcm_msg_head head;
    struct canfd_frame frame;
    struct {
        struct bcm_head head;
        struct canfd_frame frame;
    } wire;
    uint32_t frame_size;
    ssize_t result;
    int error = family_gather(ours, message, size < sizeof(ours) ? size : sizeof(ours));

    if (error) return error;
    memcpy(&head, ours, sizeof(head));
    wire.head = bcm_head_widen(&head);
    memcpy(&wire.frame, ours + sizeof(head), sizeof(wire.frame));
    result = bcm_check_send(&wire, size - BCM_HEAD_OURS + BCM_HEAD_WIRE, &frame, &frame_size);
    if (result <= 0) return result ? result : -EINVAL; /* 0: changed since it was looked at */
    error = ifindex ? family_transmit(bus, slot, fd, ifindex, &frame, frame_size) : -ENODEV;
    return error ? error : bcm_head_result(result);
}

/* Only what is used is read: programs may pass more, even where there is nothing. */
static uint32_t used_size(const struct bcm_msg_head *head, size_t supplied, size_t frame_size)
{
    bool has_frames = head->opcode == TX_SETUP || (head->opcode == RX_SETUP && !(head->flags & RX_FILTER_ID));
    size_t count = has_frames ? head->nframes : 0;

    if (count > supplied) count = supplied;
    if (count > FRAMES_MAX) count = FRAMES_MAX;
    return (uint32_t)(BCM_HEAD_WIRE + count * frame_size);
}

/* Hands a message on with the head that the worker reads. */
static OFF_PATH ssize_t call_with_head(int fd, const struct service_request *request,
                                       const struct bcm_msg_head *ours, const struct raw_send *message)
{
    struct iovec iov[BCM_HEAD_PIECES];
    struct bcm_head head = bcm_head_widen(ours);
    struct raw_send wire = { .iov = iov };
    int count = bcm_head_replace(iov, &head, message->iov, message->iov_count);

    if (count < 0) return count;
    wire.iov_count = (size_t)count;
    return bcm_head_result(service_call(fd, request, &wire));
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
    return BCM_HEAD_SAME ? service_call(fd, &request, message) : call_with_head(fd, &request, &head, message);
}

/* Reads a message with the head that the worker wrote, and writes that of this program. Returns what fits of it. */
static OFF_PATH ssize_t receive_with_head(const struct bus *bus, uint32_t slot, int fd,
                                          struct raw_receive *message, int flags, uint32_t *ifindex)
{
    struct iovec iov[BCM_HEAD_PIECES];
    struct bcm_head head = { 0 };
    struct raw_receive wire = *message;
    struct bcm_msg_head ours;
    uint32_t size;
    ssize_t result, room = 0;
    int count = bcm_head_replace(iov, &head, message->iov, message->iov_count);

    if (count < 0) return count;
    wire.iov = iov;
    wire.iov_count = (size_t)count;
    result = service_receive(bus, slot, fd, &wire, flags, ifindex, &size);
    message->control_size = wire.control_size;
    message->flags = wire.flags;
    if (result < 0) return result;
    memset(&ours, 0, sizeof(ours));
    bcm_head_narrow(&ours, &head);
    result = message_put_data(message, (const uint8_t *)&ours, sizeof(ours));
    if (result < 0) return result;
    for (size_t i = 0; i < message->iov_count; i++)
        room += (ssize_t)message->iov[i].iov_len;
    result = bcm_head_result((ssize_t)size);
    return result < room ? result : room;
}

static ssize_t receive_message(const struct bus *bus, uint32_t slot, int fd, struct raw_receive *message,
                               int flags)
{
    struct sockaddr_can address = { .can_family = AF_CAN };
    uint32_t ifindex, size;
    ssize_t result = BCM_HEAD_SAME ? service_receive(bus, slot, fd, message, flags, &ifindex, &size)
                                   : receive_with_head(bus, slot, fd, message, flags, &ifindex);

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
