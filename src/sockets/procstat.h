/* sockets/procstat.h - what stat(2) and statx(2) write, of what procfs_stat() says. A header, because struct stat is the door's: libc's or the kernel's. */
#ifndef SOCKETS_PROCSTAT_H
#define SOCKETS_PROCSTAT_H

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/clock.h"
#include "sockets/procfs.h"

#define PROCSTAT_SECOND_NS 1000000000u

/* struct stat, struct stat64 and struct stat_wide have the same members. */
#define PROCSTAT_FILL(to, about)                                                                             \
    do {                                                                                                     \
        uint64_t now = clock_real_ns();                                                                      \
                                                                                                             \
        memset(to, 0, sizeof(*(to)));                                                                        \
        (to)->st_dev = makedev((about).device_major, (about).device_minor);                                  \
        (to)->st_ino = (ino_t)(about).inode;                                                                 \
        (to)->st_mode = (about).mode;                                                                        \
        (to)->st_nlink = (about).links;                                                                      \
        (to)->st_size = (off_t)(about).size;                                                                 \
        (to)->st_blksize = 4096;                                                                             \
        (to)->st_atim.tv_sec = (to)->st_mtim.tv_sec = (to)->st_ctim.tv_sec =                                 \
            (time_t)(now / PROCSTAT_SECOND_NS);                                                              \
        (to)->st_atim.tv_nsec = (to)->st_mtim.tv_nsec = (to)->st_ctim.tv_nsec =                              \
            (long)(now % PROCSTAT_SECOND_NS);                                                                \
    } while (0)

static inline void procstat_fill_statx(struct statx *out, const struct procfs_stat *about)
{
    struct stat plain;

    PROCSTAT_FILL(&plain, *about);
    memset(out, 0, sizeof(*out));
    out->stx_mask = STATX_BASIC_STATS;
    out->stx_mode = (uint16_t)about->mode;
    out->stx_nlink = about->links;
    out->stx_ino = about->inode;
    out->stx_size = about->size;
    out->stx_blksize = 4096;
    out->stx_dev_major = about->device_major;
    out->stx_dev_minor = about->device_minor;
    out->stx_mtime.tv_sec = plain.st_mtim.tv_sec;
    out->stx_mtime.tv_nsec = (uint32_t)plain.st_mtim.tv_nsec;
    out->stx_atime = out->stx_ctime = out->stx_mtime;
}

#endif
