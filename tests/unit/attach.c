/* tests/unit/attach.c - memories that are not ours, or cannot be had, are refused, and nothing stays behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "bus/attach.h"
#include "harness/refuse.h"

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static int lowest_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* Mappings of the memories in this process. */
static int mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    int count = 0;

    while (maps && fgets(line, sizeof(line), maps))
        count += strstr(line, "memfd:pocketcan") != NULL;
    if (maps) fclose(maps);
    return count;
}

static int limit(int resource, rlim_t value)
{
    struct rlimit to = { value, value };

    return setrlimit(resource, &to);
}

static rlim_t address_space(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;

    if (!statm || fscanf(statm, "%lu", &pages) != 1) abort();
    fclose(statm);
    return pages * 4096;
}

static int create_is_refused(int error)
{
    struct control *control = NULL;
    int fds[2], before = lowest_fd();

    MUST(attach_create(fds, &control) == error);
    MUST(lowest_fd() == before && mappings() == 0 && !control);
    return 0;
}

static int create_without_memfd(void)
{
    refuse(SYS_memfd_create, ENOSYS);
    return create_is_refused(-ENOSYS);
}

static int create_with_one_descriptor(void)
{
    MUST(limit(RLIMIT_NOFILE, (rlim_t)lowest_fd() + 1) == 0);
    return create_is_refused(-EMFILE);
}

static int create_without_room(void)
{
    refuse(SYS_ftruncate, EFBIG);
    return create_is_refused(-EFBIG);
}

static int create_without_seals(void)
{
    refuse_if(SYS_fcntl, 1, F_ADD_SEALS, EPERM);
    return create_is_refused(-EPERM);
}

static int create_without_mapping(void)
{
    refuse(SYS_mprotect, ENOMEM);
    return create_is_refused(-ENOMEM);
}

#define REFUSED(name)                                                                                        \
    static void test_##name(void **state)                                                                    \
    {                                                                                                        \
        (void)state;                                                                                         \
        assert_int_equal(in_child(name), 0);                                                                 \
    }
REFUSED(create_without_memfd)
REFUSED(create_with_one_descriptor)
REFUSED(create_without_room)
REFUSED(create_without_seals)
REFUSED(create_without_mapping)

/* ---- mapping what another process made ---- */

static int map_is_refused(int control_fd, int data_fd, int error)
{
    struct bus bus = { 0 };
    int before = mappings();

    MUST(attach_map(&bus, control_fd, data_fd, false) == error);
    MUST(mappings() == before && !bus.control && !bus.data);
    return 0;
}

static int memory(uint64_t size, int seals)
{
    int fd = memfd_create("pocketcan-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, seals)) abort();
    return fd;
}

static int map_without_address_space(void)
{
    struct control *control;
    int fds[2];

    MUST(attach_create(fds, &control) == 0);
    MUST(limit(RLIMIT_AS, address_space() + sizeof(struct control) + (8 << 20)) == 0);
    MUST(map_is_refused(fds[0], fds[1], -ENOMEM) == 0);
    MUST(limit(RLIMIT_AS, address_space()) == 0);
    return map_is_refused(fds[0], fds[1], -ENOMEM);
}

static int map_of_other_files(void)
{
    struct control *control;
    int fds[2], unsealed = memory(sizeof(struct control), SIZE_SEALS),
                file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    MUST(attach_create(fds, &control) == 0);
    MUST(map_is_refused(-1, -1, -EBADF) == 0);
    MUST(map_is_refused(file, fds[1], -EBADF) == 0);
    MUST(map_is_refused(unsealed, fds[1], -EBADF) == 0); /* others could map it writable */
    MUST(map_is_refused(fds[0], memory(DATA_SIZE, F_SEAL_GROW), -EBADF) == 0); /* it could shrink under us */
    return 0;
}

static int map_of_other_versions(void)
{
    struct control *control;
    int fds[2];

    MUST(attach_create(fds, &control) == 0);
    MUST(map_is_refused(memory(sizeof(struct control) + 4096, SIZE_SEALS | 0x10), fds[1], -EPROTO) == 0);
    MUST(map_is_refused(fds[0], memory(DATA_SIZE - 4096, SIZE_SEALS), -EPROTO) == 0);
    control->version++;
    MUST(map_is_refused(fds[0], fds[1], -EPROTO) == 0);
    control->version--;
    control->magic++;
    return map_is_refused(fds[0], fds[1], -EPROTO);
}

static int map_of_what_is_right(void)
{
    struct control *control;
    struct bus bus = { 0 };
    int fds[2];

    MUST(attach_create(fds, &control) == 0);
    MUST(attach_map(&bus, fds[0], fds[1], false) == 0);
    MUST(bus.control->magic == control->magic && mappings() == 3);
    MUST(attach_map_ext(&bus, fds[0]) == -EPROTO && !bus.ext);
    return 0;
}
REFUSED(map_without_address_space)
REFUSED(map_of_other_files)
REFUSED(map_of_other_versions)
REFUSED(map_of_what_is_right)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_without_memfd),   cmocka_unit_test(test_create_with_one_descriptor),
        cmocka_unit_test(test_create_without_room),    cmocka_unit_test(test_create_without_seals),
        cmocka_unit_test(test_create_without_mapping), cmocka_unit_test(test_map_without_address_space),
        cmocka_unit_test(test_map_of_other_files),     cmocka_unit_test(test_map_of_other_versions),
        cmocka_unit_test(test_map_of_what_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
