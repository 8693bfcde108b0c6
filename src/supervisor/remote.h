/* supervisor/remote.h - memory, descriptors and signals of the threads that we serve.
 *
 * All of it needs what ptrace(2) needs: the same user, and where Yama says so, that they descend from us. `tid` is valid only while its call waits for
 * our answer. */
#ifndef SUPERVISOR_REMOTE_H
#define SUPERVISOR_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* All bytes, or false: then a part may have been copied. */
bool remote_read(pid_t tid, void *to, uint64_t from, size_t size);
bool remote_write(pid_t tid, uint64_t to, const void *from, size_t size);
/* The first `size` bytes of what its array of buffers holds: how many of them are there. And into it. */
size_t remote_gather(pid_t tid, void *to, const struct iovec *from, size_t count, size_t size);
bool remote_scatter(pid_t tid, const struct iovec *to, size_t count, const void *from, size_t size);

/* The inode of the socket that is its descriptor; 0: it is none. `told`: remote_closed() is called when it is closed. */
uint64_t remote_socket(pid_t tid, int fd, bool told);
/* How many descriptors of all processes are this socket; 3 stands for more. Looks at every process. */
unsigned remote_holders(uint64_t inode);
/* Descriptors of this process do not count. */
void remote_ignore(pid_t process);
/* Does this process have it? */
bool remote_holds(pid_t tid, uint64_t inode);
/* It is about to be closed, or to become another: this one, or any. */
void remote_closed(pid_t tid, int fd);
void remote_changed(pid_t tid);
/* The lowest number in [first, end) that it does not use, or -1. */
int remote_free_number(pid_t tid, int first, int end);
/* Is FD_CLOEXEC set of its descriptor? */
bool remote_closes_on_exec(pid_t tid, int fd);
/* What the kernel calls its open directory `fd`, or its current one (AT_FDCWD): bytes, not terminated, or -1. */
ssize_t remote_name(pid_t tid, int fd, char *out, size_t size);
/* A descriptor of ours for the same socket, or -errno. */
int remote_borrow(pid_t tid, int fd);
pid_t remote_process(pid_t tid);
/* Its effective user. */
uid_t remote_user(pid_t tid);

/* A signal has come that must run a handler, or stop it, before its call goes on. */
bool remote_is_interrupted(pid_t tid);

/* Forgets what was remembered of threads. */
void remote_forget(void);

#endif
