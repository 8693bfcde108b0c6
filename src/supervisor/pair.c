/* supervisor/pair.c - see pair.h.
 *
 * **Errors.** When a datagram socket that has something unread connects elsewhere, the kernel takes that as lost and tells the one whom it was connected
 * to, if that still is connected to it: ECONNRESET is its pending error. So our end lets go of the program's, gets a byte from the `helper`, connects
 * again, connects to the helper - there is the error - and back. All that happens in our thread, between two packets. The one errno that there is has to
 * do for all.
 *
 * **Strangers.** Names are abstract, so others see them; but a connected socket takes packets from its peer only, the program's end always is connected,
 * and what comes to ours in the moment when it is not is thrown away by the kernel with the helper's byte.
 *
 * **Life.** Datagram sockets do not tell that their peer is gone. Connecting to its name does, and to one that is there changes nothing. */
#include "supervisor/pair.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROOM (1 << 20) /* for what waits for the program: the kernel gives what it allows */
#define LEAST                                                                                                \
    0 /* bytes of what the program sends past us: as few as the kernel does, so that one block fills it */
#define BLOCK_SIZE 2048
#define MARK       5 /* SO_PRIORITY, which does nothing here, of our ends */

static const uint8_t block[BLOCK_SIZE] = "pocketcan: this socket is not writable";

static int helper_fd = -1;
static struct pair_name helper;

/* Lets the kernel choose a name. */
static int take_name(int fd, struct pair_name *out)
{
    sa_family_t family = AF_UNIX;
    socklen_t size = sizeof(out->bytes);

    if (bind(fd, (const struct sockaddr *)&family, sizeof(family)) < 0 ||
        getsockname(fd, (struct sockaddr *)out->bytes, &size) < 0)
        return -errno;
    out->size = size;
    return size <= sizeof(out->bytes) ? 0 : -ENAMETOOLONG;
}

int pair_prepare(void)
{
    int error;

    if (helper_fd >= 0) return 0;
    helper_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (helper_fd < 0) return -errno;
    error = take_name(helper_fd, &helper);
    if (!error) return 0;
    close(helper_fd);
    helper_fd = -1;
    return error;
}

bool pair_is_helper(int fd) { return fd == helper_fd; }

static bool is_name(const struct pair_name *name)
{
    return name->size > sizeof(sa_family_t) && name->size <= sizeof(name->bytes) && name->bytes[0] == AF_UNIX;
}

/* Still connected to the helper is one whose program went while it was told of an error. */
bool pair_recognise(int fd, struct pair *out)
{
    socklen_t size = sizeof(out->ours.bytes), peer_size = sizeof(out->theirs.bytes), mark_size = sizeof(int);
    int mark = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_PRIORITY, &mark, &mark_size) < 0 || mark != MARK ||
        getsockname(fd, (struct sockaddr *)out->ours.bytes, &size) < 0 ||
        getpeername(fd, (struct sockaddr *)out->theirs.bytes, &peer_size) < 0)
        return false;
    out->fd = fd;
    out->ours.size = size;
    out->theirs.size = peer_size;
    return is_name(&out->ours) && is_name(&out->theirs) &&
           (peer_size != helper.size || memcmp(out->theirs.bytes, helper.bytes, peer_size) != 0);
}

int pair_open(struct pair *pair, int *program_fd)
{
    int ends[2], room = ROOM, least = LEAST, mark = MARK, error = pair_prepare();

    if (error) return error;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    setsockopt(ends[0], SOL_SOCKET, SO_PRIORITY, &mark, sizeof(mark));
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
    pair->fd = ends[0];
    *program_fd = ends[1];
    error = take_name(ends[0], &pair->ours);
    if (!error) error = take_name(ends[1], &pair->theirs);
    if (!error) return 0;
    close(ends[0]);
    close(ends[1]);
    return error;
}

static int connect_to(const struct pair *pair, const struct pair_name *name)
{
    return connect(pair->fd, (const struct sockaddr *)name->bytes, name->size) < 0 ? -errno : 0;
}

bool pair_is_held(const struct pair *pair) { return connect_to(pair, &pair->theirs) != -ECONNREFUSED; }

void pair_raise(const struct pair *pair)
{
    static const struct pair_name nobody = { .size = sizeof(sa_family_t) }; /* AF_UNSPEC */

    connect_to(pair, &nobody);
    sendto(helper_fd, "", 1, MSG_DONTWAIT, (const struct sockaddr *)pair->ours.bytes, pair->ours.size);
    connect_to(pair, &pair->theirs);
    connect_to(pair, &helper);
    connect_to(pair, &pair->theirs);
}

bool pair_has_error(int program_fd)
{
    struct pollfd poll_fd = { .fd = program_fd };
    return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLERR;
}

void pair_clear_error(int program_fd)
{
    int error;
    socklen_t size = sizeof(error);

    getsockopt(program_fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

void pair_block(int program_fd) { send(program_fd, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL); }

bool pair_is_block(const void *bytes, size_t size)
{
    return size == sizeof(block) && !memcmp(bytes, block, sizeof(block));
}
