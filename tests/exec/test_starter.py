# SPDX-License-Identifier: Apache-2.0
"""The process that forks supervisors: one a node, from its first run on, replaced when it is
gone; it ends with its node, and the supervisors do not."""
import os
import pathlib
import signal

import pytest

from lib.driver import MUSTER, Driver, alive, module, parent, processes_with, wait_gone

LIVES = "echo $$ > pid; while :; do sleep 0.05; done"


@pytest.fixture(name="driver")
def fixture_driver(tmp_path):
    """Forked from the whole program, as a node does it, not from the driver's own."""
    with Driver(tmp_path / "data", program=MUSTER) as driver:
        yield driver


def starters(driver):
    return processes_with(f"muster\0supervise\0--starter\0{driver.data}/runs\0",
                          of="cmdline")


def starter(driver):
    found = starters(driver)
    assert len(found) == 1, found
    return found[0]


def begin(driver, run, folder):
    """Start a run that lives; the pid of its supervisor."""
    driver.start(run, folder, task=f"task{run}")
    driver.next("started", run)
    return driver.supervisor(run)


def end(driver, run):
    driver.say("stop", run)
    assert driver.ended(run)["outcome"] == "cancelled"


def test_one_process_starts_all_supervisors_of_a_node(driver, tmp_path):
    folder = module(tmp_path / "m", LIVES)
    assert not starters(driver)  # a node without runs has none
    supervisors = [begin(driver, run, folder) for run in (1, 2, 3)]
    mine = starter(driver)
    assert parent(mine) == driver.process.pid
    assert {parent(driver.guard(run)) for run in (1, 2, 3)} == {mine}
    for run in (1, 2, 3):
        end(driver, run)
    wait_gone(*supervisors)
    assert starter(driver) == mine


def test_a_supervisor_looks_as_if_it_had_been_executed(driver, tmp_path):
    """Its words, its environment, its descriptors, its session: nothing of the starter."""
    supervisor = begin(driver, 7, module(tmp_path / "m", LIVES))
    for pid in (supervisor, parent(supervisor)):
        of = pathlib.Path(f"/proc/{pid}")
        words = (of / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert words == [b"muster", b"supervise", bytes(driver.folder(7))]
        assert (of / "environ").read_bytes() == b"PATH=/usr/bin:/bin\0"
        opened = [os.readlink(path) for path in (of / "fd").iterdir()]
        assert not any(name.startswith("socket:") for name in opened) or pid == supervisor
        assert (of / "fd" / "0").readlink() == pathlib.Path("/dev/null")
        assert os.getsid(pid) == parent(supervisor)
    end(driver, 7)


def test_a_starter_that_was_killed_is_replaced(driver, tmp_path):
    folder = module(tmp_path / "m", LIVES)
    first = begin(driver, 1, folder)
    old = starter(driver)
    os.kill(old, signal.SIGKILL)
    wait_gone(old)
    second = begin(driver, 2, folder)
    assert starter(driver) != old
    assert alive(first) and alive(second)
    for run in (1, 2):
        end(driver, run)  # of the first too: nothing of it hung on the starter


def test_a_starter_that_does_not_answer_is_replaced(driver, tmp_path):
    """It stands still with a question before it. Of that run nothing is known, so it is lost
    and never begins; the next one does."""
    begin(driver, 1, module(tmp_path / "m", LIVES))
    end(driver, 1)
    old = starter(driver)
    os.kill(old, signal.SIGSTOP)
    folder = module(tmp_path / "n", "echo began > began")
    lost = driver.run(2, folder, task="lost")
    assert (lost["outcome"], lost["text"]) == ("lost", "its supervisor did not start")
    assert not alive(old)
    assert driver.run(3, folder, task="begun")["outcome"] == "success"
    assert (driver.data / "work/begun/began").exists()
    assert not (driver.data / "work/lost/began").exists()


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_a_starter_ends_with_its_node(tmp_path, killed):
    driver = Driver(tmp_path / "data", program=MUSTER).ready()
    supervisor = begin(driver, 1, module(tmp_path / "m", LIVES))
    mine = starter(driver)
    if killed:
        driver.kill()
    else:
        driver.close()
    wait_gone(mine)
    assert alive(supervisor)
    with Driver(tmp_path / "data", program=MUSTER) as again:
        assert again.seen[0]["run"] == 1 and alive(supervisor)
        again.say("feed", 1, 60000)
        end(again, 1)
    wait_gone(supervisor)


def test_what_cannot_start_supervisors(tmp_path):
    """It ends at once: nothing of the run begins."""
    folder = module(tmp_path / "m", "echo began > began")
    with Driver(tmp_path / "data", program="/bin/true") as driver:
        end_of = driver.run(1, folder)
        assert (end_of["outcome"], end_of["text"]) == ("lost", "its supervisor did not start")
        assert end_of["unable"]  # as would the next one be: they are for another node
        assert not (driver.data / "work/task/began").exists()


def test_what_a_supervisor_says_when_it_cannot_begin_is_told(driver, tmp_path):
    (driver.data / "runs/1/socket").mkdir(parents=True)  # it has to make one of that name
    end_of = driver.run(1, module(tmp_path / "m", "echo began > began"))
    assert end_of["outcome"] == "lost"
    assert end_of["text"].startswith("its supervisor did not start: muster supervise: socket")
    assert not (driver.data / "work/task/began").exists()
