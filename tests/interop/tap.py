"""For test files in Python: TAP, and a private instance around the file.

    from tap import Tap, inside, until
    inside("vcan0", "vcan1")    # starts the file again within `pocketcan run --private --link vcan0 --link vcan1`
    with Tap() as tap:          # prints the plan at the end; exits 1 when something failed
        tap.ok("name", condition)
        tap.is_("name", got, wanted)
"""
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

DEADLINE_S = 30 * float(os.environ.get("TEST_TIMEOUT_SCALE", "1"))  # for what takes milliseconds

signal.signal(signal.SIGINT, signal.default_int_handler)  # the runner ignores it, and what is ignored is inherited


def late(*_):
    raise TimeoutError("the test is not done in time")


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error:
            self.ok(f"{kind.__name__}: {error}".splitlines()[0], False, "".join(traceback.format_exception(error)))
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed else 0)

    def result(self, good, name, directive=""):
        self.count += 1
        self.failed += not good and not directive
        name = name.replace("#", "\\#")  # a bare one would begin a directive
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}{directive}", flush=True)

    def ok(self, name, good, explanation="", todo=""):
        self.result(good, name, f" # TODO {todo}" if todo else "")
        if not good and explanation:
            print("\n".join(f"# {line}" for line in str(explanation).splitlines()), flush=True)

    def is_(self, name, got, wanted, todo=""):
        self.ok(name, got == wanted, f"got:    {got}\nwanted: {wanted}", todo)

    def skip(self, name, reason):
        self.result(True, name, f" # SKIP {reason}")

    def check(self, name, function):
        """One test: it passes when function() raises nothing, and in time."""
        signal.signal(signal.SIGALRM, late)
        signal.alarm(int(DEADLINE_S * 4 / 3))
        try:
            function()
        except Exception:
            self.ok(name, False, traceback.format_exc())
        else:
            self.ok(name, True)
        signal.alarm(0)

    def group(self, function):
        """Calls function(tap); an exception in it is one failure and does not keep the rest of the file from running."""
        try:
            function(self)
        except Exception:
            self.ok(f"{function.__name__} gets to its end", False, traceback.format_exc())


def inside(*links):
    """The file itself again, in a private instance with these links, up. Returns at once when that is done already."""
    if os.environ.get("INTEROP_INSIDE") == sys.argv[0]:
        return
    os.environ["INTEROP_INSIDE"] = sys.argv[0]
    command = ["pocketcan", "run", "--private", *(f"--link={link}" for link in links), "--", sys.executable, *sys.argv]
    os.execvp(command[0], command)


def until(condition, seconds=DEADLINE_S):
    """Waits until condition() is true, and returns what it gave."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} is not true after {seconds} s")
        time.sleep(0.005)
    return value


def status():
    return json.loads(subprocess.run(["pocketcan", "status", "--json"], check=True, capture_output=True).stdout)


def sockets(pid):
    """What the instance knows of the bound sockets of a process."""
    return [socket for socket in status()["sockets"] if socket["pid"] == pid and socket["interface"]]


def run(*command, **options):
    """Standard output and error as one text, and the status."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_S, **options)
    return done.stdout, done.returncode


HERE = Path(__file__).resolve().parent
