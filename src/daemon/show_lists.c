/* daemon/show_lists.c - /proc/net/can/rcvlist_*: the filters of CAN_RAW sockets, and what BCM and ISO-TP subscribed to.
 *
 * Entries are collected into a table of this file's own, sorted as Linux would meet them, and printed interface by interface. Nobody notes when a filter was
 * set: that a socket of a higher slot is a newer one stands for it. */
#include "daemon/show.h"

#include <stdlib.h>
#include <string.h>
#include "bus/counters.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "can/filter.h"

#define ENTRIES_MAX 65536u /* what one file can show; text for less than that fits an answer */
#define EFF_BUCKETS 1024u

struct entry {
    struct filter_entry filter;
    uint32_t ifindex, order; /* order: lower is newer */
    uint64_t matches, user;
    const char *ident;
};

struct table {
    enum filter_list list;
    uint32_t count;
    struct entry *entry; /* NULL: only count */
};

static void add(struct table *table, const struct entry *entry)
{
    if (!table->entry) {
        table->count++;
    } else if (entry->filter.list == table->list && table->count < ENTRIES_MAX) {
        table->entry[table->count] = *entry;
        table->entry[table->count].order = table->count;
        table->count++;
    }
}

/* ---- CAN_RAW ---- */

/* The default filter: every frame since it was set. */
static uint64_t offered_since(const struct bus *bus, const struct bus_slot *slot)
{
    uint32_t link = load_relaxed(&slot->link);
    uint64_t now = link < LINKS_MAX ? counters_sum(bus->data, link).offered
                                    : counters_total(bus->control, bus->data).offered,
             then = load_relaxed(&slot->offered_before);

    return now > then ? now - then : 0;
}

static void add_filters(struct table *table, const struct bus *bus, uint32_t number, struct entry entry)
{
    static struct can_filter filters[FILTERS_MAX];
    const struct bus_slot *slot = &bus->data->slot[number];
    const struct slot_matches *matches = &bus->data->matches[number][load_acquire(&slot->filters_cur) & 1];
    uint32_t count = slot_get_filters(bus, number, filters);

    for (uint32_t i = count; i-- > 0;) {
        entry.filter = filter_normalise(filters[i].can_id, filters[i].can_mask);
        entry.user = (uint64_t)number << 16 | i;
        if (table->entry && entry.filter.list == table->list)
            entry.matches = count == 1 && entry.filter.list == FILTER_ALL ? offered_since(bus, slot)
                                                                          : load_relaxed(&matches->entry[i]);
        add(table, &entry);
    }
}

static void add_raw(struct table *table, const struct bus *bus, uint32_t number)
{
    const struct bus_slot *slot = &bus->data->slot[number];
    struct entry entry = { .ifindex = load_relaxed(&slot->ifindex), .ident = "raw" };
    uint32_t error_mask = load_relaxed(&slot->err_mask);

    if ((load_acquire(&bus->data->life[number]) & 3) != SLOT_OPEN || load_relaxed(&slot->bound) != BOUND ||
        load_relaxed(&slot->protocol) != CAN_RAW)
        return;
    if (error_mask) {
        entry.filter = (struct filter_entry){ FILTER_ERROR, 0, error_mask & CAN_ERR_MASK };
        entry.matches = load_relaxed(&slot->error_matches);
        entry.user = (uint64_t)number << 16 | FILTERS_MAX;
        add(table, &entry);
    }
    add_filters(table, bus, number, entry);
}

/* ---- BCM, ISO-TP ---- */

struct collecting {
    struct table *table;
    const char *ident;
};

static void add_subscription(void *context, const struct subscription *subscription)
{
    struct collecting *collecting = context;
    uint32_t id = subscription->id, mask = id & CAN_EFF_FLAG ? CAN_EFF_MASK : CAN_SFF_MASK;
    struct entry entry = { .filter = filter_normalise(id, mask | CAN_EFF_FLAG | CAN_RTR_FLAG),
                           .ifindex = subscription->ifindex,
                           .matches = subscription->matches,
                           .user = (uint64_t)(uintptr_t)subscription >> 4,
                           .ident = collecting->ident };

    if (subscription->link) add(collecting->table, &entry);
}

static void add_served(struct table *table, const struct engine_socket *socket)
{
    struct collecting bcm = { table, "bcm" }, isotp = { table, "isotp" }, echoes = { table, "isotpe" };

    if (socket->protocol == &engine_bcm) {
        bcm_each(&socket->bcm, add_subscription, &bcm);
    } else if (socket->protocol == &engine_isotp) {
        add_subscription(&isotp, &socket->isotp.rx_frames);
        add_subscription(&echoes, &socket->isotp.echoes);
    }
}

static void collect(struct table *table, const struct show *show)
{
    uint32_t high = load_acquire(&show->bus->data->slots_high);

    for (uint32_t number = high < SOCKETS_MAX ? high : SOCKETS_MAX; number-- > 0;)
        add_raw(table, show->bus, number);
    for (const struct engine_socket *socket = show->engine->sockets; socket; socket = socket->next)
        add_served(table, socket);
}

uint32_t show_lists_count(const struct show *show)
{
    struct table table = { .count = 0 };

    collect(&table, show);
    return table.count;
}

/* ---- printing ---- */

/* The two lists of single identifiers are tables of lists: by identifier, and by its hash. */
static uint32_t bucket_of(const struct entry *entry)
{
    switch (entry->filter.list) {
    case FILTER_SFF: return entry->filter.id & CAN_SFF_MASK;
    case FILTER_EFF: return filter_hash(entry->filter.id & CAN_EFF_MASK, EFF_BUCKETS);
    default: return 0;
    }
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->ifindex != y->ifindex) return x->ifindex < y->ifindex ? -1 : 1;
    if (bucket_of(x) != bucket_of(y)) return bucket_of(x) < bucket_of(y) ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* Stands for the kernel's hashed addresses: tells entries apart, says nothing else. */
static unsigned long long hashed(uint64_t number)
{
    return (unsigned long long)((number + 1) * 0x9e3779b97f4a7c15ull >> 32);
}

static void print_row(struct show_page *page, const char *name, const struct entry *entry)
{
    show_print(page, entry->filter.id & CAN_EFF_FLAG ? "   %-5s  %08x  " : "   %-5s     %03x    ", name,
               entry->filter.id);
    show_print(page, "%08x  %016llx  %016llx  %8llu  %s\n", entry->filter.mask,
               hashed((uint64_t)entry->ident[0] << 32 | (uint64_t)entry->ident[1] << 8), hashed(entry->user),
               (unsigned long long)entry->matches, entry->ident);
}

/* The entries of one interface are together. Returns where the next one's begin. */
static uint32_t print_link(struct show_page *page, const struct table *table, uint32_t at, uint32_t ifindex,
                           const char *name)
{
    while (at < table->count && table->entry[at].ifindex < ifindex)
        at++; /* of an interface that is gone */
    if (at == table->count || table->entry[at].ifindex != ifindex) {
        show_print(page, "  (%s: no entry)\n", name);
        return at;
    }
    show_print(page, "  device   can_id   can_mask      function          userdata       matches  ident\n");
    while (at < table->count && table->entry[at].ifindex == ifindex)
        print_row(page, name, &table->entry[at++]);
    return at;
}

static int compare_links(const void *a, const void *b)
{
    return ((const struct link_view *)a)->ifindex - ((const struct link_view *)b)->ifindex;
}

static void print_all(struct show_page *page, const struct control *control, const struct table *table)
{
    static struct link_view links[LINKS_MAX];
    uint32_t count = 0, at;

    for (uint32_t index = 0; index < LINKS_MAX; index++)
        if (!links_get(control, index, &links[count])) count++;
    qsort(links, count, sizeof(*links), compare_links);
    at = print_link(page, table, 0, 0, "any");
    for (uint32_t i = 0; i < count; i++)
        at = print_link(page, table, at, (uint32_t)links[i].ifindex, links[i].name);
    show_print(page, "\n");
}

bool show_lists_print(struct show_page *page, const struct show *show, const char *list)
{
    static const char *const names[] = {
        [FILTER_ALL] = "all", [FILTER_MASKED] = "fil", [FILTER_INVERTED] = "inv",
        [FILTER_SFF] = "sff", [FILTER_EFF] = "eff",    [FILTER_ERROR] = "err",
    };
    struct table table = { .list = FILTER_ALL };

    while (table.list <= FILTER_ERROR && strcmp(names[table.list], list))
        table.list++;
    if (table.list > FILTER_ERROR) return false;
    table.entry = malloc(ENTRIES_MAX * sizeof(*table.entry));
    if (!table.entry) return false;
    collect(&table, show);
    qsort(table.entry, table.count, sizeof(*table.entry), compare);
    show_print(page, "\nreceive list 'rx_%s':\n", list);
    print_all(page, show->bus->control, &table);
    free(table.entry);
    return true;
}
