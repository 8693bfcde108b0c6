/* tests/stress/killsteps_frames.c - struck while frames are sent and read. */
#include "stress/killsteps.h"
#include <linux/filter.h>

/* ---- scenario: a frame to two receivers, who sleep ---- */

static void settle_receivers(void)
{
    drain(any.slot);
    drain(first.slot);
    wake_settle(bus, any.slot, any.fd);
    wake_settle(bus, first.slot, first.fd);
}

static void send_prepare(void)
{
    shared->sock = busmem_socket(bus);
    settle_receivers();
}

static void send_act(void) { send_from(&shared->sock, 1, 100); }

static void send_check_one(const struct busmem_socket *sock, const char *who, bool done)
{
    int number, theirs = 0;
    uint32_t id;

    if (done && !wait_readable(sock->fd)) fail("%s is not woken by the frame", who);
    send_from(&sender, 1, 200);
    if (!wait_readable(sock->fd)) fail("%s is not woken by the next sender", who);
    while ((number = next_number(sock->slot, &id)) == 100)
        theirs++;
    if (number != 200) fail("%s misses the next sender's frame: %d", who, number);
    if (theirs > 1 || (done && theirs != 1)) fail("%s got the frame %d times", who, theirs);
    while ((number = next_number(sock->slot, &id)) == 200)
        ; /* those that were sent for the other receiver */
    if (number != -1) fail("%s got %d at the end", who, number);
}

static void send_after(bool done)
{
    send_check_one(&first, "the bound receiver", done);
    send_check_one(&any, "the receiver of any interface", done);
    settle_receivers();
}

static void send_while_stopped(void)
{
    for (uint32_t lap = 0; lap < 3; lap++) { /* the rings go around it */
        send_from(&sender, 1, 300);
        if (!wait_readable(first.fd) || !wait_readable(any.fd))
            fail("nobody is woken while a sender is stopped");
        for (uint32_t i = 1; i < RING_SLOTS - 1; i++)
            send_from(&sender, 1, 300);
        for (unsigned r = 0; r < 2; r++) {
            const struct busmem_socket *sock = r ? &any : &first;
            unsigned own = 0;
            uint32_t id;
            int number;
            while ((number = next_number(sock->slot, &id)) >= 0)
                if (number == 300)
                    own++;
                else
                    shared->wrong |=
                        2 << r; /* the stopped one had published already: so it must not come again */
            if (own != RING_SLOTS - 1)
                fail("only %u of %u frames arrive while a sender is stopped", own, RING_SLOTS - 1);
        }
        settle_receivers();
    }
}

static void send_continued(void)
{
    for (unsigned r = 0; r < 2; r++) {
        const struct busmem_socket *sock = r ? &any : &first;
        unsigned count = shared->wrong >> (r + 1) & 1;
        uint32_t id;
        if (!count && !wait_readable(sock->fd)) fail("the frame of a stopped sender wakes nobody");
        while (next_number(sock->slot, &id) == 100)
            count++;
        if (count != 1) fail("the frame of a stopped sender arrives %u times", count);
    }
    shared->wrong = 0;
}

static void send_finish(void)
{
    close(shared->sock.fd);
    janitor();
    check_freed(shared->sock.slot);
    check_whole(&first, "the bound receiver");
    check_whole(&any, "the receiver of any interface");
}

/* The same, by the way of receivers that are not the usual ones: these have a program that lets everything through. */
static void long_prepare(void)
{
    const struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);

    send_prepare();
    program_attach(bus, any.slot, &all, 1);
    program_attach(bus, first.slot, &all, 1);
}

static void long_finish(void)
{
    send_finish();
    program_detach(bus, any.slot);
    program_detach(bus, first.slot);
}

/* ---- scenarios: somebody who shares a receiver reads, or arms ---- */

static void read_prepare(void)
{
    settle_receivers();
    for (uint32_t i = 1; i <= 3; i++)
        send_from(&sender, 1, i);
}

static void read_act(void)
{
    uint32_t id;
    next_number(first.slot, &id);
}

/* The slower of two readers; then it sets the tail back. */
static void read_while_stopped(void)
{
    uint32_t id;

    while (next_number(first.slot, &id) >= 0)
        ;
    for (uint32_t i = 0; i < 3 * RING_SLOTS; i++) {
        send_from(&sender, 1, i);
        if (next_number(first.slot, &id) != (int)i)
            fail("frame %u is lost while another reader is stopped", i);
    }
    drain(any.slot);
}

static void read_after(bool done)
{
    uint32_t id, last = done ? 1 : 0;
    int number;

    send_from(&sender, 1, 4);
    while ((number = next_number(first.slot, &id)) >= 0) {
        if ((uint32_t)number <= last || (uint32_t)number > last + (last ? 1u : 2u))
            fail("read %d after %u", number, last);
        last = (uint32_t)number;
    }
    if (last != 4) fail("the last frame is lost");
}

static void shared_finish(void)
{
    check_whole(&first, "the shared receiver");
    check_whole(&any, "the receiver of any interface");
}

static void arm_act(void)
{
    drain(first.slot);
    wake_settle(bus, first.slot, first.fd);
}

/* The other one sleeps in poll all the time. */
static void arm_after(bool done)
{
    (void)done;
    send_from(&sender, 1, 4);
    janitor();
    if (!wait_readable(first.fd)) fail("who shares the socket is not woken");
    settle_receivers();
}

static void arm_while_stopped(void) { arm_after(false); }

/* ---- scenario: a receiver is closed, and another socket has its slot, while a frame is on its way to it ---- */

static struct busmem_socket leaver;

static void reuse_begin(void)
{
    shared->sock = busmem_socket(bus);
    leaver = bound_socket(0, 1, 0);
}

static void reuse_while_stopped(void)
{
    busmem_socket_close(bus, &leaver);
    newcomer = bound_socket(0, 3, 4);
    if (newcomer.slot != leaver.slot) fail("slot %u is not given out again", leaver.slot);
}

static void reuse_continued(void)
{
    uint32_t id;

    if (next_number(newcomer.slot, &id) >= 0) fail("the next owner of the slot gets a frame with id %u", id);
    check_gets_exactly(&newcomer, "the next owner of the slot", 3, 4);
    busmem_socket_close(bus, &newcomer);
}

static void reuse_after(bool done)
{
    (void)done;
    reuse_while_stopped();
    reuse_continued();
}

static void reuse_finish(void)
{
    close(shared->sock.fd);
    janitor();
    check_freed(shared->sock.slot);
    check_whole(&first, "the bound receiver");
}

const struct scenario frame_scenarios[] = {
    { "send", false, send_prepare, send_act, NULL, send_while_stopped, send_continued, send_after,
      send_finish, true },
    { "send the long way", false, long_prepare, send_act, NULL, send_while_stopped, send_continued,
      send_after, long_finish, true },
    { "read", false, read_prepare, read_act, NULL, read_while_stopped, NULL, read_after, shared_finish },
    { "arm", false, read_prepare, arm_act, NULL, arm_while_stopped, NULL, arm_after, shared_finish },
    { "reuse", false, reuse_begin, send_act, NULL, reuse_while_stopped, reuse_continued, reuse_after,
      reuse_finish, true },
    { NULL },
};
