/* sockets/options.h - socket options of CAN_RAW sockets: what a row of the tables is. The calls are in raw.h.
 *
 * options.c has the calls and SOL_CAN_RAW, options_socket.c SOL_SOCKET, options_stamp.c the time stamps of SOL_SOCKET. */
#ifndef SOCKETS_OPTIONS_H
#define SOCKETS_OPTIONS_H

#include <sys/socket.h>
#include "bus/bus.h"

struct option;

/* A setsockopt or getsockopt under way. */
struct option_call {
    const struct bus *bus;
    struct bus_slot *slot;
    uint32_t number; /* the slot's */
    int fd, name;
    const struct option *option;
};

struct option {
    int name;
    int8_t keep;   /* enum slot_option it lives in, or -1 */
    uint8_t exact; /* setting needs exactly 4 bytes (SOL_CAN_RAW), else at least 4 */
    /* Checks and changes a value to be set; NULL: taken as it is. Returns 0 or -errno. */
    int (*in)(const struct option_call *call, int *value);
    /* What follows when it was stored. */
    void (*after)(const struct option_call *call, int value);
    /* Value for getsockopt when it is not simply the kept one. */
    int (*out)(const struct option_call *call, int *value);
    /* Options that are not one integer handle everything themselves; `user` is user memory, sizes are not. */
    int (*set)(const struct option_call *call, const void *user, socklen_t size);
    int (*get)(const struct option_call *call, void *user, socklen_t *size);
};

extern const struct option options_socket[], options_stamp[];
extern const unsigned options_socket_count, options_stamp_count;

/* ---- for the tables ---- */

/* .in and .out of what cannot be set or read at all. */
int options_refused(const struct option_call *call, int *value);
/* .after of options that senders must know. */
void options_update_flags(const struct option_call *call, int value);
/* .set and .get of what the real socket answers. */
int options_native_set(const struct option_call *call, const void *user, socklen_t size);
int options_native_get(const struct option_call *call, void *user, socklen_t *size);
/* Gives back as much of a value as there is room for. */
int options_copy_out(const void *value, size_t have, void *user, socklen_t *size);

/* Does the calling thread have this capability in effect? */
enum { OPTIONS_CAP_NET_ADMIN = 12, OPTIONS_CAP_NET_RAW = 13 };
bool options_capable(int capability);
/* From now on it is asked of this thread, of any process, for whom we act. */
void options_ask_for(int thread);

#endif
