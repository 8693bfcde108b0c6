/* supervisor/pump.h - moves frames, messages and PDUs from a socket's queue into the pair that its program reads from. */
#ifndef SUPERVISOR_PUMP_H
#define SUPERVISOR_PUMP_H

#include "supervisor/sock.h"

void pump_begin(struct sock *sock);
/* All there is, as far as the pair has room. */
void pump_run(struct sock *sock);
/* Sends what was written past us until now. */
void pump_pass_on(struct sock *sock);
/* Of every socket: before a program has its answer, so that what happened until then can be seen, and what it sent can be read. */
void pump_all(void);
/* One cannot write to it now, and poll(2) does not say so yet: pump_block() makes it, with a borrowed copy of the program's end. It ends by itself. */
bool pump_wants_block(const struct sock *sock);
void pump_block(struct sock *sock, int program_fd);
/* Looks after what waits: sockets that one cannot write to, and what was written past us. Returns whether there is any. */
bool pump_retry(void);
bool pump_waits(void);

void pump_ring_ready(struct watch *watch, uint32_t events);
void pump_pair_ready(struct watch *watch, uint32_t events);

#endif
