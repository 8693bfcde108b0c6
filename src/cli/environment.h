/* cli/environment.h - what a program must have in its environment to be inside an instance. */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLI_PATH_SIZE 4096u

#define ENVIRONMENT_ENTER "pocketcan-enter" /* the shim that brings a program to the supervisor */

/* Absolute paths of our parts: beside the running binary when it was not installed, else where they are
 * installed. Return 0, or -errno after printing one line when the part is missing. */
int environment_library(char path[CLI_PATH_SIZE]);
int environment_shims(char path[CLI_PATH_SIZE]);

/* What LD_PRELOAD is to name: the library, or, where libraries of other architectures lie beside it (tools/build-arch), a path with $LIB, for
 * which each program's dynamic linker puts its own directory. As above. */
int environment_preload(char path[CLI_PATH_SIZE]);
/* Is that what this name, of another list, leads to? */
bool environment_is_preload(const char *path);
/* Is one of them for 32-bit programs of a 64-bit machine? */
bool environment_serves_narrow(void);

/* Puts LD_PRELOAD (unless `preload` is false: then it is taken away), POCKETCAN_DIR, PATH and MODPROBE_OPTIONS for the instance in `dir` into this process's
 * environment; twice is as good as once. Returns 0, or -errno after printing one line. */
int environment_enter(const char *dir, bool preload);

/* Names the supervisor's socket, and the program that brings others to it, in POCKETCAN_DOOR. Returns 0 or -errno. */
int environment_set_door(const char *socket);

/* Takes the library out of LD_PRELOAD again, for programs that are to see the kernel's interfaces. */
void environment_leave(void);

/* The executable file that `name` stands for in PATH and, failing that, in the sbin directories, but never
 * one of our shims. Returns 0, -ENOENT, or -EACCES when only a file that cannot be executed was found. */
int environment_find(const char *name, char path[CLI_PATH_SIZE]);

/* Megabytes of address space that a program with a CAN socket needs, if `ulimit -v` allows less; else 0. */
unsigned environment_lacks_megabytes(void);

#endif
