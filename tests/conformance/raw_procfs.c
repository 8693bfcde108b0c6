/* /proc/net/can: receive lists and statistics. */
#include "link.h"

#include <dirent.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char text[65536];

static const char *read_file(const char *name)
{
    char path[64];
    int fd, n, total = 0;

    snprintf(path, sizeof(path), "/proc/net/can/%s", name);
    fd = OK(open(path, O_RDONLY));
    while ((n = OK(read(fd, text + total, sizeof(text) - 1 - total))) > 0)
        total += n;
    text[total] = 0;
    close(fd);
    return text;
}

struct row {
    unsigned id, mask;
    long matches;
    char ident[16];
};

/* The rows of a list that belong to a device; "any" is a name as well. */
static int rows_of(const char *list, const char *device, struct row *rows, int most)
{
    int n = 0;

    for (char *line = strtok((char *)read_file(list), "\n"); line; line = strtok(NULL, "\n")) {
        char name[32], function[32], data[32];
        struct row r;

        if (sscanf(line, "%31s %x %x %31s %31s %ld %15s", name, &r.id, &r.mask, function, data, &r.matches,
                   r.ident) != 7)
            continue;
        if (strcmp(name, device)) continue;
        CHECK(n < most);
        CHECK(!strcmp(r.ident, "raw"));
        rows[n++] = r;
    }
    return n;
}

static void check_one(const char *list, const char *device, unsigned id, unsigned mask, long matches)
{
    long long end = tap_now_ms() + WAIT_MS;
    struct row r[2];

    do
        CHECK_EQ(rows_of(list, device, r, 2), 1);
    while (r[0].matches < matches && tap_now_ms() < end);
    CHECK_EQ(r[0].id, id);
    CHECK_EQ(r[0].mask, mask);
    CHECK_EQ(r[0].matches, matches);
}

TEST(rcvlist_entries_are_normalised_and_in_their_lists)
{
    static const struct can_filter filters[] = {
        { 0x123, 0 },          { 0x123, 0x7ff },           { 0x20000123, 0x7ff },
        { 0x456, 0xc00007ff }, { 0x92345678, 0xdfffffff }, { 0xa0000123, 0x20000004 },
    };
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd;

    LINK_UP(index);
    fd = raw_bound(index);
    OK(setsockopt(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters, sizeof(filters)));
    check_one("rcvlist_all", name, 0, 0, 0);
    check_one("rcvlist_fil", name, 0x123, 0x7ff, 0);
    check_one("rcvlist_inv", name, 0x123, 0x7ff, 0);
    check_one("rcvlist_sff", name, 0x456, 0xc00007ff, 0);
    check_one("rcvlist_eff", name, 0x92345678, 0xdfffffff, 0);
    check_one("rcvlist_err", name, 0xa0000123, 4, 0);
}

TEST(rcvlist_matches_count_frames_the_socket_discards)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd;
    struct canfd_frame f = fd_frame_of(5, 8);

    LINK_UP(index);
    fd = raw_bound(index);
    filter1(fd, 5, CAN_SFF_MASK);
    put(fd, 5); /* its own */
    raw_set(fd, CAN_RAW_FD_FRAMES, 1);
    CHECK_EQ(write(fd, &f, sizeof(f)), 72);
    put(fd, 6);
    CHECK_QUIET(fd);
    check_one("rcvlist_fil", name, 5, CAN_SFF_MASK, 2);
}

TEST(rcvlist_newest_entry_is_first)
{
    struct row r[4];
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), one, two;

    LINK_UP(index);
    one = raw_bound(index);
    two = raw_bound(index);
    filter1(one, 1, CAN_SFF_MASK);
    filter1(two, 2, CAN_SFF_MASK);
    CHECK_EQ(rows_of("rcvlist_fil", name, r, 4), 2);
    CHECK_EQ(r[0].id, 2);
    CHECK_EQ(r[1].id, 1);
}

TEST(rcvlist_any_has_rows_of_its_own)
{
    struct row r[8];
    int fd = raw_any(), found = 0, n;

    filter1(fd, 0x345, 0x7f7);
    n = rows_of("rcvlist_fil", "any", r, 8);
    for (int i = 0; i < n; i++)
        found += r[i].id == (0x345 & 0x7f7) && r[i].mask == 0x7f7;
    CHECK_EQ(found, 1);
}

TEST(rcvlist_entries_go_with_the_socket)
{
    struct row r[2];
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd;

    LINK_UP(index);
    fd = raw_bound(index);
    CHECK_EQ(rows_of("rcvlist_all", name, r, 2), 1);
    close(fd);
    CHECK_EQ(rows_of("rcvlist_all", name, r, 2), 0);
}

TEST(rcvlist_text_of_a_device_without_entries)
{
    char name[IFNAMSIZ], want[64];

    VCAN_NAMED(name, 0);
    snprintf(want, sizeof(want), "\n  (%s: no entry)\n", name);
    CHECK(strstr(read_file("rcvlist_inv"), want) != NULL);
    CHECK(!strncmp(text, "\nreceive list 'rx_inv':\n", 24));
}

TEST(rcvlist_text_of_a_row)
{
    char name[IFNAMSIZ], want[128];
    int index = VCAN_NAMED(name, 0), fd;
    const char *row;

    LINK_UP(index);
    fd = raw_bound(index);
    filter2(fd, 0x123, 0xc00007ff, 0x456, 0xc00007ff);
    read_file("rcvlist_sff");
    CHECK(strstr(text,
                 "\n  device   can_id   can_mask      function          userdata       matches  ident\n") !=
          NULL);
    snprintf(want, sizeof(want), "\n   %-5s     123    c00007ff  ", name);
    row = strstr(text, want);
    CHECK(row != NULL);
    row += strlen(want);
    CHECK_EQ(row[16], ' ');
    CHECK(!strncmp(row + 34, "         0  raw\n", 16));
}

static long number_before(const char *words)
{
    const char *at = strstr(read_file("stats"), words);

    CHECK(at != NULL);
    while (at > text && at[-1] != '\n')
        at--;
    return strtol(at, NULL, 10);
}

static void await_number(const char *words, long wanted)
{
    long long end = tap_now_ms() + WAIT_MS;

    while (number_before(words) < wanted && tap_now_ms() < end)
        sched_yield();
    CHECK_EQ(number_before(words), wanted);
}

TEST(stats_count_frames)
{
    long sent = number_before(" transmitted frames (TXF)"),
         received = number_before(" received frames (RXF)"),
         matched = number_before(" matched frames (RXMF)");
    int index = VCAN_UP(), fd = raw_bound(index);

    put(fd, 1);
    put(fd, 2);
    await_number(" transmitted frames (TXF)", sent + 2);
    await_number(" received frames (RXF)", received + 2);
    await_number(" matched frames (RXMF)", matched + 2);
    filter0(fd);
    put(fd, 1);
    await_number(" received frames (RXF)", received + 3);
    await_number(" matched frames (RXMF)", matched + 2);
    raw_set(fd, CAN_RAW_LOOPBACK, 0);
    put(fd, 1);
    await_number(" transmitted frames (TXF)", sent + 4);
    await_number(" received frames (RXF)", received + 3);
}

TEST(stats_count_receive_list_entries)
{
    long before = number_before(" current receive list entries (CRCV)");
    int fd = raw_a();

    CHECK_EQ(number_before(" current receive list entries (CRCV)"), before + 1);
    filter2(fd, 1, 1, 2, 2);
    CHECK_EQ(number_before(" current receive list entries (CRCV)"), before + 2);
    CHECK(number_before(" maximum receive list entries (MRCV)") >= before + 2);
    close(fd);
    CHECK_EQ(number_before(" current receive list entries (CRCV)"), before);
}

TEST(stats_text_has_its_layout)
{
    long a = 0, b = 0, c = 0;
    int end = 0;

    CHECK_EQ(sscanf(read_file("stats"),
                    "\n %8ld transmitted frames (TXF)\n %8ld received frames (RXF)\n %8ld matched frames "
                    "(RXMF)\n\n%n",
                    &a, &b, &c, &end),
             3);
    CHECK(end > 0);
    CHECK(strstr(text, "\n\n      ") != NULL);
    CHECK(strstr(text, " % total match ratio (RXMR)\n") != NULL);
    CHECK(strstr(text, " frames/s max rx rate (MRXR)\n\n") != NULL);
    CHECK_EQ(text[0], '\n');
    CHECK_EQ(text[strlen(text) - 1], '\n');
    CHECK_EQ(text[strlen(text) - 2], '\n');
}

static void check_reset(void)
{
    long long end;

    CHECK(strstr(read_file("reset_stats"), "Scheduled statistic reset #") != NULL);
    end = tap_now_ms() + WAIT_MS;
    while (number_before(" transmitted frames (TXF)") > 0) {
        CHECK(tap_now_ms() < end);
        sched_yield();
    }
    CHECK(number_before(" statistic resets (STR)") > 0);
    CHECK(number_before(" user statistic resets (USTR)") > 0);
}

TEST(stats_are_reset_by_reading)
{
    put(raw_a(), 1);
    check_reset();
}

TEST(stats_are_reset_by_reading_as_any_user)
{
    put(raw_a(), 1);
    if (setuid(65534) && getuid() == 0) SKIP("may not change the user");
    if (access("/proc/net", X_OK)) SKIP("other users may not enter /proc here");
    check_reset();
}

TEST(proc_files_cannot_be_written)
{
    static const char *const names[] = { "stats", "reset_stats", "rcvlist_all" };

    for (int i = 0; i < 3; i++) {
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/net/can/%s", names[i]);
        fd = open(path, O_WRONLY);
        if (fd < 0 && errno == EACCES) SKIP("may not open them for writing");
        CHECK_ERRNO(write(OK(fd), "1", 1), EACCES);
    }
}

/* In a page of its own, with nothing behind it: the end of a string there is the end of what can be read. */
static char *at_the_end(const char *string)
{
    const size_t page = 4096, size = strlen(string) + 1;
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(pages != MAP_FAILED);
    OK(munmap(pages + page, page));
    return memcpy(pages + page - size, string, size);
}

TEST(proc_files_by_names_that_are_not_there)
{
    char *nowhere = at_the_end("") + 1, *cut = at_the_end("/proc/net/can/stats"), buffer[64];
    struct stat about;

    cut = memmove(cut + 1, cut, strlen(cut)); /* without its end */
    for (int i = 0; i < 3; i++) {
        const char *path = i == 0 ? nowhere : i == 1 ? cut : bad_pointer;
        CHECK_ERRNO(open(path, O_RDONLY), EFAULT);
        CHECK_ERRNO(openat(AT_FDCWD, path, O_CREAT | O_RDWR, 0600), EFAULT);
        CHECK_ERRNO(access(path, R_OK), EFAULT);
        CHECK_ERRNO(stat(path, &about), EFAULT);
        CHECK_ERRNO(lstat(path, &about), EFAULT);
        CHECK_ERRNO(readlink(path, buffer, sizeof(buffer)), EFAULT);
        CHECK_ERRNO(chdir(path), EFAULT);
        CHECK_EQ(fopen(path, "r") ? 0 : errno, EFAULT);
    }
    CHECK_EQ(opendir(cut) ? 0 : errno, EFAULT); /* libc itself looks at the first byte */
    OK(access(at_the_end("/proc/net/can/stats"), R_OK));
    OK(access(at_the_end("/"), R_OK));
}

TEST(proc_files_into_memory_that_is_not_there)
{
    char *nowhere = at_the_end("") + 1, path[64] = "/sys/class/net/", buffer[64];
    int index = VCAN_DOWN();

    CHECK_ERRNO(stat("/proc/net/can/stats", (struct stat *)nowhere), EFAULT);
    CHECK_ERRNO(lstat("/proc/net/can/stats", bad_pointer), EFAULT);
    CHECK(if_indextoname(index, path + strlen(path)));
    CHECK_ERRNO(readlink(path, nowhere, 64), EFAULT);
    CHECK_ERRNO(readlink(path, buffer, 0), EINVAL);
    CHECK(readlink(path, buffer, sizeof(buffer)) > 0);
}
