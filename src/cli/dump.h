/* cli/dump.h - capturing into a file. */
#ifndef CLI_DUMP_H
#define CLI_DUMP_H

#include <stdbool.h>
#include <stdint.h>

struct dump_plan {
    const char *dir;          /* of the instance; NULL: as the environment says */
    const char *file;         /* "-": standard output */
    const char *const *words; /* interfaces with filters, as capture_open() takes them */
    unsigned words_count;
    uint64_t count;   /* frames; 0: without end */
    uint64_t span_ns; /* how long; 0: without end */
    bool quiet;       /* says only what went wrong */
};

/* Captures until it is told to end, or there is nothing more to come. Returns the exit status; says what is wrong. */
int dump_run(const struct dump_plan *plan);

#endif
