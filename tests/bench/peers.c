/* Other processes, and the CPUs they run on. */
#include "bench.h"
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t peer_start(void (*body)(void *context), void *context)
{
    pid_t parent = getpid(), pid;

    fflush(stdout);
    pid = fork();
    if (pid < 0) die("fork");
    if (pid) return pid;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL)) die("prctl");
    if (getppid() == parent) body(context);
    _exit(1);
}

void peer_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void *peer_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) die("mmap");
    return memory;
}

const char *const placement_name[PLACEMENTS] = { "together", "apart" };

/* The CPUs that we may use, as they were at the first call. */
static const cpu_set_t *allowed(void)
{
    static cpu_set_t set;

    if (!CPU_COUNT(&set) && sched_getaffinity(0, sizeof(set), &set)) die("sched_getaffinity");
    return &set;
}

/* Runs the caller on the first or second of the allowed CPUs. */
static void pin(unsigned which)
{
    cpu_set_t one;
    int cpu = 0;

    CPU_ZERO(&one);
    for (;; cpu++)
        if (CPU_ISSET(cpu, allowed()) && !which--) break;
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof(one), &one)) die("sched_setaffinity");
}

unsigned placement_count(void) { return CPU_COUNT(allowed()) > 1 ? PLACEMENTS : 1; }

void placement_peer(void) { pin(0); }

void placement_enter(enum placement where) { pin(where == APART); }

void placement_leave(void)
{
    if (sched_setaffinity(0, sizeof(cpu_set_t), allowed())) die("sched_setaffinity");
}
