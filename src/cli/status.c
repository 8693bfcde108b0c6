/* cli/status.c - `pocketcan status`: interfaces, and sockets with their owners. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/commands.h"
#include "cli/status_model.h"
#include "daemon/start.h"

struct status_options {
    bool json;
};

static const struct cli_option options[] = {
    { "json", 'j', OPTION_FLAG, NULL, offsetof(struct status_options, json), "as JSON" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

/* ---- tables
 * --------------------------------------------------------------------------------------------------- */

struct column {
    const char *title;
    const char *key;
    int width; /* negative: left-aligned, as printf has it; 0: the last one */
};

static const struct column link_columns[] = {
    { "INTERFACE", "name", -16 },
    { "INDEX", "ifindex", 6 },
    { "KIND", "kind", -6 },
    { "MTU", "mtu", 5 },
    { "STATE", "up", -5 },
    { "RX-FRAMES", "rx_packets", 11 },
    { "RX-BYTES", "rx_bytes", 12 },
    { "RX-DROP", "rx_dropped", 8 },
    { "TX-FRAMES", "tx_packets", 11 },
    { "TX-BYTES", "tx_bytes", 12 },
    { "TX-DROP", "tx_dropped", 8 },
    { "PEER", "peer", 0 },
    { NULL },
};

static const struct column socket_columns[] = {
    { "SOCKET", "slot", 6 },          { "PID", "pid", 8 },         { "UID", "uid", 6 },
    { "COMMAND", "command", -15 },    { "DOOR", "door", -10 },     { "INTERFACE", "interface", -16 },
    { "QUEUED", "queued", 6 },        { "DROPS", "drops", 8 },     { "RX-FRAMES", "rx_frames", 11 },
    { "TX-FRAMES", "tx_frames", 11 }, { "FILTERS", "filters", 0 }, { NULL },
};

/* Without blanks at the end of the line. */
static void print_cell(const struct column *column, const char *text)
{
    printf("%*s%s", column->width, text, column[1].title ? "  " : "\n");
}

static void print_list(const json_t *list)
{
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i ? "," : "", json_string_value(json_array_get(list, i)));
    printf("%s\n", count ? "" : "-");
}

static void print_value(const struct column *column, const json_t *value)
{
    char number[32];

    if (json_is_array(value)) {
        print_list(value);
    } else if (json_is_integer(value)) {
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
        print_cell(column, number);
    } else if (json_is_boolean(value)) {
        print_cell(column, json_is_true(value) ? "up" : "down");
    } else {
        print_cell(column, json_is_string(value) ? json_string_value(value) : "-");
    }
}

static void print_table(const struct column *columns, const json_t *rows)
{
    printf("\n");
    for (const struct column *column = columns; column->title; column++)
        print_cell(column, column->title);
    for (size_t i = 0; i < json_array_size(rows); i++)
        for (const struct column *column = columns; column->title; column++)
            print_value(column, json_object_get(json_array_get(rows, i), column->key));
}

static long long integer_at(const json_t *root, const char *key)
{
    return (long long)json_integer_value(json_object_get(root, key));
}

static void print_text(const json_t *root)
{
    const json_t *links = json_object_get(root, "interfaces"), *sockets = json_object_get(root, "sockets");

    printf("%s: daemon %lld, worker %lld, restarted %lld times; %zu interfaces, %zu sockets\n",
           json_string_value(json_object_get(root, "instance")), integer_at(root, "supervisor_pid"),
           integer_at(root, "worker_pid"), integer_at(root, "worker_restarts"), json_array_size(links),
           json_array_size(sockets));
    if (json_array_size(links)) print_table(link_columns, links);
    if (json_array_size(sockets)) print_table(socket_columns, sockets);
}

/* ---- the command
 * ---------------------------------------------------------------------------------------------- */

static int status_main(const struct cli_command *command, int argc, char *argv[])
{
    struct status_options status = { 0 };
    struct instance instance;
    json_t *root;

    int rest = options_parse(command, argc, argv, &status);
    if (rest < 0) return -1 - rest;
    if (instance_locate(&instance) || instance_enter(&instance, false) ||
        status_model_collect(&instance, &root)) {
        fprintf(stderr, "pocketcan: %s\n", instance.why);
        return EXIT_FAILURE;
    }
    if (status.json) {
        json_dumpf(root, stdout, JSON_INDENT(2));
        printf("\n");
    } else {
        print_text(root);
    }
    json_decref(root);
    return 0;
}

const struct cli_command cli_status = {
    .name = "status",
    .synopsis = "[--json]",
    .summary = "Shows the interfaces and sockets of the instance.",
    .text = "For each socket: its owner, the door it came through, the interface it is bound to, its filters "
            "as candump takes them, "
            "frames in its\n"
            "queue, frames it lost because that was full, frames received and sent.\n",
    .options = options,
    .run = status_main,
};
