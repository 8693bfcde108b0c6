/* cli/door.c - see door.h. */
#include "cli/door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/environment.h"
#include "cli/options.h"
#include "supervisor/enter.h"
#include "supervisor/supervisor.h"

static enum door_choice chosen;
static char socket_path[CLI_PATH_SIZE];

bool door_parse(const char *name, enum door_choice *out)
{
    static const char *const names[] = { "auto", "preload", "supervisor" };

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (!strcmp(name, names[i])) {
            *out = (enum door_choice)i;
            return true;
        }
    fprintf(stderr, "pocketcan: no door is called %s: auto, preload or supervisor\n", name);
    return false;
}

/* In the child: goes through the supervisor's door if the command has to. */
static int go_in(char *const argv[])
{
    const char *why = NULL;

    if (chosen != DOOR_SUPERVISOR && !child_needs_supervisor(argv[0])) return 0;
    if (enter_door(socket_path, &why) == 0) return 0;
    fprintf(stderr, "pocketcan: %s%s cannot have CAN: %s\n", chosen == DOOR_AUTO ? "warning: " : "", argv[0],
            why);
    return chosen == DOOR_SUPERVISOR ? EXIT_CANNOT_RUN : 0;
}

static void start(void)
{
    int error = supervisor_start();
    if (error) fprintf(stderr, "pocketcan: cannot start the supervisor: %s\n", strerror(-error));
}

const struct child_steps *door_open(enum door_choice choice, const char *dir, bool *failed)
{
    static const struct child_steps steps = { go_in, start };
    int error;

    *failed = false;
    unsetenv("POCKETCAN_DOOR");
    if (choice == DOOR_PRELOAD) return NULL;
    error = supervisor_open(dir, socket_path, sizeof(socket_path));
    if (!error) error = environment_set_door(socket_path);
    chosen = choice;
    if (!error) return &steps;
    *failed = choice == DOOR_SUPERVISOR;
    if (*failed) fprintf(stderr, "pocketcan: cannot open the supervisor's door: %s\n", strerror(-error));
    return NULL;
}

void door_close(bool lets_run) { supervisor_finish(lets_run); }
