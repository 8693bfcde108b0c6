/* preload/packets.h - sending on sockets of the kernel's, of which some are packet sockets. As libc's functions: -1 and errno. */
#ifndef PRELOAD_PACKETS_H
#define PRELOAD_PACKETS_H

#include <sys/socket.h>
#include <sys/types.h>

ssize_t packets_sendto(int fd, const void *buf, size_t size, int flags, const struct sockaddr *name,
                       socklen_t name_size);
ssize_t packets_sendmsg(int fd, const struct msghdr *msg, int flags);

#endif
