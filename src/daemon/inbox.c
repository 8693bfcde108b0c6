/* daemon/inbox.c - receiving like any other socket: a slot, a name, a ring, tokens.
 *
 * The worker sends into its own inbox, too (echoes), and must not wait for itself: when the ring is half full, it takes frames out
 * and keeps them in order, in the stash, which is served before the ring. */
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
#define ROOM          (RING_SLOTS / 2)

struct inbox_stash {
    struct inbox_stash *next;
    struct ring_item item;
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
    inbox->stash_end = &inbox->stash;
    inbox->source = (struct loop_source){ open_socket(inbox), on_token };
    error = inbox->source.fd < 0 ? inbox->source.fd : slot_open(inbox->bus, inbox->slot, inbox->gen);
    if (!error) error = loop_add(&inbox->source, EPOLLIN);
    if (error) {
        inbox_close(inbox);
        return error;
    }
    slot_set_filters(inbox->bus, inbox->slot, NULL, 0);
    store_relaxed(&inbox->bus->data->slot[slot].busy, 0);
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
    for (uint32_t index = 0; inbox->wanted && index <= LINKS_MAX; index++)
        for (uint32_t row = 0; row < IMAP_ROWS; row++)
            if (inbox->wanted[index][row]) imap_clear(&inbox->bus->data->map[index], row, inbox->slot);
    free(inbox->wanted);
    inbox->wanted = NULL;
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

void inbox_make_room(struct inbox *inbox)
{
    struct inbox_stash *stash;

    if (ring_count(inbox->bus, inbox->slot) < ROOM) return;
    for (unsigned i = 0; i < RING_SLOTS; i++) {
        stash = malloc(sizeof(*stash));
        if (!stash || !ring_pop(inbox->bus, inbox->slot, &stash->item)) {
            free(stash);
            return;
        }
        stash->next = NULL;
        *inbox->stash_end = stash;
        inbox->stash_end = &stash->next;
    }
}

/* The oldest frame: from the stash, or from the ring. */
static bool next_frame(struct inbox *inbox, struct ring_item *item)
{
    struct inbox_stash *stash = inbox->stash;

    if (!stash) return ring_pop(inbox->bus, inbox->slot, item);
    *item = stash->item;
    inbox->stash = stash->next;
    if (!inbox->stash) inbox->stash_end = &inbox->stash;
    free(stash);
    return true;
}

bool inbox_serve(struct inbox *inbox)
{
    struct ring_item item;

    for (unsigned i = 0; i < FRAMES_A_TURN; i++) {
        if (!next_frame(inbox, &item)) {
            if (wake_settle(inbox->bus, inbox->slot, inbox->source.fd)) return i > 0;
            continue;
        }
        if (!inbox->frame(inbox, &item)) return true;
    }
    return true; /* the token is still there */
}
