# SPDX-License-Identifier: Apache-2.0
"""What a campaign is made on: the cluster, each node on a small disk, in a network and on a
machine of its own where that can be had, its load, and what is known to be true of it."""
import glob
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading

from broken import Broken
from lib.cgroup import has_cgroup
from lib.cluster import Cluster
from lib.http import NothingHappened, OutcomeUnknown
from lib.load import Load, broken_promises
from lib.network import Network, Separate, Unavailable
from lib.snapshot import task_records
from lib.wait import PATIENCE, wait_until
from machine import CONTAINMENTS, Machine, NoMachine
from run_audit import RunAudit
from run_load import GRACE, RunLoad
from run_load import SETTINGS as RUN_SETTINGS
from sight import Sight
from watch import Watch
from witness import Resource

WRITERS = 2
TASKS_A_WRITER = 200
PADDING = 40_000  # of one writer's tasks: enough for snapshots, and for a log that is cut
DISK = "size=320m"
RUNS_DISK = "size=32m"
SETTINGS = {"cluster": {"election_timeout": "300ms", "heartbeat": "50ms",
                        "replace_after": "1s"},
            "runs": {"log_bytes": 2**20, "keep_bytes": 8 * 2**20, "keep_count": 200}}


def faketime_library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


class World:
    def __init__(self, folder, count, seed, say):
        self.folder = pathlib.Path(folder)
        self.chance = random.Random(seed)
        self.count = count
        self.say = say
        self.missing = {}  # what cannot be had: why
        self.mounts = []
        self.network = None
        self.cluster = None
        self.writers = []
        self.load = None
        self.watch = None
        self.runs = None  # their load
        self.run_audit = None
        self.sight = None
        self.resource = None
        self.drained = False
        self.audits = 0
        self.faketime = faketime_library()

    def __enter__(self):
        try:
            return self._build()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def _build(self):
        try:
            self.network = Network(self.count).__enter__()
            self.cluster = Separate(self.folder, self.network, SETTINGS)
        except Unavailable as reason:
            self.missing["network"] = str(reason).strip().splitlines()[-1]
            self.cluster = Cluster(self.folder, self.count, SETTINGS)
        try:
            kinds = [each for each in CONTAINMENTS if each != "freezer" or has_cgroup("freezer")]
            self.chance.shuffle(kinds)
            for number, node in enumerate(self.cluster.nodes):
                node.machine = Machine(node, self.chance, kinds[number % len(kinds)])
            self.say("runs are held by " + ", ".join(
                f"{node.name} {node.machine.containment}" for node in self.cluster.nodes))
        except NoMachine as reason:
            self.missing["machine"] = str(reason)
            self._end_machines()
        for node in self.cluster.nodes:
            self._prepare(node)
        self._look_for_tools()
        self.cluster.start()
        self.cluster.wait_ready()
        self.watch = Watch(self.cluster.nodes)
        if "machine" not in self.missing:
            self._prepare_runs()
        self._load_start()
        return self

    def _mount(self, folder, size):
        folder.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)],
                               capture_output=True, text=True)
        if mount.returncode == 0:
            self.mounts.append(folder)
        else:
            self.missing["disk"] = mount.stderr.strip() or "mount failed"

    def _prepare(self, node):
        """A disk of its own, without the log, another one for its runs, and a clock that can
        be set."""
        node.disk = node.folder / "disk"
        self._mount(node.disk, DISK)
        node.move(node.disk / "data")
        node.runs_folder = node.data / "runs"
        if "machine" not in self.missing:
            node.runs_disk = node.folder / "runs"
            self._mount(node.runs_disk, RUNS_DISK)
            self._link_runs(node)
            node.wipe = lambda: self._wipe(node)
        node.wall = node.folder / "wall"
        node.wall.write_text("+0\n")
        self._enter(node)

    def _enter(self, node):
        """How commands come to run on it."""
        if "machine" not in self.missing:
            node.prefix = node.machine.prefix()
        if self.faketime:  # a sanitizer's library wants to be the first one
            node.prefix = [*node.prefix, "env", "ASAN_OPTIONS=verify_asan_link_order=0",
                           f"LD_PRELOAD={self.faketime}",
                           f"FAKETIME_TIMESTAMP_FILE={node.wall}",
                           "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                           "DONT_FAKE_MONOTONIC=1"]

    @staticmethod
    def _link_runs(node):
        node.data.mkdir()
        node.runs_folder.symlink_to(node.runs_disk)

    def _wipe(self, node):
        """Supervisors that are left may still write."""
        node.machine.wiped()

        def gone():
            for folder in (node.data, *node.runs_disk.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)
            return not node.data.exists() and not list(node.runs_disk.iterdir())
        wait_until(f"the disks of {node.name} are empty", gone)
        self._link_runs(node)

    def boot(self, node):
        """It is down, and boots anew."""
        node.machine.boot()
        self._enter(node)

    def _prepare_runs(self):
        answer = self.cluster.leader().call("PUT", "/v1/settings", RUN_SETTINGS)
        if answer.status != 200:
            raise Broken(f"settings: {answer}")
        folder = self.folder / "tasks"
        folder.mkdir()
        self.resource = Resource(self.folder / "resource")
        self.runs = RunLoad(self.cluster, folder, self.folder / "resource")
        self.sight = Sight(self.cluster.nodes, GRACE)
        self.run_audit = RunAudit(self.runs, self.resource, self.sight, self.cluster.nodes)

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
        if self.load is not None:
            self.load.stop()
        try:
            if self.runs is not None:
                self.runs.rest() if kind is None else self.runs.stop()
        except AssertionError as problem:
            problems.append(problem)
        for part in (self.watch, self.sight):
            if part is not None:
                part.stop()
        for node in self.nodes():
            try:
                if node.process is not None:
                    node.end() if kind is None else node.kill()
            except (AssertionError, subprocess.TimeoutExpired) as problem:
                problems.append(problem)
                if node.process is not None:
                    node.kill()
        self._end_machines()
        if self.resource is not None:
            self.resource.close()
        if kind is not None or problems:
            self._keep_evidence()
        for disk in self.mounts:
            subprocess.run(["umount", str(disk)], check=True)
        if self.network is not None:
            self.network.__exit__(None, None, None)
        if problems and kind is None:
            raise Broken(str(problems[0]))

    def nodes(self):
        return self.cluster.nodes if self.cluster is not None else []

    def _end_machines(self):
        for node in self.nodes():
            machine = getattr(node, "machine", None)
            if machine is not None:
                machine.close()

    def _keep_evidence(self):
        for disk in self.mounts:
            subprocess.run(["cp", "-a", str(disk), str(disk) + "-kept"], check=False)
        if self.watch is not None:
            with open(self.folder / "events", "w", encoding="utf-8") as events:
                events.writelines(f"{self.watch.seen[number]}\n"
                                  for number in sorted(self.watch.seen))

    # --- load ---------------------------------------------------------------------------

    def _load_start(self):
        self.load = Load(self.cluster, WRITERS, seed=len(self.writers),
                         first=len(self.writers), most=TASKS_A_WRITER, padding=PADDING)
        self.writers += self.load.writers
        self.load.__enter__()
        if self.runs is not None:
            self.runs.start()

    def tell_leader(self, method, path, body=None):
        """Once, if there is one; the answer or None."""
        for node in self.cluster.nodes:
            try:
                if node.running() and node.leads():
                    return node.call(method, path, body, timeout=2)
            except (NothingHappened, OutcomeUnknown):
                pass
        return None

    def undrain(self):
        """All nodes, now or as soon as that can be had."""
        answers = [self.tell_leader("POST", "/v1/cluster/undrain", {"node": node.name})
                   for node in self.cluster.nodes]
        self.drained = not all(answer is not None and answer.status == 200
                               for answer in answers)
        return not self.drained

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
        if self.runs is not None:
            wrong += self.runs.look()
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
            if self.drained:
                wait_until("no node drains", self.undrain)
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
            if self.runs is not None:
                self.runs.rest()
            tasks = self.cluster.settled()
        except AssertionError as problem:
            raise Broken(f"{problem}\n{self.why()}") from problem
        wrong = broken_promises(self.writers, tasks)
        if wrong:
            raise Broken("\n".join(wrong[:20]))
        self._compare_events()
        if self.run_audit is not None:
            self.run_audit(self.watch.seen)
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
        for number, text in found[0]:
            self.watch.seen.setdefault(number, text)
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
