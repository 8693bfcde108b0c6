/* daemon/show.c - which file is which; /proc/net/can/stats and reset_stats; /proc/net/can-bcm/INODE.
 *
 * Everything is printed from the shared memory and the machines when it is asked for. The one thing that passes with time is the statistics' period:
 * show_tick() ends one each second (each four while nobody has a socket: its length is measured). */
#include "daemon/show.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "bus/counters.h"
#include "bus/links.h"

#define SECOND_NS 1000000000u

void show_print(struct show_page *page, const char *format, ...)
{
    size_t left = page->room - page->used;
    va_list list;
    int size;

    va_start(list, format);
    size = vsnprintf(page->text + page->used, left, format, list);
    va_end(list);
    if (size < 0) return;
    page->used += (size_t)size < left ? (size_t)size : left ? left - 1 : 0;
}

const char *show_ifname(const struct bus *bus, uint32_t ifindex, char name[LINK_NAME_SIZE])
{
    struct link_view link;

    if (!ifindex) return "any";
    if (links_by_ifindex(bus->control, ifindex, &link)) return "???";
    memcpy(name, link.name, LINK_NAME_SIZE);
    return name;
}

/* ---- /proc/net/can/stats ---- */

static struct show_totals read_totals(const struct show *show)
{
    struct link_counts all = counters_total(show->bus->control, show->bus->data);

    return (struct show_totals){ all.tx_packets, all.offered, all.offered - all.unmatched };
}

/* Counters of an interface that is being removed are in motion. */
static uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

static struct show_totals since(struct show_totals now, struct show_totals then)
{
    return (struct show_totals){ minus(now.sent, then.sent), minus(now.received, then.received),
                                 minus(now.matched, then.matched) };
}

static uint64_t percent(struct show_totals t) { return t.received ? t.matched * 100 / t.received : 0; }

static uint64_t rate(uint64_t frames, uint64_t ns) { return ns ? frames * SECOND_NS / ns : 0; }

static void keep_max(uint64_t *max, uint64_t value)
{
    if (value > *max) *max = value;
}

static void reset(struct show *show, uint64_t now)
{
    show->base = read_totals(show);
    show->base_ns = now;
    show->last = (struct show_totals){ 0 };
    show->ratio = show->tx_rate = show->rx_rate = show->ratio_max = show->tx_max = show->rx_max = 0;
}

static void note_entries(struct show *show)
{
    uint32_t entries = show_lists_count(show);
    if (entries > show->entries_max) show->entries_max = entries;
}

bool show_tick(struct show *show)
{
    uint64_t now = clock_mono_ns(), period = now - show->last_ns;
    struct show_totals all, step;

    show->last_ns = now;
    if (show->reset_wanted) {
        show->reset_wanted = false;
        show->resets++;
        show->user_resets++;
        reset(show, now);
        return true;
    }
    all = since(read_totals(show), show->base);
    step = since(all, show->last);
    show->last = all;
    show->tx_rate = rate(step.sent, period);
    show->rx_rate = rate(step.received, period);
    if (step.received) show->ratio = percent(step);
    keep_max(&show->ratio_max, show->ratio);
    keep_max(&show->tx_max, show->tx_rate);
    keep_max(&show->rx_max, show->rx_rate);
    note_entries(show);
    return step.sent || step.received;
}

void show_start(struct show *show)
{
    show->last_ns = clock_mono_ns();
    reset(show, show->last_ns);
}

#define ROW " %8llu "

static void print_rates(struct show_page *page, const char *what, const char *letter, uint64_t ratio,
                        uint64_t tx, uint64_t rx)
{
    show_print(page, ROW "%% %s match ratio (%sRXMR)\n", (unsigned long long)ratio, what, letter);
    show_print(page, ROW "frames/s %s tx rate (%sTXR)\n", (unsigned long long)tx, what, letter);
    show_print(page, ROW "frames/s %s rx rate (%sRXR)\n\n", (unsigned long long)rx, what, letter);
}

static void print_stats(struct show_page *page, struct show *show)
{
    struct show_totals all = since(read_totals(show), show->base);
    uint64_t ns = clock_mono_ns() - show->base_ns;

    note_entries(show);
    show_print(page, "\n" ROW "transmitted frames (TXF)\n", (unsigned long long)all.sent);
    show_print(page, ROW "received frames (RXF)\n", (unsigned long long)all.received);
    show_print(page, ROW "matched frames (RXMF)\n\n", (unsigned long long)all.matched);
    print_rates(page, "total", "", percent(all), rate(all.sent, ns), rate(all.received, ns));
    print_rates(page, "current", "C", show->ratio, show->tx_rate, show->rx_rate);
    print_rates(page, "max", "M", show->ratio_max, show->tx_max, show->rx_max);
    show_print(page, ROW "current receive list entries (CRCV)\n", (unsigned long long)show_lists_count(show));
    show_print(page, ROW "maximum receive list entries (MRCV)\n", (unsigned long long)show->entries_max);
    if (show->resets) show_print(page, "\n" ROW "statistic resets (STR)\n", (unsigned long long)show->resets);
    if (show->user_resets)
        show_print(page, ROW "user statistic resets (USTR)\n", (unsigned long long)show->user_resets);
    show_print(page, "\n");
}

static void print_reset(struct show_page *page, struct show *show)
{
    show->reset_wanted = true;
    show_print(page, "Scheduled statistic reset #%u.\n", show->resets + 1);
}

/* ---- /proc/net/can-bcm/INODE ---- */

struct names {
    const struct bus *bus;
    char name[LINK_NAME_SIZE];
};

static const char *name_of(void *context, uint32_t ifindex)
{
    struct names *names = context;
    return show_ifname(names->bus, ifindex, names->name);
}

/* Numbers in place of the kernel's hashed addresses: they tell sockets apart. */
static void print_bcm(struct show_page *page, const struct show *show, const struct engine_socket *socket,
                      const struct bus_slot *slot)
{
    struct names names = { .bus = show->bus };
    unsigned long long mark = (unsigned long long)socket->gen << 16 | socket->slot;
    size_t size;

    show_print(page, ">>> socket %016llx / sk %016llx / bo %016llx / dropped %u / bound %s <<<\n",
               mark | 1ull << 60, mark | 2ull << 60, mark | 3ull << 60, load_relaxed(&slot->drops),
               name_of(&names, socket->bcm.ifindex));
    size = bcm_show(&socket->bcm, page->text + page->used, page->room - page->used, name_of, &names);
    page->used += size < page->room - page->used ? size : page->room - page->used;
}

/* It is there while the socket is connected. */
static bool find_bcm(struct show_page *page, const struct show *show, const char *inode)
{
    char *end;
    unsigned long long number = strtoull(inode, &end, 10);

    if (end == inode || *end) return false;
    for (const struct engine_socket *socket = show->engine->sockets; socket; socket = socket->next) {
        const struct bus_slot *slot = engine_slot(socket);
        if (socket->protocol != &engine_bcm || !slot || load_relaxed(&slot->inode) != number) continue;
        if (!load_relaxed(&slot->bound)) return false;
        print_bcm(page, show, socket, slot);
        return true;
    }
    return false;
}

static void list_bcm(struct show_page *page, const struct show *show)
{
    for (const struct engine_socket *socket = show->engine->sockets; socket; socket = socket->next) {
        const struct bus_slot *slot = engine_slot(socket);
        if (socket->protocol == &engine_bcm && slot && load_relaxed(&slot->bound))
            show_print(page, "%llu\n", (unsigned long long)load_relaxed(&slot->inode));
    }
}

/* ---- which is which ---- */

struct request {
    const char *rest; /* of the path, behind what the row names */
    bool looks;       /* does not want the text */
    bool lists;       /* wants the names in a directory */
};

/* Each prints a file, or the names in a directory, and returns 0 or what open(2) or read(2) say. */
static int show_stats(struct show_page *page, struct show *show, const struct request *request)
{
    (void)request;
    print_stats(page, show);
    return 0;
}

static int show_reset(struct show_page *page, struct show *show, const struct request *request)
{
    if (!request->looks) print_reset(page, show);
    return 0;
}

static int show_list(struct show_page *page, struct show *show, const struct request *request)
{
    return show_lists_print(page, show, request->rest) ? 0 : -ENOENT;
}

static int show_can(struct show_page *page, struct show *show, const struct request *request)
{
    static const char names[] =
        "rcvlist_all\nrcvlist_eff\nrcvlist_err\nrcvlist_fil\nrcvlist_inv\nrcvlist_sff\n"
        "reset_stats\nstats\n";
    (void)show;
    (void)request;
    show_print(page, "%s", names);
    return 0;
}

static int show_bcm(struct show_page *page, struct show *show, const struct request *request)
{
    return find_bcm(page, show, request->rest) ? 0 : -ENOENT;
}

static int show_bcm_all(struct show_page *page, struct show *show, const struct request *request)
{
    (void)request;
    list_bcm(page, show);
    return 0;
}

/* Directories that the kernel has, too, are none of ours, but for what is in them. */
static int show_net(struct show_page *page, struct show *show, const struct request *request)
{
    (void)show;
    show_print(page, "can\ncan-bcm\n");
    return request->lists ? 0 : -ENOENT;
}

static int show_class(struct show_page *page, struct show *show, const struct request *request)
{
    show_links_list(page, show);
    return request->lists ? 0 : -ENOENT;
}

static int show_dev(struct show_page *page, struct show *show, const struct request *request)
{
    (void)request;
    show_links_dev(page, show);
    return 0;
}

static int show_link(struct show_page *page, struct show *show, const struct request *request)
{
    return show_links_sysfs(page, show, request->rest, request->lists);
}

static int show_proc_modules(struct show_page *page, struct show *show, const struct request *request)
{
    (void)request;
    show_modules_proc(page, show);
    return 0;
}

static int show_module_all(struct show_page *page, struct show *show, const struct request *request)
{
    (void)show;
    show_modules_list(page);
    return request->lists ? 0 : -ENOENT;
}

static int show_module(struct show_page *page, struct show *show, const struct request *request)
{
    return show_modules_sysfs(page, show, request->rest, request->lists);
}

static const struct {
    const char *path; /* what ends with a '/' or '_' is the begin of one */
    enum ctl_show_kind kind;
    int (*show)(struct show_page *page, struct show *show, const struct request *request);
} files[] = {
    { "/proc/net/can", CTL_SHOW_DIR, show_can },
    { "/proc/net/can/stats", CTL_SHOW_FILE, show_stats },
    { "/proc/net/can/reset_stats", CTL_SHOW_FILE, show_reset },
    { "/proc/net/can/rcvlist_", CTL_SHOW_FILE, show_list },
    { "/proc/net/can-bcm", CTL_SHOW_DIR, show_bcm_all },
    { "/proc/net/can-bcm/", CTL_SHOW_FILE, show_bcm },
    { "/proc/net", CTL_SHOW_DIR, show_net },
    { "/proc/net/dev", CTL_SHOW_MORE, show_dev },
    { "/sys/class/net", CTL_SHOW_DIR, show_class },
    { "/sys/class/net/", CTL_SHOW_FILE, show_link },
    { "/proc/modules", CTL_SHOW_MORE, show_proc_modules },
    { "/sys/module", CTL_SHOW_DIR, show_module_all },
    { "/sys/module/", CTL_SHOW_FILE, show_module },
};

/* What of `path` follows the row's; NULL: it is another one. */
static const char *rest_of(const char *path, const char *row)
{
    size_t size = strlen(row);
    bool begins = row[size - 1] == '/' || row[size - 1] == '_';

    if (strncmp(path, row, size) || (!begins && path[size])) return NULL;
    return path + size;
}

long show_answer(struct show *show, const char *request, size_t size, char *text, size_t room)
{
    struct show_page page = { text, room, 1 }; /* behind the kind */
    struct request about = { .looks = request[0] != CTL_SHOW_READ, .lists = request[0] == CTL_SHOW_LIST };
    char path[CTL_SHOW_PATH_MAX + 1];
    int error = -ENOENT;

    memcpy(path, request + 1, size - 1);
    path[size - 1] = 0;
    engine_catch_up(show->engine);
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
        about.rest = rest_of(path, files[i].path);
        if (!about.rest) continue;
        text[0] = (char)files[i].kind;
        error = files[i].show(&page, show, &about);
        break;
    }
    return error ? error : (long)page.used;
}
