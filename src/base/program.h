/* base/program.h - what kind of program a file is: can a preloaded library get into it? */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

enum program_kind {
    PROGRAM_UNKNOWN, /* cannot be read, or is no program that the kernel executes by itself */
    PROGRAM_DYNAMIC, /* the dynamic linker loads it, and the library */
    PROGRAM_GO,      /* so too, but it is written in Go, and makes system calls without libc */
    PROGRAM_STATIC,  /* without a dynamic linker */
    PROGRAM_NARROW,  /* dynamically linked, of 32 bits on a machine of 64 */
    PROGRAM_X32,     /* of 32 bits, but with system calls of their own kind (x86-64) */
    PROGRAM_FOREIGN, /* for another machine or word size than ours, and none of the above */
    PROGRAM_SETUID,  /* set-user-ID or set-group-ID, of another than ourselves: the linker loads no library */
    PROGRAM_CAPABILITIES /* the same, by file capabilities */
};

/* Looks at the file, or at the interpreter that a script names. Async-signal-safe; restores nothing, opens and closes one descriptor at a time. */
enum program_kind program_look(const char *path);

#endif
