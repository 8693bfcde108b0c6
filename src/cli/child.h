/* cli/child.h - running a command and ending as it ends. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdbool.h>

/* Runs argv[0], found in PATH, and waits for it. Signals that are sent to us go on to it; the terminal
 * sends its own to both. `die_with_us`: it gets SIGHUP when we are killed. Prints one line when it cannot
 * be run. Returns its exit status, 128 + signal, or 126/127. */
int child_run(char *const argv[], bool die_with_us);

/* Becomes the program `path`. Returns only when that fails: 126 or 127, after printing one line. */
int child_become(const char *path, char *const argv[]);

/* Says in one line when the preload library cannot get into the program `name`, and what to do. */
void child_warn_unreachable(const char *name);

#endif
