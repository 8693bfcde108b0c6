/* tests/stress/killsteps_sockets.c - struck while sockets are opened, changed and ended. */
#include "stress/killsteps.h"

/* ---- scenarios: a socket changes; `witness` has ids 5 and 6 of the same interface ---- */

static void set_filters(uint32_t from, uint32_t to)
{
    struct can_filter filters[16];
    uint32_t count = 0;

    for (uint32_t id = from; id <= to; id++)
        filters[count++] = (struct can_filter){ id, CAN_SFF_MASK | CAN_EFF_FLAG | CAN_RTR_FLAG };
    slot_set_filters(bus, shared->sock.slot, filters, count);
}

/* Whatever it is changing from and to: what both let through arrives, once. */
static void check_gets_what_stays(void)
{
    unsigned count = 0;
    uint32_t id;

    drain(shared->sock.slot);
    send_from(&sender, 6, 6);
    while (next_number(shared->sock.slot, &id) >= 0)
        count++;
    if (count != 1) fail("the socket gets a frame %u times that it wants before and after", count);
    check_gets_exactly(&witness, "a witness", 5, 6);
}

/* Somebody else begins to want what it ceases to want. */
static void filters_while_stopped(void)
{
    check_gets_what_stays();
    newcomer = bound_socket(0, 3, 4);
}

/* Its bits are found from the heads of their rows alone. */
static void check_announced(const struct busmem_socket *sock, uint32_t row)
{
    uint32_t first_word, count;
    bool found = false;

    for (uint32_t groups = imap_groups(&bus->data->map[0], &row, 1); groups; groups &= groups - 1) {
        first_word = imap_group((uint32_t)__builtin_ctz(groups), &count);
        found |= sock->slot / 64 >= first_word && sock->slot / 64 < first_word + count;
    }
    if (!found) fail("slot %u is not announced in row %u", sock->slot, row);
}

static void filters_continued(void)
{
    check_announced(&newcomer, IMAP_ROW_STD + 3);
    check_announced(&newcomer, IMAP_ROW_STD + 4);
    check_gets_exactly(&newcomer, "a newcomer", 3, 4);
    check_gets_exactly(&witness, "a witness", 5, 6);
    busmem_socket_close(bus, &newcomer);
}

static void filters_begin(void) { shared->sock = bound_socket(0, 1, 6); }
static void filters_act(void) { set_filters(6, 10); }
static void filters_own(void) { check_gets_exactly(&shared->sock, "the socket", 6, 10); }
static void everything_begin(void) { shared->sock = bound_socket(0, 1, 0); }
static void error_begin(void) { shared->sock = bound_socket(0, 6, 10); }
static void error_act(void) { slot_set_err_mask(bus, shared->sock.slot, 4); }
static void bind_begin(void)
{
    shared->sock = busmem_socket(bus);
    set_filters(6, 10);
}
static void bind_act(void) { slot_bind(bus, shared->sock.slot, 0, ifindex[0]); }
static void rebind_begin(void) { shared->sock = bound_socket(1, 6, 10); }
static void rebind_any_act(void) { slot_bind(bus, shared->sock.slot, IMAP_ANY, 0); }

static void change_check(bool done)
{
    (void)done;
    check_gets_exactly(&witness, "a witness", 5, 6);
}

void witness_check(void) { check_gets_exactly(&witness, "a witness", 5, 6); }

void change_finish(void)
{
    janitor();
    check_freed(shared->sock.slot);
    newcomer = bound_socket(0, 3, 4);
    if (newcomer.slot > shared->sock.slot) fail("slot %u is not given out again", shared->sock.slot);
    check_gets_exactly(&newcomer, "the next owner of the slot", 3, 4);
    check_gets_exactly(&witness, "a witness", 5, 6);
    busmem_socket_close(bus, &newcomer);
}

/* No bit of it is left in the map either. */
static void filters_finish(void)
{
    uint32_t slot = shared->sock.slot;

    janitor();
    for (uint32_t row = 0; row < IMAP_ROWS; row++)
        if (load_relaxed(&bus->data->map[0].word[row][slot / 64]) & imap_bit(slot))
            fail("a bit is left in row %u", row);
    change_finish();
}

/* ---- scenario: a socket is opened ---- */

/* The number that whoever opens a socket gets. */
static uint32_t lowest_free(void)
{
    uint32_t slot = 0;

    while (life_of(slot) != SLOT_FREE)
        slot++;
    return slot;
}

static void open_begin(void) { shared->sock.slot = lowest_free(); }

static void open_act(void)
{
    struct busmem_socket sock = { 0 };
    struct sockaddr_un address;
    int slot;

    do {
        slot = slot_claim(bus, &sock.gen);
        shared->sock.slot = sock.slot = (uint32_t)slot;
        sock.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        int size = wake_address(bus, sock.slot, sock.gen, &address);
        step();
        BUSMEM_MUST(bind(sock.fd, (struct sockaddr *)&address, (socklen_t)size) == 0);
    } while (slot_open(bus, sock.slot, sock.gen) != 0);
    shared->sock = sock;
    set_filters(6, 10);
    slot_bind(bus, sock.slot, 0, ifindex[0]);
}

static void open_while_stopped(void)
{
    janitor();
    newcomer = bound_socket(0, 3, 4);
    check_gets_exactly(&newcomer, "a newcomer", 3, 4);
}

static void open_continued(void)
{
    if (newcomer.slot == shared->sock.slot) fail("two sockets have slot %u", newcomer.slot);
    check_gets_exactly(&newcomer, "a newcomer", 3, 4);
    busmem_socket_close(bus, &newcomer);
}

/* ---- scenario: a socket is ended ---- */

static void end_begin(void) { shared->sock = bound_socket(0, 1, 10); }

static void end_act(void)
{
    close(shared->sock.fd);
    slot_end(bus, shared->sock.slot, shared->sock.gen);
}

/* Somebody else finishes, and the slot has a new owner when the child goes on. */
static void end_while_stopped(void)
{
    janitor();
    check_freed(shared->sock.slot);
    newcomer = bound_socket(0, 3, 4);
    if (newcomer.slot != shared->sock.slot) fail("slot %u is not given out again", shared->sock.slot);
}

static void end_continued(void)
{
    check_gets_exactly(&newcomer, "the next owner of the slot", 3, 4);
    if (life_of(newcomer.slot) != SLOT_OPEN) fail("the next owner's slot is ended");
    busmem_socket_close(bus, &newcomer);
}

/* ---- scenario: the interface of a socket goes; what the worker does before it is killed, the next worker does again ---- */

static void gone_begin(void) { shared->sock = bound_socket(1, 1, 10); }
static void gone_act(void) { slot_link_down(bus, 1, ifindex[1], true, sender.fd); }

static void gone_after(bool done)
{
    (void)done;
    slot_link_down(bus, 1, ifindex[1], true, sender.fd);
    if (load_relaxed(&bus->data->slot[shared->sock.slot].error) != ENODEV) fail("the socket is not told");
    if (load_relaxed(&bus->data->slot[shared->sock.slot].bound)) fail("the socket is still bound");
    witness_check();
}

static void gone_finish(void)
{
    close(shared->sock.fd);
    change_finish();
}

const struct scenario socket_scenarios[] = {
    { "filters", true, filters_begin, filters_act, filters_own, filters_while_stopped, filters_continued,
      change_check, filters_finish },
    { "everything", true, everything_begin, filters_act, filters_own, check_gets_what_stays, witness_check,
      change_check, filters_finish },
    { "error filter", true, error_begin, error_act, filters_own, check_gets_what_stays, witness_check,
      change_check, filters_finish },
    { "bind", true, bind_begin, bind_act, filters_own, witness_check, witness_check, change_check,
      change_finish },
    { "rebind", true, rebind_begin, bind_act, filters_own, witness_check, witness_check, change_check,
      change_finish },
    { "rebind any", true, rebind_begin, rebind_any_act, filters_own, witness_check, witness_check,
      change_check, change_finish },
    { "open", true, open_begin, open_act, filters_own, open_while_stopped, open_continued, change_check,
      change_finish },
    { "end", true, end_begin, end_act, NULL, end_while_stopped, end_continued, change_check, change_finish },
    { "link gone", false, gone_begin, gone_act, NULL, NULL, NULL, gone_after, gone_finish },
    { NULL },
};
