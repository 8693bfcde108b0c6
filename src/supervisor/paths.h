/* supervisor/paths.h - the paths that programs pass to system calls: which may be ours. */
#ifndef SUPERVISOR_PATHS_H
#define SUPERVISOR_PATHS_H

#include "sockets/procdir.h"
#include "supervisor/call.h"

struct path {
    char whole[PROCDIR_PATH]; /* absolute, without "." and "..", without a '/' at the end */
    bool follows;             /* it ends with one of these, so a link at its end is followed */
    bool moved;               /* it begins at a stand-in, where the kernel would find nothing */
    bool is_empty;            /* it is that stand-in */
};

/* The path at `from` (0: an empty one), which begins at the program's open directory `dir` (AT_FDCWD: the current one). False: it is the kernel's, as
 * nearly all are. */
bool path_find(const struct call *call, int dir, uint64_t from, struct path *out);

/* Is it a directory of the kernel's on the way to one that has something of ours? */
bool path_is_way(const char *path);

/* Somebody's current directory is about to be another. */
void path_changed(void);

#endif
