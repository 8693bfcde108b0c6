/* supervisor/errors.c - see errors.h.
 *
 * The socket's own pending error (bus_slot.error) becomes the pending error of the program's end, and `sock->error` remembers which it was: read(2) of
 * the kernel tells ECONNRESET in its place, calls that come to us tell it. Whoever is told, it is once: when the end has no error any more, the program
 * knows. ECONNRESET itself, of a socket whose worker is gone, stays in the slot.
 *
 * An error queue with messages shows the same way, for POLLERR. */
/* prefix: errors_ */
#include "supervisor/errors.h"
#include "bus/errqueue.h"
#include <errno.h>

static atomic_u32 *error_of(const struct sock *sock) { return &sock_bus->data->slot[sock->slot].error; }

/* Takes it from the slot. Returns whether there is a new one. */
static bool take_error(struct sock *sock)
{
    uint32_t error = load_relaxed(error_of(sock));

    if (!error || (error == ECONNRESET && sock->error == ECONNRESET)) return false;
    if (error != ECONNRESET) error = atomic_exchange(error_of(sock), 0) & 0xfff;
    if (error) sock->error = error;
    return error;
}

static bool see_queue(struct sock *sock)
{
    uint32_t head = load_seq(&sock_bus->data->slot[sock->slot].errqueue_head);
    bool grew = head != sock->queue_seen && !errqueue_empty(sock_bus, sock->slot);

    sock->queue_seen = head;
    if (grew) sock->shows_queue = true;
    return grew;
}

static void show_now(struct sock *sock)
{
    pair_raise(&sock->ends);
    sock->moved++;
}

void errors_show(struct sock *sock)
{
    bool error = !sock->brought && take_error(sock), message = see_queue(sock);

    if (error || message) show_now(sock);
}

void errors_bring(struct sock *sock, int program_fd)
{
    if (!sock->error || sock->error == ECONNRESET) return;
    if (pair_has_error(program_fd)) cas32(error_of(sock), 0, sock->error); /* else somebody has read it */
    sock->error = 0;
    sock->brought = true;
}

void errors_take_back(struct sock *sock, int program_fd)
{
    bool shown = pair_has_error(program_fd), wanted;

    sock->brought = false;
    take_error(sock);
    see_queue(sock);
    if (sock->error == ECONNRESET && !load_relaxed(error_of(sock))) sock->error = 0;
    sock->shows_queue = !errqueue_empty(sock_bus, sock->slot);
    wanted = errors_shown(sock);
    if (wanted && !shown) show_now(sock);
    if (!wanted && shown) pair_clear_error(program_fd);
}

uint32_t errors_told(struct sock *sock)
{
    uint32_t error = sock->error;

    if (error != ECONNRESET) sock->error = 0;
    return error;
}
