/*
 * Short words for tests of CAN_ISOTP sockets. A socket sends with TX_ID and receives RX_ID; its peer is a CAN_RAW socket that sees what
 * the socket sends, and says what a peer would say, frame by frame.
 *
 * Bytes are written as in "10 14 01..06": hexadecimal, with ranges; "cc*3" repeats.
 */
#ifndef CONFORMANCE_ISOTP_H
#define CONFORMANCE_ISOTP_H

#include "link.h"

#include <ctype.h>
#include <linux/can/isotp.h>

#define TX_ID   0x7e0
#define RX_ID   0x7e8
#define MS      1000000LL
#define LATE_MS 700 /* how late something may be on a busy or emulated machine */

#ifndef CANFD_FDF
#define CANFD_FDF 0x04
#endif

static inline int isotp_new(void) { return OK(socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP)); }

static inline int isotp_bind(int fd, int index, canid_t tx_id, canid_t rx_id)
{
    struct sockaddr_can a = can_addr(index);

    a.can_addr.tp.tx_id = tx_id;
    a.can_addr.tp.rx_id = rx_id;
    return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static inline int isotp_set(int fd, int name, const void *value, socklen_t size)
{
    return setsockopt(fd, SOL_CAN_ISOTP, name, value, size);
}

/* Sets CAN_ISOTP_OPTS: frame_txtime 0 is "as it is". */
static inline void isotp_opts(int fd, struct can_isotp_options opts)
{
    OK(isotp_set(fd, CAN_ISOTP_OPTS, &opts, sizeof(opts)));
}

static inline void isotp_flags(int fd, uint32_t flags)
{
    isotp_opts(fd,
               (struct can_isotp_options){ .flags = flags, .txpad_content = 0xcc, .rxpad_content = 0xcc });
}

static inline void isotp_fc(int fd, int bs, int stmin)
{
    struct can_isotp_fc_options fc = { bs, stmin, 0 };

    OK(isotp_set(fd, CAN_ISOTP_RECV_FC, &fc, sizeof(fc)));
}

static inline void isotp_ll(int fd, int mtu, int tx_dl, int tx_flags)
{
    struct can_isotp_ll_options ll = { mtu, tx_dl, tx_flags };

    OK(isotp_set(fd, CAN_ISOTP_LL_OPTS, &ll, sizeof(ll)));
}

static inline void isotp_ns(int fd, int name, uint32_t ns) { OK(isotp_set(fd, name, &ns, sizeof(ns))); }

/* Binds to the first interface. */
static inline void isotp_ready(int fd) { OK(isotp_bind(fd, index_of(if_a()), TX_ID, RX_ID)); }

/* A socket with these flags, bound to the first interface. */
static inline int isotp_a(uint32_t flags)
{
    int fd = isotp_new();

    if (flags) isotp_flags(fd, flags);
    isotp_ready(fd);
    return fd;
}

/* ---- Bytes ---- */

static inline int isotp_bytes(const char *text, uint8_t *bytes)
{
    int count = 0;
    char *rest;

    for (;; text = rest) {
        long byte = strtol(text, &rest, 16), last = byte, times = 1;

        if (rest == text) break;
        if (!strncmp(rest, "..", 2)) last = strtol(rest + 2, &rest, 16);
        if (*rest == '*') times = strtol(rest + 1, &rest, 10);
        for (; times; times--)
            for (long b = byte; b <= last; b++)
                bytes[count++] = b;
    }
    CHECK(!*text);
    return count;
}

/* The bytes of every PDU here: 01 02 03 ... */
static inline const uint8_t *isotp_pdu(void)
{
    static uint8_t pdu[66002];

    if (!pdu[0])
        for (size_t i = 0; i < sizeof(pdu); i++)
            pdu[i] = i + 1;
    return pdu;
}

/* ---- The peer ---- */

/* Waits until the stamps of this socket's frames are times of their arrival: Linux needs a moment after it was asked. */
static inline void peer_await_stamps(int fd)
{
    struct can_frame f = frame_of(TX_ID, 0);

    for (long long end = tap_now_ms() + WAIT_MS;;) {
        struct timespec a_moment = { 0, 2000000 }, stamp, now;
        struct message m;

        CHECK_EQ(write(fd, &f, sizeof(f)), sizeof(f));
        nanosleep(&a_moment, NULL);
        clock_gettime(CLOCK_REALTIME, &now);
        RECEIVE(fd, &m);
        memcpy(&stamp, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(stamp));
        if ((now.tv_sec - stamp.tv_sec) * 1000000000LL + now.tv_nsec - stamp.tv_nsec > 1000000) return;
        CHECK(tap_now_ms() < end);
    }
}

/* Hears TX_ID on an interface; open it before the socket says anything. */
static inline int peer_on(int index)
{
    int fd = raw_bound(index);

    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    raw_set(fd, CAN_RAW_RECV_OWN_MSGS, 1);
    filter1(fd, TX_ID, CAN_EFF_FLAG | CAN_RTR_FLAG | CAN_SFF_MASK);
    sol_set(fd, SO_TIMESTAMPNS, 1);
    peer_await_stamps(fd);
    return fd;
}

static inline int peer_a(void) { return peer_on(index_of(if_a())); }

static inline void peer_say_as(int fd, canid_t id, const char *text)
{
    struct can_frame f = { .can_id = id };

    f.len = isotp_bytes(text, f.data);
    CHECK_EQ(write(fd, &f, sizeof(f)), sizeof(f));
}

static inline void peer_say(int fd, const char *text) { peer_say_as(fd, RX_ID, text); }

static inline void peer_say_fd(int fd, const char *text)
{
    struct canfd_frame f = { .can_id = RX_ID };

    f.len = isotp_bytes(text, f.data);
    CHECK_EQ(write(fd, &f, sizeof(f)), sizeof(f));
}

/* The next frame has to be this one, of this size. Returns when it was sent, in ns of CLOCK_REALTIME. */
static inline long long peer_hears_at(int fd, const char *text, ssize_t size, int flags, const char *file,
                                      int line)
{
    struct canfd_frame want = { .can_id = TX_ID, .flags = flags };
    struct timespec stamp;
    struct message m;

    want.len = isotp_bytes(text, want.data);
    receive_at(fd, &m, file, line);
    tap_check_eq(m.size, size, "size of frame", file, line);
    if (memcmp(&m.fd, &want, size))
        FAIL("%s:%d heard %x len %d flags %x: %02x %02x %02x %02x ..., want len %d \"%s\"", tap_base(file),
             line, m.fd.can_id, m.fd.len, m.fd.flags, m.fd.data[0], m.fd.data[1], m.fd.data[2], m.fd.data[3],
             want.len, text);
    memcpy(&stamp, CMSG_DATA(control_of(&m, SOL_SOCKET, SO_TIMESTAMPNS)), sizeof(stamp));
    return stamp.tv_sec * 1000000000LL + stamp.tv_nsec;
}

#define PEER_HEARS(fd, text) peer_hears_at(fd, text, CAN_MTU, 0, __FILE__, __LINE__)
#define PEER_HEARS_FD(fd, text, flags)                                                                       \
    peer_hears_at(fd, text, CANFD_MTU, (flags) | CANFD_FDF, __FILE__, __LINE__)

/* Nothing is heard for some time. */
static inline void peer_quiet_at(int fd, int ms, const char *file, int line)
{
    struct canfd_frame f;

    if (polled(fd, POLLIN, ms) & POLLIN) {
        OK(recv(fd, &f, sizeof(f), MSG_DONTWAIT));
        FAIL("%s:%d heard %02x %02x %02x ..., want nothing", tap_base(file), line, f.data[0], f.data[1],
             f.data[2]);
    }
}

#define PEER_QUIET(fd, ms) peer_quiet_at(fd, ms, __FILE__, __LINE__)

/* ---- The socket ---- */

static inline void isotp_send_at(int fd, size_t size, const char *file, int line)
{
    tap_check_eq(write(fd, isotp_pdu(), size), size, "write", file, line);
}

/* Reads a PDU, of the bytes of isotp_pdu() or of these. */
static inline void isotp_gets_at(int fd, ssize_t size, const char *text, const char *file, int line)
{
    static uint8_t got[66000], want[66000];

    memcpy(want, isotp_pdu(), sizeof(want));
    if (text) size = isotp_bytes(text, want);
    polled(fd, POLLIN, WAIT_MS);
    tap_check_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), size, "recv", file, line);
    tap_check(!memcmp(got, want, size), "the PDU's bytes", file, line);
}

/* Waits until reading fails with this error. */
static inline void isotp_fails_at(int fd, int error, const char *file, int line)
{
    static uint8_t got[66000];

    polled(fd, POLLIN, WAIT_MS);
    tap_check_errno(recv(fd, got, sizeof(got), MSG_DONTWAIT), error, "recv", file, line);
}

static inline void isotp_quiet_at(int fd, int ms, const char *file, int line)
{
    uint8_t got[8];

    polled(fd, POLLIN, ms);
    tap_check_errno(recv(fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN, "recv", file, line);
}

#define ISOTP_SEND(fd, size) isotp_send_at(fd, size, __FILE__, __LINE__)
#define ISOTP_GETS(fd, size) isotp_gets_at(fd, size, NULL, __FILE__, __LINE__)
#define ISOTP_HAS(fd, text)  isotp_gets_at(fd, 0, text, __FILE__, __LINE__)
#define ISOTP_FAILS(fd, err) isotp_fails_at(fd, err, __FILE__, __LINE__)
#define ISOTP_QUIET(fd, ms)  isotp_quiet_at(fd, ms, __FILE__, __LINE__)

/* Something took this long: never shorter, and not much longer. */
static inline void isotp_took_at(long long ns, long long want_ns, const char *file, int line)
{
    if (ns < want_ns || ns > want_ns + LATE_MS * MS)
        FAIL("%s:%d took %lld us, want %lld us", tap_base(file), line, ns / 1000, want_ns / 1000);
}

#define TOOK(ns, want_ns) isotp_took_at(ns, want_ns, __FILE__, __LINE__)

static inline long long now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Waits until the socket is idle. */
static inline void isotp_await_idle(int fd) { CHECK(polled(fd, POLLOUT, WAIT_MS) & POLLOUT); }

#endif
