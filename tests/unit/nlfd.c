/* tests/unit/nlfd.c - netlink sockets of a real kernel, with the real link server behind them in a thread.
 *
 * Needs no privilege: nothing here changes anything of the kernel's. Interfaces made here start with "pct". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include "bus/links.h"
#include "daemon/linkserver.h"
#include "sockets/nlfd.h"

static struct control *control;
static struct data *data;
static char dir[] = "/tmp/pocketcan-test-XXXXXX";
static struct bus bus;
static struct linkserver server;
static int listener = -1, watcher = -1, watcher_netlink = -1;
static pthread_t server_thread;

static int fd = -1;
static struct nlfd *nl;
static _Alignas(8) unsigned char request[8192], reply[65536];
static struct nlmsghdr *message;
static size_t request_size;
static uint32_t seq = 100;

/* ---- the daemon: what daemon/ctlserver.c does, one connection after the other ---------------------------------- */

static void on_event(void *context, const void *event, size_t size)
{
    struct ctl_reply head = { .size = (uint32_t)size };
    struct iovec iov[2] = { { &head, sizeof head }, { (void *)(uintptr_t)event, size } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
    const struct nlmsghdr noop = {
        .nlmsg_len = sizeof noop,
        .nlmsg_type = NLMSG_NOOP,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
        .nlmsg_seq = CTL_WATCH_SEQ,
    };
    (void)context;
    if (watcher < 0 || sendmsg(watcher, &msg, MSG_NOSIGNAL) < 0) return;
    send(watcher_netlink, &noop, sizeof noop, 0);
}

static int passed_fd(struct msghdr *msg)
{
    int passed = -1;
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
    if (cmsg && cmsg->cmsg_type == SCM_RIGHTS) memcpy(&passed, CMSG_DATA(cmsg), sizeof passed);
    return passed;
}

static void serve(int conn)
{
    static _Alignas(8) unsigned char packet[CTL_PACKET_MAX], answer[CTL_PACKET_MAX];
    _Alignas(8) char space[CMSG_SPACE(sizeof(int))];
    struct iovec in = { packet + 4, sizeof packet - 4 }; /* so that what follows the head is aligned */
    struct msghdr msg = {
        .msg_iov = &in, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space
    };
    if (recvmsg(conn, &msg, MSG_CMSG_CLOEXEC) < (ssize_t)sizeof(struct ctl_request)) return;
    struct ctl_request head;
    memcpy(&head, packet + 4, sizeof head);
    const unsigned char *payload = packet + 4 + sizeof head;
    struct ctl_reply out = { 0 };
    if (head.op == CTL_NETLINK) {
        struct ctl_netlink caller;
        memcpy(&caller, payload, sizeof caller);
        long size = linkserver_netlink(&server, &caller, payload + sizeof caller, head.size - sizeof caller,
                                       answer, sizeof answer - sizeof out);
        out.error = size < 0 ? (int)size : 0;
        out.size = size < 0 ? 0 : (uint32_t)size;
    } else if (head.op == CTL_WATCH) {
        watcher_netlink = passed_fd(&msg);
        watcher = dup(conn);
    }
    struct iovec iov[2] = { { &out, sizeof out }, { answer, out.size } };
    msg = (struct msghdr){ .msg_iov = iov, .msg_iovlen = 2 };
    sendmsg(conn, &msg, MSG_NOSIGNAL);
}

static void *server_main(void *unused)
{
    int conn;
    while ((conn = accept(listener, NULL, NULL)) >= 0) {
        serve(conn);
        close(conn);
    }
    return unused;
}

/* ---- every test starts with an empty instance and one socket --------------------------------------------------- */

static ssize_t real_sendmsg(int to, const struct msghdr *msg, int flags)
{
    ssize_t result = sendmsg(to, msg, flags);
    return result < 0 ? -errno : result;
}

static ssize_t real_recvmsg(int from, struct msghdr *msg, int flags)
{
    ssize_t result = recvmsg(from, msg, flags);
    return result < 0 ? -errno : result;
}

static const struct nlfd_ops ops = { real_sendmsg, real_recvmsg };

static void *zeroed(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

static int setup(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct sockaddr_nl any = { .nl_family = AF_NETLINK };
    struct timeval limit = { .tv_sec = 5 };
    (void)state;
    strcpy(dir, "/tmp/pocketcan-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    control = zeroed(sizeof *control);
    data = zeroed(sizeof *data);
    bus = (struct bus){ .control = control, .data = data, .dir = dir, .dir_size = strlen(dir) };
    server = (struct linkserver){ .bus = &bus, .control = control, .token_fd = -1, .event = on_event };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/ctl", dir);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (void *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 16), 0);
    pthread_create(&server_thread, NULL, server_main, NULL);
    fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    assert_int_equal(bind(fd, (void *)&any, sizeof any), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    nl = nlfd_open(&bus, fd, &ops);
    assert_non_null(nl);
    return 0;
}

static void stop_server(void)
{
    if (listener < 0) return;
    shutdown(listener, SHUT_RDWR);
    pthread_join(server_thread, NULL);
    close(listener);
    listener = -1;
}

static int teardown(void **state)
{
    char path[128];
    (void)state;
    nlfd_close(nl);
    close(fd);
    stop_server();
    if (watcher >= 0) close(watcher);
    if (watcher_netlink >= 0) close(watcher_netlink);
    watcher = watcher_netlink = -1;
    snprintf(path, sizeof path, "%s/ctl", dir);
    unlink(path);
    rmdir(dir);
    munmap(control, sizeof *control);
    munmap(data, sizeof *data);
    return 0;
}

/* ---- sending and receiving ------------------------------------------------------------------------------------- */

/* Begins another message in the request. */
static struct ifinfomsg *begin(uint16_t type, uint16_t flags)
{
    message = mnl_nlmsg_put_header(request + request_size);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = ++seq;
    return mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
}

static void end(void) { request_size += NLMSG_ALIGN(message->nlmsg_len); }

static void send_all(void)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct iovec iov = { request, request_size };
    struct msghdr msg = {
        .msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = &iov, .msg_iovlen = 1
    };
    assert_int_equal(nlfd_sendmsg(nl, fd, &msg, 0), request_size);
    request_size = 0;
}

static void send_one(void)
{
    end();
    send_all();
}

static struct sockaddr_nl sender;

static ssize_t receive(size_t room, int flags)
{
    struct iovec iov = { reply, room };
    struct msghdr msg = {
        .msg_name = &sender, .msg_namelen = sizeof sender, .msg_iov = &iov, .msg_iovlen = 1
    };
    return nlfd_recvmsg(nl, fd, &msg, flags);
}

static const struct nlmsghdr *reply_head(void) { return (const void *)reply; }

/* The error of the next message, which is to be the answer to `number`. */
static int next_error(uint32_t number)
{
    const struct nlmsgerr *error = mnl_nlmsg_get_payload(reply_head());
    assert_true(receive(sizeof reply, 0) >= (ssize_t)NLMSG_LENGTH(sizeof *error));
    assert_int_equal(reply_head()->nlmsg_type, NLMSG_ERROR);
    assert_int_equal(reply_head()->nlmsg_seq, number);
    return error->error;
}

static void put_kind(const char *kind)
{
    struct nlattr *nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(message, nest);
}

static void put_add(const char *name, uint16_t flags)
{
    begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | flags);
    mnl_attr_put_strz(message, IFLA_IFNAME, name);
    put_kind("vcan");
}

static int add(const char *name)
{
    put_add(name, NLM_F_ACK);
    send_one();
    return next_error(seq);
}

static int32_t ifindex_of(const char *name)
{
    struct link_view view;
    return links_by_name(control, name, strlen(name), &view) == 0 ? view.ifindex : 0;
}

static uint32_t portid(void)
{
    struct sockaddr_nl name;
    socklen_t size = sizeof name;
    getsockname(fd, (void *)&name, &size);
    return name.nl_pid;
}

static bool nothing_to_read(void)
{
    struct pollfd pfd = { fd, POLLIN, 0 };
    return poll(&pfd, 1, 0) == 0;
}

/* ---- one message ----------------------------------------------------------------------------------------------- */

static void acknowledgement_looks_like_the_kernels(void **state)
{
    (void)state;
    put_add("pct0", NLM_F_ACK);
    struct nlmsghdr sent = *message;
    send_one();
    assert_int_equal(receive(sizeof reply, 0), 36);
    const struct nlmsgerr *ack = mnl_nlmsg_get_payload(reply_head());
    assert_int_equal(ack->error, 0);
    assert_int_equal(reply_head()->nlmsg_flags, NLM_F_CAPPED);
    assert_int_equal(reply_head()->nlmsg_pid, portid());
    assert_memory_equal(&ack->msg, &sent, sizeof sent);
    assert_int_equal(sender.nl_family, AF_NETLINK);
    assert_int_equal(sender.nl_pid, 0);
}

static void refusals_come_with_errno_and_request(void **state)
{
    (void)state;
    assert_int_equal(add("pct0"), 0);
    assert_int_equal(add("pct0"), -EEXIST);
    assert_int_equal(reply_head()->nlmsg_pid, portid());
    assert_true(reply_head()->nlmsg_len > 36); /* without NETLINK_CAP_ACK all of it is repeated */
    assert_true(nothing_to_read());
}

static void success_that_nobody_asked_about_is_silent(void **state)
{
    (void)state;
    put_add("pct0", 0);
    send_one();
    assert_int_not_equal(ifindex_of("pct0"), 0);
    assert_true(nothing_to_read());
    put_add("pct0", 0);
    send_one();
    assert_int_equal(next_error(seq), -EEXIST); /* failure is not */
}

static void get_by_name_and_by_index(void **state)
{
    (void)state;
    add("pct0");
    begin(RTM_GETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct0");
    send_one();
    assert_true(receive(sizeof reply, 0) > 700);
    assert_int_equal(reply_head()->nlmsg_type, RTM_NEWLINK);
    assert_int_equal(reply_head()->nlmsg_seq, seq);
    begin(RTM_GETLINK, 0)->ifi_index = ifindex_of("pct0");
    send_one();
    assert_true(receive(sizeof reply, 0) > 700);
    assert_int_equal(((struct ifinfomsg *)mnl_nlmsg_get_payload(reply_head()))->ifi_index,
                     ifindex_of("pct0"));
}

static void peek_tells_the_length_and_takes_nothing(void **state)
{
    (void)state;
    add("pct0");
    begin(RTM_GETLINK, 0)->ifi_index = ifindex_of("pct0");
    send_one();
    ssize_t size = receive(0, MSG_PEEK | MSG_TRUNC);
    assert_true(size > 700);
    assert_int_equal(receive(0, MSG_PEEK | MSG_TRUNC), size);
    assert_int_equal(receive(sizeof reply, 0), size);
    assert_true(nothing_to_read());
}

static void a_short_buffer_truncates(void **state)
{
    (void)state;
    add("pct0");
    begin(RTM_GETLINK, 0)->ifi_index = ifindex_of("pct0");
    send_one();
    struct iovec iov[2] = { { reply, 10 }, { reply + 10, 90 } };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
    assert_int_equal(nlfd_recvmsg(nl, fd, &msg, 0), 100);
    assert_int_equal(msg.msg_flags & MSG_TRUNC, MSG_TRUNC);
    assert_int_equal(reply_head()->nlmsg_type, RTM_NEWLINK);
    assert_true(nothing_to_read());
}

static void addresses_on_ours_are_refused(void **state)
{
    (void)state;
    add("pct0");
    message = mnl_nlmsg_put_header(request);
    message->nlmsg_type = RTM_NEWADDR;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    message->nlmsg_seq = ++seq;
    struct ifaddrmsg *address = mnl_nlmsg_put_extra_header(message, sizeof *address);
    address->ifa_index = (uint32_t)ifindex_of("pct0");
    send_one();
    assert_int_equal(next_error(seq), -EOPNOTSUPP);
}

static void without_a_daemon_requests_fail(void **state)
{
    (void)state;
    add("pct0");
    stop_server();
    begin(RTM_DELLINK, NLM_F_ACK)->ifi_index = ifindex_of("pct0");
    send_one();
    assert_int_equal(next_error(seq), -ECONNREFUSED);
}

/* ---- what is not ours ------------------------------------------------------------------------------------------ */

static void foreign_answers_are_the_kernels_own(void **state)
{
    static unsigned char kernel[65536];
    (void)state;
    add("pct0");
    for (int turn = 0; turn < 2; turn++) {
        begin(RTM_GETLINK, 0)->ifi_index = 1;
        message->nlmsg_seq = 9;
        end();
        if (turn) {
            send_all();
            ssize_t size = receive(sizeof reply, 0);
            assert_true(size > 500);
            assert_memory_equal(reply, kernel, 64); /* the counters of lo may have moved meanwhile */
            assert_int_equal(size, ((struct nlmsghdr *)(void *)kernel)->nlmsg_len);
        } else {
            assert_int_equal(send(fd, request, request_size, 0), request_size);
            assert_true(recv(fd, kernel, sizeof kernel, 0) > 500);
            request_size = 0;
        }
    }
    begin(RTM_NEWLINK, 0); /* how iproute2 finds out what the kernel can do */
    message->nlmsg_seq = 0;
    send_one();
    assert_int_equal(next_error(0), geteuid() == 0 ? -ENODEV : -EPERM);
    begin(RTM_GETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct-none");
    send_one();
    assert_int_equal(next_error(seq), -ENODEV);
}

static void batches_keep_their_order(void **state)
{
    (void)state;
    uint32_t first = seq + 1;
    put_add("pct0", NLM_F_ACK);
    end();
    begin(RTM_GETLINK, 0);
    mnl_attr_put_strz(message, IFLA_IFNAME, "pct-none"); /* the kernel's */
    end();
    put_add("pct0", NLM_F_ACK);
    end();
    put_add("pct1", NLM_F_ACK);
    end();
    send_all();
    assert_int_equal(next_error(first), 0);
    assert_int_equal(next_error(first + 1), -ENODEV);
    assert_int_equal(next_error(first + 2), -EEXIST);
    assert_int_equal(next_error(first + 3), 0);
    assert_true(nothing_to_read());
}

static void answers_nobody_read_give_way_to_new_ones(void **state)
{
    char name[16];
    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "pct%d", i);
        put_add(name, NLM_F_ACK);
        send_one();
    }
    for (int i = 0; i < 40; i++)
        assert_int_equal(next_error(seq - 39 + (uint32_t)i), 0);
    assert_int_equal(add("pct0"), -EEXIST);
}

/* ---- dumps ----------------------------------------------------------------------------------------------------- */

struct listing {
    unsigned ours, others, reads;
    bool done;
};

/* Reads a whole dump through a buffer of `room` bytes. */
static struct listing read_dump(size_t room, bool peek)
{
    struct listing listing = { 0 };
    while (!listing.done) {
        ssize_t peeked = peek ? receive(0, MSG_PEEK | MSG_TRUNC) : 0;
        int left = (int)receive(peek ? (size_t)peeked : room, 0);
        assert_true(left > 0);
        if (peek) assert_int_equal(left, peeked);
        listing.reads++;
        for (const struct nlmsghdr *head = reply_head(); mnl_nlmsg_ok(head, left);
             head = mnl_nlmsg_next(head, &left)) {
            const struct ifinfomsg *info = mnl_nlmsg_get_payload(head);
            assert_false(listing.done);
            assert_int_equal(head->nlmsg_seq, seq);
            assert_int_equal(head->nlmsg_pid, portid());
            assert_int_equal(head->nlmsg_flags & NLM_F_MULTI, NLM_F_MULTI);
            if (head->nlmsg_type == NLMSG_DONE)
                listing.done = true;
            else if (info->ifi_index >= LINK_IFINDEX_FIRST)
                listing.ours++;
            else
                listing.others++;
        }
    }
    assert_true(nothing_to_read());
    return listing;
}

static void add_many(unsigned count)
{
    char name[16];
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "pct%u", i);
        assert_int_equal(add(name), 0);
    }
}

static void dump_lists_both_worlds(void **state)
{
    (void)state;
    begin(RTM_GETLINK, NLM_F_DUMP);
    send_one();
    unsigned others = read_dump(sizeof reply, false).others;
    assert_true(others >= 1);
    add_many(2);
    begin(RTM_GETLINK, NLM_F_DUMP);
    send_one();
    struct listing listing = read_dump(sizeof reply, false);
    assert_int_equal(listing.ours, 2);
    assert_int_equal(listing.others, others);
}

static void long_dump_comes_in_parts(void **state)
{
    static const size_t rooms[] = { 4096, 8192, 32768 };
    (void)state;
    add_many(100);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        begin(RTM_GETLINK, NLM_F_DUMP);
        send_one();
        struct listing listing = read_dump(rooms[i], false);
        assert_int_equal(listing.ours, 100);
        assert_true(listing.reads >= 100 * 736 / rooms[i]);
    }
}

static void dump_is_as_long_as_it_was_peeked(void **state)
{
    (void)state;
    add_many(40);
    begin(RTM_GETLINK, NLM_F_DUMP);
    send_one();
    assert_int_equal(read_dump(0, true).ours, 40);
}

static void dump_of_a_kind_of_ours_hides_the_others(void **state)
{
    (void)state;
    add_many(2);
    begin(RTM_GETLINK, NLM_F_DUMP);
    put_kind("vcan");
    send_one();
    struct listing listing = read_dump(sizeof reply, false);
    assert_int_equal(listing.ours, 2);
    assert_int_equal(listing.others, 0);
}

static void short_old_dump_requests_work(void **state)
{
    (void)state;
    add_many(2);
    begin(RTM_GETLINK, NLM_F_DUMP);
    message->nlmsg_len = NLMSG_LENGTH(4); /* struct rtgenmsg and padding */
    send_one();
    assert_int_equal(read_dump(8192, false).ours, 2);
}

static void address_dump_of_ours_is_empty(void **state)
{
    int on = 1;
    (void)state;
    add("pct0");
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    message = mnl_nlmsg_put_header(request);
    message->nlmsg_type = RTM_GETADDR;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message->nlmsg_seq = ++seq;
    struct ifaddrmsg *address = mnl_nlmsg_put_extra_header(message, sizeof *address);
    address->ifa_index = (uint32_t)ifindex_of("pct0");
    send_one();
    assert_int_equal(receive(sizeof reply, 0), 20);
    assert_int_equal(reply_head()->nlmsg_type, NLMSG_DONE);
    assert_int_equal(*(int *)mnl_nlmsg_get_payload(reply_head()), 0);
}

/* ---- notifications --------------------------------------------------------------------------------------------- */

static void change_group(int option)
{
    int group = RTNLGRP_LINK;
    assert_int_equal(setsockopt(fd, SOL_NETLINK, option, &group, sizeof group), 0);
    nlfd_groups_changed(nl, fd);
}

static void members_are_told_of_changes(void **state)
{
    (void)state;
    struct pollfd pfd = { 0, POLLIN, 0 };
    change_group(NETLINK_ADD_MEMBERSHIP);
    put_add("pct0", 0);
    send_one();
    pfd.fd = fd;
    assert_int_equal(poll(&pfd, 1, 5000), 1);
    ssize_t size = receive(0, MSG_PEEK | MSG_TRUNC);
    assert_int_equal(receive(sizeof reply, 0), size);
    assert_int_equal(reply_head()->nlmsg_type, RTM_NEWLINK);
    assert_int_equal(reply_head()->nlmsg_seq, 0);
    assert_int_equal(reply_head()->nlmsg_pid, 0);
    assert_int_equal(sender.nl_groups, RTMGRP_LINK);
    assert_true(nothing_to_read());
}

static void lost_notifications_do_not_wake_for_nothing(void **state)
{
    (void)state;
    const struct nlmsghdr noop = {
        .nlmsg_len = sizeof noop,
        .nlmsg_type = NLMSG_NOOP,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
        .nlmsg_seq = CTL_WATCH_SEQ,
    };
    change_group(NETLINK_ADD_MEMBERSHIP);
    send(fd, &noop, sizeof noop, 0);
    assert_int_equal(receive(sizeof reply, MSG_DONTWAIT), -EAGAIN);
    send(fd, &noop, sizeof noop, 0);
    assert_int_equal(receive(0, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC), -EAGAIN);
}

static void those_who_left_are_not_told(void **state)
{
    (void)state;
    change_group(NETLINK_ADD_MEMBERSHIP);
    change_group(NETLINK_DROP_MEMBERSHIP);
    put_add("pct0", 0);
    send_one();
    assert_true(nothing_to_read());
}

static void notifications_need_no_room_for_a_name(void **state)
{
    struct iovec iov = { reply, sizeof reply };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct pollfd pfd = { fd, POLLIN, 0 };
    (void)state;
    change_group(NETLINK_ADD_MEMBERSHIP);
    put_add("pct0", 0);
    send_one();
    assert_int_equal(poll(&pfd, 1, 5000), 1);
    assert_true(nlfd_recvmsg(nl, fd, &msg, 0) > 0);
    assert_int_equal(reply_head()->nlmsg_type, RTM_NEWLINK);
}

/* ---- what the kernel does not take ----------------------------------------------------------------------------- */

static ssize_t send_to(void *name, socklen_t size, void *bytes)
{
    struct iovec iov = { bytes, request_size };
    struct msghdr msg = { .msg_name = name, .msg_namelen = size, .msg_iov = &iov, .msg_iovlen = 1 };
    return nlfd_sendmsg(nl, fd, &msg, 0);
}

static void what_does_not_go_to_the_kernel_is_left_alone(void **state)
{
    struct sockaddr_nl other = { .nl_family = AF_NETLINK, .nl_pid = 0x7ffffff0 };
    struct iovec many[UIO_MAXIOV + 1] = { { 0 } };
    struct msghdr msg = { .msg_iov = many, .msg_iovlen = UIO_MAXIOV + 1 };
    (void)state;
    put_add("pct0", NLM_F_ACK);
    end();
    assert_int_equal(send_to(&other, sizeof other, request), -ECONNREFUSED);
    other.nl_pid = 0;
    assert_int_equal(send_to(&other, 4, request), -EINVAL);
    assert_int_equal(send_to((void *)8, sizeof other, request), -EFAULT);
    assert_int_equal(send_to(&other, sizeof other, (void *)8), -EFAULT);
    assert_int_equal(nlfd_sendmsg(nl, fd, &msg, 0), -EMSGSIZE);
    request_size = 0;
    assert_int_equal(ifindex_of("pct0"), 0);
    assert_true(nothing_to_read());
}

static void answers_to_what_the_kernel_refused_do_not_come_later(void **state)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    int least = 0;
    (void)state;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    put_add("pct0", NLM_F_ACK);
    end();
    memset(request + request_size, 0, sizeof request - request_size);
    request_size = sizeof request;
    assert_int_equal(send_to(&kernel, sizeof kernel, request), -EMSGSIZE);
    request_size = 0;
    assert_true(nothing_to_read());
    assert_int_equal(add("pct1"), 0); /* not the answer to the other */
    assert_true(nothing_to_read());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void nlfd_has_state_for_256_sockets(void **state)
{
    struct nlfd *others[256];
    unsigned count = 0;

    (void)state;
    while (count < 256 && (others[count] = nlfd_open(&bus, fd, &ops)))
        count++;
    assert_int_equal(count, 255);
    nlfd_close(others[100]);
    assert_ptr_equal(nlfd_open(&bus, fd, &ops), others[100]);
    for (unsigned i = 0; i < count; i++)
        nlfd_close(others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(acknowledgement_looks_like_the_kernels),
        TEST(refusals_come_with_errno_and_request),
        TEST(success_that_nobody_asked_about_is_silent),
        TEST(get_by_name_and_by_index),
        TEST(peek_tells_the_length_and_takes_nothing),
        TEST(a_short_buffer_truncates),
        TEST(addresses_on_ours_are_refused),
        TEST(without_a_daemon_requests_fail),
        TEST(foreign_answers_are_the_kernels_own),
        TEST(batches_keep_their_order),
        TEST(answers_nobody_read_give_way_to_new_ones),
        TEST(dump_lists_both_worlds),
        TEST(long_dump_comes_in_parts),
        TEST(dump_is_as_long_as_it_was_peeked),
        TEST(dump_of_a_kind_of_ours_hides_the_others),
        TEST(short_old_dump_requests_work),
        TEST(address_dump_of_ours_is_empty),
        TEST(members_are_told_of_changes),
        TEST(lost_notifications_do_not_wake_for_nothing),
        TEST(those_who_left_are_not_told),
        TEST(notifications_need_no_room_for_a_name),
        TEST(what_does_not_go_to_the_kernel_is_left_alone),
        TEST(answers_to_what_the_kernel_refused_do_not_come_later),
        TEST(nlfd_has_state_for_256_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
