/* cli/options.c - getopt_long() driven by the option table of a command. */
#include "cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 16

#define LEFT_WIDTH 22 /* of options in the help */

static const char empty_text[] = "";

/* The table in getopt's form. Options without a letter are known by 256 + their index. */
static void translate(const struct cli_command *command, struct option *longs, char *letters)
{
    const struct cli_option *options = command->options;

    if (!command->permutes) *letters++ = '+'; /* stop at the first argument: what follows belongs to CMD */
    *letters++ = ':';                         /* errors are ours to print */
    for (int i = 0; options[i].name; i++) {
        bool takes = options[i].kind == OPTION_LIST || options[i].kind == OPTION_TEXT;
        longs[i] = (struct option){ options[i].name, takes ? required_argument : no_argument, NULL, 256 + i };
        if (options[i].letter) {
            *letters++ = options[i].letter;
            if (takes) *letters++ = ':';
        }
    }
    *letters = 0;
}

static const struct cli_option *find_option(const struct cli_option *options, int found)
{
    if (found >= 256) return &options[found - 256];
    for (; options->name; options++)
        if (options->letter == found) return options;
    return NULL;
}

static int usage_error(const struct cli_command *command, const char *what, const char *argument)
{
    fprintf(stderr, "pocketcan: %s: %s%s: see `pocketcan %s --help`\n", command->name, what, argument,
            command->name);
    return -1 - EXIT_USAGE;
}

/* Stores one option. Returns 0, or -1 - exit status. */
static int store(const struct cli_command *command, const struct cli_option *option, const char *value,
                 void *out)
{
    char *field = (char *)out + option->offset;
    struct option_list *list;

    switch (option->kind) {
    case OPTION_FLAG: *(bool *)field = true; return 0;
    case OPTION_TEXT: *(const char **)(void *)field = value; return 0;
    case OPTION_LIST:
        list = (struct option_list *)(void *)field;
        if (list->count == OPTION_LIST_MAX) return usage_error(command, "given too often: --", option->name);
        list->value[list->count++] = value;
        return 0;
    default: options_print_help(command); return -1;
    }
}

int options_parse(const struct cli_command *command, int argc, char *argv[], void *out)
{
    struct option longs[OPTIONS_MAX + 1] = { 0 };
    char letters[2 * OPTIONS_MAX + 3];
    int found;

    translate(command, longs, letters);
    optind = 0; /* start anew, also within one process */
    while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        char letter[] = { '-', (char)optopt, 0 };
        const char *given = optind > 0 && argv[optind - 1] ? argv[optind - 1] : empty_text;
        if (found == '?')
            return usage_error(command, "unknown option ", optopt && optopt < 256 ? letter : given);
        if (found == ':') return usage_error(command, "a value is missing after ", given);
        int status = store(command, find_option(command->options, found), optarg, out);
        if (status) return status;
    }
    if (!command->has_rest && optind < argc)
        return usage_error(command, "takes no argument, but was given ", argv[optind]);
    return optind;
}

void options_print_help(const struct cli_command *command)
{
    printf("Usage: pocketcan %s%s%s\n%s\n", command->name, command->synopsis[0] ? " " : empty_text,
           command->synopsis, command->summary);
    if (command->text) printf("\n%s", command->text);
    printf("\nOptions:\n");
    for (const struct cli_option *option = command->options; option->name; option++) {
        char left[64], letter[8] = "    ";
        if (!option->help) /* for ourselves */
            continue;
        if (option->letter) snprintf(letter, sizeof(letter), "-%c, ", option->letter);
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name, option->argument ? " " : empty_text,
                 option->argument ? option->argument : empty_text);
        printf("  %-*s%s%s\n", LEFT_WIDTH, left,
               strlen(left) > LEFT_WIDTH ? "\n                         " : " ", option->help);
    }
}

const struct cli_command *cli_find_command(const char *name)
{
    for (const struct cli_command *const *command = cli_commands; *command; command++)
        if (!strcmp((*command)->name, name)) return *command;
    return NULL;
}
