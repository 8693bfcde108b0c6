/* cli/mirror.c - `pocketcan mirror`: an interface of ours as an interface of the kernel, for tcpdump, tshark, ip and others that ask the
 * kernel.
 *
 * Frames go both ways. What happens on our interface is shown on the kernel's as received; what somebody sends on the kernel's is sent on ours, by
 * the same socket, which does not get its own frames back: so nothing goes round, and nothing is seen twice. State and MTU go one way, from
 * ours to the kernel's.
 *
 * With a command, the traffic is moved by a process of its own, so that the command can be run as by `pocketcan run`; where interfaces cannot
 * be made, both get a network namespace of their own, in which they can. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bus/links.h"
#include "cli/capture.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/mirror_device.h"

/* prefix: cli_ */

#define TURN     256u /* frames in one direction between two looks at the other */
#define RETRY_MS 1    /* when our interface's queue is full */
#define REST_MS  1000 /* for what is still in it at the end */

struct mirror {
    const struct bus *bus;
    struct instance instance;
    struct capture_source source;
    struct capture_watch watch;
    struct mirror_device device;
    struct capture_patience patience;
    uint32_t mtu; /* as the kernel's interface has been set */
    bool up;
    size_t waiting; /* bytes of the frame in `sent` that our interface does not take yet */
    uint8_t sent[MIRROR_FRAME_MAX + 1];
    uint64_t shown, taken, lost, refused;
};

/* ---- state ---- */

/* Makes the kernel's interface what ours is now. */
static int follow(struct mirror *mirror)
{
    struct link_view link;

    if (links_by_ifindex(mirror->bus->control, mirror->source.ifindex, &link) < 0) return -ENODEV;
    bool up = link.state & LINK_UP;
    if (link.mtu == mirror->mtu && up == mirror->up) return 0;
    int error = mirror_device_set(&mirror->device, link.mtu, up);
    mirror->mtu = link.mtu;
    mirror->up = up;
    return error;
}

/* Says why it ends. */
static int ended(const struct mirror *mirror, int error)
{
    if (error == -ENOENT)
        fprintf(stderr, "pocketcan: the instance has ended\n");
    else if (error == -ENXIO)
        fprintf(stderr, "pocketcan: %s: somebody removed it from the kernel\n", mirror->device.name);
    else
        fprintf(stderr, "pocketcan: %s: %s\n", mirror->source.name,
                error == -ENODEV ? "the interface is gone" : strerror(-error));
    return EXIT_FAILURE;
}

/* ---- frames ---- */

/* From ours to the kernel's: 0, 1 when there may be more, or -errno. */
static int show(struct mirror *mirror)
{
    static struct capture_frame frame;

    for (unsigned i = 0; i < TURN; i++) {
        if (!capture_has(mirror->bus, &mirror->source)) return 0;
        int result = capture_take(mirror->bus, &mirror->source, &frame);
        if (result == 0) return 0;
        if (result == -ENETDOWN) continue;
        if (result < 0) return result;
        mirror->lost += frame.dropped;
        if (mirror_device_show(&mirror->device, frame.bytes, frame.size))
            mirror->lost++;
        else
            mirror->shown++;
    }
    return 1;
}

/* From the kernel's to ours: returns whether there may be more. */
static bool send_on(struct mirror *mirror)
{
    for (unsigned i = 0; i < TURN; i++) {
        if (!mirror->waiting) {
            ssize_t size = mirror_device_take(&mirror->device, mirror->sent, sizeof(mirror->sent));
            if (size < 0) return false;
            mirror->waiting = (size_t)size;
        }
        if (!mirror->waiting) continue;
        int error = capture_send(mirror->bus, &mirror->source, mirror->sent, mirror->waiting);
        if (error == -EAGAIN || error == -ENOBUFS) return false;
        mirror->waiting = 0;
        if (error)
            mirror->refused++; /* no frame, or none for this MTU, or the interface is down */
        else
            mirror->taken++;
    }
    return true;
}

/* At the end: what was sent is on its way. */
static void send_rest(struct mirror *mirror)
{
    for (unsigned waited_ms = 0; waited_ms < REST_MS; waited_ms += RETRY_MS) {
        while (send_on(mirror))
            ;
        if (!mirror->waiting) break;
        poll(NULL, 0, RETRY_MS);
    }
}

static bool has_any(void *context)
{
    const struct mirror *mirror = context;
    return capture_has(mirror->bus, &mirror->source);
}

/* Until `stop_fd` is readable: 0, or -errno when there is nothing to mirror any more; -ENXIO: or nothing to mirror it to. */
static int move_frames(struct mirror *mirror, int stop_fd)
{
    int error = follow(mirror);

    while (!error) {
        bool more = send_on(mirror);
        int shown = show(mirror);
        if (shown < 0) return shown;
        more |= shown > 0 || capture_linger(&mirror->patience, has_any, mirror) ||
                !capture_settle(mirror->bus, &mirror->source);
        struct pollfd fds[] = { { stop_fd, POLLIN, 0 },
                                { mirror->watch.fd, POLLIN, 0 },
                                { mirror->watch.netlink_fd, POLLIN, 0 },
                                { mirror->source.fd, POLLIN, 0 },
                                { mirror->waiting ? -1 : mirror->device.fd, POLLIN, 0 } };
        if (poll(fds, 5, more ? 0 : mirror->waiting ? RETRY_MS : -1) < 0 && errno != EINTR) return -errno;
        if (fds[0].revents) {
            send_rest(mirror);
            return 0;
        }
        if (fds[4].revents & POLLERR) return -ENXIO;
        if (!fds[1].revents && !fds[2].revents) continue;
        error = capture_watch_read(mirror->bus->dir, &mirror->watch);
        if (error >= 0) error = follow(mirror);
    }
    return error;
}

/* ---- beginning ---- */

static int explain(const struct mirror *mirror, int error, const char *name, bool tried_unshare)
{
    static const struct {
        int error;
        const char *what;
    } reasons[] = {
        { -ENODEV, "there is no /dev/net/tun: load the module tun; a container needs --device /dev/net/tun" },
        { -EACCES, "/dev/net/tun may not be opened: a container needs --device /dev/net/tun" },
        { -EBUSY, "there is an interface of that name already: give another one with --name" },
        { -EINVAL, "the kernel takes no such name: give another one with --name" },
    };

    fprintf(stderr, "pocketcan: cannot make the interface %s: ", name);
    if (error == -EPERM) {
        fprintf(stderr, "that needs CAP_NET_ADMIN. As root: sudo POCKETCAN_DIR=%s pocketcan mirror %s",
                mirror->instance.dir, mirror->source.name);
        if (!tried_unshare)
            fprintf(stderr, "; or with a command, in a network of its own: pocketcan mirror %s tshark -i %s",
                    mirror->source.name, name);
        fprintf(stderr, "\n");
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].error == error) {
            fprintf(stderr, "%s\n", reasons[i].what);
            return EXIT_FAILURE;
        }
    fprintf(stderr, "%s\n", strerror(-error));
    return EXIT_FAILURE;
}

/* The interface and all that is needed to keep it. 0, or an exit status after printing a line. */
static int open_all(struct mirror *mirror, const char *interface, const char *name, bool may_unshare)
{
    mirror->watch = (struct capture_watch){ -1, -1, 0 };
    mirror->bus = capture_attach(&mirror->instance, NULL);
    if (!mirror->bus || capture_open(mirror->bus, interface, &mirror->source)) return EXIT_FAILURE;
    if (!mirror->source.ifindex) {
        fprintf(stderr, "pocketcan: mirror: one interface, not all of them\n");
        return EXIT_USAGE;
    }
    int error = capture_watch_open(mirror->bus->dir, &mirror->watch);
    if (error) return ended(mirror, error);
    if (!name) name = mirror->source.name;
    if (strlen(name) >= IFNAMSIZ) return explain(mirror, -EINVAL, name, false);
    error = mirror_device_open(&mirror->device, name);
    if (error == -EPERM && may_unshare) {
        error = mirror_device_unshare();
        if (!error) error = mirror_device_open(&mirror->device, name);
    }
    if (!error) error = follow(mirror);
    return error ? explain(mirror, error, name, may_unshare) : EXIT_SUCCESS;
}

/* ---- with and without a command ---- */

static int in_foreground(struct mirror *mirror, bool quiet)
{
    int stop_fd = capture_stop_fd();

    if (!quiet) fprintf(stderr, "pocketcan: mirroring %s as %s\n", mirror->source.name, mirror->device.name);
    int error = move_frames(mirror, stop_fd);
    mirror_device_close(&mirror->device);
    mirror->lost += capture_lost(mirror->bus, &mirror->source);
    if (!quiet)
        fprintf(stderr, "pocketcan: %llu frames shown, %llu lost; %llu taken, %llu refused\n",
                (unsigned long long)mirror->shown, (unsigned long long)mirror->lost,
                (unsigned long long)mirror->taken, (unsigned long long)mirror->refused);
    return error ? ended(mirror, error) : EXIT_SUCCESS;
}

/* Moves frames in a child until the returned descriptor is closed. Returns -1 when that cannot be. */
static int in_background(struct mirror *mirror, pid_t *child)
{
    int ends[2];

    if (pipe(ends) < 0) return -1;
    fflush(NULL);
    *child = fork();
    if (*child < 0) return -1;
    if (*child) {
        close(ends[0]);
        fcntl(ends[1], F_SETFD, FD_CLOEXEC);
        mirror_device_close(&mirror->device); /* the child has it */
        return ends[1];
    }
    close(ends[1]);
    setsid(); /* ^C is the command's */
    int error = move_frames(mirror, ends[0]);
    _exit(error ? ended(mirror, error) : EXIT_SUCCESS);
}

static int with_command(struct mirror *mirror, char *const argv[])
{
    pid_t child;
    int life_fd = in_background(mirror, &child);

    if (life_fd < 0) {
        fprintf(stderr, "pocketcan: mirror: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    environment_leave();
    setenv("POCKETCAN_DIR", mirror->instance.dir, 1);
    int status = child_run(argv, true, NULL);
    close(life_fd);
    waitpid(child, NULL, 0);
    return status;
}

struct mirror_options {
    bool quiet;
    const char *name;
};

static const struct cli_option options[] = {
    { "name", 'n', OPTION_TEXT, "NAME", offsetof(struct mirror_options, name),
      "call the kernel's interface NAME" },
    { "quiet", 'q', OPTION_FLAG, NULL, offsetof(struct mirror_options, quiet), "say only what is wrong" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static int mirror_main(const struct cli_command *command, int argc, char *argv[])
{
    static struct mirror mirror;
    struct mirror_options options_given = { 0 };

    int rest = options_parse(command, argc, argv, &options_given);
    if (rest < 0) return -1 - rest;
    if (rest == argc) {
        fprintf(stderr, "pocketcan: mirror: which interface? See `pocketcan mirror --help`\n");
        return EXIT_USAGE;
    }
    const char *interface = argv[rest++];
    if (rest < argc && !strcmp(argv[rest], "--")) rest++;
    int status = open_all(&mirror, interface, options_given.name, rest < argc);
    if (status) return status;
    return rest < argc ? with_command(&mirror, argv + rest) : in_foreground(&mirror, options_given.quiet);
}

const struct cli_command cli_mirror = {
    .name = "mirror",
    .synopsis = "[--name NAME] [-q] INTERFACE [[--] CMD ARGS...]",
    .summary = "Shows an interface to the kernel, for tcpdump, tshark, ip and others outside.",
    .text = "Makes an interface of the same name in the kernel's list, on which all frames are seen; what is "
            "sent on it is sent\n"
            "on ours. It lasts until Ctrl-C, or as long as CMD. It needs root (CAP_NET_ADMIN) and "
            "/dev/net/tun. With CMD and\n"
            "without root, CMD gets a network of its own, in which the interface is.\n",
    .options = options,
    .has_rest = true,
    .run = mirror_main,
};
