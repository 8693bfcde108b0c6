/* supervisor/job.c - see job.h.
 *
 * The funnel's wait ends as any program's does, by a signal: one that only these threads let come, and that is sent until it has come while they wait. */
#include "supervisor/job.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS 500000

struct job {
    pthread_t thread;
    uint32_t slot;
    int fd, flags;
    struct iovec iov;
    ssize_t result;
    atomic_u32 over;
};

static bool forbidden;
static unsigned count;

void job_allow(bool allowed) { forbidden = !allowed; }
bool job_is_allowed(void) { return !forbidden; }
unsigned job_count(void) { return count; }

static int wake_signal(void) { return SIGRTMIN + 2; }

static void on_wake(int number) { (void)number; }

static void *run(void *argument)
{
    struct raw_send message;
    struct job *job = argument;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, wake_signal());
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    memset(&message, 0, sizeof(message));
    message.iov = &job->iov;
    message.iov_count = 1;
    job->result = family_send(sock_bus, job->slot, job->fd, &message, job->flags);
    store_release(&job->over, 1);
    return NULL;
}

static void release(struct job *job)
{
    count--;
    if (job->fd >= 0) close(job->fd);
    free(job->iov.iov_base);
    free(job);
}

/* All signals but ours stay blocked in the thread, as they are in its maker. */
struct job *job_start(const struct sock *sock, const struct raw_send *message, int flags)
{
    struct sigaction action = { .sa_handler = on_wake };
    struct job *job = calloc(1, sizeof(*job));

    if (!job) return NULL;
    count++;
    sigaction(wake_signal(), &action, NULL);
    job->slot = sock->slot;
    job->flags = flags;
    job->fd = dup(sock->ring.fd);
    job->iov.iov_len = message->iov->iov_len;
    job->iov.iov_base = malloc(job->iov.iov_len ? job->iov.iov_len : 1);
    if (job->iov.iov_base) memcpy(job->iov.iov_base, message->iov->iov_base, job->iov.iov_len);
    if (job->fd >= 0 && job->iov.iov_base && pthread_create(&job->thread, NULL, run, job) == 0) return job;
    release(job);
    return NULL;
}

bool job_is_over(struct job *job, ssize_t *result)
{
    if (!load_acquire(&job->over)) return false;
    pthread_join(job->thread, NULL);
    *result = job->result;
    release(job);
    return true;
}

ssize_t job_end(struct job *job)
{
    struct timespec nap = { 0, NAP_NS };
    ssize_t result;

    while (!job_is_over(job, &result)) {
        pthread_kill(job->thread, wake_signal());
        nanosleep(&nap, NULL);
    }
    return result;
}
