/* supervisor/call.h - one system call of a program that waits for our answer. */
#ifndef SUPERVISOR_CALL_H
#define SUPERVISOR_CALL_H

#include <linux/seccomp.h>
#include "supervisor/filter.h"
#include "supervisor/job.h"
#include "supervisor/sock.h"

#define CALL_BYTES SOCK_PACKET_MAX /* of data that one call moves through us */

/* What a handler returns besides a result or -errno. */
enum {
    CALL_CONTINUE = -100000, /* the kernel answers */
    CALL_HOLD,               /* there is no answer yet: ask again later */
    CALL_ANSWERED            /* done already */
};

struct call {
    struct seccomp_notif notif;
    int listener;
    struct filter_range range;
    bool narrow;       /* its program has 32-bit words, and ours have 64 (layout.h) */
    bool long_time;    /* of its times, the seconds are 64 bits */
    struct sock *sock; /* what call_sock() found */
    /* Of a call that is held: */
    bool asked_limit;
    struct job *job;               /* sends for it */
    bool is_last;                  /* of close(2): nobody else has the socket */
    uint64_t limit_ns;             /* CLOCK_MONOTONIC: when it gives up; 0: never */
    uint64_t receives_from;        /* the inode of its socket, if it waits for something to come there ... */
    uint32_t seen;                 /* ... and `moved` of that, when it was tried */
    uint32_t done;                 /* messages of sendmmsg(2) and recvmmsg(2) */
    uint64_t start_ns, timeout_ns; /* of recvmmsg(2): timeout + 1 */
};

static inline pid_t call_tid(const struct call *call) { return (pid_t)call->notif.pid; }
static inline uint64_t call_arg(const struct call *call, unsigned index)
{
    return call->notif.data.args[index];
}
static inline int call_fd(const struct call *call) { return (int)call_arg(call, 0); }

/* The answer to the call, by number. */
long call_run(struct call *call);

/* A handler of one system call, or -1. */
typedef long call_handler(struct call *call);

/* data.c */
call_handler data_read, data_readv, data_write, data_writev, data_pwritev2, data_sendto, data_sendmsg,
    data_sendmmsg, data_recvfrom, data_recvmsg, data_recvmmsg;
/* control.c */
call_handler control_socket, control_socketpair, control_bind, control_connect, control_getsockname,
    control_getpeername, control_listen, control_accept, control_accept4, control_shutdown,
    control_getsockopt, control_setsockopt, control_ioctl, control_dup, control_dup_to, control_close,
    control_exit, control_change, control_fcntl;
/* Puts `fd`, the program's end of a socket, among its descriptors: where sockets of its kind are, or as `in_place` (else -1). The number, or -errno:
 * then the socket has ended. */
long control_hand_over(struct call *call, struct sock *sock, int fd, int type, int in_place);
/* The program `tid` has its end of a socket as `number`: `fd`, a copy, is kept if need be, or closed. */
void control_settle_end(struct sock *sock, int fd, pid_t tid, int number);
/* packets.c */
long packets_socket(struct call *call);
/* bind(2) of a socket that is none of ours: ours in the place of the kernel's, or NULL. */
struct sock *packets_bind(struct call *call);
long packets_setsockopt(struct call *call);
/* Sends on a packet socket of the kernel's, if the interface is ours. */
long packets_send(struct call *call, uint64_t from, size_t size, uint64_t to, uint32_t to_size);
long packets_sendmsg(struct call *call);
/* Options that packet sockets have, and not behind this door. */
bool packets_lacks(int option);
/* netlink.c: calls on descriptors of [netlink, end), from the same numbers */
call_handler netlink_read, netlink_readv, netlink_write, netlink_writev, netlink_sendto, netlink_sendmsg,
    netlink_recvfrom, netlink_recvmsg, netlink_bind, netlink_setsockopt;
long netlink_socket(struct call *call);
/* files.c: calls that take a path; a copy of a descriptor of [folders, first), with such a number */
call_handler files_call, files_chdir, files_getcwd;
long files_dup(struct call *call, bool close_on_exec);
static inline bool call_is_folder(const struct call *call)
{
    return call_fd(call) >= call->range.folders && call_fd(call) < call->range.first;
}
static inline bool call_is_netlink(const struct call *call)
{
    return call_fd(call) >= call->range.netlink && call_fd(call) < call->range.end;
}

/* ---- for the handlers ---- */

/* ioctl(2) of the call's listener; the signals that end listeners' threads do not interrupt it. */
int call_tell(const struct call *call, unsigned long request, void *argument);
/* The inode of its first argument; 0: that is no socket. */
uint64_t call_socket(const struct call *call);
/* The socket that its first argument is, or NULL. */
struct sock *call_sock(struct call *call);
/* The program's end, as ours: give it back. -errno. */
int call_borrow(const struct call *call, struct sock *sock);
void call_give_back(const struct sock *sock, int fd);
/* Puts `fd` among its descriptors in [first, end), or the lowest that is free (first < 0); the number or -errno. */
long call_install(struct call *call, int fd, int first, int end, bool close_on_exec);

/* The same in the place of a descriptor. */
long call_replace(struct call *call, int fd, int number, bool close_on_exec);

/* It cannot be answered at once: what O_NONBLOCK, MSG_DONTWAIT and the time-out (SO_RCVTIMEO, SO_SNDTIMEO) of its descriptor `fd` of ours say. Returns
 * CALL_HOLD or -EAGAIN. */
long call_wait(struct call *call, int fd, int flags, int timeout_option);

/* Copies an argument: returns `to`, or a pointer at which there is nothing, when it is not there. */
const void *call_copy(const struct call *call, void *to, uint64_t from, size_t size);

#endif
