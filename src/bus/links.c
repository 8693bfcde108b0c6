/* bus/links.c - reading the interface table without locks; see links.h.
 *
 * The writer (daemon/linktable.c) makes an entry's seq odd, writes, makes it even. A reader copies and
 * believes the copy when seq was even and the same before and after. A writer that was preempted or killed
 * inside leaves seq odd for a while: readers try a bounded number of times and then take the copy as it is -
 * a half-written name, always terminated here, is worth less than a program that hangs.
 *
 * The daemon places ifindex N at entry (N - LINK_IFINDEX_FIRST) % LINKS_MAX whenever that is free, so that
 * links_find() nearly always looks at one cache line. Nothing depends on it but speed. */
#include "bus/links.h"

#include <errno.h>
#include <string.h>

#define READ_TRIES 1000u /* each a few hundred nanoseconds: far longer than a writer that runs needs */

uint32_t links_find(const struct control *control, uint32_t ifindex)
{
    if (ifindex == 0) return LINKS_MAX;
    uint32_t guess = (ifindex - LINK_IFINDEX_FIRST) % LINKS_MAX;
    if (load_acquire(&control->links[guess].ifindex) == ifindex) return guess;
    for (uint32_t i = 0; i < LINKS_MAX; i++)
        if (load_acquire(&control->links[i].ifindex) == ifindex) return i;
    return LINKS_MAX;
}

static void copy_entry(const struct bus_link *link, struct link_view *out)
{
    out->ifindex = (int32_t)load_acquire(&link->ifindex);
    out->state = load_acquire(&link->state);
    memcpy(out->name, link->name, sizeof out->name);
    out->name[sizeof out->name - 1] = '\0';
    out->flags = link->flags;
    out->mtu = link->mtu;
    out->txqlen = link->txqlen;
    out->peer_ifindex = link->peer_ifindex;
    out->operstate = link->operstate;
    out->carrier = link->carrier;
}

int links_get(const struct control *control, uint32_t index, struct link_view *out)
{
    if (index >= LINKS_MAX) return -ENODEV;
    const struct bus_link *link = &control->links[index];
    struct link_view copy = { .index = index };
    for (unsigned tries = 0; tries < READ_TRIES; tries++) {
        uint32_t before = load_acquire(&link->seq);
        copy_entry(link, &copy);
        atomic_thread_fence(memory_order_acquire);
        if (!(before & 1) && load_relaxed(&link->seq) == before) break;
        cpu_relax();
    }
    if (copy.ifindex == 0 || !(copy.state & LINK_PRESENT)) return -ENODEV;
    *out = copy;
    return 0;
}

/* True when the string in field[0..field_size) is exactly name[0..size). */
static bool same_name(const char *field, size_t field_size, const char *name, size_t size)
{
    return size < field_size && memcmp(field, name, size) == 0 && field[size] == '\0';
}

static bool entry_is_called(const struct bus_link *link, const char *name, size_t size)
{
    if (same_name(link->name, LINK_NAME_SIZE, name, size)) return true;
    for (unsigned i = 0; i < LINK_ALTNAMES_MAX; i++)
        if (same_name(link->altname[i], LINK_ALTNAME_SIZE, name, size)) return true;
    return false;
}

/* As entry_is_called(), of one moment: a rename in progress is waited for. */
static bool entry_was_called(const struct bus_link *link, const char *name, size_t size)
{
    bool called = false;
    for (unsigned tries = 0; tries < READ_TRIES; tries++) {
        uint32_t before = load_acquire(&link->seq);
        called = entry_is_called(link, name, size);
        atomic_thread_fence(memory_order_acquire);
        if (!(before & 1) && load_relaxed(&link->seq) == before) break;
        cpu_relax();
    }
    return called;
}

static size_t name_size(const char *name, size_t size)
{
    size_t used = 0;
    while (used < size && name[used] != '\0' && name[used] != ':')
        used++;
    return used;
}

int links_by_name(const struct control *control, const char *name, size_t size, struct link_view *out)
{
    size = name_size(name, size);
    if (size == 0) return -ENODEV;
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (load_acquire(&control->links[i].ifindex) == 0) continue;
        if (entry_was_called(&control->links[i], name, size) && links_get(control, i, out) == 0) return 0;
    }
    return -ENODEV;
}

int links_by_ifindex(const struct control *control, uint32_t ifindex, struct link_view *out)
{
    uint32_t index = links_find(control, ifindex);
    return index == LINKS_MAX ? -ENODEV : links_get(control, index, out);
}

const char *links_kind_name(uint32_t kind)
{
    switch (kind) {
    case LINK_KIND_VCAN: return "vcan";
    case LINK_KIND_VXCAN: return "vxcan";
    case LINK_KIND_CAN: return "can";
    default: return "";
    }
}
