/* tests/harness/refuse.h - makes system calls fail: fault injection for tests in C. Not to be undone, so do it in a child. */
#ifndef TESTS_REFUSE_H
#define TESTS_REFUSE_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REFUSE_FIELD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE_IF_NOT(k, far) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, far)

/* From now on the call fails with `error`, here and in children: when its argument number `at` has this value (its lower half) or, if `at`
 * is above 5, always. */
static inline void refuse_if(long number, unsigned at, uint32_t value, int error)
{
    struct sock_filter code[] = {
        REFUSE_FIELD(nr),
        REFUSE_IF_NOT((uint32_t)number, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (at > 5 ? 0 : at)),
        BPF_JUMP(BPF_JMP | (at > 5 ? BPF_JGE : BPF_JEQ) | BPF_K, at > 5 ? 0 : value, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("seccomp");
        abort();
    }
}

static inline void refuse(long number, int error) { refuse_if(number, 6, 0, error); }

/* Runs the function in a child; 0 if it returned 0, else the number of the line that it returned. */
static inline int in_child(int (*function)(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        int line = function();
        if (line) fprintf(stderr, "# line %d\n", line);
        _exit(line != 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return status;
}

/* In such a function: what must be so. */
#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition)) return __LINE__;                                                                   \
    } while (0)

#endif
