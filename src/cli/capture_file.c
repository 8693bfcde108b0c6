/* cli/capture_file.c - see capture_file.h.
 *
 * Interfaces are known by ifindex, which an interface that is made again has not got again. What the file calls an interface is its place in
 * `interfaces`. */
#include "cli/capture_file.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/clock.h"
#include "bus/links.h"
#include "cli/pcapng.h"
#include "config.h"

void capture_file_flush(struct capture_file *file)
{
    size_t done = 0;

    while (done < file->used && !file->error) {
        ssize_t size = write(file->fd, file->buffer + done, file->used - done);
        if (size >= 0)
            done += (size_t)size;
        else if (errno == EAGAIN) /* somebody made the pipe non-blocking */
            poll(&(struct pollfd){ file->fd, POLLOUT, 0 }, 1, -1);
        else if (errno != EINTR)
            file->error = -errno;
    }
    file->used = 0;
}

/* Room for a block. */
static uint8_t *room(struct capture_file *file)
{
    if (sizeof(file->buffer) - file->used < PCAPNG_BLOCK_MAX) capture_file_flush(file);
    return file->buffer + file->used;
}

/* A block has been written there. (`used +=` beside room(), which may change it, would have no order.) */
static void keep(struct capture_file *file, size_t size) { file->used += size; }

void capture_file_begin(struct capture_file *file, int fd)
{
    struct utsname system;
    char about[sizeof(system.sysname) + sizeof(system.release)];

    *file = (struct capture_file){ .fd = fd, .start_ns = clock_real_ns() };
    uname(&system);
    snprintf(about, sizeof(about), "%s %s", system.sysname, system.release);
    keep(file, pcapng_section(room(file), "pocketcan " POCKETCAN_VERSION, about));
}

/* Where it stands, or file->count. */
static unsigned find(const struct capture_file *file, uint32_t ifindex)
{
    unsigned at = file->last;

    if (at < file->count && file->interfaces[at].ifindex == ifindex) return at;
    for (at = 0; at < file->count && file->interfaces[at].ifindex != ifindex; at++)
        ;
    return at;
}

static bool add(struct capture_file *file, uint32_t ifindex)
{
    if (file->count == file->room) {
        unsigned more = file->room ? 2 * file->room : 16;
        void *grown = realloc(file->interfaces, more * sizeof(file->interfaces[0]));
        if (!grown) return false;
        file->interfaces = grown;
        file->room = more;
    }
    file->interfaces[file->count++] = (struct capture_interface){ .ifindex = ifindex };
    return true;
}

void capture_file_interface(struct capture_file *file, const struct bus *bus, uint32_t ifindex)
{
    char about[PCAPNG_TEXT_MAX + 1], name[LINK_NAME_SIZE + 1];
    struct link_view link;

    if (find(file, ifindex) < file->count) return;
    if (!add(file, ifindex)) {
        file->error = -ENOMEM;
        return;
    }
    bool known = links_by_ifindex(bus->control, ifindex, &link) == 0;
    if (known)
        snprintf(name, sizeof(name), "%.*s", LINK_NAME_SIZE, link.name);
    else /* it came and went */
        snprintf(name, sizeof(name), "if%u", ifindex);
    snprintf(about, sizeof(about), "pocketcan %s in %s",
             known ? links_kind_name(link_state_kind(link.state)) : "", bus->dir);
    keep(file, pcapng_interface(room(file), name, about));
}

void capture_file_frame(struct capture_file *file, const struct bus *bus, const struct capture_frame *frame)
{
    capture_file_interface(file, bus, frame->ifindex);
    unsigned at = find(file, frame->ifindex);
    if (at == file->count) return;
    const struct pcapng_packet packet = { .interface = at,
                                          .time_ns = frame->time_ns,
                                          .frame = frame->bytes,
                                          .size = frame->size,
                                          .direction = frame->outbound ? PCAPNG_OUTBOUND : PCAPNG_INBOUND,
                                          .dropped = frame->dropped };
    keep(file, pcapng_packet(room(file), &packet));
    file->interfaces[at].received += 1 + (uint64_t)frame->dropped;
    file->interfaces[at].dropped += frame->dropped;
    file->frames++;
    file->dropped += frame->dropped;
    file->last = at;
}

void capture_file_lost(struct capture_file *file, uint32_t ifindex, uint32_t lost)
{
    unsigned at = find(file, ifindex);

    file->dropped += lost;
    if (at == file->count) return;
    file->interfaces[at].received += lost;
    file->interfaces[at].dropped += lost;
}

int capture_file_end(struct capture_file *file)
{
    uint64_t end_ns = clock_real_ns();

    for (unsigned at = 0; at < file->count; at++) {
        const struct pcapng_statistics statistics = { at, file->start_ns, end_ns,
                                                      file->interfaces[at].received,
                                                      file->interfaces[at].dropped };
        keep(file, pcapng_statistics(room(file), &statistics));
    }
    capture_file_flush(file);
    if (close(file->fd) < 0 && !file->error) file->error = -errno;
    free(file->interfaces);
    file->interfaces = NULL;
    return file->error;
}
