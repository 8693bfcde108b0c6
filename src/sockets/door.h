/* sockets/door.h - what the socket layer asks of the door it is called through. Each door defines these. */
#ifndef SOCKETS_DOOR_H
#define SOCKETS_DOOR_H

/* Blocks until `fd`, one of our sockets, is readable; takes nothing. Obeys O_NONBLOCK, SO_RCVTIMEO, signals and thread
 * cancellation as recv(2) does. Returns 0, -EAGAIN or -EINTR. */
int door_wait(int fd);

/* In the sixth argument register of a system call that has fewer: the preload library made it, and will serve what it opens. To the supervisor, which may be
 * behind the same process, this is none of its business. */
#define DOOR_COOKIE 0x704f636bu

#endif
