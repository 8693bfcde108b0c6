/* preload/fds.h - descriptors of this process that are ours: taking them in, copying, letting go. */
#ifndef PRELOAD_FDS_H
#define PRELOAD_FDS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct nlfd;

/* The netlink socket behind an FD_NETLINK entry; NULL when another thread has just closed it. */
struct nlfd *fds_netlink(uint32_t entry);
/* sendmsg(2), recvmsg(2) on it; on the bare descriptor when it was closed meanwhile. Bytes or -errno. */
ssize_t fds_netlink_sendmsg(uint32_t entry, int fd, const struct msghdr *msg, int flags);
ssize_t fds_netlink_recvmsg(uint32_t entry, int fd, struct msghdr *msg, int flags);

/* A fresh NETLINK_ROUTE descriptor: makes it ours if an instance runs. */
void fds_add_netlink(int fd);

/* A descriptor that came from somewhere (exec, SCM_RIGHTS): looks whether it is ours. */
void fds_adopt(int fd);

/* `to` is now a copy of what `entry` stands for (0: foreign); what it was before is closed. */
void fds_copied(int to, uint32_t entry);

/* The last act of a close: `entry` is what fdtab_set(fd, 0) returned before it. */
void fds_closed(uint32_t entry);

/* The process exits: as the kernel would, waits for what its sockets still send. */
void fds_finish(void);

#endif
