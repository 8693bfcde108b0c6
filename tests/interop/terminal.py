"""`pocketcan run` on a terminal, for cli.test: terminal.py WHAT. Exits with 0 when it behaves like any command."""
import os
import pty
import re
import signal
import sys
import time

DEADLINE_S = 20

# Exits with the number of SIGINT that came before a line of input.
COUNT_INTERRUPTS = """import signal, sys
count = []
def caught(*_):
    count.append(1)
    print("ca" + "ught", flush=True)
signal.signal(signal.SIGINT, caught)
print("rea" + "dy", flush=True)
sys.stdin.readline()
sys.exit(len(count))
"""


class Terminal:
    """An interactive bash on a pseudo-terminal."""

    def __init__(self):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test runner may ignore it
            os.environ.update(PS1="PROMPT>", TERM="dumb", BASH_SILENCE_DEPRECATION_WARNING="1", SHELL="/bin/bash")
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"])
        os.set_blocking(self.fd, False)
        self.wait("PROMPT>")

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait(self, regex):
        """Waits until the output since the last match has `regex`."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            match = re.search(regex, self.text)
            if match:
                self.text = self.text[match.end():]
                return match
            if time.monotonic() > deadline:
                sys.exit(f"no {regex!r} in {self.text!r}")
            try:
                self.text += os.read(self.fd, 4096).decode(errors="replace").replace("\r", "")
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                sys.exit(f"the terminal is closed; no {regex!r} in {self.text!r}")

    def close(self):
        os.kill(self.pid, signal.SIGHUP)
        os.waitpid(self.pid, 0)


def interrupt():
    """^C reaches the command from the terminal; it must not come a second time from us."""
    term = Terminal()
    term.send("pocketcan run --private python3 -c '" + COUNT_INTERRUPTS + "'\n")
    term.wait("ready\n")
    term.send("\x03")
    term.wait("caught\n")
    term.send("line\n")
    term.send("echo sta\"\"tus $?\n")
    term.wait("status 1\n")
    term.send("pocketcan run --private cat\n")
    term.send("hello\n")
    term.wait("(?s)hello\n.*hello\n")
    term.send("\x03")
    term.wait("PROMPT>")
    term.send("echo sta\"\"tus $?\n")
    term.wait("status 130\n")
    term.close()


def stop():
    term = Terminal()
    term.send("pocketcan run --private cat\n")
    term.send("one\n")
    term.wait("(?s)one\n.*one\n")
    term.send("\x1a")
    term.wait("Stopped")
    term.send("echo alive\n")
    term.wait("alive\n")
    term.send("fg\n")
    term.wait("pocketcan run --private cat\n")
    term.send("two\n")
    term.wait("(?s)two\n.*two\n")
    term.send("\x04")
    term.wait("PROMPT>")
    term.send("echo sta\"\"tus $?\n")
    term.wait("status 0\n")
    term.close()


def shell():
    term = Terminal()
    term.send("pocketcan run --private bash --norc --noprofile --noediting -i\n")
    term.wait("PROMPT>")
    term.send("PS1='INN''ER>'\n")
    term.wait("INNER>")
    term.send("cat\n")
    term.send("one\n")
    term.wait("(?s)one\n.*one\n")
    term.send("\x1a")
    term.wait("Stopped")
    term.send("jobs\n")
    term.wait("Stopped +cat")
    term.send("fg\n")
    term.send("two\n")
    term.wait("(?s)two\n.*two\n")
    term.send("\x03")
    term.wait("INNER>")
    term.send("suspend\n")  # the shell inside stops itself: the whole job stops
    term.wait("Stopped")
    term.send("echo out\"\"side\n")
    term.wait("outside\n")
    term.send("fg\n")
    term.send("echo in\"\"side\n")
    term.wait("inside\n")
    term.send("exit 6\n")
    term.send("echo sta\"\"tus $?\n")
    term.wait("status 6\n")
    term.close()


{"interrupt": interrupt, "stop": stop, "shell": shell}[sys.argv[1]]()
