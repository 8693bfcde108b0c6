/* supervisor/held.c - holding calls without keeping signals from their threads.
 *
 * A call that we have received can be interrupted only by being killed (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), which is what makes sending exact:
 * without that a signal that comes while we act makes the program send a second time. So who waits here needs us to see its signals: every few
 * milliseconds we look, and answer ERESTARTSYS, which the kernel, because a signal is pending, turns into EINTR or into calling again, as the handler's
 * SA_RESTART says. */
#include "supervisor/held.h"
#include "base/clock.h"
#include "supervisor/remote.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define ROOM_STEP 64
#define SOON_MS   2
#define LATE_MS   8
#define PATIENCE  64 /* pauses of SOON_MS without any event */
#define THOROUGH                                                                                             \
    16 /* of so many pauses, one in which all are tried: in case that something came and we have not seen it */
#define ERESTARTSYS 512

static struct call *held;
static int held_count, held_room;
static int pauses;

static void answer(const struct call *call, long result)
{
    struct seccomp_notif_resp response = { .id = call->notif.id };

    if (result == CALL_ANSWERED) return;
    if (result == CALL_CONTINUE)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (result < 0)
        response.error = (int)result;
    else
        response.val = result;
    call_tell(call, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static bool make_room(void)
{
    struct call *more;

    if (held_count < held_room) return true;
    more = realloc(held, (size_t)(held_room + ROOM_STEP) * sizeof(*held));
    if (!more) return false;
    held = more;
    held_room += ROOM_STEP;
    return true;
}

static bool is_receiving(const struct call *call)
{
    int number = call->notif.data.nr;
    return number == SYS_read || number == SYS_readv || number == SYS_recvfrom || number == SYS_recvmsg ||
           number == SYS_recvmmsg;
}

/* Then to try again would be in vain, and takes longer than all else. */
static bool nothing_came(struct call *call)
{
    struct sock *sock = sock_find(call->receives_from);
    uint32_t seen = call->seen;

    if (!sock || (call->limit_ns && clock_mono_ns() >= call->limit_ns)) return false;
    call->seen = sock->moved;
    return call->seen == seen;
}

void held_serve(struct call *call)
{
    long result = call_run(call);

    if (result == CALL_HOLD && !make_room()) {
        if (call->job) job_end(call->job);
        result = -ENOBUFS;
    }
    if (result != CALL_HOLD) {
        answer(call, result);
        return;
    }
    if (call->sock && is_receiving(call)) {
        call->receives_from = call->sock->inode;
        call->seen = call->sock->moved - 1; /* something may have come since it looked */
    }
    held[held_count++] = *call;
    pauses = 0;
}

static bool is_waiting(const struct call *call)
{
    return call_tell(call, SECCOMP_IOCTL_NOTIF_ID_VALID, (void *)(uintptr_t)&call->notif.id) == 0;
}

/* What a call that a signal interrupts says. */
static long interrupted(struct call *call)
{
    ssize_t result;

    if (call->notif.data.nr == SYS_close || call->notif.data.nr == SYS_exit_group) return CALL_CONTINUE;
    if (call->job) {
        result = job_end(call->job);
        call->job = NULL;
        return result == -EINTR ? -ERESTARTSYS : result;
    }
    return call->done ? (long)call->done : -ERESTARTSYS;
}

/* Once more. Returns whether it is still held. */
static bool retry(struct call *call, bool asks_for_signals)
{
    bool in_vain = nothing_came(call) && !(asks_for_signals && pauses % THOROUGH == 0);
    long result;

    if (in_vain && !asks_for_signals) return true;
    if (!is_waiting(call)) {
        if (call->job) job_end(call->job);
        return false;
    }
    result = in_vain ? CALL_HOLD : call_run(call);
    if (result == CALL_HOLD && asks_for_signals && remote_is_interrupted(call_tid(call)))
        result = interrupted(call);
    if (result == CALL_HOLD) return true;
    answer(call, result);
    return false;
}

void held_retry(bool asks_for_signals)
{
    int kept = 0;

    for (int i = 0; i < held_count; i++)
        if (retry(&held[i], asks_for_signals)) {
            if (kept != i) held[kept] = held[i];
            kept++;
        }
    held_count = kept;
    if (asks_for_signals) pauses++;
}

int held_pause(void)
{
    if (!held_count) return -1;
    return pauses < PATIENCE ? SOON_MS : LATE_MS;
}

void held_drop(int listener)
{
    int kept = 0;

    for (int i = 0; i < held_count; i++)
        if (held[i].listener != listener)
            held[kept++] = held[i];
        else if (held[i].job)
            job_end(held[i].job);
    held_count = kept;
}

void held_end_jobs(void)
{
    int kept = 0;

    for (int i = 0; i < held_count; i++)
        if (!held[i].job)
            held[kept++] = held[i];
        else
            answer(&held[i], job_end(held[i].job));
    held_count = kept;
}
