/* preload/transfer.c - splice and sendfile with a CAN socket on one side (spec A.3).
 *
 * The kernel moves a pipe's or a file's data to a socket piece by piece, a piece being what lies in one page, and each piece must be
 * one frame. A socket's frame goes to a pipe whole. Here a piece is read, sent, and only then taken from its source, so that a
 * refused one stays there. Between a pipe's pages nothing can be seen from outside: what is there counts as one piece, but in
 * packet mode (O_DIRECT). tee, vmsplice and copy_file_range refuse a socket by themselves.
 *
 * Keeps no state; a second pipe is open while a splice from a pipe runs. */
#include "preload/real.h"
#include "base/sys.h"
#include "sockets/fdtab.h"
#include "sockets/process.h"
#include "sockets/family.h"
#include "sockets/usermem.h"
#include <fcntl.h>
#include <sys/stat.h>

/* prefix: splice sendfile */

#define PAGE         4096
#define FRAME_MAX    2060 /* CAN XL */
#define SPLICE_FLAGS 0xf

static inline bool is_raw(int fd) { return fd_kind(fdtab_get(fd)) == FD_RAW; }
static inline const struct bus *bus(void) { return process_bus_attached(); }

static ssize_t send_piece(int fd, const void *bytes, size_t size)
{
    return size > FRAME_MAX ? -EINVAL : family_write(bus(), fd_number(fdtab_get(fd)), fd, bytes, size, 0);
}

/* The kind of file (S_IFMT), or 0. */
static unsigned type_of(int fd)
{
    struct statx status;
    return sys_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &status) == 0 ? status.stx_mode & S_IFMT
                                                                                : 0;
}

static bool is_pipe(int fd) { return type_of(fd) == S_IFIFO; }

/* ---- from a pipe ---- */

/* One piece, with what `look` (an empty pipe) is for: to see it before it is taken. Returns its bytes; 0: the pipe has ended. */
static ssize_t splice_piece(int pipe, int fd, size_t size, unsigned flags, const int look[2])
{
    char piece[PAGE];
    ssize_t count = sys_call(SYS_tee, pipe, look[1], size < PAGE ? size : PAGE, flags), sent;

    if (count <= 0) return count;
    count = sys_call(SYS_read, look[0], piece, PAGE);
    sent = count < 0 ? count : send_piece(fd, piece, (size_t)count);
    return sent < 0 ? sent : sys_call(SYS_read, pipe, piece, count);
}

/* Throws away what a look left over. */
static void drain(int fd)
{
    char rest[PAGE];

    while (sys_call(SYS_read, fd, rest, PAGE) > 0)
        ;
}

static ssize_t splice_in(int pipe, int fd, size_t size, unsigned flags)
{
    ssize_t done = 0, count;
    int look[2];
    long error = sys_call(SYS_pipe2, look, O_CLOEXEC);

    if (error) return error;
    sys_call(SYS_fcntl, look[0], F_SETFL, O_NONBLOCK); /* the other end's flag would be tee's */
    do {
        count = splice_piece(pipe, fd, size - (size_t)done, done ? flags | SPLICE_F_NONBLOCK : flags, look);
        if (count > 0) done += count;
        drain(look[0]);
    } while (count > 0 && (size_t)done < size);
    sys_call(SYS_close, look[0]);
    sys_call(SYS_close, look[1]);
    return done ? done : count;
}

/* ---- to a pipe ---- */

/* Is there room in a pipe, so that a frame taken is not lost? */
static int wait_for_room(int pipe, bool nonblocking)
{
    struct pollfd room = { .fd = pipe, .events = POLLOUT };
    struct timespec now = { 0, 0 };
    long ready;

    if (sys_call(SYS_fcntl, pipe, F_GETFL, 0) & O_NONBLOCK) nonblocking = true;
    ready = sys_call(SYS_ppoll, &room, 1, nonblocking ? &now : NULL, NULL, 0);
    return ready < 0 ? (int)ready : ready == 0 ? -EAGAIN : 0;
}

static ssize_t splice_out(int fd, int pipe, size_t size, unsigned flags)
{
    char frame[FRAME_MAX];
    ssize_t count = sys_call(SYS_fcntl, pipe, F_GETFL, 0);

    if (count < 0 || (count & O_ACCMODE) == O_RDONLY) return -EBADF;
    count = wait_for_room(pipe, flags & SPLICE_F_NONBLOCK);
    if (!count)
        count = family_read(bus(), fd_number(fdtab_get(fd)), fd, frame,
                            size < sizeof(frame) ? size : sizeof(frame), 0);
    return count <= 0 ? count : sys_call(SYS_write, pipe, frame, count);
}

/* ---- splice ---- */

/* Nothing is spliced into what was opened, or made, O_APPEND: not even into sockets, to which that means nothing. */
static bool appends(int fd) { return sys_call(SYS_fcntl, fd, F_GETFL, 0) & O_APPEND; }

/* The kernel's order of checks. A pipe has no offset (-ESPIPE), a socket none either (-EINVAL). */
static ssize_t splice_ours(int in, const void *in_offset, int out, const void *out_offset, size_t size,
                           unsigned flags)
{
    if (size == 0) return 0;
    if (flags & ~(unsigned)SPLICE_FLAGS) return -EINVAL;
    if (sys_call(SYS_fcntl, in, F_GETFD, 0) < 0 || sys_call(SYS_fcntl, out, F_GETFD, 0) < 0) return -EBADF;
    if (is_raw(in) ? !is_pipe(out) : !is_pipe(in)) return -EINVAL;
    if (is_raw(in) ? out_offset : in_offset) return -ESPIPE;
    if (is_raw(in) ? in_offset : out_offset) return -EINVAL;
    if (!is_raw(in) && appends(out)) return -EINVAL;
    return is_raw(in) ? splice_out(in, out, size, flags)
                      : splice_in(in, out, size, flags & SPLICE_F_NONBLOCK);
}

EXPORT ssize_t splice(int in, off64_t *in_offset, int out, off64_t *out_offset, size_t size, unsigned flags)
{
    if (likely(!is_raw(in) && !is_raw(out))) return real.splice(in, in_offset, out, out_offset, size, flags);
    return edge(splice_ours(in, in_offset, out, out_offset, size, flags));
}

/* ---- sendfile ---- */

/* From a file, page by page. *offset moves on by what was sent. */
static ssize_t send_pages(int fd, int file, int64_t *offset, size_t size)
{
    char piece[PAGE];
    ssize_t done = 0, count = 0;

    while ((size_t)done < size) {
        size_t part = PAGE - (size_t)(*offset % PAGE);
        if (part > size - (size_t)done) part = size - (size_t)done;
        struct iovec iov = { piece, part };
        count = sys_call(SYS_preadv, file, &iov, 1, *offset, *offset >> 32);
        if (count > 0) count = send_piece(fd, piece, (size_t)count);
        if (count <= 0) break;
        done += count;
        *offset += count;
    }
    return done ? done : count;
}

/* offset NULL: the file's own, which moves on. */
static ssize_t send_file(int fd, int file, int64_t *offset, size_t size)
{
    unsigned type = type_of(file);
    int64_t at = 0;
    ssize_t sent;

    if (!type) return -EBADF;
    if (type != S_IFREG && type != S_IFBLK) return offset && type != S_IFDIR ? -ESPIPE : -EINVAL;
    if (appends(fd)) return -EINVAL;
    at = offset ? *offset : sys_call(SYS_lseek, file, 0, SEEK_CUR);
    if (at < 0) return -EINVAL;
    sent = send_pages(fd, file, &at, size);
    if (offset)
        *offset = at;
    else if (sent > 0)
        sys_call(SYS_lseek, file, at, SEEK_SET);
    return sent;
}

/* What each width of the offset ends in. To a pipe it is a splice; from a socket elsewhere it cannot be. */
static ssize_t sendfile_ours(int out, int in, int64_t *offset, size_t size)
{
    if (is_raw(out)) return send_file(out, in, offset, size);
    if (offset) return -ESPIPE;
    return is_pipe(out) ? splice_ours(in, NULL, out, NULL, size, 0) : -EINVAL;
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t size)
{
    int64_t at = 0;
    ssize_t result;

    if (likely(!is_raw(in) && !is_raw(out))) return real.sendfile64(out, in, offset, size);
    if (offset && usermem_read(&at, offset, sizeof(*offset))) return edge(-EFAULT);
    result = sendfile_ours(out, in, offset ? &at : NULL, size);
    if (offset && usermem_write(offset, &at, sizeof(*offset))) return edge(-EFAULT);
    return edge(result);
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
    off64_t at;
    ssize_t result;

    if (likely(!is_raw(in) && !is_raw(out))) return real.sendfile(out, in, offset, size);
    if (!offset) return sendfile64(out, in, NULL, size);
    if (!usermem_ok(offset, sizeof(*offset), USERMEM_WRITE)) return edge(-EFAULT);
    at = *offset;
    result = sendfile64(out, in, &at, size);
    *offset = (off_t)at;
    return result;
}
