/* ioctl(2) on CAN_RAW sockets. */
#include "link.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <termios.h>

static struct ifreq request(const char *name)
{
    struct ifreq r;

    memset(&r, 0, sizeof(r));
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    return r;
}

TEST(ioctl_ifindex)
{
    struct ifreq r = request(if_a());

    OK(ioctl(raw_new(), SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, if_nametoindex(if_a()));
    CHECK(r.ifr_ifindex > 0);
}

TEST(ioctl_ifindex_of_other_links)
{
    struct ifreq r = request("lo");

    OK(ioctl(raw_new(), SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, 1);
}

TEST(ioctl_ifindex_of_an_unknown_name_is_enodev)
{
    struct ifreq r = request("nosuchdev");

    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFINDEX, &r), ENODEV);
    r = request("");
    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFINDEX, &r), ENODEV);
}

TEST(ioctl_ifindex_of_a_name_without_end_is_cut)
{
    struct ifreq r;

    memset(&r, 'x', sizeof(r));
    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFINDEX, &r), ENODEV);
}

TEST(ioctl_ifindex_with_a_label)
{
    char name[IFNAMSIZ];
    struct ifreq r;

    snprintf(name, sizeof(name), "%.12s:ab", if_a());
    r = request(name);
    OK(ioctl(raw_new(), SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, index_of(if_a()));
}

TEST(ioctl_ifindex_of_an_alternative_name)
{
    struct link_request r =
        link_request(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, VCAN_DOWN());
    int nest = link_attribute(&r, IFLA_PROP_LIST | NLA_F_NESTED, NULL, 0), index = r.info.ifi_index;
    char name[IFNAMSIZ];
    struct ifreq q;

    link_name(name);
    link_string(&r, IFLA_ALT_IFNAME, name);
    link_close(&r, nest);
    CHECK_EQ(link_talk(&r), 0);
    q = request(name);
    OK(ioctl(raw_new(), SIOCGIFINDEX, &q));
    CHECK_EQ(q.ifr_ifindex, index);
    CHECK_EQ(if_nametoindex(name), index);
}

TEST(ioctl_ifindex_on_sockets_of_other_families)
{
    struct ifreq r = request(if_a());
    int index = index_of(if_a());

    OK(ioctl(OK(socket(AF_INET, SOCK_DGRAM, 0)), SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, index);
    r = request(if_a());
    OK(ioctl(OK(socket(AF_UNIX, SOCK_DGRAM, 0)), SIOCGIFINDEX, &r));
    CHECK_EQ(r.ifr_ifindex, index);
}

TEST(ioctl_ifindex_bad_pointer_is_efault)
{
    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFINDEX, NULL), EFAULT);
    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFINDEX, bad_pointer), EFAULT);
}

TEST(ioctl_ifname)
{
    struct ifreq r = request("");

    r.ifr_ifindex = index_of(if_b());
    OK(ioctl(raw_new(), SIOCGIFNAME, &r));
    CHECK(!strcmp(r.ifr_name, if_b()));
    r.ifr_ifindex = 999999;
    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFNAME, &r), ENODEV);
    r.ifr_ifindex = 0;
    CHECK_ERRNO(ioctl(raw_new(), SIOCGIFNAME, &r), ENODEV);
}

TEST(ioctl_ifflags_are_16_bits)
{
    struct ifreq r = request(if_a());

    OK(ioctl(raw_new(), SIOCGIFFLAGS, &r));
    CHECK_EQ((unsigned short)r.ifr_flags, 0x00c1);
}

TEST(ioctl_ifflags_of_a_down_link)
{
    char name[IFNAMSIZ];
    struct ifreq r;

    VCAN_NAMED(name, 0);
    r = request(name);
    OK(ioctl(raw_new(), SIOCGIFFLAGS, &r));
    CHECK_EQ((unsigned short)r.ifr_flags, IFF_NOARP);
}

TEST(ioctl_mtu_txqlen_metric)
{
    struct ifreq r = request(if_a());
    int fd = raw_new();

    OK(ioctl(fd, SIOCGIFMTU, &r));
    CHECK_EQ(r.ifr_mtu, 72);
    OK(ioctl(fd, SIOCGIFTXQLEN, &r));
    CHECK_EQ(r.ifr_qlen, 1000);
    OK(ioctl(fd, SIOCGIFMETRIC, &r));
    CHECK_EQ(r.ifr_metric, 0);
}

TEST(ioctl_hardware_address)
{
    struct ifreq r = request(if_a());

    memset(&r.ifr_hwaddr, 0xee, sizeof(r.ifr_hwaddr));
    OK(ioctl(raw_new(), SIOCGIFHWADDR, &r));
    CHECK_EQ(r.ifr_hwaddr.sa_family, 280);
    for (int i = 0; i < 14; i++)
        CHECK_EQ(r.ifr_hwaddr.sa_data[i], 0);
}

TEST(ioctl_map_is_zero)
{
    struct ifreq r = request(if_a());

    OK(ioctl(raw_new(), SIOCGIFMAP, &r));
    CHECK_EQ(r.ifr_map.mem_start, 0);
    CHECK_EQ(r.ifr_map.irq, 0);
}

TEST(ioctl_inet_addresses_are_enotty)
{
    static const unsigned long requests[] = { SIOCGIFADDR, SIOCGIFNETMASK, SIOCGIFBRDADDR, SIOCGIFDSTADDR };

    for (int i = 0; i < 4; i++) {
        struct ifreq r = request(if_a());

        CHECK_ERRNO(ioctl(raw_new(), requests[i], &r), ENOTTY);
    }
}

TEST(ioctl_ifconf_is_answered)
{
    char buffer[1024];
    struct ifconf c = { .ifc_len = sizeof(buffer), .ifc_buf = buffer };

    OK(ioctl(raw_new(), SIOCGIFCONF, &c));
    for (int i = 0; i < c.ifc_len / (int)sizeof(struct ifreq); i++)
        CHECK(strcmp(c.ifc_req[i].ifr_name, if_a()));
}

TEST(ioctl_queue_sizes_are_enotty)
{
    static const unsigned long requests[] = { FIONREAD, TIOCOUTQ, SIOCOUTQNSD, SIOCATMARK };
    int fd = raw_a(), a = raw_a(), value = 0;

    put(a, 1);
    for (int i = 0; i < 4; i++)
        CHECK_ERRNO(ioctl(fd, requests[i], &value), ENOTTY);
}

TEST(ioctl_terminal_requests_are_enotty)
{
    struct termios t;
    int fd = raw_a();

    CHECK_ERRNO(ioctl(fd, TCGETS, &t), ENOTTY);
    CHECK_ERRNO(tcgetattr(fd, &t), ENOTTY);
    CHECK_EQ(isatty(fd), 0);
    CHECK_EQ(errno, ENOTTY);
}

TEST(ioctl_unknown_is_enotty)
{
    struct ifreq r = request(if_a());

    CHECK_ERRNO(ioctl(raw_new(), 0x89e0, &r), ENOTTY);
    CHECK_ERRNO(ioctl(raw_new(), 0x8900 | 0xcc, &r), ENOTTY);
    CHECK_ERRNO(ioctl(raw_new(), 0, &r), ENOTTY);
    CHECK_ERRNO(ioctl(raw_new(), 0x12345678, &r), ENOTTY);
}

TEST(ioctl_device_private_is_eopnotsupp)
{
    struct ifreq r = request(if_a());

    CHECK_ERRNO(ioctl(raw_new(), SIOCDEVPRIVATE, &r), EOPNOTSUPP);
    CHECK_ERRNO(ioctl(raw_new(), SIOCDEVPRIVATE + 15, &r), EOPNOTSUPP);
}

TEST(ioctl_hardware_time_stamping_is_eopnotsupp)
{
    struct ifreq r = request(if_a());
    char config[64] = { 0 };

    r.ifr_data = config;
    CHECK_ERRNO(ioctl(raw_new(), SIOCGHWTSTAMP, &r), EOPNOTSUPP);
    CHECK_EQ(ioctl(raw_new(), SIOCSHWTSTAMP, &r), -1);
    CHECK(errno == EOPNOTSUPP || (errno == EPERM && getuid() != 0));
}

TEST(ioctl_set_requests_need_privilege)
{
    struct ifreq r = request(if_a());
    int fd = raw_new();

    if (setuid(65534)) SKIP("may not change the user");
    r.ifr_flags = 0;
    CHECK_ERRNO(ioctl(fd, SIOCSIFFLAGS, &r), EPERM);
    r.ifr_mtu = 16;
    CHECK_ERRNO(ioctl(fd, SIOCSIFMTU, &r), EPERM);
    r.ifr_qlen = 10;
    CHECK_ERRNO(ioctl(fd, SIOCSIFTXQLEN, &r), EPERM);
    snprintf(r.ifr_newname, sizeof(r.ifr_newname), "other");
    CHECK_ERRNO(ioctl(fd, SIOCSIFNAME, &r), EPERM);
}

TEST(ioctl_set_flags_up_and_down)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd = raw_new(), bound;
    struct ifreq r = request(name);

    OK(ioctl(fd, SIOCGIFFLAGS, &r));
    r.ifr_flags |= IFF_UP;
    OK(ioctl(fd, SIOCSIFFLAGS, &r));
    bound = raw_bound(index);
    CHECK_EQ(put_to(raw_new(), index, 1), 16);
    CHECK_GETS(bound, 1);
    OK(ioctl(fd, SIOCGIFFLAGS, &r));
    r.ifr_flags &= ~IFF_UP;
    OK(ioctl(fd, SIOCSIFFLAGS, &r));
    CHECK_EQ(sol_get(bound, SO_ERROR), ENETDOWN);
}

TEST(ioctl_set_mtu)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd = raw_new();
    struct ifreq r = request(name);

    r.ifr_mtu = 16;
    OK(ioctl(fd, SIOCSIFMTU, &r));
    r.ifr_mtu = 0;
    OK(ioctl(fd, SIOCGIFMTU, &r));
    CHECK_EQ(r.ifr_mtu, 16);
    r.ifr_mtu = 17;
    CHECK_ERRNO(ioctl(fd, SIOCSIFMTU, &r), EINVAL);
    LINK_UP(index);
    r.ifr_mtu = 72;
    CHECK_ERRNO(ioctl(fd, SIOCSIFMTU, &r), EBUSY);
    r.ifr_mtu = 16;
    OK(ioctl(fd, SIOCSIFMTU, &r));
}

TEST(ioctl_set_txqlen)
{
    char name[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd = raw_new();
    struct ifreq r = request(name);

    r.ifr_qlen = 5;
    OK(ioctl(fd, SIOCSIFTXQLEN, &r));
    CHECK_EQ(LINK_STATE(index).txqlen, 5);
    r.ifr_qlen = -1;
    CHECK_ERRNO(ioctl(fd, SIOCSIFTXQLEN, &r), EINVAL);
}

TEST(ioctl_set_name)
{
    char name[IFNAMSIZ], other[IFNAMSIZ];
    int index = VCAN_NAMED(name, 0), fd = raw_new();
    struct ifreq r = request(name);

    link_name(other);
    LINK_UP(index);
    memcpy(r.ifr_newname, other, IFNAMSIZ);
    CHECK_ERRNO(ioctl(fd, SIOCSIFNAME, &r), EBUSY);
    LINK_DOWN(index);
    OK(ioctl(fd, SIOCSIFNAME, &r));
    CHECK_EQ(if_nametoindex(other), index);
    r = request(other);
    memcpy(r.ifr_newname, if_a(), strlen(if_a()) + 1);
    CHECK_ERRNO(ioctl(fd, SIOCSIFNAME, &r), EEXIST);
}

TEST(ioctl_set_requests_on_an_unknown_name_are_enodev)
{
    struct ifreq r = request("nosuchdev");
    int fd = raw_new();

    VCAN_DOWN(); /* skips for users who would get EPERM */
    r.ifr_mtu = 16;
    CHECK_ERRNO(ioctl(fd, SIOCSIFMTU, &r), ENODEV);
    r.ifr_flags = IFF_UP;
    CHECK_ERRNO(ioctl(fd, SIOCSIFFLAGS, &r), ENODEV);
    r.ifr_qlen = 10;
    CHECK_ERRNO(ioctl(fd, SIOCSIFTXQLEN, &r), ENODEV);
}

TEST(ioctl_ethtool_driver_name)
{
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
    struct ifreq r = request(if_a());

    r.ifr_data = (char *)&info;
    OK(ioctl(raw_new(), SIOCETHTOOL, &r));
    CHECK(!strcmp(info.driver, "vcan"));
}

TEST(ioctl_ethtool_time_stamping)
{
    struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO };
    struct ifreq r = request(if_a());

    r.ifr_data = (char *)&info;
    OK(ioctl(raw_new(), SIOCETHTOOL, &r));
    CHECK_EQ(info.so_timestamping, 0x1a); /* software: transmit, receive, clock */
    CHECK_EQ(info.phc_index, -1);
}

TEST(ioctl_ethtool_unknown_command_is_eopnotsupp)
{
    struct ethtool_cmd command = { .cmd = ETHTOOL_GSET };
    struct ifreq r = request(if_a());

    r.ifr_data = (char *)&command;
    CHECK_ERRNO(ioctl(raw_new(), SIOCETHTOOL, &r), EOPNOTSUPP);
}

TEST(ioctl_network_namespace)
{
    int fd = ioctl(raw_new(), SIOCGSKNS, 0);
    char link[64] = "", path[64];

    if (fd < 0 && errno == EPERM) SKIP("may not ask for the namespace");
    OK(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    OK(readlink(path, link, sizeof(link) - 1));
    CHECK(!strncmp(link, "net:[", 5));
}

TEST(names_by_libc)
{
    struct if_nameindex *list = if_nameindex();
    char name[IFNAMSIZ];
    int found = 0;

    CHECK(list != NULL);
    for (struct if_nameindex *i = list; i->if_index; i++)
        if (!strcmp(i->if_name, if_a()) && i->if_index == if_nametoindex(if_a())) found++;
    if_freenameindex(list);
    CHECK_EQ(found, 1);
    CHECK(if_indextoname(index_of(if_b()), name) == name);
    CHECK(!strcmp(name, if_b()));
    CHECK_EQ(if_nametoindex("nosuchdev"), 0);
    CHECK_EQ(errno, ENODEV);
    CHECK(if_indextoname(999999, name) == NULL);
    CHECK_EQ(errno, ENXIO);
}
