/* cli/run.c - `pocketcan run`: a command inside an instance.
 *
 * A private instance ends when our end of its life pipe is closed: when the command is over, or when we
 * are killed. We wait until it is gone, so that nothing of it is left when we return. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/door.h"
#include "cli/environment.h"
#include "cli/link.h"
#include "daemon/start.h"

struct run_options {
    bool private;
    struct option_list links;
    const char *door;
};

static const struct cli_option options[] = {
    { "private", 'p', OPTION_FLAG, NULL, offsetof(struct run_options, private),
      "use an instance of its own, which ends with CMD" },
    { "link", 'l', OPTION_LIST, "NAME", offsetof(struct run_options, links),
      "make the vcan interface NAME and raise it first; NAME@BUS: make a can interface on a simulated bus" },
    { "door", 'd', OPTION_TEXT, "DOOR", offsetof(struct run_options, door),
      "how CAN gets into programs: preload (a library), supervisor (static programs, Go), or auto: each as "
      "it needs" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static int run_inside(const struct run_options *run, const struct instance *instance, char *const argv[])
{
    enum door_choice door = DOOR_AUTO;
    const struct child_steps *steps;
    bool failed;
    int status;

    if (run->door && !door_parse(run->door, &door)) return EXIT_USAGE;
    for (unsigned i = 0; i < run->links.count; i++)
        if (link_make(instance->dir, run->links.value[i])) return EXIT_FAILURE;
    if (environment_enter(instance->dir, door != DOOR_SUPERVISOR)) return EXIT_FAILURE;
    steps = door_open(door, instance->dir, &failed);
    if (failed) return EXIT_FAILURE;
    child_warn_unreachable(argv[0], steps);
    status = child_run(argv, run->private, steps);
    door_close(!run->private);
    return status;
}

static int run_main(const struct cli_command *command, int argc, char *argv[])
{
    struct run_options run = { 0 };
    struct instance instance;
    const char *shell = getenv("SHELL");
    char *shell_argv[] = { (char *)(uintptr_t)(shell && shell[0] ? shell : "/bin/sh"), NULL };
    int life_fd = -1, error;

    int rest = options_parse(command, argc, argv, &run);
    if (rest < 0) return -1 - rest;
    unsigned needed = environment_lacks_megabytes();
    if (needed) {
        fprintf(stderr, "pocketcan: CAN needs %u MB of address space, `ulimit -v` allows less\n", needed);
        return EXIT_FAILURE;
    }
    error = run.private ? daemon_start_private(&instance, &life_fd) : instance_locate(&instance);
    if (!error && !run.private) error = daemon_start(&instance, NULL);
    if (error) {
        fprintf(stderr, "pocketcan: %s\n", instance.why);
        return EXIT_FAILURE;
    }
    int status = run_inside(&run, &instance, rest < argc ? argv + rest : shell_argv);
    if (run.private) daemon_end_private(&instance, life_fd);
    return status;
}

const struct cli_command cli_run = {
    .name = "run",
    .synopsis = "[--private] [--link NAME]... [--door DOOR] [--] [CMD ARGS...]",
    .summary = "Runs CMD, or a shell, inside an instance, which is started if needed.",
    .text = "Exits with CMD's status, or with 128 + the signal that ended it; 127 when CMD is not found, 126 "
            "when it\n"
            "cannot be executed.\n",
    .options = options,
    .has_rest = true,
    .run = run_main,
};
