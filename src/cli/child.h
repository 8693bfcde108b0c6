/* cli/child.h - running a command and ending as it ends. */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <stdbool.h>

/* What else is to be done around a child's start; may be NULL. */
struct child_steps {
    int (*in_child)(char *const argv[]); /* before it is executed: 0, or the exit status */
    void (*in_parent)(void);
};

/* Runs argv[0], found in PATH, and waits for it. Signals that are sent to us go on to it; the terminal
 * sends its own to both. `die_with_us`: it gets SIGHUP when we are killed. Prints one line when it cannot
 * be run. Returns its exit status, 128 + signal, or 126/127. */
int child_run(char *const argv[], bool die_with_us, const struct child_steps *steps);

/* Becomes the program `path`. Returns only when that fails: 126 or 127, after printing one line. */
int child_become(const char *path, char *const argv[]);

/* Is the program `name` one that only the supervisor can serve? */
bool child_needs_supervisor(const char *name);

/* Says in one line when the program `name` cannot be reached: by the preload library, or also not by the supervisor if there is one. */
void child_warn_unreachable(const char *name, bool supervised);

#endif
