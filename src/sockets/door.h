/* sockets/door.h - what the socket layer asks of the door it is called through. Each door defines these. */
#ifndef SOCKETS_DOOR_H
#define SOCKETS_DOOR_H

/* Blocks until `fd`, one of our sockets, is readable; takes nothing. Obeys O_NONBLOCK, SO_RCVTIMEO, signals and thread
 * cancellation as recv(2) does. Returns 0, -EAGAIN or -EINTR. */
int door_wait(int fd);

#endif
