/*
 * Frames at a rate that does not depend on what it costs to send them, so that receivers of different buses can be compared under the
 * same load. Commands on stdin, "COUNT RATE" each: sends so many frames, so many a second, the next one when its time has come by the
 * clock, and answers with the rate that it came to.
 */
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>

void offer_frames(void)
{
    struct can_frame frame = can_example();
    int fd = can_open();
    char line[64];

    can_filter_none(fd);
    while (fgets(line, sizeof(line), stdin)) {
        char *rest;
        unsigned long count = strtoul(line, &rest, 10);
        double gap_ns = 1e9 / strtod(rest, NULL);
        uint64_t start = now_ns();
        for (unsigned long i = 0; i < count; i++) {
            while ((double)(now_ns() - start) < (double)i * gap_ns)
                relax();
            write_each_ns(fd, &frame, sizeof(frame), 1);
        }
        printf("%.0f\n", (double)count * 1e9 / (double)(now_ns() - start));
        fflush(stdout);
    }
}
