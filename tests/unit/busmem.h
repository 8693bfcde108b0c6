/* tests/unit/busmem.h - the memories of an instance without a daemon, and bare sockets in them: for tests of src/bus. */
#ifndef TESTS_BUSMEM_H
#define TESTS_BUSMEM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "bus/attach.h"
#include "bus/bus.h"
#include "bus/slot.h"
#include "bus/wake.h"

#define BUSMEM_MUST(condition)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("Bail out! %s:%d: %s\n", __FILE__, __LINE__, #condition);                                 \
            fflush(stdout);                                                                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct busmem {
    struct bus bus;
    struct control *control;
    char dir[64];
};

/* A socket as sockets/raw.c makes it: a slot, and a descriptor bound to its name. */
struct busmem_socket {
    uint32_t slot, gen;
    int fd;
};

static inline void busmem_open(struct busmem *mem)
{
    const char *tmp = getenv("TMPDIR");
    char names[80];
    int fds[2];

    memset(mem, 0, sizeof(*mem));
    snprintf(mem->dir, sizeof(mem->dir), "%s/pct-XXXXXX", tmp ? tmp : "/tmp");
    BUSMEM_MUST(mkdtemp(mem->dir));
    snprintf(names, sizeof(names), "%s/s", mem->dir);
    BUSMEM_MUST(mkdir(names, 0700) == 0);
    BUSMEM_MUST(attach_create(fds, &mem->control) == 0);
    BUSMEM_MUST(attach_map(&mem->bus, fds[0], fds[1], false) == 0);
    BUSMEM_MUST(attach_map_ext(&mem->bus, fds[1]) == 0);
    close(fds[0]);
    close(fds[1]);
    mem->bus.dir = mem->dir;
    mem->bus.dir_size = strlen(mem->dir);
}

static inline void busmem_close(struct busmem *mem)
{
    char command[100];

    munmap(mem->bus.data, sizeof(struct data));
    munmap(mem->bus.ext, sizeof(struct data_ext));
    munmap((void *)(uintptr_t)mem->bus.control, sizeof(struct control));
    munmap(mem->control, sizeof(struct control));
    snprintf(command, sizeof(command), "rm -rf %s", mem->dir);
    BUSMEM_MUST(system(command) == 0);
}

/* Makes links[index] a vcan interface that is up, with ifindex LINK_IFINDEX_FIRST + index. */
static inline uint32_t busmem_link(struct busmem *mem, uint32_t index)
{
    struct bus_link *link = &mem->control->links[index];

    store_relaxed(&link->ifindex, LINK_IFINDEX_FIRST + index);
    store_relaxed(&link->state,
                  link_state_pack(LINK_PRESENT | LINK_UP | LINK_CARRIER, LINK_KIND_VCAN, 72, 0, 1));
    return LINK_IFINDEX_FIRST + index;
}

static inline struct busmem_socket busmem_socket(const struct bus *bus)
{
    struct busmem_socket sock = { 0 };
    struct sockaddr_un address;
    int slot = slot_claim(bus, &sock.gen), size;

    BUSMEM_MUST(slot >= 0);
    sock.slot = (uint32_t)slot;
    sock.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size = wake_address(bus, sock.slot, sock.gen, &address);
    BUSMEM_MUST(size > 0 && bind(sock.fd, (struct sockaddr *)&address, (socklen_t)size) == 0);
    BUSMEM_MUST(slot_open(bus, sock.slot, sock.gen) == 0);
    return sock;
}

static inline void busmem_socket_close(const struct bus *bus, struct busmem_socket *sock)
{
    close(sock->fd);
    slot_end(bus, sock->slot, sock->gen);
    sock->fd = -1;
}

#endif
