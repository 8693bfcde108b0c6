/* sockets/door.h - what the socket layer asks of the door it is called through. Each door defines these. */
#ifndef SOCKETS_DOOR_H
#define SOCKETS_DOOR_H

#include "base/sys.h"

/* Blocks until `fd`, one of our sockets, is readable; takes nothing. Obeys O_NONBLOCK, SO_RCVTIMEO, signals and thread
 * cancellation as recv(2) does. Returns 0, -EAGAIN or -EINTR. */
int door_wait(int fd);

/* In the sixth argument register of a system call that has fewer: the preload library made it, and will serve what it opens. To the supervisor, which may be
 * behind the same process, this is none of its business. */
#define DOOR_COOKIE 0x704f636bu

/* A system call of up to four arguments that is none of its business. */
#define door_past(nr, a, b, c, d) sys_call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, DOOR_COOKIE)

#endif
