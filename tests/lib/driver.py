# SPDX-License-Identifier: Apache-2.0
"""A node that is the driver alone (lib/driver_node.c), and modules for it to run."""
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading

from lib.wait import PATIENCE, wait_until

MUSTER = pathlib.Path(os.environ.get("MUSTER", "build/muster")).resolve()
PROGRAM = MUSTER.parent / "tests" / "driver_node"


def module(folder, apply=None, plan=None):
    """A module's folder with these scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("apply", apply), ("plan", plan)):
        if text is not None:
            path = folder / name
            path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
    return folder


class Driver:
    """One start of the driver on a data folder; `options` are those of the program, `before`
    what it is started by, `errors` a file for what it logs."""

    def __init__(self, data, before=(), errors=None, **options):
        self.data = pathlib.Path(data)
        self.data.mkdir(parents=True, exist_ok=True)
        words = [w for key, value in options.items()
                 for w in ("--" + key.replace("_", "-"), str(value))]
        self.process = subprocess.Popen([*before, PROGRAM, "--data", self.data, *words],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=errors and open(errors, "wb"))
        self.lines = queue.Queue()
        self.seen = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def __enter__(self):
        self.ready()
        return self

    def __exit__(self, *_):
        self.close()

    def say(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()

    def next(self, event, run=None, deadline=PATIENCE):
        """The next such event; what came before it is in `seen`."""
        while True:
            got = self.lines.get(timeout=deadline)
            assert got is not None, f"the driver ended; it said last {self.seen[-3:]}"
            self.seen.append(got)
            if got["event"] == event and run in (None, got.get("run")):
                return got

    def ready(self):
        self.next("ready")
        return self

    def found(self):
        """What was found, by run: {run: event}."""
        self.ready()
        return {e["run"]: e for e in self.seen if e["event"] == "found"}

    def start(self, run, module, deadline=60000, **keys):
        self.say("start", f"run={run}", f"module={module}", f"deadline={deadline}",
                 *(f"{key}={value}" for key, value in keys.items()))

    def ended(self, run):
        return self.next("ended", run)

    def run(self, run, module, **keys):
        """Its end."""
        self.start(run, module, **keys)
        return self.ended(run)

    def folder(self, run):
        return self.data / "runs" / str(run)

    def log(self, run):
        return log_text(self.folder(run) / "log")

    def supervisor(self, run):
        """The pid of a run's supervisor, or None."""
        record = self.folder(run) / "record"
        if not record.exists():
            return None
        return int.from_bytes(record.read_bytes()[8:16], "little") or None

    def guard(self, run):
        """The pid of the process above it."""
        return parent(self.supervisor(run))

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.reader.join()

    def abandon(self):
        """It ends by itself, as if it was killed; what it was started by may go on."""
        mine = processes_with(f"{PROGRAM}\0--data\0{self.data}\0", of="cmdline")
        self.process.stdin.close()
        wait_gone(*mine)

    def close(self):
        if self.process.stdin.closed:
            return
        if self.process.poll() is None:
            self.say("close")
            self.process.stdin.close()
            assert self.process.wait(PATIENCE) == 0
            self.reader.join()


def log_text(folder):
    """All that a log has, without marks for what is missing."""
    if not folder.exists():
        return b""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir())
                    if path.name.isdigit())


def processes_with(text, of="environ"):
    """Pids that live and whose environment (or `cmdline`, from its beginning) has this."""
    found = []
    for path in pathlib.Path("/proc").glob(f"[0-9]*/{of}"):
        try:
            at = path.read_bytes().find(text.encode())
        except OSError:
            continue  # it has just ended, or is somebody else's
        if (at == 0 or (at > 0 and of == "environ")) and alive(path.parent.name):
            found.append(int(path.parent.name))
    return found


def parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def alive(pid):
    """It runs: it is there and no zombie, or one with threads that still hold what it had."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    words = text.rsplit(")", 1)[1].split()
    return words[0] not in "ZX" or (words[0] == "Z" and int(words[17]) > 1)


def wait_gone(*pids):
    wait_until(f"{pids} are gone", lambda: not any(map(alive, pids)))


def wait_file(path):
    """What a file holds, once it holds something."""
    path = pathlib.Path(path)
    return wait_until(f"{path} has something", lambda: path.exists() and path.read_text())
