/* cli/extcap.c - `pocketcan extcap`: what Wireshark, tshark and dumpcap run to list our interfaces and to capture from them, by their extcap
 * interface: they start each program in their extcap directories (there it is a link called pocketcan-extcap) with
 *
 *   --extcap-interfaces                                 which interfaces are there?
 *   --extcap-interface I --extcap-dlts                  which link type has I?
 *   --extcap-interface I --extcap-config                what can be set?
 *   --extcap-interface I --extcap-capture-filter F      is F a filter?
 *   --extcap-interface I --capture --fifo FILE          write pcapng to FILE
 *
 * An interface is called pocketcan:NAME in the instance that the environment names, and pocketcan:DIR:NAME in others, where DIR has no slash,
 * because Wireshark makes the name a part of a file's: what could confuse is written as % and two hexadecimal digits. NAME may be any. */
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bus/links.h"
#include "cli/commands.h"
#include "cli/capture.h"
#include "cli/dump.h"
#include "cli/instances.h"
#include "cli/pcapng.h"
#include "config.h"

/* prefix: shim_ */

#define PREFIX    "pocketcan:"
#define WORD_SIZE 4096u

struct extcap_options {
    bool interfaces, dlts, config, capture;
    const char *interface, *version, *fifo, *capture_filter, *filter;
};

#define AT(field) offsetof(struct extcap_options, field)
static const struct cli_option options[] = {
    { "extcap-interfaces", 0, OPTION_FLAG, NULL, AT(interfaces), "list the interfaces of all instances" },
    { "extcap-version", 0, OPTION_TEXT, "VERSION", AT(version), "of Wireshark" },
    { "extcap-interface", 0, OPTION_TEXT, "NAME", AT(interface), "which one the others are about" },
    { "extcap-dlts", 0, OPTION_FLAG, NULL, AT(dlts), "tell the link type" },
    { "extcap-config", 0, OPTION_FLAG, NULL, AT(config), "tell what can be set" },
    { "extcap-capture-filter", 0, OPTION_TEXT, "FILTER", AT(capture_filter), "as candump takes them" },
    { "filter", 0, OPTION_TEXT, "FILTER", AT(filter), "the same" },
    { "capture", 0, OPTION_FLAG, NULL, AT(capture), "capture ..." },
    { "fifo", 0, OPTION_TEXT, "FILE", AT(fifo), "... into this file" },
    { "help", 'h', OPTION_HELP, NULL, 0, "show this help" },
    { NULL },
};

/* ---- names ---- */

/* Characters that mean nothing to Wireshark or the file system. */
static bool is_plain(char letter) { return isalnum((unsigned char)letter) || strchr("._-", letter); }

static void print_escaped(const char *text)
{
    for (; *text; text++)
        printf(is_plain(*text) ? "%c" : "%%%02X", (unsigned char)*text);
}

/* Makes `size` bytes of a name the directory again: false when they are none, or do not fit. */
static bool unescape(const char *text, size_t size, char out[INSTANCE_DIR_MAX + 1])
{
    size_t used = 0;

    for (size_t i = 0; i < size; i++, used++) {
        unsigned value = (unsigned char)text[i];
        if (used == INSTANCE_DIR_MAX) return false;
        if (value == '%') {
            char digits[3] = "", *end;
            if (i + 2 >= size) return false;
            memcpy(digits, text + i + 1, 2);
            value = (unsigned)strtoul(digits, &end, 16);
            if (end != digits + 2 || !value) return false;
            i += 2;
        }
        out[used] = (char)value;
    }
    out[used] = 0;
    return used > 0;
}

/* "pocketcan:[DIR:]NAME" -> the directory ("" is the environment's) and the name. */
static const char *parse_name(const char *text, char dir[INSTANCE_DIR_MAX + 1])
{
    const char *colon;

    dir[0] = 0;
    if (strncmp(text, PREFIX, strlen(PREFIX)) != 0) return NULL;
    text += strlen(PREFIX);
    colon = strchr(text, ':');
    if (colon && !unescape(text, (size_t)(colon - text), dir)) return NULL;
    return colon ? colon + 1 : text;
}

/* ---- answers ---- */

static void print_interface(const char *name, const char *about, const struct instance *instance,
                            bool is_default)
{
    printf("interface {value=" PREFIX);
    if (!is_default) {
        print_escaped(instance->dir);
        printf(":");
    }
    printf("%s}{display=pocketcan %s (%s", name, name, about);
    if (!is_default) printf(", %s", instance->dir);
    printf(")}\n");
}

static void print_instance(const struct instance *instance, const struct bus *bus, bool is_default,
                           void *context)
{
    struct link_view link;
    char about[32];
    unsigned count = 0;

    (void)context;
    if (strpbrk(instance->dir, "{}")) return; /* Wireshark's brackets */
    for (uint32_t index = 0; index < LINKS_MAX; index++) {
        if (links_get(bus->control, index, &link) < 0 || strpbrk(link.name, "{}")) continue;
        snprintf(about, sizeof(about), "%s%s", links_kind_name(link_state_kind(link.state)),
                 link.state & LINK_UP ? "" : ", down");
        print_interface(link.name, about, instance, is_default);
        count++;
    }
    if (count) print_interface("any", "all of them", instance, is_default);
}

static int print_interfaces(void)
{
    printf("extcap {version=" POCKETCAN_VERSION "}{display=pocketcan}\n");
    instances_each(print_instance, NULL);
    return EXIT_SUCCESS;
}

static int print_config(void)
{
    printf(
        "arg {number=0}{call=--filter}{display=Filters}{type=string}{required=false}"
        "{tooltip=As candump takes them: 123:7FF, 12345678~1FFFFFFF, #1FFFFFFF for error frames, j when all "
        "have to match}\n");
    return EXIT_SUCCESS;
}

/* Wireshark shows what is printed. */
static int check_filter(const char *text)
{
    static struct capture_filter filter;

    if (!*text || capture_filter_parse(text, &filter)) return EXIT_SUCCESS;
    printf("Filters are written as for candump: 123:7FF,#1FFFFFFF\n");
    return EXIT_FAILURE;
}

static int capture(const struct extcap_options *extcap)
{
    const char *filters[] = { extcap->filter, extcap->capture_filter };
    char dir[INSTANCE_DIR_MAX + 1], word[WORD_SIZE];
    const char *name = parse_name(extcap->interface, dir), *words[] = { word };
    int size;

    if (!name || !extcap->fifo) {
        fprintf(stderr, "pocketcan: extcap: no interface of ours or no fifo: %s\n", extcap->interface);
        return EXIT_USAGE;
    }
    size = snprintf(word, sizeof(word), "%s", name);
    for (unsigned i = 0; i < 2; i++)
        if (filters[i] && *filters[i] && size < (int)sizeof(word))
            size += snprintf(word + size, sizeof(word) - (size_t)size, ",%s", filters[i]);
    if (size >= (int)sizeof(word)) {
        fprintf(stderr, "pocketcan: extcap: the filter is too long\n");
        return EXIT_USAGE;
    }
    struct dump_plan plan = {
        .dir = *dir ? dir : NULL, .file = extcap->fifo, .words = words, .words_count = 1, .quiet = true
    };
    return dump_run(&plan);
}

static int extcap_main(const struct cli_command *command, int argc, char *argv[])
{
    struct extcap_options extcap = { 0 };

    int rest = options_parse(command, argc, argv, &extcap);
    if (rest < 0) return -1 - rest;
    if (extcap.interfaces) return print_interfaces();
    if (extcap.interface && extcap.capture) return capture(&extcap);
    if (extcap.interface && extcap.config) return print_config();
    if (extcap.interface && extcap.capture_filter) return check_filter(extcap.capture_filter);
    if (extcap.interface && extcap.dlts) {
        printf("dlt {number=%u}{name=CAN_SOCKETCAN}{display=SocketCAN}\n", PCAPNG_LINKTYPE);
        return EXIT_SUCCESS;
    }
    options_print_help(command);
    return argc > 1 ? EXIT_USAGE : EXIT_SUCCESS;
}

const struct cli_command cli_extcap = {
    .name = "extcap",
    .synopsis = "--extcap-interfaces | --extcap-interface NAME (--extcap-dlts | --extcap-config | --capture "
                "--fifo FILE)",
    .summary = "Is what Wireshark runs to list and capture interfaces.",
    .text = "Wireshark and tshark find it when the directory that $WIRESHARK_EXTCAP_DIR names has a link to "
            "it called\n"
            "pocketcan-extcap; `make install` puts one into Wireshark's own directory.\n",
    .options = options,
    .run = extcap_main,
};

int shim_extcap(int argc, char *argv[]) { return cli_extcap.run(&cli_extcap, argc, argv); }
