/* sockets/ioctl.c - ioctl(2): questions about our interfaces, on any socket, and what a CAN socket answers (spec A.4).
 *
 * The interface requests are a table. Getters read the interface table; setters go to the daemon, which is the only one to
 * write it. */
/* prefix: ioctl_ raw_ */
#include "sockets/ioctl.h"
#include "base/clock.h"
#include "base/sys.h"
#include "bus/links.h"
#include "bus/slot.h"
#include "sockets/ctl.h"
#include "sockets/packet.h"
#include "sockets/raw.h"
#include "sockets/usermem.h"
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define ARPHRD_CAN_ 280

struct ifcall {
    const struct bus *bus;
    struct link_view link;
    struct ifreq *request;
    unsigned long number;
};

static int get_index(struct ifcall *call)
{
    call->request->ifr_ifindex = call->link.ifindex;
    return 0;
}

static int get_flags(struct ifcall *call)
{
    call->request->ifr_flags = (short)(call->link.flags & 0xffff & ~(uint32_t)0x10000);
    return 0;
}

static int get_mtu(struct ifcall *call)
{
    call->request->ifr_mtu = (int)call->link.mtu;
    return 0;
}

static int get_txqlen(struct ifcall *call)
{
    call->request->ifr_qlen = (int)call->link.txqlen;
    return 0;
}

static int get_metric(struct ifcall *call)
{
    call->request->ifr_metric = 0;
    return 0;
}

static int get_map(struct ifcall *call)
{
    memset(&call->request->ifr_map, 0, sizeof(call->request->ifr_map));
    return 0;
}

static int get_hwaddr(struct ifcall *call)
{
    memset(&call->request->ifr_hwaddr, 0, sizeof(call->request->ifr_hwaddr));
    call->request->ifr_hwaddr.sa_family = ARPHRD_CAN_;
    return 0;
}

static int not_supported(struct ifcall *call)
{
    (void)call;
    return -EOPNOTSUPP;
}

static int invalid(struct ifcall *call)
{
    (void)call;
    return -EINVAL;
}

static int set_broadcast(struct ifcall *call)
{
    return call->request->ifr_hwaddr.sa_family == ARPHRD_CAN_ ? 0 : -EINVAL;
}

static bool has_hardware(const struct ifcall *call)
{
    return link_state_kind(call->link.state) == LINK_KIND_CAN;
}

/* A controller stamps everything, always: there is nothing to set. */
static int get_hwstamp(struct ifcall *call)
{
    const struct hwtstamp_config config = { .tx_type = HWTSTAMP_TX_ON, .rx_filter = HWTSTAMP_FILTER_ALL };

    return has_hardware(call) ? usermem_write(call->request->ifr_data, &config, sizeof(config)) : -EOPNOTSUPP;
}

/* Before any interface is asked, the request is looked at. */
static int set_hwstamp(struct ifcall *call)
{
    struct hwtstamp_config config;

    if (usermem_read(&config, call->request->ifr_data, sizeof(config))) return -EFAULT;
    if (config.flags & ~HWTSTAMP_FLAG_BONDED_PHC_INDEX) return -EINVAL;
    if ((unsigned)config.tx_type > HWTSTAMP_TX_ONESTEP_P2P ||
        (unsigned)config.rx_filter > HWTSTAMP_FILTER_NTP_ALL)
        return -ERANGE;
    if (!has_hardware(call)) return -EOPNOTSUPP;
    return config.tx_type == HWTSTAMP_TX_ON && config.rx_filter == HWTSTAMP_FILTER_ALL ? 0 : -ERANGE;
}

static int no_address(struct ifcall *call)
{
    (void)call;
    return -EADDRNOTAVAIL;
}

/* The daemon does it. struct ifreq of 32-bit processes is the smaller one; what the setters use lies at the same place. */
static int set_by_daemon(struct ifcall *call)
{
    struct ctl_ioctl message = { .request = (uint32_t)call->number };
    size_t size =
        sizeof(*call->request) < sizeof(message.ifreq) ? sizeof(*call->request) : sizeof(message.ifreq);

    memcpy(message.ifreq, call->request, size);
    memcpy(message.ifreq, call->link.name, LINK_NAME_SIZE); /* altnames and labels are resolved here */
    return ctl_call(call->bus->dir, CTL_IOCTL, &message, sizeof(message), -1, &message, sizeof(message), NULL,
                    NULL, 0);
}

static int ethtool_drvinfo(struct ifcall *call, void *user)
{
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
    const char *kind = links_kind_name(link_state_kind(call->link.state));

    memcpy(info.driver, kind, strlen(kind)); /* the rest is zero */
    memcpy(info.version, "6.1.0", sizeof("6.1.0"));
    return usermem_write(user, &info, sizeof(info));
}

static int ethtool_ts_info(struct ifcall *call, void *user)
{
    struct ethtool_ts_info info = { .cmd = ETHTOOL_GET_TS_INFO,
                                    .phc_index = -1,
                                    .so_timestamping = SOF_TIMESTAMPING_TX_SOFTWARE |
                                                       SOF_TIMESTAMPING_RX_SOFTWARE |
                                                       SOF_TIMESTAMPING_SOFTWARE };

    if (has_hardware(call)) {
        info.so_timestamping |=
            SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
        info.tx_types = 1u << HWTSTAMP_TX_ON;
        info.rx_filters = 1u << HWTSTAMP_FILTER_ALL;
    }
    return usermem_write(user, &info, sizeof(info));
}

static int ethtool(struct ifcall *call)
{
    static const struct {
        uint32_t command;
        int (*answer)(struct ifcall *, void *);
    } table[] = {
        { ETHTOOL_GDRVINFO, ethtool_drvinfo },
        { ETHTOOL_GET_TS_INFO, ethtool_ts_info },
    };
    uint32_t command;

    if (usermem_read(&command, call->request->ifr_data, sizeof(command))) return -EFAULT;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (table[i].command == command) return table[i].answer(call, call->request->ifr_data);
    return -EOPNOTSUPP;
}

/* Requests that name an interface in ifr_name. */
static const struct {
    unsigned long number;
    int (*answer)(struct ifcall *call);
    bool writes; /* the request goes back to the caller */
} requests[] = {
    { SIOCGIFINDEX, get_index, true },       { SIOCGIFFLAGS, get_flags, true },
    { SIOCGIFMTU, get_mtu, true },           { SIOCGIFTXQLEN, get_txqlen, true },
    { SIOCGIFMETRIC, get_metric, true },     { SIOCGIFMAP, get_map, true },
    { SIOCGIFHWADDR, get_hwaddr, true },     { SIOCSIFFLAGS, set_by_daemon, false },
    { SIOCSIFMTU, set_by_daemon, false },    { SIOCSIFTXQLEN, set_by_daemon, false },
    { SIOCSIFNAME, set_by_daemon, false },   { SIOCETHTOOL, ethtool, false },
    { SIOCGIFADDR, no_address, false },      { SIOCGIFNETMASK, no_address, false },
    { SIOCGIFBRDADDR, no_address, false },   { SIOCGIFDSTADDR, no_address, false },
    { SIOCSIFHWADDR, not_supported, false }, { SIOCGHWTSTAMP, get_hwstamp, false },
    { SIOCSHWTSTAMP, set_hwstamp, false },   { SIOCADDMULTI, invalid, false },
    { SIOCDELMULTI, invalid, false },        { SIOCSIFHWBROADCAST, set_broadcast, false },
    { SIOCSIFMAP, not_supported, false },    { SIOCSIFMETRIC, not_supported, false },
    { SIOCGIFSLAVE, invalid, false },        { SIOCSIFSLAVE, invalid, false },
    { SIOCGMIIPHY, not_supported, false },   { SIOCGMIIREG, not_supported, false },
    { SIOCSMIIREG, not_supported, false },   { SIOCWANDEV, not_supported, false },
};

static int find_request(unsigned long number)
{
    if ((number >= SIOCDEVPRIVATE && number < SIOCDEVPRIVATE + 16) ||
        (number >= SIOCBONDENSLAVE && number <= SIOCBONDCHANGEACTIVE))
        number = SIOCWANDEV; /* all of them a driver's own business, and not of ours */
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
        if (requests[i].number == number) return (int)i;
    return -1;
}

/* SIOCGIFNAME asks by index. */
static int name_of_index(const struct bus *bus, void *user_request)
{
    struct ifreq request;
    struct link_view link;

    if (usermem_read(&request, user_request, sizeof(request))) return -EFAULT;
    if (links_by_ifindex(bus->control, (uint32_t)request.ifr_ifindex, &link)) return -ENOIOCTLCMD;
    memcpy(request.ifr_name, link.name, sizeof(request.ifr_name));
    return usermem_write(user_request, &request, sizeof(request));
}

int ioctl_interface(const struct bus *bus, unsigned long number, void *user_request)
{
    int row = find_request(number), error;
    struct ifreq request;
    struct ifcall call = { .bus = bus, .request = &request, .number = number };

    if (number == SIOCGIFNAME) return name_of_index(bus, user_request);
    if (row < 0) return -ENOIOCTLCMD;
    if (usermem_read(&request, user_request, sizeof(request))) return -EFAULT;
    if (links_by_name(bus->control, request.ifr_name, sizeof(request.ifr_name), &call.link))
        return -ENOIOCTLCMD;
    error = requests[row].answer(&call);
    if (!error && requests[row].writes) error = usermem_write(user_request, &request, sizeof(request));
    return error;
}

bool ioctl_is_interface(unsigned long number)
{
    return number == SIOCGIFNAME || ((number & ~0xfful) == 0x8900 && find_request(number) >= 0);
}

/* ---- on a CAN socket ---- */

/* The time of the last frame, in two units and two widths: that of long, and 64 bits. */
enum {
    STAMP_US = 0x8906,
    STAMP_NS = 0x8907,
    STAMP_US_WIDE = (int)0x80108906,
    STAMP_NS_WIDE = (int)0x80108907,
};

static bool is_stamp(int request)
{
    return request == STAMP_US || request == STAMP_NS || request == STAMP_US_WIDE || request == STAMP_NS_WIDE;
}

static int get_stamp(const struct bus *bus, uint32_t number, int request, void *user)
{
    struct bus_slot *slot = &bus->data->slot[number];
    uint64_t stamp = load_relaxed(&slot->stamp_ns);
    int64_t wide[2];
    long value[2];

    if (!load_relaxed(&slot->stamp_on)) {
        store_seq(&slot->stamp_on, 1);
        slot_update_rx_flags(bus, number);
    }
    if (!stamp) return -ENOENT;
    if (stamp == STAMP_OF_READING) stamp = clock_real_ns();
    store_relaxed(&slot->stamp_ns, stamp);
    wide[0] = (int64_t)(stamp / 1000000000u);
    wide[1] = (int64_t)(stamp % 1000000000u) / (request == STAMP_US || request == STAMP_US_WIDE ? 1000 : 1);
    if (request == STAMP_US_WIDE || request == STAMP_NS_WIDE) return usermem_write(user, wide, sizeof(wide));
    value[0] = (long)wide[0];
    value[1] = (long)wide[1];
    return usermem_write(user, value, sizeof(value));
}

/* What is ENOTTY on a CAN socket though the real descriptor would answer, or though it is an interface request. */
static const unsigned long refused[] = {
    FIONREAD,
    TIOCOUTQ,
    0x894b /* SIOCOUTQNSD */,
    0x8905 /* SIOCATMARK */,
    SIOCGIFADDR,
    SIOCGIFNETMASK,
    SIOCGIFBRDADDR,
    SIOCGIFDSTADDR,
    SIOCSIFADDR,
    SIOCSIFNETMASK,
    SIOCSIFBRDADDR,
    SIOCSIFDSTADDR,
    0x89e0 /* SIOCUNIXFILE: SIOCPROTOPRIVATE */,
};

int raw_ioctl(const struct bus *bus, uint32_t slot, unsigned long request, void *user)
{
    bool is_packet = load_relaxed(&bus->data->slot[slot].protocol) == PROTOCOL_PACKET;
    bool reads = (request >> 8 & 0xff) == 0x89; /* Linux reads a struct ifreq before it knows what for */

    request &= 0xffffffffu;
    if (is_packet) {
        int result = packet_ioctl(bus, slot, request, user);
        if (result != -ENOIOCTLCMD) return result;
    }
    for (size_t i = 0; !is_packet && i < sizeof(refused) / sizeof(*refused); i++)
        if (refused[i] == request)
            return reads && !usermem_ok(user, sizeof(struct ifreq), USERMEM_READ) ? -EFAULT : -ENOTTY;
    if (is_stamp((int)request)) return get_stamp(bus, slot, (int)request, user);
    return ioctl_interface(bus, request, user);
}
