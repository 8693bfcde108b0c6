/* tests/interop/pdu.c - sends or receives one ISO-TP message of any size, whose bytes follow from their place.
 *
 * usage: pdu send INTERFACE TX-ID RX-ID SIZE      waits until it has been sent
 *        pdu receive INTERFACE TX-ID RX-ID SIZE BLOCK-SIZE
 * Identifiers in hex. Says "ready" when it is bound, and "ok" when all was right. An ordinary SocketCAN program. */
#include <errno.h>
#include <linux/can.h>
#include <linux/can/isotp.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATE_S 120u

static uint8_t wanted[100000], pdu[sizeof(wanted)];

static int fail(const char *what)
{
    printf("%s: %s\n", what, strerror(errno));
    return 1;
}

static int open_socket(char *argv[], uint8_t block_size)
{
    struct sockaddr_can address = { .can_family = AF_CAN, .can_ifindex = (int)if_nametoindex(argv[2]) };
    struct can_isotp_options options = { .flags = CAN_ISOTP_WAIT_TX_DONE };
    struct can_isotp_fc_options flow = { .bs = block_size };
    int fd = socket(PF_CAN, SOCK_DGRAM, CAN_ISOTP);

    address.can_addr.tp.tx_id = (uint32_t)strtoul(argv[3], NULL, 16);
    address.can_addr.tp.rx_id = (uint32_t)strtoul(argv[4], NULL, 16);
    if (setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_OPTS, &options, sizeof(options)) != 0 ||
        setsockopt(fd, SOL_CAN_ISOTP, CAN_ISOTP_RECV_FC, &flow, sizeof(flow)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return -1;
    return fd;
}

int main(int argc, char *argv[])
{
    size_t size = argc > 5 ? strtoul(argv[5], NULL, 10) : sizeof(wanted);
    int fd;

    if (size >= sizeof(wanted)) return 2;
    setbuf(stdout, NULL);
    alarm(LATE_S);
    for (size_t i = 0; i < size; i++)
        wanted[i] = (uint8_t)(i + (i >> 8));
    fd = open_socket(argv, argc > 6 ? (uint8_t)atoi(argv[6]) : 0);
    if (fd < 0) return fail("open");
    puts("ready");
    if (!strcmp(argv[1], "send")) {
        if (write(fd, wanted, size) != (ssize_t)size) return fail("write");
    } else {
        ssize_t got = read(fd, pdu, sizeof(pdu));
        if (got != (ssize_t)size) return fail("read");
        if (memcmp(pdu, wanted, size) != 0) return fail("other bytes");
    }
    puts("ok");
    return 0;
}
