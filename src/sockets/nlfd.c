/* sockets/nlfd.c - netlink sockets on their way out: which of the messages are ours, and what goes to the kernel for them.
 *
 * A message that is ours is answered by the daemon at once, while the program is still sending: the answer waits in a slot. To the
 * kernel goes the same message with another header: NLMSG_NOOP, with NLM_F_ACK when the program will hear something. The
 * kernel's acknowledgement makes the socket readable, in order with its other answers, and repeats our header with the
 * slot's mark; nlrecv.c puts the answer in its place. Dumps pass unchanged and are remembered.
 *
 * Limits: sends of more than SEND_MAX bytes pass untouched; NLFDS sockets have state at a time, others work without us. */
/* prefix: nlfd_ nl_ */
#include "sockets/nlfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "base/sys.h"
#include "sockets/ctl.h"
#include "sockets/nlstate.h"
#include "sockets/usermem.h"

#define NLFDS    256u
#define SEND_MAX 8192u /* on the stack twice; requests are a few hundred bytes */

static _Atomic(struct nlfd *) pool[NLFDS]; /* each is mapped when it is needed first, and stays */

/* ---- life ------------------------------------------------------------------------------------------------------ */

static int protocol_of(int fd)
{
    int protocol = NETLINK_ROUTE;
    unsigned size = sizeof protocol;
    sys_call(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    return protocol;
}

static struct nlfd *place(unsigned i)
{
    struct nlfd *nl = load_acquire(&pool[i]), *none = NULL;

    if (nl) return nl;
    nl = sys_mmap(NULL, sizeof *nl, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sys_is_error(nl)) return NULL;
    if (atomic_compare_exchange_strong(&pool[i], &none, nl)) return nl;
    sys_call(SYS_munmap, nl, sizeof *nl);
    return none;
}

struct nlfd *nlfd_open(const struct bus *bus, int fd, const struct nlfd_ops *ops)
{
    for (unsigned i = 0; i < NLFDS; i++) {
        struct nlfd *nl = place(i);
        if (!nl) return NULL;
        if (load_relaxed(&nl->refs) != 0 || !cas32(&nl->refs, 0, 1)) continue;
        nl->bus = bus;
        nl->ops = ops;
        nl->generic = protocol_of(fd) == NETLINK_GENERIC;
        for (unsigned k = 0; k < NL_REPLIES; k++)
            store_relaxed(&nl->reply[k].state, NL_FREE);
        store_relaxed(&nl->waiting, 0);
        store_relaxed(&nl->dump.state, NL_DUMP_NONE);
        store_release(&nl->watch_fd, -1);
        nlfd_groups_changed(nl, fd);
        return nl;
    }
    return NULL;
}

void nlfd_ref(struct nlfd *nl) { atomic_fetch_add_explicit(&nl->refs, 1, memory_order_relaxed); }

static void stop_watching(struct nlfd *nl)
{
    int fd = atomic_exchange_explicit(&nl->watch_fd, -1, memory_order_acq_rel);
    if (fd >= 0 && nl_watch_is_ours(nl, fd)) sys_call(SYS_close, fd);
}

/* The last one stops watching while the state is still ours: with no reference left it may be somebody else's at once. */
void nlfd_close(struct nlfd *nl)
{
    for (;;) {
        __typeof__(atomic_load(&nl->refs)) refs = load_acquire(&nl->refs);
        if (refs == 1) stop_watching(nl);
        if (atomic_compare_exchange_strong(&nl->refs, &refs, refs - 1)) return;
    }
}

/* ---- notifications --------------------------------------------------------------------------------------------- */

bool nl_watch_is_ours(const struct nlfd *nl, int watch_fd)
{
    static const char name[] = "/ctl";
    struct sockaddr_un peer = { 0 };
    unsigned size = sizeof peer;
    if (sys_call(SYS_getpeername, watch_fd, &peer, &size) < 0 || peer.sun_family != AF_UNIX) return false;
    if (nl->bus->dir_size + sizeof name > sizeof peer.sun_path) return false;
    return memcmp(peer.sun_path, nl->bus->dir, nl->bus->dir_size) == 0 &&
           memcmp(peer.sun_path + nl->bus->dir_size, name, sizeof name) == 0;
}

static bool is_member(int fd)
{
    uint32_t groups = 0;
    unsigned size = sizeof groups;
    long result = sys_call(SYS_getsockopt, fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, &groups, &size);
    return result == 0 && groups & (1u << (RTNLGRP_LINK - 1));
}

/* Away from the numbers that programs expect to get, and that select(2) can express. */
static int move_high(int fd)
{
    static const int floors[] = { 1000, 480, 200 };
    for (size_t i = 0; i < sizeof floors / sizeof floors[0]; i++) {
        long high = sys_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, floors[i]);
        if (high < 0) continue;
        sys_call(SYS_close, fd);
        return (int)high;
    }
    return fd;
}

void nlfd_groups_changed(struct nlfd *nl, int fd)
{
    bool member = !nl->generic && is_member(fd), watching = load_acquire(&nl->watch_fd) >= 0;
    int none = -1;
    if (watching && !member) stop_watching(nl);
    if (watching || !member) return;
    int watch = ctl_watch(nl->bus->dir, fd, RTMGRP_LINK);
    if (watch < 0) return;
    watch = move_high(watch);
    if (!atomic_compare_exchange_strong(&nl->watch_fd, &none, watch)) sys_call(SYS_close, watch);
}

/* ---- sending --------------------------------------------------------------------------------------------------- */

static uint32_t get_option(int fd, int option)
{
    int value = 0;
    unsigned size = sizeof value;
    return sys_call(SYS_getsockopt, fd, SOL_NETLINK, option, &value, &size) == 0 && value != 0;
}

void nl_describe_caller(int fd, struct ctl_netlink *out)
{
    struct sockaddr_nl name = { 0 };
    unsigned size = sizeof name;
    memset(out, 0, sizeof *out);
    if (sys_call(SYS_getsockname, fd, &name, &size) == 0) out->portid = name.nl_pid;
    out->strict_dump = get_option(fd, NETLINK_GET_STRICT_CHK);
    out->ext_ack = get_option(fd, NETLINK_EXT_ACK);
    out->cap_ack = get_option(fd, NETLINK_CAP_ACK);
}

/* Takes a slot; when all wait to be received, the oldest is given up: its reader stopped reading long ago. */
static struct nl_reply *take_slot(struct nlfd *nl)
{
    for (;;) {
        struct nl_reply *oldest = NULL;
        for (unsigned i = 0; i < NL_REPLIES; i++) {
            struct nl_reply *reply = &nl->reply[i];
            if (cas32(&reply->state, NL_FREE, NL_BUSY)) return reply;
            bool older = !oldest || (int16_t)(reply->mark - oldest->mark) < 0;
            if (load_acquire(&reply->state) == NL_READY && older) oldest = reply;
        }
        if (!oldest) return NULL;
        if (!cas32(&oldest->state, NL_READY, NL_BUSY)) continue;
        atomic_fetch_sub_explicit(&nl->waiting, 1, memory_order_acq_rel);
        return oldest;
    }
}

/* An acknowledgement or, when the daemon cannot be asked, its refusal. */
static void append_error(struct nl_reply *reply, const struct nlmsghdr *request, int error)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr payload;
    } message = {
        .head = { .nlmsg_len = sizeof message,
                  .nlmsg_type = NLMSG_ERROR,
                  .nlmsg_flags = NLM_F_CAPPED,
                  .nlmsg_seq = request->nlmsg_seq },
        .payload = { .error = error, .msg = *request },
    };
    if (reply->size + sizeof message > sizeof reply->bytes) return;
    memcpy(reply->bytes + reply->size, &message, sizeof message);
    reply->size += sizeof message;
}

/* Lets the daemon carry out `request` and stores what the program is to read. True when its acknowledgement is still to be made. */
static bool ask_daemon(struct nlfd *nl, int fd, const struct nlmsghdr *request, struct nl_reply *reply)
{
    struct {
        struct ctl_netlink caller;
        unsigned char message[SEND_MAX];
    } question;
    size_t got = 0;
    reply->size = 0;
    nl_describe_caller(fd, &question.caller);
    memcpy(question.message, request, request->nlmsg_len);
    int error = ctl_call(nl->bus->dir, CTL_NETLINK, &question, sizeof question.caller + request->nlmsg_len,
                         -1, reply->bytes, sizeof reply->bytes, &got, NULL, 0);
    const struct nlmsghdr *first = nl_message(reply->bytes, got, 0);
    if (error == 0) reply->size = (uint32_t)got;
    if (error) append_error(reply, request, error);
    return !error && !(first && first->nlmsg_type == NLMSG_ERROR) && request->nlmsg_flags & NLM_F_ACK;
}

/* Makes the `size` bytes at `at` a message whose acknowledgement stands for `reply`, or one that stands for nothing. */
static void stand_in(struct nlfd *nl, unsigned char *at, size_t size, uint32_t seq, struct nl_reply *reply)
{
    struct nlmsghdr head = {
        .nlmsg_len = (uint32_t)size, .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST, .nlmsg_seq = seq
    };
    if (reply) {
        reply->mark =
            NL_MARK_REPLY | (atomic_fetch_add_explicit(&nl->ticket, 1, memory_order_relaxed) & 0xffff);
        head.nlmsg_flags |= NLM_F_ACK;
        head.nlmsg_pid = reply->mark;
        atomic_fetch_add_explicit(&nl->waiting, 1, memory_order_acq_rel);
        store_release(&reply->state, NL_READY);
    }
    memcpy(at, &head, sizeof head);
}

/* Answers one of ours and turns it into what the kernel gets instead. An answer and its acknowledgement are datagrams of their own, so two
 * messages take its place then. Returns how many slots wait. */
static unsigned replace(struct nlfd *nl, int fd, unsigned char *at, struct nl_reply *slots[2])
{
    const struct nlmsghdr request = *(const struct nlmsghdr *)at;
    size_t size = request.nlmsg_len, used = 0;
    struct nl_reply *reply = take_slot(nl), *ack;
    unsigned waiting = 0;
    if (!reply)
        return 0; /* sixteen threads at once in here: this one's goes to the kernel, which refuses it */
    bool acknowledge = ask_daemon(nl, fd, (const struct nlmsghdr *)at, reply);
    if (acknowledge && reply->size && size >= 2 * sizeof request && (ack = take_slot(nl))) {
        stand_in(nl, at, sizeof request, request.nlmsg_seq, reply);
        slots[waiting++] = reply;
        used = sizeof request;
        reply = ack;
        reply->size = 0;
    }
    if (acknowledge) append_error(reply, &request, 0);
    if (!reply->size) { /* done, and nobody wants to hear of it */
        store_release(&reply->state, NL_FREE);
        reply = NULL;
    } else {
        slots[waiting++] = reply;
    }
    stand_in(nl, at + used, size - used, request.nlmsg_seq, reply);
    return waiting;
}

static void remember_dump(struct nlfd *nl, const struct nlmsghdr *message, bool links)
{
    struct nl_dump *dump = &nl->dump;
    store_release(&dump->state, NL_DUMP_NONE);
    dump->seq = message->nlmsg_seq;
    dump->mark = NL_MARK_DUMP | ((dump->mark + 1) & 0xffff);
    dump->from = 0;
    dump->links = links;
    dump->only_ours = links && nl_has_our_kind(message);
    dump->size = message->nlmsg_len;
    memcpy(dump->request, message, message->nlmsg_len);
    store_release(&dump->state, NL_DUMP_KERNEL);
}

/* To the kernel: no address, or that of port 0 and no group. */
static bool goes_to_kernel(const struct msghdr *msg)
{
    struct sockaddr_nl to;
    if (!msg->msg_name) return true;
    if (msg->msg_namelen < sizeof to || !usermem_ok(msg->msg_name, sizeof to, USERMEM_READ)) return false;
    memcpy(&to, msg->msg_name, sizeof to);
    return to.nl_family == AF_NETLINK && to.nl_pid == 0 && to.nl_groups == 0;
}

/* Copies what is sent into one piece. Returns its size, 0 when it is not for us to look at. */
static size_t gather(const struct msghdr *msg, unsigned char *to, size_t room)
{
    size_t size = 0;
    if (msg->msg_iovlen > UIO_MAXIOV || !goes_to_kernel(msg)) return 0;
    if (!usermem_ok(msg->msg_iov, msg->msg_iovlen * sizeof *msg->msg_iov, USERMEM_READ)) return 0;
    for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++) {
        const struct iovec *iov = &msg->msg_iov[i];
        if (iov->iov_len > room - size || !usermem_ok(iov->iov_base, iov->iov_len, USERMEM_READ)) return 0;
        if (iov->iov_len) memcpy(to + size, iov->iov_base, iov->iov_len);
        size += iov->iov_len;
    }
    return size;
}

/* Goes through the messages in bytes[0..size). Returns how many it replaced; slots[] are those that wait. */
static unsigned replace_all(struct nlfd *nl, int fd, unsigned char *bytes, size_t size,
                            struct nl_reply **slots, unsigned *waiting)
{
    const struct nlmsghdr *message;
    unsigned replaced = 0;
    for (size_t at = 0; (message = nl_message(bytes, size, at)); at += NLMSG_ALIGN(message->nlmsg_len)) {
        bool links;
        if (*waiting + 2 <= NL_REPLIES && nlfd_is_ours(nl->bus, message, size - at)) {
            *waiting += replace(nl, fd, bytes + at, slots + *waiting);
            replaced++;
        } else if (nl_is_dump(nl->bus, message, &links)) {
            remember_dump(nl, message, links);
        }
    }
    return replaced;
}

/* The kernel did not take the send: no acknowledgement will come for these. */
static void give_up(struct nlfd *nl, struct nl_reply **slots, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!cas32(&slots[i]->state, NL_READY, NL_FREE)) continue;
        atomic_fetch_sub_explicit(&nl->waiting, 1, memory_order_acq_rel);
    }
}

/* Changes a question for a family that we do not serve into one for a family that nobody has. */
static unsigned hide_family(unsigned char *bytes, size_t size)
{
    static const char hidden[] = ETHTOOL_GENL_NAME, instead[] = "no such";
    const struct nlmsghdr *message = nl_message(bytes, size, 0);
    size_t at = NLMSG_HDRLEN + GENL_HDRLEN;

    _Static_assert(sizeof hidden == sizeof instead, "one takes the other's place");
    if (!message || message->nlmsg_type != GENL_ID_CTRL || message->nlmsg_len < at ||
        bytes[NLMSG_HDRLEN] != CTRL_CMD_GETFAMILY)
        return 0;
    while (at + NLA_HDRLEN <= message->nlmsg_len) {
        const struct nlattr *attr = (const struct nlattr *)(bytes + at);
        if (attr->nla_len < NLA_HDRLEN || attr->nla_len > message->nlmsg_len - at) return 0;
        if (attr->nla_type == CTRL_ATTR_FAMILY_NAME && attr->nla_len == NLA_HDRLEN + sizeof hidden &&
            memcmp(bytes + at + NLA_HDRLEN, hidden, sizeof hidden) == 0) {
            memcpy(bytes + at + NLA_HDRLEN, instead, sizeof instead);
            return 1;
        }
        at += NLA_ALIGN(attr->nla_len);
    }
    return 0;
}

ssize_t nlfd_sendmsg(struct nlfd *nl, int fd, const struct msghdr *msg, int flags)
{
    _Alignas(8) unsigned char bytes[SEND_MAX];
    struct nl_reply *slots[NL_REPLIES];
    unsigned waiting = 0;
    size_t size = gather(msg, bytes, sizeof bytes);
    if (size == 0 ||
        !(nl->generic ? hide_family(bytes, size) : replace_all(nl, fd, bytes, size, slots, &waiting)))
        return nl->ops->sendmsg(fd, msg, flags);
    struct iovec iov = { bytes, size };
    struct msghdr copy = *msg;
    copy.msg_iov = &iov;
    copy.msg_iovlen = 1;
    ssize_t sent = nl->ops->sendmsg(fd, &copy, flags);
    if (sent < 0) give_up(nl, slots, waiting);
    return sent;
}
