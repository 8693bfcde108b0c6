#include <stdio.h>
#include "cli/commands.h"
static const struct cli_option options[] = { { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
                                             { NULL } };
static int main_(const struct cli_command *command, int argc, char *argv[])
{
    (void)command, (void)argc, (void)argv;
    return 1;
}
const struct cli_command cli_doctor = {
    .name = "doctor", .synopsis = "", .summary = "", .options = options, .run = main_
};
