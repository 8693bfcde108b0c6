/* CAN_ISOTP: the padding of received frames, by option (rows) and frame (columns). */
#include "isotp.h"

#define LEN  CAN_ISOTP_CHK_PAD_LEN
#define DATA CAN_ISOTP_CHK_PAD_DATA
#define RX   CAN_ISOTP_RX_PADDING

/* For each row, whether a frame is good: without padding, with one byte, padded to 8, padded with another byte at the end, full. */
static const struct {
    uint32_t flags;
    uint8_t good[5];
} rows[] = {
    { 0, { 1, 1, 1, 1, 1 } },          { RX, { 1, 1, 1, 1, 1 } },
    { LEN, { 1, 0, 0, 0, 1 } },        { DATA, { 0, 0, 0, 0, 0 } },
    { LEN | DATA, { 1, 0, 0, 0, 1 } }, { RX | LEN, { 0, 0, 1, 1, 1 } },
    { RX | DATA, { 1, 1, 1, 0, 1 } },  { RX | LEN | DATA, { 0, 0, 1, 0, 1 } },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int socket_of_row(size_t row) { return isotp_a(rows[row].flags); }

static void check_single(size_t row, int column, const char *frame, int size)
{
    int fd = socket_of_row(row), peer = peer_a();

    peer_say(peer, frame);
    if (rows[row].good[column])
        ISOTP_GETS(fd, size);
    else
        ISOTP_FAILS(fd, EBADMSG);
    ISOTP_QUIET(fd, 0);
    close(peer);
    close(fd);
}

TEST(isotp_padding_of_single_frames)
{
    for (size_t row = 0; row < ROWS; row++) {
        check_single(row, 0, "02 01 02", 2);
        check_single(row, 1, "02 01 02 cc", 2);
        check_single(row, 2, "02 01 02 cc*5", 2);
        check_single(row, 3, "02 01 02 cc*4 dd", 2);
        check_single(row, 4, "07 01..07", 7);
    }
}

static void check_last(size_t row, int column, const char *frame)
{
    int fd = socket_of_row(row), peer = peer_a();

    peer_say(peer, "10 08 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, frame);
    if (rows[row].good[column])
        ISOTP_GETS(fd, 8);
    else
        ISOTP_FAILS(fd, EBADMSG);
    ISOTP_QUIET(fd, 0);
    close(peer);
    close(fd);
}

TEST(isotp_padding_of_last_frames)
{
    for (size_t row = 0; row < ROWS; row++) {
        check_last(row, 0, "21 07 08");
        check_last(row, 1, "21 07 08 cc");
        check_last(row, 2, "21 07 08 cc*5");
        check_last(row, 3, "21 07 08 cc*4 dd");
    }
}

static void check_flow(size_t row, int column, const char *frame)
{
    int fd = socket_of_row(row), peer = peer_a();

    ISOTP_SEND(fd, 8);
    PEER_HEARS(peer, "10 08 01..06");
    peer_say(peer, frame);
    if (rows[row].good[column])
        PEER_HEARS(peer, "21 07 08");
    else
        ISOTP_FAILS(fd, EBADMSG);
    close(peer);
    close(fd);
}

TEST(isotp_padding_of_flow_control)
{
    for (size_t row = 0; row < ROWS; row++) {
        check_flow(row, 0, "30 00 00");
        check_flow(row, 1, "30 00 00 cc");
        check_flow(row, 2, "30 00 00 cc*5");
        check_flow(row, 3, "30 00 00 cc*4 dd");
    }
}

TEST(isotp_padding_between_is_not_looked_at)
{
    int fd = isotp_a(LEN), peer = peer_a();

    peer_say(peer, "10 14 01..06");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07..0d");
    peer_say(peer, "22 0e..14");
    ISOTP_GETS(fd, 20);
}

TEST(isotp_padding_content_is_the_options)
{
    int fd = isotp_new(), peer = peer_a();

    isotp_opts(fd, (struct can_isotp_options){ .flags = RX | DATA, .rxpad_content = 0x5a });
    isotp_ready(fd);
    peer_say(peer, "01 01 5a");
    ISOTP_GETS(fd, 1);
    peer_say(peer, "01 01 cc");
    ISOTP_FAILS(fd, EBADMSG);
}

static int fd_socket(uint32_t flags)
{
    int fd = isotp_new();

    isotp_flags(fd, flags);
    isotp_ll(fd, CANFD_MTU, 64, 0);
    isotp_ready(fd);
    return fd;
}

TEST(isotp_padding_length_fd_is_the_next_valid_one)
{
    int fd = fd_socket(LEN), peer = peer_a();

    peer_say_fd(peer, "00 0f 01..0f cc*3");
    ISOTP_GETS(fd, 15);
    peer_say_fd(peer, "00 0f 01..0f cc*7");
    ISOTP_FAILS(fd, EBADMSG);
    peer_say_fd(peer, "02 01 02");
    ISOTP_GETS(fd, 2);
    peer_say_fd(peer, "00 02 01 02 cc*8");
    ISOTP_FAILS(fd, EBADMSG);
}

TEST(isotp_padding_fd_with_rx_padding)
{
    int fd = fd_socket(RX | LEN | DATA), peer = peer_a();

    peer_say_fd(peer, "00 0f 01..0f cc*3");
    ISOTP_GETS(fd, 15);
    peer_say_fd(peer, "00 0f 01..0f cc*2");
    ISOTP_FAILS(fd, EBADMSG);
    peer_say_fd(peer, "00 0f 01..0f cc*2 dd");
    ISOTP_FAILS(fd, EBADMSG);
    peer_say_fd(peer, "00 0f 01..0f cc*7");
    ISOTP_GETS(fd, 15);
    peer_say_fd(peer, "02 01 02");
    ISOTP_FAILS(fd, EBADMSG);
}
