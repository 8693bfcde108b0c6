/* cli/doctor.c - `pocketcan doctor`: each check of the table on a line, and the verdict. */
#include "cli/doctor.h"

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "cli/commands.h"

struct doctor_options {
    bool json;
    bool probe;
};

static const struct cli_option options[] = {
    { "json", 'j', OPTION_FLAG, NULL, offsetof(struct doctor_options, json), "as JSON" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { "probe", 0, OPTION_FLAG, NULL, offsetof(struct doctor_options, probe), NULL },
    { NULL },
};

static const char *const result_names[] = {
    [DOCTOR_OK] = "ok", [DOCTOR_NO] = "no", [DOCTOR_NOT_APPLICABLE] = "n.a."
};

void doctor_find(struct doctor_finding *finding, enum doctor_result result, const char *advice,
                 const char *detail, ...)
{
    va_list args;
    va_start(args, detail);
    vsnprintf(finding->detail, sizeof(finding->detail), detail, args);
    va_end(args);
    finding->result = result;
    snprintf(finding->advice, sizeof(finding->advice), "%s", advice ? advice : "");
}

static void print_finding(const struct doctor_check *check, const struct doctor_finding *finding)
{
    printf("%-5s %-15s %s%s%s\n", result_names[finding->result], check->name, finding->detail,
           finding->advice[0] ? ": " : "", finding->advice);
    fflush(stdout);
}

static json_t *finding_json(const struct doctor_check *check, const struct doctor_finding *finding)
{
    return json_pack("{s:s, s:b, s:s, s:s, s:s}", "name", check->name, "required", check->required, "result",
                     result_names[finding->result], "detail", finding->detail, "advice", finding->advice);
}

static int doctor_main(const struct cli_command *command, int argc, char *argv[])
{
    struct doctor_options doctor = { 0 };
    json_t *list;
    bool works = true;

    int rest = options_parse(command, argc, argv, &doctor);
    if (rest < 0) return -1 - rest;
    if (doctor.probe) return doctor_probe();
    list = json_array();
    for (const struct doctor_check *check = doctor_checks; check->name; check++) {
        struct doctor_finding finding = { 0 };
        check->look(&finding);
        works = works && (!check->required || finding.result == DOCTOR_OK);
        if (doctor.json)
            json_array_append_new(list, finding_json(check, &finding));
        else
            print_finding(check, &finding);
    }
    if (doctor.json) {
        json_t *root = json_pack("{s:b, s:O}", "works", works, "checks", list);
        json_dumpf(root, stdout, JSON_INDENT(2));
        printf("\n");
        json_decref(root);
    } else {
        printf("pocketcan %s on this machine\n", works ? "works" : "does not work");
    }
    json_decref(list);
    return works ? 0 : EXIT_FAILURE;
}

const struct cli_command cli_doctor = {
    .name = "doctor",
    .synopsis = "[--json]",
    .summary = "Says what of this machine pocketcan can use, and what to do about what it cannot.",
    .text = "Each line: ok, no or n.a. (does not apply or cannot be told), the subject, what was found and "
            "what to do.\n"
            "Exits with 0 when pocketcan works here, else with 1.\n",
    .options = options,
    .run = doctor_main,
};
