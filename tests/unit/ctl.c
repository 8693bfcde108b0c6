/* tests/unit/ctl.c - the client's side of the daemon's protocol, with a server that does not keep to it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include "harness/refuse.h"
#include "sockets/ctl.h"

static char dir[64];
static int listener;

/* What the server does with the next connection. */
static struct {
    struct ctl_reply head;
    size_t bytes; /* of the packet; 0: none */
    int fds;      /* sent along */
    int wait_ms;  /* before it accepts */
    int packets;
} script;

static void send_packet(int client)
{
    char packet[64] = { 0 }, space[CMSG_SPACE(8 * sizeof(int))] = { 0 };
    struct iovec iov = { packet, script.bytes };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    memcpy(packet, &script.head, sizeof(script.head));
    if (script.fds) {
        struct cmsghdr *cmsg = (struct cmsghdr *)space;
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN((size_t)script.fds * sizeof(int));
        for (int i = 0; i < script.fds; i++)
            ((int *)CMSG_DATA(cmsg))[i] = 0;
        msg.msg_control = space;
        msg.msg_controllen = cmsg->cmsg_len;
    }
    sendmsg(client, &msg, MSG_NOSIGNAL);
}

/* Answers one request, whoever connects without one before. */
static void *serve(void *unused)
{
    char request[4096];
    bool done = false;

    (void)unused;
    usleep((useconds_t)script.wait_ms * 1000);
    while (!done) {
        int client = accept(listener, NULL, NULL);
        done = recv(client, request, sizeof(request), 0) > 0;
        for (int i = 0; done && i < script.packets; i++)
            send_packet(client);
        close(client);
    }
    return NULL;
}

static int lowest_fd(void)
{
    int fd = dup(0);

    close(fd);
    return fd;
}

/* Descriptors wanted: `nfds`; nothing may stay open but those. */
static int ask(int *fds, unsigned nfds)
{
    char reply[32];
    size_t size;
    int result, before = lowest_fd();
    pthread_t server;

    pthread_create(&server, NULL, serve, NULL);
    result = ctl_call(dir, CTL_STATUS, NULL, 0, -1, reply, sizeof(reply), &size, fds, nfds);
    pthread_join(server, NULL);
    for (unsigned i = 0; result == 0 && i < nfds; i++)
        if (fds[i] >= 0) close(fds[i]);
    assert_int_equal(lowest_fd(), before);
    return result;
}

static int set_up(void **state)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof(dir), "%s/pct-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/ctl", dir);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(listener, 0), 0);
    memset(&script, 0, sizeof(script));
    script.bytes = sizeof(script.head);
    script.packets = 1;
    return 0;
}

static int tear_down(void **state)
{
    char name[80];

    (void)state;
    snprintf(name, sizeof(name), "%s/ctl", dir);
    close(listener);
    unlink(name);
    return rmdir(dir);
}

static void good_answers(void **state)
{
    int fds[2];

    (void)state;
    assert_int_equal(ask(NULL, 0), 0);
    script.fds = 2;
    assert_int_equal(ask(fds, 2), 0);
    assert_true(fds[0] >= 0 && fds[1] >= 0);
}

static void descriptors_nobody_asked_for_are_closed(void **state)
{
    int fds[2] = { -1, -1 };

    (void)state;
    script.fds = 2;
    assert_int_equal(ask(fds, 1), 0);
    script.fds = 1;
    assert_int_equal(ask(NULL, 0), 0);
}

static void descriptors_of_a_refusal_are_closed(void **state)
{
    int fds[2] = { -1, -1 };

    (void)state;
    script.fds = 2;
    script.head.error = -EPERM;
    assert_int_equal(ask(fds, 2), -EPERM);
    assert_int_equal(fds[0], -1);
}

static void answers_that_are_none(void **state)
{
    (void)state;
    script.packets = 0;
    assert_int_equal(ask(NULL, 0), -ECONNRESET);
    script.packets = 1;
    script.bytes = 5;
    assert_int_equal(ask(NULL, 0), -EPROTO);
    script.bytes = sizeof(script.head);
    script.head.error = 5; /* errors are negative */
    assert_int_equal(ask(NULL, 0), -EPROTO);
    script.head.error = 0;
    script.head.size = 4;
    assert_int_equal(ask(NULL, 0), -EPROTO);
    script.head.size = 40;
    script.bytes = sizeof(script.head) + 40;
    assert_int_equal(ask(NULL, 0), -EMSGSIZE);
    script.bytes = sizeof(script.head);
    script.head.size = 0;
    script.head.flags = CTL_MORE; /* and then none */
    assert_int_equal(ask(NULL, 0), -ECONNRESET);
}

static void too_much_is_not_sent(void **state)
{
    static char payload[CTL_PACKET_MAX];
    char deep[120];
    int fds[100];

    (void)state;
    assert_int_equal(ctl_call(dir, CTL_STATUS, payload, sizeof(payload), -1, NULL, 0, NULL, NULL, 0),
                     -EMSGSIZE);
    assert_int_equal(ctl_call(dir, CTL_STATUS, NULL, 0, -1, NULL, 0, NULL, fds, 100), -EINVAL);
    memset(deep, 'x', sizeof(deep));
    deep[sizeof(deep) - 1] = 0;
    assert_int_equal(ctl_call(deep, CTL_STATUS, NULL, 0, -1, NULL, 0, NULL, NULL, 0), -ENAMETOOLONG);
    assert_int_equal(ctl_watch(deep, -1, 0), -ENAMETOOLONG);
}

static void a_refused_watch_leaves_nothing_open(void **state)
{
    int before = lowest_fd();
    pthread_t server;

    (void)state;
    script.head.error = -EINVAL;
    pthread_create(&server, NULL, serve, NULL);
    assert_int_equal(ctl_watch(dir, -1, 0), -EINVAL);
    pthread_join(server, NULL);
    assert_int_equal(lowest_fd(), before);
}

/* Somebody waits in the server's queue, which has room for one. */
static void a_full_queue_is_waited_for(void **state)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int first = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    (void)state;
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/ctl", dir);
    assert_int_equal(connect(first, (struct sockaddr *)&name, sizeof(name)), 0);
    close(first);
    script.wait_ms = 50;
    assert_int_equal(ask(NULL, 0), 0);
}

static void on_alarm(int number) { (void)number; }

static void a_signal_does_not_end_the_wait(void **state)
{
    struct sigaction action = { .sa_handler = on_alarm }, before;
    struct itimerval often = { { 0, 2000 }, { 0, 2000 } }, never = { 0 };

    (void)state;
    sigaction(SIGALRM, &action, &before);
    script.wait_ms = 50;
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(ask(NULL, 0), 0);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
}

static int call_is(int error)
{
    int before = lowest_fd();

    MUST(ctl_call(dir, CTL_STATUS, NULL, 0, -1, NULL, 0, NULL, NULL, 0) == error);
    MUST(lowest_fd() == before);
    return 0;
}

static int without_sockets(void)
{
    refuse(SYS_socket, EMFILE);
    return call_is(-EMFILE);
}

static int without_poll(void)
{
    refuse(SYS_ppoll, ENOMEM);
    return call_is(-ENOMEM);
}

static int without_sendmsg(void)
{
    refuse(SYS_sendmsg, ENOBUFS);
    return call_is(-ENOBUFS);
}

static int of_another_user(void)
{
    refuse(SYS_connect, EACCES);
    return call_is(-EPERM);
}

static void errors_of_the_kernel_are_told(void **state)
{
    (void)state;
    listen(listener, 9); /* nobody takes them */
    assert_int_equal(in_child(without_sockets), 0);
    assert_int_equal(in_child(without_poll), 0);
    assert_int_equal(in_child(without_sendmsg), 0);
    assert_int_equal(in_child(of_another_user), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(good_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_nobody_asked_for_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptors_of_a_refusal_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_much_is_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refused_watch_leaves_nothing_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_queue_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_signal_does_not_end_the_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_of_the_kernel_are_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
