/* Sockets and network namespaces. Needs the right to make one. */
#include "link.h"

static int old_namespace(void)
{
    int fd = OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));

    VCAN_DOWN(); /* skips for users who may not */
    if (unshare(CLONE_NEWNET)) SKIP("may not make a namespace");
    return fd;
}

TEST(netns_socket_belongs_to_where_it_was_made)
{
    int fd = raw_a(), a = raw_a(), index = index_of(if_a());

    old_namespace();
    put(a, 1);
    CHECK_GETS(fd, 1);
    OK(bind_index(fd, 0));
    OK(bind_index(fd, index));
    put(a, 2);
    CHECK_GETS(fd, 2);
}

TEST(netns_new_one_has_no_can_links)
{
    int index = index_of(if_a());

    old_namespace();
    CHECK_EQ(if_nametoindex(if_a()), 0);
    CHECK_ERRNO(bind_index(raw_new(), index), ENODEV);
}

TEST(netns_any_socket_does_not_hear_others)
{
    int a = raw_a(), fd;

    old_namespace();
    fd = raw_any();
    put(a, 1);
    CHECK_QUIET(fd);
}

TEST(netns_move_of_a_link_is_its_removal)
{
    int index = VCAN_UP(), fd = raw_bound(index), old = old_namespace(), target;
    struct link_request r = link_request(RTM_NEWLINK, 0, index);
    struct sockaddr_can a;
    socklen_t len = sizeof(a);

    target = OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    OK(setns(old, CLONE_NEWNET));
    link_attribute(&r, IFLA_NET_NS_FD, &target, sizeof(target));
    CHECK_EQ(link_talk(&r), 0);
    CHECK_EQ(sol_get(fd, SO_ERROR), ENODEV);
    OK(getsockname(fd, (struct sockaddr *)&a, &len));
    CHECK_EQ(a.can_ifindex, 0);
}

TEST(netns_frames_of_a_vxcan_cross)
{
    int a, b, fd, peer, old, target;
    struct link_request r;
    char name[IFNAMSIZ];
    struct message m;

    VXCAN_UP(&a, &b);
    CHECK(if_indextoname(b, name) != NULL);
    fd = raw_bound(a);
    old = old_namespace();
    target = OK(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    OK(setns(old, CLONE_NEWNET));
    r = link_request(RTM_NEWLINK, 0, b);
    link_attribute(&r, IFLA_NET_NS_FD, &target, sizeof(target));
    CHECK_EQ(link_talk(&r), 0);
    OK(setns(target, CLONE_NEWNET));
    LINK_UP(index_of(name));
    LINK_AWAIT(index_of(name), OPER_UP);
    peer = raw_bound(index_of(name));
    put(peer, 1);
    RECEIVE(fd, &m);
    CHECK_EQ(m.can.can_id, 1);
    CHECK_EQ(m.flags, 0);
    OK(setns(old, CLONE_NEWNET));
    LINK_AWAIT(a, OPER_UP);
    put(fd, 2);
    CHECK_GETS(peer, 2);
}
