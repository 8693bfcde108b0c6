/* cli/install.h - the parts of `pocketcan install`: files (install_files.c) and checks (install_check.c). */
#ifndef CLI_INSTALL_H
#define CLI_INSTALL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define INSTALL_WHY_SIZE 512u

/* What /etc/ld.so.preload is to hold: text is a whole file, names separated by blanks, colons and line ends, with comments from #
 * to the end of the line. Results are the caller's to free; NULL: no memory. */

/* Does it name a library called libpocketcan.so? The length of the name, which is stored in *name; 0 when not. */
size_t preload_find(const char *text, const char **name);

/* The text with one line more that names the library. */
char *preload_add(const char *text, const char *library);

/* The text without libraries called libpocketcan.so; lines that named nothing else go, all others stay as they are. */
char *preload_remove(const char *text);

/* A file as it was, so that it can be put back. */
struct install_file {
    const char *path;
    char *text; /* NULL: it was not there */
    mode_t mode;
};

/* Reads a file. Returns 0, also when there is none, or -errno: it is no regular file, or too large to be meant. */
int install_read(struct install_file *file, const char *path);

/* Replaces the file's content so that whoever looks meanwhile sees the old or the new one. NULL removes it. Starts no program. */
int install_write(const struct install_file *file, const char *text);
/* Before it is replaced: keeps the file beside its name, where the file system has hard links; to put it back needs no room on the disk then, which may be
 * full. Putting back: 0 or -errno. */
void install_keep(const struct install_file *file);
int install_put_back(const struct install_file *file);
void install_keep_no_more(const struct install_file *file);

/* Is this file, and every directory above it, root's, so that no one else can replace it, and open to everybody's programs?
 * Returns 0, or -1 with the part that is not in `why`. */
int install_is_roots(const char *path, char why[INSTALL_WHY_SIZE]);

/* Runs programs, as every program would run with this library (NULL: with what /etc/ld.so.preload says), and sees whether they
 * still do and whether they have CAN. Returns 0, or -1 and `why`. */
int install_check(const char *library, char why[INSTALL_WHY_SIZE]);

/* Runs `sudo -n true`. */
bool install_sudo_works(void);

#endif
