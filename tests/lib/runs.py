# SPDX-License-Identifier: Apache-2.0
"""Runs of a cluster as its event log tells them, and a witness of the fence: a program that
holds an exclusive lock while it lives and writes down its number."""
import fcntl

from lib.wait import wait_until

# A silent node's runs are lost after some 3.5 s. Shorter leases can be set, but a busy
# machine would miss renewals of theirs.
SHORT = {"run_lease_ms": 2000, "run_grace_ms": 500}

WITNESS = """#!/usr/bin/python3
import fcntl, json, os, pathlib, sys, time
with open(os.environ["MUSTER_INPUT"]) as text:
    folder = pathlib.Path(json.load(text)["variables"]["folder"])
number = os.environ["MUSTER_FENCE"]
with open(folder / "lock", "a") as lock:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        (folder / "overlap").write_text(number)
        sys.exit("another one is alive")
    with open(folder / "numbers", "a") as numbers:
        numbers.write(number + "\\n")
    begun = time.monotonic()
    while not (folder / "end").exists():
        (folder / "age").write_text(f"{time.monotonic() - begun:.2f}")
        time.sleep(0.02)
    sys.exit(int((folder / "end").read_text()))
"""

# What it touches keeps the highest number that it has seen, and refuses a smaller one.
TOUCHER = """#!/usr/bin/python3
import json, os, pathlib, sys, time
with open(os.environ["MUSTER_INPUT"]) as text:
    folder = pathlib.Path(json.load(text)["variables"]["folder"])
number = int(os.environ["MUSTER_FENCE"])
touched = folder / "touched"
touched.mkdir(exist_ok=True)
while not (folder / "end").exists():
    if number < max((int(path.name) for path in touched.iterdir()), default=0):
        (folder / "refused").write_text(str(number))
    else:
        (touched / str(number)).touch()
    time.sleep(0.02)
sys.exit(int((folder / "end").read_text()))
"""


class Witness:
    """A task whose program lives until it is told to end, on whatever node."""

    def __init__(self, folder, name="witness", text=WITNESS):
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        program = self.folder / "module" / "apply"
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)

    def create(self, node):
        answer = node.call("POST", "/v1/tasks", {"task": {
            "name": self.name, "module": str(self.folder / "module"),
            "condition": {"schedule": {"cron": "0 0 0 1 1 * 2099"}},
            "variables": {"folder": str(self.folder)}}})
        assert answer.status == 201, answer

    def run(self, node):
        """Place a run; its number."""
        answer = node.call("POST", f"/v1/tasks/{self.name}/run")
        assert answer.status in (200, 201, 202), answer
        return answer.json["run"]["id"]

    def numbers(self):
        """Of the runs whose program began, in order."""
        path = self.folder / "numbers"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def alive(self):
        """Does a program hold the lock?"""
        with open(self.folder / "lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def age(self):
        """Seconds that its newest program has lived, as that says."""
        path = self.folder / "age"
        return float(path.read_text() or 0) if path.exists() else 0

    def begun(self, run):
        wait_until(f"run {run} has begun", lambda: run in self.numbers())

    def end(self, code=0):
        whole = self.folder / "end.new"  # it is read as soon as it is there
        whole.write_text(str(code))
        whole.rename(self.folder / "end")

    def check(self):
        """No overlap, and the numbers only grew."""
        assert not (self.folder / "overlap").exists()
        numbers = self.numbers()
        assert numbers == sorted(set(numbers)), numbers


class Toucher(Witness):
    """Likewise, and what its program touches goes by the fence number."""

    def __init__(self, folder):
        super().__init__(folder, "toucher", TOUCHER)

    def numbers(self):
        return sorted(int(path.name) for path in (self.folder / "touched").glob("*"))

    def refused(self):
        """The number that was refused, or None."""
        path = self.folder / "refused"
        return int(path.read_text() or 0) or None if path.exists() else None


def settings(leader, **values):
    answer = leader.call("PUT", "/v1/settings", values)
    assert answer.status == 200, answer


def shorten(leader):
    """Leases and graces of runs that are placed from now on."""
    settings(leader, **SHORT)


def events(node, kind):
    """The `data` of all of that type, as this node has them."""
    answer = node.call("GET", f"/v1/events?type={kind}&limit=1000")
    assert answer.status == 200, answer
    return [event["data"] for event in answer.json["events"]]


def node_of(cluster, run, among=None):
    """Where it was placed."""
    leader = cluster.leader(among)
    placed = next(data for data in events(leader, "run.placed") if data["run"] == run)
    members = leader.call("GET", "/v1/cluster").json["members"]
    name = next(m["name"] for m in members if m["id"] == placed["node"])
    return next(node for node in cluster.nodes if node.name == name)


def ended(cluster, run, among=None):
    """Wait for its end: the data of its one event."""
    def look():
        found = [data for data in events(cluster.leader(among), "run.ended")
                 if data["run"] == run]
        assert len(found) < 2, found
        return found[0] if found else None
    return wait_until(f"run {run} has ended", look)


def successor(cluster, run, among=None):
    """Wait for the next run that is placed; its number."""
    def look():
        later = [data["run"] for data in events(cluster.leader(among), "run.placed")
                 if data["run"] > run]
        return later[0] if later else None
    return wait_until(f"a run after {run} is placed", look)
