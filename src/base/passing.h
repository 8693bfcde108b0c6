/* base/passing.h - a message that takes a descriptor along (SCM_RIGHTS). */
#ifndef BASE_PASSING_H
#define BASE_PASSING_H

#include <stddef.h>
#include <sys/uio.h>

/* Sends the pieces, and a copy of `passed`; no SIGPIPE. Bytes or -errno. One system call: not socketcall(2), nor the preload library's function. */
long passing_send(int fd, const struct iovec *iov, size_t count, int passed);

/* Receives a message; *came: the descriptor that came with it, close-on-exec and the caller's to close, or -1. Bytes or -errno. */
long passing_receive(int fd, void *bytes, size_t size, int *came);

#endif
