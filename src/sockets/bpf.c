/* sockets/bpf.c - attaching programs: what user memory holds is copied, checked, and only then put into force. Keeps no state. */
#include "sockets/bpf.h"
#include "base/sys.h"
#include "bus/program.h"
#include "can/cbpf.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <fcntl.h>

static bool is_locked(const struct bus *bus, uint32_t slot)
{
    return load_relaxed(&bus->data->slot[slot].option[OPT_LOCK_FILTER]);
}

int bpf_attach(const struct bus *bus, uint32_t slot, const void *user, socklen_t size)
{
    struct sock_filter program[PROGRAM_MAX];
    struct sock_fprog given;

    if (size != sizeof(given)) return -EINVAL;
    if (usermem_read(&given, user, sizeof(given))) return -EFAULT;
    if (is_locked(bus, slot)) return -EPERM;
    if (!given.filter || given.len == 0 || given.len > CBPF_KERNEL_MAX) return -EINVAL;
    if (given.len > PROGRAM_MAX) return -ENOMEM;
    if (usermem_read(program, given.filter, given.len * sizeof(*program))) return -EFAULT;
    if (!cbpf_check(program, given.len)) return -EINVAL;
    return program_attach(bus, slot, program, given.len);
}

int bpf_detach(const struct bus *bus, uint32_t slot)
{
    if (is_locked(bus, slot)) return -EPERM;
    return program_detach(bus, slot) ? 0 : -ENOENT;
}

int bpf_get(const struct bus *bus, uint32_t slot, void *user, socklen_t *size)
{
    struct sock_filter program[PROGRAM_MAX];
    uint32_t count = program_get(bus, slot, program), room = *size;

    if (room && room < count) return -EINVAL;
    if (room && usermem_write(user, program, count * sizeof(*program))) return -EFAULT;
    *size = count;
    return 0;
}

/* Is it a descriptor of an extended BPF program? */
static bool is_extended(int fd)
{
    static const char name[] = "anon_inode:bpf-prog";
    char path[32] = "/proc/self/fd/", link[sizeof(name)], digits[10];
    unsigned count = 0, at = 14;

    do
        digits[count++] = (char)('0' + fd % 10);
    while (fd /= 10);
    while (count)
        path[at++] = digits[--count];
    return sys_call(SYS_readlinkat, AT_FDCWD, path, link, sizeof(link)) == sizeof(name) - 1 &&
           __builtin_memcmp(link, name, sizeof(name) - 1) == 0;
}

int bpf_attach_extended(const struct bus *bus, uint32_t slot, const void *user, socklen_t size)
{
    int fd;

    if (size != sizeof(fd)) return -EINVAL;
    if (usermem_read(&fd, user, sizeof(fd))) return -EFAULT;
    if (is_locked(bus, slot)) return -EPERM;
    if (fd < 0 || sys_call(SYS_fcntl, fd, F_GETFD, 0) < 0) return -EBADF;
    return is_extended(fd) ? -EOPNOTSUPP : -EINVAL;
}
