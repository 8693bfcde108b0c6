/* cli/bench.c - see bench.h. */
#include "cli/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/options.h"
#include "daemon/instance.h"
#include "sockets/ctl.h"

#define ANSWER_MAX (512u * 1024)

int bench_ask(const char *dir, json_t *request, json_t **answer)
{
    char *text = json_dumps(request, JSON_COMPACT), *reply = malloc(ANSWER_MAX);
    size_t size = 0;
    int error = text && reply ? 0 : -ENOMEM;

    if (!error) error = ctl_call(dir, CTL_BUS, text, strlen(text), -1, reply, ANSWER_MAX, &size, NULL, 0);
    if (!error && answer) {
        *answer = json_loadb(reply, size, 0, NULL);
        if (!*answer) error = -EPROTO;
    }
    free(reply);
    free(text);
    json_decref(request);
    return error;
}

/* What an error means to who asked for this. */
static const struct meaning {
    const char *operation;
    int error;
    const char *text;
} meanings[] = {
    { "bus-add", EEXIST, "there is a bus of that name: see `pocketcan bus show`" },
    { "bus-del", EBUSY, "the bus has interfaces: remove them first" },
    { "bus-del", ENODEV, "there is no such bus: see `pocketcan bus show`" },
    { "bus-set", ENODEV, "there is no such bus: see `pocketcan bus show`" },
    { "fault-add", ENODEV, "no interface on a simulated bus: see `pocketcan bus show`" },
    { "fault-del", ENOENT, "there is no such fault: see `pocketcan fault show`" },
    { "link-add", EEXIST, "there is an interface of that name" },
    { "link-add", ENODEV, "there is no such bus to put it on: see `pocketcan bus add`" },
    { "link-del", ENODEV, "no interface on a simulated bus: see `pocketcan bus show`" },
    { "show", ENODEV, "there is no such bus: see `pocketcan bus show`" },
};

static const char *meaning_of(const char *operation, int error)
{
    for (unsigned i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
        if (meanings[i].error == error && !strcmp(meanings[i].operation, operation)) return meanings[i].text;
    return strerror(error);
}

int bench_call(const char *what, json_t *request, json_t **answer)
{
    struct instance instance;
    const char *given = json_string_value(json_object_get(request, "op"));
    char operation[16];

    snprintf(operation, sizeof(operation), "%s", given ? given : "");
    if (instance_locate(&instance) || instance_enter(&instance, false)) {
        fprintf(stderr, "pocketcan: %s\n", instance.why);
        json_decref(request);
        return EXIT_FAILURE;
    }
    int error = bench_ask(instance.dir, request, answer);
    if (!error) return 0;
    fprintf(stderr, "pocketcan: %s: %s\n", what, meaning_of(operation, -error));
    return EXIT_FAILURE;
}

int bench_make_link(const char *dir, const char *name, const char *bus)
{
    int error = bench_ask(dir, json_pack("{s:s, s:s}", "op", "bus-add", "bus", bus), NULL);
    if (error && error != -EEXIST) return error;
    error = bench_ask(dir, json_pack("{s:s, s:s, s:s}", "op", "link-add", "link", name, "bus", bus), NULL);
    return error == -EEXIST ? 0 : error;
}

bool bench_seconds(const char *text, json_int_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0 && seconds < 1e9)) return false;
    *ns = (json_int_t)(seconds * 1e9);
    return true;
}
