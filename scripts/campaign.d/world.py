# SPDX-License-Identifier: Apache-2.0
"""What a campaign is made on: the cluster, each node on a small disk and in a network of
its own where that can be had, its load, and what is known to be true of it."""
import glob
import os
import pathlib
import shutil
import signal
import subprocess
import threading

from lib.cluster import Cluster
from lib.load import Load, broken_promises
from lib.network import Network, Separate, Unavailable
from lib.snapshot import task_records
from lib.wait import PATIENCE, wait_until
from watch import Watch

WRITERS = 5
TASKS_A_WRITER = 200
PADDING = 40_000  # of one writer's tasks: enough for snapshots, and for a log that is cut
DISK = "size=320m"
SETTINGS = {"cluster": {"election_timeout": "300ms", "heartbeat": "50ms",
                        "replace_after": "1s"}}


class Broken(Exception):
    """Something that must never be."""


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


class World:
    def __init__(self, folder, count, say):
        self.folder = pathlib.Path(folder)
        self.count = count
        self.say = say
        self.missing = {}  # what cannot be had: why
        self.mounts = []
        self.network = None
        self.writers = []
        self.load = None
        self.watch = None
        self.audits = 0
        self.faketime = faketime_library()

    def __enter__(self):
        try:
            self.network = Network(self.count).__enter__()
            self.cluster = Separate(self.folder, self.network, SETTINGS)
        except Unavailable as reason:
            self.missing["network"] = str(reason).strip().splitlines()[-1]
            self.cluster = Cluster(self.folder, self.count, SETTINGS)
        for node in self.cluster.nodes:
            self._prepare(node)
        self._look_for_tools()
        self.cluster.start()
        self.cluster.wait_ready()
        self.watch = Watch(self.cluster.nodes)
        self._load_start()
        return self

    def _prepare(self, node):
        """A disk of its own, without the log, and a clock that can be set."""
        node.disk = node.folder / "disk"
        node.disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs", str(node.disk)],
                               capture_output=True, text=True)
        if mount.returncode == 0:
            self.mounts.append(node.disk)
        else:
            self.missing["disk"] = mount.stderr.strip() or "mount failed"
        node.move(node.disk / "data")
        node.wall = node.folder / "wall"
        node.wall.write_text("+0\n")
        if self.faketime:
            node.prefix = [*node.prefix, "env", f"LD_PRELOAD={self.faketime}",
                           f"FAKETIME_TIMESTAMP_FILE={node.wall}",
                           "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                           "DONT_FAKE_MONOTONIC=1"]

    def _look_for_tools(self):
        if not self.faketime:
            self.missing["clock"] = "libfaketime is not installed"
        if not shutil.which("strace"):
            self.missing["strace"] = "it is not installed"
        elif os.geteuid() != 0:
            self.missing["strace"] = "needs root to attach to a node"

    def __exit__(self, kind, value, trace):
        """SIGTERM, which must end each node well; the disks and networks are gone after."""
        problems = []
        if self.watch is not None:
            self.watch.stop()
        if self.load is not None:
            self.load.stop()
        for node in self.cluster.nodes:
            try:
                if node.process is not None:
                    node.end() if kind is None else node.kill()
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                problems.append(problem)
                if node.process is not None:
                    node.kill()
        if kind is not None or problems:
            for disk in self.mounts:
                shutil.copytree(disk, disk.with_name("disk-kept"))
        for disk in self.mounts:
            subprocess.run(["umount", str(disk)], check=True)
        if self.network is not None:
            self.network.__exit__(None, None, None)
        if problems and kind is None:
            raise Broken(str(problems[0]))

    # --- load ---------------------------------------------------------------------------

    def _load_start(self):
        self.load = Load(self.cluster, WRITERS, seed=len(self.writers),
                         first=len(self.writers), most=TASKS_A_WRITER, padding=PADDING)
        self.writers += self.load.writers
        self.load.__enter__()

    def acknowledged(self):
        return sum(writer.acknowledged for writer in self.writers)

    def unknown(self):
        return sum(writer.unknown for writer in self.writers)

    # --- what must be true --------------------------------------------------------------

    def names(self):
        return [node.name for node in self.cluster.nodes]

    def look(self):
        """What must be true at any time."""
        wrong = self.watch.wrong + [text for writer in self.writers for text in writer.wrong]
        if wrong:
            raise Broken("\n".join(wrong[:10]))
        for node in self.cluster.nodes:
            if node.process is not None and not node.running():
                raise Broken(f"{node.name} ended by itself with {node.process.returncode}:\n"
                             f"{node.log()[-1500:]}")

    def _all_vote(self):
        try:
            return all(sorted(member["name"] for member in node.cluster()["members"]
                              if member["role"] == "voter" and member["reachable"])
                       == self.names() for node in self.cluster.nodes)
        except OSError:
            return False

    def settle(self):
        """Without faults all nodes are ready members, and writes go on."""
        self.look()
        try:
            self.cluster.wait_ready()
            wait_until("all nodes are voters and reach each other", self._all_vote)
            self.load.goes_on(10)
        except AssertionError as problem:
            raise Broken(f"{problem}\n{self.why()}") from problem
        self.look()

    def why(self):
        said = []
        for node in self.cluster.nodes:
            try:
                said.append(f"{node.name}: {node.call('GET', '/v1/cluster').body.decode()}")
            except Exception as problem:  # pylint: disable=broad-except
                said.append(f"{node.name}: {problem}")
        return "\n".join(said)

    def audit(self):
        """The load is stopped, everything compared; then another load goes on."""
        self.load.stop()
        self.settle_without_load()
        try:
            tasks = self.cluster.settled()
        except AssertionError as problem:
            raise Broken(str(problem)) from problem
        wrong = broken_promises(self.writers, tasks)
        if wrong:
            raise Broken("\n".join(wrong[:20]))
        self._compare_events()
        try:
            wait_until("the snapshots of all nodes are equal", self._snapshots_are_equal, 10)
        except AssertionError as problem:
            raise Broken(f"{problem}\n{self.why()}") from problem
        self.look()
        self.audits += 1
        self.sweep()
        self._load_start()

    def settle_without_load(self):
        try:
            self.cluster.wait_ready()
        except AssertionError as problem:
            raise Broken(f"{problem}\n{self.why()}") from problem

    def _compare_events(self):
        found = [self.watch.all_events(node) for node in self.cluster.nodes]
        for node, events in zip(self.cluster.nodes, found):
            if events != found[0]:
                at = next((n for n, pair in enumerate(zip(events, found[0]))
                           if pair[0] != pair[1]), min(len(events), len(found[0])))
                raise Broken(f"events of {node.name} and {self.cluster.nodes[0].name} differ: "
                             f"{events[at:at + 1]} {found[0][at:at + 1]}")

    def _snapshots_are_equal(self):
        found = [node.call("GET", "/v1/snapshot").body for node in self.cluster.nodes]
        if any(task_records(body) != task_records(found[0]) for body in found):
            return False
        return all(body == found[0] for body in found)

    def sweep(self):
        """So that the state stays small: most of what is there is deleted."""
        threads = [threading.Thread(target=writer.sweep) for writer in self.load.writers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

    # --- for who is stuck ---------------------------------------------------------------

    def kill_everything(self):
        for node in self.cluster.nodes:
            if node.running():
                node.process.send_signal(signal.SIGKILL)
