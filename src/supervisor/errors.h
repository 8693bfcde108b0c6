/* supervisor/errors.h - makes the program's end of a pair show the pending error and the error queue of its socket. */
#ifndef SUPERVISOR_ERRORS_H
#define SUPERVISOR_ERRORS_H

#include "supervisor/sock.h"

/* Something happened: shows what is new. */
void errors_show(struct sock *sock);

/* Around a call that may tell of them: `program_fd` is a borrowed copy of the program's end. Before: what the program has not been told yet is the
 * socket's again. After: what the call did not tell goes on to be shown. */
static inline bool errors_shown(const struct sock *sock)
{
    return sock->error || sock->brought || sock->shows_queue;
}
void errors_bring(struct sock *sock, int program_fd);
void errors_take_back(struct sock *sock, int program_fd);

/* A read of ours has taken the shown error from the program's end: which it stood for; 0: none. */
uint32_t errors_told(struct sock *sock);

#endif
