/* preload/loader.c - dlopen of libc: Python's ctypes, JNA, .NET and other bindings without a compiler take socket() and ioctl() out of a handle
 * of libc.so.6, where dlsym does not find what is preloaded. They get the handle of the whole program, in whose order of search we come
 * before libc.
 *
 * Not everybody may have that handle. A library that stands in front of libc as we do may use its own to get at the real
 * functions, and would find itself. Such a library was there when the program started, or it could not stand in front; so only objects that were
 * loaded later are served, and the program itself when it defines none of what such programs (linked with an allocator, for
 * example) define. Objects are told apart by their place in the loader's list: what the program was started with is never
 * unloaded, and comes first.
 *
 * With RTLD_NOLOAD libc's own handle is to be had: who asks whether libc is there wants to know where it lies (dlinfo(), plthook), not what it defines.
 *
 * For everything else the real dlopen() has to be called as the last thing, so that the compiler makes it a jump: it looks at the address it
 * returns to, to learn whose search path counts. */
#include "preload/loader.h"
#include "preload/real.h"
#include "base/atomics.h"
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

/* prefix: dlopen loader_ */

#define JUMPS __attribute__((optimize("O2", "optimize-sibling-calls")))

static atomic_u32 at_start; /* objects; 0: we keep out of it */

struct search {
    uintptr_t address;
    unsigned passed; /* objects before the one that has it */
};

/* Is the address in this object? Counts those in which it is not. */
static int look(struct dl_phdr_info *object, size_t size, void *search_)
{
    struct search *search = search_;
    (void)size;

    for (unsigned i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && search->address - object->dlpi_addr - part->p_vaddr < part->p_memsz)
            return 1;
    }
    search->passed++;
    return 0;
}

void loader_prepare(void)
{
    struct search all = { 0, 0 };

    dl_iterate_phdr(look, &all); /* address 0 is in none */
    store_relaxed(&at_start, all.passed);
}

/* Does the program itself define this? */
static bool is_of_program(const char *name)
{
    struct search search = { (uintptr_t)dlsym(RTLD_DEFAULT, name), 0 };

    return search.address && dl_iterate_phdr(look, &search) && search.passed == 0;
}

static OFF_PATH bool may_have_all(const void *caller)
{
    struct search search = { (uintptr_t)caller, 0 };
    unsigned count = load_relaxed(&at_start);

    if (!count || !dl_iterate_phdr(look, &search)) return false;
    if (search.passed > 0) return search.passed >= count;
    return !is_of_program("malloc") && !is_of_program("open") && !is_of_program("socket");
}

static bool is_libc(const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

    return !strcmp(name, "libc.so.6") || !strncmp(name, "libc.musl-", 10);
}

EXPORT JUMPS void *dlopen(const char *file, int mode)
{
    if (unlikely(file && !(mode & RTLD_NOLOAD) && is_libc(file)) && may_have_all(__builtin_return_address(0)))
        file = NULL;
    return real.dlopen(file, mode);
}
