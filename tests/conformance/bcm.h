/*
 * Short words for CAN_BCM: requests whose frames are written as text, and what comes back. Frames are "0102": data in hexadecimal,
 * "-": none, several divided by spaces; "123:0102": with another identifier than the request's.
 *
 * Time: what a timer does is never early and, on a busy machine, late. A test of times therefore is an attempt that may say it was
 * held up; it is made again a few times: TIMED(name).
 */
#ifndef CONFORMANCE_BCM_H
#define CONFORMANCE_BCM_H

#include "link.h"

#include <linux/can/bcm.h>
#include <linux/sockios.h>
#include <sys/select.h>
#include <sys/stat.h>

#define HEAD       ((int)sizeof(struct bcm_msg_head))
#define START      (SETTIMER | STARTTIMER)
#define FRAMES_MAX 300

/* struct bcm_msg_head without its frames */
struct bcm_head {
    _Alignas(8) uint32_t opcode;
    uint32_t flags, count;
    struct bcm_timeval ival1, ival2;
    canid_t can_id;
    uint32_t nframes;
};
_Static_assert(sizeof(struct bcm_head) == sizeof(struct bcm_msg_head), "layout of bcm_msg_head");

struct bcm_message {
    struct bcm_head head;
    union {
        struct can_frame can[FRAMES_MAX];
        struct canfd_frame fd[FRAMES_MAX];
        uint8_t bytes[FRAMES_MAX * 72];
    };
};

struct bcm_request {
    int opcode, flags;
    canid_t id;
    const char *frames;
    int count, ival1_ms, ival2_ms;
    struct bcm_timeval ival1, ival2; /* when there are no ms */
    int nframes;                     /* not as many as there are frames; -1: 0 */
    int size;                        /* not what fits the frames */
    struct sockaddr_can *to;
    int to_len;
};

static inline int bcm_new(void) { return OK(socket(PF_CAN, SOCK_DGRAM | SOCK_NONBLOCK, CAN_BCM)); }

static inline int bcm_connect(int fd, int index)
{
    struct sockaddr_can a = can_addr(index);

    return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* Connected to an interface; 0 is "any". */
static inline int bcm_on(int index)
{
    int fd = bcm_new();

    OK(bcm_connect(fd, index));
    return fd;
}

static inline int bcm_a(void) { return bcm_on(index_of(if_a())); }

static inline const char *bcm_parse(const char *text, canid_t id, struct canfd_frame *f)
{
    size_t word = strcspn(text, " "), colon = strcspn(text, ":");
    unsigned value;

    memset(f, 0, sizeof(*f));
    f->can_id = id;
    if (colon < word) {
        f->can_id = strtoul(text, NULL, 16);
        text += colon + 1;
    }
    for (; *text && *text != ' ' && *text != '-'; text += 2) {
        CHECK_EQ(sscanf(text, "%2x", &value), 1);
        f->data[f->len++] = value;
    }
    return text + strspn(text, "- ");
}

static inline struct can_frame bcm_frame(canid_t id, const char *text)
{
    struct canfd_frame f;
    struct can_frame can;

    bcm_parse(text, id, &f);
    memcpy(&can, &f, sizeof(can));
    return can;
}

static inline int bcm_compose(const struct bcm_request *r, struct bcm_message *m)
{
    int size = r->flags & CAN_FD_FRAME ? 72 : 16, n = 0;
    struct canfd_frame f;

    memset(&m->head, 0, sizeof(m->head));
    m->head.opcode = r->opcode;
    m->head.flags = r->flags;
    m->head.count = r->count;
    m->head.can_id = r->id;
    m->head.ival1 =
        r->ival1_ms ? (struct bcm_timeval){ r->ival1_ms / 1000, r->ival1_ms % 1000 * 1000 } : r->ival1;
    m->head.ival2 =
        r->ival2_ms ? (struct bcm_timeval){ r->ival2_ms / 1000, r->ival2_ms % 1000 * 1000 } : r->ival2;
    for (const char *text = r->frames; text && *text; n++) {
        CHECK(n < FRAMES_MAX);
        text = bcm_parse(text, r->id, &f);
        memcpy(m->bytes + n * size, &f, size);
    }
    m->head.nframes = r->nframes < 0 ? 0 : r->nframes ? r->nframes : n;
    return r->size ? r->size : HEAD + n * size;
}

static inline ssize_t bcm_ask(int fd, struct bcm_request r)
{
    static struct bcm_message m;
    int size = bcm_compose(&r, &m);

    return sendto(fd, &m, size, 0, (struct sockaddr *)r.to,
                  r.to_len ? r.to_len
                  : r.to   ? (int)sizeof(*r.to)
                           : 0);
}

/* What send() returns. */
#define ASK(fd, ...) bcm_ask(fd, (struct bcm_request){ __VA_ARGS__ })
/* It has to succeed. */
#define SETUP(fd, ...) OK(ASK(fd, __VA_ARGS__))

/* Linux 6.7 began to tell frames of this host and of this socket by flags, and to keep two more bits of the flags byte for that. */
#define NEWER_FLAGS      (MSG_DONTROUTE | MSG_CONFIRM)
#define CHECK_TOLD(byte) CHECK_EQ((byte) | 0x30, 0x3f) /* of a flags byte that was 0xff */

/* A message received, with everything that came with it. */
struct bcm_event {
    struct bcm_message m;
    ssize_t size;
    int flags;
    socklen_t namelen;
    struct sockaddr_can from;
    struct timespec stamp;
};

static inline void bcm_await(int fd, const char *file, int line)
{
    int events = polled(fd, POLLIN, WAIT_MS);

    if (!(events & POLLIN)) FAIL("%s:%d no message came (events %x)", tap_base(file), line, events);
}

static inline struct bcm_event *bcm_event_at(int fd, const char *file, int line)
{
    static struct bcm_event e;
    _Alignas(struct cmsghdr) char control[128];
    struct iovec iov = { &e.m, sizeof(e.m) };
    struct msghdr h = { .msg_name = &e.from,
                        .msg_namelen = sizeof(e.from),
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = sizeof(control) };

    bcm_await(fd, file, line);
    memset(&e, 0, sizeof(e));
    e.size = tap_ok(recvmsg(fd, &h, MSG_DONTWAIT), "recvmsg", file, line);
    e.flags = h.msg_flags;
    e.namelen = h.msg_namelen;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS)
            memcpy(&e.stamp, CMSG_DATA(c), sizeof(e.stamp));
    return &e;
}

static inline void bcm_hex(char *text, const struct can_frame *f)
{
    *text = 0;
    for (int i = 0; i < f->len && i < 8; i++)
        text += sprintf(text, "%02X", f->data[i]);
}

static inline struct bcm_event *bcm_expect_at(int fd, int opcode, canid_t id, const char *data,
                                              const char *file, int line)
{
    struct bcm_event *e = bcm_event_at(fd, file, line);
    char got[32] = "";

    if (e->size >= HEAD + 16) bcm_hex(got, e->m.can);
    if ((int)e->m.head.opcode != opcode || e->m.head.can_id != id || (data && strcmp(got, data)))
        FAIL("%s:%d got message %u of id %X, data \"%s\", want %d of %X, \"%s\"", tap_base(file), line,
             e->m.head.opcode, e->m.head.can_id, got, opcode, id, data ? data : "");
    tap_check_eq(e->size, HEAD + e->m.head.nframes * (e->m.head.flags & CAN_FD_FRAME ? 72 : 16), "size", file,
                 line);
    return e;
}

#define EVENT(fd) bcm_event_at(fd, __FILE__, __LINE__)
/* The next message is of this opcode and id; of an RX_CHANGED with that data. Its value is the message. */
#define EXPECT(fd, opcode, id)    bcm_expect_at(fd, opcode, id, NULL, __FILE__, __LINE__)
#define CHANGED(fd, id, data)     bcm_expect_at(fd, RX_CHANGED, id, data, __FILE__, __LINE__)
#define CHECK_FRAME(fd, id, data) bcm_frame_at(fd, id, data, __FILE__, __LINE__)

static inline void bcm_frame_at(int fd, canid_t id, const char *data, const char *file, int line)
{
    struct can_frame f = get_at(fd, file, line);
    char got[32];

    bcm_hex(got, &f);
    if (f.can_id != id || strcmp(got, data))
        FAIL("%s:%d got frame %X#%s, want %X#%s", tap_base(file), line, f.can_id, got, id, data);
}

static inline void send_frame(int fd, canid_t id, const char *data)
{
    struct can_frame f = bcm_frame(id, data);

    CHECK_EQ(write(fd, &f, sizeof(f)), sizeof(f));
}

static inline int recv_errno(int fd)
{
    struct bcm_message m;

    CHECK_EQ(recv(fd, &m, sizeof(m), MSG_DONTWAIT), -1);
    return errno;
}

/* ---- Time ---- */

#define LATE_MS  15 /* later than this, an attempt was held up */
#define ATTEMPTS 12

static inline long long bcm_clock_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* Each attempt has its own start, to which all times are relative. */
static long long bcm_start_us, bcm_start_real_us;
static long long bcm_late_us; /* how much the last thing was */

/* On both clocks at once: who is held up between them asks again. */
static inline void clock_start(void)
{
    do {
        bcm_start_us = bcm_clock_us(CLOCK_MONOTONIC);
        bcm_start_real_us = bcm_clock_us(CLOCK_REALTIME);
    } while (bcm_clock_us(CLOCK_MONOTONIC) - bcm_start_us > 200);
}

/* Sleeps until a time; returns false when that was long ago, or nearly so on waking. */
static inline int sleep_to(int ms)
{
    long long end = bcm_start_us + ms * 1000LL;
    struct timespec t = { end / 1000000, end % 1000000 * 1000 };

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
    bcm_late_us = bcm_clock_us(CLOCK_MONOTONIC) - end;
    return bcm_late_us < LATE_MS * 1000;
}

/* A time in microseconds since the start against what was due: early fails the test, late is a reason for another attempt. Time stamps are
 * of another clock than timers: a millisecond early is in time. */
static inline int is_in_time(long long us, int due_ms, const char *file, int line)
{
    if (us < due_ms * 1000LL - 1000)
        FAIL("%s:%d %lld us after the start, before it was due at %d ms", tap_base(file), line, us, due_ms);
    bcm_late_us = us - due_ms * 1000LL;
    return bcm_late_us < LATE_MS * 1000LL;
}

/* Waits for a message that is due at a time, and takes nothing. */
static inline int is_event_in_time(int fd, int due_ms, const char *file, int line)
{
    bcm_await(fd, file, line);
    return is_in_time(bcm_clock_us(CLOCK_MONOTONIC) - bcm_start_us, due_ms, file, line);
}

/* A frame with that data was sent when it was due; `fd` is a raw socket with time stamps. */
static inline int is_frame_in_time(int fd, int due_ms, const char *data, const char *file, int line)
{
    char got[32], control[128];
    struct can_frame f;
    struct iovec iov = { &f, sizeof(f) };
    struct msghdr h = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct timespec t;

    await_in(fd, file, line);
    tap_check_eq(recvmsg(fd, &h, MSG_DONTWAIT), sizeof(f), "recvmsg", file, line);
    bcm_hex(got, &f);
    if (strcmp(got, data))
        FAIL("%s:%d got frame #%s, want #%s at %d ms", tap_base(file), line, got, data, due_ms);
    tap_check(CMSG_FIRSTHDR(&h) != NULL, "time stamp", file, line);
    memcpy(&t, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(t));
    return is_in_time(t.tv_sec * 1000000LL + t.tv_nsec / 1000 - bcm_start_real_us, due_ms, file, line);
}

/* In an attempt: leaves it when something came late. */
#define AT(ms)                                                                                               \
    if (!sleep_to(ms)) return 0
#define PUT_AT(fd, ms, id, data)                                                                             \
    AT(ms);                                                                                                  \
    send_frame(fd, id, data);                                                                                \
    AT(ms)
#define EVENT_DUE(fd, ms)                                                                                    \
    if (!is_event_in_time(fd, ms, __FILE__, __LINE__)) return 0
#define FRAME_DUE(fd, ms, data)                                                                              \
    if (!is_frame_in_time(fd, ms, data, __FILE__, __LINE__)) return 0

/* Ends what an attempt began: its sockets are numbered from `first` on, somewhere. What its jobs still send is not seen by the next one. */
static inline void attempt_clear(int first)
{
    struct stat about;

    for (int fd = first; fd < FD_SETSIZE; fd++)
        if (fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode)) close(fd);
    poll(NULL, 0, 10);
}

static inline int attempt_begin(void)
{
    int fd = OK(dup(0));

    close(fd);
    return fd;
}

/* TIMED(name) { ... return 1; }: a test that is one attempt. */
#define TIMED(name)                                                                                          \
    static int attempt_##name(void);                                                                         \
    TEST(name)                                                                                               \
    {                                                                                                        \
        long long start = tap_now_ms();                                                                      \
        int first = attempt_begin();                                                                         \
                                                                                                             \
        for (int attempts = 1; !attempt_##name(); attempts++) {                                              \
            if (attempts == ATTEMPTS || tap_now_ms() > start + TAP_TEST_SECONDS * 600)                       \
                FAIL("was held up in %d attempts, at last by %lld us", attempts, bcm_late_us);               \
            attempt_clear(first);                                                                            \
        }                                                                                                    \
    }                                                                                                        \
    static int attempt_##name(void)

/* A raw socket that sees one identifier, with time stamps. */
static inline int observer(int index, canid_t id)
{
    int fd = raw_bound(index);

    filter1(fd, id, CAN_EFF_FLAG | CAN_RTR_FLAG | CAN_EFF_MASK);
    sol_set(fd, SO_TIMESTAMPNS, 1);
    return fd;
}

static inline int observer_a(canid_t id) { return observer(index_of(if_a()), id); }

#endif
