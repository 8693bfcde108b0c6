/* Unit tests of cli/options.c: the tables as getopt_long() sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "cli/commands.h"
#include "cli/status_model.h"

struct sample {
    bool flag;
    const char *text;
    struct option_list names;
};

static const struct cli_option table[] = {
    { "flag", 'f', OPTION_FLAG, NULL, offsetof(struct sample, flag), "a flag" },
    { "text", 't', OPTION_TEXT, "TEXT", offsetof(struct sample, text), "a text" },
    { "name", 'n', OPTION_LIST, "NAME", offsetof(struct sample, names), "a name" },
    { "help", 'h', OPTION_HELP, NULL, 0, "help" },
    { NULL },
};
static const struct cli_command with_rest = {
    .name = "sample", .synopsis = "", .options = table, .has_rest = true
};
static const struct cli_command permuting = {
    .name = "sample", .synopsis = "", .options = table, .has_rest = true, .permutes = true
};
static const struct cli_command without_rest = { .name = "sample", .synopsis = "", .options = table };

static int parse(const struct cli_command *command, void *out, const char *const argv[])
{
    int argc = 0;
    while (argv[argc])
        argc++;
    return options_parse(command, argc, (char **)(uintptr_t)argv, out);
}
#define PARSE(command, out, ...) parse(command, out, (const char *const[]){ "sample", __VA_ARGS__, NULL })

static void options_fill_the_structure(void **state)
{
    struct sample sample = { 0 };
    (void)state;
    assert_int_equal(PARSE(&with_rest, &sample, "--flag", "-n", "a", "--name=b", "cmd", "--flag"), 5);
    assert_true(sample.flag);
    assert_int_equal(sample.names.count, 2);
    assert_string_equal(sample.names.value[0], "a");
    assert_string_equal(sample.names.value[1], "b");
}

static void options_end_at_the_command_or_dashes(void **state)
{
    struct sample sample = { 0 };
    (void)state;
    assert_int_equal(PARSE(&with_rest, &sample, "cmd", "-f"), 1);
    assert_int_equal(PARSE(&with_rest, &sample, "--", "-f"), 2);
    assert_false(sample.flag);
}

static void options_of_one_value_keep_the_last(void **state)
{
    struct sample sample = { 0 };
    (void)state;
    assert_int_equal(PARSE(&with_rest, &sample, "-t", "a", "--text", "b"), 5);
    assert_string_equal(sample.text, "b");
    assert_int_equal(PARSE(&with_rest, &sample, "-t"), -1 - EXIT_USAGE);
}

static void options_may_stand_between_arguments_where_that_is_wanted(void **state)
{
    const char *argv[] = { "sample", "one", "-f", "two", "--text=a", "--", "-n", NULL };
    struct sample sample = { 0 };
    (void)state;
    assert_int_equal(parse(&permuting, &sample, argv), 4);
    assert_true(sample.flag);
    assert_string_equal(sample.text, "a");
    assert_string_equal(argv[4], "one");
    assert_string_equal(argv[5], "two");
    assert_string_equal(argv[6], "-n");
}

static void options_errors_are_usage_errors(void **state)
{
    struct sample sample = { 0 };
    (void)state;
    assert_int_equal(PARSE(&with_rest, &sample, "--nonsense"), -1 - EXIT_USAGE);
    assert_int_equal(PARSE(&with_rest, &sample, "-x"), -1 - EXIT_USAGE);
    assert_int_equal(PARSE(&with_rest, &sample, "--name"), -1 - EXIT_USAGE);
    assert_int_equal(PARSE(&with_rest, &sample, "--flag=1"), -1 - EXIT_USAGE);
    assert_int_equal(PARSE(&without_rest, &sample, "rest"), -1 - EXIT_USAGE);
}

static void options_lists_are_bounded(void **state)
{
    static const char *argv[2 * (OPTION_LIST_MAX + 1) + 2] = { "sample" };
    struct sample sample = { 0 };
    (void)state;
    for (unsigned i = 0; i < OPTION_LIST_MAX; i++) {
        argv[1 + 2 * i] = "-n";
        argv[2 + 2 * i] = "x";
    }
    assert_int_equal(parse(&with_rest, &sample, argv), 1 + 2 * (int)OPTION_LIST_MAX);
    argv[1 + 2 * OPTION_LIST_MAX] = "-n";
    argv[2 + 2 * OPTION_LIST_MAX] = "x";
    sample.names.count = 0;
    assert_int_equal(parse(&with_rest, &sample, argv), -1 - EXIT_USAGE);
}

static void every_command_can_be_found_and_has_help(void **state)
{
    (void)state;
    for (const struct cli_command *const *command = cli_commands; *command; command++) {
        assert_ptr_equal(cli_find_command((*command)->name), *command);
        assert_true((*command)->summary[0]);
        bool help = false;
        for (const struct cli_option *option = (*command)->options; option->name; option++)
            help |= option->kind == OPTION_HELP;
        assert_true(help);
    }
    assert_null(cli_find_command("nonsense"));
}

static void filters_are_written_as_can_utils_do(void **state)
{
    static const struct {
        uint32_t id, mask;
        const char *text;
    } rows[] = {
        { 0x123, 0x7ff, "123:7FF" },
        { 0x20000123, 0x7ff, "123~7FF" },
        { 0x92345678, 0x1fffffff, "12345678:1FFFFFFF" },
        { 0x80000001, 0x9fffffff, "00000001:9FFFFFFF" },
        { 0, 0, "000:000" },
    };
    char text[STATUS_FILTER_SIZE];
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        status_model_filter(text, rows[i].id, rows[i].mask);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_fill_the_structure),
        cmocka_unit_test(options_end_at_the_command_or_dashes),
        cmocka_unit_test(options_of_one_value_keep_the_last),
        cmocka_unit_test(options_may_stand_between_arguments_where_that_is_wanted),
        cmocka_unit_test(options_errors_are_usage_errors),
        cmocka_unit_test(options_lists_are_bounded),
        cmocka_unit_test(every_command_can_be_found_and_has_help),
        cmocka_unit_test(filters_are_written_as_can_utils_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
