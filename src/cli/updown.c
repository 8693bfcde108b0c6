/* cli/updown.c - `pocketcan up` and `pocketcan down`: an instance that lives without a command. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/commands.h"
#include "cli/link.h"
#include "daemon/start.h"

struct up_options {
    struct option_list links;
    bool quiet;
};

static const struct cli_option up_table[] = {
    { "link", 'l', OPTION_LIST, "NAME", offsetof(struct up_options, links),
      "make the vcan interface NAME and raise it" },
    { "quiet", 'q', OPTION_FLAG, NULL, offsetof(struct up_options, quiet), "say nothing but errors" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static const struct cli_option down_table[] = {
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static int fail(const struct instance *instance)
{
    fprintf(stderr, "pocketcan: %s\n", instance->why);
    return EXIT_FAILURE;
}

static int up_main(const struct cli_command *command, int argc, char *argv[])
{
    struct up_options up = { 0 };
    struct instance instance;
    bool started;

    int rest = options_parse(command, argc, argv, &up);
    if (rest < 0) return -1 - rest;
    if (instance_locate(&instance) || daemon_start(&instance, &started)) return fail(&instance);
    for (unsigned i = 0; i < up.links.count; i++)
        if (link_make(instance.dir, up.links.value[i])) return EXIT_FAILURE;
    if (up.quiet) return 0;
    printf("pocketcan: %s in %s\n", started ? "started" : "runs already", instance.dir);
    return 0;
}

/* Nothing to end is no error: `down` is for making sure. */
static int down_main(const struct cli_command *command, int argc, char *argv[])
{
    struct instance instance;

    int rest = options_parse(command, argc, argv, NULL);
    if (rest < 0) return -1 - rest;
    if (instance_locate(&instance)) return fail(&instance);
    int error = instance_enter(&instance, false);
    if (!error) error = daemon_stop(&instance);
    if (error && error != -ENOENT) return fail(&instance);
    printf("pocketcan: %s %s\n", error ? "no instance runs in" : "ended", instance.dir);
    return 0;
}

const struct cli_command cli_up = {
    .name = "up",
    .synopsis = "[--quiet] [--link NAME]...",
    .summary = "Starts the instance, unless it runs already.",
    .options = up_table,
    .run = up_main,
};

const struct cli_command cli_down = {
    .name = "down",
    .synopsis = "",
    .summary = "Ends the instance: its interfaces are gone, open CAN sockets are of no more use.",
    .options = down_table,
    .run = down_main,
};
