/* preload/walks.h - whose walks through directories are ours. */
#ifndef PRELOAD_WALKS_H
#define PRELOAD_WALKS_H

#include <stdbool.h>

/* Does the path, relative to `dir`, begin in /proc or /sys? Not in /projects: what is not ours is libc's to walk. */
bool walks_are_near(int dir, const char *path);

#endif
