/* cli/install_check.c - does the library bear being in every program? (declared in cli/install.h)
 *
 * Each program has to end in time, with status 0 and without a word of complaint: a library that the dynamic linker cannot
 * load is named there. The last one is ourselves, opening a CAN socket in an instance made for it. */
/* prefix: install_ */
#include "cli/install.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/doctor.h"
#include "cli/link.h"
#include "daemon/start.h"

#define PATIENCE_MS 10000

struct attempt {
    const char *const *argv;
    const char *library; /* LD_PRELOAD; NULL: none */
    const char *dir;     /* POCKETCAN_DIR; NULL: none */
};

_Noreturn static void become(const struct attempt *attempt, int out_fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid(); /* so that it can be ended with all it starts */
    dup2(null_fd, STDIN_FILENO);
    dup2(null_fd, STDOUT_FILENO);
    dup2(out_fd, STDERR_FILENO);
    setenv("LD_PRELOAD", "", 1); /* empty, not absent: the library, if it is with us, would put itself back */
    unsetenv("POCKETCAN_DIR");
    if (attempt->library) setenv("LD_PRELOAD", attempt->library, 1);
    if (attempt->dir) setenv("POCKETCAN_DIR", attempt->dir, 1);
    execv(attempt->argv[0], (char *const *)(uintptr_t)attempt->argv);
    dprintf(STDERR_FILENO, "%s", strerror(errno));
    _exit(EXIT_FAILURE);
}

/* Reads what it says until it ends; what fits of it. Returns false when that took too long. */
static bool listen_to(int fd, char *said, size_t room)
{
    uint64_t start_ns = clock_mono_ns();
    size_t used = 0;
    ssize_t got = 1;

    while (got > 0) {
        char rest[256];
        bool fits = used + 1 < room;
        struct pollfd wait = { .fd = fd, .events = POLLIN };
        long left = PATIENCE_MS - (long)((clock_mono_ns() - start_ns) / 1000000);
        if (left <= 0 || poll(&wait, 1, (int)left) <= 0) break;
        got = read(fd, fits ? said + used : rest, fits ? room - 1 - used : sizeof(rest));
        if (fits && got > 0) used += (size_t)got;
    }
    said[used] = 0;
    return got <= 0;
}

static int cannot_try(const struct attempt *attempt, char why[INSTALL_WHY_SIZE])
{
    snprintf(why, INSTALL_WHY_SIZE, "%s cannot be started to try it: %s", attempt->argv[0], strerror(errno));
    return -1;
}

/* Runs it. Returns 0 when all is well, else -1 and what it said in `why`. */
static int attempt_run(const struct attempt *attempt, char why[INSTALL_WHY_SIZE])
{
    char said[INSTALL_WHY_SIZE / 2] = "";
    int out[2], status = -1;

    if (pipe2(out, O_CLOEXEC) < 0) return cannot_try(attempt, why);
    pid_t child = fork();
    if (child == 0) become(attempt, out[1]);
    int error = child < 0 ? cannot_try(attempt, why) : 0;
    close(out[1]);
    bool ended = child > 0 && listen_to(out[0], said, sizeof(said));
    close(out[0]);
    if (error) return error;
    if (!ended) kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    said[strcspn(said, "\n")] = 0;
    if (ended && status == 0 && !said[0]) return 0;
    if (!ended)
        snprintf(why, INSTALL_WHY_SIZE, "%s does not end", attempt->argv[0]);
    else if (WIFSIGNALED(status))
        snprintf(why, INSTALL_WHY_SIZE, "%s is ended by signal %d%s%s", attempt->argv[0], WTERMSIG(status),
                 said[0] ? ": " : "", said);
    else
        snprintf(why, INSTALL_WHY_SIZE, "%s ends with status %d%s%s", attempt->argv[0], WEXITSTATUS(status),
                 said[0] ? ": " : "", said);
    return -1;
}

static int check_can(const char *library, char why[INSTALL_WHY_SIZE])
{
    static const char *const argv[] = { "/proc/self/exe", "doctor", "--probe", NULL };
    struct attempt attempt = { argv, library, NULL };
    struct instance instance;
    char reason[INSTALL_WHY_SIZE] = "no interface";
    int life_fd, error = -1;

    if (daemon_start_private(&instance, &life_fd)) {
        snprintf(why, INSTALL_WHY_SIZE, "%s", instance.why);
        return -1;
    }
    attempt.dir = instance.dir;
    if (link_make(instance.dir, DOCTOR_LINK) == 0) error = attempt_run(&attempt, reason);
    if (error)
        snprintf(why, INSTALL_WHY_SIZE, "a program in an instance cannot open a CAN socket (%.300s)", reason);
    daemon_end_private(&instance, life_fd);
    return error;
}

int install_check(const char *library, char why[INSTALL_WHY_SIZE])
{
    static const char *const programs[][4] = { { "/bin/true" },
                                               { "/bin/cat", "/dev/null" },
                                               { "/bin/sh", "-c", "true | cat && (exec true) & wait" } };

    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (attempt_run(&(struct attempt){ programs[i], library, NULL }, why)) return -1;
    return check_can(library, why);
}

bool install_sudo_works(void)
{
    static const char *const argv[] = { "/usr/bin/sudo", "-n", "true", NULL };
    char why[INSTALL_WHY_SIZE];

    return access(argv[0], X_OK) == 0 && attempt_run(&(struct attempt){ argv, NULL, NULL }, why) == 0;
}
