/* cli/doctor_checks.c - what pocketcan itself needs: each check does, small, what the daemon or the
 * library does. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli/environment.h"
#include "cli/link.h"
#include "daemon/start.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

static void look_at_memory(struct doctor_finding *finding)
{
    int fd = memfd_create("pocketcan-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, 4096) < 0)
        doctor_find(finding, DOCTOR_NO, "allow memfd_create, or use a kernel that has it (3.17)",
                    "no memory files: %s", strerror(errno));
    else if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        doctor_find(finding, DOCTOR_NO, "use a kernel with memfd sealing (3.17)",
                    "memory files cannot be sealed: %s", strerror(errno));
    else if (fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0)
        doctor_find(finding, DOCTOR_NO, "use Linux 5.1 or newer",
                    "memory files cannot be sealed against new writers: %s", strerror(errno));
    else
        doctor_find(finding, DOCTOR_OK, NULL, "memfd_create, size seals and F_SEAL_FUTURE_WRITE");
    if (fd >= 0) close(fd);
}

static void look_at_directory(struct doctor_finding *finding)
{
    struct instance instance;

    int error = instance_locate(&instance);
    if (!error) error = instance_enter(&instance, false);
    if (error == -ENOENT)
        doctor_find(finding, DOCTOR_OK, NULL, "%s, not there yet", instance.dir);
    else if (error)
        doctor_find(finding, DOCTOR_NO, NULL, "%s", instance.why);
    else if (daemon_hello(&instance, NULL) == 0 && instance_check_version(&instance) == 0)
        doctor_find(finding, DOCTOR_OK, NULL, "%s, its daemon answers", instance.dir);
    else
        doctor_find(finding, DOCTOR_OK, NULL, "%s: %s", instance.dir, instance.why);
}

/* A token of one socket to another, by its path in a directory like that of an instance. */
static int send_by_path(const char *dir)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
        to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;
    char token;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/token", dir);
    if (from < 0 || to < 0 || bind(to, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        sendto(from, "w", 1, MSG_DONTWAIT, (struct sockaddr *)&address, sizeof(address)) != 1 ||
        recv(to, &token, 1, MSG_DONTWAIT) != 1)
        error = -errno;
    unlink(address.sun_path);
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    return error;
}

static void look_at_sockets(struct doctor_finding *finding)
{
    struct instance instance = { 0 };

    int error = instance_make_private(&instance);
    if (error) {
        doctor_find(finding, DOCTOR_NO, NULL, "%s", instance.why);
        return;
    }
    error = send_by_path(instance.dir);
    if (error)
        doctor_find(finding, DOCTOR_NO, "set POCKETCAN_DIR to a directory on a local file system",
                    "AF_UNIX sockets in %s: %s", instance.dir, strerror(-error));
    else
        doctor_find(finding, DOCTOR_OK, NULL, "AF_UNIX datagrams by path");
    instance_remove(&instance);
}

/* ---- the library, in a private instance
 * ----------------------------------------------------------------------- */

int doctor_probe(void)
{
    struct ifreq request = { .ifr_name = DOCTOR_LINK };
    struct sockaddr_can address = { .can_family = AF_CAN };
    int fd = socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);

    if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &request) < 0) return EXIT_FAILURE;
    address.can_ifindex = request.ifr_ifindex;
    return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? EXIT_FAILURE : 0;
}

/* Runs the probe under the library. Returns its exit status, or -errno. */
static int run_probe(const char *dir)
{
    int status;
    pid_t child = fork();

    if (child < 0) return -errno;
    if (child == 0) {
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0); /* our own sanitizer builds */
        if (!environment_enter(dir, true)) execl("/proc/self/exe", "pocketcan", "doctor", "--probe", NULL);
        _exit(EXIT_FAILURE);
    }
    if (waitpid(child, &status, 0) != child) return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static void look_at_daemon(struct doctor_finding *finding)
{
    struct instance instance;
    int life_fd;

    if (daemon_start_private(&instance, &life_fd)) {
        doctor_find(finding, DOCTOR_NO, NULL, "%s", instance.why);
        return;
    }
    doctor_find(finding, DOCTOR_OK, NULL, "starts and answers");
    daemon_end_private(&instance, life_fd);
}

static void look_at_preload(struct doctor_finding *finding)
{
    char library[CLI_PATH_SIZE];
    struct instance instance;
    int life_fd;

    if (environment_library(library)) {
        doctor_find(finding, DOCTOR_NO, "build or install pocketcan again",
                    "libpocketcan.so is missing or in an unusable place");
        return;
    }
    if (daemon_start_private(&instance, &life_fd)) {
        doctor_find(finding, DOCTOR_NO, NULL, "%s", instance.why);
        return;
    }
    if (link_make(instance.dir, DOCTOR_LINK) == 0 && run_probe(instance.dir) == 0)
        doctor_find(finding, DOCTOR_OK, NULL, "LD_PRELOAD=%.200s gives CAN sockets", library);
    else
        doctor_find(finding, DOCTOR_NO,
                    "is the file system mounted noexec, the library of another libc or word size?",
                    "LD_PRELOAD=%.150s gives no CAN sockets", library);
    daemon_end_private(&instance, life_fd);
}

/* ---- the second door
 * ------------------------------------------------------------------------------------------ */

/* In a child, which it would stay with: a filter that allows everything, with a listener. */
static int open_listener(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = { 1, &allow };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return errno;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return fd < 0 ? errno : 0;
}

static void look_at_notification(struct doctor_finding *finding)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) _exit(open_listener());
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        doctor_find(finding, DOCTOR_NOT_APPLICABLE, NULL, "cannot be told");
    else if (WEXITSTATUS(status) == 0)
        doctor_find(finding, DOCTOR_OK, NULL, "seccomp user notification");
    else
        doctor_find(finding, DOCTOR_NO,
                    "only needed for static and Go programs; use Linux 5.0 or newer, not gVisor",
                    "no seccomp user notification: %s", strerror(WEXITSTATUS(status)));
}

const struct doctor_check doctor_checks[] = {
    { "memory", true, look_at_memory },
    { "address-space", true, doctor_look_at_space },
    { "sockets", true, look_at_sockets },
    { "directory", true, look_at_directory },
    { "daemon", true, look_at_daemon },
    { "preload", true, look_at_preload },
    { "notification", false, look_at_notification },
    { "kernel-can", false, doctor_look_at_kernel_can },
    { "vcan-module", false, doctor_look_at_vcan_module },
    { "open-files", false, doctor_look_at_files },
    { "datagram-queue", false, doctor_look_at_queue },
    { "sudo", false, doctor_look_at_sudo },
    { "ld.so.preload", false, doctor_look_at_ld_so_preload },
    { "mirror", false, doctor_look_at_mirrors },
    { "machine", false, doctor_look_at_machine },
    { NULL },
};
