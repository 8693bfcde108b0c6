/* cli/help.c - `pocketcan help` and `pocketcan version`, from the tables of the commands. */
#include <stdio.h>
#include <stdlib.h>
#include "cli/commands.h"
#include "config.h"

static const struct cli_option options[] = {
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static void print_overview(void)
{
    printf("Usage: pocketcan COMMAND [OPTIONS]\n"
           "SocketCAN without a kernel that has it: CAN interfaces for unmodified programs.\n\nCommands:\n");
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        printf("  %-9s %s\n", (*command)->name, (*command)->summary);
    printf(
        "\nOptions:\n  -h, --help     the same as `pocketcan help`\n  -V, --version  the same as "
        "`pocketcan version`\n\n"
        "The instance is the directory $POCKETCAN_DIR, by default the system-wide one (`pocketcan install`), "
        "$XDG_RUNTIME_DIR/pocketcan or\n/tmp/pocketcan-UID.\n"
        "For example: pocketcan run --private --link vcan0 sh -c 'candump -n 1 vcan0 & sleep 1; cansend "
        "vcan0 123#1122; wait'\n");
}

static int help_main(const struct cli_command *command, int argc, char *argv[])
{
    int rest = options_parse(command, argc, argv, NULL);
    if (rest < 0) return -1 - rest;
    if (rest == argc) {
        print_overview();
        return 0;
    }
    const struct cli_command *about = cli_find_command(argv[rest]);
    if (!about) {
        fprintf(stderr, "pocketcan: help: no command is called %s: see `pocketcan help`\n", argv[rest]);
        return EXIT_USAGE;
    }
    options_print_help(about);
    return 0;
}

static int version_main(const struct cli_command *command, int argc, char *argv[])
{
    int rest = options_parse(command, argc, argv, NULL);
    if (rest < 0) return -1 - rest;
    printf("pocketcan %s\n", POCKETCAN_VERSION);
    return 0;
}

const struct cli_command cli_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "Shows what there is, or the help of one command.",
    .options = options,
    .has_rest = true,
    .run = help_main,
};

const struct cli_command cli_version = {
    .name = "version",
    .synopsis = "",
    .summary = "Shows the version.",
    .options = options,
    .run = version_main,
};
