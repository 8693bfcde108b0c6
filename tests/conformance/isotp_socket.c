/* CAN_ISOTP sockets: what they are, bind and getsockname, and the calls they do not have. */
#include "isotp.h"

#include <linux/can/bcm.h>
#include <linux/sockios.h>

static int bind_with(canid_t tx_id, canid_t rx_id)
{
    return isotp_bind(isotp_new(), index_of(if_a()), tx_id, rx_id);
}

static int bind_flags(uint32_t flags, canid_t tx_id, canid_t rx_id)
{
    int fd = isotp_new();

    isotp_flags(fd, flags);
    return isotp_bind(fd, index_of(if_a()), tx_id, rx_id);
}

static struct sockaddr_can name_of(int fd)
{
    struct sockaddr_can a;
    socklen_t len = sizeof(a);

    memset(&a, 0xee, sizeof(a));
    OK(getsockname(fd, (struct sockaddr *)&a, &len));
    CHECK_EQ(len, 16);
    CHECK_EQ(a.can_family, AF_CAN);
    return a;
}

TEST(isotp_is_a_datagram_socket)
{
    int fd = isotp_new();

    CHECK_EQ(sol_get(fd, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(sol_get(fd, SO_DOMAIN), PF_CAN);
    CHECK_EQ(sol_get(fd, SO_PROTOCOL), 0);
    CHECK_EQ(sol_get(fd, SO_ERROR), 0);
    CHECK_ERRNO(socket(PF_CAN, SOCK_RAW, CAN_ISOTP), EPROTOTYPE);
    CHECK_ERRNO(socket(PF_CAN, SOCK_STREAM, CAN_ISOTP), EPROTOTYPE);
    CHECK_ERRNO(socket(PF_CAN, SOCK_SEQPACKET, CAN_ISOTP), EPROTOTYPE);
}

TEST(isotp_type_flags_are_honoured)
{
    int fd = OK(socket(PF_CAN, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, CAN_ISOTP));

    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

TEST(isotp_calls_that_do_not_exist_are_eopnotsupp)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = isotp_a(0), pair[2];
    socklen_t len = sizeof(a);

    CHECK_ERRNO(connect(fd, (struct sockaddr *)&a, sizeof(a)), EOPNOTSUPP);
    CHECK_ERRNO(listen(fd, 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(fd, NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(shutdown(fd, SHUT_RDWR), EOPNOTSUPP);
    CHECK_ERRNO(getpeername(fd, (struct sockaddr *)&a, &len), EOPNOTSUPP);
    CHECK_ERRNO(socketpair(PF_CAN, SOCK_DGRAM, CAN_ISOTP, pair), EOPNOTSUPP);
}

TEST(isotp_foreign_option_levels_are_einval)
{
    int fd = isotp_new(), value = 0;
    socklen_t len = sizeof(value);

    CHECK_ERRNO(setsockopt(fd, SOL_CAN_RAW, 1, &value, sizeof(value)), EINVAL);
    CHECK_ERRNO(setsockopt(fd, SOL_CAN_BASE + CAN_BCM, 1, &value, sizeof(value)), EINVAL);
    CHECK_ERRNO(getsockopt(fd, SOL_CAN_RAW, 1, &value, &len), EINVAL);
}

TEST(isotp_queue_sizes_are_enotty)
{
    int fd = isotp_new(), value;

    CHECK_ERRNO(ioctl(fd, FIONREAD, &value), ENOTTY);
    CHECK_ERRNO(ioctl(fd, SIOCOUTQ, &value), ENOTTY);
}

TEST(isotp_interface_ioctls_work)
{
    struct ifreq r = { 0 };
    int fd = isotp_new();

    strcpy(r.ifr_name, if_a());
    OK(ioctl(fd, SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, index_of(if_a()));
    OK(ioctl(fd, SIOCGIFNAME, &r));
    CHECK(!strcmp(r.ifr_name, if_a()));
    OK(ioctl(fd, SIOCGIFMTU, &r));
    CHECK_EQ(r.ifr_mtu, 72);
    r.ifr_ifindex = 999999;
    CHECK_ERRNO(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
}

TEST(isotp_stamp_ioctl_tells_the_last_pdu)
{
    int fd = isotp_a(0), peer = peer_a();
    struct timeval t;

    CHECK_ERRNO(ioctl(fd, SIOCGSTAMP, &t), ENOENT);
    peer_say(peer, "01 01");
    ISOTP_GETS(fd, 1);
    OK(ioctl(fd, SIOCGSTAMP, &t));
    CHECK(t.tv_sec > 0);
}

/* ---- bind ---- */

TEST(isotp_bind_short_address_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));
    int fd = isotp_new();

    a.can_addr.tp.tx_id = 1;
    for (int len = 0; len < 16; len++)
        CHECK_ERRNO(bind(fd, (struct sockaddr *)&a, len), EINVAL);
    OK(bind(fd, (struct sockaddr *)&a, 16));
}

TEST(isotp_bind_other_family_is_einval)
{
    struct sockaddr_can a = can_addr(index_of(if_a()));

    a.can_addr.tp.tx_id = 1;
    a.can_family = AF_INET;
    CHECK_ERRNO(bind(isotp_new(), (struct sockaddr *)&a, sizeof(a)), EINVAL);
}

TEST(isotp_bind_ids_out_of_range_are_einval)
{
    CHECK_ERRNO(bind_with(0x800, 1), EINVAL);
    CHECK_ERRNO(bind_with(1, 0x800), EINVAL);
    CHECK_ERRNO(bind_with(CAN_RTR_FLAG | 1, 2), EINVAL);
    CHECK_ERRNO(bind_with(CAN_ERR_FLAG | 1, 2), EINVAL);
    CHECK_ERRNO(bind_with(1, CAN_EFF_FLAG | CAN_RTR_FLAG | 1), EINVAL);
    OK(bind_with(0, 0x7ff));
    OK(bind_with(CAN_EFF_FLAG | 0x1fffffff, CAN_EFF_FLAG));
    OK(bind_with(CAN_EFF_FLAG | 0x7ff, 0x7ff));
}

TEST(isotp_bind_without_interface_is_enodev)
{
    CHECK_ERRNO(isotp_bind(isotp_new(), 0, 1, 2), ENODEV);
    CHECK_ERRNO(isotp_bind(isotp_new(), 999999, 1, 2), ENODEV);
    CHECK_ERRNO(isotp_bind(isotp_new(), -1, 1, 2), ENODEV);
    CHECK_ERRNO(isotp_bind(isotp_new(), index_of("lo"), 1, 2), ENODEV);
}

TEST(isotp_bind_equal_ids_is_eaddrnotavail) { CHECK_ERRNO(bind_with(5, 5), EADDRNOTAVAIL); }

TEST(isotp_bind_order_of_errors)
{
    int fd = isotp_a(0);

    CHECK_ERRNO(isotp_bind(isotp_new(), 0, 0x800, 1), EINVAL);
    CHECK_ERRNO(isotp_bind(isotp_new(), 0, 5, 5), ENODEV);
    CHECK_ERRNO(isotp_bind(isotp_new(), 999999, 5, 5), EADDRNOTAVAIL);
    CHECK_ERRNO(isotp_bind(fd, 0, 1, 2), ENODEV);
    CHECK_ERRNO(isotp_bind(fd, 999999, 5, 5), EINVAL);
}

TEST(isotp_bind_twice_is_einval)
{
    int fd = isotp_a(0);

    CHECK_ERRNO(isotp_bind(fd, index_of(if_a()), 1, 2), EINVAL);
    CHECK_EQ(name_of(fd).can_addr.tp.tx_id, TX_ID);
}

TEST(isotp_bind_in_broadcast_modes_takes_any_rx_id)
{
    OK(bind_flags(CAN_ISOTP_SF_BROADCAST, 5, 5));
    OK(bind_flags(CAN_ISOTP_SF_BROADCAST, 5, 0xffffffff));
    OK(bind_flags(CAN_ISOTP_CF_BROADCAST, 5, 0x800));
    CHECK_ERRNO(bind_flags(CAN_ISOTP_SF_BROADCAST, 0x800, 5), EINVAL);
}

TEST(isotp_bind_needs_a_device_with_its_mtu)
{
    int fd = isotp_new(), index = VCAN_UP_MTU(16);

    isotp_ll(fd, CANFD_MTU, 64, 0);
    CHECK_ERRNO(isotp_bind(fd, index, 1, 2), EINVAL);
    OK(isotp_bind(fd, index_of(if_a()), 1, 2));
}

TEST(isotp_bind_after_a_refusal_succeeds)
{
    int fd = isotp_new();

    CHECK_ERRNO(isotp_bind(fd, index_of(if_a()), 5, 5), EADDRNOTAVAIL);
    CHECK_EQ(name_of(fd).can_ifindex, 0);
    isotp_ready(fd);
}

TEST(isotp_name_before_and_after_bind)
{
    int fd = isotp_new();
    struct sockaddr_can a = name_of(fd);

    CHECK_EQ(a.can_ifindex, 0);
    CHECK_EQ(a.can_addr.tp.rx_id, 0);
    CHECK_EQ(a.can_addr.tp.tx_id, 0);
    OK(isotp_bind(fd, index_of(if_a()), CAN_EFF_FLAG | 0x12345678, 0x321));
    a = name_of(fd);
    CHECK_EQ(a.can_ifindex, index_of(if_a()));
    CHECK_EQ(a.can_addr.tp.rx_id, 0x321);
    CHECK_EQ(a.can_addr.tp.tx_id, CAN_EFF_FLAG | 0x12345678);
}

TEST(isotp_unbound_reads_and_writes_are_eaddrnotavail)
{
    int fd = isotp_new();
    char byte;

    CHECK_ERRNO(write(fd, "x", 1), EADDRNOTAVAIL);
    CHECK_ERRNO(write(fd, "", 0), EADDRNOTAVAIL);
    CHECK_ERRNO(read(fd, &byte, 1), EADDRNOTAVAIL);
    CHECK_ERRNO(recv(fd, &byte, 1, MSG_DONTWAIT), EADDRNOTAVAIL);
    CHECK_EQ(polled(fd, POLLIN | POLLOUT, 0), POLLOUT);
}

TEST(isotp_two_sockets_of_the_same_ids_both_answer_and_deliver)
{
    int one = isotp_a(0), two = isotp_a(0), peer = peer_a();

    peer_say(peer, "10 08 01..06");
    PEER_HEARS(peer, "30 00 00");
    PEER_HEARS(peer, "30 00 00");
    peer_say(peer, "21 07 08");
    ISOTP_GETS(one, 8);
    ISOTP_GETS(two, 8);
}
