"""Bad clients of the daemon, for daemon.test: ctl.py DIR WHAT. Exits with 0 when the daemon bore it."""
import array
import errno
import random
import socket
import struct
import sys
import time

MAGIC, VERSION = 0x4354434E, 1
HELLO, NETLINK, IOCTL, WATCH, STATUS, SHUTDOWN = range(1, 7)
DIR = sys.argv[1]


def connect():
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(10)
    deadline = time.monotonic() + 30
    while True:
        try:
            sock.connect(DIR + "/ctl")
            return sock
        except BlockingIOError:  # the backlog is full: a busy machine
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


def request(op, payload=b"", version=VERSION, magic=MAGIC, size=None):
    return struct.pack("=IHHI", magic, version, op, len(payload) if size is None else size) + payload


def reply(sock):
    """The error of one answer; None when the connection was closed."""
    try:
        data = sock.recv(1 << 16)
    except ConnectionError:
        return None
    return struct.unpack_from("=i", data)[0] if data else None


def ask(packet):
    sock = connect()
    sock.send(packet)
    answer = reply(sock)
    sock.close()
    return answer


def dump(seq=1):
    """CTL_NETLINK with an RTM_GETLINK dump."""
    message = struct.pack("=IHHIIBxHiII", 32, 18, 0x301, seq, 0, 0, 0, 0, 0, 0)
    return request(NETLINK, struct.pack("=IIII", 1, 0, 0, 0) + message)


def garbage():
    rng = random.Random(1)
    for _ in range(2000):
        sock = connect()
        sock.send(rng.randbytes(rng.randrange(1, 200)))
        assert reply(sock) == -errno.EBADMSG
        assert reply(sock) is None, "the connection stays open after garbage"
        sock.close()


def truncated():
    for size in range(1, 12):
        assert ask(request(HELLO)[:size]) == -errno.EBADMSG
    for claimed in (1, 0x7FFFFFFF, 0xFFFFFFFF):
        assert ask(request(HELLO, size=claimed)) == -errno.EBADMSG
    assert ask(request(NETLINK, bytes(20))) == -errno.EINVAL
    assert ask(request(IOCTL, bytes(47))) == -errno.EINVAL
    assert ask(request(99)) == -errno.EOPNOTSUPP
    assert ask(request(NETLINK, bytes(40000))) == -errno.EBADMSG
    sock = connect()
    sock.close()


def versions():
    for op in (HELLO, NETLINK, IOCTL, WATCH, STATUS, 99):
        assert ask(request(op, version=99)) == -errno.EPROTO, op


def idle():
    """More silent connections than the daemon keeps: the oldest make room, and after a while all are dropped."""
    socks = [connect() for _ in range(700)]
    assert ask(request(STATUS)) == 0
    gone, deadline = 0, time.monotonic() + 30
    for sock in socks:
        sock.settimeout(max(0.1, deadline - time.monotonic()))
        gone += reply(sock) is None
    assert gone == 700, gone


def slow():
    """Clients that ask and never read."""
    socks = []
    for _ in range(100):
        sock = connect()
        sock.setblocking(False)
        try:
            while True:
                sock.send(dump())
        except (BlockingIOError, ConnectionError):
            pass
        socks.append(sock)
        start = time.monotonic()
        assert ask(request(STATUS)) == 0
        assert time.monotonic() - start < 2


def descriptors():
    """Descriptors where none, or others, are wanted."""
    fds = array.array("i", [0] * 200)
    for op, count, payload in ((HELLO, 1, b""), (STATUS, 200, b""), (WATCH, 3, struct.pack("=I", 1)), (99, 2, b"")):
        for _ in range(300):
            sock = connect()
            sock.sendmsg([request(op, payload)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds[:count])])
            answer = reply(sock)
            assert answer == {WATCH: -errno.EBADF, 99: -errno.EOPNOTSUPP}.get(op, 0), (op, answer)
            sock.close()
    assert ask(request(WATCH, struct.pack("=I", 1))) == -errno.EBADF


def watchers():
    """More watchers than there may be; and all of them at once are gone."""
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    answers, socks = [], []
    for _ in range(500):
        sock = connect()
        sock.sendmsg([request(WATCH, struct.pack("=I", 1))],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [route.fileno()]))])
        answers.append(reply(sock))
        socks.append(sock)
    assert answers == [0] * 384 + [-errno.ENOBUFS] * 116, answers
    assert ask(request(STATUS)) == 0
    for sock in socks:
        sock.close()
    sock = connect()
    sock.sendmsg([request(WATCH, struct.pack("=I", 1))],
                 [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [route.fileno()]))])
    assert reply(sock) == 0


def netlink():
    """Netlink bytes that are none: the link server may refuse them as it likes, but has to answer."""
    rng = random.Random(2)
    sock = connect()
    for _ in range(3000):
        size = rng.randrange(16, 300)
        head = struct.pack("=IHHII", rng.choice((size, size, 0, 16, 0xFFFFFFFF)), rng.choice((16, 17, 18, 19, 99)),
                           rng.choice((1, 5, 0x301, 0x605)), 1, 0)
        body = struct.pack("=BxHiII", 0, 280, rng.choice((0, 0, 10000, -1)), rng.choice((0, 1)), 1)
        sock.send(request(NETLINK, struct.pack("=IIII", 1, 0, 1, 0) + (head + body + rng.randbytes(size))[:size]))
        if reply(sock) is None:
            sock = connect()


def stranger():
    try:
        sock = connect()
        sock.send(request(HELLO))
    except OSError:
        return
    answer = reply(sock)
    assert answer in (None, -errno.EACCES), answer


{name: function for name, function in globals().items() if callable(function)}[sys.argv[2]]()
