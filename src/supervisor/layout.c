/* supervisor/layout.c - see layout.h. Keeps no state. */
#include "supervisor/layout.h"
#include "sockets/bcm_head.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <linux/can.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/syscall.h>

#define TIME64     417 /* recvmmsg_time64, of every machine of 32 bits */
#define STAMP_WIDE 0x80108906u

struct narrow_message {
    uint32_t name, name_size, iov, iov_count, control, control_size;
    int32_t flags;
};
struct narrow_head { /* of a control message */
    uint32_t size;
    int32_t level, type;
};
struct narrow_time {
    int32_t seconds, fraction;
};
struct wide_time {
    int64_t seconds, fraction;
};
struct narrow_bcm {
    uint32_t opcode, flags, count;
    struct narrow_time ival1, ival2;
    uint32_t can_id, nframes, pad;
};
_Static_assert(sizeof(struct narrow_message) == 28 && sizeof(struct narrow_bcm) == 40, "as i386 has them");

/* ---- numbers and arguments ---- */

#ifdef SYS_accept
#define ACCEPT SYS_accept
#else
#define ACCEPT SYS_accept4 /* without flags it is the same */
#endif

/* What socketcall(2) does, by its first argument. */
static const struct {
    int number;
    uint8_t arguments;
} calls[] = {
    { -1, 0 },
    { SYS_socket, 3 },
    { SYS_bind, 3 },
    { SYS_connect, 3 },
    { SYS_listen, 2 },
    { ACCEPT, 3 },
    { SYS_getsockname, 3 },
    { SYS_getpeername, 3 },
    { SYS_socketpair, 4 },
    { SYS_sendto, 4 },
    { SYS_recvfrom, 4 },
    { SYS_sendto, 6 },
    { SYS_recvfrom, 6 },
    { SYS_shutdown, 2 },
    { SYS_setsockopt, 5 },
    { SYS_getsockopt, 5 },
    { SYS_sendmsg, 3 },
    { SYS_recvmsg, 3 },
    { SYS_accept4, 4 },
    { SYS_recvmmsg, 5 },
    { SYS_sendmmsg, 4 },
};

/* Its second argument leads to the others, which the filter has not seen. */
static void unfold(struct call *call)
{
    struct seccomp_data *data = &call->notif.data;
    uint64_t which = data->args[0];
    uint32_t words[6] = { 0 };

    data->nr = -1;
    if (which >= sizeof(calls) / sizeof(*calls) ||
        !remote_read(call_tid(call), words, data->args[1], calls[which].arguments * sizeof(*words)))
        return;
    data->nr = calls[which].number;
    for (unsigned i = 0; i < 6; i++)
        data->args[i] = words[i];
    if (!filter_wants(&call->range, data)) data->nr = -1;
}

void layout_begin(struct call *call)
{
    struct seccomp_data *data = &call->notif.data;
    int like = filter_like(data->arch, data->nr);
    bool is_narrow = filter_is_narrow(data->arch);

    call->narrow = is_narrow;
    call->long_time = sizeof(long) == 8 ? !is_narrow : data->nr == TIME64;
    if (is_narrow && data->nr == TIME64) call->long_time = true;
    if (is_narrow || sizeof(long) == 4)
        for (unsigned i = 0; i < 6; i++)
            data->args[i] &= UINT32_MAX;
    if (like == SYS_pwritev2 && (is_narrow || sizeof(long) == 4)) data->args[3] |= data->args[4] << 32;
#ifdef SYS_send
    if (data->nr == SYS_send || data->nr == SYS_recv) data->args[4] = data->args[5] = 0;
#endif
    if (like == LIKE_MANY)
        unfold(call);
    else
        data->nr = like;
}

/* ---- structs ---- */

static void *pointer(uint32_t value) { return (void *)(uintptr_t)value; }

/* In place, from the last: what is behind a narrow one has been read by then. */
bool layout_read_pieces(const struct call *call, struct iovec *to, uint64_t from, size_t count)
{
    uint32_t pair[2];

    if (!call->narrow) return remote_read(call_tid(call), to, from, count * sizeof(*to));
    if (!remote_read(call_tid(call), to, from, count * sizeof(pair))) return false;
    while (count-- > 0) {
        memcpy(pair, (const char *)to + count * sizeof(pair), sizeof(pair));
        to[count] = (struct iovec){ pointer(pair[0]), pair[1] };
        if ((int32_t)pair[1] < 0)
            to[count].iov_len = (size_t)-1; /* refused, as it is of the program's width */
    }
    return true;
}

bool layout_read_message(const struct call *call, struct msghdr *to, uint64_t from)
{
    struct narrow_message message;

    if (!call->narrow) return remote_read(call_tid(call), to, from, sizeof(*to));
    if (!remote_read(call_tid(call), &message, from, sizeof(message))) return false;
    *to = (struct msghdr){ .msg_name = pointer(message.name),
                           .msg_namelen = message.name_size,
                           .msg_iov = pointer(message.iov),
                           .msg_iovlen = message.iov_count,
                           .msg_control = pointer(message.control),
                           .msg_controllen = message.control_size,
                           .msg_flags = message.flags };
    return true;
}

bool layout_write_message(const struct call *call, uint64_t to, const struct msghdr *msg)
{
    struct narrow_message message = { .name = (uint32_t)(uintptr_t)msg->msg_name,
                                      .name_size = msg->msg_namelen,
                                      .iov = (uint32_t)(uintptr_t)msg->msg_iov,
                                      .iov_count = (uint32_t)msg->msg_iovlen,
                                      .control = (uint32_t)(uintptr_t)msg->msg_control,
                                      .control_size = (uint32_t)msg->msg_controllen,
                                      .flags = msg->msg_flags };

    return call->narrow ? remote_write(call_tid(call), to, &message, sizeof(message))
                        : remote_write(call_tid(call), to, msg, sizeof(*msg));
}

uint64_t layout_message_at(const struct call *call, uint64_t array, uint32_t index, uint64_t *length_at)
{
    uint64_t size = call->narrow ? sizeof(struct narrow_message) + 4 : sizeof(struct mmsghdr);
    uint64_t at = array + index * size;

    *length_at = at + (call->narrow ? sizeof(struct narrow_message) : offsetof(struct mmsghdr, msg_len));
    return at;
}

bool layout_read_time(const struct call *call, struct timespec *to, uint64_t from)
{
    struct narrow_time narrow;
    struct wide_time wide;

    if (call->long_time) {
        if (!remote_read(call_tid(call), &wide, from, sizeof(wide))) return false;
        if (sizeof(long) == 4 || call->narrow)
            wide.fraction = (int32_t)wide.fraction; /* the rest is not looked at */
        if (sizeof(to->tv_sec) == 4 && wide.seconds > INT32_MAX) wide.seconds = INT32_MAX;
        *to = (struct timespec){ .tv_sec = (time_t)wide.seconds, .tv_nsec = (long)wide.fraction };
        return true;
    }
    if (!remote_read(call_tid(call), &narrow, from, sizeof(narrow))) return false;
    *to = (struct timespec){ .tv_sec = narrow.seconds, .tv_nsec = narrow.fraction };
    return true;
}

bool layout_write_time(const struct call *call, uint64_t to, const struct timespec *time)
{
    struct narrow_time narrow = { (int32_t)time->tv_sec, (int32_t)time->tv_nsec };
    struct wide_time wide = { time->tv_sec, time->tv_nsec };

    return call->long_time ? remote_write(call_tid(call), to, &wide, sizeof(wide))
                           : remote_write(call_tid(call), to, &narrow, sizeof(narrow));
}

/* The narrow one ends where pointers and struct ifmap would be longer; the rest is zero. */
#define IFREQ_SIZE(call) ((call)->narrow ? 32 : sizeof(struct ifreq))

bool layout_read_ifreq(const struct call *call, struct ifreq *to, uint64_t from)
{
    memset(to, 0, sizeof(*to));
    return remote_read(call_tid(call), to, from, IFREQ_SIZE(call));
}

bool layout_write_ifreq(const struct call *call, uint64_t to, const struct ifreq *from)
{
    return remote_write(call_tid(call), to, from, IFREQ_SIZE(call));
}

/* ---- control messages ---- */

static size_t padded(size_t size) { return (size + 3) & ~(size_t)3; }

ssize_t layout_control_in(const struct call *call, uint8_t *bytes, size_t size, size_t room)
{
    struct narrow_head head;
    size_t used = 0, at;

    if (!call->narrow) return (ssize_t)size;
    if (size > room / 2) return -ENOBUFS;
    memmove(bytes + room - size, bytes, size); /* a message grows by half at most */
    for (at = room - size; room - at >= sizeof(head); at += padded(head.size)) {
        struct cmsghdr *wide = (struct cmsghdr *)(void *)(bytes + used);
        memcpy(&head, bytes + at, sizeof(head));
        if (head.size < sizeof(head) || head.size > room - at) return -EINVAL;
        memmove(CMSG_DATA(wide), bytes + at + sizeof(head), head.size - sizeof(head));
        *wide = (struct cmsghdr){ .cmsg_len = CMSG_LEN(head.size - sizeof(head)),
                                  .cmsg_level = head.level,
                                  .cmsg_type = head.type };
        used += CMSG_SPACE(head.size - sizeof(head));
        if (padded(head.size) >= room - at) break;
    }
    return (ssize_t)used;
}

/* Times of the old types are as wide as the program's words. Returns the size. */
static size_t shorten_times(const struct cmsghdr *head, uint8_t *data, size_t size)
{
    bool is_time = head->cmsg_level == SOL_SOCKET && (head->cmsg_type == 29 || head->cmsg_type == 35 ||
                                                      head->cmsg_type == 37); /* SO_TIMESTAMP*_OLD */

    for (size_t i = 0; is_time && i < size / 8; i++)
        memmove(data + 4 * i, data + 8 * i, 4);
    return is_time ? size / 2 : size;
}

/* A message is shorter there, so each is written where earlier ones have been read. */
size_t layout_control_out(const struct call *call, uint8_t *bytes, size_t size, size_t room, int *flags)
{
    size_t used = 0;

    if (!call->narrow) return size;
    for (size_t at = 0, next; at + sizeof(struct cmsghdr) <= size; at = next) {
        struct narrow_head head;
        struct cmsghdr wide;
        size_t data;

        memcpy(&wide, bytes + at, sizeof(wide));
        next = at + CMSG_ALIGN(wide.cmsg_len);
        data = shorten_times(&wide, bytes + at + sizeof(wide), wide.cmsg_len - sizeof(wide));
        head = (struct narrow_head){ (uint32_t)(sizeof(head) + data), wide.cmsg_level, wide.cmsg_type };
        if (head.size > room - used) {
            *flags |= MSG_CTRUNC;
            if (room - used < sizeof(head)) break;
            head.size = (uint32_t)(room - used);
        }
        memmove(bytes + used + sizeof(head), bytes + at + sizeof(wide), head.size - sizeof(head));
        memcpy(bytes + used, &head, sizeof(head));
        used += padded(head.size) < room - used ? padded(head.size) : room - used;
    }
    return used;
}

/* ---- options ---- */

static bool is_timeout(int level, int name)
{
    return level == SOL_SOCKET && (name == 20 || name == 21); /* SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD */
}

void layout_option_in(const struct call *call, int level, int name, void *bytes, socklen_t *size)
{
    bool is_program = level == SOL_SOCKET && (name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF);
    struct narrow_time narrow;
    uint32_t words[2];

    if (!call->narrow || !(is_program || is_timeout(level, name))) return;
    if (is_program && *size == sizeof(words)) {
        struct sock_fprog program;
        memcpy(words, bytes, sizeof(words));
        memset(&program, 0, sizeof(program));
        program.len = (uint16_t)words[0];
        program.filter = pointer(words[1]);
        memcpy(bytes, &program, sizeof(program));
        *size = sizeof(program);
    } else if (is_program && *size == sizeof(struct sock_fprog)) {
        *size = sizeof(words); /* which is wrong to us as this is to the program's kernel */
    } else if (!is_program && *size >= sizeof(narrow)) {
        memcpy(&narrow, bytes, sizeof(narrow));
        memcpy(bytes, &(struct wide_time){ narrow.seconds, narrow.fraction }, sizeof(struct wide_time));
        *size = sizeof(struct wide_time);
    }
}

socklen_t layout_option_room(const struct call *call, int level, int name, socklen_t room)
{
    return call->narrow && is_timeout(level, name) && (int)room >= 0 ? sizeof(struct wide_time) : room;
}

socklen_t layout_option_out(const struct call *call, int level, int name, void *bytes, socklen_t size,
                            socklen_t room)
{
    struct wide_time wide;

    if (!call->narrow || !is_timeout(level, name) || size != sizeof(wide)) return size;
    memcpy(&wide, bytes, sizeof(wide));
    memcpy(bytes, &(struct narrow_time){ (int32_t)wide.seconds, (int32_t)wide.fraction },
           sizeof(struct narrow_time));
    return room < sizeof(struct narrow_time) ? room : sizeof(struct narrow_time);
}

/* Whose numbers carry a size have 64 bits everywhere. */
size_t layout_stamp_out(const struct call *call, uint32_t request, void *bytes)
{
    struct wide_time wide;

    if (request >= STAMP_WIDE) return sizeof(wide);
    if (!call->narrow) return 2 * sizeof(long);
    memcpy(&wide, bytes, sizeof(wide));
    memcpy(bytes, &(struct narrow_time){ (int32_t)wide.seconds, (int32_t)wide.fraction },
           sizeof(struct narrow_time));
    return sizeof(struct narrow_time);
}

/* ---- CAN_BCM ---- */

size_t layout_bcm_excess(const struct call *call, const struct sock *sock)
{
    bool is_bcm = call->narrow && load_relaxed(&sock_bus->data->slot[sock->slot].protocol) == CAN_BCM;
    return is_bcm ? sizeof(struct bcm_head) - sizeof(struct narrow_bcm) : 0;
}

void layout_bcm_in(uint8_t *bytes)
{
    struct narrow_bcm narrow;
    struct bcm_head head;

    memcpy(&narrow, bytes, sizeof(narrow));
    head = (struct bcm_head){ .opcode = narrow.opcode,
                              .flags = narrow.flags,
                              .count = narrow.count,
                              .ival1 = { narrow.ival1.seconds, narrow.ival1.fraction },
                              .ival2 = { narrow.ival2.seconds, narrow.ival2.fraction },
                              .can_id = narrow.can_id,
                              .nframes = narrow.nframes };
    memcpy(bytes + sizeof(narrow) - sizeof(head), &head, sizeof(head));
}

ssize_t layout_bcm_out(uint8_t *bytes, size_t size, size_t room)
{
    struct bcm_head head;
    struct narrow_bcm narrow;

    if (size < sizeof(head)) return (ssize_t)size;
    memcpy(&head, bytes, sizeof(head));
    narrow = (struct narrow_bcm){ .opcode = head.opcode,
                                  .flags = head.flags,
                                  .count = head.count,
                                  .ival1 = { (int32_t)head.ival1.tv_sec, (int32_t)head.ival1.tv_usec },
                                  .ival2 = { (int32_t)head.ival2.tv_sec, (int32_t)head.ival2.tv_usec },
                                  .can_id = head.can_id,
                                  .nframes = head.nframes };
    memmove(bytes + sizeof(narrow), bytes + sizeof(head), size - sizeof(head));
    memcpy(bytes, &narrow, sizeof(narrow));
    size -= sizeof(head) - sizeof(narrow);
    return (ssize_t)(size < room ? size : room);
}
