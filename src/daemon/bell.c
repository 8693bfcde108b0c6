/* daemon/bell.c - the worker's bell (struct wake_bell).
 *
 * Whoever rings it has lost its way to the instance directory, by setuid() or chroot(), so the bell has an abstract name, which
 * needs no permission and which strangers can send to as well. Therefore the kernel chooses the name, so that nobody can
 * take it before us, and a ring counts only when it carries the secret that lies beside the name in `control`, which
 * nobody can map who was not let in. */
#include "daemon/bell.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "bus/wake.h"

#define ADDRESS_HEAD offsetof(struct sockaddr_un, sun_path)

/* The name as a word: what follows the zero byte that makes it abstract. 0: it has none that fits. */
static uint64_t name_of(int fd)
{
    struct sockaddr_un address = { 0 };
    socklen_t size = sizeof(address);
    uint64_t name = 0;

    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0 || size <= ADDRESS_HEAD + 1 ||
        size - ADDRESS_HEAD - 1 > sizeof(name))
        return 0;
    memcpy(&name, address.sun_path + 1, size - ADDRESS_HEAD - 1);
    return name;
}

int bell_open(struct control *control)
{
    struct sockaddr_un unnamed = { .sun_family = AF_UNIX };
    uint64_t secret = 0, name = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    store_release(&control->bell_name, 0);
    if (fd < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&unnamed, sizeof(unnamed.sun_family)) == 0) name = name_of(fd);
    if (!name || getrandom(&secret, sizeof(secret), GRND_NONBLOCK) != (ssize_t)sizeof(secret)) {
        close(fd);
        return -EADDRNOTAVAIL;
    }
    store_release(&control->bell_secret, secret);
    store_release(&control->bell_name, name);
    return fd;
}

int bell_take(const struct control *control, int fd)
{
    struct wake_bell bell;
    ssize_t size = recv(fd, &bell, sizeof(bell), MSG_DONTWAIT);

    if (size < 0) return BELL_SILENT;
    if (size != (ssize_t)sizeof(bell) || bell.secret != load_acquire(&control->bell_secret) ||
        bell.slot >= SOCKETS_MAX)
        return BELL_STRANGER;
    return (int)bell.slot;
}
