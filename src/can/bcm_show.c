/* can/bcm_show.c - the jobs of a socket as the text of /proc/net/can-bcm, and their rows in /proc/net/can/rcvlist_*. */
/* prefix: bcm_show bcm_each */
#include <stdio.h>
#include <string.h>
#include "can/bcm_op.h"

#define WORDS_MAX 128

struct page {
    char *text;
    size_t room, used;
    const char *(*name)(void *context, uint32_t ifindex);
    void *context;
};

/* Adds what snprintf wrote. */
static void add(struct page *page, const char *words, int length)
{
    size_t size = length < 0 ? 0 : length < WORDS_MAX ? (size_t)length : WORDS_MAX - 1;

    if (page->used < page->room) {
        size_t left = page->room - page->used;
        memcpy(page->text + page->used, words, size < left ? size : left);
    }
    page->used += size;
}

#define PRINT(page, ...)                                                                                     \
    do {                                                                                                     \
        char words[WORDS_MAX];                                                                               \
                                                                                                             \
        add(page, words, snprintf(words, sizeof(words), __VA_ARGS__));                                       \
    } while (0)

static void print_count(struct page *page, const struct bcm_op *op)
{
    PRINT(page, op->frame_size == FRAME_FD_SIZE ? "(%u)" : "[%u]", op->nframes);
}

static void print_time(struct page *page, const char *name, uint64_t time_ns)
{
    if (time_ns) PRINT(page, "%s=%llu ", name, (unsigned long long)(time_ns / 1000));
}

/* Only of jobs that received something. */
static void print_rx(struct page *page, const struct bcm_op *op)
{
    unsigned long long seen = op->frames_seen, told = op->frames_told, reduction;

    if (!seen) return;
    reduction = 100 - told * 100 / seen;
    PRINT(page, "rx_op: %03X %-5s ", op->can_id, page->name(page->context, op->ifindex));
    print_count(page, op);
    PRINT(page, "%c ", op->flags & RX_CHECK_DLC ? 'd' : ' ');
    print_time(page, "timeo", op->ival1_ns);
    print_time(page, "thr", op->ival2_ns);
    PRINT(page, "# recv %llu (%llu) => reduction: %s%llu%%\n", told, seen, reduction == 100 ? "near " : "",
          reduction);
}

static void print_tx(struct page *page, const struct bcm_op *op)
{
    PRINT(page, "tx_op: %03X %s ", op->can_id, page->name(page->context, op->ifindex));
    print_count(page, op);
    PRINT(page, " ");
    print_time(page, "t1", op->ival1_ns);
    print_time(page, "t2", op->ival2_ns);
    PRINT(page, "# sent %llu\n", (unsigned long long)op->frames_seen);
}

size_t bcm_show(const struct bcm *bcm, char *text, size_t room,
                const char *(*name)(void *context, uint32_t ifindex), void *context)
{
    struct page page = { .text = text, .room = room, .name = name, .context = context };

    for (const struct bcm_op *op = bcm->rx; op; op = op->next)
        print_rx(&page, op);
    for (const struct bcm_op *op = bcm->tx; op; op = op->next)
        print_tx(&page, op);
    PRINT(&page, "\n");
    return page.used;
}

void bcm_each(const struct bcm *bcm, void (*each)(void *context, const struct subscription *subscription),
              void *context)
{
    for (const struct bcm_op *op = bcm->rx; op; op = op->next)
        each(context, &op->subscription);
}
