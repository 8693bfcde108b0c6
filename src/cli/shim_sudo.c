/* cli/shim_sudo.c - `sudo` inside an instance: the command stays inside.
 *
 * The real sudo drops LD_PRELOAD and most of the environment. It takes VAR=value before the command,
 * though, and there we name what makes a process a member of the instance. When there is no sudo, or we
 * are root already, the command is run as it is.
 *
 * sudo may refuse: its policy forbids to set variables (NOSETENV, or a rule for single commands), it wants a
 * password and there is no terminal, it cannot become root in this container. Then it has run nothing; we say
 * why, and commands that need no root inside an instance are run without it. That it did refuse is found out
 * by asking again for `true`, because the exit status 1 alone may be the command's own. */
#include "cli/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/child.h"
#include "cli/environment.h"
#include "cli/sudo_policy.h"

#define VARIABLES_MAX 4

static const char *const variables[VARIABLES_MAX] = { "LD_PRELOAD", "POCKETCAN_DIR", "MODPROBE_OPTIONS",
                                                      "PATH" };

/* What has all it needs inside an instance: interfaces and sockets are the user's own. */
static const char *const need_no_root[] = {
    "modprobe",    "ip",           "ifconfig",    "candump",    "cansend",   "cangen",
    "canplayer",   "cansniffer",   "cansequence", "canbusload", "canfdtest", "cangw",
    "slcand",      "slcan_attach", "bcmserver",   "isotpdump",  "isotprecv", "isotpsend",
    "isotpserver", "isotpsniffer", "isotptun",    "isotpperf",  "j1939cat",  "j1939acd",
    "j1939spy",    "j1939sr",      "testj1939",   "log2asc",    "asc2log",   "log2long",
};

/* sudo's options as far as their shape goes. */
static const char letters[] = "+:Aa:bBC:c:D:Eeg:Hh::iKklNnPp:R:r:SsT:t:U:u:Vv";
enum { LONG_HOST = 256 };
static const struct option longs[] = {
    { "askpass", 0, NULL, 'A' },
    { "auth-type", 1, NULL, 'a' },
    { "background", 0, NULL, 'b' },
    { "bell", 0, NULL, 'B' },
    { "close-from", 1, NULL, 'C' },
    { "login-class", 1, NULL, 'c' },
    { "chdir", 1, NULL, 'D' },
    { "preserve-env", 2, NULL, 'E' },
    { "edit", 0, NULL, 'e' },
    { "group", 1, NULL, 'g' },
    { "set-home", 0, NULL, 'H' },
    { "help", 0, NULL, 'V' },
    { "host", 1, NULL, LONG_HOST },
    { "login", 0, NULL, 'i' },
    { "remove-timestamp", 0, NULL, 'K' },
    { "reset-timestamp", 0, NULL, 'k' },
    { "list", 0, NULL, 'l' },
    { "no-update", 0, NULL, 'N' },
    { "non-interactive", 0, NULL, 'n' },
    { "preserve-groups", 0, NULL, 'P' },
    { "prompt", 1, NULL, 'p' },
    { "chroot", 1, NULL, 'R' },
    { "role", 1, NULL, 'r' },
    { "stdin", 0, NULL, 'S' },
    { "shell", 0, NULL, 's' },
    { "type", 1, NULL, 't' },
    { "command-timeout", 1, NULL, 'T' },
    { "other-user", 1, NULL, 'U' },
    { "user", 1, NULL, 'u' },
    { "version", 0, NULL, 'V' },
    { "validate", 0, NULL, 'v' },
    { NULL, 0, NULL, 0 },
};

struct sudo_call {
    bool plain;       /* not a command to run: list, edit, validate, ... or an error: not our business */
    bool shell;       /* -s, -i */
    bool password;    /* -A, -S: it need not come from the terminal */
    const char *user; /* -u */
    int command;      /* index of the first VAR=value or the command; argc: none */
};

static struct sudo_call parse(int argc, char *argv[])
{
    struct sudo_call call = { 0 };
    int found;

    opterr = 0;
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (found == 'u')
            call.user = optarg;
        else if (found == 'A' || found == 'S')
            call.password = true;
        else if (found == 's' || found == 'i')
            call.shell = true;
        else if (strchr("?:eKlVv", found) || (found == 'h' && !optarg)) /* -h with a value names a host */
            call.plain = true;
    }
    call.command = optind;
    if (call.command == argc && !call.shell) /* `sudo -k` and the like */
        call.plain = true;
    return call;
}

/* argv of the real sudo with our variables in front of everything. The strings set[] and the array are the
 * caller's to free. */
static char **with_variables(int argc, char *argv[], char *set[VARIABLES_MAX])
{
    char **out = calloc((size_t)argc + VARIABLES_MAX + 1, sizeof(*out));
    int count = 0;

    if (!out) return NULL;
    out[count++] = argv[0];
    for (int i = 0; i < VARIABLES_MAX; i++) {
        const char *value = getenv(variables[i]);
        if (!value || asprintf(&set[i], "%s=%s", variables[i], value) < 0)
            set[i] = NULL;
        else
            out[count++] = set[i];
    }
    for (int i = 1; i < argc; i++)
        out[count++] = argv[i];
    return out;
}

/* Runs sudo with our variables. Returns its exit status. */
static int run_real(const char *sudo, int argc, char *argv[])
{
    char *set[VARIABLES_MAX];
    char **full = with_variables(argc, argv, set);

    if (!full) return EXIT_FAILURE;
    full[0] = (char *)(uintptr_t)sudo;
    int status = child_run(full, false, NULL);
    for (int i = 0; i < VARIABLES_MAX; i++)
        free(set[i]);
    free(full);
    return status;
}

/* ---- without sudo
 * --------------------------------------------------------------------------------------------- */

static bool is_assignment(const char *argument)
{
    const char *equals = strchr(argument, '=');
    return equals && equals > argument && !memchr(argument, '/', (size_t)(equals - argument));
}

/* Runs the command of the call as ourselves. */
static int run_directly(const struct sudo_call *call, int argc, char *argv[])
{
    const char *shell = getenv("SHELL");
    char *shell_argv[] = { (char *)(uintptr_t)(shell && shell[0] ? shell : "/bin/sh"), NULL };
    int first = call->command;

    while (first < argc && is_assignment(argv[first]))
        putenv(argv[first++]);
    char **command = first < argc ? argv + first : shell_argv;
    if (first == argc && !call->shell) {
        fprintf(stderr, "pocketcan: sudo: no command given\n");
        return EXIT_FAILURE;
    }
    execvp(command[0], command);
    fprintf(stderr, "sudo: %s: %s\n", command[0], errno == ENOENT ? "command not found" : strerror(errno));
    return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* ---- when sudo refused
 * ---------------------------------------------------------------------------------------- */

static bool needs_no_root(const struct sudo_call *call, int argc, char *argv[])
{
    if (call->command >= argc || (call->user && strcmp(call->user, "root"))) return false;
    const char *slash = strrchr(argv[call->command], '/');
    const char *name = slash ? slash + 1 : argv[call->command];
    for (unsigned i = 0; i < sizeof(need_no_root) / sizeof(need_no_root[0]); i++)
        if (!strcmp(name, need_no_root[i])) return true;
    return false;
}

static bool has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* sudo exited with 1: why it has run nothing, or NULL when it may have. */
static const char *why_refused(const char *sudo, const struct sudo_call *call)
{
    switch (sudo_policy_ask(sudo)) {
    case SUDO_REFUSES: return "may not set LD_PRELOAD (no SETENV in sudoers), and strips it";
    case SUDO_ASKS: /* and could not have got one */
        return call->password || has_terminal() ? NULL : "wants a password, and there is no terminal";
    case SUDO_CANNOT: return "cannot become root here";
    default: return NULL;
    }
}

static int run_sudo(const char *sudo, const struct sudo_call *call, int argc, char *argv[])
{
    int status = run_real(sudo, argc, argv);
    const char *why = status == 1 ? why_refused(sudo, call) : NULL;
    if (!why) return status;
    if (needs_no_root(call, argc, argv)) {
        fprintf(stderr, "pocketcan: sudo %s: running %s without sudo, which is enough inside an instance\n",
                why, argv[call->command]);
        return run_directly(call, argc, argv);
    }
    fprintf(stderr,
            "pocketcan: sudo %s: %s cannot be inside the instance: add NOPASSWD:SETENV: to its rule in "
            "sudoers, or run it without sudo\n",
            why, call->command < argc ? argv[call->command] : "the shell");
    return status;
}

int shim_sudo(int argc, char *argv[])
{
    char sudo[CLI_PATH_SIZE];
    struct sudo_call call = parse(argc, argv);
    bool found = environment_find("sudo", sudo) == 0;
    bool to_root = !call.user || !strcmp(call.user, "root") || !strcmp(call.user, "#0");

    if (call.plain || !getenv("POCKETCAN_DIR")) {
        if (found) return child_become(sudo, argv);
        fprintf(stderr, "sudo: command not found\n");
        return EXIT_NOT_FOUND;
    }
    if (!found || (geteuid() == 0 && to_root)) return run_directly(&call, argc, argv);
    return run_sudo(sudo, &call, argc, argv);
}
