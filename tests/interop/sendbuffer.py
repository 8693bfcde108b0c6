#!/usr/bin/env python3
"""What a full send buffer does: `sendbuffer.py INTERFACE CASE`. The interface is of kind "can", 125 kbit/s, with a long queue."""
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

FRAME = struct.pack("=IB3x8s", 0x55, 8, bytes(8))
SIZE = 212992
CHARGE = 768  # of a CAN frame
MOST = (SIZE + CHARGE - 1) // CHARGE
SO_MEMINFO = 55
interface = sys.argv[1]


def new_socket(size=SIZE // 2):
    s = socket.socket(socket.PF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    s.setsockopt(socket.SOL_CAN_RAW, socket.CAN_RAW_FILTER, b"")
    s.bind((interface,))
    return s


def taken(s):
    return struct.unpack("=9I", s.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[2]


def fill(s):
    """Sends as long as there is room; returns how many frames and why no more."""
    count = 0
    try:
        while count < 5000:
            s.send(FRAME, socket.MSG_DONTWAIT)
            count += 1
    except OSError as error:
        return count, error.errno
    return count, 0


def is_writable(s):
    return bool(select.select([], [s], [], 0)[1])


def case_eagain():
    with new_socket() as s:
        start = time.monotonic()
        count, why = fill(s)
        sent_meanwhile = int((time.monotonic() - start) / 0.0008) + 1
        assert why == errno.EAGAIN and MOST <= count <= MOST + sent_meanwhile, (count, why)
        s.setblocking(False)
        fill(s)
        try:
            s.send(FRAME)
            raise AssertionError("sent")
        except BlockingIOError:
            pass
        assert taken(s) > SIZE - 4 * CHARGE, taken(s)


def case_poll():
    with new_socket() as s, select.epoll() as e:
        p = select.poll()
        p.register(s, select.POLLOUT | select.POLLIN)
        e.register(s, select.EPOLLOUT | select.EPOLLIN)
        assert is_writable(s) and p.poll(0) and e.poll(0)
        while taken(s) < SIZE // 2:
            s.send(FRAME)
        for _ in range(4):
            s.send(FRAME)
        assert not is_writable(s) and not p.poll(0) and not e.poll(0)
        for wait in (lambda: select.select([], [s], [], 5)[1], lambda: p.poll(5000), lambda: e.poll(5)):
            assert fill(s)[1] == errno.EAGAIN
            start, used = time.monotonic(), time.process_time()
            assert wait()
            assert time.monotonic() - start > 0.05 and taken(s) < SIZE // 2, (time.monotonic() - start, taken(s))
            assert time.process_time() - used < 0.05, "spins"
        fill(s)
        for wait in (lambda: select.select([], [s], [], 0.02)[1], lambda: p.poll(20), lambda: e.poll(0.02)):
            start = time.monotonic()
            assert not wait() and 0.019 < time.monotonic() - start < 0.1


def case_edges():
    with new_socket() as s, select.epoll() as e:
        e.register(s, select.EPOLLOUT | select.EPOLLET)
        assert e.poll(5) and not e.poll(0.01)
        for _ in range(3):
            assert fill(s)[1] == errno.EAGAIN
            assert e.poll(5) and taken(s) < SIZE // 2 and not e.poll(0)
        assert fill(s)[1] == errno.EAGAIN
        while taken(s) >= SIZE // 2:  # there is room again before anybody waits
            time.sleep(0.01)
        assert e.poll(0.5), "no edge"
        e.modify(s, select.EPOLLOUT | select.EPOLLONESHOT)
        assert e.poll(1) and not e.poll(0)
        fill(s)
        assert not e.poll(0.3), "twice"
        fill(s)
        e.modify(s, select.EPOLLOUT | select.EPOLLONESHOT)
        assert e.poll(5) and not e.poll(0.1)


def case_blocks():
    with new_socket() as s:
        fill(s)
        start, used, longest = time.monotonic(), time.process_time(), 0
        for _ in range(MOST):
            before = time.monotonic()
            s.send(FRAME)
            longest = max(longest, time.monotonic() - before)
        assert time.monotonic() - start > 0.1 and longest > 0.05, (time.monotonic() - start, longest)
        assert time.process_time() - used < 0.1, "spins"
        fill(s)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 20000))
        start = time.monotonic()
        try:
            s.send(FRAME)
            s.send(FRAME)
            raise AssertionError("sent")
        except OSError as error:
            assert error.errno == errno.EAGAIN and 0.019 < time.monotonic() - start < 0.2, error


def child_in_write(handler_restarts):
    """A process that is asleep in write(2) until half of its buffer is free, which takes 0.14 s."""
    code = f"""
import ctypes, os, signal, sys
sys.argv = ["", {interface!r}, ""]
sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
import sendbuffer
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGUSR1, lambda *args: None)
signal.siginterrupt(signal.SIGUSR1, {not handler_restarts})
s = sendbuffer.new_socket()
sendbuffer.fill(s)
os.write(1, b"full")
result = libc.write(s.fileno(), sendbuffer.FRAME, 16)
os.write(1, b"%d %d" % (result, ctypes.get_errno() if result < 0 else 0))
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)


def case_signals():
    for restarts, wanted in ((False, b"-1 %d" % errno.EINTR), (True, b"16 0")):
        with child_in_write(restarts) as child:
            assert os.read(child.stdout.fileno(), 4) == b"full"
            while not select.select([child.stdout], [], [], 0.02)[0]:
                child.send_signal(signal.SIGUSR1)
            result = child.stdout.read()
            assert result == wanted, (restarts, result)


def case_down():
    """An interface that goes down ends the wait, and gives everything back."""
    with new_socket() as s:
        fill(s)
        threading.Timer(0.03, subprocess.run, (["ip", "link", "set", interface, "down"],), {"check": True}).start()
        try:
            while True:
                s.send(FRAME)
        except OSError as error:
            assert error.errno == errno.ENETDOWN, error
        assert taken(s) == 0, taken(s)
        subprocess.run(["ip", "link", "set", interface, "up"], check=True)
        s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert fill(s)[0] >= MOST


def case_worker():
    """So does a worker that is killed; the next one has an empty queue."""
    with new_socket() as s:
        fill(s)
        status = subprocess.run(["pocketcan", "status", "--json"], check=True, stdout=subprocess.PIPE).stdout
        worker = int(status.split(b'"worker_pid":')[1].split(b",")[0])
        fill(s)
        os.kill(worker, signal.SIGKILL)
        s.send(FRAME)
        end = time.monotonic() + 5
        while not is_writable(s):
            assert time.monotonic() < end
            time.sleep(0.01)


def case_new():
    """A socket in the place of one that was closed with a full buffer begins with an empty one."""
    for _ in range(3):
        with new_socket() as s:
            assert taken(s) == 0
            fill(s)
            assert taken(s)


if __name__ == "__main__":
    globals()["case_" + sys.argv[2]]()
