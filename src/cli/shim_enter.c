/* cli/shim_enter.c - `pocketcan-enter PATH ARGV...`: brings a program to the supervisor's door and becomes it.
 *
 * The preload library executes this in place of a program that it cannot get into. Whatever goes wrong here, the program is executed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cli/commands.h"
#include "cli/environment.h"
#include "supervisor/enter.h"

int shim_enter(int argc, char *argv[])
{
    const char *door = getenv("POCKETCAN_DOOR"), *why = NULL;
    char path[CLI_PATH_SIZE];

    if (argc < 3) {
        fprintf(stderr, "pocketcan: this is for the preload library only\n");
        return EXIT_USAGE;
    }
    if (door) {
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(door, ":"), door);
        if (enter_door(path, &why))
            fprintf(stderr, "pocketcan: warning: %s cannot have CAN: %s\n", argv[2], why);
    }
    syscall(SYS_execve, argv[1], argv + 2,
            environ); /* libc's comes back here by way of the preload library */
    int error = errno;
    fprintf(stderr, "pocketcan: %s: %s\n", argv[1], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
