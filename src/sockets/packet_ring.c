/* sockets/packet_ring.c - see packet_ring.h.
 *
 * A ring is shared memory that is mapped twice: here, and where the program's mmap() has it, which it may take away without a word. Its blocks are filled and
 * read in order; block_status says whose each is. Threads hold `busy` while they are in a ring; nobody who fills it waits for that.
 *
 * fork() leaves a ring to both: what has been filled is therefore kept in a page behind the blocks, which the program does not see. Who fills claims it with the
 * time, anew for each block; a claim of LOST_NS ago was its holder's last. If he was only stopped, he looks whether it is still his before he writes anything more;
 * until then frames wait in the socket's own ring.
 *
 * bus_slot.setting[PACKET_HELD] says that a block was given to the program and not returned, which makes the socket readable as a frame in its own ring does. */
#include "sockets/packet_ring.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "can/frame.h"
#include "sockets/process.h"
#include "sockets/usermem.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/mman.h>

/* prefix: packet_ring packet_rings */

#define RINGS         16         /* of one process */
#define BYTES_MAX     (1u << 30) /* of one ring */
#define PAGE          4096u
#define SECOND_NS     1000000000u
#define HARDWARE_TYPE 280 /* ARPHRD_CAN */
#define LOST_NS       1000000000u
#define TRIES         1000 /* to get at a ring that others are in */

#define ALIGN_TO(size, unit) (((size) + (unit)-1) / (unit) * (unit))
#define BLOCK_HEAD           ALIGN_TO((uint32_t)sizeof(struct tpacket_block_desc), 8u)
/* Where the address of a frame lies behind its head, and the frame behind that: Linux leaves 16 bytes for a link layer. */
#define NAME_AT    ALIGN_TO((uint32_t)sizeof(struct tpacket3_hdr), TPACKET_ALIGNMENT)
#define BYTES_AT   ALIGN_TO(NAME_AT + (uint32_t)sizeof(struct sockaddr_ll) + 16u, TPACKET_ALIGNMENT)
#define FRAME_MOST ALIGN_TO(BYTES_AT + FRAME_XL_MAX, 8u) /* and PACKET_RESERVE */

/* Of all processes that have the ring. */
struct progress {
    atomic_u64 claim_ns;   /* CLOCK_MONOTONIC of whoever fills; 0: nobody */
    atomic_u32 gone;       /* 1: the program wants it no more */
    atomic_u32 next, last; /* block to fill; block filled last, `blocks` for none */
    _Atomic uint64_t sequence;
};

struct mapped {
    atomic_u32 owner; /* slot + 1; 0: free */
    atomic_u32 busy;
    uint32_t gen; /* of the slot */
    uint32_t block_size, blocks, first, reserve;
    uint8_t *base;
    struct progress *progress;
};
static struct mapped rings[RINGS];
atomic_u32 packet_rings;

static size_t bytes_of(const struct mapped *ring) { return (size_t)ring->block_size * ring->blocks; }

/* Its socket was closed, or another process has ended it. By who is in the ring. */
static bool is_over(const struct bus *bus, const struct mapped *ring)
{
    uint32_t owner = load_relaxed(&ring->owner);
    return ring->gen != load_relaxed(&bus->data->slot[owner - 1].gen) || load_relaxed(&ring->progress->gone);
}

static struct mapped *find(const struct bus *bus, uint32_t slot)
{
    for (unsigned i = 0; i < RINGS; i++)
        if (load_acquire(&rings[i].owner) == slot + 1 &&
            rings[i].gen == load_relaxed(&bus->data->slot[slot].gen))
            return &rings[i];
    return NULL;
}

static bool take(struct mapped *ring) { return cas32(&ring->busy, 0, 1); }
static void give(struct mapped *ring) { store_release(&ring->busy, 0); }

void packet_ring_forked(void)
{
    for (unsigned i = 0; i < RINGS; i++)
        give(&rings[i]);
}

/* ---- setsockopt ---- */

/* By who is in the ring. It has no owner before it has no memory: another thread may fork in between. */
static void drop(struct mapped *ring)
{
    store_release(&ring->owner, 0);
    sys_call(SYS_munmap, ring->base, bytes_of(ring) + PAGE);
    ring->base = NULL;
    atomic_fetch_sub(&packet_rings, 1);
}

static void drop_old(const struct bus *bus)
{
    for (unsigned i = 0; i < RINGS; i++) {
        if (!load_acquire(&rings[i].owner) || !take(&rings[i])) continue;
        if (load_relaxed(&rings[i].owner) && is_over(bus, &rings[i])) drop(&rings[i]);
        give(&rings[i]);
    }
}

/* The program wants its ring no more. */
static int end(const struct bus *bus, uint32_t slot)
{
    struct mapped *ring = find(bus, slot);

    for (unsigned i = 0; ring && !take(ring); i++) {
        if (i == TRIES) return -EBUSY;
        sys_call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    if (ring && load_relaxed(&ring->owner) == slot + 1) {
        store_relaxed(&ring->progress->gone, 1);
        drop(ring);
    }
    if (ring) give(ring);
    store_seq(&bus->data->slot[slot].setting[PACKET_MAPPED], 0);
    store_seq(&bus->data->slot[slot].setting[PACKET_HELD], 0);
    return 0;
}

static int check(const struct tpacket_req3 *request, uint32_t reserve)
{
    uint64_t first = BLOCK_HEAD + ALIGN_TO((uint64_t)request->tp_sizeof_priv, 8u);

    if (!request->tp_block_size || request->tp_block_size % PAGE || request->tp_block_size > INT32_MAX)
        return -EINVAL;
    if (request->tp_frame_size < BYTES_AT + (uint64_t)reserve || request->tp_frame_size % TPACKET_ALIGNMENT)
        return -EINVAL;
    if (request->tp_block_size / request->tp_frame_size == 0) return -EINVAL;
    if ((uint64_t)request->tp_block_size / request->tp_frame_size * request->tp_block_nr !=
        request->tp_frame_nr)
        return -EINVAL;
    if (request->tp_block_size < first + FRAME_MOST + reserve) return -EINVAL;
    return (uint64_t)request->tp_block_size * request->tp_block_nr > BYTES_MAX ? -ENOMEM : 0;
}

static int make(const struct bus *bus, uint32_t slot, const struct tpacket_req3 *request, uint32_t reserve)
{
    size_t bytes = (size_t)request->tp_block_size * request->tp_block_nr;
    struct mapped *ring = NULL;
    uint8_t *base;

    for (unsigned i = 0; i < RINGS && !ring; i++)
        if (!load_acquire(&rings[i].owner) && take(&rings[i])) ring = &rings[i];
    if (!ring) return -ENOMEM;
    base = sys_mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (load_relaxed(&ring->owner) || sys_is_error(base)) {
        if (!sys_is_error(base)) sys_call(SYS_munmap, base, bytes + PAGE);
        give(ring);
        return -ENOMEM;
    }
    ring->base = base;
    ring->gen = load_relaxed(&bus->data->slot[slot].gen);
    ring->block_size = request->tp_block_size;
    ring->blocks = request->tp_block_nr;
    ring->first = BLOCK_HEAD + ALIGN_TO(request->tp_sizeof_priv, 8u);
    ring->reserve = reserve;
    ring->progress = (struct progress *)(base + bytes);
    store_relaxed(&ring->progress->last, ring->blocks);
    atomic_fetch_add(&packet_rings, 1);
    store_release(&ring->owner, slot + 1);
    give(ring);
    return 0;
}

int packet_ring_set(const struct bus *bus, uint32_t slot, const void *user, socklen_t size)
{
    struct bus_slot *at = &bus->data->slot[slot];
    uint32_t reserve = load_relaxed(&at->setting[PACKET_RESERVED]);
    struct tpacket_req3 request;
    int error;

    if (load_relaxed(&at->setting[PACKET_VERSION_]) != TPACKET_V3)
        return size < sizeof(struct tpacket_req) ? -EINVAL : -EOPNOTSUPP;
    if (size < sizeof(request)) return -EINVAL;
    if (usermem_read(&request, user, sizeof(request))) return -EINVAL; /* so says Linux */
    if (!request.tp_block_nr) return request.tp_frame_nr ? -EINVAL : end(bus, slot);
    drop_old(bus);
    if (packet_ring_exists(bus, slot)) return -EBUSY;
    if (reserve > PAGE) return -EINVAL;
    error = check(&request, reserve);
    if (!error) error = make(bus, slot, &request, reserve);
    if (error) return error;
    process_need_ext();          /* for CAN XL: the socket may have been inherited, or passed to us */
    store_seq(&at->stamp_on, 1); /* each frame in it has a time */
    store_seq(&at->setting[PACKET_MAPPED], 1);
    slot_update_rx_flags(bus, slot);
    return 0;
}

bool packet_ring_exists(const struct bus *bus, uint32_t slot)
{
    return load_relaxed(&packet_rings) && find(bus, slot);
}

void *packet_ring_map(const struct bus *bus, uint32_t slot, size_t size, int flags, int64_t offset)
{
    struct mapped *ring = find(bus, slot);

    if (!ring || offset || size != bytes_of(ring) || !(flags & MAP_SHARED) || (flags & MAP_FIXED))
        return (void *)-EINVAL;
    return (void *)sys_call(SYS_mremap, ring->base, 0, size, MREMAP_MAYMOVE,
                            0); /* once more the same memory */
}

/* ---- filling ---- */

static struct tpacket_hdr_v1 *head_of(const struct mapped *ring, uint32_t block)
{
    return &((struct tpacket_block_desc *)(ring->base + (size_t)block * ring->block_size))->hdr.bh1;
}

static uint32_t status_of(const struct mapped *ring, uint32_t block)
{
    return __atomic_load_n(&head_of(ring, block)->block_status, __ATOMIC_ACQUIRE);
}

/* Puts a frame at `at`; returns how many bytes it takes. */
static uint32_t put(const struct mapped *ring, uint8_t *at, const struct ring_item *item)
{
    struct tpacket3_hdr *head = (struct tpacket3_hdr *)at;
    bool outgoing = item->record_flags & RECORD_OUTGOING;
    struct sockaddr_ll from = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons((uint16_t)item->mark),
        .sll_ifindex = (int)item->ifindex,
        .sll_hatype = HARDWARE_TYPE,
        .sll_pkttype = outgoing ? PACKET_OUTGOING : PACKET_BROADCAST,
    };
    uint64_t time_ns = item->time_ns ? item->time_ns : clock_real_ns();
    uint32_t bytes_at = BYTES_AT + ring->reserve;

    *head = (struct tpacket3_hdr){
        .tp_sec = (uint32_t)(time_ns / SECOND_NS),
        .tp_nsec = (uint32_t)(time_ns % SECOND_NS),
        .tp_snaplen = item->size,
        .tp_len = item->mark >> 16,
        .tp_status = TP_STATUS_USER | (outgoing ? 0 : TP_STATUS_CSUM_VALID),
        .tp_mac = (uint16_t)bytes_at,
        .tp_net = (uint16_t)bytes_at,
    };
    memcpy(at + NAME_AT, &from, sizeof(from));
    memcpy(at + bytes_at, item->frame, item->size);
    return ALIGN_TO(bytes_at + item->size, 8u);
}

static bool has_claim(const struct mapped *ring, uint64_t claim_ns)
{
    return load_acquire(&ring->progress->claim_ns) == claim_ns;
}

/* From the socket's ring into one block, which is ours. Returns how many frames. */
static uint32_t fill(const struct bus *bus, uint32_t slot, struct mapped *ring, uint32_t number,
                     uint64_t claim_ns)
{
    struct tpacket_hdr_v1 *head = head_of(ring, number);
    uint8_t *block = ring->base + (size_t)number * ring->block_size;
    struct tpacket3_hdr *before = NULL;
    uint32_t at = ring->first, count = 0;
    struct ring_item item;
    uint64_t sequence;

    while (ring->block_size - at >= FRAME_MOST + ring->reserve && ring_pop(bus, slot, &item) &&
           has_claim(ring, claim_ns)) {
        struct tpacket3_hdr *frame = (struct tpacket3_hdr *)(block + at);
        if (before) before->tp_next_offset = (uint32_t)((uint8_t *)frame - (uint8_t *)before);
        at += put(ring, (uint8_t *)frame, &item);
        if (!count++) head->ts_first_pkt = (struct tpacket_bd_ts){ frame->tp_sec, { frame->tp_nsec } };
        head->ts_last_pkt = (struct tpacket_bd_ts){ frame->tp_sec, { frame->tp_nsec } };
        before = frame;
    }
    sequence = load_relaxed(&ring->progress->sequence) + 1;
    if (!count || !has_claim(ring, claim_ns)) return 0;
    ((struct tpacket_block_desc *)block)->version = TPACKET_V3;
    ((struct tpacket_block_desc *)block)->offset_to_priv = BLOCK_HEAD;
    head->num_pkts = count;
    head->offset_to_first_pkt = ring->first;
    head->blk_len = at;
    head->seq_num = sequence;
    __atomic_store_n(&head->block_status, TP_STATUS_USER | TP_STATUS_BLK_TMO, __ATOMIC_RELEASE);
    store_relaxed(&ring->progress->sequence, sequence);
    return count;
}

/* Returns the claim that it has in the end; 0: it has lost it. */
static uint64_t turn(const struct bus *bus, uint32_t slot, struct mapped *ring, uint64_t claim_ns)
{
    struct bus_slot *at = &bus->data->slot[slot];
    struct progress *progress = ring->progress;
    uint32_t count, next = load_relaxed(&progress->next), last = load_relaxed(&progress->last);
    uint64_t now_ns;

    while (status_of(ring, next) == TP_STATUS_KERNEL && (count = fill(bus, slot, ring, next, claim_ns))) {
        store_relaxed(&at->rx_frames, load_relaxed(&at->rx_frames) + count);
        last = next;
        next = (next + 1) % ring->blocks;
        store_relaxed(&progress->last, last);
        store_relaxed(&progress->next, next);
        now_ns = clock_mono_ns();
        if (!cas64(&progress->claim_ns, claim_ns, now_ns)) return 0;
        claim_ns = now_ns;
    }
    if (!has_claim(ring, claim_ns)) return 0;
    store_seq(&at->setting[PACKET_HELD], last < ring->blocks && status_of(ring, last) != TP_STATUS_KERNEL);
    return claim_ns;
}

static void turn_alone(const struct bus *bus, uint32_t slot, struct mapped *ring)
{
    uint64_t since_ns = load_relaxed(&ring->progress->claim_ns), now_ns = clock_mono_ns();

    if (since_ns && now_ns - since_ns < LOST_NS) return;
    if (!cas64(&ring->progress->claim_ns, since_ns, now_ns)) return;
    now_ns = turn(bus, slot, ring, now_ns);
    if (now_ns) cas64(&ring->progress->claim_ns, now_ns, 0);
}

void packet_ring_do_turn(const struct bus *bus, uint32_t slot)
{
    struct mapped *ring = find(bus, slot);

    if (!ring || !take(ring)) return;
    if (load_relaxed(&ring->owner) == slot + 1 && is_over(bus, ring))
        drop(ring);
    else if (load_relaxed(&ring->owner) == slot + 1)
        turn_alone(bus, slot, ring);
    give(ring);
}
