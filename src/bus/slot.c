/* bus/slot.c - socket slots.
 *
 * A slot belongs to one open socket, which several processes may share. life (generation << 2 | state) says whose it is:
 *   FREE(g) -> CLAIMED(g+1) -> OPEN(g+1)   by the process that opens the socket
 *   CLAIMED or OPEN(g) -> ENDING(g) -> FREE(g)   by the one process that found it dead and won the first swap
 * Whoever dies on the way leaves CLAIMED or ENDING behind; the daemon's sweep ends what it sees unchanged twice.
 *
 * Changes of bindings and filters are serialised by slot.lock, a plain word: a holder that is killed or stopped loses it after
 * LOCK_PATIENCE_NS. What it half did stays harmless: a filter list counts only once filters_cur points to it, new rows are
 * announced in the interest maps before that and old ones withdrawn after, and maps only narrow the search. */
#include "bus/slot.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/counters.h"
#include "bus/imap.h"
#include "bus/ring.h"
#include "bus/wake.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <sched.h>
#include <time.h>

#define LOCK_PATIENCE_NS 100000000ull
#define LOCK_LIMIT_NS                                                                                        \
    1000000000ull            /* even when it changes hands, or somebody scribbles over it, all the time */
#define FILTER_READ_TRIES 16 /* a list is only rewritten after two changes */
#define DEFAULT_BUFFER    212992u /* net.core.rmem_default */

static uint32_t life_make(uint32_t gen, unsigned state) { return gen << 2 | state; }
static unsigned life_state(uint32_t life) { return life & 3; }
static uint32_t life_gen(uint32_t life) { return life >> 2; }

static struct bus_slot *slot_at(const struct bus *bus, uint32_t slot) { return &bus->data->slot[slot]; }

/* ---- lock ---- */

uint32_t slot_lock(struct bus_slot *slot)
{
    uint32_t me = (uint32_t)sys_call6(SYS_gettid, 0, 0, 0, 0, 0, 0) | 0x80000000u, seen = 0, word;
    uint64_t first = 0, since = 0, now;

    for (;;) {
        word = load_acquire(&slot->lock);
        if (word == 0 && cas32(&slot->lock, 0, me)) return me;
        now = clock_mono_ns();
        if (!first) first = now;
        if (word != seen || !since) {
            seen = word;
            since = now;
        }
        if (now - since > LOCK_PATIENCE_NS && cas32(&slot->lock, word, me)) return me;
        if (now - first > LOCK_LIMIT_NS) return 0;
        sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
}

void slot_unlock(struct bus_slot *slot, uint32_t held)
{
    if (held) cas32(&slot->lock, held, 0); /* not the lock of somebody who took it from us */
}

/* ---- rows in the interest maps ---- */

struct rows {
    uint32_t count;
    uint16_t row[FILTERS_MAX + 1];
};

static void rows_read(const struct bus *bus, uint32_t number, uint32_t which, struct rows *out)
{
    const struct slot_filters *list = &bus->data->filters[number][which & 1];
    uint32_t count = load_relaxed(&slot_at(bus, number)->filter_count[which & 1]);

    if (count > FILTERS_MAX) count = FILTERS_MAX;
    out->count = 0;
    if (load_relaxed(&slot_at(bus, number)->protocol) == PROTOCOL_PACKET) {
        out->row[out->count++] = IMAP_ROW_TAP;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = load_relaxed(&list->entry[i].id), mask = load_relaxed(&list->entry[i].mask);
        out->row[out->count++] = (uint16_t)imap_row(filter_normalise(id, mask));
    }
    if (load_relaxed(&slot_at(bus, number)->err_mask)) out->row[out->count++] = IMAP_ROW_ERROR;
}

static bool rows_have(const struct rows *rows, uint16_t row)
{
    for (uint32_t i = 0; i < rows->count; i++)
        if (rows->row[i] == row) return true;
    return false;
}

static struct imap *bound_map(const struct bus *bus, struct bus_slot *slot)
{
    uint32_t link = load_relaxed(&slot->link);
    return load_relaxed(&slot->bound) && link <= LINKS_MAX ? &bus->data->map[link] : NULL;
}

static void rows_set(struct imap *map, const struct rows *rows, uint32_t slot)
{
    for (uint32_t i = 0; map && i < rows->count; i++)
        imap_set(map, rows->row[i], slot);
}

/* Withdraws every row that is not in `keep` (may be NULL). */
static void rows_clear(struct imap *map, const struct rows *rows, const struct rows *keep, uint32_t slot)
{
    for (uint32_t i = 0; map && i < rows->count; i++)
        if (!keep || !rows_have(keep, rows->row[i])) imap_clear(map, rows->row[i], slot);
}

/* ---- flags for senders ---- */

/* The default filter, by far the most frequent: senders need not look at the list. */
static bool takes_everything(const struct bus *bus, uint32_t number)
{
    const struct bus_slot *slot = slot_at(bus, number);
    uint32_t which = load_relaxed(&slot->filters_cur) & 1;
    const struct slot_filter *first = &bus->data->filters[number][which].entry[0];

    return load_relaxed(&slot->filter_count[which]) == 1 && !load_relaxed(&first->mask) &&
           !(load_relaxed(&first->id) & CAN_INV_FILTER);
}

void slot_update_rx_flags_locked(const struct bus *bus, uint32_t number)
{
    struct bus_slot *slot = slot_at(bus, number);
    static const struct {
        uint8_t option, flag;
    } table[] = {
        { OPT_RECV_OWN, RX_OWN }, { OPT_FD, RX_FD },          { OPT_XL, RX_XL },
        { OPT_JOIN, RX_JOIN },    { OPT_TIMESTAMP, RX_TIME }, { OPT_BPF, RX_BPF },
    };
    uint32_t flags = load_relaxed(&slot->gen) << RX_GEN_SHIFT | (load_relaxed(&slot->bound) ? RX_OPEN : 0) |
                     (load_relaxed(&slot->stamp_on) ? RX_TIME : 0) |
                     (load_relaxed(&slot->async) ? RX_ASYNC : 0) |
                     (load_relaxed(&slot->rx_limit) ? RX_LIMIT : 0);

    if (load_relaxed(&slot->option[OPT_TIMESTAMPING]) & SOF_TIMESTAMPING_RX_SOFTWARE) flags |= RX_TIME;
    if (takes_everything(bus, number)) flags |= RX_ALL;
    for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (load_relaxed(&slot->option[table[i].option])) flags |= table[i].flag;
    store_seq(&slot->rx_flags, flags);
}

/* ---- filters ---- */

/* From now on the entries of list `which` match anew. */
static void forget_matches(const struct bus *bus, uint32_t number, uint32_t which, uint32_t count)
{
    struct bus_slot *slot = slot_at(bus, number);
    const struct slot_filter *first = &bus->data->filters[number][which].entry[0];
    uint32_t link = load_relaxed(&slot->link);
    uint64_t offered = 0;

    if (load_relaxed(&slot->bound) && link < LINKS_MAX)
        offered = counters_sum(bus->data, link).offered;
    else if (load_relaxed(&slot->bound))
        offered = counters_total(bus->control, bus->data).offered;
    store_relaxed(&slot->offered_before, offered);
    if (count > FILTERS_MAX) count = FILTERS_MAX;
    if (count == 1 && !load_relaxed(&first->mask)) return; /* the default needs no memory for this */
    for (uint32_t i = 0; i < count; i++)
        store_relaxed(&bus->data->matches[number][which].entry[i], 0);
}

/* Under the lock. New rows first, then the list, then away with old rows: no frame falls between. */
static void replace_filters(const struct bus *bus, uint32_t number, const struct can_filter *filters,
                            uint32_t count)
{
    struct bus_slot *slot = slot_at(bus, number);
    uint32_t current = load_relaxed(&slot->filters_cur), next = (current & 1) ^ 1;
    struct slot_filters *list = &bus->data->filters[number][next];
    struct imap *map = bound_map(bus, slot);
    struct rows before, after;

    for (uint32_t i = 0; i < count; i++) {
        store_relaxed(&list->entry[i].id, filters[i].can_id);
        store_relaxed(&list->entry[i].mask, filters[i].can_mask);
    }
    store_release(&slot->filter_count[next], count);
    forget_matches(bus, number, next, count);
    rows_read(bus, number, current, &before);
    rows_read(bus, number, next, &after);
    rows_set(map, &after, number);
    atomic_fetch_and(&slot->rx_flags, ~(uint32_t)RX_ALL); /* before the list changes, set again after */
    if (!cas32(&slot->filters_cur, current, ((current >> 1) + 1) << 1 | next))
        return; /* we slept, and lost the lock */
    slot_update_rx_flags_locked(bus, number);
    rows_clear(map, &before, &after, number);
}

void slot_set_filters(const struct bus *bus, uint32_t number, const struct can_filter *filters,
                      uint32_t count)
{
    struct bus_slot *slot = slot_at(bus, number);
    uint32_t held = slot_lock(slot);

    replace_filters(bus, number, filters, count);
    slot_unlock(slot, held);
}

uint32_t slot_get_filters(const struct bus *bus, uint32_t number, struct can_filter *out)
{
    struct bus_slot *slot = slot_at(bus, number);
    uint32_t count = 0, current;

    for (unsigned tries = 0; tries < FILTER_READ_TRIES; tries++) {
        current = load_acquire(&slot->filters_cur);
        const struct slot_filters *list = &bus->data->filters[number][current & 1];
        count = load_relaxed(&slot->filter_count[current & 1]);
        if (count > FILTERS_MAX) count = FILTERS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            out[i].can_id = load_relaxed(&list->entry[i].id);
            out[i].can_mask = load_relaxed(&list->entry[i].mask);
        }
        atomic_thread_fence(memory_order_acquire);
        if (load_relaxed(&slot->filters_cur) == current) break;
    }
    return count;
}

void slot_set_err_mask(const struct bus *bus, uint32_t number, uint32_t mask)
{
    struct bus_slot *slot = slot_at(bus, number);
    struct rows before, after;
    uint32_t held = slot_lock(slot);

    rows_read(bus, number, load_relaxed(&slot->filters_cur), &before);
    store_relaxed(&slot->err_mask, mask);
    rows_read(bus, number, load_relaxed(&slot->filters_cur), &after);
    rows_set(bound_map(bus, slot), &after, number);
    rows_clear(bound_map(bus, slot), &before, &after, number);
    slot_unlock(slot, held);
}

void slot_update_rx_flags(const struct bus *bus, uint32_t number)
{
    uint32_t held = slot_lock(slot_at(bus, number));

    slot_update_rx_flags_locked(bus, number);
    slot_unlock(slot_at(bus, number), held);
}

/* ---- binding ---- */

/* Under the lock. */
static void move_to(const struct bus *bus, uint32_t number, uint32_t index, uint32_t ifindex)
{
    struct bus_slot *slot = slot_at(bus, number);
    struct imap *old = bound_map(bus, slot), *new = &bus->data->map[index];
    struct rows rows;

    rows_read(bus, number, load_relaxed(&slot->filters_cur), &rows);
    rows_set(new, &rows, number);
    store_seq(&slot->link, index);
    store_seq(&slot->ifindex, ifindex);
    store_seq(&slot->bound, BOUND);
    forget_matches(bus, number, load_relaxed(&slot->filters_cur) & 1,
                   load_relaxed(&slot->filter_count[load_relaxed(&slot->filters_cur) & 1]));
    store_relaxed(&slot->error_matches, 0);
    slot_update_rx_flags_locked(bus, number);
    if (old != new) rows_clear(old, &rows, NULL, number);
}

void slot_bind(const struct bus *bus, uint32_t number, uint32_t index, uint32_t ifindex)
{
    uint32_t held = slot_lock(slot_at(bus, number));

    move_to(bus, number, index, ifindex);
    slot_unlock(slot_at(bus, number), held);
}

/* Is the slot still in the life in which we began? Whoever ends a socket may be stopped on the way, and find that somebody else has
 * finished and the slot has a new owner: then it must not touch it any more. */
static bool still_in(const struct bus *bus, uint32_t number, uint32_t life)
{
    return load_seq(&bus->data->life[number]) == life;
}

static bool withdraw(const struct bus *bus, uint32_t number, uint32_t life, struct imap *map, uint32_t row)
{
    if (!still_in(bus, number, life)) return false;
    imap_clear(map, row, number);
    if (still_in(bus, number, life)) return true;
    imap_set(map, row, number); /* it may be the new owner's; a bit too many does no harm */
    return false;
}

/* Nothing is delivered any more, unless the slot has a new owner. */
static void stop_receiving(const struct bus *bus, uint32_t number, uint32_t gen)
{
    atomic_u32 *rx_flags = &slot_at(bus, number)->rx_flags;
    uint32_t flags = load_seq(rx_flags);

    while ((flags & RX_OPEN) && flags >> RX_GEN_SHIFT == gen << RX_GEN_SHIFT >> RX_GEN_SHIFT &&
           !cas32(rx_flags, flags, 0))
        flags = load_seq(rx_flags);
}

/* Leaves rows of this map that the slot's own filters do not tell of. */
static bool leave_all_rows(const struct bus *bus, uint32_t number, uint32_t life, struct imap *map)
{
    for (uint32_t row = 0; row < IMAP_ROWS; row++)
        if ((uint32_t)load_relaxed(&map->head[row]) && /* most rows are empty, and untouched memory */
            (load_relaxed(&map->word[row][number / 64]) & imap_bit(number)) &&
            !withdraw(bus, number, life, map, row))
            return false;
    return true;
}

/* The inbox of a worker that was killed. */
static bool leave_everywhere(const struct bus *bus, uint32_t number, uint32_t life)
{
    for (uint32_t index = 0; index < LINKS_MAX; index++) /* a state of 0: never used */
        if (load_relaxed(&bus->control->links[index].state) &&
            !leave_all_rows(bus, number, life, &bus->data->map[index]))
            return false;
    return leave_all_rows(bus, number, life, &bus->data->map[IMAP_ANY]);
}

/* Leaves every map; the filter list stays as it is. False: no longer our business. */
static bool leave(const struct bus *bus, uint32_t number, uint32_t life)
{
    struct bus_slot *slot = slot_at(bus, number);
    struct imap *map = bound_map(bus, slot);
    struct rows rows;

    stop_receiving(bus, number, life_gen(life));
    if (unlikely(load_relaxed(&slot->bound) == BOUND_EVERYWHERE)) return leave_everywhere(bus, number, life);
    for (uint32_t which = 0; map && which < 2; which++) { /* a killed owner may have announced either list */
        rows_read(bus, number, which, &rows);
        for (uint32_t i = 0; i < rows.count; i++)
            if (!withdraw(bus, number, life, map, rows.row[i])) return false;
    }
    return !map || withdraw(bus, number, life, map, IMAP_ROW_ERROR);
}

static bool is_bound_to(const struct bus *bus, uint32_t number, uint32_t index, uint32_t ifindex)
{
    struct bus_slot *slot = slot_at(bus, number);

    return life_state(load_acquire(&bus->data->life[number])) == SLOT_OPEN &&
           load_relaxed(&slot->link) == index && load_acquire(&slot->ifindex) == ifindex;
}

/* Its interface is gone. The ifindex goes last: a daemon that is killed on the way finds the socket again. */
static void unbind(const struct bus *bus, uint32_t number)
{
    struct bus_slot *slot = slot_at(bus, number);

    uint32_t held = slot_lock(slot);
    if (leave(bus, number, load_acquire(&bus->data->life[number]))) {
        if (load_relaxed(&slot->protocol) != PROTOCOL_PACKET) { /* which heard that it went down */
            replace_filters(bus, number, NULL, 0);
            store_seq(&slot->error, ENODEV);
        }
        store_seq(&slot->bound, 0);
        slot_update_rx_flags_locked(bus, number);
        store_seq(&slot->ifindex, 0);
    }
    slot_unlock(slot, held);
}

void slot_link_down(const struct bus *bus, uint32_t index, uint32_t ifindex, bool gone, int fd)
{
    uint32_t high = load_acquire(&bus->data->slots_high);

    for (uint32_t number = 0; number < high && number < SOCKETS_MAX; number++) {
        if (!is_bound_to(bus, number, index, ifindex)) continue;
        if (gone)
            unbind(bus, number);
        else
            store_seq(&slot_at(bus, number)->error, ENETDOWN);
        wake_notify(bus, number, fd, NULL);
    }
}

/* ---- life ---- */

static void raise_high(struct data *data, uint32_t high)
{
    uint32_t seen = load_acquire(&data->slots_high);
    while (seen < high && !cas32(&data->slots_high, seen, high))
        seen = load_acquire(&data->slots_high);
}

/* Says whose slot it is from now on. False: it is not ours any more, because we were stopped for seconds. */
static bool announce(const struct bus *bus, uint32_t number, uint32_t gen)
{
    atomic_u32 *current = &slot_at(bus, number)->gen;
    uint32_t before;

    do {
        before = load_acquire(current);
        if (!still_in(bus, number, life_make(gen, SLOT_CLAIMED))) return false;
    } while (!cas32(current, before, gen)); /* fails, too, when the next claim was announced after the look */
    return true;
}

static int claim_free(const struct bus *bus, uint32_t *gen)
{
    for (uint32_t number = 0; number < SOCKETS_MAX; number++) {
        uint32_t life = load_acquire(&bus->data->life[number]), fresh = (life_gen(life) + 1) & 0x3fffffffu;
        if (life_state(life) != SLOT_FREE ||
            !cas32(&bus->data->life[number], life, life_make(fresh, SLOT_CLAIMED)))
            continue;
        raise_high(bus->data, number + 1);
        if (!announce(bus, number, fresh)) continue;
        *gen = fresh;
        return (int)number;
    }
    return -ENFILE;
}

/* Programs that ended without close() leave their slots to the daemon's next sweep. When there is no other, it is done here. */
static unsigned end_dead(const struct bus *bus)
{
    unsigned ended = 0;

    for (uint32_t number = 0; number < SOCKETS_MAX; number++) {
        uint32_t life = load_acquire(&bus->data->life[number]);
        if (life_state(life) != SLOT_OPEN || wake_probe(bus, number, life_gen(life)) != WAKE_DEAD ||
            load_relaxed(&slot_at(bus, number)->protocol) > CAN_RAW)
            continue;
        slot_end(bus, number, life_gen(life));
        ended++;
    }
    return ended;
}

int slot_claim(const struct bus *bus, uint32_t *gen)
{
    int slot = claim_free(bus, gen);

    return slot == -ENFILE && end_dead(bus) ? claim_free(bus, gen) : slot;
}

static void reset_options(struct bus_slot *slot)
{
    static const struct {
        uint8_t option;
        uint32_t value;
    } defaults[] = {
        { OPT_LOOPBACK, 1 }, { OPT_RCVBUF, DEFAULT_BUFFER },   { OPT_SNDBUF, DEFAULT_BUFFER },
        { OPT_RCVLOWAT, 1 }, { OPT_INCOMING_CPU, UINT32_MAX },
    };

    for (unsigned i = 0; i < OPT_COUNT; i++)
        store_relaxed(&slot->option[i], 0);
    for (unsigned i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
        store_relaxed(&slot->option[defaults[i].option], defaults[i].value);
}

static void empty_ring(const struct bus *bus, uint32_t number)
{
    struct ring_item item;
    for (unsigned i = 0; i < 2 * RING_SLOTS && ring_pop(bus, number, &item); i++)
        ;
    store_relaxed(&bus->data->slot[number].drops, 0);
    store_relaxed(&bus->data->slot[number].drops_told, 0);
    store_seq(&bus->data->slot[number].armed,
              ((load_relaxed(&bus->data->slot[number].armed) & ~3u) + 4) | WAKE_ARMED);
}

int slot_open(const struct bus *bus, uint32_t number, uint32_t gen)
{
    struct bus_slot *slot = slot_at(bus, number);
    static const struct can_filter everything = { 0, 0 };

    /* Our name is bound by now: from here on nobody takes the slot for dead. */
    if (load_seq(&bus->data->life[number]) != life_make(gen, SLOT_CLAIMED)) return -ESTALE;
    store_relaxed(&slot->rx_flags, 0);
    store_relaxed(&slot->bound, 0);
    store_relaxed(&slot->ifindex, 0);
    store_relaxed(&slot->link, LINKS_MAX);
    store_relaxed(&slot->protocol, CAN_RAW);
    store_relaxed(&slot->err_mask, 0);
    store_relaxed(&slot->rx_limit, 0);
    store_relaxed(&slot->error, 0);
    store_relaxed(&slot->stamp_ns, 0);
    store_relaxed(&slot->stamp_on, 0);
    store_relaxed(&slot->tx_id, 0);
    store_relaxed(&slot->tx_told, 0);
    store_relaxed(&slot->errqueue_head, 0);
    store_relaxed(&slot->errqueue_tail, 0);
    store_relaxed(&slot->errqueue_charge, 0);
    store_relaxed(&slot->waiters, 0);
    store_relaxed(&slot->async, 0);
    store_relaxed(&slot->signals_owed, 0);
    store_relaxed(&slot->inode, 0);
    store_relaxed(&slot->rx_frames, 0);
    store_relaxed(&slot->tx_frames, 0);
    store_relaxed(&slot->lock, 0);
    store_relaxed(&slot->door, SLOT_DOOR_PRELOAD);
    store_relaxed(&slot->owner_pid, (uint32_t)sys_call6(SYS_getpid, 0, 0, 0, 0, 0, 0));
    store_relaxed(&slot->owner_uid, (uint32_t)sys_call6(SYS_getuid, 0, 0, 0, 0, 0, 0));
    reset_options(slot);
    empty_ring(bus, number);
    replace_filters(bus, number, &everything, 1);
    return cas32(&bus->data->life[number], life_make(gen, SLOT_CLAIMED), life_make(gen, SLOT_OPEN)) ? 0
                                                                                                    : -ESTALE;
}

void slot_set_packet(const struct bus *bus, uint32_t number, uint32_t type, uint32_t protocol)
{
    struct bus_slot *slot = slot_at(bus, number);

    slot_set_filters(bus, number, NULL, 0);
    for (unsigned i = 0; i < SLOT_SETTINGS; i++)
        store_relaxed(&slot->setting[i], 0);
    store_relaxed(&slot->setting[PACKET_TYPE], type);
    store_relaxed(&slot->setting[PACKET_PROTOCOL], protocol);
    store_relaxed(&slot->setting[PACKET_SEEN], (uint32_t)ring_head(bus, number));
    store_relaxed(&slot->option[OPT_XL], 1);
    store_seq(&slot->protocol, PROTOCOL_PACKET);
    slot_update_rx_flags(bus, number);
}

void slot_set_protocol(const struct bus *bus, uint32_t number, uint32_t protocol)
{
    struct bus_slot *slot = slot_at(bus, number);

    slot_set_filters(bus, number, NULL, 0);
    store_relaxed(&slot->queue_head, 0);
    store_relaxed(&slot->queue_tail, 0);
    store_relaxed(&slot->busy, 0);
    store_relaxed(&slot->tx_address, 0);
    store_relaxed(&slot->rx_address, 0);
    store_seq(&slot->protocol, protocol);
}

/* ENDING(gen) -> FREE(gen). Needs no lock: nobody holds the socket any more, and two who do this do the same. */
static void finish(const struct bus *bus, uint32_t number, uint32_t gen)
{
    struct sockaddr_un address;

    if (!leave(bus, number, life_make(gen, SLOT_ENDING))) return;
    if (wake_address(bus, number, gen, &address) > 0) sys_call(SYS_unlinkat, AT_FDCWD, address.sun_path, 0);
    cas32(&bus->data->life[number], life_make(gen, SLOT_ENDING), life_make(gen, SLOT_FREE));
}

void slot_end(const struct bus *bus, uint32_t number, uint32_t gen)
{
    atomic_u32 *life = &bus->data->life[number];
    uint32_t word = load_acquire(life);

    if (life_gen(word) != gen || (life_state(word) != SLOT_OPEN && life_state(word) != SLOT_CLAIMED)) return;
    if (cas32(life, word, life_make(gen, SLOT_ENDING))) finish(bus, number, gen);
}

/* The daemon sees every name, so a socket without one is as good as dead. Those of its protocols it ends itself when it has finished what
 * they have begun. */
static bool looks_dead(const struct bus *bus, uint32_t number, uint32_t gen)
{
    enum wake_life life;

    if (load_relaxed(&slot_at(bus, number)->protocol) > CAN_RAW &&
        (load_relaxed(&slot_at(bus, number)->busy) & SLOT_BUSY))
        return false;
    life = wake_probe(bus, number, gen);
    return life == WAKE_DEAD || life == WAKE_NAMELESS;
}

unsigned slot_sweep(const struct bus *bus, uint32_t *stale)
{
    uint32_t high = load_acquire(&bus->data->slots_high);
    unsigned freed = 0;

    for (uint32_t number = 0; number < high && number < SOCKETS_MAX; number++) {
        uint32_t life = load_acquire(&bus->data->life[number]), gen = life_gen(life);
        bool unchanged = stale[number] == life;

        stale[number] = life;
        if (life_state(life) == SLOT_FREE || (life_state(life) != SLOT_OPEN && !unchanged) ||
            (life_state(life) != SLOT_ENDING && !looks_dead(bus, number, gen)))
            continue;
        if (life_state(life) == SLOT_ENDING)
            finish(bus, number, gen);
        else
            slot_end(bus, number, gen);
        freed++;
    }
    return freed;
}

/* What a socket has to report at a tick: where its ring stands. 0: nothing. */
static uint64_t standing(const struct bus *bus, uint32_t number)
{
    uint32_t life = load_acquire(&bus->data->life[number]);

    if (life_state(life) != SLOT_OPEN || !wake_pending(bus, number)) return 0;
    return load_relaxed(&bus->data->slot[number].tail) << 2 | 1;
}

void slot_nudge(const struct bus *bus, uint64_t *waiting)
{
    enum { TOLD = 2 };
    uint32_t high = load_acquire(&bus->data->slots_high);

    for (uint32_t number = 0; number < high && number < SOCKETS_MAX; number++) {
        uint64_t now = standing(bus, number);
        if (now && (waiting[number] & ~(uint64_t)TOLD) == now) {
            if (!(waiting[number] & TOLD) || load_relaxed(&slot_at(bus, number)->waiters))
                wake_nudge(bus, number, life_gen(load_acquire(&bus->data->life[number])));
            now |= TOLD; /* a token stays until it is read, but wakes only one sleeper, once */
        }
        waiting[number] = now;
    }
}
