/* Unit tests of daemon/ctlparse.c: what passes as a request, and what each kind of damage is answered
 * with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include "daemon/ctlparse.h"

static _Alignas(8) unsigned char packet[CTL_PACKET_MAX + 8];

static size_t request(uint32_t magic, uint16_t version, uint16_t op, uint32_t claimed, size_t payload)
{
    struct ctl_request head = { magic, version, op, claimed };
    memset(packet, 0, sizeof(packet));
    memcpy(packet, &head, sizeof(head));
    return sizeof(head) + payload;
}

static int parse(uint16_t op, size_t payload)
{
    struct ctl_view view;
    return ctl_parse(packet, request(CTL_MAGIC, CTL_VERSION, op, (uint32_t)payload, payload), &view);
}

static void ctl_parse_gives_op_and_payload(void **state)
{
    struct ctl_view view;
    (void)state;
    size_t size = request(CTL_MAGIC, CTL_VERSION, CTL_WATCH, 4, 4);
    assert_int_equal(ctl_parse(packet, size, &view), 0);
    assert_int_equal(view.op, CTL_WATCH);
    assert_ptr_equal(view.payload, packet + sizeof(struct ctl_request));
    assert_int_equal(view.size, 4);
}

static void ctl_parse_refuses_what_is_no_request(void **state)
{
    struct ctl_view view = { .op = CTL_STATUS };
    (void)state;
    for (size_t size = 0; size < sizeof(struct ctl_request); size++)
        assert_int_equal(ctl_parse(packet, size, &view), -EBADMSG);
    assert_int_equal(ctl_parse(packet, request(1, CTL_VERSION, CTL_HELLO, 0, 0), &view), -EBADMSG);
    assert_int_equal(ctl_parse(packet, request(CTL_MAGIC, CTL_VERSION, CTL_HELLO, 1, 0), &view), -EBADMSG);
    assert_int_equal(ctl_parse(packet, request(CTL_MAGIC, CTL_VERSION, CTL_HELLO, 0, 1), &view), -EBADMSG);
    assert_int_equal(ctl_parse(packet, request(CTL_MAGIC, CTL_VERSION, CTL_HELLO, UINT32_MAX, 8), &view),
                     -EBADMSG);
    assert_int_equal(ctl_parse(packet, CTL_PACKET_MAX + 1, &view), -EBADMSG);
    assert_int_equal(view.op, CTL_STATUS);
}

static void ctl_parse_knows_the_operations(void **state)
{
    (void)state;
    assert_int_equal(parse(0, 0), -EOPNOTSUPP);
    assert_int_equal(parse(CTL_SHOW + 1, 0), -EOPNOTSUPP);
    assert_int_equal(parse(UINT16_MAX, 0), -EOPNOTSUPP);
    assert_int_equal(parse(CTL_HELLO, 0), 0);
    assert_int_equal(parse(CTL_STATUS, 0), 0);
    assert_int_equal(parse(CTL_SHUTDOWN, 0), 0);
    assert_int_equal(parse(CTL_SOCKET, sizeof(struct ctl_socket)), 0);
    assert_int_equal(parse(CTL_SOCKET, sizeof(struct ctl_socket) - 1), -EINVAL);
}

static void ctl_parse_wants_the_right_size(void **state)
{
    const size_t least = sizeof(struct ctl_netlink) + sizeof(struct nlmsghdr);
    (void)state;
    assert_int_equal(parse(CTL_HELLO, 1), -EINVAL);
    assert_int_equal(parse(CTL_WATCH, 3), -EINVAL);
    assert_int_equal(parse(CTL_WATCH, 5), -EINVAL);
    assert_int_equal(parse(CTL_IOCTL, sizeof(struct ctl_ioctl) - 1), -EINVAL);
    assert_int_equal(parse(CTL_IOCTL, sizeof(struct ctl_ioctl)), 0);
    assert_int_equal(parse(CTL_NETLINK, least - 1), -EINVAL);
    assert_int_equal(parse(CTL_NETLINK, least), 0);
    assert_int_equal(parse(CTL_NETLINK, CTL_PACKET_MAX - sizeof(struct ctl_request)), 0);
}

static void ctl_parse_lets_another_version_only_end_the_instance(void **state)
{
    struct ctl_view view;
    (void)state;
    assert_int_equal(ctl_parse(packet, request(CTL_MAGIC, 99, CTL_HELLO, 0, 0), &view), -EPROTO);
    assert_int_equal(ctl_parse(packet, request(CTL_MAGIC, 99, 500, 0, 0), &view), -EPROTO);
    assert_int_equal(ctl_parse(packet, request(CTL_MAGIC, 99, CTL_SHUTDOWN, 0, 0), &view), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ctl_parse_gives_op_and_payload),
        cmocka_unit_test(ctl_parse_refuses_what_is_no_request),
        cmocka_unit_test(ctl_parse_knows_the_operations),
        cmocka_unit_test(ctl_parse_wants_the_right_size),
        cmocka_unit_test(ctl_parse_lets_another_version_only_end_the_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
