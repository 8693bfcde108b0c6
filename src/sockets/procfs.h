/* sockets/procfs.h - files that Linux has in /proc and /sys for CAN, as the doors hand them out.
 *
 * The daemon knows what is in them (daemon/show.h). A program that opens one gets a sealed memfd that holds the text of this moment: reading, seeking, mapping, duplicating
 * and handing it on are the kernel's business, and there is no state here. */
#ifndef SOCKETS_PROCFS_H
#define SOCKETS_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/atomics.h"
#include "sockets/usermem.h"

#define PROCFS_PATH 128

/* False for nearly every path: a look at its first bytes. `path` is a program's; what points nowhere is left to the kernel. A relative path may be
 * ours, too: the kernel says ENOENT to most of those, and then whoever asked it asks here; the others are few and known. */
static inline bool procfs_may_be(const char *path)
{
    return unlikely(usermem_ok(path, 4, USERMEM_READ) &&
                    (path[0] == '/' ? (path[1] == 'p' && path[2] == 'r' && path[3] == 'o') ||
                                          (path[1] == 's' && path[2] == 'y' && path[3] == 's')
                     : path[0] == 'd' ? path[1] == 'e' && path[2] == 'v' && !path[3]
                     : path[0] == 'm'
                         ? path[1] == 'o' && path[2] == 'd' && path[3] == 'u'
                         : path[0] == 'n' && path[1] == 'e' && path[2] == 't' && path[3] == '/'));
}

/* Everywhere below `dir` is where a relative path begins: an open directory, or AT_FDCWD. */

/* open(2): a descriptor, or -errno: -EACCES to write. PROCFS_FOREIGN: it is the kernel's, or nobody's. */
#define PROCFS_FOREIGN (-4096)
int procfs_open(int dir, const char *path, int flags);

/* readlink(2): bytes; -EINVAL: it is no link; PROCFS_FOREIGN. */
long procfs_readlink(int dir, const char *path, char *out, size_t size);

/* The names in a directory, a line each; path "": in `dir` itself. 0, or PROCFS_FOREIGN. */
struct procfs_names {
    const char *text;
    size_t size;
    void *memory;
    char path[PROCFS_PATH]; /* what the kernel calls the directory, if it has it */
};
int procfs_list(int dir, const char *path, struct procfs_names *out);
void procfs_unlist(struct procfs_names *names);

/* access(2): 0, -EACCES, PROCFS_FOREIGN. */
int procfs_access(int dir, const char *path, int mode);

/* What stat(2) says. */
struct procfs_stat {
    uint32_t mode, links;
    uint32_t device_major, device_minor;
    uint64_t inode, size;
};
/* 0, or PROCFS_FOREIGN. `follow`: not of the link itself. */
int procfs_stat(int dir, const char *path, bool follow, struct procfs_stat *out);
/* The same, but that a directory's device and number are not those of a stand-in; and what the path is called, of all names that it has. */
int procfs_look(int dir, const char *path, bool follow, struct procfs_stat *out,
                char canonical_path[PROCFS_PATH]);

#endif
