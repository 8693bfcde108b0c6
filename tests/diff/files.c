/* Steps that treat sockets as files: streams, pipes, ranges of descriptors, other processes' descriptors. */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAMES 8

static uint8_t buffer[4096];

/* Frames one after the other, as a file or pipe holds them. */
static void fill(uint8_t *at)
{
    for (uint8_t i = 0; i < FRAMES; i++)
        memcpy(at + i * sizeof(struct can_frame),
               &(struct can_frame){ .can_id = 0x123, .len = 2, .data = { 0xee, i } },
               sizeof(struct can_frame));
}

/* splice s0 in|out size=BYTES: through a pipe into the socket or out of it */
static void op_splice(const struct step *step)
{
    size_t size = (size_t)step_number(step, "size", 16), held = FRAMES * 16;
    off64_t offset = 0, *at = step_number(step, "offset", 0) ? &offset : NULL;
    int ends[2], fd = step_fd(step, 0), flags = SPLICE_F_NONBLOCK | (int)step_number(step, "fl", 0);
    long long result;

    if (pipe2(ends, O_NONBLOCK)) return;
    fill(buffer);
    if (!strcmp(step_word(step, 1), "in")) {
        if (write(ends[1], buffer, size < held ? size : held) < 0) out(" pipe");
        out_result(STEP_CALL(step, splice, ends[0], NULL, fd, at, size, (unsigned)flags));
    } else {
        result = STEP_CALL(step, splice, fd, at, ends[1], NULL, size, (unsigned)flags);
        out_result(result);
        if (result > 0 && read(ends[0], buffer, (size_t)result) == result) {
            out(" ");
            out_bytes(buffer, (size_t)result);
        }
    }
    close(ends[0]);
    close(ends[1]);
}

/* sendfile s0 FROM SIZE [own=1]: frames of a file into the socket; own: from where the file itself stands */
static void op_sendfile(const struct step *step)
{
    int file = memfd_create("frames", MFD_CLOEXEC);
    off_t at = (off_t)step_value(step, 1);
    bool own = step_number(step, "own", 0);

    if (file < 0) return;
    fill(buffer);
    if (write(file, buffer, FRAMES * 16) != FRAMES * 16) out(" file");
    if (own) lseek(file, at, SEEK_SET);
    out_result(
        STEP_CALL(step, sendfile, step_fd(step, 0), file, own ? NULL : &at, (size_t)step_value(step, 2)));
    out(" at %ld", own ? (long)lseek(file, 0, SEEK_CUR) : (long)at);
    close(file);
}

/* stream s0 MODE SIZE: a stream of a duplicate, of which SIZE bytes are read, or to which they are written */
static void op_stream(const struct step *step)
{
    int copy = dup(step_fd(step, 0));
    const char *mode = step_word(step, 1);
    size_t size = (size_t)step_value(step, 2), done;
    FILE *file = copy < 0 ? NULL : fdopen(copy, mode);

    if (!file) {
        out_result(-1);
        if (copy >= 0) close(copy);
        return;
    }
    if (step_number(step, "plain", 0)) setvbuf(file, NULL, _IONBF, 0);
    fill(buffer);
    errno = 0;
    done = mode[0] == 'r' ? fread(buffer, 1, size, file) : fwrite(buffer, 1, size, file);
    out(" = %zu%s%s ", done, feof(file) ? " eof" : "", ferror(file) ? " error" : "");
    if (mode[0] == 'r') out_bytes(buffer, done);
    out_result(fclose(file));
}

/* vector s0 read|write FLAGS [offset=N]: preadv2 and pwritev2 */
static void op_vector(const struct step *step)
{
    int fd = step_fd(step, 0), flags = (int)step_value(step, 2);
    struct iovec iov = { buffer, 16 };
    off_t offset = (off_t)step_number(step, "offset", -1);
    ssize_t result;

    fill(buffer);
    if (!strcmp(step_word(step, 1), "write")) {
        out_result(pwritev2(fd, &iov, 1, offset, flags));
        return;
    }
    iov.iov_len = 72;
    result = preadv2(fd, &iov, 1, offset, flags);
    out_result(result);
    out(" ");
    if (result > 0) out_bytes(buffer, (size_t)result);
}

/* range s0 FLAGS: close_range() of the descriptor alone */
static void op_range(const struct step *step)
{
    int *slot = step_slot(step, 0), flags = (int)step_value(step, 1);

    if (!slot || *slot < 0) return;
    if (!(flags & CLOSE_RANGE_CLOEXEC)) calls_unregister(*slot);
    out_result(STEP_CALL(step, close_range, (unsigned)*slot, (unsigned)*slot, flags));
    if (fcntl(*slot, F_GETFD) < 0) *slot = -1;
}

/* steal s0 p1 s2: s0 becomes what the other process has as s2 */
static void op_steal(const struct step *step)
{
    int *slot = step_slot(step, 0), from = step_word(step, 1)[1] - '0', which = atoi(step_word(step, 2) + 1),
        pidfd, fd, error;

    if (!slot || *slot >= 0 || from < 0 || from >= PROCESSES || world->process[from].pid <= 0) return;
    world->shared = true;
    pidfd = (int)syscall(SYS_pidfd_open, world->process[from].pid, 0);
    fd = (int)STEP_CALL(step, pidfd_getfd, pidfd, world->process[from].fd[which % SLOTS], 0u);
    error = errno;
    close(pidfd);
    errno = error;
    *slot = fd;
    out_result(fd < 0 ? -1 : 0);
}

bool files_run(const struct step *step)
{
    static const struct {
        const char *name;
        void (*run)(const struct step *step);
    } table[] = {
        { "splice", op_splice }, { "sendfile", op_sendfile }, { "stream", op_stream },
        { "vector", op_vector }, { "range", op_range },       { "steal", op_steal },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(step->operation, table[i].name)) {
            table[i].run(step);
            return true;
        }
    return false;
}
