/* daemon/inbox.c - receiving like any other socket: a slot, a name, a ring, tokens.
 *
 * What the worker sends itself does not go through the ring, where it would have to wait for itself, but through a queue beside it. A frame in that queue
 * remembers how far the ring was filled when it was sent, and comes after those frames: so the order is that in which raw sockets got them. */
#include "daemon/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bus/slot.h"
#include "bus/wake.h"
#include "can/frame.h"

#define FRAMES_A_TURN 256
#define OWN_LEAST     64

struct inbox_own {
    uint64_t after; /* position of the ring's head when it was sent */
    uint64_t time_ns;
    uint32_t ifindex, origin, origin_gen, record_flags, size;
    struct canfd_frame frame;
};

static void on_token(struct loop_source *source, uint32_t events)
{
    (void)events;
    inbox_serve(loop_owner(source, struct inbox, source));
}

/* The slot's socket, bound to its name as sockets/raw.c does it. */
static int open_socket(struct inbox *inbox)
{
    struct sockaddr_un address;
    int size = wake_address(inbox->bus, inbox->slot, inbox->gen, &address), fd;

    if (size < 0) return size;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    unlink(address.sun_path); /* of a worker that died */
    if (bind(fd, (struct sockaddr *)&address, (socklen_t)size) == 0) return fd;
    size = -errno;
    close(fd);
    return size;
}

int inbox_open(struct inbox *inbox)
{
    int slot = slot_claim(inbox->bus, &inbox->gen), error;

    if (slot < 0) return slot;
    inbox->slot = (uint32_t)slot;
    inbox->source = (struct loop_source){ open_socket(inbox), on_token };
    error = inbox->source.fd < 0 ? inbox->source.fd : slot_open(inbox->bus, inbox->slot, inbox->gen);
    if (!error) error = loop_add(&inbox->source, EPOLLIN);
    if (error) {
        inbox_close(inbox);
        return error;
    }
    slot_set_filters(inbox->bus, inbox->slot, NULL, 0);
    store_relaxed(&inbox->bus->data->slot[slot].busy, 0);
    store_relaxed(&inbox->bus->data->slot[slot].queue_head,
                  ring_tail(inbox->bus, inbox->slot)); /* all served */
    store_relaxed(&inbox->bus->data->slot[slot].bound,
                  BOUND_EVERYWHERE); /* so whoever ends it clears the maps */
    store_seq(&inbox->bus->data->slot[slot].rx_flags,
              inbox->gen << RX_GEN_SHIFT | RX_OPEN | RX_OWN | RX_FD | RX_TIME | RX_ALL | RX_INBOX);
    return 0;
}

void inbox_close(struct inbox *inbox)
{
    if (inbox->source.fd >= 0) {
        loop_remove(&inbox->source);
        close(inbox->source.fd);
        inbox->source.fd = -1;
    }
    free(inbox->wanted);
    free(inbox->own);
    inbox->wanted = NULL;
    inbox->own = NULL;
    inbox->own_count = inbox->own_room = 0;
    slot_end(inbox->bus, inbox->slot, inbox->gen);
}

/* ---- what is wanted ---- */

static uint32_t row_of(uint32_t id)
{
    uint32_t mask = id & CAN_EFF_FLAG ? CAN_EFF_MASK : CAN_SFF_MASK;
    return imap_row(filter_normalise(id, mask | CAN_EFF_FLAG | CAN_RTR_FLAG));
}

int inbox_want(struct inbox *inbox, uint32_t index, uint32_t id)
{
    uint32_t row = row_of(id);

    if (!inbox->wanted) inbox->wanted = calloc(LINKS_MAX + 1, sizeof(*inbox->wanted));
    if (!inbox->wanted || inbox->wanted[index][row] == UINT16_MAX) return -ENOMEM;
    if (inbox->wanted[index][row]++ == 0) imap_set(&inbox->bus->data->map[index], row, inbox->slot);
    return 0;
}

void inbox_unwant(struct inbox *inbox, uint32_t index, uint32_t id)
{
    uint32_t row = row_of(id);

    if (--inbox->wanted[index][row] == 0) imap_clear(&inbox->bus->data->map[index], row, inbox->slot);
}

/* ---- frames ---- */

/* Twice the room, with the first at the begin. */
static bool grow(struct inbox *inbox)
{
    uint32_t room = inbox->own_room ? inbox->own_room * 2 : OWN_LEAST;
    struct inbox_own *fresh = malloc(room * sizeof(*fresh));

    if (!fresh) return false;
    for (uint32_t i = 0; i < inbox->own_count; i++)
        fresh[i] = inbox->own[(inbox->own_first + i) % inbox->own_room];
    free(inbox->own);
    inbox->own = fresh;
    inbox->own_first = 0;
    inbox->own_room = room;
    return true;
}

void inbox_put(struct inbox *inbox, const struct bus_frame *frame, const struct ring_meta *meta)
{
    struct inbox_own *own;

    if (frame->size > sizeof(own->frame)) return;
    if (inbox->own_count == inbox->own_room && !grow(inbox))
        return; /* lost, as by a receiver without memory */
    own = &inbox->own[(inbox->own_first + inbox->own_count++) % inbox->own_room];
    own->after = ring_head(inbox->bus, inbox->slot);
    own->time_ns = meta->time_ns;
    own->ifindex = meta->ifindex;
    own->origin = frame->origin;
    own->origin_gen = frame->origin_gen;
    own->record_flags = meta->record_flags;
    own->size = frame->size;
    memcpy(&own->frame, frame->frame, frame->size);
}

/* The oldest frame. What others sent before it comes first, unless its sender has not finished. */
static bool next_frame(struct inbox *inbox, struct ring_item *item)
{
    const struct inbox_own *own = &inbox->own[inbox->own_first];

    if (!inbox->own_count || ring_tail(inbox->bus, inbox->slot) < own->after)
        if (ring_pop(inbox->bus, inbox->slot, item)) return true;
    if (!inbox->own_count) return false;
    item->time_ns = own->time_ns;
    item->ifindex = own->ifindex;
    item->origin = own->origin;
    item->origin_gen = own->origin_gen;
    item->record_flags = own->record_flags;
    item->size = own->size;
    memcpy(item->frame, &own->frame, sizeof(own->frame));
    inbox->own_first = (inbox->own_first + 1) % inbox->own_room;
    inbox->own_count--;
    return true;
}

bool inbox_settle(struct inbox *inbox)
{
    return !inbox->own_count && wake_settle(inbox->bus, inbox->slot, inbox->source.fd);
}

bool inbox_serve(struct inbox *inbox)
{
    struct ring_item item;

    for (unsigned i = 0; i < FRAMES_A_TURN; i++) {
        if (!next_frame(inbox, &item)) {
            if (inbox->stays_awake || inbox_settle(inbox)) return false;
            continue;
        }
        bool goes_on = inbox->frame(inbox, &item);
        store_release(&inbox->bus->data->slot[inbox->slot].queue_head, ring_tail(inbox->bus, inbox->slot));
        if (!goes_on) break;
    }
    return inbox->own_count; /* of the others' the token is still there */
}

void inbox_catch_up(struct inbox *inbox)
{
    uint64_t head = ring_head(inbox->bus, inbox->slot);

    for (unsigned i = 0; i <= RING_SLOTS / FRAMES_A_TURN; i++) {
        if (!inbox->own_count && ring_tail(inbox->bus, inbox->slot) >= head) return;
        inbox_serve(inbox);
    }
}
