/* cli/commands.h - every subcommand, and the shims. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

extern const struct cli_command cli_run, cli_up, cli_down, cli_status, cli_doctor, cli_help, cli_version,
    cli_bus, cli_link, cli_fault, cli_dump, cli_extcap, cli_mirror, cli_install;

/* Our stand-ins for other programs, called by that name. Return the exit status. */
int shim_modprobe(int argc, char *argv[]);
int shim_enter(int argc, char *argv[]);
int shim_sudo(int argc, char *argv[]);
int shim_extcap(int argc, char *argv[]);

#endif
