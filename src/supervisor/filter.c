/* supervisor/filter.c - builds the filter, a list of system calls with a test of its arguments each.
 *
 * Trapped are: socket(2) for CAN and netlink; what sends, names or describes a socket; what receives more than bytes. Reading and waiting are the
 * kernel's: a CAN socket's descriptor holds the frames themselves. Paths: a filter cannot read them, so those that may lead to /proc and /sys are
 * trapped. Calls that move data are looked at by their descriptor's number only, so that other sockets and files are as fast as ever; the rare ones that
 * set a socket up are trapped for any number, because a copy may have a low one (dup2).
 *
 * Each rule is "is it this call? no: skip" and a test that ends in a verdict, so rules know nothing of each other.
 *
 * On x86-64 a program of 32 bits may come as well. Its calls have other numbers, so the rules are there a second time, behind a test of the
 * architecture. Calls of the x32 kind are the kernel's. socketcall(2), one number for all calls about sockets, hides their arguments in memory: it is
 * always trapped, and filter_wants() then decides by the same rules. */
#include "supervisor/filter.h"
#include "base/sys.h"
#include "sockets/door.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#if defined(__x86_64__)
#define ARCH_HERE   AUDIT_ARCH_X86_64
#define ARCH_NARROW AUDIT_ARCH_I386
#elif defined(__i386__)
#define ARCH_HERE AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define ARCH_HERE AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define ARCH_HERE AUDIT_ARCH_ARM
#else
#error "the second door does not know this machine"
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define PROGRAM_MAX 1280
#define NUMBERS_MAX 1024 /* FD_SETSIZE */
#define AF_CAN_     29
#define X32_BIT     0x40000000u
#define PLAIN_FLAGS                                                                                          \
    (MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL |                                                                 \
     MSG_NOSIGNAL) /* of recv(2): our end knows them as CAN sockets do */

/* What not every machine has; no call has this number. */
#define NONE (-1)
#ifndef SYS_dup2
#define SYS_dup2 NONE
#endif
#ifndef SYS_accept
#define SYS_accept NONE
#endif
#ifndef SYS_fcntl64
#define SYS_fcntl64 NONE
#endif
#ifndef SYS_recvmmsg_time64
#define SYS_recvmmsg_time64 NONE
#endif
#if !defined(SYS_send) || !defined(SYS_recv)
#define SYS_send NONE
#define SYS_recv NONE
#endif
#ifndef SYS_socketcall
#define SYS_socketcall NONE
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

/* Those that were there before us are looked at first. */
static void inherited(struct program *program, const struct filter_range *range)
{
    if (range->inherited_count) EMIT(program, LOAD(ARG(0)));
    for (uint32_t i = 0; i < range->inherited_count; i++)
        EMIT(program, IF(BPF_JEQ, range->inherited[i], 0, 1), RET_NOTIFY);
}

static void number_within(struct program *program, const struct filter_range *range, int32_t first,
                          int32_t end)
{
    inherited(program, range);
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, first, 0, 2), IF(BPF_JGE, end, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void any_of_ours(struct program *program, const struct filter_range *range)
{
    number_within(program, range, range->first, range->end);
}

static void either_of_ours(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(1)), IF(BPF_JGE, range->first, 0, 1), IF(BPF_JGE, range->end, 0, 3), LOAD(ARG(0)),
         IF(BPF_JGE, range->first, 0, 2), IF(BPF_JGE, range->end, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void all_but_raw(struct program *program, const struct filter_range *range)
{
    number_within(program, range, range->served, range->end);
}

/* With CAN_RAW: does it ask for the sender, or for something that our end would do otherwise? */
static void recvfrom_call(struct program *program, const struct filter_range *range)
{
    inherited(program, range);
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, range->first, 0, 7), IF(BPF_JGE, range->end, 6, 0),
         IF(BPF_JGE, range->served, 4, 0), LOAD(ARG(4)), IF(BPF_JEQ, 0, 0, 2), LOAD(ARG(3)),
         IF(BPF_JSET, ~PLAIN_FLAGS, 0, 1), RET_NOTIFY, RET_ALLOW);
}

/* The same without an address to ask for. */
static void recv_call(struct program *program, const struct filter_range *range)
{
    inherited(program, range);
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, range->first, 0, 5), IF(BPF_JGE, range->end, 4, 0),
         IF(BPF_JGE, range->served, 2, 0), LOAD(ARG(3)), IF(BPF_JSET, ~PLAIN_FLAGS, 0, 1), RET_NOTIFY,
         RET_ALLOW);
}

static void dup_call(struct program *program, const struct filter_range *range)
{
    number_within(program, range, range->folders, range->end);
}

static void fcntl_call(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, range->folders, 0, 5), IF(BPF_JGE, range->end, 4, 0),
         LOAD(ARG(1)), IF(BPF_JEQ, DUPFD, 1, 0), IF(BPF_JEQ, DUPFD_CLOEXEC, 0, 1), RET_NOTIFY, RET_ALLOW);
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
    EMIT(program, LOAD(ARG(0)), IF(BPF_JEQ, AF_CAN_, 6, 0), IF(BPF_JEQ, AF_PACKET, 3, 0),
         IF(BPF_JEQ, AF_NETLINK, 0, 5), LOAD(ARG(2)), IF(BPF_JEQ, 0, 0, 3), LOAD(ARG(5)),
         IF(BPF_JEQ, DOOR_COOKIE, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void socketpair_call(struct program *program, const struct filter_range *range)
{
    (void)range;
    EMIT(program, LOAD(ARG(0)), IF(BPF_JEQ, AF_CAN_, 0, 1), RET_NOTIFY, RET_ALLOW);
}

/* A path that may be absolute, or begin at the current directory. */
static void path_call(struct program *program, const struct filter_range *range)
{
    (void)range;
    EMIT(program, LOAD(ARG(5)), IF(BPF_JEQ, DOOR_COOKIE, 0, 1), RET_ALLOW, RET_NOTIFY);
}

/* ... or at an open one: then it is of interest if that is of ours. Who has opened another is taken to stay below it. */
static void path_at_call(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(5)), IF(BPF_JEQ, DOOR_COOKIE, 5, 0), LOAD(ARG(0)), IF(BPF_JEQ, AT_FDCWD, 2, 0),
         IF(BPF_JGE, range->folders, 0, 2), IF(BPF_JGE, range->first, 1, 0), RET_NOTIFY, RET_ALLOW);
}

static void folder_call(struct program *program, const struct filter_range *range)
{
    EMIT(program, LOAD(ARG(0)), IF(BPF_JGE, range->folders, 0, 2), IF(BPF_JGE, range->first, 1, 0),
         RET_NOTIFY, RET_ALLOW);
}

static const struct rule {
    int here, narrow; /* its number on this machine, and for programs of 32 bits on x86-64 */
    test *test;
    int like; /* of a call that only 32-bit programs make: the one of this machine that does the same; LIKE_MANY: its first argument says it */
} rules[] = {
    { SYS_write, 4, any_of_ours },
    { SYS_read, 3, all_but_raw },
    { SYS_sendto, 369, any_of_ours },
    { SYS_recvfrom, 371, recvfrom_call },
    { SYS_sendmsg, 370, any_of_ours },
    { SYS_recvmsg, 372, any_of_ours },
    { SYS_writev, 146, any_of_ours },
    { SYS_readv, 145, all_but_raw },
    { SYS_pwritev2, 379, any_of_ours },
    { SYS_sendmmsg, 345, any_of_ours },
    { SYS_recvmmsg, 337, any_of_ours },
    { SYS_ioctl, 54, ioctl_call },
    { SYS_fcntl, 55, fcntl_call },
    { SYS_dup, 41, dup_call },
    { SYS_dup2, 63, either_of_ours },
    { SYS_dup3, 330, either_of_ours },
    { SYS_close, 6, any_of_ours },
    { SYS_close_range, 436, always },
    { SYS_execve, 11, always }, /* ends descriptors */
    { SYS_execveat, 358, always },
    { SYS_exit_group, 252, always }, /* ISO-TP sockets may have something left to send */
    { SYS_accept, NONE, any_of_ours },
    { SYS_accept4, 364, any_of_ours },
    { SYS_socket, 359, socket_call },
    { SYS_socketpair, 360, socketpair_call },
    { SYS_bind, 361, always },
    { SYS_connect, 362, always },
    { SYS_listen, 363, always },
    { SYS_shutdown, 373, always },
    { SYS_getsockname, 367, always },
    { SYS_getpeername, 368, always },
    { SYS_getsockopt, 365, always },
    { SYS_setsockopt, 366, always },
    { SYS_fcntl64, 221, fcntl_call, SYS_fcntl },
    { SYS_recvmmsg_time64, 417, any_of_ours, SYS_recvmmsg },
    { SYS_send, NONE, any_of_ours, SYS_sendto },
    { SYS_recv, NONE, recv_call, SYS_recvfrom },
    { SYS_socketcall, 102, always, LIKE_MANY },
    { SYS_openat, 295, path_at_call },
    { SYS_openat2, 437, path_at_call },
    { FILES_FSTATAT, 300, path_at_call },
    { FILES_FSTAT, 197, folder_call },
    { SYS_statx, 383, path_at_call },
    { SYS_faccessat, 307, path_at_call },
    { SYS_faccessat2, 439, path_at_call },
    { SYS_readlinkat, 305, path_at_call },
    { SYS_getxattr, 229, path_call },
    { SYS_lgetxattr, 230, path_call },
    { SYS_listxattr, 232, path_call },
    { SYS_llistxattr, 233, path_call },
    { SYS_chdir, 12, path_call },
    { SYS_fchdir, 133, path_call },
    { SYS_getcwd, 183, path_call },
#ifdef SYS_open /* of old machines */
    { SYS_open, 5, path_call },
    { FILES_STAT, 195, path_call },
    { FILES_LSTAT, 196, path_call },
    { SYS_access, 33, path_call },
    { SYS_readlink, 85, path_call },
#endif
};
#ifdef __i386__
_Static_assert(SYS_read == 3 && SYS_socket == 359 && SYS_shutdown == 373 && SYS_pwritev2 == 379 &&
                   SYS_fcntl64 == 221 && SYS_recvmmsg_time64 == 417 && SYS_socketcall == 102,
               "both columns are of i386");
#endif
#define RULES (sizeof(rules) / sizeof(*rules))

static bool is_about_files(test *about)
{
    return about == path_call || about == path_at_call || about == folder_call;
}

static void emit_rules(struct program *program, const struct filter_range *range, bool narrow)
{
    EMIT(program, LOAD(offsetof(struct seccomp_data, nr)));
    for (unsigned i = 0; i < RULES; i++) {
        unsigned short head = program->size;
        int number = narrow ? rules[i].narrow : rules[i].here;
        if (number == NONE || (is_about_files(rules[i].test) && range->folders == range->first)) continue;
        EMIT(program, IF(BPF_JEQ, number, 0, 0));
        rules[i].test(program, range);
        program->code[head].jf = (uint8_t)(program->size - head - 1);
    }
    EMIT(program, RET_ALLOW);
}

static void build(struct program *program, const struct filter_range *range)
{
    unsigned short jump;

    EMIT(program, LOAD(offsetof(struct seccomp_data, arch)), IF(BPF_JEQ, ARCH_HERE, 1, 0),
         BPF_STMT(BPF_JMP | BPF_JA, 0));
    jump = (unsigned short)(program->size - 1);
#ifdef __x86_64__
    EMIT(program, LOAD(offsetof(struct seccomp_data, nr)), IF(BPF_JGE, X32_BIT, 0, 1), RET_ALLOW);
#endif
    emit_rules(program, range, false);
    program->code[jump].k = (uint32_t)(program->size - jump - 1);
#ifdef ARCH_NARROW
    EMIT(program, IF(BPF_JEQ, ARCH_NARROW, 1, 0), RET_ALLOW);
    emit_rules(program, range, true);
#else
    EMIT(program, RET_ALLOW);
#endif
}

bool filter_serves_narrow(void)
{
#ifdef ARCH_NARROW
    return true;
#else
    return false;
#endif
}

bool filter_is_narrow(uint32_t arch) { return arch != ARCH_HERE; }

int filter_like(uint32_t arch, int number)
{
    for (unsigned i = 0; i < RULES; i++)
        if ((arch == ARCH_HERE ? rules[i].here : rules[i].narrow) == number)
            return rules[i].like ? rules[i].like : rules[i].here;
    return NONE;
}

/* One instruction of those that are made here. Returns the next one's place, or -1 with *verdict. */
static int step(const struct program *program, int at, const struct seccomp_data *data, uint32_t *value,
                uint32_t *verdict)
{
    const struct sock_filter *code = &program->code[at];
    bool jumps = false;

    switch (code->code) {
    case BPF_LD | BPF_W | BPF_ABS: memcpy(value, (const char *)data + code->k, sizeof(*value)); return at + 1;
    case BPF_ALU | BPF_AND | BPF_K: *value &= code->k; return at + 1;
    case BPF_JMP | BPF_JA: return at + 1 + (int)code->k;
    case BPF_JMP | BPF_JEQ | BPF_K: jumps = *value == code->k; break;
    case BPF_JMP | BPF_JGE | BPF_K: jumps = *value >= code->k; break;
    case BPF_JMP | BPF_JSET | BPF_K: jumps = *value & code->k; break;
    default: *verdict = code->k; return -1;
    }
    return at + 1 + (jumps ? code->jt : code->jf);
}

bool filter_wants(const struct filter_range *range, const struct seccomp_data *data)
{
    struct program program = { .size = 0 };
    uint32_t value = 0, verdict = SECCOMP_RET_ALLOW;
    struct seccomp_data here = *data;

    here.arch = ARCH_HERE;
    build(&program, range);
    for (int at = 0; at >= 0 && at < program.size;)
        at = step(&program, at, &here, &value, &verdict);
    return verdict == SECCOMP_RET_USER_NOTIF;
}

void filter_range_now(struct filter_range *out)
{
    struct rlimit limit = { NUMBERS_MAX, NUMBERS_MAX };

    sys_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    out->end = limit.rlim_cur < NUMBERS_MAX ? (int32_t)limit.rlim_cur : NUMBERS_MAX;
    out->first = out->end / 2;
    out->folders = out->first - out->end / 16;
    out->netlink = out->end - out->end / 16;
    out->served = out->netlink - out->end / 8;
    out->inherited_count = 0;
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
