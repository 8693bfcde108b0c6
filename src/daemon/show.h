/* daemon/show.h - the text of files that Linux has in /proc/net, /sys/class/net, /proc/modules and /sys/module, for CTL_SHOW (sockets/procfs.h). Source: spec "procfs and sysfs". */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include <stdarg.h>
#include "daemon/engine.h"
#include "daemon/linkserver.h"

/* What /proc/net/can/stats knows beyond the counters of the shared memory: what they were at the last reset, and at the last tick. A new worker
 * begins anew. */
struct show_totals {
    uint64_t sent, received, matched;
};
struct show {
    const struct bus *bus;
    struct engine *engine;
    const struct linkserver *links;
    struct show_totals base, last;    /* base: at the reset; last: since then, at the last tick */
    uint64_t base_ns, last_ns;        /* CLOCK_MONOTONIC */
    uint64_t ratio, tx_rate, rx_rate; /* of the last period that had frames; of the last period */
    uint64_t ratio_max, tx_max, rx_max;
    uint32_t entries_max;
    uint32_t resets, user_resets;
    bool reset_wanted;
};

void show_start(struct show *show);
/* About once a second: a period of the statistics ends. Returns true while there is something to count. */
bool show_tick(struct show *show);

/* CTL_SHOW: `request` is one of enum ctl_show_request and a canonical path, not terminated. Returns the bytes of the answer - at most room; what does
 * not fit is cut off - or -errno. Reading reset_stats asks for a reset. */
long show_answer(struct show *show, const char *request, size_t size, char *text, size_t room);

/* ---- for show*.c ---- */

struct show_page {
    char *text;
    size_t room, used;
};
void show_print(struct show_page *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* show_lists.c: /proc/net/can/rcvlist_LIST; false: there is no such list. And the number of entries of all lists. */
bool show_lists_print(struct show_page *page, const struct show *show, const char *list);
uint32_t show_lists_count(const struct show *show);

/* show_links.c: our lines of /proc/net/dev; the names in /sys/class/net; what is below it - `lists`: of a directory, even where a link leads to it, the
 * names in it. 0, or what open(2) or read(2) say. Sets the answer's kind. */
void show_links_dev(struct show_page *page, const struct show *show);
void show_links_list(struct show_page *page, const struct show *show);
int show_links_sysfs(struct show_page *page, const struct show *show, const char *path, bool lists);

/* show_modules.c: our lines of /proc/modules; the names in /sys/module; what is below it, as above. */
void show_modules_proc(struct show_page *page, const struct show *show);
void show_modules_list(struct show_page *page);
int show_modules_sysfs(struct show_page *page, const struct show *show, const char *path, bool lists);

/* "any" for 0, "???" for one that is gone. */
const char *show_ifname(const struct bus *bus, uint32_t ifindex, char name[LINK_NAME_SIZE]);

#endif
