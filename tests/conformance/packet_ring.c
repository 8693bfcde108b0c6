/* Mapped receive rings of packet sockets on CAN links: TPACKET_V3, as libpcap uses them. */
#include "packet.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { BLOCK = 4096 * 4, BLOCKS = 4, FRAME = 2048, RETIRE_MS = 20 };

static struct tpacket_req3 request_of(int blocks)
{
    return (struct tpacket_req3){ .tp_block_size = BLOCK,
                                  .tp_block_nr = blocks,
                                  .tp_frame_size = FRAME,
                                  .tp_frame_nr = BLOCK / FRAME * blocks,
                                  .tp_retire_blk_tov = RETIRE_MS };
}

static int ring_set(int fd, const struct tpacket_req3 *request)
{
    return setsockopt(fd, SOL_PACKET, PACKET_RX_RING, request, sizeof(*request));
}

struct ring {
    int fd, next; /* block to read */
    unsigned char *base;
};

static struct ring ring_on(int index, int protocol)
{
    struct ring r = { .fd = packet_new(SOCK_RAW, 0) };
    struct tpacket_req3 request = request_of(BLOCKS);

    OK(packet_bind(r.fd, index, protocol));
    OK(packet_set(r.fd, PACKET_VERSION, TPACKET_V3));
    OK(ring_set(r.fd, &request));
    r.base = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
    CHECK(r.base != MAP_FAILED);
    return r;
}

static struct tpacket_hdr_v1 *block_of(const struct ring *r)
{
    return &((struct tpacket_block_desc *)(r->base + r->next * BLOCK))->hdr.bh1;
}

static struct tpacket_hdr_v1 *ring_await(const struct ring *r)
{
    struct tpacket_hdr_v1 *head = block_of(r);

    await_in(r->fd, __FILE__, __LINE__);
    CHECK(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER);
    return head;
}

static void ring_return(struct ring *r)
{
    __atomic_store_n(&block_of(r)->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    r->next = (r->next + 1) % BLOCKS;
}

/* Reads frames, in as many blocks as they come, and checks that they are first, first + 1 ... */
static void ring_read(struct ring *r, canid_t first, int count)
{
    while (count > 0) {
        struct tpacket_hdr_v1 *head = ring_await(r);
        unsigned char *at =
            (unsigned char *)head - offsetof(struct tpacket_block_desc, hdr) + head->offset_to_first_pkt;
        for (unsigned i = 0; i < head->num_pkts; i++, count--) {
            struct tpacket3_hdr *packet = (struct tpacket3_hdr *)at;
            CHECK_EQ(packet->tp_snaplen, 16);
            CHECK_EQ(((struct can_frame *)(at + packet->tp_mac))->can_id, first++);
            at += packet->tp_next_offset;
        }
        ring_return(r);
    }
    CHECK_EQ(count, 0);
}

TEST(ring_shows_frames_and_what_they_came_with)
{
    int index = VCAN_UP();
    struct ring r = ring_on(index, PROTOCOL_ALL);
    struct tpacket_hdr_v1 *head;
    struct tpacket3_hdr *packet;
    struct sockaddr_ll *from;
    struct can_frame *frame;

    put(raw_bound(index), 0x123);
    head = ring_await(&r);
    CHECK_EQ(head->num_pkts, 2);
    CHECK_EQ(head->seq_num, 1);
    packet = (struct tpacket3_hdr *)(r.base + head->offset_to_first_pkt);
    from = (struct sockaddr_ll *)((char *)packet + TPACKET_ALIGN(sizeof(*packet)));
    frame = (struct can_frame *)((char *)packet + packet->tp_mac);
    CHECK_EQ(packet->tp_len, 16);
    CHECK_EQ(packet->tp_snaplen, 16);
    CHECK_EQ(packet->tp_mac, packet->tp_net);
    CHECK_EQ(packet->tp_status & ~TP_STATUS_CSUM_VALID, TP_STATUS_USER);
    CHECK(packet->tp_sec <= (unsigned)time(NULL) && packet->tp_sec >= (unsigned)time(NULL) - 5);
    CHECK_EQ(from->sll_family, AF_PACKET);
    CHECK_EQ(from->sll_pkttype, PACKET_OUTGOING);
    CHECK_EQ(ntohs(from->sll_protocol), PROTOCOL_CAN);
    CHECK_EQ(from->sll_hatype, 280);
    CHECK_EQ(from->sll_ifindex, index);
    CHECK_EQ(frame->can_id, 0x123);
    packet = (struct tpacket3_hdr *)((char *)packet + packet->tp_next_offset);
    from = (struct sockaddr_ll *)((char *)packet + TPACKET_ALIGN(sizeof(*packet)));
    CHECK_EQ(from->sll_pkttype, PACKET_BROADCAST);
}

/* The process of the ring has never asked for CAN XL. */
static void send_xl_elsewhere(int index, int bytes)
{
    int sender, status;
    pid_t child = fork();

    if (child == 0) {
        unsigned char f[2060] = {
            0x23, 0x01, 0, 0, 0x80, 5, (unsigned char)bytes, (unsigned char)(bytes >> 8)
        };
        sender = raw_bound(index);
        raw_set(sender, 7 /* CAN_RAW_XL_FRAMES */, 1);
        f[bytes + 11] = 0x77;
        _exit(write(sender, f, bytes + 12) != bytes + 12);
    }
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 0);
}

TEST(ring_shows_long_frames_of_other_processes)
{
    int index = VCAN_UP_MTU(2060), waiting = -1;
    struct ring r = ring_on(index, PROTOCOL_CANXL);
    struct packet got;
    struct tpacket_hdr_v1 *head;
    struct tpacket3_hdr *packet;

    send_xl_elsewhere(index, 300);
    head = ring_await(&r);
    CHECK_EQ(head->num_pkts, 1);
    packet = (struct tpacket3_hdr *)(r.base + head->offset_to_first_pkt);
    CHECK_EQ(packet->tp_snaplen, 312);
    CHECK_EQ(((unsigned char *)packet)[packet->tp_mac + 311], 0x77);
    r.fd = packet_on(index, PROTOCOL_CANXL);
    send_xl_elsewhere(index, 400);
    OK(ioctl(r.fd, FIONREAD, &waiting));
    CHECK_EQ(waiting, 412);
    got = packet_get(r.fd);
    CHECK_EQ(got.size, 412);
}

TEST(ring_is_readable_until_its_blocks_are_returned)
{
    int index = VCAN_UP(), sender = raw_bound(index);
    struct ring r = ring_on(index, PROTOCOL_CAN);

    CHECK_EQ(polled(r.fd, POLLIN, 0), 0);
    put(sender, 0x100);
    ring_await(&r);
    CHECK_EQ(polled(r.fd, POLLIN, 0), POLLIN);
    CHECK_EQ(polled(r.fd, POLLIN, 0), POLLIN);
    ring_return(&r);
    CHECK_EQ(polled(r.fd, POLLIN, 0), 0);
    put(sender, 0x101);
    ring_read(&r, 0x101, 1);
    CHECK_EQ(polled(r.fd, POLLIN, RETIRE_MS * 2), 0);
}

TEST(ring_goes_round)
{
    int index = VCAN_UP(), sender = raw_bound(index);
    struct ring r = ring_on(index, PROTOCOL_CAN);

    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 50; i++)
            put(sender, i);
        ring_read(&r, 0, 50);
    }
}

TEST(ring_keeps_what_fits_and_counts_the_rest)
{
    int index = VCAN_UP(), sender = raw_bound(index), count = 0;
    struct ring r = ring_on(index, PROTOCOL_CAN);
    struct tpacket_stats_v3 stats;
    socklen_t size = sizeof(stats);

    for (int i = 0; i < 20000; i++)
        put(sender, i & 0x7ff);
    while (polled(r.fd, POLLIN, RETIRE_MS * 5)) {
        count += ring_await(&r)->num_pkts;
        ring_return(&r);
    }
    OK(getsockopt(r.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size));
    CHECK_EQ(size, sizeof(stats));
    CHECK_EQ(stats.tp_packets, 20000);
    CHECK_EQ(stats.tp_packets - stats.tp_drops, (unsigned)count);
    CHECK(count > 100);
}

TEST(ring_errors)
{
    int p = packet_on(VCAN_UP(), PROTOCOL_ALL);
    struct tpacket_req3 good = request_of(BLOCKS), bad, none = { 0 };

    CHECK_EQ(mmap(NULL, BLOCK * BLOCKS, PROT_READ, MAP_SHARED, p, 0) == MAP_FAILED ? errno : 0, EINVAL);
    OK(packet_set(p, PACKET_VERSION, TPACKET_V3));
    CHECK_ERRNO(setsockopt(p, SOL_PACKET, PACKET_RX_RING, &good, sizeof(good) - 1), EINVAL);
    CHECK_ERRNO(setsockopt(p, SOL_PACKET, PACKET_RX_RING, bad_pointer, sizeof(good)), EINVAL);
    bad = good, bad.tp_block_size -= 16;
    CHECK_ERRNO(ring_set(p, &bad), EINVAL);
    bad = good, bad.tp_frame_size = 64;
    CHECK_ERRNO(ring_set(p, &bad), EINVAL);
    bad = good, bad.tp_frame_size += 8;
    CHECK_ERRNO(ring_set(p, &bad), EINVAL);
    bad = good, bad.tp_frame_nr++;
    CHECK_ERRNO(ring_set(p, &bad), EINVAL);
    bad = none, bad.tp_frame_nr = 1;
    CHECK_ERRNO(ring_set(p, &bad), EINVAL);
    OK(ring_set(p, &good));
    CHECK_ERRNO(ring_set(p, &good), EBUSY);
    CHECK_ERRNO(packet_set(p, PACKET_VERSION, TPACKET_V2), EBUSY);
    CHECK_ERRNO(packet_set(p, PACKET_RESERVE, 16), EBUSY);
    CHECK_EQ(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, p, 0) == MAP_FAILED ? errno : 0, EINVAL);
    OK(ring_set(p, &none));
    CHECK_EQ(mmap(NULL, BLOCK * BLOCKS, PROT_READ, MAP_SHARED, p, 0) == MAP_FAILED ? errno : 0, EINVAL);
    OK(packet_set(p, PACKET_VERSION, TPACKET_V1));
}

TEST(ring_that_was_unmapped_harms_nobody)
{
    int index = VCAN_UP(), sender = raw_bound(index);
    struct ring r = ring_on(index, PROTOCOL_CAN);

    OK(munmap(r.base, BLOCK * BLOCKS));
    put(sender, 0x123);
    CHECK_EQ(polled(r.fd, POLLIN, WAIT_MS), POLLIN);
    r.base = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
    CHECK(r.base != MAP_FAILED);
    ring_read(&r, 0x123, 1);
}

TEST(ring_goes_on_where_a_forked_child_has_read)
{
    int index = VCAN_UP(), sender = raw_bound(index), status;
    struct ring r = ring_on(index, PROTOCOL_CAN);
    pid_t child;

    put(sender, 0x100);
    child = OK(fork());
    if (child == 0) {
        ring_read(&r, 0x100, 1);
        _exit(r.next);
    }
    OK(waitpid(child, &status, 0));
    CHECK_EQ(status, 1 << 8); /* one block */
    CHECK_EQ(polled(r.fd, POLLIN, 0), 0);
    r.next = 1;
    put(sender, 0x101);
    ring_read(&r, 0x101, 1);
    CHECK_EQ(r.next, 2);
}

TEST(ring_is_the_only_place_to_read)
{
    int index = VCAN_UP(), sender = raw_bound(index);
    struct ring r = ring_on(index, PROTOCOL_CAN);
    struct timeval limit = { .tv_usec = 50000 };
    struct timespec before, after;
    struct can_frame f;

    put(sender, 0x100);
    CHECK_ERRNO(recv(r.fd, &f, sizeof(f), MSG_DONTWAIT), EAGAIN);
    ring_await(&r);
    OK(fcntl(r.fd, F_SETFL, 0));
    OK(setsockopt(r.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    CHECK_ERRNO(recv(r.fd, &f, sizeof(f), 0), EAGAIN); /* nor is there anything while a block is held */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec < 30000000);
    ring_read(&r, 0x100, 1);
    LINK_DOWN(index);
    CHECK_ERRNO(recv(r.fd, &f, sizeof(f), 0), ENETDOWN);
}

static volatile sig_atomic_t alarms, index_down;

/* The third one takes the interface down. */
static void on_alarm(int number)
{
    (void)number;
    if (++alarms == 3) LINK_DOWN(index_down);
}

static void alarms_with(int flags)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
    struct itimerval every = { { 0, 30000 }, { 0, 30000 } };

    alarms = 0;
    OK(sigaction(SIGALRM, &action, NULL));
    OK(setitimer(ITIMER_REAL, &every, NULL));
}

TEST(ring_lets_signals_end_a_receive_as_their_handlers_say)
{
    int index = VCAN_UP();
    struct ring r = ring_on(index, PROTOCOL_CAN);
    struct timeval limit = { .tv_sec = 5 };
    struct can_frame f;

    OK(fcntl(r.fd, F_SETFL, 0));
    index_down = index;
    alarms_with(0);
    CHECK_ERRNO(recv(r.fd, &f, sizeof(f), 0), EINTR);
    alarms_with(SA_RESTART);
    CHECK_ERRNO(recv(r.fd, &f, sizeof(f), 0), ENETDOWN);
    CHECK_EQ(alarms, 3);
    OK(setsockopt(r.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
    alarms = 3;
    CHECK_ERRNO(recv(r.fd, &f, sizeof(f), 0), EINTR);
}

static struct ring shared;

static void *poll_it(void *unused)
{
    for (int i = 0; i < 600; i++)
        polled(shared.fd, POLLIN, 0);
    return unused;
}

/* Each ring that goes makes the kernel wait for all its processors, which takes it 30 ms where they are emulated. */
TEST(ring_ends_while_threads_wait_for_it)
{
    int index = VCAN_UP(), sender = raw_bound(index);
    struct tpacket_req3 request = request_of(BLOCKS), none = { 0 };
    pthread_t threads[2];

    shared.fd = packet_on(index, PROTOCOL_CAN);
    OK(packet_set(shared.fd, PACKET_VERSION, TPACKET_V3));
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, poll_it, NULL), 0);
    for (int i = 0; i < 60; i++) {
        OK(ring_set(shared.fd, &request));
        put(sender, 0x100);
        OK(ring_set(shared.fd, &none));
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    OK(ring_set(shared.fd, &request));
}

static atomic_int polling;

static void *poll_on(void *unused)
{
    while (polling)
        polled(shared.fd, POLLIN, 0);
    return unused;
}

/* The thread may be anywhere when its process forks; the child is alone. */
TEST(ring_serves_a_child_that_was_forked_while_a_thread_waited)
{
    int index = VCAN_UP(), sender = raw_bound(index), go[2], status;
    char byte = 0;

    for (int i = 0; i < 60; i++) {
        pthread_t thread;
        pid_t child;
        shared = ring_on(index, PROTOCOL_CAN);
        OK(pipe(go));
        polling = 1;
        CHECK_EQ(pthread_create(&thread, NULL, poll_on, NULL), 0);
        usleep((useconds_t)i * 10); /* another moment each time */
        child = OK(fork());
        if (child == 0) {
            OK(read(go[0], &byte, 1));
            ring_read(&shared, 0x123, 1);
            _exit(0);
        }
        polling = 0;
        pthread_join(thread, NULL);
        put(sender, 0x123);
        OK(write(go[1], &byte, 1));
        OK(waitpid(child, &status, 0));
        CHECK_EQ(status, 0);
        OK(munmap(shared.base, BLOCK * BLOCKS));
        close(shared.fd);
        close(go[0]);
        close(go[1]);
    }
}

TEST(ring_reserves_room_before_frames)
{
    int index = VCAN_UP(), p = packet_on(index, PROTOCOL_CAN);
    struct tpacket_req3 request = request_of(BLOCKS);
    struct ring r = { .fd = p };
    unsigned plain =
        TPACKET_ALIGN(TPACKET_ALIGN(sizeof(struct tpacket3_hdr)) + sizeof(struct sockaddr_ll) + 16);
    struct tpacket3_hdr *packet;

    OK(packet_set(p, PACKET_VERSION, TPACKET_V3));
    OK(packet_set(p, PACKET_RESERVE, 4));
    OK(ring_set(p, &request));
    r.base = mmap(NULL, BLOCK * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, p, 0);
    CHECK(r.base != MAP_FAILED);
    put(raw_bound(index), 0x123);
    packet = (struct tpacket3_hdr *)(r.base + ring_await(&r)->offset_to_first_pkt);
    CHECK_EQ(packet->tp_mac, plain + 4);
    CHECK_EQ(((struct can_frame *)((char *)packet + packet->tp_mac))->can_id, 0x123);
}

/* mmap() by the name that 32-bit programs call who know of no large files: offsets from 2 GB on are negative numbers. */
void *short_mmap(void *at, size_t size, int protection, int flags, int fd, long offset) __asm__("mmap");

TEST(other_files_are_mapped_where_they_were)
{
    const uint64_t at = 0xc0000000, far = 1ull << 50;
    int fd = memfd_create("far", MFD_CLOEXEC);
    const char *byte;

    OK(ftruncate(fd, (off_t)at + 4096));
    CHECK_EQ(pwrite(fd, "x", 1, (off_t)at), 1);
    byte = short_mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (long)at);
    CHECK(byte != MAP_FAILED);
    CHECK_EQ(*byte, 'x');
    byte = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)at);
    CHECK(byte != MAP_FAILED);
    CHECK_EQ(*byte, 'x');
    if (sizeof(long) < 8)
        CHECK_EQ(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, (off_t)far) == MAP_FAILED ? errno : 0, EINVAL);
    CHECK_EQ(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 1) == MAP_FAILED ? errno : 0, EINVAL);
    close(fd);
}
