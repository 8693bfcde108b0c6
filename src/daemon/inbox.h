/* daemon/inbox.h - a socket slot of the worker's own: programs push frames into its ring as into any receiver's, and the worker takes them out.
 *
 * The protocols have one that is entered in interest maps; an interface whose frames wait to be sent can have one that is not. */
#ifndef DAEMON_INBOX_H
#define DAEMON_INBOX_H

#include "bus/bus.h"
#include "bus/imap.h"
#include "bus/ring.h"
#include "daemon/loop.h"

struct inbox {
    struct loop_source source; /* the slot's socket, readable when frames have come */
    const struct bus *bus;
    uint32_t slot, gen;
    /* A frame; it is valid during the call. False: no more for now, the rest stays (the owner calls inbox_serve when he wants it). */
    bool (*frame)(struct inbox *inbox, const struct ring_item *item);
    struct inbox_own *own; /* frames that the worker sent itself: a queue of own_room places */
    uint32_t own_first, own_count, own_room;
    bool stays_awake;              /* senders need send no tokens until inbox_settle() */
    uint16_t (*wanted)[IMAP_ROWS]; /* by map: how many want a row; NULL: nobody ever did */
};

/* Takes a slot and watches it. bus and frame are set by the caller; the rest is zero. Returns 0 or -errno. */
int inbox_open(struct inbox *inbox);
void inbox_close(struct inbox *inbox);

/* From now on, or no longer, frames of this identifier word (flags included) of links[index], or of all (IMAP_ANY); others may come along. Counted.
 * want: 0 or -ENOMEM. */
int inbox_want(struct inbox *inbox, uint32_t index, uint32_t id);
void inbox_unwant(struct inbox *inbox, uint32_t index, uint32_t id);

/* Hands out what is there, some frames at a time; the loop goes on with the rest of others' frames, and the caller with the rest of our own.
 * Returns whether there may be more of these. */
bool inbox_serve(struct inbox *inbox);

/* For one that stays awake, before falling asleep. False: there is something. */
bool inbox_settle(struct inbox *inbox);

/* Hands out what was sent until now: before something that came after it. */
void inbox_catch_up(struct inbox *inbox);

/* For bus->to_self: a frame that the worker sends and wants itself. inbox_serve() brings it in its place among those of others. */
void inbox_put(struct inbox *inbox, const struct bus_frame *frame, const struct ring_meta *meta);

#endif
