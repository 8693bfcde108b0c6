/* cli/door.h - which door the command of `pocketcan run` comes through. */
#ifndef CLI_DOOR_H
#define CLI_DOOR_H

#include <stdbool.h>
#include "cli/child.h"

enum door_choice { DOOR_AUTO, DOOR_PRELOAD, DOOR_SUPERVISOR };

/* From the option's value: false when there is no such door, after printing one line. */
bool door_parse(const char *name, enum door_choice *out);

/* Opens the supervisor's door of the instance in `dir` unless the choice is without; the environment is set. Returns the steps for child_run(), or NULL when there are none.
 * *failed: it was asked for, and cannot be had; one line was printed. */
const struct child_steps *door_open(enum door_choice choice, const char *dir, bool *failed);

/* The command is over. `lets_run`: what it left behind goes on. */
void door_close(bool lets_run);

#endif
