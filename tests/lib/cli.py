# SPDX-License-Identifier: Apache-2.0
"""The command line, as a script would call it: no terminal, output read to the end."""
import json
import os
import signal
import subprocess
import threading

from lib.cluster import BINARY
from lib.wait import PATIENCE, wait_until

DONE, FAILED, USAGE, CONFIG, START, NOT_FOUND, UNREACHABLE, UNKNOWN = range(8)


def muster(*arguments, address=None, stdin=b"", **more):
    """Run it to its end; stdout and stderr are text."""
    environment = {key: value for key, value in os.environ.items()
                   if key != "MUSTER_ADDRESS"}
    if address is not None:
        environment["MUSTER_ADDRESS"] = address
    found = subprocess.run([BINARY, *map(str, arguments)], input=stdin, timeout=PATIENCE,
                           env=environment, capture_output=True, check=False, **more)
    found.stdout = found.stdout.decode()
    found.stderr = found.stderr.decode()
    return found


def refused(code, *arguments, **more):
    """It ends with `code`, prints nothing, and says why in one line, which this returns."""
    found = muster(*arguments, **more)
    assert found.returncode == code, (found.returncode, found.stdout, found.stderr)
    assert found.stdout == "" and found.stderr.count("\n") == 1, (found.stdout, found.stderr)
    return found.stderr


def done(*arguments, **more):
    """It ends with 0 and complains of nothing; what it printed."""
    found = muster(*arguments, **more)
    assert (found.returncode, found.stderr) == (DONE, ""), found
    return found.stdout


def hear_interrupts():
    """A shell that starts the tests in the background has them ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Followed(threading.Thread):
    """`muster events --follow` of those addresses, read as it writes:
    `with Followed(addresses, "--after", 0) as followed:`; it is interrupted at the end."""

    def __init__(self, addresses, *arguments, output="json"):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            [BINARY, "events", "--follow", "-o", output, "--address", addresses,
             *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=hear_interrupts)
        self.lines = []
        self.code = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ends(signal.SIGINT)

    def run(self):
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line.decode())

    def events(self):
        return [json.loads(line) for line in self.lines]

    def has(self, count):
        """Wait until it has printed so many lines."""
        wait_until(f"{count} lines are printed", lambda: len(self.lines) >= count)

    def ends(self, sent=None):
        """Send it that signal, or wait until it ends by itself; its exit code."""
        if self.code is None:
            if sent is not None:
                self.process.send_signal(sent)
            self.code = self.process.wait(PATIENCE)
            if self.is_alive():
                self.join(PATIENCE)
            self.said = self.process.stderr.read().decode()
            self.process.stderr.close()
        return self.code
