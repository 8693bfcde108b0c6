/* Unit tests of daemon/bell.c: rings that count, and those of strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "bus/wake.h"
#include "daemon/bell.h"

static struct control *control;
static int bell_fd;

static void ring(const void *bytes, size_t size)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    uint64_t name = load_acquire(&control->bell_name);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(address.sun_path + 1, &name, sizeof(name));
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
    assert_int_equal(sendto(fd, bytes, size, 0, (struct sockaddr *)&address, length), size);
    close(fd);
}

static struct wake_bell right(uint32_t slot)
{
    return (struct wake_bell){ load_acquire(&control->bell_secret), slot, 0 };
}

static int open_bell(void **state)
{
    (void)state;
    control = calloc(1, sizeof(*control));
    bell_fd = control ? bell_open(control) : -1;
    return bell_fd < 0 ? -1 : 0;
}

static int close_bell(void **state)
{
    (void)state;
    close(bell_fd);
    free(control);
    return 0;
}

static void bell_is_silent_without_a_ring(void **state)
{
    (void)state;
    assert_int_equal(bell_take(control, bell_fd), BELL_SILENT);
}

static void bell_takes_the_ring_of_who_knows_the_secret(void **state)
{
    struct wake_bell bell = right(77);

    (void)state;
    ring(&bell, sizeof(bell));
    assert_int_equal(bell_take(control, bell_fd), 77);
    assert_int_equal(bell_take(control, bell_fd), BELL_SILENT);
}

static void bell_does_not_believe_strangers(void **state)
{
    struct wake_bell wrong = right(5), outside = right(SOCKETS_MAX), longer[2] = { right(5), right(5) };
    uint32_t slot = 5;

    (void)state;
    wrong.secret ^= 1;
    ring(&wrong, sizeof(wrong));
    ring(&outside, sizeof(outside));
    ring(&slot, sizeof(slot));
    ring(&wrong, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(bell_take(control, bell_fd), BELL_STRANGER);
    ring(longer, sizeof(longer)); /* what is too much is cut off by the kernel, and the secret is right */
    assert_int_equal(bell_take(control, bell_fd), 5);
    assert_int_equal(bell_take(control, bell_fd), BELL_SILENT);
}

static void bell_of_the_next_worker_has_another_secret(void **state)
{
    uint64_t name = load_acquire(&control->bell_name), secret = load_acquire(&control->bell_secret);
    int next = bell_open(control);

    (void)state;
    assert_true(next >= 0);
    assert_true(load_acquire(&control->bell_name) != name);
    assert_true(load_acquire(&control->bell_secret) != secret);
    close(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bell_is_silent_without_a_ring, open_bell, close_bell),
        cmocka_unit_test_setup_teardown(bell_takes_the_ring_of_who_knows_the_secret, open_bell, close_bell),
        cmocka_unit_test_setup_teardown(bell_does_not_believe_strangers, open_bell, close_bell),
        cmocka_unit_test_setup_teardown(bell_of_the_next_worker_has_another_secret, open_bell, close_bell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
