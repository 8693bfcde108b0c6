/* cli/options.h - subcommands and their options as tables: parsing, help text and errors all come from
 * these. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTION_LIST_MAX 128u

/* Where an option's value goes. */
enum option_kind {
    OPTION_FLAG, /* bool */
    OPTION_TEXT, /* const char *: the last one counts */
    OPTION_LIST, /* struct option_list: may be given again */
    OPTION_HELP, /* prints the command's help and exits */
};

struct option_list {
    unsigned count;
    const char *value[OPTION_LIST_MAX];
};

struct cli_option {
    const char *name; /* long name */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *argument; /* what the help calls it */
    size_t offset;        /* into the command's options structure */
    const char *help;
};

struct cli_command {
    const char *name;
    const char *synopsis;             /* after the name */
    const char *summary;              /* one line */
    const char *text;                 /* paragraphs for --help; may be NULL */
    const struct cli_option *options; /* ends with name NULL */
    bool has_rest;                    /* takes arguments after the options */
    bool permutes;                    /* ... or between them */
    int (*run)(const struct cli_command *command, int argc, char *argv[]);
};

/* Parses argv[1..) into `out`. Stops at the first argument that is no option. Returns its index, or -1 -
 * exit status when the command is to end now (help was printed, or an error was). */
int options_parse(const struct cli_command *command, int argc, char *argv[], void *out);

void options_print_help(const struct cli_command *command);

/* The commands, ends with name NULL. */
extern const struct cli_command *const cli_commands[];
const struct cli_command *cli_find_command(const char *name);

/* Exit statuses. */
enum { EXIT_USAGE = 2, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

#endif
