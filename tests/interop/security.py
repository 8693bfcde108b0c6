"""What strangers and hostile members of an instance try, for security.test: security.py WHAT ARGUMENTS... Prints what came of it."""
import array
import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
import sys

MAGIC, HELLO, SHOW = 0x4354434E, 1, 9


def outcome(action, *arguments):
    """The name of the error, or "done"."""
    try:
        action(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def hello(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.connect(path + "/ctl")
    try:
        sock.send(struct.pack("=IHHI", MAGIC, 1, HELLO, 0))
    except BrokenPipeError:  # it has said what it thinks of us, and closed
        pass
    data, ancillary, _, _ = sock.recvmsg(4096, 256)
    fds = array.array("i")
    for _, _, content in ancillary:
        fds.frombytes(content)
    return struct.unpack_from("=i", data)[0], list(fds)


def connect(path):
    """A stranger at the daemon's socket."""
    try:
        error, fds = hello(path)
        print(errno.errorcode[-error] if error else "done", len(fds))
    except OSError as failed:
        print(errno.errorcode[failed.errno], 0)


def show(path):
    """A member of the instance asks for files that are none of its business."""
    for wanted in (b"r/etc/passwd", b"r/proc/1/environ", b"d/etc", b"r/proc/net/can/../../../etc/passwd", b"s/sys/class/net/../../../etc"):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(path + "/ctl")
        sock.send(struct.pack("=IHHI", MAGIC, 1, SHOW, len(wanted)) + wanted)
        print(errno.errorcode.get(-struct.unpack_from("=i", sock.recv(65536))[0], "done"))


def listener():
    """To our own system calls, of a filter that lets all of them pass."""
    libc = ctypes.CDLL(None, use_errno=True)
    allow = (ctypes.c_uint64 * 1)(0x06 | 0x7FFF0000 << 32)  # BPF_RET, SECCOMP_RET_ALLOW
    program = struct.pack("=HxxxxxxQ", 1, ctypes.addressof(allow))
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    number = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    return libc.syscall(number, 1, 8, program)  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER


def door(path, what="listener"):
    """Somebody hands a descriptor in at the second door."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        sock.connect(path)
        numbers = struct.pack("=14i", 890, 900, 910, 920, 930, *[0] * 9)  # struct filter_range
        socket.send_fds(sock, [numbers], [listener() if what == "listener" else os.eventfd(0)])
        print("taken" if sock.recv(1) else "refused")
    except OSError as error:
        print("refused" if error.errno in (errno.EPIPE, errno.ECONNRESET) else errno.errorcode[error.errno])


def send(path):
    """A token to a socket's name."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    print(outcome(sock.sendto, b"w", path))


def take(path):
    """A name in the instance of another."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    print(outcome(sock.bind, path))


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def peek(pid):
    """Every way into the memory of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(8)
    here, there = Iovec(ctypes.addressof(buffer), 8), Iovec(0x10000, 8)
    libc.process_vm_readv(int(pid), ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    read = errno.errorcode[ctypes.get_errno()]
    traced = libc.ptrace(16, int(pid), 0, 0)  # PTRACE_ATTACH
    trace = errno.errorcode[ctypes.get_errno()] if traced else "done"
    print(outcome(lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))), outcome(os.listdir, f"/proc/{pid}/fd"),
          outcome(os.listdir, f"/proc/{pid}/map_files"), read, trace)


def memory(path):
    """A member of the instance wants to write to the interface table."""
    _, (control, data) = hello(path)
    size = os.fstat(control).st_size
    print("map", outcome(lambda: mmap.mmap(control, 4096, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)))
    print("write", outcome(os.pwrite, control, b"x", 0))
    print("reopened", outcome(lambda: mmap.mmap(os.open(f"/proc/self/fd/{control}", os.O_RDWR), 4096)))
    view = mmap.mmap(control, 4096, mmap.MAP_SHARED, mmap.PROT_READ)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(None, ctypes.c_size_t(4096), mmap.PROT_READ, mmap.MAP_SHARED, control, ctypes.c_long(0))
    print("protect", errno.errorcode[ctypes.get_errno()] if libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 3) else "done")
    view.close()
    for name, fd in (("control", control), ("data", data)):
        print(name, "shrink", outcome(os.ftruncate, fd, 0), "grow", outcome(os.ftruncate, fd, 1 << 40),
              "unseal", outcome(fcntl.fcntl, fd, fcntl.F_ADD_SEALS, 0) if name == "control" else "-")
    print("size", "unchanged" if os.fstat(control).st_size == size else "changed")


def bell(inode, count):
    """A stranger rings the bell, whose name he reads in /proc/net/unix."""
    with open("/proc/net/unix", encoding="ascii", errors="replace") as table:
        names = [line.split()[7] for line in table if line.split()[6] == inode and len(line.split()) > 7]
    name = "\0" + names[0][1:]
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(5)
    for number in range(int(count)):
        sock.sendto((struct.pack("=I", number % 4), struct.pack("=QII", number, number % 4, 0), b"", b"x" * 4000)[number % 4], name)
    print("sent")
    print("take", outcome(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).bind, name))


def give(number):
    """Passes a CAN socket of our instance on, over descriptor NUMBER."""
    can = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
    with socket.socket(fileno=int(number)) as sock:
        socket.send_fds(sock, [b"x"], [can.fileno()])
        sock.recv(1)


def accept(number, interface, meanwhile="true"):
    """Takes a stranger's CAN socket over descriptor NUMBER, and then opens one of its own."""
    with socket.socket(fileno=int(number)) as sock:
        _, fds, _, _ = socket.recv_fds(sock, 1, 1)
        print("theirs", outcome(lambda: socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW, fileno=fds[0]).bind((interface,))))
        os.system(meanwhile)
        ours = socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW)
        ours.bind((interface,))
        print("ours", ours.getsockname()[0])
        sock.send(b"x")


def pass_on(one, other):
    """Runs two commands, with a connection between them as descriptor 9."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    children = []
    for end, command in zip(pair, (one, other)):
        child = os.fork()
        if child == 0:
            os.dup2(end.fileno(), 9)
            os.execv("/bin/sh", ["sh", "-c", command])
        children.append(child)
    for end in pair:
        end.close()
    for child in children:
        os.waitpid(child, 0)


{name: function for name, function in globals().items() if callable(function)}[sys.argv[1]](*sys.argv[2:])
