/* Steps that create, change and delete links, by rtnetlink. */
#include "diff.h"

#include <errno.h>
#include <linux/can/vxcan.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct request {
    struct nlmsghdr head;
    struct ifinfomsg info;
    char attributes[512];
};

struct state {
    unsigned flags;
    int operstate, carrier, mtu, txqlen;
    char name[IFNAMSIZ];
    struct rtnl_link_stats64 stats;
};

static struct request request(int type, int flags, int index)
{
    struct request r;

    memset(&r, 0, sizeof(r));
    r.head.nlmsg_len = NLMSG_LENGTH(sizeof(r.info));
    r.head.nlmsg_type = (uint16_t)type;
    r.head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    r.info.ifi_index = index;
    return r;
}

static struct rtattr *attribute(struct request *r, int type, const void *data, size_t size)
{
    struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

    a->rta_type = (unsigned short)type;
    a->rta_len = (unsigned short)RTA_LENGTH(size);
    if (size) memcpy(RTA_DATA(a), data, size);
    r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + RTA_LENGTH(size);
    return a;
}

static void text(struct request *r, int type, const char *s) { attribute(r, type, s, strlen(s) + 1); }

static void end_nest(struct request *r, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)r + r->head.nlmsg_len - (char *)nest);
}

/* Returns 0 or a negative errno; the answer's length through *size if that is wanted. */
static int talk(struct request *r, void *reply, size_t *size)
{
    _Alignas(struct nlmsghdr) char own[4096];
    struct nlmsghdr *h = reply ? reply : (void *)own;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    ssize_t n;

    if (fd < 0) return -errno;
    if (!reply) r->head.nlmsg_flags |= NLM_F_ACK;
    n = send(fd, r, r->head.nlmsg_len, 0) < 0 ? -1 : recv(fd, h, reply ? *size : sizeof(own), 0);
    if (n < 0) n = -errno;
    close(fd);
    if (n < 0) return (int)n;
    if (h->nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
    *size = (size_t)n;
    return 0;
}

static int get(int index, struct state *s)
{
    _Alignas(struct nlmsghdr) static char reply[16384];
    struct nlmsghdr *h = (struct nlmsghdr *)reply;
    struct request r = request(RTM_GETLINK, 0, index);
    size_t size = sizeof(reply);
    int error = talk(&r, reply, &size), left;

    if (error) return error;
    memset(s, 0, sizeof(*s));
    s->flags = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_flags;
    left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg)));
    for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(h)); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        switch (a->rta_type) {
        case IFLA_OPERSTATE: s->operstate = *(uint8_t *)RTA_DATA(a); break;
        case IFLA_CARRIER: s->carrier = *(uint8_t *)RTA_DATA(a); break;
        case IFLA_MTU: memcpy(&s->mtu, RTA_DATA(a), 4); break;
        case IFLA_TXQLEN: memcpy(&s->txqlen, RTA_DATA(a), 4); break;
        case IFLA_STATS64:
            memcpy(&s->stats, RTA_DATA(a),
                   RTA_PAYLOAD(a) < sizeof(s->stats) ? RTA_PAYLOAD(a) : sizeof(s->stats));
            break;
        case IFLA_IFNAME:
            snprintf(s->name, sizeof(s->name), "%.*s", (int)RTA_PAYLOAD(a), (char *)RTA_DATA(a));
            break;
        }
    }
    return 0;
}

static void remember(int number, int peer)
{
    struct diff_link *link = &world->link[number];
    int serial = 0;

    link->renamed = link->up = false;
    link->peer = peer;
    link->index = (int)if_nametoindex(step_name((char[]){ 'i', (char)('0' + number), 0 }));
    for (int i = 0; i < world->known_count; i++)
        if (world->known[i].link == number) serial++;
    if (world->known_count < INDEXES) {
        world->known[world->known_count].index = link->index;
        world->known[world->known_count].link = number;
        world->known[world->known_count++].serial = serial;
    }
}

static int create(const struct step *step, const char *kind, int number, int peer)
{
    struct request r = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    struct rtattr *nest, *data, *other;
    int mtu = (int)step_number(step, "mtu", 0), error;
    char name[16];

    snprintf(name, sizeof(name), "df%d", number);
    text(&r, IFLA_IFNAME, name);
    if (mtu) attribute(&r, IFLA_MTU, &mtu, sizeof(mtu));
    nest = attribute(&r, IFLA_LINKINFO, NULL, 0);
    text(&r, IFLA_INFO_KIND, kind);
    if (peer >= 0) {
        struct ifinfomsg info = { 0 };

        snprintf(name, sizeof(name), "df%d", peer);
        data = attribute(&r, IFLA_INFO_DATA, NULL, 0);
        other = attribute(&r, VXCAN_INFO_PEER, &info, sizeof(info));
        text(&r, IFLA_IFNAME, name);
        end_nest(&r, other);
        end_nest(&r, data);
    }
    end_nest(&r, nest);
    error = talk(&r, NULL, &(size_t){ 0 });
    if (error) return error;
    remember(number, peer);
    if (peer >= 0) remember(peer, number);
    return 0;
}

static int set_flags(int index, unsigned flags)
{
    struct request r = request(RTM_NEWLINK, 0, index);

    r.info.ifi_flags = flags;
    r.info.ifi_change = IFF_UP;
    return talk(&r, NULL, &(size_t){ 0 });
}

/* The kernel tells the ends of a pair of each other's carrier a moment later, and until then loses frames. */
static void settle(const struct diff_link *link)
{
    const struct diff_link *other = link->peer >= 0 ? &world->link[link->peer] : NULL;
    struct timespec start, now;
    struct state s;
    int want;

    if (!other || !link->index) return;
    want = !link->up ? 2 /* down */ : other->up ? 6 /* up */ : 3 /* lower layer down */;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        if (get(link->index, &s) || s.operstate == want) return;
        sched_yield();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec < 3);
    out(" (link does not settle)");
}

/* What changed behind our back, by an ioctl. */
static void look_again(void)
{
    struct state s;

    for (int i = 0; i < LINKS; i++) {
        struct diff_link *link = &world->link[i];

        if (!link->index) continue;
        if (get(link->index, &s)) {
            link->index = 0;
            continue;
        }
        link->up = s.flags & IFF_UP;
        link->renamed = s.name[1] == 'g';
    }
    for (int i = 0; i < LINKS; i++)
        settle(&world->link[i]);
}

static int change(const struct step *step, int index, const char *name)
{
    struct request r = request(RTM_NEWLINK, 0, index);
    int value = (int)step_value(step, 1);

    if (name)
        text(&r, IFLA_IFNAME, name);
    else
        attribute(&r, !strcmp(step->operation, "mtu") ? IFLA_MTU : IFLA_TXQLEN, &value, sizeof(value));
    return talk(&r, NULL, &(size_t){ 0 });
}

static int delete (int index)
{
    struct request r = request(RTM_DELLINK, 0, index);

    return talk(&r, NULL, &(size_t){ 0 });
}

/* Toggles between the two names of a link, or takes another's. */
static int rename_link(const struct step *step, int index, int number)
{
    char name[16];

    snprintf(name, sizeof(name), "%s%d", world->link[number].renamed ? "df" : "dg", number);
    if (step_text(step, "as", NULL)) snprintf(name, sizeof(name), "%s", step_text(step, "as", NULL));
    return change(step, index, name);
}

static void show(int index)
{
    struct state s;
    int error = get(index, &s);

    out(" = %s", error ? strerrorname_np(-error) : "");
    if (error) return;
    out("%s flags %x oper %d carrier %d mtu %d txqlen %d", s.name, s.flags, s.operstate, s.carrier, s.mtu,
        s.txqlen);
    out(" received %llu/%llu/%llu sent %llu/%llu/%llu", s.stats.rx_packets, s.stats.rx_bytes,
        s.stats.rx_dropped, s.stats.tx_packets, s.stats.tx_bytes, s.stats.tx_dropped);
}

bool links_run(const struct step *step)
{
    const char *operation = step->operation, *word = step_word(step, 0);
    int number = word[0] == 'i' ? word[1] - '0' : 0, index = step_index(word), error;

    if (number < 0 || number >= LINKS) return false;
    if (!strcmp(operation, "look")) {
        look_again();
        return true;
    }
    if (!strcmp(operation, "link")) {
        show(index);
        return true;
    }
    if (!strcmp(operation, "vcan"))
        error = create(step, "vcan", number, -1);
    else if (!strcmp(operation, "vxcan"))
        error = create(step, "vxcan", number, step_word(step, 1)[1] - '0');
    else if (!strcmp(operation, "up"))
        error = set_flags(index, IFF_UP);
    else if (!strcmp(operation, "down"))
        error = set_flags(index, 0);
    else if (!strcmp(operation, "delete"))
        error = delete (index);
    else if (!strcmp(operation, "mtu") || !strcmp(operation, "txqlen"))
        error = change(step, index, NULL);
    else if (!strcmp(operation, "rename"))
        error = rename_link(step, index, number);
    else
        return false;
    look_again();
    errno = -error;
    out_result(error ? -1 : 0);
    return true;
}

void links_forget(void)
{
    look_again();
    for (int i = 0; i < LINKS; i++)
        if (world->link[i].index) delete (world->link[i].index);
}
