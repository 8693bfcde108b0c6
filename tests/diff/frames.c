/* Steps that send and receive. */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER_SIZE  4096
#define CONTROL_SIZE 1024
#define FILL         0xa5
#define IOVS         4

static uint8_t buffer[BUFFER_SIZE];
static _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
static struct iovec iov[IOVS];

/* What a pointer option says: nothing, "null", or "bad". */
static void *pointer(const struct step *step, const char *key, void *otherwise)
{
    const char *text = step_text(step, key, "");

    return !strcmp(text, "null") ? NULL : !strcmp(text, "bad") ? (void *)1 : otherwise;
}

/* Splits the buffer into iov=N pieces. */
static size_t split(const struct step *step, void *base, size_t size)
{
    size_t count = (size_t)step_number(step, "iov", 1), part;

    if (count == 0 || count > IOVS) count = count ? IOVS : 1;
    for (size_t i = 0; i < count; i++) {
        part = i + 1 < count ? size / count : size;
        iov[i] = (struct iovec){ base, part };
        base = (char *)base + part;
        size -= part;
    }
    return count;
}

/* ---- sending ---- */

/* c=LEVEL:TYPE:SIZE:VALUE[:LENGTH]+...: LENGTH is what cmsg_len claims, if it lies. */
static size_t put_controls(const char *text)
{
    size_t used = 0;

    memset(control, 0, sizeof(control));
    while (*text && used + 128 < sizeof(control)) {
        struct cmsghdr *c = (struct cmsghdr *)(control + used);
        unsigned long long field[5] = { 0, 0, 0, 0, ~0ull };
        char *end;

        for (int i = 0; i < 5; i++) {
            field[i] = strtoull(text, &end, 0);
            text = end;
            if (*text != ':') break;
            text++;
        }
        if (*text == '+') text++;
        if (field[2] > 64) field[2] = 64;
        c->cmsg_level = (int)field[0];
        c->cmsg_type = (int)field[1];
        c->cmsg_len = field[4] != ~0ull ? field[4] : CMSG_LEN(field[2]);
        memcpy(CMSG_DATA(c), &field[3], field[2] < 8 ? field[2] : 8);
        used += CMSG_SPACE(field[2]);
    }
    return used;
}

static long long send_with(const struct step *step, int fd, void *data, size_t size)
{
    const char *call = step_text(step, "call", "write"), *to = step_text(step, "to", NULL);
    struct sockaddr_can address = { .can_family = (sa_family_t)step_number(step, "tofam", AF_CAN),
                                    .can_ifindex = to ? step_index(to) : 0 };
    void *name = to ? pointer(step, "toptr", &address) : NULL;
    socklen_t name_size = to ? (socklen_t)step_number(step, "tolen", sizeof(address)) : 0;
    int flags = (int)step_number(step, "fl", 0);
    unsigned count = (unsigned)step_number(step, "vlen", 2);
    struct mmsghdr m[2] = { { .msg_hdr = { name, name_size, iov, split(step, data, size), NULL, 0, 0 } } };

    m[0].msg_hdr.msg_iovlen = (size_t)step_number(step, "iovs", (long long)m[0].msg_hdr.msg_iovlen);
    m[0].msg_hdr.msg_iov = pointer(step, "iovptr", iov);
    if (!strcmp(call, "write")) return STEP_CALL(step, write, fd, data, size);
    if (!strcmp(call, "writev"))
        return STEP_CALL(step, writev, fd, m[0].msg_hdr.msg_iov, (int)m[0].msg_hdr.msg_iovlen);
    if (!strcmp(call, "send")) return send(fd, data, size, flags);
    if (!strcmp(call, "sendto")) return STEP_CALL(step, sendto, fd, data, size, flags, name, name_size);
    m[0].msg_hdr.msg_controllen = put_controls(step_text(step, "c", ""));
    if (m[0].msg_hdr.msg_controllen) m[0].msg_hdr.msg_control = pointer(step, "cptr", control);
    m[0].msg_hdr.msg_controllen += (size_t)step_number(step, "cmore", 0);
    if (!strcmp(call, "sendmsg"))
        return STEP_CALL(step, sendmsg, fd, pointer(step, "mptr", &m[0].msg_hdr), flags);
    m[1] = m[0];
    if (step_number(step, "second", 0)) m[1].msg_hdr.msg_iov = NULL;
    return STEP_CALL(step, sendmmsg, fd, pointer(step, "mptr", m), count > 2 ? 2 : count, flags);
}

static void op_send(const struct step *step)
{
    size_t size = step_frame(step_word(step, 1), buffer, sizeof(buffer));

    out_result(send_with(step, step_fd(step, 0), pointer(step, "ptr", buffer), size));
}

/* ---- receiving ---- */

static void out_time(const void *data, size_t pairs)
{
    const long long *value = data;

    for (size_t i = 0; i < pairs; i++)
        out("%c", value[2 * i] ? 'T' : '0');
}

static void out_controls(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t size = c->cmsg_len > CMSG_LEN(0) ? c->cmsg_len - CMSG_LEN(0) : 0;
        int type = c->cmsg_level == SOL_SOCKET ? c->cmsg_type : 0;

        out(" cmsg %d/%d:", c->cmsg_level, c->cmsg_type);
        if ((type == 37 || type == 65) && size == 48)
            out_time(CMSG_DATA(c), 3);
        else if ((type == 29 || type == 35 || type == 63 || type == 64) && size == 16)
            out_time(CMSG_DATA(c), 1);
        else if (type == 29 || type == 35 || type == 63 || type == 64 || type == 37 || type == 65)
            out("part of %zu", size); /* cut off: as much of a time as fits */
        else
            out_bytes(CMSG_DATA(c), size < 256 ? size : 256);
    }
    if (m->msg_controllen) out(" control %zu", (size_t)m->msg_controllen);
}

static void out_address(const uint8_t *address, int size, int room)
{
    struct sockaddr_can can;

    out(" from %d:", size);
    if (size >= 8 && room >= 8) {
        memcpy(&can, address, 8);
        out("%d/%02x%02x/%s", can.can_family, address[2], address[3], step_index_word(can.can_ifindex));
    } else if (room >= 2) {
        out_bytes(address, 2);
    }
    for (int i = size > 8 ? size : 8; i < 32; i++)
        if (address[i] != FILL) {
            out(" dirty address at %d", i);
            break;
        }
}

static void out_data(long long result, size_t room, bool bad)
{
    if (bad) return;
    if (result > 0) {
        out(" ");
        out_bytes(buffer, (size_t)result < sizeof(buffer) ? (size_t)result : sizeof(buffer));
    }
    for (size_t i = result > 0 ? (size_t)result : 0; i < sizeof(buffer) && i < room + 64; i++)
        if (buffer[i] != FILL) {
            out(" dirty at %zu", i);
            break;
        }
}

/* recvmmsg() into one message or two; the second has little room. */
static long long receive_messages(const struct step *step, int fd, struct mmsghdr *first, int flags)
{
    static uint8_t more[24];
    struct iovec room = { more, sizeof(more) };
    struct mmsghdr m[2] = { *first, { .msg_hdr = { .msg_iov = &room, .msg_iovlen = 1 } } };
    struct timespec time = { (time_t)step_number(step, "time", 0), 0 };
    unsigned count = (unsigned)step_number(step, "vlen", 1);
    long long result = STEP_CALL(step, recvmmsg, fd, pointer(step, "mptr", m), count > 2 ? 2 : count, flags,
                                 step_text(step, "time", NULL) ? pointer(step, "timeptr", &time) : NULL);

    *first = m[0];
    out_result(result);
    if (time.tv_sec >= 0) out(" time %s", time.tv_sec || time.tv_nsec ? "left" : "none");
    if (result == 2) {
        out(" second %u/%x ", m[1].msg_len, m[1].msg_hdr.msg_flags);
        out_bytes(more, m[1].msg_len < sizeof(more) ? m[1].msg_len : sizeof(more));
    }
    return result;
}

static void receive_message(const struct step *step, int fd, void *data, size_t room)
{
    uint8_t address[64];
    int name_size = (int)step_number(step, "namelen", sizeof(struct sockaddr_can)),
        flags = (int)step_number(step, "fl", 0), many = !strcmp(step_text(step, "call", ""), "recvmmsg");
    struct mmsghdr m = { .msg_hdr = { address, (socklen_t)name_size, iov, split(step, data, room), control,
                                      (size_t)step_number(step, "ctl", 256), 0x5a5a } };
    long long result;

    memset(address, FILL, sizeof(address));
    memset(control, FILL, sizeof(control));
    if (name_size == 0) m.msg_hdr.msg_name = NULL;
    m.msg_hdr.msg_name = pointer(step, "nptr", m.msg_hdr.msg_name);
    m.msg_hdr.msg_control = pointer(step, "cptr", m.msg_hdr.msg_control);
    m.msg_hdr.msg_iov = pointer(step, "iovptr", iov);
    m.msg_hdr.msg_iovlen = (size_t)step_number(step, "iovs", (long long)m.msg_hdr.msg_iovlen);
    if (many)
        result = receive_messages(step, fd, &m, flags);
    else
        out_result(result = STEP_CALL(step, recvmsg, fd, pointer(step, "mptr", &m.msg_hdr), flags));
    if (result < 0 || (many && !result)) return;
    if (many) result = m.msg_len;
    out_data(result, room, data != buffer);
    out(" flags %x", m.msg_hdr.msg_flags);
    if (name_size && !step_text(step, "nptr", NULL))
        out_address(address, (int)m.msg_hdr.msg_namelen, name_size);
    if (step_text(step, "cptr", NULL))
        out(" control %zu", (size_t)m.msg_hdr.msg_controllen);
    else
        out_controls(&m.msg_hdr);
}

static void receive(const struct step *step)
{
    const char *call = step_text(step, "call", "read");
    size_t room = (size_t)step_number(step, "len", 72);
    int fd = step_fd(step, 0), flags = (int)step_number(step, "fl", 0);
    void *data = pointer(step, "ptr", buffer);
    socklen_t name_size = (socklen_t)step_number(step, "namelen", sizeof(struct sockaddr_can));
    uint8_t address[64];
    long long result;

    memset(buffer, FILL, sizeof(buffer));
    memset(address, FILL, sizeof(address));
    if (room > 3000) room = 3000;
    if (!strcmp(call, "recvmsg") || !strcmp(call, "recvmmsg")) {
        receive_message(step, fd, data, room);
        return;
    }
    if (!strcmp(call, "readv"))
        result = STEP_CALL(step, readv, fd, pointer(step, "iovptr", iov),
                           (int)step_number(step, "iovs", (long long)split(step, data, room)));
    else if (!strcmp(call, "recv"))
        result = recv(fd, data, room, flags);
    else if (!strcmp(call, "recvfrom"))
        result = STEP_CALL(step, recvfrom, fd, data, room, flags, pointer(step, "nptr", address),
                           pointer(step, "lenptr", &name_size));
    else
        result = STEP_CALL(step, read, fd, data, room);
    out_result(result);
    out_data(result, room, data != buffer);
    if (!strcmp(call, "recvfrom") && result >= 0 && !step_text(step, "nptr", NULL))
        out_address(address, (int)name_size, (int)step_number(step, "namelen", sizeof(struct sockaddr_can)));
}

/* block=MS: waits that long, if it must, for what will not come. */
static void op_recv(const struct step *step)
{
    int fd = step_fd(step, 0), flags = fcntl(fd, F_GETFL);
    struct timeval kept = { 0, 0 }, limit = { 0, (long)step_number(step, "block", 0) * 1000 };
    socklen_t size = sizeof(kept);

    if (!limit.tv_usec || flags < 0) {
        receive(step);
        return;
    }
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kept, &size);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    receive(step);
    fcntl(fd, F_SETFL, flags);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kept, sizeof(kept));
}

/* Everything there is, summed up. */
static void op_drain(const struct step *step)
{
    int fd = step_fd(step, 0), flags = (int)step_number(step, "fl", MSG_DONTWAIT), count = 0, errors = 0;
    long long result;

    out(" =");
    while (count + errors < 2000) {
        memset(buffer, FILL, 80);
        result = recv(fd, buffer, 3000, flags);
        if (result >= 0) {
            count++;
            out(" ");
            out_bytes(buffer, (size_t)result);
            continue;
        }
        if (errno != ENETDOWN && errno != ENODEV) break;
        out(" %s", strerrorname_np(errno));
        errors++;
    }
    out(" %s", strerrorname_np(errno));
}

bool frames_run(const struct step *step)
{
    if (!strcmp(step->operation, "send"))
        op_send(step);
    else if (!strcmp(step->operation, "recv"))
        op_recv(step);
    else if (!strcmp(step->operation, "drain"))
        op_drain(step);
    else
        return false;
    return true;
}
