/* cli/bus.c - `pocketcan bus` and `pocketcan link`: simulated buses, and controllers on them. */
/* prefix: cli_ */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/bench.h"
#include "cli/commands.h"

static const struct cli_option help_only[] = {
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static int usage(const char *command)
{
    fprintf(stderr, "pocketcan: %s: see `pocketcan %s --help`\n", command, command);
    return EXIT_USAGE;
}

/* ---- bus show ------------------------------------------------------------------------------------------------------ */

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "-";
}

static void print_interface(const json_t *port)
{
    printf("  %-15s  %-13s  %8.0f  %4.0f  %4.0f  %9.0f  %9.0f  %9.0f  %9.0f  %10.3f  %10.3f\n",
           text(port, "name"), text(port, "state"), number(port, "bitrate"), number(port, "tec"),
           number(port, "rec"), number(port, "tx_frames"), number(port, "rx_frames"),
           number(port, "tx_errors") + number(port, "rx_errors"), number(port, "arbitration_lost"),
           number(port, "latency_ns") / 1e6, number(port, "latency_max_ns") / 1e6);
}

/* The bus of that name in an earlier answer. */
static const json_t *find(const json_t *before, const char *name)
{
    const json_t *buses = json_object_get(before, "buses");
    for (size_t i = 0; i < json_array_size(buses); i++)
        if (strcmp(text(json_array_get(buses, i), "name"), name) == 0) return json_array_get(buses, i);
    return NULL;
}

/* With `before`, the load since then. */
static void print_bus(const json_t *bus, const json_t *before)
{
    const json_t *ports = json_object_get(bus, "interfaces"), *then = find(before, text(bus, "name"));
    double span = number(bus, "time_ns") - (then ? number(then, "time_ns") : 0);
    double busy = number(bus, "busy_ns") - (then ? number(then, "busy_ns") : 0);
    char speed[32] = "as fast as it can";

    if (number(bus, "speed") > 0) snprintf(speed, sizeof(speed), "speed %.0f", number(bus, "speed"));
    printf("%s: %s, time %.6f s, load %.2f %%, %.0f frames, %.0f errors, arbitration lost %.0f times\n",
           text(bus, "name"), speed, number(bus, "time_ns") / 1e9, span > 0 ? 100 * busy / span : 0,
           number(bus, "frames"), number(bus, "errors"), number(bus, "arbitration_lost"));
    if (!json_array_size(ports)) return;
    printf("  %-15s  %-13s  %8s  %4s  %4s  %9s  %9s  %9s  %9s  %10s  %10s\n", "INTERFACE", "STATE", "BITRATE",
           "TEC", "REC", "SENT", "RECEIVED", "ERRORS", "LOST-ARB", "LATENCY-MS", "MAX-MS");
    for (size_t i = 0; i < json_array_size(ports); i++)
        print_interface(json_array_get(ports, i));
}

static void print_all(const json_t *answer, const json_t *before, bool json)
{
    const json_t *buses = json_object_get(answer, "buses");

    if (json) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        printf("\n");
    }
    for (size_t i = 0; !json && i < json_array_size(buses); i++)
        print_bus(json_array_get(buses, i), before);
    fflush(stdout);
}

static int bus_show(char *const *words)
{
    json_t *before = NULL, *answer;
    const char *name = "";
    bool json = false, watch = false;

    for (; *words; words++)
        if (!strcmp(*words, "--json") || !strcmp(*words, "-j"))
            json = true;
        else if (!strcmp(*words, "--watch") || !strcmp(*words, "-w"))
            watch = true;
        else
            name = *words;
    do {
        int status = bench_call(name[0] ? name : "bus show",
                                json_pack("{s:s, s:s}", "op", "show", "bus", name), &answer);
        if (status) return status;
        print_all(answer, before, json);
        json_decref(before);
        before = answer;
    } while (watch && !ferror(stdout) && sleep(1) == 0);
    json_decref(before);
    return 0;
}

/* ---- bus add, set, del --------------------------------------------------------------------------------------------- */

/* "max" is 0. */
static bool speed_of(const char *word, json_int_t *speed)
{
    char *end;

    *speed = 0;
    if (strcmp(word, "max") == 0) return true;
    *speed = strtoll(word, &end, 10);
    return end != word && !*end && *speed > 0;
}

static int bus_change(const char *op, char *const *words)
{
    const char *name = words[0];
    json_int_t speed = 1;

    if (!name) return usage("bus");
    if (words[1]) {
        const char *value = words[1];
        if ((!strcmp(value, "--speed") || !strcmp(value, "speed")) && words[2]) value = words[2];
        if (strcmp(op, "bus-del") == 0 || !speed_of(value, &speed)) return usage("bus");
    }
    return bench_call(name, json_pack("{s:s, s:s, s:I}", "op", op, "bus", name, "speed", speed), NULL);
}

static int bus_main(const struct cli_command *command, int argc, char *argv[])
{
    static const char *const changes[][2] = { { "add", "bus-add" },
                                              { "set", "bus-set" },
                                              { "del", "bus-del" } };
    int rest = options_parse(command, argc, argv, NULL);

    if (rest < 0) return -1 - rest;
    if (rest == argc) return usage("bus");
    if (strcmp(argv[rest], "show") == 0) return bus_show(argv + rest + 1);
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
        if (strcmp(argv[rest], changes[i][0]) == 0) return bus_change(changes[i][1], argv + rest + 1);
    return usage("bus");
}

const struct cli_command cli_bus = {
    .name = "bus",
    .synopsis =
        "add NAME [--speed N|max] | set NAME --speed N|max | del NAME | show [NAME] [--json] [--watch]",
    .summary = "Makes and shows simulated buses: bit times, arbitration, errors, as on a wire.",
    .text = "--speed makes a bus N times as fast as real time, or as fast as the machine can (max).\n"
            "show: load, errors, and for each interface its state, error counters, frames and how long they "
            "took from\n"
            "the controller to the end of the frame. --watch repeats that each second, with the load of that "
            "second.\n",
    .options = help_only,
    .has_rest = true,
    .run = bus_main,
};

/* ---- link ---------------------------------------------------------------------------------------------------------- */

static int link_main(const struct cli_command *command, int argc, char *argv[])
{
    int rest = options_parse(command, argc, argv, NULL);
    char **words = argv + rest;

    if (rest < 0) return -1 - rest;
    if (argc - rest == 4 && !strcmp(words[0], "add") && !strcmp(words[2], "bus"))
        return bench_call(words[1],
                          json_pack("{s:s, s:s, s:s}", "op", "link-add", "link", words[1], "bus", words[3]),
                          NULL);
    if (argc - rest == 2 && !strcmp(words[0], "del"))
        return bench_call(words[1], json_pack("{s:s, s:s}", "op", "link-del", "link", words[1]), NULL);
    return usage("link");
}

const struct cli_command cli_link = {
    .name = "link",
    .synopsis = "add NAME bus BUS | del NAME",
    .summary = "Makes an interface of kind \"can\" on a simulated bus, or removes it.",
    .text = "Then, as for a real controller: ip link set NAME up type can bitrate 500000\n",
    .options = help_only,
    .has_rest = true,
    .run = link_main,
};
