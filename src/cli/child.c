/* cli/child.c - the command of `pocketcan run`: a child in our own process group.
 *
 * The child keeps our process group and terminal, so job control works as if the shell had started it: ^C
 * and ^Z reach both of us from the terminal. We therefore pass on only signals that somebody sent to us
 * (si_code tells). When the child stops alone (`suspend` in a shell, kill -STOP) we stop as well, so that
 * our parent shell sees a stopped job, and continue it when we are continued. */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/options.h"

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

static void watched_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (unsigned i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
        sigaddset(set, forwarded[i]);
}

static int explain_exec(const char *name, int error)
{
    if (error == ENOENT && !strchr(name, '/'))
        fprintf(stderr, "pocketcan: %s: command not found\n", name);
    else
        fprintf(stderr, "pocketcan: %s: %s\n", name, strerror(error));
    return error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int child_become(const char *path, char *const argv[])
{
    execv(path, argv);
    return explain_exec(path, errno);
}

/* Stops us as the child stopped, and continues it when we are continued. A shell that suspends itself
 * stays in its own process group, which had the terminal; what continues us gives the terminal to our
 * group, so it has to go on to that. */
static void stop_with(pid_t child)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    pid_t had_it = terminal < 0 ? -1 : tcgetpgrp(terminal);

    kill(getpid(), SIGSTOP);
    if (had_it > 0 && had_it != getpgrp() && tcgetpgrp(terminal) == getpgrp()) tcsetpgrp(terminal, had_it);
    if (terminal >= 0) close(terminal);
    kill(child, SIGCONT);
}

/* Follows the child's states. Returns true with *status when it is over. */
static bool child_over(pid_t child, int *status)
{
    int state;
    pid_t pid;

    while ((pid = waitpid(child, &state, WNOHANG | WUNTRACED)) == child) {
        if (WIFSTOPPED(state)) {
            stop_with(child);
            continue;
        }
        *status = WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
        return true;
    }
    if (pid < 0 && errno == ECHILD) { /* cannot be: somebody else waited for it */
        *status = EXIT_FAILURE;
        return true;
    }
    return false;
}

static int wait_for_child(pid_t child, const sigset_t *set)
{
    siginfo_t info;
    int status;

    while (!child_over(child, &status)) {
        int number = sigwaitinfo(set, &info);
        if (number > 0 && number != SIGCHLD && info.si_code <= 0) kill(child, number);
    }
    return status;
}

/* In the child: becomes the command. */
static int become(char *const argv[], const struct child_steps *steps)
{
    int status = steps && steps->in_child ? steps->in_child(argv) : 0;

    if (status) return status;
    execvp(argv[0], argv);
    return explain_exec(argv[0], errno);
}

int child_run(char *const argv[], bool die_with_us, const struct child_steps *steps)
{
    struct sigaction by_default = { .sa_handler = SIG_DFL }, old_action;
    sigset_t set, old_set;
    pid_t parent = getpid();

    fflush(NULL);
    watched_signals(&set);
    sigprocmask(SIG_BLOCK, &set, &old_set);
    sigaction(SIGCHLD, &by_default, &old_action);
    pid_t child = fork();
    if (child == 0) {
        sigaction(SIGCHLD, &old_action, NULL);
        sigprocmask(SIG_SETMASK, &old_set, NULL);
        if (die_with_us) {
            prctl(PR_SET_PDEATHSIG, SIGHUP);
            if (getppid() != parent) _exit(EXIT_FAILURE);
        }
        _exit(become(argv, steps));
    }
    if (child > 0 && steps && steps->in_parent) steps->in_parent();
    int status = EXIT_CANNOT_RUN;
    if (child > 0)
        status = wait_for_child(child, &set);
    else
        fprintf(stderr, "pocketcan: %s: %s\n", argv[0], strerror(errno));
    sigprocmask(SIG_SETMASK, &old_set, NULL);
    return status;
}
