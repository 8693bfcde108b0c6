/* cli/dump.c - `pocketcan dump`: traffic into a pcapng file, fifo or pipe.
 *
 * One socket for each interface that was named, or one for all ("any"). Frames of one socket are written in the order they come in; those of
 * several in the order of their times: the oldest of those that were taken is written when no socket can bring an older one any more, that
 * is, when each has another frame taken, or was empty at a later time.
 *
 * What was taken is written before the process waits, so a reader sees at once what happened. */
#include "cli/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "cli/bench.h"
#include "cli/capture_file.h"
#include "cli/commands.h"
#include "cli/pcapng.h"
#include "bus/links.h"

#define SOURCES_MAX OPTION_LIST_MAX
#define TAKEN_MAX   64u
#define READER_MS   10    /* between two looks whether a fifo has a reader */
#define TURNS       1024u /* frames between two looks at what else there is */

struct source {
    struct capture_source socket;
    struct capture_frame *taken; /* TAKEN_MAX */
    unsigned first, count;       /* of them are there to write */
    uint64_t empty_ns;           /* when there was nothing more to take */
};

struct dump {
    const struct dump_plan *plan;
    const struct bus *bus;
    struct source sources[SOURCES_MAX];
    unsigned count, open; /* sources; those that have not ended */
    struct capture_patience patience;
    struct capture_watch watch;
    struct capture_file file;
};

/* ---- frames ---- */

static bool is_done(const struct dump *dump)
{
    return dump->file.error || (dump->plan->count && dump->file.frames >= dump->plan->count);
}

/* Takes a frame: false when there is none now, or never again. */
static bool take(struct dump *dump, struct capture_source *socket, struct capture_frame *frame)
{
    while (capture_has(dump->bus, socket)) {
        int result = capture_take(dump->bus, socket, frame);
        if (result >= 0) return result;
        if (result == -ENETDOWN) {
            if (!dump->plan->quiet) fprintf(stderr, "pocketcan: %s is down\n", socket->name);
            continue;
        }
        if (dump->open) /* else the whole instance has ended */
            fprintf(stderr, "pocketcan: %s: %s\n", socket->name,
                    result == -ENODEV ? "the interface is gone" : strerror(-result));
        dump->open -= dump->open > 0;
        capture_close(socket);
    }
    return false;
}

/* Takes what an empty source has by now. */
static void refill(struct dump *dump, struct source *source)
{
    uint64_t now_ns = clock_real_ns();

    source->first = source->count = 0;
    while (source->count < TAKEN_MAX && take(dump, &source->socket, &source->taken[source->count]))
        source->count++;
    if (source->count < TAKEN_MAX) source->empty_ns = now_ns;
}

static struct source *oldest(struct dump *dump)
{
    struct source *found = NULL;

    for (unsigned i = 0; i < dump->count; i++) {
        struct source *source = &dump->sources[i];
        if (source->count &&
            (!found || source->taken[source->first].time_ns < found->taken[found->first].time_ns))
            found = source;
    }
    return found;
}

/* Looks again at sources that were empty before `time_ns`, once. Returns whether one has got anything. */
static bool catch_up(struct dump *dump, uint64_t time_ns)
{
    bool any = false;

    for (unsigned i = 0; i < dump->count; i++) {
        struct source *source = &dump->sources[i];
        if (source->count || source->empty_ns >= time_ns) continue;
        refill(dump, source);
        any |= source->count > 0;
    }
    return any;
}

/* Writes frames until none is there. Returns whether there was any. */
static bool look(struct dump *dump)
{
    bool any = false;

    for (unsigned turn = 0; turn < TURNS && !is_done(dump); turn++) {
        struct source *source = oldest(dump);
        if (catch_up(dump, source ? source->taken[source->first].time_ns : UINT64_MAX)) source = oldest(dump);
        if (!source) break;
        capture_file_frame(&dump->file, dump->bus, &source->taken[source->first++]);
        source->count--;
        any = true;
    }
    return any;
}

/* ---- waiting ---- */

static int left_ms(uint64_t deadline_ns)
{
    uint64_t now = clock_mono_ns();

    if (!deadline_ns) return -1;
    if (now >= deadline_ns) return 0;
    uint64_t ms = (deadline_ns - now + 999999) / 1000000;
    return ms > 1000000 ? 1000000 : (int)ms;
}

static bool has_any(void *context)
{
    const struct dump *dump = context;

    for (unsigned i = 0; i < dump->count; i++)
        if (capture_has(dump->bus, &dump->sources[i].socket)) return true;
    return false;
}

static bool settle(const struct dump *dump)
{
    bool settled = true;

    for (unsigned i = 0; i < dump->count; i++)
        settled &= capture_settle(dump->bus, &dump->sources[i].socket);
    return settled;
}

/* Waits for frames. Returns false when it is time to end. */
static bool wait_for_more(struct dump *dump, uint64_t deadline_ns)
{
    struct pollfd fds[SOURCES_MAX + 4] = { { capture_stop_fd(), POLLIN, 0 },
                                           { dump->file.fd, 0, 0 }, /* error: nobody reads any more */
                                           { dump->watch.fd, POLLIN, 0 },
                                           { dump->watch.netlink_fd, POLLIN, 0 } };
    int wait_ms = settle(dump) ? left_ms(deadline_ns) : 0;

    for (unsigned i = 0; i < dump->count; i++)
        fds[4 + i] = (struct pollfd){ dump->sources[i].socket.fd, POLLIN, 0 };
    int ready = poll(fds, 4 + dump->count, wait_ms);
    if (ready < 0) return errno == EINTR;
    if (fds[1].revents)
        dump->file.error = -EPIPE; /* POLLERR of a pipe, POLLHUP of a socket: sshd gives one */
    if ((fds[2].revents || fds[3].revents) && capture_watch_read(dump->bus->dir, &dump->watch) < 0) {
        fprintf(stderr, "pocketcan: the instance has ended\n");
        dump->open = 0;
        return false;
    }
    return true;
}

static void capture(struct dump *dump)
{
    uint64_t deadline_ns = dump->plan->span_ns ? clock_mono_ns() + dump->plan->span_ns : 0;

    while (!capture_is_stopped() && !is_done(dump) && left_ms(deadline_ns) != 0) {
        if (look(dump) || capture_linger(&dump->patience, has_any, dump)) continue;
        capture_file_flush(&dump->file);
        if (!dump->open || !wait_for_more(dump, deadline_ns)) break;
    }
    /* What came until then: no source holds more than TURNS frames, and few were taken. */
    for (unsigned i = 0; i <= dump->count; i++)
        look(dump);
}

/* ---- beginning and end ---- */

/* Other files may have no other end for ever: a socket, a device without hardware. Leaves errno alone. */
static bool is_fifo(const char *name)
{
    struct stat about;
    int saved = errno;
    bool is = stat(name, &about) == 0 && S_ISFIFO(about.st_mode);

    errno = saved;
    return is;
}

/* A fifo wants a reader first. open() would wait for one, and not end for a signal that comes just before. */
static int open_named(const char *name)
{
    struct pollfd stop = { capture_stop_fd(), POLLIN, 0 };
    int fd;

    while ((fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0666)) < 0 &&
           errno == ENXIO && is_fifo(name))
        if (poll(&stop, 1, READER_MS) != 0 && capture_is_stopped()) return -1;
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    if (fd < 0) fprintf(stderr, "pocketcan: %s: %s\n", name, strerror(errno));
    return fd;
}

static int open_file(const char *name)
{
    int fd;

    if (strcmp(name, "-") != 0) return open_named(name);
    if (isatty(STDOUT_FILENO)) {
        fprintf(
            stderr,
            "pocketcan: dump: this is no text for a terminal: give -w FILE or a pipe; candump prints text\n");
        return -1;
    }
    fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) fprintf(stderr, "pocketcan: standard output: %s\n", strerror(errno));
    return fd;
}

static bool open_sources(struct dump *dump)
{
    const struct dump_plan *plan = dump->plan;

    for (unsigned i = 0; i < plan->words_count; i++, dump->count++) {
        struct source *source = &dump->sources[i];
        if (capture_open(dump->bus, plan->words[i], &source->socket)) return false;
        source->taken = calloc(TAKEN_MAX, sizeof(*source->taken));
        if (source->taken) continue;
        fprintf(stderr, "pocketcan: %s\n", strerror(ENOMEM));
        return false;
    }
    dump->open = dump->count;
    return true;
}

/* Readers want to know of interfaces before there are frames. */
static void describe(struct dump *dump)
{
    struct link_view link;

    for (unsigned i = 0; i < dump->count; i++) {
        uint32_t ifindex = dump->sources[i].socket.ifindex;
        if (ifindex) capture_file_interface(&dump->file, dump->bus, ifindex);
        for (uint32_t index = 0; !ifindex && index < LINKS_MAX; index++)
            if (links_get(dump->bus->control, index, &link) == 0)
                capture_file_interface(&dump->file, dump->bus, (uint32_t)link.ifindex);
    }
    capture_file_flush(&dump->file);
}

static void say(const struct dump *dump, const char *what)
{
    if (dump->plan->quiet) return;
    fprintf(stderr, "pocketcan: %s", what);
    for (unsigned i = 0; i < dump->count; i++)
        fprintf(stderr, "%s%s", i ? ", " : " ", dump->sources[i].socket.name);
    fprintf(stderr, "\n");
}

static int end(struct dump *dump)
{
    bool is_over = dump->open == 0; /* before anybody asked for the end */

    for (unsigned i = 0; i < dump->count; i++) {
        struct capture_source *socket = &dump->sources[i].socket;
        capture_file_lost(&dump->file, socket->ifindex, capture_lost(dump->bus, socket));
        capture_close(socket);
        free(dump->sources[i].taken);
    }
    int error = capture_file_end(&dump->file);
    capture_watch_close(&dump->watch);
    if (!dump->plan->quiet)
        fprintf(stderr, "pocketcan: %llu frames captured, %llu lost\n", (unsigned long long)dump->file.frames,
                (unsigned long long)dump->file.dropped);
    if (error && error != -EPIPE) {
        fprintf(stderr, "pocketcan: %s: %s\n", dump->plan->file, strerror(-error));
        return EXIT_FAILURE;
    }
    return is_over ? EXIT_FAILURE : EXIT_SUCCESS;
}

int dump_run(const struct dump_plan *plan)
{
    static struct dump dump;
    struct instance instance;

    dump = (struct dump){ .plan = plan, .bus = capture_attach(&instance, plan->dir), .watch = { -1, -1, 0 } };
    if (!dump.bus || !open_sources(&dump)) return EXIT_FAILURE;
    int error = capture_watch_open(dump.bus->dir, &dump.watch);
    if (error) {
        fprintf(stderr, "pocketcan: cannot watch the instance in %s: %s\n", dump.bus->dir, strerror(-error));
        return EXIT_FAILURE;
    }
    capture_stop_fd();
    int fd = open_file(plan->file);
    if (fd < 0) return capture_is_stopped() ? EXIT_SUCCESS : EXIT_FAILURE;
    capture_file_begin(&dump.file, fd);
    describe(&dump);
    say(&dump, "capturing on");
    capture(&dump);
    return end(&dump);
}

/* ---- the command ---- */

struct dump_options {
    bool pcapng, quiet;
    const char *file, *count, *seconds;
};

static const struct cli_option options[] = {
    { "write", 'w', OPTION_TEXT, "FILE", offsetof(struct dump_options, file),
      "write to FILE, which may be a fifo; -: to standard output (the default)" },
    { "count", 'c', OPTION_TEXT, "N", offsetof(struct dump_options, count), "end after N frames" },
    { "duration", 'd', OPTION_TEXT, "SECONDS", offsetof(struct dump_options, seconds), "end after SECONDS" },
    { "quiet", 'q', OPTION_FLAG, NULL, offsetof(struct dump_options, quiet), "say only what is wrong" },
    { "pcapng", 0, OPTION_FLAG, NULL, offsetof(struct dump_options, pcapng),
      "as pcapng (the only format there is)" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static bool read_numbers(const struct dump_options *dump, struct dump_plan *plan)
{
    json_int_t span_ns = 0;
    char *end = NULL;

    if (dump->count) {
        plan->count = strtoull(dump->count, &end, 10);
        if (!plan->count || *end || dump->count[0] == '-') {
            fprintf(stderr, "pocketcan: dump: no number of frames: %s\n", dump->count);
            return false;
        }
    }
    if (dump->seconds && (!bench_seconds(dump->seconds, &span_ns) || !span_ns)) {
        fprintf(stderr, "pocketcan: dump: no number of seconds: %s\n", dump->seconds);
        return false;
    }
    plan->span_ns = (uint64_t)span_ns;
    return true;
}

static int dump_main(const struct cli_command *command, int argc, char *argv[])
{
    static const char *const any[] = { "any" };
    struct dump_options dump = { .file = "-" };

    int rest = options_parse(command, argc, argv, &dump);
    if (rest < 0) return -1 - rest;
    if (argc - rest > (int)SOURCES_MAX) {
        fprintf(stderr, "pocketcan: dump: more than %u interfaces: use any\n", SOURCES_MAX);
        return EXIT_USAGE;
    }
    struct dump_plan plan = { .file = dump.file, .words = any, .words_count = 1, .quiet = dump.quiet };
    if (rest < argc) {
        plan.words = (const char *const *)(argv + rest);
        plan.words_count = (unsigned)(argc - rest);
    }
    return read_numbers(&dump, &plan) ? dump_run(&plan) : EXIT_USAGE;
}

const struct cli_command cli_dump = {
    .name = "dump",
    .synopsis = "[-w FILE] [-c N] [-d SECONDS] [-q] [INTERFACE[,FILTER]...]...",
    .summary = "Captures traffic into a pcapng file, fifo or pipe, for Wireshark and the like.",
    .text = "INTERFACE may be any, which is the default. FILTER is what candump takes: 123:7FF, 123~7FF, "
            "#1FFFFFFF "
            "(error frames),\n"
            "j (all have to match); with none, everything is captured, error frames too. Ends with Ctrl-C. "
            "As text, "
            "candump shows\n"
            "traffic. For example: pocketcan dump vcan0 | tshark -r -\n",
    .options = options,
    .has_rest = true,
    .permutes = true,
    .run = dump_main,
};
