/* tests/unit/program_kind.c - base/program.h: which door does a file need? The files are made here, byte by byte. */
#include "base/program.h"
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/pocketcan-program-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

struct image {
    ElfW(Ehdr) head;
    ElfW(Phdr) program[2];
    uint32_t note[3];
    char name[4];
};

/* A program for this machine with these kinds of headers; the note is Go's, or GNU's. */
static struct image image_of(uint32_t first, uint32_t second, const char *name)
{
    struct image image;
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    memset(&image, 0, sizeof(image));
    assert_int_equal(read(self, &image.head, sizeof(image.head)), sizeof(image.head));
    close(self);
    image.head.e_phoff = offsetof(struct image, program);
    image.head.e_phentsize = sizeof(image.program[0]);
    image.head.e_phnum = 2;
    image.program[0].p_type = first;
    image.program[1].p_type = second;
    for (unsigned i = 0; i < 2; i++) {
        image.program[i].p_offset = offsetof(struct image, note);
        image.program[i].p_filesz = sizeof(image.note) + sizeof(image.name);
    }
    image.note[0] = 4;
    image.note[2] = 4;
    memcpy(image.name, name, 4);
    return image;
}

static enum program_kind kind_of(uint32_t first, uint32_t second, const char *name)
{
    struct image image = image_of(first, second, name);

    write_file(&image, sizeof(image));
    return program_look(path);
}

static void dynamic_and_static(void **state)
{
    (void)state;
    assert_int_equal(kind_of(PT_LOAD, PT_INTERP, "GNU"), PROGRAM_DYNAMIC);
    assert_int_equal(kind_of(PT_LOAD, PT_LOAD, "GNU"), PROGRAM_STATIC);
    assert_int_equal(kind_of(PT_LOAD, PT_DYNAMIC, "GNU"), PROGRAM_STATIC); /* static PIE */
}

static void go_has_a_note(void **state)
{
    (void)state;
    assert_int_equal(kind_of(PT_NOTE, PT_INTERP, "Go\0"), PROGRAM_GO);
    assert_int_equal(kind_of(PT_NOTE, PT_INTERP, "GNU"), PROGRAM_DYNAMIC);
    assert_int_equal(kind_of(PT_NOTE, PT_LOAD, "Go\0"), PROGRAM_STATIC);
}

static void note_of_absurd_size(void **state)
{
    struct image image = image_of(PT_NOTE, PT_INTERP, "Go\0");

    (void)state;
    image.note[0] = image.note[1] = UINT32_MAX;
    write_file(&image, sizeof(image));
    assert_int_equal(program_look(path), PROGRAM_DYNAMIC);
}

static void other_machines(void **state)
{
    struct image image = image_of(PT_LOAD, PT_INTERP, "GNU");

    (void)state;
    image.head.e_machine = EM_S390;
    write_file(&image, sizeof(image));
    assert_int_equal(program_look(path), PROGRAM_FOREIGN);
}

/* Those of i386 on x86-64 are served as our own. */
static enum program_kind kind_of_narrow(uint16_t machine, uint32_t type, const char *name)
{
    struct {
        Elf32_Ehdr head;
        Elf32_Phdr program[2];
        uint32_t note[3];
        char name[4];
    } image;

    memset(&image, 0, sizeof(image));
    memcpy(image.head.e_ident, ELFMAG, SELFMAG);
    image.head.e_ident[EI_CLASS] = ELFCLASS32;
    image.head.e_machine = machine;
    image.head.e_phoff = sizeof(image.head);
    image.head.e_phentsize = sizeof(image.program[0]);
    image.head.e_phnum = 2;
    image.program[0].p_type = type;
    image.program[1] = (Elf32_Phdr){ .p_type = PT_NOTE,
                                     .p_offset = sizeof(image.head) + sizeof(image.program),
                                     .p_filesz = sizeof(image.note) + sizeof(image.name) };
    image.note[0] = 4;
    image.note[2] = 4;
    memcpy(image.name, name, 4);
    write_file(&image, sizeof(image));
    return program_look(path);
}

static void narrow_programs(void **state)
{
    (void)state;
#ifdef __x86_64__
    assert_int_equal(kind_of_narrow(EM_386, PT_LOAD, "GNU"), PROGRAM_STATIC);
    assert_int_equal(kind_of_narrow(EM_386, PT_INTERP, "Go\0"), PROGRAM_GO);
    assert_int_equal(kind_of_narrow(EM_386, PT_INTERP, "GNU"), PROGRAM_NARROW);
    assert_int_equal(kind_of_narrow(EM_ARM, PT_INTERP, "GNU"), PROGRAM_NARROW);
    assert_int_equal(kind_of_narrow(EM_ARM, PT_LOAD, "GNU"), PROGRAM_FOREIGN);
    assert_int_equal(kind_of_narrow(EM_X86_64, PT_LOAD, "GNU"), PROGRAM_X32);
    assert_int_equal(kind_of_narrow(EM_X86_64, PT_INTERP, "GNU"), PROGRAM_X32);
#else
    (void)kind_of_narrow;
    skip();
#endif
}

static void scripts_are_their_interpreters(void **state)
{
    static const char script[] = "#! /proc/self/exe -x\n";

    (void)state;
    write_file(script, sizeof(script) - 1);
    assert_int_equal(program_look(path), program_look("/proc/self/exe"));
    write_file("#!\n", 3);
    assert_int_equal(program_look(path), PROGRAM_UNKNOWN);
}

static void what_is_no_program(void **state)
{
    (void)state;
    write_file("\x7f"
               "ELF",
               4);
    assert_int_equal(program_look(path), PROGRAM_UNKNOWN);
    write_file("", 0);
    assert_int_equal(program_look(path), PROGRAM_UNKNOWN);
    assert_int_equal(program_look("/nonexistent"), PROGRAM_UNKNOWN);
    assert_int_equal(program_look("/"), PROGRAM_UNKNOWN);
}

static void set_user_id(void **state)
{
    (void)state;
    if (geteuid() != 0 || chown(path, 1, 1) < 0) skip();
    kind_of(PT_LOAD, PT_INTERP, "GNU");
    chmod(path, 04755);
    assert_int_equal(program_look(path), PROGRAM_SETUID);
    chmod(path, 0755);
    assert_int_equal(program_look(path), PROGRAM_DYNAMIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dynamic_and_static),  cmocka_unit_test(go_has_a_note),
        cmocka_unit_test(note_of_absurd_size), cmocka_unit_test(other_machines),
        cmocka_unit_test(narrow_programs),     cmocka_unit_test(scripts_are_their_interpreters),
        cmocka_unit_test(what_is_no_program),  cmocka_unit_test(set_user_id),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
