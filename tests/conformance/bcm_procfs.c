/* CAN_BCM: /proc/net/can-bcm/INODE. */
#include "bcm.h"

#include <sys/stat.h>

static char text[65536];

/* The file of a socket; NULL when there is none. */
static const char *shown(int fd)
{
    char path[64];
    struct stat st;
    int file, n, total = 0;

    OK(fstat(fd, &st));
    snprintf(path, sizeof(path), "/proc/net/can-bcm/%lu", (unsigned long)st.st_ino);
    file = open(path, O_RDONLY);
    if (file < 0) return NULL;
    while ((n = OK(read(file, text + total, sizeof(text) - 1 - total))) > 0)
        total += n;
    text[total] = 0;
    close(file);
    return text;
}

#define SHOWN(fd, words)                                                                                     \
    do {                                                                                                     \
        const char *all = shown(fd);                                                                         \
                                                                                                             \
        CHECK(all != NULL);                                                                                  \
        CHECK(strstr(all, words) != NULL);                                                                   \
    } while (0)

/* What follows the first line. */
static const char *jobs(int fd)
{
    const char *all = shown(fd), *end;

    CHECK(all != NULL);
    end = strchr(all, '\n');
    CHECK(end != NULL);
    return end + 1;
}

static void check_jobs(int fd, const char *want, const char *file, int line)
{
    const char *got = jobs(fd);

    if (strcmp(got, want)) FAIL("%s:%d got \"%s\", want \"%s\"", tap_base(file), line, got, want);
}

#define CHECK_JOBS(fd, want) check_jobs(fd, want, __FILE__, __LINE__)

TEST(file_is_there_while_connected)
{
    int index = VCAN_UP(), fd = bcm_new();

    CHECK(shown(fd) == NULL);
    OK(bcm_connect(fd, index));
    CHECK(shown(fd) != NULL);
    LINK_DELETE(index);
    CHECK(shown(fd) == NULL);
}

TEST(first_line_names_the_interface)
{
    char want[64];

    SHOWN(bcm_on(0), " / dropped 0 / bound any <<<\n\n");
    CHECK(!strncmp(text, ">>> socket ", 11));
    CHECK(strstr(text, " / sk ") && strstr(text, " / bo "));
    snprintf(want, sizeof(want), " / dropped 0 / bound %s <<<\n\n", if_a());
    SHOWN(bcm_a(), want);
}

TEST(dropped_messages_are_counted)
{
    int fd = bcm_a(), raw = raw_a(), last = observer_a(0x901);

    sol_set(fd, SO_RCVBUF, 0);
    SETUP(fd, RX_SETUP, 0, 0x901);
    for (int i = 0; i < 50; i++)
        send_frame(raw, 0x901, "01");
    for (int i = 0; i < 50; i++)
        GET(last);
    EXPECT(fd, RX_CHANGED, 0x901);
    SHOWN(fd, " / dropped 47 / ");
}

TEST(jobs_that_receive)
{
    char want[512];
    int fd = bcm_a(), raw = raw_a();

    SETUP(fd, RX_SETUP, RX_CHECK_DLC, 0x12, "FF FF");
    SETUP(fd, RX_SETUP, 0, 0x13);
    SETUP(fd, RX_SETUP, SETTIMER, 0x80012345, "FF", .ival1_ms = 2000000, .ival2 = { 0, 20 });
    CHECK_JOBS(fd, "\n"); /* they have seen nothing */
    send_frame(raw, 0x13, "01");
    send_frame(raw, 0x13, "02");
    for (int i = 0; i < 1000; i++)
        send_frame(raw, 0x80012345, "00");
    send_frame(raw, 0x12, "01");
    EXPECT(fd, RX_CHANGED, 0x13);
    EXPECT(fd, RX_CHANGED, 0x13);
    EXPECT(fd, RX_CHANGED, 0x80012345);
    SETUP(fd, TX_SEND, 0, 0x13, "03");
    EXPECT(fd, RX_CHANGED, 0x13);
    snprintf(want, sizeof(want),
             "rx_op: 80012345 %-5s [1]  timeo=2000000000 thr=20 # recv 1 (1000) => reduction: near 100%%\n"
             "rx_op: 013 %-5s [0]  # recv 3 (3) => reduction: 0%%\n"
             "rx_op: 012 %-5s [2]d # recv 0 (1) => reduction: near 100%%\n\n",
             if_a(), if_a(), if_a());
    CHECK_JOBS(fd, want);
}

TEST(jobs_that_answer_remote_frames)
{
    char want[512];
    int fd = bcm_a(), raw = raw_a(), o = observer_a(0x14);

    SETUP(fd, RX_SETUP, RX_RTR_FRAME, 0x40000014, "01");
    send_frame(raw, 0x40000014, "");
    CHECK_FRAME(o, 0x14, "01");
    snprintf(want, sizeof(want), "rx_op: 40000014 %-5s [1]  # recv 0 (2) => reduction: near 100%%\n\n",
             if_a());
    CHECK_JOBS(fd, want);
}

TEST(jobs_that_send)
{
    struct sockaddr_can a = can_addr(index_of(if_a())), down = can_addr(VCAN_DOWN());
    char want[512], name[IFNAMSIZ];
    int fd = bcm_on(0);

    SETUP(fd, TX_SETUP, SETTIMER | TX_ANNOUNCE, 0x7, "01", .ival1 = { 0, 10 }, .ival2 = { 34560000, 0 },
          .to = &a);
    SETUP(fd, TX_SETUP, CAN_FD_FRAME, 0x80000008, "01 02 03", .to = &a);
    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x9, "01", .to = &down);
    snprintf(want, sizeof(want),
             "tx_op: 009 %s [1] # sent 0\n"
             "tx_op: 80000008 %s (3) # sent 0\n"
             "tx_op: 007 %s [1] t1=10 t2=34560000000000 # sent 1\n\n",
             if_indextoname(down.can_ifindex, name), if_a(), if_a());
    CHECK_JOBS(fd, want);
}

TEST(jobs_of_interfaces_that_are_gone)
{
    struct sockaddr_can gone = can_addr(VCAN_UP());
    int fd = bcm_on(0), raw = raw_bound(gone.can_ifindex);

    SETUP(fd, TX_SETUP, TX_ANNOUNCE, 0x7, "01", .to = &gone);
    SETUP(fd, RX_SETUP, 0, 0x8, .to = &gone);
    SETUP(fd, RX_SETUP, 0, 0x9);
    send_frame(raw, 8, "01");
    send_frame(raw, 9, "01");
    EXPECT(fd, RX_CHANGED, 8);
    EXPECT(fd, RX_CHANGED, 9);
    LINK_DELETE(gone.can_ifindex);
    CHECK_JOBS(fd, "rx_op: 009 any   [0]  # recv 1 (1) => reduction: 0%\n"
                   "rx_op: 008 ???   [0]  # recv 1 (1) => reduction: 0%\n"
                   "tx_op: 007 ??? [1] # sent 1\n\n");
}

TEST(receive_lists_name_the_jobs)
{
    char name[IFNAMSIZ], line[200];
    int index = VCAN_NAMED(name, 0), fd, found = 0;
    FILE *file;

    LINK_UP(index);
    fd = bcm_on(index);
    SETUP(fd, RX_SETUP, 0, 0x345);
    file = fopen("/proc/net/can/rcvlist_sff", "r");
    CHECK(file != NULL);
    while (fgets(line, sizeof(line), file)) {
        char device[32], function[32], data[32], ident[16];
        unsigned id, mask;
        long matches;

        if (sscanf(line, "%31s %x %x %31s %31s %ld %15s", device, &id, &mask, function, data, &matches,
                   ident) != 7)
            continue;
        if (strcmp(device, name)) continue;
        CHECK_EQ(id, 0x345);
        CHECK_EQ(mask, 0xc00007ff);
        CHECK(!strcmp(ident, "bcm"));
        found++;
    }
    CHECK_EQ(found, 1);
}
