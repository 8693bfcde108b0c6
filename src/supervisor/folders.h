/* supervisor/folders.h - directories of /proc and /sys as programs of this door get them: real ones, full stand-ins (sockets/procdir.h).
 *
 * getdents(2) on one is the kernel's business. It is brought up to date whenever somebody opens it, is shared by all who have it open, and goes with the
 * instance. What is in it has names and types; what begins there comes to us, by the number of the descriptor. */
#ifndef SUPERVISOR_FOLDERS_H
#define SUPERVISOR_FOLDERS_H

/* Opens the stand-in for the directory that we call `path`. kernels: where the kernel has it, too; NULL: it has not. A descriptor or -errno. */
int folder_open(const char *path, const char *kernels, int flags);

#endif
