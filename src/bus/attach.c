/* bus/attach.c - making, sealing, checking and mapping the memories of an instance.
 *
 * Sizes are sealed, so nobody can shrink a memory under us (no SIGBUS); control is sealed against new writers. The mappings
 * stay out of core dumps, and out of mlockall(MCL_FUTURE), which would make the sparse memory real. */
#include "bus/attach.h"
#include "base/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/mman.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

/* The -errno in a failed mapping's address. Never 0, which the analyzer cannot know. */
static int error_of(const void *address)
{
    int error = (int)(long)address;
    return error ? error : -ENOMEM;
}

static int map(int fd, size_t size, uint64_t offset, int protection, void **out)
{
    void *at = sys_mmap(NULL, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, (int64_t)offset);
    long error;

    if (sys_is_error(at)) return error_of(at);
    sys_call(SYS_munlock, at, size);
    sys_call(SYS_madvise, at, size, MADV_DONTDUMP);
    error = sys_call(SYS_mprotect, at, size, protection);
    if (error) {
        sys_call(SYS_munmap, at, size);
        return (int)error;
    }
    *out = at;
    return 0;
}

/* A memfd of this size, with these seals? A memory of another size belongs to another version. */
static int check(int fd, uint64_t size, long needed)
{
    long seals = sys_call(SYS_fcntl, fd, F_GET_SEALS, 0);
    struct statx about;

    if (seals < 0 || (seals & needed) != needed) return -EBADF;
    if (sys_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &about)) return -EBADF;
    return about.stx_size == size ? 0 : -EPROTO;
}

int attach_map(struct bus *bus, int control_fd, int data_fd, bool control_writable)
{
    int error = check(control_fd, sizeof(struct control), SIZE_SEALS | F_SEAL_FUTURE_WRITE);
    void *control = NULL, *data = NULL;

    if (!error) error = check(data_fd, DATA_SIZE, SIZE_SEALS);
    if (!error)
        error = map(control_fd, sizeof(struct control), 0, PROT_READ | (control_writable ? PROT_WRITE : 0),
                    &control);
    if (error) return error;
    error = map(data_fd, DATA_NEAR_SIZE, 0, PROT_READ | PROT_WRITE, &data);
    if (!error && (((struct control *)control)->magic != LAYOUT_MAGIC ||
                   ((struct control *)control)->version != LAYOUT_VERSION)) {
        sys_call(SYS_munmap, data, DATA_NEAR_SIZE);
        error = -EPROTO;
    }
    if (error) {
        sys_call(SYS_munmap, control, sizeof(struct control));
        return error;
    }
    bus->control = control;
    bus->data = data;
    return 0;
}

int attach_map_piece(int data_fd, uint64_t offset, size_t size, void **piece)
{
    int error = check(data_fd, DATA_SIZE, SIZE_SEALS);

    return error ? error : map(data_fd, size, offset, PROT_READ | PROT_WRITE, piece);
}

#if !DATA_IS_NARROW
int attach_map_ext(struct bus *bus, int data_fd)
{
    void *ext = NULL;
    int error = check(data_fd, DATA_SIZE, SIZE_SEALS);

    if (!error) error = map(data_fd, sizeof(struct data_ext), DATA_EXT_OFFSET, PROT_READ | PROT_WRITE, &ext);
    if (!error) bus->ext = ext;
    return error;
}
#endif

int attach_map_window(int data_fd, uint32_t slot, void **window)
{
    return attach_map_piece(data_fd, WINDOW_OFFSET(slot), WINDOW_SIZE, window);
}

static int create(const char *name, uint64_t size)
{
    long fd = sys_call(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING), error;

    if (fd < 0) return (int)fd;
    error = sys_ftruncate((int)fd, size);
    if (!error) error = sys_call(SYS_fcntl, fd, F_ADD_SEALS, SIZE_SEALS);
    if (error) sys_call(SYS_close, fd);
    return error ? (int)error : (int)fd;
}

int attach_create(int fds[2], struct control **control)
{
    void *at = NULL;
    int error;

    fds[0] = create("pocketcan-control", sizeof(struct control));
    if (fds[0] < 0) return fds[0];
    fds[1] = create("pocketcan-data", DATA_SIZE);
    error = fds[1] < 0 ? fds[1] : map(fds[0], sizeof(struct control), 0, PROT_READ | PROT_WRITE, &at);
    if (!error) {
        *control = at;
        (*control)->version = LAYOUT_VERSION;
        (*control)->magic = LAYOUT_MAGIC;
        error = (int)sys_call(SYS_fcntl, fds[0], F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    }
    if (error) {
        sys_call(SYS_close, fds[0]);
        if (fds[1] >= 0) sys_call(SYS_close, fds[1]);
    }
    return error;
}
