/* supervisor/job.h - a send that waits in the funnel: a PDU whose end the program wants to see (CAN_ISOTP_WAIT_TX_DONE). It has a thread of its own. */
#ifndef SUPERVISOR_JOB_H
#define SUPERVISOR_JOB_H

#include "supervisor/sock.h"

struct job;

/* Copies the message, which lies in our own memory, and sends it. NULL: it cannot. */
struct job *job_start(const struct sock *sock, const struct raw_send *message, int flags);
/* Threads do not survive fork(2): before it none may start, and job_count() has to come to 0. */
void job_allow(bool allowed);
bool job_is_allowed(void);
unsigned job_count(void);
/* Is it over? Then *result is what it came to, and the job is no more. */
bool job_is_over(struct job *job, ssize_t *result);
/* A signal came for the program, or the program is gone: ends the wait. Returns what it came to; the job is no more. */
ssize_t job_end(struct job *job);

#endif
