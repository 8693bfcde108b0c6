/* sockets/nap.h - waits of steps, for what nobody wakes up for: as one call of the kernel's, to signals. */
#ifndef SOCKETS_NAP_H
#define SOCKETS_NAP_H

#include <stdbool.h>
#include <stdint.h>

/* Around all of a wait: no signal comes but in nap_take(). Returns the mask that was, for the others. */
uint64_t nap_begin(void);
void nap_end(uint64_t mask);

/* Sleeps; then those signals come that `mask` lets come. 0, or -EINTR: they end the wait. `restarts`: not those with SA_RESTART, because the wait has no limit. */
int nap_take(uint64_t ns, uint64_t mask, bool restarts);

/* SO_SNDTIMEO or SO_RCVTIMEO, which are the real socket's; 0: none. */
uint64_t nap_limit_ns(int fd, int option);

#endif
