/* daemon/show_modules.c - /proc/modules and /sys/module: the modules that Linux would have loaded for what an instance does. They are there from the
 * beginning, as modprobe(8) is told (cli/shim_modprobe.c). What the kernel has itself is left to it. */
#include "daemon/show.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/can.h>
#include <stdio.h>
#include <string.h>
#include "base/sys.h"

#define HOLDERS_MAX 4

/* Sizes are those of Debian's Linux 6.1 for amd64; order is that of /proc/modules: what was loaded last comes first. */
static const struct module {
    const char *name;
    unsigned bytes;
    uint32_t protocol; /* each of its sockets is a reference */
    const char *holders[HOLDERS_MAX], *parameter, *value;
} modules[] = {
    { .name = "vxcan", .bytes = 16384 },
    { .name = "vcan", .bytes = 16384, .parameter = "echo", .value = "N" },
    { .name = "can_dev", .bytes = 53248, .holders = { "vxcan", "vcan" } },
    { .name = "can_isotp", .bytes = 24576, .protocol = CAN_ISOTP },
    { .name = "can_bcm", .bytes = 32768, .protocol = CAN_BCM },
    { .name = "can_raw", .bytes = 20480, .protocol = CAN_RAW },
    { .name = "can",
      .bytes = 24576,
      .holders = { "can_isotp", "can_bcm", "can_raw" },
      .parameter = "stats_timer",
      .value = "1" },
};
#define MODULES (sizeof(modules) / sizeof(*modules))

/* No stat(2) of libc's: this program may itself run inside an instance. */
static bool kernel_has(const struct module *module)
{
    char path[64];

    snprintf(path, sizeof(path), "/sys/module/%s", module->name);
    return sys_call(SYS_faccessat, AT_FDCWD, path, 0) == 0;
}

static const struct module *find(const char *name, size_t size)
{
    for (size_t i = 0; i < MODULES; i++)
        if (strlen(modules[i].name) == size && !memcmp(modules[i].name, name, size))
            return kernel_has(&modules[i]) ? NULL : &modules[i];
    return NULL;
}

static unsigned references(const struct show *show, const struct module *module)
{
    const struct data *data = show->bus->data;
    uint32_t high = load_acquire(&data->slots_high);
    unsigned count = 0;

    for (size_t i = 0; i < HOLDERS_MAX && module->holders[i]; i++)
        count++;
    for (uint32_t number = 0; module->protocol && number < high && number < SOCKETS_MAX; number++)
        if ((load_acquire(&data->life[number]) & 3) == SLOT_OPEN &&
            load_relaxed(&data->slot[number].protocol) == module->protocol &&
            !(load_relaxed(&data->slot[number].rx_flags) & RX_INBOX)) /* those are nobody's */
            count++;
    return count;
}

void show_modules_proc(struct show_page *page, const struct show *show)
{
    for (const struct module *module = modules; module < modules + MODULES; module++) {
        if (kernel_has(module)) continue;
        show_print(page, "%s %u %u ", module->name, module->bytes, references(show, module));
        for (size_t i = 0; i < HOLDERS_MAX && module->holders[i]; i++)
            show_print(page, "%s,", module->holders[i]);
        show_print(page, "%s Live 0x0000000000000000\n", module->holders[0] ? "" : "-");
    }
}

void show_modules_list(struct show_page *page)
{
    for (const struct module *module = modules; module < modules + MODULES; module++)
        if (!kernel_has(module)) show_print(page, "%s\n", module->name);
}

/* ---- what is in a module's directory ---- */

static void of_coresize(struct show_page *page, const struct show *show, const struct module *module)
{
    (void)show;
    show_print(page, "%u\n", module->bytes);
}

static void is_0(struct show_page *page, const struct show *show, const struct module *module)
{
    (void)show, (void)module;
    show_print(page, "0\n");
}

static void is_live(struct show_page *page, const struct show *show, const struct module *module)
{
    (void)show, (void)module;
    show_print(page, "live\n");
}

static void is_untainted(struct show_page *page, const struct show *show, const struct module *module)
{
    (void)show, (void)module;
    show_print(page, "\n");
}

static void of_refcnt(struct show_page *page, const struct show *show, const struct module *module)
{
    show_print(page, "%u\n", references(show, module));
}

static const struct {
    const char *name;
    void (*print)(struct show_page *page, const struct show *show, const struct module *module);
} attributes[] = {
    { "coresize", of_coresize }, { "initsize", is_0 },      { "initstate", is_live },
    { "refcnt", of_refcnt },     { "taint", is_untainted },
};

static int show_attribute(struct show_page *page, const struct show *show, const struct module *module,
                          const char *name)
{
    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++) {
        if (strcmp(attributes[i].name, name)) continue;
        attributes[i].print(page, show, module);
        return 0;
    }
    return -ENOENT;
}

static int list_module(struct show_page *page, const struct module *module)
{
    page->text[0] = CTL_SHOW_DIR;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(*attributes); i++)
        show_print(page, "%s\n", attributes[i].name);
    show_print(page, "holders\n%s", module->parameter ? "parameters\n" : "");
    return 0;
}

static int show_parameter(struct show_page *page, const struct module *module, const char *name)
{
    if (!module->parameter) return -ENOENT;
    if (!*name) {
        page->text[0] = CTL_SHOW_DIR;
        show_print(page, "%s\n", module->parameter);
        return 0;
    }
    if (strcmp(name, module->parameter)) return -ENOENT;
    show_print(page, "%s\n", module->value);
    return 0;
}

/* holders/OTHER leads to OTHER's own directory. */
static int show_holder(struct show_page *page, const struct show *show, const struct module *module,
                       const char *name, bool lists)
{
    size_t size = strcspn(name, "/");

    if (!*name) {
        page->text[0] = CTL_SHOW_DIR;
        for (size_t i = 0; i < HOLDERS_MAX && module->holders[i]; i++)
            show_print(page, "%s\n", module->holders[i]);
        return 0;
    }
    for (size_t i = 0; i < HOLDERS_MAX && module->holders[i]; i++) {
        if (strlen(module->holders[i]) != size || memcmp(module->holders[i], name, size)) continue;
        if (name[size] || lists) return show_modules_sysfs(page, show, name, lists);
        page->text[0] = CTL_SHOW_LINK;
        show_print(page, "../../%s", module->holders[i]);
        return 0;
    }
    return -ENOENT;
}

/* What follows `name` and a '/', or nothing at all, at the begin of a path; NULL: it is something else. */
static const char *behind(const char *path, const char *name)
{
    size_t size = strlen(name);

    if (strncmp(path, name, size) || (path[size] && path[size] != '/')) return NULL;
    return path[size] ? path + size + 1 : path + size;
}

int show_modules_sysfs(struct show_page *page, const struct show *show, const char *path, bool lists)
{
    size_t size = strcspn(path, "/");
    const struct module *module = find(path, size);
    const char *name = path[size] ? path + size + 1 : "", *rest;

    if (!module) return -ENOENT;
    if (!*name) return list_module(page, module);
    if ((rest = behind(name, "holders"))) return show_holder(page, show, module, rest, lists);
    if ((rest = behind(name, "parameters"))) return show_parameter(page, module, rest);
    return show_attribute(page, show, module, name);
}
