/* sockets/options.h - socket options of CAN_RAW sockets: the tables are in options.c. */
#ifndef SOCKETS_OPTIONS_H
#define SOCKETS_OPTIONS_H

#include <stdbool.h>

enum { OPTIONS_CAP_NET_ADMIN = 12, OPTIONS_CAP_NET_RAW = 13 };

/* Does the calling thread have this capability in effect? */
bool options_capable(int capability);

#endif
