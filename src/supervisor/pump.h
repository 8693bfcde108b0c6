/* supervisor/pump.h - moves frames, messages and PDUs from a socket's queue into the pair that its program reads from. */
#ifndef SUPERVISOR_PUMP_H
#define SUPERVISOR_PUMP_H

#include "supervisor/sock.h"

void pump_begin(struct sock *sock);
/* All there is, as far as the pair has room. */
void pump_run(struct sock *sock);
/* Of every socket: before a program learns that it has sent, so that what it sent can be read by then. */
void pump_all(void);
/* Once more what was written past us and had to wait. Returns whether there is any. */
bool pump_retry(void);

void pump_ring_ready(struct watch *watch, uint32_t events);
void pump_pair_ready(struct watch *watch, uint32_t events);

#endif
