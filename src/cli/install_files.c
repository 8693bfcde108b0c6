/* cli/install_files.c - the files of a system-wide installation: editing, replacing, and whose they are. */
/* prefix: install_ preload_ */
#include "cli/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli/environment.h"

#define FILE_MAX 65536u

static const char library_name[] = "libpocketcan.so";

/* ---- /etc/ld.so.preload ---- */

static bool is_ours(const char *name, size_t size)
{
    const char *slash = memrchr(name, '/', size);
    size_t head = slash ? (size_t)(slash - name) + 1 : 0;

    return size - head == sizeof(library_name) - 1 && !memcmp(name + head, library_name, size - head);
}

/* The next name of the text from *at on, which moves behind it. Its length, 0 at the end. */
static size_t next_name(const char **at, const char **name)
{
    for (;;) {
        *at += strspn(*at, " \t\r\n:");
        if (**at != '#') break;
        *at += strcspn(*at, "\n");
    }
    *name = *at;
    size_t size = strcspn(*at, " \t\r\n:#");
    *at += size;
    return size;
}

size_t preload_find(const char *text, const char **name)
{
    size_t size;

    while ((size = next_name(&text, name)))
        if (is_ours(*name, size)) return size;
    return 0;
}

char *preload_add(const char *text, const char *library)
{
    size_t size = strlen(text);
    char *out;

    return asprintf(&out, "%s%s%s\n", text, size && text[size - 1] != '\n' ? "\n" : "", library) < 0 ? NULL
                                                                                                     : out;
}

/* Cuts our library's names, with the blanks behind them, out of a line. */
static void cut_names(char *line)
{
    const char *name;
    size_t size;

    while ((size = preload_find(line, &name))) {
        char *to = line + (name - line);
        const char *from = name + size + strspn(name + size, " \t:");
        memmove(to, from, strlen(from) + 1);
    }
}

/* One line, without its end, that may name our library. Appends what is to stay of it to out[*used...]; false: no memory. */
static bool keep_of_line(const char *line, size_t size, bool ended, char *out, size_t *used)
{
    char *copy = strndup(line, size);
    const char *name;

    if (!copy) return false;
    bool named = preload_find(copy, &name) > 0;
    if (named) cut_names(copy);
    if (!named || copy[strspn(copy, " \t\r:")]) {
        size = strlen(copy);
        memcpy(out + *used, copy, size);
        *used += size;
        if (ended) out[(*used)++] = '\n';
    }
    free(copy);
    return true;
}

char *preload_remove(const char *text)
{
    char *out = calloc(strlen(text) + 1, 1);
    size_t used = 0;

    while (out && *text) {
        size_t size = strcspn(text, "\n");
        bool ended = text[size] == '\n';
        if (!keep_of_line(text, size, ended, out, &used)) {
            free(out);
            return NULL;
        }
        text += size + ended;
    }
    return out;
}

/* ---- any file ---- */

int install_read(struct install_file *file, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    *file = (struct install_file){ .path = path, .mode = 0644 };
    if (fd < 0) return errno == ENOENT ? 0 : -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size >= (off_t)FILE_MAX) {
        close(fd);
        return -EINVAL;
    }
    file->mode = st.st_mode & 07777;
    file->text = calloc((size_t)st.st_size + 1, 1);
    ssize_t size = file->text ? read(fd, file->text, (size_t)st.st_size) : -1;
    close(fd);
    if (size == st.st_size && strlen(file->text) == (size_t)size) return 0;
    free(file->text);
    file->text = NULL;
    return -EINVAL;
}

static int write_new(const char *path, const char *text, mode_t mode)
{
    size_t size = strlen(text);
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    int error = write(fd, text, size) == (ssize_t)size ? 0 : -EIO;
    if (!error && (fchmod(fd, mode) < 0 || fsync(fd) < 0)) error = -errno;
    close(fd);
    return error;
}

int install_write(const struct install_file *file, const char *text)
{
    char fresh[CLI_PATH_SIZE];

    if (!text) return unlink(file->path) < 0 && errno != ENOENT ? -errno : 0;
    snprintf(fresh, sizeof(fresh), "%s.new", file->path);
    int error = write_new(fresh, text, file->mode);
    if (!error && rename(fresh, file->path) < 0) error = -errno;
    if (error) unlink(fresh);
    return error;
}

static void name_kept(const struct install_file *file, char out[CLI_PATH_SIZE])
{
    snprintf(out, CLI_PATH_SIZE, "%s.before-pocketcan", file->path);
}

void install_keep(const struct install_file *file)
{
    char kept[CLI_PATH_SIZE];

    name_kept(file, kept);
    unlink(kept);
    if (file->text && link(file->path, kept) < 0) unlink(kept); /* then it is written anew */
}

int install_put_back(const struct install_file *file)
{
    char kept[CLI_PATH_SIZE];

    name_kept(file, kept);
    return file->text && rename(kept, file->path) == 0 ? 0 : install_write(file, file->text);
}

void install_keep_no_more(const struct install_file *file)
{
    char kept[CLI_PATH_SIZE];

    name_kept(file, kept);
    unlink(kept);
}

/* ---- whose ---- */

static int complain(char why[INSTALL_WHY_SIZE], const char *path, const char *what)
{
    snprintf(why, INSTALL_WHY_SIZE, "%.300s %s", path, what);
    return -1;
}

static const char *how_others_change_it(const struct stat *st)
{
    if (st->st_uid != 0) return "does not belong to root";
    return !S_ISLNK(st->st_mode) && (st->st_mode & 022) ? "can be written by others than root" : NULL;
}

static const char *how_it_is_closed(const struct stat *st)
{
    return st->st_mode & (S_ISDIR(st->st_mode) ? 0001 : 0004) ? NULL : "cannot be read by everybody";
}

/* Looks at a file and every directory above it. */
static int walk_up(const char *path, const char *(*what)(const struct stat *st), char why[INSTALL_WHY_SIZE])
{
    char part[CLI_PATH_SIZE];
    struct stat st;

    snprintf(part, sizeof(part), "%s", path);
    for (;;) {
        if (lstat(part, &st) < 0) return complain(why, part, strerror(errno));
        if (what(&st)) return complain(why, part, what(&st));
        char *slash = strrchr(part, '/');
        if (!part[1] || !slash) return 0;
        slash[slash == part] = 0; /* the last one is the root itself */
    }
}

int install_is_roots(const char *path, char why[INSTALL_WHY_SIZE])
{
    return walk_up(path, how_others_change_it, why) || walk_up(path, how_it_is_closed, why) ? -1 : 0;
}
