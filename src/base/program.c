/* base/program.c - reads ELF headers with raw system calls: it also runs in programs that are about to execute others, perhaps in a vfork child. */
#include "base/program.h"
#include "base/sys.h"
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#define HEADERS_MAX 64u
#define NOTES_MAX   256u
#define GO_NOTE     4u /* the build ID of Go's linker */

static long read_at(int fd, void *to, size_t size, size_t at)
{
    long error = sys_call(SYS_lseek, fd, at, 0);
    return error < 0 ? error : sys_call(SYS_read, fd, to, size);
}

/* Notes are name size, value size, type, name, value; sizes rounded up to 4. */
static bool has_go_note(int fd, size_t at_file, size_t note_size)
{
    unsigned char bytes[NOTES_MAX];
    long size = read_at(fd, bytes, note_size < sizeof(bytes) ? note_size : sizeof(bytes), at_file);

    for (long at = 0; at + 16 <= size;) {
        uint32_t words[3];
        memcpy(words, bytes + at, sizeof(words));
        if (words[0] == 4 && words[2] == GO_NOTE && !memcmp(bytes + at + 12, "Go\0", 4)) return true;
        if (words[0] > NOTES_MAX || words[1] > NOTES_MAX) return false;
        at += 12 + (long)((words[0] + 3) & ~3u) + (long)((words[1] + 3) & ~3u);
    }
    return false;
}

/* A 32-bit program on a 64-bit machine. On x86-64, i386 programs are served as our own; others have no door but the library. */
static enum program_kind look_at_narrow(int fd, const unsigned char *bytes)
{
    bool dynamic = false, go = false, is_x86 = false;
    Elf32_Ehdr head;

    if (bytes[EI_CLASS] != ELFCLASS32) return PROGRAM_FOREIGN;
    memcpy(&head, bytes, sizeof(head));
#ifdef __x86_64__
    if (head.e_machine == EM_X86_64) return PROGRAM_X32;
    is_x86 = head.e_machine == EM_386;
#endif
    for (unsigned i = 0; i < head.e_phnum && i < HEADERS_MAX; i++) {
        Elf32_Phdr header;
        if (read_at(fd, &header, sizeof(header), head.e_phoff + (size_t)head.e_phentsize * i) !=
            (long)sizeof(header))
            break;
        if (header.p_type == PT_INTERP) dynamic = true;
        if (header.p_type == PT_NOTE && has_go_note(fd, header.p_offset, header.p_filesz)) go = true;
    }
    if (is_x86) return !dynamic ? PROGRAM_STATIC : go ? PROGRAM_GO : PROGRAM_NARROW;
    return dynamic ? PROGRAM_NARROW : PROGRAM_FOREIGN;
}

static enum program_kind look_at_elf(int fd, const unsigned char *bytes)
{
    static const Elf64_Half machine =
#if defined(__x86_64__)
        EM_X86_64;
#elif defined(__aarch64__)
        EM_AARCH64;
#elif defined(__i386__)
        EM_386;
#elif defined(__arm__)
        EM_ARM;
#else
        EM_NONE;
#endif
    bool dynamic = false, go = false;
    ElfW(Ehdr) head;

    memcpy(&head, bytes, sizeof(head));
    if (bytes[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)) return look_at_narrow(fd, bytes);
    if (machine != EM_NONE && head.e_machine != machine) return PROGRAM_FOREIGN;
    for (unsigned i = 0; i < head.e_phnum && i < HEADERS_MAX; i++) {
        ElfW(Phdr) header;
        if (read_at(fd, &header, sizeof(header), head.e_phoff + (size_t)head.e_phentsize * i) !=
            (long)sizeof(header))
            break;
        if (header.p_type == PT_INTERP) dynamic = true;
        if (header.p_type == PT_NOTE && has_go_note(fd, header.p_offset, header.p_filesz)) go = true;
    }
    return !dynamic ? PROGRAM_STATIC : go ? PROGRAM_GO : PROGRAM_DYNAMIC;
}

/* Cuts the interpreter's path out of a script's first line. NULL: there is none. */
static char *interpreter_of(char *bytes)
{
    char *from = bytes + 2, *end;

    if (bytes[0] != '#' || bytes[1] != '!') return NULL;
    while (*from == ' ' || *from == '\t')
        from++;
    for (end = from; *end && *end != ' ' && *end != '\t' && *end != '\n';)
        end++;
    *end = 0;
    return *from ? from : NULL;
}

/* Does executing it give privileges? */
static enum program_kind privileges_of(int fd)
{
    uint32_t uid = (uint32_t)sys_call6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
    uint32_t gid = (uint32_t)sys_call6(SYS_getegid, 0, 0, 0, 0, 0, 0);
    struct statx about;

    if (sys_call(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &about) != 0) return PROGRAM_UNKNOWN;
    if (((about.stx_mode & S_ISUID) && about.stx_uid != uid) ||
        ((about.stx_mode & S_ISGID) && (about.stx_mode & S_IXGRP) && about.stx_gid != gid))
        return PROGRAM_SETUID;
    if (uid != 0 && sys_call(SYS_fgetxattr, fd, "security.capability", NULL, 0) > 0)
        return PROGRAM_CAPABILITIES;
    return PROGRAM_UNKNOWN;
}

/* The first bytes of the file, terminated; PROGRAM_UNKNOWN: they decide. */
static enum program_kind look(const char *path, char bytes[256])
{
    long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), size;
    enum program_kind kind;

    memset(bytes, 0, 256);
    if (fd < 0) return PROGRAM_UNKNOWN;
    size = read_at((int)fd, bytes, 255, 0);
    kind = privileges_of((int)fd);
    if (kind == PROGRAM_UNKNOWN && size > (long)sizeof(ElfW(Ehdr)) && !memcmp(bytes, ELFMAG, SELFMAG))
        kind = look_at_elf((int)fd, (const unsigned char *)bytes);
    sys_call(SYS_close, fd);
    return kind;
}

enum program_kind program_look(const char *path)
{
    char bytes[256], more[256];
    enum program_kind kind = look(path, bytes);
    const char *interpreter = kind == PROGRAM_UNKNOWN ? interpreter_of(bytes) : NULL;

    return interpreter ? look(interpreter, more) : kind;
}
