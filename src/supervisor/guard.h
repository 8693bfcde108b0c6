/* supervisor/guard.h - a process that tells programs when the supervisor is killed. */
#ifndef SUPERVISOR_GUARD_H
#define SUPERVISOR_GUARD_H

/* Before there are sockets; does nothing when there is one. Without it all goes on as well, until we are killed. */
void guard_start(void);
/* It is not needed any more: nobody is left, or another process goes on for us. */
void guard_end(void);

#endif
