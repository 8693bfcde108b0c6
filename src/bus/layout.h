/* bus/layout.h - the two shared memories of an instance: this header is their format's specification.
 *
 * `control` is written by the daemon's worker only and mapped read-only by everyone else: the interface table.
 * `data` is mapped read-write by every process of the instance: socket slots, filters, rings, interest maps,
 * counters. Nothing read from `data` may be trusted: copy once, clamp, then use.
 *
 * Both are memfds whose sizes are sealed; memory is touched only where it is used. Numbers are in host byte order;
 * all layouts are the same for 32- and 64-bit processes of one machine. A change here changes LAYOUT_VERSION. */
#ifndef BUS_LAYOUT_H
#define BUS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>
#include "base/atomics.h"

#define LAYOUT_MAGIC   0x4e414350u /* "PCAN" */
#define LAYOUT_VERSION 12u

#define LINKS_MAX         128u /* interfaces of an instance */
#define LINK_NAME_SIZE    16u  /* IFNAMSIZ */
#define LINK_ALTNAMES_MAX 8u   /* alternative names of one interface */
#define LINK_ALTNAME_SIZE 128u /* ALTIFNAMSIZ */
#define LINK_ALIAS_SIZE   256u /* IFALIASZ */
#define LINK_IFINDEX_FIRST                                                                                   \
    10000 /* well above what a kernel hands out, so that both worlds can be named in one program */

#define SOCKETS_MAX 8192u
#define SOCKET_NONE 0xffffffffu
#define FILTERS_MAX 512u /* CAN_RAW_FILTER_MAX */
#define RING_SLOTS  1024u
#define RING_DATA_SIZE                                                                                       \
    72u /* what a record holds itself: CAN and CAN FD; larger CAN XL frames use the extension area */
#define XL_SIZE_MAX   2060u
#define RING_EXT_SIZE 2112u /* XL_SIZE_MAX rounded up to cache lines */

_Static_assert(_Alignof(atomic_u64) == 8 && _Alignof(atomic_u32) == 4,
               "words are where they are on every architecture; a plain uint64_t is not, on i386");

/* ---- control ------------------------------------------------------------------------------------------------ */

enum link_kind { LINK_KIND_NONE, LINK_KIND_VCAN, LINK_KIND_VXCAN, LINK_KIND_CAN };

/* What a sender must know of an interface, in one word, read with one load:
 *   bits 0-7 LINK_* flags, 8-15 enum link_kind, 16-31 mtu (clamped to 65535), 32-39 peer's index in links[] + 1 (0: none),
 *   40-63 generation, one more each time the entry is used for another interface. */
enum { LINK_PRESENT = 1, LINK_UP = 2, LINK_CARRIER = 4, LINK_ECHO = 8 };

static inline uint32_t link_state_mtu(uint64_t state) { return (uint32_t)(state >> 16) & 0xffff; }
static inline uint32_t link_state_kind(uint64_t state) { return (uint32_t)(state >> 8) & 0xff; }
static inline uint32_t link_state_peer(uint64_t state) { return (uint32_t)(state >> 32) & 0xff; }
static inline uint32_t link_state_gen(uint64_t state) { return (uint32_t)(state >> 40) & 0xffffff; }
static inline uint64_t link_state_pack(uint32_t flags, uint32_t kind, uint32_t mtu, uint32_t peer,
                                       uint32_t gen)
{
    return (flags & 0xff) | (uint64_t)(kind & 0xff) << 8 | (uint64_t)(mtu > 0xffff ? 0xffff : mtu) << 16 |
           (uint64_t)(peer & 0xff) << 32 | (uint64_t)(gen & 0xffffff) << 40;
}

/* One interface. Writer: the daemon's worker. Readers: everyone. `state` and `ifindex` stand alone; the rest is read
 * under `seq` (odd while being written; a worker that died inside is mended by the next one, which makes it even). */
struct bus_link {
    _Alignas(64) atomic_u64 state;
    atomic_u32 ifindex; /* 0: entry is free */
    atomic_u32 seq;
    char name[LINK_NAME_SIZE]; /* NUL-terminated */
    uint32_t flags;            /* IFF_* as rtnetlink shows them: UP, NOARP, RUNNING, LOWER_UP, ECHO */
    uint32_t mtu;
    uint32_t txqlen;
    uint32_t group;
    uint32_t promiscuity;
    uint32_t allmulti;
    uint32_t carrier_up_count;
    uint32_t carrier_down_count;
    uint8_t operstate; /* IF_OPER_* */
    uint8_t linkmode;
    uint8_t carrier;
    uint8_t proto_down;
    uint8_t been_up;      /* the queue discipline is "noop" until the first up */
    uint8_t operstate_up; /* IF_OPER_* that it has whenever it is up */
    uint8_t pad[2];
    int32_t peer_ifindex; /* vxcan: the other end; 0: none */
    char alias[LINK_ALIAS_SIZE];
    char altname[LINK_ALTNAMES_MAX][LINK_ALTNAME_SIZE]; /* "" where unused */
    /* Kind "can": the slot of the worker in whose ring frames wait for the controller (bits 0-31, generation 32-63), and how many may. */
    atomic_u64 tx_slot;
    atomic_u32 tx_limit;
};

/* Only for the worker, and the next one after it: what the controller of each interface is set to (drivers/can.h), the buses, and faults
 * (daemon/simulator.h). */
#define CAN_CONFIG_SIZE 256u
#define WIRES_MAX       32u
#define WIRE_SIZE       256u
#define FAULTS_MAX      256u
#define FAULT_SIZE      128u

struct control {
    uint32_t magic, version;
    atomic_u32 links_gen; /* one more at every change of any interface */
    atomic_u32 next_ifindex;
    atomic_u64 bell_name;   /* where the worker listens (wake.h): the bytes of an abstract name; 0: nowhere */
    atomic_u64 bell_secret; /* and what it believes */
    struct bus_link links[LINKS_MAX];
    _Alignas(64) unsigned char can_config[LINKS_MAX][CAN_CONFIG_SIZE];
    _Alignas(64) unsigned char wire[WIRES_MAX][WIRE_SIZE];
    _Alignas(64) unsigned char fault[FAULTS_MAX][FAULT_SIZE];
};

/* ---- data ---------------------------------------------------------------------------------------------------- */

/* Counters of an interface (counters.h). Senders add with relaxed atomics; sharded by socket slot so that senders do not share
 * lines. Cleared by the daemon when the entry gets another interface. */
#define COUNTER_SHARDS  16u
#define COUNTER_KINDS   3u  /* COUNT_* */
#define COUNTER_LENGTHS 65u /* payloads of CAN and CAN FD: 0..64 bytes */
struct bus_counters {
    _Alignas(64) atomic_u64 frames[COUNTER_KINDS][COUNTER_LENGTHS];
    atomic_u64 xl_frames[COUNTER_KINDS];
    atomic_u64 xl_bytes[COUNTER_KINDS];
    atomic_u64 tx_dropped;
    atomic_u64 rx_dropped;
    atomic_u64
        offered; /* frames that sockets could receive, where COUNT_LOOPED does not say so: vxcan, can */
    atomic_u64 unmatched; /* ... on any interface, that no receive list entry wanted */
};

/* Interest map: which socket slots may want a frame of an interface. A row is a bit per slot and a head word:
 * bits 0-31 of the head say which groups of slots have a bit set, bits 32-63 count every set, so that a clear that races with
 * a set fails (imap.c). A map only narrows the search: the exact filter decides. */
#define IMAP_STD_ROWS 2048u
#define IMAP_EXT_ROWS 256u
enum {
    IMAP_ROW_ALL,
    IMAP_ROW_MASKED,
    IMAP_ROW_INVERTED,
    IMAP_ROW_ERROR,
    IMAP_ROW_TAP, /* packet sockets, which see what passes an interface and not what is received (tap.c) */
    IMAP_ROW_STD
};
#define IMAP_ROW_EXT (IMAP_ROW_STD + IMAP_STD_ROWS)
#define IMAP_ROWS    (IMAP_ROW_EXT + IMAP_EXT_ROWS)
#define IMAP_WORDS   (SOCKETS_MAX / 64)
/* Slots are given out from the lowest up, so the first groups are small: 16 of one word, then 16 of seven. */
#define IMAP_SMALL_GROUPS 16u
#define IMAP_LARGE_WORDS  7u

struct imap {
    _Alignas(64) atomic_u64 head[IMAP_ROWS];
    _Alignas(4096) atomic_u64 word[IMAP_ROWS][IMAP_WORDS];
};
#define IMAP_ANY LINKS_MAX /* index of the map of sockets bound to every interface */

/* One record of a receive ring. `word` is the only state: ticket << 16 | owner << 2 | RING_*; see ring.c. What comes in pairs is one
 * word, because a sender writes them for each receiver. */
struct ring_record {
    _Alignas(64) atomic_u64 word;
    atomic_u64 time_ns; /* CLOCK_REALTIME of the bus; 0: nobody asked for it */
    atomic_u64 path;    /* bits 0-31 receiving interface, 32-63 sending socket: slot, or SOCKET_NONE */
    atomic_u64
        about; /* bits 0-31 generation of the sending socket, 32-47 bytes of the frame, 48-55 RECORD_* flags, 56-63 of the
                           receiver's generation */
    atomic_u64
        extra; /* bits 0-31 receiver's drop count when this was queued (SO_RXQ_OVFL), 32-63 SO_MARK of the sender */
    atomic_u64 data[RING_DATA_SIZE / 8];
};
enum {
    RECORD_LOCAL = 1,    /* sent on this host: MSG_DONTROUTE */
    RECORD_BOUND = 2,    /* to an inbox, which can be in two maps: found in that of the interface */
    RECORD_CHARGED = 4,  /* to a controller: its sender's buffer is charged with it (charge.c) */
    RECORD_HARDWARE = 8, /* time_ns is what a controller says, too */
    /* To a controller: its sender wants to be told when the driver has it, and when it was sent. Then time_ns is SOF_TIMESTAMPING_OPT_ID's number. */
    RECORD_TELL_TAKEN = 16,
    RECORD_TELL_SENT = 32,
    RECORD_OUTGOING =
        64, /* to a packet socket: on its way to the interface; the record's mark: slot_packet_mark() */
};

/* The records of a ring; where it stands is in its slot. The gap makes the distance of two rings an odd number of pages: senders to
 * many receivers are at the same place in each ring, which would be the same few places of caches and TLBs else. */
struct ring {
    _Alignas(64) struct ring_record record[RING_SLOTS];
    uint8_t gap[4096];
};

/* States of a socket slot; life = generation << 2 | state. FREE -> CLAIMED -> OPEN by the opener; -> ENDING -> FREE by the
 * one process that ends it (slot.c). */
enum { SLOT_FREE, SLOT_CLAIMED, SLOT_OPEN, SLOT_ENDING };

/* rx_flags: what a sender must know of a receiver; above them the low bits of the slot's generation, so that whoever ends a socket
 * late cannot clear those of the next one. */
#define RX_GEN_SHIFT 16
#define RX_FLAGS     0xffffu
enum {
    RX_OPEN = 1,     /* receives at all */
    RX_OWN = 2,      /* CAN_RAW_RECV_OWN_MSGS */
    RX_FD = 4,       /* CAN_RAW_FD_FRAMES */
    RX_XL = 8,       /* CAN_RAW_XL_FRAMES */
    RX_JOIN = 16,    /* CAN_RAW_JOIN_FILTERS */
    RX_TIME = 32,    /* some time stamp option is on */
    RX_ALL = 128,    /* its filter is the default: every frame but error frames */
    RX_BPF = 64,     /* SO_ATTACH_FILTER program present */
    RX_ASYNC = 256,  /* O_ASYNC is on: each frame brings a token */
    RX_INBOX = 512,  /* the worker's own (inbox.c): senders wait for it when its ring is full */
    RX_LIMIT = 1024, /* rx_limit is set */
};

struct slot_filter {
    atomic_u32 id, mask; /* as set: not normalised */
};

struct slot_filters {
    struct slot_filter entry[FILTERS_MAX]; /* bus_slot.filter_count of them; a page */
};

/* How many frames each entry matched, for /proc/net/can/rcvlist_*. Writers: senders. Of the default filter nobody counts: see
 * bus_slot.offered_before. */
struct slot_matches {
    atomic_u64 entry[FILTERS_MAX];
};

/* Plain integer socket options that a socket keeps and gives back. */
enum slot_option {
    OPT_LOOPBACK,
    OPT_RECV_OWN,
    OPT_FD,
    OPT_JOIN,
    OPT_XL,
    OPT_RCVBUF,
    OPT_SNDBUF,
    OPT_RXQ_OVFL,
    OPT_TIMESTAMP,    /* 0, or SO_TIMESTAMP or SO_TIMESTAMPNS (the old numbers) */
    OPT_TIMESTAMPING, /* SOF_* flags */
    OPT_MARK,
    OPT_RCVMARK,
    OPT_PRIORITY,
    OPT_PASSCRED,
    OPT_BROADCAST,
    OPT_KEEPALIVE,
    OPT_DONTROUTE,
    OPT_REUSEADDR,
    OPT_OOBINLINE,
    OPT_NO_CHECK,
    OPT_LOCK_FILTER,
    OPT_BUSY_POLL,
    OPT_INCOMING_CPU,
    OPT_RCVLOWAT,
    OPT_SELECT_ERR_QUEUE,
    OPT_TXTIME,
    OPT_DEBUG,
    OPT_BINDTOIFINDEX,
    OPT_LINGER_ONOFF,
    OPT_LINGER_SECONDS,
    OPT_STAMP_NEW, /* the time stamp option set last was one of the _NEW ones: so are the control messages */
    OPT_BPF,       /* a program is attached: RX_BPF */
    OPT_TXREHASH,
    OPT_BUF_LOCK, /* SOCK_SNDBUF_LOCK, SOCK_RCVBUF_LOCK */
    OPT_COUNT = 48,
};

#define SLOT_SETTINGS 10

/* A socket of AF_PACKET, in the place of a protocol of AF_CAN. */
#define PROTOCOL_PACKET 0

/* bus_slot.setting[] of such a socket. */
enum {
    PACKET_TYPE,     /* SOCK_RAW, SOCK_DGRAM */
    PACKET_PROTOCOL, /* ETH_P_*; 0: it receives nothing */
    PACKET_FLAGS,    /* PACKET_HAS_* of the socket options that are on */
    PACKET_VERSION_, /* PACKET_VERSION, kept */
    PACKET_RESERVED, /* PACKET_RESERVE, kept */
    PACKET_STAMP,    /* PACKET_TIMESTAMP, kept */
    PACKET_SEEN,     /* ring head, low bits, ... */
    PACKET_LOST,     /* ... and drops at the last PACKET_STATISTICS */
    PACKET_HELD,     /* 1: there is something to read in its mapped ring (packet_ring.c) */
    PACKET_MAPPED,   /* 1: it has one, and frames can be read there only */
};
enum { PACKET_HAS_IGNORE_OUTGOING = 1, PACKET_HAS_AUXDATA = 2 /* others: packet.c */ };

/* What a record for it says in the place of a mark: the protocol, and how long the frame was before a program cut it. */
static inline uint32_t slot_packet_mark(uint32_t protocol, uint32_t bytes)
{
    return (protocol & 0xffff) | bytes << 16;
}

#define STAMP_OF_READING 1 /* a frame without a time stamp: its time is when SIOCGSTAMP asks */

#define SLOT_BUSY 1

enum {
    BOUND = 1,
    BOUND_EVERYWHERE =
        2, /* the worker's inbox: it may have any row of any interest map, whatever its filters are */
};

/* A CAN socket. Writers of settings: the processes that share it, under `lock` (slot.c), unless said otherwise. The first
 * line is read by every sender, the second written by them, the third belongs to the reader: small and close together, so that a sender
 * to many sockets touches few pages. */
enum { SLOT_DOOR_PRELOAD, SLOT_DOOR_SUPERVISOR };

struct bus_slot {
    _Alignas(64) atomic_u32 rx_flags;
    atomic_u32 ifindex;         /* bound interface; 0: any or unbound */
    atomic_u32 err_mask;        /* CAN_RAW_ERR_FILTER */
    atomic_u32 filters_cur;     /* version << 1 | which of data.filters[] counts */
    atomic_u32 filter_count[2]; /* entries of data.filters[] */
    atomic_u32 rx_limit;        /* bytes: SO_RCVBUF as charged; 0: the ring's own depth */
    atomic_u32 gen;             /* generation of the slot: part of the socket's name */
    atomic_u32
        protocol; /* CAN_RAW; PROTOCOL_PACKET, which has a ring, too; or CAN_BCM, CAN_ISOTP: then what is received lies in the message queue, not in the ring */

    _Alignas(64) atomic_u64 head; /* ring: next ticket to claim; producers advance it */
    atomic_u32 drops;             /* frames refused because the ring was full */
    atomic_u32 armed;             /* generation << 2 | WAKE_*: who sends the token (wake.c) */
    atomic_u32 drops_told;        /* what records say: drops while SO_RXQ_OVFL is on, else 0 */

    _Alignas(64) atomic_u64 tail; /* ring: next ticket to take; consumers advance it */
    atomic_u32 error; /* sk_err: positive errno, 0 none. Written by the daemon, taken by whoever sees it */
    atomic_u32
        waiters; /* readers asleep in the kernel; too high after one was killed there, which costs little */
    atomic_u64 stamp_ns; /* time of the last frame read, for SIOCGSTAMP; 0 none, or STAMP_OF_READING */
    atomic_u64 rx_frames, tx_frames; /* for `status` */
    atomic_u32 bound;                /* BOUND after bind() until the interface goes */
    atomic_u32 link;                 /* bound: index in links[], LINKS_MAX for any */
    atomic_u32 async;                /* O_ASYNC is on: SIGIO must follow each frame */
    atomic_u32 signals_owed;         /* SIGIOs that senders could not bring; too many does little harm */
    atomic_u64 tx_charge; /* generation << 32 | bytes of frames that wait for controllers (charge.c) */

    _Alignas(64) atomic_u32 lock;
    atomic_u32 stamp_on;
    atomic_u32 errqueue_head,
        errqueue_tail;          /* words of the error queue: next to write, next to read (errqueue.c) */
    atomic_u32 errqueue_charge; /* bytes that the error queue is charged with, as SO_RCVBUF counts them */
    atomic_u32 tx_id;           /* SOF_TIMESTAMPING_OPT_ID counter */
    atomic_u32 tx_told; /* messages of the worker may come to the error queue, whatever the options are now */
    atomic_u32 owner_pid, owner_uid; /* for people to read; never for decisions */
    atomic_u32 option[OPT_COUNT];
    /* Sockets of the daemon's protocols only. */
    _Alignas(64)
        atomic_u64 queue_head; /* bytes ever put into the message queue (mqueue.c). Writer: the worker */
    atomic_u64 queue_tail;     /* bytes ever taken. Writers: readers; the worker while it is empty */
    atomic_u32
        busy; /* who is sending: sockets/isotp.c. SLOT_BUSY: the worker, also when nobody holds the socket any more */
    atomic_u32 tx_address, rx_address; /* CAN_ISOTP, while bound: identifiers */
    atomic_u32
        setting[SLOT_SETTINGS]; /* CAN_ISOTP: struct isotp_options, in words; packet sockets: PACKET_* */
    atomic_u64 inode;           /* of the socket, as its opener saw it: names /proc/net/can-bcm/INODE */
    /* Every socket. */
    atomic_u64
        offered_before; /* frames that its interface, or all, had offered when it was bound or its filters were set */
    atomic_u64 error_matches; /* error frames that its err_mask matched */
    atomic_u32 door;          /* SLOT_DOOR_*: how its program came to it; for people to read */
};

/* SO_ATTACH_FILTER: two programs, of which `current` (version << 1 | which) counts. Writer: a process that shares the socket, under
 * slot.lock; it fills the other one, then publishes it with current. Senders run it in place (can/cbpf.h trusts nothing) and
 * run it again when current changed meanwhile. Touched only while RX_BPF is set. */
#define PROGRAM_MAX 1024u /* instructions */
struct slot_program {
    _Alignas(64) atomic_u32 current;
    atomic_u32 count[2];
    atomic_u64 insn[2][PROGRAM_MAX]; /* cbpf_pack() */
};

/* A socket's error queue: time stamps of the frames it sent. A ring of words between errqueue_tail and errqueue_head of the slot;
 * each message is three words and the frame (errqueue.c). Touched only by sockets that ask for transmit time stamps. */
#define ERRQUEUE_WORDS 4096u
struct slot_errqueue {
    _Alignas(64) atomic_u64 word[ERRQUEUE_WORDS];
};

struct data {
    uint32_t magic, version;
    atomic_u32 slots_high; /* every slot in use is below this; only grows */
    atomic_u32
        inbox; /* the worker's inbox for its protocols: slot + 1; 0: none. Its queue_head says how far the worker is */
    /* What interfaces that are gone had counted. Writer: the worker. */
    atomic_u64 gone_sent, gone_offered, gone_unmatched;
    _Alignas(64) atomic_u32 life[SOCKETS_MAX];
    _Alignas(64) struct bus_counters counters[LINKS_MAX][COUNTER_SHARDS];
    _Alignas(4096) struct bus_slot slot[SOCKETS_MAX];
    _Alignas(4096) struct slot_filters filters[SOCKETS_MAX][2];
    _Alignas(4096) struct slot_matches matches[SOCKETS_MAX][2];
    _Alignas(4096) struct imap map[LINKS_MAX + 1];
    _Alignas(4096) struct ring ring[SOCKETS_MAX];
    _Alignas(4096) struct slot_program program[SOCKETS_MAX];
    _Alignas(4096) struct slot_errqueue errqueue[SOCKETS_MAX];
};

/* CAN XL frames beyond RING_DATA_SIZE: one extension per record, in `data` behind struct data, mapped apart from it and only
 * by processes that use CAN XL. What belongs to one socket is its window. */
struct data_window {
    _Alignas(4096) atomic_u64 bytes[RING_SLOTS][RING_EXT_SIZE / 8];
};
/* The same memory belongs to the message queue of a socket of the daemon's protocols (mqueue.c), which is mapped alone. Windows begin where
 * pages do, of any size that a kernel has: up to 64 KB on arm64. */
#define PAGE_SIZE_MAX       65536u
#define WINDOW_SIZE         (sizeof(struct data_window))
#define DATA_EXT_OFFSET     ((sizeof(struct data) + PAGE_SIZE_MAX - 1) / PAGE_SIZE_MAX * PAGE_SIZE_MAX)
#define WINDOW_OFFSET(slot) (DATA_EXT_OFFSET + (uint64_t)(slot)*WINDOW_SIZE)
#define DATA_SIZE           WINDOW_OFFSET(SOCKETS_MAX)

/* A 64-bit process maps struct data as a whole, and the windows of all sockets once it uses CAN XL. A narrow one, which has 2 to 4 GB of
 * addresses for everything, maps what lies before the rings, and of the rest the pieces that it comes to (far.h). */
#if UINTPTR_MAX > UINT32_MAX
#define DATA_IS_NARROW 0
#define DATA_NEAR_SIZE sizeof(struct data)
struct data_ext {
    struct data_window window[SOCKETS_MAX];
};
#else
#define DATA_IS_NARROW 1
#define DATA_NEAR_SIZE offsetof(struct data, ring)
#endif

_Static_assert(sizeof(struct ring_record) == 128, "two cache lines a record");
_Static_assert(offsetof(struct ring_record, data) == 40, "record header");
_Static_assert(
    offsetof(struct bus_slot, head) == 64 && offsetof(struct bus_slot, tail) == 128,
    "a sender reads the first line of a slot, writes the second, and leaves the third to the reader");
_Static_assert(offsetof(struct bus_slot, lock) == 192 && sizeof(struct bus_slot) % 128 == 64,
               "slots do not share lines, and are an odd number of them");
_Static_assert(sizeof(struct slot_filters) == 4096, "a socket with one filter touches one page of them");
_Static_assert(sizeof(struct ring) % 8192 == 4096, "an odd number of pages");
_Static_assert(WINDOW_SIZE % PAGE_SIZE_MAX == 0, "windows begin at pages");
_Static_assert(IMAP_SMALL_GROUPS + (32 - IMAP_SMALL_GROUPS) * IMAP_LARGE_WORDS == IMAP_WORDS,
               "32 groups cover every slot");

/* Programs and daemon may be of different widths: these numbers are the same for all (tests/arch). */
_Static_assert(sizeof(struct bus_link) == 1408 && offsetof(struct bus_link, tx_slot) == 1360, "bus_link");
_Static_assert(offsetof(struct control, can_config) == 64 + LINKS_MAX * sizeof(struct bus_link), "control");
_Static_assert(sizeof(struct bus_counters) % 64 == 0 && sizeof(struct bus_slot) == 576, "counters and slots");
_Static_assert(offsetof(struct data, slot) == 3444736, "data, part 1");
_Static_assert(offsetof(struct data, map) == 142381056, "data, part 2");
_Static_assert(offsetof(struct data, ring) == 450428928, "data: what narrow processes map");
_Static_assert(sizeof(struct data) == 1960902656, "data");

#endif
