/*
 * Bound sockets for somebody else to look at, who wants to know what they cost. Commands on stdin, each answered by the
 * same line when it is done:
 *   N     opens N more sockets
 *   fill  sends as many frames as a socket holds; nobody reads them
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hold_sockets(void)
{
    struct can_frame frame = can_example();
    char line[32];

    while (fgets(line, sizeof(line), stdin)) {
        if (!strcmp(line, "fill\n"))
            write_each_ns(can_open(), &frame, sizeof(frame), DEPTH_WANTED);
        else
            for (unsigned long i = strtoul(line, NULL, 10); i > 0; i--)
                (void)can_open();
        fputs(line, stdout);
        fflush(stdout);
    }
}
