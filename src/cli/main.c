/* cli/main.c - one program under several names: the command `pocketcan`, its daemon, the shims that
 * stand for modprobe and sudo inside an instance, and Wireshark's plug-in (symbolic links to this program). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/commands.h"
#include "cli/environment.h"
#include "daemon/supervisor.h"

static const struct {
    const char *name;
    int (*run)(int argc, char *argv[]);
} shims[] = { { "modprobe", shim_modprobe },
              { "sudo", shim_sudo },
              { "pocketcan-extcap", shim_extcap },
              { ENVIRONMENT_ENTER, shim_enter } };

/* Other spellings of commands. */
static const char *const aliases[][2] = {
    { "--help", "help" }, { "-h", "help" }, { "--version", "version" }, { "-V", "version" }
};

int main(int argc, char *argv[])
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *own_name = slash ? slash + 1 : argc > 0 ? argv[0] : "pocketcan";

    for (unsigned i = 0; i < sizeof(shims) / sizeof(shims[0]); i++)
        if (!strcmp(own_name, shims[i].name)) return shims[i].run(argc, argv);
    if (argc < 2) {
        fprintf(stderr, "pocketcan: what to do? See `pocketcan help`\n");
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "daemon")) return supervisor_main(argc - 1, argv + 1);
    const char *name = argv[1];
    for (unsigned i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
        if (!strcmp(name, aliases[i][0])) name = aliases[i][1];
    const struct cli_command *command = cli_find_command(name);
    if (!command) {
        fprintf(stderr, "pocketcan: no command is called %s: see `pocketcan help`\n", argv[1]);
        return EXIT_USAGE;
    }
    int status = command->run(command, argc - 1, argv + 1);
    if (fflush(stdout) == EOF || ferror(stdout)) {
        perror("pocketcan: standard output");
        return EXIT_FAILURE;
    }
    return status;
}
