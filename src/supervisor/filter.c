/* supervisor/filter.c - builds the filter, a list of system calls with a test of its arguments each.
 *
 * Trapped are: socket(2) for CAN and netlink; what sends, names or describes a socket; what receives more than bytes. Reading and waiting are the kernel's:
 * a CAN socket's descriptor holds the frames themselves. Calls that move data are looked at by their descriptor's number only, so that other sockets and
 * files are as fast as ever; the rare ones that set a socket up are trapped for any number, because a copy may have a low one (dup2).
 *
 * Each rule is "is it this call? no: skip" and a test that ends in a verdict, so rules know nothing of each other. */
#include "supervisor/filter.h"
#include "base/sys.h"
#include "sockets/door.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#if defined(__x86_64__)
#define ARCH_HERE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_HERE AUDIT_ARCH_AARCH64
#else
#error "no second door on this machine yet"
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define PROGRAM_MAX 512
#define NUMBERS_MAX 1024 /* FD_SETSIZE */
#define AF_CAN_     29
#define X32_BIT     0x40000000u
#define PLAIN_FLAGS                                                                                          \
    (MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL |                                                                 \
     MSG_NOSIGNAL) /* of recv(2): our end knows them as CAN sockets do */
#ifndef SYS_dup2
#define SYS_dup2 SYS_dup3
#endif

#define DUPFD         0
#define DUPFD_CLOEXEC 1030
#define IOCTL_SOCKET  0x8900
#define IOCTL_INQ     0x541b
#define IOCTL_OUTQ    0x5411

#define ARG(n)                 ((uint32_t)(offsetof(struct seccomp_data, args) + 8u * (n))) /* low word, little endian */
#define RET_NOTIFY             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
#define RET_ALLOW              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD(at)               BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define IF(op, value, yes, no) BPF_JUMP(BPF_JMP | (op) | BPF_K, (uint32_t)(value), (yes), (no))

struct program {
    struct sock_filter code[PROGRAM_MAX];
    unsigned short size;
};

static void emit(struct program *program, const struct sock_filter *code, unsigned count)
{
    for (unsigned i = 0; i < count && program->size < PROGRAM_MAX; i++)
        program->code[program->size++] = code[i];
}
#define EMIT(program, ...)                                                                                   \
    emit(program, (const struct sock_filter[]){ __VA_ARGS__ },                                               \
         sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter))

/* ---- what is asked of a call's arguments ---- */

typedef void test(struct program *program, const struct filter_range *range);

static void always(struct program *program, const struct filter_range *range)
{
    (void)range;
    EMIT(program, RET_NOTIFY);
}

static void number_within(struct program *program, int32_t first, int32_t end)
{
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, first, 0, 2), IF(BPF_JGE, end, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void any_of_ours(struct program *program, const struct filter_range *range)
{
    number_within(program, range->first, range->end);
}

static void either_of_ours(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(1)), IF(BPF_JGE, range->first, 0, 1), IF(BPF_JGE, range->end, 0, 3), LOAD(ARG(0)),
         IF(BPF_JGE, range->first, 0, 2), IF(BPF_JGE, range->end, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void all_but_raw(struct program *program, const struct filter_range *range)
{
    number_within(program, range->served, range->end);
}

/* With CAN_RAW: does it ask for the sender, or for something that our end would do otherwise? */
static void recvfrom_call(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, range->first, 0, 7), IF(BPF_JGE, range->end, 6, 0),
         IF(BPF_JGE, range->served, 4, 0), LOAD(ARG(4)), IF(BPF_JEQ, 0, 0, 2), LOAD(ARG(3)),
         IF(BPF_JSET, ~PLAIN_FLAGS, 0, 1), RET_NOTIFY, RET_ALLOW);
}

static void fcntl_call(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, range->first, 0, 5), IF(BPF_JGE, range->end, 4, 0), LOAD(ARG(1)),
         IF(BPF_JEQ, DUPFD, 1, 0), IF(BPF_JEQ, DUPFD_CLOEXEC, 0, 1), RET_NOTIFY, RET_ALLOW);
}

static void ioctl_call(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(1)), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff00), IF(BPF_JEQ, IOCTL_SOCKET, 0, 1),
         RET_NOTIFY, LOAD(ARG(0)), IF(BPF_JGE, range->first, 0, 5), IF(BPF_JGE, range->netlink, 4, 0),
         LOAD(ARG(1)), IF(BPF_JEQ, IOCTL_INQ, 1, 0), IF(BPF_JEQ, IOCTL_OUTQ, 0, 1), RET_NOTIFY, RET_ALLOW);
}

static void socket_call(struct program *program, const struct filter_range *range)
{
    (void)range;
    EMIT(program, LOAD(ARG(0)), IF(BPF_JEQ, AF_CAN_, 5, 0), IF(BPF_JEQ, AF_NETLINK, 0, 5), LOAD(ARG(2)),
         IF(BPF_JEQ, 0, 0, 3), LOAD(ARG(5)), IF(BPF_JEQ, DOOR_COOKIE, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void socketpair_call(struct program *program, const struct filter_range *range)
{
    (void)range;
    EMIT(program, LOAD(ARG(0)), IF(BPF_JEQ, AF_CAN_, 0, 1), RET_NOTIFY, RET_ALLOW);
}

static const struct {
    uint32_t number;
    test *test;
} rules[] = {
    { SYS_write, any_of_ours },
    { SYS_read, all_but_raw },
    { SYS_sendto, any_of_ours },
    { SYS_recvfrom, recvfrom_call },
    { SYS_sendmsg, any_of_ours },
    { SYS_recvmsg, any_of_ours },
    { SYS_writev, any_of_ours },
    { SYS_readv, all_but_raw },
    { SYS_pwritev2, any_of_ours },
    { SYS_sendmmsg, any_of_ours },
    { SYS_recvmmsg, any_of_ours },
    { SYS_ioctl, ioctl_call },
    { SYS_fcntl, fcntl_call },
    { SYS_dup, any_of_ours },
    { SYS_dup2, either_of_ours },
    { SYS_dup3, either_of_ours },
    { SYS_close, any_of_ours },
    { SYS_close_range, always },
    { SYS_execve, always }, /* ends descriptors */
    { SYS_execveat, always },
    { SYS_exit_group, always }, /* ISO-TP sockets may have something left to send */
    { SYS_accept, any_of_ours },
    { SYS_accept4, any_of_ours },
    { SYS_socket, socket_call },
    { SYS_socketpair, socketpair_call },
    { SYS_bind, always },
    { SYS_connect, always },
    { SYS_listen, always },
    { SYS_shutdown, always },
    { SYS_getsockname, always },
    { SYS_getpeername, always },
    { SYS_getsockopt, always },
    { SYS_setsockopt, always },
};

static void build(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(offsetof(struct seccomp_data, arch)), IF(BPF_JEQ, ARCH_HERE, 1, 0), RET_ALLOW,
         LOAD(offsetof(struct seccomp_data, nr)), IF(BPF_JGE, X32_BIT, 0, 1), RET_ALLOW);
    for (unsigned i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        unsigned short head = program->size;
        EMIT(program, IF(BPF_JEQ, rules[i].number, 0, 0));
        rules[i].test(program, range);
        program->code[head].jf = (uint8_t)(program->size - head - 1);
    }
    EMIT(program, RET_ALLOW);
}

void filter_range_now(struct filter_range *out)
{
    struct rlimit limit = { NUMBERS_MAX, NUMBERS_MAX };

    sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    out->end = limit.rlim_cur < NUMBERS_MAX ? (int32_t)limit.rlim_cur : NUMBERS_MAX;
    out->first = out->end / 2;
    out->netlink = out->end - out->end / 16;
    out->served = out->netlink - out->end / 8;
}

static long set_filter(const struct sock_fprog *program, unsigned long flags)
{
    return sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

/* Without losing privileges if we may; else without the right to gain any. */
static long set_filter_somehow(const struct sock_fprog *program, unsigned long flags)
{
    long listener = set_filter(program, flags);

    if (listener != -EACCES) return listener;
    sys_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return set_filter(program, flags);
}

int filter_install(const struct filter_range *range, bool *exact)
{
    struct program built = { .size = 0 };
    struct sock_fprog program = { .filter = built.code };
    long listener;

    build(&built, range);
    program.len = built.size;
    listener = set_filter_somehow(&program,
                                  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    *exact = listener >= 0;
    if (listener == -EINVAL) listener = set_filter_somehow(&program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    return (int)listener;
}

int filter_supervisor(void)
{
    long answer = sys_call(SYS_socketpair, AF_CAN_, FILTER_PROBE, 0, NULL);
    return answer > 0 ? (int)answer : 0;
}
