# SPDX-License-Identifier: Apache-2.0
"""At most one live run, and none of it left when it has ended: whatever the program does,
whoever is killed or frozen."""
import os
import shutil
import signal
import subprocess
import time

import pytest

from exec.conftest import KINDS, WALK
from lib.cgroup import has_cgroup, own_cgroup
from lib.driver import alive, module, processes_with, wait_file, wait_gone
from lib.wait import wait_until

STUBBORN = "trap '' INT TERM\necho $$ > pid\nwhile :; do sleep 1; done"
# Leaves parent, session, environment and descriptors behind, and ignores what can be ignored.
AWAY = """echo $$ > pid
(setsid env -i /bin/sh -c 'trap "" INT TERM HUP
echo $$ > away
while :; do /bin/sleep 1; done' </dev/null >/dev/null 2>&1 &)
%s
"""


def pid_in(driver, name="pid", task="task"):
    return int(wait_file(driver.data / "work" / task / name))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


# --- deadlines and the ladder -----------------------------------------------------------


def test_past_its_deadline_it_is_stopped(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", STUBBORN), deadline=2000, grace=500)
    pid = pid_in(driver)
    end = driver.ended(1)
    assert (end["outcome"], end["signal"]) == ("lost", 9)
    assert end["text"].startswith("stopped at its deadline")
    assert not alive(pid)


def test_the_steps_of_the_ladder(driver, tmp_path):
    """A program hears SIGINT, then SIGTERM, and what it says then is its last word."""
    driver.start(1, module(tmp_path / "m", """#!/usr/bin/python3
import os, signal, sys
def term(*_):
    print("term")
    sys.exit(7)
signal.signal(signal.SIGINT, lambda *_: print("int"))
signal.signal(signal.SIGTERM, term)
open("pid", "w").write(str(os.getpid()))
while True:
    signal.pause()
"""), grace=2000)
    pid_in(driver)
    driver.say("stop", 1)
    end = driver.ended(1)
    assert (end["outcome"], end["exit_code"]) == ("cancelled", 7)
    assert end["text"] == "cancelled; exit code 7: int\nterm"


def test_a_fed_run_goes_on(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", "echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done"),
                 deadline=1500, grace=300)
    pid_in(driver)
    driver.say("feed", 1, 600000)
    driver.say("feed", 1, 10)  # never back
    driver.start(2, module(tmp_path / "n", "sleep 600"), deadline=2500, grace=300, task="other")
    assert driver.ended(2)["outcome"] == "lost"  # later than the first would have been
    (driver.data / "work/task/go").touch()
    assert driver.ended(1)["outcome"] == "success"


def test_an_expired_deadline_starts_nothing(driver, tmp_path):
    end = driver.run(1, module(tmp_path / "m", "touch began"), deadline=-1)
    assert (end["outcome"], end["started_ms"]) == ("lost", 0)
    assert end["text"] == "the lease ran out before it began"
    assert not (driver.data / "work/task/began").exists()


def test_a_time_limit(driver, tmp_path):
    end = driver.run(1, module(tmp_path / "m", "sleep 600"), limit=200, grace=500, tries=3)
    assert end["outcome"] == "timed_out" and end["text"].startswith("stopped at its time limit")


def test_a_stop_between_two_tries_starts_no_other(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", "echo x >> tries; exit 5"), tries=10)
    wait_until("it failed once", lambda: b"failed" in driver.log(1))
    driver.say("stop", 1)
    end = driver.ended(1)
    assert end["outcome"] == "cancelled" and "exit code 5" in end["text"]


# --- what it has started ----------------------------------------------------------------------


def test_what_forks_away_is_found(drivers, tmp_path, kind):
    """A double fork into a session of its own, with nothing left of the environment."""
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "while :; do sleep 1; done"), deadline=2000,
                 grace=400)
    pids = pid_in(driver), pid_in(driver, "away")
    assert driver.ended(1)["outcome"] == "lost"
    assert not any(map(alive, pids))


def test_what_stays_behind_ends_with_the_program(drivers, tmp_path, kind):
    """Its own end decides what the run was."""
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "until [ -s away ]; do sleep 0.05; done; exit 0"),
                 grace=500)
    away = pid_in(driver, "away")
    assert driver.ended(1)["outcome"] == "success"
    assert not alive(away)


def test_what_forks_and_exits_for_ever_is_caught(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", """#!/usr/bin/python3
import os, signal
for s in (signal.SIGINT, signal.SIGTERM):
    signal.signal(s, signal.SIG_IGN)
while True:
    if os.fork():
        os._exit(0)
"""), grace=300)
    # The first of them has ended at once: what stays behind is stopped right away.
    assert driver.ended(1)["outcome"] == "success"
    assert processes_with(f"MUSTER_INPUT={driver.folder(1)}") == []


def test_the_cgroups_are_gone_afterwards(drivers, tmp_path, kind):
    if kind == WALK:
        pytest.skip("it has none")
    folder = own_cgroup(None if kind == 1 else "freezer")
    before = {path.name for path in folder.iterdir()}
    driver = drivers(containment=kind).ready()
    driver.run(1, module(tmp_path / "m", "exit 0"))
    driver.start(2, module(tmp_path / "n", STUBBORN), task="b")
    pid_in(driver, task="b")
    mine = {path.name for path in folder.iterdir()} - before
    assert any(name.startswith("muster-") for name in mine)
    os.kill(driver.supervisor(2), signal.SIGKILL)
    driver.ended(2)
    assert not mine & {path.name for path in folder.iterdir()}


def test_a_cgroup_can_be_named(drivers, tmp_path):
    if not has_cgroup(None):
        pytest.skip("no cgroup of v2 can be made here")
    parent = own_cgroup(None) / f"muster-test-{os.getpid()}"
    parent.mkdir()
    driver = drivers(cgroup=parent).ready()
    driver.start(1, module(tmp_path / "m", "grep ^0: /proc/self/cgroup; echo $$ > pid; sleep 600"))
    pid_in(driver)
    assert f"/{parent.name}/muster-" in driver.log(1).decode()
    assert len([path for path in parent.iterdir() if path.is_dir()]) == 1
    driver.say("kill", 1)
    driver.ended(1)
    parent.rmdir()  # it is empty


# --- the supervisor is killed, or frozen ---------------------------------------------------------


def test_a_killed_supervisor_takes_its_run_with_it(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "while :; do sleep 1; done"))
    driver.next("started", 1)
    pids = pid_in(driver), pid_in(driver, "away")
    os.kill(driver.supervisor(1), signal.SIGKILL)
    end = driver.ended(1)
    assert (end["outcome"], end["text"]) == ("lost", "its supervisor died, and with it the run")
    assert end["started_ms"] > 0 and not any(map(alive, pids))
    driver.close()
    again = drivers(containment=kind)
    assert again.found()[1]["outcome"] == "lost"


def test_kill_ends_it_at_once(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % STUBBORN), grace=60000)
    pids = pid_in(driver), pid_in(driver, "away")
    for pid in driver.supervisor(1), driver.guard(1):
        os.kill(pid, signal.SIGSTOP)  # whether they answer or not
    guard = driver.guard(1)
    driver.say("kill", 1)
    end = driver.ended(1)
    assert (end["outcome"], end["text"]) == ("lost", "killed")
    assert not any(map(alive, pids))
    wait_gone(guard)


def test_a_frozen_supervisor_is_killed_past_deadline_and_grace(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % STUBBORN), deadline=1000, grace=500)
    pids = pid_in(driver), pid_in(driver, "away")
    for pid in driver.supervisor(1), driver.guard(1):
        os.kill(pid, signal.SIGSTOP)
    driver.say("feed", 1, 600000)  # it does not take it
    end = driver.ended(1)
    assert end["outcome"] == "lost" and "did not answer" in end["text"]
    assert not any(map(alive, pids))


def test_supervisors_that_wake_past_their_deadline_kill_at_once(drivers, tmp_path, kind):
    """No node is there to do it."""
    driver = drivers(containment=kind).ready()
    late = time.clock_gettime(time.CLOCK_BOOTTIME) + 1.7
    driver.start(1, module(tmp_path / "m", AWAY % STUBBORN), deadline=1500, grace=200)
    pids = pid_in(driver), pid_in(driver, "away")
    supervisors = driver.supervisor(1), driver.guard(1)
    for pid in supervisors:
        os.kill(pid, signal.SIGSTOP)
    driver.kill()
    wait_until("its deadline and its grace are over",
               lambda: time.clock_gettime(time.CLOCK_BOOTTIME) > late)
    assert all(map(alive, pids))
    for pid in supervisors:
        os.kill(pid, signal.SIGCONT)
    wait_gone(*supervisors, *pids)
    found = drivers().found()[1]
    assert (found["phase"], found.get("outcome", "lost")) in (
        ("ended", "lost"), ("claimed", "lost"))  # whichever of the two was first


def test_the_guard_kills_what_a_killed_supervisor_leaves(drivers, tmp_path, kind):
    """And no node is there to do it."""
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "while :; do sleep 1; done"))
    pids = pid_in(driver), pid_in(driver, "away")
    supervisor, guard = driver.supervisor(1), driver.guard(1)
    driver.kill()
    os.kill(supervisor, signal.SIGKILL)
    wait_gone(supervisor, guard, *pids)
    assert drivers().found()[1]["phase"] == "claimed"


def test_the_guard_kills_a_frozen_supervisor_past_deadline_and_grace(drivers, tmp_path):
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", AWAY % STUBBORN), deadline=1000, grace=200)
    pids = pid_in(driver), pid_in(driver, "away")
    supervisor, guard = driver.supervisor(1), driver.guard(1)
    driver.say("feed", 1, 1500)
    os.kill(supervisor, signal.SIGSTOP)
    driver.kill()
    wait_gone(supervisor, guard, *pids)
    assert drivers().found()[1]["phase"] == "claimed"


def test_a_supervisor_without_its_guard_goes_on(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", "echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done"))
    pid_in(driver)
    guard = driver.guard(1)
    os.kill(guard, signal.SIGKILL)
    wait_gone(guard)
    (driver.data / "work/task/go").touch()
    assert driver.ended(1)["outcome"] == "success"


def test_a_supervisor_whose_folder_was_removed_ends(drivers, tmp_path):
    """It stops its run by the clock, and waits for nobody."""
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", "echo $$ > pid; exec sleep 600"), deadline=1500,
                 grace=500)
    pid = pid_in(driver)
    supervisor = driver.supervisor(1)
    driver.kill()
    shutil.rmtree(driver.folder(1))
    wait_gone(pid, supervisor)


def test_a_supervisor_told_to_end_stops_its_run(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", "echo $$ > pid; exec sleep 600"))
    pid = pid_in(driver)
    os.kill(driver.supervisor(1), signal.SIGTERM)
    end = driver.ended(1)
    assert (end["outcome"], end["signal"]) == ("lost", 2) and not alive(pid)


# --- the node is killed, and comes back ------------------------------------------------------------


def test_a_run_outlives_its_node_and_is_adopted(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", "echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done"))
    pid = pid_in(driver)
    driver.kill()
    assert alive(pid)
    again = drivers(containment=kind)
    assert again.found()[1]["phase"] == "alive"
    assert again.next("started", 1)["wall_ms"] > 0
    (driver.data / "work/task/go").touch()
    assert again.ended(1)["outcome"] == "success"


def test_one_that_ends_without_its_node_is_found_as_it_ended(drivers, tmp_path):
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", STUBBORN), deadline=2000, grace=300)
    pid = pid_in(driver)
    supervisor = driver.supervisor(1)
    driver.kill()
    wait_gone(pid, supervisor)  # by the clock, and not by its node's end
    again = drivers()
    found = again.found()[1]
    assert (found["phase"], found["outcome"], found["signal"]) == ("ended", "lost", 9)
    again.say("forget", 1)
    again.close()
    assert drivers().found() == {}


def test_node_and_supervisor_killed_leave_nothing_and_are_told(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "while :; do sleep 1; done"))
    pids = pid_in(driver), pid_in(driver, "away")
    supervisor = driver.supervisor(1)
    guard = driver.guard(1)
    driver.kill()
    for pid in guard, supervisor:
        os.kill(pid, signal.SIGKILL)
    wait_gone(guard, supervisor)
    again = drivers(containment=kind)
    assert again.found()[1]["phase"] == "claimed"
    assert not any(map(alive, pids))  # by the time it is told


def test_a_frozen_supervisor_is_adopted_and_killed_if_it_stays_so(drivers, tmp_path):
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", STUBBORN), grace=500)
    pid = pid_in(driver)
    supervisor = driver.supervisor(1)
    os.kill(supervisor, signal.SIGSTOP)
    driver.kill()
    again = drivers()
    assert again.found()[1]["phase"] == "alive"
    assert again.ended(1)["outcome"] == "lost"
    wait_gone(supervisor, pid)


# --- claims ------------------------------------------------------------------------------------------


def test_a_claim_is_taken_once(drivers, tmp_path):
    """What was forgotten cannot be started again either."""
    driver = drivers().ready()
    folder = module(tmp_path / "m", "echo x >> began")
    assert driver.run(1, folder)["outcome"] == "success"
    driver.say("forget", 1)
    driver.close()
    driver = drivers().ready()
    assert driver.run(1, folder)["outcome"] == "success"  # as it was then
    (driver.folder(1) / "result").unlink()
    driver.say("forget", 1)
    driver.close()
    driver = drivers().ready()
    end = driver.run(1, folder)
    assert (end["outcome"], end["text"]) == (
        "lost", "it was claimed before: it is never started again")
    assert (driver.data / "work/task/began").read_text() == "x\n"


def test_what_another_node_claimed_is_nothing_here(drivers, tmp_path):
    """The identity was removed from a data folder, and the runs were left in it."""
    driver = drivers().ready()
    driver.run(1, module(tmp_path / "m", "exit 0"))
    driver.say("forget", 1)
    driver.run(2, tmp_path / "m")
    driver.start(3, module(tmp_path / "sleeper", "sleep 1000"))
    driver.next("started", 3)
    supervisor = driver.supervisor(3)
    driver.kill()
    other = drivers(node=8)
    assert other.found() == {}
    wait_gone(supervisor)
    assert all((other.folder(run) / "log").exists() for run in (1, 2, 3))
    for run in (1, 2, 3):
        assert other.run(run, module(tmp_path / "m", "exit 3"))["exit_code"] == 3


def test_a_claim_without_more_is_found_as_one(drivers, tmp_path):
    """Its node died after the claim; a supervisor that comes late does not begin."""
    driver = drivers().ready()
    driver.run(1, module(tmp_path / "m", "exit 0"))
    driver.close()
    folder = driver.folder(1)
    for name in ("result", "record"):
        (folder / name).unlink()
    order = folder / "order"
    again = drivers()
    assert again.found()[1]["phase"] == "claimed"
    record = (folder / "record").read_bytes()
    assert record[8:16] == bytes(8)  # nobody's
    assert not order.exists()


def test_a_run_of_another_boot_is_dead(drivers, tmp_path):
    """Whatever has its socket: a machine that was started again has none of its processes."""
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", STUBBORN))
    pid = pid_in(driver)
    supervisor = driver.supervisor(1)
    driver.kill()
    claim = driver.folder(1) / "claim"
    boot = open("/proc/sys/kernel/random/boot_id").read().strip().encode()
    data = claim.read_bytes()
    assert boot in data
    claim.write_bytes(data.replace(boot, b"0" * 36))
    again = drivers()
    assert again.found()[1]["phase"] == "claimed"
    assert alive(pid)  # it was not even looked for
    os.kill(supervisor, signal.SIGTERM)
    wait_gone(pid, supervisor)


NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
needs_namespaces = pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode != 0,
    reason="no pid namespace can be made here")


@needs_namespaces
def test_a_run_of_a_container_that_is_gone_is_dead(drivers, tmp_path):
    """It ended with the first process of its pid namespace, which here is its node."""
    driver = drivers(before=NAMESPACE).ready()
    driver.start(1, module(tmp_path / "m", AWAY % STUBBORN))
    pid_in(driver)
    assert processes_with(f"MUSTER_INPUT={driver.folder(1)}")
    driver.kill()
    wait_until("its processes are gone",
               lambda: not processes_with(f"MUSTER_INPUT={driver.folder(1)}"))
    again = drivers()
    assert again.found()[1]["phase"] == "claimed"


@needs_namespaces
def test_a_run_of_another_container_is_adopted_by_its_socket(drivers, tmp_path):
    """Its processes cannot even be seen; its supervisor answers all the same."""
    driver = drivers(before=[*NAMESPACE, "sh", "-c", '"$@"; exec sleep 600', "sh"]).ready()
    try:
        driver.start(1, module(tmp_path / "m", AWAY % STUBBORN), grace=500)
        pid_in(driver)
        driver.abandon()
        again = drivers()
        assert again.found()[1]["phase"] == "alive"
        again.say("stop", 1)
        assert again.ended(1)["outcome"] == "cancelled"
        assert not processes_with(f"MUSTER_INPUT={driver.folder(1)}")
    finally:
        driver.process.kill()
        driver.process.wait()


def test_a_damaged_claim_or_record_is_a_claim(drivers, tmp_path):
    """Cut short by a crash."""
    driver = drivers().ready()
    for run in (1, 2):
        driver.run(run, module(tmp_path / "m", "exit 0"))
    driver.close()
    for run in (1, 2):
        (driver.folder(run) / "result").unlink()
    (driver.folder(1) / "claim").write_bytes(b"")
    (driver.folder(2) / "record").write_bytes(b"MUSTER")
    (driver.data / "runs/3").mkdir()  # no claim: nothing was started
    again = drivers()
    assert {run: e["phase"] for run, e in again.found().items()} == {
        1: "claimed", 2: "claimed"}
    wait_until("what was never claimed is gone", lambda: not again.folder(3).exists())


def test_a_supervisor_is_not_started_by_hand(driver, tmp_path):
    """Neither for a run that has one nor for one that had one."""
    driver.start(1, module(tmp_path / "m", "echo x >> began; echo $$ > pid; sleep 600"))
    pid_in(driver)
    command = [driver.process.args[0], "supervise", driver.folder(1)]
    order = (driver.folder(1) / "order").read_bytes()
    assert subprocess.run(command, capture_output=True).returncode == 1
    driver.say("stop", 1)
    driver.ended(1)
    wait_until("its supervisor has cleaned up", lambda: not (
        driver.folder(1) / "socket").exists())
    (driver.folder(1) / "order").write_bytes(order)
    assert subprocess.run(command, capture_output=True).returncode == 1
    assert (driver.data / "work/task/began").read_text() == "x\n"
