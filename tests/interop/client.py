"""Programs in the background that have CAN sockets."""
import os
import signal
import subprocess
from pathlib import Path

from tap import DEADLINE_S, sockets, until

WORK = Path(os.environ["TMPDIR"])


class Client:
    """A program in the background that writes to a file; ready when it has bound as many sockets as it should."""

    count, all = 0, []

    def __init__(self, *command, binds=1, **options):
        Client.count += 1
        self.path = WORK / f"client-{Client.count}"
        with open(self.path, "w") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, **options)
        Client.all.append(self.process)
        until(lambda: len(sockets(self.process.pid)) == binds or self.process.poll() is not None)

    def text(self):
        return self.path.read_text()

    def wait(self):
        """Its end by itself: its status."""
        return self.process.wait(DEADLINE_S)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()
