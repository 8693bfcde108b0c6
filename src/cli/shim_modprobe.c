/* cli/shim_modprobe.c - `modprobe` inside an instance: the CAN modules are always there.
 *
 * When every module that is named is a CAN module, there is nothing to do and that succeeds. Anything else
 * is for the real modprobe, with the arguments untouched: its own MODPROBE_OPTIONS make the CAN modules
 * among them succeed there too. */
#include "cli/commands.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "cli/child.h"
#include "cli/environment.h"
#include "daemon/instance.h"

/* modprobe's options as kmod has them; only what they take matters here. */
static const char letters[] = "+:ariRDcnvsqVfC:d:S:h";
static const struct option longs[] = {
    { "all", 0, NULL, 'a' },
    { "remove", 0, NULL, 'r' },
    { "remove-dependencies", 0, NULL, 'n' },
    { "wait", 1, NULL, 'w' },
    { "resolve-alias", 0, NULL, 'R' },
    { "first-time", 0, NULL, 'n' },
    { "ignore-install", 0, NULL, 'i' },
    { "ignore-remove", 0, NULL, 'i' },
    { "use-blacklist", 0, NULL, 'n' },
    { "force", 0, NULL, 'n' },
    { "force-modversion", 0, NULL, 'n' },
    { "force-vermagic", 0, NULL, 'n' },
    { "show-depends", 0, NULL, 'D' },
    { "showconfig", 0, NULL, 'c' },
    { "show-config", 0, NULL, 'c' },
    { "show-modversions", 0, NULL, 'c' },
    { "dry-run", 0, NULL, 'n' },
    { "show", 0, NULL, 'n' },
    { "config", 1, NULL, 'C' },
    { "dirname", 1, NULL, 'd' },
    { "set-version", 1, NULL, 'S' },
    { "syslog", 0, NULL, 's' },
    { "quiet", 0, NULL, 'q' },
    { "verbose", 0, NULL, 'v' },
    { "version", 0, NULL, 'V' },
    { "help", 0, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static bool is_can_module(const char *name)
{
    char plain[32];
    size_t size = strlen(name);

    if (size >= sizeof(plain)) return false;
    for (size_t i = 0; i <= size; i++)
        plain[i] = name[i] == '-' ? '_' : name[i];
    for (unsigned i = 0; instance_modules[i]; i++)
        if (!strcmp(plain, instance_modules[i])) return true;
    return false;
}

/* Is this call about CAN modules only? Without -a and -r what follows the first name are parameters of the
 * module. */
static bool is_ours(int argc, char *argv[])
{
    bool several = false;
    int found;

    opterr = 0;
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1)
        if (found == 'a' || found == 'r')
            several = true;
        else if (strchr("?:VhcRD", found)) /* an error, or a question for the real one */
            return false;
    if (optind >= argc) return false;
    for (int i = optind; i < argc; i++) {
        if (!is_can_module(argv[i])) return false;
        if (!several) break;
    }
    return true;
}

int shim_modprobe(int argc, char *argv[])
{
    char path[CLI_PATH_SIZE];

    if (is_ours(argc, argv)) return 0;
    if (environment_find("modprobe", path) == 0) return child_become(path, argv);
    fprintf(stderr, "modprobe: command not found\n");
    return EXIT_NOT_FOUND;
}
