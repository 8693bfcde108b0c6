/* cli/pcapng.c - see pcapng.h.
 *
 * A block is: type, length, content, options, length again. An option is: code, length, value, padding to a multiple of 4; option 0 ends them.
 *
 * A packet is what a capture on Linux's own CAN interface holds (the frame's structure with its padding, so 16 or 72 bytes), with
 *   identifier  in network byte order, also the priority of CAN XL
 *   byte 5      of CAN FD frames has CANFD_FDF, by which readers tell them; of classic ones it is 0
 *   CAN XL      length and acceptance field in little-endian order */
#include "cli/pcapng.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/can.h>
#include <string.h>

enum { BLOCK_INTERFACE = 1, BLOCK_STATISTICS = 5, BLOCK_PACKET = 6, BLOCK_SECTION = 0x0a0d0d0a };
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

/* Options: each kind of block numbers its own. */
enum {
    OPTION_END = 0,
    SECTION_SYSTEM = 3,
    SECTION_PROGRAM = 4,
    INTERFACE_NAME = 2,
    INTERFACE_DESCRIPTION = 3,
    INTERFACE_RESOLUTION = 9,
    PACKET_FLAGS = 2,
    PACKET_DROPPED = 4,
    STATISTICS_START = 2,
    STATISTICS_END = 3,
    STATISTICS_RECEIVED = 4,
    STATISTICS_DROPPED = 5,
};

#define RESOLUTION_NS 9 /* time stamps count 10^-9 s */
#define FDF           0x04u
#define XL_FLAG       0x80u
#define SIZE_FD       72u

struct block {
    uint8_t *at;
    size_t size;
};

static void put(struct block *block, const void *bytes, size_t size)
{
    size_t padding = -size & 3;

    memcpy(block->at + block->size, bytes, size);
    memset(block->at + block->size + size, 0, padding);
    block->size += size + padding;
}

static void put_u16s(struct block *block, uint16_t first, uint16_t second)
{
    const uint16_t both[2] = { first, second };
    put(block, both, sizeof(both));
}

static void put_u32(struct block *block, uint32_t value) { put(block, &value, sizeof(value)); }

static struct block begin(uint8_t *out, uint32_t type)
{
    struct block block = { out, 0 };

    put_u32(&block, type);
    put_u32(&block, 0); /* the length, when it is known */
    return block;
}

static size_t end(struct block *block)
{
    uint32_t size = (uint32_t)block->size + 4;

    memcpy(block->at + 4, &size, sizeof(size));
    put_u32(block, size);
    return block->size;
}

static void put_option(struct block *block, uint16_t code, const void *value, size_t size)
{
    put_u16s(block, code, (uint16_t)size);
    put(block, value, size);
}

static void put_text(struct block *block, uint16_t code, const char *text)
{
    if (text) put_option(block, code, text, strnlen(text, PCAPNG_TEXT_MAX));
}

/* The two halves of a time: the high one comes first in either byte order. */
static void put_time_option(struct block *block, uint16_t code, uint64_t time_ns)
{
    const uint32_t halves[2] = { (uint32_t)(time_ns >> 32), (uint32_t)time_ns };
    put_option(block, code, halves, sizeof(halves));
}

/* ---- blocks ---- */

size_t pcapng_section(uint8_t *out, const char *program, const char *system)
{
    struct block block = begin(out, BLOCK_SECTION);
    const uint64_t unknown = UINT64_MAX;

    put_u32(&block, BYTE_ORDER_MAGIC);
    put_u16s(&block, 1, 0);                 /* version */
    put(&block, &unknown, sizeof(unknown)); /* the section's length */
    put_text(&block, SECTION_SYSTEM, system);
    put_text(&block, SECTION_PROGRAM, program);
    put_u32(&block, OPTION_END);
    return end(&block);
}

size_t pcapng_interface(uint8_t *out, const char *name, const char *description)
{
    struct block block = begin(out, BLOCK_INTERFACE);
    const uint8_t resolution = RESOLUTION_NS;

    put_u16s(&block, PCAPNG_LINKTYPE, 0);
    put_u32(&block, PCAPNG_SNAPLEN);
    put_text(&block, INTERFACE_NAME, name);
    put_text(&block, INTERFACE_DESCRIPTION, description);
    put_option(&block, INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
    put_u32(&block, OPTION_END);
    return end(&block);
}

/* The frame as LINKTYPE_CAN_SOCKETCAN has it. */
static void convert(uint8_t *bytes, uint32_t size)
{
    uint32_t id, acceptance;
    uint16_t length;

    memcpy(&id, bytes, sizeof(id));
    id = htonl(id);
    memcpy(bytes, &id, sizeof(id));
    if (size >= 12 && (bytes[4] & XL_FLAG)) {
        memcpy(&length, bytes + 6, sizeof(length));
        memcpy(&acceptance, bytes + 8, sizeof(acceptance));
        length = htole16(length);
        acceptance = htole32(acceptance);
        memcpy(bytes + 6, &length, sizeof(length));
        memcpy(bytes + 8, &acceptance, sizeof(acceptance));
    } else {
        bytes[5] = size == SIZE_FD ? bytes[5] | FDF : 0;
    }
}

size_t pcapng_packet(uint8_t *out, const struct pcapng_packet *packet)
{
    struct block block = begin(out, BLOCK_PACKET);
    uint32_t size = packet->size < PCAPNG_SNAPLEN ? packet->size : PCAPNG_SNAPLEN;
    const uint32_t flags = (uint32_t)packet->direction;
    const uint64_t dropped = packet->dropped;

    put_u32(&block, packet->interface);
    put_u32(&block, (uint32_t)(packet->time_ns >> 32));
    put_u32(&block, (uint32_t)packet->time_ns);
    put_u32(&block, size);
    put_u32(&block, packet->size);
    put(&block, packet->frame, size);
    if (size >= 8) convert(block.at + 28, size);
    if (packet->direction != PCAPNG_UNKNOWN) put_option(&block, PACKET_FLAGS, &flags, sizeof(flags));
    if (dropped) put_option(&block, PACKET_DROPPED, &dropped, sizeof(dropped));
    if (packet->direction != PCAPNG_UNKNOWN || dropped) put_u32(&block, OPTION_END);
    return end(&block);
}

size_t pcapng_statistics(uint8_t *out, const struct pcapng_statistics *statistics)
{
    struct block block = begin(out, BLOCK_STATISTICS);

    put_u32(&block, statistics->interface);
    put_u32(&block, (uint32_t)(statistics->end_ns >> 32));
    put_u32(&block, (uint32_t)statistics->end_ns);
    put_time_option(&block, STATISTICS_START, statistics->start_ns);
    put_time_option(&block, STATISTICS_END, statistics->end_ns);
    put_option(&block, STATISTICS_RECEIVED, &statistics->received, sizeof(statistics->received));
    put_option(&block, STATISTICS_DROPPED, &statistics->dropped, sizeof(statistics->dropped));
    put_u32(&block, OPTION_END);
    return end(&block);
}
