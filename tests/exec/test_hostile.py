# SPDX-License-Identifier: Apache-2.0
"""Programs that turn on what holds them, files that somebody has touched, a node without
descriptors: at most one live run all the same, and none of it left when it has ended."""
import os
import pathlib
import resource
import shutil
import signal
import subprocess

import pytest

from exec.conftest import FREEZER, WALK
from exec.test_fence import AWAY, STUBBORN, kind, pid_in  # noqa: F401
from lib.cgroup import has_cgroup, own_cgroup
from lib.driver import alive, module, wait_file, wait_gone
from lib.wait import wait_until

# Speaks to its own supervisor: what the node would say.
SPEAK = """#!/usr/bin/python3
import os, pathlib, socket, struct, time
folder = pathlib.Path(os.environ["MUSTER_INPUT"]).parent
os.chdir(folder)
link = socket.socket(socket.AF_UNIX)
link.connect("socket")
try:
    link.sendall(struct.pack("<BIQBIBI", 1, 8, 1 << 62, 2, 0, 3, 0))
    answer = link.recv(1)
except OSError as error:
    answer = error
pathlib.Path(os.environ["HOME"], "said").write_text(repr(answer))
while not pathlib.Path(os.environ["HOME"], "go").exists():
    time.sleep(0.05)
"""


def descriptors(driver):
    """The numbers of its open ones."""
    return [int(path.name) for path in pathlib.Path(f"/proc/{driver.process.pid}/fd").iterdir()]


def allow(driver, most):
    resource.prlimit(driver.process.pid, resource.RLIMIT_NOFILE, (most, 4096))


# --- what a program does ---------------------------------------------------------------------


def test_a_run_cannot_feed_or_stop_itself(driver, tmp_path):
    driver.start(1, module(tmp_path / "m", SPEAK))
    said = wait_file(driver.data / "work/task/said")
    assert said == "b''" or "Connection" in said or "pipe" in said, said  # hung up on
    (driver.data / "work/task/go").touch()
    assert driver.ended(1)["outcome"] == "success"


def test_another_one_at_its_socket_is_not_its_supervisor(drivers, tmp_path):
    """A node that comes back does not believe it: it kills what is there."""
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", """#!/usr/bin/python3
import os, pathlib, signal, socket
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.chdir(pathlib.Path(os.environ["MUSTER_INPUT"]).parent)
os.unlink("socket")
thief = socket.socket(socket.AF_UNIX)
thief.bind("socket")
thief.listen()
pathlib.Path(os.environ["HOME"], "pid").write_text(str(os.getpid()))
while True:
    signal.pause()
"""))
    pid = pid_in(driver)
    supervisor = driver.supervisor(1)
    driver.kill()
    assert drivers().found()[1]["phase"] == "claimed"
    assert not alive(pid) and not alive(supervisor)


def test_a_run_whose_folder_is_removed_is_stopped(driver, tmp_path):
    """No node that is started later could know of it."""
    driver.start(1, module(tmp_path / "m", "rm -r ../../runs/1; echo $$ > pid; sleep 600"),
                 grace=500)
    pid = pid_in(driver)
    driver.say("feed", 1, 70000)  # as a node does all the time
    end = driver.ended(1)
    # Its supervisor has seen it, or, if the node was not connected yet, the node has.
    assert (end["outcome"], end["text"][:10]) == ("lost", "its folder")
    assert not alive(pid)


def test_a_run_whose_folder_and_node_are_gone_is_killed_at_once(drivers, tmp_path):
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", STUBBORN), grace=600000)
    pid = pid_in(driver)
    supervisor = driver.supervisor(1)
    shutil.rmtree(driver.folder(1))
    driver.kill()
    wait_gone(pid, supervisor)


@pytest.mark.skipif(not has_cgroup("freezer"), reason="no freezer here")
def test_what_a_program_has_frozen_itself_ends(drivers, tmp_path):
    driver = drivers(containment=FREEZER).ready()
    driver.start(1, module(tmp_path / "m", f"""
own={own_cgroup("freezer")}/$(sed -n 's/.*:freezer:.*\\///p' /proc/self/cgroup)
mkdir $own/inner
sleep 600 &
echo $! > $own/inner/cgroup.procs
echo FROZEN > $own/inner/freezer.state
echo $! > away
trap '' INT TERM
echo $$ > pid
while :; do sleep 1; done"""), grace=500)
    pids = pid_in(driver), pid_in(driver, "away")
    driver.say("stop", 1)
    assert driver.ended(1)["outcome"] == "cancelled"
    assert not any(map(alive, pids))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start it as somebody else")
def test_an_unreadable_folder_hides_no_run(drivers, tmp_path):
    """The node is not root, and its module takes all rights from the run's folder."""
    for path in (tmp_path, *tmp_path.parents):
        if path != pathlib.Path("/") and path.owner() == "root":
            path.chmod(path.stat().st_mode | 0o011)
    drivers.data.mkdir()
    os.chown(drivers.data, 65534, 65534)
    folder = module(tmp_path / "m", "chmod 0 ../../runs/1; echo $$ > pid; while [ ! -e go ]; do "
                                    "sleep 0.05; done")
    folder.chmod(0o755)
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    driver = drivers(before=as_nobody, containment=WALK).ready()
    driver.start(1, folder)
    pid_in(driver)
    driver.kill()
    again = drivers(before=as_nobody, containment=WALK)
    assert again.found()[1]["phase"] == "alive"
    (driver.data / "work/task/go").touch()
    assert again.ended(1)["outcome"] == "success"


# --- files -----------------------------------------------------------------------------------


def test_a_damaged_claim_still_finds_what_is_alive(drivers, tmp_path):
    """The order has the mark as well."""
    driver = drivers(containment=WALK).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "while :; do sleep 1; done"))
    pids = pid_in(driver), pid_in(driver, "away")
    supervisor, guard = driver.supervisor(1), driver.guard(1)
    driver.kill()
    os.kill(guard, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    wait_gone(supervisor, guard)
    assert alive(pids[1])
    claim = driver.folder(1) / "claim"
    claim.write_bytes(claim.read_bytes()[:9])
    assert drivers().found()[1]["phase"] == "claimed"
    assert not any(map(alive, pids))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_claim_on_a_full_disk_is_settled(drivers, tmp_path):
    """No byte is free for the record that forbids a supervisor."""
    runs = drivers.data / "runs"
    runs.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", runs], check=True)
    try:
        driver = drivers().ready()
        driver.run(1, module(tmp_path / "m", "exit 0"))
        supervisor = driver.supervisor(1)
        driver.kill()
        wait_gone(supervisor)
        for name in ("result", "record"):
            (runs / "1" / name).unlink()
        with pytest.raises(OSError), open(runs / "fill", "wb", buffering=0) as fill:
            while True:
                fill.write(bytes(4096))
        again = drivers()
        assert again.found()[1]["phase"] == "claimed"
        again.kill()
    finally:
        subprocess.run(["umount", "-l", runs], check=True)


# --- a node without descriptors -----------------------------------------------------------------


def test_what_cannot_be_listed_is_listed_later(drivers, tmp_path):
    driver = drivers().ready()
    driver.start(1, module(tmp_path / "m", "echo $$ > pid; while [ ! -e go ]; do sleep 0.05; done"))
    pid_in(driver)
    driver.kill()
    idle = drivers().ready()
    most = len(descriptors(idle)) - 1  # without the run's
    idle.kill()
    again = drivers(before=["prlimit", f"--nofile={most}:4096"], errors=tmp_path / "errors")
    wait_until("it has tried twice", lambda: (tmp_path / "errors").read_text().count(
        "tried again in") >= 2)
    assert again.lines.empty()
    allow(again, 4096)
    assert again.found()[1]["phase"] == "alive"
    (driver.data / "work/task/go").touch()
    assert again.ended(1)["outcome"] == "success"


def test_what_cannot_be_looked_at_is_not_gone(drivers, tmp_path, kind):
    driver = drivers(containment=kind).ready()
    driver.start(1, module(tmp_path / "m", AWAY % "while :; do sleep 1; done"))
    pids = pid_in(driver), pid_in(driver, "away")
    supervisor, guard = driver.supervisor(1), driver.guard(1)
    wait_until("it is connected", lambda: driver.next("started", 1))
    open_ones = len(descriptors(driver))
    allow(driver, 3)
    os.kill(guard, signal.SIGKILL)
    os.kill(supervisor, signal.SIGKILL)
    wait_until("it looks for it", lambda: len(descriptors(driver)) < open_ones)
    assert alive(pids[1]) and driver.lines.empty()
    allow(driver, 4096)
    assert driver.ended(1)["outcome"] == "lost"
    assert not any(map(alive, pids))
