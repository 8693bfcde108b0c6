/*
 * ISO-TP between two local sockets: PDUs of 4095 bytes a second, with the default frame_txtime (50 us between frames) and with none, and
 * two processes that answer each other with single frames.
 */
#include "bench.h"
#include <linux/can/isotp.h>
#include <net/if.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TRIPS    20u /* a slice */
#define PDU_SIZE 4095u
#define A        0x6a0u
#define B        0x6b0u

static int isotp_open(canid_t tx, canid_t rx, uint32_t txtime)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(settings.link) };
    struct can_isotp_options options = { .frame_txtime = txtime };
    int fd = socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP);

    address.can_addr.tp.tx_id = tx;
    address.can_addr.tp.rx_id = rx;
    if (fd < 0) die("socket(CAN_ISOTP)");
    if (txtime && setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &options, sizeof(options))) die("setsockopt");
    if (bind(fd, (struct sockaddr *)&address, sizeof(address))) die("bind");
    return fd;
}

/* ---- PDUs ---- */

struct stream {
    int tx[2], rx[2]; /* default, no gap */
};

static double pdu_us(int tx, int rx)
{
    static uint8_t pdu[PDU_SIZE], got[PDU_SIZE + 1];
    uint64_t start = now_ns();

    pdu[0]++;
    if (write(tx, pdu, sizeof(pdu)) != sizeof(pdu)) die("write");
    if (read(rx, got, sizeof(got)) != sizeof(pdu) || memcmp(pdu, got, sizeof(pdu)) != 0)
        die_because("a wrong PDU");
    return (double)(now_ns() - start) / 1e3;
}

static void pdu_slice(struct series *series, void *context)
{
    const struct stream *s = context;

    for (unsigned i = 0; i < 2; i++)
        series_add(&series[i], pdu_us(s->tx[i], s->rx[i]));
}

static void bench_pdus(void)
{
    struct series *series = series_new(2);
    struct stream s;

    for (unsigned i = 0; i < 2; i++) {
        uint32_t txtime = i ? CAN_ISOTP_FRAME_TXTIME_ZERO : 0;
        s.tx[i] = isotp_open(A + i, B + i, txtime);
        s.rx[i] = isotp_open(B + i, A + i, txtime);
    }
    series_name(&series[0], "us", "isotp.pdu4095.paced");
    series_name(&series[1], "us", "isotp.pdu4095.unpaced");
    measure(series, 2, pdu_slice, &s);
    for (unsigned i = 0; i < 2; i++) {
        close(s.tx[i]);
        close(s.rx[i]);
    }
}

/* ---- single frames ---- */

static void answer(void *context)
{
    _Atomic bool *ready = context;
    int fd = isotp_open(B, A, 0);
    uint8_t pdu[8];
    ssize_t size;

    placement_peer();
    atomic_store(ready, true);
    for (;;) {
        size = read(fd, pdu, sizeof(pdu));
        if (size < 0) die("read");
        if (write(fd, pdu, (size_t)size) != size) die("write");
    }
}

static void trip_slice(struct series *series, void *context)
{
    int fd = *(int *)context;
    uint8_t pdu[8] = { 0x3e, 0x00 };

    for (unsigned where = 0; where < placement_count(); where++) {
        placement_enter(where);
        uint64_t start = now_ns();
        for (unsigned i = 0; i < TRIPS; i++) {
            if (write(fd, pdu, 2) != 2) die("write");
            if (read(fd, pdu, sizeof(pdu)) != 2) die("read");
        }
        series_add(&series[where], (double)(now_ns() - start) / TRIPS / 1e3);
    }
}

void bench_isotp(void)
{
    _Atomic bool *ready = peer_memory(sizeof(*ready));
    struct series *series = series_new(PLACEMENTS);
    pid_t peer;
    int fd;

    bench_pdus();
    fd = isotp_open(A, B, 0);
    peer = peer_start(answer, (void *)ready);
    while (!atomic_load(ready))
        sched_yield();
    for (unsigned where = 0; where < placement_count(); where++)
        series_name(&series[where], "us", "isotp.single.%s", placement_name[where]);
    measure(series, placement_count(), trip_slice, &fd);
    placement_leave();
    peer_end(peer);
}
