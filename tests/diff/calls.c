/* Steps on descriptors, names, options, readiness, and ioctl. */
#include "diff.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/can/raw.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define FILL 0xa5

static uint8_t buffer[8192];

static void *pointer(const struct step *step, void *otherwise)
{
    const char *text = step_text(step, "ptr", "");

    return !strcmp(text, "null") ? NULL : !strcmp(text, "bad") ? (void *)1 : otherwise;
}

/* Where a call finds a length. */
static socklen_t *length(const struct step *step, socklen_t *otherwise)
{
    const char *text = step_text(step, "lenptr", "");

    return !strcmp(text, "null") ? NULL : !strcmp(text, "bad") ? (void *)1 : otherwise;
}

/* ---- descriptors ---- */

/* Takes a descriptor out of all sets before it is closed, if other processes may hold its socket: that an event comes when the
 * socket is only open elsewhere is beyond pocketcan, because the token that makes it readable is taken by who reads. */
void calls_unregister(int fd)
{
    struct epoll_event event = { 0 };

    for (int p = 0; world->shared && p < PROCESSES; p++)
        for (int i = 0; i < EPOLLS; i++)
            if (world->process[p].epoll[i] >= 0)
                epoll_ctl(world->process[p].epoll[i], EPOLL_CTL_DEL, fd, &event);
}

/* Puts a new descriptor where operand `at` says, in the place of what is there. */
static void keep(const struct step *step, int at, long long fd)
{
    int *slot = step_slot(step, at), error = errno;

    if (fd >= 0) {
        if (!slot) {
            close((int)fd);
        } else {
            if (*slot >= 0 && *slot != fd) {
                calls_unregister(*slot);
                close(*slot);
            }
            *slot = (int)fd;
        }
    }
    errno = error;
    out_result(fd < 0 ? fd : 0);
}

static void op_socket(const struct step *step)
{
    keep(step, 0,
         STEP_CALL(step, socket, (int)step_number(step, "family", AF_CAN),
                   (int)step_value(step, 1) | SOCK_NONBLOCK, (int)step_value(step, 2)));
}

static void op_close(const struct step *step)
{
    int *slot = step_slot(step, 0), fd = slot ? *slot : -1;

    if (slot) *slot = -1;
    calls_unregister(fd);
    out_result(STEP_CALL(step, close, fd));
}

static void op_dup(const struct step *step)
{
    const char *how = step_text(step, "how", "dup");
    int from = step_fd(step, 0), *to = step_slot(step, 1), fd;

    if (!to || to == step_slot(step, 0)) return;
    if (*to >= 0) calls_unregister(*to);
    if (!strcmp(how, "dup2") && *to >= 0)
        fd = (int)STEP_CALL(step, dup2, from, *to);
    else if (!strcmp(how, "dup3") && *to >= 0)
        fd = (int)STEP_CALL(step, dup3, from, *to, O_CLOEXEC);
    else if (!strcmp(how, "fcntl"))
        fd = (int)STEP_CALL(step, fcntl, from, F_DUPFD, 20);
    else if (!strcmp(how, "cloexec"))
        fd = fcntl(from, F_DUPFD_CLOEXEC, 30);
    else
        fd = (int)STEP_CALL(step, dup, from);
    keep(step, 1, fd);
}

static void op_give(const struct step *step)
{
    int fd = step_fd(step, 0);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = { 0 };
    char byte = 0;
    struct iovec iov = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    world->shared = true;
    out_result(sendmsg(world->transfer[0], &m, MSG_DONTWAIT));
}

static void op_take(const struct step *step)
{
    int fd = -1;
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))];
    struct iovec iov = { &byte, 1 };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };

    if (recvmsg(world->transfer[1], &m, MSG_DONTWAIT) >= 0 && CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    keep(step, 0, fd);
}

/* Numbers of processes differ: whose is it? */
static void out_owner(int pid)
{
    bool is_group = pid < 0;

    for (int i = 0; pid && i < PROCESSES; i++)
        if (world->process[i].pid == (is_group ? -pid : pid)) {
            out(" %sp%d", is_group ? "group of " : "", i);
            return;
        }
    out(pid ? " other" : " nobody");
}

static void op_fcntl(const struct step *step)
{
    int fd = step_fd(step, 0), command = (int)step_value(step, 1), argument = (int)step_value(step, 2),
        result;

    if (command == F_SETFL) argument |= O_NONBLOCK; /* nothing here may block */
    result = (int)STEP_CALL(step, fcntl, fd, command, argument);
    if (command == F_GETOWN && result > 0)
        out_owner(result);
    else
        out_result(result);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals = 1;
}

void calls_catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

    signals = 0;
    sigaction(SIGIO, &action, NULL);
}

/* SIGIO for a socket, and whether one came since this was asked last */
static void op_async(const struct step *step)
{
    int fd = step_fd(step, 0), on = (int)step_value(step, 1);

    out_result(fcntl(fd, F_SETOWN, getpid()));
    out_result(step_number(step, "ioctl", 0) ? ioctl(fd, FIOASYNC, &on)
                                             : fcntl(fd, F_SETFL, O_NONBLOCK | (on ? O_ASYNC : 0)));
}

static void op_signals(const struct step *step)
{
    (void)step;
    out(" = %d", (int)signals);
    signals = 0;
}

/* Calls that a CAN socket refuses, or that any descriptor has. */
static void op_misc(const struct step *step)
{
    const char *what = step_word(step, 1);
    int fd = step_fd(step, 0);
    struct stat st;

    if (!strcmp(what, "fstat")) {
        out_result(fstat(fd, &st));
        if (fd >= 0) out(" %o %ld", st.st_mode, (long)st.st_size);
    } else if (!strcmp(what, "lseek")) {
        out_result(lseek(fd, 0, SEEK_SET));
    } else if (!strcmp(what, "pread")) {
        out_result(pread(fd, buffer, 16, 0));
    } else if (!strcmp(what, "pwrite")) {
        out_result(pwrite(fd, buffer, 16, 0));
    } else if (!strcmp(what, "fsync")) {
        out_result(fsync(fd));
    } else if (!strcmp(what, "ftruncate")) {
        out_result(ftruncate(fd, 0));
    } else if (!strcmp(what, "mmap")) {
        out_result(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
    } else if (!strcmp(what, "listen")) {
        out_result(listen(fd, 1));
    } else if (!strcmp(what, "accept")) {
        out_result(accept4(fd, NULL, NULL, (int)step_number(step, "fl", 0)));
    } else if (!strcmp(what, "shutdown")) {
        out_result(shutdown(fd, (int)step_number(step, "how", 2)));
    }
}

/* ---- names ---- */

static void op_bind(const struct step *step)
{
    union {
        struct sockaddr_can can;
        uint8_t bytes[256];
    } a;
    socklen_t size = (socklen_t)step_number(step, "len", sizeof(a.can));

    memset(&a, 0x77, sizeof(a));
    a.can.can_family = (sa_family_t)step_number(step, "family", AF_CAN);
    a.can.can_ifindex = step_index(step_word(step, 1));
    if (!strcmp(step->operation, "connect"))
        out_result(STEP_CALL(step, connect, step_fd(step, 0), pointer(step, &a), size));
    else
        out_result(STEP_CALL(step, bind, step_fd(step, 0), pointer(step, &a), size));
}

static void op_name(const struct step *step)
{
    uint8_t bytes[64];
    socklen_t size = (socklen_t)step_number(step, "len", 24);
    struct sockaddr_can can;
    int result;

    memset(bytes, FILL, sizeof(bytes));
    result =
        !strcmp(step->operation, "peer")
            ? (int)STEP_CALL(step, getpeername, step_fd(step, 0), pointer(step, bytes), length(step, &size))
            : (int)STEP_CALL(step, getsockname, step_fd(step, 0), pointer(step, bytes), length(step, &size));
    out_result(result);
    out(" size %d", (int)size);
    if (!result && !step_text(step, "ptr", NULL)) { /* the index of a link is not to be seen */
        memcpy(&can, bytes, 8);
        if (step_number(step, "len", 24) >= 8)
            out(" %d/%02x%02x/%s", can.can_family, bytes[2], bytes[3], step_index_word(can.can_ifindex));
        memset(bytes + 4, FILL, 4);
    }
    out(" ");
    out_bytes(bytes, 24);
}

/* ---- options ---- */

static int level_of(const char *word)
{
    return !strcmp(word, "raw") ? SOL_CAN_RAW : !strcmp(word, "sol") ? SOL_SOCKET : atoi(word);
}

/* A frame that is queued when SO_TIMESTAMPING is switched on has a time stamp if anybody had asked for one: if another socket did
 * on Linux, if this one did on pocketcan. So none is queued. */
static void empty_queue(int fd)
{
    for (int i = 0; i < 2000; i++)
        if (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) < 0 && errno != ENETDOWN && errno != ENODEV)
            return;
}

/* set s0 raw|sol|LEVEL OPTION VALUE: an int over and over, or str=, dev=, tv=SECONDS:MICROSECONDS */
static void op_set(const struct step *step)
{
    int level = level_of(step_word(step, 1)), option = (int)step_value(step, 2),
        value = (int)step_value(step, 3);
    const char *device = step_text(step, "dev", NULL), *time = step_text(step, "tv", NULL);
    socklen_t size = 4;

    if (level == SOL_SOCKET && (option == SO_TIMESTAMPING || option == 65)) empty_queue(step_fd(step, 0));
    memset(buffer, 0, 128);
    for (size_t i = 0; i < 64; i += sizeof(value))
        memcpy(buffer + i, &value, sizeof(value));
    if (step_text(step, "if", NULL)) memcpy(buffer, &(int){ step_index(step_text(step, "if", "")) }, 4);
    if (device) {
        memset(buffer, 0, 64);
        snprintf((char *)buffer, 64, "%s", step_name(device));
        size = (socklen_t)strlen((char *)buffer) + 1;
    }
    if (time) {
        char *end;
        long seconds = strtol(time, &end, 10);
        struct timeval tv = { seconds, *end ? strtol(end + 1, NULL, 10) : 0 };

        memcpy(buffer, &tv, sizeof(tv));
        size = sizeof(tv);
    }
    size = (socklen_t)step_number(step, "len", size);
    if (step_fd(step, 0) < 0)
        return; /* not a CAN socket's business, and kernels differ in what they check first */
    out_result(STEP_CALL(step, setsockopt, step_fd(step, 0), level, option, pointer(step, buffer), size));
}

static void op_get(const struct step *step)
{
    int level = level_of(step_word(step, 1)), option = (int)step_value(step, 2), result;
    socklen_t size = (socklen_t)step_number(step, "len", 4), given = size;

    if (step_fd(step, 0) < 0) return;
    memset(buffer, FILL, sizeof(buffer));
    result = (int)STEP_CALL(step, getsockopt, step_fd(step, 0), level, option, pointer(step, buffer),
                            length(step, &size));
    out_result(result);
    out(" size %d ", (int)size);
    if ((int)given < 0 || given > sizeof(buffer) - 64) return;
    if (level == SOL_SOCKET && option == SO_MEMINFO)
        memset(buffer + 28, 0, 4); /* as large as the kernel's programs */
    if (level == SOL_SOCKET && option == SO_BINDTOIFINDEX && !result && size <= 4) {
        out("%s", size == 4 ? step_index_word(*(int *)(void *)buffer) : "");
        return;
    }
    out_bytes(buffer, (given > size ? given : size) + 8);
}

/* filter s0 ID/MASK... */
static void op_filter(const struct step *step)
{
    struct can_filter filters[520];
    int count = 0, repeat = (int)step_number(step, "times", 1);
    char *end;

    memset(filters, 0, sizeof(filters));
    for (int round = 0; round < repeat; round++)
        for (int i = 1; *step_word(step, i) && count < 520; i++) {
            filters[count].can_id = (canid_t)strtoul(step_word(step, i), &end, 16) + (canid_t)round;
            filters[count++].can_mask = *end ? (canid_t)strtoul(end + 1, NULL, 16) : 0;
        }
    if (step_fd(step, 0) < 0) return;
    out_result(setsockopt(step_fd(step, 0), SOL_CAN_RAW, CAN_RAW_FILTER, pointer(step, filters),
                          (socklen_t)step_number(step, "len", count * 8)));
}

#define LOAD(at, wide)                                                                                       \
    {                                                                                                        \
        BPF_LD | (wide) | BPF_ABS, 0, 0, (at)                                                                \
    }
#define RETURN(n)                                                                                            \
    {                                                                                                        \
        BPF_RET | BPF_K, 0, 0, (n)                                                                           \
    }
#define LOAD_ANCILLARY(what) LOAD((uint32_t)(SKF_AD_OFF + (what)), BPF_W)

/* bpf s0 NUMBER */
static void op_bpf(const struct step *step)
{
    static struct sock_filter programs[][6] = {
        { RETURN(0xffff) },
        { RETURN(0) },
        { RETURN(4) },
        { LOAD(0, BPF_W), { BPF_JMP | BPF_JEQ, 0, 1, 0x23010000 }, RETURN(0xffffffff), RETURN(0) },
        { LOAD(4, BPF_B), { BPF_RET | BPF_A, 0, 0, 0 } },
        { LOAD_ANCILLARY(SKF_AD_PROTOCOL), { BPF_JMP | BPF_JEQ, 0, 1, 0x0c }, RETURN(0x40), RETURN(12) },
        { LOAD_ANCILLARY(SKF_AD_PKTTYPE), { BPF_JMP | BPF_JEQ, 0, 1, 1 }, RETURN(0x40), RETURN(0) },
        { { BPF_LD | BPF_W | BPF_LEN, 0, 0, 0 },
          { BPF_ALU | BPF_SUB, 0, 0, 3 },
          { BPF_RET | BPF_A, 0, 0, 0 } },
        { LOAD(16, BPF_B), RETURN(0xffff) },
        { { BPF_LD | BPF_MEM, 0, 0, 99 }, RETURN(1) }, /* invalid */
        { { BPF_ALU | BPF_DIV, 0, 0, 0 }, RETURN(1) }, /* likewise */
        { LOAD(8, BPF_H), { BPF_ALU | BPF_AND, 0, 0, 31 }, { BPF_RET | BPF_A, 0, 0, 0 } },
        { { BPF_LD | BPF_IMM, 0, 0, 1 } }, /* no return: invalid */
        { LOAD_ANCILLARY(SKF_AD_HATYPE), { BPF_JMP | BPF_JEQ, 0, 1, 280 }, RETURN(16), RETURN(0) },
        { LOAD_ANCILLARY(SKF_AD_MARK), { BPF_ALU | BPF_ADD, 0, 0, 8 }, { BPF_RET | BPF_A, 0, 0, 0 } },
    };
    static const uint16_t length[] = { 1, 1, 1, 4, 2, 4, 4, 3, 2, 2, 2, 3, 1, 4, 3 };
    unsigned number = (unsigned)step_value(step, 1) % (sizeof(length) / sizeof(*length));
    struct sock_fprog program = { (uint16_t)step_number(step, "count", length[number]), programs[number] };

    out_result(setsockopt(step_fd(step, 0), SOL_SOCKET, SO_ATTACH_FILTER, pointer(step, &program),
                          (socklen_t)step_number(step, "len", sizeof(program))));
}

/* program s0 CODE:JT:JF:K... in hex */
static void op_program(const struct step *step)
{
    struct sock_filter instruction[32];
    struct sock_fprog program = { 0, instruction };

    memset(instruction, 0, sizeof(instruction));
    for (int i = 1; *step_word(step, i) && program.len < 32; i++) {
        const char *at = step_word(step, i);
        unsigned long field[4] = { 0 };
        char *end;

        for (int k = 0; k < 4; k++) {
            field[k] = strtoul(at, &end, 16);
            at = *end ? end + 1 : end;
        }
        instruction[program.len++] = (struct sock_filter){ (uint16_t)field[0], (uint8_t)field[1],
                                                           (uint8_t)field[2], (uint32_t)field[3] };
    }
    out_result(setsockopt(step_fd(step, 0), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

/* ---- readiness ---- */

/* Signals as ppoll, pselect and epoll_pwait take them; nothing else is ever blocked. */
static const sigset_t *mask_of(const struct step *step)
{
    static sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGIO);
    return step_number(step, "mask", 0) ? &mask : NULL;
}

static void op_poll(const struct step *step)
{
    struct pollfd p[16];
    nfds_t count = 0;
    int wait = (int)step_number(step, "wait", 0);
    struct timespec time = { 0, wait * 1000000L };

    memset(p, 0, sizeof(p));
    for (int i = 0; *step_word(step, i) && count < 16; i++) {
        p[count].fd = step_fd(step, i);
        p[count++].events = (short)step_number(step, "ev", 0x3df);
    }
    if (!strcmp(step_text(step, "how", ""), "ppoll"))
        out_result(ppoll(p, count, &time, mask_of(step)));
    else
        out_result(STEP_CALL(step, poll, p, count, wait));
    for (nfds_t i = 0; i < count; i++)
        out(" %x", (unsigned short)p[i].revents);
}

static void op_select(const struct step *step)
{
    fd_set set[3];
    int most = -1;
    long wait = (long)step_number(step, "wait", 0);
    struct timeval now = { 0, wait * 1000 };
    struct timespec time = { 0, wait * 1000000 };

    for (int k = 0; k < 3; k++)
        FD_ZERO(&set[k]);
    for (int i = 0; *step_word(step, i); i++) {
        int fd = step_fd(step, i);

        if (fd < 0 || fd >= FD_SETSIZE) continue;
        if (fd > most) most = fd;
        for (int k = 0; k < 3; k++)
            if (step_number(step, "sets", 7) & (1 << k)) FD_SET(fd, &set[k]);
    }
    if (!strcmp(step_text(step, "how", ""), "pselect"))
        out_result(pselect(most + 1, &set[0], &set[1], &set[2], &time, mask_of(step)));
    else
        out_result(STEP_CALL(step, select, most + 1, &set[0], &set[1], &set[2], &now));
    for (int i = 0; *step_word(step, i); i++) {
        int fd = step_fd(step, i);

        if (fd < 0 || fd >= FD_SETSIZE) continue;
        out(" %c%c%c", FD_ISSET(fd, &set[0]) ? 'r' : '-', FD_ISSET(fd, &set[1]) ? 'w' : '-',
            FD_ISSET(fd, &set[2]) ? 'x' : '-');
    }
}

/* epoll e0 add|mod|del s1 EVENTS. Data that tell one registration from another, as programs give them; same=1: the slot's number only. Whose
 * event it is cannot be known when two sockets in one set were registered with the same data. */
static void op_epoll(const struct step *step)
{
    const char *how = step_word(step, 1);
    struct epoll_event event = { .events = (uint32_t)step_value(step, 3),
                                 .data.u64 = (uint64_t)step->process * 100 +
                                             (step_word(step, 2)[0] == 'e' ? 50u : 0u) +
                                             (uint64_t)atoi(step_word(step, 2) + 1) };

    if (!step_number(step, "same", 0)) event.data.u64 |= (uint64_t)++world->registrations << 32;
    if (!strcmp(how, "new"))
        keep(step, 0, epoll_create1(EPOLL_CLOEXEC));
    else
        out_result(epoll_ctl(step_fd(step, 0),
                             !strcmp(how, "add")   ? EPOLL_CTL_ADD
                             : !strcmp(how, "mod") ? EPOLL_CTL_MOD
                                                   : EPOLL_CTL_DEL,
                             step_fd(step, 2), &event));
}

static int by_data(const void *a, const void *b)
{
    const struct epoll_event *x = a, *y = b;
    uint64_t p = x->data.u64 << 32 | x->events, q = y->data.u64 << 32 | y->events;

    return p < q ? -1 : p > q;
}

static void op_wait(const struct step *step)
{
    struct epoll_event events[64];
    const char *how = step_text(step, "how", "");
    int fd = step_fd(step, 0), wait = (int)step_number(step, "wait", 0),
        room = (int)step_number(step, "max", 64), count;
    struct timespec time = { 0, wait * 1000000L };

    if (fd < 0) room = 64; /* kernels differ in what they check first */
    if (!strcmp(how, "pwait"))
        count = step_number(step, "sys", 0)
                    ? (int)syscall(SYS_epoll_pwait, fd, events, room, wait, mask_of(step), sizeof(long))
                    : epoll_pwait(fd, events, room, wait, mask_of(step));
    else if (!strcmp(how, "pwait2"))
        count = epoll_pwait2(fd, events, room, &time, mask_of(step));
    else
        count = (int)STEP_CALL(step, epoll_wait, fd, events, room, wait);
    out_result(count);
    if (count > 0) qsort(events, (size_t)count, sizeof(*events), by_data);
    for (int i = 0; i < count; i++)
        out(" %d:%x", (int)events[i].data.u64, events[i].events);
}

/* ---- ioctl ---- */

/* ioctl s0 NUMBER if=i0 v=VALUE, or data=WORD:WORD...: words in hex, behind a pointer */
static void op_ioctl(const struct step *step)
{
    const char *data = step_text(step, "data", NULL);
    uint32_t word[4] = { 0 };
    char *end;
    unsigned long number = (unsigned long)step_value(step, 1);
    const char *link = step_text(step, "if", NULL);
    struct ifreq r;
    int value = (int)step_number(step, "v", 0), result;
    bool is_time = number == 0x8906 || number == 0x8907;

    memset(&r, 0, sizeof(r));
    memcpy(&r.ifr_ifru, &value, sizeof(value));
    if (link && number != SIOCGIFNAME) snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", step_name(link));
    if (number == SIOCGIFNAME) r.ifr_ifindex = step_index(link ? link : "none");
    if (number == SIOCSIFNAME)
        snprintf(r.ifr_newname, sizeof(r.ifr_newname), "%s", step_text(step, "as", "df9"));
    if (!link) memcpy(&r, &value, sizeof(value));
    if (data) {
        memset(buffer, 0, 64);
        for (int i = 0; *data && i < 4; i++) {
            word[i] = (uint32_t)strtoul(data, &end, 16);
            data = *end ? end + 1 : end;
        }
        memcpy(buffer, word, sizeof(word));
        r.ifr_data = (char *)buffer;
    }
    result = (int)STEP_CALL(step, ioctl, step_fd(step, 0), number, pointer(step, &r));
    out_result(result);
    if (result < 0 || step_text(step, "ptr", NULL) || is_time) return;
    if (number == SIOCGIFINDEX)
        out(" %s", step_index_word(r.ifr_ifindex));
    else if (number == SIOCGIFNAME)
        out(" %s", r.ifr_name);
    else if (word[0] || word[1] || word[2])
        out_bytes(buffer, 48);
    else if (number == SIOCGPGRP || number == FIOGETOWN)
        memcpy(&value, &r, sizeof(value)), out_owner(value);
    else if (link)
        out_bytes(&r.ifr_ifru, sizeof(r.ifr_ifru));
}

bool calls_run(const struct step *step)
{
    static const struct {
        const char *name;
        void (*run)(const struct step *step);
    } table[] = {
        { "socket", op_socket }, { "close", op_close },     { "dup", op_dup },         { "give", op_give },
        { "take", op_take },     { "fcntl", op_fcntl },     { "misc", op_misc },       { "bind", op_bind },
        { "connect", op_bind },  { "name", op_name },       { "peer", op_name },       { "set", op_set },
        { "get", op_get },       { "filter", op_filter },   { "bpf", op_bpf },         { "poll", op_poll },
        { "select", op_select }, { "epoll", op_epoll },     { "wait", op_wait },       { "ioctl", op_ioctl },
        { "async", op_async },   { "signals", op_signals }, { "program", op_program },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(table[i].name, step->operation)) {
            table[i].run(step);
            return true;
        }
    return false;
}
