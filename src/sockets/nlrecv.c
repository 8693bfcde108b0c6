/* sockets/nlrecv.c - netlink sockets on their way in: puts our answers where the kernel's acknowledgements of NLMSG_NOOP are.
 *
 * A datagram is received as the program asked, and then looked at - only while something of ours may be under way. Each
 * message in it is copied, replaced or dropped; the result goes back into the program's buffers. With MSG_PEEK the same is
 * computed and nothing is taken, so that the length a program peeks is the length it reads.
 *
 * A dump's NLMSG_DONE lets ours in before it. What does not fit into one read makes the socket readable once more: we hold
 * NLMSG_DONE back and send ourselves another NLMSG_NOOP, as often as it takes. */
/* prefix: nlfd_ nl_ */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "base/sys.h"
#include "bus/links.h"
#include "sockets/ctl.h"
#include "sockets/nlstate.h"

#define IN_MAX    32768u /* a kernel's dump datagrams are at most this long */
#define OUT_MAX   65536u
#define DUMP_MAX  28672u /* of ours in one read */
#define PEEK_ROOM 7168u  /* what a peek with a small buffer assumes: fits the 8 KB buffers of busybox */
#define LINK_ROOM 4096u  /* the longest link message: with less than this left, ours go into the next read */
#define EVENT_MAX 4096u

/* A datagram being rewritten. */
struct rewrite {
    struct nlfd *nl;
    int fd;
    bool peek;
    bool changed;
    bool event;  /* carries a notification */
    size_t room; /* that the program has */
    const unsigned char *in;
    size_t in_size;
    unsigned char *out; /* OUT_MAX bytes */
    size_t size;
};

static void append(struct rewrite *rw, const void *bytes, size_t size)
{
    if (size > OUT_MAX - rw->size) return;
    memcpy(rw->out + rw->size, bytes, size);
    size_t padded = NLMSG_ALIGN(size);
    if (padded > OUT_MAX - rw->size) padded = size;
    memset(rw->out + rw->size + size, 0, padded - size);
    rw->size += padded;
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

/* The program's port was perhaps not yet known when the answer was made. */
static void set_portid(unsigned char *bytes, size_t size, uint32_t portid)
{
    const struct nlmsghdr *message;
    for (size_t at = 0; (message = nl_message(bytes, size, at)); at += NLMSG_ALIGN(message->nlmsg_len))
        ((struct nlmsghdr *)(bytes + at))->nlmsg_pid = portid;
}

static bool put_reply(struct rewrite *rw, const struct nlmsghdr *ack, uint32_t mark)
{
    for (unsigned i = 0; i < NL_REPLIES; i++) {
        struct nl_reply *reply = &rw->nl->reply[i];
        if (load_acquire(&reply->state) != NL_READY || reply->mark != mark) continue;
        if (!cas32(&reply->state, NL_READY, NL_BUSY)) continue;
        size_t at = rw->size;
        append(rw, reply->bytes, reply->size);
        set_portid(rw->out + at, rw->size - at, ack->nlmsg_pid);
        store_release(&reply->state, rw->peek ? NL_READY : NL_FREE);
        if (!rw->peek) atomic_fetch_sub_explicit(&rw->nl->waiting, 1, memory_order_acq_rel);
        return true;
    }
    return false;
}

/* ---- notifications --------------------------------------------------------------------------------------------- */

/* The next event of the daemon's connection. None: the message that announced it is dropped. */
static void put_event(struct rewrite *rw)
{
    struct ctl_reply head;
    unsigned char message[EVENT_MAX];
    struct iovec iov[2] = { { &head, sizeof head }, { message, sizeof message } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
    int watch = load_acquire(&rw->nl->watch_fd);
    if (watch < 0 || !nl_watch_is_ours(rw->nl, watch)) return;
    long got = sys_call(SYS_recvmsg, watch, &msg, MSG_DONTWAIT | (rw->peek ? MSG_PEEK : 0));
    if (got < (long)sizeof head || msg.msg_flags & MSG_TRUNC) return;
    append(rw, message, (size_t)got - sizeof head);
    rw->event = true;
}

/* ---- dumps ----------------------------------------------------------------------------------------------------- */

static bool any_link_from(const struct control *control, uint32_t from)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        uint32_t ifindex = load_acquire(&control->links[i].ifindex);
        if (ifindex && ifindex >= from) return true;
    }
    return false;
}

/* How much may go into this read. A peek with a small buffer is answered as if for the buffer it is followed by. */
static size_t dump_limit(const struct rewrite *rw)
{
    size_t room = rw->room;
    if (rw->peek && room < PEEK_ROOM) room = PEEK_ROOM;
    return room > DUMP_MAX ? DUMP_MAX : room;
}

/* Asks the daemon for our interfaces from *from on. Returns true when these were the last. */
static bool put_links(struct rewrite *rw, uint32_t portid, uint32_t *from)
{
    const struct nl_dump *dump = &rw->nl->dump;
    struct {
        struct ctl_netlink caller;
        unsigned char request[NL_DUMP_MAX];
    } question;
    size_t limit = dump_limit(rw), got = 0, at = rw->size, room = limit > at ? limit - at : 0;
    const struct nlmsghdr *message;
    if (!any_link_from(rw->nl->bus->control, *from)) return true;
    if (room < LINK_ROOM && rw->size) return false;
    nl_describe_caller(rw->fd, &question.caller);
    question.caller.portid = portid;
    question.caller.dump_from = *from;
    question.caller.dump_room = (uint32_t)(room < LINK_ROOM ? LINK_ROOM : room);
    memcpy(question.request, dump->request, dump->size);
    int error = ctl_call(rw->nl->bus->dir, CTL_NETLINK, &question, sizeof question.caller + dump->size, -1,
                         rw->out + at, question.caller.dump_room, &got, NULL, 0);
    if (error || got == 0) return error || at == 0;
    for (; (message = nl_message(rw->out, at + got, rw->size)); rw->size += NLMSG_ALIGN(message->nlmsg_len)) {
        if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(8))
            return true; /* refused */
        memcpy(from, (const char *)message + NLMSG_HDRLEN + 4, sizeof *from);
        ++*from;
    }
    return rw->size == at || !any_link_from(rw->nl->bus->control, *from);
}

/* Makes the socket readable for the next part. */
static bool send_continuation(const struct rewrite *rw)
{
    const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    const struct nlmsghdr noop = {
        .nlmsg_len = sizeof noop,
        .nlmsg_type = NLMSG_NOOP,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
        .nlmsg_seq = rw->nl->dump.seq,
        .nlmsg_pid = rw->nl->dump.mark,
    };
    return sys_call(SYS_sendto, rw->fd, &noop, sizeof noop, MSG_DONTWAIT | MSG_NOSIGNAL, &kernel,
                    sizeof kernel) >= 0;
}

/* One more part of ours, and NLMSG_DONE behind the last. `done` may be in dump->done already. */
static void put_dump_part(struct rewrite *rw, const void *done)
{
    struct nl_dump *dump = &rw->nl->dump;
    uint32_t from = dump->from;
    const struct nlmsghdr *head = done;
    bool complete = put_links(rw, head->nlmsg_pid, &from);
    rw->changed = true;
    if (rw->size && rw->size + NL_DONE_SIZE > dump_limit(rw)) complete = false;
    if (!complete && rw->peek) return;
    if (!complete) {
        dump->from = from;
        memmove(dump->done, done, NL_DONE_SIZE);
        store_release(&dump->state, NL_DUMP_OURS);
        if (send_continuation(rw)) return;
    }
    append(rw, done, NL_DONE_SIZE);
    if (!rw->peek) store_release(&dump->state, NL_DUMP_NONE);
}

/* A complete NLMSG_DONE with this error, in place of a longer one. */
static void make_done(const struct nlmsghdr *from, int error, unsigned char out[NL_DONE_SIZE])
{
    struct nlmsghdr head = *from;
    head.nlmsg_len = NL_DONE_SIZE;
    head.nlmsg_type = NLMSG_DONE;
    head.nlmsg_flags = (from->nlmsg_flags & ~NLM_F_ACK_TLVS) | NLM_F_MULTI;
    memcpy(out, &head, sizeof head);
    memcpy(out + sizeof head, &error, sizeof error);
}

/* The kernel's dump is over, with NLMSG_DONE or an error. Returns false when the message is to pass unchanged. */
static bool end_dump(struct rewrite *rw, const struct nlmsghdr *message)
{
    struct nl_dump *dump = &rw->nl->dump;
    _Alignas(8) unsigned char done[NL_DONE_SIZE];
    int error = 0;
    if (load_acquire(&dump->state) != NL_DUMP_KERNEL || message->nlmsg_seq != dump->seq) return false;
    if (message->nlmsg_len >= NLMSG_LENGTH(sizeof error))
        memcpy(&error, (const char *)message + NLMSG_HDRLEN, sizeof error);
    if (message->nlmsg_type == NLMSG_ERROR && error == 0)
        return false;                               /* an acknowledgement of something else */
    bool hidden = !dump->links && error == -ENODEV; /* an interface that only we know */
    if (dump->links && error >= 0 && any_link_from(rw->nl->bus->control, 0)) {
        make_done(message, error, done);
        put_dump_part(rw, done);
        return true;
    }
    if (!rw->peek) store_release(&dump->state, NL_DUMP_NONE);
    if (!hidden) return false;
    make_done(message, 0, done);
    append(rw, done, sizeof done);
    return true;
}

/* ---- rewriting a datagram -------------------------------------------------------------------------------------- */

/* The kernel's acknowledgement of a NLMSG_NOOP: ours, if the mark is. Returns false when it is to pass unchanged. */
static bool put_for_token(struct rewrite *rw, const struct nlmsghdr *message, const struct nlmsgerr *ack)
{
    struct nl_dump *dump = &rw->nl->dump;
    uint32_t mark = ack->msg.nlmsg_pid;
    if (message->nlmsg_seq == CTL_WATCH_SEQ) {
        put_event(rw);
        return true;
    }
    if ((mark & NL_MARK_KIND) == NL_MARK_REPLY) return put_reply(rw, message, mark);
    if ((mark & NL_MARK_KIND) != NL_MARK_DUMP) return false;
    if (load_acquire(&dump->state) == NL_DUMP_OURS && mark == dump->mark) put_dump_part(rw, dump->done);
    return true; /* of a dump that was abandoned: dropped */
}

/* A kernel that does not know the kind a dump is limited to does not limit it. */
static bool is_unwanted(const struct rewrite *rw, const struct nlmsghdr *message)
{
    const struct nl_dump *dump = &rw->nl->dump;
    return message->nlmsg_type == RTM_NEWLINK && load_acquire(&dump->state) == NL_DUMP_KERNEL &&
           message->nlmsg_seq == dump->seq && dump->only_ours && !nl_has_our_kind(message);
}

static bool put_instead(struct rewrite *rw, const struct nlmsghdr *message)
{
    struct nlmsgerr ack;
    if (is_unwanted(rw, message)) return true;
    if (message->nlmsg_type == NLMSG_DONE) return end_dump(rw, message);
    if (message->nlmsg_type != NLMSG_ERROR || message->nlmsg_len < NLMSG_LENGTH(sizeof ack)) return false;
    memcpy(&ack, (const char *)message + NLMSG_HDRLEN, sizeof ack);
    if (ack.error == 0 && ack.msg.nlmsg_type == NLMSG_NOOP) return put_for_token(rw, message, &ack);
    return end_dump(rw, message);
}

static void rewrite(struct rewrite *rw)
{
    const struct nlmsghdr *message;
    size_t at = 0;
    for (; (message = nl_message(rw->in, rw->in_size, at)); at += NLMSG_ALIGN(message->nlmsg_len)) {
        if (put_instead(rw, message))
            rw->changed = true;
        else
            append(rw, message, message->nlmsg_len);
    }
    if (at < rw->in_size) append(rw, rw->in + at, rw->in_size - at);
}

/* ---- receiving ------------------------------------------------------------------------------------------------- */

static bool is_expecting(const struct nlfd *nl)
{
    return load_acquire(&nl->waiting) || load_acquire(&nl->dump.state) != NL_DUMP_NONE ||
           load_acquire(&nl->watch_fd) >= 0;
}

static size_t iov_size(const struct msghdr *msg)
{
    size_t size = 0;
    for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++)
        size += msg->msg_iov[i].iov_len;
    return size;
}

/* Copies between the program's buffers and one piece, as far as both reach. */
static size_t copy_iov(const struct msghdr *msg, unsigned char *bytes, size_t size, bool to_program)
{
    size_t done = 0;
    for (size_t i = 0; i < (size_t)msg->msg_iovlen && done < size; i++) {
        const struct iovec *iov = &msg->msg_iov[i];
        size_t part = iov->iov_len < size - done ? iov->iov_len : size - done;
        if (part && to_program) memcpy(iov->iov_base, bytes + done, part);
        if (part && !to_program) memcpy(bytes + done, iov->iov_base, part);
        done += part;
    }
    return done;
}

/* A notification looks as if it was multicast. */
static void name_group(struct msghdr *msg)
{
    struct sockaddr_nl from;
    if (!msg->msg_name || msg->msg_namelen < sizeof from) return;
    memcpy(&from, msg->msg_name, sizeof from);
    from.nl_groups = RTMGRP_LINK;
    memcpy(msg->msg_name, &from, sizeof from);
}

/* What the program gets of rw->out. */
static ssize_t hand_out(struct rewrite *rw, struct msghdr *msg, int flags)
{
    size_t copied = copy_iov(msg, rw->out, rw->size, true);
    if (copied < rw->size)
        msg->msg_flags |= MSG_TRUNC;
    else
        msg->msg_flags &= ~MSG_TRUNC;
    if (rw->event) name_group(msg);
    return (ssize_t)(flags & MSG_TRUNC ? rw->size : copied);
}

/* Fetches the datagram that was just peeked or received into rw->in. Returns its size, or -errno. */
static ssize_t fetch(struct rewrite *rw, const struct msghdr *msg, ssize_t got, unsigned char *in)
{
    struct iovec iov = { in, IN_MAX };
    struct msghdr whole = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (rw->peek) return sys_call(SYS_recvmsg, rw->fd, &whole, MSG_PEEK | MSG_DONTWAIT);
    size_t size = (size_t)got < rw->room ? (size_t)got : rw->room;
    return size > IN_MAX ? -EMSGSIZE : (ssize_t)copy_iov(msg, in, size, false);
}

/* Takes the datagram that a peek found to be nothing for the program. */
static void discard(int fd)
{
    char byte;
    struct iovec iov = { &byte, 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    sys_call(SYS_recvmsg, fd, &msg, MSG_DONTWAIT);
}

/* Rewrites the datagram that recvmsg() gave the program. Returns true when the program is to get *result. */
static bool rewrite_received(struct nlfd *nl, int fd, struct msghdr *msg, int flags, ssize_t *result)
{
    unsigned char *scratch =
        sys_mmap(NULL, IN_MAX + OUT_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (sys_is_error(scratch)) return true;
    struct rewrite rw = {
        .nl = nl,
        .fd = fd,
        .peek = flags & MSG_PEEK,
        .room = iov_size(msg),
        .in = scratch,
        .out = scratch + IN_MAX,
    };
    bool delivered = true;
    ssize_t size = fetch(&rw, msg, *result, scratch);
    if (size > 0) {
        rw.in_size = (size_t)size;
        rewrite(&rw);
    }
    if (rw.changed && rw.size == 0) {
        if (rw.peek) discard(fd);
        delivered = false;
    } else if (rw.changed) {
        *result = hand_out(&rw, msg, flags);
    }
    sys_call(SYS_munmap, scratch, IN_MAX + OUT_MAX);
    return delivered;
}

ssize_t nlfd_recvmsg(struct nlfd *nl, int fd, struct msghdr *msg, int flags)
{
    const struct msghdr asked = *msg;
    for (;;) {
        ssize_t result = nl->ops->recvmsg(fd, msg, flags);
        if (result < 0 || !is_expecting(nl)) return result;
        if (flags & MSG_ERRQUEUE || rewrite_received(nl, fd, msg, flags, &result)) return result;
        *msg = asked;
    }
}
