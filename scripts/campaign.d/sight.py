# SPDX-License-Identifier: Apache-2.0
"""Which runs nobody could end, and when: their supervisor, their guard and their node were all
dead or frozen. That alone is outside of what is promised of runs; it is looked at all the
time, and counts only for runs that a fault was made for."""
import pathlib
import threading
import time

EVERY = 0.1
SLACK = 1.5  # seconds until who can run again has killed it


def runs_on(pid):
    """It is there and not stopped."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return text.rsplit(")", 1)[1].split()[0] not in "TZX"


class Sight:
    def __init__(self, nodes, grace):
        self.nodes = nodes
        self.grace = grace  # seconds
        self.alone = {}     # run: [[since, until], ...]
        self.harmed = set()
        self.open = {}      # run: the interval that goes on
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look_on, daemon=True)
        self.thread.start()

    def stop(self):
        self.over.set()
        self.thread.join(10)

    def harm(self, numbers):
        """A fault is made for those who watch over these runs."""
        self.harmed.update(numbers)

    def excuses(self, number, when):
        """May that run have been alive at that moment, although it was not to be?"""
        return number in self.harmed and any(
            since <= when <= until + SLACK and min(until, when) - since >= self.grace - EVERY
            for since, until in list(self.alone.get(number, ())))

    def text(self, number):
        return ", ".join(f"{since:.2f}-{until:.2f}"
                         for since, until in self.alone.get(number, ())) or "never"

    def _look_on(self):
        before = time.monotonic()
        while not self.over.wait(EVERY):
            now = time.monotonic()
            alone = set()
            for node in self.nodes:
                alone.update(self._alone_on(node))
            for number in alone:
                if number not in self.open:
                    self.open[number] = [before, now]  # since some time in between
                    self.alone.setdefault(number, []).append(self.open[number])
                self.open[number][1] = now
            for number in set(self.open) - alone:
                self.open.pop(number)[1] = now
            before = now

    @staticmethod
    def _alone_on(node):
        machine = node.machine
        try:
            runs = machine.runs()
            frozen = machine.group.frozen()
        except OSError:
            return
        process = node.process
        node_runs = process is not None and runs_on(process.pid) and not frozen
        if node_runs:
            return
        for number, run in runs.items():
            if run.programs and (frozen or not any(
                    pid is not None and runs_on(pid) for pid in (run.supervisor, run.guard))):
                yield number
