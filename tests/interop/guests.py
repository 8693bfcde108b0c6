"""Virtual machines with CAN controllers on a bus of ours, for test files in Python that run in an instance (tap.inside()).

    from guests import Guest, Unavailable
    with Guest("vcan0") as one, Guest("vcan0", programs=("isotprecv",)) as other:   # both boot at once; see tests/vm/vm
        one.wait()                                      # has booted, can0 is up
        text = one.do("cansend can0 123#1122")          # standard output and error; raises Failed when its status is not 0
        one.start("candump can0", "log")                # goes on in the background and writes to /tmp/log
        one.lines(1, 4, "log")                          # waits for four lines of it

In each machine a Debian kernel drives a Kvaser PCI adapter (an SJA1000) that QEMU emulates; QEMU's can-host-socketcan, which runs in our
instance like any other program, carries what the controller sends and hears to the interface and back. So the kernel's own protocols talk
to whatever is on the bus: `one.do("echo 11 22 | isotpsend -s 321 -d 123 can0")` is Linux's ISO-TP.

The controller has room for 64 bytes of received frames, four with extended identifiers, and QEMU does not slow down who sends more: send
four at most (BATCH), then wait until they have arrived. Remote requests have to be of length 0: of others, QEMU's controller (7.2) leaves
bytes in its queue, and what comes next is read wrongly; so it is between two controllers of one machine without pocketcan.
"""
import os
import select
import shlex
import shutil
import subprocess
from pathlib import Path

from tap import DEADLINE_S

HERE = Path(__file__).resolve().parent
VM = HERE.parent / "vm/vm"
CAN_UTILS = ("candump", "cangen", "cansend")
CONTROLLER = "-object can-bus,id=bus -object can-host-socketcan,id=host,if={},canbus=bus -device kvaser_pci,canbus=bus"
BATCH = 4
UNAVAILABLE = 77

REPEAT_S = 3
# Takes a line "LENGTH:COMMAND", runs it, says "@@ STATUS". Variables and background jobs stay from line to line. An alias: the shell would take
# busybox's ip. The serial line of a busy machine may lose characters: then the shell says "@@ again", or waits for the line's end.
SHELL = """alias ip=$IP
ip link set can0 up type can bitrate 500000 || exit 1
echo @@ 0
while IFS= read -r line; do
    command=${line#*:}
    if [ "${line%%:*}" = ${#command} ]; then eval "$command" </dev/null; echo @@ $?
    elif [ -n "$line" ]; then echo @@ again; fi
done"""


class Unavailable(Exception):
    """There is no kernel to boot; the text says why."""


class Failed(Exception):
    """A command in the machine failed, or the machine did."""


class Guest:
    def __init__(self, interface, programs=(), kernel="6.1"):
        files = [shutil.which(program) or program for program in ("ip", *CAN_UTILS, *programs)]
        command = [VM, "-i", "-k", kernel, "-t", "600", *(word for file in files for word in ("-w", file)), "-q",
                   CONTROLLER.format(shlex.quote(interface)), "--", f"IP={files[0]}\n{SHELL}"]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()  # which ends QEMU
        try:
            self.process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise

    def answer(self):
        """What the command prints, when its status is 0."""
        said, line = "", ""
        while True:
            if not select.select([self.process.stdout], [], [], REPEAT_S)[0]:
                self.write("\n")
                continue
            got = os.read(self.process.stdout.fileno(), 1 << 16).decode()
            if not got:
                break
            *lines, line = (line + got).split("\n")
            for whole in lines:
                if whole == "@@ 0":
                    return said
                if whole == "@@ again":
                    self.begin(self.command)
                elif whole.startswith("@@ "):
                    raise Failed(said + whole)
                else:
                    said += whole + "\n"
        why = said + line + self.process.stderr.read()
        raise Unavailable(why) if self.process.wait() == UNAVAILABLE else Failed(why)

    def wait(self):
        """Until the machine has booted and its interface can0 is up. Once, before anything else."""
        self.answer()

    def write(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def begin(self, command):
        """answer() is to follow."""
        self.command = command
        self.write(f"{len(command)}:{command}\n")

    def do(self, command):
        self.begin(command)
        return self.answer()

    def start(self, command, log):
        """In the background, with its output in /tmp/LOG."""
        self.do(f"{command} >/tmp/{log} 2>&1 &")

    def start_candump(self, options="can0", log="candump"):
        """Returns when it hears every frame."""
        self.start(f"candump {options}", log)
        self.do("until grep -q can0 /proc/net/can/rcvlist_all; do usleep 1000; done")

    def lines(self, first, last, log="candump"):
        """Those lines of /tmp/LOG, the first is 1, and what is behind them already. Waits until they are there."""
        there = f"until [ $(wc -l </tmp/{log}) -ge {last} ]; do usleep 1000; done"
        return self.do(f"{there}; tail -n +{first} /tmp/{log}").splitlines()


def skip_reason(error):
    """For Unavailable: the reason to skip, or None where continuous integration is to look at everything."""
    return None if os.environ.get("CI") else str(error).strip()
