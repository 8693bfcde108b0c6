/* cli/install.c - `pocketcan install`: CAN for every program of a machine, and back.
 *
 * Three files are written, all of them root's: /etc/ld.so.preload gets one line, which loads the library into every program;
 * /etc/modprobe.d/pocketcan.conf makes `modprobe vcan` start the system-wide instance; SYSTEM_CONF says whose that is.
 *
 * A mistake in /etc/ld.so.preload would hit every program, those needed for repair included. So the library has to be root's, it is tried by
 * LD_PRELOAD before the line is written, and by ordinary programs when it is; if these fail the file is put back, for which this
 * process needs no other program. What it cannot undo any more is told in docs/containers.md. */
#include "cli/install.h"

#include <errno.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/commands.h"
#include "cli/environment.h"
#include "daemon/start.h"
#include "daemon/system.h"
#include "sockets/process.h"

#define PRELOAD      "/etc/ld.so.preload"
#define MODPROBE_DIR "/etc/modprobe.d"
#define MODPROBE     MODPROBE_DIR "/pocketcan.conf"

static const char first_line[] =
    "# Written by `pocketcan install --system`, removed by `pocketcan install --remove`. See pocketcan(1).\n";

static const char made_line[] = "made " MODPROBE_DIR "\n";

struct install_options {
    bool system, remove, own;
    struct option_list user;
};

static const struct cli_option options[] = {
    { "system", 's', OPTION_FLAG, NULL, offsetof(struct install_options, system),
      "load the library into every program that starts from now on" },
    { "user", 'u', OPTION_LIST, "NAME", offsetof(struct install_options, user),
      "whose the system-wide instance is, which root's programs join; default: who called sudo, else root" },
    { "remove", 'r', OPTION_FLAG, NULL, offsetof(struct install_options, remove),
      "undo that, and end the system-wide instance" },
    { "own", 0, OPTION_FLAG, NULL, offsetof(struct install_options, own), NULL }, /* for the package */
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

__attribute__((format(printf, 1, 2))) static int fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("pocketcan: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_FAILURE;
}

/* ---- what is to be installed ---- */

struct plan {
    char library[CLI_PATH_SIZE], program[CLI_PATH_SIZE];
    const struct passwd *user;
    struct install_file preload, modprobe, conf; /* as they were */
};

/* A name that needs no quoting in any of the files. */
static bool is_plain(const char *path)
{
    return !path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+-")];
}

/* The real place of one of our parts, which only root may be able to change. */
static int place_of(const char *part, char place[CLI_PATH_SIZE])
{
    char why[INSTALL_WHY_SIZE];

    if (!realpath(part, place)) return fail("%s: %s", part, strerror(errno));
    if (!is_plain(place)) return fail("%s: move it to a path of plain letters, digits and ._+-", place);
    if (install_is_roots(place, why)) {
        fail("%s: every program of the machine is to have it, and nobody but root to change it: install "
             "pocketcan first, with its package or `sudo make install`",
             why);
        return EXIT_FAILURE;
    }
    return 0;
}

/* Libraries of several architectures: their path says $LIB, for which each program's dynamic linker puts its own directory. All have to be root's. */
static int place_of_libraries(char place[CLI_PATH_SIZE])
{
    char library[CLI_PATH_SIZE], real[CLI_PATH_SIZE], pattern[CLI_PATH_SIZE], why[INSTALL_WHY_SIZE];
    glob_t found = { 0 };
    int error = 0;

    if (environment_library(library) || place_of(library, real)) return EXIT_FAILURE;
    *strrchr(real, '/') = 0;
    for (unsigned depth = 1; depth <= 2; depth++) {
        snprintf(pattern, sizeof(pattern), "%.4000s/preload/%s/libpocketcan.so", real,
                 depth == 1 ? "*" : "*/*");
        glob(pattern, depth == 1 ? 0 : GLOB_APPEND, NULL, &found);
    }
    for (size_t i = 0; i < found.gl_pathc && !error; i++)
        error =
            install_is_roots(found.gl_pathv[i], why) ? fail("%s", why) : place_of(found.gl_pathv[i], library);
    globfree(&found);
    snprintf(place, CLI_PATH_SIZE, "%.4000s/preload/$LIB/libpocketcan.so", real);
    return error;
}

static int place_of_library(char place[CLI_PATH_SIZE])
{
    char preload[CLI_PATH_SIZE];

    if (environment_preload(preload)) return EXIT_FAILURE;
    return strstr(preload, "$LIB") ? place_of_libraries(place) : place_of(preload, place);
}

static int find_user(const struct option_list *given, const struct passwd **user)
{
    const char *caller = getenv("SUDO_USER");
    const char *name = given->count ? given->value[given->count - 1] : caller && caller[0] ? caller : "root";

    // cppcheck-suppress getpwnamCalled ; there is one thread
    *user = getpwnam(name);
    return *user ? 0 : fail("there is no user %s", name);
}

static int read_files(struct plan *plan)
{
    struct install_file *const files[] = { &plan->preload, &plan->modprobe, &plan->conf };
    static const char *const paths[] = { PRELOAD, MODPROBE, SYSTEM_CONF };

    for (unsigned i = 0; i < 3; i++)
        if (install_read(files[i], paths[i]))
            return fail("%s is no ordinary text file: see to it first", paths[i]);
    if ((plan->preload.mode & 0444) != 0444)
        return fail(PRELOAD
                    " cannot be read by everybody, so not everybody's programs would have the library: run "
                    "`chmod a+r " PRELOAD "` first");
    if (plan->modprobe.text && strncmp(plan->modprobe.text, first_line, sizeof(first_line) - 1) != 0)
        return fail(MODPROBE " was not written by pocketcan: move it away first");
    return 0;
}

static int make_plan(const struct install_options *given, struct plan *plan)
{
    if (place_of_library(plan->library) || place_of("/proc/self/exe", plan->program) ||
        find_user(&given->user, &plan->user))
        return EXIT_FAILURE;
    return read_files(plan);
}

/* ---- putting it in place ---- */

static char *modprobe_text(const char *program)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (!file) return NULL;
    fputs(first_line, file);
    for (unsigned i = 0; instance_modules[i]; i++)
        fprintf(file, "install %s %s up --quiet\nremove %s /bin/true\n", instance_modules[i], program,
                instance_modules[i]);
    return fclose(file) == 0 ? text : NULL;
}

static int write_text(const struct install_file *file, char *text)
{
    int error = text ? install_write(file, text) : -ENOMEM;

    free(text);
    return error ? fail("cannot write %s: %s", file->path, strerror(-error)) : 0;
}

/* The directory of the instance. One that is there and belongs to another is given to the user, unless it is in use. */
static int make_dir(const struct passwd *user)
{
    struct instance instance = { 0 };
    struct stat st;

    if (lstat(PROCESS_SYSTEM_DIR, &st) == 0 && st.st_uid != user->pw_uid) {
        if (instance_name(&instance, PROCESS_SYSTEM_DIR) == 0 && daemon_hello(&instance, NULL) == 0)
            return fail("the system-wide instance runs and belongs to uid %u: run `pocketcan down` first",
                        (unsigned)st.st_uid);
        if (instance_enter(&instance, false) == 0) daemon_stop(&instance); /* what a killed daemon left */
        if (rmdir(PROCESS_SYSTEM_DIR) < 0) return fail(PROCESS_SYSTEM_DIR ": %s", strerror(errno));
    }
    return instance_name(&instance, PROCESS_SYSTEM_DIR) || system_make(&instance) ? fail("%s", instance.why)
                                                                                  : 0;
}

static int write_others(const struct plan *plan)
{
    char *conf = NULL;
    bool made = mkdir(MODPROBE_DIR, 0755) == 0;

    if (!made && errno != EEXIST) return fail(MODPROBE_DIR ": %s", strerror(errno));
    if (made) chmod(MODPROBE_DIR, 0755); /* whatever the umask */
    made = made || (plan->conf.text && strstr(plan->conf.text, made_line));
    if (asprintf(&conf, "%suser %s\n%s", first_line, plan->user->pw_name, made ? made_line : "") < 0)
        conf = NULL;
    if (write_text(&plan->modprobe, modprobe_text(plan->program)) || write_text(&plan->conf, conf))
        return EXIT_FAILURE;
    return make_dir(plan->user);
}

/* The directory for modprobe's files, if we made it. */
static void remove_made_dir(void)
{
    struct install_file conf;

    if (install_read(&conf, SYSTEM_CONF) == 0 && conf.text && strstr(conf.text, made_line))
        rmdir(MODPROBE_DIR);
    free(conf.text);
}

static void put_back_others(const struct plan *plan)
{
    install_write(&plan->modprobe, plan->modprobe.text);
    remove_made_dir();
    install_write(&plan->conf, plan->conf.text);
    if (!plan->conf.text) rmdir(PROCESS_SYSTEM_DIR);
}

/* The moment it counts for every program. Nothing may interrupt us before we have seen that they bear it. */
static int put_in_force(const struct plan *plan)
{
    char why[INSTALL_WHY_SIZE] = "sudo does not work any more";
    bool sudo_works = install_sudo_works();
    sigset_t all, old;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    install_keep(&plan->preload);
    int error =
        write_text(&plan->preload, preload_add(plan->preload.text ? plan->preload.text : "", plan->library));
    if (!error && (install_check(NULL, why) || (sudo_works && !install_sudo_works()))) {
        error = install_put_back(&plan->preload);
        error = error ? fail("%s, and " PRELOAD " cannot be put back: %s: see docs/containers.md", why,
                             strerror(-error))
                      : fail("%s: " PRELOAD " is as it was", why);
    }
    install_keep_no_more(&plan->preload);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return error;
}

static int install(const struct install_options *given)
{
    struct plan plan = { 0 };
    char why[INSTALL_WHY_SIZE] = "";
    const char *name = "";

    if (make_plan(given, &plan)) return EXIT_FAILURE;
    size_t size = plan.preload.text ? preload_find(plan.preload.text, &name) : 0;
    bool there = size == strlen(plan.library) && !memcmp(name, plan.library, size);
    if (size && !there)
        return fail(PRELOAD " names %.*s: run `pocketcan install --remove` first", (int)size, name);
    if (install_check(plan.library, why)) return fail("%s with %s: nothing was changed", why, plan.library);
    if (write_others(&plan) || (!there && put_in_force(&plan))) {
        put_back_others(&plan);
        return EXIT_FAILURE;
    }
    printf("pocketcan: " PRELOAD " names %s: programs that start from now on have CAN\n"
           "pocketcan: the instance of %s in " PROCESS_SYSTEM_DIR
           " is theirs and root's: `modprobe vcan` starts it\n"
           "pocketcan: back: `pocketcan install --remove`; in an emergency `: >" PRELOAD
           "` in a shell that runs\n",
           plan.library, plan.user->pw_name);
    return 0;
}

/* ---- and back ---- */

static int remove_line(void)
{
    struct install_file file;
    const char *name;

    if (install_read(&file, PRELOAD)) return fail(PRELOAD " is no ordinary text file: see to it");
    if (!file.text || !preload_find(file.text, &name)) return 0;
    char *rest = preload_remove(file.text);
    if (!rest) return fail("out of memory");
    int error = install_write(&file, rest[0] ? rest : NULL);
    free(rest);
    return error ? fail("cannot write " PRELOAD ": %s", strerror(-error)) : 0;
}

static int remove_file(const char *path)
{
    struct install_file file;

    if (install_read(&file, path) || !file.text ||
        strncmp(file.text, first_line, sizeof(first_line) - 1) != 0)
        return 0; /* not ours */
    return unlink(path) < 0 ? fail("%s: %s", path, strerror(errno)) : 0;
}

/* Unmounted, or never used: then there is nothing to end. */
static int end_instance(void)
{
    struct instance instance;

    if (instance_name(&instance, PROCESS_SYSTEM_DIR) || instance_enter(&instance, false)) return 0;
    int error = daemon_stop(&instance);
    if (error && error != -ENOENT) return fail("%s", instance.why);
    rmdir(PROCESS_SYSTEM_DIR);
    return 0;
}

/* Is this copy of pocketcan the one that is installed? The package that goes leaves another alone. What cannot be read may be ours: remove_all() says why. */
static bool is_own(void)
{
    char library[CLI_PATH_SIZE], program[CLI_PATH_SIZE];
    struct install_file preload, modprobe;
    const char *name;
    bool own = false;

    if (install_read(&preload, PRELOAD)) return true;
    install_read(&modprobe, MODPROBE);
    size_t size = preload.text ? preload_find(preload.text, &name) : 0;
    if (size) {
        snprintf(library, sizeof(library), "%.*s", (int)size, name);
        own = environment_is_preload(library);
    } else if (modprobe.text && realpath("/proc/self/exe", program)) {
        own = strstr(modprobe.text, program) != NULL; /* somebody emptied the other file, in an emergency */
    }
    free(preload.text);
    free(modprobe.text);
    return own;
}

/* The line goes first: whatever fails behind it hurts nobody. */
static int remove_all(void)
{
    if (remove_line()) return EXIT_FAILURE;
    int status = remove_file(MODPROBE);
    remove_made_dir();
    status |= remove_file(SYSTEM_CONF) | end_instance();
    if (!status) printf("pocketcan: is not installed system-wide\n");
    return status;
}

static int install_main(const struct cli_command *command, int argc, char *argv[])
{
    struct install_options given = { 0 };

    int rest = options_parse(command, argc, argv, &given);
    if (rest < 0) return -1 - rest;
    if (given.system == given.remove) {
        fail("install: --system or --remove? See `pocketcan install --help`");
        return EXIT_USAGE;
    }
    if (geteuid() != 0) return fail("only root can do that: run `sudo pocketcan install ...`");
    if (given.own && !is_own()) return 0;
    return given.remove ? remove_all() : install(&given);
}

const struct cli_command cli_install = {
    .name = "install",
    .synopsis = "--system [--user NAME] | --remove",
    .summary = "Gives CAN to every program of this machine or container, without `pocketcan run`.",
    .text = "Writes a line into /etc/ld.so.preload, after trying that programs bear it, so that all "
            "programs, those of sudo\n"
            "included, have the library, and a file for modprobe: `modprobe vcan` starts the system-wide "
            "instance, which "
            "belongs\n"
            "to one user and is joined by root.\n",
    .options = options,
    .run = install_main,
};
