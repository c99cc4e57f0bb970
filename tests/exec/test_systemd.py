# SPDX-License-Identifier: Apache-2.0
"""The unit file that muster comes with, under a real systemd: a node that is restarted, one
that is stopped, killed, frozen, and its run."""
import os
import pathlib
import signal

import pytest

from lib.cluster import BINARY, ROOT, Node
from lib.driver import alive, wait_gone
from lib.runs import Witness, events, settings
from lib.systemd import Systemd, why_not
from lib.wait import wait_until

UNIT = "muster.service"
REASON = why_not()
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"no systemd of its own: {REASON}")


def name(pid):
    """Of a process, as it calls itself; None: it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


class Service:
    """A node as a service; `node` speaks to it."""

    def __init__(self, folder, systemd):
        self.systemd = systemd
        self.node = Node(folder, "n1")
        self.output = self.node.folder / "output"
        systemd.add(ROOT / "scripts" / UNIT,
                    ExecStart=f"{pathlib.Path(BINARY).resolve()} serve --config "
                              f"{self.node.folder}/config.json",
                    StandardOutput=f"append:{self.output}",
                    StandardError=f"append:{self.node.log_path}", StateDirectory="")

    def starts(self):
        """Ready lines so far."""
        lines = self.output.read_text().splitlines() if self.output.exists() else []
        return [line for line in lines if line.startswith("ready api=")]

    def ready(self, starts):
        """That start of it leads."""
        wait_until(f"start {starts} is ready", lambda: len(self.starts()) >= starts)
        self.node.api = self.starts()[-1].split()[1].removeprefix("api=")
        wait_until("it leads", self.node.leads)

    def main(self):
        """The node's process, as the test sees it."""
        inside = self.systemd.show(UNIT, "MainPID")
        for pid in self.systemd.pids(UNIT):
            if self.inside(pid) == inside:
                return pid
        return None

    @staticmethod
    def inside(pid):
        """Its number in systemd's namespace."""
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return None
        return next(l for l in status.splitlines() if l.startswith("NSpid:")).split()[-1]

    def program(self, run):
        """The process of a run's program: one whose environment says so."""
        found = []
        for pid in self.systemd.pids(UNIT):
            try:
                words = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"MUSTER_RUN={run}".encode() in words:
                found.append(pid)
        assert len(found) == 1, found
        return found[0]

    def of_run(self):
        """All that is of runs and not of the node, which has a process that forks them."""
        return {pid for pid in self.systemd.pids(UNIT) if pid != self.main() and
                name(pid) not in (None, "muster-starter")}

    def ended(self, run):
        wait_until("the run's end is told", lambda: events(self.node, "run.ended"))
        assert [end["run"] for end in events(self.node, "run.ended")] == [run]
        return events(self.node, "run.ended")[0]


@pytest.fixture
def service(tmp_path):
    with Systemd(tmp_path) as systemd:
        made = Service(tmp_path / "n1", systemd)
        systemd.call("start", UNIT)
        made.ready(1)
        yield made
        print(f"--- log of the node\n{made.node.log()[-4000:]}")  # seen if it failed


@pytest.fixture
def witness(service, tmp_path):
    made = Witness(tmp_path)
    made.create(service.node)
    return made


def begin(service, witness, lease_s=60):
    """A run whose lease outlasts a restart, however slow the machine."""
    settings(service.node, run_lease_ms=lease_s * 1000)
    run = witness.run(service.node)
    witness.begun(run)
    return run, service.program(run), service.of_run()


def goes_on(service, witness, begun):
    """The same processes, adopted by the node that is there now; its end is its own."""
    run, program, processes = begun
    assert service.of_run() == processes and alive(program) and witness.alive()
    witness.end()
    assert service.ended(run)["outcome"] == "success"
    assert witness.numbers() == [run]
    wait_gone(*processes)
    witness.check()


def test_a_run_goes_on_when_its_unit_is_restarted(service, witness):
    begun = begin(service, witness)
    node = service.main()
    service.systemd.call("restart", UNIT)
    service.ready(2)
    assert service.main() not in (None, node) and not alive(node)
    goes_on(service, witness, begun)


def test_a_run_goes_on_when_its_node_is_killed(service, witness):
    """Restart=always."""
    begun = begin(service, witness)
    os.kill(service.main(), signal.SIGKILL)
    service.ready(2)
    goes_on(service, witness, begun)


def test_a_run_goes_on_when_its_frozen_node_is_restarted(service, witness):
    """It does not take SIGTERM: it gets SIGKILL, and nothing else does."""
    service.systemd.change(UNIT, TimeoutStopSec="500ms")
    begun = begin(service, witness)
    os.kill(service.main(), signal.SIGSTOP)
    service.systemd.call("restart", UNIT)
    service.ready(2)
    goes_on(service, witness, begun)


def test_a_run_outlives_its_stopped_unit_by_its_lease(service, witness):
    run, program, processes = begin(service, witness, lease_s=8)
    service.systemd.call("stop", UNIT)
    assert service.systemd.show(UNIT, "ActiveState") == "inactive"
    wait_until("only its run is left", lambda: set(service.systemd.pids(UNIT)) == processes)
    assert alive(program)
    wait_gone(*processes)  # by the clock: nobody is there to tell it
    service.systemd.call("start", UNIT)
    service.ready(2)
    end = service.ended(run)
    assert end["outcome"] == "lost" and witness.numbers() == [run]


def test_with_another_kill_mode_runs_end_with_their_node(service, witness):
    service.systemd.change(UNIT, KillMode="control-group")
    run, _, processes = begin(service, witness)
    service.systemd.call("stop", UNIT)
    assert not any(map(alive, processes))
    service.systemd.call("start", UNIT)
    service.ready(2)
    assert service.ended(run)["outcome"] == "lost" and witness.numbers() == [run]


def test_a_run_has_a_cgroup_in_the_units(service, witness):
    _, program, _ = begin(service, witness)
    own = pathlib.Path(f"/proc/{program}/cgroup").read_text().splitlines()[-1]
    assert f"/system.slice/{UNIT}/" in own and "/muster-" in own, own
    witness.end()
    wait_until("it is gone", lambda: not any(
        os.path.basename(path).startswith("muster-")
        for path, _, _ in os.walk(service.systemd.cgroup / "system.slice")))
