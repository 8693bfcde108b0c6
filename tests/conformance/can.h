/*
 * Short words for what every test here does with CAN_RAW sockets. All of them fail the test when a call does
 * not do what it should; waiting has a deadline.
 */
#ifndef CONFORMANCE_CAN_H
#define CONFORMANCE_CAN_H

#include "tap.h"

#include <fcntl.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#define WAIT_MS  3000 /* for something that must happen */
#define QUIET_MS 5    /* for something that must not; local delivery is finished when the send returns */

/* The two interfaces which are up with MTU 72 when a program starts, and are left so. */
static inline const char *if_a(void) { return getenv("CAN_IF0") ? getenv("CAN_IF0") : "vcan0"; }

static inline const char *if_b(void) { return getenv("CAN_IF1") ? getenv("CAN_IF1") : "vcan1"; }

static inline int index_of(const char *name)
{
    int index = if_nametoindex(name);

    if (!index) FAIL("no interface %s", name);
    return index;
}

static inline struct sockaddr_can can_addr(int index)
{
    struct sockaddr_can a;

    memset(&a, 0, sizeof(a));
    a.can_family = AF_CAN;
    a.can_ifindex = index;
    return a;
}

static inline int bind_index(int fd, int index)
{
    struct sockaddr_can a = can_addr(index);

    return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static inline int raw_new(void) { return OK(socket(PF_CAN, SOCK_RAW, CAN_RAW)); }

/* A non-blocking CAN_RAW socket bound to an interface index; 0 is "any". */
static inline int raw_bound(int index)
{
    int fd = OK(socket(PF_CAN, SOCK_RAW | SOCK_NONBLOCK, CAN_RAW));

    OK(bind_index(fd, index));
    return fd;
}

static inline int raw_a(void) { return raw_bound(index_of(if_a())); }

static inline int raw_b(void) { return raw_bound(index_of(if_b())); }

static inline int raw_any(void) { return raw_bound(0); }

static inline void block(int fd) { OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK)); }

static inline void raw_set(int fd, int option, int value)
{
    OK(setsockopt(fd, SOL_CAN_RAW, option, &value, sizeof(value)));
}

static inline int raw_get(int fd, int option)
{
    socklen_t len = sizeof(int);
    int value = -12345;

    OK(getsockopt(fd, SOL_CAN_RAW, option, &value, &len));
    CHECK_EQ(len, sizeof(int));
    return value;
}

static inline void sol_set(int fd, int option, int value)
{
    OK(setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)));
}

static inline int sol_get(int fd, int option)
{
    socklen_t len = sizeof(int);
    int value = -12345;

    OK(getsockopt(fd, SOL_SOCKET, option, &value, &len));
    return value;
}

static inline void filter1(int fd, canid_t id, canid_t mask)
{
    struct can_filter f = { id, mask };

    OK(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, &f, sizeof(f)));
}

static inline void filter2(int fd, canid_t id1, canid_t mask1, canid_t id2, canid_t mask2)
{
    struct can_filter f[2] = { { id1, mask1 }, { id2, mask2 } };

    OK(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, f, sizeof(f)));
}

static inline void filter0(int fd) { OK(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, NULL, 0)); }

static inline struct can_frame frame_of(canid_t id, int len)
{
    struct can_frame f;

    memset(&f, 0, sizeof(f));
    f.can_id = id;
    f.len = len;
    for (int i = 0; i < len && i < 8; i++)
        f.data[i] = 0x11 * (i + 1);
    return f;
}

static inline struct canfd_frame fd_frame_of(canid_t id, int len)
{
    struct canfd_frame f;

    memset(&f, 0, sizeof(f));
    f.can_id = id;
    f.len = len;
    for (int i = 0; i < len && i < 64; i++)
        f.data[i] = i + 1;
    return f;
}

static inline void put(int fd, canid_t id)
{
    struct can_frame f = frame_of(id, 8);

    CHECK_EQ(write(fd, &f, sizeof(f)), sizeof(f));
}

static inline int put_to(int fd, int index, canid_t id)
{
    struct can_frame f = frame_of(id, 8);
    struct sockaddr_can a = can_addr(index);

    return sendto(fd, &f, sizeof(f), 0, (struct sockaddr *)&a, sizeof(a));
}

static inline int polled(int fd, int events, int ms)
{
    struct pollfd p = { .fd = fd, .events = events };

    OK(poll(&p, 1, ms));
    return p.revents;
}

static inline void await_in(int fd, const char *file, int line)
{
    if (!(polled(fd, POLLIN, WAIT_MS) & POLLIN)) FAIL("%s:%d no frame arrived", tap_base(file), line);
}

static inline struct can_frame get_at(int fd, const char *file, int line)
{
    struct can_frame f;
    ssize_t n;

    await_in(fd, file, line);
    n = recv(fd, &f, sizeof(f), MSG_DONTWAIT);
    if (n != sizeof(f)) FAIL("%s:%d recv: got %zd errno %d, want a frame", tap_base(file), line, n, errno);
    return f;
}

static inline void quiet_at(int fd, const char *file, int line)
{
    struct canfd_frame f;
    ssize_t n;

    polled(fd, POLLIN, QUIET_MS);
    n = recv(fd, &f, sizeof(f), MSG_DONTWAIT);
    if (n >= 0)
        FAIL("%s:%d got a frame of %zd bytes with id %x, want none", tap_base(file), line, n, f.can_id);
    if (errno != EAGAIN) FAIL("%s:%d recv: errno %d, want EAGAIN", tap_base(file), line, errno);
}

#define GET(fd) get_at(fd, __FILE__, __LINE__)
#define CHECK_GETS(fd, id)                                                                                   \
    tap_check_eq(get_at(fd, __FILE__, __LINE__).can_id, id, "id of frame", __FILE__, __LINE__)
#define CHECK_QUIET(fd) quiet_at(fd, __FILE__, __LINE__)

/* Waits until the parent (or a thread of this process) sleeps in the kernel, that is, in a blocking call. */
static inline void await_asleep(pid_t pid)
{
    long long end = tap_now_ms() + WAIT_MS;
    char path[64], text[512], *state;

    for (;;) {
        int fd, n;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", getppid() == pid ? pid : getpid(), pid);
        fd = OK(open(path, O_RDONLY | O_CLOEXEC));
        n = OK(read(fd, text, sizeof(text) - 1));
        close(fd);
        text[n] = 0;
        state = strrchr(text, ')');
        CHECK(state && tap_now_ms() < end);
        if (state[2] == 'S') return;
        sched_yield();
    }
}

/*
 * A fence tells when frames have been delivered to everybody: open it first, and of all sockets on its interface
 * it is the last to get a frame, because the newest comes first and its list is searched last (before the lists of
 * single ids). Linux usually delivers before the send returns, but not when its softirq thread happens to run.
 */
static inline int fence_on(int index)
{
    int fd = raw_bound(index), most = 1 << 30;

    OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof(most)));
    filter1(fd, CAN_INV_FILTER | CAN_EFF_FLAG | 0x1badcafe, CAN_EFF_FLAG | CAN_EFF_MASK);
    return fd;
}

static inline void fence_pass(int fence, int frames)
{
    while (frames--)
        get_at(fence, __FILE__, __LINE__);
}

/* One received message with everything that came with it. */
struct message {
    ssize_t size;
    int flags;
    socklen_t namelen;
    struct sockaddr_can from;
    struct msghdr header;
    union {
        struct can_frame can;
        struct canfd_frame fd;
        uint8_t bytes[2100];
    };
    _Alignas(struct cmsghdr) char control[512];
    struct iovec iov;
};

static inline void receive_with(int fd, struct message *m, int flags)
{
    memset(m, 0, sizeof(*m));
    m->iov = (struct iovec){ m->bytes, sizeof(m->bytes) };
    m->header = (struct msghdr){ .msg_name = &m->from,
                                 .msg_namelen = sizeof(m->from),
                                 .msg_iov = &m->iov,
                                 .msg_iovlen = 1,
                                 .msg_control = m->control,
                                 .msg_controllen = sizeof(m->control) };
    m->size = recvmsg(fd, &m->header, flags | MSG_DONTWAIT);
    m->flags = m->header.msg_flags;
    m->namelen = m->header.msg_namelen;
}

static inline void receive_at(int fd, struct message *m, const char *file, int line)
{
    await_in(fd, file, line);
    receive_with(fd, m, 0);
    tap_ok(m->size, "recvmsg", file, line);
}

#define RECEIVE(fd, message) receive_at(fd, message, __FILE__, __LINE__)

static inline struct cmsghdr *control_of(struct message *m, int level, int type)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->header); c; c = CMSG_NXTHDR(&m->header, c))
        if (c->cmsg_level == level && c->cmsg_type == type) return c;
    return NULL;
}

static inline int control_count(struct message *m)
{
    int n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->header); c; c = CMSG_NXTHDR(&m->header, c))
        n++;
    return n;
}

/* Addresses nothing is at; volatile, so that the compiler does not warn of what the tests mean to do. */
static void *volatile bad_pointer __attribute__((unused)) = (void *)1;
static void *volatile no_pointer __attribute__((unused)) = NULL;

/* A page to which the kernel may not write (and, with PROT_NONE, which it may not read). */
static inline void *page_with(int protection)
{
    void *p = mmap(NULL, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    return p;
}

static inline void *page_gone(void)
{
    void *p = page_with(PROT_READ);

    OK(munmap(p, 4096));
    return p;
}

#endif
