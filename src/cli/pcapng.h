/* cli/pcapng.h - capture files as Wireshark reads them: blocks of pcapng (draft-ietf-opsawg-pcapng) with packets of LINKTYPE_CAN_SOCKETCAN.
 *
 * Pure: every function writes one block to `out`, which has room for PCAPNG_BLOCK_MAX bytes, and returns its size, a multiple of 4.
 * Numbers of blocks are in the machine's byte order, which the section's first block tells; packets are as the link type says. */
#ifndef CLI_PCAPNG_H
#define CLI_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_LINKTYPE 227u  /* CAN_SOCKETCAN */
#define PCAPNG_SNAPLEN  2060u /* the longest CAN XL frame */
#define PCAPNG_TEXT_MAX 255u  /* bytes of a text that are written; what is longer is cut */
#define PCAPNG_BLOCK_MAX                                                                                     \
    (PCAPNG_SNAPLEN + 256u) /* two texts of PCAPNG_TEXT_MAX with all that belongs to them fit, too */

enum pcapng_direction { PCAPNG_UNKNOWN, PCAPNG_INBOUND, PCAPNG_OUTBOUND };

struct pcapng_packet {
    uint32_t interface; /* the how manieth that was described, from 0 */
    uint64_t time_ns;   /* since 1970 */
    const void *frame;  /* struct can_frame, canfd_frame or canxl_frame, as a socket gives it */
    uint32_t size;      /* 16, 72, or up to 2060 bytes */
    enum pcapng_direction direction;
    uint32_t dropped; /* frames lost before this one */
};

struct pcapng_statistics {
    uint32_t interface;
    uint64_t start_ns, end_ns;  /* of the capture */
    uint64_t received, dropped; /* frames that came, with those that were lost; those that were lost */
};

/* The first block. `system` may be NULL. */
size_t pcapng_section(uint8_t *out, const char *program, const char *system);
/* Describes the next interface. `description` may be NULL. */
size_t pcapng_interface(uint8_t *out, const char *name, const char *description);
size_t pcapng_packet(uint8_t *out, const struct pcapng_packet *packet);
size_t pcapng_statistics(uint8_t *out, const struct pcapng_statistics *statistics);

#endif
