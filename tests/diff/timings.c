/* tests/diff/timings.c - random bit timings, given to a kernel's controller and to can/bittiming.c: do both make the same of them?
 *
 * timings INTERFACE CLOCK COUNT SEED, where INTERFACE is an SJA1000 that is down. Prints what differs, then "COUNT compared, N differ, M accepted". */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <linux/can/netlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include "can/bittiming.h"

static struct mnl_socket *netlink;
static unsigned char buffer[65536];
static uint64_t state;

/* xorshift64* */
static uint32_t number(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * 0x2545f4914f6cdd1dull) >> 32) % below;
}

static int answer(mnl_cb_t callback, void *data)
{
    ssize_t size = mnl_socket_recvfrom(netlink, buffer, sizeof buffer);
    return mnl_cb_run(buffer, (size_t)size, 0, mnl_socket_get_portid(netlink), callback, data);
}

static int take_timing(const struct nlattr *attr, void *data)
{
    if (mnl_attr_get_type(attr) == IFLA_CAN_BITTIMING)
        memcpy(data, mnl_attr_get_payload(attr), sizeof(struct can_bittiming));
    if (mnl_attr_get_type(attr) == IFLA_CAN_BITTIMING_CONST)
        memcpy((struct can_bittiming *)data + 1, mnl_attr_get_payload(attr),
               sizeof(struct can_bittiming_const));
    return MNL_CB_OK;
}

static int take_data(const struct nlattr *attr, void *data)
{
    return mnl_attr_get_type(attr) == IFLA_INFO_DATA ? mnl_attr_parse_nested(attr, take_timing, data)
                                                     : MNL_CB_OK;
}

static int take_linkinfo(const struct nlattr *attr, void *data)
{
    return mnl_attr_get_type(attr) == IFLA_LINKINFO ? mnl_attr_parse_nested(attr, take_data, data)
                                                    : MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *message, void *data)
{
    return mnl_attr_parse(message, sizeof(struct ifinfomsg), take_linkinfo, data);
}

static struct nlmsghdr *request(uint16_t type, uint16_t flags, unsigned index)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(message, sizeof *info);
    info->ifi_index = (int)index;
    return message;
}

struct timing {
    struct can_bittiming bt;
    struct can_bittiming_const limits;
};

static void get(unsigned index, struct timing *timing)
{
    struct nlmsghdr *message = request(RTM_GETLINK, 0, index);

    memset(timing, 0, sizeof *timing);
    mnl_socket_sendto(netlink, message, message->nlmsg_len);
    answer(take_link, timing);
}

/* 0 or -errno */
static int set(unsigned index, const struct can_bittiming *bt)
{
    struct nlmsghdr *message = request(RTM_NEWLINK, NLM_F_ACK, index);
    struct nlattr *linkinfo = mnl_attr_nest_start(message, IFLA_LINKINFO);

    mnl_attr_put_strz(message, IFLA_INFO_KIND, "can");
    struct nlattr *data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    mnl_attr_put(message, IFLA_CAN_BITTIMING, sizeof *bt, bt);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, linkinfo);
    mnl_socket_sendto(netlink, message, message->nlmsg_len);
    return answer(NULL, NULL) < 0 ? -errno : 0;
}

static struct can_bittiming wish(void)
{
    static const uint32_t spans[] = { 20000, 200000, 1100000, 10000000, 4000000000u };
    struct can_bittiming bt = { 0 };

    if (number(4)) {
        bt.bitrate = 1 + number(spans[number(5)]);
        if (number(2)) bt.sample_point = number(1000);
        if (!number(4)) bt.sjw = number(10);
    } else {
        bt.tq = 1 + number(number(2) ? 500 : 10000);
        bt.prop_seg = number(10);
        bt.phase_seg1 = number(11);
        bt.phase_seg2 = number(10);
        bt.sjw = number(6);
    }
    return bt;
}

static void print(const char *what, const struct can_bittiming *bt, int result)
{
    printf("# %s %d: bitrate %u sp %u tq %u %u/%u/%u sjw %u brp %u\n", what, result, bt->bitrate,
           bt->sample_point, bt->tq, bt->prop_seg, bt->phase_seg1, bt->phase_seg2, bt->sjw, bt->brp);
}

int main(int argc, char **argv)
{
    struct timing before, after;
    unsigned differ = 0, accepted = 0;

    if (argc != 5) return 2;
    unsigned index = if_nametoindex(argv[1]);
    uint32_t clock_hz = (uint32_t)strtoul(argv[2], NULL, 0);
    unsigned count = (unsigned)strtoul(argv[3], NULL, 0);
    state = strtoul(argv[4], NULL, 0) * 2 + 1;
    netlink = mnl_socket_open(NETLINK_ROUTE);
    if (!index || !netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID)) return 2;
    for (unsigned i = 0; i < count; i++) {
        struct can_bittiming asked = wish(), ours = asked;
        get(index, &before);
        int theirs_result = set(index, &asked);
        get(index, &after);
        int ours_result = bittiming_complete(&ours, &before.limits, clock_hz);
        if (ours_result) ours = before.bt;
        accepted += !ours_result;
        if (ours_result == theirs_result && memcmp(&ours, &after.bt, sizeof ours) == 0) continue;
        differ++;
        print("asked", &asked, 0);
        print("theirs", &after.bt, theirs_result);
        print("ours", &ours, ours_result);
    }
    printf("%u compared, %u differ, %u accepted\n", count, differ, accepted);
    return differ ? 1 : 0;
}
