/* cli/commands.c - the table of subcommands, in the order of the help. */
#include "cli/commands.h"

const struct cli_command *const cli_commands[] = { &cli_run,    &cli_up,      &cli_down,   &cli_status,
                                                   &cli_bus,    &cli_link,    &cli_fault,  &cli_dump,
                                                   &cli_extcap, &cli_mirror,  &cli_doctor, &cli_install,
                                                   &cli_help,   &cli_version, NULL };
