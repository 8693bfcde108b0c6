/* cli/fault.c - `pocketcan fault`: errors on simulated buses, on demand. The words of the command line are a table. */
/* prefix: cli_ */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/bench.h"
#include "cli/commands.h"

static const struct cli_option options[] = {
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

static int usage(const char *what)
{
    fprintf(stderr, "pocketcan: fault: %s: see `pocketcan fault --help`\n", what);
    return EXIT_USAGE;
}

/* ---- fault add ----------------------------------------------------------------------------------------------------- */

static bool put_number(json_t *request, const char *key, const char *value)
{
    char *end;
    long long number = strtoll(value, &end, 0);
    if (end == value || *end || number < 0) return false;
    json_object_set_new(request, key, json_integer(number));
    return true;
}

static bool put_seconds(json_t *request, const char *key, const char *value)
{
    json_int_t ns;
    if (!bench_seconds(value, &ns)) return false;
    json_object_set_new(request, key, json_integer(ns));
    return true;
}

static bool put_chance(json_t *request, const char *key, const char *value)
{
    char *end;
    double chance = strtod(value, &end);
    if (end == value || *end || !(chance > 0 && chance <= 1)) return false;
    json_object_set_new(request, key, json_real(chance));
    return true;
}

/* ID or ID:MASK in hex; more than three digits are an extended identifier, as in candump's filters. */
static bool put_id(json_t *request, const char *key, const char *value)
{
    char *end;
    unsigned long long id = strtoull(value, &end, 16), mask = end - value > 3 ? 0x9fffffffu : 0x800007ffu;

    if (end == value) return false;
    if (end - value > 3) id |= 0x80000000u;
    if (*end == ':') {
        const char *start = end + 1;
        mask = strtoull(start, &end, 16);
        if (end == start) return false;
    }
    if (*end || id > 0xffffffffu || mask > 0xffffffffu) return false;
    json_object_set_new(request, key, json_integer((json_int_t)id));
    json_object_set_new(request, "mask", json_integer((json_int_t)mask));
    return true;
}

static const struct {
    const char *word, *key;
    bool (*put)(json_t *request, const char *key, const char *value);
} words[] = {
    { "id", "id", put_id },
    { "chance", "chance", put_chance },
    { "seed", "seed", put_number },
    { "count", "count", put_number },
    { "from", "from_ns", put_seconds },
    { "for", "for_ns", put_seconds },
    { "by", "extra_ns", put_seconds },
};

/* One word and its value. Returns how many words that were, 0: none that is known. */
static int take(json_t *request, char *const *at)
{
    if (!strcmp(at[0], "tx") || !strcmp(at[0], "rx")) {
        json_object_set_new(request, "direction", json_string(at[0]));
        return 1;
    }
    for (unsigned i = 0; at[1] && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(at[0], words[i].word) == 0) return words[i].put(request, words[i].key, at[1]) ? 2 : 0;
    return 0;
}

static int fault_add(int count, char *const *at)
{
    json_t *request, *answer;

    if (count < 2) return usage("add");
    request = json_pack("{s:s, s:s, s:s}", "op", "fault-add", "link", at[0], "kind", at[1]);
    for (int i = 2, step; i < count; i += step) {
        step = take(request, at + i);
        if (step) continue;
        json_decref(request);
        return usage(at[i]);
    }
    int status = bench_call(at[0], request, &answer);
    if (status) return status;
    printf("%lld\n", (long long)json_integer_value(json_object_get(answer, "number")));
    json_decref(answer);
    return 0;
}

/* ---- fault show, del ----------------------------------------------------------------------------------------------- */

static int fault_show(bool json)
{
    json_t *answer;
    int status = bench_call("fault show", json_pack("{s:s}", "op", "fault-show"), &answer);

    if (status) return status;
    const json_t *faults = json_object_get(answer, "faults");
    if (json) json_dumpf(faults, stdout, JSON_INDENT(2));
    if (json) printf("\n");
    if (!json && json_array_size(faults))
        printf("%6s  %-15s  %-8s  %-4s  %-17s  %6s  %8s  %8s\n", "NUMBER", "INTERFACE", "KIND", "WHEN",
               "ID:MASK", "CHANCE", "LEFT", "HITS");
    for (size_t i = 0; !json && i < json_array_size(faults); i++) {
        const json_t *fault = json_array_get(faults, i);
        char left[24] = "any";
        long long number = json_integer_value(json_object_get(fault, "left"));
        if (number) snprintf(left, sizeof(left), "%lld", number);
        printf("%6lld  %-15s  %-8s  %-4s  %08llX:%08llX  %6g  %8s  %8lld\n",
               (long long)json_integer_value(json_object_get(fault, "number")),
               json_string_value(json_object_get(fault, "link")),
               json_string_value(json_object_get(fault, "kind")),
               json_string_value(json_object_get(fault, "direction")),
               (long long)json_integer_value(json_object_get(fault, "id")),
               (long long)json_integer_value(json_object_get(fault, "mask")),
               json_real_value(json_object_get(fault, "chance")), left,
               (long long)json_integer_value(json_object_get(fault, "hits")));
    }
    json_decref(answer);
    return 0;
}

static int fault_del(const char *number)
{
    json_t *request = json_pack("{s:s}", "op", "fault-del");
    if (put_number(request, "number", number)) return bench_call(number, request, NULL);
    json_decref(request);
    return usage(number);
}

static int fault_main(const struct cli_command *command, int argc, char *argv[])
{
    int rest = options_parse(command, argc, argv, NULL);
    char **at = argv + rest;

    if (rest < 0) return -1 - rest;
    int count = argc - rest;
    if (count > 0 && !strcmp(at[0], "add")) return fault_add(count - 1, at + 1);
    if (count > 0 && !strcmp(at[0], "show"))
        return fault_show(count > 1 && (!strcmp(at[1], "--json") || !strcmp(at[1], "-j")));
    if (count == 2 && !strcmp(at[0], "del")) return fault_del(at[1]);
    return usage(count ? at[0] : "add, show or del");
}

const struct cli_command cli_fault = {
    .name = "fault",
    .synopsis = "add INTERFACE KIND [tx|rx] [id ID[:MASK]] [chance P] [seed N] [count N] [from S] [for S] "
                "[by S] | show "
                "[--json] | del NUMBER",
    .summary = "Makes errors happen on simulated buses.",
    .text = "KIND is one of\n"
            "  bit stuff form crc ack   an error: tx, in frames that INTERFACE sends; rx, in frames it "
            "receives, seen by it alone\n"
            "  lost                     tx: the frame arrives nowhere; rx: not here\n"
            "  corrupt                  one bit of the data is another one, and nobody notices\n"
            "  overrun                  received frames get lost because the controller has no room, which "
            "it reports\n"
            "  delay                    frames to be sent wait (by S seconds)\n"
            "  babble                   sends frames with identifier ID whenever it can\n"
            "  dominant                 holds the bus dominant\n"
            "  cut                      is cut off from the bus, and alone\n"
            "It happens to frames with (identifier & MASK) == (ID & MASK), with probability P by a generator "
            "that begins with\n"
            "seed N, count N times, from S seconds from now on, for S seconds. Without them: to every frame, "
            "always.\n"
            "add prints the number by which show and del know it.\n",
    .options = options,
    .has_rest = true,
    .run = fault_main,
};
