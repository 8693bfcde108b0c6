/* supervisor/pair.h - the two ends that stand for a CAN socket: the program's, and ours (sock.h).
 *
 * They are connected AF_UNIX datagram sockets. Of what the kernel can make a socket say we need three things that no call asks for: that there is an
 * error (POLLERR, and the next read fails), that one cannot write, and whether anybody still holds it. */
#ifndef SUPERVISOR_PAIR_H
#define SUPERVISOR_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An abstract address that the kernel chose. */
struct pair_name {
    uint8_t bytes[16];
    uint32_t size;
};

struct pair {
    int fd; /* our end */
    struct pair_name ours, theirs;
};

/* Once, before the first one: 0 or -errno. */
int pair_prepare(void);
/* Is it what pair_prepare() has made? Our end of a pair: which, by what the kernel knows of it? */
bool pair_is_helper(int fd);
bool pair_recognise(int fd, struct pair *out);

/* *program_fd: the other end. 0 or -errno. */
int pair_open(struct pair *pair, int *program_fd);

/* Does any process have the program's end? */
bool pair_is_held(const struct pair *pair);

/* Makes ECONNRESET the pending error of the program's end: POLLERR, and so says the next read(2) of whoever is first. What lies unread in our end is lost. */
void pair_raise(const struct pair *pair);

/* ---- on a borrowed copy of the program's end ---- */

bool pair_has_error(int program_fd);
void pair_clear_error(int program_fd);
/* Makes it unwritable for poll(2), by a packet that our end leaves unread. */
void pair_block(int program_fd);
/* Is this such a packet? */
bool pair_is_block(const void *bytes, size_t size);

#endif
