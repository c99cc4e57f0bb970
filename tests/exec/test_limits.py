# SPDX-License-Identifier: Apache-2.0
"""What a run may use as a whole, by its cgroup. The machine must have controllers of v2 that
can be given to a cgroup of the test's; `tests/vm/run` brings one that has."""
import os
import pathlib

import pytest

from exec.conftest import CGROUP
from lib.driver import alive, module, wait_file, wait_gone
from lib.systemd import v2_root
from lib.wait import wait_until

WANTED = {"memory", "pids", "cpu"}


def missing():
    root = v2_root()
    if root is None or not os.access(root / "cgroup.subtree_control", os.W_OK):
        return "no v2 cgroup can be made here"
    there = set((root / "cgroup.controllers").read_text().split())
    return ", ".join(sorted(WANTED - there)) + ": not a controller of v2 here"\
        if WANTED - there else None


REASON = missing()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def limited(drivers):
    """A driver whose runs get their cgroups below one that has no process."""
    parent = v2_root() / f"muster-limits-{os.getpid()}"
    (v2_root() / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    parent.mkdir()
    driver = drivers(cgroup=parent, containment=CGROUP).ready()
    yield driver
    wait_until("its runs have left nothing", lambda: not [
        path for path in parent.iterdir() if path.is_dir()])
    parent.rmdir()


def test_memory_is_of_all_processes_together(limited, tmp_path):
    """None of them takes too much; all are killed, and the run says why."""
    end = limited.run(1, module(tmp_path / "m", """#!/usr/bin/python3
import os, time
for _ in range(4):
    if os.fork() == 0:
        break
with open("pids", "a") as pids:
    pids.write(f"{os.getpid()} ")
held = bytearray(40 << 20)
time.sleep(600)
"""), memory=100 << 20)
    assert (end["outcome"], end["signal"]) == ("failed", 9)
    assert end["text"].startswith("ended by signal 9 (SIGKILL), its memory limit was reached")
    pids = (limited.data / "work/task/pids").read_text().split()
    assert not any(map(alive, pids))


def test_one_out_of_memory_does_not_touch_another(limited, tmp_path):
    limited.start(1, module(tmp_path / "m", "echo $$ > pid; while [ ! -e go ]; do sleep 0.05; "
                                            "done"), memory=64 << 20, task="a")
    pid = int(wait_file(limited.data / "work/a/pid"))
    end = limited.run(2, module(tmp_path / "n", "#!/usr/bin/python3\nb = bytearray(1 << 28)"),
                      memory=64 << 20, task="b")
    assert "memory limit" in end["text"] and alive(pid)
    (limited.data / "work/a/go").touch()
    assert limited.ended(1)["outcome"] == "success"


def test_processes_are_counted(limited, tmp_path):
    end = limited.run(1, module(tmp_path / "m", """#!/usr/bin/python3
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except BlockingIOError:
    print(made)
"""), processes=20, grace=500)
    assert end["outcome"] == "success"
    assert limited.log(1) == b"19\n"


def test_a_fork_bomb_ends(limited, tmp_path):
    """What is left of it forks as fast as it can, up to the limit."""
    limited.start(1, module(tmp_path / "m", """#!/usr/bin/python3
import os, signal
for s in (signal.SIGINT, signal.SIGTERM):
    signal.signal(s, signal.SIG_IGN)
open("pid", "w").write(str(os.getpid()))
while True:
    try:
        os.fork()
    except BlockingIOError:
        pass
"""), processes=100, grace=500)
    pid = int(wait_file(limited.data / "work/task/pid"))
    limited.say("stop", 1)
    assert limited.ended(1)["outcome"] == "cancelled"
    wait_gone(pid)


def test_processor_time_is_shared_out(limited, tmp_path):
    end = limited.run(1, module(tmp_path / "m", f"""
own={v2_root()}$(sed -n 's/^0:://p' /proc/self/cgroup)
cat $own/cpu.max
while grep -q 'nr_throttled 0' $own/cpu.stat; do :; done"""), cpu_percent=50)
    assert end["outcome"] == "success"
    assert limited.log(1) == b"50000 100000\n"
