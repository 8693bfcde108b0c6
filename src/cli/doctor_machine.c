/* cli/doctor_machine.c - what else of the machine matters: nothing here is needed, all of it explains
 * something. */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/text.h"
#include "cli/environment.h"
#include "cli/install.h"
#include "cli/mirror_device.h"
#include "cli/sudo_policy.h"

#define FILES_FEW 256u

void doctor_look_at_kernel_can(struct doctor_finding *finding)
{
    /* Not libc's socket(): we may be inside an instance. */
    long fd = syscall(SYS_socket, PF_CAN, SOCK_RAW | SOCK_CLOEXEC, CAN_RAW);

    if (fd >= 0) {
        close((int)fd);
        doctor_find(finding, DOCTOR_OK, NULL,
                    "this kernel has CAN of its own; inside an instance pocketcan's is used instead");
    } else {
        doctor_find(finding, DOCTOR_NO, "not needed", "this kernel has no CAN (%s)", strerror(errno));
    }
}

/* Does a line of `path` name the module file vcan.ko, whatever its compression? */
static bool lists_vcan(const char *path)
{
    char line[1024];
    bool found = false;
    FILE *file = fopen(path, "re");

    while (file && !found && fgets(line, sizeof(line), file)) {
        line[strcspn(line, ":\n")] = 0;
        found = strstr(line, "/vcan.ko") != NULL;
    }
    if (file) fclose(file);
    return found;
}

void doctor_look_at_vcan_module(struct doctor_finding *finding)
{
    struct utsname name;
    char path[256];

    uname(&name);
    snprintf(path, sizeof(path), "/lib/modules/%.100s/modules.dep", name.release);
    bool found = access("/sys/module/vcan", F_OK) == 0 || lists_vcan(path);
    snprintf(path, sizeof(path), "/lib/modules/%.100s/modules.builtin", name.release);
    if (found || lists_vcan(path))
        doctor_find(finding, DOCTOR_OK, NULL, "the kernel's own vcan is installed");
    else
        doctor_find(finding, DOCTOR_NO, "not needed", "the kernel's own vcan is not installed for %.100s",
                    name.release);
}

void doctor_look_at_files(struct doctor_finding *finding)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        doctor_find(finding, DOCTOR_NOT_APPLICABLE, NULL, "cannot be told");
    else if (limit.rlim_cur < FILES_FEW)
        doctor_find(finding, DOCTOR_NO, "raise it with `ulimit -n 1024`",
                    "a process may open %llu files only", (unsigned long long)limit.rlim_cur);
    else
        doctor_find(finding, DOCTOR_OK, NULL, "a process may open %llu files",
                    (unsigned long long)limit.rlim_cur);
}

void doctor_look_at_space(struct doctor_finding *finding)
{
    unsigned needed = environment_lacks_megabytes();

    if (needed)
        doctor_find(finding, DOCTOR_NO, "raise it with `ulimit -v unlimited`",
                    "a process may not use %u MB of address space, as one with a CAN socket does", needed);
    else
        doctor_find(finding, DOCTOR_OK, NULL, "enough for CAN sockets");
}

void doctor_look_at_queue(struct doctor_finding *finding)
{
    char text[32];

    text_read("/proc/sys/net/unix/max_dgram_qlen", 0, text, sizeof(text));
    if (!text[0])
        doctor_find(finding, DOCTOR_NOT_APPLICABLE, NULL, "net.unix.max_dgram_qlen cannot be read");
    else if (strtol(text, NULL, 10) < 1)
        doctor_find(finding, DOCTOR_NO, "run `sysctl net.unix.max_dgram_qlen=10`",
                    "net.unix.max_dgram_qlen is %ld", strtol(text, NULL, 10));
    else
        doctor_find(finding, DOCTOR_OK, NULL, "net.unix.max_dgram_qlen is %ld", strtol(text, NULL, 10));
}

void doctor_look_at_sudo(struct doctor_finding *finding)
{
    char path[CLI_PATH_SIZE];

    if (environment_find("sudo", path) != 0) {
        doctor_find(finding, DOCTOR_NOT_APPLICABLE, NULL,
                    "there is none; inside an instance, `sudo CMD` runs CMD as it is");
        return;
    }
    if (geteuid() == 0) {
        doctor_find(finding, DOCTOR_OK, NULL,
                    "we are root; inside an instance, `sudo CMD` runs CMD as it is");
        return;
    }
    switch (sudo_policy_ask(path)) {
    case SUDO_KEEPS:
        doctor_find(finding, DOCTOR_OK, NULL,
                    "lets us set LD_PRELOAD, so its commands are inside the instance too");
        return;
    case SUDO_REFUSES:
        doctor_find(
            finding, DOCTOR_NO,
            "add SETENV: to the rule in sudoers; modprobe, ip and can-utils run without sudo meanwhile",
            "does not let us set LD_PRELOAD");
        return;
    case SUDO_CANNOT:
        doctor_find(finding, DOCTOR_NO, "modprobe, ip and can-utils run without it",
                    "cannot become root here");
        return;
    default:
        doctor_find(finding, DOCTOR_NOT_APPLICABLE, NULL,
                    "asks for a password or allows single commands only: cannot be told");
    }
}

void doctor_look_at_ld_so_preload(struct doctor_finding *finding)
{
    char text[4096], path[CLI_PATH_SIZE];
    const char *name;

    text_read("/etc/ld.so.preload", 0, text, sizeof(text));
    size_t size = preload_find(text, &name);
    snprintf(path, sizeof(path), "%.*s", (int)size, size ? name : "");
    if (!size)
        doctor_find(
            finding, DOCTOR_NOT_APPLICABLE, NULL,
            "not installed system-wide: `pocketcan install --system` would give CAN to every program");
    else if (!strstr(path, "$LIB") && access(path, R_OK) < 0)
        doctor_find(finding, DOCTOR_NO, "run `pocketcan install --remove` as root",
                    "/etc/ld.so.preload names %.150s: %s", path, strerror(errno));
    else if (!environment_is_preload(path))
        doctor_find(finding, DOCTOR_OK, NULL,
                    "/etc/ld.so.preload names %.100s, not ours: inside an instance of ours, ours comes first",
                    path);
    else
        doctor_find(finding, DOCTOR_OK, NULL, "/etc/ld.so.preload names our library: every program has CAN");
}

/* In a child: there is no way back from a namespace. */
static bool can_unshare(void)
{
    int status = -1;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(mirror_device_unshare() ? EXIT_FAILURE : EXIT_SUCCESS);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

void doctor_look_at_mirrors(struct doctor_finding *finding)
{
    int error = mirror_device_allowed();

    if (!error)
        doctor_find(finding, DOCTOR_OK, NULL, "`pocketcan mirror` can make interfaces of the kernel's");
    else if (error == -EPERM && can_unshare())
        doctor_find(finding, DOCTOR_OK, NULL,
                    "`pocketcan mirror INTERFACE CMD` can make one for CMD, in a network of its own");
    else if (error == -EPERM)
        doctor_find(
            finding, DOCTOR_NO, "run `pocketcan mirror` as root; Wireshark's plug-in needs no right",
            "interfaces of the kernel's need CAP_NET_ADMIN, and user namespaces are not allowed here");
    else
        doctor_find(finding, DOCTOR_NO,
                    "a container needs --device /dev/net/tun; Wireshark's plug-in does not",
                    "/dev/net/tun %s: no `pocketcan mirror`",
                    error == -ENODEV ? "is not there" : "may not be opened");
}

void doctor_look_at_machine(struct doctor_finding *finding)
{
    static const struct {
        const char *path, *word, *text;
    } hints[] = {
        { "/proc/version", "gVisor", "gVisor: the preload library works, static programs cannot be reached" },
        { "/proc/sys/kernel/osrelease", "icrosoft", "WSL: its kernel comes without CAN" },
        { "/.dockerenv", NULL,
          "a Docker container: share POCKETCAN_DIR by a volume for one bus over several" },
        { "/run/.containerenv", NULL,
          "a Podman container: share POCKETCAN_DIR by a volume for one bus over several" },
    };
    struct utsname name;
    char text[512];

    for (unsigned i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        text_read(hints[i].path, 0, text, sizeof(text));
        if (hints[i].word ? strstr(text, hints[i].word) != NULL : access(hints[i].path, F_OK) == 0) {
            doctor_find(finding, DOCTOR_OK, NULL, "%s", hints[i].text);
            return;
        }
    }
    uname(&name);
    doctor_find(finding, DOCTOR_OK, NULL, "%s %.100s %.60s", name.sysname, name.release, name.machine);
}
