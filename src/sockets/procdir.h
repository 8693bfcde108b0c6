/* sockets/procdir.h - directories of /proc and /sys that are open, or current: where a relative path leads, and stand-ins for those that the kernel has not.
 *
 * A stand-in is an empty directory below the instance's, whose name says which one it is: DIR/d/:sys:class:net:vcan0. So its descriptor, being the kernel's,
 * may be duplicated, inherited, passed, and made the current directory; there is no state here.
 *
 * The supervisor's are full: DIR/d/=:sys:class:net:vcan0 holds entries of the names and types that are to be seen (supervisor/folders.h), also of
 * directories that the kernel has, too. */
#ifndef SOCKETS_PROCDIR_H
#define SOCKETS_PROCDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCDIR_PATH 256u
#define PROCDIR_NAME (PROCDIR_PATH + 100) /* of a stand-in */

/* The absolute path of `path` when one begins at the open directory `dir` (AT_FDCWD: the current one), without "." and "..". -ENOENT: it is nothing in
 * /proc or /sys, or too long to be ours. `path` may be "". */
int procdir_resolve(int dir, const char *path, char out[PROCDIR_PATH]);

/* The same of a directory that the kernel calls name[0..size), which becomes the name of what it stands for. */
int procdir_join(char name[PROCDIR_NAME], size_t size, const char *path, char out[PROCDIR_PATH]);

/* The name of the full stand-in. False: too long. */
bool procdir_full_name(const char *path, char out[PROCDIR_NAME]);
/* Is the open directory one? Then nothing is to be added to what it has. */
bool procdir_is_full(int dir);

/* Opens the stand-in for the canonical path (procfs.c) of a directory. A descriptor, or -errno. */
int procdir_open(const char *path, int flags);

/* What stat(2) says of the stand-in: 0 or -errno. */
struct procdir_identity {
    uint32_t device_major, device_minor;
    uint64_t inode;
};
int procdir_identify(const char *path, struct procdir_identity *out);

/* `path`, of `size` bytes, is what the kernel calls the current directory: if that is a stand-in, of either kind, puts the name of what it stands for there. Returns whether. */
bool procdir_translate(char *path, size_t size);

#endif
