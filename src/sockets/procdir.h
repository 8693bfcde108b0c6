/* sockets/procdir.h - directories of /proc and /sys that are open, or current: where a relative path leads, and stand-ins for those that the kernel has not.
 *
 * A stand-in is an empty directory below the instance's, whose name says which one it is: DIR/d/:sys:class:net:vcan0. So its descriptor, being the kernel's,
 * may be duplicated, inherited, passed, and made the current directory; there is no state here. */
#ifndef SOCKETS_PROCDIR_H
#define SOCKETS_PROCDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCDIR_PATH 256u

/* The absolute path of `path` when one begins at the open directory `dir` (AT_FDCWD: the current one), without "." and "..". -ENOENT: it is nothing in
 * /proc or /sys, or too long to be ours. `path` may be "". */
int procdir_resolve(int dir, const char *path, char out[PROCDIR_PATH]);

/* Opens the stand-in for the canonical path (procfs.c) of a directory. A descriptor, or -errno. */
int procdir_open(const char *path, int flags);

/* What stat(2) says of the stand-in: 0 or -errno. */
struct procdir_identity {
    uint32_t device_major, device_minor;
    uint64_t inode;
};
int procdir_identify(const char *path, struct procdir_identity *out);

/* `path`, of `size` bytes, is what the kernel calls the current directory: if that is a stand-in, puts the name of what it stands for there. Returns whether. */
bool procdir_translate(char *path, size_t size);

#endif
